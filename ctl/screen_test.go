package ctl

import (
	"errors"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
)

// What is drawn fits the terminal: nothing wraps, nothing moves the cursor, colours end with their line.
func TestClip(t *testing.T) {
	for in, want := range map[string]string{
		"web runs":                            "web r",
		"\x1b[32mweb runs\x1b[0m":             "\x1b[32mweb r\x1b[0m",
		"\x1b[32mweb\x1b[0m":                  "\x1b[32mweb\x1b[0m",
		"äöüßéè":                              "äöüßé",
		"a\tb":                                "a b",
		"a\rb\ac":                             "abc",
		"\x1b[1;31mno\x1b[0m, \x1b[32myes!!!": "\x1b[1;31mno\x1b[0m, \x1b[32my\x1b[0m",
	} {
		if got := clip(in, 5); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

// A long status is scrolled, and says how much is below; a terminal that shrinks or grows is filled.
func TestBoard(t *testing.T) {
	b := board{width: 40, height: 4}
	for _, word := range strings.Fields("one two three four five six") {
		b.lines = append(b.lines, word)
	}
	shows := func(want ...string) {
		t.Helper()
		frame := b.frame("q quit")
		for _, w := range want {
			if !strings.Contains(frame, w) {
				t.Errorf("%q does not show %q", frame, w)
			}
		}
		if n := strings.Count(frame, "\n"); n != b.height-1 {
			t.Errorf("%d lines are drawn on a terminal of %d", n, b.height)
		}
	}
	shows("one", "three", "-- 3 more below -- q quit")
	b.scroll(100)
	shows("four", "six")
	if strings.Contains(b.frame(""), "below") {
		t.Error("the end is shown, and more is promised")
	}
	b.height = 12
	shows("one", "six")
	b.scroll(-3)
	if b.top != 0 {
		t.Errorf("scrolled to %d", b.top)
	}
}

// What is under way is shown with how far it is and how long each action takes, whether or not the daemon says since when.
func TestWatcher(t *testing.T) {
	w := watcher{board: board{width: 200, height: 60}}
	st := &api.Status{Transition: api.Transition{
		Running: true, Done: 3, Total: 6,
		Pending: []api.Action{{Operation: "start", Resource: "web", Node: "node2", InFlight: true}, {Operation: "start", Resource: "db", Node: "node2"}},
	}}
	w.take(seen{status: st}, scene)
	w.take(seen{status: st}, scene.Add(5*time.Second))
	frame := w.draw(scene.Add(7 * time.Second))
	for _, want := range []string{"Working: [###############...............] 3 of 6 done", "> start web on node2  7s", "1 more action to come", "Cluster Summary:"} {
		if !strings.Contains(frame, want) {
			t.Errorf("%q is not in\n%s", want, frame)
		}
	}
	w.take(seen{err: errors.New("nobody answers")}, scene)
	if frame = w.draw(scene); !strings.Contains(frame, "nobody answers") || !strings.Contains(frame, "Cluster Summary:") {
		t.Errorf("a failure hides what was known, or is not shown:\n%s", frame)
	}
	w.key([]byte("b"))
	if !strings.Contains(w.draw(scene), "Resources by Node:") {
		t.Error("b does not turn the list round")
	}
	if w.key([]byte("x")) || !w.key([]byte("q")) || !w.key([]byte("\x03")) {
		t.Error("q and an interrupt end the view, and nothing else does")
	}
}
