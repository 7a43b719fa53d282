package ocf

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/nstest"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// real makes a Runner over the installed agents, or skips.
func real(t *testing.T, kind string) (*Runner, resources.Agent) {
	t.Helper()
	a := resources.Agent{Class: "ocf", Provider: "heartbeat", Type: kind}
	r := New(Config{RunDir: t.TempDir()})
	if path, _ := r.path(a); !exists(path) {
		t.Skipf("needs the package resource-agents: there is no %s", path)
	}
	return r, a
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// ops runs operations in turn and compares exit codes: "start=0 monitor=0 stop=0".
func ops(t *testing.T, r *Runner, a resources.Agent, params map[string]string, script string) {
	t.Helper()
	for step := range strings.FieldsSeq(script) {
		op, want, _ := strings.Cut(step, "=")
		res := run(t, r, resources.Request{Agent: a, Resource: "r-" + a.Type, Operation: op, Timeout: 20 * time.Second, Params: params})
		if got := res.Code; want != itoa(got) {
			t.Fatalf("%s %s: got %d (%s), want %s\noutput: %s", a, op, got, res.Reason, want, res.Output)
		}
	}
}

func itoa(c resources.ExitCode) string { return string(rune('0' + int(c))) }

func TestDummy(t *testing.T) {
	nstest.NeedRoot(t) // it writes its state where root may
	r, a := real(t, "Dummy")
	state := filepath.Join(t.TempDir(), "state")
	ops(t, r, a, map[string]string{"state": state}, "monitor=7 stop=0 start=0 start=0 monitor=0 stop=0 stop=0 monitor=7 validate-all=0 nonsense=3")
}

func TestIPaddr2(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "IPaddr2")
	veth(t, "ocf0", "10.77.0.1/24")
	params := map[string]string{"ip": "10.77.0.9", "cidr_netmask": "24", "nic": "ocf0"}
	ops(t, r, a, params, "monitor=7 start=0 monitor=0")
	link, err := netlink.LinkByName("ocf0")
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := netlink.AddrList(link, netlink.FAMILY_V4)
	if err != nil || len(addrs) != 2 || addrs[1].IP.String() != "10.77.0.9" {
		t.Fatalf("addresses are %v, %v", addrs, err)
	}
	if err := netlink.AddrDel(link, &addrs[1]); err != nil { // taken away behind its back
		t.Fatal(err)
	}
	ops(t, r, a, params, "monitor=7 start=0 stop=0 monitor=7 stop=0")
	res := run(t, r, resources.Request{Agent: a, Resource: "bad", Operation: "start", Timeout: 20 * time.Second,
		Params: map[string]string{"ip": "10.77.0.300"}})
	if res.Code == resources.OK || res.Reason == "" {
		t.Errorf("a bad address gave %+v", res)
	}
}

func veth(t *testing.T, name, addr string) {
	t.Helper()
	v := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: name + "p"}
	if err := netlink.LinkAdd(v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = netlink.LinkDel(v) })
	a, err := netlink.ParseAddr(addr)
	if err != nil {
		t.Fatal(err)
	}
	peer, err := netlink.LinkByName(name + "p")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(netlink.AddrAdd(v, a), netlink.LinkSetUp(v), netlink.LinkSetUp(peer)); err != nil {
		t.Fatal(err)
	}
}

func TestFilesystem(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "Filesystem")
	dir := t.TempDir()
	if _, err := exec.LookPath("modprobe"); err != nil {
		// The agent insists on the command, and needs it for no file system that is built in. A machine may lack it.
		if err := os.WriteFile(filepath.Join(dir, "modprobe"), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		r.extra = map[string]string{"PATH": searchPath + ":" + dir}
	}
	from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
	if err := errors.Join(os.Mkdir(from, 0o755), os.Mkdir(to, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(to, unix.MNT_DETACH) })
	params := map[string]string{"device": from, "directory": to, "fstype": "none", "options": "bind"}
	ops(t, r, a, params, "monitor=7 start=0")
	if err := os.WriteFile(filepath.Join(from, "x"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if !exists(filepath.Join(to, "x")) {
		t.Error("the folder is not mounted")
	}
	ops(t, r, a, params, "start=0 monitor=0 stop=0 monitor=7 stop=0")
}

// Every installed agent's meta-data must be read; those that need a missing program may fail to print it.
func TestMetaDataOfInstalledAgents(t *testing.T) {
	if testing.Short() {
		t.Skip("runs a hundred agents: not with -short")
	}
	r, _ := real(t, "Dummy")
	as, err := r.Agents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, a := range as {
		b, err := r.MetaData(t.Context(), a)
		if err != nil {
			t.Logf("%v", err)
			continue
		}
		m, err := resources.ParseMetaData(b)
		if err != nil {
			t.Errorf("%s: %v", a, err)
			continue
		}
		if _, ok := m.Action("start"); !ok || m.ShortDesc == "" {
			t.Errorf("%s: no start, or no description: %+v", a, m)
		}
		read++
	}
	t.Logf("%d agents, %d meta-data read", len(as), read)
}

func TestStateful(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "Stateful")
	// Without a cluster its scores cannot be set; it says so and goes on.
	r.tools = t.TempDir()
	for _, name := range []string{"crm_master", "crm_attribute"} {
		if err := os.WriteFile(filepath.Join(r.tools, name), []byte("#!/bin/sh\nexit 0\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ops(t, r, a, map[string]string{"state": filepath.Join(t.TempDir(), "state")},
		"monitor=7 start=0 monitor=0 promote=0 monitor=8 promote=0 demote=0 monitor=0 stop=0 monitor=7")
}

func TestDelay(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "Delay")
	r.scratch = t.TempDir() // a start that is cut short leaves its state
	ops(t, r, a, map[string]string{"startdelay": "0", "stopdelay": "0", "mondelay": "0"}, "validate-all=0 monitor=7 start=0 monitor=0 stop=0 monitor=7")
	res := run(t, r, resources.Request{Agent: a, Resource: "slow", Operation: "start", Timeout: time.Second, Params: map[string]string{"startdelay": "1000"}})
	if !res.TimedOut || !strings.Contains(res.Reason, "sleep") {
		t.Errorf("a start that sleeps gave %+v", res)
	}
}

func TestSendArp(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "SendArp")
	veth(t, "ocf1", "10.78.0.1/24")
	// Its pid file outlives a run that was ended half way, and the number in it may be somebody else's by now.
	ip := fmt.Sprintf("10.78.0.%d", 1+os.Getpid()%250)
	_ = os.Remove("/run/resource-agents/send_arp-" + ip)
	ops(t, r, a, map[string]string{"ip": ip, "nic": "ocf1"}, "monitor=7 start=0 monitor=0 stop=0 monitor=7")
}

func TestPortblock(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "portblock")
	if err := exec.CommandContext(t.Context(), "iptables", "-L", "-n").Run(); err != nil {
		t.Skip("needs iptables, and a kernel that has them: ", err)
	}
	params := map[string]string{"protocol": "tcp", "portno": "3306", "action": "block"}
	ops(t, r, a, params, "validate-all=0 monitor=7 start=0 monitor=0 stop=0 monitor=7")
}

// Of VirtualDomain the interface runs without libvirt: it says what it lacks, with the code for that.
func TestVirtualDomain(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "VirtualDomain")
	if _, err := exec.LookPath("virsh"); err == nil {
		t.Skip("there is a virsh: the codes of an agent without one cannot be had")
	}
	m, err := resources.Describe(t.Context(), r, a)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := m.Action("migrate_to"); !ok {
		t.Error("its meta-data has no migrate_to")
	}
	ops(t, r, a, map[string]string{"config": "/nonexistent.xml"}, "validate-all=5 monitor=7 start=5")
}

func TestExportfs(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "exportfs")
	params := map[string]string{"directory": t.TempDir(), "clientspec": "127.0.0.1", "options": "ro", "fsid": "1"}
	if _, err := exec.LookPath("exportfs"); err != nil {
		ops(t, r, a, params, "validate-all=5")
		t.Skip("without exportfs of the package nfs-kernel-server it is not run further")
	}
	if !exists("/proc/fs/nfsd") {
		t.Skip("needs a kernel with an NFS server: there is no /proc/fs/nfsd")
	}
	ops(t, r, a, params, "validate-all=0 monitor=7 start=0 monitor=0 stop=0 monitor=7")
}

func TestNginx(t *testing.T) {
	nstest.NeedRoot(t)
	r, a := real(t, "nginx")
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("needs the package nginx")
	}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nginx.conf")
	text := "user root;\npid " + dir + "/pid;\nerror_log " + dir + "/error.log;\nevents {}\nhttp {\n access_log off;\n server {\n  listen 127.0.0.1:8089;\n  root " + dir + ";\n  location /nginx_status {\n   stub_status on;\n  }\n }\n}\n"
	if err := os.WriteFile(conf, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	ops(t, r, a, map[string]string{"configfile": conf, "port": "8089"}, "validate-all=0 monitor=7 start=0 monitor=0 stop=0 monitor=7")
	ops(t, r, a, map[string]string{"configfile": dir + "/none.conf"}, "start=6")
}
