package lab

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Client is the machine of the lab that uses what the cluster serves.
type Client struct{ *Node }

// Pinger sends an ICMP echo request to an address at a fixed period, and records every reply with the kernel's time
// stamp and with who sent it.
type Pinger struct {
	target   netip.Addr
	interval time.Duration
	names    map[byte]string
	id       uint16
	send     int
	recv     int

	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	started time.Time
	ended   time.Time
	sent    []time.Time // by sequence number
	replies []Reply
	changed chan struct{} // closed and replaced at each reply
}

// Reply is an answer to a ping.
type Reply struct {
	Seq  int           `json:"seq"`
	At   time.Time     `json:"at"`   // when the kernel took it in
	Trip time.Duration `json:"trip"` // since the request was sent
	From string        `json:"from"` // machine that sent it, by its MAC; "" when no machine of the lab
}

// Outage is a stretch without replies longer than asked for.
type Outage struct {
	From, To      time.Time
	Before, After string // who answered last before it, and first after it
}

// Length of the outage.
func (o Outage) Length() time.Duration { return o.To.Sub(o.From) }

// Ping starts to ping an IPv4 address from the machine. Stop ends it.
func (n *Node) Ping(ctx context.Context, target netip.Addr, interval time.Duration) (*Pinger, error) {
	if !target.Is4() {
		return nil, fmt.Errorf("ping %s: only IPv4 addresses", target)
	}
	pid := n.PID()
	if pid == 0 {
		return nil, fmt.Errorf("ping: %s has no power", n.Name)
	}
	p := &Pinger{target: target, interval: interval, names: map[byte]string{}, id: uint16(rand.Uint32()), changed: make(chan struct{}), started: time.Now()}
	for name, other := range n.lab.byName {
		p.names[byte(other.index)] = name
	}
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, fmt.Errorf("ping: the network of %s: %w", n.Name, err)
	}
	defer ns.Close()
	if err := inNamespace(ns, p.open); err != nil {
		return nil, fmt.Errorf("ping: %w", err)
	}
	ctx, p.stop = context.WithCancel(ctx)
	p.done.Go(func() { p.sendAll(ctx) })
	p.done.Go(func() { p.receive(ctx) })
	return p, nil
}

// receiveWake is how often the receiver looks whether it is to stop.
const receiveWake = 50 * time.Millisecond

func (p *Pinger) open() (err error) {
	if p.send, err = unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_ICMP); err != nil {
		return fmt.Errorf("open the ICMP socket: %w", err)
	}
	// Replies are read from a packet socket: it alone tells the sender's MAC.
	const ipv4 = uint16(unix.ETH_P_IP>>8 | unix.ETH_P_IP&0xff<<8)
	if p.recv, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(ipv4)); err != nil {
		return errors.Join(fmt.Errorf("open the packet socket: %w", err), unix.Close(p.send))
	}
	wake := unix.NsecToTimeval(receiveWake.Nanoseconds())
	return errors.Join(
		unix.SetsockoptInt(p.recv, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptTimeval(p.recv, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wake))
}

func (p *Pinger) sendAll(ctx context.Context) {
	tick := time.NewTicker(p.interval)
	defer tick.Stop()
	to := &unix.SockaddrInet4{Addr: p.target.As4()}
	for seq := 0; ; seq++ {
		p.mu.Lock()
		p.sent = append(p.sent, time.Now())
		p.mu.Unlock()
		// An error is an unreachable host or a full queue: no reply will come, and that is what is recorded.
		_ = unix.Sendto(p.send, p.request(seq), 0, to)
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// request makes an echo request. The sequence number proper has 16 bits; the whole of it is in the payload.
func (p *Pinger) request(seq int) []byte {
	m := make([]byte, 16)
	m[0] = 8
	binary.BigEndian.PutUint16(m[4:], p.id)
	binary.BigEndian.PutUint16(m[6:], uint16(seq))
	binary.BigEndian.PutUint64(m[8:], uint64(seq))
	var sum uint32
	for i := 0; i < len(m); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(m[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(m[2:], ^uint16(sum))
	return m
}

func (p *Pinger) receive(ctx context.Context) {
	buf, oob := make([]byte, 2048), make([]byte, 256)
	for ctx.Err() == nil {
		n, oobn, _, from, err := unix.Recvmsg(p.recv, buf, oob, 0)
		if err != nil {
			continue // the wake-up, or a signal
		}
		seq, ok := p.parse(buf[:n])
		if !ok {
			continue
		}
		r := Reply{Seq: seq, At: stamp(oob[:oobn])}
		if ll, ok := from.(*unix.SockaddrLinklayer); ok && ll.Halen == 6 && ll.Addr[0] == 2 && ll.Addr[1] == 0x70 {
			r.From = p.names[ll.Addr[5]]
		}
		p.mu.Lock()
		if seq < len(p.sent) {
			r.Trip = r.At.Sub(p.sent[seq])
			p.replies = append(p.replies, r)
			close(p.changed)
			p.changed = make(chan struct{})
		}
		p.mu.Unlock()
	}
}

// parse returns the sequence number of an echo reply of ours.
func (p *Pinger) parse(packet []byte) (int, bool) {
	if len(packet) < 20 || packet[9] != unix.IPPROTO_ICMP || netip.AddrFrom4([4]byte(packet[12:16])) != p.target {
		return 0, false
	}
	head := int(packet[0]&0xf) * 4
	if len(packet) < head+16 {
		return 0, false
	}
	m := packet[head:]
	if m[0] != 0 || binary.BigEndian.Uint16(m[4:]) != p.id {
		return 0, false
	}
	return int(binary.BigEndian.Uint64(m[8:])), true
}

// stamp finds the kernel's time stamp of a packet.
func stamp(oob []byte) time.Time {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err == nil {
		for _, m := range messages {
			if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_TIMESTAMPNS && len(m.Data) >= 16 {
				sec, nsec := binary.NativeEndian.Uint64(m.Data), binary.NativeEndian.Uint64(m.Data[8:])
				return time.Unix(int64(sec), int64(nsec))
			}
		}
	}
	return time.Now()
}

// Await returns the first reply, received after the time, that fits.
func (p *Pinger) Await(ctx context.Context, after time.Time, fits func(Reply) bool) (Reply, error) {
	next := 0
	for {
		p.mu.Lock()
		replies, changed := p.replies, p.changed
		p.mu.Unlock()
		for ; next < len(replies); next++ {
			if r := replies[next]; r.At.After(after) && fits(r) {
				return r, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return Reply{}, fmt.Errorf("wait for a reply of %s: %w", p.target, context.Cause(ctx))
		}
	}
}

// Stop ends the pinging and returns what was measured.
func (p *Pinger) Stop() PingReport {
	p.stop()
	p.done.Wait()
	_ = unix.Close(p.send)
	_ = unix.Close(p.recv)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = time.Now()
	return p.report()
}

// Report returns what was measured until now.
func (p *Pinger) Report() PingReport {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.report()
}

func (p *Pinger) report() PingReport {
	end := p.ended
	if end.IsZero() {
		end = time.Now()
	}
	return PingReport{Target: p.target, Started: p.started, Ended: end, Sent: len(p.sent), Replies: append([]Reply(nil), p.replies...)}
}

// PingReport is what a Pinger measured.
type PingReport struct {
	Target         netip.Addr
	Started, Ended time.Time
	Sent           int
	Replies        []Reply
}

// Outages returns the stretches without a reply that are longer than min, those at the beginning and the end too.
func (r PingReport) Outages(min time.Duration) []Outage {
	var out []Outage
	last, who := r.Started, ""
	for _, p := range append(r.Replies[:len(r.Replies):len(r.Replies)], Reply{At: r.Ended}) {
		if p.At.Sub(last) > min {
			out = append(out, Outage{From: last, To: p.At, Before: who, After: p.From})
		}
		last, who = p.At, p.From
	}
	return out
}

// Longest returns the longest stretch without a reply between two replies: the outage that a user sees.
func (r PingReport) Longest() Outage {
	var worst Outage
	for i := 1; i < len(r.Replies); i++ {
		a, b := r.Replies[i-1], r.Replies[i]
		if gap := b.At.Sub(a.At); gap > worst.Length() {
			worst = Outage{From: a.At, To: b.At, Before: a.From, After: b.From}
		}
	}
	return worst
}

// Within keeps the replies of a span of time.
func (r PingReport) Within(from, to time.Time) PingReport {
	out := PingReport{Target: r.Target, Started: from, Ended: to}
	for _, p := range r.Replies {
		if !p.At.Before(from) && !p.At.After(to) {
			out.Replies = append(out.Replies, p)
		}
	}
	return out
}

// Dial connects from the client machine.
func (c *Client) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	pid := c.PID()
	if pid == 0 {
		return nil, errors.New("dial: the client has no power")
	}
	ns, err := netns.GetFromPid(pid)
	if err != nil {
		return nil, fmt.Errorf("dial: the client's network: %w", err)
	}
	defer ns.Close()
	var conn net.Conn
	err = inNamespace(ns, func() (err error) {
		// One address and no fallback: the dialer then opens its socket on this very thread.
		d := net.Dialer{FallbackDelay: -1}
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	return conn, err
}
