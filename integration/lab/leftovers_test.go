package lab

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// leftovers lists what a lab may leave behind on the machine: processes, mounts, interfaces, cgroups, named network
// namespaces and files.
func leftovers(t *testing.T, l *Lab) []string {
	t.Helper()
	var out []string
	if procs, err := os.ReadDir("/proc"); err == nil {
		for _, p := range procs {
			line, err := os.ReadFile("/proc/" + p.Name() + "/cmdline")
			if err == nil && strings.Contains(string(line), "paceline-lab-") && strings.Contains(string(line), l.dir) {
				out = append(out, "process "+p.Name())
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, l.dir) {
			out = append(out, "mount "+strings.TrimSpace(line))
		}
	}
	links, err := os.ReadDir("/sys/class/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if strings.HasPrefix(link.Name(), "node") || link.Name() == "lab" || link.Name() == "client" {
			out = append(out, "interface "+link.Name())
		}
	}
	if l.cgroup.usable() {
		if _, err := os.Stat(l.cgroup.path); !errors.Is(err, fs.ErrNotExist) {
			out = append(out, "cgroup "+l.cgroup.path)
		}
	}
	if named, err := os.ReadDir("/run/netns"); err == nil {
		for _, n := range named {
			if strings.Contains(n.Name(), "lab") {
				out = append(out, "network namespace "+n.Name())
			}
		}
	}
	if _, err := os.Stat(l.dir); !errors.Is(err, fs.ErrNotExist) {
		out = append(out, "directory "+l.dir)
	}
	return out
}

func TestDownLeavesNothing(t *testing.T) {
	l := upLab(t, Options{Nodes: 2, Services: []Service{{Name: "idle", Args: []string{"sleep", "1000"}}}})
	if len(leftovers(t, l)) == 0 {
		t.Error("the check does not see a lab that is up")
	}
	var pids []int
	for _, n := range l.Nodes() {
		pids = append(pids, n.PID(), n.ServicePID("idle"))
	}
	if err := l.Down(); err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, 0); pid == 0 || err == nil {
			t.Errorf("process %d: %v", pid, err)
		}
	}
	if left := leftovers(t, l); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
	if err := l.Down(); err != nil {
		t.Errorf("down again: %v", err)
	}
}

// crashEnv makes a copy of the test a program that brings a lab up, says so and waits to be killed.
const crashEnv = "PACELINE_LAB_CRASH"

// What a lab's process leaves that dies without a word, its warden removes.
func TestCrashLeavesNothing(t *testing.T) {
	if os.Getenv(crashEnv) != "" {
		l := upLab(t, Options{Nodes: 2, Services: []Service{{Name: "idle", Args: []string{"sleep", "1000"}}}})
		fmt.Println("UP", l.dir, l.cgroup.path, l.Node("node1").ServicePID("idle"))
		select {}
	}
	if err := Usable(); err != nil {
		t.Skip("the lab ", err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCrashLeavesNothing$")
	cmd.Env = append(os.Environ(), crashEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	l := &Lab{}
	var pid int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "UP "); ok {
			f := strings.Split(rest, " ")
			l.dir, l.cgroup.path = f[0], f[1]
			fmt.Sscan(f[2], &pid)
			break
		}
	}
	if pid == 0 || !filepath.IsAbs(l.dir) || len(leftovers(t, l)) == 0 {
		t.Fatalf("the copy brought no lab up: %+v", l)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// The warden is not our child: there is nothing to wait for but its work.
	deadline := time.Now().Add(wardenWait)
	for left := leftovers(t, l); len(left) != 0; left = leftovers(t, l) {
		if time.Now().After(deadline) {
			t.Fatalf("left behind after %v: %q", wardenWait, left)
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := syscall.Kill(pid, 0); err == nil {
		t.Errorf("process %d outlived its lab", pid)
	}
}

func TestSweepRefusesLivingLab(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeState(filepath.Join(dir, "x"), state{PID: os.Getpid(), Start: processStart(os.Getpid())}); err != nil {
		t.Fatal(err)
	}
	if err := Sweep(dir, "x"); err == nil || !strings.Contains(err.Error(), "up already") {
		t.Errorf("a living lab: %v", err)
	}
	for _, name := range []string{"", "..", "a/b", "A"} {
		if err := Sweep(dir, name); err == nil {
			t.Errorf("name %q was taken", name)
		}
	}
	if err := Sweep(dir, "nothing"); err != nil {
		t.Errorf("nothing to sweep: %v", err)
	}
}
