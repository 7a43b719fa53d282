package simulation

import (
	"slices"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/resources"
)

// executor is what carries orders out on a node. What is active, and the operations that run, belong to the machine and
// outlive the daemon; callID, highest and unacked are in its journal.
type executor struct {
	n      *node
	active map[string]*service
	runs   map[string]*operation // by resource: at most one at a time
	starts int

	callID  int64
	highest uint64
	unacked []transition.Result
	begun   map[string]*transition.Action // operations without an end in the journal

	session  *session
	policy   string
	leased   time.Duration // when the lease was last prolonged
	cut      bool
	queue    map[string][]job
	monitors map[string]*monitor
}

type service struct {
	action   *transition.Action
	order    int
	promoted bool
}

type operation struct {
	job job
	end func() // ends it before its time
}

type job struct {
	order   transition.Order
	unasked bool
}

type monitor struct {
	action *transition.Action
	order  transition.Order
	rc     int
}

// reset is a machine without power.
func (e *executor) reset() {
	*e = executor{n: e.n, callID: e.callID, highest: e.highest, active: map[string]*service{}, runs: map[string]*operation{},
		queue: map[string][]job{}, monitors: map[string]*monitor{}, begun: map[string]*transition.Action{}}
}

func (e *executor) daemonEnds() {
	e.session = nil
	e.queue = map[string][]job{}
}

// daemonStarts finds again what runs: each resource is asked how it is, once no operation of the daemon before runs on it.
func (e *executor) daemonStarts() {
	e.queue, e.cut = map[string][]job{}, false
	known := map[string]*transition.Action{}
	for name, s := range e.active {
		known[name] = s.action
	}
	if e.n.w.opt.Broken.ForgetsResults {
		e.unacked = nil
	}
	for name, a := range e.begun {
		known[name] = a
	}
	for _, m := range e.monitors {
		if known[m.action.Resource] == nil {
			known[m.action.Resource] = m.action
		}
	}
	e.begun = map[string]*transition.Action{}
	e.renewed()
	for _, name := range sorted(known) {
		e.ask(name, known[name])
	}
}

// ask runs a monitor that nobody ordered.
func (e *executor) ask(name string, a *transition.Action) {
	probe := *a
	probe.Operation, probe.IntervalMS = resources.Monitor, 0
	e.enqueue(name, job{order: transition.Order{Action: &probe}, unasked: true})
}

// hello takes a session of a coordinator, or says why not.
func (e *executor) hello(s *session) string {
	if s.term < e.highest && !e.n.w.opt.Broken.StaleOrders {
		return "an earlier term"
	}
	e.highest = max(e.highest, s.term)
	e.n.w.fact(audit.Fact{Kind: audit.Session, Node: e.n.name, Term: s.term})
	if e.session != nil && !e.n.w.opt.Broken.StaleOrders {
		e.session.endTo()
	}
	if e.cut { // what it would have stopped by itself is the coordinator's to decide again
		e.queue = map[string][]job{}
	}
	e.session, e.cut = s, false
	e.policy = policyOf(s)
	e.renewed()
	return ""
}

func policyOf(s *session) string {
	if p, ok := s.from.snapshot().CIB.Option("no-quorum-policy"); ok {
		return p
	}
	return "stop"
}

// running are the resources of the operations that run or wait, except monitors that nobody waits for.
func (e *executor) running() []string {
	var out []string
	add := func(name string, j job) {
		if a := j.order.Action; a.IntervalMS == 0 && !(j.unasked && a.Operation == resources.Monitor) {
			out = append(out, name)
		}
	}
	for _, name := range sorted(e.runs) {
		add(name, e.runs[name].job)
	}
	for _, name := range sorted(e.queue) {
		for _, j := range e.queue[name] {
			add(name, j)
		}
	}
	return out
}

func (e *executor) sessionEnds(s *session) {
	if e.session == s {
		e.session = nil
		s.openTo = false
	}
}

// renewed prolongs the lease: when it is over the node acts for itself (rule 6).
func (e *executor) renewed() {
	e.leased = e.n.w.now
	at := e.leased
	e.n.w.fact(audit.Fact{Kind: audit.Renewed, Node: e.n.name, Until: at + nodeLease})
	e.n.w.fact(audit.Fact{Kind: audit.Queues, Node: e.n.name, Number: uint64(e.waiting())})
	e.n.later(nodeLease, func() {
		if e.leased == at && !e.cut && !e.n.w.opt.Broken.NoLease {
			e.cutOff()
		}
	})
}

func (e *executor) leaseOver() bool {
	b := &e.n.w.opt.Broken
	return e.n.w.now-e.leased > nodeLease && !b.NoLease && !b.StartsWithoutLease
}

func (e *executor) waiting() int {
	n := len(e.unacked)
	for _, q := range e.queue {
		n += len(q)
	}
	return n
}

func (e *executor) cutOff() {
	if e.cut || e.n.w.opt.Broken.StartsWithoutLease {
		return
	}
	e.cut = true
	if e.session != nil {
		e.session.endTo()
		e.session = nil
	}
	for _, name := range sorted(e.queue) {
		for _, j := range e.queue[name] {
			e.void(j)
		}
		delete(e.queue, name)
	}
	if len(e.active) == 0 || e.policy == "freeze" || e.policy == "ignore" {
		return
	}
	e.n.w.say("%s is cut off and stops what it runs", e.n.name)
	all := sorted(e.active)
	slices.SortStableFunc(all, func(a, b string) int { return e.active[b].order - e.active[a].order })
	for _, name := range all {
		a := *e.active[name].action
		if a.Agent.Class == "stonith" || e.handsOff(name) {
			continue
		}
		a.Operation, a.IntervalMS, a.TargetRC = resources.Stop, 0, 0
		if e.policy == "demote" && promotable(name) {
			if !e.active[name].promoted {
				continue
			}
			a.Operation = resources.Demote
		}
		if runs := e.runs[name]; runs != nil && runs.job.order.Action.Operation != resources.Stop {
			runs.end() // what the node wants being cut off ends what runs
		}
		e.enqueue(name, job{order: transition.Order{Action: &a}, unasked: true})
	}
}

// handsOff says that nobody may touch the resource, as far as the node knows.
func (e *executor) handsOff(name string) bool {
	return audit.ConfigOf(e.n.snapshot().CIB).HandsOff[name]
}

// void answers an order that was not begun.
func (e *executor) void(j job) {
	if !j.unasked {
		e.report(j, 0, cib.OpCancelled)
	}
}

// order takes an order in.
func (e *executor) order(o transition.Order, s *session) {
	stale := e.session != s || o.Numbers.Term < e.highest
	if e.cut || stale && !e.n.w.opt.Broken.StaleOrders {
		return
	}
	if e.leaseOver() { // it woke from a pause: the lease is looked at before anything is done
		e.cutOff()
		return
	}
	e.n.w.fact(audit.Fact{Kind: audit.Ordered, Node: e.n.name, Term: o.Numbers.Term})
	a := o.Action
	switch {
	case a.Operation == "cancel":
		delete(e.monitors, monitorKey(a))
		e.report(job{order: o}, 0, cib.OpDone)
	default:
		e.enqueue(a.Resource, job{order: o})
	}
}

func monitorKey(a *transition.Action) string {
	return a.Resource + "/" + time.Duration(a.IntervalMS).String()
}

func (e *executor) enqueue(name string, j job) {
	e.queue[name] = append(e.queue[name], j)
	e.pump(name)
}

// pump begins the next operation of a resource.
func (e *executor) pump(name string) {
	if e.runs[name] != nil && !e.n.w.opt.Broken.OperationsOverlap || len(e.queue[name]) == 0 {
		return
	}
	j := e.queue[name][0]
	e.queue[name] = e.queue[name][1:]
	if len(e.queue[name]) == 0 {
		delete(e.queue, name)
	}
	e.begin(name, j)
}

// begin runs an operation: its process outlives the daemon, its result does not.
func (e *executor) begin(name string, j job) {
	n, w := e.n, e.n.w
	a := j.order.Action
	if !j.unasked && e.leaseOver() {
		e.void(j)
		e.pump(name)
		return
	}
	fences := a.Agent.Class == "stonith"
	op := &operation{job: j}
	e.runs[name], e.begun[name] = op, a
	boot, inc := n.boot, n.inc
	took, rc, status := w.ends(a)
	if rc != 0 {
		w.news()
	}
	told := audit.Fact{
		Node: n.name, Resource: name, Operation: a.Operation, Interval: a.IntervalMS, Unasked: j.unasked, Term: j.order.Numbers.Term,
		Revision: j.order.Numbers.Revision,
	}
	tell := func(kind audit.Kind, rc int) {
		if !fences {
			told.Kind, told.RC = kind, rc
			w.fact(told)
		}
	}
	tell(audit.Begin, 0)
	switch a.Operation {
	case resources.Start, resources.MigrateFrom:
		w.started(a)
		e.starts++
		e.active[name] = &service{action: a, order: e.starts} // from its first moment on it may be active
	case resources.Promote:
		if s := e.active[name]; s != nil {
			s.promoted = true
		}
	}
	lied := a.Operation == resources.Stop && w.opt.Broken.StopLies
	if lied {
		rest := took + w.between(time.Second, 5*time.Second)
		w.after(rest, func() {
			if n.power && n.boot == boot {
				e.inactive(name)
			}
		})
	}
	over := func() {
		if !n.power || n.boot != boot || e.runs[name] != op && !w.opt.Broken.OperationsOverlap {
			return
		}
		truly := rc
		switch {
		case a.Operation == resources.Monitor:
			rc = max(rc, e.look(name))
			truly = rc
		case lied:
			rc, truly = 0, 1
		case rc != 0: // it may be active, or not: the coordinator has to find out, or to make sure
		case a.Operation == resources.Stop, a.Operation == resources.MigrateTo:
			e.forget(name)
		case a.Operation == resources.Demote && e.active[name] != nil:
			e.active[name].promoted = false
		}
		tell(audit.End, truly)
		delete(e.runs, name)
		if n.up && n.inc == inc {
			if a.Operation == resources.Monitor && a.IntervalMS > 0 {
				e.monitors[monitorKey(a)] = &monitor{action: a, order: j.order, rc: rc}
			}
			n.when(inc, func() {
				delete(e.begun, name)
				e.reportAfter(j, rc, status, took)
			})
			if promotable(name) && e.active[name] != nil {
				n.agentRates(name)
			}
		}
		if n.up { // of the daemon before: the present one asks how it ended, in its turn
			e.pump(name)
		}
	}
	op.end = func() {
		rc, status = 1, cib.OpTimeout
		w.after(w.between(time.Millisecond, 5*time.Millisecond), over)
	}
	w.after(took, over)
}

// ends draws how long an operation takes and how it ends.
func (w *world) ends(a *transition.Action) (took time.Duration, rc, status int) {
	took, status = w.between(time.Millisecond, 60*time.Millisecond), cib.OpDone
	if a.Agent.Class == "stonith" { // the device is asked: that takes as long as its other work
		return w.between(250*time.Millisecond, 350*time.Millisecond), 0, status
	}
	if w.over || w.opt.Calm {
		return took, 0, status
	}
	if w.chance(0.03) || w.agents == "slow" && w.chance(0.5) {
		took = w.between(500*time.Millisecond, 4*time.Second)
	}
	switch {
	case a.Operation == resources.Monitor:
	case !w.profile.fencing && (a.Operation == resources.Stop || a.Operation == resources.Demote):
		// Without fencing nobody can make good a stop that fails on a node that is cut off: nothing is promised then.
	case w.agents == "hang" && w.chance(0.3):
		took, rc, status = max(a.Budget(), 5*time.Second), 1, cib.OpTimeout
	case w.chance(0.01) || w.agents == "fail" && w.chance(0.3):
		rc = 1
	}
	return took, rc, status
}

// look is what a monitor finds.
func (e *executor) look(name string) int {
	switch s := e.active[name]; {
	case s == nil:
		return int(resources.NotRunning)
	case s.promoted:
		return int(resources.RunningPromoted)
	}
	return 0
}

// inactive ends a service without an operation.
func (e *executor) inactive(name string) {
	if s := e.active[name]; s != nil {
		if s.action.Agent.Class != "stonith" {
			e.n.w.fact(audit.Fact{Kind: audit.Gone, Node: e.n.name, Resource: name})
		}
		e.forget(name)
	}
}

func (e *executor) forget(name string) {
	e.n.w.busy()
	delete(e.active, name)
	for key, m := range e.monitors {
		if m.action.Resource == name {
			delete(e.monitors, key)
		}
	}
}

// crash ends a service by itself; its recurring monitor sees it.
func (e *executor) crash(name string) {
	s := e.active[name]
	if s == nil || e.runs[name] != nil || s.action.Agent.Class == "stonith" {
		return
	}
	e.n.w.say("%s on %s dies", name, e.n.name)
	e.n.w.busy()
	e.n.w.fact(audit.Fact{Kind: audit.Gone, Node: e.n.name, Resource: name})
	delete(e.active, name)
	for _, key := range sorted(e.monitors) {
		if m := e.monitors[key]; m.action.Resource == name {
			e.n.later(e.n.w.between(5*time.Millisecond, 2*time.Second), func() {
				if e.monitors[key] == m && e.active[name] == nil && e.runs[name] == nil {
					e.report(job{order: m.order, unasked: true}, 7, cib.OpDone)
				}
			})
		}
	}
}

// report journals a result and sends it.
func (e *executor) report(j job, rc, status int) { e.reportAfter(j, rc, status, 0) }

func (e *executor) reportAfter(j job, rc, status int, took time.Duration) {
	a := j.order.Action
	e.callID++
	r := transition.Result{
		Numbers: j.order.Numbers, Node: e.n.name, Incarnation: e.n.incarnation(), Resource: a.Resource, Operation: a.Operation,
		IntervalMS: a.IntervalMS, CallID: e.callID, RC: rc, Status: status, StartedMS: e.n.wall().UnixMilli(), Unasked: j.unasked, TookMS: took.Milliseconds(),
		MigrateSource: a.Meta["migrate_source"], MigrateTarget: a.Meta["migrate_target"], Agent: a.Agent, Digest: a.Digest, RestartDigest: a.RestartDigest, TargetRC: a.TargetRC,
	}
	if j.unasked {
		r.Numbers = transition.Numbers{}
	}
	e.unacked = append(e.unacked, r)
	if e.n.w.opt.Broken.CallsBeginAgain && e.callID%3 == 0 {
		e.callID -= 2
	}
	if e.session != nil {
		e.session.result(r)
	}
}

// repeats are the resources of the results that are to be sent again.
func (e *executor) repeats() []string {
	var out []string
	for _, r := range e.unacked {
		if r.IntervalMS == 0 {
			out = append(out, r.Resource)
		}
	}
	return out
}

func (e *executor) resend(s *session) {
	if e.session != s {
		return
	}
	for _, r := range e.unacked {
		s.result(r)
	}
}

func (e *executor) acked(call int64) {
	e.unacked = slices.DeleteFunc(e.unacked, func(r transition.Result) bool { return r.CallID == call })
}

// fence carries a fence order out on this node, and answers.
func (e *executor) fence(o fencing.Order, term uint64, answer func(fencing.Result)) {
	n, w := e.n, e.n.w
	inc := n.inc
	reply := func(ok bool, detail string) {
		n.when(inc, func() {
			answer(fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: n.name, OK: ok, Detail: detail})
		})
	}
	if term < e.highest && term != 0 && !w.opt.Broken.StaleOrders {
		reply(false, "an order of an earlier term")
		return
	}
	if w.opt.Broken.UnconfirmedTakes && term == 0 {
		reply(true, "")
		return
	}
	expires := w.now + o.Delay + o.Budget
	n.later(o.Delay, func() {
		if (w.now > expires || term != 0 && term < e.highest) && !w.opt.Broken.LateFences {
			reply(false, "expired")
			return
		}
		if term == 0 && o.Delay > 0 && n.takeover.Due() != o.Fence {
			reply(false, "the peer came back meanwhile")
			return
		}
		w.fact(audit.Fact{Kind: audit.FenceSent, Node: n.name, Target: o.Target, Term: term, Number: o.Fence, Voters: w.names(n.log.latest())})
		w.device.do(n, o, expires, reply)
	})
}
