package simulation

import (
	"fmt"
	"time"

	"paceline/agent/membership"
	"paceline/fencing"
)

// The bounds of liveness: what must hold once nothing is wrong any more (each counts from the last time a daemon began or
// ended, or heard or missed another).
const (
	oneView        = "L1 one view"
	oneCoordinator = "L2 one coordinator"
	idleInTime     = "L3 idle"
	atRest         = "L3 rest"
	rejoined       = "L5 rejoin"
	movesOnce      = "L6 no more than one move"
	staysPut       = "L6 nothing moves at rest"
	fencingPaced   = "L7 fencing is tried again"
	healsItself    = "L9 a wiped node heals itself"

	viewMax        = 2 * detectMax
	coordinatorMax = 3 * time.Second
	// idleMax is ten seconds and the longest operation: those of before hang until their time-outs of 20 s.
	idleMax = 30 * time.Second
	// rejoinMax is how long a node may need, from when all is quiet, until it is a member and has all that is committed. A
	// fencing that is under way comes before that.
	rejoinMax = 15 * time.Second
	// movesMax: what is started as soon as one node is there may move once when the others are.
	movesMax = 2
	// watchFor is how long some of the clusters that rest are watched.
	watchFor   = 15 * time.Second
	watchEvery = 4
	// fencePause is the least pause between two fencings of one target.
	fencePause = time.Second
)

// begun is a fencing that began.
type begun struct {
	term, number uint64
	at           time.Duration
}

// paced judges the pauses between the fencings of one target by one coordinator.
func (w *world) paced(term uint64, o fencing.Order) {
	before, again := w.begun[o.Target]
	if again && before.term == term && before.number == o.Fence {
		return // another device, or another try of the same
	}
	if w.begun == nil {
		w.begun = map[string]begun{}
	}
	w.begun[o.Target] = begun{term, o.Fence, w.now}
	if pause := w.now - before.at; again && before.term == term && pause < fencePause && !w.asked[o.Target] {
		w.violate(fencingPaced, "%s is to be fenced again after %v", o.Target, pause)
	}
	w.judgedLive(fencingPaced)
}

func (w *world) judgedLive(rule string) {
	if w.out.Live == nil {
		w.out.Live = map[string]int{}
	}
	w.out.Live[rule]++
}

// lively judges a cluster in which everything is healed, at a moment.
func (w *world) lively() {
	quiet := w.now - w.stirred
	for _, n := range w.nodes {
		if !n.up {
			return
		}
		quiet = min(quiet, w.now-n.paused)
	}
	if quiet > viewMax {
		w.judgedLive(oneView)
		for _, n := range w.nodes {
			for _, m := range w.nodes {
				if k, ok := n.view.Member(m.name); !ok || k.Status != membership.Alive || k.Incarnation != m.incarnation() {
					w.violate(oneView, "%v after the last change %s does not hear %s", quiet, n.name, m.name)
				}
			}
		}
	}
	if quiet <= viewMax+coordinatorMax {
		return
	}
	w.judgedLive(oneCoordinator)
	if why := w.coordinated(); why != "" {
		w.violate(oneCoordinator, "%v after the last change %s", quiet, why)
	}
	w.back(quiet)
	for _, n := range w.nodes {
		if n.core == nil || quiet <= viewMax+coordinatorMax+idleMax {
			continue
		}
		w.judgedLive(idleInTime)
		// A person's all clear is news, and what hangs on a fencing lasts as long as that.
		if p := n.core.Progress(); !p.Idle && len(p.Fences) == 0 && w.now-w.cleared > idleMax {
			w.violate(idleInTime, "%v after the last change %s has %d operations in flight", quiet, n.name, len(p.InFlight))
		}
	}
}

// back judges whether all nodes are members again and have all that is committed, so long after the last change.
func (w *world) back(quiet time.Duration) {
	var lead *node
	for _, n := range w.nodes {
		if n.core != nil {
			lead = n
		}
	}
	late := quiet > viewMax+coordinatorMax+rejoinMax && len(lead.core.Progress().Fences) == 0
	for _, n := range w.nodes {
		st := lead.snapshot().CIB.NodeState(n.id)
		if in := st != nil && st.CRMD == "online" && st.Join == "member" && st.Incarnation == n.incarnation(); in || late {
			w.judgedLive(rejoined)
			if !in {
				w.violate(rejoined, "%v after the last change %s is no member", quiet, n.name)
			}
		}
		if has := n.log.commit >= lead.log.commit; n.wiped && (has || late) {
			w.judgedLive(healsItself)
			n.wiped = false
			if !has {
				w.violate(healsItself, "%v after the last change %s has %d of %d entries, since its disk was emptied", quiet, n.name, n.log.commit, lead.log.commit)
			}
		}
	}
}

// stir notes that a daemon began or ended, or heard or missed another.
func (w *world) stir() {
	w.stirred = w.now
	w.news()
}

// news is what gives plans a reason to move something.
func (w *world) news() { clear(w.moves) }

// moved judges how often what is healed moves something.
func (w *world) moved(resource string) {
	if !w.over || copies(resource) {
		return
	}
	w.moves[resource]++
	w.judgedLive(movesOnce)
	if w.moves[resource] > movesMax {
		w.violate(movesOnce, "%s is started for the %dth time since anything changed", resource, w.moves[resource])
	}
}

// coordinated says what is wrong with who leads.
func (w *world) coordinated() string {
	lead := ""
	for _, n := range w.nodes {
		if n.core != nil {
			if lead != "" {
				return lead + " and " + n.name + " both coordinate"
			}
			lead = n.name
		}
	}
	if lead == "" {
		return "nobody coordinates"
	}
	for _, n := range w.nodes {
		if n.log.leader != w.node(lead).id {
			return fmt.Sprintf("%s coordinates, and %s does not know it", lead, n.name)
		}
	}
	return ""
}

// watch looks at a cluster at rest: nothing may start, move or be fenced any more.
func (w *world) watch() {
	if w.out.Seed%watchEvery != 0 || w.device.pending > 0 {
		return
	}
	started, fenced := w.out.Activated, w.out.Fencings
	w.until(w.now + watchFor)
	w.judgedLive(staysPut)
	if w.out.Activated != started || w.out.Fencings != fenced {
		w.violate(staysPut, "%d starts and %d fencings in %v after it came to rest", w.out.Activated-started, w.out.Fencings-fenced, watchFor)
	}
}
