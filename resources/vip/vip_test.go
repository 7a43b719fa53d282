package vip

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/nstest"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// wire is a virtual cable: our end "vip0" with addresses, the other end "far0" in a namespace of its own, which stands for
// another host.
type wire struct {
	near, far netlink.Link
	host      *netlink.Handle // the other host's
}

func lay(t testing.TB) wire {
	t.Helper()
	nstest.Need(t)
	runtime.LockOSThread()
	home, err := netns.Get()
	must(t, err)
	other, err := netns.New()
	must(t, err)
	must(t, netns.Set(home))
	runtime.UnlockOSThread()
	home.Close()
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "vip0"}, PeerName: "far0"}))
	w := wire{}
	w.near, err = netlink.LinkByName("vip0")
	must(t, err)
	t.Cleanup(func() { _ = netlink.LinkDel(w.near); other.Close() })
	far, err := netlink.LinkByName("far0")
	must(t, err)
	must(t, netlink.LinkSetNsFd(far, int(other)))
	w.host, err = netlink.NewHandleAt(other)
	must(t, err)
	t.Cleanup(w.host.Close)
	w.far, err = w.host.LinkByName("far0")
	must(t, err)
	must(t, w.host.LinkSetUp(w.far))
	must(t, netlink.LinkSetUp(w.near))
	for _, a := range []string{"10.88.0.1/24", "fd88::1/64"} {
		must(t, netlink.AddrAdd(w.near, addr(t, a)))
	}
	for _, a := range []string{"10.88.0.2/24", "fd88::2/64", "10.88.0.66/24", "fd88::66/64"} {
		must(t, w.host.AddrAdd(w.far, addr(t, a)))
	}
	carrier(t, "vip0")
	w.near, err = netlink.LinkByName("vip0")
	must(t, err)
	w.far, err = w.host.LinkByName("far0")
	must(t, err)
	return w
}

// carrier waits until an interface works: the kernel raises the carrier of a new one a moment later.
func carrier(t testing.TB, name string) {
	t.Helper()
	for t.Context().Err() == nil {
		l, err := netlink.LinkByName(name)
		must(t, err)
		if down(l) == "" {
			return
		}
		runtime.Gosched()
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func addr(t testing.TB, s string) *netlink.Addr {
	t.Helper()
	a, err := netlink.ParseAddr(s)
	must(t, err)
	if a.IP.To4() == nil {
		a.Flags = unix.IFA_F_NODAD
	}
	return a
}

func request(params ...string) resources.Request {
	req := resources.Request{Agent: Agent, Resource: "ip", Timeout: 10 * time.Second, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		req.Params[params[i]] = params[i+1]
	}
	return req
}

func run(t testing.TB, r *Runner, req resources.Request, op string, code resources.ExitCode) resources.Result {
	t.Helper()
	req.Operation = op
	ctx, cancel := context.WithTimeout(t.Context(), req.Timeout)
	defer cancel()
	res := r.Run(ctx, req)
	if res.Code != code {
		t.Fatalf("%s: got %+v, want code %d", op, res, code)
	}
	return res
}

func newRunner(t testing.TB) *Runner {
	r := New(Config{})
	t.Cleanup(r.Close)
	return r
}

func TestLife(t *testing.T) {
	lay(t)
	r := newRunner(t)
	for _, ip := range []string{"10.88.0.9", "fd88::9"} {
		req := request("ip", ip)
		run(t, r, req, "monitor", 7)
		run(t, r, req, "stop", 0)
		began := time.Now()
		run(t, r, req, "start", 0)
		t.Logf("start of %s took %v", ip, time.Since(began))
		have, err := where(netip.MustParseAddr(ip))
		must(t, err)
		want := map[string]string{"10.88.0.9": "10.88.0.9/24", "fd88::9": "fd88::9/64"}[ip]
		if len(have) != 1 || have[0].IPNet.String() != want {
			t.Fatalf("%s: has %v, want %s", ip, have, want)
		}
		if have[0].Flags&unix.IFA_F_TENTATIVE != 0 {
			t.Errorf("%s cannot be used yet", ip)
		}
		run(t, r, req, "start", 0)
		run(t, r, req, "monitor", 0)
		run(t, r, req, "stop", 0)
		run(t, r, req, "monitor", 7)
		run(t, r, req, "stop", 0)
	}
	if len(r.announcing) != 0 {
		t.Errorf("still announcing after stop: %v", r.announcing)
	}
}

func TestRefusesForeignAddress(t *testing.T) {
	w := lay(t)
	r := newRunner(t)
	mac := w.far.Attrs().HardwareAddr.String()
	for _, ip := range []string{"10.88.0.66", "fd88::66"} {
		res := run(t, r, request("ip", ip), "start", 1)
		if want := ip + " is in use already: " + mac + " answers for it on vip0"; res.Reason != want {
			t.Errorf("got %q, want %q", res.Reason, want)
		}
		run(t, r, request("ip", ip), "monitor", 7)
		run(t, r, request("ip", ip, "dad", "no"), "start", 0)
		run(t, r, request("ip", ip), "stop", 0)
	}
}

func TestWatch(t *testing.T) {
	w := lay(t)
	r := newRunner(t)
	req := request("ip", "10.88.0.9", "dad", "no")
	run(t, r, req, "start", 0)
	why := make(chan string, 16)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- r.Watch(ctx, req, func(s string) { why <- s }) }()
	missing := request("ip", "10.88.0.10")
	first := make(chan string, 16)
	go func() { ended <- r.Watch(ctx, missing, func(s string) { first <- s }) }()
	next := func(ch chan string, want string) { // spurious ones may come before
		t.Helper()
		for late := time.After(5 * time.Second); ; {
			select {
			case got := <-ch:
				if got == want {
					return
				}
			case <-late:
				t.Fatalf("%q was not seen", want)
			}
		}
	}
	next(first, "10.88.0.10 is on no interface")
	// The first watcher listens for sure when it sees a change that follows: take the address until it is seen.
	began := time.Now()
	must(t, netlink.AddrDel(w.near, addr(t, "10.88.0.9/24")))
	select {
	case <-why: // "removed", or "on no interface" if the watch began only now
	case <-time.After(5 * time.Second):
		t.Fatal("the removal was not seen")
	}
	t.Logf("removal seen after %v", time.Since(began))
	run(t, r, req, "start", 0)
	began = time.Now()
	must(t, netlink.AddrDel(w.near, addr(t, "10.88.0.9/24")))
	next(why, "10.88.0.9 was removed from vip0")
	t.Logf("removal seen after %v", time.Since(began))
	run(t, r, req, "start", 0)
	must(t, w.host.LinkSetDown(w.far))
	next(why, "interface vip0 has no carrier")
	if res := run(t, r, req, "monitor", 1); res.Reason != "interface vip0 has no carrier" {
		t.Errorf("got %+v", res)
	}
	run(t, r, req, "stop", 0)
	if res := run(t, r, req, "start", 1); res.Reason != "10.88.0.9 cannot be taken: interface vip0 has no carrier" {
		t.Errorf("got %+v", res)
	}
	cancel()
	for range 2 {
		if err := <-ended; err != context.Canceled {
			t.Errorf("watch ended with %v", err)
		}
	}
}

// Removing the first address of a subnet must not take the others along.
func TestStopKeepsOthers(t *testing.T) {
	lay(t)
	_ = os.WriteFile("/proc/sys/net/ipv4/conf/all/promote_secondaries", []byte("0"), 0o644)
	_ = os.WriteFile("/proc/sys/net/ipv4/conf/vip0/promote_secondaries", []byte("0"), 0o644)
	r := newRunner(t)
	var reqs []resources.Request
	for _, ip := range []string{"10.99.0.1", "10.99.0.2", "10.99.0.3"} {
		req := request("ip", ip, "nic", "vip0", "cidr_netmask", "24", "dad", "no")
		req.Resource = ip
		run(t, r, req, "start", 0)
		reqs = append(reqs, req)
	}
	run(t, r, reqs[0], "stop", 0)
	run(t, r, reqs[0], "monitor", 7)
	run(t, r, reqs[1], "monitor", 0)
	run(t, r, reqs[2], "monitor", 0)
}

func TestLabelAndNetmask(t *testing.T) {
	lay(t)
	r := newRunner(t)
	req := request("ip", "10.88.0.9", "cidr_netmask", "32", "nic", "vip0", "label", "vip0:web", "arp_count", "1", "dad_time", "10ms")
	run(t, r, req, "start", 0)
	have, err := where(netip.MustParseAddr("10.88.0.9"))
	must(t, err)
	if len(have) != 1 || have[0].IPNet.String() != "10.88.0.9/32" || have[0].Label != "vip0:web" {
		t.Errorf("has %v", have)
	}
	run(t, r, req, "stop", 0)
}

func TestBadParameters(t *testing.T) {
	lay(t)
	r := newRunner(t)
	for _, c := range []struct {
		params []string
		code   resources.ExitCode
		reason string
	}{
		{nil, 6, "parameter ip: is required and not set"},
		{[]string{"ip", "10.88.0.300"}, 6, `parameter ip: "10.88.0.300" is not an IP address`},
		{[]string{"ip", "224.0.0.1"}, 6, "parameter ip: 224.0.0.1 is no address of a host"},
		{[]string{"ip", "10.88.0.9", "cidr_netmask", "33"}, 6, `parameter cidr_netmask: "33" is not a whole number from 1 to 32`},
		{[]string{"ip", "fd88::9", "label", "x"}, 6, `parameter label: "x" is not possible: labels are for IPv4, and of 15 characters at most`},
		{[]string{"ip", "10.88.0.9", "dad", "perhaps"}, 6, `parameter dad: "perhaps" is neither yes nor no`},
		{[]string{"ip", "10.88.0.9", "announce_interval", "100ms"}, 6, "parameter announce_interval: 100ms is too often: at least 1s"},
		{[]string{"ip", "10.88.0.9", "source_route", "10.0.0.1/8"}, 6, `parameter source_route: "10.0.0.1/8" is neither default nor a prefix as in 10.0.0.0/8`},
		{[]string{"ip", "10.88.0.9", "source_route", "2001:db8::/32"}, 6, "parameter source_route: 10.88.0.9 cannot be the source of a route to 2001:db8::/32"},
		{[]string{"ip", "fe80::9", "nic", "vip0", "source_route", "default"}, 6, "parameter source_route: fe80::9 is of its link alone, and cannot be the source of a route"},
		{[]string{"ip", "10.88.0.9", "source_route_table", "7"}, 6, "parameter source_route_table: is of no use without source_route"},
		{[]string{"ip", "fe80::9%vip0", "nic", "eth7"}, 6, "parameter nic: eth7 is not the interface in fe80::9%vip0"},
		{[]string{"ip", "10.88.0.9", "nic", "eth7"}, 2, "interface eth7 is not on this node"},
		{[]string{"ip", "192.0.2.1"}, 2, "no interface has a subnet with 192.0.2.1: set nic, and cidr_netmask"},
	} {
		if res := run(t, r, request(c.params...), "start", c.code); res.Reason != c.reason {
			t.Errorf("%v: got %q, want %q", c.params, res.Reason, c.reason)
		}
		if len(c.params) > 0 { // a stop that fails costs the node
			run(t, r, request(c.params...), "stop", 0)
		}
	}
}

func TestBothFormsOfGratuitousARP(t *testing.T) {
	a, mac := netip.MustParseAddr("10.88.0.9"), net.HardwareAddr{2, 0, 0, 0, 0, 1}
	var ops []uint16
	for _, f := range announcement(mac, a) {
		if got, owns, _ := claim(f, a); !owns || got.String() != mac.String() || len(f) != 42 {
			t.Errorf("%x is read as %v, %v", f, got, owns)
		}
		ops = append(ops, binary.BigEndian.Uint16(f[20:]))
	}
	if len(ops) != 2 || ops[0] != arpRequest || ops[1] != arpReply {
		t.Errorf("forms are %v", ops)
	}
	if _, owns, wants := claim(question(mac, a), a); owns || !wants {
		t.Error("a question is read as a claim")
	}
}

func TestChecksumByKnownFrame(t *testing.T) {
	// An advertisement made by a kernel: fd88::2 at 02:42:ac:11:00:02, override. Sums to zero with its checksum in place.
	f := neighborFrame(icmpNeighborAdvertisement, net.HardwareAddr{2, 0x42, 0xac, 0x11, 0, 2}, netip.MustParseAddr("fd88::2"),
		netip.IPv6LinkLocalAllNodes(), netip.MustParseAddr("fd88::2"), flagOverride)
	if sum := icmpChecksum([16]byte(f[22:38]), [16]byte(f[38:54]), f[54:]); sum != 0 {
		t.Errorf("sum with checksum is %#x", sum)
	}
	if mac, owns, _ := claim(f, netip.MustParseAddr("fd88::2")); !owns || mac.String() != "02:42:ac:11:00:02" {
		t.Errorf("own frame is read as %v %v", mac, owns)
	}
}

func FuzzClaim(f *testing.F) {
	v4, v6 := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")
	mac := net.HardwareAddr{2, 0, 0, 0, 0, 1}
	for _, a := range []netip.Addr{v4, v6} {
		f.Add(question(mac, a))
		f.Add(announcement(mac, a)[0])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		claim(b, v4)
		claim(b, v6)
	})
}

func benchmarkStartStop(b *testing.B, params ...string) {
	lay(b)
	r := newRunner(b)
	req := request(params...)
	var starts time.Duration
	for b.Loop() {
		began := time.Now()
		run(b, r, req, "start", 0)
		starts += time.Since(began)
		run(b, r, req, "stop", 0)
	}
	b.ReportMetric(float64(starts.Microseconds())/float64(b.N), "us/start")
}

func BenchmarkStartStop4(b *testing.B)     { benchmarkStartStop(b, "ip", "10.88.0.9") }
func BenchmarkStartStop6(b *testing.B)     { benchmarkStartStop(b, "ip", "fd88::9") }
func BenchmarkStartStopNoDAD(b *testing.B) { benchmarkStartStop(b, "ip", "10.88.0.9", "dad", "no") }

func BenchmarkMonitor(b *testing.B) {
	lay(b)
	r := newRunner(b)
	req := request("ip", "10.88.0.9", "dad", "no")
	run(b, r, req, "start", 0)
	for b.Loop() {
		run(b, r, req, "monitor", 0)
	}
	run(b, r, req, "stop", 0)
}

// A monitor finds its address among many by asking the kernel for it alone; a route that only looks like an address does not deceive it.
func TestManyAddresses(t *testing.T) {
	w := lay(t)
	r := newRunner(t)
	for _, ip := range []string{"10.88.0.9", "fd88::9"} {
		req := request("ip", ip)
		run(t, r, req, "start", 0)
		a := netip.MustParseAddr(ip)
		run(t, r, req, "monitor", 0)
		for end := time.Now().Add(10 * time.Second); local(a) == nil && time.Now().Before(end); { // the kernel makes IPv6's routes in the background
			runtime.Gosched()
		}
		if l := local(a); l == nil || l.Attrs().Name != "vip0" {
			t.Errorf("%s: asked for alone it is on %v", ip, l)
		}
		run(t, r, request("ip", ip, "nic", "lo"), "monitor", 1)
		run(t, r, req, "stop", 0)
		if l := local(a); l != nil {
			t.Errorf("%s: it is still on %s", ip, l.Attrs().Name)
		}
		route := &netlink.Route{LinkIndex: w.near.Attrs().Index, Dst: netlink.NewIPNet(a.AsSlice()), Type: unix.RTN_LOCAL, Table: unix.RT_TABLE_LOCAL, Protocol: unix.RTPROT_STATIC, Scope: netlink.SCOPE_HOST}
		must(t, netlink.RouteAdd(route))
		run(t, r, req, "monitor", 7)
		must(t, netlink.RouteDel(route))
	}
}

// What a monitor costs where its node has a thousand addresses.
func BenchmarkMonitorOfMany(b *testing.B) {
	w := lay(b)
	for i := range 1000 {
		must(b, netlink.AddrAdd(w.near, addr(b, netip.AddrFrom4([4]byte{10, 99, byte(i / 250), byte(1 + i%250)}).String()+"/16")))
	}
	r := newRunner(b)
	req := request("ip", "10.99.3.7")
	req.Operation = "monitor"
	for b.Loop() {
		if res := r.Run(b.Context(), req); res.Code != 0 {
			b.Fatal(res)
		}
	}
}
