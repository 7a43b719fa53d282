package cgroup

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"paceline/resources/nstest"
)

// begin runs a command in a group until the test ends it.
func begin(t *testing.T, g Group) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "551020")
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	g.Begin(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd
}

// What is in a group, and in those that it made below, is named and ended; the empty group goes, and one in which something is about to
// begin does not.
func TestGroup(t *testing.T) {
	p, err := NewParent(nstest.Cgroup(t), "test")
	if err != nil {
		t.Fatal(err)
	}
	server, waiting := p.Make(), p.Make()
	below := Group{path: server.Path() + "/its own"}
	if err := os.Mkdir(below.path, 0o755); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(below.path)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	below.fd = int(dir.Fd())
	one, two := begin(t, server), begin(t, below)
	pids, err := Members(server.Path())
	if want := []int{one.Process.Pid, two.Process.Pid}; err != nil || !slices.Equal(pids, want) {
		t.Errorf("its members are %v, %v; want %v", pids, err, want)
	}
	p.Release(server)
	if err := Remove(server.Path()); err == nil {
		t.Error("a group with processes in it was removed")
	}
	three := begin(t, waiting) // no release took it away
	for _, path := range []string{server.Path(), waiting.Path()} {
		Kill(path)
	}
	for _, cmd := range []*exec.Cmd{one, two, three} {
		if err := cmd.Wait(); err == nil {
			t.Error("it was not killed")
		}
	}
	p.Release(waiting)
	if err := Remove(server.Path()); err != nil { // with the one below it
		t.Error(err)
	}
	if es, err := os.ReadDir(p.base); err != nil || slices.ContainsFunc(es, func(e os.DirEntry) bool { return e.IsDir() }) {
		t.Errorf("left behind: %v, %v", es, err)
	}
	if pids, err := Members(server.Path()); err != nil || len(pids) > 0 {
		t.Errorf("a group that is gone has %v, %v", pids, err)
	}
}

// Without cgroups everything works without them.
func TestNone(t *testing.T) {
	p, err := NewParent("", "test")
	if err != nil {
		t.Fatal(err)
	}
	g := p.Make()
	cmd := begin(t, g)
	Kill(g.Path())
	if pids, err := Members(g.Path()); err != nil || len(pids) > 0 || cmd.Process.Signal(syscall.Signal(0)) != nil {
		t.Errorf("it has %v, %v", pids, err)
	}
	p.Release(g)
	if p, err = NewParent(t.TempDir(), "test"); err == nil {
		t.Error("any folder is taken for a cgroup")
	}
	if g := p.Make(); g.Path() != "" {
		t.Errorf("a group was made: %s", g.Path())
	}
}
