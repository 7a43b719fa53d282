package executor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/fencing"
	"paceline/resources"
)

func TestFenceOrders(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		cfg := config(dir, a)
		var ran []string
		cfg.Fence = func(ctx context.Context, o fencing.Order) error {
			ran = append(ran, o.Target)
			if o.Target == "n4" {
				<-ctx.Done()
				return errors.New("the device did not answer")
			}
			return nil
		}
		e := start(t, cfg)
		c := dial(t, e, hello(5))
		order := func(target string, term uint64, delay, budget time.Duration) fencing.Result {
			t.Helper()
			o := fencing.Order{Term: term, View: 3, Fence: 9, Step: 2, Device: fencing.Device{ID: "d1", Params: map[string]string{"password": "canary"}},
				Action: fencing.Off, Target: target, Delay: delay, Budget: budget}
			if err := c.s.SendFence(o); err != nil {
				t.Fatal(err)
			}
			ev := <-c.s.Events()
			if ev.Fence == nil || ev.Fence.Fence != 9 || ev.Fence.Step != 2 || ev.Fence.Node != "n1" {
				t.Fatalf("%+v %+v", ev, ev.Fence)
			}
			return *ev.Fence
		}
		if r := order("n2", 5, time.Second, time.Minute); !r.OK || r.Took != time.Second {
			t.Errorf("%+v", r)
		}
		if r := order("n4", 5, time.Second, 10*time.Second); r.OK || r.Took != 11*time.Second {
			t.Errorf("%+v", r)
		}
		for _, bad := range []struct {
			target string
			term   uint64
			budget time.Duration
			why    string
		}{{"n1", 5, time.Minute, "itself"}, {"n3", 4, time.Minute, "term 4"}, {"n3", 6, time.Minute, "term 6"}, {"n3", 5, 0, "no time"}} {
			if r := order(bad.target, bad.term, 0, bad.budget); r.OK || !strings.Contains(r.Detail, bad.why) {
				t.Errorf("%+v: %+v", bad, r)
			}
		}
		// An order whose delay a new term, or a cut, overtakes is void.
		c.s.SendFence(fencing.Order{Term: 5, Fence: 10, Target: "n3", Action: fencing.Off, Delay: time.Second, Budget: time.Minute})
		synctest.Wait()
		d := dial(t, e, hello(6))
		if ev := <-d.s.Events(); ev.Fence == nil || ev.Fence.OK || !strings.Contains(ev.Fence.Detail, "term 6") {
			t.Errorf("%+v", ev.Fence)
		}
		d.s.SendFence(fencing.Order{Term: 6, Fence: 11, Target: "n3", Action: fencing.Off, Delay: time.Minute, Budget: time.Minute})
		synctest.Wait()
		d.close()
		time.Sleep(2 * time.Minute)
		d = dial(t, e, hello(6))
		if ev := <-d.s.Events(); ev.Fence == nil || ev.Fence.OK || !strings.Contains(ev.Fence.Detail, "cut off") {
			t.Errorf("%+v", ev.Fence)
		}
		d.close()
		if got := strings.Join(ran, " "); got != "n2 n4" {
			t.Errorf("devices ran against %s", got)
		}
		<-c.served
		stopExecutor(t, e)
		if n := len(kinds(t, dir, KindFenceEnd)); n != 8 {
			t.Errorf("%d fence lines in the journal", n)
		}
		for _, x := range kinds(t, dir, KindFenceBegin) {
			if x.Fence == nil || x.Fence.Device == "" && x.Fence.Fence == 9 {
				t.Errorf("%+v", x)
			}
		}
	})
}

func TestOtherOperationsPassThrough(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		for _, op := range []string{resources.Notify, resources.MigrateTo, resources.MigrateFrom, resources.Promote, resources.Demote,
			resources.ReloadAgent} {
			x := action("a", op)
			x.Meta = map[string]string{"migrate_source": "n1", "migrate_target": "n2"}
			if r := c.do(x); r.RC != 0 || r.Operation != op || r.MigrateTarget != "n2" {
				t.Errorf("%s: %+v", op, r)
			}
		}
		x := action("a", resources.Start)
		x.StartDelayMS = 3000
		began := time.Now()
		if c.do(x); time.Since(began) != 3*time.Second {
			t.Errorf("a start delay of 3 s took %v", time.Since(began))
		}
		// An order that waits can be taken back; one that came twice runs once.
		a.slow("a/promote", time.Second)
		first := c.send(action("a", resources.Promote))
		second := c.send(action("a", resources.Demote))
		c.next -= 2
		c.send(action("a", resources.Promote))
		c.next++
		if err := c.s.Cancel(second); err != nil {
			t.Error(err)
		}
		if r := c.result(); r.Numbers != second || r.RC != int(resources.Unknown) {
			t.Errorf("%+v", r)
		}
		if r := c.result(); r.Numbers != first {
			t.Errorf("%+v", r)
		}
		time.Sleep(time.Minute)
		c.quiet()
		c.close()
		stopExecutor(t, e)
	})
}

func TestFenceAlone(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		cfg := config(dir, a)
		ran := 0
		cfg.Fence = func(ctx context.Context, o fencing.Order) error { ran++; return nil }
		e := start(t, cfg)
		dial(t, e, hello(1)).close()
		o := fencing.Order{Target: "n2", Action: fencing.Off, Delay: time.Minute, Budget: time.Minute}
		began := time.Now()
		due := true
		still := func() bool { return due }
		if err := e.FenceAlone(t.Context(), o, still); err != nil || ran != 1 || time.Since(began) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		time.AfterFunc(30*time.Second, func() { // the machine is suspended in the delay
			e.mu.Lock()
			e.slept -= lease + time.Second
			e.mu.Unlock()
		})
		if err := e.FenceAlone(t.Context(), o, still); err == nil || ran != 1 {
			t.Errorf("after a pause in the delay: %v", err)
		}
		time.AfterFunc(30*time.Second, func() { due = false })
		if err := e.FenceAlone(t.Context(), o, still); err == nil || ran != 1 {
			t.Errorf("the peer came back in the delay: %v", err)
		}
		o.Target = "n1"
		if err := e.FenceAlone(t.Context(), o, still); err == nil || ran != 1 {
			t.Errorf("against itself: %v", err)
		}
		stopExecutor(t, e)
		if lines := kinds(t, dir, KindFenceEnd); len(lines) != 2 || !lines[0].Fence.OK || lines[1].Fence.OK {
			t.Errorf("%+v", lines)
		}
	})
}

func TestSuspendedMachineWasPaused(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dialSilently(t, e, hello(1))
		c.do(action("a", resources.Start))
		e.mu.Lock()
		e.slept -= lease + time.Second
		e.mu.Unlock()
		c.order(action("a", resources.Promote))
		<-c.served
		d := dial(t, e, hello(1))
		if r := d.result(); r.Operation != resources.Promote || r.Status != 1 {
			t.Errorf("an order from before: %+v", r)
		}
		if len(a.ran(resources.Promote)) != 0 {
			t.Error("it ran")
		}
		d.close()
		stopExecutor(t, e)
	})
}
