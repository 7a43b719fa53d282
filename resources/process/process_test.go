package process

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/nstest"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

func request(op string, params ...string) resources.Request {
	req := resources.Request{Agent: Agent, Resource: "p:0", Operation: op, Timeout: 10 * time.Second, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		req.Params[params[i]] = params[i+1]
	}
	return req
}

func run(t testing.TB, r *Runner, req resources.Request, op string, code resources.ExitCode) resources.Result {
	t.Helper()
	req.Operation = op
	ctx, cancel := context.WithTimeout(t.Context(), req.Timeout)
	defer cancel()
	res := r.Run(ctx, req)
	if res.Code != code {
		t.Fatalf("%s: got %+v, want code %d", op, res, code)
	}
	return res
}

// begin starts a command and makes sure that it does not outlive the test.
func begin(t testing.TB, r *Runner, req resources.Request) state {
	t.Helper()
	t.Cleanup(func() {
		if s, ok := load(r.file(req)); ok && s.PID > 1 {
			_, _ = s.tree().Kill(context.Background())
		}
	})
	run(t, r, req, "start", 0)
	s, ok := load(r.file(req))
	if !ok {
		t.Fatal("nothing is remembered")
	}
	return s
}

func TestLife(t *testing.T) {
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	req := request("", "command", "sleep", "args", "'1000'", "pidfile", dir+"/pid")
	run(t, r, req, "monitor", 7)
	run(t, r, req, "stop", 0)
	s := begin(t, r, req)
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	if again, _ := load(r.file(req)); again != s {
		t.Errorf("a second start began another process: %v, then %v", s, again)
	}
	if b, _ := os.ReadFile(dir + "/pid"); string(b) != fmt.Sprintln(s.PID) {
		t.Errorf("pidfile holds %q", b)
	}
	if p, err := procfs.Stat(s.PID); err != nil || p.Session != s.PID {
		t.Errorf("it is in session %d, %v", p.Session, err)
	}
	run(t, r, req, "stop", 0)
	run(t, r, req, "stop", 0)
	run(t, r, req, "monitor", 7)
	if s.Alive() {
		t.Error("it lives after stop")
	}
	if fs, _ := filepath.Glob(dir + "/*/*"); len(fs) > 0 {
		t.Errorf("left behind: %v", fs)
	}
}

// A process that another daemon began is found, watched and stopped.
func TestNextDaemon(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv("PROCESS_TEST_DAEMON") != "" { // the first daemon: begins the command and is gone
		r := New(Config{RunDir: os.Getenv("PROCESS_TEST_DAEMON")})
		run(t, r, request("", "command", "sleep", "args", "1000"), "start", 0)
		return
	}
	first := exec.Command("/proc/self/exe", "-test.run=^TestNextDaemon$")
	first.Env = append(os.Environ(), "PROCESS_TEST_DAEMON="+dir)
	if out, err := first.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := New(Config{RunDir: dir})
	req := request("", "command", "sleep", "args", "1000")
	s := begin(t, r, req) // finds it
	why := make(chan string, 1)
	ctx, cancel := context.WithCancel(t.Context())
	watched := make(chan error, 1)
	go func() { watched <- r.Watch(ctx, req, func(w string) { why <- w }) }()
	if err := s.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got, want := <-why, fmt.Sprintf("process %d has ended", s.PID); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	run(t, r, req, "monitor", 7)
	// The watch goes on over a new start.
	s2 := begin(t, r, req)
	if err := s2.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if got, want := <-why, fmt.Sprintf("process %d has ended: signal: killed", s2.PID); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	cancel()
	if err := <-watched; err != context.Canceled {
		t.Errorf("watch ended with %v", err)
	}
	run(t, r, req, "stop", 0)
}

// A daemon that died between the fork and the note leaves a process that is found by its mark.
func TestUnwrittenState(t *testing.T) {
	r := New(Config{RunDir: t.TempDir()})
	req := request("", "command", "sleep", "args", "1000")
	s := begin(t, r, req)
	before := s
	before.ID = procfs.ID{}
	if err := before.save(r.file(req)); err != nil {
		t.Fatal(err)
	}
	run(t, r, req, "start", 0)
	if now, _ := load(r.file(req)); now != s {
		t.Errorf("found %+v, want %+v", now, s)
	}
	run(t, r, req, "stop", 0)
	if s.Alive() {
		t.Error("it lives after stop")
	}
}

func TestStopEndsAll(t *testing.T) {
	for _, c := range []struct {
		name, script, mode string
		killed             bool
	}{
		{"obeys", "trap 'exit 0' TERM; sleep 1000 & READY; wait", "group", false},
		{"ignores TERM", "trap '' TERM; READY; while :; do sleep 0.05; done", "group", true},
		{"forked away", "(setsid sleep 1000 &); READY; sleep 1000", "group", false},
		{"forks away this moment", "READY; (setsid sleep 1000 &); sleep 1000", "group", false},
		{"leader leaves a deaf child", "bash -c 'trap \"\" TERM; READY; while :; do sleep 0.05; done' & wait", "group", true},
		{"mixed", "trap 'exit 0' TERM; sleep 1000 & READY; wait", "mixed", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			r := New(Config{RunDir: dir})
			req := request("", "command", "/bin/bash", "args",
				`-c "`+strings.NewReplacer(`"`, `\"`, "READY", "echo >"+dir+"/ready").Replace(c.script)+`"`,
				"ready_file", dir+"/ready", "kill_mode", c.mode)
			if c.killed {
				req.Params["kill_after"] = "300ms"
			}
			s := begin(t, r, req)
			began := time.Now()
			run(t, r, req, "stop", 0)
			if took := time.Since(began); c.killed && took < 300*time.Millisecond || took > 30*time.Second {
				t.Errorf("took %v", took)
			}
			if ps, err := s.tree().Members(); err != nil || len(ps) > 0 {
				t.Errorf("left behind: %v, %v", ps, err)
			}
		})
	}
}

// What a command began is ended with it even where it wiped all its traces: another session, no parent, no mark in its environment. Another
// daemon does so as well, and a start after a crash.
func TestStopEndsWhatHides(t *testing.T) {
	base := nstest.Cgroup(t)
	dir := t.TempDir()
	first := New(Config{RunDir: dir, Cgroup: base})
	req := request("", "command", "/bin/bash", "ready_file", dir+"/ready", "args",
		`-c "(env -i setsid bash -c 'echo \$\$ >`+dir+`/new; mv `+dir+`/new `+dir+`/ready; exec sleep 551011' &); sleep 551012"`)
	hidden := func() procfs.ID {
		t.Helper()
		b, err := os.ReadFile(dir + "/ready")
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		p, err := procfs.Stat(pid)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Signal(unix.SIGKILL) })
		return p.ID
	}
	s := begin(t, first, req)
	one := hidden()
	if out, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", one.PID)); err != nil || !strings.Contains(string(out), filepath.Base(s.Cgroup)) {
		t.Errorf("it is in cgroups %s, %v; want %s", out, err, s.Cgroup)
	}
	if err := s.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, first, req, "monitor", 7)
	begin(t, first, req)
	if one.Alive() {
		t.Error("a start after a crash leaves what hides from it")
	}
	two := hidden()
	next := New(Config{RunDir: dir, Cgroup: base})
	run(t, next, req, "monitor", 0)
	run(t, next, req, "stop", 0)
	if two.Alive() {
		t.Error("stop leaves what hides from it")
	}
	run(t, next, req, "stop", 0)
}

func TestEnvironmentAndLog(t *testing.T) {
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	t.Setenv("NOTIFY_SOCKET", "/secret")
	req := request("", "command", "sh", "args", `-c 'env; pwd; ls -l /proc/self/fd; touch ready; exec sleep 1000'`, "directory", dir,
		"env", `A=1 B="two words"`, "log_file", dir+"/log", "ready_file", dir+"/ready")
	begin(t, r, req)
	b, err := os.ReadFile(dir + "/log")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"A=1\n", "B=two words\n", "\n" + dir + "\n", "PATH=/usr/local/sbin"} {
		if !strings.Contains(string(b), want) {
			t.Errorf("missing %q in\n%s", want, b)
		}
	}
	if strings.Contains(string(b), "NOTIFY_SOCKET") || strings.Count(string(b), "->") != 4 {
		t.Errorf("it inherited something:\n%s", b)
	}
	run(t, r, req, "stop", 0)
}

func TestUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: runs a command as another user")
	}
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	req := request("", "command", "sh", "args", `-c 'id -un; id -gn; echo $HOME $USER; exec sleep 1000'`, "user", "nobody", "group", "daemon", "log_file", dir+"/log")
	s := begin(t, r, req)
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.PID))
	if err != nil || !strings.Contains(string(b), "Uid:\t65534\t65534") || !strings.Contains(string(b), "Gid:\t1\t1") {
		t.Errorf("runs as %s, %v", b, err)
	}
	run(t, r, req, "stop", 0)
}

func TestReadiness(t *testing.T) {
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	req := request("", "command", "sleep", "args", "1000", "ready_tcp", l.Addr().String())
	begin(t, r, req)
	run(t, r, req, "stop", 0)

	l.Close()
	req.Timeout = 2 * time.Second // it is used up
	res := run(t, r, req, "start", 1)
	if !res.TimedOut || !strings.HasSuffix(res.Reason, "is not ready: nothing takes connections at "+l.Addr().String()) {
		t.Errorf("got %+v", res)
	}
	req.Timeout = 10 * time.Second
	run(t, r, req, "stop", 0)

	req = request("", "command", "sh", "args", "-c 'echo no such table >&2; exit 3'", "ready_file", dir+"/ready", "log_file", dir+"/log")
	res = run(t, r, req, "start", 1)
	if !strings.HasSuffix(res.Reason, "has ended: exit status 3 before it was ready; last line of its log: no such table") {
		t.Errorf("got %+v", res)
	}
}

// A command that answers over HTTP, or says itself that it is ready, is waited for until it does.
func TestReadinessInWords(t *testing.T) {
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	answer := make(chan int, 1)
	answer <- http.StatusServiceUnavailable
	asked := 0
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		select {
		case code := <-answer:
			w.WriteHeader(code)
		default:
		}
	}))
	defer web.Close()
	req := request("", "command", "sleep", "args", "1000", "ready_http", web.URL+"/healthz")
	begin(t, r, req)
	if asked != 2 {
		t.Errorf("it was asked %d times: once it was not ready, once it was", asked)
	}
	run(t, r, req, "stop", 0)

	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed: nothing here can speak over a datagram socket")
	}
	say := "import os,socket,time\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.connect(os.environ['NOTIFY_SOCKET'])\n" +
		"s.send(b'STATUS=warming up')\nopen('" + dir + "/warm','w').close()\ns.send(b'STATUS=up\\nREADY=1')\ntime.sleep(1000)\n"
	if err := os.WriteFile(dir+"/say.py", []byte(say), 0o644); err != nil {
		t.Fatal(err)
	}
	req = request("", "command", "python3", "args", dir+"/say.py", "ready_notify", "yes")
	req.Timeout = 60 * time.Second // of a busy machine
	begin(t, r, req)
	if _, err := os.Stat(dir + "/warm"); err != nil {
		t.Errorf("the start did not wait: %v", err)
	}
	run(t, r, req, "start", 0) // and is not waited for again
	run(t, r, req, "stop", 0)
	if left, _ := filepath.Glob(dir + "/process/*.notify"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	req = request("", "command", "sleep", "args", "1000", "ready_notify", "yes")
	req.Timeout = time.Second // it is used up
	if res := run(t, r, req, "start", 1); !res.TimedOut || !strings.HasSuffix(res.Reason, "is not ready: it did not say READY=1 to its NOTIFY_SOCKET") {
		t.Errorf("got %+v", res)
	}
	req.Timeout = 10 * time.Second
	run(t, r, req, "stop", 0)
}

// Limits are the command's alone, and hold from its first instruction.
func TestLimits(t *testing.T) {
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	req := request("", "command", "sh", "args", "-c 'ulimit -Sn; ulimit -Hn; ulimit -c; touch "+dir+"/said; exec sleep 1000'",
		"limits", "nofile=123:456 core=0", "log_file", dir+"/log", "ready_file", dir+"/said")
	var before, after unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	begin(t, r, req)
	if b, err := os.ReadFile(dir + "/log"); err != nil || string(b) != "123\n456\n0\n" {
		t.Errorf("the command has the limits %q, %v", b, err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &after); err != nil || after != before {
		t.Errorf("our own limits were %v and are %v", before, after)
	}
	run(t, r, req, "stop", 0)
	for text, want := range map[string]string{
		"nofile": `"nofile" is no limit`, "files=1": `"files=1" is no limit`, "nofile=many": `"many" is no amount`, "nofile=2:1": "larger than the second",
	} {
		if _, err := parseLimits(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestBadParameters(t *testing.T) {
	dir := t.TempDir()
	r := New(Config{RunDir: dir})
	if err := os.WriteFile(dir+"/plain", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		params []string
		code   resources.ExitCode
		reason string
	}{
		{nil, 6, "parameter command: is required and not set"},
		{[]string{"command", "true", "args", "'a"}, 6, "parameter args: a ' is not closed"},
		{[]string{"command", "true", "env", "A"}, 6, `parameter env: "A" is not NAME=value`},
		{[]string{"command", "true", "stop_signal", "BANG"}, 6, `parameter stop_signal: "BANG" is no signal`},
		{[]string{"command", "true", "ready_tcp", "here"}, 6, `parameter ready_tcp: "here" is not host:port`},
		{[]string{"command", "true", "ready_http", "here"}, 6, `parameter ready_http: "here" is no URL of http or https`},
		{[]string{"command", "true", "ready_file", "/x", "ready_notify", "yes"}, 6, "parameter ready_notify: of ready_tcp, ready_http, ready_file and ready_notify only one can say when the command is ready"},
		{[]string{"command", "true", "limits", "nofile=-1"}, 6, `parameter limits: "nofile=-1": "-1" is no amount, and not unlimited`},
		{[]string{"command", "true", "kill_mode", "nice"}, 6, `parameter kill_mode: "nice" is not one of group, mixed`},
		{[]string{"command", "true", "kill_after", "soon"}, 6, `parameter kill_after: "soon" is not an amount of time (examples: 20s, 500ms, 2min)`},
		{[]string{"command", "true", "log_file", "log"}, 6, `parameter log_file: "log" is not an absolute path`},
		{[]string{"command", "/nowhere/x"}, 5, "command /nowhere/x: there is no /nowhere/x: file does not exist"},
		{[]string{"command", "no-such-command"}, 5, "command no-such-command: not found in /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin: executable file not found in $PATH"},
		{[]string{"command", dir + "/plain"}, 4, "command " + dir + "/plain: execute " + dir + "/plain: permission denied"},
		{[]string{"command", "true", "directory", "/nowhere"}, 2, "directory /nowhere is no folder on this node"},
		{[]string{"command", "true", "user", "no such"}, 2, `user "no such" is not known on this node`},
	} {
		for _, op := range []string{"start", "validate-all"} {
			if res := run(t, r, request("", c.params...), op, c.code); res.Reason != c.reason {
				t.Errorf("%v: got %q, want %q", c.params, res.Reason, c.reason)
			}
		}
		run(t, r, request("", c.params...), "stop", 0)
		run(t, r, request("", c.params...), "monitor", 7)
	}
}

func TestTornState(t *testing.T) {
	r := New(Config{RunDir: t.TempDir()})
	req := request("", "command", "sleep", "args", "1000")
	self, err := procfs.Stat(os.Getpid()) // it lives, but of another boot it must not be taken
	if err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"", "{", `{"pid":1}`, "\x00\x01", `{"pid":` + fmt.Sprint(os.Getpid()) + `,"start":` + fmt.Sprint(self.Start) + `,"mark":"x","boot":"another"}`} {
		if err := os.MkdirAll(r.dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(r.file(req), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		run(t, r, req, "monitor", 7)
		run(t, r, req, "stop", 0)
	}
	// Our own pid with another start time is another process.
	b, _ := json.Marshal(state{ID: procfs.ID{PID: os.Getpid(), Start: 5}, Boot: bootID(), Mark: "X=none"})
	if err := os.WriteFile(r.file(req), b, 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, r, req, "monitor", 7)
	run(t, r, req, "stop", 0)
}

func TestSplit(t *testing.T) {
	for in, want := range map[string][]string{
		"":                       nil,
		"  ":                     nil,
		"a b\tc\nd":              {"a", "b", "c", "d"},
		`'a b' "c d" e\ f`:       {"a b", "c d", "e f"},
		`a'b'"c"d`:               {"abcd"},
		`'' ""`:                  {"", ""},
		`"a\"b" 'a\b' "a\n"`:     {`a"b`, `a\b`, `a\n`},
		"$HOME `id` $(id) * a=b": {"$HOME", "`id`", "$(id)", "*", "a=b"},
	} {
		if got, err := split(in); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: got %q, %v; want %q", in, got, err, want)
		}
	}
	for _, bad := range []string{"'", `"a`, `a\`, strings.Repeat("a ", 2000)} {
		if got, err := split(bad); err == nil {
			t.Errorf("%.20q was taken as %d words", bad, len(got))
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add(`a 'b c' "d\"e" \f`)
	f.Fuzz(func(t *testing.T, s string) { _, _ = split(s) })
}

func BenchmarkStartStop(b *testing.B) {
	r := New(Config{RunDir: b.TempDir()})
	req := request("", "command", "sleep", "args", "1000")
	var starts time.Duration
	for b.Loop() {
		began := time.Now()
		run(b, r, req, "start", 0)
		starts += time.Since(began)
		run(b, r, req, "stop", 0)
	}
	b.ReportMetric(float64(starts.Microseconds())/float64(b.N), "us/start")
}

func BenchmarkMonitor(b *testing.B) {
	r := New(Config{RunDir: b.TempDir()})
	req := request("", "command", "sleep", "args", "1000")
	begin(b, r, req)
	for b.Loop() {
		run(b, r, req, "monitor", 0)
	}
}
