package api_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
)

// TestMain lets the test binary be the client of another user: with a socket in its environment it only asks for a status.
func TestMain(m *testing.M) {
	if socket := os.Getenv("PACELINE_TEST_ASK"); socket != "" {
		_, err := api.NewClient(socket).Health(context.Background())
		var e *api.Error
		if errors.As(err, &e) {
			fmt.Print(e.Code, " ", e.Why)
		}
		os.Exit(0)
	}
	if socket := os.Getenv("PACELINE_TEST_FORGE"); socket != "" {
		forge(socket)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestOthersAreRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root: it becomes another user")
	}
	dir, err := os.MkdirTemp("", "pl")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	// The other user must be able to reach the socket and the program; the refusal is the daemon's.
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "ask")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(program, text, 0o755)); err != nil {
		t.Fatal(err)
	}
	path := serveAt(t, apitest.New("node1"), filepath.Join(dir, "s"))
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("the socket has mode %v, %v; want 0660", info.Mode(), err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	ask := exec.Command(program)
	ask.Env = []string{"PACELINE_TEST_ASK=" + path}
	ask.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := ask.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if want := "forbidden user nobody is neither root nor in group haclient"; string(out) != want {
		t.Errorf("got %q, want %q", out, want)
	}
}
