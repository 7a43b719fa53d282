package exec

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paceline/fencing"
)

// installed is where Debian's fence-agents are.
const installed = "/usr/sbin"

// Every agent of Debian's fence-agents that is installed says what it is, and what we would pass on its standard input to fence a node is what it
// says that it takes: every option by a name that it has, the node by plug or port, an action that it has.
func TestEveryInstalledAgentTakesWhatWeSay(t *testing.T) {
	d := New(Config{Path: []string{installed}})
	agents := d.Agents()
	if len(agents) == 0 {
		t.Skip("needs Debian's fence-agents: no fence_* in " + installed)
	}
	if testing.Short() {
		t.Skip("asking every agent takes a while: left out with -short")
	}
	var mu sync.Mutex
	read, without := 0, []string{}
	var all sync.WaitGroup
	next := make(chan string)
	for range 2 {
		all.Go(func() {
			for agent := range next {
				raw, err := d.MetaData(t.Context(), agent)
				mu.Lock()
				if err != nil {
					// One whose libraries are not installed cannot say anything; it could not fence either.
					without = append(without, fmt.Sprintf("%s: %v", agent, err))
					mu.Unlock()
					continue
				}
				read++
				mu.Unlock()
				takes(t, agent, raw)
			}
		})
	}
	for _, agent := range agents {
		next <- agent
	}
	close(next)
	all.Wait()
	for _, text := range without {
		t.Log("says nothing of itself: ", text)
	}
	t.Logf("%d of %d agents read", read, len(agents))
	if read*2 < len(agents) {
		t.Errorf("only %d of %d agents could be read", read, len(agents))
	}
}

// takes checks one agent against its own meta-data.
func takes(t *testing.T, agent string, raw []byte) {
	m, err := ParseMetaData(raw)
	if err != nil || len(m.Parameters) == 0 || len(m.Actions) == 0 {
		t.Errorf("%s: %+v, %v", agent, m, err)
		return
	}
	// A device with a value for every parameter that the agent wants, and some that all of the family know.
	d := fencing.Device{ID: "d", Agent: agent, Params: map[string]string{"pcmk_host_list": "n1", "pcmk_delay_max": "3"}, Actions: m.Actions}
	for _, p := range m.Required {
		if p != "plug" && p != "port" && p != "action" {
			d.Params[p] = "x"
		}
	}
	if !slices.Contains(m.Actions, fencing.Monitor) && !slices.Contains(m.Actions, fencing.Status) {
		t.Errorf("%s: it can be watched in no way: %v", agent, m.Actions)
	}
	if !slices.Contains(m.Actions, fencing.Off) && !slices.Contains(m.Actions, fencing.Reboot) {
		t.Errorf("%s: it fences in no way: %v", agent, m.Actions)
	}
	for _, action := range []string{fencing.Off, fencing.Reboot, fencing.On, fencing.Status, fencing.Monitor} {
		if !slices.Contains(m.Actions, action) {
			continue
		}
		target := "n1"
		if action == fencing.Monitor {
			target = ""
		}
		input, err := options(d, m, true, action, target)
		if err != nil {
			t.Errorf("%s %s: %v", agent, action, err)
			continue
		}
		named := false
		for line := range bytes.Lines(input) {
			name, value, ok := strings.Cut(strings.TrimSuffix(string(line), "\n"), "=")
			switch {
			case !ok || strings.HasPrefix(name, "pcmk_"):
				t.Errorf("%s %s: line %q", agent, action, line)
			case name == "action" && value != action:
				t.Errorf("%s: %s is asked for as %s", agent, action, value)
			case name == "action" || name == "nodename": // every agent of the family is told these
			case !slices.Contains(m.Parameters, name):
				t.Errorf("%s %s: it has no option %q", agent, action, name)
			case (name == "plug" || name == "port") && value == "n1":
				named = true
			}
		}
		has := slices.Contains(m.Parameters, "plug") || slices.Contains(m.Parameters, "port")
		if target != "" && has && !named {
			t.Errorf("%s %s: it is not told which node:\n%s", agent, action, input)
		}
	}
}

// bmc starts a simulated management controller on the loopback, with one machine, and returns its port and the file with its power.
func bmc(t *testing.T) (port int, power string) {
	t.Helper()
	for _, program := range []string{"ipmi_sim", "ipmitool", installed + "/fence_ipmilan"} {
		if _, err := osexec.LookPath(program); err != nil {
			t.Skipf("needs Debian's openipmi, ipmitool and fence-agents: %v", err)
		}
	}
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.LocalAddr().(*net.UDPAddr).Port
	l.Close()
	dir := t.TempDir()
	power = filepath.Join(dir, "power")
	files := map[string]string{
		"lan.conf": fmt.Sprintf(`name "sim"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 %d
    priv_limit admin
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "%s 0x20"
  user 1 true "" "test" user 10 none md2 md5 straight
  user 2 true "operator" "s3cret" admin 10 none md2 md5 straight
`, port, filepath.Join(dir, "chassis")),
		"commands": "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr\nmc_enable 0x20\n",
		"power":    "1\n",
		"chassis": `#!/bin/sh
cd ` + dir + `
op=$2; shift 2
case $op in
get) for x; do case $x in power) echo "power:$(cat power)";; *) echo "$x:0";; esac; done;;
set) while [ $# -gt 1 ]; do [ $1 = power ] && [ ! -e stuck ] && echo $2 > power; shift 2; done;;
esac
exit 0
`,
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	sim := osexec.Command("ipmi_sim", "-c", filepath.Join(dir, "lan.conf"), "-f", filepath.Join(dir, "commands"), "-n", "-s", dir)
	if err := sim.Start(); err != nil {
		t.Skipf("the simulated controller does not start: %v", err)
	}
	t.Cleanup(func() {
		sim.Process.Kill()
		sim.Wait()
	})
	return port, power
}

// fence_ipmilan against a simulated controller: it fences in truth, and one that says yes and does nothing is not believed.
func TestSimulatedController(t *testing.T) {
	port, power := bmc(t)
	d := New(Config{Path: []string{installed}})
	node := dev("fence_ipmilan", "ip", "127.0.0.1", "ipport", fmt.Sprint(port), "username", "operator", "password", "s3cret", "lanplus", "1", "cipher", "3")
	is := func() string {
		b, err := os.ReadFile(power)
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(b))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	// The controller takes a moment to listen, and says so to nobody.
	for d.Do(ctx, node, fencing.Monitor, "") != nil && ctx.Err() == nil {
	}
	for _, step := range []struct{ action, power string }{{fencing.Off, "0"}, {fencing.On, "1"}, {fencing.Reboot, "1"}} {
		if err := d.Do(ctx, node, step.action, "n1"); err != nil || is() != step.power {
			t.Fatalf("%s: %v, power %s", step.action, err, is())
		}
	}
	wrong := dev("fence_ipmilan", "ip", "127.0.0.1", "ipport", fmt.Sprint(port), "username", "operator", "password", "wr0ng", "lanplus", "1", "cipher", "3")
	if err := d.Do(ctx, wrong, fencing.Off, "n1"); err == nil || is() != "1" || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("a wrong password: %v", err)
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(power), "stuck"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	node.Params["power_timeout"] = "2"
	if err := d.Do(ctx, node, fencing.Off, "n1"); err == nil || is() != "1" {
		t.Errorf("a controller that says yes and does nothing: %v", err)
	}
}

// Nobody answers at the other end: the agent's own words are told, in time, and nothing is believed.
func TestRealAgents(t *testing.T) {
	d := New(Config{Path: []string{installed}})
	for agent, params := range map[string][]string{
		"fence_apc":     {"ip", "127.0.0.1", "ipport", "1", "username", "u", "password", "s3cret", "login_timeout", "1", "shell_timeout", "1"},
		"fence_redfish": {"ip", "127.0.0.1", "ipport", "1", "username", "u", "password", "s3cret", "systems_uri", "/s", "login_timeout", "1"},
		"fence_sbd":     {"devices", "/nonexistent/disk"},
	} {
		t.Run(agent, func(t *testing.T) {
			if _, err := os.Stat(installed + "/" + agent); err != nil {
				t.Skip("not installed")
			}
			err := d.Do(t.Context(), dev(agent, params...), fencing.Off, "n1")
			if err == nil || strings.Contains(err.Error(), "s3cret") || !strings.Contains(err.Error(), agent) {
				t.Errorf("%v", err)
			}
		})
	}
}
