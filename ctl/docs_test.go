package ctl

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var inline = regexp.MustCompile("`(paceline [^`]*)`")

// Every command that the documents name is one that exists, with the flags and the number of arguments it has there.
func TestDocs(t *testing.T) {
	files, err := filepath.Glob("../docs/*.md")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, f := range append(files, "../README.md") {
		text, err := os.ReadFile(f)
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Run(filepath.Base(f), func(t *testing.T) {
			code := false
			for _, line := range strings.Split(string(text), "\n") {
				if strings.HasPrefix(strings.TrimSpace(line), "```") {
					code = !code
					continue
				}
				if !code {
					for _, m := range inline.FindAllStringSubmatch(line, -1) {
						checkNamed(t, m[1])
					}
					continue
				}
				for _, part := range strings.FieldsFunc(line, func(r rune) bool { return r == '|' || r == '>' || r == ';' }) {
					checkCommand(t, strings.TrimPrefix(strings.TrimSpace(part), "$ "))
				}
			}
		})
	}
}

// checkNamed checks a command named in running text, which may leave its arguments out.
func checkNamed(t *testing.T, line string) {
	t.Helper()
	if strings.Contains(line, "...") {
		return
	}
	if _, err := arrange(newApp(Streams{}), splitWords(line)); err != nil {
		t.Errorf("`%s` is not a command: %v", line, err)
	}
}
