package executor

import (
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/transition"
	"paceline/resources"
)

// A resource without a recurring monitor is watched all the same: an event leads to one monitor, whose failure is told with what the
// event said; what the cluster itself does is no failure, and once it is stopped nobody looks any more.
func TestEventsWithoutRecurringMonitor(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		synctest.Wait()
		time.Sleep(time.Hour)
		if n := len(a.ran(resources.Monitor)); n != 0 {
			t.Errorf("%d monitors ran without an event", n)
		}
		a.set("a", 0, true) // a false alarm
		time.Sleep(time.Second)
		c.quiet()
		if n := len(a.ran(resources.Monitor)); n != 1 {
			t.Errorf("%d monitors ran after an event", n)
		}
		c.do(action("a", resources.Promote))
		a.set("a", 8, true)
		time.Sleep(time.Second)
		c.quiet()
		a.set("a", 7, true)
		r := c.result()
		if r.RC != 7 || r.TargetRC != 8 || !r.Unasked || r.IntervalMS != 0 || r.Event != "it changed" {
			t.Errorf("a failure: %+v", r)
		}
		if err := c.s.Ack(r.CallID); err != nil {
			t.Fatal(err)
		}
		if inv := e.Inventory(); len(inv) != 0 {
			t.Errorf("it counts as active: %+v", inv)
		}
		c.do(action("a", resources.Start))
		c.do(action("a", resources.MigrateTo))
		a.set("a", 7, true)
		time.Sleep(time.Second)
		c.quiet()
		a.set("a", 0, false)
		c.do(action("a", resources.Stop))
		before := len(a.ran(resources.Monitor))
		a.set("a", 1, true)
		time.Sleep(time.Minute)
		c.quiet()
		if n := len(a.ran(resources.Monitor)); n != before {
			t.Errorf("%d monitors ran after the stop", n-before)
		}
		c.close()
		stopExecutor(t, e)
	})
}

// The next daemon watches what it found; where there is a recurring monitor an event leads to that one alone.
func TestEventsAfterRestartAndBesideMonitors(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(action("b", resources.Start))
		c.do(recurring("b", time.Hour))
		c.close()
		stopExecutor(t, e)
		cfg := config(dir, a)
		cfg.Incarnation = "inc2"
		e = start(t, cfg)
		c = dial(t, e, hello(2))
		synctest.Wait()
		c.quiet()
		before := len(a.ran(resources.Monitor))
		time.Sleep(time.Second)
		a.set("b", 1, true)
		if r := c.result(); r.Resource != "b" || r.RC != 1 || r.IntervalMS != time.Hour.Milliseconds() || r.Event != "it changed" {
			t.Errorf("of b: %+v", r)
		}
		a.set("a", 1, true)
		if r := c.result(); r.Resource != "a" || r.RC != 1 || r.IntervalMS != 0 {
			t.Errorf("of a: %+v", r)
		}
		c.quiet()
		if n := len(a.ran(resources.Monitor)); n != before+2 {
			t.Errorf("%d monitors ran for two events", n-before)
		}
		c.close()
		stopExecutor(t, e)
	})
}

// A Watcher watches for the parameters that its resource has now.
func TestWatchFollowsParameters(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		with := func(x *transition.Action, ip string) *transition.Action {
			x.Params = map[string]string{"ip": ip}
			return x
		}
		watchers := func() int {
			synctest.Wait()
			a.mu.Lock()
			defer a.mu.Unlock()
			return len(a.watchers["a"])
		}
		c.do(with(action("a", resources.Start), "10.0.0.1"))
		c.do(with(recurring("a", time.Minute), "10.0.0.1"))
		if n := watchers(); n != 1 {
			t.Errorf("%d watches began", n)
		}
		a.set("a", 7, false)
		if r := c.result(); r.RC != 7 || r.Event != "" {
			t.Errorf("%+v", r)
		}
		c.do(with(action("a", resources.Start), "10.0.0.2"))
		c.do(with(recurring("a", time.Minute), "10.0.0.2"))
		if n := watchers(); n != 2 {
			t.Errorf("%d watches began, one before and one after the change", n)
		}
		c.close()
		stopExecutor(t, e)
	})
}
