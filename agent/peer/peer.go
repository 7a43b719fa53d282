package peer

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// The protocols of the port.
const (
	ALPNRaft = "paceline-raft/1" // raft streams
	ALPNExec = "paceline-exec/1" // coordinator to executor: JSON, one message a line
	ALPNHTTP = "http/1.1"        // the API between nodes
	ALPNJoin = "paceline-join/1" // HTTP; the caller has a token instead of a certificate
	// ALPNAccess is the API for people and programs outside the cluster: HTTP; the caller has an access token.
	ALPNAccess = "paceline-access/1"
)

// Config is what a Peer is made of.
type Config struct {
	// Keys are the cluster keys that are accepted. The first is current: the node's own certificate is made with it.
	// A second one is there while keys are being rotated.
	Keys     []Key
	Identity Identity
	// Listen is the address to listen on ("10.0.0.1:7947"); empty: the peer only dials.
	Listen string
	// NetListen and NetDial replace the kernel's TCP, for simulation.
	NetListen func(ctx context.Context, address string) (net.Listener, error)
	NetDial   func(ctx context.Context, address string) (net.Conn, error)
	Logger    *slog.Logger
}

// Peer is one node's end of all streams between nodes.
type Peer struct {
	config Config
	log    *slog.Logger
	keys   atomic.Pointer[accepted]
	socket net.Listener
	ctx    context.Context // ends with Close
	cancel context.CancelFunc

	mu         sync.Mutex
	listeners  map[string]*listener
	conns      map[*Conn]struct{}
	handshakes map[string]int // in progress, by remote host
	inProgress int
	refused    refusals
	closed     bool
	running    sync.WaitGroup // accept loop and handshakes
	closeOnce  sync.Once
}

// New makes a Peer and, if Config.Listen is set, listens. Connections are answered after Serve. The error of an address
// that cannot be listened on names it.
func New(c Config) (*Peer, error) {
	if len(c.Keys) == 0 {
		return nil, errors.New("peer: no cluster key")
	}
	if c.Identity.Node == "" || c.Identity.ID == "" {
		return nil, errors.New("peer: the node has no name or no ID")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.NetListen == nil {
		c.NetListen = ListenTCP
	}
	if c.NetDial == nil {
		c.NetDial = DialTCP
	}
	p := &Peer{
		config:     c,
		log:        c.Logger,
		listeners:  map[string]*listener{},
		conns:      map[*Conn]struct{}{},
		handshakes: map[string]int{},
	}
	if err := p.SetKeys(c.Keys); err != nil {
		return nil, err
	}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	if c.Listen != "" {
		var err error
		if p.socket, err = c.NetListen(p.ctx, c.Listen); err != nil {
			p.cancel()
			return nil, fmt.Errorf("peer: listen on %s: %w", c.Listen, err)
		}
	}
	return p, nil
}

// ListenTCP listens on the kernel's TCP.
func ListenTCP(ctx context.Context, address string) (net.Listener, error) {
	return (&net.ListenConfig{KeepAlive: keepAlive}).Listen(ctx, "tcp", address)
}

// DialTCP dials over the kernel's TCP.
func DialTCP(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{KeepAlive: keepAlive}).DialContext(ctx, "tcp", address)
}

// Addr returns the address that is listened on, nil if none.
func (p *Peer) Addr() net.Addr {
	if p.socket == nil {
		return nil
	}
	return p.socket.Addr()
}

// Close stops listening, closes every connection in either direction and waits until no goroutine is left.
func (p *Peer) Close() error {
	p.closeOnce.Do(func() {
		p.cancel()
		if p.socket != nil {
			p.socket.Close()
		}
		p.mu.Lock()
		p.closed = true
		listeners := p.listeners
		p.listeners = map[string]*listener{}
		conns := make([]*Conn, 0, len(p.conns))
		for c := range p.conns {
			conns = append(conns, c)
		}
		p.mu.Unlock()
		for _, l := range listeners {
			l.shut()
		}
		for _, c := range conns {
			c.Close()
		}
	})
	p.running.Wait()
	return nil
}

// Dial opens a stream of the protocol to a node and finishes the handshake. Without a deadline in ctx it takes at most
// DialMax. The caller compares Peer with whom it wanted when it wants somebody in particular.
func (p *Peer) Dial(ctx context.Context, address, alpn string) (*Conn, error) {
	return p.DialBy(ctx, p.config.NetDial, address, alpn)
}

// DialBy is Dial over a network that the caller gives.
func (p *Peer) DialBy(ctx context.Context, dial func(ctx context.Context, address string) (net.Conn, error), address, alpn string) (*Conn, error) {
	if alpn == ALPNJoin || alpn == ALPNAccess {
		return nil, errors.New("peer: a member has a certificate, and needs no token")
	}
	ctx, cancel := context.WithTimeout(ctx, DialMax)
	defer cancel()
	stop := context.AfterFunc(p.ctx, cancel)
	defer stop()
	raw, err := dial(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("dial %s (%s): %w", address, alpn, err)
	}
	var id Identity
	conf := clientConfig(alpn, p.keys.Load())
	conf.VerifyConnection = func(s tls.ConnectionState) (err error) {
		id, err = verify(s.PeerCertificates, p.keys.Load().trusted, p.config.Identity.Cluster, x509.ExtKeyUsageServerAuth, time.Now())
		return err
	}
	t := tls.Client(raw, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, fmt.Errorf("dial %s (%s): %w", address, alpn, handshakeError(err))
	}
	if t.ConnectionState().NegotiatedProtocol != alpn {
		t.Close()
		return nil, fmt.Errorf("dial %s (%s): the node does not speak this protocol", address, alpn)
	}
	c := &Conn{Conn: t, tls: t, peer: id, owner: p}
	if !p.keep(c) {
		c.Close()
		return nil, fmt.Errorf("dial %s (%s): %w", address, alpn, net.ErrClosed)
	}
	return c, nil
}

func clientConfig(alpn string, keys *accepted) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		NextProtos:         []string{alpn},
		ServerName:         authorityName(keys.trusted[0].fingerprint),
		InsecureSkipVerify: true, // VerifyConnection does it: nodes are named by ID, not by host name
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return keys.forAuthorities(r.AcceptableCAs).certificate(time.Now())
		},
		SessionTicketsDisabled: true,
	}
}

// Transport returns an HTTP transport to other nodes: request http://HOST:PEERPORT/... and it goes over the peer port
// with mutual TLS. Each request has a connection of its own, which ends with the answer: one that is kept may lead to a node that has lost
// its power since, and who asks makes a transport for each question.
func (p *Peer) Transport() *http.Transport {
	return &http.Transport{
		DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			return p.Dial(ctx, address, ALPNHTTP)
		},
		DisableKeepAlives: true,
	}
}

// keep registers a connection for Close. It refuses when the peer is closed.
func (p *Peer) keep(c *Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	return true
}

// Conn is a verified stream between two nodes.
type Conn struct {
	net.Conn // the TLS stream
	tls      *tls.Conn
	peer     Identity
	owner    *Peer
}

// Peer returns who is at the other end; it is zero for the caller of paceline-join/1.
func (c *Conn) Peer() Identity { return c.peer }

// TLS returns the state of the connection.
func (c *Conn) TLS() tls.ConnectionState { return c.tls.ConnectionState() }

// CloseWrite tells the other end that no more comes, and lets it go on sending.
func (c *Conn) CloseWrite() error { return c.tls.CloseWrite() }

// Close ends the stream. It may be called more than once.
func (c *Conn) Close() error {
	c.owner.mu.Lock()
	delete(c.owner.conns, c)
	c.owner.mu.Unlock()
	return c.Conn.Close()
}

// IdentityOf returns who is at the other end of a connection from a listener of this package.
func IdentityOf(conn net.Conn) (Identity, bool) {
	c, ok := conn.(*Conn)
	if !ok || c.peer == (Identity{}) {
		return Identity{}, false
	}
	return c.peer, true
}

type identityKey struct{}

// ConnContext is for http.Server.ConnContext: it lets handlers ask IdentityFrom who called.
func ConnContext(ctx context.Context, conn net.Conn) context.Context {
	if id, ok := IdentityOf(conn); ok {
		return context.WithValue(ctx, identityKey{}, id)
	}
	return ctx
}

// IdentityFrom returns the node that made a request which came over the peer port.
func IdentityFrom(ctx context.Context) (Identity, bool) {
	id, ok := ctx.Value(identityKey{}).(Identity)
	return id, ok
}

// handshakeError puts what TLS says of a failed handshake into words, where they are not ours already.
func handshakeError(err error) error {
	if alert, ok := errors.AsType[tls.AlertError](err); ok {
		return fmt.Errorf("the node refused the connection (%w)", alert)
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return errors.New("what answers there is not paceline (it does not speak TLS)")
	}
	return err
}

// protocols lists those that somebody listens for, sorted.
func (p *Peer) protocols() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	names := make([]string, 0, len(p.listeners))
	for name := range p.listeners {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
