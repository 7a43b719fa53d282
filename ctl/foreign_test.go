package ctl

import (
	"regexp"
	"strings"
	"testing"
)

// A word that is answered with what serves instead is no command, and what is named instead is one.
func TestForeignCommandsAreNone(t *testing.T) {
	commands := regexp.MustCompile(`paceline ([a-z_]+ ?[a-z_-]*)`)
	for path, f := range foreignCommands {
		if rowOf(path) != nil {
			t.Errorf("%q is a command, and is answered as one of another shell", path)
		}
		if f.why == "" || f.instead == "" || strings.HasSuffix(f.why, ".") || strings.HasSuffix(f.instead, ".") {
			t.Errorf("the answer to %q is %q, and instead %q", path, f.why, f.instead)
		}
		for _, m := range commands.FindAllStringSubmatch(f.instead, -1) {
			words := strings.Fields(m[1])
			if rowOf(m[1]) == nil && rowOf(words[0]) == nil && !strings.HasPrefix(m[1], "itself") {
				t.Errorf("the answer to %q names %q, which is no command", path, m[1])
			}
		}
	}
}
