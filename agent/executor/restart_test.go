package executor

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/transition"
	"paceline/resources"
)

func TestRestartTouchesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		for _, r := range []string{"a", "b", "c", "gone"} {
			c.do(action(r, resources.Start))
		}
		c.do(action("b", resources.Promote))
		c.do(recurring("a", 10*time.Second))
		c.do(recurring("gone", 10*time.Second))
		synctest.Wait()
		// The daemon dies in the middle of a start: no orderly end, only the journal.
		a.slow("d/start", time.Hour)
		c.send(action("d", resources.Start))
		synctest.Wait()
		snapshot, err := ReadJournal(dir + "/" + JournalName)
		if err != nil {
			t.Fatal(err)
		}
		if got := ActiveSet(snapshot); len(got) != 5 || got[1].Role != RolePromoted || got[4].Role != RoleUnsure {
			t.Errorf("active set: %+v", got)
		}
		c.close()
		stopExecutor(t, e)
		a.mu.Lock()
		delete(a.state, "gone")
		a.state["d"] = 0
		before := len(a.calls)
		a.mu.Unlock()
		a.slow("d/start", 0)

		cfg := config(dir, a)
		cfg.Incarnation = "inc2"
		e = start(t, cfg)
		synctest.Wait()
		h := hello(2)
		d := dial(t, e, h)
		for _, x := range a.history()[before:] {
			if x.operation != resources.Monitor {
				t.Errorf("after the restart it ran %+v", x)
			}
		}
		inv := d.welcome.Inventory
		if len(inv) != 5 {
			t.Fatalf("inventory: %+v", inv)
		}
		for i, want := range []struct {
			name string
			role Role
			rc   int
		}{{"a", RoleStarted, 0}, {"b", RolePromoted, 8}, {"c", RoleStarted, 0}, {"gone", RoleUnsure, 7}, {"d", RoleStarted, 0}} {
			it := inv[i]
			if it.Resource != want.name || it.Role != want.role || it.Last == nil || it.Last.RC != want.rc || it.Last.Incarnation != "inc2" {
				t.Errorf("item %d is %+v (last %+v), want %+v", i, it, it.Last, want)
			}
		}
		// What is as it was is not told again; what has changed, and what nobody knew, is.
		told := map[string]int{}
		for range 2 {
			r := d.result()
			told[r.Resource+"/"+r.Operation] = r.RC
		}
		if told["gone/monitor"] != 7 || told["d/monitor"] != 0 || len(told) != 2 {
			t.Errorf("told: %v", told)
		}
		d.quiet()
		n := len(a.ran(resources.Monitor))
		time.Sleep(time.Minute + time.Millisecond)
		if ran := len(a.ran(resources.Monitor)) - n; ran < 12 || ran > 14 {
			t.Errorf("%d recurring monitors in a minute, want 6 or 7 of each", ran)
		}
		d.close()
		stopExecutor(t, e)
	})
}

// Numbers of calls that the journal has not, because its disk was full, are not given out again: the coordinator would take the new
// results for repeated ones.
func TestCallsRiseOverARestartWithAFullDisk(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		d := &disk{}
		cfg := config(dir, a)
		cfg.openFile = d.open
		e := start(t, cfg)
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		d.set(true, false)
		var last transition.Result
		for range 10 {
			last = c.do(action("a", resources.Stop))
		}
		c.close()
		stopExecutor(t, e)
		d.set(false, false)
		cfg.Incarnation = "inc2"
		e = start(t, cfg)
		c = dial(t, e, hello(1))
		synctest.Wait()
		for len(c.s.Events()) > 0 {
			c.result() // of the monitor after the restart
		}
		if r := c.do(action("a", resources.Start)); r.RC != 0 || r.CallID <= last.CallID {
			t.Errorf("call %d came after call %d", r.CallID, last.CallID)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestRestartWithoutCoordinatorIsCutOffAfterTheLease(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(action("b", resources.Start))
		c.close()
		stopExecutor(t, e)
		cfg := config(dir, a)
		cfg.Incarnation = "inc2"
		began := time.Since(a.zero)
		e = start(t, cfg)
		time.Sleep(time.Minute)
		var stopped []string
		for _, x := range a.history() {
			if x.operation == resources.Stop {
				stopped = append(stopped, x.resource)
				if x.begin != began+lease {
					t.Errorf("%+v, the daemon began at %v", x, began)
				}
			}
		}
		if !slices.Equal(stopped, []string{"b", "a"}) {
			t.Errorf("stopped %v", stopped)
		}
		stopExecutor(t, e)
	})
}

func TestRebootVoidsTheJournal(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(recurring("a", time.Second))
		call := c.do(action("b", resources.Start)).CallID
		c.send(action("c", resources.Start)) // its result is never acknowledged
		c.result()
		c.close()
		stopExecutor(t, e)
		cfg := config(dir, a)
		cfg.Incarnation, cfg.Boot = "inc2", "boot2"
		before := len(a.history())
		e = start(t, cfg)
		time.Sleep(time.Minute) // nothing to monitor, nothing to be cut off from
		if n := len(a.history()); n != before {
			t.Errorf("ran %+v", a.history()[before:])
		}
		d := dial(t, e, hello(2))
		if len(d.welcome.Inventory) != 0 || d.welcome.CutOff != "" {
			t.Errorf("welcome: %+v", d.welcome)
		}
		d.quiet()
		if r := d.do(action("x", resources.Start)); r.CallID <= call {
			t.Errorf("call number %d after %d", r.CallID, call)
		}
		if boots := kinds(t, dir, KindBoot); len(boots) != 2 {
			t.Errorf("boot lines: %+v", boots)
		}
		d.close()
		stopExecutor(t, e)
	})
}

func TestProbeFindsAndDeleteForgets(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		a.set("found", 0, false)
		a.set("other", 0, false)
		c.do(action("found", resources.Monitor))
		c.do(action("other", resources.Monitor))
		if inv := e.Inventory(); len(inv) != 2 || inv[0].Role != RoleStarted {
			t.Errorf("inventory: %+v", inv)
		}
		if r := c.do(action("other", opDelete)); r.RC != 0 {
			t.Errorf("delete: %+v", r)
		}
		if inv := e.Inventory(); len(inv) != 1 {
			t.Errorf("inventory: %+v", inv)
		}
		c.do(action("died", resources.Start))
		a.mu.Lock()
		delete(a.state, "died")
		a.mu.Unlock()
		if r := c.do(action("died", resources.Monitor)); r.RC != 7 || len(e.Inventory()) != 1 {
			t.Errorf("probed as not running: %+v, inventory %+v", r, e.Inventory())
		}
		c.write(&Policy{NoQuorum: PolicyStop, Unmanaged: []string{"found"}})
		<-c.served
		time.Sleep(time.Minute)
		if got := a.ran(resources.Stop); got != nil {
			t.Errorf("stopped %v", got)
		}
		stopExecutor(t, e)
	})
}
