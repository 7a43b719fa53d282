package executor

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
)

// call is one run of an agent, in virtual time since the start of the bubble.
type call struct {
	resource, operation string
	interval            time.Duration
	begin, end          time.Duration
}

// agents stands for all resource agents and what they run: it survives the daemons of a test.
type agents struct {
	mu       sync.Mutex
	zero     time.Time
	state    map[string]int // OCF exit code of a monitor; absent is 7
	takes    map[string]time.Duration
	code     map[string]int // result of an operation of a resource: "a/start"
	deaf     map[string]bool
	calls    []call
	busy     map[string]string
	overlaps []string
	watchers map[string][]func(string)
	onRun    func(resources.Request)
}

func newAgents() *agents {
	return &agents{zero: time.Now(), state: map[string]int{}, takes: map[string]time.Duration{}, code: map[string]int{},
		deaf: map[string]bool{}, busy: map[string]string{}, watchers: map[string][]func(string){}}
}

func (a *agents) Run(ctx context.Context, req resources.Request) resources.Result {
	key := req.Resource + "/" + req.Operation
	a.mu.Lock()
	if was := a.busy[req.Resource]; was != "" {
		a.overlaps = append(a.overlaps, fmt.Sprintf("%s while %s of %s", req.Operation, was, req.Resource))
	}
	a.busy[req.Resource] = req.Operation
	i := len(a.calls)
	a.calls = append(a.calls, call{req.Resource, req.Operation, req.Interval, time.Since(a.zero), -1})
	takes, deaf := a.takes[key], a.deaf[key]
	a.mu.Unlock()
	if a.onRun != nil {
		a.onRun(req)
	}
	var out resources.Result
	if deaf {
		time.Sleep(takes)
	} else if takes > 0 {
		t := time.NewTimer(takes)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			out = resources.Errorf(resources.GenericError, "ended before its time")
			out.TimedOut = ctx.Err() == context.DeadlineExceeded
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.calls[i].end = time.Since(a.zero)
	delete(a.busy, req.Resource)
	if out.Code != 0 {
		return out
	}
	if c, ok := a.code[key]; ok {
		return resources.Result{Code: resources.ExitCode(c)}
	}
	switch req.Operation {
	case resources.Start, resources.MigrateFrom:
		a.state[req.Resource] = 0
	case resources.Promote, resources.Demote:
		if _, ok := a.state[req.Resource]; !ok {
			return resources.Result{Code: resources.NotRunning}
		}
		a.state[req.Resource] = map[string]int{resources.Promote: 8, resources.Demote: 0}[req.Operation]
	case resources.Stop:
		delete(a.state, req.Resource)
	case resources.Monitor:
		if c, ok := a.state[req.Resource]; ok {
			out.Code = resources.ExitCode(c)
		} else {
			out.Code = resources.NotRunning
		}
	}
	return out
}

func (a *agents) MetaData(context.Context, resources.Agent) ([]byte, error) { return nil, nil }

func (a *agents) Watch(ctx context.Context, req resources.Request, changed func(string)) error {
	a.mu.Lock()
	a.watchers[req.Resource] = append(a.watchers[req.Resource], changed)
	a.mu.Unlock()
	<-ctx.Done()
	return ctx.Err()
}

// set changes how a resource is, and tells the watchers if event is true.
func (a *agents) set(resource string, state int, event bool) {
	a.mu.Lock()
	a.state[resource] = state
	tell := slices.Clone(a.watchers[resource])
	a.mu.Unlock()
	if event {
		for _, f := range tell {
			f("it changed")
		}
	}
}

// slow makes an operation of a resource ("a/start") take so long.
func (a *agents) slow(key string, takes time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.takes[key] = takes
}

// fail makes an operation end with an exit code and without effect; 0 ends that.
func (a *agents) fail(key string, code int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.code[key] = code; code == 0 {
		delete(a.code, key)
	}
}

func (a *agents) history() []call {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.calls)
}

func (a *agents) ran(operation string) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var out []string
	for _, c := range a.calls {
		if c.operation == operation {
			out = append(out, c.resource)
		}
	}
	return out
}

func (a *agents) check(t *testing.T) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.overlaps {
		t.Errorf("two operations at once: %s", o)
	}
}

const lease = 2 * time.Second

func config(dir string, a *agents) Config {
	g := &resources.Registry{}
	g.RegisterClass("ocf", a)
	g.RegisterClass("stonith", a)
	return Config{Node: "n1", ID: "id1", Incarnation: "inc1", Boot: "boot1", Registry: g, Dir: dir,
		Uptime: func() time.Duration { return time.Since(a.zero) }}
}

func start(t *testing.T, c Config) *Executor {
	t.Helper()
	e, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // of a test that failed on its way
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		e.Close(ctx)
	})
	return e
}

func stopExecutor(t *testing.T, e *Executor) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Close(ctx); err != nil {
		t.Error(err)
	}
}

// coordinator is a session and what came of it.
type coordinator struct {
	t       *testing.T
	s       *Session
	welcome Welcome
	served  chan error
	graph   uint64
	term    uint64
	next    int
}

func hello(term uint64) Hello {
	return Hello{Term: term, Coordinator: fmt.Sprintf("c%d", term), Cluster: "demo", NodeLease: lease,
		Policy: Policy{NoQuorum: PolicyStop, StopBudget: 20 * time.Second}}
}

func connect(t *testing.T, e *Executor, h Hello) (*coordinator, error) {
	t.Helper()
	here, there := net.Pipe()
	c := &coordinator{t: t, served: make(chan error, 1), term: h.Term, graph: 1}
	go func() { c.served <- e.Serve(t.Context(), there) }()
	var err error
	c.s, c.welcome, err = Dial(t.Context(), here, h)
	return c, err
}

func dial(t *testing.T, e *Executor, h Hello) *coordinator {
	t.Helper()
	c, err := connect(t, e, h)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *coordinator) close() {
	synctest.Wait() // acknowledgements are on their way
	c.s.Close()
	<-c.served
}

func action(resource, operation string) *transition.Action {
	return &transition.Action{Kind: transition.KindResource, Resource: resource, Operation: operation, Node: "n1",
		TimeoutMS: 10_000, Agent: cib.Agent{Class: "ocf", Provider: "test", Type: "Fake"}, Digest: "d"}
}

func recurring(resource string, interval time.Duration) *transition.Action {
	a := action(resource, resources.Monitor)
	a.IntervalMS = interval.Milliseconds()
	return a
}

// send orders an action and returns its numbers.
func (c *coordinator) send(a *transition.Action) transition.Numbers {
	c.t.Helper()
	c.next++
	a.ID = c.next
	n := transition.Numbers{Term: c.term, Revision: 1, Graph: c.graph, Action: a.ID}
	if err := c.s.Send(transition.Order{Numbers: n, Action: a}); err != nil {
		c.t.Fatal(err)
	}
	return n
}

// result waits for the next result.
func (c *coordinator) result() transition.Result {
	c.t.Helper()
	select {
	case ev := <-c.s.Events():
		if ev.Result == nil {
			c.t.Fatalf("no result but %+v", ev)
		}
		return *ev.Result
	case <-time.After(time.Hour):
		c.t.Fatal("no result for an hour")
	}
	return transition.Result{}
}

// do orders an action, waits for its result and acknowledges it.
func (c *coordinator) do(a *transition.Action) transition.Result {
	c.t.Helper()
	n := c.send(a)
	r := c.result()
	if r.Numbers != n || r.Unasked {
		c.t.Fatalf("the result %+v does not answer %+v", r, n)
	}
	if err := c.s.Ack(r.CallID); err != nil {
		c.t.Fatal(err)
	}
	return r
}

func (c *coordinator) quiet() {
	c.t.Helper()
	synctest.Wait()
	select {
	case ev := <-c.s.Events():
		c.t.Errorf("unexpected: %+v %+v %v", ev.Result, ev.Fence, ev.Lost)
	default:
	}
}

func bubble(t *testing.T, f func(t *testing.T, dir string, a *agents)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		a := newAgents()
		f(t, dir, a)
		a.check(t)
	})
}

func blankResult(resource string, id int64) transition.Result {
	return transition.Result{Resource: resource, Operation: resources.Monitor, IntervalMS: 1000, CallID: id}
}
