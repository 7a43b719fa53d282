package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// drain lets raft's last timers of a stopped cluster run out before the bubble ends.
const drain = time.Minute

func bubble(t *testing.T, test func(t *testing.T, l *lab)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t)
		t.Cleanup(func() {
			l.stop()
			time.Sleep(drain)
		})
		test(t, l)
	})
}

// A coordinator of an earlier term commits nothing, even if its node leads again.
func TestACommandOfAnotherTermIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		n := l.form("a")
		n.commit("batch-limit", "10")
		term := n.Snapshot().Term
		if _, err := n.try(Command{Change: option("batch-limit", "11"), Term: term}); err != nil {
			t.Fatal("a command of the present term:", err)
		}
		n.kill()
		n.start(false)
		l.awaitLeader("a")
		if _, err := n.try(Command{Change: option("batch-limit", "12"), Term: term}); !errors.Is(err, ErrNotLeader) {
			t.Fatalf("a command of term %d was taken in another: %v", term, err)
		}
		if got := n.option("batch-limit"); got != "11" {
			t.Fatalf("batch-limit is %q", got)
		}
	})
}

func TestOneVoterCommitsAndRemembers(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		n := l.form("a")
		first := n.commit("batch-limit", "10")
		if first.Revision != 1 || first.ConfigRevision != 1 {
			t.Fatalf("first commit: %+v", first)
		}
		if again := n.commit("batch-limit", "10"); again.Revision != 1 {
			t.Fatalf("a change that changes nothing raised the revision: %+v", again)
		}
		n.commit("batch-limit", "20")
		n.kill()
		n.start(false)
		if got := n.option("batch-limit"); got != "10" && got != "20" {
			t.Fatalf("before a leader is known, the last known state should show; got %q", got)
		}
		l.awaitLeader("a")
		if got := n.option("batch-limit"); got != "20" {
			t.Fatalf("after a restart: %q", got)
		}
		if s := n.Snapshot(); s.Revision != 2 || s.ConfigRevision != 2 || s.Term == 0 {
			t.Fatalf("after a restart: %+v", s)
		}
	})
}

func TestStateNeverGoesBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		var full atomic.Bool
		n := l.node("a")
		n.fault = func() error {
			if full.Load() {
				return errNoSpace
			}
			return nil
		}
		l.form("a")
		for i := range 20 {
			n.commit("batch-limit", fmt.Sprint(i))
		}
		newest := n.Snapshot().Revision
		ctx, cancel := context.WithCancel(context.Background())
		seen := make(chan error, 1)
		go func() {
			var err error
			for s := range n.Watch(ctx) {
				if s.Revision < newest {
					err = fmt.Errorf("revision %d after %d", s.Revision, newest)
				}
			}
			seen <- err
		}()
		full.Store(true)
		n.try(Command{Change: option("batch-limit", "x")})
		full.Store(false)
		time.Sleep(5 * time.Second) // raft starts again, and replays its log
		n.commit("batch-limit", "y")
		cancel()
		mustNot(t, <-seen)
	})
}

func TestThreeVotersFailOver(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		leader := l.form("a", "b", "c")
		leader.commit("batch-limit", "1")
		l.nodes["b"].awaitOption("batch-limit", "1")
		l.nodes["c"].awaitOption("batch-limit", "1")
		if len(leader.Members()) != 3 {
			t.Fatalf("members: %+v", leader.Members())
		}
		_, err := l.nodes["b"].try(Command{Change: option("batch-limit", "2")})
		var not *NotLeader
		if !errors.Is(err, ErrNotLeader) || !errors.As(err, &not) || not.LeaderID != "a" || not.LeaderAddr != "a:7947" {
			t.Fatalf("on a follower: %v", err)
		}
		start := time.Now()
		leader.kill()
		next := l.awaitLeader("b", "c")
		if d := time.Since(start); d > 1500*time.Millisecond {
			t.Errorf("the next leader took %v", d)
		}
		next.commit("batch-limit", "3")
		l.nodes["a"].start(false)
		l.nodes["a"].awaitOption("batch-limit", "3")
	})
}

func TestMinorityStopsAndComesBack(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		old := l.form("a", "b", "c")
		old.commit("batch-limit", "1")
		l.isolate("a")
		next := l.awaitLeader("b", "c")
		next.commit("batch-limit", "2")
		_, err := old.try(Command{Change: option("batch-limit", "3")})
		if err == nil || !errors.Is(err, ErrNotLeader) && !errors.Is(err, ErrUncertain) {
			t.Fatalf("a leader without its majority acknowledged: %v", err)
		}
		l.join("a")
		old.awaitOption("batch-limit", "2")
		next.commit("batch-limit", "4")
		old.awaitOption("batch-limit", "4")
	})
}

func TestPowerCutOfAll(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		leader := l.form("a", "b", "c")
		for i := range 20 {
			leader.commit("batch-limit", fmt.Sprint(i))
		}
		for _, id := range []string{"a", "b", "c"} {
			l.isolate(id)
		}
		l.stop()
		for _, id := range []string{"a", "b", "c"} {
			l.join(id)
		}
		for _, id := range []string{"a", "b", "c"} {
			l.nodes[id].start(false)
		}
		if got := l.awaitLeader("a", "b", "c").option("batch-limit"); got != "19" {
			t.Fatalf("after a power cut of all: %q", got)
		}
	})
}
