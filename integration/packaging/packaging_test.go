package packaging

import (
	"os/exec"
	"strings"
	"testing"
)

// Options of systemd that give a service a mount namespace of its own, or filter what its children may do. What the cluster
// starts is a child of the daemon, and a file system that it mounts has to be there for all.
var unshares = []string{"PrivateTmp", "PrivateDevices", "PrivateMounts", "ProtectSystem", "ProtectHome", "ProtectKernelTunables", "ProtectKernelModules",
	"ProtectKernelLogs", "ProtectControlGroups", "ProtectProc", "ProcSubset", "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "TemporaryFileSystem",
	"BindPaths", "BindReadOnlyPaths", "RootDirectory", "RootImage", "MountFlags", "DynamicUser", "ProtectHostname", "ProtectClock", "NoNewPrivileges",
	"SystemCallFilter", "SystemCallArchitectures", "RestrictNamespaces", "MemoryDenyWriteExecute", "RestrictAddressFamilies", "LockPersonality",
	"RestrictRealtime", "RestrictSUIDSGID", "PrivateNetwork", "PrivateUsers", "DeviceAllow"}

func TestUnitLeavesResourcesTheirRights(t *testing.T) {
	for line := range strings.Lines(Unit) {
		name, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		for _, u := range unshares {
			if name == u {
				t.Errorf("the unit has %s: what the cluster starts inherits it", strings.TrimSpace(line))
			}
		}
	}
	if !strings.Contains(Unit, "KillMode=process") {
		t.Error("an end of the daemon ends its resources")
	}
}

// What systemd thinks of the unit is reported; a line that it does not understand is an error.
func TestUnitIsUnderstood(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("needs systemd-analyze (Debian: apt-get install systemd)")
	}
	out, err := exec.Command(analyze, "security", "--offline=true", "--no-pager", "pacelined.service").CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil && !strings.Contains(text, "Overall exposure level") {
		t.Skipf("this systemd can not judge a unit that is not installed: %v: %.200s", err, text)
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, "Unknown") || strings.Contains(line, "Failed to parse") || strings.Contains(line, "ignoring") {
			t.Error(strings.TrimSpace(line))
		}
	}
	t.Log(text[strings.LastIndex(text, "\n")+1:])
}
