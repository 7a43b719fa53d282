package scheduler

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/transition"
)

// truth is where the instances of a model cluster really run, whatever any plan thinks: how many of a resource on a node.
type truth struct {
	c        *cib.CIB
	on       map[string]map[string]int // resource without instance number -> node -> instances
	promoted map[string]map[string]bool
}

func truthOf(c *cib.CIB, initial []Placement) *truth {
	w := &truth{c: c, on: map[string]map[string]int{}, promoted: map[string]map[string]bool{}}
	for _, p := range initial {
		id, _ := splitInstance(p.Resource)
		w.add(id, p.Node, 1)
		w.promote(id, p.Node, p.Role == "Promoted")
	}
	return w
}

func (w *truth) add(id, node string, n int) {
	if w.on[id] == nil {
		w.on[id] = map[string]int{}
	}
	if w.on[id][node] += n; w.on[id][node] <= 0 {
		delete(w.on[id], node)
	}
}

func (w *truth) promote(id, node string, yes bool) {
	if w.promoted[id] == nil {
		w.promoted[id] = map[string]bool{}
	}
	if w.promoted[id][node] = yes; !yes {
		delete(w.promoted[id], node)
	}
}

// cloned tells whether several instances of the resource may run.
func (w *truth) cloned(id string) bool {
	for top := range w.c.Configuration.Resources {
		r := w.c.Configuration.Resources[top]
		if r.Kind != cib.KindClone {
			continue
		}
		for _, k := range r.Children {
			if k.ID == id {
				return true
			}
			for _, m := range k.Children {
				if m.ID == id {
					return true
				}
			}
		}
	}
	return false
}

// play carries out one action; it returns what is unsafe about it, or "".
func (w *truth) play(a *transition.Action) string {
	id, _ := splitInstance(a.Resource)
	switch a.Kind {
	case transition.KindFence:
		for r := range w.on {
			delete(w.on[r], a.Node)
			delete(w.promoted[r], a.Node)
		}
		return ""
	case transition.KindResource:
	default:
		return ""
	}
	if a.Agent.Class == "stonith" {
		return "" // a fencing device is no service: it may be used from anywhere at once
	}
	switch a.Operation {
	case "start":
		for node := range w.on[id] {
			if node == a.Node || !w.cloned(id) {
				return fmt.Sprintf("%s is started on %s while it may be active on %s", a.Resource, a.Node, node)
			}
		}
		w.add(id, a.Node, 1)
	case "stop":
		w.on[id][a.Node] = 1
		w.add(id, a.Node, -1)
		w.promote(id, a.Node, false)
	case "promote":
		for node := range w.promoted[id] {
			if node != a.Node {
				return fmt.Sprintf("%s is promoted on %s while it may be promoted on %s", a.Resource, a.Node, node)
			}
		}
		w.promote(id, a.Node, true)
	case "demote":
		w.promote(id, a.Node, false)
	case "migrate_to":
		w.add(id, a.Meta["migrate_target"], 1)
	}
	return ""
}

// TestAfterAnyPrefix cuts transitions short anywhere, plans again, and checks the new plan against what really runs.
func TestAfterAnyPrefix(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := randomCluster(t, false)
		for range rapid.IntRange(1, 3).Draw(t, "events") {
			if rapid.Bool().Draw(t, "at rest before") {
				settle(t, c, false)
			}
			disturb(t, c)
			p := Plan(c, propertyTime)
			w := truthOf(c, p.Initial)
			for range rapid.IntRange(1, 3).Draw(t, "cuts") {
				done := prefix(t, p.Graph)
				for _, a := range done.Actions {
					if why := w.play(a); why != "" {
						t.Fatalf("%s: %s", why, bytesOf(p))
					}
				}
				next, _, err := outcome.Execute(c, done, propertyTime, nil)
				if err != nil {
					t.Fatal(err)
				}
				*c = *owned(next)
				p = Plan(c, propertyTime)
			}
			order := inOrder(p.Graph)
			if order == nil && len(p.Graph.Actions) > 0 {
				t.Fatalf("the graph has a cycle: %s", bytesOf(p))
			}
			for _, a := range order {
				if why := w.play(a); why != "" {
					t.Fatalf("after a part of a transition: %s: %s", why, bytesOf(p))
				}
			}
			applyAll(c, p, propertyTime)
		}
	})
}

// prefix draws some of the actions of a graph that can be complete while the others are not, in an order that the graph
// allows.
func prefix(t *rapid.T, g *transition.Graph) *transition.Graph {
	count := rapid.IntRange(0, len(g.Actions)).Draw(t, "complete")
	done := map[int]bool{}
	out := &transition.Graph{}
	for len(out.Actions) < count {
		var ready []*transition.Action
		for _, a := range g.Actions {
			waits := done[a.ID]
			for _, b := range a.After {
				waits = waits || !done[b]
			}
			if !waits {
				ready = append(ready, a)
			}
		}
		if len(ready) == 0 {
			t.Fatal("the graph has a cycle")
		}
		a := ready[rapid.IntRange(0, len(ready)-1).Draw(t, "next")]
		done[a.ID] = true
		out.Actions = append(out.Actions, a)
	}
	return out
}
