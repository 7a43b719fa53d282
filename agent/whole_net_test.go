package agent

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"

	"paceline/agent/membership/memnet"
)

// wires is a network of streams in memory: who is cut off does not answer and says nothing, not even good-bye.
type wires struct {
	gossip *memnet.Net

	mu      sync.Mutex
	rng     *rand.Rand
	hosts   map[string]*wireListener // by "address:port"
	cut     map[[2]string]bool       // by IP address: from, to
	changed chan struct{}            // closed and replaced when cut changes
}

func newWires(seed uint64) *wires {
	w := &wires{
		gossip: memnet.New(), rng: rand.New(rand.NewPCG(seed, 7)), hosts: map[string]*wireListener{},
		cut: map[[2]string]bool{}, changed: make(chan struct{}),
	}
	w.gossip.SetDelay(func(string, string) (time.Duration, bool) { return w.latency(), false })
	return w
}

func (w *wires) latency() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return 50*time.Microsecond + time.Duration(w.rng.Int64N(int64(time.Millisecond)))
}

// set cuts what goes from one address to another, or ends that.
func (w *wires) set(from, to string, cut bool) {
	w.mu.Lock()
	if cut {
		w.cut[[2]string{from, to}] = true
	} else {
		delete(w.cut, [2]string{from, to})
	}
	close(w.changed)
	w.changed = make(chan struct{})
	all := w.cut
	w.gossip.Heal()
	for ends := range all {
		w.gossip.Cut(ends[0], ends[1])
	}
	w.mu.Unlock()
}

func (w *wires) isCut(from, to string) (bool, <-chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.cut[[2]string{from, to}], w.changed
}

// plug is one machine's end of the network. It dies with its power.
type plug struct {
	w   *wires
	ips []string // one for each network

	mu   sync.Mutex
	dead bool
}

func (p *plug) kill() {
	p.mu.Lock()
	p.dead = true
	p.mu.Unlock()
	for _, ip := range p.ips {
		p.w.gossip.Kill(ip)
	}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	for at, l := range p.w.hosts {
		if l.plug == p {
			delete(p.w.hosts, at)
		}
	}
}

// from returns the machine's address on the network of another.
func (p *plug) from(to string) string {
	for _, ip := range p.ips {
		if ip[:strings.LastIndexByte(ip, '.')] == to[:strings.LastIndexByte(to, '.')] {
			return ip
		}
	}
	return p.ips[0]
}

func (p *plug) isDead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

func (p *plug) Gossip(address string, port int) (memberlist.Transport, error) {
	t, err := p.w.gossip.Transport(address, port)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (p *plug) Listen(_ context.Context, address string) (net.Listener, error) {
	l := &wireListener{plug: p, at: address, in: make(chan net.Conn), done: make(chan struct{})}
	p.w.mu.Lock()
	defer p.w.mu.Unlock()
	if p.w.hosts[address] != nil {
		return nil, fmt.Errorf("listen on %s: address already in use", address)
	}
	p.w.hosts[address] = l
	return l, nil
}

func (p *plug) Dial(ctx context.Context, address string) (net.Conn, error) {
	ip, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	for {
		p.w.mu.Lock()
		l := p.w.hosts[address]
		p.w.mu.Unlock()
		there, changed := p.w.isCut(p.from(ip), ip)
		back, _ := p.w.isCut(ip, p.from(ip))
		if l == nil || there || back || p.isDead() || l.plug.isDead() {
			t := time.NewTimer(100 * time.Millisecond)
			select {
			case <-ctx.Done():
				t.Stop()
				return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
			case <-changed:
			case <-t.C:
				if l == nil && !there && !back && p.w.up(ip) {
					return nil, fmt.Errorf("dial %s: connection refused", address)
				}
			}
			t.Stop()
			continue
		}
		here, far := p.w.stretch(p, l.plug, ip, address)
		select {
		case l.in <- far:
			return here, nil
		case <-l.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("dial %s: %w", address, ctx.Err())
		}
	}
}

// up says whether a machine has power: it answers then that nobody listens.
func (w *wires) up(ip string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range w.hosts {
		if slices.Contains(l.plug.ips, ip) {
			return true
		}
	}
	return false
}

type wireAddr string

func (wireAddr) Network() string  { return "tcp" }
func (a wireAddr) String() string { return string(a) }

type wireListener struct {
	plug *plug
	at   string
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

func (l *wireListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *wireListener) Addr() net.Addr { return wireAddr(l.at) }

func (l *wireListener) Close() error {
	l.once.Do(func() { close(l.done) })
	l.plug.w.mu.Lock()
	defer l.plug.w.mu.Unlock()
	if l.plug.w.hosts[l.at] == l {
		delete(l.plug.w.hosts, l.at)
	}
	return nil
}

// flow is one direction of a stream: what was written arrives in order, after its latency, while the way is not cut. Writing
// never waits: code that holds a lock while it writes would hold up virtual time.
type flow struct {
	w        *wires
	from, to string

	mu      sync.Mutex
	parts   []part
	changed chan struct{} // closed and replaced with each change
}

type part struct {
	at   time.Time
	data []byte
	end  bool
}

func (f *flow) put(p part) {
	p.at = time.Now().Add(f.w.latency())
	f.mu.Lock()
	defer f.mu.Unlock()
	f.parts = append(f.parts, p)
	close(f.changed)
	f.changed = make(chan struct{})
}

// take copies what has arrived; with nothing there it says what to wait for.
func (f *flow) take(b []byte) (n int, end bool, at time.Time, changed, healed <-chan struct{}) {
	cut, healed := f.w.isCut(f.from, f.to)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case cut || len(f.parts) == 0:
	case f.parts[0].at.After(time.Now()):
		at = f.parts[0].at
	case f.parts[0].end:
		end = true
	default:
		n = copy(b, f.parts[0].data)
		if f.parts[0].data = f.parts[0].data[n:]; len(f.parts[0].data) == 0 {
			f.parts = f.parts[1:]
		}
	}
	return n, end, at, f.changed, healed
}

// wire is one end of a stream.
type wire struct {
	plug          *plug
	in, out       *flow
	local, remote net.Addr
	done          chan struct{}
	once          sync.Once

	mu       sync.Mutex
	deadline time.Time     // of reads
	moved    chan struct{} // closed and replaced when it changes
}

// stretch makes a stream between two machines.
func (w *wires) stretch(a, b *plug, ip, at string) (here, far *wire) {
	flowing := func(from, to string) *flow { return &flow{w: w, from: from, to: to, changed: make(chan struct{})} }
	there, back := flowing(a.from(ip), ip), flowing(ip, a.from(ip))
	from := wireAddr(a.from(ip) + ":40000")
	here = &wire{plug: a, in: back, out: there, local: from, remote: wireAddr(at), done: make(chan struct{}), moved: make(chan struct{})}
	far = &wire{plug: b, in: there, out: back, local: wireAddr(at), remote: from, done: make(chan struct{}), moved: make(chan struct{})}
	return here, far
}

func (c *wire) RemoteAddr() net.Addr             { return c.remote }
func (c *wire) LocalAddr() net.Addr              { return c.local }
func (c *wire) SetDeadline(t time.Time) error    { return c.SetReadDeadline(t) }
func (c *wire) SetWriteDeadline(time.Time) error { return nil }

func (c *wire) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	close(c.moved)
	c.moved = make(chan struct{})
	return nil
}

func (c *wire) Write(b []byte) (int, error) {
	select {
	case <-c.done:
		return 0, net.ErrClosed
	default:
	}
	if !c.plug.isDead() {
		c.out.put(part{data: append([]byte(nil), b...)})
	}
	return len(b), nil
}

func (c *wire) Read(b []byte) (int, error) {
	for {
		c.mu.Lock()
		deadline, moved := c.deadline, c.moved
		c.mu.Unlock()
		select {
		case <-c.done:
			return 0, net.ErrClosed
		default:
		}
		if !deadline.IsZero() && !time.Now().Before(deadline) {
			return 0, os.ErrDeadlineExceeded
		}
		n, end, at, changed, healed := c.in.take(b)
		if end {
			return 0, io.EOF
		}
		if n > 0 {
			return n, nil
		}
		until := deadline
		if until.IsZero() || !at.IsZero() && at.Before(until) {
			until = at
		}
		var tick <-chan time.Time
		var t *time.Timer
		if !until.IsZero() {
			t = time.NewTimer(time.Until(until))
			tick = t.C
		}
		select {
		case <-c.done:
		case <-moved:
		case <-changed:
		case <-healed:
		case <-tick:
		}
		if t != nil {
			t.Stop()
		}
	}
}

// Close of a machine without power is not heard by the other end.
func (c *wire) Close() error {
	c.once.Do(func() {
		close(c.done)
		if !c.plug.isDead() {
			c.out.put(part{end: true})
		}
	})
	return nil
}
