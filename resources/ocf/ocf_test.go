package ocf

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/cgroup"
	"paceline/resources/nstest"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

// agents makes a Runner over a folder with one provider "test" of shell scripts.
func agents(t testing.TB, scripts map[string]string) *Runner {
	t.Helper()
	dir := t.TempDir()
	p := filepath.Join(dir, "ocf", "resource.d", "test")
	if err := os.MkdirAll(p, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(p, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return New(Config{Root: filepath.Join(dir, "ocf"), Scratch: filepath.Join(dir, "scratch"), RunDir: filepath.Join(dir, "run")})
}

func request(kind, op string, params ...string) resources.Request {
	req := resources.Request{
		Agent: resources.Agent{Class: "ocf", Provider: "test", Type: kind}, Resource: "r1", Operation: op,
		Timeout: 10 * time.Second, Params: map[string]string{}, Node: "alpha",
	}
	for i := 0; i < len(params); i += 2 {
		req.Params[params[i]] = params[i+1]
	}
	return req
}

func run(t testing.TB, r *Runner, req resources.Request) resources.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), req.Timeout)
	defer cancel()
	return r.Run(ctx, req)
}

func TestEnvironment(t *testing.T) {
	r := agents(t, map[string]string{"env": "#!/bin/sh\nenv\necho args=$*\npwd\nls -l /proc/self/fd\n"})
	r.tools, r.socket = "/run/paceline/tools", "/run/paceline/p.sock"
	inherited, err := os.Open("/dev/null") // stands for a file that this process got from its parent
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	req := request("env", "monitor", "ip", "10.0.0.1", "OCF_CHECK_LEVEL", "10", "bad=name", "x", "nul", "a\x00b")
	req.Interval = 10 * time.Second
	req.Meta = map[string]string{"notify-type": "pre", "globally-unique": "false"}
	res := run(t, r, req)
	if res.Code != resources.OK {
		t.Fatalf("got %+v", res)
	}
	for _, want := range []string{
		"OCF_RA_VERSION_MAJOR=1\n", "OCF_RA_VERSION_MINOR=1\n", "OCF_ROOT=" + r.root + "\n", "OCF_RESOURCE_INSTANCE=r1\n",
		"OCF_RESOURCE_TYPE=env\n", "OCF_RESOURCE_PROVIDER=test\n", "OCF_RESKEY_ip=10.0.0.1\n", "OCF_CHECK_LEVEL=10\n",
		"OCF_RESKEY_CRM_meta_interval=10000\n", "OCF_RESKEY_CRM_meta_timeout=10000\n", "OCF_RESKEY_CRM_meta_name=monitor\n",
		"OCF_RESKEY_CRM_meta_notify_type=pre\n", "OCF_RESKEY_CRM_meta_globally_unique=false\n",
		"OCF_RESKEY_CRM_meta_on_node=alpha\n", "PATH=/run/paceline/tools:/usr/local/sbin:", "HA_SBIN_DIR=/run/paceline/tools\n",
		"PACELINE_SOCKET=/run/paceline/p.sock\n", "args=monitor\n", "\n/\n",
	} {
		if !strings.Contains("\n"+res.Output+"\n", want) {
			t.Errorf("missing %q in:\n%s", want, res.Output)
		}
	}
	for _, no := range []string{"bad=", "RESKEY_nul", inside(inherited)} {
		if strings.Contains(res.Output, no) {
			t.Errorf("%q has no place in:\n%s", no, res.Output)
		}
	}
	if n := strings.Count(res.Output, "->"); n != 4 { // 0, 1, 2, and the folder that ls reads
		t.Errorf("agent has %d open files, want 4:\n%s", n, res.Output)
	}
}

func inside(f *os.File) string { return fmt.Sprintf(" %d -> /dev/null", f.Fd()) }

func TestExitCodes(t *testing.T) {
	r := agents(t, map[string]string{"exit": `#!/bin/sh
echo "some noise" >&2
[ -n "$OCF_RESKEY_reason" ] && echo "ocf-exit-reason:$OCF_RESKEY_reason" >&2
[ -n "$OCF_RESKEY_kill" ] && kill -$OCF_RESKEY_kill $$
exit $OCF_RESKEY_code
`})
	for _, c := range []struct {
		params []string
		code   resources.ExitCode
		reason string
	}{
		{[]string{"code", "0", "reason", "ignored"}, 0, ""},
		{[]string{"code", "1", "reason", "disk is full"}, 1, "disk is full"},
		{[]string{"code", "1"}, 1, "some noise"},
		{[]string{"code", "7"}, 7, ""},
		{[]string{"code", "8"}, 8, "some noise"},
		{[]string{"code", "190", "reason", "half"}, 190, "half"},
		{[]string{"code", "42"}, 1, "agent exited with 42 in monitor, which is no OCF exit code: some noise"},
		{[]string{"code", "127"}, 1, "agent exited with 127 in monitor, which is no OCF exit code (a shell's word for: a command was not found): some noise"},
		{[]string{"kill", "9"}, 1, "agent was ended by signal 9 (SIGKILL) in monitor, by somebody else or for lack of memory"},
		{[]string{"kill", "11"}, 1, "agent was ended by signal 11 (SIGSEGV) in monitor"},
		{[]string{"code", "1", "reason", "user x, password swordfish", "password", "swordfish"}, 1, "user x, password ***"},
	} {
		if res := run(t, r, request("exit", "monitor", c.params...)); res.Code != c.code || res.Reason != c.reason {
			t.Errorf("%v: got %d %q, want %d %q", c.params, res.Code, res.Reason, c.code, c.reason)
		}
	}
}

func TestCannotRun(t *testing.T) {
	r := agents(t, map[string]string{
		"nointerp": "#!/nowhere/bash -e\nexit 0\n",
		"crlf":     "#!/bin/sh\r\nexit 0\r\n",
		"noexec":   "#!/bin/sh\nexit 0\n",
		"nobang":   "exit 0\n",
	})
	dir := filepath.Join(r.root, "resource.d", "test")
	if err := os.Chmod(filepath.Join(dir, "noexec"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]resources.Result{
		"absent":    {Code: 5, Reason: "agent ocf:test:absent is not installed: there is no " + dir + "/absent"},
		"nointerp":  {Code: 5, Reason: `agent ocf:test:nointerp cannot run: its interpreter "/nowhere/bash" is missing`},
		"crlf":      {Code: 5, Reason: `agent ocf:test:crlf cannot run: its interpreter "/bin/sh" is missing`},
		"noexec":    {Code: 5, Reason: "agent ocf:test:noexec cannot run: " + dir + "/noexec is not executable (mode 0644)"},
		"nobang":    {Code: 5, Reason: "agent ocf:test:nobang cannot run: " + dir + "/nobang is no program for this machine and has no #! line"},
		"folder":    {Code: 5, Reason: "agent ocf:test:folder is not installed: " + dir + "/folder is a folder"},
		"../../bin": {Code: 5, Reason: `"ocf:test:../../bin" is no name of an OCF agent`},
	} {
		if got := run(t, r, request(kind, "start")); got != want {
			t.Errorf("%s: got  %+v\nwant %+v", kind, got, want)
		}
	}
}

func TestOutputIsBounded(t *testing.T) {
	r := agents(t, map[string]string{
		"flood":  "#!/bin/sh\nhead -c 50000000 /dev/zero\nhead -c 20000000 /dev/urandom >&2\necho >&2\necho ocf-exit-reason:after the flood >&2\necho the end\nexit 1\n",
		"binary": "#!/bin/sh\nprintf 'a\\001\\377\\033[31mred\\nb\\n'\nexit 0\n",
	})
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	res := run(t, r, request("flood", "start"))
	runtime.ReadMemStats(&after)
	if res.Code != 1 || res.Reason != "after the flood" || res.Output == "" || len(res.Output) > resources.OutputMax {
		t.Errorf("got code %d, reason %q, %d bytes of output ending %q", res.Code, res.Reason, len(res.Output), res.Output[max(0, len(res.Output)-20):])
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2<<20 {
		t.Errorf("70 MB of output cost %d bytes of memory", grown)
	}
	if res := run(t, r, request("binary", "start")); res.Output != "a..\x2e[31mred\nb" {
		t.Errorf("binary output became %q", res.Output)
	}
}

// A hanging agent is ended with everything that it began, wherever that went.
func TestTimeOutKillsAll(t *testing.T) {
	r := agents(t, map[string]string{"hang": `#!/bin/bash
# one in a session of its own, orphaned; one that ignores TERM; one that forks on; one with a clean environment
(setsid sleep 551001 &) 
setsid bash -c 'trap "" TERM; sleep 551002' &
bash -c 'while :; do sleep 0.01551 & done' 2>/dev/null &
env -i sleep 551003 &
echo "waiting for the moon" >&2
echo ready >$OCF_RESKEY_ready
sleep 551004
`})
	ready := filepath.Join(t.TempDir(), "ready")
	req := request("hang", "start", "ready", ready)
	req.Timeout = 3 * time.Second // enough for a starved machine to come to "ready"
	began := time.Now()
	res := run(t, r, req)
	took := time.Since(began)
	if !res.TimedOut || res.Code != resources.GenericError || !strings.HasPrefix(res.Reason, "start timed out after 3s while running \"") ||
		!strings.HasSuffix(res.Reason, "its last words: waiting for the moon") {
		t.Errorf("got %+v", res)
	}
	if _, err := os.Stat(ready); err != nil {
		t.Fatal("the agent did not come far enough for this test to mean anything")
	}
	if took > 30*time.Second {
		t.Errorf("took %v", took)
	}
	ps, err := procfs.List()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range ps {
		if c := p.Command(100); strings.Contains(c, "sleep 55100") || strings.Contains(c, "sleep 0.01551") {
			t.Errorf("left behind: %d %s", p.PID, c)
		}
	}
}

// In a cgroup of its own an operation is ended also where it wiped all its traces: another session, no parent, no mark.
func TestCgroup(t *testing.T) {
	nstest.NeedRoot(t)
	base := nstest.Cgroup(t)
	r := agents(t, map[string]string{"hide": "#!/bin/bash\n(env -i setsid sleep 551006 &)\nsleep 0.1; echo ready >$OCF_RESKEY_ready\n[ $1 = start ] && sleep 551007\nexit 0\n"})
	var err error
	if r.groups, err = cgroup.NewParent(base, "op"); err != nil {
		t.Fatal(err)
	}
	ready := filepath.Join(t.TempDir(), "ready")
	req := request("hide", "start", "ready", ready)
	req.Timeout = 3 * time.Second // enough for a starved machine to come to "ready"
	if res := run(t, r, req); !res.TimedOut || !exists(ready) {
		t.Fatalf("got %+v", res)
	}
	if es, _ := filepath.Glob(base + "/op-*"); len(es) > 0 {
		t.Errorf("left behind: %v", es)
	}
	// What is left in the background on purpose keeps its cgroup, until it ends.
	req = request("hide", "monitor", "ready", ready)
	if res := run(t, r, req); res.Code != 0 {
		t.Fatalf("got %+v", res)
	}
	es, _ := filepath.Glob(base + "/op-*")
	if len(es) != 1 {
		t.Fatalf("cgroups are %v", es)
	}
	cgroup.Kill(es[0])
	for end := time.Now().Add(5 * time.Second); os.Remove(es[0]) != nil && time.Now().Before(end); {
		runtime.Gosched()
	}
}

// A server that an agent starts keeps our pipes open and lives on: the operation ends all the same.
func TestBackgroundKeepsPipes(t *testing.T) {
	r := agents(t, map[string]string{"server": "#!/bin/sh\necho starting\nsleep 551005 &\necho $! >$OCF_RESKEY_pidfile\necho started >&2\nexit 0\n"})
	pidfile := filepath.Join(t.TempDir(), "pid")
	began := time.Now()
	res := run(t, r, request("server", "start", "pidfile", pidfile))
	if res.Code != 0 || res.TimedOut || !strings.Contains(res.Output, "starting") || !strings.Contains(res.Output, "started") {
		t.Errorf("got %+v", res)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("took %v", took)
	}
	b, err := os.ReadFile(pidfile)
	if err != nil {
		t.Fatal(err)
	}
	var pid int
	fmt.Sscan(string(b), &pid)
	p, err := procfs.Stat(pid)
	if err != nil {
		t.Fatalf("the server did not live on: %v", err)
	}
	if _, err := (procfs.Tree{Root: p.ID}).Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The next daemon waits for an operation that the one before left running.
func TestEarlierDaemonsOperation(t *testing.T) {
	r := agents(t, map[string]string{"slow": "#!/bin/sh\n[ -p \"$OCF_RESKEY_gate\" ] && read x <$OCF_RESKEY_gate\necho $1 >>$OCF_RESKEY_log\n"})
	dir := t.TempDir()
	gate, log := filepath.Join(dir, "gate"), filepath.Join(dir, "log")
	if err := unix.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	first := make(chan resources.Result, 1)
	go func() { first <- run(t, r, request("slow", "start", "gate", gate, "log", log)) }()
	w, err := os.OpenFile(gate, os.O_WRONLY, 0) // opens when the agent reads: the start is under way
	if err != nil {
		t.Fatal(err)
	}
	next := New(Config{Root: r.root, Scratch: r.scratch, RunDir: filepath.Dir(r.notes.dir)})
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	res := next.Run(ctx, request("slow", "monitor", "log", log))
	if !res.TimedOut || !strings.Contains(res.Reason, "the start that an earlier daemon began did not end and was killed while running") {
		t.Errorf("got %+v", res)
	}
	if res := <-first; res.Code != resources.GenericError {
		t.Errorf("the killed start ended with %+v", res)
	}
	w.Close()
	if res := run(t, next, request("slow", "monitor", "log", log)); res.Code != 0 {
		t.Errorf("got %+v", res)
	}
	if b, _ := os.ReadFile(log); string(b) != "monitor\n" {
		t.Errorf("log is %q", b)
	}
}

// A daemon that was killed between the note and the process, or before it knew the process, leaves a note with a mark only.
func TestNoteWithoutProcess(t *testing.T) {
	r := agents(t, map[string]string{"note": "#!/bin/sh\nexit 0\n"})
	const mark = "PACELINE_OPERATION=r1/start/of-an-earlier-daemon"
	cmd := exec.Command("/bin/sleep", "551008")
	cmd.Env = []string{mark}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.notes.begin("r1", "start", mark)
	req := request("note", "monitor")
	req.Timeout = time.Second
	if res := run(t, r, req); !res.TimedOut || !strings.Contains(res.Reason,
		"the start that an earlier daemon began did not end and was killed while running \"/bin/sleep 551008") {
		t.Errorf("got %+v", res)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("the process was left to end by itself")
	}
	r.notes.begin("r2", "start", "PACELINE_OPERATION=r2/start/never-came-to-be")
	req = request("note", "monitor")
	req.Resource = "r2"
	if res := run(t, r, req); res.Code != resources.OK {
		t.Errorf("a note whose process never came to be: got %+v", res)
	}
}

// The note of an operation is there before its process.
func TestNoteComesFirst(t *testing.T) {
	r := agents(t, map[string]string{"look": "#!/bin/sh\ncat $OCF_RESKEY_note\n"})
	res := run(t, r, request("look", "start", "note", r.notes.file("r1")))
	var n note
	if err := json.Unmarshal([]byte(res.Output), &n); err != nil || n.Operation != "start" || !strings.HasPrefix(n.Mark, "PACELINE_OPERATION=r1/start/") {
		t.Errorf("the agent found the note %+v, %v", res, err)
	}
	if exists(r.notes.file("r1")) {
		t.Error("the note outlives the operation")
	}
}

func TestMetaData(t *testing.T) {
	doc := `<?xml version="1.0"?><resource-agent name="m" version="2"><version>1.1</version><parameters/><actions/></resource-agent>`
	r := agents(t, map[string]string{
		"m":    "#!/bin/sh\n[ $1 = meta-data ] || exit 3\necho noise >&2\necho '" + doc + "'\necho x >>" + t.TempDir() + "/count\n",
		"huge": "#!/bin/sh\necho '<resource-agent>'; head -c 3000000 /dev/zero\n",
		"bad":  "#!/bin/sh\necho ocf-exit-reason:no idea >&2; exit 1\n",
	})
	agent := func(s string) resources.Agent { return resources.Agent{Class: "ocf", Provider: "test", Type: s} }
	for range 2 {
		b, err := r.MetaData(t.Context(), agent("m"))
		if err != nil || string(bytes.TrimSpace(b)) != doc {
			t.Fatalf("got %q, %v", b, err)
		}
	}
	m, err := resources.Describe(t.Context(), r, agent("m"))
	if err != nil || m.Name != "m" || m.AgentVersion != "2" || m.OCFVersion != "1.1" {
		t.Errorf("got %+v, %v", m, err)
	}
	for kind, want := range map[string]string{
		"huge": "meta-data of ocf:test:huge: longer than 1048576 bytes",
		"bad":  "meta-data of ocf:test:bad: exit code 1: no idea",
		"none": "agent ocf:test:none is not installed: there is no " + r.root + "/resource.d/test/none",
	} {
		if _, err := r.MetaData(t.Context(), agent(kind)); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", kind, err, want)
		}
	}
	as, err := r.Agents(t.Context())
	if err != nil || len(as) != 3 || as[2] != agent("m") {
		t.Errorf("got %v, %v", as, err)
	}
}

func BenchmarkRun(b *testing.B) {
	r := agents(b, map[string]string{"true": "#!/bin/sh\nexit 0\n"})
	req := request("true", "monitor")
	for b.Loop() {
		if res := run(b, r, req); res.Code != 0 {
			b.Fatal(res)
		}
	}
}
