package simulation

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/membership"
	"paceline/fencing"
)

// node is one machine with its daemon.
type node struct {
	w        *world
	i        int
	name, id string

	power  bool
	up     bool // the daemon runs
	boot   int
	inc    int           // of the daemon; 0 before its first start
	paused time.Duration // until when the process stands still
	mute   bool          // the daemon is being killed: what it sends does not go out any more
	wiped  bool          // its disk was emptied, and it has not caught up since

	log      raftLog
	executor executor
	view     membership.View
	wanted   map[string]bool // whom it will hear once the detection time has passed
	circles  int
	skew     time.Duration // of its wall clock

	takeover     *coordinator.Takeover
	takeoverWake uint64
	fenced       []cib.FenceEvent // confirmed in a takeover, for the next Core

	core      *coordinator.Core
	coreTerm  uint64
	coreSince time.Duration
	coreWake  uint64
	sessions  map[string]*session // as coordinator
	dialling  map[string]bool
}

func (n *node) incarnation() string { return fmt.Sprintf("%s.%d", n.name, n.inc) }
func (n *node) bootID() string      { return fmt.Sprintf("%s/%d", n.name, n.boot) }

// wall is what the node's wall clock says. Times that are compared with one another are monotonic (world.clock).
func (n *node) wall() time.Time { return n.w.clock().Add(n.clockError()) }

// clockError is how far the node's wall clock is ahead.
func (n *node) clockError() time.Duration {
	switch n.w.opt.Clocks {
	case Right:
		return 0
	case Wild:
		own := rand.New(rand.NewPCG(n.w.out.Seed^uint64(n.i), uint64(n.w.now/time.Second)))
		return time.Duration(own.Int64N(int64(2*time.Hour))) - time.Hour
	}
	return n.skew
}

// when runs what is for an incarnation of the daemon, as soon as it is not paused.
func (n *node) when(inc int, do func()) {
	switch {
	case !n.up || n.inc != inc:
	case n.w.now < n.paused:
		n.w.after(n.paused-n.w.now, func() { n.when(inc, do) })
	default:
		do()
	}
}

// later runs something in this daemon after a while, unless it ends before.
func (n *node) later(d time.Duration, do func()) {
	inc := n.inc
	n.w.after(d, func() { n.when(inc, do) })
}

// powerOn switches a machine on; its daemon starts after a while.
func (w *world) powerOn(n *node, d time.Duration) {
	w.after(d, func() {
		if n.power {
			return
		}
		n.power = true
		n.boot++
		boot := n.boot
		w.after(w.between(bootMin, bootMax), func() {
			if n.power && n.boot == boot && !n.up {
				n.start()
			}
		})
	})
}

// powerOff takes everything that a machine ran with it.
func (w *world) powerOff(n *node, why string) {
	if !n.power {
		return
	}
	w.say("%s loses power: %s", n.name, why)
	w.busy()
	n.stop()
	n.power = false
	n.paused = 0
	w.fact(audit.Fact{Kind: audit.Off, Node: n.name, Boot: n.bootID()})
	n.executor.reset()
}

// stop ends the daemon alone: what it started goes on.
func (n *node) stop() {
	if !n.up {
		return
	}
	n.endCore()
	n.up, n.mute = false, false
	n.w.stir()
	n.takeover = nil
	n.fenced = nil
	n.executor.daemonEnds()
	n.w.hearing()
}

func (n *node) start() {
	w := n.w
	n.up = true
	n.inc++
	n.paused = 0
	w.stir()
	w.say("%s starts its daemon (boot %d, incarnation %d)", n.name, n.boot, n.inc)
	w.busy()
	if w.opt.Broken.ForgetsVotes {
		n.log.term, n.log.vote = max(n.log.term, 1)-1, ""
	}
	n.log.restart()
	n.takeover = coordinator.NewTakeover(n.name, n.id, n.incarnation(), detectMax, n.w.timing().Restart, n.rand())
	n.takeoverWake++
	n.view = membership.View{Seq: n.view.Seq + 1, Members: []membership.Member{n.member(n, membership.Alive)}}
	n.wanted = map[string]bool{n.name: true}
	n.executor.daemonStarts()
	n.electionTimer()
	n.finishTakeover()
	w.hearing()
	if w.opt.Broken.AloneMayTakeOver {
		n.dreamOfCompany()
	}
	n.tellTakeover(coordinator.Viewed{View: n.view})
	n.pollTakeover()
}

// dreamOfCompany makes the takeover believe that this incarnation was in live quorum with its peer.
func (n *node) dreamOfCompany() {
	voters := n.log.latest()
	known, err := cib.Apply(n.snapshot().CIB, cib.Change{NodeStatus: &cib.NodeStatus{
		ID: n.id, Uname: n.name, InCCM: "true", CRMD: "online", Join: "member", Incarnation: n.incarnation(), Fenced: "-",
	}})
	if err != nil || len(voters) != 2 {
		return
	}
	dream := membership.View{Seq: n.view.Seq}
	for _, m := range n.w.nodes {
		dream.Members = append(dream.Members, n.member(m, membership.Alive))
	}
	n.tellTakeover(coordinator.Viewed{View: dream})
	n.tellTakeover(coordinator.LeaderIs{ID: n.id, Voters: voters, Committed: true, CIB: known})
}

func (n *node) rand() *rand.Rand { return rand.New(rand.NewPCG(n.w.rng.Uint64(), 1)) }

// member is another node as this one sees it.
func (n *node) member(m *node, s membership.Status) membership.Member {
	return membership.Member{
		Name: m.name, ID: m.id, Incarnation: m.incarnation(), Boot: m.bootID(), Addr: "10.0.0.1", Port: 7946, PeerPort: 7947,
		Role: membership.RoleVoter, Status: s, Since: n.w.clock(),
	}
}

// hearing looks who can hear whom now, directly or through others (SWIM probes indirectly), and has the views follow after
// the time of detection.
func (w *world) hearing() {
	for _, n := range w.nodes {
		if !n.up {
			continue
		}
		reach := w.within(n)
		for _, m := range w.nodes {
			hears := m.up && reach[m.i]
			known, ok := n.view.Member(m.name)
			alive := ok && known.Status == membership.Alive
			if m == n || alive == hears && (!hears || known.Incarnation == m.incarnation()) {
				continue
			}
			d := w.between(detectMin, detectMax)
			if hears {
				d = w.between(hearMin, hearMax)
			}
			inc, minc := n.inc, m.inc
			w.after(d, func() {
				n.when(inc, func() {
					if m.inc == minc && (m.up && w.within(n)[m.i]) == hears {
						n.hears(m, hears)
					}
				})
			})
		}
	}
}

// within returns whom a node reaches and is reached by, over any number of others.
func (w *world) within(n *node) []bool {
	reach := make([]bool, len(w.nodes))
	reach[n.i] = true
	for grown := true; grown; {
		grown = false
		for _, a := range w.nodes {
			for _, b := range w.nodes {
				if reach[a.i] && !reach[b.i] && a.up && b.up && w.reaches(a, b) && w.reaches(b, a) {
					reach[b.i], grown = true, true
				}
			}
		}
	}
	return reach
}

func (n *node) hears(m *node, alive bool) {
	known, ok := n.view.Member(m.name)
	status := membership.Failed
	if alive {
		status = membership.Alive
	} else if !ok {
		return
	}
	if ok && known.Status == status && known.Incarnation == m.incarnation() {
		return
	}
	v := membership.View{Seq: n.view.Seq + 1}
	for _, k := range n.view.Members {
		if k.Name != m.name {
			v.Members = append(v.Members, k)
		}
	}
	next := n.member(m, status)
	if !alive {
		next.Incarnation, next.Boot = known.Incarnation, known.Boot
	}
	v.Members = append(v.Members, next)
	slices.SortFunc(v.Members, func(a, b membership.Member) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	n.view = v
	n.w.stir()
	n.w.say("%s: %s is %s", n.name, m.name, status)
	n.w.busy()
	n.tellTakeover(coordinator.Viewed{View: v})
	if n.core != nil {
		n.tellCore(coordinator.Viewed{View: v})
		if !alive {
			n.w.silent(n, m)
		}
	}
}

// ledBy changes whom the node takes for the leader.
func (n *node) ledBy(r role, id string) {
	l := &n.log
	was := l.leader
	l.role, l.leader = r, id
	if r != leader {
		n.endCore()
	}
	if r == follower && id != "" || r == follower && was == n.id {
		n.electionTimer()
	}
	if was != id {
		if id != "" && id != n.id {
			n.fenced = nil
		}
		n.takeLook()
	}
}

// takeLook tells the takeover what the log knows.
func (n *node) takeLook() {
	if n.takeover == nil {
		return
	}
	is := coordinator.LeaderIs{ID: n.log.leader, Voters: n.log.latest(), Committed: n.log.settled(), CIB: n.snapshot().CIB, Contact: n.log.contact, Term: n.log.term}
	if g := n.log.growing(); g != "" && !n.w.opt.Broken.GrowthUnknown {
		is.Growing = []string{g}
	}
	n.tellTakeover(is)
}

func (n *node) pollTakeover() {
	n.takeLook()
	n.later(takeLook, n.pollTakeover)
}

func (n *node) tellTakeover(ev coordinator.Event) {
	if n.takeover == nil {
		return
	}
	for _, e := range n.takeover.Step(n.w.clock(), ev) {
		switch e := e.(type) {
		case coordinator.SendFence:
			n.w.lossOf(n.w.node(e.Order.Target), n)
			n.w.say("%s, alone, orders: %s %s", n.name, e.Order.Action, e.Order.Target)
			n.later(0, func() {
				n.executor.fence(e.Order, 0, func(r fencing.Result) { n.tellTakeover(coordinator.FenceReported{Result: r}) })
			})
		case coordinator.TakeOver:
			n.later(0, func() { n.takeOver(e) })
		case coordinator.Wake:
			n.takeoverWake++
			number := n.takeoverWake
			if !e.At.IsZero() {
				n.later(e.At.Sub(n.w.clock()), func() {
					if n.takeoverWake == number {
						n.tellTakeover(coordinator.Tick{})
					}
				})
			}
		case coordinator.Say:
			n.w.say("%s: %s %v", n.name, e.Text, e.Attrs)
		}
	}
}

var errRefused = errors.New("refused")

// takeOver is store.Takeover: the peer becomes a ghost, durably, and this node stands for election with its vote.
func (n *node) takeOver(e coordinator.TakeOver) {
	l := &n.log
	n.fenced = append(n.fenced, e.Fenced)
	voters := l.latest()
	pair := (l.growing() == "" || n.w.opt.Broken.GrowthUnknown) && len(voters) == 2 && slices.Contains(voters, n.id) && slices.Contains(voters, e.PeerID)
	met := l.touched[e.PeerID] || n.w.opt.Broken.AloneMayTakeOver
	if !pair || !met || !l.settled() || l.contact != e.Contact {
		n.w.say("%s may not take over from %s", n.name, e.PeerID)
		n.fenced = nil
		n.tellTakeover(coordinator.TakenOver{Err: errRefused})
		return
	}
	n.w.out.Takeovers++
	n.w.say("%s takes over from %s", n.name, e.PeerID)
	l.ghost, l.resumed = e.PeerID, false
	n.campaign()
	n.finishTakeover()
}

// finishTakeover goes on until the ghost is no voter any more. One that a crash interrupted is given up where it was not one of
// exactly two, or the peer is there again (store.finishTakeover).
func (n *node) finishTakeover() {
	l := &n.log
	if l.ghost == "" {
		return
	}
	voters := l.latest()
	again := l.resumed
	l.resumed = false
	if gone := !slices.Contains(voters, l.ghost); gone && !again {
		if l.changing || l.role == leader && !l.ready {
			n.later(heartbeat, n.finishTakeover)
			return
		}
		l.ghost = ""
		n.tellTakeover(coordinator.TakenOver{})
		n.takeLook()
		return
	} else if again {
		peer := n.w.byID(l.ghost)
		there := peer.up && n.w.reaches(n, peer) && n.w.reaches(peer, n)
		if gone || there || len(voters) != 2 || l.growing() != "" {
			n.w.say("%s: the takeover from %s is over", n.name, l.ghost)
			l.ghost = ""
			return
		}
	}
	if l.role == leader && !l.changing {
		l.changing = true
		ghost := l.ghost
		n.propose(&entry{term: l.term, voters: slices.DeleteFunc(slices.Clone(voters), func(v string) bool { return v == ghost })})
	}
	n.later(heartbeat, n.finishTakeover)
}

// startCore begins to coordinate: what was committed before the election is known by now.
func (n *node) startCore() {
	if n.core != nil {
		return
	}
	n.coreTerm, n.coreSince = n.log.term, n.w.now
	n.core = coordinator.NewCore(coordinator.Config{
		Self: n.name, SelfID: n.id, Timing: n.w.timing(), Plan: n.plan, Rand: n.rand(),
	})
	n.sessions, n.dialling = map[string]*session{}, map[string]bool{}
	fenced := n.fenced
	n.fenced = nil
	n.tellCore(coordinator.Elected{Term: n.coreTerm, Snapshot: n.snapshot(), View: n.view, Voters: n.log.latest(), Answered: sorted(n.log.answered), Fenced: fenced})
}

func (n *node) endCore() {
	if n.core == nil {
		return
	}
	n.core = nil
	n.coreWake++
	for _, s := range sorted(n.sessions) {
		n.sessions[s].close("the coordinator is none any more")
	}
	n.sessions = nil
}

// tellCore hands an event to the coordinator and carries its effects out.
func (n *node) tellCore(ev coordinator.Event) {
	core := n.core
	if core == nil {
		return
	}
	for _, e := range core.Step(n.w.clock(), ev) {
		if n.core != core {
			return
		}
		n.carryOut(e)
	}
}

func (n *node) carryOut(e coordinator.Effect) {
	w := n.w
	term := n.coreTerm
	inCore := func(do func()) func() {
		return func() {
			if n.core != nil && n.coreTerm == term {
				do()
			}
		}
	}
	switch e := e.(type) {
	case coordinator.Commit:
		w.busy()
		w.proposesLoss(&e.Change, n)
		n.later(0, inCore(func() { n.propose(&entry{term: term, change: &e.Change, seq: e.Seq}) }))
	case coordinator.Send:
		w.busy()
		if w.opt.Broken.GoesOn {
			n.later(w.between(0, 2*time.Second), inCore(func() { n.give(e) }))
		} else {
			n.give(e)
		}
	case coordinator.SendFence:
		w.busy()
		w.say("%s orders %s: %s %s", n.name, e.Node, e.Order.Action, e.Order.Target)
		w.paced(n.coreTerm, e.Order)
		n.with(e.Node, func(s *session) { s.fence(e.Order) })
	case coordinator.Ack:
		n.with(e.Node, func(s *session) { s.ack(e.CallID) })
	case coordinator.OpenSession:
		n.dial(e.Node)
	case coordinator.CloseSession:
		if s := n.sessions[e.Node]; s != nil {
			delete(n.sessions, e.Node)
			s.close(e.Why)
		}
	case coordinator.Inform:
		for _, name := range sorted(n.sessions) {
			n.sessions[name].policy(coordinator.NoQuorumPolicy(e.CIB))
		}
	case coordinator.Planned:
		w.planned(n, e)
	case coordinator.Ended:
		w.ended(n, e)
	case coordinator.ChangeVoters:
		n.later(0, inCore(func() { n.changeVoters(e) }))
	case coordinator.Wake:
		n.coreWake++
		number := n.coreWake
		if !e.At.IsZero() {
			n.later(max(e.At.Sub(w.clock()), time.Millisecond), func() {
				if n.coreWake == number {
					n.tellCore(coordinator.Tick{})
				}
			})
		}
	case coordinator.Say:
		if e.Level != "debug" {
			w.say("%s: %s %v", n.name, e.Text, e.Attrs)
		}
	}
}

// give sends an order.
func (n *node) give(e coordinator.Send) {
	a := e.Order.Action
	n.w.say("%s orders %s: %s %s every %d", n.name, e.Node, a.Operation, a.Resource, a.IntervalMS)
	if a.Agent.Class != "stonith" {
		n.w.fact(audit.Fact{Kind: audit.Given, Node: n.name, Target: e.Node, Resource: a.Resource, Operation: a.Operation,
			Term: e.Order.Numbers.Term, Revision: e.Order.Numbers.Revision})
	}
	n.with(e.Node, func(s *session) { s.order(e.Order) })
}

// with does something with a session; without one the Core learns that.
func (n *node) with(name string, do func(*session)) {
	if s := n.sessions[name]; s != nil {
		do(s)
		return
	}
	term := n.coreTerm
	n.later(0, func() {
		if n.core != nil && n.coreTerm == term {
			n.tellCore(coordinator.SessionDown{Node: name, Why: "there is none"})
		}
	})
}
