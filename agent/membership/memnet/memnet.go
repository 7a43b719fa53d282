// Package memnet is a network in memory for gossip: whole clusters run on it in one process, in virtual time
// (testing/synctest) if wanted.
//
// Guarantees: sending never blocks and never reaches a host that is cut off; a host that was killed says nothing more,
// not even good-bye. Loss, delay, partitions and sudden death belong to the network, never to the node.
package memnet

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

// packetQueue is a host's socket buffer, in packets; what exceeds it is lost, as in a kernel.
const packetQueue = 256

// Net is a network.
type Net struct {
	mu    sync.Mutex
	hosts map[string]*Transport // by "address:port"
	cut   map[[2]string]bool    // by address: from, to
	// delay decides each packet.
	delay func(from, to string) (latency time.Duration, lost bool)
}

// New makes a network without delay or loss.
func New() *Net {
	return &Net{hosts: map[string]*Transport{}, cut: map[[2]string]bool{}}
}

// SetDelay lets f decide about each packet and each new stream between two addresses. It is called concurrently.
func (n *Net) SetDelay(f func(from, to string) (latency time.Duration, lost bool)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.delay = f
}

// Cut loses what is sent from one address to another, in this direction only.
func (n *Net) Cut(from, to string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[[2]string{from, to}] = true
}

// Split cuts all ties between two sides.
func (n *Net) Split(left, right []string) {
	for _, a := range left {
		for _, b := range right {
			n.Cut(a, b)
			n.Cut(b, a)
		}
	}
}

// Heal undoes every Cut and Split.
func (n *Net) Heal() {
	n.mu.Lock()
	defer n.mu.Unlock()
	clear(n.cut)
}

// Kill takes a host off the network at once. Shut its node down afterwards: nothing gets out.
func (n *Net) Kill(ip string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for addr, t := range n.hosts {
		if t.ip == ip {
			delete(n.hosts, addr)
			t.dead = true
		}
	}
}

// Transport opens a gossip transport at an address. An address that is in use is an error.
func (n *Net) Transport(ip string, port int) (*Transport, error) {
	t := &Transport{
		net: n, ip: ip, port: port, addr: net.JoinHostPort(ip, strconv.Itoa(port)),
		packets: make(chan *memberlist.Packet, packetQueue), streams: make(chan net.Conn), done: make(chan struct{}),
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, used := n.hosts[t.addr]; used {
		return nil, fmt.Errorf("listen on %s: address already in use", t.addr)
	}
	n.hosts[t.addr] = t
	return t, nil
}

// Share opens a transport at an address that may be in use, as when two machines were given the same IP address. What is
// sent there reaches the one that came last.
func (n *Net) Share(ip string, port int) *Transport {
	n.mu.Lock()
	delete(n.hosts, net.JoinHostPort(ip, strconv.Itoa(port)))
	n.mu.Unlock()
	t, _ := n.Transport(ip, port)
	return t
}

// route finds the destination of what one host sends.
func (n *Net) route(from *Transport, to string) (dest *Transport, latency time.Duration, ok bool) {
	n.mu.Lock()
	dest = n.hosts[to]
	if dest == nil || from.dead || n.cut[[2]string{from.ip, dest.ip}] {
		n.mu.Unlock()
		return nil, 0, false
	}
	delay := n.delay
	n.mu.Unlock()
	if delay != nil {
		lost := false
		if latency, lost = delay(from.ip, dest.ip); lost {
			return nil, 0, false
		}
	}
	return dest, latency, true
}

// Transport is a host's socket. It implements memberlist.Transport.
type Transport struct {
	net     *Net
	ip      string
	port    int
	addr    string
	packets chan *memberlist.Packet
	streams chan net.Conn // unbuffered: a stream is accepted or it is not there
	done    chan struct{}
	once    sync.Once
	dead    bool // under net.mu
}

type address string

func (a address) Network() string { return "memnet" }
func (a address) String() string  { return string(a) }

// FinalAdvertiseAddr returns the transport's address.
func (t *Transport) FinalAdvertiseAddr(string, int) (net.IP, int, error) {
	ip := net.ParseIP(t.ip)
	if ip4 := ip.To4(); ip4 != nil {
		ip = ip4
	}
	return ip, t.port, nil
}

// WriteTo sends a packet. It never blocks; what does not arrive is silently lost.
func (t *Transport) WriteTo(b []byte, to string) (time.Time, error) {
	now := time.Now()
	dest, latency, ok := t.net.route(t, to)
	if !ok {
		return now, nil
	}
	p := &memberlist.Packet{Buf: append([]byte(nil), b...), From: address(t.addr)}
	deliver := func() {
		p.Timestamp = time.Now()
		select {
		case dest.packets <- p:
		case <-dest.done:
		default:
		}
	}
	if latency > 0 {
		time.AfterFunc(latency, deliver)
	} else {
		deliver()
	}
	return now, nil
}

// PacketCh returns the packets that arrive.
func (t *Transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

// StreamCh returns the streams that others open.
func (t *Transport) StreamCh() <-chan net.Conn { return t.streams }

// DialTimeout opens a stream. Who is cut off or dead does not answer: it takes the whole timeout.
func (t *Transport) DialTimeout(to string, timeout time.Duration) (net.Conn, error) {
	wait := time.NewTimer(timeout)
	defer wait.Stop()
	dest, latency, ok := t.net.route(t, to)
	if !ok || !t.net.answers(dest, t) {
		select {
		case <-wait.C:
		case <-t.done:
		}
		return nil, fmt.Errorf("dial %s: %w", to, os.ErrDeadlineExceeded)
	}
	if latency > 0 {
		time.Sleep(2 * latency)
	}
	client, server := net.Pipe()
	select {
	case dest.streams <- stream{server, address(t.addr)}:
		return stream{client, address(to)}, nil
	case <-dest.done:
		client.Close()
		return nil, fmt.Errorf("dial %s: %w", to, errRefused)
	case <-wait.C:
		client.Close()
		return nil, fmt.Errorf("dial %s: %w", to, os.ErrDeadlineExceeded)
	}
}

var errRefused = errors.New("connection refused")

// answers says whether what one host sends reaches the other.
func (n *Net) answers(from, to *Transport) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return !n.cut[[2]string{from.ip, to.ip}]
}

// stream is a pipe that knows the other end's address.
type stream struct {
	net.Conn
	remote address
}

func (s stream) RemoteAddr() net.Addr { return s.remote }

// Shutdown closes the transport and frees its address.
func (t *Transport) Shutdown() error {
	t.once.Do(func() {
		close(t.done)
		t.net.mu.Lock()
		defer t.net.mu.Unlock()
		if t.net.hosts[t.addr] == t {
			delete(t.net.hosts, t.addr)
		}
	})
	return nil
}
