package vip

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strings"

	"paceline/resources"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// sourceRoute is the route whose preferred source the address is while it runs.
//
// The route is not changed. A copy of it is added that the kernel prefers: with a smaller metric, or before it where there is none
// smaller (IPv4's 0). So nothing has to be remembered for putting it back, and nothing is lost with a crash: with an address the
// kernel drops all IPv4 routes that have it as their source, which would be the node's default route if that had been changed.
type sourceRoute struct {
	dst   netip.Prefix
	table int // 0: that of the interface's VRF, or the main one
}

// String returns the destination as people write it.
func (w *sourceRoute) String() string {
	if w.dst.Bits() == 0 {
		return "default"
	}
	return w.dst.String()
}

// readSourceRoute reads the parameters; nil if there is none.
func readSourceRoute(v *resources.Values, ip netip.Addr) *sourceRoute {
	to := strings.TrimSpace(v.String("source_route"))
	if to == "" {
		if v.Given("source_route_table") {
			v.Failf("source_route_table", "is of no use without source_route")
		}
		return nil
	}
	w := &sourceRoute{}
	if v.Given("source_route_table") {
		w.table = v.Int("source_route_table", 1, math.MaxInt32)
	}
	if to == "default" {
		w.dst = netip.PrefixFrom(netip.IPv4Unspecified(), 0)
		if ip.Is6() {
			w.dst = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
		}
	} else {
		dst, err := netip.ParsePrefix(to)
		switch {
		case err != nil || dst != dst.Masked():
			v.Failf("source_route", "%q is neither default nor a prefix as in 10.0.0.0/8", to)
		case dst.Addr().Is4() != ip.Is4():
			v.Failf("source_route", "%s cannot be the source of a route to %s", ip, to)
		}
		w.dst = dst
	}
	if ip.IsLinkLocalUnicast() {
		v.Failf("source_route", "%s is of its link alone, and cannot be the source of a route", ip)
	}
	return w
}

// tableFor is the table of the route where the address is on a link.
func (w *sourceRoute) tableFor(l netlink.Link) int {
	if w.table != 0 {
		return w.table
	}
	if v := vrfOf(l); v != nil {
		return int(v.Table)
	}
	return unix.RT_TABLE_MAIN
}

func (w *sourceRoute) in(table int) string {
	if table == unix.RT_TABLE_MAIN {
		return fmt.Sprintf("the route to %s", w)
	}
	return fmt.Sprintf("the route to %s in table %d", w, table)
}

// routes lists the routes of a family that take packets somewhere, of one table or of all (RT_TABLE_UNSPEC).
func routes(fam, table int) (out []netlink.Route, err error) {
	filter := &netlink.Route{Table: table, Type: unix.RTN_UNICAST}
	for range dumpRetries {
		out, err = netlink.RouteListFiltered(fam, filter, netlink.RT_FILTER_TABLE|netlink.RT_FILTER_TYPE)
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list routes: %w", err)
	}
	return out, nil
}

// copies reads the table: the copy that there should be, and those of ours that there are.
func (w *sourceRoute) copies(ip netip.Addr, l netlink.Link) (want netlink.Route, ours []netlink.Route, err error) {
	table := w.tableFor(l)
	all, err := routes(family(ip), table)
	if err != nil {
		return want, nil, err
	}
	var best *netlink.Route
	for i, r := range all {
		switch {
		case r.Dst == nil || r.Dst.String() != w.dst.String() || r.Tos != 0:
		case r.Protocol == routeProtocol:
			ours = append(ours, settled(r))
		case best == nil || r.Priority < best.Priority:
			best = &all[i]
		}
	}
	if best == nil {
		return want, ours, fmt.Errorf("%s is missing: source_route has nothing to make %s the source of", w.in(table), ip)
	}
	for _, r := range ours {
		if r.Src != nil && !r.Src.Equal(ip.AsSlice()) {
			return want, ours, fmt.Errorf("%s has the source %s of another resource already", w.in(table), r.Src)
		}
	}
	want = settled(*best)
	want.Src, want.Protocol = ip.AsSlice(), routeProtocol
	want.Priority = max(best.Priority-1, 0)
	if ip.Is6() && want.Priority == 0 { // 0 stands for the kernel's usual metric there
		return want, ours, fmt.Errorf("%s has metric %d: there is no smaller one for its copy with source %s", w.in(table), best.Priority, ip)
	}
	return want, ours, nil
}

// settled is a route without what is its state of this moment: flags as that the carrier is gone.
func settled(r netlink.Route) netlink.Route {
	r.Flags &= int(netlink.FLAG_ONLINK)
	hops := make([]*netlink.NexthopInfo, len(r.MultiPath))
	for i, h := range r.MultiPath {
		hop := *h
		hop.Flags &= int(netlink.FLAG_ONLINK)
		hops[i] = &hop
	}
	r.MultiPath = hops
	return r
}

// check says what is wrong with the route while the address is on a link.
func (w *sourceRoute) check(ip netip.Addr, l netlink.Link) error {
	want, ours, err := w.copies(ip, l)
	switch {
	case err != nil:
		return err
	case len(ours) == 0:
		return fmt.Errorf("%s does not have the source %s any more", w.in(want.Table), ip)
	case len(ours) > 1 || !ours[0].Equal(want):
		return fmt.Errorf("%s was changed, and its copy with source %s was not", w.in(want.Table), ip)
	}
	return nil
}

// set makes the copy as it should be.
func (w *sourceRoute) set(ip netip.Addr, l netlink.Link) error {
	want, ours, err := w.copies(ip, l)
	if err != nil {
		return err
	}
	there := false
	for _, r := range ours {
		if !there && r.Equal(want) {
			there = true
		} else if err := dropRoute(r); err != nil {
			return err
		}
	}
	if there {
		return nil
	}
	// Neither "exclusive" nor "append": before what there is with the same metric.
	if err := netlink.RouteAddEcmp(&want); err != nil {
		return fmt.Errorf("make %s the source of %s: %w", ip, w.in(want.Table), err)
	}
	return nil
}

// unset removes our copies with this source, wherever they are, and those that lost it together with an address (IPv6).
func unset(ip netip.Addr) error {
	all, err := routes(family(ip), unix.RT_TABLE_UNSPEC)
	if err != nil {
		return err
	}
	for _, r := range all {
		if r.Protocol == routeProtocol && (r.Src == nil || net.IP.Equal(r.Src, ip.AsSlice())) {
			if err := dropRoute(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func dropRoute(r netlink.Route) error {
	if err := netlink.RouteDel(&r); err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("remove the route to %s with source %s: %w", r.Dst, r.Src, err)
	}
	return nil
}
