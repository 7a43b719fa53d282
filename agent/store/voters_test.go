package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
)

func TestMemberComesBackWithAnotherAddress(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		c := l.nodes["c"]
		c.kill()
		c.addr = "c-moved:7947"
		c.start(false)
		a.commit("batch-limit", "1")
		mustNot(t, a.admit(c))
		c.awaitOption("batch-limit", "1")
		if m, _ := member(a.Members(), "c"); m != (Voter{ID: "c", Addr: "c-moved:7947", Votes: true}) {
			t.Fatalf("%+v", m)
		}
		// And the leader itself: the voter set follows when it leads again.
		a.kill()
		a.addr = "a-moved:7947"
		now := l.awaitLeader("b", "c")
		a.start(false)
		mustNot(t, now.admit(a))
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		mustNot(t, now.TransferLeadership(ctx, "a"))
		if l.awaitLeader("a") != a {
			t.Fatal("not transferred")
		}
		a.commit("batch-limit", "2")
	})
}

// A node that becomes a voter is told so once it knows it to be committed, not at its next look.
func TestGroupsTellOfACommittedChange(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		c := l.node("c").start(false)
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		groups := c.Groups(ctx)
		mustNot(t, a.admit(c))
		synctest.Wait()
		for told := uint64(0); ; {
			select {
			case index, ok := <-groups:
				if !ok || index <= told {
					t.Fatalf("told of %d after %d (open: %t)", index, told, ok)
				}
				told = index
				if m, committed := c.Group(); committed && len(m) == 3 && m[2] == (Voter{ID: "c", Addr: c.addr, Votes: true}) {
					return
				}
			default:
				m, committed := c.Group()
				t.Fatalf("not told: %+v, committed %t", m, committed)
			}
		}
	})
}

// All addresses changed at once: no leader could correct the voter set, but the resolver knows them.
func TestResolverFindsMovedVoters(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		l.stop()
		for _, id := range []string{"a", "b", "c"} {
			n := l.nodes[id]
			n.addr = id + "-moved:7947"
			cfg := n.config(false)
			cfg.Resolve = func(id string) []string { return []string{l.nodes[id].addr} }
			s, err := Open(cfg)
			mustNot(t, err)
			n.Store = s
		}
		leader := l.awaitLeader("a", "b", "c")
		leader.commit("batch-limit", "2")
		time.Sleep(5 * time.Second)
		if m, _ := member(leader.Members(), leader.id); m.Addr != leader.addr {
			t.Fatalf("the leader's own address is still %s", m.Addr)
		}
	})
}

func TestRemoveAndReturn(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		c := l.nodes["c"]
		ctx, cancel := within(10 * time.Second)
		defer cancel()
		mustNot(t, a.Remove(ctx, "c"))
		a.commit("batch-limit", "1")
		time.Sleep(5 * time.Second)
		if a.leadership() != (Leadership{Leader: true, Term: a.leadership().Term, LeaderID: "a", LeaderAddr: "a:7947"}) {
			t.Fatal("the removed voter disturbs")
		}
		mustNot(t, c.Health()) // it runs on, and waits
		mustNot(t, a.admit(c))
		c.awaitOption("batch-limit", "1")
		// The leader removes itself: in good order, another one leads.
		mustNot(t, a.Remove(ctx, "a"))
		l.awaitLeader("b", "c").commit("batch-limit", "2")
	})
}

func TestNothingHangs(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		l.isolate("a")
		start := time.Now()
		ctx, cancel := within(20 * time.Millisecond)
		defer cancel()
		_, err := a.Apply(ctx, Command{Change: option("batch-limit", "1")})
		if !errors.Is(err, ErrUncertain) || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 25*time.Millisecond {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		l.join("a")
		leader := l.awaitLeader("a", "b", "c")
		ctx, cancel = within(time.Second)
		defer cancel()
		if err := leader.Admit(ctx, "ghost", "nowhere:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if m, ok := member(leader.Members(), "ghost"); ok {
			t.Fatalf("it was not let go: %+v", m)
		}
		leader.commit("batch-limit", "2")
		ctx, cancel = context.WithCancel(context.Background())
		cancel()
		if err := leader.Barrier(ctx); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		ctx, cancel = within(5 * time.Second)
		defer cancel()
		if err := leader.TransferLeadership(ctx, "ghost"); err == nil {
			t.Fatal("transferred to a node without a vote")
		}
	})
}

func TestClosedStoreAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a")
		watch, lead := a.Watch(context.Background()), a.Leader()
		s := a.Store
		a.stop()
		mustNot(t, s.Close())
		for range watch {
		}
		for range lead {
		}
		ctx := context.Background()
		_, err := s.Apply(ctx, Command{Change: option("batch-limit", "1")})
		for _, err := range []error{err, s.Barrier(ctx), s.Admit(ctx, "b", "b"), s.Takeover(ctx, "b", 0), s.ForceQuorum(ctx), s.Health()} {
			if !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
		}
		if _, ok := <-s.Watch(ctx); ok {
			t.Error("a watch on a closed store")
		}
		s.Snapshot()
		s.Members()
	})
}

func TestWatchHoldsTheNewest(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a")
		ctx, cancel := context.WithCancel(context.Background())
		watch := a.Watch(ctx)
		for i := range 50 {
			a.commit("batch-limit", fmt.Sprint(i))
		}
		if s := <-watch; s.Revision != 50 {
			t.Fatalf("revision %d", s.Revision)
		}
		cancel()
		time.Sleep(time.Second)
		a.commit("batch-limit", "x")
		if s, ok := <-watch; ok {
			t.Fatalf("after its end: %+v", s)
		}
	})
}

func TestHistoryOfTheCluster(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		for i := range 3 {
			_, err := a.try(Command{Change: option("batch-limit", fmt.Sprint(i)), User: "eve", Message: fmt.Sprint("nr ", i)})
			mustNot(t, err)
		}
		old, err := a.At(2)
		mustNot(t, err)
		_, err = a.try(Command{Change: cib.Change{Configure: &cib.Configure{Configuration: *old}}, User: "adam", Message: "roll back to 2"})
		mustNot(t, err)
		b := l.nodes["b"]
		a.commit("site", "end")
		b.awaitOption("site", "end")
		list := b.History(3)[1:]
		if len(list) != 2 || list[0].User != "adam" || list[0].Revision != 4 || list[1].Message != "nr 2" {
			t.Fatalf("%+v", list)
		}
		if d := fmt.Sprint(list[0].Differences()); !strings.Contains(d, "batch-limit") {
			t.Fatal(d)
		}
		if _, err := b.At(9); !errors.Is(err, ErrUnknownRevision) {
			t.Fatal(err)
		}
	})
}

func TestHaltedNodeDoesNotLead(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		l.nodes["b"].awaitOption("batch-limit", "1")
		l.nodes["b"].run.fsm.halt(&versionError{"from the future"})
		a.run.fsm.halt(&versionError{"from the future"})
		if got := l.awaitLeader("c"); got.id != "c" {
			t.Fatal(got.id)
		}
		l.nodes["c"].commit("batch-limit", "2")
	})
}

// A node that lags more than the log reaches back gets a snapshot, and ends in the same state, to the byte.
func TestSnapshotBringsANodeUp(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a")
		var wg sync.WaitGroup
		for i := range int(Compact.Keep) + 200 {
			wg.Go(func() {
				if _, err := a.try(Command{Change: option(fmt.Sprint("site-", i%7), fmt.Sprint(i))}); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		a.commit("batch-limit", "1")
		mustNot(t, a.run.raft.Load().Snapshot().Error())
		if first, _ := a.run.disk.FirstIndex(); first < 100 {
			t.Fatalf("the log begins at %d", first)
		}
		b := l.node("b").start(false)
		mustNot(t, a.admit(b))
		a.commit("batch-limit", "2")
		b.awaitOption("batch-limit", "2")
		one, err := a.state.Load().encode()
		mustNot(t, err)
		other, err := b.state.Load().encode()
		mustNot(t, err)
		if !bytes.Equal(one, other) {
			t.Fatalf("%d and %d bytes differ", len(one), len(other))
		}

		b.kill()
		dirs, err := filepath.Glob(filepath.Join(b.dir, "snapshots", "*-*-*", "state.bin"))
		if err != nil || len(dirs) == 0 {
			t.Fatal(dirs, err)
		}
		for _, d := range dirs {
			mustNot(t, os.WriteFile(d, []byte("broken"), 0o600))
		}
		mustNot(t, os.MkdirAll(filepath.Join(b.dir, "snapshots", "9-9-9.tmp"), 0o700))
		b.start(false)
		b.awaitOption("batch-limit", "2")
		l.awaitLeader("a").commit("batch-limit", "3")
		b.awaitOption("batch-limit", "3")
		mustNot(t, b.Health())
	})
}

func TestConfigIsValidated(t *testing.T) {
	layer := newNetwork().layer("x")
	good := Config{ID: "x", Dir: t.TempDir(), Stream: layer}
	for name, change := range map[string]func(*Config){
		"id":        func(c *Config) { c.ID = "" },
		"dir":       func(c *Config) { c.Dir = "" },
		"stream":    func(c *Config) { c.Stream = nil },
		"heartbeat": func(c *Config) { c.Timings = LAN; c.Timings.Heartbeat = time.Millisecond },
		"election":  func(c *Config) { c.Timings = LAN; c.Timings.Election = LAN.Heartbeat / 2 },
		"lease":     func(c *Config) { c.Timings = LAN; c.Timings.Lease = LAN.Heartbeat },
		"commit":    func(c *Config) { c.Timings = LAN; c.Timings.Commit = time.Second },
		"rpc":       func(c *Config) { c.Timings = LAN; c.Timings.RPC = time.Minute },
	} {
		c := good
		change(&c)
		if _, err := Open(c); err == nil || !strings.Contains(err.Error(), name) && name != "id" && name != "dir" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"", "lan", "fast", "wan"} {
		p, err := Profile(name)
		if err = errors.Join(err, p.Validate()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Profile("moon"); err == nil {
		t.Error("an unknown profile")
	}
}
