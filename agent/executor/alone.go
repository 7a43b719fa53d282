package executor

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/resources"
)

// leaseLoop gives the lease its ticks.
func (e *Executor) leaseLoop() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-e.ctx.Done():
			return
		case <-timer.C:
		case <-e.kick:
		}
		e.mu.Lock()
		e.stepLease(leaseTick{})
		now := e.now()
		wait := e.lease.wake(now).Sub(now)
		e.mu.Unlock()
		timer.Reset(max(wait, 0))
	}
}

// stepLease takes an event of the lease in and does what follows; e.mu is held.
func (e *Executor) stepLease(ev leaseEvent) {
	if e.closing {
		return
	}
	for _, f := range e.lease.step(e.now(), ev) {
		switch x := f.(type) {
		case closeSession:
			if e.session != nil {
				e.session.end(x.why)
				e.session = nil
			}
		case pauseSeen:
			e.log.Warn("nothing is done before the coordinator has opened a new session", "node", e.cfg.Node, "cause", x.why)
			e.j.note(Entry{Kind: KindPause, Reason: x.why})
			e.voidAll("refused: " + x.why)
		case cutOff:
			e.log.Error("this node is cut off and acts for itself", "node", e.cfg.Node, "cause", x.why)
			e.j.note(Entry{Kind: KindCutOff, Reason: x.why})
			e.cutOffWas = x.why
			e.voidAll("this node was cut off before it began: " + x.why)
			x.budget = e.hold(x)
			ctx, cancel := context.WithCancel(e.ctx)
			e.stopAlone = cancel
			e.wg.Go(func() { e.actAlone(ctx, x) })
		}
	}
	switch ev.(type) {
	case leaseHello, leasePolicy:
		select {
		case e.kick <- struct{}{}:
		default:
		}
	}
}

func (e *Executor) voidAll(why string) {
	for _, name := range e.names() {
		e.void(e.resources[name], why)
	}
}

// actAlone carries the policy of a cut-off node out, until all is stopped or ctx ends because a coordinator is back.
func (e *Executor) actAlone(ctx context.Context, c cutOff) {
	switch c.how {
	case PolicyFreeze, PolicyIgnore:
		return
	case PolicySuicide:
		if e.cfg.Suicide != nil && len(e.mine(PolicyStop)) > 0 {
			e.cfg.Suicide(c.why)
		}
		c.how = PolicyStop // whatever the hook does, nothing is left running
	}
	pause := stopRetryMin
	for ctx.Err() == nil {
		err := e.stopMine(ctx, c.how, c.budget, c.why)
		if err == nil {
			e.stoppedAll(c.why + "; all that it ran is stopped")
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		e.log.Error("a cut-off node could not stop everything", "node", e.cfg.Node, "cause", err)
		if e.cfg.StopFailed != nil {
			e.cfg.StopFailed(err.Error())
		}
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
		case <-t.C:
		}
		t.Stop()
		pause = min(2*pause, stopRetryMax)
	}
}

// mine lists what is to be stopped or demoted, last started first.
func (e *Executor) mine(how string) []Active {
	var out []Active
	e.j.view(func(s *State) {
		for _, a := range s.Active {
			switch {
			case a.Unmanaged, a.Action.Agent.Class == "stonith": // a fencing device is only a record: nothing runs
			case how == PolicyDemote && promotable(a) && a.Role != RolePromoted:
			default:
				out = append(out, a)
			}
		}
	})
	slices.SortStableFunc(out, func(a, b Active) int { return cmp.Compare(b.Order, a.Order) })
	return out
}

func promotable(a Active) bool {
	if a.Promotable || a.Role == RolePromoted {
		return true
	}
	for _, k := range []string{"promoted-max", "promoted_max", "master-max", "master_max"} {
		if a.Action.Meta[k] != "" {
			return true
		}
	}
	return isTrue(a.Action.Meta["promotable"])
}

// stopMine stops one resource after the other. One that takes more than its share of what is left of the budget is not
// waited for any longer: what was started before it must be stopped too.
func (e *Executor) stopMine(ctx context.Context, how string, budget time.Duration, why string) error {
	deadline := time.Now().Add(budget)
	list := e.mine(how)
	var jobs []*job
	for i, a := range list {
		left := time.Until(deadline)
		if ctx.Err() != nil || left <= 0 {
			break
		}
		share := left / time.Duration(len(list)-i)
		demote := promotable(a) && (how == PolicyDemote || a.Role == RolePromoted)
		if demote && how == PolicyStop { // agents refuse to stop what is promoted; one that can not be demoted is stopped nevertheless
			if j := e.aloneJob(a, resources.Demote, left, why); j != nil {
				wait(ctx, share/2, j)
			}
			demote, share, left = false, share/2, max(time.Until(deadline), time.Millisecond)
		}
		operation := resources.Stop
		if demote {
			operation = resources.Demote
		}
		j := e.aloneJob(a, operation, left, why)
		if j == nil {
			break
		}
		jobs = append(jobs, j)
		wait(ctx, share, j)
	}
	for _, j := range jobs {
		wait(ctx, time.Until(deadline)+runnerGrace, j)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("stop all: %w", context.Cause(ctx))
	}
	var bad []string
	for _, a := range e.mine(how) {
		bad = append(bad, a.Resource)
	}
	if len(bad) > 0 {
		return fmt.Errorf("stop all within %v: %s did not stop (%s)", budget, strings.Join(bad, ", "), why)
	}
	return nil
}

func wait(ctx context.Context, limit time.Duration, j *job) {
	t := time.NewTimer(max(limit, 0))
	defer t.Stop()
	select {
	case <-j.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// aloneJob queues the stop or the demotion of a resource ahead of everything.
func (e *Executor) aloneJob(a Active, operation string, left time.Duration, why string) *job {
	x := *a.Action
	x.Operation, x.IntervalMS, x.StartDelayMS, x.TargetRC = operation, 0, 0, int(resources.OK)
	x.TimeoutMS = max(left.Milliseconds(), 1)
	x.Notify, x.NotifyLists = "", nil
	x.Meta = maps.Clone(x.Meta)
	if x.Meta == nil {
		x.Meta = map[string]string{}
	}
	x.Meta["timeout"] = strconv.FormatInt(x.TimeoutMS, 10)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return nil
	}
	r := e.resource(a.Resource)
	j := r.alone(operation) // of an attempt before, and still at it
	if j == nil {
		j = &job{kind: jobAlone, action: &x, why: why}
		e.enqueue(r, j)
	}
	if p := r.running; p != nil && p != j && p.action.Operation != resources.Stop {
		p.preempted = true
		p.cancel()
	}
	e.pump(r)
	return j
}

// alone returns the operation that a cut-off node already has running or waiting; nil if there is none.
func (r *resource) alone(operation string) *job {
	wanted := func(j *job) bool { return j.kind == jobAlone && j.action.Operation == operation }
	if r.running != nil && wanted(r.running) {
		return r.running
	}
	if i := slices.IndexFunc(r.queue, wanted); i >= 0 {
		return r.queue[i]
	}
	return nil
}
