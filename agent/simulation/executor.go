package simulation

import (
	"slices"
	"time"

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
	action *transition.Action
	order  int
}

type operation struct{ what string }

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

func (e *executor) running() []string { return sorted(e.runs) }

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
	e.n.later(nodeLease, func() {
		if e.leased == at && !e.cut && !e.n.w.opt.Broken.NoLease {
			e.cutOff()
		}
	})
}

func (e *executor) cutOff() {
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
		if a.Agent.Class == "stonith" {
			continue
		}
		a.Operation, a.IntervalMS, a.TargetRC = resources.Stop, 0, 0
		e.enqueue(name, job{order: transition.Order{Action: &a}, unasked: true})
	}
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
	if o.Numbers.Term < e.highest {
		e.n.w.violate("S9 orders of the newest term only", "%s takes an order of term %d and has seen term %d", e.n.name, o.Numbers.Term, e.highest)
	}
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
	if e.runs[name] != nil || len(e.queue[name]) == 0 {
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
	op := &operation{what: a.Operation}
	e.runs[name], e.begun[name] = op, a
	boot, inc := n.boot, n.inc
	took := w.between(time.Millisecond, 60*time.Millisecond)
	if !w.over && w.chance(0.03) {
		took = w.between(500*time.Millisecond, 4*time.Second)
	}
	fails := !w.over && !w.opt.Calm && w.chance(0.01)
	if a.Operation == resources.Start {
		e.activate(name, a) // from its first moment on it may be active
	}
	lied := a.Operation == resources.Stop && w.opt.Broken.StopLies
	if lied {
		rest := took + w.between(time.Second, 5*time.Second)
		w.after(rest, func() {
			if n.power && n.boot == boot {
				w.truth.inactive(n, name)
				delete(e.active, name)
			}
		})
	}
	w.after(took, func() {
		if !n.power || n.boot != boot || e.runs[name] != op {
			return
		}
		rc := 0
		switch a.Operation {
		case resources.Start:
			if fails {
				rc = 1
				e.inactive(name)
			}
		case resources.Stop:
			switch {
			case lied:
			case fails && a.Agent.Class != "stonith":
				rc = 1
			default:
				e.inactive(name)
			}
		case resources.Monitor:
			if e.active[name] == nil {
				rc = 7
			}
		}
		delete(e.runs, name)
		if n.up && n.inc == inc {
			if a.Operation == resources.Monitor && a.IntervalMS > 0 {
				e.monitors[monitorKey(a)] = &monitor{action: a, order: j.order, rc: rc}
			}
			n.when(inc, func() {
				delete(e.begun, name)
				e.report(j, rc, cib.OpDone)
			})
		}
		if n.up { // of the daemon before: the present one asks how it ended, in its turn
			e.pump(name)
		}
	})
}

func (e *executor) activate(name string, a *transition.Action) {
	if a.Agent.Class != "stonith" {
		e.n.w.truth.activated(e.n, name)
	}
	e.starts++
	e.active[name] = &service{action: a, order: e.starts}
}

func (e *executor) inactive(name string) {
	if e.active[name] == nil {
		return
	}
	e.n.w.truth.inactive(e.n, name)
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
	e.n.w.truth.inactive(e.n, name)
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
func (e *executor) report(j job, rc, status int) {
	a := j.order.Action
	e.callID++
	r := transition.Result{
		Numbers: j.order.Numbers, Node: e.n.name, Incarnation: e.n.incarnation(), Resource: a.Resource, Operation: a.Operation,
		IntervalMS: a.IntervalMS, CallID: e.callID, RC: rc, Status: status, StartedMS: e.n.w.clock().UnixMilli(), Unasked: j.unasked,
		Agent: a.Agent, Digest: a.Digest, RestartDigest: a.RestartDigest, TargetRC: a.TargetRC,
	}
	if j.unasked {
		r.Numbers = transition.Numbers{}
	}
	e.unacked = append(e.unacked, r)
	if e.session != nil {
		e.session.result(r)
	}
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
	if o.Target == n.name {
		w.violate("S6 nobody fences itself by order", "%s is ordered to fence itself", n.name)
	}
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
		w.device.do(n, o, expires, reply)
	})
}
