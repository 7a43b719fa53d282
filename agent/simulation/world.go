package simulation

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
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
}

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
	GrowthUnknown      bool // rule 4: a pair that is becoming three still takes itself for a pair
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
}

// Run runs one seed to its end, or to the first violation.
func Run(seed uint64, opt Options) Outcome {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)), opt: opt, base: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		auditor: audit.New(), out: Outcome{Seed: seed, Faults: map[string]int{}},
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

// configuration draws what the cluster is to run.
func (w *world) configuration(nodes int) *cib.CIB {
	var b strings.Builder
	b.WriteString(`<cib validate-with="pacemaker-3.9" epoch="1" num_updates="0" admin_epoch="0"><configuration><crm_config><cluster_property_set id="o">`)
	option := func(name, value string) {
		fmt.Fprintf(&b, `<nvpair id="o-%s" name="%s" value="%s"/>`, name, name, value)
	}
	option("stonith-enabled", fmt.Sprint(w.profile.fencing))
	if policy := []string{"stop", "stop", "freeze", "demote"}[w.rng.IntN(4)]; w.profile.fencing {
		option("no-quorum-policy", policy)
	}
	if w.chance(0.4) {
		option("stonith-timeout", []string{"2s", "4s", "8s"}[w.rng.IntN(3)])
	}
	if w.chance(0.3) {
		option("stonith-action", "off")
	}
	b.WriteString(`</cluster_property_set></crm_config><nodes>`)
	for i := range nodes {
		fmt.Fprintf(&b, `<node id="id-n%d" uname="n%d"/>`, i+1, i+1)
	}
	b.WriteString(`</nodes><resources>`)
	lot := ""
	if w.opt.Broken.NoCourtesy { // left to the lot, and the lot is always the same
		lot = `<nvpair id="power-d" name="pcmk_delay_max" value="1ms"/>`
	}
	b.WriteString(`<primitive id="power" class="stonith" type="fence_sim"><instance_attributes id="power-p"><nvpair id="power-h" name="pcmk_host_check" value="none"/>` + lot + `</instance_attributes></primitive>`)
	ops := func(id string) string {
		return fmt.Sprintf(`<operations><op id="%s-m" name="monitor" interval="10s" timeout="20s"/><op id="%s-s" name="start" interval="0" timeout="20s"/><op id="%s-t" name="stop" interval="0" timeout="20s"/></operations>`, id, id, id)
	}
	primitive := func(id string) string {
		return fmt.Sprintf(`<primitive id="%s" class="ocf" provider="sim" type="Service">%s</primitive>`, id, ops(id))
	}
	count := 1 + w.rng.IntN(3)
	for i := range count {
		p := primitive(fmt.Sprintf("r%d", i+1))
		if i == 2 && w.chance(0.5) {
			p = strings.Replace(p, "<operations>", `<meta_attributes id="r3-meta"><nvpair id="r3-mig" name="allow-migrate" value="true"/></meta_attributes><operations>`, 1)
		}
		b.WriteString(p)
	}
	if w.chance(0.5) {
		b.WriteString(`<group id="g">` + primitive("g1") + primitive("g2") + `</group>`)
	}
	if w.chance(0.3) {
		b.WriteString(`<clone id="c">` + primitive("cp") + `</clone>`)
	}
	if w.promotes = w.chance(0.4); w.promotes {
		b.WriteString(`<clone id="m"><meta_attributes id="m-m"><nvpair id="m-p" name="promotable" value="true"/></meta_attributes>` +
			strings.Replace(primitive("cm"), "</operations>", `<op id="cm-p" name="monitor" interval="11s" role="Promoted" timeout="20s"/></operations>`, 1) + `</clone>`)
	}
	b.WriteString(`</resources><constraints>`)
	if w.chance(0.4) {
		b.WriteString(`<rsc_colocation id="col" rsc="r1" with-rsc="power" score="-10"/>`)
	}
	if count > 1 && w.chance(0.5) {
		b.WriteString(`<rsc_order id="ord" first="r1" then="r2" kind="Mandatory"/>`)
		if w.chance(0.5) {
			b.WriteString(`<rsc_colocation id="with" rsc="r2" with-rsc="r1" score="INFINITY"/>`)
		}
	}
	if w.chance(0.4) {
		fmt.Fprintf(&b, `<rsc_location id="loc" rsc="r1" node="n%d" score="100"/>`, 1+w.rng.IntN(nodes))
	}
	b.WriteString(`</constraints><rsc_defaults><meta_attributes id="d"><nvpair id="d-s" name="resource-stickiness" value="1"/></meta_attributes></rsc_defaults></configuration><status/></cib>`)
	c, _, err := cib.Decode(strings.NewReader(b.String()))
	if err != nil {
		panic("the simulation's own configuration: " + err.Error())
	}
	return c
}
