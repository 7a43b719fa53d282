package scheduler

import (
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/transition"
)

// The tests build small states of the CIB, and apply plans to them as a cluster would that never fails.

func optionSet(pairs ...string) cib.NVSet {
	s := cib.NVSet{ID: cib.BootstrapSet}
	for i := 0; i+1 < len(pairs); i += 2 {
		s.Pairs = append(s.Pairs, cib.NVPair{Name: pairs[i], Value: pairs[i+1]})
	}
	return s
}

func meta(pairs ...string) []cib.NVSet {
	s := optionSet(pairs...)
	s.ID = ""
	return []cib.NVSet{s}
}

func addMember(c *cib.CIB, name string) {
	c.Configuration.Nodes = append(c.Configuration.Nodes, &cib.Node{ID: name, Uname: name, Type: cib.NodeMember})
	c.Status.Nodes = append(c.Status.Nodes, &cib.NodeState{ID: name, Uname: name, InCCM: "true", CRMD: "online",
		Join: "member", Expected: "member", HasHistory: true})
}

func primitive(id string) *cib.Resource {
	return &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "test", Type: "Dummy"}}
}

// applyAll plays a plan: every action succeeds, in order, and the histories say so.
func applyAll(c *cib.CIB, plan *Result, now time.Time) {
	next, _, err := outcome.Execute(c, plan.Graph, now, nil)
	if err != nil {
		panic(err)
	}
	*c = *owned(next)
}

// owned copies the states of the nodes, which the stories change in place.
func owned(c *cib.CIB) *cib.CIB {
	out := *c
	out.Status.Nodes = nil
	for _, s := range c.Status.Nodes {
		n := *s
		n.Resources, n.Attributes = nil, nil
		for _, h := range s.Resources {
			own := *h
			own.Ops = append([]*cib.OpRecord(nil), h.Ops...)
			n.Resources = append(n.Resources, &own)
		}
		for _, set := range s.Attributes {
			set.Pairs = append([]cib.NVPair(nil), set.Pairs...)
			n.Attributes = append(n.Attributes, set)
		}
		out.Status.Nodes = append(out.Status.Nodes, &n)
	}
	return &out
}

// inOrder sorts a graph so that every action comes after those it waits for; nil where it has a cycle.
func inOrder(g *transition.Graph) []*transition.Action {
	left := map[int]int{}
	then := map[int][]*transition.Action{}
	var ready, out []*transition.Action
	for _, a := range g.Actions {
		left[a.ID] = len(a.After)
		for _, b := range a.After {
			then[b] = append(then[b], a)
		}
		if len(a.After) == 0 {
			ready = append(ready, a)
		}
	}
	for len(ready) > 0 {
		a := ready[0]
		ready = ready[1:]
		out = append(out, a)
		for _, b := range then[a.ID] {
			if left[b.ID]--; left[b.ID] == 0 {
				ready = append(ready, b)
			}
		}
	}
	if len(out) != len(g.Actions) {
		return nil
	}
	return out
}

func drop(h *cib.ResourceHistory, gone func(*cib.OpRecord) bool) {
	var kept []*cib.OpRecord
	for _, o := range h.Ops {
		if !gone(o) {
			kept = append(kept, o)
		}
	}
	h.Ops = kept
}
