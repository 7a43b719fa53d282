package api

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
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
	Nodes   map[string]string // node -> state as the plan sees it: online offline standby maintenance pending unclean
	// Why says what keeps the parts of a resource from nodes; nil where nobody knows. It is asked for on demand.
	Why func(resource string) []scheduler.Why
	// NodeWhy is why a node is in its state.
	NodeWhy map[string]string
	// Broken is not empty when the scheduler itself failed: a fault of paceline. Nothing else is known then.
	Broken string
	// Problems keep the scheduler from a good plan ("resource web: no such node ...").
	Problems []string
}

// Placement is a resource instance on a node.
type Placement struct{ Resource, Node, Role string }

// Reason says why a resource is, or is not, on a node. Node is empty where it speaks of the resource as a whole.
type Reason struct{ Resource, Node, Text string }

// caught returns a planner that outlives a broken invariant in another: people still get their status, with the fault in
// it, and a change that would break the scheduler is refused.
func caught(plan Planner, log *slog.Logger) Planner {
	return func(c *cib.CIB, now time.Time) (p Plan) {
		defer func() {
			if r := recover(); r != nil {
				log.Error("the scheduler broke", "cause", r, "stack", string(debug.Stack()))
				p = Plan{Broken: fmt.Sprint(r)}
			}
		}()
		return plan(c, now)
	}
}

// lastPlan keeps the newest plan of a committed state: between changes a status is asked for more often than it differs.
type lastPlan struct {
	mu     sync.Mutex
	of     *cib.CIB
	result *scheduler.Result // it is the coordinator's own
	made   time.Time
	plan   Plan
}

// planOf returns the plan of a committed state: the one by which the coordinator acts, if it is here and has one of this state,
// else one made for the answer, at most planAge old.
func (s *Server) planOf(ctx context.Context, snap Snapshot, now time.Time) Plan {
	s.last.mu.Lock()
	defer s.last.mu.Unlock()
	if c, ok := s.backend.(Coordinating); ok {
		if r, revision := c.Planned(ctx); r != nil && revision == snap.Revision {
			if s.last.result != r {
				s.last.of, s.last.result, s.last.plan = snap.CIB, r, planned(r)
			}
			return s.last.plan
		}
	}
	if s.last.of != snap.CIB || s.last.result != nil || now.Sub(s.last.made) > planAge {
		s.last.of, s.last.result, s.last.made, s.last.plan = snap.CIB, nil, now, s.plan(snap.CIB, now)
	}
	return s.last.plan
}

// PlanBySchedule is the Planner of a real cluster: what its scheduler would do.
func PlanBySchedule(c *cib.CIB, now time.Time) Plan { return planned(scheduler.Plan(c, now)) }

// planned puts a plan into the words of the API.
func planned(r *scheduler.Result) Plan {
	p := Plan{Active: placements(r.Initial), Wanted: placements(r.Placements), Blocked: map[string]string{}, Problems: r.Problems}
	for _, a := range r.Graph.Actions {
		if a.Kind == transition.KindPseudo {
			continue
		}
		p.Actions = append(p.Actions, Action{Operation: a.Operation, Resource: a.Resource, Node: a.Node, Reason: a.Reason})
	}
	for _, x := range r.Reasons {
		p.Reasons = append(p.Reasons, Reason{Resource: x.Resource, Node: x.Node, Text: x.Text})
	}
	var asked sync.Mutex // requests share a plan, and its answers are made on demand
	p.Why = func(resource string) []scheduler.Why {
		asked.Lock()
		defer asked.Unlock()
		return r.Why(resource)
	}
	p.Nodes, p.NodeWhy = map[string]string{}, map[string]string{}
	for _, n := range r.Nodes {
		p.Nodes[n.Name], p.NodeWhy[n.Name] = n.State, n.Why
	}
	for _, b := range r.Blocked {
		if b.Resource != "" && p.Blocked[b.Resource] == "" {
			p.Blocked[b.Resource] = b.Text
		}
	}
	return p
}

func placements(list []scheduler.Placement) []Placement {
	out := make([]Placement, 0, len(list))
	for _, p := range list {
		out = append(out, Placement{Resource: p.Resource, Node: p.Node, Role: p.Role})
	}
	return out
}

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
