package links

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/hashicorp/memberlist"
)

// Gossip is memberlist's transport over all links: see the package's comment.
type Gossip struct {
	net     *Net
	open    func(ip string) (memberlist.Transport, error)
	packets chan *memberlist.Packet // unbuffered, as memberlist's own
	streams chan net.Conn
	done    chan struct{} // closed: nothing is handed on any more
	ended   chan struct{} // closed: the sockets are
	once    sync.Once
	wg      sync.WaitGroup

	mu     sync.Mutex
	links  []memberlist.Transport // by number; nil: the machine does not have the address now
	copies copies
}

var _ memberlist.Transport = (*Gossip)(nil)

// Gossip opens the gossip's sockets on all addresses of this node, and begins to probe. open opens one; its error is (or wraps)
// syscall.EADDRNOTAVAIL where the machine does not have the address.
func (n *Net) Gossip(open func(ip string) (memberlist.Transport, error)) (*Gossip, error) {
	g := &Gossip{
		net: n, open: open, packets: make(chan *memberlist.Packet), streams: make(chan net.Conn),
		done: make(chan struct{}), ended: make(chan struct{}), links: make([]memberlist.Transport, len(n.config.Own)),
		copies: copies{seed: maphash.MakeSeed(), seen: map[uint64]bool{}},
	}
	var absent []int
	var first error
	for i, ip := range n.config.Own {
		t, err := open(ip)
		switch {
		case err == nil:
			g.serve(i, t)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			absent, first = append(absent, i), errors.Join(first, err)
		default:
			g.Shutdown()
			return nil, err
		}
	}
	if len(absent) == len(n.config.Own) {
		g.Shutdown()
		return nil, first
	}
	for _, i := range absent {
		n.log.Warn("this machine does not have an address of its links now: its gossip begins as soon as it has", "addr", n.config.Own[i])
		g.wg.Go(func() { g.openLater(i) })
	}
	g.wg.Go(g.probe)
	return g, nil
}

func (g *Gossip) openLater(i int) {
	tick := time.NewTicker(openEvery)
	defer tick.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-tick.C:
		}
		if t, err := g.open(g.net.config.Own[i]); err == nil {
			g.net.log.Info("an address of the links is there now", "addr", g.net.config.Own[i])
			g.serve(i, t)
			return
		}
	}
}

// serve takes in what arrives on a link.
func (g *Gossip) serve(i int, t memberlist.Transport) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-g.done:
		t.Shutdown()
		return
	default:
	}
	g.links[i] = t
	g.wg.Go(func() {
		for {
			select {
			case p := <-t.PacketCh():
				g.take(i, t, p)
			case c := <-t.StreamCh():
				select {
				case g.streams <- c:
				case <-g.done:
					c.Close()
				}
			case <-g.ended: // until then: a socket closes only when its packets are taken
				return
			}
		}
	})
}

// take hands a packet on, once, or answers it.
func (g *Gossip) take(i int, t memberlist.Transport, p *memberlist.Packet) {
	if len(p.Buf) > 0 && p.Buf[0] == probeMark {
		g.probed(i, t, p)
		return
	}
	g.mu.Lock()
	known := g.copies.known(p.Buf)
	g.mu.Unlock()
	if known {
		return
	}
	select {
	case g.packets <- p:
	case <-g.done:
	}
}

// probed answers a probe, or takes in the answer to one.
func (g *Gossip) probed(i int, t memberlist.Transport, p *memberlist.Packet) {
	keys := g.net.config.Keys()
	kind, link, number, ok := decodeProbe(p.Buf, keys)
	if !ok {
		return
	}
	if kind == probeCall {
		t.WriteTo(encodeProbe(probeAnswer, link, number, keys[0]), p.From.String()) // lost as any packet may be
		return
	}
	n := g.net
	n.mu.Lock()
	changes := n.table.Answered(number, time.Now())
	n.mu.Unlock()
	n.changed(changes)
}

// probe sends the probes, as long as there is a choice of links.
func (g *Gossip) probe() {
	n := g.net
	if len(n.config.Own) < 2 {
		return
	}
	tick := time.NewTicker(n.config.Times.Probe)
	defer tick.Stop()
	for {
		select {
		case <-g.done:
			return
		case <-tick.C:
		}
		n.mu.Lock()
		nodes := n.table.Nodes()
		n.mu.Unlock()
		for _, node := range nodes {
			g.probeNode(node)
		}
	}
}

func (g *Gossip) probeNode(node string) {
	n := g.net
	n.mu.Lock()
	if len(n.ports[node]) == 0 {
		n.mu.Unlock()
		return
	}
	port := n.ports[node][0]
	probes, changes := n.table.Round(node, time.Now())
	at := make([]string, len(probes))
	for i, p := range probes {
		at[i] = net.JoinHostPort(n.table.Address(node, p.Link), strconv.Itoa(port))
	}
	n.mu.Unlock()
	n.changed(changes)
	key := n.config.Keys()[0]
	for i, p := range probes {
		if t := g.link(p.Link); t != nil {
			t.WriteTo(encodeProbe(probeCall, p.Link, p.Number, key), at[i]) // what does not leave is not answered
		}
	}
}

func (g *Gossip) link(i int) memberlist.Transport {
	g.mu.Lock()
	defer g.mu.Unlock()
	if i < 0 || i >= len(g.links) {
		return nil
	}
	return g.links[i]
}

// nearest returns the link on whose network an address that nobody announced most likely is: the one that shares most leading bits.
func (g *Gossip) nearest(address string) memberlist.Transport {
	best, most := memberlist.Transport(nil), -1
	to, err := netip.ParseAddrPort(address)
	for i, own := range g.net.own {
		t := g.link(i)
		if t == nil {
			continue
		}
		if same := commonBits(own, to.Addr()); err == nil && same > most || best == nil {
			best, most = t, same
		}
	}
	return best
}

// commonBits counts the leading bits that two addresses share; those of different families share none.
func commonBits(a, b netip.Addr) int {
	a, b = a.Unmap(), b.Unmap()
	if a.BitLen() != b.BitLen() {
		return -1
	}
	x, y := a.AsSlice(), b.AsSlice()
	for i := range x {
		if d := x[i] ^ y[i]; d != 0 {
			bits := 0
			for d&0x80 == 0 {
				d <<= 1
				bits++
			}
			return 8*i + bits
		}
	}
	return a.BitLen()
}

// WriteTo sends a packet over every link to the node that has the address.
func (g *Gossip) WriteTo(b []byte, address string) (time.Time, error) {
	ways := g.net.ways(address)
	if ways[0].node == "" {
		return g.nearest(address).WriteTo(b, address)
	}
	var sent time.Time
	var failed []error
	for _, w := range ways {
		t := g.link(w.link)
		if t == nil {
			continue
		}
		at, err := t.WriteTo(b, w.address)
		if err != nil {
			failed = append(failed, err)
		} else if sent.IsZero() {
			sent = at
		}
	}
	if sent.IsZero() {
		return sent, errors.Join(failed...)
	}
	return sent, nil
}

// DialTimeout opens a stream to the node that has the address, over the link that answers first.
func (g *Gossip) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return g.net.race(ctx, g.net.ways(address), func(ctx context.Context, w way) (net.Conn, error) {
		t := g.nearest(w.address)
		if w.node != "" {
			t = g.link(w.link)
		}
		if t == nil {
			return nil, fmt.Errorf("dial %s: this machine has no address on its network", w.address)
		}
		left := timeout
		if until, ok := ctx.Deadline(); ok {
			left = max(time.Until(until), time.Millisecond)
		}
		return t.DialTimeout(w.address, left)
	})
}

// FinalAdvertiseAddr returns what is configured: the node's first address.
func (g *Gossip) FinalAdvertiseAddr(ip string, port int) (net.IP, int, error) {
	parsed := net.ParseIP(ip)
	if parsed == nil {
		return nil, 0, fmt.Errorf("%q is not an IP address", ip)
	}
	if ip4 := parsed.To4(); ip4 != nil {
		parsed = ip4
	}
	return parsed, port, nil
}

// PacketCh returns the packets that arrive, each once.
func (g *Gossip) PacketCh() <-chan *memberlist.Packet { return g.packets }

// StreamCh returns the streams that others open.
func (g *Gossip) StreamCh() <-chan net.Conn { return g.streams }

// Shutdown closes the sockets and waits for the transport's goroutines.
func (g *Gossip) Shutdown() error {
	var err error
	g.once.Do(func() {
		g.mu.Lock()
		close(g.done)
		list := append([]memberlist.Transport(nil), g.links...)
		g.mu.Unlock()
		for _, t := range list {
			if t != nil {
				err = errors.Join(err, t.Shutdown())
			}
		}
		close(g.ended)
		g.wg.Wait()
	})
	return err
}

// copies remembers packets.
type copies struct {
	seed maphash.Seed
	seen map[uint64]bool
	ring [copiesMax]uint64
	at   int
}

// known tells whether the packet came before, and remembers it.
func (c *copies) known(b []byte) bool {
	sum := maphash.Bytes(c.seed, b)
	if c.seen[sum] {
		return true
	}
	delete(c.seen, c.ring[c.at])
	c.ring[c.at] = sum
	c.seen[sum] = true
	c.at = (c.at + 1) % copiesMax
	return false
}
