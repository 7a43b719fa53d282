package shell

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestSplit(t *testing.T) {
	for line, want := range map[string][]string{
		"":                                    nil,
		"  a  b\tc ":                          {"a", "b", "c"},
		`a "b c" 'd "e'`:                      {"a", "b c", `d "e`},
		`x="a b" y='' ""`:                     {"x=a b", "y=", ""},
		`a\ b \# #c`:                          {"a b", "#"},
		`"a\"b\\" 'c\'`:                       {`a"b\`, `c\`},
		"a#b # the rest":                      {"a#b"},
		`location l web -inf: n1`:             {"location", "l", "web", "-inf:", "n1"},
		`primitive p Dummy params "fake=ä ö"`: {"primitive", "p", "Dummy", "params", "fake=ä ö"},
	} {
		got, err := Split(line)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q is %q, %v; want %q", line, got, err, want)
		}
	}
	for _, line := range []string{`"a`, `a 'b c`, `a "b\"`} {
		if _, err := Split(line); !errors.Is(err, ErrOpenQuote) {
			t.Errorf("%q: %v, want that a quote is open", line, err)
		}
	}
}

func TestPartial(t *testing.T) {
	for _, c := range []struct {
		line   string
		before []string
		last   string
		at     int
	}{
		{"", nil, "", 0},
		{"res", nil, "res", 0},
		{"resource ", []string{"resource"}, "", 9},
		{`a "b c`, []string{"a"}, "b c", 2},
		{`a b=`, []string{"a"}, "b=", 2},
	} {
		before, last, at := Partial(c.line)
		if !slices.Equal(before, c.before) || last != c.last || at != c.at {
			t.Errorf("%q: %q %q %d, want %q %q %d", c.line, before, last, at, c.before, c.last, c.at)
		}
	}
}

func TestScript(t *testing.T) {
	s := NewScript("f", strings.NewReader("# no\n\na \\\n  b\r\n  # no\nc\\\\\nd \\"))
	for _, want := range []string{"f:3 a   b", `f:6 c\\`, "f:7 d "} {
		line, place, err := s.ReadLine()
		if got := place + " " + line; err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	if _, _, err := s.ReadLine(); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: %v", err)
	}
}

// The history is private, bounded, and keeps no secret.
func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "history")
	h, past, err := OpenHistory(path)
	if err != nil || len(past) != 0 {
		t.Fatalf("a new history holds %q, %v", past, err)
	}
	for _, line := range []string{
		"status", "  ", "primitive f stonith:fence_x params passwd=geheim", "resource param db set password geheim", "cluster join PL1-abc",
		"resource secret db set dbpass geheim", "node show",
	} {
		if err := h.Add(line); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil || string(text) != "status\nnode show\n" {
		t.Errorf("the history holds %q, %v", text, err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := range historyMax {
		if err := h.Add(fmt.Sprint("line ", i)); err != nil {
			t.Fatal(err)
		}
	}
	_, past, err = OpenHistory(path)
	if err != nil || len(past) != historyMax || past[len(past)-1] != fmt.Sprint("line ", historyMax-1) {
		t.Errorf("%d lines, %v; want the last %d", len(past), err, historyMax)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
	if _, again, err := OpenHistory(path); err != nil || !slices.Equal(again, past) {
		t.Errorf("opened again it holds %d lines, %v", len(again), err)
	}
}

func TestInsertion(t *testing.T) {
	for _, c := range []struct {
		typed, more string
		whole       bool
		want        string
	}{
		{"re", "source", true, "source "}, {"ip", "=", false, "="}, {"", "a b", true, `a\ b `}, {`"a`, " b", true, ` b" `}, {"'x", "y", false, "y"},
	} {
		if got := insertion(c.typed, c.more, c.whole); got != c.want {
			t.Errorf("%q and %q: %q, want %q", c.typed, c.more, got, c.want)
		}
	}
}

func TestListing(t *testing.T) {
	got := string(Listing([]Candidate{{"ip=", "(required) address"}, {"netmask=", ""}}, 25))
	if want := "  ip=       (required...\n  netmask=\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = string(Listing([]Candidate{{Word: "a"}, {Word: "bb"}, {Word: "c"}}, 10))
	if want := "a   bb\nc\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
