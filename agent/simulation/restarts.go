package simulation

import (
	"time"

	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/membership"
)

// The bounds of announced restarts (a daemon that says that it starts anew, and is away for longer than gossip takes to miss it).
const (
	restartAwaited = "S32 an announced restart is waited for"
	restartBounded = "L4 an announced restart is waited for in bounds"
	silenceIsLoss  = "L4 a node that said nothing is lost at once"

	// lossSlack is how long after the end of the wait the loss may be proposed: gossip has to notice, and a commit of before may
	// be under way.
	lossSlack = 1500 * time.Millisecond
)

// restartTime is how long such a node is to be waited for.
var restartTime = coordinator.TimingFor(detectMax, nodeLease).Restart

// reload is the newest announced restart of a node.
type reload struct {
	inc   int
	said  time.Duration // when it was announced
	ended time.Duration // when the daemon ended
	lost  bool          // somebody has proposed since that the node is lost, or fences it
}

// announce has the restart of a node's daemon committed, and ends it then; again starts it.
func (w *world) announce(n *node, again func()) bool {
	lead := w.leading()
	if lead == nil || !n.up || w.now < n.paused || !w.reaches(n, lead) || !w.reaches(lead, n) {
		return false
	}
	ch, err := coordinator.Announce(lead.snapshot().CIB, n.id, n.bootID(), n.incarnation())
	if err != nil {
		return false
	}
	w.say("%s announces that its daemon starts anew", n.name)
	lead.propose(&entry{term: lead.log.term, change: &ch, why: "an announced restart of " + n.name})
	inc, boot, said := n.inc, n.boot, w.now
	tries := 0
	var look func()
	look = func() {
		tries++
		switch {
		case !n.up || n.inc != inc || n.boot != boot || w.over || tries > 50:
		case lead.core != nil && announcedIn(lead.snapshot().CIB, n):
			w.reloads[n.name] = &reload{inc: inc, said: said, ended: w.now}
			n.stop()
			again()
			w.boundRestart(n, lead)
		default:
			w.after(10*time.Millisecond, look)
		}
	}
	w.after(10*time.Millisecond, look)
	return true
}

// announcedIn says whether a state holds the announcement of this very daemon.
func announcedIn(c *cib.CIB, n *node) bool {
	st := c.NodeState(n.id)
	if st == nil || st.Incarnation != n.incarnation() || st.Boot != n.bootID() {
		return false
	}
	for _, set := range st.Attributes {
		for _, p := range set.Pairs {
			if p.Name == cib.RestartAttribute && p.Value == n.bootID()+" "+n.incarnation() {
				return true
			}
		}
	}
	return false
}

func (w *world) leading() *node {
	for _, n := range w.nodes {
		if n.core != nil && n.log.ready && w.now >= n.paused {
			return n
		}
	}
	return nil
}

// revive starts a daemon after a while, in the boot in which it ended.
func (w *world) revive(n *node, d time.Duration) {
	boot := n.boot
	w.after(d, func() {
		if n.power && n.boot == boot && !n.up {
			n.start()
		}
	})
}

// lossOf judges that somebody takes a node for lost: not while it is waited for.
func (w *world) lossOf(n *node, by *node) {
	r := w.reloads[n.name]
	if r == nil || r.inc != n.inc {
		return
	}
	r.lost = true
	if !w.profile.fencing || !announcedIn(by.snapshot().CIB, n) {
		return
	}
	w.judgedLive(restartAwaited)
	if left := r.said + restartTime - w.now; left > 0 && w.now > r.ended {
		w.violate(restartAwaited, "%s takes %s for lost %v before its time is over", by.name, n.name, left)
	}
}

// proposesLoss finds the nodes that a coordinator's change takes for lost.
func (w *world) proposesLoss(ch *cib.Change, by *node) {
	for i := range ch.Batch {
		w.proposesLoss(&ch.Batch[i], by)
	}
	if s := ch.NodeStatus; s != nil && s.InCCM == "false" && s.Expected == "" {
		w.lossOf(w.byID(s.ID), by)
	}
}

// boundRestart judges that a node which does not come back is taken for lost when its time is over, by a coordinator that was there
// all the time.
func (w *world) boundRestart(n, lead *node) {
	r, core, inc := w.reloads[n.name], lead.core, n.inc
	w.after(restartTime+lossSlack, func() {
		if core == nil || lead.core != core || lead.paused > r.ended || lead.log.commit < len(lead.log.log) || !w.profile.fencing || n.inc != inc || w.reloads[n.name] != r || w.late > 0 {
			return
		}
		w.judgedLive(restartBounded)
		if !r.lost {
			w.violate(restartBounded, "%s is waited for, %v after its daemon ended", n.name, w.now-r.ended)
		}
	})
}

// silent judges what a coordinator makes of a node that is not heard any more and had not announced anything.
func (w *world) silent(by, n *node) {
	known, ok := by.view.Member(n.name)
	core := by.core
	waits := func() bool {
		m, _ := by.view.Member(n.name)
		st := by.snapshot().CIB.NodeState(n.id)
		return by.core == core && core != nil && by.coreSince+nodeLease < w.now && !w.over && m.Status == membership.Failed && m.Incarnation == known.Incarnation &&
			st != nil && st.InCCM == "true" && st.Expected == "member" && st.Incarnation == known.Incarnation
	}
	if r := w.reloads[n.name]; !ok || !w.profile.fencing || !waits() || r != nil && r.inc == n.inc && !n.up {
		return
	}
	w.judgedLive(silenceIsLoss)
	stood := by.paused
	w.after(time.Second, func() {
		if waits() && by.paused == stood && w.late == 0 && by.log.commit == len(by.log.log) {
			w.violate(silenceIsLoss, "%s still waits for %s, which said nothing", by.name, n.name)
		}
	})
}

// shown is a state as the program sees it: with a broken rule, an announcement counts for all daemons that follow.
func (w *world) shown(s coordinator.Snapshot) coordinator.Snapshot {
	if !w.opt.Broken.AnyRestart {
		return s
	}
	for _, n := range w.nodes {
		st := s.CIB.NodeState(n.id)
		if w.reloads[n.name] == nil || st == nil {
			continue
		}
		text := st.Boot + " " + st.Incarnation
		if c, err := cib.Apply(s.CIB, cib.Change{SetTransient: &cib.SetTransient{NodeID: n.id, Name: cib.RestartAttribute, Value: &text}}); err == nil {
			s.CIB = c
		}
	}
	return s
}
