package ocf

import (
	"errors"
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
