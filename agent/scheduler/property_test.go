package scheduler

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

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
		loops := rapid.IntRange(1, 6).Draw(t, "loops") == 6
		c := randomCluster(t, loops)
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			settle(t, c, loops)
			disturb(t, c)
		}
		settle(t, c, loops)
	})
}

// settle plans and applies until nothing is left to do, and checks each plan on the way.
func settle(t *rapid.T, c *cib.CIB, loops bool) {
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
	if loops {
		return // what two resources that wait for each other come to hangs on which of them runs
	}
	t.Fatalf("the cluster does not come to rest: %s\n%s", bytesOf(Plan(c, propertyTime)), encoded(t, c))
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
