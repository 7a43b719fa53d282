package history

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

func open(t testing.TB, dir string) *Recorder {
	t.Helper()
	r, err := Open(dir, "1.0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func graph(node string) *transition.Graph {
	return &transition.Graph{Actions: []*transition.Action{{ID: 1, Kind: transition.KindFence, Operation: "off", Node: node}}}
}

func keep(r *Recorder, id ID) {
	r.Keep(Input{ID: id, Now: time.Unix(5, 7).UTC(), Revision: id.Graph, Cause: "a test",
		CIB: &cib.CIB{Header: cib.Header{HaveQuorum: "1"}, Configuration: cib.Configuration{Nodes: []*cib.Node{{ID: "1", Uname: "a"}}}}}, graph("a"))
}

// TestKeepAndLoad: what was kept comes back, over a restart, with the digest of the graph.
func TestKeepAndLoad(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "history")
	r := open(t, dir)
	keep(r, ID{3, 1})
	r.Note(Event{Time: time.Unix(1, 0).UTC(), Kind: Failure, Node: "a", Text: "it broke"})
	r.Close()
	r = open(t, dir)
	in, err := r.Load(ID{3, 1})
	if err != nil {
		t.Fatal(err)
	}
	want, _ := Digest(graph("a"))
	if in.Digest != want || in.Version != "1.0" || !in.Now.Equal(time.Unix(5, 7)) || in.CIB.Configuration.Nodes[0].Uname != "a" {
		t.Errorf("%+v", in)
	}
	if other, _ := Digest(graph("b")); other == want {
		t.Error("another graph has the same digest")
	}
	if events, problems := r.Events(); len(events) != 1 || events[0].Text != "it broke" || len(problems) != 0 {
		t.Errorf("%+v, %v", events, problems)
	}
	if _, err := r.Load(ID{3, 2}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("what is not kept: %v", err)
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v: it may hold passwords", e.Name(), info.Mode())
		}
	}
	if st, _ := os.Stat(dir); st.Mode().Perm() != 0o700 {
		t.Errorf("the folder has mode %v", st.Mode())
	}
}

// TestDamage: a damaged input and a damaged line are named, and cost nothing else.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	for n := range uint64(3) {
		keep(r, ID{1, n + 1})
		r.Note(Event{Kind: Failure, Text: "event " + string(rune('a'+n))})
	}
	r.Close()
	bad := filepath.Join(dir, "1.2.input.gz")
	text, err := os.ReadFile(bad)
	if err != nil {
		t.Fatal(err)
	}
	for name, damage := range map[string][]byte{
		"cut":     text[:len(text)/2],
		"empty":   nil,
		"flipped": append(append([]byte{}, text[:len(text)-6]...), text[len(text)-6]^1, text[len(text)-5], text[len(text)-4], text[len(text)-3], text[len(text)-2], text[len(text)-1]),
		"other":   []byte("not a saved input"),
	} {
		if err := os.WriteFile(bad, damage, 0o600); err != nil {
			t.Fatal(err)
		}
		r := open(t, dir)
		if _, err := r.Load(ID{1, 2}); err == nil || !strings.Contains(err.Error(), "damaged") || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Load(ID{1, 3}); err != nil {
			t.Errorf("%s: another input: %v", name, err)
		}
		r.Close()
	}
	line := filepath.Join(dir, "timeline")
	events, _ := os.ReadFile(line)
	events = []byte(strings.Replace(string(events), "event b", "event x", 1) + "torn")
	if err := os.WriteFile(line, events, 0o600); err != nil {
		t.Fatal(err)
	}
	r = open(t, dir)
	r.Note(Event{Kind: Failure, Text: "event d"})
	r.Flush()
	got, problems := r.Events()
	if len(got) != 3 || got[1].Text != "event c" || got[2].Text != "event d" || len(problems) != 2 || !strings.Contains(problems[0], "line 2") {
		t.Errorf("%+v\n%v", got, problems)
	}
}

// TestBounds: the oldest inputs go first, by number and by bytes, and the timeline does not grow for ever.
func TestBounds(t *testing.T) {
	dir := t.TempDir()
	r := open(t, dir)
	r.inputsMax = 3
	for n := range uint64(5) {
		keep(r, ID{9, n + 1})
	}
	keep(r, ID{10, 1})
	r.Flush()
	if got := r.Kept(); len(got) != 3 || got[0] != (ID{9, 4}) || got[2] != (ID{10, 1}) {
		t.Errorf("kept: %v", got)
	}
	r.bytesMax = 1
	keep(r, ID{10, 2})
	r.Flush()
	if got := r.Kept(); len(got) != 1 || got[0] != (ID{10, 2}) {
		t.Errorf("kept: %v", got)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.gz*")); len(files) != 1 {
		t.Errorf("files: %v", files)
	}
	long := strings.Repeat("x", lineMax)
	for range 3 * timelineMax / (lineMax / 8) {
		r.Note(Event{Kind: Failure, Text: long})
		r.Flush()
	}
	var bytes int64
	files, _ := filepath.Glob(filepath.Join(dir, "timeline*"))
	for _, f := range files {
		st, _ := os.Stat(f)
		bytes += st.Size()
	}
	if len(files) != 2 || bytes > 2*timelineMax+2*lineMax {
		t.Errorf("%d bytes in %v", bytes, files)
	}
}

// TestLeftover: what a daemon that died left half written is removed, and files of others are left alone.
func TestLeftover(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"1.1.input.gz.new", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, dir)
	if entries, _ := os.ReadDir(dir); len(entries) != 1 || entries[0].Name() != "notes.txt" {
		t.Errorf("%v", entries)
	}
}

// TestFull: what cannot be written is a problem while it lasts, and holds up nobody.
func TestFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "h")
	r := open(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	keep(r, ID{1, 1})
	r.Flush()
	if r.Problem() == nil {
		t.Error("no problem is known")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	keep(r, ID{1, 2})
	r.Flush()
	if err := r.Problem(); err != nil {
		t.Errorf("the problem lasts: %v", err)
	}
}

func TestParseID(t *testing.T) {
	for _, bad := range []string{"", "3", "3.", ".1", "a.b", "1.2.3", "-1.2"} {
		if id, err := ParseID(bad); err == nil {
			t.Errorf("%q is read as %v", bad, id)
		}
	}
	if id, err := ParseID("12.3"); err != nil || id.String() != "12.3" {
		t.Errorf("%v, %v", id, err)
	}
}

// BenchmarkKeep measures what keeping costs the one who asks: it must not be the writing.
func BenchmarkKeep(b *testing.B) {
	r, err := Open(b.TempDir(), "1.0", slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	defer r.Close()
	n := uint64(0)
	for b.Loop() {
		n++
		keep(r, ID{1, n})
	}
}
