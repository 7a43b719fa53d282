package exec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"paceline/fencing"
)

// agents is a folder with agents written for a test.
type agents struct {
	t   *testing.T
	dir string
}

func newAgents(t *testing.T) agents { return agents{t, t.TempDir()} }

func (a agents) driver() *Driver { return New(Config{Path: []string{a.dir}}) }

// write makes an agent: its input is in the file input, its metadata has the parameters and actions.
func (a agents) write(name, parameters, actions, body string) {
	a.t.Helper()
	var meta strings.Builder
	for _, p := range strings.Fields(parameters) {
		fmt.Fprintf(&meta, `<parameter name="%s" required="0"/>`, p)
	}
	meta.WriteString("</parameters><actions>")
	for _, s := range strings.Fields(actions) {
		fmt.Fprintf(&meta, `<action name="%s"/>`, s)
	}
	script := fmt.Sprintf(`#!/bin/sh
cd %s
if [ "$1 $2" = "-o metadata" ]; then echo '<?xml version="1.0" ?><resource-agent name="x"><parameters>%s</actions></resource-agent>'; exit 0; fi
cat > now
action=$(sed -n 's/^action=//p' now)
[ "$action" = status ] || cp now input
echo "$action" >> actions
%s
`, a.dir, &meta, body)
	if err := os.WriteFile(filepath.Join(a.dir, name), []byte(script), 0o755); err != nil {
		a.t.Fatal(err)
	}
}

func (a agents) read(name string) string {
	b, err := os.ReadFile(filepath.Join(a.dir, name))
	if err != nil {
		a.t.Fatal(err)
	}
	return string(b)
}

func dev(agent string, params ...string) fencing.Device {
	d := fencing.Device{ID: "dev1", Agent: agent, Params: map[string]string{}}
	for i := 0; i < len(params); i += 2 {
		d.Params[params[i]] = params[i+1]
	}
	return d
}

// obeys makes an agent's status what its last action has done.
const obeys = `[ $action = status ] && [ "$(grep -v status actions | tail -n 1)" = off ] && exit 2; exit 0`

const allActions = "on off reboot status list monitor metadata"

func TestOptions(t *testing.T) {
	a := newAgents(t)
	a.write("fence_plug", "ip plug port", allActions, obeys)
	a.write("fence_port", "ip port", allActions, obeys)
	a.write("fence_single", "ip", allActions, obeys)
	os.WriteFile(filepath.Join(a.dir, "fence_silent"), []byte("#!/bin/sh\ncd "+a.dir+"; cat > input\n[ \"$1\" = -o ] && exit 1\nexit 0\n"), 0o755)
	for _, c := range []struct {
		name   string
		dev    fencing.Device
		action string
		target string
		want   string
	}{
		{"plug is preferred to port", dev("fence_plug", "ip", "192.0.2.1"), "off", "n1", "action=off ip=192.0.2.1 nodename=n1 plug=n1"},
		{"port where there is no plug", dev("fence_port"), "off", "n1", "action=off nodename=n1 port=n1"},
		{"neither", dev("fence_single"), "off", "n1", "action=off nodename=n1"},
		{"without meta-data it is port", dev("fence_silent"), "off", "n1", "action=off nodename=n1 port=n1"},
		{"host map", dev("fence_plug", "pcmk_host_map", "n1:7;n2:8,9"), "off", "n2", "action=off nodename=n2 plug=8,9"},
		{"a stated plug stays", dev("fence_plug", "plug", "5"), "off", "n1", "action=off nodename=n1 plug=5"},
		{"a stated port stays", dev("fence_plug", "port", "5"), "off", "n1", "action=off nodename=n1 port=5"},
		{"a dynamic plug does not", dev("fence_plug", "plug", "dynamic"), "off", "n1", "action=off nodename=n1 plug=n1"},
		{"host argument", dev("fence_plug", "pcmk_host_argument", "uuid"), "off", "n1", "action=off nodename=n1 uuid=n1"},
		{"no host argument", dev("fence_plug", "pcmk_host_argument", "none"), "off", "n1", "action=off nodename=n1"},
		{"pcmk parameters are not passed on", dev("fence_plug", "pcmk_delay_max", "5", "pcmk_off_action", "poweroff", "action", "reboot"), "off", "n1",
			"action=poweroff nodename=n1 plug=n1"},
		{"monitor has no target", dev("fence_plug", "ip", "192.0.2.1"), "monitor", "", "action=monitor ip=192.0.2.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := a.driver().Do(t.Context(), c.dev, c.action, c.target); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(strings.Fields(a.read("input")), " "); got != c.want {
				t.Errorf("input %q, want %q", got, c.want)
			}
		})
	}
	for name, d := range map[string]fencing.Device{
		"a value of two lines":  dev("fence_plug", "ip", "192.0.2.1\naction=on"),
		"a name with a newline": dev("fence_plug", "x\naction", "on"),
	} {
		if err := a.driver().Do(t.Context(), d, "off", "n1"); err == nil || !strings.Contains(err.Error(), "more than one line") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFailureIsToldInItsWords(t *testing.T) {
	a := newAgents(t)
	a.write("fence_fail", "plug passwd", allActions, `
echo "noise" >&2; echo "Login with s3cret failed" >&2; echo "Login with s3cret failed" >&2; echo >&2; echo "Unable to connect/login to fencing device" >&2; exit 1`)
	a.write("fence_stdout", "plug", allActions, `echo "says it here"; exit 7`)
	a.write("fence_killed", "plug", allActions, `kill -KILL $$`)
	for agent, want := range map[string]string{
		"fence_fail":   "fence_fail off: exit status 1: noise / Login with **** failed / Unable to connect/login to fencing device",
		"fence_stdout": "fence_stdout off: exit status 7: says it here",
		"fence_killed": "fence_killed off: the agent was ended by signal: killed",
	} {
		err := a.driver().Do(t.Context(), dev(agent, "passwd", "s3cret"), "off", "n1")
		if err == nil || err.Error() != want {
			t.Errorf("have %v\nwant %s", err, want)
		}
	}
	err := a.driver().Do(t.Context(), dev("fence_nowhere"), "off", "n1")
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "fence_nowhere is not installed (looked in "+a.dir) {
		t.Error(err)
	}
	for _, name := range []string{"", "../fence_fail", "/bin/sh", ".hidden", "a\x00b"} {
		if err := a.driver().Do(t.Context(), dev(name), "off", "n1"); err == nil || !strings.Contains(err.Error(), "no name of an agent") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestStatus(t *testing.T) {
	a := newAgents(t)
	a.write("fence_status", "plug", allActions, `case $(sed -n 's/^plug=//p' now) in on) exit 0;; off) exit 2;; esac; exit 1`)
	d := a.driver()
	if err := d.Do(t.Context(), dev("fence_status"), fencing.Status, "on"); err != nil {
		t.Error(err)
	}
	if err := d.Do(t.Context(), dev("fence_status"), fencing.Status, "off"); !errors.Is(err, fencing.ErrPowerOff) {
		t.Error(err)
	}
	if err := d.Do(t.Context(), dev("fence_status"), fencing.Status, "x"); err == nil || errors.Is(err, fencing.ErrPowerOff) {
		t.Error(err)
	}
	// Exit status 2 is an answer to status, and to nothing else.
	if err := d.Do(t.Context(), dev("fence_status"), fencing.Off, "off"); err == nil {
		t.Error("off was believed with exit status 2")
	}
}

// A device that says "done" and has the power on is not believed; one that cannot say afterwards is.
func TestOffIsVerified(t *testing.T) {
	a := newAgents(t)
	a.write("fence_honest", "plug", allActions, obeys)
	a.write("fence_lies", "plug", allActions, "exit 0")
	a.write("fence_blind", "plug", allActions, `[ $action = status ] && exit 1; exit 0`)
	a.write("fence_remapped", "plug", allActions, "exit 0")
	a.write("fence_asks_nothing", "plug", "on off monitor", `[ $action = status ] && exit 1; exit 0`)
	for agent, believed := range map[string]bool{"fence_honest": true, "fence_lies": false, "fence_blind": true, "fence_remapped": true, "fence_asks_nothing": true} {
		err := a.driver().Do(t.Context(), dev(agent, "pcmk_off_action", map[string]string{"fence_remapped": "reboot"}[agent]), fencing.Off, "n1")
		if (err == nil) != believed || err != nil && !strings.Contains(err.Error(), "the power is on") {
			t.Errorf("%s: %v", agent, err)
		}
	}
	if err := a.driver().Do(t.Context(), dev("fence_asks_nothing"), fencing.Status, "n1"); err != nil {
		t.Errorf("an agent without status is asked whether it answers: %v", err)
	}
}

func TestRebootWithoutReboot(t *testing.T) {
	a := newAgents(t)
	a.write("fence_offon", "plug", "on off status", obeys)
	a.write("fence_offonly", "plug", "off status", obeys)
	a.write("fence_nook", "plug", "on off", `[ $action = on ] && exit 1; exit 0`)
	a.write("fence_nooff", "plug", "on off", `[ $action = off ] && exit 1; exit 0`)
	var log bytes.Buffer
	d := New(Config{Path: []string{a.dir}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for agent, want := range map[string]string{"fence_offon": "off status on", "fence_offonly": "off status", "fence_nook": "off on", "fence_nooff": "!off"} {
		os.Remove(filepath.Join(a.dir, "actions"))
		err := d.Do(t.Context(), dev(agent), fencing.Reboot, "n1")
		got := strings.Join(strings.Fields(a.read("actions")), " ")
		if err != nil {
			got = "!" + got
		}
		if got != want {
			t.Errorf("%s: %q (%v), want %q", agent, got, err, want)
		}
	}
	if n := strings.Count(log.String(), "a fenced node stays off"); n != 2 {
		t.Errorf("log:\n%s", &log)
	}
	os.Remove(filepath.Join(a.dir, "actions"))
	if err := d.Do(t.Context(), dev("fence_offon", "pcmk_reboot_action", "off"), fencing.Reboot, "n1"); err != nil || a.read("actions") != "off\n" {
		t.Errorf("pcmk_reboot_action=off: %v, %q", err, a.read("actions"))
	}
}

func TestReaches(t *testing.T) {
	a := newAgents(t)
	a.write("fence_lists", "plug", allActions, `[ $action = list ] && printf 'n1,first\n  7 , blade 7\n'; exit 0`)
	a.write("fence_asked", "plug", "off on status", `case $(sed -n 's/^plug=//p' now) in n1) exit 0;; n2) exit 2;; esac; exit 1`)
	a.write("fence_dumb", "plug", "off on", "")
	for _, c := range []struct {
		dev    fencing.Device
		target string
		want   string // of the error
	}{
		{dev("fence_lists"), "n1", ""},
		{dev("fence_lists"), "FIRST", ""},
		{dev("fence_lists"), "n2", "the device does not list n2"},
		{dev("fence_lists", "pcmk_host_map", "n2:7", "pcmk_host_check", "dynamic-list"), "n2", ""},
		{dev("fence_asked"), "n1", ""},
		{dev("fence_asked"), "n2", ""},
		{dev("fence_asked"), "n3", "ask for the status of n3"},
		{dev("fence_asked", "pcmk_host_check", "dynamic-list"), "n3", "ask for the nodes that it reaches"},
		{dev("fence_dumb"), "n3", ""},
		{dev("fence_lists", "pcmk_host_check", "none"), "n9", ""},
	} {
		err := a.driver().Do(t.Context(), c.dev, fencing.List, c.target)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %v %s: %v, want %q", c.dev.Agent, c.dev.Params, c.target, err, c.want)
		}
	}
}

func TestNothingIsLeft(t *testing.T) {
	a := newAgents(t)
	// Children in the group, one in a session of its own, and one whose parents have gone.
	spawn := `
sleep 300 & echo $! >> pids
setsid sh -c 'echo $$ >> pids; exec sleep 300' &
(setsid sh -c '(echo $$ >> pids; exec sleep 300) >/dev/null 2>&1 &' ) 
while [ $(wc -l < pids) -lt 3 ]; do sleep 0.02; done
echo about to go on >&2
echo > ready
`
	a.write("fence_hang", "plug", allActions, spawn+"sleep 300")
	a.write("fence_done", "plug", "on off", spawn+"exit 0")
	a.write("fence_stubborn", "plug", allActions, "trap '' TERM INT HUP\n"+spawn+"while :; do sleep 1; done")
	for _, agent := range []string{"fence_hang", "fence_done", "fence_stubborn"} {
		t.Run(agent, func(t *testing.T) {
			os.Remove(filepath.Join(a.dir, "pids"))
			ready := filepath.Join(a.dir, "ready")
			os.Remove(ready)
			if err := syscall.Mkfifo(ready, 0o600); err != nil {
				t.Fatal(err)
			}
			pipe, err := os.OpenFile(ready, os.O_RDWR, 0) // also a writer, so that opening does not wait for one
			if err != nil {
				t.Fatal(err)
			}
			defer pipe.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var running sync.WaitGroup
			defer running.Wait()
			running.Go(func() {
				pipe.Read(make([]byte, 1)) // until the agent has begun all
				if agent != "fence_done" {
					cancel()
				}
			})
			err = a.driver().Do(ctx, dev(agent), fencing.Off, "n1")
			switch {
			case agent == "fence_done" && err != nil:
				t.Error(err)
			case agent == "fence_done":
			case !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "about to go on"):
				t.Errorf("the error should be the context's, with the agent's last words: %v", err)
			}
			pids := strings.Fields(a.read("pids"))
			if len(pids) < 3 {
				t.Fatalf("the agent began %d processes, want 3", len(pids))
			}
			for _, pid := range pids {
				if stat, err := os.ReadFile("/proc/" + pid + "/stat"); err == nil && !strings.Contains(string(stat), ") Z ") {
					t.Errorf("process %s is left: %s", pid, stat)
				}
			}
		})
	}
}

func TestTimeIsBounded(t *testing.T) {
	a := newAgents(t)
	a.write("fence_hang", "plug", allActions, "exec sleep 300")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	err := a.driver().Do(ctx, dev("fence_hang"), fencing.Off, "n1")
	if took := time.Since(began); !errors.Is(err, context.DeadlineExceeded) || took > 20*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestMegabytesAreBounded(t *testing.T) {
	a := newAgents(t)
	a.write("fence_loud", "plug", allActions, `head -c 30000000 /dev/zero | tr '\0' 'x' >&2; echo >&2; echo the end >&2; exit 1`)
	err := a.driver().Do(t.Context(), dev("fence_loud"), "off", "n1")
	if err == nil || len(err.Error()) > 2*reasonMax || !strings.HasSuffix(err.Error(), "the end") {
		t.Errorf("error of %d bytes: %.100v", len(fmt.Sprint(err)), err)
	}
	os.WriteFile(filepath.Join(a.dir, "fence_endless"), []byte("#!/bin/sh\nyes '<a>'\n"), 0o755)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := a.driver().MetaData(ctx, "fence_endless"); err == nil {
		t.Error("endless meta-data was accepted")
	}
}

func TestMetaDataIsAskedForOnce(t *testing.T) {
	a := newAgents(t)
	a.write("fence_once", "plug", "on off", "")
	path := filepath.Join(a.dir, "fence_once")
	script := strings.Replace(a.read("fence_once"), "\ncd ", "\necho >> "+a.dir+"/runs\ncd ", 1)
	os.WriteFile(path, []byte(script), 0o755)
	d := a.driver()
	for range 3 {
		if err := d.Do(t.Context(), dev("fence_once"), fencing.Off, "n1"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.read("runs")); n != 4 {
		t.Errorf("%d runs for three actions, want 4", n)
	}
	os.WriteFile(path, []byte(script+"\n# new\n"), 0o755)
	d.Do(t.Context(), dev("fence_once"), fencing.Off, "n1")
	if n := len(a.read("runs")); n != 6 {
		t.Errorf("%d runs after the agent changed, want 6", n)
	}
}

func TestParseMetaData(t *testing.T) {
	m, err := ParseMetaData([]byte(`warning: something
<?xml version="1.0"?><resource-agent name="f"><parameters><parameter name="port" required="1"/><parameter name="ip"/></parameters>
<actions><action name="off"/><action name="on" automatic="0"/><action name="off"/></actions></resource-agent>`))
	if err != nil || fmt.Sprint(m) != "{[ip port] [port] [off on]}" {
		t.Errorf("%v, %v", m, err)
	}
	for _, bad := range []string{"", "nonsense", "<resource-agent>", "<other/>", strings.Repeat("<a>", 20000)} {
		if _, err := ParseMetaData([]byte(bad)); err == nil {
			t.Errorf("accepted %.30q", bad)
		}
	}
}

func FuzzParseMetaData(f *testing.F) {
	f.Add([]byte(`<resource-agent><parameters><parameter name="port"/></parameters><actions><action name="off"/></actions></resource-agent>`))
	f.Fuzz(func(t *testing.T, raw []byte) { ParseMetaData(raw) })
}

func TestDebiansDummy(t *testing.T) {
	if _, err := os.Stat("/usr/sbin/fence_dummy"); err != nil {
		t.Skip("needs Debian's fence-agents: no /usr/sbin/fence_dummy")
	}
	file := filepath.Join(t.TempDir(), "status")
	d := New(Config{Path: []string{"/usr/sbin"}})
	dummy := dev("fence_dummy", "status_file", file, "pcmk_host_list", "n1")
	for _, step := range []struct {
		action string
		power  string
	}{{fencing.Monitor, ""}, {fencing.Off, "off"}, {fencing.On, "on"}, {fencing.Reboot, "on"}} {
		target := "n1"
		if step.action == fencing.Monitor {
			target = ""
		}
		if err := d.Do(t.Context(), dummy, step.action, target); err != nil {
			t.Fatalf("%s: %v", step.action, err)
		}
		if step.power == "" {
			continue
		}
		err := d.Do(t.Context(), dummy, fencing.Status, "n1")
		if (step.power == "off") != errors.Is(err, fencing.ErrPowerOff) {
			t.Errorf("after %s the status is %v", step.action, err)
		}
	}
	raw, err := d.MetaData(t.Context(), "fence_dummy")
	if err != nil || !bytes.Contains(raw, []byte("<resource-agent")) {
		t.Errorf("meta-data: %v", err)
	}
}

func TestAnAgentWithoutMetaDataIsNotAskedEachTime(t *testing.T) {
	a := newAgents(t)
	script := "#!/bin/sh\ncd " + a.dir + "\necho >> runs\n[ \"$1\" = -o ] && exit 1\nexit 0\n"
	os.WriteFile(filepath.Join(a.dir, "fence_mute"), []byte(script), 0o755)
	d := a.driver()
	for range 3 {
		if err := d.Do(t.Context(), dev("fence_mute"), fencing.Off, "n1"); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(a.read("runs")); n != 4 {
		t.Errorf("%d runs for three actions, want 4", n)
	}
}

func TestAgentsAreListed(t *testing.T) {
	a := newAgents(t)
	a.write("fence_b", "plug", allActions, "")
	a.write("fence_a", "plug", allActions, "")
	a.write("fence_virtd", "plug", allActions, "")
	os.WriteFile(filepath.Join(a.dir, "fence_text"), []byte("no program"), 0o644)
	if got := strings.Join(a.driver().Agents(), " "); got != "fence_a fence_b" {
		t.Errorf("agents %q, want fence_a fence_b", got)
	}
}
