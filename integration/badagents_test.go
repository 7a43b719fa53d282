package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// badAgents are agents with one mistake each. The working ones have a service that is a file.
var badAgents = map[string]string{
	// Its start leaves processes behind in all the ways that there are, and hangs.
	"forks": "#!/bin/bash\ncase $1 in start) ;; monitor) exit 7;; stop) exit 0;; *) exit 3;; esac\n" +
		"(env -i setsid sleep 987001 </dev/null >/dev/null 2>&1 &)\nsetsid sleep 987001 &\nsleep 987001\n",
	"binary": "#!/bin/sh\ncase $1 in monitor) exit 7;; stop) exit 0;; esac\nhead -c 3000000 /dev/urandom\nhead -c 3000000 /dev/urandom >&2\n" +
		"printf '\\nocf-exit-reason:the disk \\033[31mis\\001\\377 lost\\n' >&2\nexit 1\n",
	"vanishes": strings.Replace(broken, "start) touch $run;;", "start) touch $run; mv $0 $0.gone;;", 1),
	"rambles":  strings.Replace(broken, "case $1 in", "case $1 in\nmeta-data) echo '<resource-agent name=\"x\"><parameters>'; exit 0;;", 1),
	"orphan":   "#!/opt/no/such/shell\n",
}

const badConfiguration = `property stonith-enabled=false
rsc_defaults failure-backoff=0
primitive good systemd:good op monitor interval=1h
primitive found systemd:found op monitor interval=1h
primitive idle systemd:idle op monitor interval=1h op monitor interval=1s role=Stopped meta target-role=Stopped
primitive forks ocf:lab:forks op start timeout=2s
primitive binary ocf:lab:binary
primitive vanishes ocf:lab:vanishes op monitor interval=1s meta target-role=Stopped
primitive rambles ocf:lab:rambles op monitor interval=10s
primitive orphan ocf:lab:orphan
primitive noexec ocf:lab:noexec
primitive flaps systemd:flaps op monitor interval=1h meta migration-threshold=3
primitive masked systemd:masked
primitive nofile systemd:no-such-unit
primitive wrong systemd:wrong
primitive nodevice ocf:paceline:mount params device=/dev/disk/by-id/usb-pulled directory=/mnt/usb fstype=ext4
primitive store ocf:paceline:mount params device=DEVICE directory=/mnt/store op monitor interval=1s
primitive foreign ocf:paceline:vip params ip=10.77.0.201 cidr_netmask=24
`

// Everything that can be wrong with agents, units, devices and addresses: each has its own words in the status, and none keeps the others
// from running.
func TestBadAgentsAndUnits(t *testing.T) {
	o := storyLab(t, 3)
	if err := lab.SystemdUsable(); err != nil {
		t.Skip(err)
	}
	needAgent(t, "heartbeat", "Dummy", "resource-agents")
	service := func(run string) string { return "[Service]\nType=exec\nExecStart=" + run + "\n" }
	o.Systemd = true
	o.Units = map[string]string{
		"good.service": service("sleep 987002"), "found.service": service("sleep 987003"), "idle.service": service("sleep 987004"),
		"masked.service": service("sleep 987005"), "wrong.service": "[Service]\nType=nonsense\nExecStart=relative/path\n",
		"flaps.service": "[Service]\nType=exec\nExecStart=sh -c 'sleep 0.3; exit 3'\nRestart=always\nRestartSec=50ms\n[Unit]\nStartLimitIntervalSec=0\n",
	}
	c := start(t, cluster.Options{Lab: o})
	for name, script := range badAgents {
		must(t, c.PutAgent(name, script))
	}
	must(t, c.PutAgent("noexec", broken))
	must(t, os.Chmod(c.Dir()+"/shared/agents/noexec", 0o644))
	for _, n := range c.Nodes() {
		_, err := n.Exec(t.Context(), "sh", "-c", "rm /etc/systemd/system/masked.service; systemctl mask masked.service")
		must(t, err)
	}
	// Somebody has started a unit, and another machine has the address.
	_, err := c.Node("node3").Exec(t.Context(), "systemctl", "start", "found.service")
	must(t, err)
	_, err = c.Client().Exec(t.Context(), "ip", "addr", "add", "10.77.0.201/24", "dev", "eth0")
	must(t, err)
	device := disk(t)
	for _, n := range c.Nodes() { // whose folders of devices are their own
		_, err := n.Exec(t.Context(), "sh", "-c", "test -e "+device+" || mknod "+device+" b 7 "+strings.TrimPrefix(device, "/dev/loop"))
		must(t, err)
	}
	_, err = c.RunInput(t.Context(), "node1", strings.Replace(badConfiguration, "DEVICE", device, 1), "configure", "load", "update", "--allow-unknown-agent", "-")
	must(t, err)

	for resource, words := range map[string]string{
		"forks":    `timed out after 2s while running "sleep 987001"`,
		"binary":   "the disk", // and more, without what would confuse a terminal
		"orphan":   `its interpreter "/opt/no/such/shell" is missing`,
		"noexec":   "is not executable (mode 0644)",
		"masked":   "unit masked.service is masked on this node (systemctl unmask masked.service)",
		"nofile":   "unit no-such-unit.service is not installed on this node",
		"wrong":    "unit wrong.service has a mistake in its file (systemd-analyze verify wrong.service)",
		"flaps":    "unit flaps.service is failed: its process exited with status 3",
		"nodevice": "device /dev/disk/by-id/usb-pulled is not on this node",
		"foreign":  "10.77.0.201 is in use already: ",
	} {
		s := await(t, c, "the words about "+resource+": "+words, func(s *api.Status) bool { return strings.Contains(said(s, resource), words) })
		if text := said(s, resource); len(text) > 20_000 || !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\x01\x1b") {
			t.Errorf("status repeats %d bytes of what %s said: %.200q", len(text), resource, text)
		}
	}
	runs := func(s *api.Status) bool {
		return cluster.Where(s, "good") != "" && cluster.Where(s, "found") == "node3" && cluster.Where(s, "rambles") != "" &&
			cluster.Where(s, "store") != "" && cluster.Quiet(s)
	}
	s := await(t, c, "the good ones to run, and what was found running to stay where it was", runs)
	// One may be under way still, where somebody else coordinates since: it takes its two seconds.
	await(t, c, "no process to be left of a start that timed out", func(*api.Status) bool {
		return !slices.ContainsFunc(c.Nodes(), func(n *lab.Node) bool {
			_, err := n.Exec(t.Context(), "pgrep", "-f", "sleep 987001")
			return err == nil
		})
	})
	for _, n := range c.Nodes() {
		says(t, c, n.Name, []string{"status"}, "its interpreter \"/opt/no/such/shell\" is missing", "in use already")
	}
	if out, err := c.Run(t.Context(), "node1", "ra", "info", "ocf:lab:rambles"); err == nil || !strings.Contains(out, "ocf:lab:rambles") {
		t.Errorf("ra info takes broken meta-data: %s, %v", out, err)
	}

	// An agent that disappears between two operations: its monitor says so, and its stop cannot be trusted.
	_, err = c.Run(t.Context(), "node1", "resource", "start", "vanishes")
	must(t, err)
	await(t, c, "the words about an agent that is gone", func(s *api.Status) bool {
		return strings.Contains(said(s, "vanishes"), "there is no /usr/lib/ocf/resource.d/lab/vanishes")
	})
	must(t, os.Rename(c.Dir()+"/shared/agents/vanishes.gone", c.Dir()+"/shared/agents/vanishes"))

	// A device that fails under its file system, as one that is pulled out: the kernel gives the file system up (FS_IOC_SHUTDOWN), and the mount stays.
	on := cluster.Where(s, "store")
	_, err = c.Node(on).Exec(t.Context(), "python3", "-c", `import fcntl, os, struct
fcntl.ioctl(os.open("/mnt/store", os.O_RDONLY), 0x8004587d, struct.pack("I", 2))`)
	must(t, err)
	words := "/mnt/store is shut down: the kernel met an error on " + device
	await(t, c, "the words about a device that failed, and its file system to be mounted again", func(s *api.Status) bool {
		return strings.Contains(said(s, "store"), words) && runs(s)
	})
	says(t, c, on, []string{"status"}, words)

	// A unit that somebody starts although the cluster wants it stopped is stopped again.
	await(t, c, "the unit to be at rest", func(s *api.Status) bool { return cluster.Quiet(s) })
	_, err = c.Node("node2").Exec(t.Context(), "systemctl", "start", "idle.service")
	must(t, err)
	await(t, c, "a unit that somebody else has started to be stopped", func(s *api.Status) bool {
		state, _ := c.Node("node2").Exec(t.Context(), "systemctl", "is-active", "idle.service")
		n, _ := failure(s, "idle", "node2")
		return n != "" && strings.TrimSpace(state) == "inactive" && cluster.Quiet(s)
	})

	// What was wrong is mended, and forgotten.
	_, err = c.Client().Exec(t.Context(), "ip", "addr", "del", "10.77.0.201/24", "dev", "eth0")
	must(t, err)
	_, err = c.Run(t.Context(), "node1", "resource", "cleanup", "foreign")
	must(t, err)
	await(t, c, "the address to run", func(s *api.Status) bool {
		return runs(s) && cluster.Where(s, "foreign") != "" && said(s, "foreign") == ""
	})
}

// disk makes a block device with a file system, which all nodes of a lab see.
func disk(t *testing.T) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 16<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", image).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4: %v: %s", err, out)
	}
	out, err := exec.Command("losetup", "--find", "--show", image).CombinedOutput()
	if err != nil {
		t.Fatalf("losetup: %v: %s", err, out)
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", device).Run() })
	return device
}
