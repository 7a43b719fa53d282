package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Node is a machine of the lab. Its disk (/etc, /var, ...) is there whether it is powered or not.
type Node struct {
	Name string
	Addr netip.Addr

	lab   *Lab
	index int
	plain bool // the client: no services, no power switch, never systemd

	mu   sync.Mutex
	life *life // nil while the power is off
	boot int   // how often it was booted
}

// Disk returns where the host sees a path of the node's disk, such as /etc/paceline. Only what is below /etc, /var, /srv,
// /mnt, /media, /home and /root is the node's own.
func (n *Node) Disk(path string) string { return filepath.Join(n.lab.dir, n.Name, path) }

// Log returns where the host sees the log of a service.
func (n *Node) Log(service string) string { return n.Disk("/var/log/" + service + ".log") }

// links is on how many networks the machine is.
func (n *Node) links() int {
	if n.plain {
		return 1
	}
	return n.lab.opts.Links
}

// LinkAddr returns the node's address on a network, from 0.
func (n *Node) LinkAddr(link int) netip.Addr {
	a := n.Addr.As4()
	a[2] = byte(link)
	return netip.AddrFrom4(a)
}

// AddressArgs are the options of paceline cluster init and join that say where the node is reached.
func (n *Node) AddressArgs() []string {
	args := []string{"--address", n.Addr.String()}
	for link := 1; link < n.links(); link++ {
		args = append(args, "--link", n.LinkAddr(link).String())
	}
	return args
}

// addrs returns the node's addresses on a network with their prefix lengths.
func (n *Node) addrs(link int) []string {
	return []string{n.LinkAddr(link).String() + "/24", fmt.Sprintf("fd77:%x::%d/64", link, n.Addr.As4()[3])}
}

// prepare makes the node's disk.
func (n *Node) prepare() error {
	for _, d := range append([]string{rootMount}, ownDirs...) {
		if err := os.MkdirAll(n.Disk(d), 0o755); err != nil {
			return err
		}
	}
	skip := func(rel string) bool {
		if slices.Contains(sharedEtc, rel) {
			return true
		}
		switch rel {
		case "systemd/system", "paceline", "hostname", "hosts", "machine-id", "resolv.conf", "fstab", "mtab":
			return true
		}
		return false
	}
	if err := copyTree("/etc", n.Disk("/etc"), skip); err != nil {
		return fmt.Errorf("copy /etc: %w", err)
	}
	for _, d := range []string{"/etc/paceline", "/var/lib/paceline", "/var/log", "/var/tmp", "/var/cache", "/var/spool", "/var/lib/misc"} {
		if err := os.MkdirAll(n.Disk(d), 0o755); err != nil {
			return err
		}
	}
	for link, dest := range map[string]string{"/var/run": "/run", "/var/lock": "/run/lock", "/etc/mtab": "/proc/self/mounts"} {
		if err := os.Symlink(dest, n.Disk(link)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	files := map[string]string{
		"/etc/hostname":    n.Name + "\n",
		"/etc/hosts":       n.lab.hosts(),
		"/etc/machine-id":  fmt.Sprintf("%032x\n", 0x9ace11e<<8|n.index),
		"/etc/resolv.conf": "",
		"/etc/fstab":       "",
	}
	for path, text := range files {
		if err := os.WriteFile(n.Disk(path), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if n.lab.opts.Systemd && !n.plain {
		return n.prepareSystemd()
	}
	return nil
}

// hosts is the /etc/hosts of every machine.
func (l *Lab) hosts() string {
	var b strings.Builder
	b.WriteString("127.0.0.1 localhost\n::1 localhost\n10.77.0.100 client\n")
	for i := range l.opts.Nodes {
		fmt.Fprintf(&b, "10.77.0.%d node%d\n", 11+i, i+1)
	}
	return b.String()
}

// On reports whether the node has power.
func (n *Node) On() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.life != nil
}

// PID returns the node's first process as the host counts, or 0 while the power is off.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life == nil {
		return 0
	}
	return n.life.cmd.Process.Pid
}

// Boot gives the node power and returns when it is up, its services started. A node that has power is an error.
func (n *Node) Boot(ctx context.Context) error {
	life, err := n.powerOn()
	if err != nil {
		return err
	}
	return n.awaitUp(ctx, life)
}

// powerOn starts the node's first process and gives it its orders.
func (n *Node) powerOn() (*life, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life != nil {
		return nil, fmt.Errorf("%s is on already", n.Name)
	}
	cg, err := n.lab.cgroup.child(n.Name)
	if err != nil {
		return nil, err
	}
	order := n.bootOrder()
	life, err := newLife(n, cg, order)
	if err != nil {
		return nil, fmt.Errorf("boot %s: %w", n.Name, err)
	}
	n.boot++
	n.life = life
	if !n.plain {
		n.lab.power.note(n.Name, "on", "")
	}
	return life, nil
}

func (n *Node) bootOrder() bootOrder {
	o := n.lab.opts
	var addrs [][]string
	for link := range n.links() {
		addrs = append(addrs, n.addrs(link))
	}
	order := bootOrder{Name: n.Name, Addrs: addrs, Disk: filepath.Join(n.lab.dir, n.Name), Bin: o.Bin, Shared: filepath.Join(n.lab.dir, "shared"), Env: n.environment()}
	if n.plain {
		return order
	}
	order.Power = n.lab.power.socketOf(n.Name)
	order.Services = o.Services
	order.DiskSize = o.Disk
	if o.Systemd {
		order.Systemd = true
		order.Notify = n.notifyPath()
	}
	return order
}

// environment is what every process of the node starts with.
func (n *Node) environment() []string {
	return []string{
		"PATH=/lab/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LANG=C.UTF-8", "SHELL=/bin/sh", "USER=root",
		"PACELINE_FENCE_PATH=/lab/bin", "container=paceline-lab",
	}
}

func (n *Node) awaitUp(ctx context.Context, life *life) error {
	ctx, cancel := context.WithTimeout(ctx, bootWait)
	defer cancel()
	select {
	case <-life.up:
		return nil
	case <-life.dead:
		return fmt.Errorf("boot %s: it lost power before it was up%s", n.Name, life.complaint())
	case <-ctx.Done():
		return fmt.Errorf("boot %s: not up: %w%s", n.Name, context.Cause(ctx), life.complaint())
	}
}

// Kill cuts the node's power: the link goes down, then every process ends; it returns when all have. A node without
// power is no error.
func (n *Node) Kill() error { return n.powerOff("operator") }

func (n *Node) powerOff(by string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	life := n.life
	if life == nil {
		return nil
	}
	if !n.plain {
		n.lab.power.note(n.Name, "cut", by)
	}
	// The link first: the sockets of dying processes would otherwise say goodbye, which a machine without power does not.
	if err := n.LinkDown(); err != nil {
		return fmt.Errorf("take the link of %s down: %w", n.Name, err)
	}
	if err := life.end(); err != nil {
		return err
	}
	n.life = nil
	for link := range n.links() {
		n.lab.net.unplug(cableName(n.Name, link))
	}
	if !n.plain {
		n.lab.power.disarm(n.Name)
		n.lab.power.note(n.Name, "off", by)
	}
	return nil
}

// Pause stops every process of the node in its tracks, as a hypervisor does to a machine; the link stays up.
func (n *Node) Pause() error { return n.freeze(true) }

// Resume lets a paused node go on.
func (n *Node) Resume() error { return n.freeze(false) }

func (n *Node) freeze(on bool) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life == nil {
		return fmt.Errorf("%s has no power", n.Name)
	}
	if !n.life.cgroup.usable() {
		return errors.New("pausing a node needs cgroups, which an ordinary user does not have")
	}
	word := "paused"
	if !on {
		word = "resumed"
	}
	if err := n.life.cgroup.freeze(on); err != nil {
		return err
	}
	n.lab.power.note(n.Name, word, "operator")
	return nil
}

// LinkDown takes the node's cables out, LinkUp puts them back: unlike Cut, the node sees its carrier go.
func (n *Node) LinkDown() error {
	for link := range n.links() {
		if err := n.lab.net.linkDown(cableName(n.Name, link)); err != nil {
			return err
		}
	}
	return nil
}

// LinkUp puts the node's cables back.
func (n *Node) LinkUp() error {
	for k := range n.links() {
		link, err := n.lab.net.nl.LinkByName(cableName(n.Name, k))
		if err != nil {
			return fmt.Errorf("%s has no cable: %w", n.Name, err)
		}
		if err := n.lab.net.nl.LinkSetUp(link); err != nil {
			return err
		}
	}
	return nil
}

// Exec runs a command in the node and returns what it printed, standard output and error together. It dies with the
// node and with ctx.
func (n *Node) Exec(ctx context.Context, args ...string) (string, error) {
	return n.ExecInput(ctx, nil, args...)
}

// ExecInput is Exec with something on the command's standard input.
func (n *Node) ExecInput(ctx context.Context, input io.Reader, args ...string) (string, error) {
	cmd, done, err := n.command(ctx, args...)
	if err != nil {
		return "", err
	}
	defer done()
	var out strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = input, &out, &out
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %s: %w: %s", n.Name, strings.Join(args, " "), err, strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

// Output is Exec that returns standard output alone.
func (n *Node) Output(ctx context.Context, args ...string) ([]byte, error) {
	cmd, done, err := n.command(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer done()
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return out, fmt.Errorf("%s: %s: %w: %s", n.Name, strings.Join(args, " "), err, strings.TrimSpace(errs.String()))
	}
	return out, nil
}

// Start starts a service of the node.
func (n *Node) Start(ctx context.Context, service string, env ...string) error {
	life, err := n.living()
	if err != nil {
		return err
	}
	if n.lab.opts.Systemd && !n.plain {
		_, err := n.Exec(ctx, "systemctl", "start", service+".service")
		return err
	}
	return life.ask(ctx, command{Do: "start", Service: service, Env: env})
}

// Signal sends a signal to the process of a service.
func (n *Node) Signal(ctx context.Context, service string, sig syscall.Signal) error {
	life, err := n.living()
	if err != nil {
		return err
	}
	if n.lab.opts.Systemd && !n.plain {
		_, err := n.Exec(ctx, "systemctl", "kill", "--kill-who=main", "--signal="+unix.SignalName(sig), service+".service")
		return err
	}
	return life.ask(ctx, command{Do: "signal", Service: service, Signal: int(sig)})
}

// AwaitExit returns when the service does not run, with how it ended.
func (n *Node) AwaitExit(ctx context.Context, service string) (string, error) {
	life, err := n.living()
	if err != nil {
		return "", err
	}
	if n.lab.opts.Systemd && !n.plain {
		return n.awaitInactive(ctx, service)
	}
	return life.awaitExit(ctx, service)
}

func (n *Node) living() (*life, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.life == nil {
		return nil, fmt.Errorf("%s has no power", n.Name)
	}
	return n.life, nil
}

// ServicePID returns the process of a service as the host counts, or 0.
func (n *Node) ServicePID(service string) int {
	life, err := n.living()
	if err != nil {
		return 0
	}
	return life.servicePID(service)
}

// Shutdown ends a service in good order (SIGTERM), waits for its end, and powers the node off.
func (n *Node) Shutdown(ctx context.Context, service string) error {
	if err := n.Signal(ctx, service, syscall.SIGTERM); err != nil {
		return err
	}
	if _, err := n.AwaitExit(ctx, service); err != nil {
		return err
	}
	return n.Kill()
}

// Monotonic reads CLOCK_MONOTONIC, which all nodes of a lab share: their machine's.
func Monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
