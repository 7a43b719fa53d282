package apitest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// Plan is a scheduler for tests: primitives and groups, target roles, standby, plain location constraints and those of
// moves, fail counts. It fences nobody.
func Plan(c *cib.CIB, _ time.Time) api.Plan {
	p := api.Plan{Blocked: map[string]string{}}
	for _, top := range c.Configuration.Resources {
		members := []*cib.Resource{top}
		if top.Kind == cib.KindGroup {
			members = top.Children
		}
		current := ""
		for _, m := range members {
			if at := activeOn(c, m.ID); at != "" {
				p.Active = append(p.Active, api.Placement{Resource: m.ID, Node: at, Role: "Started"})
				if current == "" {
					current = at
				}
			}
		}
		wanted := place(c, &p, top, members, current)
		down := wanted == ""
		for _, m := range members {
			if stopped(top) || stopped(m) {
				down = true
			}
			at := activeOn(c, m.ID)
			if at != "" && (down || at != wanted) {
				p.Actions = append(p.Actions, api.Action{Operation: "stop", Resource: m.ID, Node: at})
			}
			if down {
				continue
			}
			p.Wanted = append(p.Wanted, api.Placement{Resource: m.ID, Node: wanted, Role: "Started"})
			if at != wanted {
				p.Actions = append(p.Actions, api.Action{Operation: "start", Resource: m.ID, Node: wanted})
			}
		}
	}
	return p
}

func stopped(r *cib.Resource) bool {
	for _, s := range r.Meta {
		if v, ok := s.Get("target-role"); ok && v == "Stopped" {
			return true
		}
	}
	return false
}

// activeOn says where the history has a resource.
func activeOn(c *cib.CIB, id string) string {
	for _, ns := range c.Status.Nodes {
		for _, h := range ns.Resources {
			if h.ID != id {
				continue
			}
			for _, op := range h.Ops {
				if op.ID == id+"_last_0" && op.Operation == "start" && op.RC == "0" && ns.InCCM == "true" {
					return ns.Uname
				}
			}
		}
	}
	return ""
}

// place chooses a node: the best score, then where it is, then the first.
func place(c *cib.CIB, p *api.Plan, top *cib.Resource, members []*cib.Resource, current string) string {
	best, bestScore := "", -cib.Infinity
	for _, n := range c.Configuration.Nodes {
		score, why := 0, ""
		ns := c.NodeState(n.Uname)
		for _, s := range n.Attributes {
			if v, ok := s.Get("standby"); ok && v == "on" {
				score, why = -cib.Infinity, "the node is in standby"
			}
		}
		if ns == nil || ns.InCCM != "true" {
			score, why = -cib.Infinity, "the node is not online"
		}
		for _, k := range c.Configuration.Constraints {
			l := k.Location
			if l == nil || l.Resource != top.ID {
				continue
			}
			node, text := l.Node, l.Score
			if len(l.Rules) > 0 {
				node, text = l.Rules[0].Expressions[0].Attribute.Value, l.Rules[0].Score
			}
			if v, err := cib.ParseScore(text); err == nil && node == n.Uname {
				score = cib.AddScores(score, v)
				p.Reasons = append(p.Reasons, api.Reason{Resource: top.ID, Node: n.Uname, Text: fmt.Sprintf("constraint %s gives it %s", l.ID, cib.FormatScore(v))})
			}
		}
		for _, m := range members {
			if ns != nil && hasFailed(ns, m.ID) {
				score, why = -cib.Infinity, m.ID+" has failed there too often"
			}
		}
		if score == 0 && n.Uname == current {
			score = 1
		}
		if why != "" {
			p.Reasons = append(p.Reasons, api.Reason{Resource: top.ID, Node: n.Uname, Text: why})
		}
		if score > bestScore {
			best, bestScore = n.Uname, score
		}
	}
	return best
}

func hasFailed(ns *cib.NodeState, id string) bool {
	return slices.ContainsFunc(ns.Attributes, func(s cib.NVSet) bool {
		return slices.ContainsFunc(s.Pairs, func(p cib.NVPair) bool {
			return strings.HasPrefix(p.Name, "fail-count-"+id+"#") && p.Value == "INFINITY"
		})
	})
}
