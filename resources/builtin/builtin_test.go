package builtin

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/conformance"
	"paceline/resources/nstest"
	"paceline/resources/ocf"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// TestMain makes the test binary what the daemon's is: an agent, if called by an agent's name.
func TestMain(m *testing.M) {
	if name := filepath.Base(os.Args[0]); IsAgent(name) {
		os.Exit(OCFMain(append([]string{name}, os.Args[1:]...), os.Environ()))
	}
	os.Exit(nstest.Main(m))
}

// looks are agents that see what they are after by looking now and then only: at other machines, at numbers of the kernel.
var looks = map[string]bool{"check": true, "ping": true, "loadmonitor": true, "diskmonitor": true}

func TestRegistry(t *testing.T) {
	g := Registry(Config{StateDir: t.TempDir(), OCFRoot: t.TempDir()})
	for _, name := range []string{"vip", "mount", "process", "filelease", "check", "ping", "loadmonitor", "diskmonitor"} {
		a := resources.Agent{Class: "ocf", Provider: "paceline", Type: name}
		r, err := g.Find(a)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := r.(resources.Watcher); !ok && !looks[name] {
			t.Errorf("%s cannot be watched", name)
		}
		b, err := r.MetaData(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		m, err := resources.ParseMetaData(b)
		if err != nil || m.Name != name || len(m.Actions) < 5 || len(m.Parameters) < 2 || !bytes.Equal(m.XML(), b) {
			t.Errorf("%s: meta-data does not survive its own XML: %+v, %v", name, m, err)
		}
		for _, p := range m.Parameters {
			if p.ShortDesc == "" {
				t.Errorf("%s: parameter %s has no description", name, p.Name)
			}
		}
	}
	as, err := g.Agents(t.Context())
	if err != nil || len(as) < 4 {
		t.Errorf("agents are %v, %v", as, err)
	}
	r, err := g.Find(resources.Agent{Class: "ocf", Provider: "heartbeat", Type: "NoSuch"})
	if err != nil {
		t.Fatal(err)
	}
	if res := r.Run(t.Context(), resources.Request{Agent: resources.Agent{Class: "ocf", Provider: "heartbeat", Type: "NoSuch"}, Operation: "start"}); res.Code != resources.NotInstalled {
		t.Errorf("an unknown agent gave %+v", res)
	}
	if _, err := g.Find(resources.Agent{Class: "upstart", Type: "x"}); err == nil || err.Error() != `no agents of class "upstart" here; classes are [lsb ocf service systemd]` {
		t.Errorf("an unknown class gave %v", err)
	}
}

// linked makes a folder of OCF agents that are links to this binary.
func linked(t testing.TB) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	binary := filepath.Join(root, "binary")
	if err := os.WriteFile(binary, self, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "resource.d", "paceline")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, n := range native {
		if err := os.Symlink(binary, filepath.Join(dir, n.agent.Type)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// cases are working parameters of every agent.
func cases(t testing.TB) map[string]map[string]string {
	dir := t.TempDir()
	mnt := filepath.Join(dir, "mnt")
	// The tool that sets node attributes is the daemon's; here it is one that obeys.
	tools := filepath.Join(dir, "tools")
	err := os.Mkdir(tools, 0o755)
	if err == nil {
		err = os.WriteFile(filepath.Join(tools, "attrd_updater"), []byte("#!/bin/sh\n"), 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("HA_SBIN_DIR", tools)
	t.Setenv("PATH", tools+":"+os.Getenv("PATH"))
	t.Cleanup(func() { _ = unix.Unmount(mnt, unix.MNT_DETACH) })
	return map[string]map[string]string{
		"process":   {"command": "sleep", "args": "1000", "state": filepath.Join(dir, "state")},
		"mount":     {"device": "tmpfs", "directory": mnt, "fstype": "tmpfs"},
		"vip":       {"ip": "10.66.0.9", "nic": "multi0", "cidr_netmask": "24", "dad_time": "10ms"},
		"filelease": {"directory": dir},

		"check":       {"kind": "command", "target": "echo well", "expect": "well"},
		"ping":        {"host_list": "127.0.0.1 ::1", "attempts": "1"},
		"loadmonitor": {"period": "15"},
		"diskmonitor": {"paths": dir},
	}
}

func veth(t testing.TB) {
	t.Helper()
	v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "multi0"}, PeerName: "multi1"}
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(v) })
	for _, n := range []string{"multi1", "multi0"} {
		l, err := netlink.LinkByName(n)
		if err == nil {
			err = netlink.LinkSetUp(l)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if l, err := netlink.LinkByName("multi0"); err == nil && l.Attrs().OperState == netlink.OperUp {
			return
		}
	}
	t.Fatal("the virtual link does not come up")
}

// The agents run as OCF executables too, and agree with themselves in process about what is active.
func TestAsExecutables(t *testing.T) {
	nstest.Need(t)
	veth(t)
	state := t.TempDir()
	t.Setenv("PACELINE_STATE_DIR", state)
	agents := cases(t)
	outside := ocf.New(ocf.Config{Root: linked(t), Tools: os.Getenv("HA_SBIN_DIR"), Scratch: t.TempDir(), Env: map[string]string{"PACELINE_STATE_DIR": state}})
	within := Registry(Config{StateDir: state})
	for name, params := range agents {
		t.Run(name, func(t *testing.T) {
			a := resources.Agent{Class: "ocf", Provider: "paceline", Type: name}
			native, err := within.Find(a)
			if err != nil {
				t.Fatal(err)
			}
			run := func(r resources.Runner, op string, want resources.ExitCode) resources.Result {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				res := r.Run(ctx, resources.Request{Agent: a, Resource: "x-" + name, Node: "alpha", Operation: op, Timeout: 10 * time.Second, Params: params})
				if res.Code != want {
					t.Fatalf("%s: got %+v, want %d", op, res, want)
				}
				return res
			}
			run(outside, "monitor", 7)
			run(outside, "validate-all", 0)
			run(outside, "start", 0)
			run(outside, "monitor", 0)
			run(native, "monitor", 0)
			run(native, "start", 0)
			run(native, "stop", 0)
			run(outside, "monitor", 7)
			run(outside, "stop", 0)
			run(outside, "promote", 3)
			b, err := outside.MetaData(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			if own, _ := native.MetaData(t.Context(), a); !bytes.Equal(own, b) {
				t.Error("meta-data differ")
			}
			m, err := resources.Describe(t.Context(), native, a)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(m.Parameters, func(p resources.Parameter) bool { return p.Required }) {
				return
			}
			params = map[string]string{}
			if res := run(outside, "start", 6); !strings.HasSuffix(res.Reason, "is required and not set") {
				t.Errorf("got %+v", res)
			}
		})
	}
}

// readable lets everybody read what is in a folder: checkers ask for meta-data as nobody.
func readable(t testing.TB, root string) {
	t.Helper()
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// The checker that comes with the OCF agents finds nothing to complain about.
func TestOCFTester(t *testing.T) {
	nstest.NeedRoot(t)
	if testing.Short() {
		t.Skip("takes some seconds: not with -short")
	}
	veth(t)
	root := linked(t)
	readable(t, root)
	t.Setenv("PACELINE_STATE_DIR", t.TempDir())
	for name, params := range cases(t) {
		nstest.OCFTester(t, filepath.Join(root, "resource.d", "paceline", name), params)
	}
}

// Nor does our own, which looks closer.
func TestConformance(t *testing.T) {
	nstest.NeedRoot(t)
	veth(t)
	root := linked(t)
	readable(t, root)
	t.Setenv("PACELINE_STATE_DIR", t.TempDir())
	for name, params := range cases(t) {
		r, err := conformance.Check(t.Context(), conformance.Config{Path: filepath.Join(root, "resource.d", "paceline", name), Params: params})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, f := range r.Findings {
			if f.Verdict == conformance.Fail || f.Verdict == conformance.Warn && f.Check != "no files in /run are left behind" {
				t.Errorf("%s: %s %s: %s", name, f.Verdict, f.Check, f.Detail)
			}
		}
	}
}

// What is installed is what there is.
func TestInstalled(t *testing.T) {
	var names []string
	for _, n := range native {
		names = append(names, n.agent.Type)
	}
	slices.Sort(names)
	for _, file := range []string{"../../Makefile", "../../integration/packaging/deb.sh"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), strings.Join(names, " ")) {
			t.Errorf("%s installs other agents than %s", file, strings.Join(names, " "))
		}
	}
}

// Every agent prints its manual page, which groff takes.
func TestManuals(t *testing.T) {
	for _, n := range native {
		var page, errs bytes.Buffer
		if code := ocfMain([]string{n.agent.Type, "manual"}, nil, &page, &errs); code != 0 {
			t.Errorf("%s: %d, %s", n.agent.Type, code, errs.String())
		}
		if !strings.HasPrefix(page.String(), ".TH OCF_PACELINE_"+strings.ToUpper(n.agent.Type)+" 7 ") || !strings.Contains(page.String(), ".SH PARAMETERS\n.TP\n") {
			t.Errorf("%s: the page is %s", n.agent.Type, page.String())
		}
		groff, err := exec.LookPath("groff")
		if err != nil {
			t.Logf("groff is not installed: the page's form is not checked: %v", err)
			continue
		}
		cmd := exec.CommandContext(t.Context(), groff, "-man", "-Tascii", "-ww", "-z")
		cmd.Stdin = &page
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: groff: %v\n%s", n.agent.Type, err, out)
		}
	}
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		err  string
	}{
		{[]string{"/usr/lib/ocf/resource.d/paceline/vip"}, 3, "usage: vip start | stop | monitor | validate-all | meta-data\n"},
		{[]string{"vip", "--help"}, 0, "usage: vip start | stop | monitor | validate-all | meta-data\n"},
		{[]string{"vip", "start"}, 6, "ocf-exit-reason:parameter ip: is required and not set\n"},
		{[]string{"nothing", "start"}, 5, "ocf-exit-reason:there is no agent nothing in this program\n"},
		{nil, 1, ""},
	} {
		var stdout, stderr bytes.Buffer
		if code := ocfMain(c.args, nil, &stdout, &stderr); code != c.code || stderr.String() != c.err || stdout.Len() > 0 {
			t.Errorf("%v: got %d, %q, %q", c.args, code, stdout.String(), stderr.String())
		}
	}
	if IsAgent("pacelined") || !IsAgent("mount") {
		t.Error("the daemon is taken for an agent, or an agent for the daemon")
	}
}
