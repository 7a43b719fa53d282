package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Process is a process of a node as the host sees it.
type Process struct {
	PID   int // as the host counts
	Inner int // as the node counts
	Args  []string
}

// Processes lists the node's processes, those of containers inside it left out.
func (n *Node) Processes() ([]Process, error) {
	life, err := n.living()
	if err != nil {
		return nil, err
	}
	return life.processes()
}

func (l *life) processes() ([]Process, error) {
	first := l.cmd.Process.Pid
	ns, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", first))
	if err != nil {
		return nil, fmt.Errorf("processes of %s: %w", l.name, err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var out []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		// A process that ends while it is looked at is no process.
		if own, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid)); err != nil || own != ns {
			continue
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue
		}
		p := Process{PID: pid}
		for line := range strings.Lines(string(status)) {
			if f := strings.Fields(line); len(f) > 1 && f[0] == "NSpid:" {
				p.Inner, _ = strconv.Atoi(f[len(f)-1])
			}
		}
		if line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); err == nil {
			p.Args = strings.Split(strings.TrimRight(string(line), "\x00"), "\x00")
		}
		out = append(out, p)
	}
	return out, nil
}

// outerPID translates a process number of the node into one of the host; 0 if there is none.
func (l *life) outerPID(inner int) int {
	list, err := l.processes()
	if err != nil {
		return 0
	}
	for _, p := range list {
		if p.Inner == inner {
			return p.PID
		}
	}
	return 0
}
