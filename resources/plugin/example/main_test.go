package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMain makes the test binary the agent, if called by the agent's name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "banner" {
		main()
	}
	os.Exit(m.Run())
}

func TestBanner(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	agent, file := filepath.Join(dir, "banner"), filepath.Join(dir, "motd.d", "shop")
	if err := os.Symlink(self, agent); err != nil {
		t.Fatal(err)
	}
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
	do("reload-agent", "closed", 0, "closed")
	do("stop", "closed", 0, "")
	do("monitor", "closed", 7, "")
	do("start", "", 6, "")
}
