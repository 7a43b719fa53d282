package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/agent/transition"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

func TestMain(m *testing.M) {
	lab.Main()
	lab.Enter()
	os.Exit(m.Run())
}

var five = []string{"node1", "node2", "node3", "node4", "node5"}

// The same seed draws the same rounds, another one others, and every kind of fault is drawn.
func TestDraw(t *testing.T) {
	drawn := map[Kind]bool{}
	differ := false
	for n := range 2000 {
		a, b := Draw(7, n, five, 1), Draw(7, n, five, 1)
		if a.String() != b.String() {
			t.Fatalf("twice round %d of one seed:\n%v\n%v", n, a, b)
		}
		differ = differ || a.String() != Draw(8, n, five, 1).String()
		if len(a.Faults) == 0 || len(a.Faults) > 3 {
			t.Errorf("%v: %d faults", a, len(a.Faults))
		}
		for i, f := range a.Faults {
			drawn[f.Kind] = true
			for _, k := range kinds {
				if k.kind == f.Kind && k.whole && len(a.Faults) != 1 {
					t.Errorf("%v: fault %d concerns all, and is not alone", a, i)
				}
			}
			if f.For < 0 || f.For > 60*time.Second {
				t.Errorf("%v: for %v", a, f.For)
			}
		}
	}
	if !differ {
		t.Error("two seeds draw the same")
	}
	for _, k := range kinds {
		if !drawn[k.kind] {
			t.Errorf("%s is never drawn", k.kind)
		}
	}
}

// What splits are: who still hears whom, counted in pairs of directions.
func TestShape(t *testing.T) {
	for _, c := range []struct {
		kind  Kind
		nodes []string
		cuts  int // of 20 directions between five nodes
	}{
		{Halves, five[:2], 12},
		{Halves, five[:1], 8},
		{Bridge, five, 8},
		{Ring, five, 10},
		{Parts, five, 16},
	} {
		dirs := Shape(c.kind, c.nodes, five)
		seen := map[lab.Direction]bool{}
		for _, d := range dirs {
			seen[d] = true
		}
		if len(seen) != c.cuts || len(dirs) != c.cuts {
			t.Errorf("%s of %v cuts %d directions: %v", c.kind, c.nodes, len(dirs), dirs)
		}
	}
}

func line(at int64, kind executor.Kind, op, res string, callID int64) executor.Entry {
	return executor.Entry{Kind: kind, MonoMS: at, Operation: op, Resource: res, CallID: callID, Boot: "b1",
		Numbers: &transition.Numbers{Term: 1, Revision: 5}, Action: &transition.Action{Agent: cib.Agent{Class: "ocf"}}}
}

func ended(at int64, op, res string, callID int64, rc, status int) executor.Entry {
	e := line(at, executor.KindEnd, op, res, callID)
	e.Result = &transition.Result{RC: rc, Status: status}
	return e
}

func fence(at int64, kind executor.Kind, target string, ok bool) executor.Entry {
	return executor.Entry{Kind: kind, MonoMS: at, Boot: "b1", Fence: &executor.FenceLine{Term: 1, Action: "off", Target: target, OK: ok}}
}

func session(at int64, boot, coordinator string) executor.Entry {
	return executor.Entry{Kind: executor.KindSession, MonoMS: at, Boot: boot, Session: &executor.SessionLine{Term: 1, Coordinator: coordinator}}
}

func power(at int64, node, what, by string) lab.PowerEvent {
	return lab.PowerEvent{Mono: time.Duration(at) * time.Millisecond, Node: node, What: what, By: by}
}

// Journals and the switch's log are put to the rules: what is right passes, and what is wrong is found, by which rule.
func TestFactsAreJudged(t *testing.T) {
	plain := []audit.Fact{{Kind: audit.Troubled}, {Kind: audit.Configure, Config: &audit.Config{Nodes: 5, Fencing: true}}}
	ran := []executor.Entry{session(1, "b1", "c"), line(10, executor.KindBegin, "start", "ip", 1), ended(12, "start", "ip", 1, 0, cib.OpDone)}
	elsewhere := func(entries ...executor.Entry) []executor.Entry {
		return append(append([]executor.Entry{session(1, "b1", "c")}, entries...), line(110, executor.KindBegin, "start", "ip", 1))
	}
	for _, c := range []struct {
		name  string
		a, b  []executor.Entry
		power []lab.PowerEvent
		rule  string
	}{
		{"moved in good order, within one millisecond", append(ran[:3:3], line(109, executor.KindBegin, "stop", "ip", 2), ended(110, "stop", "ip", 2, 0, cib.OpDone)), elsewhere(), nil, ""},
		{"started while it runs elsewhere", ran, elsewhere(), nil, "S1 single activity"},
		{"a stop that timed out", append(ran[:3:3], line(20, executor.KindBegin, "stop", "ip", 2), ended(30, "stop", "ip", 2, 0, cib.OpTimeout)), elsewhere(), nil, "S1 single activity"},
		{"a start that was called off", append(ran[:1:1], line(10, executor.KindBegin, "start", "ip", 1), ended(12, "start", "ip", 1, 1, cib.OpCancelled)), elsewhere(), nil, ""},
		{"a disk that failed kept the stop out of the file", append(ran[:3:3], executor.Entry{Kind: executor.KindCheckpoint, MonoMS: 108, Boot: "b1", State: &executor.State{}}), elsewhere(), nil, ""},
		{"a disk that failed kept the stop's end out of the file", append(append(ran[:3:3], line(20, executor.KindBegin, "stop", "ip", 2)),
			executor.Entry{Kind: executor.KindCheckpoint, MonoMS: 108, Boot: "b1", State: &executor.State{}}, line(120, executor.KindBegin, "monitor", "ip", 3)), elsewhere(), nil, ""},
		{"a checkpoint that still has it", append(ran[:3:3], executor.Entry{Kind: executor.KindCheckpoint, MonoMS: 108, Boot: "b1",
			State: &executor.State{Active: []executor.Active{{Resource: "ip"}}}}), elsewhere(), nil, "S1 single activity"},
		{"fenced, then recovered", ran, elsewhere(fence(100, executor.KindFenceBegin, "a", false), fence(105, executor.KindFenceEnd, "a", true)),
			[]lab.PowerEvent{power(101, "a", "asked:off", "b"), power(102, "a", "off", "b")}, ""},
		{"fenced by a node whose journal can not be written", ran, elsewhere(),
			[]lab.PowerEvent{power(101, "a", "off", "operator"), power(103, "a", "answered:off", "b")}, ""},
		{"recovered without a fencing", ran, elsewhere(), []lab.PowerEvent{power(100, "a", "off", "operator")}, "S3 fencing before recovery"},
		{"back in the boot in which it was fenced", append(ran[:3:3], session(108, "b1", "c")), elsewhere(fence(100, executor.KindFenceBegin, "a", false), fence(105, executor.KindFenceEnd, "a", true)),
			[]lab.PowerEvent{power(102, "a", "off", "b")}, "S28 a fenced boot never returns"},
		{"two who lead in one term", append(ran[:3:3], session(20, "b1", "a")), nil, nil, "S9 one commander per term"},
		{"two operations at once", append(ran[:2:2], line(11, executor.KindBegin, "monitor", "ip", 2)), nil, nil, "S20 one operation at a time"},
	} {
		journals := map[string][]executor.Entry{"a": c.a, "b": c.b}
		judge, found := audit.New(), ""
		for _, f := range cluster.NewTeller().Tell(journals, c.power, plain) {
			if v := judge.See(f); v != nil && found == "" {
				found = v.Rule
			}
		}
		if found != c.rule {
			t.Errorf("%s: found %q, want %q", c.name, found, c.rule)
		}
	}
}

// Lines are taken in once each, in whatever order they stand in the file.
func TestLines(t *testing.T) {
	var l lines
	var got []int64
	for _, seq := range []int64{1, 3, 2, 3, 1, 5, 4, 5} {
		if l.add(seq) {
			got = append(got, seq)
		}
	}
	if !slices.Equal(got, []int64{1, 3, 2, 5, 4}) || l.newest != 5 {
		t.Errorf("taken in: %v, newest %d", got, l.newest)
	}
}

func TestRecoveries(t *testing.T) {
	journals := map[string][]executor.Entry{"b": {session(1, "b1", "b"), fence(700, executor.KindFenceBegin, "a", false), fence(720, executor.KindFenceEnd, "a", true),
		line(730, executor.KindBegin, "start", "ip", 1), ended(760, "start", "ip", 1, 0, cib.OpDone)}}
	cuts := []lab.PowerEvent{power(100, "a", "cut", "operator"), power(101, "a", "off", "operator")}
	got := Recoveries(cluster.NewTeller().Tell(journals, cuts, nil), cuts)
	want := Recovery{"a", 600 * time.Millisecond, 620 * time.Millisecond, 660 * time.Millisecond}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// An acknowledged number may be followed in its place by one of which nobody knows, and by nothing else.
func TestWriter(t *testing.T) {
	fail := false
	w := newWriter(func(context.Context, string, string) error {
		if fail {
			return errors.New("no answer")
		}
		return nil
	})
	for range 3 * slots {
		w.one(t.Context())
	}
	fail = true
	w.one(t.Context()) // place 1
	have := map[string]string{}
	for place, n := range w.acked {
		have[place] = fmt.Sprint(n)
	}
	if n, err := w.lost(have); err != nil || n != slots {
		t.Errorf("%d places, %v", n, err)
	}
	have[placePrefix+"1"] = fmt.Sprint(3*slots + 1)
	if _, err := w.lost(have); err != nil {
		t.Errorf("a number of which nobody knows: %v", err)
	}
	have[placePrefix+"2"] = "2"
	if _, err := w.lost(have); err == nil || !strings.Contains(err.Error(), placePrefix+"2") {
		t.Errorf("an older number in the place of an acknowledged one: %v", err)
	}
	delete(have, placePrefix+"2")
	if _, err := w.lost(have); err == nil {
		t.Error("nothing in the place of an acknowledged number, and nobody minds")
	}
}

// A short run with real daemons: a few rounds, judged as the long ones are.
func TestShortRun(t *testing.T) {
	if testing.Short() {
		t.Skip("a run takes half a minute: left out with -short")
	}
	if err := lab.Usable(); err != nil {
		t.Skip("the lab ", err)
	}
	dir := os.Getenv("PACELINE_BIN")
	if dir == "" {
		dir = t.TempDir()
		if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755), cluster.Build(t.Context(), "../..", dir)); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	o := options{seed: shortSeed, first: shortFirst, rounds: 2, scale: 0.5, nodes: 5, bin: dir, name: fmt.Sprintf("c%d", os.Getpid()%1_000_000), noPrevious: "the short run builds none"}
	r := newRun(o, &out, &out)
	if err := r.all(t.Context()); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	p := r.summarize(nil)
	html, err := p.html()
	if err != nil || !strings.Contains(html, "every promise held") || !strings.Contains(p.text(), "rest after every round") {
		t.Errorf("the report: %v\n%s", err, p.text())
	}
	if judged := r.auditor.Judged(); judged["S1 single activity"] == 0 || judged["S3 fencing before recovery"] == 0 {
		t.Errorf("rules that were not put to the test: %v", judged)
	}
	t.Logf("%s", strings.Join(slices.Concat(p.Facts, r.last), "\n"))
}

// The short run's rounds have killed daemons, a resource taken out of management, a power cut, and a device that says no.
const (
	shortSeed  = 22
	shortFirst = 1
)
