package executor

import (
	"context"
	"fmt"
	"slices"
	"time"

	"paceline/agent/transition"
	"paceline/resources"
)

// jobKind says who wants an operation.
type jobKind int

const (
	jobOrdered   jobKind = iota // the coordinator
	jobAlone                    // this node, being cut off
	jobProbe                    // this node, after a restart of the daemon
	jobRecurring                // a recurring monitor whose turn has come
)

// job is one operation, waiting or in flight.
type job struct {
	kind    jobKind
	action  *transition.Action
	numbers transition.Numbers
	monitor *monitor // of jobRecurring
	role    Role     // of jobProbe: what is expected
	why     string   // of jobAlone; of jobRecurring the event that caused it, or empty
	call    int64
	ctx     context.Context
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has ended and its result is kept
	result  transition.Result

	arrived   time.Time
	expiry    *time.Timer // while waiting
	preempted bool        // of jobRecurring: something more important wants the resource
}

// resource is one resource instance: at most one job of it runs at a time.
type resource struct {
	name     string
	queue    []*job
	running  *job
	starved  bool // waits for a slot
	monitors map[monitorKey]*monitor
	watch    context.CancelFunc // ends its Watcher; nil if there is none
	watchOf  map[string]string  // the parameters that it watches
	last     *transition.Result
}

// changes says whether an operation changes the resource: then its begin has to be on disk before its agent runs, and it
// does not wait for a recurring monitor.
func changes(operation string) bool {
	switch operation {
	case resources.Monitor, resources.Notify, resources.ValidateAll, resources.MetaDataOp:
		return false
	}
	return true
}

func (e *Executor) resource(name string) *resource {
	r := e.resources[name]
	if r == nil {
		r = &resource{name: name, monitors: map[monitorKey]*monitor{}}
		e.resources[name] = r
	}
	return r
}

// enqueue adds a job; e.mu is held. What the node wants being cut off goes before all else.
func (e *Executor) enqueue(r *resource, j *job) {
	j.arrived = time.Now()
	j.done = make(chan struct{})
	j.ctx, j.cancel = context.WithCancel(e.ctx)
	if j.kind == jobAlone {
		first := 0
		for first < len(r.queue) && r.queue[first].kind == jobAlone {
			first++
		}
		r.queue = slices.Insert(r.queue, first, j)
		return
	}
	r.queue = append(r.queue, j)
	if j.kind != jobOrdered {
		return
	}
	if p := r.running; p != nil && p.kind == jobRecurring && changes(j.action.Operation) {
		p.preempted = true
		p.cancel()
	}
	j.expiry = time.AfterFunc(j.action.Budget(), func() { e.expire(r, j) })
}

// expire answers an order that waited for its whole budget.
func (e *Executor) expire(r *resource, j *job) {
	e.mu.Lock()
	defer e.mu.Unlock()
	i := slices.Index(r.queue, j)
	if i < 0 || e.closing {
		return
	}
	r.queue = slices.Delete(r.queue, i, i+1)
	why := "its turn never came: too many operations run on this node"
	if p := r.running; p != nil {
		why = "its turn never came: an earlier " + p.action.Operation + " still runs"
	}
	e.answer(j, e.cancelled(j, why))
}

// void answers all orders of a resource that have not begun; e.mu is held.
func (e *Executor) void(r *resource, why string) {
	var keep []*job
	for _, j := range r.queue {
		if j.kind == jobOrdered {
			e.answer(j, e.cancelled(j, why))
			continue
		}
		keep = append(keep, j)
	}
	r.queue = keep
}

// answer keeps a result of an order that did not run, without waiting for the disk; e.mu is held.
func (e *Executor) answer(j *job, res transition.Result) {
	if j.expiry != nil {
		j.expiry.Stop()
	}
	j.result = res
	e.wg.Go(func() {
		if j.result.CallID == 0 {
			j.result.CallID = e.j.nextCall()
		}
		e.settle(j, j.result, time.Time{})
		j.cancel()
		close(j.done)
	})
}

// pump starts the next job of a resource if it may; e.mu is held.
func (e *Executor) pump(r *resource) {
	if r.running != nil || e.closing {
		return
	}
	var j *job
	if len(r.queue) > 0 {
		j = r.queue[0]
		if e.quiescing && j.kind == jobOrdered {
			return
		}
	} else if m := r.due(); m != nil {
		j = &job{kind: jobRecurring, action: m.action, numbers: m.numbers, monitor: m, done: make(chan struct{})}
		j.ctx, j.cancel = context.WithCancel(e.ctx)
	} else {
		e.tidy(r)
		return
	}
	slots, limit := e.slots(j)
	if slots != nil && *slots >= limit {
		if j.kind == jobRecurring {
			j.cancel()
		}
		if !r.starved {
			r.starved = true
			e.starved = append(e.starved, r)
		}
		return
	}
	if slots != nil {
		*slots++
	}
	if j.kind == jobRecurring {
		j.why = j.monitor.event
		j.monitor.due, j.monitor.again, j.monitor.event, j.monitor.began = false, false, "", time.Now()
	} else {
		r.queue = r.queue[1:]
	}
	if j.expiry != nil {
		j.expiry.Stop()
	}
	r.running = j
	e.wg.Go(func() {
		if j.kind == jobRecurring {
			e.runRecurring(r, j)
		} else {
			e.run(r, j)
		}
		e.finished(r, j, slots)
	})
}

// slots returns which count of running jobs a job belongs to, and its limit; nil if it is not limited.
func (e *Executor) slots(j *job) (*int, int) {
	switch {
	case j.kind == jobRecurring, j.kind == jobProbe:
		return &e.monitoring, monitorsParallel
	case j.action.Operation == resources.Stop, j.kind == jobAlone:
		return nil, 0
	}
	return &e.busy, e.cfg.Parallel
}

func (e *Executor) finished(r *resource, j *job, slots *int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	j.cancel()
	r.running = nil
	if slots != nil {
		*slots--
	}
	select {
	case <-j.done:
	default:
		close(j.done)
	}
	e.pump(r)
	if slots == nil {
		return
	}
	waiting := e.starved
	e.starved = nil
	for _, w := range waiting {
		w.starved = false
		e.pump(w)
	}
}

// tidy forgets a resource of which nothing is left but the name.
func (e *Executor) tidy(r *resource) {
	if r.running == nil && len(r.queue) == 0 && len(r.monitors) == 0 && r.watch == nil && !r.starved && r.last == nil {
		delete(e.resources, r.name)
	}
}

// order takes an order in; e.mu is held.
func (e *Executor) order(o *transition.Order) {
	j := &job{kind: jobOrdered, action: o.Action, numbers: o.Numbers}
	if e.seen[o.Numbers] || e.seenBefore[o.Numbers] {
		e.log.Debug("an order came again; it is not carried out twice", "res", o.Action.Resource, "op", o.Action.Operation)
		return
	}
	if len(e.seen) >= seenMax {
		e.seenBefore, e.seen = e.seen, map[transition.Numbers]bool{}
	}
	e.seen[o.Numbers] = true
	refuse := func(format string, args ...any) {
		j.ctx, j.cancel = context.WithCancel(e.ctx)
		j.done = make(chan struct{})
		e.answer(j, e.cancelled(j, fmt.Sprintf(format, args...)))
	}
	if ok, why := e.lease.mayAct(e.now()); !ok {
		refuse("refused: %s", why)
		return
	}
	if o.Numbers.Term != e.term {
		refuse("refused: the order is of term %d, the session of term %d", o.Numbers.Term, e.term)
		return
	}
	if o.Action.Resource == "" || o.Action.Operation == "" {
		refuse("refused: an order needs a resource and an operation")
		return
	}
	r := e.resource(o.Action.Resource)
	if len(r.queue) >= QueueMax {
		refuse("refused: %d orders wait for this resource already", len(r.queue))
		return
	}
	e.enqueue(r, j)
	e.pump(r)
}

// takeBack voids an order that has not begun; e.mu is held.
func (e *Executor) takeBack(n transition.Numbers) {
	for _, name := range e.names() {
		r := e.resources[name]
		for i, j := range r.queue {
			if j.kind == jobOrdered && j.numbers == n {
				r.queue = slices.Delete(r.queue, i, i+1)
				e.answer(j, e.cancelled(j, "taken back before it began"))
				return
			}
		}
	}
}
