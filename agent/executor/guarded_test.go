package executor

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// guard is a watchdog that notes what is asked of it.
type guard struct {
	mu       sync.Mutex
	broken   bool
	arms     int
	holds    []time.Duration
	binding  bool
	releases int
	ended    []string
	endedAt  time.Time
}

func (g *guard) Arm() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.arms++
	if g.broken {
		return errors.New("no such device")
	}
	return nil
}

func (g *guard) Hold(length time.Duration, binding bool, _ string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.holds, g.binding = append(g.holds, length), binding
}

func (g *guard) Release()                    { g.mu.Lock(); g.releases++; g.mu.Unlock() }
func (g *guard) StopBudget() time.Duration   { return 5 * time.Second }
func (g *guard) PresumedDead() time.Duration { return 27 * time.Second }

func (g *guard) end(why string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.ended, g.endedAt = append(g.ended, why), time.Now()
}

func guarded(dir string, a *agents, g *guard) Config {
	c := config(dir, a)
	c.Watchdog, c.Suicide, c.StopFailed = g, g.end, g.end
	return c
}

func TestArmedWithTheFirstSession(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		g := &guard{}
		e := start(t, guarded(dir, a, g))
		time.Sleep(time.Minute)
		if g.arms != 0 {
			t.Error("armed without a session: it would feed what a predecessor left counting")
		}
		h := hello(1)
		h.Policy.WatchdogFencing = true
		c := dial(t, e, h)
		if g.arms != 1 || c.welcome.PresumedDead != g.PresumedDead() || c.welcome.Watchdog != "armed" {
			t.Errorf("armed %d times, welcome %+v", g.arms, c.welcome)
		}
	})
}

func TestNobodyCountsOnAWatchdogThatIsNotArmed(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		g := &guard{broken: true}
		e := start(t, guarded(dir, a, g))
		h := hello(1)
		h.Policy.WatchdogFencing = true
		if c := dial(t, e, h); c.welcome.PresumedDead != 0 || c.welcome.Watchdog == "" {
			t.Errorf("welcome %+v", c.welcome)
		}
	})
}

// A cut-off node whose stops end in time goes on to be fed; one that is bound to end ends itself all the same, as soon as
// everything is stopped.
func TestCutOffWithAWatchdog(t *testing.T) {
	for _, binding := range []bool{false, true} {
		t.Run(map[bool]string{false: "device", true: "watchdog alone"}[binding], func(t *testing.T) {
			bubble(t, func(t *testing.T, dir string, a *agents) {
				g := &guard{}
				e := start(t, guarded(dir, a, g))
				h := hello(1)
				h.Policy.WatchdogFencing = binding
				c := dialSilently(t, e, h)
				c.do(action("web", "start"))
				a.slow("web/stop", time.Second)
				at := time.Now()
				time.Sleep(h.NodeLease + time.Minute)
				g.mu.Lock()
				defer g.mu.Unlock()
				if len(g.holds) != 1 || g.binding != binding {
					t.Fatalf("holds %v, binding %v", g.holds, g.binding)
				}
				if got := a.ran("stop"); len(got) == 0 {
					t.Error("web was not stopped")
				}
				switch {
				case binding && len(g.ended) == 0:
					t.Error("the others count on this node's end, and it did not end itself")
				case binding && g.endedAt.Sub(at) > h.NodeLease+g.StopBudget():
					t.Errorf("ended %v after the last renewal", g.endedAt.Sub(at))
				case binding && g.holds[0] > g.StopBudget():
					t.Errorf("held for %v", g.holds[0])
				case !binding && (len(g.ended) != 0 || g.releases == 0):
					t.Errorf("a node that stopped everything in time ends: %v, released %d times", g.ended, g.releases)
				}
			})
		})
	}
}

// A stop that cannot finish in time ends the feeding at the end of the budget, not when the stop gives up (rule 6).
func TestAStopThatHangsEndsTheFeeding(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		g := &guard{}
		e := start(t, guarded(dir, a, g))
		h := hello(1)
		h.Policy.StopBudget = 10 * time.Second
		c := dialSilently(t, e, h)
		c.do(action("web", "start"))
		a.slow("web/stop", time.Hour)
		time.Sleep(h.NodeLease + 12*time.Second)
		if len(g.holds) != 1 || g.holds[0] != h.Policy.StopBudget || g.releases != 0 {
			t.Errorf("holds %v, released %d times", g.holds, g.releases)
		}
		time.Sleep(time.Minute)
		if len(g.ended) == 0 {
			t.Error("a node that could not stop its services was not ended")
		}
	})
}

// A node that is bound to end and is cut off takes no session any more: the others count on its end.
func TestNoSessionForANodeThatEnds(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		g := &guard{}
		e := start(t, guarded(dir, a, g))
		h := hello(1)
		h.Policy.WatchdogFencing = true
		c := dialSilently(t, e, h)
		c.do(action("web", "start"))
		a.slow("web/stop", 4*time.Second)
		time.Sleep(h.NodeLease + time.Second)
		if _, err := connect(t, e, hello(2)); err == nil {
			t.Error("a node that ends itself took a new session")
		}
	})
}
