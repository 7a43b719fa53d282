// Package native is the frame of agents in process: a resources.Runner made of Go functions, one per operation.
//
// Guarantees: it answers meta-data and validate-all from one table, refuses parameters that the table forbids, and bounds every
// operation by its context even where the function is stuck in the kernel; two operations of one resource never run at once, not
// even then; a panic in an operation is a failure of that operation. Tested in virtual time.
package native

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"paceline/resources"
)

// grace is how long an operation may take to notice that its context has ended before Run gives up waiting: its own words
// about what failed are better than ours, and 50 ms are little against any budget.
const grace = 50 * time.Millisecond

// Operation is one operation of a native agent.
type Operation func(ctx context.Context, req resources.Request) resources.Result

// Agent is a Runner made of Go functions, one per operation: an agent in process. It answers meta-data and validate-all
// from the table in Meta, refuses parameters that Meta forbids, and bounds every operation by its context even where the
// function is stuck in the kernel (an unmount of a dead server): Run then returns a time-out that says what it was doing, and
// the next operation on the same resource waits for the stuck one instead of running beside it.
//
// A panic in an operation becomes a failure of that operation.
type Agent struct {
	Meta       resources.MetaData
	Operations map[string]Operation
	// Validate looks closer at parameters that fit the table, for validate-all and before start; may be nil.
	Validate func(ctx context.Context, req resources.Request) resources.Result

	mu   sync.Mutex
	busy map[string]*running // by resource
}

type running struct {
	operation string
	done      chan struct{}
	doing     atomic.Pointer[string]
}

type doingKey struct{}

// Doing notes what a native operation is about to do, for the reason of a time-out: "unmounting /srv".
func Doing(ctx context.Context, format string, args ...any) {
	if r, ok := ctx.Value(doingKey{}).(*running); ok {
		s := fmt.Sprintf(format, args...)
		r.doing.Store(&s)
	}
}

// MetaData returns the agent's meta-data as XML.
func (a *Agent) MetaData(context.Context, resources.Agent) ([]byte, error) { return a.Meta.XML(), nil }

// Describe returns the meta-data without the way through XML.
func (a *Agent) Describe(context.Context, resources.Agent) (*resources.MetaData, error) {
	return &a.Meta, nil
}

// Run runs one operation.
func (a *Agent) Run(ctx context.Context, req resources.Request) resources.Result {
	if req.Operation == resources.MetaDataOp {
		return resources.Result{Output: string(a.Meta.XML())} // the one operation whose whole output is its answer
	}
	if req.Operation != resources.Stop && req.Operation != resources.Monitor {
		// A monitor or stop of a resource with a bad parameter must still be able to say "not running".
		if r := a.check(req); r.Code != resources.OK {
			return r
		}
	}
	op, ok := a.Operations[req.Operation]
	if req.Operation == resources.ValidateAll && !ok {
		op, ok = func(ctx context.Context, req resources.Request) resources.Result { return resources.Result{} }, true
	}
	if !ok {
		return resources.Errorf(resources.Unimplemented, "%s has no operation %s", req.Agent, req.Operation)
	}
	if a.Validate != nil && (req.Operation == resources.ValidateAll || req.Operation == resources.Start) {
		inner := op
		op = func(ctx context.Context, req resources.Request) resources.Result {
			if r := a.Validate(ctx, req); r.Code != resources.OK {
				return r
			}
			return inner(ctx, req)
		}
	}
	return req.HideIn(a.bounded(ctx, req, op)).Trim()
}

func (a *Agent) check(req resources.Request) resources.Result {
	for _, p := range a.Meta.Check(req.Params) {
		if p.Fatal {
			return req.HideIn(resources.Errorf(resources.NotConfigured, "%s", p))
		}
	}
	return resources.Result{}
}

// bounded runs op, and gives up waiting for it when ctx ends.
func (a *Agent) bounded(ctx context.Context, req resources.Request, op Operation) resources.Result {
	me := &running{operation: req.Operation, done: make(chan struct{})}
	for {
		a.mu.Lock()
		if a.busy == nil {
			a.busy = map[string]*running{}
		}
		before := a.busy[req.Resource]
		if before == nil {
			a.busy[req.Resource] = me
		}
		a.mu.Unlock()
		if before == nil {
			break
		}
		select {
		case <-before.done:
		case <-ctx.Done():
			r := resources.Errorf(resources.GenericError, "%s did not begin: an earlier %s is still %s", req.Operation, before.operation, before.what())
			r.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
			return r
		}
	}
	result := make(chan resources.Result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				r := resources.Errorf(resources.GenericError, "agent %s panicked in %s: %v", req.Agent, req.Operation, p)
				r.Output = string(debug.Stack())
				result <- r
			}
			a.mu.Lock()
			delete(a.busy, req.Resource)
			a.mu.Unlock()
			close(me.done)
		}()
		result <- op(context.WithValue(ctx, doingKey{}, me), req)
	}()
	select {
	case r := <-result:
		return late(ctx, r)
	case <-ctx.Done():
	}
	// It may have ended in the same moment, or be about to: functions that obey ctx give the better reason.
	select {
	case r := <-result:
		return late(ctx, r)
	case <-time.After(grace):
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return resources.Errorf(resources.GenericError, "%s was called off while %s", req.Operation, me.what())
	}
	r := resources.Errorf(resources.GenericError, "%s timed out after %v while %s", req.Operation, req.Timeout, me.what())
	r.TimedOut = true
	return r
}

// late marks a failure that the end of the budget caused.
func late(ctx context.Context, r resources.Result) resources.Result {
	r.TimedOut = r.TimedOut || r.Code == resources.GenericError && errors.Is(ctx.Err(), context.DeadlineExceeded)
	return r
}

func (r *running) what() string {
	if s := r.doing.Load(); s != nil {
		return *s
	}
	return "busy"
}
