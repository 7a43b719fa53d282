package scheduler

import (
	"testing"

	"pgregory.net/rapid"

	"paceline/agent/cib"
)

// TestShuffledInput reorders whatever in a document is not tied to its order: nodes, their histories, and pairs of one
// set. The order of resources and constraints breaks ties, and stays. So does the order of the nodes' states where there
// are clones: an instance gets its number from the first state in which it is found, and where two instances have the same
// right to stay, the one with the lower number does. The numbers themselves mean nothing for anonymous clones.
func TestShuffledInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := randomCluster(t, false)
		if rapid.Bool().Draw(t, "at rest before") {
			settle(t, c, false)
		}
		disturb(t, c)
		mixed := shuffled(t, c)
		one, other := Plan(c, propertyTime), Plan(mixed, propertyTime)
		if why := differentSets(placementSet(one.Placements), placementSet(other.Placements)); why != "" {
			t.Fatalf("placed differently: %s", why)
		}
		anonymous := map[string]bool{}
		for r := range c.Configuration.Walk() {
			anonymous[r.ID] = true
		}
		first, second := &answer{anonymous: anonymous}, &answer{anonymous: anonymous}
		if !first.read(one.Graph.Actions) || !second.read(other.Graph.Actions) {
			t.Fatal("the graph has a cycle")
		}
		if why := differentSets(first.known, second.known); why != "" {
			t.Fatalf("another plan: %s", why)
		}
		if takesTurns(c) {
			return
		}
		if why := first.missingFrom(second); why != "" {
			t.Fatalf("another order: %s", why)
		}
		if why := second.missingFrom(first); why != "" {
			t.Fatalf("another order, the other way round: %s", why)
		}
	})
}

// takesTurns tells whether the instances of some clone start in the order of their numbers.
func takesTurns(c *cib.CIB) bool {
	for r := range c.Configuration.Walk() {
		for _, set := range r.Meta {
			if v, _ := set.Get("ordered"); r.Kind == cib.KindClone && v == "true" {
				return true
			}
		}
	}
	return false
}

// shuffled copies a cluster in another order.
func shuffled(t *rapid.T, c *cib.CIB) *cib.CIB {
	out := copyCIB(c)
	mix(t, out.Configuration.Nodes)
	mixPairs(t, out.Configuration.Options)
	for r := range out.Configuration.Walk() {
		mixPairs(t, r.Meta)
		mix(t, r.Operations.Ops)
	}
	if !hasClones(c) {
		mix(t, out.Status.Nodes)
	}
	for _, s := range out.Status.Nodes {
		mixPairs(t, s.Attributes)
		mix(t, s.Resources)
		for _, h := range s.Resources {
			mix(t, h.Ops)
		}
	}
	return out
}

func hasClones(c *cib.CIB) bool {
	for r := range c.Configuration.Walk() {
		if r.Kind == cib.KindClone {
			return true
		}
	}
	return false
}

func mix[T any](t *rapid.T, list []T) {
	for i := len(list) - 1; i > 0; i-- {
		j := rapid.IntRange(0, i).Draw(t, "place")
		list[i], list[j] = list[j], list[i]
	}
}

func mixPairs(t *rapid.T, sets []cib.NVSet) {
	for i := range sets {
		mix(t, sets[i].Pairs)
	}
}
