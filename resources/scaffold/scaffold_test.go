package scaffold

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"paceline/resources/conformance"
)

// What is made works: it builds without a network, and passes the check.
func TestNew(t *testing.T) {
	for _, language := range Languages {
		t.Run(language, func(t *testing.T) {
			dir := t.TempDir()
			made, err := New(dir, "my-shop", language)
			if err != nil {
				t.Fatal(err)
			}
			agent := filepath.Join(dir, "my-shop")
			if language == "go" {
				goTool, err := exec.LookPath("go")
				if err != nil {
					t.Skip("needs go to build the agent that was made")
				}
				cmd := exec.CommandContext(t.Context(), goTool, "build", "-o", "my-shop")
				cmd.Dir = dir
				cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=", "GOWORK=off")
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				if !strings.Contains(strings.Join(made, " "), "vendor/paceline/resources/plugin/agent.go") {
					t.Errorf("made %v", made)
				}
			}
			report, err := conformance.Check(t.Context(), conformance.Config{Path: agent, Params: map[string]string{"state": filepath.Join(dir, "state")}})
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range report.Findings {
				if f.Verdict == conformance.Fail || f.Verdict == conformance.Warn {
					t.Errorf("%s: %s: %s", f.Verdict, f.Check, f.Detail)
				}
			}
			if report.Count(conformance.Pass) < 25 {
				t.Errorf("only %d checks were made", report.Count(conformance.Pass))
			}
			if _, err := New(dir, "my-shop", language); err == nil || !strings.HasSuffix(err.Error(), " is there already") {
				t.Errorf("made it over itself: %v", err)
			}
		})
	}
	if _, err := New(t.TempDir(), "../x", "sh"); err == nil {
		t.Error("a path was taken for a name")
	}
	if _, err := New(t.TempDir(), "x", "perl"); err == nil || err.Error() != `"perl" is none of the languages go, sh` {
		t.Errorf("got %v", err)
	}
}
