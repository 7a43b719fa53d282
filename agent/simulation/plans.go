package simulation

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
)

const (
	sameStateSamePlan = "S11 same state, same plan"
	planLeavesNothing = "S12 a plan that was carried out leaves nothing to do"
)

// pingPongAfter is after how many commits a broken plan prefers the next node.
const pingPongAfter = 8

// plan is the scheduler, by the wall clock of the node: that clock may be wrong, and jump.
func (n *node) plan(c *cib.CIB, now time.Time) *scheduler.Result {
	skew := n.clockError()
	r := n.w.scheduled(c, now.Add(skew))
	if !r.Recheck.IsZero() {
		r.Recheck = r.Recheck.Add(-skew)
	}
	return r
}

// scheduled is a plan, or what a broken rule makes of it.
func (w *world) scheduled(c *cib.CIB, now time.Time) *scheduler.Result {
	b := w.opt.Broken
	if b.PlansByClock && now.Second()%2 == 0 {
		c = w.without(c, "loc")
	}
	r := scheduler.Plan(w.bent(c), now)
	if b.NoRoomFirst {
		for _, a := range r.Graph.Actions {
			if a.Kind == transition.KindPseudo && strings.HasPrefix(a.Operation, "load_stopped") {
				a.After = nil
			}
		}
	}
	return r
}

// without is a state without some constraints, where it has them.
func (w *world) without(c *cib.CIB, ids ...string) *cib.CIB {
	for _, id := range ids {
		if next, err := cib.Apply(c, cib.Change{DropConstraint: &cib.DropConstraint{ID: id}}); err == nil {
			c = next
		}
	}
	return c
}

// bent is what a broken rule makes of what is planned for.
func (w *world) bent(c *cib.CIB) *cib.CIB {
	b := w.opt.Broken
	change := func(ch cib.Change) {
		if next, err := cib.Apply(c, ch); err == nil {
			c = next
		}
	}
	if b.TouchesAll {
		off := "false"
		change(cib.Change{SetOption: &cib.SetOption{Name: "maintenance-mode", Value: &off}})
		change(cib.Change{SetMeta: &cib.SetMeta{Resource: "r1", Name: "is-managed"}})
	}
	if b.PingPong {
		change(located("r1", w.nodes[w.out.Commits/pingPongAfter%len(w.nodes)].name, "1000"))
	}
	if b.NoOrder {
		c = w.without(c, "ord")
	}
	if b.NoColocation {
		c = w.without(c, "with", "apart")
	}
	if b.NoBans {
		c = w.without(c, "never")
	}
	if b.CopiesEverywhere {
		change(cib.Change{SetMeta: &cib.SetMeta{Resource: "c", Name: "clone-max"}})
	}
	if b.NoCapacity {
		change(cib.Change{SetOption: &cib.SetOption{Name: "placement-strategy"}})
	}
	if two := "2"; b.PromotesTwo {
		change(cib.Change{SetMeta: &cib.SetMeta{Resource: "m", Name: "promoted-max", Value: &two}})
	}
	return c
}

// planned plans some of the states again, as another node would that has them from the disk.
func (w *world) planned(n *node, e coordinator.Planned) {
	if e.Cause == afterTransition {
		n.circles++
		if n.circles > circlesMax {
			w.violate(planLeavesNothing, "%s plans %d actions for revision %d, the %dth time in a row after a transition that ran to its end, first %s",
				n.name, e.Plan.Real(), e.Revision, n.circles, opening(e.Plan))
		}
	} else {
		n.circles = 0
	}
	if e.Revision%replanEvery != 0 {
		return
	}
	w.out.Replanned++
	var disk bytes.Buffer
	if err := cib.Encode(&disk, e.CIB); err != nil {
		w.violate(sameStateSamePlan, "revision %d can not be written: %v", e.Revision, err)
		return
	}
	again, _, err := cib.Decode(&disk)
	if err != nil {
		w.violate(sameStateSamePlan, "revision %d can not be read: %v", e.Revision, err)
		return
	}
	one, _ := json.Marshal(e.Plan)
	two, _ := json.Marshal(w.scheduled(again, e.Now.Add(n.clockError())).Graph)
	if w.opt.Broken.PlansByChance && w.chance(0.5) {
		two = append(two, ' ')
	}
	if !bytes.Equal(one, two) {
		w.violate(sameStateSamePlan, "revision %d has two plans:\n%s\n%s", e.Revision, one, two)
	}
}

// afterTransition is the Core's reason for the look that follows a transition that ran to its end.
const afterTransition = "the transition before is complete"

func opening(g *transition.Graph) string {
	for _, a := range g.Actions {
		if a.Kind != transition.KindPseudo {
			return a.Label()
		}
	}
	return "nothing"
}

func (w *world) ended(*node, coordinator.Ended) { w.out.Transition++ }
