package model

import (
	"fmt"
	"math/bits"
	"slices"

	"paceline/agent/quorum"
)

// Budget bounds an exploration: without it there would be no end of terms and restarts.
type Budget struct {
	Nodes    int   // 2 or 3
	Voters   int   // of them, at the beginning: the others are members without a vote; 0: all
	Terms    uint8 // highest term
	Crashes  uint8 // crashes of nodes and of daemons, together
	Boots    uint8 // incarnations of one node
	Fencings uint8 // fence orders
	Places   uint8 // placements of the service
	Stops    uint8 // orders to stop it where it is
	Admits   uint8 // admissions of voters, or beginnings of one
	Messages int   // in flight at once
}

// Broken are rules that can be switched off, to see that the exploration finds it out.
type Broken struct {
	TakeoverUnfenced bool // rule 5: takes the voter set over when the peer is only silent
	AloneMayFence    bool // rule 5: a node that started alone fences its way into quorum
	StartUnfenced    bool // rule 2: the service is started elsewhere before its node is confirmed fenced
	LateSuccess      bool // rule 9: the success of a fencing counts although the pair was together again since
	StaleOrders      bool // rule 10: an executor takes orders of a coordinator of an earlier term
	GhostHears       bool // rule 4: who took over still votes for its fenced peer, and follows it
	ForgetsVote      bool // rule 3: a vote is not durable
	HeardIsTogether  bool // rule 5: in quorum counts as soon as a leader is heard, not only as a member again
	GrowthUnheard    bool // rule 5: a third is made a voter of two at once, not known to both as one on its way before
	SilenceRemoves   bool // rule 4: a silent voter is removed without a confirmed fencing
}

// step is one event that may happen in a state, and the state after it. bad says which invariant it broke.
type step struct {
	name string
	next state
	bad  string
}

type explorer struct {
	b      Budget
	broken Broken
	all    uint8 // voters at the beginning
}

func (x *explorer) first() state {
	var s state
	for i := range x.b.Nodes {
		s.nodes[i] = node{power: true, daemon: true, term: 1, vote: 0, ghost: nobody, leader: 0, target: nobody, boots: 1, together: true}
	}
	for i := range x.b.Nodes {
		s.nodes[i].together = x.all>>i&1 == 1
	}
	n := &s.nodes[0]
	n.role, n.votes = leader, x.all
	return s
}

// steps calls yield with every event that may happen next.
func (x *explorer) steps(s *state, each func(step)) {
	yield := func(st step) {
		x.tidy(&st.next)
		each(st)
	}
	for i := range x.b.Nodes {
		x.life(s, i, yield)
		if s.nodes[i].daemon {
			x.elections(s, i, yield)
			x.fencings(s, i, yield)
			if s.nodes[i].role == leader {
				x.leading(s, i, yield)
			}
		}
		// The device acts whatever has become of who gave the order.
		x.device(s, i, yield)
	}
	for m := range x.b.Messages {
		if s.msgs[m].kind != noMessage {
			x.deliver(s, m, yield)
		}
	}
}

func (x *explorer) life(s *state, i int, yield func(step)) {
	n := &s.nodes[i]
	if n.power && s.crashes < x.b.Crashes {
		t := *s
		t.crashes++
		t.nodes[i].down()
		yield(step{name: fmt.Sprintf("power of %d is lost", i), next: t})
		if n.daemon {
			t = *s
			t.crashes++
			t.nodes[i].halt()
			yield(step{name: fmt.Sprintf("daemon of %d crashes", i), next: t})
		}
	}
	if !n.daemon && n.boots < x.b.Boots {
		t := *s
		m := &t.nodes[i]
		m.power, m.daemon = true, true
		m.boots++
		m.resumed = m.ghost != nobody
		if x.broken.ForgetsVote {
			m.vote = nobody
		}
		yield(step{name: fmt.Sprintf("daemon of %d starts", i), next: t})
	}
}

// halt ends a daemon: what is not on its disk is gone. An order that a device has is not.
func (n *node) halt() {
	n.daemon = false
	n.role, n.leader, n.votes, n.match, n.commit = follower, nobody, 0, [maxNodes]uint8{}, 0
	n.together, n.void, n.fenced, n.resumed, n.stopping, n.ordered = false, false, 0, false, false, 0
}

func (n *node) down() {
	n.halt()
	n.power, n.service = false, false
}

func (x *explorer) elections(s *state, i int, yield func(step)) {
	n := &s.nodes[i]
	voters := n.log.voters(x.all)
	if n.leader != nobody { // a follower's patience, or a leader's lease, ends
		t := *s
		m := &t.nodes[i]
		m.unled(follower, nobody)
		yield(step{name: fmt.Sprintf("%d hears no leader any more", i), next: t})
	}
	if n.leader == nobody && voters>>i&1 == 1 && n.term < x.b.Terms {
		t := *s
		m := &t.nodes[i]
		m.term++
		m.vote, m.role, m.votes = uint8(i), candidate, 1<<i
		if m.ghost != nobody {
			m.votes |= 1 << m.ghost // the ghost grants it
		}
		sent := true
		for j := range x.b.Nodes {
			if j != i && voters>>j&1 == 1 && uint8(j) != m.ghost {
				sent = x.send(&t, message{kind: requestVote, from: uint8(i), to: uint8(j), term: m.term,
					log: log{n: m.log.n, e: [maxLog]entry{newEntry(m.log.lastTerm(), noop, 0)}}}) && sent
			}
		}
		x.count(&t, i)
		if sent {
			yield(step{name: fmt.Sprintf("%d stands for election", i), next: t, bad: x.twoLeaders(&t)})
		}
	}
	if n.resumed && n.ghost != nobody && s.nodes[n.ghost].daemon {
		t := *s // it is asked first whether the peer is there again: then the mark is void
		t.nodes[i].ghost, t.nodes[i].resumed = nobody, false
		yield(step{name: fmt.Sprintf("%d finds its former peer there again", i), next: t})
	}
	if n.ghost != nobody && n.role != leader && voters>>n.ghost&1 == 0 {
		t := *s
		t.nodes[i].ghost, t.nodes[i].resumed = nobody, false
		yield(step{name: fmt.Sprintf("%d forgets the ghost: it votes no more", i), next: t})
	}
}

// count makes a candidate with a majority of the latest voters the leader.
func (x *explorer) count(s *state, i int) {
	n := &s.nodes[i]
	voters := n.log.voters(x.all)
	if n.role != candidate || 2*bits.OnesCount8(n.votes&voters) <= bits.OnesCount8(voters) {
		return
	}
	n.unled(leader, uint8(i))
	x.put(s, i, newEntry(n.term, noop, 0))
}

// put appends an entry to a leader's log. A full log ends the run: the budget is to be smaller.
func (x *explorer) put(s *state, i int, e entry) {
	n := &s.nodes[i]
	if n.log.n == maxLog {
		panic("the model's log is too short for this budget")
	}
	n.log.e[n.log.n] = e
	n.log.n++
	n.match[i] = n.log.n
	if n.log.active(n.log.n) == nobody {
		n.stopping = false
	}
	x.advance(s, i)
}

func (x *explorer) leading(s *state, i int, yield func(step)) {
	n := &s.nodes[i]
	voters, growing := n.log.voters(x.all), n.log.growing()
	for j := range x.b.Nodes {
		if j == i || uint8(j) == n.ghost || (voters|growing)>>j&1 == 0 || n.match[j] == n.log.n {
			continue
		}
		t := *s
		if x.send(&t, message{kind: appendLog, from: uint8(i), to: uint8(j), term: n.term, log: n.log, commit: n.commit}) {
			yield(step{name: fmt.Sprintf("%d sends its log to %d", i, j), next: t})
		}
	}
	for j := range x.b.Nodes { // what is confirmed is committed before anything is decided (Core takes the fencing over)
		if n.fenced>>j&1 == 1 {
			t := *s
			t.nodes[i].fenced &^= 1 << j
			x.entry(&t, i, newEntry(n.term, fenced, j), fmt.Sprintf("%d commits that %d is fenced", i, j), yield)
			return
		}
	}
	if n.commit != n.log.n {
		return // one change at a time
	}
	if n.ghost != nobody && voters>>n.ghost&1 == 0 {
		t := *s
		t.nodes[i].ghost, t.nodes[i].resumed = nobody, false
		yield(step{name: fmt.Sprintf("%d: the removal of %d is committed", i, n.ghost), next: t})
		return
	}
	if n.ghost != nobody {
		t := *s
		x.entry(&t, i, newEntry(n.term, remove, int(n.ghost)), fmt.Sprintf("%d removes %d from the voters", i, n.ghost), yield)
		return
	}
	at := n.log.active(n.log.n)
	for j := range x.b.Nodes {
		confirmed := x.gone(n, j)
		switch {
		case voters>>j&1 == 1 && j != i && (confirmed || x.broken.SilenceRemoves):
			t := *s // voters leave after confirmed fencing (quorum.Next)
			x.entry(&t, i, newEntry(n.term, remove, j), fmt.Sprintf("%d removes %d from the voters", i, j), yield)
		case s.nodes[j].daemon && !n.log.joined(n.log.n, j, s.nodes[j].boots) && (n.fencing == noFencing || int(n.target) != j):
			t := *s // not while its fencing is under way (Core.tendAlive)
			x.entry(&t, i, newEntry(n.term, join, j).of(s.nodes[j].boots), fmt.Sprintf("%d takes %d in as a member", i, j), yield)
			continue
		case growing>>j&1 == 1: // store.Admit: when it has caught up; or its admission is taken back (store.LetGo)
			if n.match[j] == n.log.n {
				t := *s
				x.entry(&t, i, newEntry(n.term, admit, j), fmt.Sprintf("%d admits %d", i, j), yield)
			}
			t := *s
			x.entry(&t, i, newEntry(n.term, remove, j), fmt.Sprintf("%d takes the admission of %d back", i, j), yield)
		case voters>>j&1 == 0 && s.nodes[j].daemon && !confirmed && s.admitted < x.b.Admits:
			t := *s
			t.admitted++
			how, what := admit, "admits"
			if voters&(voters-1) != 0 && !x.broken.GrowthUnheard { // of two or more: all are to know it first (store.Admit)
				how, what = learn, "has its log sent to"
			}
			x.entry(&t, i, newEntry(n.term, how, j), fmt.Sprintf("%d %s %d", i, what, j), yield)
		}
		if at == nobody || x.broken.StartUnfenced && at != j {
			if s.placed < x.b.Places && n.log.joined(n.log.n, j, s.nodes[j].boots) {
				t := *s
				t.placed++
				x.entry(&t, i, newEntry(n.term, place, j), fmt.Sprintf("%d places the service on %d", i, j), yield)
			}
		}
		if at == j && n.stopping {
			t := *s
			if j == i {
				t.nodes[i].service, t.nodes[i].ordered = false, n.term
				x.entry(&t, i, newEntry(n.term, stopped, j), fmt.Sprintf("%d stops the service", i), yield)
			} else if t.unsend(startService, i, j); x.send(&t, message{kind: stopService, from: uint8(i), to: uint8(j), term: n.term}) && t != *s {
				yield(step{name: fmt.Sprintf("%d orders %d to stop the service", i, j), next: t})
			}
			continue
		}
		if at == j && s.stops < x.b.Stops {
			t := *s
			t.stops++
			t.nodes[i].stopping = true // no start is sent behind it
			yield(step{name: fmt.Sprintf("%d is to stop the service on %d", i, j), next: t})
		}
		if at == j && !s.nodes[j].service && n.log.joined(n.log.n, j, s.nodes[j].boots) {
			t := *s
			if n.fencing != noFencing && int(n.target) == j {
				t.nodes[i].void = true // what was ordered since may be what comes up after the cut
			}
			if j == i {
				t.nodes[i].service, t.nodes[i].ordered = true, n.term
				yield(step{name: fmt.Sprintf("%d starts the service", i), next: t, bad: x.twice(&t)})
			} else if x.send(&t, message{kind: startService, from: uint8(i), to: uint8(j), term: n.term}) {
				yield(step{name: fmt.Sprintf("%d orders %d to start the service", i, j), next: t})
			}
		}
	}
}

// gone says that the newest that the log knows of a node is its confirmed fencing.
func (x *explorer) gone(n *node, j int) bool {
	for k := int(n.log.n) - 1; k >= 0; k-- {
		switch e := n.log.e[k]; {
		case e.node() != j:
		case e.kind() == fenced:
			return true
		case e.kind() == join:
			return false
		}
	}
	return false
}

func (x *explorer) entry(t *state, i int, e entry, name string, yield func(step)) {
	if t.nodes[i].log.n == maxLog {
		return
	}
	before := t.committed
	x.put(t, i, e)
	yield(step{name: name, next: *t, bad: x.lost(t, &before)})
}

// fencings are the orders to fence and what becomes of them at who gave them.
func (x *explorer) fencings(s *state, i int, yield func(step)) {
	n := &s.nodes[i]
	if n.fencing != carriedOut && s.fencings < x.b.Fencings { // one that fails is followed by another
		for j := range x.b.Nodes {
			if j == i || n.role != leader && !x.mayFence(s, i, j) {
				continue
			}
			t := *s
			t.fencings++
			m := &t.nodes[i]
			m.fencing, m.target, m.void = ordered, uint8(j), false
			yield(step{name: fmt.Sprintf("%d orders the fencing of %d", i, j), next: t})
		}
	}
	if n.fencing == carriedOut {
		t := *s
		m := &t.nodes[i]
		m.fencing, m.target, m.void = noFencing, nobody, false
		switch j := int(n.target); {
		case n.role == leader && (!n.void || x.broken.LateSuccess):
			m.fenced |= 1 << j
			yield(step{name: fmt.Sprintf("%d, leading, hears that %d is fenced", i, j), next: t})
		case n.role != leader && x.mayTakeOver(s, i, j) && (!n.void || x.broken.LateSuccess):
			m.ghost = uint8(j) // durable before the first answer in its name
			m.fenced |= 1 << j
			yield(step{name: fmt.Sprintf("%d hears that %d is fenced and takes over", i, j), next: t})
		default:
			yield(step{name: fmt.Sprintf("%d hears too late that %d was fenced", i, j), next: t})
		}
	}
	if x.broken.TakeoverUnfenced && n.role != leader && n.ghost == nobody {
		for j := range x.b.Nodes {
			if j != i && x.mayTakeOver(s, i, j) {
				t := *s
				t.nodes[i].ghost = uint8(j)
				t.nodes[i].fenced |= 1 << j
				yield(step{name: fmt.Sprintf("%d takes over from the silent %d", i, j), next: t})
			}
		}
	}
}

// device carries an order out: the target's power goes off. It may come back at once.
func (x *explorer) device(s *state, i int, yield func(step)) {
	n := &s.nodes[i]
	if n.fencing != ordered {
		return
	}
	t := *s
	t.nodes[n.target].down()
	t.nodes[i].fencing = carriedOut
	if !n.daemon { // nobody is there to hear of it
		t.nodes[i].fencing, t.nodes[i].target = noFencing, nobody
	}
	yield(step{name: fmt.Sprintf("the device of %d cuts the power of %d", i, n.target), next: t})
}

// mayFence is the right of one of two to fence the other, by the program's own verdict: i hears nothing of j.
func (x *explorer) mayFence(s *state, i, j int) bool {
	n := &s.nodes[i]
	if n.ghost != nobody || n.leader != nobody {
		return false
	}
	var in quorum.Input
	in.Self = name(i)
	in.Together = n.together || x.broken.AloneMayFence
	voters, growing := n.log.voters(x.all), n.log.growing()
	for k := range x.b.Nodes {
		if growing>>k&1 == 1 {
			in.Growing = name(k)
		}
		if voters>>k&1 == 1 {
			in.Voters = append(in.Voters, quorum.Voter{ID: name(k), Name: name(k), Heard: k != j})
		}
	}
	return quorum.Judge(in).Takeover == name(j)
}

// mayTakeOver is asked again when the success is there.
func (x *explorer) mayTakeOver(s *state, i, j int) bool { return x.mayFence(s, i, j) }

func name(i int) string { return string(rune('0' + i)) }

// tidy forgets what can have no effect any more, so that states that differ in nothing else are one.
func (x *explorer) tidy(s *state) {
	for k := range s.msgs {
		m := &s.msgs[k]
		if m.kind == noMessage {
			continue
		}
		to := &s.nodes[m.to]
		stale := m.term < to.term
		switch m.kind {
		case grantVote:
			stale = stale || to.role != candidate
		case appended:
			stale = stale || to.role != leader || to.match[m.from] >= m.log.n
		case stoppedService:
			stale = stale || to.role != leader || m.sender != s.nodes[m.from].boots // a session's results end with it
		case startService, stopService:
			stale = m.term < to.ordered && !x.broken.StaleOrders
		}
		if stale || m.boots != to.boots {
			*m = message{}
		}
	}
	s.sortMessages()
	for i := range s.nodes {
		if n := &s.nodes[i]; n.fencing == carriedOut && n.void && !x.broken.LateSuccess {
			n.fencing, n.target, n.void = noFencing, nobody, false
		}
	}
}

// send adds a message, for the receiver's present incarnation: connections end with a daemon. It returns false if there is no room, which is a run in which it is sent later, or lost.
func (x *explorer) send(s *state, m message) bool {
	m.boots = s.nodes[m.to].boots
	for k := range x.b.Messages {
		if s.msgs[k] == m {
			return true
		}
	}
	for k := range x.b.Messages {
		if s.msgs[k].kind == noMessage {
			s.msgs[k] = m
			return true
		}
	}
	return false
}

// unsend takes a message back: the operations on one service run in the order in which they were ordered, so a stop ends
// behind the start before it.
func (s *state) unsend(kind messageKind, from, to int) {
	for k := range s.msgs {
		if m := &s.msgs[k]; m.kind == kind && int(m.from) == from && int(m.to) == to && m.term == s.nodes[from].term {
			*m = message{}
		}
	}
}

func (s *state) sortMessages() {
	slices.SortFunc(s.msgs[:], func(a, b message) int {
		switch {
		case a == b:
			return 0
		case before(&a, &b):
			return -1
		}
		return 1
	})
}

func before(a, b *message) bool {
	if a.kind != b.kind {
		return a.kind > b.kind // free places last
	}
	if a.from != b.from {
		return a.from < b.from
	}
	if a.to != b.to {
		return a.to < b.to
	}
	if a.term != b.term {
		return a.term < b.term
	}
	if a.log.n != b.log.n {
		return a.log.n < b.log.n
	}
	if a.commit != b.commit {
		return a.commit < b.commit
	}
	if a.boots != b.boots {
		return a.boots < b.boots
	}
	if a.sender != b.sender {
		return a.sender < b.sender
	}
	return slices.Compare(a.log.e[:], b.log.e[:]) < 0
}

// deliver lets a message arrive, or get lost.
func (x *explorer) deliver(s *state, k int, yield func(step)) {
	m := s.msgs[k]
	t := *s
	t.msgs[k] = message{}
	t.sortMessages()
	if s.msgs[x.b.Messages-1].kind != noMessage { // to be late for ever is to be lost; here it makes room
		yield(step{name: fmt.Sprintf("%s from %d to %d is lost", messageKinds[m.kind], m.from, m.to), next: t})
	}
	n := &t.nodes[m.to]
	if !n.daemon || n.ghost == m.from && !x.broken.GhostHears {
		return // nobody is there, or it is a ghost that calls (store/transport.go)
	}
	before := t.committed
	switch m.kind {
	case requestVote:
		if (n.log.voters(x.all)|n.log.growing())>>m.from&1 == 0 && !x.broken.GhostHears {
			return // a stranger's; one that is known as on its way has its vote by the word of others (store, vouched)
		}
		n.hearTerm(m.term)
		last := m.log.e[0].term()
		newer := last > n.log.lastTerm() || last == n.log.lastTerm() && m.log.n >= n.log.n
		if m.term < n.term || !newer || n.vote != nobody && n.vote != m.from {
			break
		}
		n.vote = m.from
		if !x.send(&t, message{kind: grantVote, from: m.to, to: m.from, term: m.term}) {
			return
		}
	case grantVote:
		if n.term != m.term || n.role != candidate {
			return
		}
		n.votes |= 1 << m.from
		x.count(&t, int(m.to))
	case appendLog:
		if m.term < n.term || n.role == leader && m.term == n.term {
			return
		}
		n.hearTerm(m.term)
		if n.leader != m.from {
			n.unled(follower, m.from)
		}
		voters := n.log.voters(x.all)
		n.follow(&m.log)
		if n.log.voters(x.all) != voters {
			n.together = false
		}
		x.meet(n, int(m.to), m.commit)
		if !x.send(&t, message{kind: appended, from: m.to, to: m.from, term: m.term, log: log{n: m.log.n}}) {
			return
		}
	case appended:
		if n.term != m.term || n.role != leader {
			return
		}
		n.match[m.from] = max(n.match[m.from], m.log.n)
		x.advance(&t, int(m.to))
	case startService:
		if m.term < n.ordered && !x.broken.StaleOrders { // a later coordinator's session ends those before it
			return
		}
		n.ordered, n.service = max(n.ordered, m.term), true
	case stopService:
		if m.term < n.ordered {
			return
		}
		n.ordered, n.service = m.term, false
		if !x.send(&t, message{kind: stoppedService, from: m.to, to: m.from, term: m.term, sender: n.boots}) {
			return
		}
	case stoppedService:
		if n.term != m.term || n.role != leader || n.log.n != n.commit || n.log.active(n.log.n) != int(m.from) {
			return
		}
		x.put(&t, int(m.to), newEntry(n.term, stopped, int(m.from)))
	}
	bad := x.lost(&t, &before)
	if bad == "" {
		bad = x.twice(&t)
	}
	if bad == "" {
		bad = x.twoLeaders(&t)
	}
	yield(step{name: fmt.Sprintf("%s from %d reaches %d", messageKinds[m.kind], m.from, m.to), next: t, bad: bad})
}

func (n *node) hearTerm(term uint8) {
	if term > n.term {
		n.term, n.vote = term, nobody
		n.unled(follower, nobody)
	}
}

// unled changes who leads. A fencing under way was ordered under what was before: its success does not count any more
// (coordinator.Core ends with its leadership, coordinator.Takeover forgets a fencing when there is a leader).
func (n *node) unled(r role, by uint8) {
	n.role, n.leader, n.votes, n.match, n.commit = r, by, 0, [maxNodes]uint8{}, 0
	n.stopping = false
	if n.fencing != noFencing {
		n.void = true
	}
	if n.ghost == nobody {
		n.fenced = 0
	}
}

// meet notes that a node is in live quorum: it follows or leads, and knows its membership in this incarnation committed.
// To hear a leader alone is not enough: until it has joined, the others may go on without it as one that is fenced.
func (x *explorer) meet(n *node, i int, commit uint8) {
	if n.log.joined(commit, i, n.boots) || x.broken.HeardIsTogether {
		n.together = true
	}
}

// follow takes a leader's log over: only what conflicts is cut off, so that a late message takes nothing back.
func (n *node) follow(l *log) {
	for k := range l.n {
		if k < n.log.n && n.log.e[k] != l.e[k] {
			n.log.cut(k)
		}
		if k >= n.log.n {
			n.log.e[k] = l.e[k]
			n.log.n++
		}
	}
}

// advance commits what a majority of the latest voters holds, as far as it ends in an entry of the leader's own term.
func (x *explorer) advance(s *state, i int) {
	n := &s.nodes[i]
	if n.role != leader {
		return
	}
	voters := n.log.voters(x.all)
	for k := n.log.n; k > n.commit && n.log.e[k-1].term() == n.term; k-- {
		held := 0
		for j := range x.b.Nodes {
			if voters>>j&1 == 1 && (n.match[j] >= k || uint8(j) == n.ghost) {
				held++
			}
		}
		if 2*held <= bits.OnesCount8(voters) {
			continue
		}
		n.commit = k
		if k > s.committed.n {
			s.committed.n = k
			s.committed.e = [maxLog]entry{}
			copy(s.committed.e[:k], n.log.e[:k])
		} else {
			copy(s.committed.e[:k], n.log.e[:k])
		}
		x.meet(n, i, k)
		return
	}
}

// lost compares what is committed now with what was before: it may only have grown.
func (x *explorer) lost(s *state, before *log) string {
	for k := range before.n {
		if s.committed.e[k] != before.e[k] {
			return fmt.Sprintf("two leaders commit in the same place: %v became %v", before, &s.committed)
		}
	}
	return ""
}

func (x *explorer) twice(s *state) string {
	on := 0
	for i := range s.nodes {
		if s.nodes[i].service {
			on++
		}
	}
	if on > 1 {
		return "the service is active on two nodes"
	}
	return ""
}

func (x *explorer) twoLeaders(s *state) string {
	for i := range s.nodes {
		for j := range i {
			a, b := &s.nodes[i], &s.nodes[j]
			if a.role == leader && b.role == leader && a.term == b.term {
				return fmt.Sprintf("%d and %d both lead in term %d", i, j, a.term)
			}
		}
	}
	return ""
}
