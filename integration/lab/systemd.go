package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// notifySocket is where a node's systemd says that it is up.
const notifySocket = "/run/lab-notify.sock"

// SystemdUsable returns nil when nodes can run systemd here, or why not.
func SystemdUsable() error {
	if InUserNamespace() {
		return errors.New("nodes with systemd need root: an unprivileged user namespace has no cgroups of its own")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		return errors.New("nodes with systemd need systemd on this machine (Debian: apt-get install systemd)")
	}
	if _, err := cgroupRoot(); err != nil {
		return fmt.Errorf("nodes with systemd need cgroups: %w", err)
	}
	return nil
}

// units of every node with systemd. The host's own units in /usr/lib are there to be started; nothing of them is wanted.
var units = map[string]string{
	"lab.target": "[Unit]\nDescription=A node of the lab\nRequires=basic.target dbus.socket\nAfter=basic.target dbus.socket\nAllowIsolate=yes\n",
}

// masked units make no sense in a node: consoles, hardware, time, the host's network.
var masked = []string{
	"systemd-journald-audit.socket", "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket",
	"systemd-logind.service", "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service",
	"systemd-modules-load.service", "systemd-sysctl.service", "systemd-random-seed.service", "systemd-update-utmp.service",
	"systemd-remount-fs.service", "systemd-firstboot.service", "systemd-sysusers.service", "systemd-machine-id-commit.service",
	"systemd-binfmt.service", "systemd-hwdb-update.service", "systemd-pstore.service", "systemd-boot-system-token.service",
	"proc-sys-fs-binfmt_misc.automount", "dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
	"sys-fs-fuse-connections.mount", "sys-kernel-config.mount", "systemd-ask-password-console.path", "systemd-ask-password-wall.path",
	"timers.target", "paths.target", "keyboard-setup.service", "console-setup.service", "apparmor.service", "e2scrub_reap.service",
	"tmp.mount", "getty.target", "console-getty.service", "kmod-static-nodes.service", "ldconfig.service",
}

// prepareSystemd writes the node's own units.
func (n *Node) prepareSystemd() error {
	dir := n.Disk("/etc/systemd/system")
	if err := os.MkdirAll(filepath.Join(dir, "lab.target.wants"), 0o755); err != nil {
		return err
	}
	files := map[string]string{}
	for name, text := range units {
		files[name] = text
	}
	for _, s := range n.lab.opts.Services {
		files[s.Name+".service"] = s.Unit
		if s.Unit == "" {
			files[s.Name+".service"] = fmt.Sprintf("[Unit]\nDescription=%s\n[Service]\nType=exec\nKillMode=process\nTimeoutStopSec=60\n", s.Name)
		}
		files[s.Name+".service.d/lab.conf"] = n.dropIn(s)
		if !s.Manual {
			if err := os.Symlink("../"+s.Name+".service", filepath.Join(dir, "lab.target.wants", s.Name+".service")); err != nil {
				return err
			}
		}
	}
	for name, text := range n.lab.opts.Units {
		files[name] = text
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return err
		}
	}
	for _, name := range masked {
		if err := os.Symlink("/dev/null", filepath.Join(dir, name)); err != nil && !errors.Is(err, os.ErrExist) {
			return err
		}
	}
	return os.MkdirAll(n.Disk("/var/log/journal"), 0o755)
}

// dropIn is what the lab adds to the unit of a service: what is run, with which environment, and where it logs.
func (n *Node) dropIn(s Service) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[Service]\nExecStart=\nExecStart=%s\n", execLine(s.Args))
	fmt.Fprintf(&b, "StandardOutput=append:/var/log/%s.log\nStandardError=append:/var/log/%s.log\n", s.Name, s.Name)
	for _, e := range append(n.environment(), s.Env...) {
		fmt.Fprintf(&b, "Environment=%q\n", e)
	}
	return b.String()
}

// execLine writes a command line as units want it.
func execLine(args []string) string {
	var out []string
	for _, a := range args {
		out = append(out, `"`+strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", "$$", "%", "%%", "\n", `\n`).Replace(a)+`"`)
	}
	return strings.Join(out, " ")
}

func (n *Node) notifyPath() string { return filepath.Join(n.lab.dir, "power", n.Name+".notify") }

func listenNotify(path string) (*net.UnixConn, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
}

// awaitNotify waits for systemd to say that the boot is done.
func (l *life) awaitNotify() {
	buf := make([]byte, 4096)
	for {
		k, err := l.notify.Read(buf)
		if err != nil {
			return
		}
		for line := range strings.Lines(string(buf[:k])) {
			if strings.TrimSpace(line) == "READY=1" {
				l.take(report{Event: "up"})
				return
			}
		}
	}
}

// execCgroup is where commands that enter the node run: with systemd beside its own cgroups, else in the node's.
func (l *life) execCgroup() cgroup {
	if !l.systemd || !l.cgroup.usable() {
		return l.cgroup
	}
	return cgroup{filepath.Join(l.cgroup.path, "init.scope")}
}

// unitPID asks systemd for the main process of a unit.
func (l *life) unitPID(service string) int {
	args := append(enterArgs(l.cmd.Process.Pid, false), "systemctl", "show", "-P", "MainPID", service+".service")
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		return 0
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil || pid == 0 {
		return 0
	}
	return l.outerPID(pid)
}

// awaitInactive waits for a unit to have ended. systemctl has no such wait for units that it did not start, so it asks.
func (n *Node) awaitInactive(ctx context.Context, service string) (string, error) {
	for {
		out, err := n.Output(ctx, "systemctl", "show", "-P", "ActiveState", service+".service")
		if err != nil {
			return "", err
		}
		switch state := strings.TrimSpace(string(out)); state {
		case "inactive", "failed":
			return state, nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return "", context.Cause(ctx)
		}
	}
}
