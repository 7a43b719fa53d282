package ctl

import (
	"strings"
	"testing"
)

func TestArrangeKeepsWhatItDoesNotUnderstand(t *testing.T) {
	app := newApp(Streams{})
	for in, want := range map[string]string{
		"paceline res move web n2 --until 2h -m text --stay": "paceline resource move --until 2h -m text --stay -- web n2",
		"paceline resource stop -- -odd-":                    "paceline resource stop -- -odd-",
		"paceline configure load --dry-run replace -":        "paceline configure load --dry-run -- replace -",
		"paceline resource start web --wait 20s":             "paceline resource start --wait=20s -- web",
		"paceline resource start --wait web":                 "paceline resource start --wait=5m0s -- web",
		"paceline":                                           "paceline",
		"paceline help resource move":                        "paceline resource move --help",
		"paceline resource help":                             "paceline resource --help",
	} {
		got, err := arrange(app, strings.Fields(in))
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", in, strings.Join(got, " "), err, want)
		}
	}
}

// Every row of the table is complete, and its examples are commands that exist with the flags they use.
func TestTable(t *testing.T) {
	for _, row := range table {
		if row.short == "" || row.run == nil || strings.HasSuffix(row.short, ".") {
			t.Errorf("%s: wants a short text without a full stop, and something to run", row.path)
		}
		for _, e := range row.examples {
			for _, part := range strings.FieldsFunc(e, func(r rune) bool { return r == '|' || r == '>' }) {
				checkCommand(t, strings.TrimSpace(part))
			}
		}
	}
}

// checkCommand checks that a command line in a text is one that exists. Other programs' lines pass.
func checkCommand(t *testing.T, line string) {
	t.Helper()
	words := splitWords(line)
	for len(words) > 0 && (words[0] == "sudo" || words[0] == "#") {
		words = words[1:]
	}
	if len(words) < 2 || words[0] != "paceline" {
		return
	}
	ordered, err := arrange(newApp(Streams{}), words)
	if err != nil {
		t.Errorf("%q is not a command: %v", line, err)
		return
	}
	path, args := "", 0
	for i, w := range ordered[1:] {
		if rowOf(strings.TrimSpace(path+" "+w)) == nil && path != "" || strings.HasPrefix(w, "-") {
			if at := indexOf(ordered, "--"); at >= 0 {
				args = len(ordered) - at - 1
			}
			break
		}
		path = strings.TrimSpace(path + " " + w)
		_ = i
	}
	row := rowOf(path)
	if row == nil {
		return
	}
	if err := row.check(make([]string, args)); err != nil {
		t.Errorf("%q: %v", line, err)
	}
}

func indexOf(list []string, word string) int {
	for i, w := range list {
		if w == word {
			return i
		}
	}
	return -1
}

// splitWords splits a line as a shell does, as far as examples need it.
func splitWords(line string) []string {
	var out []string
	word, quote, in := "", rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, in = r, true
		case quote == 0 && r == ' ':
			if in {
				out = append(out, word)
			}
			word, in = "", false
		case quote == 0 && r == '#' && !in:
			return out
		default:
			word, in = word+string(r), true
		}
	}
	if in {
		out = append(out, word)
	}
	return out
}
