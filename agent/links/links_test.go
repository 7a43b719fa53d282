package links

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/memberlist"

	"paceline/agent/membership/memnet"
)

var key = [][]byte{[]byte("0123456789abcdef0123456789abcdef")}

// end is one node on a network in memory.
type end struct {
	name    string
	net     *Net
	gossip  *Gossip
	changes chan Change
}

func (e *end) close() {
	e.gossip.Shutdown()
	e.net.Close()
}

func newEnd(t *testing.T, wire *memnet.Net, number int, absent string) *end {
	t.Helper()
	e := &end{name: fmt.Sprintf("n%d", number), changes: make(chan Change, 64)}
	own := []string{fmt.Sprintf("10.0.0.%d", number), fmt.Sprintf("10.1.0.%d", number)}
	dial := func(ctx context.Context, address string) (net.Conn, error) {
		host, _, _ := net.SplitHostPort(address)
		from := own[0]
		if strings.HasPrefix(host, "10.1.") {
			from = own[1]
		}
		return dialMem(ctx, wire, from, address)
	}
	var err error
	e.net, err = New(Config{Own: own, Times: LAN, Keys: func() [][]byte { return key }, Dial: dial, Changed: func(c Change) { e.changes <- c }})
	if err != nil {
		t.Fatal(err)
	}
	tries := 0
	e.gossip, err = e.net.Gossip(func(ip string) (memberlist.Transport, error) {
		if tries++; ip == absent && tries < 4 {
			return nil, syscall.EADDRNOTAVAIL
		}
		return wire.Transport(ip, 7946)
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// dialMem opens a stream over the gossip's sockets in memory: a cut link does not answer.
func dialMem(ctx context.Context, wire *memnet.Net, from, address string) (net.Conn, error) {
	port, err := wire.Transport(from, 40000)
	if err != nil {
		return nil, err
	}
	defer port.Shutdown()
	type answer struct {
		conn net.Conn
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		c, err := port.DialTimeout(address, 10*time.Second)
		got <- answer{c, err}
	}()
	select {
	case a := <-got:
		return a.conn, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func acquaint(ends ...*end) {
	for _, a := range ends {
		for i, b := range ends {
			if a != b {
				a.net.Learn(b.name, []string{fmt.Sprintf("10.0.0.%d", i+1), fmt.Sprintf("10.1.0.%d", i+1)}, 7946)
			}
		}
	}
}

func cutBoth(wire *memnet.Net, a, b string) { wire.Cut(a, b); wire.Cut(b, a) }

func bubble(t *testing.T, f func(t *testing.T, wire *memnet.Net, a, b *end)) {
	synctest.Test(t, func(t *testing.T) {
		wire := memnet.New()
		a, b := newEnd(t, wire, 1, ""), newEnd(t, wire, 2, "")
		acquaint(a, b)
		f(t, wire, a, b)
		a.close()
		b.close()
		time.Sleep(time.Minute)
	})
}

// Packets arrive as long as one link is left, once each.
func TestPacketsOverAllLinks(t *testing.T) {
	bubble(t, func(t *testing.T, wire *memnet.Net, a, b *end) {
		send := func(text string) (got []string) {
			if _, err := a.gossip.WriteTo([]byte(text), "10.0.0.2:7946"); err != nil {
				t.Fatal(err)
			}
			for {
				select {
				case p := <-b.gossip.PacketCh():
					got = append(got, string(p.Buf))
				case <-time.After(50 * time.Millisecond):
					return got
				}
			}
		}
		for i, c := range []struct {
			cut  func()
			want int
		}{
			{func() {}, 1},
			{func() { wire.Cut("10.0.0.1", "10.0.0.2") }, 1},
			{func() { wire.Heal(); wire.Cut("10.1.0.1", "10.1.0.2") }, 1},
			{func() { wire.Cut("10.0.0.1", "10.0.0.2") }, 0},
			{wire.Heal, 1},
		} {
			c.cut()
			if got := send(fmt.Sprintf("packet %d", i)); len(got) != c.want {
				t.Errorf("step %d: got %q, want %d", i, got, c.want)
			}
		}
	})
}

// A link that is cut, in both directions or one, goes down on both sides, within the time that the profile says; and comes back.
func TestLinkGoesDownAndComesBack(t *testing.T) {
	for name, cut := range map[string]func(*memnet.Net){
		"both ways": func(w *memnet.Net) { cutBoth(w, "10.0.0.1", "10.0.0.2") },
		"one way":   func(w *memnet.Net) { w.Cut("10.0.0.1", "10.0.0.2") },
		"the other": func(w *memnet.Net) { w.Cut("10.0.0.2", "10.0.0.1") },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, wire *memnet.Net, a, b *end) {
				time.Sleep(3 * time.Second)
				if len(a.changes) > 0 {
					t.Fatalf("a change without a cause: %v", <-a.changes)
				}
				cut(wire)
				began := time.Now()
				for _, e := range []*end{a, b} {
					c := <-e.changes
					if c.Link != 0 || c.State != Down {
						t.Fatalf("got %+v", c)
					}
				}
				if took := time.Since(began); took > time.Duration(LAN.Misses+2)*LAN.Probe {
					t.Errorf("known after %v", took)
				}
				wire.Heal()
				for _, e := range []*end{a, b} {
					if c := <-e.changes; c.Link != 0 || c.State != Up {
						t.Fatalf("got %+v", c)
					}
				}
			})
		})
	}
}

// Both links cut is no news of the links: the other node may be dead.
func TestAllLinksCut(t *testing.T) {
	bubble(t, func(t *testing.T, wire *memnet.Net, a, b *end) {
		time.Sleep(time.Second)
		cutBoth(wire, "10.0.0.1", "10.0.0.2")
		cutBoth(wire, "10.1.0.1", "10.1.0.2")
		time.Sleep(10 * time.Second)
		for _, s := range a.net.States()["n2"] {
			if s.State != Silent {
				t.Errorf("got %+v", s)
			}
		}
		if len(a.changes) > 0 {
			t.Errorf("got %+v", <-a.changes)
		}
	})
}

// A dial gets through over the link that is left, at once when the dead one is known, and a stagger later when it is not; a
// stream over a link that goes down ends.
func TestDialFallsOver(t *testing.T) {
	bubble(t, func(t *testing.T, wire *memnet.Net, a, b *end) {
		done, taken := make(chan struct{}), make(chan []net.Conn)
		go func() {
			var list []net.Conn
			for {
				select {
				case c := <-b.gossip.StreamCh():
					list = append(list, c)
				case <-done:
					taken <- list
					return
				}
			}
		}()
		dial := func() (net.Conn, time.Duration) {
			began := time.Now()
			c, err := a.net.Dial(t.Context(), "10.0.0.2:7946")
			if err != nil {
				t.Fatal(err)
			}
			return c, time.Since(began)
		}
		first, took := dial()
		if took > time.Millisecond {
			t.Errorf("with all links it took %v", took)
		}
		time.Sleep(time.Second)
		cutBoth(wire, "10.0.0.1", "10.0.0.2")
		second, took := dial()
		if took != DialStagger {
			t.Errorf("before it is known it took %v", took)
		}
		ended := make(chan time.Duration, 1)
		began := time.Now()
		go func() {
			first.Read(make([]byte, 1))
			ended <- time.Since(began)
		}()
		if took := <-ended; took > time.Duration(LAN.Misses+2)*LAN.Probe {
			t.Errorf("the stream over the dead link ended after %v", took)
		}
		third, took := dial()
		if took > time.Millisecond {
			t.Errorf("when it is known it took %v", took)
		}
		if _, err := a.net.DialOne(t.Context(), "10.0.0.2:7946"); err == nil {
			t.Error("a dial of one link went over another")
		}
		close(done)
		for _, c := range append(<-taken, second, third) {
			c.Close()
		}
	})
}

// An address that the machine does not have when the daemon starts is used as soon as it has it.
func TestAddressComesLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := memnet.New()
		a, b := newEnd(t, wire, 1, ""), newEnd(t, wire, 2, "10.0.0.2")
		acquaint(a, b)
		if c := <-a.changes; c.State != Down || c.Link != 0 {
			t.Fatalf("got %+v", c)
		}
		if c := <-a.changes; c.State != Up || c.Link != 0 {
			t.Fatalf("got %+v", c)
		}
		a.close()
		b.close()
		time.Sleep(time.Minute)
	})
}

func TestListenOnAllAddresses(t *testing.T) {
	missing := true
	n, err := New(Config{
		Own: []string{"127.0.0.1", "127.0.0.2"}, Times: LAN, Keys: func() [][]byte { return key },
		Dial: func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		},
		Listen: func(ctx context.Context, address string) (net.Listener, error) {
			if missing && strings.HasPrefix(address, "127.0.0.2") {
				return nil, &net.OpError{Op: "listen", Err: syscall.EADDRNOTAVAIL}
			}
			return new(net.ListenConfig).Listen(ctx, "tcp", address)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	l, err := n.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatalf("one of two addresses is enough: %v", err)
	}
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
	l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Fatalf("got %v", err)
	}
}

func TestNearest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wire := memnet.New()
		a := newEnd(t, wire, 1, "")
		for to, want := range map[string]int{"10.0.0.9:7946": 0, "10.1.0.9:7946": 1, "10.1.255.9:1": 1, "192.168.0.1:7946": 0, "[fd00::1]:7946": 0} {
			if got := a.gossip.nearest(to); got != a.gossip.link(want) {
				t.Errorf("%s goes over another link than %d", to, want)
			}
		}
		a.close()
	})
}
