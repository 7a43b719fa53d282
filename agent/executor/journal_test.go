package executor

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
)

// disk is a disk that can be full, or fail to sync.
type disk struct {
	mu     sync.Mutex
	full   bool
	broken bool // syncs fail
	// Of the newest file:
	written int
	synced  int
}

type weakFile struct {
	journalFile
	d *disk
}

func (d *disk) open(path string) (journalFile, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.full && !strings.HasSuffix(path, JournalName) {
		return nil, syscall.ENOSPC
	}
	f, err := openDisk(path)
	return &weakFile{f, d}, err
}

func (f *weakFile) Write(p []byte) (int, error) {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.full {
		n, _ := f.journalFile.Write(p[:len(p)/2])
		return n, syscall.ENOSPC
	}
	n, err := f.journalFile.Write(p)
	f.d.written += n
	return n, err
}

func (f *weakFile) Datasync() error {
	f.d.mu.Lock()
	defer f.d.mu.Unlock()
	if f.d.broken {
		return syscall.EIO
	}
	f.d.synced = f.d.written
	return f.journalFile.Datasync()
}

func (d *disk) set(full, broken bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.full, d.broken = full, broken
}

func TestFullDiskStopsAllButStops(t *testing.T) {
	for _, fault := range []string{"full", "broken"} {
		t.Run(fault, func(t *testing.T) {
			bubble(t, func(t *testing.T, dir string, a *agents) {
				d := &disk{}
				cfg := config(dir, a)
				cfg.openFile = d.open
				e := start(t, cfg)
				c := dial(t, e, hello(1))
				c.do(action("a", resources.Start))
				c.do(action("b", resources.Start))
				synctest.Wait()
				d.set(fault == "full", false)
				if err := c.s.SetPolicy(hello(1).Policy); err != nil { // half a line, and room again
					t.Error(err)
				}
				synctest.Wait()
				d.set(false, false)
				c.do(action("c", resources.Notify))
				if _, err := ReadJournal(filepath.Join(dir, JournalName)); err != nil {
					t.Error(err)
				}
				d.set(fault == "full", fault == "broken")
				r := c.do(action("c", resources.Start))
				if r.Status != cib.OpError || !strings.Contains(r.ExitReason, "truth journal") {
					t.Errorf("start: %+v", r)
				}
				if r := c.do(action("a", resources.Stop)); r.RC != 0 || r.Status != cib.OpDone || !strings.Contains(r.ExitReason, "journal") {
					t.Errorf("stop: %+v", r)
				}
				if got := a.ran(resources.Start); len(got) != 2 {
					t.Errorf("started %v", got)
				}
				d.set(false, false)
				if r := c.do(action("c", resources.Start)); r.RC != 0 {
					t.Errorf("start with room again: %+v", r)
				}
				c.close()
				stopExecutor(t, e)
				entries, err := ReadJournal(filepath.Join(dir, JournalName))
				if err != nil {
					t.Fatal(err)
				}
				if _, err := ReadJournals(dir); err != nil {
					t.Errorf("half a line was left: %v", err)
				}
				var names []string
				for _, x := range ActiveSet(entries) {
					names = append(names, x.Resource)
				}
				// a is gone although the file never got its stop: the next file told it.
				if strings.Join(names, " ") != "b c" {
					t.Errorf("active: %v", names)
				}
			})
		})
	}
}

func TestTornTailIsCut(t *testing.T) {
	for _, torn := range []string{`{"kind":"begin","resour`, "{\n", "\x00\x00\x00\x00", "garbage\n\x00\n"} {
		bubble(t, func(t *testing.T, dir string, a *agents) {
			e := start(t, config(dir, a))
			c := dial(t, e, hello(4))
			c.do(action("a", resources.Start))
			c.close()
			stopExecutor(t, e)
			path := filepath.Join(dir, JournalName)
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprint(f, torn)
			f.Close()
			e = start(t, config(dir, a))
			if inv := e.Inventory(); len(inv) != 1 {
				t.Errorf("inventory: %+v", inv)
			}
			c = dial(t, e, hello(5))
			c.do(action("b", resources.Start))
			c.close()
			stopExecutor(t, e)
			entries, err := ReadJournal(path)
			if err != nil {
				t.Errorf("%q: %v", torn, err)
			}
			if s := Fold(entries); len(s.Active) != 2 || s.Term != 5 {
				t.Errorf("%q: %+v", torn, s)
			}
		})
	}
}

func TestDamagedLineInTheMiddle(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		c := dial(t, e, hello(4))
		c.do(action("a", resources.Start))
		c.close()
		stopExecutor(t, e)
		path := filepath.Join(dir, JournalName)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(b), "\n")
		lines[1] = strings.Repeat("x", 10) + "\n"
		if err := os.WriteFile(path, []byte(strings.Join(lines, "")), 0o600); err != nil {
			t.Fatal(err)
		}
		var damage *DamageError
		if _, err := ReadJournal(path); !errors.As(err, &damage) || damage.Lines[0] != 2 {
			t.Errorf("%v", err)
		}
		e = start(t, config(dir, a)) // what can be read counts
		if inv := e.Inventory(); len(inv) != 1 {
			t.Errorf("inventory: %+v", inv)
		}
		stopExecutor(t, e)
	})
}

func TestRotationKeepsWhatIsNeeded(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		e.j.maxBytes = 20_000 // before anything is written by this test: the writer waits
		c := dial(t, e, hello(3))
		c.do(action("a", resources.Start))
		c.do(recurring("a", time.Minute))
		a.slow("slow/start", 10*time.Minute)
		x := action("slow", resources.Start)
		x.TimeoutMS = 3_600_000
		c.send(x)
		c.send(action("unacked", resources.Start))
		c.result()
		for range 100 {
			c.do(action("b", resources.Start))
			c.do(action("b", resources.Stop))
		}
		synctest.Wait()
		var before State
		e.j.view(func(s *State) { before = s.clone() })
		c.close()
		// As after a crash: read what is there, while the start still runs.
		entries, err := ReadJournal(filepath.Join(dir, JournalName))
		if err != nil {
			t.Fatal(err)
		}
		if entries[0].Kind != KindCheckpoint {
			t.Errorf("the file begins with %+v", entries[0])
		}
		s := Fold(entries)
		if len(s.Active) != 3 || len(s.Recurring) != 1 || len(s.Open) != 1 || len(s.Unacked) != 1 || s.Term != 3 || s.CallID != before.CallID {
			t.Errorf("active %d, recurring %d, open %d, unacked %d, term %d, call %d, want call %d", len(s.Active), len(s.Recurring),
				len(s.Open), len(s.Unacked), s.Term, s.CallID, before.CallID)
		}
		names, _ := filepath.Glob(filepath.Join(dir, "*"))
		if len(names) > JournalsKept+1 {
			t.Errorf("files: %v", names)
		}
		for _, n := range names {
			if st, err := os.Stat(n); err != nil || st.Size() > 21_000 || st.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v %v", n, st, err)
			}
		}
		all, err := ReadJournals(dir)
		if err != nil || len(all) <= len(entries) {
			t.Errorf("%d lines in all files, %d in the newest, %v", len(all), len(entries), err)
		}
		for i := 1; i < len(all); i++ {
			if all[i].Kind != KindAck && all[i].Seq <= all[i-1].Seq && all[i-1].Kind != KindAck {
				t.Errorf("line %d has number %d after %d", i, all[i].Seq, all[i-1].Seq)
			}
		}
		stopExecutor(t, e)
	})
}

// The name may lead to the new file although the disk did not say so: what is written then must not go into the old one alone.
func TestLinesAreNotLostInAFileThatWasReplaced(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		e := start(t, config(dir, a))
		e.j.maxBytes = 20_000 // before anything is written by this test: the writer waits
		e.j.syncDir = func(string) error { return syscall.EIO }
		a.onRun = func(req resources.Request) {
			entries, err := ReadJournal(filepath.Join(dir, JournalName))
			if err != nil {
				t.Error(err)
			}
			if active := ActiveSet(entries); len(active) == 0 || active[len(active)-1].Resource != req.Resource {
				t.Errorf("%s is being started, and the journal does not know it", req.Resource)
			}
		}
		c := dial(t, e, hello(3))
		for i := range 100 {
			c.do(action(fmt.Sprint("r", i), resources.Start))
		}
		if n := len(a.ran(resources.Start)); n == 0 || n == 100 {
			t.Errorf("%d of 100 were started: the journal was never rotated, or the disk believed", n)
		}
		c.close()
		stopExecutor(t, e)
	})
}

func TestOutboxKeepsTheNewestOfEach(t *testing.T) {
	var s State
	for i := range int64(3 * OutboxMax) {
		r := "flapping"
		if i < 10 {
			r = fmt.Sprint("single", i)
		}
		x := blankResult(r, i+1)
		s.Apply(Entry{Kind: KindEnd, Resource: r, Operation: resources.Monitor, IntervalMS: 1000, CallID: i + 1, Result: &x})
	}
	if len(s.Unacked) != OutboxMax {
		t.Fatalf("%d results are kept", len(s.Unacked))
	}
	if s.Unacked[9].Resource != "single9" || s.Unacked[OutboxMax-1].CallID != 3*OutboxMax {
		t.Errorf("%+v ... %+v", s.Unacked[9], s.Unacked[OutboxMax-1])
	}
}

// BenchmarkBegin measures what the truth journal costs an operation: a line on the disk.
func BenchmarkBegin(b *testing.B) {
	for _, parallel := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel-%d", parallel), func(b *testing.B) {
			c := config(b.TempDir(), newAgents())
			e, err := New(c)
			if err != nil {
				b.Fatal(err)
			}
			x := action("a", resources.Start)
			b.SetParallelism(parallel)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := e.j.append(Entry{Kind: KindRefused, Action: x}, true, time.Minute); err != nil {
						b.Error(err)
					}
				}
			})
			if err := e.Close(b.Context()); err != nil {
				b.Error(err)
			}
		})
	}
}

// TestJournalIsWrittenBeforeItMatters looks at the file at the two moments that count: when an agent begins (the begin of what
// changes something is there, and synced), and when a result arrives (its end is there).
func TestJournalIsWrittenBeforeItMatters(t *testing.T) {
	bubble(t, func(t *testing.T, dir string, a *agents) {
		d := &disk{}
		cfg := config(dir, a)
		cfg.openFile = d.open
		path := filepath.Join(dir, JournalName)
		has := func(k Kind, resource, operation string, synced bool) bool {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Error(err)
			}
			d.mu.Lock()
			if synced {
				b = b[:d.synced]
			}
			d.mu.Unlock()
			entries, _, _, _ := decodeJournal(strings.NewReader(string(b)))
			for _, e := range entries {
				if e.Kind == k && e.Resource == resource && e.Operation == operation {
					return true
				}
			}
			return false
		}
		a.onRun = func(req resources.Request) {
			if !has(KindBegin, req.Resource, req.Operation, changes(req.Operation)) {
				t.Errorf("%s of %s runs and its begin is not on the disk", req.Operation, req.Resource)
			}
		}
		e := start(t, cfg)
		c := dial(t, e, hello(1))
		for _, op := range []string{resources.Monitor, resources.Start, resources.Promote, resources.Notify, resources.Demote, resources.Stop} {
			c.do(action("a", op))
			if !has(KindEnd, "a", op, false) {
				t.Errorf("the result of %s is here and its end is not in the journal", op)
			}
		}
		time.Sleep(syncIdle + time.Millisecond)
		if !has(KindEnd, "a", resources.Stop, true) {
			t.Error("ends are never synced")
		}
		c.close()
		stopExecutor(t, e)
	})
}

// BenchmarkOrder is what the way costs: an order to a node, two journal lines, one of them synced, and the result back.
func BenchmarkOrder(b *testing.B) {
	a := newAgents()
	e, err := New(config(b.TempDir(), a))
	if err != nil {
		b.Fatal(err)
	}
	here, there := net.Pipe()
	served := make(chan error)
	go func() { served <- e.Serve(b.Context(), there) }()
	s, _, err := Dial(b.Context(), here, hello(1))
	if err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		n++
		if err := s.Send(transition.Order{Numbers: transition.Numbers{Term: 1, Action: n}, Action: action("a", resources.Start)}); err != nil {
			b.Fatal(err)
		}
		ev := <-s.Events()
		if ev.Result == nil || ev.Result.RC != 0 {
			b.Fatal(ev)
		}
		s.Ack(ev.Result.CallID)
	}
	s.Close()
	<-served
	if err := e.Close(b.Context()); err != nil {
		b.Error(err)
	}
}
