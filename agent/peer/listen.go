package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Listener returns the listener of one protocol. Callers of a protocol that nobody listens for are refused. Asking twice
// gives the same listener; after its Close the protocol is refused, and asking gives a new one.
func (p *Peer) Listener(alpn string) net.Listener {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l, ok := p.listeners[alpn]; ok {
		return l
	}
	l := &listener{peer: p, alpn: alpn, queue: make(chan *Conn, acceptQueue), done: make(chan struct{})}
	if p.closed {
		l.shut()
		return l
	}
	p.listeners[alpn] = l
	return l
}

// listener hands out the connections of one protocol.
type listener struct {
	peer  *Peer
	alpn  string
	queue chan *Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, net.ErrClosed
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.peer.mu.Lock()
	if l.peer.listeners[l.alpn] == l {
		delete(l.peer.listeners, l.alpn)
	}
	l.peer.mu.Unlock()
	l.shut()
	return nil
}

// shut ends the listener. Connections that were not taken stay in Peer.conns and are closed here.
func (l *listener) shut() {
	l.once.Do(func() {
		close(l.done)
		for {
			select {
			case c := <-l.queue:
				c.Close()
			default:
				return
			}
		}
	})
}

func (l *listener) Addr() net.Addr {
	if a := l.peer.Addr(); a != nil {
		return a
	}
	return &net.TCPAddr{}
}

// Serve accepts and sorts connections until the peer is closed or the socket fails; it returns nil after Close.
func (p *Peer) Serve() error {
	if p.socket == nil {
		return errors.New("peer: serve: no address to listen on")
	}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil
	}
	p.running.Add(1)
	p.mu.Unlock()
	defer p.running.Done()
	for delay := time.Duration(0); ; {
		raw, err := p.socket.Accept()
		switch {
		case err == nil:
			delay = 0
			p.admit(raw)
			continue
		case p.ctx.Err() != nil:
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("peer: accept: %w", err)
		}
		// Out of file descriptors or the like: it passes, and a daemon without its port is of no use.
		delay = min(max(2*delay, 5*time.Millisecond), time.Second)
		p.log.Error("cannot accept connections between nodes", "cause", err, "retry", delay)
		select {
		case <-time.After(delay):
		case <-p.ctx.Done():
			return nil
		}
	}
}

// admit starts the handshake of a connection, or closes it when too many are in progress.
func (p *Peer) admit(raw net.Conn) {
	host := hostOf(raw.RemoteAddr())
	p.mu.Lock()
	if p.closed || p.inProgress >= handshakesMax || p.handshakes[host] >= handshakesPerHost {
		closed := p.closed
		p.mu.Unlock()
		if !closed {
			p.refuse(host, "too many handshakes at a time")
		}
		raw.Close()
		return
	}
	p.inProgress++
	p.handshakes[host]++
	p.running.Add(1)
	p.mu.Unlock()
	go func() {
		defer p.running.Done()
		p.handshake(raw, host)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.inProgress--
		if p.handshakes[host]--; p.handshakes[host] == 0 {
			delete(p.handshakes, host)
		}
	}()
}

// handshake authenticates a connection and hands it to the listener of its protocol.
func (p *Peer) handshake(raw net.Conn, host string) {
	ctx, cancel := context.WithTimeout(p.ctx, HandshakeMax)
	defer cancel()
	var id Identity
	var offered []string
	conf := &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			offered = hello.SupportedProtos
			return p.serverConfig(offered, &id)
		},
	}
	t := tls.Server(raw, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		// A caller that sees its connection end finds in Refusals why: it is written down first.
		defer raw.Close()
		if p.ctx.Err() != nil {
			return
		}
		if ctx.Err() != nil {
			err = fmt.Errorf("no handshake within %s", HandshakeMax)
		}
		p.refuse(host, handshakeReason(err))
		return
	}
	c := &Conn{Conn: t, tls: t, peer: id, owner: p}
	if !p.keep(c) {
		c.Close()
		return
	}
	alpn := t.ConnectionState().NegotiatedProtocol
	if why := p.deliver(c, alpn); why != "" {
		p.refuse(host, why)
		c.Close()
	}
}

// deliver puts a connection into the queue of its protocol, or says why not.
func (p *Peer) deliver(c *Conn, alpn string) string {
	p.mu.Lock()
	defer p.mu.Unlock() // so that a listener that closes now finds the connection in its queue, or it is not put there
	l := p.listeners[alpn]
	if l == nil {
		return fmt.Sprintf("protocol %q is not served", alpn)
	}
	select {
	case l.queue <- c:
		return ""
	default:
		return fmt.Sprintf("protocol %q is busy: %d connections wait to be taken", alpn, acceptQueue)
	}
}

// serverConfig decides by the offered protocols who has to show a certificate. A caller who offers to join, or to use the API
// with a token, is offered nothing else, so that a connection without a certificate cannot reach another protocol.
func (p *Peer) serverConfig(offered []string, id *Identity) (*tls.Config, error) {
	served := p.protocols()
	if len(offered) == 0 {
		return nil, errors.New("it names no protocol (no ALPN): it is not paceline")
	}
	keys := p.keys.Load()
	conf := &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return keys.forName(hello.ServerName).certificate(time.Now())
		},
		// Every connection is made anew from certificates: a resumed one could outlive a change of keys. It also keeps
		// the server from writing after the handshake, for which a client that writes first is not ready.
		SessionTicketsDisabled: true,
	}
	for _, stranger := range []struct{ alpn, no string }{
		{ALPNJoin, "it wants to join, and this node takes no joins now"},
		{ALPNAccess, "it wants to use the cluster from elsewhere, and there is no token for that"},
	} {
		if !slices.Contains(offered, stranger.alpn) {
			continue
		}
		if !slices.Contains(served, stranger.alpn) {
			return nil, errors.New(stranger.no)
		}
		conf.NextProtos = []string{stranger.alpn}
		return conf, nil
	}
	conf.NextProtos = slices.DeleteFunc(served, func(s string) bool { return s == ALPNJoin || s == ALPNAccess })
	if !slices.ContainsFunc(offered, func(s string) bool { return slices.Contains(conf.NextProtos, s) }) {
		return nil, fmt.Errorf("it wants protocol %s, which is not served here", quoted(offered))
	}
	conf.ClientCAs = keys.pool                 // tells the caller which authorities are known here
	conf.ClientAuth = tls.RequireAnyClientCert // VerifyConnection verifies it, with better words
	conf.VerifyConnection = func(s tls.ConnectionState) (err error) {
		*id, err = verify(s.PeerCertificates, keys.trusted, p.config.Identity.Cluster, x509.ExtKeyUsageClientAuth, time.Now())
		return err
	}
	return conf, nil
}

// handshakeReason says in words why a caller was refused.
func handshakeReason(err error) string {
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return "it does not speak TLS"
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err // without the ports, which differ each time
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "client didn't provide a certificate"):
		return "it showed no certificate"
	case strings.Contains(text, "bad certificate"), strings.Contains(text, "unknown certificate authority"):
		return "it does not accept this node's certificate: it has another cluster key, or its clock is wrong"
	case strings.Contains(text, "EOF"), strings.Contains(text, "connection reset"):
		return "it hung up during the handshake"
	}
	return strings.TrimPrefix(text, "tls: ")
}

func hostOf(a net.Addr) string {
	host, _, err := net.SplitHostPort(a.String())
	if err != nil {
		return a.String()
	}
	return host
}

// quoted lists what a stranger sent, shortened.
func quoted(names []string) string {
	const most = 3
	var b strings.Builder
	for i, n := range names[:min(len(names), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%.40q", n)
	}
	if len(names) > most {
		b.WriteString(", ...")
	}
	return b.String()
}
