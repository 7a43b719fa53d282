package check

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/attribute"
)

type checker struct {
	*testing.T
	r resources.Runner
}

func (c checker) run(op string, timeout time.Duration, code resources.ExitCode, params ...string) string {
	c.Helper()
	req := resources.Request{Resource: "c", Operation: op, Timeout: timeout, Params: map[string]string{"attempts": "1"}}
	for i := 0; i < len(params); i += 2 {
		req.Params[params[i]] = params[i+1]
	}
	ctx, cancel := context.WithTimeout(c.Context(), timeout)
	defer cancel()
	res := c.r.Run(ctx, req)
	if res.Code != code {
		c.Errorf("%s %v: got %+v, want %d", op, params, res, code)
	}
	return res.Reason
}

const long = 20 * time.Second

func TestHTTP(t *testing.T) {
	var ill atomic.Bool
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ill.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		io.WriteString(w, "all well")
	}))
	defer s.Close()
	c := checker{t, New(attribute.Config{StateDir: t.TempDir()})}
	params := []string{"kind", "http", "target", s.URL + "/health", "expect", "well"}
	c.run("monitor", long, 7, params...)
	c.run("start", long, 0, params...)
	c.run("monitor", long, 0, params...)
	c.run("monitor", long, 190, append(params, "slow", "1us")...)
	if why := c.run("monitor", long, 1, "kind", "http", "target", s.URL, "expect", "ill"); why != s.URL+` answers "all well", in which there is no "ill" (1 attempts)` {
		t.Errorf("got %q", why)
	}
	ill.Store(true)
	if why := c.run("monitor", long, 1, params...); why != "the page has status 503 Service Unavailable (1 attempts)" {
		t.Errorf("got %q", why)
	}
	c.run("monitor", long, 0, "kind", "http", "target", s.URL, "status", "503")
	if why := c.run("start", 2*time.Second, 1, params...); !strings.HasPrefix(why, "waited for "+s.URL+"/health to answer in vain: ") {
		t.Errorf("got %q", why)
	}
	c.run("stop", long, 0, params...)
	c.run("monitor", long, 7, params...)
}

func TestTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(c, "220 mail\r\n")
			c.Close()
		}
	}()
	c := checker{t, New(attribute.Config{StateDir: t.TempDir()})}
	c.run("start", long, 0, "kind", "tcp", "target", l.Addr().String())
	c.run("monitor", long, 0, "kind", "tcp", "target", l.Addr().String(), "expect", "220 ")
	c.run("monitor", long, 1, "kind", "tcp", "target", l.Addr().String(), "expect", "250 ")
	l.Close()
	if why := c.run("monitor", long, 1, "kind", "tcp", "target", l.Addr().String()); !strings.HasSuffix(why, "connection refused (1 attempts)") {
		t.Errorf("got %q", why)
	}
}

func TestCommandAndNames(t *testing.T) {
	c := checker{t, New(attribute.Config{StateDir: t.TempDir()})}
	c.run("start", long, 0, "kind", "command", "target", "echo ready", "expect", "ready")
	if why := c.run("monitor", long, 1, "kind", "command", "target", "echo no table; exit 3"); why != "run sh: exit status 3: no table (1 attempts)" {
		t.Errorf("got %q", why)
	}
	if why := c.run("monitor", long, 1, "kind", "command", "target", "sleep 1000", "attempt_timeout", "50ms"); why != "run sh: it did not end in time (1 attempts)" {
		t.Errorf("got %q", why)
	}
	c.run("monitor", long, 0, "kind", "dns", "target", "localhost", "expect", "127.0.0.1")
	// A name server that refuses: nobody listens there.
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.Close()
	c.run("monitor", long, 1, "kind", "dns", "target", "example.org", "server", p.LocalAddr().String())
	for _, bad := range [][]string{
		{"kind", "smtp", "target", "x"}, {"kind", "tcp", "target", "here"}, {"kind", "http", "target", "here"}, {"kind", "http", "target", "ftp://x/"},
		{"kind", "dns", "target", "x", "server", "1.2.3.4"}, {"kind", "tcp"}, {"kind", "tcp", "target", "a:1", "attempts", "0"},
	} {
		c.run("validate-all", long, 6, bad...)
	}
}
