package lab

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// life is a node from power on to power off.
type life struct {
	name    string
	systemd bool
	cgroup  cgroup
	cmd     *exec.Cmd
	conn    net.Conn
	up      chan struct{} // closed when the node is up
	dead    chan struct{} // closed when its first process has ended
	notify  *net.UnixConn // where systemd says that it is up
	asking  sync.Mutex    // one question at a time
	answers chan report   // capacity 1: the answer to the question asked

	mu       sync.Mutex
	services map[string]serviceState
	changed  chan struct{} // closed and replaced at each change of services
	problem  string
}

type serviceState struct {
	running bool
	pid     int    // in the node's PID namespace
	status  string // how it last ended
}

// newLife starts a node's first process in cg and gives it its orders.
func newLife(n *Node, cg cgroup, order bootOrder) (*life, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, err
	}
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err = errors.Join(err, ours.Close()); err != nil {
		return nil, err
	}
	l := &life{name: n.Name, systemd: order.Systemd, cgroup: cg, conn: conn, up: make(chan struct{}), dead: make(chan struct{}), answers: make(chan report, 1),
		services: map[string]serviceState{}, changed: make(chan struct{})}
	if l.cmd, err = self("outer"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	console, err := os.OpenFile(filepath.Join(n.lab.dir, "logs", n.Name+".console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	defer console.Close()
	l.cmd.Stdout, l.cmd.Stderr = console, console
	l.cmd.ExtraFiles = []*os.File{theirs}
	l.cmd.SysProcAttr = &syscall.SysProcAttr{
		Setsid:     true,
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWNET | unix.CLONE_NEWIPC,
	}
	if cg.usable() {
		dir, err := os.Open(cg.path)
		if err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		defer dir.Close()
		l.cmd.SysProcAttr.UseCgroupFD, l.cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
	}
	if order.Systemd {
		if l.notify, err = listenNotify(order.Notify); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	if err := l.cmd.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("start its first process: %w", err), conn.Close())
	}
	go func() {
		_ = l.cmd.Wait()
		close(l.dead)
	}()
	for link := 0; link < n.links() && err == nil; link++ {
		err = n.lab.net.plug(n.Name, n.index, link, l.cmd.Process.Pid)
	}
	if err == nil {
		err = l.send(order)
	}
	if err != nil {
		return nil, errors.Join(err, l.end())
	}
	go l.read()
	if l.notify != nil {
		go l.awaitNotify()
	}
	return l, nil
}

func socketPair() (ours, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make the control socket: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "node"), os.NewFile(uintptr(fds[1]), "lab"), nil
}

func (l *life) send(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	_, err = l.conn.Write(append(b, '\n'))
	return err
}

// read takes in what the node's first process reports, until it ends.
func (l *life) read() {
	lines := bufio.NewScanner(l.conn)
	lines.Buffer(nil, requestMax)
	for lines.Scan() {
		var r report
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			continue // what a node says that is being killed may be torn
		}
		l.take(r)
	}
}

func (l *life) take(r report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.up: // after the boot, what is not an end is an answer
		if r.Event != "exited" {
			select {
			case l.answers <- r:
			default: // nobody asks any more
			}
		}
	default:
	}
	switch r.Event {
	case "up":
		close(l.up)
	case "started":
		l.services[r.Service] = serviceState{running: true, pid: r.PID}
	case "exited":
		l.services[r.Service] = serviceState{status: r.Status}
	case "error":
		l.problem = r.Error
	}
	close(l.changed)
	l.changed = make(chan struct{})
}

// ask sends a command and waits for its answer.
func (l *life) ask(ctx context.Context, c command) error {
	l.asking.Lock()
	defer l.asking.Unlock()
	select {
	case <-l.answers: // of an earlier question that nobody waited for
	default:
	}
	if err := l.send(c); err != nil {
		return fmt.Errorf("%s %s on %s: %w", c.Do, c.Service, l.name, err)
	}
	select {
	case r := <-l.answers:
		if r.Error != "" {
			return fmt.Errorf("%s %s on %s: %s", c.Do, c.Service, l.name, r.Error)
		}
		return nil
	case <-l.dead:
		return fmt.Errorf("%s %s on %s: the node lost power", c.Do, c.Service, l.name)
	case <-ctx.Done():
		return fmt.Errorf("%s %s on %s: %w", c.Do, c.Service, l.name, context.Cause(ctx))
	}
}

// awaitExit returns when the service does not run.
func (l *life) awaitExit(ctx context.Context, service string) (string, error) {
	for {
		l.mu.Lock()
		s, changed := l.services[service], l.changed
		l.mu.Unlock()
		if !s.running {
			return s.status, nil
		}
		select {
		case <-changed:
		case <-l.dead:
			return "the node lost power", nil
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %s on %s to end: %w", service, l.name, context.Cause(ctx))
		}
	}
}

// servicePID finds the process that the host knows by another number than the node does.
func (l *life) servicePID(service string) int {
	l.mu.Lock()
	s := l.services[service]
	l.mu.Unlock()
	if l.systemd {
		return l.unitPID(service)
	}
	if !s.running {
		return 0
	}
	return l.outerPID(s.pid)
}

// end ends every process of the node and returns when none is left.
func (l *life) end() error {
	if l.cgroup.usable() {
		if err := l.cgroup.kill(); err != nil {
			return fmt.Errorf("cut the power of %s: %w", l.name, err)
		}
	} else {
		// The kernel ends all others of the PID namespace before its first process can be waited for.
		_ = l.cmd.Process.Kill()
	}
	<-l.dead
	if l.notify != nil {
		_ = l.notify.Close()
	}
	_ = l.conn.Close()
	// A new life gets a new cgroup: some kernels kill what is started in one that was ever killed.
	return removeCgroups(l.cgroup.path)
}

// complaint is what the node last complained about, for an error message.
func (l *life) complaint() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.problem == "" {
		return ""
	}
	return ": " + l.problem
}

// enterArgs is the command that enters the namespaces of process pid.
func enterArgs(pid int, userNamespace bool) []string {
	args := []string{"nsenter", "-t", strconv.Itoa(pid)}
	if userNamespace {
		args = append(args, "-U", "--preserve-credentials")
	}
	return append(args, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--")
}

// command makes a command that runs in the node. done is to be called after it ended.
func (n *Node) command(ctx context.Context, args ...string) (*exec.Cmd, func(), error) {
	life, err := n.living()
	if err != nil {
		return nil, nil, err
	}
	enter := enterArgs(life.cmd.Process.Pid, false)
	cmd := exec.CommandContext(ctx, enter[0], append(enter[1:], args...)...)
	cmd.Env = n.environment()
	// nsenter's child is in its process group: ending the group ends both.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return unix.Kill(-cmd.Process.Pid, unix.SIGKILL) }
	done := func() {}
	if cg := life.execCgroup(); cg.usable() {
		dir, err := os.Open(cg.path)
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", n.Name, err)
		}
		cmd.SysProcAttr.UseCgroupFD, cmd.SysProcAttr.CgroupFD = true, int(dir.Fd())
		done = func() { _ = dir.Close() }
	}
	return cmd, done, nil
}
