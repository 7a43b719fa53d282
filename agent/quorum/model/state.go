package model

import (
	"fmt"
	"strings"
)

// Limits of the model: what a state has room for. An exploration is bounded by its Budget well below them.
const (
	maxNodes = 3
	maxLog   = 12
	maxMsgs  = 3
	nobody   = 7 // no node; fits the three bits of an entry's node
)

// entry is one entry of the replicated log: term, kind, incarnation (of a join) and node, four bits each.
type entry uint16

type kind uint8

const (
	noop    kind = iota // what a new leader commits first
	place               // the service may be started on the node
	remove              // the node is no voter any more
	stopped             // the service is known to be stopped on the node
	fenced              // the node's fencing is confirmed: it runs nothing that it ran before
	admit               // the node is a voter again
	join                // the node is a member, in this incarnation
	learn               // the node receives the log, and is about to be admitted
)

var kinds = [...]string{"noop", "place", "remove", "stopped", "fenced", "admit", "join", "learn"}

func newEntry(term uint8, k kind, node int) entry {
	return entry(term)<<12 | entry(k)<<8 | entry(node)
}

func (e entry) of(boots uint8) entry { return e | entry(boots)<<4 }

func (e entry) term() uint8  { return uint8(e >> 12) }
func (e entry) kind() kind   { return kind(e >> 8 & 15) }
func (e entry) boots() uint8 { return uint8(e >> 4 & 15) }
func (e entry) node() int    { return int(e & 15) }
func (e entry) String() string {
	if e.kind() == noop {
		return fmt.Sprintf("noop@%d", e.term())
	}
	return fmt.Sprintf("%s(%d)@%d", kinds[e.kind()], e.node(), e.term())
}

// log is a node's durable copy.
type log struct {
	n uint8
	e [maxLog]entry
}

func (l *log) lastTerm() uint8 {
	if l.n == 0 {
		return 0
	}
	return l.e[l.n-1].term()
}

func (l *log) cut(n uint8) {
	for i := n; i < l.n; i++ {
		l.e[i] = 0
	}
	l.n = n
}

// voters returns the latest voter set in the log, committed or not, as raft uses it.
func (l *log) voters(all uint8) uint8 {
	for _, e := range l.e[:l.n] {
		switch e.kind() {
		case remove:
			all &^= 1 << e.node()
		case admit:
			all |= 1 << e.node()
		}
	}
	return all
}

// growing returns those who receive the log on their way to a vote (raft's members without a vote).
func (l *log) growing() (set uint8) {
	for _, e := range l.e[:l.n] {
		switch e.kind() {
		case learn:
			set |= 1 << e.node()
		case admit, remove:
			set &^= 1 << e.node()
		}
	}
	return set
}

// active returns where the service may be active by the log's first n entries; nobody if it is nowhere.
func (l *log) active(n uint8) int {
	at := nobody
	for _, e := range l.e[:n] {
		switch {
		case e.kind() == place:
			at = e.node()
		case (e.kind() == fenced || e.kind() == stopped) && e.node() == at:
			at = nobody
		}
	}
	return at
}

// joined says whether the first n entries have the incarnation as a member.
func (l *log) joined(n uint8, node int, boots uint8) bool {
	if boots == 1 {
		return true // the beginning of every run
	}
	for _, e := range l.e[:n] {
		if e.kind() == join && e.node() == node && e.boots() == boots {
			return true
		}
	}
	return false
}

func (l *log) String() string {
	var words []string
	for _, e := range l.e[:l.n] {
		words = append(words, e.String())
	}
	return "[" + strings.Join(words, " ") + "]"
}

type role uint8

const (
	follower role = iota
	candidate
	leader
)

// fencing is the state of an order that a node gave: given, carried out by the device with the answer still on its way.
type fencing uint8

const (
	noFencing fencing = iota
	ordered
	carriedOut
)

// node is one machine with its daemon.
type node struct {
	power, daemon bool
	service       bool // active: survives its daemon, dies with the power

	// Durable.
	term  uint8
	vote  uint8
	log   log
	ghost uint8 // the confirmed-fenced peer that this node answers for (store/takeover.go); nobody if none

	// Lost with the daemon.
	role     role
	leader   uint8 // whom it knows to lead
	votes    uint8
	match    [maxNodes]uint8 // leader: how far each log is known to agree with its own
	commit   uint8           // how much it knows to be committed
	together bool            // in live quorum with the other of two, in this incarnation
	fencing  fencing
	target   uint8
	void     bool  // the pair was together again since the fencing was ordered: its success counts for nothing
	fenced   uint8 // leader: set of nodes whose fencing is confirmed and not committed yet
	stopping bool  // leader: the service is being stopped
	ordered  uint8 // executor: the newest term whose orders it took
	resumed  bool  // restarted with a ghost mark on its disk

	boots uint8 // incarnations so far: an order is for one
}

type messageKind uint8

const (
	noMessage messageKind = iota
	requestVote
	grantVote
	appendLog
	appended
	startService
	stopService
	stoppedService
)

var messageKinds = [...]string{"", "request-vote", "grant-vote", "append", "appended", "start", "stop", "stopped"}

type message struct {
	kind     messageKind
	from, to uint8
	term     uint8
	log      log   // appendLog: the leader's; requestVote: only n and the last entry's place
	commit   uint8 // appendLog: what the leader knows to be committed
	boots    uint8 // the incarnation it is for
	sender   uint8 // stoppedService: the incarnation it is from
}

// state is everything; two equal states are one.
type state struct {
	nodes     [maxNodes]node
	msgs      [maxMsgs]message // sorted; free places last
	committed log              // everything that was ever committed by anybody
	crashes   uint8            // spent of the budget
	fencings  uint8
	placed    uint8
	stops     uint8
	admitted  uint8
}

func (s *state) String() string {
	var b strings.Builder
	for i := range s.nodes {
		n := &s.nodes[i]
		if n.boots == 0 {
			continue
		}
		fmt.Fprintf(&b, "  node %d: power=%t daemon=%t service=%t term=%d role=%d leader=%d log=%v commit=%d ghost=%d together=%t fencing=%d of %d\n",
			i, n.power, n.daemon, n.service, n.term, n.role, n.leader, &n.log, n.commit, n.ghost, n.together, n.fencing, n.target)
	}
	fmt.Fprintf(&b, "  committed %v\n", &s.committed)
	return b.String()
}
