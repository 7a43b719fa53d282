package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// blocksOf returns the lines of a document's blocks of one kind, in their order.
func blocksOf(text, kind string) (out []string) {
	in := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if mark, ok := strings.CutPrefix(line, "```"); ok {
			in = mark
		} else if in == kind {
			out = append(out, line)
		}
	}
	return out
}

// The page for authors of agents keeps its word: its commands, typed one after the other in one shell, make agents that pass, and its
// example is the one that there is.
func TestWritingAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs: left out with -short")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs go to build the agent that is made")
	}
	page, err := os.ReadFile("../docs/writing-agents.md")
	must(t, err)
	commands := blocksOf(string(page), "sh")
	if len(commands) < 6 {
		t.Fatalf("there are %d commands: has the form of the page changed?", len(commands))
	}
	dir := t.TempDir()
	script := strings.NewReplacer("/usr/lib/ocf", dir+"/ocf", "=/run/", "="+dir+"/").Replace(strings.Join(commands, "\n"))
	shell := exec.CommandContext(t.Context(), "sh", "-exc", script)
	shell.Dir = dir
	shell.Env = append(os.Environ(), "PATH="+binaries(t)+":"+os.Getenv("PATH"), "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
	out, err := shell.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), ": passed ("); n != 2 {
		t.Errorf("%d agents passed their check, want 2:\n%s", n, out)
	}
	installed := filepath.Join(dir, "ocf/resource.d/example/shop")
	meta, err := exec.CommandContext(t.Context(), installed, "meta-data").Output()
	if err != nil || !strings.Contains(string(meta), `<resource-agent name="shop"`) {
		t.Errorf("%s: %v\n%s", installed, err, meta)
	}

	example, err := os.ReadFile("../resources/plugin/example/main.go")
	must(t, err)
	for _, line := range blocksOf(string(page), "go") {
		if line, _, _ = strings.Cut(line, " ... "); !strings.Contains(string(example), line) {
			t.Errorf("the example does not have %q", line)
		}
	}
}
