package executor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
	"paceline/resources/secret"
)

type monitorKey struct {
	operation  string
	intervalMS int64
}

// monitor is a recurring monitor, or, with an interval of 0, one that only events cause. Its runs never overlap: each is a job of
// its resource.
type monitor struct {
	key      monitorKey
	action   *transition.Action
	numbers  transition.Numbers
	event    string // why it is due, if that is an event
	reported bool   // rc and status are what the coordinator was last told
	rc       int
	status   int
	due      bool // wants to run
	first    bool // New waits for its first run
	again    bool // an event came while it ran
	gone     bool
	began    time.Time // of the last run
	timer    *time.Timer
}

func (r *resource) keys() []monitorKey {
	out := make([]monitorKey, 0, len(r.monitors))
	for k := range r.monitors {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b monitorKey) int {
		return cmp.Or(cmp.Compare(a.operation, b.operation), cmp.Compare(a.intervalMS, b.intervalMS))
	})
	return out
}

// due returns the monitor whose turn it is: of several, the one that waits longest.
func (r *resource) due() *monitor {
	var best *monitor
	for _, k := range r.keys() {
		if m := r.monitors[k]; m.due && (best == nil || m.began.Before(best.began)) {
			best = m
		}
	}
	return best
}

// watched says whether a recurring monitor looks after the resource being active.
func (r *resource) watched() bool {
	for _, m := range r.monitors {
		if m.watches() && m.action.IntervalMS > 0 {
			return true
		}
	}
	return false
}

func (m *monitor) watches() bool { return m.action.TargetRC != int(resources.NotRunning) }

// monitor adds a recurring monitor, in place of the one of the same key; e.mu is held.
func (e *Executor) monitor(r *resource, a *transition.Action, n transition.Numbers) *monitor {
	key := monitorKey{a.Operation, a.IntervalMS}
	e.dropMonitor(r, key)
	m := &monitor{key: key, action: a, numbers: n}
	r.monitors[key] = m
	wait := time.Duration(a.IntervalMS) * time.Millisecond
	if wait == 0 {
		wait = never
	}
	m.timer = time.AfterFunc(wait, func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		if m.gone {
			return
		}
		if wait := m.gap(); wait > 0 {
			m.timer.Reset(wait) // it ran just now, for an event
			return
		}
		m.due = true
		e.pump(r)
	})
	return m
}

// activeAs says whether an operation that ended so leaves its resource active, and as what.
func activeAs(a *transition.Action, res transition.Result) (Role, bool) {
	if res.Status != cib.OpDone || !running(resources.ExitCode(res.RC)) {
		return "", false
	}
	switch a.Operation {
	case resources.Start, resources.MigrateFrom, resources.Demote:
		return RoleStarted, true
	case resources.Promote:
		return RolePromoted, true
	case resources.Monitor:
		if code := resources.ExitCode(res.RC); code == resources.RunningPromoted || code == resources.DegradedPromoted {
			return RolePromoted, a.IntervalMS == 0
		}
		return RoleStarted, a.IntervalMS == 0
	}
	return "", false
}

// onEvents makes the monitor of a resource that is active and may have no recurring one: it runs when an event says that something
// has changed; e.mu is held. a is what made the resource what it is. Where the agent sees no events there is none.
func (e *Executor) onEvents(r *resource, a *transition.Action, n transition.Numbers, role Role) {
	runner, err := e.cfg.Registry.Find(agentOf(a))
	if err != nil || e.closing {
		return
	}
	if _, ok := runner.(resources.Watcher); !ok {
		return
	}
	m := e.monitor(r, probeOf(Active{Action: a, Role: role}), n)
	m.reported, m.rc, m.status = true, m.action.TargetRC, cib.OpDone
	e.tendWatch(r)
}

// gap is how long the monitor must not run yet because it just has; not positive if it may.
func (m *monitor) gap() time.Duration {
	if m.began.IsZero() {
		return 0
	}
	gap := eventGapMin
	if m.action.IntervalMS > 0 {
		gap = min(gap, time.Duration(m.action.IntervalMS)*time.Millisecond)
	}
	return gap - time.Since(m.began)
}

// dropMonitor ends a recurring monitor, and its run in flight; e.mu is held.
func (e *Executor) dropMonitor(r *resource, key monitorKey) {
	m := r.monitors[key]
	if m == nil {
		return
	}
	m.gone = true
	m.timer.Stop()
	delete(r.monitors, key)
	if m.first {
		m.first = false
		e.wasProbed()
	}
	if p := r.running; p != nil && p.monitor == m {
		p.preempted = true
		p.cancel()
	}
}

// recur makes a recurring monitor of an order whose first run has ended. The second run comes after half to one interval,
// so that many monitors ordered at once do not stay in step; from then on the interval counts from begin to begin.
func (e *Executor) recur(r *resource, j *job, res transition.Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return
	}
	m := e.monitor(r, j.action, j.numbers)
	m.reported, m.rc, m.status = true, res.RC, res.Status
	m.began = time.Now()
	interval := time.Duration(j.action.IntervalMS) * time.Millisecond
	m.timer.Reset(e.phase(interval))
	e.tendWatch(r)
}

// phase draws half to one interval; e.mu is held.
func (e *Executor) phase(interval time.Duration) time.Duration {
	return interval/2 + time.Duration(e.cfg.Rand.Int64N(int64(interval/2)+1))
}

// runRecurring runs a recurring monitor once and reports what changed.
func (e *Executor) runRecurring(r *resource, j *job) {
	m := j.monitor
	e.mu.Lock()
	began := m.began
	skip := m.gone || e.lease.paused // rule 10: nothing before the session is opened anew
	e.mu.Unlock()
	var out resources.Result
	var back <-chan struct{}
	if !skip {
		if runner, err := e.cfg.Registry.Find(agentOf(m.action)); err != nil {
			out = resources.Errorf(resources.NotInstalled, "%v", err)
		} else {
			req := e.request(j)
			ctx, cancel := context.WithTimeout(j.ctx, req.Timeout)
			out, back = e.call(ctx, runner, req)
			cancel()
		}
	}
	res := e.outcome(j, out, began)
	res.Event = j.why
	if res.ExitReason == "" && (res.Status != cib.OpDone || res.RC != res.TargetRC) {
		res.ExitReason = res.Event // the monitor only knows that it is gone, the event how
	}
	e.mu.Lock()
	told := !skip && !j.preempted && !m.gone && j.ctx.Err() == nil
	report := told && (!m.reported || m.rc != res.RC || m.status != res.Status)
	if told {
		m.reported, m.rc, m.status = true, res.RC, res.Status
		r.last = &res
	}
	e.mu.Unlock()
	if report {
		res.CallID = e.j.nextCall()
		e.settle(j, res, began)
		if res.Status != cib.OpDone || res.RC != res.TargetRC {
			e.log.Info("a monitor sees a failure", "node", e.cfg.Node, "res", res.Resource, "rc", res.RC, "cause", res.ExitReason, "event", res.Event)
		}
	}
	e.mu.Lock()
	if j.preempted && m.event == "" {
		m.event = j.why
	}
	e.rearm(m, j.preempted)
	if skip && j.why != "" && !m.gone {
		m.event = j.why
		m.timer.Reset(watchRetryMin)
	}
	if m.first && (told || j.preempted) {
		m.first = false
		e.wasProbed()
	}
	e.mu.Unlock()
	if back != nil {
		<-back // nothing else may run on the resource before the agent is gone
	}
}

// rearm sets when a monitor runs next; e.mu is held.
func (e *Executor) rearm(m *monitor, now bool) {
	if m.gone {
		return
	}
	interval := time.Duration(m.action.IntervalMS) * time.Millisecond
	wait := interval - time.Since(m.began)
	switch {
	case now:
		m.due = true
		return
	case m.again:
		wait = m.gap()
	case interval == 0:
		wait = never
	case m.first: // of many that New runs at once
		wait = e.phase(interval) - time.Since(m.began)
	}
	m.timer.Reset(max(wait, 0))
}

// event is called when a resource may have changed: its monitors look at once.
func (e *Executor) event(r *resource, why string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	recurring := r.watched()
	for _, k := range r.keys() {
		m := r.monitors[k]
		if recurring && k.intervalMS == 0 {
			continue
		}
		m.event = resources.CleanText(why, resources.ReasonMax, false)
		if p := r.running; p != nil && p.monitor == m {
			m.again = true
			continue
		}
		if wait := m.gap(); wait > 0 {
			m.timer.Reset(wait)
			continue
		}
		m.due = true
	}
	e.log.Debug("an event", "node", e.cfg.Node, "res", r.name, "cause", why)
	e.pump(r)
}

// tendWatch starts or ends the Watcher of a resource: there is one, for the parameters that it has now, while a monitor wants it
// active. e.mu is held.
func (e *Executor) tendWatch(r *resource) {
	var m *monitor // a recurring one rather than that of events: it has the newest parameters
	for _, k := range r.keys() {
		if r.monitors[k].watches() {
			m = r.monitors[k]
		}
	}
	if r.watch != nil && (m == nil || e.closing || !maps.Equal(r.watchOf, m.action.Params)) {
		r.watch()
		r.watch = nil
	}
	if m == nil || e.closing || r.watch != nil {
		return
	}
	runner, err := e.cfg.Registry.Find(agentOf(m.action))
	if err != nil {
		return
	}
	w, ok := runner.(resources.Watcher)
	if !ok {
		return
	}
	req := e.request(&job{action: m.action})
	ctx, cancel := context.WithCancel(e.ctx)
	r.watch, r.watchOf = cancel, m.action.Params
	e.wg.Go(func() { e.watch(ctx, r, w, req) })
}

func (e *Executor) watch(ctx context.Context, r *resource, w resources.Watcher, req resources.Request) {
	changed := func(why string) {
		if ctx.Err() == nil {
			e.event(r, why)
		}
	}
	pause := watchRetryMin
	for {
		began := time.Now()
		full, err := secret.Resolve(req)
		if err == nil {
			err = w.Watch(ctx, full, func(why string) { changed(full.Hide(why)) })
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > watchRetryMax {
			pause = watchRetryMin
		}
		e.log.Debug("events of a resource are not seen for a while; its monitor goes on", "res", r.name, "cause", full.Hide(fmt.Sprint(err)))
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		pause = min(2*pause, watchRetryMax)
		changed("events may have been missed")
	}
}
