package executor

import (
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
)

// silent is a coordinator that does not renew unless told to: a cable that is cut without a word.
type silent struct {
	t      *testing.T
	w      *wire
	served chan error
	term   uint64
	n      int
}

func dialSilently(t *testing.T, e *Executor, h Hello) *silent {
	t.Helper()
	here, there := net.Pipe()
	c := &silent{t: t, w: newWire(here), term: h.Term, served: make(chan error, 1)}
	go func() { c.served <- e.Serve(t.Context(), there) }()
	h.Version = Version
	c.write(&h)
	if _, ok := c.read().(*Welcome); !ok {
		t.Fatal("no welcome")
	}
	return c
}

func (c *silent) write(m any) {
	c.t.Helper()
	if err := c.w.write(m, time.Minute); err != nil {
		c.t.Fatal(err)
	}
}

func (c *silent) read() any {
	c.t.Helper()
	m, err := c.w.read(time.Minute)
	if err != nil {
		c.t.Fatal(err)
	}
	return m
}

func (c *silent) order(a *transition.Action) {
	c.n++
	a.ID = c.n
	c.write(&transition.Order{Numbers: transition.Numbers{Term: c.term, Graph: 9, Action: c.n}, Action: a})
}

func (c *silent) do(a *transition.Action) transition.Result {
	c.t.Helper()
	c.order(a)
	r := c.read().(*transition.Result)
	c.write(&AckResult{CallID: r.CallID})
	return *r
}

func kinds(t *testing.T, dir string, want Kind) []Entry {
	t.Helper()
	all, err := ReadJournals(dir)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(e Entry) bool { return e.Kind != want })
}

func TestCutOffStopsInReverseOrderExactlyAfterTheLease(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		for _, r := range []string{"disk", "fs", "ip", "web"} {
			c.do(action(r, resources.Start))
			a.slow(r+"/stop", 100*time.Millisecond)
		}
		unmanaged := action("left", resources.Start)
		unmanaged.Meta = map[string]string{"is-managed": "false"}
		c.do(unmanaged)
		c.do(recurring("web", time.Second))
		time.Sleep(time.Second)
		c.write(&Renew{Seq: 1})
		renewed := time.Since(a.zero)
		if ack, ok := c.read().(*RenewAck); !ok || ack.Seq != 1 {
			t.Fatalf("no answer to the renewal: %+v", ack)
		}
		<-c.served
		time.Sleep(time.Minute)
		var stopped []string
		for _, x := range a.history() {
			if x.operation != resources.Stop {
				continue
			}
			if want := renewed + lease + time.Duration(len(stopped))*100*time.Millisecond; x.begin != want {
				t.Errorf("stop of %s began at %v, want %v", x.resource, x.begin, want)
			}
			stopped = append(stopped, x.resource)
		}
		if !slices.Equal(stopped, []string{"web", "ip", "fs", "disk"}) {
			t.Errorf("stopped %v", stopped)
		}
		if cut := kinds(t, dir, KindCutOff); len(cut) != 1 {
			t.Errorf("cut-off lines: %+v", cut)
		}
		// The next coordinator is told, and works on as ever.
		d := dial(t, e, hello(2))
		if d.welcome.CutOff == "" || len(d.welcome.Inventory) != 1 || !d.welcome.Inventory[0].Unmanaged {
			t.Errorf("welcome %+v", d.welcome)
		}
		for _, want := range stopped {
			if r := d.result(); !r.Unasked || r.Resource != want || r.Operation != resources.Stop || r.RC != 0 {
				t.Errorf("told %+v, want the stop of %s", r, want)
			}
		}
		if r := d.send(action("web", resources.Start)); d.result().Numbers != r {
			t.Error("no work after the cut")
		}
		d.close()
		stopExecutor(t, e)
	})
}

func TestCutOffPolicies(t *testing.T) {
	for policy, want := range map[string][]string{
		PolicyFreeze:  nil,
		PolicyIgnore:  nil,
		PolicyDemote:  {"p/demote", "a/stop"},
		"fence":       {"killed", "p/demote", "p/stop", "a/stop"},
		"":            {"p/demote", "p/stop", "a/stop"},
		"from-future": {"p/demote", "p/stop", "a/stop"},
	} {
		t.Run("policy "+policy, func(t *testing.T) {
			bubble(t, func(t *testing.T, dir string, a *agents) {
				cfg := config(dir, a)
				killed := make(chan string, 1)
				cfg.Suicide = func(string) { killed <- "killed" }
				e := start(t, cfg)
				h := hello(1)
				h.Policy.NoQuorum = policy
				c := dialSilently(t, e, h)
				device := action("device", resources.Start)
				device.Agent = cib.Agent{Class: "stonith", Type: "fence_test"}
				c.do(device)
				c.do(action("a", resources.Start))
				c.do(action("p", resources.Start))
				c.do(action("p", resources.Promote))
				before := len(a.history())
				<-c.served
				time.Sleep(time.Minute)
				var did []string
				if len(killed) > 0 {
					did = append(did, <-killed)
				}
				for _, x := range a.history()[before:] {
					did = append(did, x.resource+"/"+x.operation)
				}
				if !slices.Equal(did, want) {
					t.Errorf("did %v, want %v", did, want)
				}
				stopExecutor(t, e)
			})
		})
	}
}

// What can not be demoted is stopped all the same, and what was started before it, too, within the budget.
func TestCutOffGoesOnPastAHangingDemotion(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(action("p", resources.Start))
		c.do(action("p", resources.Promote))
		a.slow("p/demote", time.Hour)
		<-c.served
		time.Sleep(19 * time.Second)
		if got := a.ran(resources.Stop); !slices.Equal(got, []string{"p", "a"}) {
			t.Errorf("stops: %v", got)
		}
		stopExecutor(t, e)
	})
}

// However often a cut-off node tries to stop what hangs: when that ends at last, it is demoted once and stopped once, in this order.
func TestCutOffStopsOnceWhatHungForLong(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		c.do(action("p", resources.Start))
		c.do(action("p", resources.Promote))
		a.mu.Lock()
		a.deaf["p/promote"] = true
		a.mu.Unlock()
		a.slow("p/promote", time.Hour)
		c.order(action("p", resources.Promote))
		<-c.served
		time.Sleep(2 * time.Hour)
		var after []string
		for _, x := range a.history()[3:] {
			after = append(after, x.operation)
		}
		if !slices.Equal(after, []string{resources.Demote, resources.Stop}) {
			t.Errorf("after the promotion that hung: %v", after)
		}
		stopExecutor(t, e)
	})
}

func TestCutOffEndsAStartAndGoesOnPastAHangingStop(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		cfg := config(dir, a)
		var failed atomic.Int32
		cfg.StopFailed = func(string) { failed.Add(1) }
		e := start(t, cfg)
		c := dialSilently(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(action("b", resources.Start))
		a.slow("b/stop", 50*time.Second)
		a.slow("c/start", time.Hour)
		c.order(action("c", resources.Start))
		c.order(action("c", resources.Promote)) // waits, and is void
		<-c.served
		time.Sleep(19 * time.Second)
		if got := a.ran(resources.Stop); !slices.Equal(got, []string{"c", "b", "a"}) {
			t.Errorf("stops: %v", got)
		}
		if failed.Load() != 0 {
			t.Error("given up early")
		}
		time.Sleep(3 * time.Second) // the budget of 20 s is over
		if failed.Load() != 1 {
			t.Errorf("told of %d failures", failed.Load())
		}
		a.slow("b/stop", 0)
		time.Sleep(time.Minute)
		if inv := e.Inventory(); len(inv) != 0 {
			t.Errorf("still active: %+v", inv)
		}
		d := dial(t, e, hello(2))
		got := map[string]int{}
		for range 6 {
			r := d.result()
			got[r.Resource+"/"+r.Operation] = r.Status
		}
		if got["c/start"] != cib.OpCancelled || got["c/promote"] != cib.OpCancelled || got["b/stop"] != cib.OpDone {
			t.Errorf("results: %v", got)
		}
		d.close()
		stopExecutor(t, e)
	})
}

func TestHelloEndsActingAlone(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(action("b", resources.Start))
		a.slow("b/stop", time.Second)
		<-c.served
		time.Sleep(lease / 4) // b is being stopped
		d := dial(t, e, hello(2))
		if len(d.welcome.Running) != 1 || d.welcome.Running[0].Resource != "b" || !d.welcome.Running[0].Begun {
			t.Errorf("running: %+v", d.welcome.Running)
		}
		if r := d.result(); r.Resource != "b" || !r.Unasked {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Minute)
		d.quiet()
		if got := a.ran(resources.Stop); !slices.Equal(got, []string{"b"}) {
			t.Errorf("stops: %v", got)
		}
		d.close()
		stopExecutor(t, e)
	})
}

// pause makes the executor believe that its process stood still for d.
func pause(e *Executor, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lease.ticked = e.lease.ticked.Add(-d)
	e.lease.renewed = e.lease.renewed.Add(-d)
}

func TestPauseLongerThanTheLease(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		c.do(action("a", resources.Start))
		a.slow("a/promote", 100*time.Millisecond)
		c.order(action("a", resources.Promote))
		c.order(action("a", resources.Demote)) // has not begun when the pause comes
		synctest.Wait()
		pause(e, lease+time.Second)
		if err := c.w.write(&Renew{Seq: 5}, time.Second); err != nil {
			t.Fatal(err)
		}
		<-c.served // a late renewal does not help
		d := dial(t, e, hello(1))
		byOp := map[string]transition.Result{}
		for range 2 {
			r := d.result()
			byOp[r.Operation] = r
		}
		if r := byOp[resources.Demote]; r.Status != cib.OpCancelled {
			t.Errorf("an order from before the pause: %+v", r)
		}
		if r := byOp[resources.Promote]; r.Status != cib.OpDone {
			t.Errorf("an operation in flight: %+v", r)
		}
		time.Sleep(time.Minute + 100*time.Millisecond) // between two renewals
		if got := a.ran(resources.Stop); got != nil {
			t.Errorf("the session was opened in time, and yet it stopped %v", got)
		}
		// An order that the pause overtook in the socket.
		pause(e, lease+time.Second)
		n := d.send(action("a", resources.Demote))
		synctest.Wait()
		d.close()
		d = dial(t, e, hello(1))
		for {
			r := d.result()
			d.s.Ack(r.CallID)
			if r.Numbers == n {
				if r.Status != cib.OpCancelled {
					t.Errorf("%+v", r)
				}
				break
			}
		}
		// Nobody comes: a quarter of the lease later the node is cut off.
		d.close()
		pause(e, lease+time.Second)
		began := time.Since(a.zero)
		time.Sleep(time.Minute)
		all := a.history()
		last := all[len(all)-1]
		if late := last.begin - began; last.operation != resources.Stop || late < lease/4 || late > lease/2 {
			t.Errorf("%+v, %v after the pause", last, late)
		}
		stopExecutor(t, e)
	})
}

func TestUnacknowledgedResultsAreSentAgain(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		for _, r := range []string{"a", "b"} {
			n := c.send(action(r, resources.Start))
			if got := c.result(); got.Numbers != n {
				t.Errorf("%+v", got)
			}
		}
		c.s.Ack(1)
		synctest.Wait()
		a.slow("c/start", time.Second)
		c.send(action("c", resources.Start))
		synctest.Wait()
		c.close()
		time.Sleep(1500 * time.Millisecond)
		again := func(e *Executor, want ...string) {
			t.Helper()
			d := dial(t, e, hello(1))
			for _, w := range want {
				if r := d.result(); r.Resource != w || r.Incarnation != "inc1" {
					t.Errorf("got %+v, want that of %s", r, w)
				}
			}
			time.Sleep(time.Second)
			d.quiet()
			d.close()
		}
		again(e, "b", "c")
		again(e, "b", "c")
		stopExecutor(t, e)
		cfg := config(dir, a)
		cfg.Incarnation = "inc2"
		e = start(t, cfg)
		again(e, "b", "c") // also of a daemon that ended
		stopExecutor(t, e)
	})
}

func TestNewerSessionReplacesOlder(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		a.slow("a/start", time.Second)
		first := c.send(action("a", resources.Start))
		c.send(action("a", resources.Promote)) // waits: void when term 2 begins
		synctest.Wait()
		d := dial(t, e, hello(2))
		if ev := <-c.s.Events(); ev.Lost == nil {
			t.Errorf("the old session: %+v", ev)
		}
		<-c.served
		if err := c.s.Send(transition.Order{Action: action("x", resources.Start)}); err == nil {
			t.Error("an order was taken by a session that is lost")
		}
		if len(d.welcome.Running) != 2 {
			t.Errorf("running: %+v", d.welcome.Running)
		}
		if r := d.result(); r.Numbers != first || r.RC != 0 {
			t.Errorf("%+v", r)
		}
		if r := d.result(); r.Operation != resources.Promote || r.Status != cib.OpCancelled {
			t.Errorf("%+v", r)
		}
		d.close()
		stopExecutor(t, e)
	})
}

func TestSessionIsLostWithoutAnswers(t *testing.T) {
	for _, chatty := range []bool{false, true} {
		bubble(t, func(t *testing.T, dir string, a *agents) {
			here, there := net.Pipe()
			done := make(chan struct{})
			go func() { // a node that greets and then never answers a renewal, though it may go on talking
				defer close(done)
				w := newWire(there)
				w.read(time.Minute)
				w.write(&Welcome{Version: Version, Node: "n1"}, time.Minute)
				for {
					if _, err := w.read(time.Minute); err != nil {
						return
					}
					if chatty {
						w.write(&transition.Result{}, time.Minute)
					}
				}
			}()
			s, _, err := Dial(t.Context(), here, hello(1))
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			var last Event
			for ev := range s.Events() {
				last = ev
			}
			if last.Lost == nil || time.Since(began) != lease {
				t.Errorf("after %v: %+v", time.Since(began), last)
			}
			s.Close()
			<-done
		})
	}
}

func TestLeaseIsCheckedAtHello(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		for _, h := range []Hello{
			{Term: 1, Coordinator: "c", NodeLease: time.Hour},
			{Term: 1, Coordinator: "c", NodeLease: time.Millisecond},
			{Term: 1, NodeLease: lease},
			{Coordinator: "c", NodeLease: lease},
			{Version: 99, Term: 1, Coordinator: "c", NodeLease: lease},
		} {
			var te *TermError
			if _, err := connect(t, e, h); !errors.As(err, &te) {
				t.Errorf("%+v: %v", h, err)
			}
		}
		stopExecutor(t, e)
	})
}
