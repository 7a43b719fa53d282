package lab

import (
	"strings"
	"syscall"
	"testing"
)

// A node with systemd is a machine whose first process is systemd, with units that start, stop and are killed on their own.
func TestSystemdNode(t *testing.T) {
	if err := Usable(); err != nil {
		t.Skip("the lab ", err)
	}
	if err := SystemdUsable(); err != nil {
		t.Skip(err)
	}
	l := upLab(t, Options{Nodes: 2, Systemd: true, Services: []Service{{Name: "daemon", Args: []string{"sh", "-c", "echo $HOME 100%; exec sleep 1000"}}},
		Units: map[string]string{"web.service": "[Service]\nExecStart=sleep 1000\n"}})
	n := l.Node("node1")
	if got := mustExec(t, n, "systemctl", "is-active", "daemon.service"); got != "active" {
		t.Fatalf("the daemon is %q", got)
	}
	// The unit counts as active when its program was started, which may be before it has said anything.
	if got := mustExec(t, n, "timeout", "10", "sh", "-c", "until [ -s /var/log/daemon.log ]; do sleep 0.02; done; cat /var/log/daemon.log"); got != "$HOME 100%" && got != "/root 100%" {
		t.Errorf("the daemon logged %q", got)
	}
	mustExec(t, n, "systemctl", "start", "web.service")
	if got := mustExec(t, n, "sh", "-c", "systemctl list-units --failed --no-legend --plain | cut -d' ' -f1"); got != "" {
		t.Errorf("failed units: %q", got)
	}
	if _, err := l.Node("node2").Exec(t.Context(), "systemctl", "is-active", "web.service"); err == nil {
		t.Error("the other node's systemd runs the unit as well")
	}
	if n.ServicePID("daemon") == 0 {
		t.Error("the daemon's process is not found")
	}
	if err := n.Signal(t.Context(), "daemon", syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if state, err := n.AwaitExit(t.Context(), "daemon"); err != nil || state != "failed" {
		t.Errorf("a killed daemon is %q, %v", state, err)
	}
	if err := n.Start(t.Context(), "daemon"); err != nil {
		t.Fatal(err)
	}
	if err := n.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := n.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, _ := n.Exec(t.Context(), "systemctl", "is-active", "web.service"); strings.TrimSpace(got) != "inactive" {
		t.Errorf("after a power cut the unit is %q", got)
	}
}
