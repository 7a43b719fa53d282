package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"paceline/agent/cib"
)

var errNoSpace = errors.New("no space left on device")

// The caller learns that the disk failed, the node stops leading, the others go on, and it comes back by itself.
func TestFailedDiskOfTheLeader(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		var full atomic.Bool
		l.node("a").fault = func() error {
			if full.Load() {
				return errNoSpace
			}
			return nil
		}
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		full.Store(true)
		_, err := a.try(Command{Change: option("batch-limit", "2")})
		if !errors.Is(err, errNoSpace) {
			t.Fatalf("the caller got %v", err)
		}
		next := l.awaitLeader("b", "c")
		next.commit("batch-limit", "3")
		time.Sleep(5 * time.Second)
		if err := a.Health(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errNoSpace) {
			t.Fatalf("health: %v", err)
		}
		if _, err := a.try(Command{Change: option("batch-limit", "4")}); !errors.Is(err, ErrUnavailable) {
			t.Fatalf("while the disk is full: %v", err)
		}
		if a.leadership().Leader || a.option("batch-limit") == "2" {
			t.Fatal("the node lies")
		}
		full.Store(false)
		a.awaitOption("batch-limit", "3")
		mustNot(t, a.Health())
	})
}

// A disk that neither takes a write nor refuses it, as a lost path to a SAN does, must not leave the others with a leader
// that goes on sending heartbeats and commits nothing.
func TestStuckDiskOfTheLeader(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		var stuck atomic.Pointer[chan struct{}]
		l.node("a").fault = func() error {
			if wait := stuck.Load(); wait != nil {
				<-*wait
			}
			return nil
		}
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		back := make(chan struct{})
		stuck.Store(&back)
		if _, err := a.try(Command{Change: option("batch-limit", "2")}); !errors.Is(err, ErrUncertain) {
			t.Errorf("the caller got %v", err)
		}
		if next := l.findLeader("b", "c"); next == nil {
			t.Error("nobody else leads")
		} else if _, err := next.try(Command{Change: option("batch-limit", "3")}); err != nil {
			t.Error(err)
		}
		if a.leadership().Leader {
			t.Error("the node still takes itself for the leader")
		}
		if err := a.Health(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errStuck) {
			t.Errorf("health: %v", err)
		}
		stuck.Store(nil)
		close(back)
		if err := a.await("batch-limit", "3"); err != nil {
			t.Error(err)
		}
		if err := a.Health(); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedDiskOfTheOnlyVoter(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		var full atomic.Bool
		l.node("a").fault = func() error {
			if full.Load() {
				return errNoSpace
			}
			return nil
		}
		a := l.form("a")
		a.commit("batch-limit", "1")
		db := filepath.Join(a.dir, "raft.db")
		mustNot(t, os.Link(db, db+".before")) // or its number is given to the copy of a copy
		full.Store(true)
		if _, err := a.try(Command{Change: option("batch-limit", "2")}); !errors.Is(err, errNoSpace) {
			t.Fatalf("the caller got %v", err)
		}
		time.Sleep(time.Minute)
		full.Store(false)
		ctx, cancel := within(time.Minute)
		defer cancel()
		for lead := range a.leaders.subscribe(ctx) {
			if lead.Leader {
				break
			}
		}
		a.commit("batch-limit", "3")
		if a.Snapshot().Revision != 2 {
			t.Fatalf("%+v", a.Snapshot())
		}
		// What the kernel holds of a file that it could not write need not be on the disk: it must be written again.
		before, err := os.Stat(db + ".before")
		mustNot(t, err)
		after, err := os.Stat(db)
		mustNot(t, err)
		if os.SameFile(before, after) {
			t.Fatal("raft.db is still the file that could not be written")
		}
	})
}

// A power cut that loses what was written last: the file as it was at some point, for a minority.
func TestUnsyncedTailOfAFollower(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		l.nodes["b"].awaitOption("batch-limit", "1")
		b := l.nodes["b"]
		b.kill()
		db := filepath.Join(b.dir, "raft.db")
		copyFile(t, db, db+".old")
		b.start(false)
		for i := range 10 {
			a.commit("batch-limit", fmt.Sprint(2+i))
		}
		b.awaitOption("batch-limit", "11")
		b.kill()
		mustNot(t, os.Rename(db+".old", db))
		b.start(false)
		b.awaitOption("batch-limit", "11")
		a.kill()
		if got := l.awaitLeader("b", "c").option("batch-limit"); got != "11" {
			t.Fatalf("lost: %q", got)
		}
	})
}

// breakLog damages the newest n entries of a stopped node, as far as a snapshot has not replaced them.
func (n *node) breakLog(count uint64) {
	n.lab.t.Helper()
	damage(n.lab.t, filepath.Join(n.dir, "raft.db"), func(tx *bbolt.Tx) error {
		value, err := unseal(keyTail, tx.Bucket(bucketMeta).Get(keyTail))
		if err != nil {
			return err
		}
		end, err := decodeTail(value)
		if err != nil {
			return err
		}
		for i := max(end.first, end.last-min(count, end.last)+1); i != 0 && i <= end.last; i++ {
			if err := flip(bucketLog, indexKey(i))(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// Two of three hold the last entries, and the log of one of them is damaged. It must not help the third, which lacks
// them, to lead.
func TestDamagedLogDoesNotLoseACommit(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		b, c := l.nodes["b"], l.nodes["c"]
		a.commit("batch-limit", "1")
		c.awaitOption("batch-limit", "1")
		c.kill()
		a.commit("batch-limit", "2")
		b.awaitOption("batch-limit", "2")
		a.kill()
		b.kill()
		b.breakLog(2)
		b.start(false)
		c.start(false)
		if b.Health() == nil {
			t.Fatal("the damage does not show")
		}
		time.Sleep(20 * time.Second)
		if b.leadership().Leader || c.leadership().Leader {
			t.Fatal("a leader without the acknowledged entry")
		}
		a.start(false)
		leader := l.awaitLeader("a", "b", "c")
		b.awaitOption("batch-limit", "2")
		c.awaitOption("batch-limit", "2")
		leader.commit("batch-limit", "3")
		b.awaitOption("batch-limit", "3")
		mustNot(t, b.Health())
	})
}

// Nor may one that lost its log altogether, and does not know it.
func TestEmptiedVoterDoesNotVote(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		b, c := l.nodes["b"], l.nodes["c"]
		a.commit("batch-limit", "1")
		c.awaitOption("batch-limit", "1")
		c.kill()
		a.commit("batch-limit", "2")
		a.kill()
		b.kill()
		mustNot(t, os.RemoveAll(b.dir))
		b.start(false)
		c.start(false)
		time.Sleep(20 * time.Second)
		if c.leadership().Leader {
			t.Fatal("a leader without the acknowledged entry")
		}
		a.start(false)
		l.awaitLeader("a", "c").commit("batch-limit", "3")
		b.awaitOption("batch-limit", "3")
	})
}

func TestDamagedLogOfOneOfTwoIsMended(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b")
		a.commit("batch-limit", "1")
		a.commit("batch-limit", "2")
		l.nodes["b"].awaitOption("batch-limit", "2")
		l.nodes["b"].kill()
		a.kill()
		a.breakLog(3)
		a.start(false)
		l.nodes["b"].start(false)
		if got := l.awaitLeader("a", "b"); got.id != "b" {
			t.Fatalf("%s leads", got.id)
		}
		a.awaitOption("batch-limit", "2")
		l.nodes["b"].commit("batch-limit", "3")
		a.awaitOption("batch-limit", "3")
		mustNot(t, a.Health())
	})
}

func TestDamagedLogOfTheOnlyVoterWaitsForAPerson(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a")
		a.commit("batch-limit", "1")
		a.commit("batch-limit", "2")
		a.kill()
		a.breakLog(1)
		a.start(false)
		time.Sleep(20 * time.Second)
		if a.leadership().Leader {
			t.Fatal("it leads without its last entry")
		}
		t.Log(a.Health())
		mustNot(t, a.force())
		a.commit("batch-limit", "3")
		mustNot(t, a.Health())
	})
}

func (n *node) force() error {
	ctx, cancel := within(10 * time.Second)
	defer cancel()
	return n.ForceQuorum(ctx)
}

func TestForceQuorum(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		c := l.nodes["c"]
		for i := range 30 {
			a.commit("batch-limit", fmt.Sprint(i))
		}
		c.awaitOption("batch-limit", "29")
		a.kill()
		l.nodes["b"].kill()
		time.Sleep(3 * time.Second)
		if _, err := c.try(Command{Change: option("batch-limit", "x")}); !errors.Is(err, ErrNotLeader) {
			t.Fatal(err)
		}
		mustNot(t, c.force())
		if m := c.Members(); len(m) != 1 || m[0].ID != "c" {
			t.Fatalf("members: %+v", m)
		}
		if got := c.option("batch-limit"); got != "29" {
			t.Fatalf("lost: %q", got)
		}
		c.commit("batch-limit", "30")
		c.kill()
		c.start(false)
		l.awaitLeader("c").commit("batch-limit", "31")
		if len(c.History(0)) != 32 {
			t.Fatalf("%d commits in the history", len(c.History(0)))
		}
		a.start(false)
		mustNot(t, c.admit(a))
		a.awaitOption("batch-limit", "31")
	})
}

// A node that meets an entry of a newer version stops, says so, does not lead, and goes on after its upgrade.
func TestNewerEntryStopsApplying(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		l.nodes["b"].awaitOption("batch-limit", "1")
		err := a.operate(context.Background(), "test", func(r *run, bound time.Duration) error {
			return r.raft.Load().Apply([]byte(`{"v":2,"change":{}}`), bound).Error()
		})
		mustNot(t, err)
		if _, err := a.try(Command{Change: option("batch-limit", "2")}); !errors.Is(err, ErrHalted) && !errors.Is(err, ErrNotLeader) {
			t.Fatal(err) // not the leader, if it could hand over already
		}
		if err := a.Health(); !errors.Is(err, ErrHalted) {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		if a.leadership().Leader || a.option("batch-limit") != "1" {
			t.Fatal("it went on")
		}
	})
}

// After a step back to an older program the newest snapshot cannot be read, and the log does not reach back to the one
// before it: the person is told, and what is there stays.
func TestSnapshotOfANewerVersionIsNotPassedOver(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a")
		for range snapshotsKept {
			var wg sync.WaitGroup
			for i := range int(Compact.Keep) + 10 {
				wg.Go(func() {
					if _, err := a.try(Command{Change: option(fmt.Sprint("site-", i%7), fmt.Sprint(i))}); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
			mustNot(t, a.run.raft.Load().Snapshot().Error())
		}
		a.stop()
		list, err := filepath.Glob(filepath.Join(a.dir, "snapshots", "*-*-*"))
		if err != nil || len(list) != snapshotsKept {
			t.Fatal(list, err)
		}
		slices.SortFunc(list, func(x, y string) int { return len(x) - len(y) + strings.Compare(x, y) })
		rewriteSnapshot(t, list[len(list)-1], `{"v":2}`)
		for range 2 {
			if err := a.tryStart(false); err == nil || !strings.Contains(err.Error(), "version 2") || !strings.Contains(err.Error(), "upgrade") {
				t.Fatalf("opened: %v", err)
			}
		}
	})
}

// rewriteSnapshot puts other content into a snapshot, with a description that fits.
func rewriteSnapshot(t *testing.T, dir, content string) {
	t.Helper()
	path := filepath.Join(dir, "meta.json")
	data, err := os.ReadFile(path)
	mustNot(t, err)
	var meta map[string]any
	mustNot(t, json.Unmarshal(data, &meta))
	sum := crc64.New(crc64.MakeTable(crc64.ECMA))
	sum.Write([]byte(content))
	meta["CRC"], meta["Size"] = sum.Sum(nil), len(content)
	data, err = json.Marshal(meta)
	mustNot(t, err)
	mustNot(t, os.WriteFile(path, data, 0o600))
	mustNot(t, os.WriteFile(filepath.Join(dir, "state.bin"), []byte(content), 0o600))
}

func TestRefusedChangeChangesNothingAnywhere(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		refuse := errors.New("refused")
		for _, id := range []string{"a", "b", "c"} {
			l.node(id).apply = func(c *cib.CIB, ch cib.Change) (*cib.CIB, error) {
				if ch.DropNode != nil {
					return nil, refuse
				}
				return cib.Apply(c, ch)
			}
		}
		a := l.form("a", "b", "c")
		a.commit("batch-limit", "1")
		if _, err := a.try(Command{Change: cib.Change{DropNode: &cib.DropNode{Uname: "x"}}}); !errors.Is(err, refuse) {
			t.Fatal(err)
		}
		if got := a.commit("batch-limit", "2"); got.Revision != 2 || got.ConfigRevision != 2 {
			t.Fatalf("%+v", got)
		}
		l.nodes["c"].awaitOption("batch-limit", "2")
		if s := l.nodes["c"].Snapshot(); s.Revision != 2 {
			t.Fatalf("%+v", s)
		}
		_, err := a.try(Command{Change: option("batch-limit", "3"), BaseRevision: 1})
		if c := (*Conflict)(nil); !errors.As(err, &c) || c.Have != 2 || c.Want != 1 {
			t.Fatal(err)
		}
	})
}
