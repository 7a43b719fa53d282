package scheduler

import (
	"fmt"
	"strconv"

	"paceline/agent/cib"
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
func applyAll(c *cib.CIB, plan *Result) {
	calls := map[string]int{}
	for _, a := range inOrder(plan.Graph) {
		applyOne(c, a, calls)
	}
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

func applyOne(c *cib.CIB, a *transition.Action, calls map[string]int) {
	switch a.Kind {
	case transition.KindFence:
		s := c.NodeState(a.Node)
		s.InCCM, s.CRMD, s.Join, s.Expected = "false", "offline", "down", "down"
		s.Resources, s.Attributes = nil, nil
	case transition.KindCluster:
		if a.Operation == "clear_failcount" {
			c.NodeState(a.Node).Attributes = nil
		}
		if a.Operation == "do_shutdown" {
			s := c.NodeState(a.Node)
			s.InCCM, s.CRMD, s.Join, s.Expected = "false", "offline", "down", "down"
			s.Resources, s.Attributes = nil, nil
		}
	case transition.KindResource:
		recordResult(c, a, calls)
	}
}

// recordResult writes the success of an operation into the history.
func recordResult(c *cib.CIB, a *transition.Action, calls map[string]int) {
	s := c.NodeState(a.Node)
	if s == nil || a.Operation == "notify" {
		return
	}
	id, _ := splitInstance(a.Resource)
	var h *cib.ResourceHistory
	for _, r := range s.Resources {
		if r.ID == id {
			h = r
		}
	}
	if h == nil {
		h = &cib.ResourceHistory{ID: id, Agent: a.Agent}
		s.Resources = append(s.Resources, h)
	}
	op, key := a.Operation, fmt.Sprintf("%s_last_0", id)
	if a.IntervalMS > 0 {
		key = fmt.Sprintf("%s_%s_%d", id, op, a.IntervalMS)
	}
	if op == "cancel" {
		drop(h, func(o *cib.OpRecord) bool { return o.IntervalMS == strconv.FormatInt(a.IntervalMS, 10) })
		return
	}
	drop(h, func(o *cib.OpRecord) bool {
		return o.ID == key || (op == "stop" || op == "demote" || op == "promote") && o.IntervalMS != "0" || op != "monitor" && a.IntervalMS == 0 &&
			o.ID == id+"_last_failure_0"
	})
	calls[a.Node]++
	last := 0
	for _, r := range s.Resources {
		for _, o := range r.Ops {
			n, _ := strconv.Atoi(o.CallID)
			last = max(last, n)
		}
	}
	h.Ops = append(h.Ops, &cib.OpRecord{ID: key, Operation: op, IntervalMS: strconv.FormatInt(a.IntervalMS, 10),
		CallID: strconv.Itoa(last + 1), RC: strconv.Itoa(a.TargetRC), OpStatus: "0", OpDigest: a.Digest,
		TransitionKey: fmt.Sprintf("1:1:%d:test", a.TargetRC), LastRCChange: "1"})
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
