package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"paceline/resources/conformance"
	"paceline/resources/nstest"
)

// TestMain makes the test binary the agent, if called by the agent's name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "banner" {
		main()
	}
	os.Exit(m.Run())
}

// installed is the agent's file.
func installed(t *testing.T) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	agent := filepath.Join(t.TempDir(), "banner")
	if err := os.WriteFile(agent, self, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(agent); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) { // checkers ask for meta-data as nobody
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return agent
}

func TestCheckers(t *testing.T) {
	agent := installed(t)
	params := map[string]string{"file": filepath.Join(t.TempDir(), "banner"), "text": "here"}
	r, err := conformance.Check(t.Context(), conformance.Config{Path: agent, Params: params})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.Verdict == conformance.Fail || f.Verdict == conformance.Warn {
			t.Errorf("%s %s: %s", f.Verdict, f.Check, f.Detail)
		}
	}
	if os.Geteuid() != 0 {
		t.Skip("ocf-tester needs root")
	}
	nstest.OCFTester(t, agent, params)
}

func TestBanner(t *testing.T) {
	agent := installed(t)
	file := filepath.Join(t.TempDir(), "motd.d", "shop")
	do := func(op, text string, code int, content string) {
		t.Helper()
		cmd := exec.Command(agent, op)
		cmd.Env = []string{"OCF_RESKEY_file=" + file, "OCF_RESKEY_text=" + text}
		out, _ := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != code {
			t.Errorf("%s: got %d, want %d: %s", op, got, code, out)
		}
		if b, _ := os.ReadFile(file); strings.TrimSpace(string(b)) != content {
			t.Errorf("after %s the file says %q, want %q", op, b, content)
		}
	}
	do("monitor", "the shop is here", 7, "")
	do("start", "the shop is here", 0, "the shop is here")
	do("monitor", "the shop is here", 0, "the shop is here")
	do("monitor", "closed", 1, "the shop is here")
	do("start", "closed", 0, "closed") // what does not work is started anew
	do("stop", "closed", 0, "")
	do("monitor", "closed", 7, "")
	do("start", "", 6, "")
}
