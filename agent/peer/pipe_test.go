package peer

import (
	"context"
	"net"
	"sync"
)

// pipes is a network in memory: addresses are names, connections are net.Pipe.
type pipes struct {
	mu    sync.Mutex
	lists map[string]*pipeListener
}

func newPipes() *pipes { return &pipes{lists: map[string]*pipeListener{}} }

type pipeListener struct {
	net  *pipes
	addr string
	in   chan net.Conn
	done chan struct{}
	once sync.Once
}

type pipeAddr string

func (a pipeAddr) Network() string { return "pipe" }
func (a pipeAddr) String() string  { return string(a) }

type pipeConn struct {
	net.Conn
	remote string
}

func (c pipeConn) RemoteAddr() net.Addr { return pipeAddr(c.remote) }

func (p *pipes) listen(_ context.Context, address string) (net.Listener, error) {
	l := &pipeListener{net: p, addr: address, in: make(chan net.Conn), done: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lists[address] = l
	return l, nil
}

func (p *pipes) dialFrom(host string) func(context.Context, string) (net.Conn, error) {
	return func(ctx context.Context, address string) (net.Conn, error) {
		p.mu.Lock()
		l := p.lists[address]
		p.mu.Unlock()
		if l == nil {
			<-ctx.Done() // nobody there: a black hole
			return nil, ctx.Err()
		}
		c, s := net.Pipe()
		select {
		case l.in <- pipeConn{s, host + ":1"}:
			return c, nil
		case <-l.done:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.in:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() {
		close(l.done)
		l.net.mu.Lock()
		delete(l.net.lists, l.addr)
		l.net.mu.Unlock()
	})
	return nil
}
func (l *pipeListener) Addr() net.Addr { return pipeAddr(l.addr) }
