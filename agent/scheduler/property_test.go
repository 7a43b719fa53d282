package scheduler

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// randomCluster draws a small cluster with whatever constraints, in whatever state an honest past leads to.
func randomCluster(t *rapid.T) *cib.CIB {
	c := &cib.CIB{Header: cib.Header{HaveQuorum: "1"}}
	c.Configuration.Options = []cib.NVSet{optionSet("fencing-enabled", rapid.SampledFrom([]string{"true", "false"}).Draw(t, "fencing"))}
	nodes := rapid.IntRange(1, 4).Draw(t, "nodes")
	for i := range nodes {
		addMember(c, fmt.Sprintf("n%d", i))
	}
	var ids []string
	for i := range rapid.IntRange(1, 5).Draw(t, "resources") {
		r := randomResource(t, i)
		ids = append(ids, r.ID)
		c.Configuration.Resources = append(c.Configuration.Resources, r)
	}
	one := func(what string) string { return rapid.SampledFrom(ids).Draw(t, what) }
	for i := range rapid.IntRange(0, 4).Draw(t, "constraints") {
		c.Configuration.Constraints = append(c.Configuration.Constraints, randomConstraint(t, i, nodes, one))
	}
	return c
}

func randomResource(t *rapid.T, i int) *cib.Resource {
	member := func(n int) *cib.Resource {
		p := primitive(fmt.Sprintf("r%d%c", i, 'a'+n))
		p.Meta = meta("resource-stickiness", rapid.SampledFrom([]string{"0", "1", "100"}).Draw(t, "sticky"))
		if rapid.Bool().Draw(t, "monitored") {
			p.Operations.Ops = []*cib.Op{{Name: "monitor", Interval: "10s"}}
		}
		return p
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		g := &cib.Resource{ID: fmt.Sprintf("g%d", i), Kind: cib.KindGroup}
		for n := range rapid.IntRange(1, 3).Draw(t, "members") {
			g.Children = append(g.Children, member(n))
		}
		return g
	case 1:
		k := &cib.Resource{ID: fmt.Sprintf("c%d", i), Kind: cib.KindClone, Children: []*cib.Resource{member(0)}}
		k.Meta = meta("interleave", rapid.SampledFrom([]string{"true", "false"}).Draw(t, "interleave"),
			"promotable", rapid.SampledFrom([]string{"true", "false"}).Draw(t, "promotable"))
		return k
	}
	return member(0)
}

func randomConstraint(t *rapid.T, i, nodes int, one func(string) string) *cib.Constraint {
	id := fmt.Sprintf("k%d", i)
	score := rapid.SampledFrom([]string{"INFINITY", "-INFINITY", "100", "-100"}).Draw(t, "score")
	switch rapid.IntRange(0, 2).Draw(t, "constraint") {
	case 0:
		return &cib.Constraint{Location: &cib.Location{ID: id, Resource: one("rsc"), Score: score,
			Node: fmt.Sprintf("n%d", rapid.IntRange(0, nodes-1).Draw(t, "node"))}}
	case 1:
		return &cib.Constraint{Colocation: &cib.Colocation{ID: id, Resource: one("dependent"), With: one("primary"), Score: score}}
	}
	return &cib.Constraint{Order: &cib.Order{ID: id, First: one("first"), Then: one("then"),
		Kind: rapid.SampledFrom([]string{"Mandatory", "Optional"}).Draw(t, "order")}}
}

// disturb lets something happen to a cluster at rest.
func disturb(t *rapid.T, c *cib.CIB) {
	s := rapid.SampledFrom(c.Status.Nodes).Draw(t, "where")
	switch rapid.IntRange(0, 2).Draw(t, "event") {
	case 0:
		s.InCCM, s.CRMD, s.Join = "false", "offline", "down"
	case 1:
		s.Attributes = meta("standby", "on")
	case 2:
		if len(s.Resources) > 0 {
			h := rapid.SampledFrom(s.Resources).Draw(t, "failed")
			h.Ops = append(h.Ops, &cib.OpRecord{ID: h.ID + "_last_failure_0", Operation: "monitor", IntervalMS: "10000", RC: "1",
				OpStatus: "0", CallID: "1000", TransitionKey: "1:1:0:test", LastRCChange: "1"})
		}
	}
}

var propertyTime = time.Unix(1000000, 0)

func bytesOf(p *Result) string {
	text, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// TestPlanProperties holds every plan of a random life to what is always true of plans.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := randomCluster(t)
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			settle(t, c)
			disturb(t, c)
		}
		settle(t, c)
	})
}

// settle plans and applies until nothing is left to do, and checks each plan on the way.
func settle(t *rapid.T, c *cib.CIB) {
	for range 6 {
		p := Plan(c, propertyTime)
		if again := Plan(c, propertyTime); bytesOf(p) != bytesOf(again) {
			t.Fatalf("the same input gives\n%s\nand\n%s", bytesOf(p), bytesOf(again))
		}
		order := inOrder(p.Graph)
		if order == nil && len(p.Graph.Actions) > 0 {
			t.Fatalf("the graph has a cycle: %s", bytesOf(p))
		}
		if len(order) == 0 {
			return
		}
		checkSafety(t, c, p, order)
		applyAll(c, p, propertyTime)
	}
	t.Fatalf("the cluster does not come to rest: %s", bytesOf(Plan(c, propertyTime)))
}

// checkSafety plays a transition and looks for an instance of a plain resource that would be started in two places, or
// started before the lost node that ran it is fenced.
func checkSafety(t *rapid.T, c *cib.CIB, p *Result, order []*transition.Action) {
	on := map[string]map[string]bool{}
	for _, x := range p.Initial {
		if on[x.Resource] == nil {
			on[x.Resource] = map[string]bool{}
		}
		on[x.Resource][x.Node] = true
	}
	for _, a := range order {
		switch {
		case a.Kind == transition.KindFence:
			for r := range on {
				delete(on[r], a.Node)
			}
		case a.Kind != transition.KindResource:
		case a.Operation == "stop":
			delete(on[a.Resource], a.Node)
		case a.Operation == "start":
			for n := range on[a.Resource] {
				if n != a.Node {
					t.Fatalf("%s is started on %s while it may be active on %s: %s", a.Resource, a.Node, n, bytesOf(p))
				}
			}
			if on[a.Resource] == nil {
				on[a.Resource] = map[string]bool{}
			}
			on[a.Resource][a.Node] = true
		}
	}
}
