package executor

import (
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
	"paceline/resources"
)

func TestStartMonitorStop(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(3))
		if c.welcome.Node != "n1" || c.welcome.Boot != "boot1" || len(c.welcome.Inventory) != 0 {
			t.Errorf("welcome: %+v", c.welcome)
		}
		a.slow("ip/start", 300*time.Millisecond)
		if r := c.do(action("ip", resources.Monitor)); r.RC != 7 || r.Status != cib.OpDone {
			t.Errorf("probe: %+v", r)
		}
		if r := c.do(action("ip", resources.Start)); r.RC != 0 || r.TookMS != 300 || r.CallID != 2 || r.Incarnation != "inc1" || r.Digest != "d" {
			t.Errorf("start: %+v", r)
		}
		if r := c.do(recurring("ip", 10*time.Second)); r.RC != 0 || r.IntervalMS != 10_000 {
			t.Errorf("monitor: %+v", r)
		}
		time.Sleep(time.Minute)
		c.quiet() // nothing changed
		inv := e.Inventory()
		if len(inv) != 1 || inv[0].Role != RoleStarted || len(inv[0].Recurring) != 1 {
			t.Errorf("inventory: %+v", inv)
		}
		if r := c.do(action("ip", resources.Stop)); r.RC != 0 {
			t.Errorf("stop: %+v", r)
		}
		runs := len(a.ran(resources.Monitor))
		if runs < 7 || runs > 8 {
			t.Errorf("%d monitors ran in a minute of 10 s intervals", runs)
		}
		time.Sleep(time.Minute)
		if n := len(a.ran(resources.Monitor)); n != runs {
			t.Errorf("%d monitors ran after the stop", n-runs)
		}
		if inv := e.Inventory(); len(inv) != 0 {
			t.Errorf("inventory after stop: %+v", inv)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestLowerTermIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		dial(t, e, hello(7)).close()
		_, err := connect(t, e, hello(6))
		var te *TermError
		if !errors.As(err, &te) || te.Term != 6 || te.Highest != 7 {
			t.Errorf("term 6 after 7: %v", err)
		}
		h := hello(7)
		h.Coordinator = "somebody"
		if _, err := connect(t, e, h); !errors.As(err, &te) {
			t.Errorf("two coordinators in one term: %v", err)
		}
		stopExecutor(t, e)
		// It is kept across a restart, even one of the machine.
		cfg := config(dir, a)
		cfg.Incarnation, cfg.Boot = "inc2", "boot2"
		e = start(t, cfg)
		if _, err := connect(t, e, hello(6)); !errors.As(err, &te) || te.Highest != 7 {
			t.Errorf("term 6 after a restart: %v", err)
		}
		c := dial(t, e, hello(8))
		if c.welcome.HighestTerm != 7 {
			t.Errorf("highest term %d", c.welcome.HighestTerm)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestOneOperationAtATimePerResource(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		a.slow("a/start", time.Second)
		a.slow("b/start", time.Second)
		a.slow("a/promote", time.Second)
		began := time.Now()
		c.send(action("a", resources.Start))
		c.send(action("a", resources.Promote))
		c.send(action("b", resources.Start))
		var got []string
		for range 3 {
			r := c.result()
			got = append(got, r.Resource+"/"+r.Operation)
		}
		if time.Since(began) != 2*time.Second {
			t.Errorf("it took %v", time.Since(began))
		}
		if slices.Sort(got[:2]); !slices.Equal(got, []string{"a/start", "b/start", "a/promote"}) {
			t.Errorf("order of results: %v", got)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestTimeoutEndsAnOperation(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		a.slow("a/start", time.Hour)
		r := c.do(action("a", resources.Start))
		if r.Status != cib.OpTimeout || r.TookMS != 10_000 || r.RC != 1 {
			t.Errorf("a start that hangs: %+v", r)
		}
		// An agent that does not even listen is answered without it, and blocks its resource until it is gone.
		a.slow("b/start", 30*time.Second)
		a.deaf["b/start"] = true
		if r = c.do(action("b", resources.Start)); r.Status != cib.OpTimeout || r.TookMS != 15_000 {
			t.Errorf("a start that does not listen: %+v", r)
		}
		if r = c.do(action("b", resources.Stop)); r.Status != cib.OpCancelled {
			t.Errorf("a stop beside a start: %+v", r)
		}
		time.Sleep(10 * time.Second)
		if r = c.do(action("b", resources.Stop)); r.Status != cib.OpDone {
			t.Errorf("a stop after the start: %+v", r)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestMonitorReportsChangesOnly(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(recurring("a", time.Second))
		a.set("a", 1, false)
		r := c.result()
		if r.RC != 1 || !r.Unasked || r.IntervalMS != 1000 {
			t.Errorf("a failure: %+v", r)
		}
		time.Sleep(30 * time.Second)
		c.quiet()
		a.set("a", 0, false)
		if r := c.result(); r.RC != 0 || !r.Unasked {
			t.Errorf("a recovery: %+v", r)
		}
		x := action("a", opCancel)
		x.IntervalMS = 1000
		if r := c.do(x); r.RC != 0 || r.Operation != opCancel {
			t.Errorf("cancel: %+v", r)
		}
		a.set("a", 1, false)
		time.Sleep(30 * time.Second)
		c.quiet()
		c.close()
		stopExecutor(t, e)
	})
}

func TestEventCausesMonitorAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(recurring("a", time.Minute))
		synctest.Wait()
		time.Sleep(10 * time.Second)
		began := time.Now()
		a.set("a", 7, true)
		r := c.result()
		if r.RC != 7 || !r.Unasked || time.Since(began) > time.Millisecond {
			t.Errorf("after %v: %+v", time.Since(began), r)
		}
		// A storm of events is bounded.
		n := len(a.ran(resources.Monitor))
		for range 1000 {
			a.set("a", 7, true)
			time.Sleep(time.Millisecond)
		}
		if ran := len(a.ran(resources.Monitor)) - n; ran > 21 {
			t.Errorf("%d monitors in a second of events", ran)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestUnknownAgentIsNotInstalled(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		x := action("a", resources.Start)
		x.Agent.Class = "nagios"
		r := c.do(x)
		if r.RC != int(resources.NotInstalled) || r.Status != cib.OpNotInstalled || r.ExitReason == "" {
			t.Errorf("%+v", r)
		}
		if len(e.Inventory()) != 0 {
			t.Error("it counts as active")
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestHangingStartsHoldNoStopsUp(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		cfg := config(dir, a)
		cfg.Parallel = 2
		e := start(t, cfg)
		c := dial(t, e, hello(1))
		c.do(action("old", resources.Start))
		for _, r := range []string{"a", "b", "c"} {
			a.slow(r+"/start", 9*time.Second)
			c.send(action(r, resources.Start))
		}
		synctest.Wait()
		if got := a.ran(resources.Start); len(got) != 3 {
			t.Errorf("started %v with room for two at once", got)
		}
		if r := c.do(action("old", resources.Stop)); r.RC != 0 || r.TookMS != 0 {
			t.Errorf("stop: %+v", r)
		}
		for range 3 {
			if r := c.result(); r.RC != 0 {
				t.Errorf("%+v", r)
			}
		}
		if got := time.Since(a.zero); got != 18*time.Second {
			t.Errorf("it took %v", got)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestAnOrderWhoseTurnNeverComesIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		cfg := config(dir, a)
		cfg.Parallel = 1
		e := start(t, cfg)
		c := dial(t, e, hello(1))
		long := action("a", resources.Start)
		long.TimeoutMS = 60_000
		a.slow("a/start", 50*time.Second)
		c.send(long)
		synctest.Wait()
		began := time.Now()
		n := c.send(action("b", resources.Start))
		if r := c.result(); r.Numbers != n || r.Status != cib.OpCancelled || time.Since(began) != 10*time.Second {
			t.Errorf("after %v: %+v", time.Since(began), r)
		}
		c.result()
		time.Sleep(time.Minute)
		if got := a.ran(resources.Start); len(got) != 1 {
			t.Errorf("it ran after all: %v", got)
		}
		c.close()
		stopExecutor(t, e)
	})
}

// A session begins by saying of which resources results follow that nobody has acknowledged, so that nobody plans before they came.
func TestASessionTellsOfTheResultsThatFollow(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("web", resources.Start))
		c.send(action("web", resources.Stop))
		c.result() // and no acknowledgement
		c.close()
		next := dial(t, e, hello(2))
		if got := next.welcome.Unacked; !slices.Equal(got, []string{"web"}) {
			t.Errorf("results follow of %v", got)
		}
		if r := next.result(); r.Operation != resources.Stop {
			t.Errorf("what follows is %+v", r)
		}
		next.close()
		stopExecutor(t, e)
	})
}
