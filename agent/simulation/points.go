package simulation

import (
	"math/rand/v2"
	"slices"
	"time"

	"paceline/agent/audit"
)

// points are the moments in a daemon's work at which a kill -9 hurts most: it has written something down, or is about to; it has
// told somebody, or not yet. At each of them it is killed in two ways: what it sends at that moment goes out, or does not.
var points = []audit.Kind{
	audit.Begin, audit.End, audit.Session, audit.Ordered, audit.Given, audit.Renewed, audit.Led, audit.Met, audit.FenceSent, audit.Applied,
}

// pointsOf are how many seeds have such kills: one in so many.
const pointsOf = 3

// trap is a kill that waits for its moment.
type trap struct {
	node *node
	at   audit.Kind
	mute bool // nothing that the daemon sends at that moment goes out
}

// setTraps draws kills at points. What they draw is their own, so that the runs of all other seeds stay what they were.
func (w *world) setTraps(from, length time.Duration) {
	own := rand.New(rand.NewPCG(w.out.Seed, 4))
	if w.opt.Calm || !w.profile.fencing || own.IntN(pointsOf) != 0 {
		return
	}
	for number := range 1 + own.IntN(4) {
		number += trapNumbers
		at := from + time.Duration(own.Int64N(int64(length)))
		t := &trap{w.nodes[own.IntN(len(w.nodes))], points[own.IntN(len(points))], own.IntN(2) == 0}
		if w.opt.Only != nil && !slices.Contains(w.opt.Only, number) {
			continue
		}
		w.after(at, func() {
			if !w.over {
				w.out.Plan = append(w.out.Plan, Planned{number, w.now, killedAtAPoint})
				w.traps = append(w.traps, t)
			}
		})
	}
}

// trapNumbers is the number of the first trap among the faults of a run, of which there are never so many otherwise.
const trapNumbers = 10_000

const killedAtAPoint = "daemon killed at a point"

// spring kills whoever has come to the point at which a kill waits.
func (w *world) spring(f audit.Fact) {
	for i, t := range w.traps {
		n := t.node
		if f.Kind != t.at || f.Node != n.name || !n.up || w.over {
			continue
		}
		w.traps = slices.Delete(w.traps, i, i+1)
		w.out.Faults[killedAtAPoint]++
		n.mute = t.mute
		inc := n.inc
		kill := func() {
			if n.up && n.inc == inc {
				w.say("the daemon of %s is killed at its %s", n.name, t.at)
				w.busy()
				n.stop()
			}
			boot := n.boot
			w.after(time.Duration(n.inc%5+1)*500*time.Millisecond, func() {
				if n.power && n.boot == boot && !n.up {
					n.start()
				}
			})
		}
		if f.Kind == audit.Begin || f.Kind == audit.End { // of an agent: the daemon has not written down how that ended
			kill()
		} else {
			w.after(0, kill)
		}
		return
	}
}
