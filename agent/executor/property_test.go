package executor

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/transition"
	"paceline/resources"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

// step is one thing that happens to a node in the property test.
type step struct {
	What     string // order, cut, session, restart, reboot, pause, fail, wait
	Resource string
	Op       string
	Interval time.Duration
	Wait     time.Duration // after it
}

func genSteps() *rapid.Generator[[]step] {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			What:     rapid.SampledFrom([]string{"order", "order", "order", "order", "order", "cut", "session", "restart", "reboot", "pause", "event"}).Draw(t, "what"),
			Resource: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "resource"),
			Op: rapid.SampledFrom([]string{resources.Start, resources.Stop, resources.Monitor, resources.Monitor, resources.Promote,
				resources.Demote, opCancel, opDelete, resources.Notify}).Draw(t, "op"),
			Interval: rapid.SampledFrom([]time.Duration{0, 0, 70 * time.Millisecond, time.Second}).Draw(t, "interval"),
			Wait:     rapid.SampledFrom([]time.Duration{0, 0, time.Millisecond, 30 * time.Millisecond, 333 * time.Millisecond, 3 * time.Second}).Draw(t, "wait"),
		}
	})
	return rapid.SliceOfN(one, 1, 60)
}

// TestAnythingLeavesTheRulesStanding runs random schedules of orders, lost sessions, restarts, reboots and pauses, and then
// asks the agents and the journal: one operation at a time per resource; each call number tells one result; all orders that
// the journal knows to have begun have ended; what the journal says to be active is what is.
func TestAnythingLeavesTheRulesStanding(t *testing.T) {
	n := 0
	rapid.Check(t, func(rt *rapid.T) {
		steps := genSteps().Draw(rt, "steps")
		dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
		n++
		var err error
		synctest.Test(t, func(t *testing.T) { err = play(t, dir, steps) })
		if err != nil {
			rt.Fatal(err)
		}
	})
}

// player drives one node through the steps.
type player struct {
	t       *testing.T
	a       *agents
	dir     string
	e       *Executor
	c       *coordinator
	readers sync.WaitGroup
	term    uint64
	starts  int

	mu   sync.Mutex
	told map[int64]transition.Result
	err  error
}

func (p *player) boot(boot int) {
	p.starts++
	cfg := config(p.dir, p.a)
	cfg.Incarnation, cfg.Boot = fmt.Sprint("inc", p.starts), fmt.Sprint("boot", boot)
	p.e = start(p.t, cfg)
}

func (p *player) session() {
	p.term++
	c, err := connect(p.t, p.e, hello(p.term))
	if err != nil {
		p.t.Fatal(err)
	}
	p.c = c
	p.readers.Go(func() {
		for ev := range c.s.Events() {
			if ev.Result == nil {
				continue
			}
			p.mu.Lock()
			if was, ok := p.told[ev.Result.CallID]; ok && was != *ev.Result {
				p.err = fmt.Errorf("call %d told two results: %+v and %+v", ev.Result.CallID, was, *ev.Result)
			}
			p.told[ev.Result.CallID] = *ev.Result
			p.mu.Unlock()
			if ev.Result.CallID%3 > 0 {
				c.s.Ack(ev.Result.CallID)
			}
		}
	})
}

func (p *player) hangUp() {
	if p.c != nil {
		p.c.s.Close()
		<-p.c.served
		p.c = nil
	}
}

func play(t *testing.T, dir string, steps []step) error {
	a := newAgents()
	p := &player{t: t, a: a, dir: dir, told: map[int64]transition.Result{}}
	for i, r := range []string{"a", "b", "c"} {
		for j, op := range []string{resources.Start, resources.Stop, resources.Promote, resources.Monitor} {
			a.slow(r+"/"+op, time.Duration(i*j)*17*time.Millisecond)
		}
	}
	boot := 1
	p.boot(boot)
	p.session()
	for _, s := range steps {
		switch s.What {
		case "order":
			if p.c == nil {
				break
			}
			x := action(s.Resource, s.Op)
			x.TimeoutMS = 400
			if s.Op == resources.Monitor || s.Op == opCancel {
				x.IntervalMS = s.Interval.Milliseconds()
			}
			p.c.next++
			x.ID = p.c.next
			p.c.s.Send(transition.Order{Numbers: transition.Numbers{Term: p.term, Graph: 1, Action: x.ID}, Action: x})
		case "cut":
			p.hangUp()
		case "session":
			p.hangUp()
			p.session()
		case "restart", "reboot":
			p.hangUp()
			stopExecutor(t, p.e)
			if s.What == "reboot" {
				boot++
				a.mu.Lock()
				clear(a.state)
				a.mu.Unlock()
			}
			p.boot(boot)
		case "pause":
			pause(p.e, 2*lease)
		case "event":
			a.set(s.Resource, 7, true)
			a.mu.Lock()
			delete(a.state, s.Resource)
			a.mu.Unlock()
		}
		time.Sleep(s.Wait)
	}
	p.hangUp()
	p.session()
	time.Sleep(5 * time.Second)
	p.hangUp()
	p.readers.Wait()
	stopExecutor(t, p.e)
	return p.judge()
}

func (p *player) judge() error {
	if len(p.a.overlaps) > 0 {
		return fmt.Errorf("agents ran at once: %v", p.a.overlaps)
	}
	entries, err := ReadJournals(p.dir)
	if err != nil {
		return err
	}
	runs := Runs(entries)
	if o := overlaps(runs); len(o) > 0 {
		return fmt.Errorf("the journal tells of operations at once: %v", o)
	}
	for _, r := range runs {
		if r.EndMS < 0 {
			return fmt.Errorf("it never ended: %+v", r)
		}
	}
	s := Fold(entries)
	active := map[string]bool{}
	for _, x := range s.Active {
		active[x.Resource] = true
	}
	deleted := map[string]bool{}
	for _, e := range entries {
		if e.Kind == KindForget && e.Operation == "" {
			deleted[e.Resource] = true // the coordinator said that nobody is to care for it
		}
	}
	for r := range p.a.state {
		if !active[r] && !deleted[r] {
			return fmt.Errorf("%s is active, and the journal does not know", r)
		}
	}
	return p.err
}

func TestOverlapsAreSeen(t *testing.T) {
	begin := func(call int64, r string, at int64) Entry {
		return Entry{Kind: KindBegin, CallID: call, Resource: r, Operation: "start", MonoMS: at}
	}
	end := func(call int64, r string, began, at int64) Entry {
		x := blankResult(r, call)
		return Entry{Kind: KindEnd, CallID: call, Resource: r, Operation: "monitor", BeganMS: began, MonoMS: at, Result: &x}
	}
	for _, c := range []struct {
		lines []Entry
		want  int
	}{
		{[]Entry{begin(1, "a", 10), end(1, "a", 10, 20), begin(2, "a", 20), end(2, "a", 20, 30)}, 0},
		{[]Entry{begin(1, "a", 10), begin(2, "b", 11), end(1, "a", 10, 20), end(2, "b", 11, 30)}, 0},
		{[]Entry{begin(1, "a", 10), begin(2, "a", 15), end(1, "a", 10, 20), end(2, "a", 15, 30)}, 1},
		{[]Entry{begin(1, "a", 10), end(1, "a", 10, 20), end(2, "a", 15, 30)}, 1}, // a recurring monitor
		{[]Entry{begin(1, "a", 10), begin(2, "a", 15), end(2, "a", 15, 30)}, 1},   // the first never ended
		{[]Entry{begin(1, "a", 10), {Kind: KindBoot}, begin(2, "a", 15), end(2, "a", 15, 30)}, 0},
	} {
		if got := overlaps(Runs(c.lines)); len(got) != c.want {
			t.Errorf("%+v: %v, want %d", c.lines, got, c.want)
		}
	}
}

// overlaps names pairs of runs of one resource that were going on at once. There must never be one.
func overlaps(runs []Run) []string {
	var out []string
	last := map[string]Run{}
	for _, r := range runs {
		if p, ok := last[r.Resource]; ok && (p.EndMS < 0 || r.BeginMS < p.EndMS) && r.EndMS != r.BeginMS {
			out = append(out, fmt.Sprintf("%s of %s (call %d) began at %d ms while %s (call %d) ran until %d ms",
				r.Operation, r.Resource, r.CallID, r.BeginMS, p.Operation, p.CallID, p.EndMS))
		}
		if p, ok := last[r.Resource]; !ok || p.EndMS >= 0 && r.EndMS >= p.EndMS || r.EndMS < 0 {
			last[r.Resource] = r
		}
	}
	return out
}

func FuzzDecode(f *testing.F) {
	for t, fresh := range messages {
		line, err := Encode(fresh())
		if err != nil {
			f.Fatal(t, err)
		}
		f.Add(line)
	}
	line, _ := Encode(&transition.Order{Action: action("a", "start")})
	f.Add(line)
	f.Add([]byte(`{"type":"future","body":{}}`))
	f.Add([]byte(`{"type":"order","body":null}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		m, err := Decode(line)
		if err != nil {
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("a message that was read can not be written: %v", err)
		}
		n, err := Decode(again)
		if err != nil {
			t.Fatalf("it can not be read again: %v", err)
		}
		if third, _ := Encode(n); !bytes.Equal(again, third) {
			t.Fatalf("%s became %s", again, third)
		}
	})
}

func FuzzJournal(f *testing.F) {
	seed, err := os.ReadFile("testdata/journal.jsonl")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Add(seed[:len(seed)-20])
	f.Add([]byte(`{"kind":"checkpoint","state":{"active":[{"resource":"a"}],"recurring":[{}],"open":[{}]}}` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		entries, good, _, err := decodeJournal(bytes.NewReader(b))
		if err != nil {
			return // a line longer than any of ours
		}
		if good > int64(len(b)) {
			t.Fatalf("the last whole line ends at %d of %d bytes", good, len(b))
		}
		s := Fold(entries)
		for _, a := range s.Active {
			if a.Action == nil {
				t.Fatal("active, but nobody knows what")
			}
		}
		overlaps(Runs(entries))
		c := s.clone()
		c.Apply(Entry{Kind: KindBoot})
		if len(c.Active) != 0 {
			t.Fatal("something survived a reboot")
		}
		cut, _, bad, err := decodeJournal(bytes.NewReader(b[:good]))
		if err != nil || len(cut) != len(entries) {
			t.Fatalf("cut at the last whole line: %d lines of %d, damaged %v, %v", len(cut), len(entries), bad, err)
		}
	})
}
