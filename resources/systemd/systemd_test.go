package systemd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paceline/resources"

	"github.com/coreos/go-systemd/v22/dbus"
	"golang.org/x/sys/unix"
)

// units are what the test's systemd has.
var units = map[string]string{
	"default.target":  "[Unit]\nDefaultDependencies=no\n",
	"shutdown.target": "[Unit]\nDefaultDependencies=no\n",
	"good.service":    "[Unit]\nDescription=a good one\nDefaultDependencies=no\n[Service]\nRestart=always\nExecStart=/bin/sleep 1000\nExecReload=/bin/true\n",
	"exits.service":   "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exit 3'\n",
	"brief.service":   "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
	"slow.service":    "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/sleep 1000\nTimeoutStartSec=300ms\n",
	"slower.service":  "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\nExecStart=/bin/sleep 1000\n",
	"deaf.service":    "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sh -c 'trap \"\" TERM; while :; do sleep 0.05; done'\nTimeoutStopSec=100\n",
	"needy.service":   "[Unit]\nDefaultDependencies=no\nRequires=exits.service\nAfter=exits.service\n[Service]\nExecStart=/bin/sleep 1000\n",
	"wrong.service":   "[Unit]\nDefaultDependencies=no\n[Service]\nType=oneshot\n",
	"atboot.service":  "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1000\n[Install]\nWantedBy=other.target\n",
	"other.target":    "[Unit]\nDefaultDependencies=no\n",
}

// inside tells the tests that they run beside a systemd of their own; notInside why they do not.
const inside, notInside = "PACELINE_TEST_SYSTEMD", "PACELINE_TEST_NO_SYSTEMD"

// private is a systemd in namespaces and a cgroup of its own.
type private struct {
	cmd    *exec.Cmd
	cgroup string
	skip   string // why there is none
}

// TestMain boots a systemd in namespaces and runs the tests beside it, in there: systemd talks to nobody whose process it
// cannot see. Where that is not possible it runs them here, and those that need systemd are skipped with the reason.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(m.Run())
	}
	var p private
	p.begin()
	code := 0
	if p.skip == "" {
		code = p.run()
	} else {
		os.Setenv(notInside, p.skip)
		code = m.Run()
	}
	p.end()
	os.Exit(code)
}

// run runs the tests inside.
func (p *private) run() int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	cmd := exec.Command("nsenter", append([]string{"--all", "--target", fmt.Sprint(p.cmd.Process.Pid), "--wd=" + wd(), self}, os.Args[1:]...)...)
	cmd.Env = append(os.Environ(), inside+"=yes")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		if code := cmd.ProcessState.ExitCode(); code > 0 {
			return code
		}
		fmt.Fprintln(os.Stderr, "run tests beside systemd:", err)
		return 1
	}
	return 0
}

func wd() string {
	dir, err := os.Getwd()
	if err != nil {
		return "/"
	}
	return dir
}

// boot returns a Runner over the systemd beside us, or skips with the reason.
func boot(t testing.TB) *Runner {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip(os.Getenv(notInside))
	}
	r := New(Config{})
	t.Cleanup(r.Close)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) { // until it has booted: it says so to nobody
		c, err := r.conn.get()
		state := ""
		if err == nil {
			state, err = c.GetManagerProperty("SystemState")
		}
		if err == nil && !strings.Contains(state, "initializing") && !strings.Contains(state, "starting") {
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("systemd has not booted: %s, %v", state, err)
		}
	}
}

const script = `set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/units
mount -t tmpfs tmpfs /etc/systemd/system
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cp "$UNITS"/* /run/units/
ln -s /dev/null /run/units/masked.service
mkdir -p /etc/systemd/system/other.target.wants
ln -s /run/units/atboot.service /etc/systemd/system/other.target.wants/
export container=test SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/systemd/system:/run/units: SYSTEMD_LOG_TARGET=console
exec /lib/systemd/systemd --system --unit=default.target`

func (p *private) begin() {
	if os.Geteuid() != 0 {
		p.skip = "needs root: boots a systemd in namespaces"
		return
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		p.skip = "needs systemd: there is no /lib/systemd/systemd"
		return
	}
	base := "/sys/fs/cgroup/unified"
	if _, err := os.Stat(base + "/cgroup.procs"); err != nil {
		base = "/sys/fs/cgroup"
	}
	p.cgroup = fmt.Sprintf("%s/paceline-systemd-test-%d", base, os.Getpid())
	if err := os.Mkdir(p.cgroup, 0o755); err != nil {
		p.skip = fmt.Sprintf("needs a cgroup (v2) of its own: %v", err)
		p.cgroup = ""
		return
	}
	dir, err := os.MkdirTemp("", "units")
	if err != nil {
		p.skip = err.Error()
		return
	}
	defer os.RemoveAll(dir)
	for name, text := range units {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			p.skip = err.Error()
			return
		}
	}
	fd, err := unix.Open(p.cgroup, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		p.skip = err.Error()
		return
	}
	defer unix.Close(fd)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		p.skip = err.Error()
		return
	}
	defer log.Close()
	p.cmd = exec.Command("/bin/sh", "-c", script)
	p.cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "UNITS=" + dir}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWUTS | unix.CLONE_NEWIPC | unix.CLONE_NEWNET | unix.CLONE_NEWCGROUP,
		Pdeathsig:  syscall.SIGKILL, UseCgroupFD: true, CgroupFD: fd, Setsid: true,
	}
	if err := p.cmd.Start(); err != nil {
		p.skip = fmt.Sprintf("needs namespaces: %v", err)
		p.cmd = nil
		return
	}
	socket := fmt.Sprintf("/proc/%d/root/run/systemd/private", p.cmd.Process.Pid)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		// Our own /run may have the file too, until the script has mounted another over it.
		if theirs, err := os.Stat(socket); err == nil {
			if ours, err := os.Stat("/run/systemd/private"); err != nil || !os.SameFile(ours, theirs) {
				return
			}
		}
		if time.Now().After(end) {
			b, _ := os.ReadFile(log.Name())
			p.skip = "needs a systemd that boots in a namespace; here it did not: " + string(b[max(0, len(b)-1000):])
			return
		}
	}
}

// end kills the namespace's init, and with it all that is in there, and removes the cgroup.
func (p *private) end() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
	}
	if p.cgroup == "" {
		return
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var dirs []string
		_ = filepath.WalkDir(p.cgroup, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for i := len(dirs) - 1; i >= 0; i-- {
			_ = os.Remove(dirs[i])
		}
		if _, err := os.Stat(p.cgroup); err != nil {
			return
		}
	}
	fmt.Fprintln(os.Stderr, "left behind:", p.cgroup)
}

func request(unit string) resources.Request {
	return resources.Request{Agent: resources.Agent{Class: "systemd", Type: unit}, Resource: "r-" + unit, Timeout: 10 * time.Second}
}

func run(t testing.TB, r *Runner, req resources.Request, op string, code resources.ExitCode) resources.Result {
	t.Helper()
	req.Operation = op
	ctx, cancel := context.WithTimeout(t.Context(), req.Timeout)
	defer cancel()
	res := r.Run(ctx, req)
	if res.Code != code {
		t.Fatalf("%s of %s: got %+v, want code %d", op, req.Agent.Type, res, code)
	}
	return res
}

func TestLife(t *testing.T) {
	r := boot(t)
	req := request("good")
	run(t, r, req, "monitor", 7)
	run(t, r, req, "stop", 0)
	began := time.Now()
	run(t, r, req, "start", 0)
	t.Logf("start after a probe took %v", time.Since(began))
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	run(t, r, req, "reload", 0)
	c, err := r.conn.get()
	if err != nil {
		t.Fatal(err)
	}
	p, err := c.GetAllPropertiesContext(t.Context(), "good.service")
	if err != nil {
		t.Fatal(err)
	}
	if before, _ := p["Before"].([]string); !strings.Contains(strings.Join(before, " "), "paceline.service") || str(p["Restart"]) != "no" ||
		str(p["Description"]) != "Cluster-controlled good" {
		t.Errorf("the drop-in is not in force: Before=%v Restart=%v Description=%v", p["Before"], p["Restart"], p["Description"])
	}
	run(t, r, req, "stop", 0)
	run(t, r, req, "stop", 0)
	run(t, r, req, "monitor", 7)
}

func TestFailures(t *testing.T) {
	r := boot(t)
	for _, c := range []struct {
		unit, op string
		timeout  time.Duration
		code     resources.ExitCode
		reason   string
		timedOut bool
	}{
		{"nowhere", "start", 0, 5, "unit nowhere.service is not installed on this node", false},
		{"nowhere", "monitor", 0, 5, "unit nowhere.service is not installed on this node", false},
		{"nowhere", "stop", 0, 0, "", false},
		{"masked", "start", 0, 5, "unit masked.service is masked on this node (systemctl unmask masked.service)", false},
		{"wrong", "start", 0, 5, "unit wrong.service has a mistake in its file (systemd-analyze verify wrong.service)", false},
		{"exits", "start", 0, 1, "start of unit exits.service failed; unit exits.service is failed: its process exited with status 3 (journalctl -u exits.service)", false},
		{"exits", "monitor", 0, 7, "unit exits.service is failed: its process exited with status 3", false},
		{"exits", "stop", 0, 0, "", false},
		{"brief", "start", 0, 1, "unit brief.service was started and has ended already: if that is meant, it needs RemainAfterExit=yes", false},
		{"needy", "start", 0, 1, "start of unit needy.service failed, since a unit that it depends on failed", false},
		{"slow", "start", 0, 1, "start of unit slow.service failed; unit slow.service is failed: it exceeded its own time-out (journalctl -u slow.service)", false},
		{"slower", "monitor", 0, 7, "", false}, // a probe: the start then needs no reload
		{"slower", "start", time.Second, 1, "start of unit slower.service is not done in time: systemd has it in state activating (start)", true},
		{"slower", "stop", 0, 0, "", false},
		{"bad/name", "start", 0, 6, `"bad/name" is no name of a systemd unit`, false},
		{"good", "promote", 0, 3, "units have no operation promote", false},
	} {
		req := request(c.unit)
		if c.timeout > 0 {
			req.Timeout = c.timeout
		}
		if res := run(t, r, req, c.op, c.code); res.Reason != c.reason || res.TimedOut != c.timedOut {
			t.Errorf("%s %s: got %q (timed out: %v), want %q", c.op, c.unit, res.Reason, res.TimedOut, c.reason)
		}
	}
}

func TestStopKills(t *testing.T) {
	r := boot(t)
	req := request("deaf")
	run(t, r, req, "start", 0)
	req.Timeout = time.Second
	run(t, r, req, "stop", 0)
	run(t, r, req, "monitor", 7)
}

func TestWarnsAboutEnabledUnit(t *testing.T) {
	r := boot(t)
	req := request("atboot")
	res := run(t, r, req, "start", 0)
	if want := "warning: unit atboot.service is enabled: systemd starts it at boot, outside of the cluster (systemctl disable atboot.service)"; res.Output != want {
		t.Errorf("got %q", res.Output)
	}
	run(t, r, req, "stop", 0)
}

func TestWatch(t *testing.T) {
	r := boot(t)
	req := request("good")
	conn := func() *dbus.Conn {
		c, err := r.conn.get()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	events := func() *dbus.Conn {
		r.conn.mu.Lock()
		defer r.conn.mu.Unlock()
		return r.conn.events
	}
	for _, lost := range []bool{false, false, true} {
		run(t, r, req, "start", 0)
		why := make(chan string, 64)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Watch(ctx, req, func(s string) { why <- s }) }()
		if lost { // the connections die, as by daemon-reexec: the watch goes on over the next ones
			conn().Close()
			for c := events(); ; runtime.Gosched() {
				if c == nil { // the watch has not begun
					c = events()
				} else if c.Close(); events() != c {
					break
				}
			}
		}
		began := time.Now()
		if err := conn().KillUnitWithTarget(t.Context(), "good.service", dbus.Main, int32(unix.SIGKILL)); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-why:
			if want := "unit good.service is failed: its process was ended by signal 9"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the end was not seen")
		}
		t.Logf("the end was seen after %v", time.Since(began))
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("watch ended with %v", err)
		}
	}
	// A restart behind the cluster's back.
	run(t, r, req, "start", 0)
	why := make(chan string, 64)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Watch(ctx, req, func(s string) { why <- s }) }()
	for seen := false; !seen; { // it must know the first start before it can tell the second
		done := make(chan string, 1)
		if _, err := conn().RestartUnitContext(t.Context(), "good.service", "replace", done); err != nil {
			t.Fatal(err)
		}
		<-done
		select {
		case got := <-why:
			seen = got != "" // inactive, or started anew, as the looks fall
		case <-time.After(time.Second):
		}
	}
	cancel()
	<-ended
	run(t, r, req, "stop", 0)
}

func TestLists(t *testing.T) {
	r := boot(t)
	as, err := r.Agents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := fmt.Sprint(as)
	if !strings.Contains(found, "systemd:good ") || strings.Contains(found, "masked") {
		t.Errorf("got %v", as)
	}
	m, err := resources.Describe(t.Context(), r, resources.Agent{Class: "systemd", Type: "good"})
	if err != nil || m.ShortDesc != "systemd unit good.service" {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestNoSystemd(t *testing.T) {
	r := New(Config{Dial: func() (*dbus.Conn, error) { return nil, errNoSystemd }})
	res := run(t, r, request("good"), "start", 5)
	if res.Reason != "this node does not run systemd (there is no /run/systemd/system)" {
		t.Errorf("got %q", res.Reason)
	}
	run(t, r, request("good"), "stop", 0)
	if as, err := r.Agents(t.Context()); err != nil || len(as) > 0 {
		t.Errorf("got %v, %v", as, err)
	}
}

// Many who need a reload share few, and each gets one that began after it asked.
func TestReloadsAreShared(t *testing.T) {
	var q reloads
	gate, began := make(chan struct{}), make(chan struct{}, 100)
	count := 0
	f := func() error {
		count++
		began <- struct{}{}
		<-gate
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { _ = q.after(f) })
	<-began // one runs: all others need another
	for range 50 {
		wg.Go(func() { _ = q.after(f) })
	}
	for q.waiting() == 0 {
		runtime.Gosched()
	}
	close(gate)
	wg.Wait()
	if count < 2 || count > 51 {
		t.Errorf("%d reloads", count)
	}
	t.Logf("%d reloads for 51", count)
}

func (q *reloads) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.next == nil {
		return 0
	}
	return 1
}
