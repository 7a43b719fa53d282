package links

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Listen listens at the port of an address of this node on all of its addresses. One that the machine does not have now is
// tried again until it has it, as long as there is another.
func (n *Net) Listen(ctx context.Context, address string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil || len(n.config.Own) == 1 {
		return n.config.Listen(ctx, address)
	}
	l := &listener{net: n, in: make(chan accepted), done: make(chan struct{})}
	var absent []string
	var first error
	for _, ip := range n.config.Own {
		at := net.JoinHostPort(ip, port)
		sub, err := n.config.Listen(ctx, at)
		switch {
		case err == nil:
			l.serve(sub)
		case errors.Is(err, syscall.EADDRNOTAVAIL):
			absent, first = append(absent, at), errors.Join(first, err)
		default:
			l.Close()
			return nil, err
		}
	}
	if len(absent) == len(n.config.Own) {
		l.Close()
		return nil, first
	}
	for _, at := range absent {
		n.log.Warn("this machine does not have an address of its links now: it is listened on as soon as it has", "addr", at)
		n.run(func() { l.open(at) })
	}
	return l, nil
}

// listener is one for several addresses.
type listener struct {
	net  *Net
	in   chan accepted // unbuffered: who is not accepted stays in the kernel's queue
	done chan struct{}

	mu   sync.Mutex
	subs []net.Listener
	wg   sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

func (l *listener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// serve accepts from one more address, unless the listener is closed.
func (l *listener) serve(sub net.Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed() {
		sub.Close()
		return
	}
	l.subs = append(l.subs, sub)
	l.wg.Go(func() {
		for {
			conn, err := sub.Accept()
			select {
			case l.in <- accepted{conn, err}:
			case <-l.done:
				if conn != nil {
					conn.Close()
				}
				return
			}
			if errors.Is(err, net.ErrClosed) {
				return
			}
		}
	})
}

// open listens at an address as soon as the machine has it.
func (l *listener) open(at string) {
	tick := time.NewTicker(openEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-l.net.ctx.Done():
			return
		case <-tick.C:
		}
		if sub, err := l.net.config.Listen(l.net.ctx, at); err == nil {
			l.net.log.Info("an address of the links is there now", "addr", at)
			l.serve(sub)
			return
		}
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case a := <-l.in:
		return a.conn, a.err
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.mu.Lock()
	if !l.closed() {
		close(l.done)
		for _, s := range l.subs {
			s.Close()
		}
	}
	l.mu.Unlock()
	l.wg.Wait()
	return nil
}

func (l *listener) Addr() net.Addr {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.subs) == 0 {
		return &net.TCPAddr{}
	}
	return l.subs[0].Addr()
}
