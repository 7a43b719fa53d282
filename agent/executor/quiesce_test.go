package executor

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"paceline/resources"
)

// A daemon that is to end lets what runs come to its end, begins nothing that was ordered, and goes on with its monitors.
func TestQuiesce(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(1))
		c.do(action("a", resources.Start))
		c.do(recurring("a", time.Second))
		a.slow("b/start", 3*time.Second)
		c.send(action("b", resources.Start))
		synctest.Wait()

		brief, cancel := context.WithTimeout(context.Background(), time.Second)
		if err := e.Quiesce(brief); err == nil {
			t.Error("a start that runs was not waited for")
		}
		cancel()
		c.send(action("c", resources.Start))
		began := time.Now()
		if err := e.Quiesce(context.Background()); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("it took %v", took)
		}
		time.Sleep(1500 * time.Millisecond)
		monitors := 0
		for _, x := range a.history() {
			if x.resource == "c" {
				t.Errorf("an order was begun: %+v", x)
			}
			if x.resource == "b" && x.end < 0 {
				t.Error("the start was cut short")
			}
			if x.interval > 0 && x.begin > 3*time.Second {
				monitors++
			}
		}
		if monitors == 0 {
			t.Error("monitors have ended")
		}
		c.close()
		stopExecutor(t, e)
		// Each order has one result, also the one that was not begun.
		cfg := config(dir, a)
		cfg.Incarnation = "inc2"
		next := start(t, cfg)
		d := dial(t, next, hello(2))
		if got := d.welcome.Unacked; len(got) == 0 {
			t.Errorf("nothing is told of the order that was not begun: %+v", got)
		}
		for _, x := range a.history() {
			if x.resource == "c" && x.operation == resources.Start {
				t.Error("the next daemon begins it")
			}
		}
		d.close()
		stopExecutor(t, next)
	})
}
