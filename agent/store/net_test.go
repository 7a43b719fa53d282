package store

import (
	"io"
	"net"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// network is an in-memory net of stream layers: links can be cut in each direction, which also ends what is open.
type network struct {
	mu    sync.Mutex
	nodes map[string]*memLayer
	cut   map[[2]string]bool
	open  map[net.Conn][2]string
	lag   time.Duration
}

func newNetwork() *network {
	return &network{nodes: map[string]*memLayer{}, cut: map[[2]string]bool{}, open: map[net.Conn][2]string{}}
}

type memAddr string

func (memAddr) Network() string  { return "mem" }
func (a memAddr) String() string { return string(a) }

type memLayer struct {
	n    *network
	addr string
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

var _ raft.StreamLayer = (*memLayer)(nil)

func (n *network) layer(addr string) *memLayer {
	l := &memLayer{n: n, addr: addr, in: make(chan net.Conn), done: make(chan struct{})}
	n.mu.Lock()
	n.nodes[addr] = l
	n.mu.Unlock()
	return l
}

func (l *memLayer) Addr() net.Addr { return memAddr(l.addr) }

func (l *memLayer) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *memLayer) Close() error {
	l.once.Do(func() { close(l.done) })
	l.n.mu.Lock()
	if l.n.nodes[l.addr] == l {
		delete(l.n.nodes, l.addr)
	}
	l.n.mu.Unlock()
	return nil
}

func (l *memLayer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	l.n.mu.Lock()
	peer, cut, lag := l.n.nodes[string(to)], l.n.cut[[2]string{l.addr, string(to)}], l.n.lag
	l.n.mu.Unlock()
	if cut {
		time.Sleep(timeout)
		return nil, os.ErrDeadlineExceeded
	}
	if peer == nil {
		return nil, io.ErrClosedPipe
	}
	time.Sleep(lag)
	here, there := net.Pipe()
	t := time.NewTimer(timeout)
	defer t.Stop()
	select {
	case peer.in <- &memConn{Conn: there, n: l.n, peer: memAddr(l.addr)}:
	case <-peer.done:
		return nil, io.ErrClosedPipe
	case <-t.C:
		return nil, os.ErrDeadlineExceeded
	}
	c := &memConn{Conn: here, n: l.n, peer: memAddr(to)}
	l.n.mu.Lock()
	l.n.open[c] = [2]string{l.addr, string(to)}
	l.n.mu.Unlock()
	return c, nil
}

type memConn struct {
	net.Conn
	n    *network
	peer memAddr
}

func (c *memConn) RemoteAddr() net.Addr { return c.peer }

func (c *memConn) Close() error {
	c.n.mu.Lock()
	delete(c.n.open, c)
	c.n.mu.Unlock()
	return c.Conn.Close()
}

// split cuts a from each of the others, in both directions.
func (n *network) split(a string, others ...string) { n.set(true, a, others...) }

// heal undoes split.
func (n *network) heal(a string, others ...string) { n.set(false, a, others...) }

func (n *network) set(cut bool, a string, others ...string) {
	n.mu.Lock()
	var ended []net.Conn
	for _, b := range others {
		n.cut[[2]string{a, b}], n.cut[[2]string{b, a}] = cut, cut
		for c, ends := range n.open {
			if cut && (ends == [2]string{a, b} || ends == [2]string{b, a}) {
				ended = append(ended, c)
			}
		}
	}
	n.mu.Unlock()
	for _, c := range ended {
		c.Close()
	}
}
