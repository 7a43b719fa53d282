package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	Main()
	Enter()
	os.Exit(m.Run())
}

// upLab brings a lab up for a test, and takes it down after it.
func upLab(t *testing.T, opts Options) *Lab {
	t.Helper()
	if err := Usable(); err != nil {
		t.Skip("the lab ", err)
	}
	opts.Keep = os.Getenv("LAB_KEEP") != ""
	opts.Name = "t" + fmt.Sprint(os.Getpid()%100000)
	opts.Dir = filepath.Join("/var/tmp", fmt.Sprintf("paceline-lab-test-%d", os.Getuid()))
	l, err := New(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Down(); err != nil {
			t.Error(err)
		}
	})
	if err := l.Up(t.Context()); err != nil {
		t.Fatal(err)
	}
	return l
}

func mustExec(t *testing.T, n *Node, args ...string) string {
	t.Helper()
	out, err := n.Exec(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// pings tells whether one machine reaches another within a second. A neighbour that did not answer before is asked for
// again only after a second, so where an answer is wanted use reaches.
func pings(t *testing.T, from, to *Node) bool { return answers(t, from, to, time.Second) }

// reaches is pings with three seconds to answer.
func reaches(t *testing.T, from, to *Node) bool { return answers(t, from, to, 3*time.Second) }

func answers(t *testing.T, from, to *Node, within time.Duration) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), within)
	defer cancel()
	p, err := from.Ping(ctx, to.Addr, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	_, err = p.Await(ctx, time.Time{}, func(r Reply) bool { return r.From == to.Name })
	return err == nil
}

// A node is a machine of its own: name, address, disk that survives a power cut, memory that does not.
func TestNodeIsAMachine(t *testing.T) {
	l := upLab(t, Options{Nodes: 2, Services: []Service{{Name: "idle", Args: []string{"sleep", "1000"}}}})
	n := l.Node("node1")
	if got := mustExec(t, n, "hostname"); got != "node1" {
		t.Errorf("hostname is %q", got)
	}
	if got := mustExec(t, n, "sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '"); !strings.Contains(got, "paceline-lab-init") {
		t.Errorf("first process is %q", got)
	}
	mustExec(t, n, "sh", "-c", "echo disk >/var/lib/paceline/x; echo memory >/run/x; echo etc >/etc/paceline/x; echo shared >/lab/shared/x")
	if got := mustExec(t, l.Node("node2"), "sh", "-c", "cat /lab/shared/x; ls /run/x /etc/paceline/x 2>&1 | grep -c 'No such'"); got != "shared\n2" {
		t.Errorf("the other node sees %q", got)
	}
	pid := n.ServicePID("idle")
	if pid == 0 {
		t.Fatal("the service does not run")
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
		t.Errorf("process %d outlived the power cut", pid)
	}
	if err := n.Kill(); err != nil {
		t.Errorf("a second power cut: %v", err)
	}
	if pings(t, l.Client().Node, n) {
		t.Error("a node without power answers")
	}
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := mustExec(t, n, "sh", "-c", "cat /var/lib/paceline/x /etc/paceline/x; cat /run/x 2>/dev/null || true"); got != "disk\netc" {
		t.Errorf("after the power cut there is %q", got)
	}
	if !reaches(t, l.Client().Node, n) {
		t.Error("a booted node does not answer")
	}
}
