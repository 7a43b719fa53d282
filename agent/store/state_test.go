package store

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"paceline/agent/cib"
)

func mustStep(t *testing.T, s *state, e *entry) (*state, Applied) {
	t.Helper()
	next, a, err := s.step(cib.Apply, e, s.index+1, 1)
	if err != nil {
		t.Fatal(err)
	}
	return next, a
}

func TestCompareAndSet(t *testing.T) {
	s := newState()
	s, _ = mustStep(t, s, &entry{Change: option("batch-limit", "1")})
	s, _ = mustStep(t, s, &entry{Change: option("batch-limit", "2"), Base: 1})
	next, _, err := s.step(cib.Apply, &entry{Change: option("batch-limit", "3"), Base: 1}, 9, 1)
	var c *Conflict
	if !errors.As(err, &c) || *c != (Conflict{Have: 2, Want: 1}) {
		t.Fatalf("%v", err)
	}
	if next.cib != s.cib || next.revision != s.revision || next.configRevision != 2 || next.index != 9 {
		t.Fatalf("a refused command changed %+v", next)
	}
	s, a := mustStep(t, s, &entry{Change: cib.Change{SetQuorum: &cib.SetQuorum{HaveQuorum: true}}})
	if a.Revision != 3 || a.ConfigRevision != 2 {
		t.Fatalf("a change of the status: %+v", a)
	}
	if _, _, err := s.step(cib.Apply, &entry{Change: option("batch-limit", "3"), Base: 2}, 10, 1); err != nil {
		t.Fatalf("a change of the status made a conflict: %v", err)
	}
}

func TestRequestIDsMakeRepetitionsHarmless(t *testing.T) {
	s := newState()
	s, first := mustStep(t, s, &entry{Change: option("batch-limit", "1"), Request: "r1"})
	s, _ = mustStep(t, s, &entry{Change: option("batch-limit", "2")})
	s, again := mustStep(t, s, &entry{Change: option("batch-limit", "1"), Request: "r1"})
	if !again.Repeated || again.Revision != first.Revision || s.revision != 2 {
		t.Fatalf("first %+v, again %+v, state %d", first, again, s.revision)
	}
	failing := option("batch-limit", "1")
	failing.SetMeta = &cib.SetMeta{} // two fields set
	if _, _, err := s.step(cib.Apply, &entry{Change: failing, Request: "r2"}, 10, 1); err == nil {
		t.Fatal("a malformed change was applied")
	}
	if _, ok := s.requests.find("r2"); ok {
		t.Fatal("a failed command is remembered")
	}
	for i := range RequestsMax + 10 {
		s, _ = mustStep(t, s, &entry{Change: option("batch-limit", "7"), Request: fmt.Sprint("n", i)})
	}
	if len(s.requests) != RequestsMax || s.requests[0].ID != "n10" {
		t.Fatalf("%d remembered, oldest %s", len(s.requests), s.requests[0].ID)
	}
}

func TestPanicOfApplyIsARefusal(t *testing.T) {
	s := newState()
	next, _, err := s.step(func(*cib.CIB, cib.Change) (*cib.CIB, error) { panic("broken") }, &entry{}, 1, 1)
	if err == nil || !strings.Contains(err.Error(), "broken") || next.revision != 0 {
		t.Fatalf("%v, %+v", err, next)
	}
}

func TestHistory(t *testing.T) {
	s := newState()
	for i := range HistoryMax + 20 {
		s, _ = mustStep(t, s, &entry{
			Change: option("batch-limit", fmt.Sprint(i)), User: "eve", Message: fmt.Sprint("change ", i), Time: int64(i) * 1000,
		})
		s, _ = mustStep(t, s, &entry{Change: cib.Change{SetQuorum: &cib.SetQuorum{HaveQuorum: i%2 == 0}}})
	}
	list := s.history.list(0)
	if len(list) != HistoryMax || list[0].Revision != HistoryMax+20 || list[HistoryMax-1].Revision != 21 {
		t.Fatalf("%d commits, %d to %d", len(list), list[len(list)-1].Revision, list[0].Revision)
	}
	if c := list[0]; c.User != "eve" || c.Message != "change 219" || c.Time.UnixMilli() != 219000 {
		t.Fatalf("%+v", c)
	}
	for _, c := range list {
		d := c.Differences()
		if len(d) != 1 || d[0].Old != fmt.Sprint(c.Revision-2) || d[0].New != fmt.Sprint(c.Revision-1) {
			t.Fatalf("revision %d: %v", c.Revision, d)
		}
		at := s.history.at(c.Revision)
		if v, _ := at.Option("batch-limit"); v != fmt.Sprint(c.Revision-1) {
			t.Fatalf("at %d: %s", c.Revision, v)
		}
	}
	if s.history.at(20) == nil || s.history.at(19) != nil || s.history.at(HistoryMax+21) != nil {
		t.Fatal("the bounds of the history are wrong")
	}
}

func TestHistoryIsBoundedInBytes(t *testing.T) {
	s := newState()
	for i := range 12 {
		s, _ = mustStep(t, s, &entry{Change: option("site-note", strings.Repeat(fmt.Sprint(i%10), 1<<20))})
	}
	if s.history.bytes > HistoryBytesMax || len(s.history.commits) != 7 {
		t.Fatalf("%d commits of %d bytes", len(s.history.commits), s.history.bytes)
	}
	data, err := s.encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeState(bytes.NewReader(data))
	if err != nil || back.history.bytes != s.history.bytes {
		t.Fatalf("restored: %d bytes, %v", back.history.bytes, err)
	}
}

// drawEntry draws commands of few names, so that they meet.
func drawEntry(t *rapid.T) *entry {
	name := rapid.SampledFrom([]string{"batch-limit", "site-a", "site-b", "symmetric-cluster"}).Draw(t, "name")
	var change cib.Change
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0, 1:
		change = option(name, rapid.SampledFrom([]string{"", "1", "2"}).Draw(t, "value"))
	case 2:
		change = cib.Change{SetOption: &cib.SetOption{Name: name}}
	case 3:
		change = cib.Change{PutNode: &cib.PutNode{ID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id"), Uname: rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "uname")}}
	case 4:
		change = cib.Change{DropNode: &cib.DropNode{Uname: rapid.SampledFrom([]string{"n1", "n2"}).Draw(t, "uname")}}
	case 5:
		change = cib.Change{NodeStatus: &cib.NodeStatus{ID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id"), InCCM: rapid.SampledFrom([]string{"true", "false", "-"}).Draw(t, "in")}}
	case 6:
		value := rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value")
		change = cib.Change{SetTransient: &cib.SetTransient{NodeID: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "id"), Name: "fail-count", Value: &value}}
		if rapid.Bool().Draw(t, "clear") {
			change = cib.Change{ClearNode: &cib.ClearNode{ID: change.SetTransient.NodeID}}
		}
	}
	return &entry{
		Change: change, User: "u", Time: int64(rapid.IntRange(0, 5).Draw(t, "time")),
		Base:    uint64(rapid.IntRange(0, 3).Draw(t, "base")),
		Request: rapid.SampledFrom([]string{"", "", "r1", "r2"}).Draw(t, "request"),
	}
}

// A state that was saved and restored at any point must go the way of one that was not, to the byte.
func TestSnapshotsAreEqualToTheByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		straight, restored := newState(), newState()
		for i := range rapid.IntRange(1, 30).Draw(t, "entries") {
			e := drawEntry(t)
			data, err := encodeEntry(e)
			if err != nil {
				t.Fatal(err)
			}
			e1, _ := decodeEntry(data)
			e2, _ := decodeEntry(data)
			var a1, a2 Applied
			var err1, err2 error
			straight, a1, err1 = straight.step(cib.Apply, e1, uint64(i+1), 3)
			restored, a2, err2 = restored.step(cib.Apply, e2, uint64(i+1), 3)
			if a1 != a2 || fmt.Sprint(err1) != fmt.Sprint(err2) {
				t.Fatalf("entry %d: %+v, %v; after a restore %+v, %v", i, a1, err1, a2, err2)
			}
			first, err := straight.encode()
			if err != nil {
				t.Fatal(err)
			}
			second, err := restored.encode()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(first, second) {
				t.Fatalf("entry %d:\n%s\nafter a restore:\n%s", i, first, second)
			}
			if rapid.Bool().Draw(t, "restore") {
				if restored, err = decodeState(bytes.NewReader(second)); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func TestSame(t *testing.T) {
	one, other := "1", "1"
	for _, c := range []struct {
		a, b any
		want bool
	}{
		{cib.Status{}, cib.Status{Nodes: []*cib.NodeState{}}, true},
		{cib.Status{Nodes: []*cib.NodeState{{ID: "1"}}}, cib.Status{Nodes: []*cib.NodeState{{ID: "1"}}}, true},
		{cib.Status{Nodes: []*cib.NodeState{{ID: "1"}}}, cib.Status{Nodes: []*cib.NodeState{{ID: "2"}}}, false},
		{cib.SetOption{Value: &one}, cib.SetOption{Value: &other}, true},
		{cib.SetOption{Value: &one}, cib.SetOption{}, false},
		{map[string]any{"a": 1}, map[string]any{"a": 1}, true},
		{map[string]any{"a": 1}, map[string]any{"a": "1"}, false},
		{map[string]any{"a": nil}, map[string]any{"b": nil}, false},
		{nil, nil, true},
		{nil, 1, false},
	} {
		if got := same(c.a, c.b); got != c.want {
			t.Errorf("same(%+v, %+v) = %v", c.a, c.b, got)
		}
	}
}
