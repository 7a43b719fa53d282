package main

import (
	"fmt"
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
)

// shape is one cluster to plan for.
type shape struct {
	kind      string // primitives or clones
	resources int
	nodes     int
	steady    bool // everything runs where it was placed, and nothing is left to do; else nothing runs yet
}

func (s shape) state() string {
	if s.steady {
		return "steady"
	}
	return "cold"
}

// tooLarge tells whether the cluster is beyond what is measured. A resource has a history on every node, or is probed there.
func (s shape) tooLarge() bool {
	if s.steady {
		return s.resources*s.nodes > steadyMax
	}
	return s.resources*s.nodes > coldMax
}

func (s shape) String() string {
	return fmt.Sprintf("%s %d x %d %s", s.kind, s.resources, s.nodes, s.state())
}

// planTime is the time for which every cluster is planned.
var planTime = time.Unix(1_700_000_000, 0)

// build makes the cluster.
func (s shape) build() (*cib.CIB, error) {
	c := &cib.CIB{Header: cib.Header{HaveQuorum: "1", ExecutionDate: strconv.FormatInt(planTime.Unix(), 10)}}
	c.Configuration.Options = []cib.NVSet{{ID: cib.BootstrapSet, Pairs: []cib.NVPair{
		{ID: "o-stonith", Name: "stonith-enabled", Value: "false"}}}}
	for i := range s.nodes {
		name := fmt.Sprintf("node%03d", i)
		c.Configuration.Nodes = append(c.Configuration.Nodes, &cib.Node{ID: strconv.Itoa(i + 1), Uname: name, Type: cib.NodeMember})
		c.Status.Nodes = append(c.Status.Nodes, &cib.NodeState{ID: strconv.Itoa(i + 1), Uname: name, InCCM: "true", CRMD: "online",
			Join: "member", Expected: "member", HasHistory: true})
	}
	switch s.kind {
	case "primitives":
		s.addPrimitives(c)
	case "clones":
		s.addClones(c)
	default:
		return nil, fmt.Errorf("a cluster of %q is none of primitives, clones", s.kind)
	}
	if !s.steady {
		return c, nil
	}
	return c, settle(c)
}

// addPrimitives adds primitives in groups of four: the first prefers a node, the second is colocated with it, the third
// with the second, and the fourth comes after it.
func (s shape) addPrimitives(c *cib.CIB) {
	conf := &c.Configuration
	name := func(i int) string { return fmt.Sprintf("rsc%05d", i) }
	for i := range s.resources {
		conf.Resources = append(conf.Resources, monitored(name(i)))
		id := "with-" + name(i)
		switch i % 4 {
		case 0:
			conf.Constraints = append(conf.Constraints, &cib.Constraint{Location: &cib.Location{ID: id, Resource: name(i),
				Node: conf.Nodes[i/4%s.nodes].Uname, Score: "100"}})
		case 1, 2:
			conf.Constraints = append(conf.Constraints, &cib.Constraint{Colocation: &cib.Colocation{ID: id, Resource: name(i),
				With: name(i - 1), Score: "INFINITY"}})
		case 3:
			conf.Constraints = append(conf.Constraints, &cib.Constraint{Order: &cib.Order{ID: id, First: name(i - 1), Then: name(i),
				Kind: "Mandatory"}})
		}
	}
}

// addClones adds anonymous clones, each with an instance on every node.
func (s shape) addClones(c *cib.CIB) {
	for i := range s.resources {
		p := monitored(fmt.Sprintf("rsc%05d", i))
		c.Configuration.Resources = append(c.Configuration.Resources, &cib.Resource{ID: p.ID + "-clone", Kind: cib.KindClone,
			Children: []*cib.Resource{p}})
	}
}

func monitored(id string) *cib.Resource {
	return &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "pacemaker", Type: "Dummy"},
		Operations: cib.Operations{Ops: []*cib.Op{{ID: id + "-monitor", Name: "monitor", Interval: "10s", Timeout: "20s"}}}}
}

// roundsMax bounds the transitions until everything runs: probes and starts are one.
const roundsMax = 4

// settle plans, and writes the success of everything that was planned into the histories, until nothing is left to do.
func settle(c *cib.CIB) error {
	for range roundsMax {
		actions := scheduler.Plan(c, planTime).Graph.Actions
		if len(actions) == 0 {
			return nil
		}
		record(c, actions)
	}
	return fmt.Errorf("the cluster does not come to rest in %d transitions", roundsMax)
}

// record writes the success of probes, starts and recurring monitors into the histories. The start of a resource takes
// the place of its probe.
func record(c *cib.CIB, actions []*transition.Action) {
	states := map[string]*cib.NodeState{}
	histories := map[string]map[string]*cib.ResourceHistory{}
	for _, s := range c.Status.Nodes {
		states[s.Uname], histories[s.Uname] = s, map[string]*cib.ResourceHistory{}
		for _, h := range s.Resources {
			histories[s.Uname][h.ID] = h
		}
	}
	calls := map[string]int{}
	for _, now := range []func(*transition.Action) bool{isProbe, isStart, isRecurring} {
		for _, a := range actions {
			if a.Kind != transition.KindResource || !now(a) {
				continue
			}
			id := plainName(a.Resource)
			h := histories[a.Node][id]
			if h == nil {
				h = &cib.ResourceHistory{ID: id, Agent: a.Agent}
				histories[a.Node][id] = h
				states[a.Node].Resources = append(states[a.Node].Resources, h)
			}
			calls[a.Node]++
			h.Ops = append(h.Ops, succeeded(a, id, calls[a.Node]))
			if isStart(a) {
				h.Ops = h.Ops[len(h.Ops)-1:]
			}
		}
	}
}

func isProbe(a *transition.Action) bool     { return a.Operation == "monitor" && a.IntervalMS == 0 }
func isStart(a *transition.Action) bool     { return a.Operation == "start" }
func isRecurring(a *transition.Action) bool { return a.IntervalMS > 0 }

// succeeded is the record of an operation that went as expected.
func succeeded(a *transition.Action, id string, call int) *cib.OpRecord {
	key := id + "_last_0"
	if a.IntervalMS > 0 {
		key = fmt.Sprintf("%s_%s_%d", id, a.Operation, a.IntervalMS)
	}
	transitionKey := fmt.Sprintf("%d:0:%d:6e6f6465-0000-4000-8000-000000000001", a.ID, a.TargetRC)
	return &cib.OpRecord{ID: key, Key: fmt.Sprintf("%s_%s_%d", id, a.Operation, a.IntervalMS), Operation: a.Operation,
		IntervalMS: strconv.FormatInt(a.IntervalMS, 10), CallID: strconv.Itoa(call), RC: strconv.Itoa(a.TargetRC), OpStatus: "0",
		OpDigest: a.Digest, FeatureSet: "3.1.0", TransitionKey: transitionKey, TransitionMagic: fmt.Sprintf("0:%d;%s", a.TargetRC, transitionKey)}
}

// plainName is an instance's name without its number.
func plainName(id string) string {
	for i := range id {
		if id[i] == ':' {
			return id[:i]
		}
	}
	return id
}
