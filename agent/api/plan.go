package api

import (
	"strings"
	"time"

	"paceline/agent/cib"
)

// Planner says what the cluster would do about a state.
type Planner func(c *cib.CIB, now time.Time) Plan

// Plan is what the scheduler makes of a state, in the words of the API.
type Plan struct {
	Active  []Placement // what runs where now
	Wanted  []Placement // what is to run where
	Actions []Action    // how to get there, in order
	Reasons []Reason
	Blocked map[string]string // resource instance -> why nothing is done about it
	// Problems keep the scheduler from a good plan ("resource web: no such node ...").
	Problems []string
}

// Placement is a resource instance on a node.
type Placement struct{ Resource, Node, Role string }

// Reason says why a resource is, or is not, on a node. Node is empty where it speaks of the resource as a whole.
type Reason struct{ Resource, Node, Text string }

// baseID strips the number of a clone's instance: "ip:1" is an instance of "ip".
func baseID(instance string) string {
	base, number, ok := strings.Cut(instance, ":")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return instance
	}
	return base
}

// lost lists, in the order of the configuration, the primitives that run now, were to go on running, and would run nowhere
// after a change.
func lost(c *cib.Configuration, before, after Plan) []string {
	active, wanted, still := bases(before.Active), bases(before.Wanted), bases(after.Wanted)
	var out []string
	for _, r := range c.Primitives() {
		if active[r.ID] && wanted[r.ID] && !still[r.ID] {
			out = append(out, r.ID)
		}
	}
	return out
}

func bases(list []Placement) map[string]bool {
	m := map[string]bool{}
	for _, p := range list {
		if p.Node != "" && p.Role != "Stopped" {
			m[baseID(p.Resource)] = true
		}
	}
	return m
}
