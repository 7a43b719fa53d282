package vip

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"

	"paceline/resources"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// family4and6 is what a test of routes needs in both.
type family4and6 struct {
	name, ip, plain, gateway, other, all, faraway string
	metric                                        int
}

var families = []family4and6{
	{name: "IPv4", ip: "10.88.0.9", plain: "10.88.0.1", gateway: "10.88.0.2", other: "10.88.0.66", all: "0.0.0.0/0", faraway: "198.51.100.1"},
	{name: "IPv4 with a metric", ip: "10.88.0.9", plain: "10.88.0.1", gateway: "10.88.0.2", other: "10.88.0.66", all: "0.0.0.0/0", faraway: "198.51.100.1", metric: 100},
	{name: "IPv6", ip: "fd88::9", plain: "fd88::1", gateway: "fd88::2", other: "fd88::66", all: "::/0", faraway: "2001:db8::1"},
}

func each(t *testing.T, f func(t *testing.T, w wire, r *Runner, fam family4and6)) {
	for _, fam := range families {
		t.Run(fam.name, func(t *testing.T) { f(t, lay(t), newRunner(t), fam) })
	}
}

func (f family4and6) route(t testing.TB, w wire, dst, gateway string) *netlink.Route {
	t.Helper()
	p := netip.MustParsePrefix(dst)
	to := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	return &netlink.Route{LinkIndex: w.near.Attrs().Index, Dst: to, Gw: net.ParseIP(gateway), Priority: f.metric}
}

// source is the address with which the node sends to another.
func source(t testing.TB, to string) string {
	t.Helper()
	rs, err := netlink.RouteGet(net.ParseIP(to))
	must(t, err)
	return rs[0].Src.String()
}

// table is a routing table in words.
func table(t testing.TB, ip string, id int) (out []string) {
	t.Helper()
	rs, err := routes(family(netip.MustParseAddr(ip)), id)
	must(t, err)
	for _, r := range rs {
		out = append(out, r.String())
	}
	return out
}

func wantSource(t testing.TB, to, want string) {
	t.Helper()
	if got := source(t, to); got != want {
		t.Errorf("%s is sent to from %s, want %s", to, got, want)
	}
}

func wantReason(t testing.TB, res resources.Result, want string) {
	t.Helper()
	if res.Reason != want {
		t.Errorf("got %q, want %q", res.Reason, want)
	}
}

// The default route has the address as its source while it runs, and is what it was afterwards.
func TestSourceRoute(t *testing.T) {
	each(t, func(t *testing.T, w wire, r *Runner, f family4and6) {
		must(t, netlink.RouteAdd(f.route(t, w, f.all, f.gateway)))
		before := table(t, f.ip, unix.RT_TABLE_MAIN)
		req := request("ip", f.ip, "source_route", "default", "dad", "no")
		run(t, r, req, "monitor", 7)
		run(t, r, req, "start", 0)
		wantSource(t, f.faraway, f.ip)
		run(t, r, req, "monitor", 0)
		once := table(t, f.ip, unix.RT_TABLE_MAIN)
		run(t, r, req, "start", 0)
		if twice := table(t, f.ip, unix.RT_TABLE_MAIN); !slices.Equal(once, twice) {
			t.Errorf("the second start made %q of %q", twice, once)
		}
		run(t, r, req, "stop", 0)
		wantSource(t, f.faraway, f.plain)
		if after := table(t, f.ip, unix.RT_TABLE_MAIN); !slices.Equal(before, after) {
			t.Errorf("there is %q after stop, and was %q before", after, before)
		}
		run(t, r, req, "stop", 0)
	})
}

// Somebody takes the address away, as a crash or an administrator does: the node still has its route.
func TestSourceRouteOutlivesTheAddress(t *testing.T) {
	each(t, func(t *testing.T, w wire, r *Runner, f family4and6) {
		must(t, netlink.RouteAdd(f.route(t, w, f.all, f.gateway)))
		before := table(t, f.ip, unix.RT_TABLE_MAIN)
		req := request("ip", f.ip, "source_route", "default", "dad", "no")
		run(t, r, req, "start", 0)
		have, err := where(netip.MustParseAddr(f.ip))
		must(t, err)
		must(t, netlink.AddrDel(w.near, &have[0]))
		wantSource(t, f.faraway, f.plain)
		run(t, r, req, "monitor", 7)
		run(t, r, req, "start", 0)
		wantSource(t, f.faraway, f.ip)
		must(t, netlink.AddrDel(w.near, &have[0]))
		run(t, r, req, "stop", 0)
		if after := table(t, f.ip, unix.RT_TABLE_MAIN); !slices.Equal(before, after) {
			t.Errorf("there is %q after stop, and was %q before", after, before)
		}
	})
}

// What others do to the route is a failure in words, and a restart mends it.
func TestSourceRouteChanged(t *testing.T) {
	each(t, func(t *testing.T, w wire, r *Runner, f family4and6) {
		plain := f.route(t, w, f.all, f.gateway)
		req := request("ip", f.ip, "source_route", "default", "dad", "no")
		missing := "the route to default is missing: source_route has nothing to make " + f.ip + " the source of"
		wantReason(t, run(t, r, req, "start", 1), missing)
		run(t, r, req, "monitor", 7)

		must(t, netlink.RouteAdd(plain))
		run(t, r, req, "start", 0)
		_, ours, err := (&sourceRoute{dst: netip.MustParsePrefix(f.all)}).copies(netip.MustParseAddr(f.ip), w.near)
		must(t, err)
		must(t, netlink.RouteDel(&ours[0]))
		wantReason(t, run(t, r, req, "monitor", 1), "the route to default does not have the source "+f.ip+" any more")
		run(t, r, req, "start", 0)
		run(t, r, req, "monitor", 0)

		rs, err := routes(family(netip.MustParseAddr(f.ip)), unix.RT_TABLE_MAIN)
		must(t, err)
		for _, x := range rs { // the administrator's, not the first that the kernel finds
			if x.Dst.String() == f.all && x.Protocol != routeProtocol {
				must(t, netlink.RouteDel(&x))
			}
		}
		wantReason(t, run(t, r, req, "monitor", 1), missing)
		must(t, netlink.RouteAppend(f.route(t, w, f.all, f.other)))
		wantReason(t, run(t, r, req, "monitor", 1), "the route to default was changed, and its copy with source "+f.ip+" was not")
		run(t, r, req, "stop", 0)
		run(t, r, req, "start", 0)
		run(t, r, req, "monitor", 0)
		if rs, err := netlink.RouteGet(net.ParseIP(f.faraway)); err != nil || rs[0].Gw.String() != f.other || rs[0].Src.String() != f.ip {
			t.Errorf("got %v, %v", rs, err)
		}

		second := request("ip", f.plain+"0", "source_route", "default", "dad", "no")
		second.Resource = "second"
		wantReason(t, run(t, r, second, "start", 1), "the route to default has the source "+f.ip+" of another resource already")
		run(t, r, second, "stop", 0)
		run(t, r, req, "monitor", 0)
		run(t, r, req, "stop", 0)
	})
}

// A route to a network alone, in a table of its own, over several gateways.
func TestSourceRouteOfATable(t *testing.T) {
	each(t, func(t *testing.T, w wire, r *Runner, f family4and6) {
		dst := netip.PrefixFrom(netip.MustParseAddr(f.faraway), 24).Masked().String()
		route := f.route(t, w, dst, "")
		route.LinkIndex, route.Table = 0, 100
		for _, gw := range []string{f.gateway, f.other} {
			route.MultiPath = append(route.MultiPath, &netlink.NexthopInfo{LinkIndex: w.near.Attrs().Index, Gw: net.ParseIP(gw)})
		}
		must(t, netlink.RouteAdd(route))
		t.Cleanup(func() { _ = netlink.RouteDel(route) })
		before := table(t, f.ip, 100)
		req := request("ip", f.ip, "source_route", dst, "source_route_table", "100", "dad", "no")
		run(t, r, req, "start", 0)
		run(t, r, req, "start", 0)
		run(t, r, req, "monitor", 0)
		rs, err := routes(family(netip.MustParseAddr(f.ip)), 100)
		must(t, err)
		var ours []netlink.Route
		for _, x := range rs {
			if x.Protocol == routeProtocol {
				ours = append(ours, x)
			}
		}
		if len(ours) != 1 || ours[0].Src.String() != f.ip || len(ours[0].MultiPath) != 2 {
			t.Errorf("there are %v", ours)
		}
		wantReason(t, run(t, r, request("ip", f.ip, "source_route", "default", "source_route_table", "100"), "monitor", 1),
			"the route to default in table 100 is missing: source_route has nothing to make "+f.ip+" the source of")
		run(t, r, req, "stop", 0)
		if after := table(t, f.ip, 100); !slices.Equal(before, after) {
			t.Errorf("there is %q after stop, and was %q before", after, before)
		}
	})
}

// device makes a device of a kind that not every kernel has.
func device(t *testing.T, l netlink.Link) {
	t.Helper()
	err := netlink.LinkAdd(l)
	if errors.Is(err, unix.EOPNOTSUPP) {
		t.Skipf("this kernel has no devices of type %s", l.Type())
	}
	must(t, err)
	t.Cleanup(func() { _ = netlink.LinkDel(l) })
	must(t, netlink.LinkSetUp(l))
}

// An address in a VRF: its default route is that of the VRF's table, and the same address elsewhere is not it.
func TestVRF(t *testing.T) {
	each(t, func(t *testing.T, w wire, r *Runner, f family4and6) {
		blue := &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "blue"}, Table: 77}
		device(t, blue)
		must(t, netlink.LinkSetMaster(w.near, blue))
		carrier(t, "vip0")
		for _, a := range []string{"10.88.0.1/24", "fd88::1/64"} { // IPv6 ones go with the change
			must(t, netlink.AddrReplace(w.near, addr(t, a)))
		}
		route := f.route(t, w, f.all, f.gateway)
		route.Table = 77
		must(t, netlink.RouteAdd(route))
		lo, err := netlink.LinkByName("lo")
		must(t, err)
		same := addr(t, netip.PrefixFrom(netip.MustParseAddr(f.ip), netip.MustParseAddr(f.ip).BitLen()).String())
		must(t, netlink.AddrAdd(lo, same))
		t.Cleanup(func() { _ = netlink.AddrDel(lo, same) })
		req := request("ip", f.ip, "nic", "vip0", "source_route", "default")
		run(t, r, req, "monitor", 7)
		run(t, r, req, "start", 0)
		run(t, r, req, "monitor", 0)
		rs, err := routes(family(netip.MustParseAddr(f.ip)), 77)
		must(t, err)
		if !slices.ContainsFunc(rs, func(x netlink.Route) bool { return x.Protocol == routeProtocol && x.Src.String() == f.ip }) {
			t.Errorf("there are %v", rs)
		}
		must(t, netlink.LinkSetDown(blue))
		wantReason(t, run(t, r, req, "monitor", 1), "interface vip0 works, and its VRF blue is down")
		must(t, netlink.LinkSetUp(blue))
		run(t, r, req, "stop", 0)
		if have, err := where(netip.MustParseAddr(f.ip)); err != nil || len(have) != 1 || have[0].LinkIndex != lo.Attrs().Index {
			t.Errorf("the address of the other VRF: %v, %v", have, err)
		}
	})
}

// An address on a VLAN: owners are asked for and told there, and not on the link below.
func TestVLAN(t *testing.T) {
	w := lay(t)
	r := newRunner(t)
	device(t, &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "vip0.7", ParentIndex: w.near.Attrs().Index}, VlanId: 7})
	far := &netlink.Vlan{LinkAttrs: netlink.LinkAttrs{Name: "far0.7", ParentIndex: w.far.Attrs().Index}, VlanId: 7}
	must(t, w.host.LinkAdd(far))
	must(t, w.host.LinkSetUp(far))
	must(t, w.host.AddrAdd(far, addr(t, "10.77.0.66/24")))
	carrier(t, "vip0.7")
	res := run(t, r, request("ip", "10.77.0.66", "nic", "vip0.7", "cidr_netmask", "24"), "start", 1)
	wantReason(t, res, "10.77.0.66 is in use already: "+w.far.Attrs().HardwareAddr.String()+" answers for it on vip0.7")
	req := request("ip", "10.77.0.9", "nic", "vip0.7", "cidr_netmask", "24")
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	must(t, netlink.LinkSetDown(w.near))
	run(t, r, req, "monitor", 1)
	run(t, r, req, "stop", 0)
}
