package lab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// bootOrder is what the lab tells a node's first process.
type bootOrder struct {
	Name     string     `json:"name"`
	Addrs    [][]string `json:"addrs"` // with their prefix lengths, for each network
	Disk     string     `json:"disk"`  // the node's directory, as the host sees it
	Bin      string     `json:"bin,omitempty"`
	Shared   string     `json:"shared"`
	Power    string     `json:"power,omitempty"`  // the power switch's socket, as the host sees it
	Notify   string     `json:"notify,omitempty"` // where systemd says that it is up, as the host sees it
	DiskSize string     `json:"disk_size,omitempty"`
	Services []Service  `json:"services,omitempty"`
	Env      []string   `json:"env"`
	Systemd  bool       `json:"systemd,omitempty"`
}

// command is what the lab asks of a running node's first process.
type command struct {
	Do      string   `json:"do"` // start, signal
	Service string   `json:"service"`
	Signal  int      `json:"signal,omitempty"`
	Env     []string `json:"env,omitempty"` // added for this start
}

// report is what a node's first process tells the lab.
type report struct {
	Event   string `json:"event"` // up, started, exited, signalled, error
	Service string `json:"service,omitempty"`
	PID     int    `json:"pid,omitempty"`    // in the node's PID namespace
	Status  string `json:"status,omitempty"` // of a service that ended, for people
	Error   string `json:"error,omitempty"`
}

// runOuter is the first life of a node's first process: it leaves the cgroup namespace of the lab, which the process
// was born in, for one whose root is the node's cgroup, and goes on as runInit.
func runOuter(args []string) error {
	runtime.LockOSThread() // unshare is the thread's; exec makes that thread the process
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil && !InUserNamespace() {
		return fmt.Errorf("unshare the cgroup namespace: %w", err)
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, roleEnv+"=") {
			env = append(env, e)
		}
	}
	return unix.Exec(exe, append([]string{"paceline-lab-init"}, args...), append(env, roleEnv+"=init"))
}

// initProcess is the first process of a node without systemd: it starts services when told and reaps what dies.
type initProcess struct {
	order bootOrder
	conn  *os.File

	mu      sync.Mutex // held while a process is started, so that it is not reaped before it is known
	running map[string]int
}

// runInit is the life of a node's first process. It ends with the lab's end of the control socket, and the kernel then ends
// everything else in the node.
func runInit([]string) error {
	unix.CloseOnExec(3)
	conn := os.NewFile(3, "lab")
	lines := bufio.NewScanner(conn)
	lines.Buffer(nil, requestMax)
	if !lines.Scan() {
		return errors.New("no boot order came")
	}
	p := &initProcess{conn: conn, running: map[string]int{}}
	if err := json.Unmarshal(lines.Bytes(), &p.order); err != nil {
		return fmt.Errorf("read the boot order: %w", err)
	}
	if err := p.boot(); err != nil {
		p.report(report{Event: "error", Error: err.Error()})
		return err
	}
	if p.order.Systemd {
		env := append(p.order.Env, "NOTIFY_SOCKET="+notifySocket, "SYSTEMD_SECCOMP=0")
		return fmt.Errorf("exec systemd: %w", unix.Exec("/lib/systemd/systemd", []string{"systemd", "--system", "--unit=lab.target"}, env))
	}
	go p.reap()
	for _, s := range p.order.Services {
		if !s.Manual {
			p.start(command{Service: s.Name})
		}
	}
	p.report(report{Event: "up"})
	for lines.Scan() {
		var c command
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			return fmt.Errorf("read a command: %w", err)
		}
		switch c.Do {
		case "start":
			p.start(c)
		case "signal":
			p.signal(c)
		}
	}
	return nil
}

// boot makes the namespaces into a machine: name, root, network.
func (p *initProcess) boot() error {
	// Caught and dropped, not ignored: what is ignored stays so in services and in systemd.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	if err := unix.Sethostname([]byte(p.order.Name)); err != nil {
		return fmt.Errorf("set the host name: %w", err)
	}
	if err := buildRoot(p.order); err != nil {
		return err
	}
	if err := linkUp("lo"); err != nil {
		return err
	}
	for i, addrs := range p.order.Addrs {
		name := fmt.Sprintf("eth%d", i)
		// Say at once who is here: a neighbour that asked while the node had no power asks again only a second later.
		_ = os.WriteFile("/proc/sys/net/ipv4/conf/"+name+"/arp_notify", []byte("1"), 0o644)
		if err := linkUp(name, addrs...); err != nil {
			return err
		}
	}
	return nil
}

func linkUp(name string, addrs ...string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return fmt.Errorf("find interface %s: %w", name, err)
	}
	for _, a := range addrs {
		addr, err := netlink.ParseAddr(a)
		if err != nil {
			return fmt.Errorf("address %s: %w", a, err)
		}
		if addr.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD // nobody else has it, and a second of probing would only delay the node
		}
		if err := netlink.AddrAdd(link, addr); err != nil && addr.IP.To4() != nil {
			return fmt.Errorf("give %s to %s: %w", a, name, err) // a kernel without IPv6 is no reason not to boot
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return fmt.Errorf("set %s up: %w", name, err)
	}
	return nil
}

func (p *initProcess) report(r report) {
	b, err := json.Marshal(r)
	if err == nil {
		_, _ = p.conn.Write(append(b, '\n')) // a lab that does not read is gone, and so are we in a moment
	}
}

func (p *initProcess) service(name string) (Service, bool) {
	for _, s := range p.order.Services {
		if s.Name == name {
			return s, true
		}
	}
	return Service{}, false
}

func (p *initProcess) start(c command) {
	fail := func(err error) { p.report(report{Event: "error", Service: c.Service, Error: err.Error()}) }
	s, ok := p.service(c.Service)
	if !ok || len(s.Args) == 0 {
		fail(fmt.Errorf("no service %q here", c.Service))
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if pid := p.running[s.Name]; pid != 0 {
		fail(fmt.Errorf("service %s runs already (process %d)", s.Name, pid))
		return
	}
	log, err := os.OpenFile(filepath.Join("/var/log", s.Name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fail(err)
		return
	}
	defer log.Close()
	program, err := lookPathIn(s.Args[0], p.order.Env)
	if err != nil {
		fail(err)
		return
	}
	env := append(append(append([]string(nil), p.order.Env...), s.Env...), c.Env...)
	pid, err := syscall.ForkExec(program, s.Args, &syscall.ProcAttr{
		Dir: "/", Env: env, Files: []uintptr{devNull(), log.Fd(), log.Fd()}, Sys: &syscall.SysProcAttr{Setsid: true},
	})
	if err != nil {
		fail(fmt.Errorf("start %s: %w", s.Args[0], err))
		return
	}
	p.running[s.Name] = pid
	p.report(report{Event: "started", Service: s.Name, PID: pid})
}

var devNull = sync.OnceValue(func() uintptr {
	f, err := os.Open("/dev/null")
	if err != nil {
		return os.Stdin.Fd()
	}
	// The descriptor is needed for as long as the process lives; nobody closes it.
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 10)
	if err != nil {
		return os.Stdin.Fd()
	}
	_ = f.Close()
	return uintptr(fd)
})

// lookPathIn looks a program up on the PATH of env.
func lookPathIn(program string, env []string) (string, error) {
	if strings.Contains(program, "/") {
		return program, nil
	}
	for _, e := range env {
		if path, ok := strings.CutPrefix(e, "PATH="); ok {
			for _, dir := range filepath.SplitList(path) {
				if p, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
					return p, nil
				}
			}
		}
	}
	return "", fmt.Errorf("program %s is not on the node's PATH", program)
}

func (p *initProcess) signal(c command) {
	p.mu.Lock()
	pid := p.running[c.Service]
	p.mu.Unlock()
	if pid == 0 {
		p.report(report{Event: "error", Service: c.Service, Error: fmt.Sprintf("service %s does not run", c.Service)})
		return
	}
	if err := unix.Kill(pid, unix.Signal(c.Signal)); err != nil {
		p.report(report{Event: "error", Service: c.Service, Error: err.Error()})
		return
	}
	p.report(report{Event: "signalled", Service: c.Service, PID: pid})
}

// reap collects every process that dies in the node, ours or orphaned, and reports the end of services.
func (p *initProcess) reap() {
	died := make(chan os.Signal, 1) // one pending is enough: each wake-up collects all
	signal.Notify(died, syscall.SIGCHLD)
	for range died {
		for p.reapOne() {
		}
	}
}

func (p *initProcess) reapOne() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var st unix.WaitStatus
	pid, err := unix.Wait4(-1, &st, unix.WNOHANG, nil)
	if err == unix.EINTR {
		return true
	}
	if err != nil || pid <= 0 {
		return false
	}
	for name, running := range p.running {
		if running == pid {
			delete(p.running, name)
			p.report(report{Event: "exited", Service: name, PID: pid, Status: statusText(st)})
		}
	}
	return true
}

func statusText(st unix.WaitStatus) string {
	if st.Signaled() {
		return "killed by " + unix.SignalName(st.Signal())
	}
	return fmt.Sprintf("exit status %d", st.ExitStatus())
}
