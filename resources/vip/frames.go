package vip

import (
	"bytes"
	"encoding/binary"
	"net"
	"net/netip"
)

const (
	etherARP  = 0x0806
	etherIPv6 = 0x86dd

	arpRequest, arpReply = 1, 2

	icmpNeighborSolicitation  = 135
	icmpNeighborAdvertisement = 136
	flagOverride              = 0x20 // of a neighbour advertisement: replace what you have
	optionTargetLink          = 2
)

var broadcast = net.HardwareAddr{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// ethernet begins a frame.
func ethernet(dst, src net.HardwareAddr, kind uint16) []byte {
	b := make([]byte, 0, 86)
	b = append(b, dst...)
	b = append(b, src...)
	return binary.BigEndian.AppendUint16(b, kind)
}

// arpFrame makes an ARP frame for IPv4 over Ethernet, to all.
func arpFrame(op uint16, mac net.HardwareAddr, sender netip.Addr, targetMAC net.HardwareAddr, target netip.Addr) []byte {
	b := ethernet(broadcast, mac, etherARP)
	b = append(b, 0, 1, 8, 0, 6, 4) // Ethernet, IPv4, lengths
	b = binary.BigEndian.AppendUint16(b, op)
	s, t := sender.As4(), target.As4()
	b = append(append(b, mac...), s[:]...)
	return append(append(b, targetMAC...), t[:]...)
}

// neighborFrame makes an ICMPv6 neighbour solicitation or advertisement.
func neighborFrame(kind byte, mac net.HardwareAddr, src, dst, target netip.Addr, flags byte) []byte {
	d := dst.As16()
	b := ethernet(net.HardwareAddr{0x33, 0x33, d[12], d[13], d[14], d[15]}, mac, etherIPv6)
	t := target.As16()
	body := append([]byte{kind, 0, 0, 0, flags, 0, 0, 0}, t[:]...)
	if kind == icmpNeighborAdvertisement {
		body = append(append(body, optionTargetLink, 1), mac...)
	}
	s := src.As16()
	binary.BigEndian.PutUint16(body[2:], icmpChecksum(s, d, body))
	b = append(b, 0x60, 0, 0, 0) // version 6
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	b = append(b, 58, 255) // ICMPv6; hop limit 255 proves that no router was in between
	b = append(append(b, s[:]...), d[:]...)
	return append(b, body...)
}

func icmpChecksum(src, dst [16]byte, body []byte) uint16 {
	var pseudo bytes.Buffer
	pseudo.Write(src[:])
	pseudo.Write(dst[:])
	pseudo.Write([]byte{0, 0, byte(len(body) >> 8), byte(len(body)), 0, 0, 0, 58})
	pseudo.Write(body) // its checksum field is still 0; its length is even in all our messages
	sum := uint32(0)
	for p := pseudo.Bytes(); len(p) > 1; p = p[2:] {
		sum += uint32(p[0])<<8 | uint32(p[1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// announcement is what tells a segment that addr is at mac now: both forms of gratuitous ARP, since some hosts obey only the
// one or the other, or an unsolicited neighbour advertisement.
func announcement(mac net.HardwareAddr, addr netip.Addr) [][]byte {
	if addr.Is4() {
		return [][]byte{
			arpFrame(arpRequest, mac, addr, make(net.HardwareAddr, 6), addr),
			arpFrame(arpReply, mac, addr, broadcast, addr),
		}
	}
	return [][]byte{neighborFrame(icmpNeighborAdvertisement, mac, addr, netip.IPv6LinkLocalAllNodes(), addr, flagOverride)}
}

// question asks whether anybody has addr, without claiming it: an ARP probe, or the solicitation of duplicate address detection.
func question(mac net.HardwareAddr, addr netip.Addr) []byte {
	if addr.Is4() {
		return arpFrame(arpRequest, mac, netip.IPv4Unspecified(), make(net.HardwareAddr, 6), addr)
	}
	a := addr.As16()
	group := netip.AddrFrom16([16]byte{0xff, 0x02, 11: 1, 12: 0xff, 13: a[13], 14: a[14], 15: a[15]})
	return neighborFrame(icmpNeighborSolicitation, mac, netip.IPv6Unspecified(), group, addr, 0)
}

// claim says whose frame this is, if it claims addr: by an answer or an announcement (owns), or by a question, as ours, before it
// takes the address itself (wants).
func claim(frame []byte, addr netip.Addr) (mac net.HardwareAddr, owns, wants bool) {
	if len(frame) < 14 {
		return nil, false, false
	}
	kind, b := binary.BigEndian.Uint16(frame[12:]), frame[14:]
	switch {
	case kind == etherARP && addr.Is4():
		if len(b) < 28 || !bytes.Equal(b[:6], []byte{0, 1, 8, 0, 6, 4}) {
			return nil, false, false
		}
		sender, target := netip.AddrFrom4([4]byte(b[14:18])), netip.AddrFrom4([4]byte(b[24:28]))
		mac = net.HardwareAddr(bytes.Clone(b[8:14]))
		return mac, sender == addr, sender.IsUnspecified() && target == addr
	case kind == etherIPv6 && addr.Is6():
		if len(b) < 40+24 || b[6] != 58 || b[7] != 255 {
			return nil, false, false
		}
		src, icmp := netip.AddrFrom16([16]byte(b[8:24])), b[40:]
		if netip.AddrFrom16([16]byte(icmp[8:24])) != addr {
			return nil, false, false
		}
		mac = net.HardwareAddr(bytes.Clone(frame[6:12]))
		return mac, icmp[0] == icmpNeighborAdvertisement, icmp[0] == icmpNeighborSolicitation && src.IsUnspecified()
	}
	return nil, false, false
}
