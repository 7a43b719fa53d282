package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"paceline/agent/api"
)

// machine is what can be found on a machine that matters for fencing it.
type machine struct {
	Node     string
	IPMI     bool   // it has a management controller that it can talk to
	Vendor   string // of the machine, by its firmware
	Product  string
	Watchdog string // device; empty: there is none
	Timer    string // what the watchdog calls itself
	Armed    bool   // this daemon was given a watchdog
	Disks    bool   // and shared disks
}

// lookAtMachine finds out what matters for fencing; root is "/" but in tests.
func lookAtMachine(root string, f File) machine {
	read := func(path string) string {
		b, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			return "" // not there, or not to be read: nothing is known
		}
		return strings.TrimSpace(string(b))
	}
	exists := func(path string) bool {
		_, err := os.Stat(filepath.Join(root, path))
		return err == nil
	}
	m := machine{
		Node: f.Node, IPMI: exists("/dev/ipmi0") || exists("/dev/ipmi/0"), Armed: f.Watchdog != nil, Disks: f.SBD != nil,
		Vendor: read("/sys/class/dmi/id/sys_vendor"), Product: read("/sys/class/dmi/id/product_name"),
	}
	for _, name := range []string{"watchdog0", "watchdog"} {
		if exists("/dev/" + name) {
			m.Watchdog, m.Timer = "/dev/"+name, read("/sys/class/watchdog/watchdog0/identity")
			break
		}
	}
	return m
}

// hypervisors are the machines that a firmware names, and the agent that fences them from outside.
var hypervisors = []struct {
	mark, name, agent, params string
}{
	{"vmware", "a VMware virtual machine", "fence_vmware_rest", "ip=VCENTER username=USER password=PASSWORD ssl=1"},
	{"virtualbox", "a VirtualBox virtual machine", "fence_vbox", "ip=HOST username=USER password=PASSWORD"},
	{"amazon ec2", "an Amazon EC2 instance", "fence_aws", "region=REGION"},
	{"google", "a Google Compute Engine instance", "fence_gce", "project=PROJECT zone=ZONE"},
	{"microsoft corporation virtual machine", "a Hyper-V or Azure virtual machine", "fence_azure_arm", "resourceGroup=GROUP subscriptionId=ID msi=true"},
	{"openstack", "an OpenStack instance", "fence_openstack", "auth_url=URL username=USER password=PASSWORD project_name=PROJECT"},
	{"nutanix", "a Nutanix virtual machine", "fence_nutanix_ahv", "ip=PRISM username=USER password=PASSWORD"},
	{"ovirt", "an oVirt virtual machine", "fence_rhevm", "ip=ENGINE username=USER password=PASSWORD ssl=1"},
	{"rhev", "an oVirt virtual machine", "fence_rhevm", "ip=ENGINE username=USER password=PASSWORD ssl=1"},
	{"qemu", "a KVM virtual machine", "fence_virsh", "ip=HOST username=USER identity_file=KEYFILE"},
	{"kvm", "a KVM virtual machine", "fence_virsh", "ip=HOST username=USER identity_file=KEYFILE"},
	{"bochs", "a KVM virtual machine", "fence_virsh", "ip=HOST username=USER identity_file=KEYFILE"},
}

// propose says how a machine and its like could be fenced, the best way first. It is pure.
func propose(m machine) api.FencingProposal {
	p := api.FencingProposal{Found: []string{}, Ways: []api.FencingWay{}}
	if m.IPMI {
		p.Found = append(p.Found, "a management controller (IPMI)")
		p.Ways = append(p.Ways, api.FencingWay{
			Text: "the management controller of each node, which confirms that the power is off; `ipmitool lan print` shows its address. One device for each node",
			CRM: fmt.Sprintf("primitive fence-%s stonith:fence_ipmilan params ip=ADDRESS username=USER password=PASSWORD lanplus=1 pcmk_host_list=%s op monitor interval=60s\n",
				m.Node, m.Node),
		})
	}
	firmware := strings.ToLower(m.Vendor + " " + m.Product)
	for _, h := range hypervisors {
		if strings.Contains(firmware, h.mark) {
			p.Found = append(p.Found, fmt.Sprintf("%s (%s)", h.name, strings.TrimSpace(m.Vendor+" "+m.Product)))
			p.Ways = append(p.Ways, api.FencingWay{
				Text: "the hypervisor, which confirms that the machine is off. One device for all nodes; pcmk_host_map says what it calls each of them",
				CRM:  fmt.Sprintf("primitive fence-hypervisor stonith:%s params %s pcmk_host_map=\"%s:NAME\" op monitor interval=60s\n", h.agent, h.params, m.Node),
			})
			break
		}
	}
	if m.Disks {
		p.Found = append(p.Found, "shared disks for poison pills")
		p.Ways = append(p.Ways, api.FencingWay{Text: "poison pills over the shared disks that this node was given", CRM: "primitive pill stonith:sbd op monitor interval=60s\n"})
	}
	if m.Watchdog == "" && !m.Armed {
		return p
	}
	found := "a watchdog (" + orName(m.Watchdog, "as this node was given") + named(m.Timer) + ")"
	if strings.Contains(strings.ToLower(m.Timer), "software") {
		found += ", which is better than nothing: it ends with a kernel that hangs"
	}
	p.Found = append(p.Found, found)
	init := ""
	if !m.Armed {
		init = "--watchdog " + m.Watchdog
	}
	p.Ways = append(p.Ways, api.FencingWay{
		Text: "watchdogs alone, with three voters or more (a witness counts): a lost node counts as dead after a time that is derived",
		CRM:  "property stonith-watchdog-timeout=-1\n", Init: init,
	})
	if !m.Disks {
		with := strings.TrimSpace(init + " --sbd DISK")
		p.Ways = append(p.Ways, api.FencingWay{
			Text: "a disk that all nodes share, and watchdogs: `paceline fence sbd create DISK` makes it, before the nodes are told of it", CRM: "primitive pill stonith:sbd op monitor interval=60s\n", Init: with,
		})
	}
	return p
}

func orName(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func named(timer string) string {
	if timer == "" {
		return ""
	}
	return ", " + timer
}
