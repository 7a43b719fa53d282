package native

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/resources"
)

// sample is an agent whose start takes as long as its parameter says.
func sample(stuck <-chan struct{}) *Agent {
	return &Agent{
		Meta: resources.MetaData{Name: "sample", Parameters: []resources.Parameter{{Name: "how", Required: true}}},
		Operations: map[string]Operation{
			resources.Start: func(ctx context.Context, req resources.Request) resources.Result {
				switch req.Params["how"] {
				case "obeys":
					Doing(ctx, "waiting for %s", "rain")
					<-ctx.Done()
					return resources.Errorf(resources.GenericError, "gave up waiting for rain")
				case "stuck":
					Doing(ctx, "talking to a dead server")
					<-stuck
				case "panics":
					panic("oh no")
				}
				return resources.Result{Output: "a\x00b\xff\n" + strings.Repeat("x", 2*resources.OutputMax)}
			},
			resources.Monitor: func(context.Context, resources.Request) resources.Result {
				return resources.Result{Code: resources.NotRunning}
			},
		},
	}
}

func op(n *Agent, what, how string, timeout time.Duration) resources.Result {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return n.Run(ctx, resources.Request{Resource: "r", Operation: what, Timeout: timeout, Params: map[string]string{"how": how}})
}

func TestNative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		n := sample(stuck)
		if r := op(n, resources.Start, "works", time.Second); r.Code != resources.OK || len(r.Output) != resources.OutputMax {
			t.Errorf("works: %d, %d bytes", r.Code, len(r.Output))
		}
		if r := op(n, resources.Start, "obeys", time.Second); !r.TimedOut || r.Reason != "gave up waiting for rain" {
			t.Errorf("obeys: %+v", r)
		}
		r := op(n, resources.Start, "panics", time.Second)
		if r.Code != resources.GenericError || r.TimedOut || !strings.Contains(r.Reason, "panicked in start: oh no") || !strings.Contains(r.Output, "native_test.go") {
			t.Errorf("panics: %+v", r)
		}
		began := time.Now()
		if r := op(n, resources.Start, "stuck", time.Second); !r.TimedOut || r.Reason != "start timed out after 1s while talking to a dead server" {
			t.Errorf("stuck: %+v", r)
		}
		if took := time.Since(began); took != time.Second+grace {
			t.Errorf("stuck: took %v", took)
		}
		// Nothing runs beside the stuck one; what waits for it goes on when it ends.
		if r := op(n, resources.Monitor, "x", time.Second); !r.TimedOut || r.Reason != "monitor did not begin: an earlier start is still talking to a dead server" {
			t.Errorf("beside a stuck one: %+v", r)
		}
		time.AfterFunc(time.Second, func() { close(stuck) })
		if r := op(n, resources.Monitor, "x", time.Minute); r.Code != resources.NotRunning {
			t.Errorf("after a stuck one: %+v", r)
		}
		if r := op(n, resources.Promote, "x", time.Second); r.Code != resources.Unimplemented {
			t.Errorf("unknown operation: %+v", r)
		}
		if r := op(n, resources.ValidateAll, "x", time.Second); r.Code != resources.OK {
			t.Errorf("validate-all: %+v", r)
		}
		if r := n.Run(t.Context(), resources.Request{Operation: resources.Start}); r.Code != resources.NotConfigured || r.Reason != "parameter how: is required and not set" {
			t.Errorf("without parameter: %+v", r)
		}
		if r := n.Run(t.Context(), resources.Request{Operation: resources.Monitor}); r.Code != resources.NotRunning {
			t.Errorf("monitor without parameter: %+v", r)
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		if r := n.Run(ctx, resources.Request{Operation: resources.Start, Params: map[string]string{"how": "obeys"}}); r.TimedOut || r.Code != resources.GenericError {
			t.Errorf("called off: %+v", r)
		}
	})
}
