package filelease

import (
	"context"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"paceline/resources"

	"golang.org/x/sys/unix"
)

func run(t testing.TB, dir, node, op string, code resources.ExitCode) resources.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	res := New().Run(ctx, resources.Request{
		Agent: Agent, Resource: "lease", Operation: op, Node: node, Timeout: 10 * time.Second, Params: map[string]string{"directory": dir},
	})
	if res.Code != code {
		t.Fatalf("%s on %s: got %+v, want code %d", op, node, res, code)
	}
	return res
}

// events returns the log without times and pids.
func events(t testing.TB, dir string) string {
	t.Helper()
	b, err := os.ReadFile(dir + "/lease.events")
	if err != nil {
		t.Fatal(err)
	}
	s := regexp.MustCompile(`(?m)^\S+ `).ReplaceAllString(string(b), "")
	s = regexp.MustCompile(`pid \d+`).ReplaceAllString(s, "pid N")
	return regexp.MustCompile(`since \S+`).ReplaceAllString(s, "since T")
}

func folder(t testing.TB) string {
	dir := t.TempDir()
	t.Cleanup(func() {
		for _, node := range []string{"alpha", "beta"} {
			if id, held, _ := (lease{file: dir + "/lease.lease", node: node}).holder(); held {
				_ = id.Signal(unix.SIGKILL)
			}
		}
	})
	return dir
}

func TestOneNode(t *testing.T) {
	dir := folder(t)
	run(t, dir, "alpha", "monitor", 7)
	run(t, dir, "alpha", "stop", 0)
	run(t, dir, "alpha", "start", 0)
	run(t, dir, "alpha", "start", 0)
	run(t, dir, "alpha", "monitor", 0)
	run(t, dir, "alpha", "stop", 0)
	run(t, dir, "alpha", "stop", 0)
	run(t, dir, "alpha", "monitor", 7)
	run(t, dir, "beta", "start", 0)
	run(t, dir, "beta", "stop", 0)
	if got, want := events(t, dir), "START lease alpha pid N\nSTOP lease alpha pid N\nSTART lease beta pid N\nSTOP lease beta pid N\n"; got != want {
		t.Errorf("events are\n%swant\n%s", got, want)
	}
}

func TestDoubleActivation(t *testing.T) {
	dir := folder(t)
	run(t, dir, "alpha", "start", 0)
	res := run(t, dir, "beta", "start", 1)
	if !strings.HasPrefix(res.Reason, "DOUBLE ACTIVATION: node alpha holds lease "+dir+"/lease.lease since ") {
		t.Errorf("got %q", res.Reason)
	}
	run(t, dir, "beta", "monitor", 7)
	run(t, dir, "beta", "stop", 0) // does not end alpha's
	run(t, dir, "alpha", "monitor", 0)
	if got, want := events(t, dir), "START lease alpha pid N\nDOUBLE lease beta while alpha holds it since T\n"; got != want {
		t.Errorf("events are\n%swant\n%s", got, want)
	}
	run(t, dir, "alpha", "stop", 0)
	run(t, dir, "beta", "start", 0)
}

// A dead node lets go by dying.
func TestTakeOver(t *testing.T) {
	dir := folder(t)
	run(t, dir, "alpha", "start", 0)
	id, held, err := lease{file: dir + "/lease.lease", node: "alpha"}.holder()
	if err != nil || !held {
		t.Fatal(held, err)
	}
	seen := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = New().Watch(ctx, resources.Request{Resource: "lease", Node: "alpha", Params: map[string]string{"directory": dir}}, func(s string) { seen <- s })
	}()
	go func() { _ = id.Signal(unix.SIGKILL) }()
	if err := id.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, dir, "alpha", "monitor", 7)
	run(t, dir, "beta", "start", 0)
	want := "START lease alpha pid N\nTAKEN lease beta from alpha, which held it since T and did not stop\nSTART lease beta pid N\n"
	if got := events(t, dir); got != want {
		t.Errorf("events are\n%swant\n%s", got, want)
	}
	cancel()
	<-done
}

// A holder whose record was never written is found by its mark.
func TestUnwrittenRecord(t *testing.T) {
	dir := folder(t)
	run(t, dir, "alpha", "start", 0)
	if err := os.Truncate(dir+"/lease.lease", 0); err != nil {
		t.Fatal(err)
	}
	if res := run(t, dir, "alpha", "monitor", 1); !strings.Contains(res.Reason, "is held here, but names node") {
		t.Errorf("got %+v", res)
	}
	run(t, dir, "alpha", "start", 0)
	run(t, dir, "alpha", "monitor", 0)
	run(t, dir, "alpha", "stop", 0)
}

func TestBadParameters(t *testing.T) {
	run(t, "", "alpha", "start", 6)
	run(t, "relative", "alpha", "start", 6)
	run(t, "/nowhere/at/all", "alpha", "start", 2)
	run(t, "/nowhere/at/all", "alpha", "stop", 0)
}
