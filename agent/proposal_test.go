package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/ctl/crm"
)

// fakeMachine is a folder that looks like the root of a machine.
func fakeMachine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestWhatANewClusterIsProposed(t *testing.T) {
	dmi := func(vendor, product string) map[string]string {
		return map[string]string{"sys/class/dmi/id/sys_vendor": vendor + "\n", "sys/class/dmi/id/product_name": product + "\n"}
	}
	for _, x := range []struct {
		name   string
		files  map[string]string
		file   File
		agents string // of the ways, in their order; a property by its name
		init   string // of the last way
	}{
		{"nothing", nil, File{}, "", ""},
		{"a server", map[string]string{"dev/ipmi0": "", "dev/watchdog": "", "sys/class/watchdog/watchdog0/identity": "iTCO_wdt"}, File{},
			"stonith:fence_ipmilan stonith-watchdog-timeout stonith:sbd", "--watchdog /dev/watchdog --sbd DISK"},
		{"KVM", dmi("QEMU", "Standard PC (Q35 + ICH9, 2009)"), File{}, "stonith:fence_virsh", ""},
		{"VMware", dmi("VMware, Inc.", "VMware Virtual Platform"), File{}, "stonith:fence_vmware_rest", ""},
		{"Azure", dmi("Microsoft Corporation", "Virtual Machine"), File{}, "stonith:fence_azure_arm", ""},
		{"a laptop of the same vendor", dmi("Microsoft Corporation", "Surface"), File{}, "", ""},
		{"EC2", dmi("Amazon EC2", "m5.large"), File{}, "stonith:fence_aws", ""},
		{"OpenStack on KVM", dmi("OpenStack Foundation", "OpenStack Nova"), File{}, "stonith:fence_openstack", ""},
		{"a watchdog that was given", nil, File{Watchdog: &WatchdogFile{Device: "/dev/watchdog"}}, "stonith-watchdog-timeout stonith:sbd", "--sbd DISK"},
		{"disks that were given", nil, File{Watchdog: &WatchdogFile{Device: "/dev/watchdog"}, SBD: &SBDFile{Devices: []string{"/dev/sdx"}}}, "stonith:sbd stonith-watchdog-timeout", ""},
	} {
		x.file.Node = "node1"
		p := propose(lookAtMachine(fakeMachine(t, x.files), x.file))
		var agents []string
		init := ""
		for _, w := range p.Ways {
			init = w.Init
			for _, word := range strings.FieldsFunc(w.CRM, func(r rune) bool { return strings.ContainsRune(" =\n", r) }) {
				if strings.HasPrefix(word, "stonith") {
					agents = append(agents, word)
				}
			}
			if _, err := crm.Parse(w.CRM); err != nil {
				t.Errorf("%s: what is proposed is not in the language: %v\n%s", x.name, err, w.CRM)
			}
			if w.Text == "" {
				t.Errorf("%s: a way without words", x.name)
			}
		}
		if got := strings.Join(agents, " "); got != x.agents || init != x.init || (len(p.Found) == 0) != (x.agents == "") {
			t.Errorf("%s: proposed %q with %q, found %q; want %q with %q", x.name, got, init, p.Found, x.agents, x.init)
		}
	}
}
