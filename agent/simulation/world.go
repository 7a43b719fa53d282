package simulation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"paceline/agent/audit"
	"paceline/agent/coordinator"
)

// Options shape a run beside its seed.
type Options struct {
	Nodes   int           // 0: drawn, 1 to 5
	Faults  time.Duration // how long faults go on; 0: drawn
	Calm    bool          // no faults at all
	Broken  Broken
	Only    []int // numbers of the faults that happen; nil: all
	Verbose bool  // keep every line of the trace
	Clocks  Clocks
	Watch   func(audit.Fact) // is told what truly happens
}

// Clocks say how the wall clocks of the nodes go.
type Clocks int

// The ways in which wall clocks go.
const (
	Stepped Clocks = iota // the faults of a run may step them
	Right
	Wild // every second each of them is wrong by something else, up to an hour
)

// Broken are safety rules that can be switched off, to see that the invariants find it out.
type Broken struct {
	LyingDevice        bool // a device says yes and does nothing (what no manager can survive)
	NoLease            bool // rule 6: a node that is cut off goes on
	AloneMayTakeOver   bool // rule 5: a node that started alone takes over after fencing
	UnconfirmedTakes   bool // rule 5: the takeover does not wait for the fencing
	ForgetsVotes       bool // rule 3: terms and votes are not durable
	MinorityCommits    bool // rule 3: a leader acknowledges alone
	StaleOrders        bool // rule 9: executors take orders of earlier terms
	LateFences         bool // rule 9: fence orders are carried out after they expired
	FenceBeforeStart   bool // rule 2: success is reported before the device has acted
	StartsWithoutLease bool // rules 6 and 10: a node whose lease is over still begins what it was ordered
	OperationsOverlap  bool // an executor runs operations of one resource at once
	CallsBeginAgain    bool // call numbers of results are used twice
	TouchesAll         bool // maintenance and unmanaged resources are not known to the plan
	NoOrder            bool // the plan knows no order
	PromotesTwo        bool // the plan promotes one more than is allowed
	PlansByChance      bool // a plan depends on more than the state
	StopLies           bool // rule 1: a stop is reported done while the service runs
	NoCourtesy         bool // rule 5: both sides of a cut fence at once
	WaitsForEver       bool // an announced restart is waited for without end
	AnyRestart         bool // an announced restart counts for the daemons that follow
	GrowthUnknown      bool // rule 4: a pair that is becoming three still takes itself for a pair
	NoColocation       bool // the plan knows no colocation
	NoBans             bool // the plan knows no location that forbids
	CopiesEverywhere   bool // the plan knows no bound of a clone
	NoCapacity         bool // the plan looks at no capacity
	NoRoomFirst        bool // the plan waits for no room before it starts something
	GoesOn             bool // a coordinator gives orders of a plan that a change has superseded
	NoWelcome          bool // a daemon that was restarted is given no session
	NoCatchingUp       bool // a wiped node is sent nothing of what was committed before
	ForgetsResults     bool // results are sent, and not written down
	PingPong           bool // the plan prefers one node after the other
	PlansByClock       bool // a plan depends on the wall clock
}

// Violation is an invariant that did not hold.
type Violation struct {
	Invariant string
	Detail    string
	At        time.Duration
}

func (v *Violation) Error() string { return fmt.Sprintf("%s at %v: %s", v.Invariant, v.At, v.Detail) }

// Planned is a fault that happened.
type Planned struct {
	Number int
	At     time.Duration
	Name   string
}

// Outcome is what a run was like.
type Outcome struct {
	Seed       uint64
	Profile    string
	Nodes      int
	Virtual    time.Duration
	Events     int
	Faults     map[string]int
	Plan       []Planned
	Commits    int
	Elections  int
	Takeovers  int
	Fencings   int // carried out by a device
	Activated  int
	Transition int
	Replanned  int
	Judged     map[string]int // how often each rule was put to the test
	Live       map[string]int // the same of the bounds of liveness
	Rest       time.Duration  // from the end of all faults to rest
	Violation  *Violation
	Trace      []string
}

type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

type eventQueue []event

func (q eventQueue) Len() int { return len(q) }
func (q eventQueue) Less(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].seq < q[j].seq
}
func (q eventQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(x any)   { *q = append(*q, x.(event)) }
func (q *eventQueue) Pop() any {
	old := *q
	x := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return x
}

// world is one run.
type world struct {
	rng  *rand.Rand
	opt  Options
	now  time.Duration
	q    eventQueue
	seq  uint64
	base time.Time

	nodes    []*node
	cuts     [][]int // cuts[i][j]: how many faults keep what i sends from reaching j
	profile  profile
	slow     time.Duration // how long a session's message may take
	snipers  int           // cuts that wait for an admission
	late     float64       // share of raft's messages that come seconds late
	over     bool          // the phase of faults is over
	promotes bool          // there is a promotable clone

	// What is committed, once and for all.
	committed []*entry
	states    []coordinator.Snapshot // states[k] is what the first k entries lead to
	errs      []error

	device  device
	auditor *audit.Auditor
	entries uint64 // of the log, ever
	agents  string // how resource agents fare: "", fail, slow, hang
	out     Outcome
	lastDo  time.Duration    // when something last happened that a cluster at rest does not do
	stirred time.Duration    // when a daemon last began or ended, or heard or missed another
	begun   map[string]begun // of fencings, by target
	asked   map[string]bool  // whom a person has fenced
	cleared time.Duration    // when a person last looked after failures
	traps   []*trap
	moves   map[string]int // starts since nothing changed from outside, by resource

	reloads map[string]*reload // by node
}

// Run runs one seed to its end, or to the first violation.
func Run(seed uint64, opt Options) Outcome {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), opt: opt, base: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		auditor: audit.New(), moves: map[string]int{}, out: Outcome{Seed: seed, Faults: map[string]int{}},
		reloads: map[string]*reload{},
	}
	w.build()
	end := w.plan()
	w.until(end)
	if w.out.Violation == nil {
		w.heal()
		w.settle()
	}
	w.out.Judged = w.auditor.Judged()
	w.out.Virtual, w.out.Nodes = w.now, len(w.nodes)
	return w.out
}

// until runs events up to a moment.
func (w *world) until(end time.Duration) {
	for w.out.Violation == nil && len(w.q) > 0 && w.q[0].at <= end {
		w.next()
	}
	if w.out.Violation == nil {
		w.now = max(w.now, end)
	}
}

func (w *world) next() {
	e := heap.Pop(&w.q).(event)
	w.now = e.at
	w.out.Events++
	if w.out.Events > eventsMax {
		w.violate("time passes", "%d events, and no end", w.out.Events)
		return
	}
	e.do()
}

func (w *world) after(d time.Duration, do func()) {
	w.seq++
	heap.Push(&w.q, event{at: w.now + max(d, 0), seq: w.seq, do: do})
}

// timing is that of all coordinators.
func (w *world) timing() coordinator.Timing {
	t := coordinator.TimingFor(detectMax, nodeLease)
	if w.opt.Broken.WaitsForEver {
		t.Restart = time.Hour
	}
	return t
}

// clock is the time that the program sees.
func (w *world) clock() time.Time { return w.base.Add(w.now) }

func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rng.Int64N(int64(hi-lo)+1))
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) latency() time.Duration { return w.between(latencyMin, latencyMax) }

func (w *world) violate(invariant, format string, args ...any) {
	if w.out.Violation == nil {
		w.out.Violation = &Violation{Invariant: invariant, Detail: fmt.Sprintf(format, args...), At: w.now}
		w.say("VIOLATION %s: %s", invariant, w.out.Violation.Detail)
	}
}

// say keeps a line of the run.
func (w *world) say(format string, args ...any) {
	if !w.opt.Verbose && len(w.out.Trace) >= 2*traceKept {
		w.out.Trace = append(w.out.Trace[:0], w.out.Trace[traceKept:]...)
	}
	w.out.Trace = append(w.out.Trace, fmt.Sprintf("%12.6f ", w.now.Seconds())+fmt.Sprintf(format, args...))
}

// busy notes that something happened.
func (w *world) busy() { w.lastDo = w.now }

func (w *world) node(name string) *node {
	for _, n := range w.nodes {
		if n.name == name {
			return n
		}
	}
	return nil
}

func (w *world) byID(id string) *node { return w.node(strings.TrimPrefix(id, "id-")) }

func (w *world) names(ids []string) []string {
	var out []string
	for _, id := range ids {
		out = append(out, w.byID(id).name)
	}
	return out
}

// reaches says whether a message gets from one node to another now.
func (w *world) reaches(from, to *node) bool { return from == to || w.cuts[from.i][to.i] == 0 }

func (w *world) build() {
	w.profile = w.draw()
	w.out.Profile = w.profile.name
	count := w.opt.Nodes
	if count == 0 {
		count = w.profile.nodes[w.rng.IntN(len(w.profile.nodes))]
	}
	first := w.configuration(count)
	w.states = []coordinator.Snapshot{{Revision: 1, ConfigRevision: 1, CIB: first}}
	var all []string
	for i := range count {
		name := fmt.Sprintf("n%d", i+1)
		w.nodes = append(w.nodes, &node{w: w, i: i, name: name, id: "id-" + name})
		all = append(all, "id-"+name)
	}
	w.device.w = w
	w.fact(audit.Fact{Kind: audit.Configure, Revision: 1, Config: audit.ConfigOf(first)})
	if !w.opt.Calm {
		w.fact(audit.Fact{Kind: audit.Troubled})
	}
	for range w.nodes {
		w.cuts = append(w.cuts, make([]int, count))
	}
	for _, n := range w.nodes {
		n.log.voters, n.executor.n = all, n
		n.executor.reset()
		w.powerOn(n, w.between(0, 200*time.Millisecond))
	}
}
