package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
	"paceline/resources/secret"
)

// Operations that are the executor's own: no agent runs for them.
const (
	opCancel = "cancel" // ends the recurring monitor of the action's interval
	opDelete = "delete" // forgets the resource
)

// run carries one job out, whatever its kind but recurring. Its result is kept when run returns.
func (e *Executor) run(r *resource, j *job) {
	op := j.action.Operation
	if d := time.Duration(j.action.StartDelayMS) * time.Millisecond; d > 0 && j.kind == jobOrdered {
		t := time.NewTimer(d)
		select {
		case <-t.C:
		case <-j.ctx.Done():
			t.Stop()
		}
	}
	j.call = e.j.nextCall()
	if why := e.forbidden(j); why != "" {
		e.settle(j, e.cancelled(j, "refused: "+why), time.Time{})
		return
	}
	if op == opCancel || op == opDelete {
		e.forget(r, j)
		return
	}
	if op == resources.Stop {
		e.mu.Lock()
		for key := range r.monitors {
			e.dropMonitor(r, key)
		}
		e.tendWatch(r)
		e.mu.Unlock()
	}
	if op == resources.MigrateTo { // what leaves is no failure
		e.mu.Lock()
		e.dropMonitor(r, monitorKey{operation: resources.Monitor})
		e.tendWatch(r)
		e.mu.Unlock()
	}
	runner, err := e.cfg.Registry.Find(agentOf(j.action))
	if err != nil {
		res := e.blank(j)
		res.RC, res.Status, res.ExitReason = int(resources.NotInstalled), cib.OpNotInstalled, err.Error()
		e.settle(j, res, time.Time{})
		return
	}
	note, ok := e.begin(j)
	if !ok {
		return
	}
	e.operate(r, j, runner, note)
}

// forbidden says why a job must not begin now; empty if it may.
func (e *Executor) forbidden(j *job) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if j.ctx.Err() != nil {
		if e.closing {
			return "the daemon ends"
		}
		return "this node stops everything by itself"
	}
	if j.kind != jobOrdered {
		return ""
	}
	if j.numbers.Term < e.term {
		return fmt.Sprintf("the order is of term %d, and term %d has begun", j.numbers.Term, e.term)
	}
	if ok, why := e.lease.mayAct(e.now()); !ok {
		return why
	}
	return ""
}

// begin writes that an operation begins. Without that only a stop may go on; note then says so.
func (e *Executor) begin(j *job) (note string, ok bool) {
	op := j.action.Operation
	entry := Entry{Kind: KindBegin, Resource: j.action.Resource, Operation: op, IntervalMS: j.action.IntervalMS,
		CallID: j.call, Numbers: &j.numbers, Action: j.action, SelfStop: j.kind == jobAlone, Reason: j.why}
	wait := journalWait
	if op == resources.Stop || j.kind == jobAlone {
		wait = journalWaitStop
	}
	err := e.j.append(entry, changes(op), wait)
	if err == nil {
		if why := e.forbidden(j); why != "" { // the disk took its time
			e.settle(j, e.cancelled(j, "refused: "+why), time.Time{})
			return "", false
		}
		return "", true
	}
	e.log.Error("the truth journal can not be written", "node", e.cfg.Node, "res", j.action.Resource, "op", op, "cause", err)
	if op == resources.Stop || j.kind == jobAlone {
		e.j.force(entry)
		return fmt.Sprintf("ran without its line in the truth journal: %v", err), true
	}
	res := e.blank(j)
	res.RC, res.Status = int(resources.GenericError), cib.OpError
	res.ExitReason = fmt.Sprintf("not run: the truth journal of %s can not be written (%v); is its disk full?", e.cfg.Node, err)
	e.settle(j, res, time.Time{})
	return "", false
}

// operate runs the agent and keeps the result.
func (e *Executor) operate(r *resource, j *job, runner resources.Runner, note string) {
	began := time.Now()
	req := e.request(j)
	told := e.reloading(runner, j)
	if req.Operation == resources.ReloadAgent {
		req.Operation = told(metaDataMax).operation
	}
	ctx, cancel := context.WithTimeout(j.ctx, req.Timeout)
	defer cancel()
	out, back := e.call(ctx, runner, req)
	if e.interrupted(j) {
		e.j.note(Entry{Kind: KindEnd, Resource: j.action.Resource, Operation: j.action.Operation, IntervalMS: j.action.IntervalMS,
			CallID: j.call, BeganMS: e.mono(began), Reason: "the daemon ended it; how far it came is not known"})
		return
	}
	res := e.outcome(j, out, began)
	if res.Status == cib.OpDone && running(out.Code) {
		noteReloading(&res, j.action, told(metaDataWait))
	}
	if note != "" {
		res.ExitReason = joinReason(res.ExitReason, note)
	}
	e.settle(j, res, began)
	if role, ok := activeAs(j.action, res); ok {
		e.mu.Lock()
		e.onEvents(r, j.action, j.numbers, role)
		e.mu.Unlock()
	}
	if j.kind == jobOrdered && j.action.IntervalMS > 0 && res.Status != cib.OpCancelled {
		e.recur(r, j, res)
	}
	if back != nil {
		// Nobody waits for the agent any more, but nothing else may run on the resource before it is gone.
		<-back
		e.j.note(Entry{Kind: KindReturned, Resource: j.action.Resource, Operation: j.action.Operation,
			IntervalMS: j.action.IntervalMS, CallID: j.call})
	}
}

// interrupted says whether the end of the daemon ended the job.
func (e *Executor) interrupted(j *job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.closing && j.ctx.Err() != nil
}

func agentOf(a *transition.Action) resources.Agent {
	return resources.Agent{Class: a.Agent.Class, Provider: a.Agent.Provider, Type: a.Agent.Type}
}

func (e *Executor) request(j *job) resources.Request {
	a := j.action
	timeout := time.Duration(a.TimeoutMS) * time.Millisecond
	if timeout <= 0 {
		timeout = transition.TimeoutDefault
	}
	node := a.Node
	if node == "" {
		node = e.cfg.Node
	}
	params := maps.Clone(a.Params)
	if len(a.Args) > 0 {
		params = maps.Clone(a.Args)
		maps.Copy(params, a.Params)
	}
	return resources.Request{
		Agent: agentOf(a), Resource: a.Resource, Operation: a.Operation,
		Interval: time.Duration(a.IntervalMS) * time.Millisecond, Timeout: timeout,
		Params: params, Meta: maps.Clone(a.Meta), Node: node,
	}
}

// call runs the agent. If it does not return when its context has ended, call gives up on it after runnerGrace: back is then
// closed when it returns at last.
func (e *Executor) call(ctx context.Context, runner resources.Runner, req resources.Request) (out resources.Result, back <-chan struct{}) {
	req, refused := e.reveal(req)
	if refused != nil {
		return *refused, nil
	}
	return e.callAgent(ctx, runner, req)
}

// reveal puts secrets in the place of references to them. Where that fails the operation is refused, but for those that must go on
// without: a stop that fails costs the node, and a probe must find out whether something runs.
func (e *Executor) reveal(req resources.Request) (resources.Request, *resources.Result) {
	full, err := secret.Resolve(req)
	if err == nil {
		return full, nil
	}
	if req.Operation == resources.Stop || req.Operation == resources.Monitor && req.Interval == 0 {
		e.log.Warn("an agent runs without a secret", "node", e.cfg.Node, "res", req.Resource, "op", req.Operation, "cause", err)
		return req, nil
	}
	code := resources.NotInstalled // another node may have it
	if req.Operation == resources.Monitor {
		code = resources.GenericError
	}
	out := resources.Errorf(code, "%v", err).Trim()
	return req, &out
}

// callAgent is call with secrets in their place.
func (e *Executor) callAgent(ctx context.Context, runner resources.Runner, req resources.Request) (out resources.Result, back <-chan struct{}) {
	answer := make(chan resources.Result, 1)
	gone := make(chan struct{})
	e.wg.Go(func() {
		defer close(gone)
		defer func() {
			if p := recover(); p != nil {
				answer <- resources.Errorf(resources.GenericError, "agent %s panicked in %s: %v", req.Agent, req.Operation, p)
			}
		}()
		answer <- runner.Run(ctx, req)
	})
	select {
	case out = <-answer:
		<-gone
		return req.HideIn(out).Trim(), nil
	case <-ctx.Done():
	}
	t := time.NewTimer(runnerGrace)
	defer t.Stop()
	select {
	case out = <-answer:
		<-gone
		out.TimedOut = out.TimedOut || errors.Is(ctx.Err(), context.DeadlineExceeded) && out.Code == resources.GenericError
		return req.HideIn(out).Trim(), nil
	case <-t.C:
	}
	out = resources.Errorf(resources.GenericError, "%s did not end within %v, nor %v after it was told to", req.Operation, req.Timeout, runnerGrace)
	out.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
	return out, gone
}

func (e *Executor) outcome(j *job, out resources.Result, began time.Time) transition.Result {
	res := e.blank(j)
	res.RC, res.Status, res.ExitReason, res.Output = int(out.Code), cib.OpDone, out.Reason, out.Output
	res.StartedMS, res.TookMS = began.UnixMilli(), time.Since(began).Milliseconds()
	switch {
	case out.TimedOut:
		res.RC, res.Status = int(resources.GenericError), cib.OpTimeout
		if res.ExitReason == "" {
			res.ExitReason = fmt.Sprintf("%s timed out", j.action.Operation)
		}
	case out.Code < 0 || out.Code > 255:
		res.RC, res.Status = int(resources.GenericError), cib.OpError
		res.ExitReason = joinReason(res.ExitReason, "the agent gave the exit code "+strconv.Itoa(int(out.Code)))
	}
	if j.preempted && j.kind == jobOrdered {
		// No failure of the agent's: the stop that follows says what came of it.
		res.Status = cib.OpCancelled
		res.ExitReason = joinReason("this node was cut off and ended it", res.ExitReason)
	}
	return res
}

func joinReason(a, b string) string {
	if a == "" {
		return resources.CleanText(b, resources.ReasonMax, false)
	}
	return resources.CleanText(a+"; "+b, resources.ReasonMax, false)
}

// settle writes the end of a job, keeps its result until it is acknowledged, and wakes the session. A zero began means that
// no agent ran.
func (e *Executor) settle(j *job, res transition.Result, began time.Time) {
	entry := Entry{Kind: KindEnd, Resource: res.Resource, Operation: res.Operation, IntervalMS: res.IntervalMS,
		CallID: res.CallID, Numbers: &res.Numbers, SelfStop: j.kind == jobAlone, Result: &res}
	if !began.IsZero() {
		entry.BeganMS = e.mono(began)
	}
	if j.kind == jobProbe {
		entry.Quiet = j.role != RoleUnsure && res.Status == cib.OpDone && res.RC == res.TargetRC
	}
	if err := e.j.append(entry, false, journalWait); err != nil {
		e.log.Error("the truth journal can not be written", "node", e.cfg.Node, "res", res.Resource, "op", res.Operation, "cause", err)
		res.ExitReason = joinReason(res.ExitReason, fmt.Sprintf("its end is not in the truth journal: %v", err))
		e.j.force(entry)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	j.result = res
	if !began.IsZero() {
		if r := e.resources[res.Resource]; r != nil {
			r.last = &res
		}
	}
	if j.kind == jobProbe {
		e.wasProbed()
	}
	e.wakeSession()
}

// forget carries out cancel and delete.
func (e *Executor) forget(r *resource, j *job) {
	e.mu.Lock()
	line := Entry{Kind: KindForget, Resource: j.action.Resource}
	if j.action.Operation == opCancel {
		line.Operation, line.IntervalMS = resources.Monitor, j.action.IntervalMS
		e.dropMonitor(r, monitorKey{resources.Monitor, j.action.IntervalMS})
	} else {
		for key := range r.monitors {
			e.dropMonitor(r, key)
		}
		r.last = nil
	}
	e.tendWatch(r)
	e.mu.Unlock()
	e.j.note(line)
	e.settle(j, e.blank(j), time.Time{}) // RC 0, done
}
