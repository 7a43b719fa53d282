package resources

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Operation is one operation of a native agent.
type Operation func(ctx context.Context, req Request) Result

// Native is a Runner made of Go functions, one per operation: an agent in process. It answers meta-data and validate-all
// from the table in Meta, refuses parameters that Meta forbids, and bounds every operation by its context even where the
// function is stuck in the kernel (an unmount of a dead server): Run then returns a time-out that says what it was doing, and
// the next operation on the same resource waits for the stuck one instead of running beside it.
//
// A panic in an operation becomes a failure of that operation.
type Native struct {
	Meta       MetaData
	Operations map[string]Operation
	// Validate looks closer at parameters that fit the table, for validate-all and before start; may be nil.
	Validate func(ctx context.Context, req Request) Result

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
func (n *Native) MetaData(context.Context, Agent) ([]byte, error) { return n.Meta.XML(), nil }

// Describe returns the meta-data without the way through XML.
func (n *Native) Describe(context.Context, Agent) (*MetaData, error) { return &n.Meta, nil }

// Run runs one operation.
func (n *Native) Run(ctx context.Context, req Request) Result {
	if req.Operation == MetaDataOp {
		return Result{Output: string(n.Meta.XML())} // the one operation whose whole output is its answer
	}
	if req.Operation != Stop && req.Operation != Monitor {
		// A monitor or stop of a resource with a bad parameter must still be able to say "not running".
		if r := n.check(req); r.Code != OK {
			return r
		}
	}
	op, ok := n.Operations[req.Operation]
	if req.Operation == ValidateAll && !ok {
		op, ok = func(ctx context.Context, req Request) Result { return Result{} }, true
	}
	if !ok {
		return Errorf(Unimplemented, "%s has no operation %s", req.Agent, req.Operation)
	}
	if n.Validate != nil && (req.Operation == ValidateAll || req.Operation == Start) {
		inner := op
		op = func(ctx context.Context, req Request) Result {
			if r := n.Validate(ctx, req); r.Code != OK {
				return r
			}
			return inner(ctx, req)
		}
	}
	return n.bounded(ctx, req, op).Trim()
}

func (n *Native) check(req Request) Result {
	for _, p := range n.Meta.Check(req.Params) {
		if p.Fatal {
			return Errorf(NotConfigured, "%s", p)
		}
	}
	return Result{}
}

// bounded runs op, and gives up waiting for it when ctx ends.
func (n *Native) bounded(ctx context.Context, req Request, op Operation) Result {
	me := &running{operation: req.Operation, done: make(chan struct{})}
	for {
		n.mu.Lock()
		if n.busy == nil {
			n.busy = map[string]*running{}
		}
		before := n.busy[req.Resource]
		if before == nil {
			n.busy[req.Resource] = me
		}
		n.mu.Unlock()
		if before == nil {
			break
		}
		select {
		case <-before.done:
		case <-ctx.Done():
			r := Errorf(GenericError, "%s did not begin: an earlier %s is still %s", req.Operation, before.operation, before.what())
			r.TimedOut = errors.Is(ctx.Err(), context.DeadlineExceeded)
			return r
		}
	}
	result := make(chan Result, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				r := Errorf(GenericError, "agent %s panicked in %s: %v", req.Agent, req.Operation, p)
				r.Output = string(debug.Stack())
				result <- r
			}
			n.mu.Lock()
			delete(n.busy, req.Resource)
			n.mu.Unlock()
			close(me.done)
		}()
		result <- op(context.WithValue(ctx, doingKey{}, me), req)
	}()
	select {
	case r := <-result:
		return r.late(ctx)
	case <-ctx.Done():
	}
	// It may have ended in the same moment, or be about to: functions that obey ctx give the better reason.
	select {
	case r := <-result:
		return r.late(ctx)
	case <-time.After(nativeGrace):
	}
	if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return Errorf(GenericError, "%s was called off while %s", req.Operation, me.what())
	}
	r := Errorf(GenericError, "%s timed out after %v while %s", req.Operation, req.Timeout, me.what())
	r.TimedOut = true
	return r
}

// late marks a failure that the end of the budget caused.
func (r Result) late(ctx context.Context) Result {
	r.TimedOut = r.TimedOut || r.Code == GenericError && errors.Is(ctx.Err(), context.DeadlineExceeded)
	return r
}

func (r *running) what() string {
	if s := r.doing.Load(); s != nil {
		return *s
	}
	return "busy"
}

// Trim bounds a result's texts: the reason to one line of ReasonMax bytes, the output to its last OutputMax bytes, both
// valid UTF-8 without control characters.
func (r Result) Trim() Result {
	r.Reason = CleanText(r.Reason, ReasonMax, false)
	r.Output = CleanText(r.Output, OutputMax, true)
	return r
}

// CleanText makes any bytes fit for logs and status: valid UTF-8, no control characters but tab and, if lines is true, newline.
// Of a text longer than limit, the end is kept where lines is true, the beginning otherwise.
func CleanText(s string, limit int, lines bool) string {
	if len(s) > limit {
		if lines {
			s = s[len(s)-limit:]
		} else {
			s = s[:limit]
		}
	}
	s = strings.Map(func(c rune) rune {
		switch {
		case c == '\n' && !lines:
			return ' '
		case c == '\n' || c == '\t':
			return c
		case c < ' ' || c == 0x7f || c == 0xfffd:
			return '.'
		}
		return c
	}, s)
	return strings.TrimSpace(s)
}
