package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/net/bpf"
)

// neighborsOnly lets only ICMPv6 neighbour solicitations and advertisements pass, lest a busy interface drown them.
var neighborsOnly = []bpf.Instruction{
	bpf.LoadAbsolute{Off: 14 + 6, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 58, SkipTrue: 4},
	bpf.LoadAbsolute{Off: 14 + 40, Size: 1},
	bpf.JumpIf{Cond: bpf.JumpEqual, Val: icmpNeighborSolicitation, SkipTrue: 1},
	bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: icmpNeighborAdvertisement, SkipTrue: 1},
	bpf.RetConstant{Val: frameMax},
	bpf.RetConstant{Val: 0},
}

// segment is an open door to the link on which an address lives.
type segment struct {
	conn *packet.Conn
	mac  net.HardwareAddr
	addr netip.Addr
}

// speaks says whether addresses on a link are found by ARP or neighbour discovery at all.
func speaks(l netlink.Link) bool {
	a := l.Attrs()
	return len(a.HardwareAddr) == 6 && a.Flags&net.FlagLoopback == 0 && a.RawFlags&0x80 == 0 // IFF_NOARP
}

func openSegment(l netlink.Link, addr netip.Addr) (*segment, error) {
	protocol, cfg := etherARP, &packet.Config{}
	if addr.Is6() {
		filter, err := bpf.Assemble(neighborsOnly)
		if err != nil {
			return nil, fmt.Errorf("filter neighbour messages: %w", err)
		}
		protocol, cfg.Filter = etherIPv6, filter
	}
	a := l.Attrs()
	c, err := packet.Listen(&net.Interface{Index: a.Index, Name: a.Name, HardwareAddr: a.HardwareAddr, MTU: a.MTU}, packet.Raw, protocol, cfg)
	if err != nil {
		return nil, fmt.Errorf("open packet socket on %s: %w", a.Name, err)
	}
	return &segment{conn: c, mac: a.HardwareAddr, addr: addr}, nil
}

func (s *segment) send(frame []byte) error {
	_, err := s.conn.WriteTo(frame, &packet.Addr{HardwareAddr: net.HardwareAddr(frame[:6])})
	return err
}

func (s *segment) announce() error {
	var errs []error
	for _, f := range announcement(s.mac, s.addr) {
		errs = append(errs, s.send(f))
	}
	return errors.Join(errs...)
}

// ask asks for the address several times within total, and returns who else has it; nil if nobody answered.
func (s *segment) ask(ctx context.Context, total time.Duration) (net.HardwareAddr, error) {
	end := time.Now().Add(total)
	for i := range probes {
		if err := s.send(question(s.mac, s.addr)); err != nil {
			return nil, fmt.Errorf("ask for %s: %w", s.addr, err)
		}
		mac, err := s.foreign(ctx, true, end.Add(-total*time.Duration(probes-1-i)/probes))
		if mac != nil || err != nil {
			return mac, err
		}
	}
	return nil, nil
}

// foreign waits until somebody else claims the address, or for the deadline (then nil). Who is only about to take it counts if
// wanting is true: then nobody has it yet, and both must step back.
func (s *segment) foreign(ctx context.Context, wanting bool, deadline time.Time) (net.HardwareAddr, error) {
	undo := context.AfterFunc(ctx, func() { _ = s.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer undo()
	if err := s.conn.SetReadDeadline(deadline); err != nil {
		return nil, err
	}
	b := make([]byte, frameMax)
	for {
		n, _, err := s.conn.ReadFrom(b)
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("listen for owners of %s: %w", s.addr, err)
		}
		if mac, owns, wants := claim(b[:n], s.addr); (owns || wants && wanting) && !bytes.Equal(mac, s.mac) {
			return mac, nil
		}
	}
}
