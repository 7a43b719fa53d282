package plugin

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paceline/resources"
	"paceline/resources/native"
)

// Agent is what every agent does. For each operation a new value is made and its fields are filled from the parameters; nothing
// is kept between operations, since each may be a process of its own.
//
// Start returns when the service can be used, and Stop when nothing of it is left; both are only called where Monitor says that
// there is something to do. Monitor changes nothing. All obey ctx, which ends shortly before the operation's time-out.
type Agent interface {
	Start(ctx context.Context) error
	Stop(ctx context.Context) error
	Monitor(ctx context.Context) (State, error)
}

// Optional abilities. The kit offers an operation in meta-data if the agent's type has the method for it.
type (
	// Promoter is an agent of a promotable clone. Monitor then tells Promoted from Running.
	Promoter interface {
		Promote(ctx context.Context) error
		Demote(ctx context.Context) error
	}
	// Reloader takes over changed parameters that are marked reloadable, without a restart.
	Reloader interface {
		Reload(ctx context.Context) error
	}
	// Validator looks closer at parameters whose types fit; it is asked by validate-all and before a start.
	Validator interface {
		Validate(ctx context.Context) error
	}
	// Notified hears of what happens to the other instances of its clone: Request(ctx).Meta has the notify-* values.
	Notified interface {
		Notify(ctx context.Context) error
	}
	// Migrator moves a running service without a stop: MigrateTo on the node that has it, MigrateFrom on the one that gets it.
	Migrator interface {
		MigrateTo(ctx context.Context) error
		MigrateFrom(ctx context.Context) error
	}
)

// Info is what an agent says of itself beside its parameters.
type Info struct {
	Name     string // as in ocf:provider:NAME
	Version  string
	Short    string                   // one line
	Long     string                   // for the manual; empty: Short
	Timeouts map[string]time.Duration // advice by operation ("start": time.Minute); DefaultTimeout for those not named
	Interval time.Duration            // advice for the monitor; 0 is DefaultInterval
}

// State is what Monitor found.
type State int

// The states. A failure is an error instead: of a promoted instance, together with Promoted.
const (
	Stopped State = iota // nothing of it is there
	Running
	Promoted
	Degraded // works, and needs attention
	DegradedPromoted
)

func (s State) code() resources.ExitCode {
	switch s {
	case Running:
		return resources.OK
	case Promoted:
		return resources.RunningPromoted
	case Degraded:
		return resources.Degraded
	case DegradedPromoted:
		return resources.DegradedPromoted
	}
	return resources.NotRunning
}

func (s State) promoted() bool { return s == Promoted || s == DegradedPromoted }

// Code says whose fault an error is, in OCF's exit codes. The manager decides by it where the resource may still run.
type Code = resources.ExitCode

// The codes for Errorf.
const (
	Failed        = resources.GenericError     // this try; another may succeed
	NotHere       = resources.InvalidArgument  // the parameters cannot work on this node
	NoPermission  = resources.InsufficientPriv // not as this user
	NotInstalled  = resources.NotInstalled     // what it needs is not on this node
	NotConfigured = resources.NotConfigured    // the parameters cannot work on any node
)

// Error is an error with a code.
type Error struct {
	Code Code
	Err  error
}

// Error returns the reason.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf makes an error with a code. Any other error counts as Failed.
func Errorf(code Code, format string, args ...any) error {
	return &Error{code, fmt.Errorf(format, args...)}
}

// Doing notes what the operation is about to do, for the reason of a time-out: "waiting for the database".
func Doing(ctx context.Context, format string, args ...any) { native.Doing(ctx, format, args...) }

type requestKey struct{}

// Request is the operation that runs: the resource's name, the node's, the interval, meta attributes.
func Request(ctx context.Context) resources.Request {
	req, _ := ctx.Value(requestKey{}).(resources.Request)
	return req
}

// result makes an operation's result of an error.
func result(err error) resources.Result {
	if err == nil {
		return resources.Result{}
	}
	code := resources.GenericError
	if e, ok := errors.AsType[*Error](err); ok {
		code = e.Code
	}
	return resources.Result{Code: code, Reason: err.Error()}
}

// New makes a runner of an agent, for programs that have it in process. It panics if the fields of T are no parameters: that is a
// mistake in the agent, found by the first run.
func New[T any, P interface {
	*T
	Agent
}](info Info) *native.Agent {
	return NewWith[T, P](info, func(P) {})
}

// NewWith is New for agents that are told more than their parameters: prepare is called with each new value before it is filled.
func NewWith[T any, P interface {
	*T
	Agent
}](info Info, prepare func(P)) *native.Agent {
	fields := describe[T]()
	meta := info.metaData(fields, P(new(T)))
	k := &kit{meta: meta, fill: func(params map[string]string, strict bool) (Agent, error) {
		agent := P(new(T))
		prepare(agent)
		return agent, fields.fill(agent, meta, params, strict)
	}}
	return k.agent(P(new(T)))
}

// kit runs the operations of one agent.
type kit struct {
	meta *resources.MetaData
	fill func(params map[string]string, strict bool) (Agent, error)
}

func (k *kit) agent(sample Agent) *native.Agent {
	a := &native.Agent{Meta: *k.meta, Operations: map[string]native.Operation{
		resources.Start: k.op(true, k.start), resources.Stop: k.op(false, k.stop), resources.Monitor: k.op(false, monitor),
		resources.ValidateAll: k.op(true, func(context.Context, Agent) resources.Result { return resources.Result{} }),
	}}
	plain := func(name string, f func(Agent, context.Context) error) {
		a.Operations[name] = k.op(true, func(ctx context.Context, a Agent) resources.Result { return result(f(a, ctx)) })
	}
	if _, ok := sample.(Promoter); ok {
		plain(resources.Promote, func(a Agent, ctx context.Context) error { return a.(Promoter).Promote(ctx) })
		plain(resources.Demote, func(a Agent, ctx context.Context) error { return a.(Promoter).Demote(ctx) })
	}
	if _, ok := sample.(Reloader); ok {
		reload := func(a Agent, ctx context.Context) error { return a.(Reloader).Reload(ctx) }
		plain(resources.Reload, reload)
		plain(resources.ReloadAgent, reload)
	}
	if _, ok := sample.(Notified); ok {
		plain(resources.Notify, func(a Agent, ctx context.Context) error { return a.(Notified).Notify(ctx) })
	}
	if _, ok := sample.(Migrator); ok {
		plain(resources.MigrateTo, func(a Agent, ctx context.Context) error { return a.(Migrator).MigrateTo(ctx) })
		plain(resources.MigrateFrom, func(a Agent, ctx context.Context) error { return a.(Migrator).MigrateFrom(ctx) })
	}
	if _, ok := sample.(Validator); ok {
		a.Validate = k.op(true, func(ctx context.Context, a Agent) resources.Result { return result(a.(Validator).Validate(ctx)) })
	}
	return a
}

// op makes an operation of a function on a filled agent. One that is not strict goes on with the default of an optional parameter
// that is wrong: a stop must not fail for what it does not need.
func (k *kit) op(strict bool, f func(context.Context, Agent) resources.Result) native.Operation {
	return func(ctx context.Context, req resources.Request) resources.Result {
		agent, err := k.fill(req.Params, strict)
		if err != nil {
			return resources.Errorf(resources.NotConfigured, "%v", err)
		}
		return f(context.WithValue(ctx, requestKey{}, req), agent)
	}
}

func monitor(ctx context.Context, a Agent) resources.Result {
	state, err := a.Monitor(ctx)
	if err == nil {
		return resources.Result{Code: state.code()}
	}
	res := result(err)
	if res.Code == resources.GenericError && state.promoted() {
		res.Code = resources.FailedPromoted
	}
	return res
}

// start starts what does not run, and believes it when Monitor sees it.
func (k *kit) start(ctx context.Context, a Agent) resources.Result {
	if state, err := a.Monitor(ctx); err == nil && state != Stopped {
		return resources.Result{}
	}
	if err := a.Start(ctx); err != nil {
		return result(err)
	}
	Doing(ctx, "looking whether what was started runs")
	state, err := a.Monitor(ctx)
	if err != nil {
		res := result(err)
		res.Reason = "it was started, but: " + res.Reason
		return res
	}
	if state == Stopped {
		return resources.Errorf(resources.GenericError, "it was started, and does not run: it has ended at once, or Start returned too early")
	}
	return resources.Result{}
}

// stop stops what may run, and believes it when Monitor sees nothing.
func (k *kit) stop(ctx context.Context, a Agent) resources.Result {
	if state, err := a.Monitor(ctx); err == nil && state == Stopped {
		return resources.Result{}
	}
	if err := a.Stop(ctx); err != nil {
		return result(err)
	}
	Doing(ctx, "looking whether what was stopped is gone")
	state, err := a.Monitor(ctx)
	if err != nil {
		res := result(err)
		res.Code, res.Reason = resources.GenericError, "it was stopped, but: "+res.Reason
		return res
	}
	if state != Stopped {
		return resources.Errorf(resources.GenericError, "it was stopped, and still runs: Stop returned too early")
	}
	return resources.Result{}
}
