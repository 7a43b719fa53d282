package mount

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"paceline/resources"
	"paceline/resources/nstest"
	"paceline/resources/procfs"

	"golang.org/x/sys/unix"
)

func TestMain(m *testing.M) { os.Exit(nstest.Main(m)) }

func request(params ...string) resources.Request {
	req := resources.Request{Agent: Agent, Resource: "fs", Timeout: 10 * time.Second, Params: map[string]string{}}
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

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder makes a place to mount on, and clears it in the end.
func folder(t testing.TB) string {
	nstest.Need(t)
	dir := filepath.Join(t.TempDir(), "a folder", "mnt")
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return dir
}

func TestTmpfs(t *testing.T) {
	dir := folder(t)
	r := New(Config{})
	req := request("device", "tmpfs", "directory", dir, "fstype", "tmpfs", "options", "size=1m,noexec,mode=0700")
	run(t, r, req, "monitor", 7)
	run(t, r, req, "stop", 0)
	run(t, r, req, "start", 0)
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	all, err := table("self")
	must(t, err)
	if es := at(all, dir); len(es) != 1 || es[0].fstype != "tmpfs" || !hasOption(es[0].options, "noexec") || !hasOption(es[0].super, "size=1024k") {
		t.Errorf("mounted: %+v", es)
	}
	// What others mounted inside, and on top, goes as well.
	must(t, os.MkdirAll(dir+"/sub/deep", 0o755))
	must(t, unix.Mount("tmpfs", dir+"/sub", "tmpfs", 0, ""))
	must(t, os.Mkdir(dir+"/sub/deep", 0o755))
	must(t, unix.Mount("tmpfs", dir+"/sub/deep", "tmpfs", 0, ""))
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	run(t, r, req, "stop", 0)
	run(t, r, req, "stop", 0)
	run(t, r, req, "monitor", 7)
	all, err = table("self")
	must(t, err)
	if es := append(below(all, dir), at(all, dir)...); len(es) > 0 {
		t.Errorf("left behind: %v", es)
	}
}

func TestBind(t *testing.T) {
	dir := folder(t)
	from := t.TempDir()
	r := New(Config{})
	req := request("device", from, "directory", dir, "options", "bind,ro")
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	if err := os.WriteFile(dir+"/x", nil, 0o644); !errors.Is(err, unix.EROFS) {
		t.Errorf("writing to a read-only bind: %v", err)
	}
	other := request("device", t.TempDir(), "directory", dir, "options", "bind")
	if res := run(t, r, other, "start", 1); !strings.Contains(res.Reason, dir+" has "+from+" of device") {
		t.Errorf("got %q", res.Reason)
	}
	run(t, r, other, "monitor", 1)
	run(t, r, req, "stop", 0)
	run(t, r, req, "monitor", 7)
}

// busy begins a process that uses the folder, and waits until it does.
func busy(t *testing.T, dir, script string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/bash", "-c", script+"; echo ready; read x <&3")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), "D="+dir)
	block, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { w.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	cmd.ExtraFiles = []*os.File{block}
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	block.Close()
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "ready\n" {
		t.Fatalf("the busy process said %q, %v", line, err)
	}
	return cmd
}

func TestBusy(t *testing.T) {
	for _, c := range []struct {
		name, script, force, how string
		fails                    bool
	}{
		{"working directory", `cd "$D"`, "no", "its working directory", true},
		{"open file", `exec 4>"$D/file"; rm "$D/file"`, "no", "open file", true},
		{"program", `cp /bin/sleep "$D/prog"; "$D/prog" 1000 & while [ "$(readlink /proc/$!/exe)" != "$D/prog" ]; do :; done`, "no", "its program", true},
		{"obeys TERM", `cd "$D"`, "safe", "", false},
		{"ignores TERM", `trap '' TERM; cd "$D"`, "yes", "", false},
		{"ignores TERM, not to be killed", `trap '' TERM; cd "$D"`, "safe", "its working directory", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			r := New(Config{})
			req := request("device", "tmpfs", "directory", dir, "force_unmount", c.force)
			run(t, r, req, "start", 0)
			cmd := busy(t, dir, c.script)
			bystander := busy(t, dir, "cd /") // must live
			// A stop that fails uses up its time; half of it is for those that ignore SIGTERM.
			req.Timeout = 12 * time.Second
			if c.fails {
				req.Timeout = 4 * time.Second
				res := run(t, r, req, "stop", 1)
				if !strings.Contains(res.Reason, "in use by ") || !strings.Contains(res.Reason, c.how) {
					t.Errorf("got %q", res.Reason)
				}
				if c.name != "program" && cmd.Process.Signal(syscall.Signal(0)) != nil {
					t.Error("the process was ended")
				}
				run(t, r, req, "monitor", 0)
			} else {
				run(t, r, req, "stop", 0)
				run(t, r, req, "monitor", 7)
			}
			if bystander.Process.Signal(syscall.Signal(0)) != nil {
				t.Error("a bystander was ended")
			}
			for _, kid := range children(cmd.Process.Pid) { // of the one with a program on the mount
				_ = syscall.Kill(kid, syscall.SIGKILL)
			}
		})
	}
}

func children(pid int) (out []int) {
	ps, _ := procfs.List()
	for _, p := range ps {
		if p.Parent == pid {
			out = append(out, p.PID)
		}
	}
	return out
}

func TestWatch(t *testing.T) {
	dir := folder(t)
	r := New(Config{})
	req := request("device", "tmpfs", "directory", dir)
	for range 5 {
		run(t, r, req, "start", 0)
		why := make(chan string, 64)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- r.Watch(ctx, req, func(s string) { why <- s }) }()
		other := t.TempDir()
		must(t, unix.Mount("tmpfs", other, "tmpfs", 0, "")) // a change that is nothing to us
		t.Cleanup(func() { _ = unix.Unmount(other, unix.MNT_DETACH) })
		began := time.Now()
		must(t, unix.Unmount(dir, 0))
		select {
		case got := <-why:
			if want := dir + " is not mounted"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the loss was not seen")
		}
		t.Logf("seen after %v", time.Since(began))
		cancel()
		if err := <-ended; err != context.Canceled {
			t.Errorf("watch ended with %v", err)
		}
	}
}

// A file system that the kernel turned read-only is a failure, but not for a probe, which asks only whether it is there.
func TestReadOnly(t *testing.T) {
	dir := folder(t)
	r := New(Config{})
	req := request("device", "tmpfs", "directory", dir)
	run(t, r, req, "start", 0)
	must(t, unix.Mount("none", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")) // as after an error
	run(t, r, req, "monitor", 0)
	req.Interval = time.Second
	if res := run(t, r, req, "monitor", 1); !strings.HasPrefix(res.Reason, dir+" has become read-only") {
		t.Errorf("got %q", res.Reason)
	}
	run(t, r, req, "stop", 0)
}

// A device that fails under a mounted file system: the kernel gives the file system up, the mount stays, and its monitor says so. A
// restart mounts it again once the device works.
func TestDeviceFails(t *testing.T) {
	nstest.NeedRoot(t)
	for _, kind := range []string{"ext4", "xfs"} {
		t.Run(kind, func(t *testing.T) {
			dev := loopOf(t, t.TempDir(), kind)
			dir := folder(t)
			r := New(Config{})
			r.table.keep = 0
			req := request("device", dev, "directory", dir)
			req.Interval = time.Second
			run(t, r, req, "start", 0)
			run(t, r, req, "monitor", 0)
			must(t, nstest.ShutDown(dir))
			want := dir + " is shut down: the kernel met an error on " + dev + ", and reads and writes nothing of it any more"
			if res := run(t, r, req, "monitor", 1); res.Reason != want {
				t.Errorf("got %q, want %q", res.Reason, want)
			}
			run(t, r, req, "stop", 0)
			run(t, r, req, "start", 0)
			run(t, r, req, "monitor", 0)
			run(t, r, req, "stop", 0)
		})
	}
}

// The device takes no writes any more: the kernel makes the file system read-only.
func TestDeviceTakesNoWrites(t *testing.T) {
	nstest.NeedRoot(t)
	store := folder(t) // in which the image, full of holes, does not fit
	must(t, os.MkdirAll(store, 0o755))
	must(t, unix.Mount("tmpfs", store, "tmpfs", 0, "size=8m"))
	dev := loopOf(t, store, "ext4")
	dir := folder(t)
	r := New(Config{})
	r.table.keep = 0
	req := request("device", dev, "directory", dir)
	req.Interval = time.Second
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	must(t, os.WriteFile(dir+"/large", make([]byte, 12<<20), 0o644))
	for i := range 100 { // the journal itself has to fail, not only the file
		f, err := os.Create(fmt.Sprint(dir, "/", i))
		if err != nil {
			break
		}
		_ = f.Sync()
		f.Close()
	}
	res := run(t, r, req, "monitor", 1)
	if want := dir + " has become read-only: the kernel met an error on " + dev; res.Reason != want {
		t.Errorf("got %q, want %q", res.Reason, want)
	}
	run(t, r, req, "stop", 0)
}

// A device that the kernel does not have any more, as after it was pulled out.
func TestPulled(t *testing.T) {
	gone := entry{device: "4095:77", source: "/dev/usb-pulled", point: "/srv", fstype: "ext4"}
	if why, err := (settings{}).broken(&view{}, gone); err != nil || why != "the device /dev/usb-pulled of /srv is gone from this node" {
		t.Errorf("got %q, %v", why, err)
	}
	all, err := table("self")
	must(t, err)
	for _, e := range all {
		if e.pulled() {
			t.Errorf("%+v is said to be pulled", e)
		}
	}
}

func TestBlockDevice(t *testing.T) {
	nstest.NeedRoot(t)
	dev := loop(t)
	dir := folder(t)
	r := New(Config{})
	req := request("device", dev, "directory", dir, "options", "noatime")
	run(t, r, req, "start", 0)
	run(t, r, req, "monitor", 0)
	must(t, os.WriteFile(dir+"/kept", []byte("x"), 0o644))
	run(t, r, req, "stop", 0)
	run(t, r, req, "start", 0)
	if b, err := os.ReadFile(dir + "/kept"); err != nil || string(b) != "x" {
		t.Errorf("the file is %q, %v", b, err)
	}
	// Somebody else's mount namespace holds on to it: not stopped.
	holder := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", "echo; read x")
	hold, err := holder.StdinPipe()
	must(t, err)
	out, err := holder.StdoutPipe()
	must(t, err)
	must(t, holder.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	res := run(t, r, req, "stop", 1)
	if !strings.HasPrefix(res.Reason, dev+" is unmounted here, but in use in the mount namespace of ") {
		t.Errorf("got %q", res.Reason)
	}
	hold.Close()
	_ = holder.Wait()
	run(t, r, req, "stop", 0)
	res = run(t, r, request("device", dev, "directory", dir, "fstype", "xfs"), "start", 1)
	if !strings.Contains(res.Reason, "the kernel finds no such file system on it, or refuses an option") {
		t.Errorf("got %q", res.Reason)
	}
}

// A device is found by what its file system is called, also where no udev makes links for it.
func TestLabelAndUUID(t *testing.T) {
	nstest.NeedRoot(t)
	dev := loop(t)
	label, uuid := fmt.Sprintf("pl a/b %d", os.Getpid()%100_000), "6fe7b2d4-94f5-4c5c-8f9e-"+fmt.Sprintf("%012x", os.Getpid())
	if out, err := exec.Command("tune2fs", "-L", label, "-U", uuid, dev).CombinedOutput(); err != nil {
		t.Fatalf("tune2fs: %v: %s", err, out)
	}
	dir := folder(t)
	r := New(Config{})
	for _, name := range []string{"LABEL=" + label, "UUID=" + uuid, "UUID=" + strings.ToUpper(uuid)} {
		req := request("device", name, "directory", dir, "fstype", "ext4")
		run(t, r, req, "start", 0)
		run(t, r, req, "monitor", 0)
		run(t, r, request("device", dev, "directory", dir), "monitor", 0)
		run(t, r, req, "stop", 0)
	}
	res := run(t, r, request("device", "LABEL=nobody has it", "directory", dir, "fstype", "ext4"), "start", 5)
	if res.Reason != "device LABEL=nobody has it is not on this node" {
		t.Errorf("got %q", res.Reason)
	}
}

// A file system is checked before it is mounted, if that is wanted: what may be repaired is, and what needs a person is left to one.
func TestCheckBeforeMount(t *testing.T) {
	nstest.NeedRoot(t)
	for _, tool := range []string{"fsck.ext4", "debugfs"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip("needs e2fsprogs: ", err)
		}
	}
	dev := loop(t)
	dir := folder(t)
	r := New(Config{})
	req := request("device", dev, "directory", dir, "fsck", "yes")
	run(t, r, req, "start", 0)
	must(t, os.WriteFile(dir+"/x", nil, 0o644))
	run(t, r, req, "stop", 0)
	spoil := func(request string) {
		t.Helper()
		if out, err := exec.Command("debugfs", "-w", "-R", request, dev).CombinedOutput(); err != nil {
			t.Fatalf("debugfs: %v: %s", err, out)
		}
	}
	state := func() string {
		t.Helper()
		out, err := exec.Command("dumpe2fs", "-h", dev).Output()
		must(t, err)
		return string(out)
	}
	spoil("set_super_value state 2") // it is said to have errors
	run(t, r, req, "start", 0)
	run(t, r, req, "stop", 0)
	if !strings.Contains(state(), "Filesystem state:         clean") {
		t.Errorf("it was not checked:\n%s", state())
	}
	spoil("set_inode_field x block[IND] 99999999")
	spoil("set_inode_field x mode 0177777")
	spoil("set_super_value state 2")
	res := run(t, r, req, "start", 1)
	if !strings.HasPrefix(res.Reason, dev+" has errors that its check may not repair by itself (exit status 4): ") || !strings.HasSuffix(res.Reason, "; let a person run fsck.ext4 "+dev) {
		t.Errorf("got %q", res.Reason)
	}
	run(t, r, req, "monitor", 7)
}

// loop makes a block device with an ext4 file system.
func loop(t testing.TB) string { return loopOf(t, t.TempDir(), "ext4") }

// loopOf makes a block device with a file system, in an image in store.
func loopOf(t testing.TB, store, kind string) string {
	t.Helper()
	if _, err := exec.LookPath("mkfs." + kind); err != nil {
		t.Skipf("needs mkfs.%s", kind)
	}
	file := filepath.Join(store, "image")
	must(t, os.WriteFile(file, nil, 0o600))
	must(t, os.Truncate(file, map[string]int64{"ext4": 16 << 20, "xfs": 300 << 20}[kind]))
	if out, err := exec.Command("mkfs."+kind, "-q", file).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.%s: %v: %s", kind, err, out)
	}
	out, err := exec.Command("losetup", "--find", "--show", file).CombinedOutput()
	if err != nil {
		t.Skipf("needs a loop device: %s", out)
	}
	dev := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", dev).Run() })
	return dev
}

func TestBadParameters(t *testing.T) {
	dir := folder(t)
	r := New(Config{})
	for _, c := range []struct {
		params []string
		code   resources.ExitCode
		reason string
	}{
		{[]string{"directory", dir}, 6, "parameter device: is required and not set"},
		{[]string{"device", "tmpfs", "directory", "here"}, 6, `parameter directory: "here" is not an absolute path`},
		{[]string{"device", "tmpfs", "directory", "/./"}, 6, `parameter directory: "/" is where the system itself is`},
		{[]string{"device", "x", "directory", dir, "options", "bind"}, 6, `parameter device: "x" is not the absolute path of a folder to bind`},
		{[]string{"device", "tmpfs", "directory", dir, "force_unmount", "maybe"}, 6, `parameter force_unmount: "maybe" is not one of yes, safe, no`},
		{[]string{"device", "/nowhere", "directory", dir, "options", "bind"}, 2, "there is no /nowhere to bind on this node"},
		{[]string{"device", "/dev/nowhere", "directory", dir}, 5, "device /dev/nowhere is not on this node"},
		{[]string{"device", "LABEL=no such", "directory", dir}, 5, "device LABEL=no such is not on this node"},
		{[]string{"device", "/tmp", "directory", dir, "fstype", "ext4"}, 2, "/tmp is no block device (to mount a folder, set option bind)"},
		{[]string{"device", "/dev/null", "directory", dir, "fstype", "ext4"}, 2, "/dev/null is no block device (to mount a folder, set option bind)"},
		{[]string{"device", "none", "directory", dir, "fstype", "nosuchfs"}, 5, "mount none on " + dir + ` as nosuchfs: this kernel knows no file system "nosuchfs"`},
		{
			[]string{"device", "tmpfs", "directory", dir, "options", "nonsense"}, 1,
			"mount tmpfs on " + dir + ` as tmpfs: the kernel finds no such file system on it, or refuses an option (options are "nonsense")`,
		},
	} {
		if res := run(t, r, request(c.params...), "start", c.code); res.Reason != c.reason {
			t.Errorf("%v: got %q, want %q", c.params, res.Reason, c.reason)
		}
		run(t, r, request(c.params...), "stop", 0) // a stop that fails costs the node
	}
	// What was mounted with good parameters is unmounted with bad ones as well.
	run(t, r, request("device", "tmpfs", "directory", dir), "start", 0)
	run(t, r, request("device", "tmpfs", "directory", dir, "force_unmount", "maybe"), "stop", 0)
	run(t, r, request("device", "tmpfs", "directory", dir), "monitor", 7)
}

func TestOptions(t *testing.T) {
	for in, want := range map[string]options{
		"":                                   {},
		"defaults":                           {},
		"ro,noexec,nosuid":                   {flags: unix.MS_RDONLY | unix.MS_NOEXEC | unix.MS_NOSUID},
		"ro,rw":                              {},
		"noauto,_netdev,x-systemd.automount": {},
		"data=ordered,ro,discard":            {flags: unix.MS_RDONLY, data: "data=ordered,discard"},
		"vers=4.1,addr=10.0.0.1,soft":        {data: "vers=4.1,addr=10.0.0.1,soft"},
	} {
		if got := parseOptions(in); got.flags != want.flags || got.data != want.data {
			t.Errorf("%q: got %+v, want %+v", in, got, want)
		}
	}
	s := settings{device: "[fd00::1]:/export", fstype: "nfs", options: parseOptions("soft")}
	must(t, s.address(t.Context()))
	if want := "soft,addr=fd00::1,vers=4.2"; s.options.data != want {
		t.Errorf("nfs data is %q, want %q", s.options.data, want)
	}
	if got, want := (settings{device: `LABEL=my data/1`}).source(), `/dev/disk/by-label/my\x20data\x2f1`; got != want {
		t.Errorf("label is at %q, want %q", got, want)
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte(`36 35 98:0 /mnt1 /mnt\0402 rw,noatime master:1 - ext3 /dev/root rw,errors=continue` + "\n"))
	f.Fuzz(func(t *testing.T, b []byte) { parseTable(b) })
}

func BenchmarkStartStop(b *testing.B) {
	dir := folder(b)
	r := New(Config{})
	req := request("device", "tmpfs", "directory", dir)
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
	dir := folder(b)
	r := New(Config{})
	req := request("device", "tmpfs", "directory", dir)
	run(b, r, req, "start", 0)
	for b.Loop() {
		run(b, r, req, "monitor", 0)
	}
	run(b, r, req, "stop", 0)
}

// The table is read anew when it has changed, however that came to be, and only then.
func TestView(t *testing.T) {
	dir := folder(t)
	must(t, os.MkdirAll(dir, 0o755))
	var v view
	look := func() *snapshot {
		t.Helper()
		s, err := v.now()
		must(t, err)
		return s
	}
	first := look()
	if len(first.all) == 0 || len(first.at[dir]) != 0 {
		t.Fatalf("the table is %+v", first)
	}
	if look() != first {
		t.Error("it was read again without a change")
	}
	must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, ""))
	if on := look().at[dir]; len(on) != 1 || on[0].fstype != "tmpfs" {
		t.Errorf("after the mount: %+v", on)
	}
	must(t, unix.Mount("none", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	on := look().at[dir]
	if m, super := on[0].readOnly(); !m || !super {
		t.Errorf("after the remount: %+v", on)
	}
	if why, err := (settings{}).broken(&v, on[0]); err != nil || why != dir+" has become read-only: the kernel met an error on tmpfs" {
		t.Errorf("got %q, %v", why, err)
	}
	must(t, unix.Unmount(dir, 0))
	if on := look().at[dir]; len(on) != 0 {
		t.Errorf("after the unmount: %+v", on)
	}
}
