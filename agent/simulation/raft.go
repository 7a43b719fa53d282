package simulation

import (
	"fmt"
	"slices"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/coordinator"
)

// entry is one entry of the log: a change, a new voter set, or neither (a new leader's first).
type entry struct {
	term   uint64
	change *cib.Change
	voters []string
	grows  string // with voters: who is on its way to be one, and receives the log (store.Admit)
	seq    uint64 // of the Core that asked for it; 0: an operator's
	why    string
	digest string // tells it from any other
}

type role int

const (
	follower role = iota
	candidate
	leader
)

// raftLog is a node's copy of the log. term, vote, log and ghost are durable.
type raftLog struct {
	term    uint64
	vote    string
	log     []*entry
	voters  []string // at the beginning
	ghost   string   // ID of the peer for which this node answers
	resumed bool     // the ghost is one of before the daemon's start

	role      role
	leader    string // ID
	votes     map[string]bool
	next      map[string]int
	match     map[string]int
	heardFrom map[string]time.Duration // leader: the last answer of each voter
	touched   map[string]bool
	answered  map[string]bool // leader: who has acknowledged something in this term
	contact   uint64
	commit    int
	timer     uint64 // number of the newest election timer
	ready     bool   // leader: the entries of terms before are committed
	changing  bool   // leader: a voter change is not committed
}

func (l *raftLog) restart() {
	l.role, l.leader, l.votes, l.commit = follower, "", nil, 0
	l.touched, l.contact, l.ready, l.changing = map[string]bool{}, 0, false, false
	l.resumed = l.ghost != ""
	l.timer++
}

func (l *raftLog) latest() []string {
	for _, e := range slices.Backward(l.log) {
		if e.voters != nil {
			return e.voters
		}
	}
	return l.voters
}

// settled says that the newest voter set is committed, as far as the node knows.
func (l *raftLog) settled() bool {
	for i, e := range slices.Backward(l.log) {
		if e.voters != nil {
			return i < l.commit
		}
	}
	return true
}

// growing returns who is on its way to be a voter.
func (l *raftLog) growing() string {
	for _, e := range slices.Backward(l.log) {
		if e.voters != nil {
			return e.grows
		}
	}
	return ""
}

// votedOut says that the newest committed voter set is without the node: whoever votes must not lose its disk.
func (n *node) votedOut() bool {
	for _, e := range slices.Backward(n.w.committed) {
		if e.voters != nil {
			return !slices.Contains(e.voters, n.id) && e.grows != n.id
		}
	}
	return false
}

func (l *raftLog) last() (int, uint64) {
	if len(l.log) == 0 {
		return 0, 0
	}
	return len(l.log), l.log[len(l.log)-1].term
}

func (l *raftLog) majority(has func(id string) bool) bool {
	voters, n := l.latest(), 0
	for _, id := range voters {
		if has(id) {
			n++
		}
	}
	return 2*n > len(voters)
}

// rpc sends one of raft's messages: it may come late, or never.
func (n *node) rpc(to *node, what string, do func(to *node)) {
	d := n.w.latency()
	if n.w.late > 0 && n.w.chance(n.w.late) {
		d = n.w.between(10*time.Millisecond, 3*time.Second)
	}
	if !n.w.reaches(n, to) || n.mute {
		return
	}
	inc := to.inc
	arrive := func() {
		to.when(inc, func() {
			if n.w.reaches(n, to) {
				do(to)
			}
		})
	}
	n.w.after(d, arrive)
	if n.w.late > 0 && n.w.chance(n.w.late/2) { // and once more
		n.w.after(d+n.w.between(0, 3*time.Second), arrive)
	}
}

func (n *node) electionTimer() {
	n.log.timer++
	number := n.log.timer
	n.later(n.w.between(electionMin, electionMax), func() {
		if n.log.timer != number {
			return
		}
		if n.log.role != leader {
			if n.log.leader != "" {
				n.ledBy(follower, "")
			}
			n.campaign()
		}
		n.electionTimer()
	})
}

// campaign asks first whether there would be a majority (raft's pre-vote), and only then begins a new term: a node that
// nobody votes for must not unseat a leader by its terms.
func (n *node) campaign() {
	l := &n.log
	if !slices.Contains(l.latest(), n.id) {
		return
	}
	index, last := l.last()
	term, asked := l.term, map[string]bool{n.id: true}
	if l.ghost != "" {
		asked[l.ghost] = true
	}
	n.ledBy(follower, "")
	would := func() {
		if l.term == term && l.role == follower && l.leader == "" && l.majority(func(id string) bool { return asked[id] }) {
			n.stand()
		}
	}
	for _, id := range l.latest() {
		if to := n.w.byID(id); to != n && id != l.ghost {
			n.rpc(to, "would you vote?", func(to *node) {
				yes, theirs := to.wouldVote(n, term+1, index, last), to.log.term
				to.rpc(n, "I would", func(n *node) {
					if theirs > term+1 {
						n.hearTerm(theirs)
					}
					if yes && l.term == term {
						asked[id] = true
						would()
					}
				})
			})
		}
	}
	would()
}

// knows says that a candidate is a voter, or on its way to be one, as far as the node knows: raft votes for nobody else.
func (l *raftLog) knows(candidate string) bool {
	return slices.Contains(l.latest(), candidate) || l.growing() == candidate
}

// wouldVote also refuses one that the node does not know as a voter, as the library does.
func (n *node) wouldVote(from *node, term uint64, index int, last uint64) bool {
	l := &n.log
	if l.ghost == from.id || !l.knows(from.id) || l.leader != "" && l.leader != from.id || term < l.term {
		return false
	}
	myIndex, myLast := l.last()
	return last > myLast || last == myLast && index >= myIndex
}

// stand begins a term as a candidate.
func (n *node) stand() {
	l := &n.log
	l.term++
	l.vote, l.votes = n.id, map[string]bool{n.id: true}
	n.ledBy(candidate, "")
	if l.ghost != "" {
		l.votes[l.ghost] = true
	}
	index, last := l.last()
	term := l.term
	for _, id := range l.latest() {
		if to := n.w.byID(id); to != n && id != l.ghost {
			n.rpc(to, "vote?", func(to *node) { to.voteAsked(n, term, index, last) })
		}
	}
	n.counted()
}

func (n *node) counted() {
	l := &n.log
	if l.role != candidate || !l.majority(func(id string) bool { return l.votes[id] }) {
		return
	}
	n.w.fact(audit.Fact{Kind: audit.Led, Node: n.name, Term: l.term})
	n.w.out.Elections++
	n.w.say("%s leads in term %d", n.name, l.term)
	l.next, l.match, l.heardFrom = map[string]int{}, map[string]int{}, map[string]time.Duration{}
	for _, to := range n.w.nodes {
		l.next[to.id], l.heardFrom[to.id] = len(l.log), n.w.now
	}
	l.ready, l.changing, l.answered = false, false, map[string]bool{}
	n.ledBy(leader, n.id)
	n.propose(&entry{term: l.term})
	n.beat(l.term)
}

// beat is a leader's heartbeat and its look at its own lease.
func (n *node) beat(term uint64) {
	l := &n.log
	if l.role != leader || l.term != term {
		return
	}
	fresh := l.majority(func(id string) bool {
		return id == n.id || id == l.ghost || n.w.now-l.heardFrom[id] < electionMin
	})
	if !fresh {
		n.w.say("%s steps down: no majority answers", n.name)
		n.ledBy(follower, "")
		return
	}
	n.replicate()
	n.later(heartbeat, func() { n.beat(term) })
}

func (n *node) replicate() {
	l := &n.log
	for _, to := range n.w.nodes {
		if to != n && to.id != l.ghost {
			n.appendTo(to)
		}
	}
	n.advance()
}

func (n *node) appendTo(to *node) {
	l := &n.log
	prev := min(l.next[to.id], len(l.log))
	var prevTerm uint64
	if prev > 0 {
		prevTerm = l.log[prev-1].term
	}
	term, commit, entries := l.term, l.commit, l.log[prev:len(l.log):len(l.log)]
	n.rpc(to, "append", func(to *node) { to.appendAsked(n, term, prev, prevTerm, entries, commit) })
}

func (n *node) hearTerm(term uint64) {
	if term > n.log.term {
		n.log.term, n.log.vote = term, ""
		n.ledBy(follower, "")
	}
}

func (n *node) voteAsked(from *node, term uint64, index int, last uint64) {
	l := &n.log
	if l.ghost == from.id || !l.knows(from.id) || l.leader != "" && l.leader != from.id {
		return
	}
	n.hearTerm(term)
	myIndex, myLast := l.last()
	if term < l.term || l.vote != "" && l.vote != from.id || last < myLast || last == myLast && index < myIndex {
		return
	}
	l.vote = from.id
	n.electionTimer()
	n.rpc(from, "vote", func(to *node) {
		if to.log.term == term && to.log.role == candidate {
			to.log.votes[n.id] = true
			to.counted()
		}
	})
}

func (n *node) appendAsked(from *node, term uint64, prev int, prevTerm uint64, entries []*entry, commit int) {
	l := &n.log
	if l.ghost == from.id || l.role == leader && l.term == term {
		return
	}
	if theirs := l.term; term < theirs {
		n.rpc(from, "there is a newer term", func(to *node) { to.hearTerm(theirs) })
		return
	}
	n.hearTerm(term)
	l.touched[from.id] = true
	l.contact++
	if l.leader != from.id || l.role != follower {
		n.ledBy(follower, from.id)
	}
	n.electionTimer()
	if prev > len(l.log) || prev > 0 && l.log[prev-1].term != prevTerm {
		n.rpc(from, "behind", func(to *node) {
			if to.log.role == leader && to.log.term == term && !(n.wiped && n.w.opt.Broken.NoCatchingUp) {
				to.answered(n.id)
				to.log.next[n.id] = min(to.log.next[n.id], max(0, prev-50))
			}
		})
		return
	}
	for k, e := range entries {
		at := prev + k
		if at < len(l.log) && l.log[at].term != e.term {
			l.log = l.log[:at:at]
		}
		if at >= len(l.log) {
			l.log = append(l.log, e)
		}
	}
	upto := prev + len(entries)
	n.committedTo(min(commit, upto))
	n.rpc(from, "appended", func(to *node) {
		if to.log.role == leader && to.log.term == term {
			to.answered(n.id)
			to.log.answered[n.id] = true
			to.log.match[n.id] = max(to.log.match[n.id], upto)
			to.log.next[n.id] = max(to.log.next[n.id], upto)
			to.advance()
		}
	})
}

func (n *node) answered(id string) {
	n.log.heardFrom[id] = n.w.now
	n.log.touched[id] = true
	n.w.fact(audit.Fact{Kind: audit.Met, Node: n.name, Target: n.w.byID(id).name})
	n.log.contact++
}

func (n *node) propose(e *entry) {
	n.w.entries++
	e.digest = fmt.Sprintf("%d of term %d", n.w.entries, e.term)
	n.log.log = append(n.log.log, e)
	n.replicate()
}

func (n *node) advance() {
	l := &n.log
	if l.role != leader {
		return
	}
	for k := len(l.log); k > l.commit && l.log[k-1].term == l.term; k-- {
		if l.majority(func(id string) bool { return id == n.id || id == l.ghost || l.match[id] >= k }) || n.w.opt.Broken.MinorityCommits {
			n.committedTo(k)
			return
		}
	}
}

// committedTo takes in that the log is committed up to k. What was committed once is for ever: that is checked here.
func (n *node) committedTo(k int) {
	l, w := &n.log, n.w
	for l.commit < k {
		i := l.commit
		e := l.log[i]
		w.fact(audit.Fact{Kind: audit.Applied, Node: n.name, Index: uint64(i + 1), Digest: e.digest})
		if w.out.Violation != nil {
			return
		}
		if i == len(w.committed) {
			w.commitNew(e)
		}
		l.commit++
		if l.role == leader && e.term == l.term {
			n.committed(i, e)
		}
	}
	n.takeLook()
}

// commitNew makes the state that follows.
func (w *world) commitNew(e *entry) {
	w.out.Commits++
	s := w.states[len(w.states)-1]
	var err error
	if e.change != nil {
		var next *cib.CIB
		if next, err = cib.Apply(s.CIB, *e.change); err == nil {
			w.told(s.CIB, e.change)
			s.CIB = next
			s.Revision++
			if isConfiguration(e.change) {
				s.ConfigRevision++
				w.fact(audit.Fact{Kind: audit.Configure, Revision: s.Revision, Config: audit.ConfigOf(next)})
			}
		}
	}
	w.committed = append(w.committed, e)
	w.states = append(w.states, s)
	w.errs = append(w.errs, err)
}

func isConfiguration(c *cib.Change) bool {
	for i := range c.Batch {
		if isConfiguration(&c.Batch[i]) {
			return true
		}
	}
	return c.Configure != nil || c.SetOption != nil || c.SetMeta != nil || c.SetNodeAttr != nil || c.PutNode != nil ||
		c.DropNode != nil || c.PutConstraint != nil || c.DropConstraint != nil
}

// snapshot is the newest committed state that the node knows.
func (n *node) snapshot() coordinator.Snapshot { return n.w.shown(n.w.states[n.log.commit]) }

// committed answers whoever asked for the entry.
func (n *node) committed(i int, e *entry) {
	snap, err := n.w.shown(n.w.states[i+1]), n.w.errs[i]
	switch {
	case e.voters != nil:
		n.log.changing = false
		n.w.say("%s: the voters are %v, on its way: %q", n.name, e.voters, e.grows)
		if e.grows != "" {
			n.w.admitted(n, e.grows)
			n.admit(e)
		} else if n.core != nil {
			n.tellCore(coordinator.VotersAre{IDs: e.voters})
		}
	case e.change == nil:
		if !n.log.ready {
			n.log.ready = true
			if n.log.growing() != "" { // an admission that a coordinator before began
				n.letGo(n.startCore)
			} else {
				n.startCore()
			}
		}
	case n.core == nil:
	case e.seq != 0:
		if e.term == n.coreTerm {
			n.tellCore(coordinator.Committed{Seq: e.seq, Snapshot: snap, Err: err})
		}
	default:
		n.tellCore(coordinator.Changed{Snapshot: snap, Why: e.why})
	}
}

// changeVoters is the store's one change at a time.
func (n *node) changeVoters(ef coordinator.ChangeVoters) {
	l := &n.log
	term := l.term
	fail := func() {
		n.later(voterRetry, func() {
			if n.core != nil && n.coreTerm == term {
				n.tellCore(coordinator.VotersAre{IDs: n.log.latest(), Err: fmt.Errorf("not now")})
			}
		})
	}
	if l.changing || l.role != leader || l.growing() != "" || l.ghost != "" {
		fail()
		return
	}
	voters := slices.Clone(l.latest())
	l.changing = true
	if ef.Step.Admit != "" {
		n.propose(&entry{term: term, voters: voters, grows: ef.Step.Admit})
		return
	}
	n.propose(&entry{term: term, voters: slices.DeleteFunc(voters, func(v string) bool { return v == ef.Step.Remove })})
}

// admit gives the vote to one that everybody knows to be on its way, once it has caught up, or lets it go.
func (n *node) admit(e *entry) {
	l := &n.log
	began := n.w.now
	var attempt func()
	attempt = func() {
		switch {
		case l.role != leader || l.term != e.term || l.growing() != e.grows:
		case l.match[e.grows] >= l.commit:
			l.changing = true
			voters := append(slices.Clone(l.latest()), e.grows)
			slices.Sort(voters)
			n.propose(&entry{term: e.term, voters: slices.Compact(voters)})
		case n.w.now-began > voterRetry:
			n.letGo(nil)
		default:
			n.later(heartbeat, attempt)
		}
	}
	n.later(0, attempt)
}

// letGo takes an admission back.
func (n *node) letGo(then func()) {
	n.log.changing = true
	n.propose(&entry{term: n.log.term, voters: slices.Clone(n.log.latest())})
	if then != nil {
		then()
	}
}
