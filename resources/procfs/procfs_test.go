package procfs

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	line := "42 (a ) b (c)) S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 100\n"
	p, err := parseStat([]byte(line))
	want := Process{ID: ID{PID: 42, Start: 123456}, Parent: 7, Group: 8, Session: 9, State: 'S', Name: "a ) b (c)"}
	if err != nil || p != want {
		t.Errorf("got %+v, %v; want %+v", p, err, want)
	}
	for _, bad := range []string{"", "x", "1 (", "1 (a", "1 (a) S 1", "y (a) S 1 2 3 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 123456"} {
		if _, err := parseStat([]byte(bad)); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func FuzzParseStat(f *testing.F) {
	f.Add([]byte("42 (a ) b (c)) S 7 8 9 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 100\n"))
	f.Fuzz(func(t *testing.T, b []byte) { _, _ = parseStat(b) })
}

func begin(t *testing.T, script string) (*exec.Cmd, ID, *bufio.Reader) {
	t.Helper()
	cmd := exec.Command("/bin/bash", "-c", script)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(os.Environ(), "TREE_MARK="+t.Name())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p, err := Stat(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, p.ID, bufio.NewReader(out)
}

func TestWait(t *testing.T) {
	cmd, id, _ := begin(t, "exec sleep 552000")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := id.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("waiting for a living process: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- id.Wait(t.Context()) }()
	if err := id.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil { // it is a zombie now: ended all the same
		t.Error(err)
	}
	if id.Alive() {
		t.Error("a zombie counts as alive")
	}
	_ = cmd.Wait()
	if err := id.Wait(t.Context()); err != nil {
		t.Errorf("waiting for one long gone: %v", err)
	}
	if err := id.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signalling one long gone: %v", err)
	}
	other := ID{PID: os.Getpid(), Start: 1} // our pid, as if borne by somebody before us
	if err := other.Wait(t.Context()); err != nil || other.Alive() {
		t.Error("another start time is taken for the same process")
	}
	if err := other.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signalling another's pid: %v", err)
	}
}

func TestTreeKill(t *testing.T) {
	cmd, id, out := begin(t, `(setsid sleep 552001 &); env -i bash -c 'sleep 552002; :' & while :; do (sleep 0.02 &); echo x; done`)
	defer cmd.Wait()
	for range 3 {
		if _, err := out.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	tree := Tree{Root: id, Mark: "TREE_MARK=" + t.Name()}
	left, err := tree.Kill(t.Context())
	if err != nil || len(left) > 0 {
		t.Fatalf("left: %v, %v", left, err)
	}
	all, err := List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if strings.Contains(p.Command(50), "sleep 55200") || (&mark{entry: tree.Mark}).on(p) {
			t.Errorf("left behind: %+v %s", p, p.Command(50))
		}
	}
}

// Without a mark, the session alone finds what lost its parent.
func TestTreeBySession(t *testing.T) {
	cmd, id, out := begin(t, `(env -i sleep 552003 &); echo x; exec sleep 552004`)
	defer cmd.Wait()
	if _, err := out.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	tree := Tree{Root: id}
	members, err := tree.Members()
	if err != nil || len(members) != 2 {
		t.Errorf("members are %v, %v", members, err)
	}
	if left, err := tree.Kill(t.Context()); err != nil || len(left) > 0 {
		t.Fatalf("left: %v, %v", left, err)
	}
}

func BenchmarkList(b *testing.B) {
	for b.Loop() {
		if _, err := List(); err != nil {
			b.Fatal(err)
		}
	}
}
