package ctl

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

// TestFold: sentences are broken at blanks, under their first word; commands are not.
func TestFold(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"short", "one two\n", "one two\n"},
		{"list", "  * reboot of node1 FAILED at noon: the power switch refused\n", "  * reboot of node1 FAILED at noon: the\n    power switch refused\n"},
		{"coloured", "  * \x1b[31mreboot of node1 FAILED at noon: the power\x1b[0m switch\n",
			"  * \x1b[31mreboot of node1 FAILED at noon: the\n    power\x1b[0m switch\n"},
		{"exact", strings.Repeat("x", 39) + " y\n", strings.Repeat("x", 39) + "\ny\n"},
		{"fits", strings.Repeat("x", 40) + "\nnext", strings.Repeat("x", 40) + "\nnext"},
		{"long word", "see " + strings.Repeat("x", 60) + " there\n", "see\n" + strings.Repeat("x", 60) + "\nthere\n"},
		{"command", "  paceline cluster join " + strings.Repeat("x", 40) + " --witness\n", "  paceline cluster join " + strings.Repeat("x", 40) + " --witness\n"},
		{"arrow", "    -> paceline fence test node1 (in a quiet hour: its services move)\n", "    -> paceline fence test node1 (in a quiet hour: its services move)\n"},
	} {
		if got := fold(c.in, 40); got != c.want {
			t.Errorf("%s: %q, not %q", c.name, got, c.want)
		}
	}
	if long := strings.Repeat("word ", 50); fold(long, 0) != long {
		t.Error("without a terminal lines are broken")
	}
}

// TestFoldKeepsWords: no word is lost or added, and a line that is too wide has no place left to break it.
func TestFoldKeepsWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.StringMatching(` {0,4}([*+!-] )?[a-zé]{1,12}( [a-zé:]{1,50}){0,20}\n`), 0, 5).Draw(t, "lines"), "")
		width := rapid.IntRange(foldLeast, 100).Draw(t, "width")
		got := fold(text, width)
		if a, b := strings.Fields(text), strings.Fields(got); strings.Join(a, " ") != strings.Join(b, " ") {
			t.Fatalf("%q became %q", text, got)
		}
		for line := range strings.Lines(got) {
			line = strings.TrimSuffix(line, "\n")
			if n := len([]rune(line)); n > width && strings.Contains(line[min(len(line), hanging(line)):], " ") {
				t.Fatalf("%q has %d columns of %d, and blanks", line, n, width)
			}
		}
	})
}

// TestHelpFits: the help of every command fits a terminal of 80 columns, with the same words as without one; lines of examples stay whole.
func TestHelpFits(t *testing.T) {
	help := func(path string, width int) string {
		var out strings.Builder
		s := Streams{In: strings.NewReader(""), Out: &out, Err: &out, Getenv: func(string) string { return "" }, Width: width}
		p := &program{Streams: s, name: "paceline"}
		if err := p.once(t.Context(), s, append(strings.Fields(path), "--help")); err != nil {
			t.Fatalf("help of %q: %v", path, err)
		}
		return out.String()
	}
	paths := append(levelNames(), "")
	for _, c := range table {
		paths = append(paths, c.path)
	}
	for _, path := range paths {
		wide, narrow := help(path, 0), help(path, 80)
		if strings.Join(strings.Fields(wide), " ") != strings.Join(strings.Fields(narrow), " ") {
			t.Errorf("help of %q: words are lost or added:\n%s", path, narrow)
		}
		for line := range strings.Lines(narrow) {
			if len([]rune(line)) > 81 && !strings.HasPrefix(strings.TrimSpace(line), "paceline ") {
				t.Errorf("help of %q is wider than 80 columns: %s", path, line)
			}
		}
	}
}
