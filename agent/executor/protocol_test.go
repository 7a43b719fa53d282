package executor

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestStrangersAndStrangeMessages(t *testing.T) {
	for _, c := range []struct {
		name   string
		before bool // a session is open
		line   string
		want   string
		after  time.Duration
	}{
		{"silence instead of hello", false, "", "timeout", handshakeMax},
		{"another protocol", false, "GET / HTTP/1.1\r\n", "decode message", 0},
		{"order before hello", false, `{"type":"renew","body":{"seq":1}}` + "\n", "version 1", 0},
		{"a message of the future", true, `{"type":"teleport","body":{}}` + "\n", "version 1", 0},
		{"a message of the other side", true, `{"type":"welcome","body":{}}` + "\n", "version 1", 0},
		{"an order without action", true, `{"type":"order","body":{"numbers":{}}}` + "\n", "no action", 0},
		{"a line without end", true, strings.Repeat("x", LineMax+100_000), "longer than allowed", 0},
		{"half a line", true, `{"type":"ren`, "timeout", lease},
	} {
		t.Run(c.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, dir string, a *agents) {
				e := start(t, config(dir, a))
				var conn net.Conn
				served := make(chan error, 1)
				if c.before {
					s := dialSilently(t, e, hello(1))
					conn, served = s.w.conn, s.served
				} else {
					here, there := net.Pipe()
					conn = here
					go func() { served <- e.Serve(t.Context(), there) }()
				}
				began := time.Now()
				go io.Copy(conn, bytes.NewReader([]byte(c.line)))
				err := <-served
				if err == nil || !strings.Contains(err.Error(), c.want) && !strings.Contains(fmt.Sprint(err), "no coordinator") || time.Since(began) != c.after {
					t.Errorf("after %v: %v", time.Since(began), err)
				}
				conn.Close()
				dial(t, e, hello(2)).close() // the node is as good as before
				stopExecutor(t, e)
			})
		})
	}
}

func TestDialNamesWhatCameInstead(t *testing.T) {
	for answer, want := range map[string]string{
		`{"type":"renew-ack","body":{"seq":1}}`: "version 1",
		`{"type":"refused","body":{"reason":"its term is 3, and n1 has seen term 4","term":3,"highest":4}}`: "seen term 4",
		"HTTP/1.1 400 Bad Request": "decode message",
	} {
		here, there := net.Pipe()
		go func() {
			w := newWire(there)
			w.read(time.Minute)
			fmt.Fprintln(there, answer)
			there.Close()
		}()
		if _, _, err := Dial(t.Context(), here, hello(3)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", answer, err)
		}
	}
}
