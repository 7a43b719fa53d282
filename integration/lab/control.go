package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

// Status is a lab as its command shows it.
type Status struct {
	Name    string       `json:"name"`
	Dir     string       `json:"dir"`
	Means   string       `json:"means"`
	Systemd bool         `json:"systemd"`
	Since   time.Time    `json:"since"`
	PID     int          `json:"pid"` // of the process that holds the lab
	Nodes   []NodeStatus `json:"nodes"`
	Cuts    []string     `json:"cuts,omitempty"`
}

// NodeStatus is a machine of a lab.
type NodeStatus struct {
	Name     string            `json:"name"`
	Addr     string            `json:"addr"`
	On       bool              `json:"on"`
	PID      int               `json:"pid,omitempty"`
	Cgroup   string            `json:"cgroup,omitempty"` // where commands that enter it run
	Boots    int               `json:"boots"`
	Services map[string]string `json:"services,omitempty"`
}

// Status returns what the lab is like now.
func (l *Lab) Status() Status {
	s := Status{Name: l.opts.Name, Dir: l.dir, Means: Means(), Systemd: l.opts.Systemd, Since: l.started, PID: os.Getpid()}
	for _, n := range append(l.Nodes(), l.client.Node) {
		s.Nodes = append(s.Nodes, n.status())
	}
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for d, percent := range l.net.cuts {
		text := d.String()
		if percent < 100 {
			text += fmt.Sprintf(" loses %d%%", percent)
		}
		s.Cuts = append(s.Cuts, text)
	}
	sort.Strings(s.Cuts)
	return s
}

func (n *Node) status() NodeStatus {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := NodeStatus{Name: n.Name, Addr: n.Addr.String(), On: n.life != nil, Boots: n.boot}
	if n.life == nil {
		return s
	}
	s.PID, s.Cgroup = n.life.cmd.Process.Pid, n.life.execCgroup().path
	if n.lab.opts.Systemd {
		return s
	}
	n.life.mu.Lock()
	defer n.life.mu.Unlock()
	s.Services = map[string]string{}
	for name, service := range n.life.services {
		if s.Services[name] = service.status; service.running {
			s.Services[name] = "running"
		}
	}
	return s
}

// Request is what the lab's command asks of the process that holds the lab.
type Request struct {
	Do      string   `json:"do"` // status kill boot pause resume link-down link-up cut loss heal start signal switch power down
	Node    string   `json:"node,omitempty"`
	Service string   `json:"service,omitempty"`
	Number  int      `json:"number,omitempty"` // percent, signal
	Words   []string `json:"words,omitempty"`
}

// Answer is the answer to a Request.
type Answer struct {
	Error  string       `json:"error,omitempty"`
	Status *Status      `json:"status,omitempty"`
	Events []PowerEvent `json:"events,omitempty"`
}

func controlSocket(dir string) string { return filepath.Join(dir, "control.sock") }

// Serve answers requests of the lab's command until one of them is "down" or ctx ends. It does not take the lab down.
func (l *Lab) Serve(ctx context.Context, ready func()) error {
	ln, err := net.Listen("unix", controlSocket(l.dir))
	if err != nil {
		return fmt.Errorf("open the lab's control socket: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = ln.Close() })
	defer stop()
	ready()
	for {
		conn, err := ln.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		// A request that takes long (a boot) must not keep others from being asked.
		go func() {
			defer conn.Close()
			if l.serveOne(ctx, conn) {
				cancel()
			}
		}()
	}
}

// serveOne answers one request, and reports whether it was the last.
func (l *Lab) serveOne(ctx context.Context, conn net.Conn) (last bool) {
	var req Request
	if err := json.NewDecoder(bufio.NewReaderSize(conn, 4096)).Decode(&req); err != nil {
		return false
	}
	var a Answer
	if req.Do == "down" {
		last = true
		if err := l.Down(); err != nil {
			a.Error = err.Error()
		}
	} else if err := l.do(ctx, req, &a); err != nil {
		a.Error = err.Error()
	}
	_ = json.NewEncoder(conn).Encode(a) // who asked may have gone
	return last
}

func (l *Lab) do(ctx context.Context, req Request, a *Answer) error {
	switch req.Do {
	case "status":
		s := l.Status()
		a.Status = &s
		return nil
	case "power":
		a.Events = l.power.Events()
		return nil
	case "cut", "loss":
		return l.doCut(req)
	case "heal":
		return l.Heal()
	case "switch":
		return l.power.setByWords(req.Node, req.Words)
	}
	n := l.Lookup(req.Node)
	if n == nil {
		return fmt.Errorf("this lab has no machine %q; it has node1 to node%d and client", req.Node, len(l.nodes))
	}
	switch req.Do {
	case "kill":
		return n.Kill()
	case "boot":
		return n.Boot(ctx)
	case "pause":
		return n.Pause()
	case "resume":
		return n.Resume()
	case "link-down":
		return n.LinkDown()
	case "link-up":
		return n.LinkUp()
	case "start":
		return n.Start(ctx, req.Service)
	case "signal":
		return n.Signal(ctx, req.Service, syscall.Signal(req.Number))
	}
	return fmt.Errorf("the lab does not know how to %q", req.Do)
}

func (l *Lab) doCut(req Request) error {
	percent := 100
	if req.Do == "loss" {
		percent = req.Number
	}
	for _, w := range req.Words {
		dirs, err := ParseCut(w)
		if err != nil {
			return err
		}
		if err := l.Loss(percent, dirs...); err != nil {
			return err
		}
	}
	return nil
}

// setByWords sets faults of an outlet: "delay=2s", "refuse=WORDS", "hang", "lie", "unreachable", or "mend".
func (s *Switch) setByWords(plug string, words []string) error {
	for _, w := range words {
		name, value, _ := strings.Cut(w, "=")
		switch name {
		case "delay":
			d, err := time.ParseDuration(value)
			if err != nil {
				return fmt.Errorf("switch delay: %w", err)
			}
			s.SetDelay(plug, d)
		case "refuse":
			s.SetRefuse(plug, value)
		case "hang":
			s.SetHang(plug, true)
		case "lie":
			s.SetLie(plug, true)
		case "unreachable":
			s.SetUnreachable(plug, true)
		case "mend":
			s.Mend()
		default:
			return fmt.Errorf("switch: want delay=TIME, refuse=WORDS, hang, lie, unreachable or mend, not %q", w)
		}
	}
	return nil
}

// Ask sends a request to the lab of the name in dir.
func Ask(dir, name string, req Request) (Answer, error) {
	var a Answer
	conn, err := net.Dial("unix", controlSocket(filepath.Join(dir, name)))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return a, fmt.Errorf("lab %s is not up (paceline-lab up --name %s)", name, name)
	}
	if err != nil {
		return a, fmt.Errorf("reach lab %s: %w", name, err)
	}
	defer conn.Close()
	if err := json.NewEncoder(conn).Encode(req); err != nil {
		return a, fmt.Errorf("ask lab %s: %w", name, err)
	}
	if err := json.NewDecoder(conn).Decode(&a); err != nil {
		return a, fmt.Errorf("lab %s did not answer: %w", name, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

// EnterCommand is the command line that runs args in a machine of a lab held by another process, and its environment.
func EnterCommand(s Status, node string, args []string) (argv, env []string, err error) {
	for _, n := range s.Nodes {
		if n.Name != node {
			continue
		}
		if !n.On {
			return nil, nil, fmt.Errorf("%s has no power (paceline-lab boot %s)", node, node)
		}
		argv = append(enterArgs(n.PID, os.Geteuid() != 0), args...)
		if n.Cgroup != "" {
			// Into the machine's cgroup first, so that a power cut ends the command as well.
			join := fmt.Sprintf("echo $$ >%s/cgroup.procs && exec \"$@\"", n.Cgroup)
			argv = append([]string{"sh", "-c", join, "sh"}, argv...)
		}
		return argv, append((&Node{}).environment(), "TERM="+os.Getenv("TERM")), nil
	}
	return nil, nil, fmt.Errorf("lab %s has no machine %q", s.Name, node)
}
