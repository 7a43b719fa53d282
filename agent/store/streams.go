package store

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// streams owns the stream layer for the store's life, while raft inside may be stopped and started again: each run of raft
// gets a layer of its own, whose Close ends the run's connections and leaves the listener alone.
type streams struct {
	under   raft.StreamLayer
	address net.Addr
	done    chan struct{}
	wg      sync.WaitGroup

	mu  sync.Mutex
	now *layer
}

type address string

func (address) Network() string  { return "paceline-raft" }
func (a address) String() string { return string(a) }

func newStreams(under raft.StreamLayer, addr string) *streams {
	return &streams{under: under, address: address(addr), done: make(chan struct{})}
}

// serve begins to accept; from here on the stream layer is the store's.
func (s *streams) serve() { s.wg.Go(s.accept) }

// accept hands connections to the present run; without one they are closed, and the peer tries again.
func (s *streams) accept() {
	pause := acceptPauseMin
	for {
		conn, err := s.under.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			t := time.NewTimer(pause)
			select {
			case <-s.done:
				t.Stop()
				return
			case <-t.C:
			}
			pause = min(2*pause, acceptPauseMax)
			continue
		}
		pause = acceptPauseMin
		s.mu.Lock()
		l := s.now
		s.mu.Unlock()
		if l == nil {
			conn.Close()
			continue
		}
		c := l.track(conn)
		select {
		case l.accepted <- c:
		case <-l.done:
			c.Close()
		case <-s.done:
			c.Close()
		}
	}
}

// newLayer makes the layer of the next run of raft.
func (s *streams) newLayer() *layer {
	l := &layer{streams: s, accepted: make(chan net.Conn), done: make(chan struct{}), conns: map[*tracked]struct{}{}}
	s.mu.Lock()
	s.now = l
	s.mu.Unlock()
	return l
}

func (s *streams) close() error {
	close(s.done)
	err := s.under.Close()
	s.wg.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// layer is a raft.StreamLayer for one run.
type layer struct {
	*streams
	accepted chan net.Conn // unbuffered: raft's transport takes them one by one
	done     chan struct{} // closed when the run has ended

	connsMu sync.Mutex
	conns   map[*tracked]struct{} // nil once closed
}

var _ raft.StreamLayer = (*layer)(nil)

func (l *layer) Accept() (net.Conn, error) {
	select {
	case c := <-l.accepted:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *layer) Addr() net.Addr { return l.address }

func (l *layer) Dial(addr raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	conn, err := l.under.Dial(addr, timeout)
	if err != nil {
		return nil, err
	}
	return l.track(conn), nil
}

// hangUp ends the run's connections, in both directions, so that nothing of the run waits for a peer; there will be no more.
func (l *layer) hangUp() {
	l.mu.Lock()
	if l.now == l {
		l.now = nil
	}
	l.mu.Unlock()
	l.connsMu.Lock()
	conns := l.conns
	l.conns = nil
	l.connsMu.Unlock()
	for c := range conns {
		c.Conn.Close()
	}
}

// Close is called once, by raft's transport.
func (l *layer) Close() error {
	l.hangUp()
	close(l.done)
	return nil
}

func (l *layer) track(conn net.Conn) net.Conn {
	c := &tracked{Conn: conn, layer: l}
	l.connsMu.Lock()
	defer l.connsMu.Unlock()
	if l.conns == nil {
		conn.Close()
		return c
	}
	l.conns[c] = struct{}{}
	return c
}

type tracked struct {
	net.Conn
	layer *layer
}

func (c *tracked) Close() error {
	c.layer.connsMu.Lock()
	delete(c.layer.conns, c)
	c.layer.connsMu.Unlock()
	return c.Conn.Close()
}
