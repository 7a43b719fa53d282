package lab

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// buildFence builds fence_lab for a test's nodes.
func buildFence(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "fence_lab"), "paceline/integration/lab/fence_lab")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build fence_lab: %v: %s", err, out)
	}
	return dir
}

// A node fences another through the switch, although no network joins them; the switch can refuse, lie, be slow and hang.
func TestPowerSwitch(t *testing.T) {
	if err := Usable(); err != nil {
		t.Skip("the lab ", err)
	}
	l := upLab(t, Options{Nodes: 2, Bin: buildFence(t)})
	fence := func(input string) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		return l.Node("node2").ExecInput(ctx, strings.NewReader(input), "fence_lab")
	}
	if out, err := fence("action=list\n"); err != nil || out != "node1,\nnode2,\n" {
		t.Errorf("list: %q, %v", out, err)
	}
	l.Switch().SetRefuse("node1", "outlet is locked")
	if _, err := fence("action=off\nplug=node1\n"); err == nil || !strings.Contains(err.Error(), "outlet is locked") {
		t.Errorf("a refusal: %v", err)
	}
	l.Switch().Mend()
	l.Switch().SetLie("node1", true)
	if _, err := fence("action=off\nplug=node1\n"); err != nil || !l.Node("node1").On() {
		t.Errorf("a lie: %v, node1 on: %v", err, l.Node("node1").On())
	}
	l.Switch().Mend()
	l.Switch().SetHang("", true)
	if _, err := fence("action=off\nplug=node1\npower_timeout=0.2\n"); err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("a switch that hangs: %v", err)
	}
	l.Switch().Mend()
	l.Switch().SetDelay("node1", 300*time.Millisecond)
	if err := l.Isolate("node1"); err != nil {
		t.Log("the network is left as it is: ", err)
	}
	begin := time.Now()
	if _, err := fence("action=off\nplug=node1\n"); err != nil || l.Node("node1").On() {
		t.Errorf("off: %v, node1 on: %v", err, l.Node("node1").On())
	}
	if took := time.Since(begin); took < 300*time.Millisecond {
		t.Errorf("a slow switch answered after %v", took)
	}
	if _, err := fence("action=status\nplug=node1\n"); err == nil || !strings.Contains(err.Error(), "exit status 2") {
		t.Errorf("status of a node that is off: %v", err)
	}
	l.Switch().Mend()
	if _, err := fence("action=reboot\nplug=node1\n"); err != nil || !l.Node("node1").On() {
		t.Errorf("reboot of a node that is off: %v", err)
	}
	l.Switch().SetDeny("node2", "the outlet does not answer any more")
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if reply := l.Switch().Do(ctx, PowerRequest{Action: "off", Plug: "node2"}, "node1"); reply.OK || !strings.Contains(reply.Error, "does not answer") || l.Node("node2").On() {
		t.Errorf("an outlet that does it and says no: %+v, node2 on: %v", reply, l.Node("node2").On())
	}
	var said []string
	for _, e := range l.Switch().Events() {
		if e.Node == "node1" && !strings.Contains(e.What, ":") {
			said = append(said, e.What)
		}
	}
	if got := strings.Join(said, " "); got != "on cut off on" {
		t.Errorf("the switch's log says %q", got)
	}
}
