package resources

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sample is an agent whose start takes as long as its parameter says.
func sample(stuck <-chan struct{}) *Native {
	return &Native{
		Meta: MetaData{Name: "sample", Parameters: []Parameter{{Name: "how", Required: true}}},
		Operations: map[string]Operation{
			Start: func(ctx context.Context, req Request) Result {
				switch req.Params["how"] {
				case "obeys":
					Doing(ctx, "waiting for %s", "rain")
					<-ctx.Done()
					return Errorf(GenericError, "gave up waiting for rain")
				case "stuck":
					Doing(ctx, "talking to a dead server")
					<-stuck
				case "panics":
					panic("oh no")
				}
				return Result{Output: "a\x00b\xff\n" + strings.Repeat("x", 2*OutputMax)}
			},
			Monitor: func(context.Context, Request) Result { return Result{Code: NotRunning} },
		},
	}
}

func op(n *Native, what, how string, timeout time.Duration) Result {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return n.Run(ctx, Request{Resource: "r", Operation: what, Timeout: timeout, Params: map[string]string{"how": how}})
}

func TestNative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		n := sample(stuck)
		if r := op(n, Start, "works", time.Second); r.Code != OK || len(r.Output) != OutputMax {
			t.Errorf("works: %d, %d bytes", r.Code, len(r.Output))
		}
		if r := op(n, Start, "obeys", time.Second); !r.TimedOut || r.Reason != "gave up waiting for rain" {
			t.Errorf("obeys: %+v", r)
		}
		r := op(n, Start, "panics", time.Second)
		if r.Code != GenericError || r.TimedOut || !strings.Contains(r.Reason, "panicked in start: oh no") || !strings.Contains(r.Output, "native_test.go") {
			t.Errorf("panics: %+v", r)
		}
		began := time.Now()
		if r := op(n, Start, "stuck", time.Second); !r.TimedOut || r.Reason != "start timed out after 1s while talking to a dead server" {
			t.Errorf("stuck: %+v", r)
		}
		if took := time.Since(began); took != time.Second+nativeGrace {
			t.Errorf("stuck: took %v", took)
		}
		// Nothing runs beside the stuck one; what waits for it goes on when it ends.
		if r := op(n, Monitor, "x", time.Second); !r.TimedOut || r.Reason != "monitor did not begin: an earlier start is still talking to a dead server" {
			t.Errorf("beside a stuck one: %+v", r)
		}
		time.AfterFunc(time.Second, func() { close(stuck) })
		if r := op(n, Monitor, "x", time.Minute); r.Code != NotRunning {
			t.Errorf("after a stuck one: %+v", r)
		}
		if r := op(n, Promote, "x", time.Second); r.Code != Unimplemented {
			t.Errorf("unknown operation: %+v", r)
		}
		if r := op(n, ValidateAll, "x", time.Second); r.Code != OK {
			t.Errorf("validate-all: %+v", r)
		}
		if r := n.Run(t.Context(), Request{Operation: Start}); r.Code != NotConfigured || r.Reason != "parameter how: is required and not set" {
			t.Errorf("without parameter: %+v", r)
		}
		if r := n.Run(t.Context(), Request{Operation: Monitor}); r.Code != NotRunning {
			t.Errorf("monitor without parameter: %+v", r)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if r := n.Run(ctx, Request{Operation: Start, Params: map[string]string{"how": "obeys"}}); r.TimedOut || r.Code != GenericError {
			t.Errorf("called off: %+v", r)
		}
	})
}

func TestCleanText(t *testing.T) {
	for _, c := range []struct {
		in, want string
		limit    int
		lines    bool
	}{
		{"a\nb\x00\x1b[0m\xffü\t", "a b..[0m.ü", 100, false},
		{" a\nb\r\n", "a\nb.", 100, true},
		{"0123456789", "01234", 5, false},
		{"0123456789", "56789", 5, true},
	} {
		if got := CleanText(c.in, c.limit, c.lines); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}
