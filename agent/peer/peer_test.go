package peer

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func testKey(b byte) Key {
	var k Key
	for i := range k {
		k[i] = b + byte(i)
	}
	return k
}

// world is a few peers on a network in memory, closed at the end of the test.
type world struct {
	t   *testing.T
	net *pipes
}

func newWorld(t *testing.T) *world { return &world{t: t, net: newPipes()} }

func (w *world) peer(node string, log io.Writer, keys ...Key) *Peer {
	w.t.Helper()
	if log == nil {
		log = io.Discard
	}
	p, err := New(Config{
		Keys: keys, Identity: Identity{Cluster: "c1", Node: node, ID: "id-" + node}, Listen: node + ":7947",
		NetListen: w.net.listen, NetDial: w.net.dialFrom(node), Logger: slog.New(slog.NewTextHandler(log, nil)),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	var served sync.WaitGroup
	served.Go(func() {
		if err := p.Serve(); err != nil {
			w.t.Errorf("serve: %v", err)
		}
	})
	w.t.Cleanup(func() { p.Close(); served.Wait() })
	return p
}

// echo answers each connection with who the other end is, then echoes.
func echo(t *testing.T, l net.Listener) {
	var running sync.WaitGroup
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer c.Close()
				id, _ := IdentityOf(c)
				fmt.Fprintf(c, "hello %s %s\n", id.Node, id.ID)
				io.Copy(c, c)
			})
		}
	})
	t.Cleanup(func() { l.Close(); running.Wait() })
}

func readLine(t *testing.T, c io.Reader) string {
	t.Helper()
	var line []byte
	for b := make([]byte, 1); ; {
		if _, err := c.Read(b); err != nil {
			t.Fatalf("read: %v (have %q)", err, line)
		}
		if b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

func TestBothEndsKnowEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.peer("a", nil, testKey(1)), w.peer("b", nil, testKey(1))
		echo(t, b.Listener(ALPNRaft))
		c, err := a.Dial(t.Context(), "b:7947", ALPNRaft)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if want := (Identity{Cluster: "c1", Node: "b", ID: "id-b"}); c.Peer() != want {
			t.Errorf("Peer() = %+v, want %+v", c.Peer(), want)
		}
		if got := readLine(t, c); got != "hello a id-a" {
			t.Errorf("b says %q", got)
		}
		if v := c.TLS().Version; v != tls.VersionTLS13 {
			t.Errorf("TLS version %x", v)
		}
	})
}

func TestProtocolsAreToldApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.peer("a", nil, testKey(1)), w.peer("b", nil, testKey(1))
		for _, alpn := range []string{ALPNRaft, ALPNExec} {
			l := b.Listener(alpn)
			c, err := a.Dial(t.Context(), "b:7947", alpn)
			if err != nil {
				t.Fatal(err)
			}
			s, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			if got := s.(*Conn).TLS().NegotiatedProtocol; got != alpn {
				t.Errorf("listener of %s got a connection of %s", alpn, got)
			}
			c.Close()
			s.Close()
		}
		_, err := a.Dial(t.Context(), "b:7947", "paceline-other/1")
		if err == nil {
			t.Fatal("a protocol that nobody serves was accepted")
		}
		synctest.Wait()
		if r := b.Refusals(); len(r) != 1 || r[0].Host != "a" || !strings.Contains(r[0].Reason, `"paceline-other/1", which is not served`) {
			t.Errorf("refusals: %+v", r)
		}
	})
}

func TestHTTPBetweenNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.peer("a", nil, testKey(1)), w.peer("b", nil, testKey(1))
		srv := &http.Server{ConnContext: ConnContext, Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			id, ok := IdentityFrom(r.Context())
			fmt.Fprint(rw, id.Node, ok)
		})}
		var served sync.WaitGroup
		l := b.Listener(ALPNHTTP) // a protocol that nobody serves yet is refused
		served.Go(func() { srv.Serve(l) })
		defer served.Wait()
		defer srv.Close()
		tr := a.Transport()
		resp, err := (&http.Client{Transport: tr}).Get("http://b:7947/v1/live")
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if string(body) != "atrue" {
			t.Errorf("body %q", body)
		}
		time.Sleep(10 * time.Second) // both ends say goodbye, and over this network each waits for the other to listen
		for _, p := range []*Peer{a, b} {
			p.mu.Lock()
			if len(p.conns) > 0 {
				t.Errorf("%s keeps %d connections that nobody uses", p.config.Identity.Node, len(p.conns))
			}
			p.mu.Unlock()
		}
	})
}

func TestOtherKeyIsRefusedInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log bytes.Buffer
		good := w.peer("good", &log, testKey(1))
		evil := w.peer("evil", nil, testKey(2))
		good.Listener(ALPNRaft)
		_, err := evil.Dial(t.Context(), "good:7947", ALPNRaft)
		if err == nil || !strings.Contains(err.Error(), "another cluster key") {
			t.Errorf("the dialler with another key: %v", err)
		}
		// One that does not verify the server, and so gets as far as showing its certificate.
		dialBlindly(t, w, evil)
		synctest.Wait()
		var reasons []string
		for _, r := range good.Refusals() {
			reasons = append(reasons, r.Reason)
		}
		all := strings.Join(reasons, "\n")
		if !strings.Contains(all, "its certificate is of another cluster key") || !strings.Contains(all, "it does not accept this node's certificate") {
			t.Errorf("refusals:\n%s", all)
		}
		if !strings.Contains(log.String(), "remote=evil") {
			t.Errorf("log does not name the remote:\n%s", &log)
		}
		if conn := tryAccept(good.Listener(ALPNRaft)); conn != nil {
			t.Error("a connection with another key reached the listener")
		}
		time.Sleep(refusalKeep + time.Second)
		if r := good.Refusals(); len(r) > 0 {
			t.Errorf("still told of when it has long been quiet: %+v", r)
		}
	})
}

func dialBlindly(t *testing.T, w *world, evil *Peer) {
	raw, err := w.net.dialFrom("evil")(t.Context(), "good:7947")
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	c := tls.Client(raw, clientConfig(ALPNRaft, evil.keys.Load())) // no VerifyConnection
	c.Handshake()
	c.SetDeadline(time.Now().Add(time.Second))
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("read %d bytes over a connection that should be refused", n)
	}
}

// tryAccept returns a connection that waits to be taken, or nil.
func tryAccept(l net.Listener) net.Conn {
	select {
	case c := <-l.(*listener).queue:
		return c
	default:
		return nil
	}
}

func TestOtherClusterOfTheSameKeyIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a := w.peer("a", nil, testKey(1))
		b := w.peer("b", nil, testKey(1))
		b.Listener(ALPNRaft)
		a.config.Identity.Cluster = "c2"
		_, err := a.Dial(t.Context(), "b:7947", ALPNRaft)
		if err == nil || !strings.Contains(err.Error(), `node b belongs to cluster "c1", this is cluster "c2"`) {
			t.Error(err)
		}
	})
}

func TestTwoKeysWhileRotating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		oldNode := w.peer("old", nil, testKey(1), testKey(2))
		newNode := w.peer("new", nil, testKey(2), testKey(1))
		echo(t, oldNode.Listener(ALPNExec))
		echo(t, newNode.Listener(ALPNExec))
		for from, to := range map[*Peer]string{oldNode: "new:7947", newNode: "old:7947"} {
			c, err := from.Dial(t.Context(), to, ALPNExec)
			if err != nil {
				t.Fatal(err)
			}
			readLine(t, c)
			c.Close()
		}
	})
}

func TestWithoutCertificateOnlyJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		b := w.peer("b", nil, testKey(1))
		raft, join := b.Listener(ALPNRaft), b.Listener(ALPNJoin)
		for _, offer := range [][]string{{ALPNRaft}, {ALPNRaft, ALPNJoin}, nil} {
			raw, err := w.net.dialFrom("stranger")(t.Context(), "b:7947")
			if err != nil {
				t.Fatal(err)
			}
			c := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: offer, SessionTicketsDisabled: true})
			c.Handshake()
			synctest.Wait()
			if tryAccept(raft) != nil {
				t.Errorf("offer %v without a certificate reached the raft listener", offer)
			}
			got := tryAccept(join)
			if (got != nil) != (len(offer) == 2) {
				t.Errorf("offer %v reached the join listener: %v", offer, got != nil)
			}
			if got != nil {
				if id, ok := IdentityOf(got); ok {
					t.Errorf("a stranger got the identity %+v", id)
				}
			}
			raw.Close()
		}
	})
}

func TestSilentStrangersDoNotHoldUpOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var log bytes.Buffer
		a, b := w.peer("a", nil, testKey(1)), w.peer("b", &log, testKey(1))
		echo(t, b.Listener(ALPNRaft))
		var silent []net.Conn
		for range handshakesPerHost + 10 {
			c, err := w.net.dialFrom("stranger")(t.Context(), "b:7947")
			if err != nil {
				t.Fatal(err)
			}
			silent = append(silent, c)
		}
		c, err := a.Dial(t.Context(), "b:7947", ALPNRaft)
		if err != nil {
			t.Fatal(err)
		}
		readLine(t, c)
		c.Close()
		time.Sleep(HandshakeMax + time.Millisecond)
		synctest.Wait()
		counts := map[string]int{}
		for _, r := range b.Refusals() {
			counts[r.Reason] = r.Count
		}
		if counts["too many handshakes at a time"] != 10 || counts["no handshake within 5s"] != handshakesPerHost {
			t.Errorf("refusals: %v", counts)
		}
		if n := strings.Count(log.String(), "refused a connection"); n != 2 {
			t.Errorf("%d log lines, want one for each reason:\n%s", n, &log)
		}
		for _, c := range silent {
			c.Close()
		}
	})
}

func TestRefusalsAreBounded(t *testing.T) {
	var r refusals
	lines, now := 0, time.Now()
	for i := range 1000 {
		if _, log := r.add(fmt.Sprintf("10.0.0.%d", i%9), fmt.Sprintf("made up %d", i), now.Add(time.Duration(i)*time.Millisecond)); log {
			lines++
		}
	}
	if lines != refusalLinesMax || len(r.list) != refusalsMax || len(r.logged) != refusalsMax {
		t.Errorf("%d lines, %d kept", lines, len(r.list))
	}
	if _, log := r.add("10.0.0.1", "later", now.Add(time.Minute)); !log {
		t.Error("a refusal a minute later is not logged")
	}
}

func TestCertificatesAreRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.peer("a", nil, testKey(1)), w.peer("b", nil, testKey(1))
		echo(t, b.Listener(ALPNRaft))
		serials := map[string]bool{}
		for range 20 {
			c, err := a.Dial(t.Context(), "b:7947", ALPNRaft)
			if err != nil {
				t.Fatal(err)
			}
			leaf := c.TLS().PeerCertificates[0]
			serials[leaf.SerialNumber.String()] = true
			if left := time.Until(leaf.NotAfter); left < certificateRenew || left > certificateLife {
				t.Errorf("certificate has %s left", left)
			}
			c.Close()
			time.Sleep(48 * time.Hour)
		}
		if n := len(serials); n != 5 {
			t.Errorf("%d certificates in 38 days, want 5", n)
		}
	})
}

func TestExpiredCertificateSpeaksOfClocks(t *testing.T) {
	a, err := newAuthority(testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cert, err := a.issue(Identity{Cluster: "c", Node: "n1", ID: "i"}, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, skew := range []time.Duration{-30 * 365 * 24 * time.Hour, 0, certificateLife - time.Hour} {
		if _, err := verify(chainOf(cert), []*authority{a}, "c", 1, now.Add(skew)); err != nil {
			t.Errorf("a clock that is %s off: %v", skew, err)
		}
	}
	_, err = verify(chainOf(cert), []*authority{a}, "c", 1, now.Add(certificateLife+time.Hour))
	if err == nil || !strings.Contains(err.Error(), "certificate of n1 ended on 2026-01-15") {
		t.Error(err)
	}
}

func TestCloseEndsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		a, b := w.peer("a", nil, testKey(1)), w.peer("b", nil, testKey(1))
		l := b.Listener(ALPNRaft)
		for range 2 { // one that is taken, one that is not
			if _, err := a.Dial(t.Context(), "b:7947", ALPNRaft); err != nil {
				t.Fatal(err)
			}
		}
		s, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		b.Close()
		if _, err := s.Read(make([]byte, 1)); err == nil {
			t.Error("the connection lives on")
		}
		if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
			t.Errorf("accept after close: %v", err)
		}
		if _, err := a.Dial(t.Context(), "b:7947", ALPNRaft); err == nil {
			t.Error("dialled a closed peer")
		}
		if _, err := b.Dial(t.Context(), "a:7947", ALPNRaft); err == nil {
			t.Error("a closed peer dialled")
		}
	})
}

func serveJoin(t *testing.T, p *Peer, h http.HandlerFunc) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+JoinPath, h)
	srv := &http.Server{Handler: mux}
	var served sync.WaitGroup
	l := p.Listener(ALPNJoin)
	served.Go(func() { srv.Serve(l) })
	t.Cleanup(func() { srv.Close(); served.Wait() })
}

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		key := testKey(1)
		member := w.peer("member", nil, key)
		foreign := w.peer("foreign", nil, testKey(9))
		token, err := NewToken([]string{"gone:7947", "foreign:7947", "member:7947"}, key, time.Now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		var asked JoinRequest
		serveJoin(t, member, func(rw http.ResponseWriter, r *http.Request) {
			json.NewDecoder(r.Body).Decode(&asked)
			if HashSecret(asked.Secret) != token.SecretHash() {
				rw.WriteHeader(http.StatusForbidden)
				fmt.Fprint(rw, `{"why":"the token was used","hint":"get a new one"}`)
				return
			}
			json.NewEncoder(rw).Encode(JoinReply{Cluster: "c1", Key: key.Hex(), Node: "member"})
		})
		serveJoin(t, foreign, func(http.ResponseWriter, *http.Request) { t.Error("the secret went to a foreign cluster") })
		started := time.Now()
		reply, err := Join(t.Context(), token, JoinRequest{Name: "new", ID: "id-new"}, w.net.dialFrom("new"))
		if err != nil {
			t.Fatal(err)
		}
		if reply.Cluster != "c1" || asked.Name != "new" {
			t.Errorf("reply %+v, asked %+v", reply, asked)
		}
		if took := time.Since(started); took != joinAddressMax {
			t.Errorf("took %s; the dead address should cost %s", took, joinAddressMax)
		}
		other, _ := NewToken([]string{"member:7947"}, key, time.Now().Add(time.Hour))
		_, err = Join(t.Context(), other, JoinRequest{}, w.net.dialFrom("new"))
		if no, ok := errors.AsType[*JoinRefused](err); !ok || no.Status != 403 || !strings.Contains(err.Error(), "the token was used (get a new one)") {
			t.Errorf("used token: %v", err)
		}
		nobody, _ := NewToken([]string{"gone:1", "foreign:7947"}, key, time.Now().Add(time.Hour))
		_, err = Join(t.Context(), nobody, JoinRequest{}, w.net.dialFrom("new"))
		if err == nil || !strings.Contains(err.Error(), "gone:1: ") || !strings.Contains(err.Error(), "not of the cluster that made the token") {
			t.Errorf("nobody: %v", err)
		}
		time.Sleep(2 * time.Hour)
		if _, err = Join(t.Context(), token, JoinRequest{}, w.net.dialFrom("new")); !errors.Is(err, ErrTokenExpired) {
			t.Errorf("expired: %v", err)
		}
	})
}

func TestLoopback(t *testing.T) {
	key := NewKey()
	mk := func(node string) *Peer {
		p, err := New(Config{Keys: []Key{key}, Identity: Identity{Cluster: "c1", Node: node, ID: "id-" + node}, Listen: "127.0.0.1:0"})
		if err != nil {
			t.Fatal(err)
		}
		var served sync.WaitGroup
		served.Go(func() { p.Serve() })
		t.Cleanup(func() { p.Close(); served.Wait() })
		return p
	}
	a, b := mk("a"), mk("b")
	echo(t, b.Listener(ALPNRaft))
	var running sync.WaitGroup
	for range 10 {
		running.Go(func() {
			c, err := a.Dial(t.Context(), b.Addr().String(), ALPNRaft)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			if got := readLine(t, c); got != "hello a id-a" {
				t.Errorf("b says %q", got)
			}
		})
	}
	running.Wait()
	plain, err := net.Dial("tcp", b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(plain, "GET / HTTP/1.0\r\n\r\n")
	io.Copy(io.Discard, plain) // until it is refused
	plain.Close()
	b.Close()
	if r := b.Refusals(); len(r) != 1 || r[0].Reason != "it does not speak TLS" {
		t.Errorf("refusals: %+v", r)
	}
	if _, err := New(Config{Keys: []Key{key}, Identity: Identity{Node: "x", ID: "y"}, Listen: a.Addr().String()}); err == nil || !strings.Contains(err.Error(), a.Addr().String()) {
		t.Errorf("busy port: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Dial(ctx, a.Addr().String(), ALPNRaft); err == nil {
		t.Error("dialled with an ended context")
	}
}
