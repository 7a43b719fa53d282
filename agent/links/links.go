package links

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Config is what a Net is made of.
type Config struct {
	// Own are this node's IP addresses, one for each link.
	Own   []string
	Times Times
	// Keys returns the gossip keys that are accepted, the current one first: probes are sealed with it.
	Keys func() [][]byte
	// Dial and Listen are the network's. Dial reaches exactly the address that it is given.
	Dial   func(ctx context.Context, address string) (net.Conn, error)
	Listen func(ctx context.Context, address string) (net.Listener, error)
	// Changed is called, without a lock, for each link that goes down or comes back; nil: nobody is told.
	Changed func(Change)
	Logger  *slog.Logger
}

// Net is one node's links to all others.
type Net struct {
	config Config
	log    *slog.Logger
	own    []netip.Addr
	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	table   *Table
	owner   map[string]place // who has an address ("ip:port")
	ports   map[string][]int // of a node
	streams map[*stream]struct{}
}

// place is an address of a node.
type place struct {
	node string
	link int
}

// New makes a node's links. There is at least one address.
func New(c Config) (*Net, error) {
	if len(c.Own) == 0 || len(c.Own) > Max {
		return nil, fmt.Errorf("links: a node has 1 to %d addresses, not %d", Max, len(c.Own))
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Changed == nil {
		c.Changed = func(Change) {}
	}
	n := &Net{
		config: c, log: c.Logger, table: NewTable(c.Times, rand.Uint64()),
		owner: map[string]place{}, ports: map[string][]int{}, streams: map[*stream]struct{}{},
	}
	for _, a := range c.Own {
		ip, err := netip.ParseAddr(a)
		if err != nil && len(c.Own) > 1 {
			return nil, fmt.Errorf("links: %q is not an IP address", a)
		}
		n.own = append(n.own, ip)
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return n, nil
}

// Close ends the streams that Dial opened over links, and what else was begun.
func (n *Net) Close() {
	n.mu.Lock()
	n.closed = true
	open := make([]*stream, 0, len(n.streams))
	for s := range n.streams {
		open = append(open, s)
	}
	n.mu.Unlock()
	n.cancel()
	for _, s := range open {
		s.Close()
	}
	n.wg.Wait()
}

// run starts a goroutine that Close waits for, unless it is closed.
func (n *Net) run(f func()) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return false
	}
	n.wg.Go(f)
	return true
}

// Learn sets the addresses of another node, and the ports at which it has them. It never blocks.
func (n *Net) Learn(node string, addresses []string, ports ...int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	shared := min(len(addresses), len(n.config.Own))
	if slices.Equal(n.ports[node], ports) && slices.EqualFunc(n.table.States(node), addresses[:shared], func(s Status, a string) bool { return s.Address == a }) {
		return
	}
	n.forget(node)
	n.table.Learn(node, addresses[:shared], time.Now())
	if len(n.table.States(node)) == 0 {
		n.table.Forget(node)
		return
	}
	n.ports[node] = slices.Clone(ports)
	for i, a := range addresses[:shared] {
		for _, p := range ports {
			at := net.JoinHostPort(a, strconv.Itoa(p))
			if _, taken := n.owner[at]; !taken { // two of one address: the gossip says so, and who was first keeps it
				n.owner[at] = place{node, i}
			}
		}
	}
}

// forget drops the places of a node; what the table has of it stays. The caller holds the lock.
func (n *Net) forget(node string) {
	for at, p := range n.owner {
		if p.node == node {
			delete(n.owner, at)
		}
	}
	delete(n.ports, node)
}

// Keep forgets all nodes but these.
func (n *Net) Keep(nodes []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, node := range n.table.Nodes() {
		if !slices.Contains(nodes, node) {
			n.forget(node)
			n.table.Forget(node)
		}
	}
}

// States returns the links to each node that has more than one, by number.
func (n *Net) States() map[string][]Status {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := map[string][]Status{}
	for _, node := range n.table.Nodes() {
		out[node] = n.table.States(node)
	}
	return out
}

// way is one way to reach somebody.
type way struct {
	place   // of whom; zero for an address that nobody announced
	address string
}

// ways returns how to reach an address: over the links of the node that it belongs to, the best first, or just there.
func (n *Net) ways(address string) []way {
	n.mu.Lock()
	defer n.mu.Unlock()
	p, known := n.owner[address]
	_, port, err := net.SplitHostPort(address)
	if !known || err != nil {
		return []way{{address: address}}
	}
	var list []way
	for _, i := range n.table.Order(p.node) {
		list = append(list, way{place{p.node, i}, net.JoinHostPort(n.table.Address(p.node, i), port)})
	}
	return list
}

// Ways returns the addresses at which the node that has this address is reached, the best first; the address itself where nothing
// is known of other links.
func (n *Net) Ways(address string) []string {
	var out []string
	for _, w := range n.ways(address) {
		out = append(out, w.address)
	}
	return out
}

// Dial opens a stream to the node that has the address, over the link that answers first.
func (n *Net) Dial(ctx context.Context, address string) (net.Conn, error) {
	return n.race(ctx, n.ways(address), func(ctx context.Context, w way) (net.Conn, error) {
		return n.config.Dial(ctx, w.address)
	})
}

// DialOne opens a stream to the address over its own link, and no other.
func (n *Net) DialOne(ctx context.Context, address string) (net.Conn, error) {
	n.mu.Lock()
	p := n.owner[address]
	n.mu.Unlock()
	return n.race(ctx, []way{{p, address}}, func(ctx context.Context, w way) (net.Conn, error) {
		return n.config.Dial(ctx, w.address)
	})
}

type attempt struct {
	way  way
	conn net.Conn
	err  error
}

// race tries one way after the other, each when the one before has failed or after DialStagger, and returns the first stream.
func (n *Net) race(ctx context.Context, ways []way, dial func(context.Context, way) (net.Conn, error)) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialMax)
	defer cancel()
	if len(ways) == 1 {
		conn, err := dial(ctx, ways[0])
		if err != nil {
			return nil, err
		}
		return n.watch(conn, ways[0]), nil
	}
	answers := make(chan attempt, len(ways)) // room for all: those that lose end also when nobody waits
	started, ended := 0, 0
	start := func() {
		w := ways[started]
		started++
		if !n.run(func() {
			conn, err := dial(ctx, w)
			answers <- attempt{w, conn, err}
		}) {
			answers <- attempt{way: w, err: net.ErrClosed}
		}
	}
	start()
	next := time.NewTimer(DialStagger)
	defer next.Stop()
	var failed []error
	for ended < len(ways) {
		select {
		case <-next.C:
			if started < len(ways) {
				start()
				next.Reset(DialStagger)
			}
		case a := <-answers:
			ended++
			if a.err == nil {
				n.closeLosers(answers, started-ended)
				return n.watch(a.conn, a.way), nil
			}
			failed = append(failed, a.err)
			if started < len(ways) {
				start()
				next.Reset(DialStagger)
			}
		}
	}
	return nil, errors.Join(failed...)
}

// closeLosers closes streams that come after one was chosen.
func (n *Net) closeLosers(answers <-chan attempt, count int) {
	closing := func() {
		for range count {
			if a := <-answers; a.conn != nil {
				a.conn.Close()
			}
		}
	}
	if count > 0 && !n.run(closing) {
		closing()
	}
}

// watch notes over which link a stream goes.
func (n *Net) watch(conn net.Conn, w way) net.Conn {
	if w.node == "" {
		return conn
	}
	s := &stream{Conn: conn, net: n, place: w.place}
	n.mu.Lock()
	closed := n.closed
	if !closed {
		n.streams[s] = struct{}{}
	}
	n.mu.Unlock()
	if closed {
		conn.Close()
	}
	return s
}

// stream goes over a link that may go down.
type stream struct {
	net.Conn
	net *Net
	place
}

func (s *stream) Close() error {
	s.net.mu.Lock()
	delete(s.net.streams, s)
	s.net.mu.Unlock()
	return s.Conn.Close()
}

// changed closes what goes over a link that is down, and tells.
func (n *Net) changed(list []Change) {
	for _, c := range list {
		var over []*stream
		if c.State == Down {
			n.mu.Lock()
			for s := range n.streams {
				if s.node == c.Node && s.link == c.Link {
					over = append(over, s)
				}
			}
			n.mu.Unlock()
		}
		for _, s := range over {
			s.Close()
		}
		n.config.Changed(c)
	}
}
