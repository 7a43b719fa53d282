package plugin

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/resources"

	"golang.org/x/sys/unix"
)

// world is what the sample agent starts: it outlives the agent, as a service does.
var world struct {
	state            State
	starts, stops    int
	startsBadly, ill bool
	seen             sample
	meta             map[string]string
}

type sample struct {
	Name  string        `ra:"name,required,unique" short:"Its name"`
	Port  int           `ra:"port" default:"80" min:"1" max:"65535" short:"Its port"`
	Loud  bool          `ra:"loud,reloadable" default:"yes" short:"Whether it logs"`
	Every time.Duration `ra:"every" default:"10s" short:"How often"`
	IP    netip.Addr    `ra:"ip" group:"where" short:"Where"`
	Mode  string        `ra:"mode" default:"a" values:"a|b" short:"How"`
}

func (s *sample) Start(ctx context.Context) error {
	world.seen, world.meta = *s, Request(ctx).Meta
	switch s.Name {
	case "fails":
		return errors.New("no luck")
	case "absent":
		return Errorf(NotInstalled, "there is no %s", s.Name)
	case "hangs":
		return Until(ctx, "rain", func() (bool, error) { return false, nil })
	}
	world.starts++
	if !world.startsBadly {
		world.state = Running
	}
	return nil
}

func (s *sample) Stop(context.Context) error {
	world.stops++
	if s.Name != "stays" {
		world.state = Stopped
	}
	return nil
}

func (s *sample) Monitor(context.Context) (State, error) {
	if world.ill {
		return world.state, errors.New("it does not answer")
	}
	return world.state, nil
}
func (s *sample) Promote(context.Context) error { world.state = Promoted; return nil }
func (s *sample) Demote(context.Context) error  { world.state = Running; return nil }
func (s *sample) Reload(context.Context) error  { return nil }
func (s *sample) Validate(context.Context) error {
	if s.Name == "here" {
		return Errorf(NotHere, "not on this node")
	}
	return nil
}

var info = Info{Name: "sample", Version: "2.0", Short: "A sample", Timeouts: map[string]time.Duration{"start": time.Minute}}

// call runs an operation as an executable would.
func call(op string, params ...string) (code int, stdout, stderr string) {
	env := []string{"OCF_RESKEY_CRM_meta_timeout=10000", "OCF_RESKEY_CRM_meta_on_node=alpha", "OCF_RESOURCE_INSTANCE=s"}
	for i := 0; i < len(params); i += 2 {
		env = append(env, "OCF_RESKEY_"+params[i]+"="+params[i+1])
	}
	var out, err bytes.Buffer
	code = Execute(context.Background(), resources.Agent{Class: "ocf", Type: "sample"}, New[sample](info), []string{op}, env, &out, &err)
	return code, out.String(), err.String()
}

func want(t *testing.T, code int, stderr string, op string, params ...string) {
	t.Helper()
	if stderr != "" {
		stderr = "ocf-exit-reason:" + stderr + "\n"
	}
	if got, _, err := call(op, params...); got != code || err != stderr {
		t.Errorf("%s %v: got %d %q, want %d %q", op, params, got, err, code, stderr)
	}
}

func TestLife(t *testing.T) {
	world.state, world.starts, world.stops = Stopped, 0, 0
	want(t, 7, "", "monitor", "name", "x")
	want(t, 0, "", "stop", "name", "x")
	want(t, 0, "", "start", "name", "x", "port", "81", "ip", "10.0.0.1", "loud", "off", "every", "2min", "mode", "b")
	if want := (sample{Name: "x", Port: 81, Every: 2 * time.Minute, IP: netip.MustParseAddr("10.0.0.1"), Mode: "b"}); world.seen != want {
		t.Errorf("parameters are %+v, want %+v", world.seen, want)
	}
	if world.meta["on-node"] != "alpha" {
		t.Errorf("the request is lost: %v", world.meta)
	}
	want(t, 0, "", "start", "name", "x")
	want(t, 0, "", "monitor", "name", "x")
	want(t, 0, "", "promote", "name", "x")
	want(t, 8, "", "monitor", "name", "x")
	world.ill = true
	want(t, 9, "it does not answer", "monitor", "name", "x")
	world.ill = false
	want(t, 0, "", "demote", "name", "x")
	want(t, 0, "", "reload-agent", "name", "x")
	want(t, 0, "", "stop", "name", "x", "port", "none") // a stop does without
	want(t, 0, "", "stop", "name", "x")
	if world.starts != 1 || world.stops != 1 {
		t.Errorf("the agent was asked to start %d times and to stop %d times, want once each", world.starts, world.stops)
	}
}

func TestFaults(t *testing.T) {
	world.state = Stopped
	want(t, 6, "parameter name: is required and not set", "start")
	want(t, 6, "parameter name: is required and not set", "monitor")
	want(t, 6, "parameter name: is required and not set", "validate-all")
	want(t, 6, `parameter port: "x" is not a whole number`, "start", "name", "x", "port", "x")
	want(t, 6, `parameter port of sample: 0 is not from 1 to 65535`, "validate-all", "name", "x", "port", "0")
	want(t, 6, `parameter ip of sample: "1.2.3" is not an IP address`, "start", "name", "x", "ip", "1.2.3")
	want(t, 6, `parameter mode: "c" is not one of a, b`, "start", "name", "x", "mode", "c")
	want(t, 2, "not on this node", "validate-all", "name", "here")
	want(t, 2, "not on this node", "start", "name", "here")
	want(t, 1, "no luck", "start", "name", "fails")
	want(t, 5, "there is no absent", "start", "name", "absent")
	want(t, 3, "ocf:sample has no operation notify", "notify", "name", "x")
	world.startsBadly = true
	want(t, 1, "it was started, and does not run: it has ended at once, or Start returned too early", "start", "name", "x")
	world.startsBadly = false
	world.state = Running
	want(t, 1, "it was stopped, and still runs: Stop returned too early", "stop", "name", "stays")
	world.state = Stopped
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		want(t, 1, "waited for rain in vain", "start", "name", "hangs")
		if took := time.Since(began); took < 9*time.Second || took >= 10*time.Second {
			t.Errorf("it hung for %v, want a little less than the manager's 10 s", took)
		}
	})
}

func TestMetaData(t *testing.T) {
	code, out, _ := call("meta-data")
	m, err := resources.ParseMetaData([]byte(out))
	if code != 0 || err != nil {
		t.Fatal(code, err)
	}
	params := []resources.Parameter{
		{Name: "name", Type: "string", Required: true, Unique: true, ShortDesc: "Its name"},
		{Name: "port", Type: "integer", Default: "80", ShortDesc: "Its port"},
		{Name: "loud", Type: "boolean", Default: "yes", Reloadable: true, ShortDesc: "Whether it logs"},
		{Name: "every", Type: "time", Default: "10s", ShortDesc: "How often"},
		{Name: "ip", Type: "string", Group: "where", ShortDesc: "Where"},
		{Name: "mode", Type: "string", Default: "a", ShortDesc: "How"},
	}
	for i := range m.Parameters {
		m.Parameters[i].LongDesc = ""
	}
	if m.Name != "sample" || m.AgentVersion != "2.0" || m.OCFVersion != "1.1" || !reflect.DeepEqual(m.Parameters, params) {
		t.Errorf("got %+v", m)
	}
	var names []string
	for _, a := range m.Actions {
		names = append(names, a.Name+" "+a.Timeout.String())
	}
	if got := strings.Join(names, ", "); got != "start 1m0s, stop 20s, monitor 20s, monitor 20s, promote 20s, demote 20s, reload 20s, reload-agent 20s, validate-all 20s, meta-data 20s" {
		t.Errorf("actions are %s", got)
	}
	if code, _, err := call("help"); code != 0 || err != "usage: sample start | stop | monitor | promote | demote | reload | reload-agent | validate-all | meta-data\n" {
		t.Errorf("usage is %d %q", code, err)
	}
}

func TestMistakesOfAuthors(t *testing.T) {
	panics := func(name string, f func()) {
		t.Helper()
		defer func() {
			if p := recover(); p == nil {
				t.Errorf("%s is taken", name)
			}
		}()
		f()
	}
	panics("an unknown flag", func() {
		describe[struct {
			A string `ra:"a,needed"`
		}]()
	})
	panics("an unknown type", func() {
		describe[struct {
			A []string `ra:"a"`
		}]()
	})
	panics("a default out of bounds", func() {
		describe[struct {
			A int `ra:"a" default:"9" max:"3"`
		}]()
	})
	panics("the same name twice", func() {
		describe[struct {
			A string `ra:"a"`
			B string `ra:"a"`
		}]()
	})
	panics("an agent without a description", func() { New[sample](Info{Name: "x"}) })
}

func TestRun(t *testing.T) {
	if out, err := Run(t.Context(), "sh", "-c", "echo a; echo b >&2"); err != nil || out != "a\nb" {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := Run(t.Context(), "sh", "-c", "echo first; echo why; exit 3"); err == nil || err.Error() != "run sh: exit status 3: why" {
		t.Errorf("got %v", err)
	}
	if _, err := Run(t.Context(), "/nowhere/x"); result(err).Code != NotInstalled {
		t.Errorf("got %v", err)
	}
	// What the command began ends with it: the pipe has no writer any more.
	ctx, cancel := context.WithCancel(t.Context())
	fifo := filepath.Join(t.TempDir(), "out")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	gone := make(chan error, 1)
	go func() {
		f, err := os.Open(fifo)
		if err == nil {
			_, err = f.Read(make([]byte, 3))
			cancel()
			if err == nil {
				_, err = io.ReadAll(f)
			}
		}
		gone <- err
	}()
	if _, err := Run(ctx, "sh", "-c", "sleep 1000 >"+fifo+" & echo go >"+fifo+"; wait"); err == nil || err.Error() != "run sh: it did not end in time" {
		t.Errorf("got %v", err)
	}
	if err := <-gone; err != nil {
		t.Error(err)
	}
}
