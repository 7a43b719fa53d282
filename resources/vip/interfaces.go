package vip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

func family(a netip.Addr) int {
	if a.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

// addresses lists all addresses of a family, of one link or of all (nil).
func addresses(l netlink.Link, fam int) (out []netlink.Addr, err error) {
	for range dumpRetries {
		if out, err = netlink.AddrList(l, fam); !errors.Is(err, netlink.ErrDumpInterrupted) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	return out, nil
}

func ipOf(a netlink.Addr) netip.Addr {
	ip, _ := netip.AddrFromSlice(a.IP)
	return ip.Unmap()
}

// where finds all interfaces that have the address: where nic is set, among those of its VRF, because another VRF may have the
// same address as another's.
func (s settings) where() ([]netlink.Addr, error) {
	have, err := where(s.ip)
	if err != nil || len(have) == 0 || s.nic == "" {
		return have, err
	}
	nic, err := netlink.LinkByName(s.nic)
	if err != nil {
		return have, nil // no such interface any more: then it may be anywhere
	}
	domain := vrfOf(nic)
	return slices.DeleteFunc(have, func(a netlink.Addr) bool {
		l, err := netlink.LinkByIndex(a.LinkIndex)
		return err == nil && !sameVRF(vrfOf(l), domain)
	}), nil
}

// vrfOf is the VRF that a link belongs to, or is; nil for none.
func vrfOf(l netlink.Link) *netlink.Vrf {
	if i := l.Attrs().MasterIndex; i != 0 {
		if master, err := netlink.LinkByIndex(i); err == nil {
			l = master
		}
	}
	v, _ := l.(*netlink.Vrf)
	return v
}

func sameVRF(a, b *netlink.Vrf) bool {
	return a == nil && b == nil || a != nil && b != nil && a.Index == b.Index
}

// where finds all interfaces that have the address.
func where(ip netip.Addr) ([]netlink.Addr, error) {
	all, err := addresses(nil, family(ip))
	if err != nil {
		return nil, err
	}
	var out []netlink.Addr
	for _, a := range all {
		if ipOf(a) == ip.WithZone("") {
			out = append(out, a)
		}
	}
	return out, nil
}

// local asks the kernel for one address: by its route, which costs the same however many addresses there are. It returns the interface that
// has it, or nil where that does not say: then the list of all must.
func local(ip netip.Addr) netlink.Link {
	routes, err := netlink.RouteGetWithOptions(ip.AsSlice(), &netlink.RouteGetOptions{FIBMatch: true})
	if err != nil || len(routes) != 1 {
		return nil
	}
	// The route of an address is made by the kernel, and goes with it; others that lead here are somebody's own.
	r := routes[0]
	if r.Type != unix.RTN_LOCAL || r.Protocol != unix.RTPROT_KERNEL || r.Dst == nil {
		return nil
	}
	if ones, bits := r.Dst.Mask.Size(); ones != bits || !r.Dst.IP.Equal(ip.AsSlice()) {
		return nil
	}
	l, err := netlink.LinkByIndex(r.LinkIndex)
	if err != nil {
		return nil
	}
	return l
}

// choose finds the interface on whose subnet an address lies, and that subnet's length.
func choose(ip netip.Addr) (netlink.Link, int, error) {
	all, err := addresses(nil, family(ip))
	if err != nil {
		return nil, 0, err
	}
	best, bits := -1, -1
	for _, a := range all {
		ones, size := a.Mask.Size()
		if ones < size && ones > bits && a.IPNet.Contains(ip.AsSlice()) && ipOf(a) != ip {
			best, bits = a.LinkIndex, ones
		}
	}
	if best < 0 { // a route to the subnet without an address of ours in it
		routes, err := netlink.RouteGet(ip.AsSlice())
		if err == nil && len(routes) > 0 && len(routes[0].Gw) == 0 && routes[0].Type == unix.RTN_UNICAST && routes[0].Via == nil {
			best, bits = routes[0].LinkIndex, ip.BitLen()
		}
	}
	if best < 0 {
		return nil, 0, fmt.Errorf("no interface has a subnet with %s: set nic, and cidr_netmask", ip)
	}
	l, err := netlink.LinkByIndex(best)
	if err != nil {
		return nil, 0, fmt.Errorf("look up interface %d: %w", best, err)
	}
	return l, bits, nil
}

// subnetBits is the length of the subnet that a link has for an address; a host address' if it has none.
func subnetBits(l netlink.Link, ip netip.Addr) int {
	bits := ip.BitLen()
	as, err := addresses(l, family(ip))
	if err != nil {
		return bits
	}
	longest := -1
	for _, a := range as {
		if ones, size := a.Mask.Size(); ones < size && ones > longest && a.IPNet.Contains(ip.AsSlice()) {
			longest = ones
		}
	}
	if longest >= 0 {
		return longest
	}
	return bits
}

// down says why a link cannot carry an address now, or "".
func down(l netlink.Link) string {
	a := l.Attrs()
	switch {
	case a.Flags&net.FlagUp == 0:
		return fmt.Sprintf("interface %s is down", a.Name)
	case a.OperState == netlink.OperDown || a.OperState == netlink.OperNotPresent:
		return fmt.Sprintf("interface %s has no carrier", a.Name)
	case a.OperState == netlink.OperLowerLayerDown:
		return fmt.Sprintf("interface %s is down, as what it is built on", a.Name)
	}
	if v := vrfOf(l); v != nil && v.Flags&net.FlagUp == 0 { // nothing passes it then
		return fmt.Sprintf("interface %s works, and its VRF %s is down", a.Name, v.Name)
	}
	return ""
}

// remove takes an address away. Where it is the first of its subnet the kernel would remove the others of that subnet with it,
// unless told to promote the next one: those are put back.
func remove(a netlink.Addr) error {
	l, err := netlink.LinkByIndex(a.LinkIndex)
	if err != nil {
		return fmt.Errorf("look up interface %d: %w", a.LinkIndex, err)
	}
	var others []netlink.Addr
	if a.IP.To4() != nil && a.Flags&unix.IFA_F_SECONDARY == 0 && !promotes(l.Attrs().Name) {
		if others, err = addresses(l, netlink.FAMILY_V4); err != nil {
			return err
		}
	}
	if err := netlink.AddrDel(l, &a); err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove %s from %s: %w", a.IPNet, l.Attrs().Name, err)
	}
	for _, o := range others {
		if o.Flags&unix.IFA_F_SECONDARY != 0 && a.IPNet.Contains(o.IP) {
			o.Flags &^= unix.IFA_F_SECONDARY
			if err := netlink.AddrReplace(l, &o); err != nil {
				return fmt.Errorf("put %s back on %s: %w", o.IPNet, l.Attrs().Name, err)
			}
		}
	}
	return nil
}

func promotes(nic string) bool {
	for _, n := range []string{"all", nic} {
		b, err := os.ReadFile("/proc/sys/net/ipv4/conf/" + n + "/promote_secondaries")
		if err == nil && strings.TrimSpace(string(b)) == "1" {
			return true
		}
	}
	return false
}
