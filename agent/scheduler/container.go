package scheduler

import (
	"fmt"
	"net/netip"
	"strings"

	"paceline/agent/cib"
)

// bundleContainer makes the primitive that runs one container of a bundle, with the options its runtime is given.
func (w *world) bundleContainer(r *rsc, i int) *cib.Resource {
	b := r.conf.Bundle
	opt := bundleOptions(b)
	count, _, _ := bundleSize(r.conf)
	id := fmt.Sprintf("%s-%s-%d", r.id, b.Runtime, i)
	run := &runOptions{rsc: r, number: i, count: count, inner: len(r.conf.Children) > 0, network: map[string]string{}}
	if b.Network != nil {
		for _, a := range b.Network.Options {
			run.network[a.Name] = a.Value
		}
	}
	command := opt["run-command"]
	if command == "" && run.inner {
		command = "/usr/sbin/pacemaker-remoted"
	}
	monitor := ""
	if run.inner || command != "" {
		monitor = "/bin/true"
	}
	text, mounts := run.text(opt)
	pairs := []string{"image", opt["image"], "allow_pull", "true", "force_kill", "false", "reuse", "false",
		"run_opts", text, "mount_points", strings.Join(mounts, ",")}
	if command != "" {
		pairs = append(pairs, "run_cmd", command)
	}
	if monitor != "" {
		pairs = append(pairs, "monitor_cmd", monitor)
	}
	c := &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: b.Runtime},
		Params: setOf(id+"-params", pairs...)}
	c.Operations.Ops = []*cib.Op{{Name: taskMonitor, Interval: "60s"}}
	return c
}

// runOptions builds the command line of a container's runtime.
type runOptions struct {
	rsc     *rsc
	number  int
	count   int // replicas of the bundle
	inner   bool
	network map[string]string
	out     strings.Builder
	mounts  []string
}

func (o *runOptions) add(format string, args ...any) { fmt.Fprintf(&o.out, format, args...) }

func (o *runOptions) text(opt map[string]string) (string, []string) {
	b := o.rsc.conf.Bundle
	name := fmt.Sprintf("%s-%d", o.rsc.id, o.number)
	if b.Runtime == "docker" {
		o.add(" --restart=no")
	}
	if o.network["ip-range-start"] != "" {
		o.add(" -h %s", name)
	}
	o.add(" -e PCMK_stderr=1")
	if v := opt["network"]; v != "" {
		o.add(" --net=%s", v)
	}
	port := o.network["control-port"]
	if port == "" {
		port = "3121"
	}
	o.add(" -e PCMK_remote_port=%s", port)
	for _, m := range b.Storage {
		o.mount(m, name)
	}
	if o.inner {
		o.add(" -v /etc/pacemaker/authkey:/etc/pacemaker/authkey")
		o.add(" -v /var/log/pacemaker/bundles/%s:/var/log", name)
		o.mounts = append(o.mounts, "/var/log/pacemaker/bundles/"+name)
	}
	o.ports(port)
	if v := opt["options"]; v != "" {
		o.add(" %s", v)
	}
	o.add(" ")
	o.hosts()
	return o.out.String(), o.mounts
}

// mount adds a storage mapping; one with a root has a directory of its own for every replica.
func (o *runOptions) mount(m cib.StorageMap, name string) {
	source := m.SourceDir
	if m.SourceDirRoot != "" {
		source = m.SourceDirRoot + "/" + name
		o.mounts = append(o.mounts, source)
	}
	o.add(" -v %s:%s", source, m.TargetDir)
	if m.Options != "" {
		o.add(":%s", m.Options)
	}
}

// ports forwards the mapped ports, and the one of the connection, to the container: on its own address if it has one.
func (o *runOptions) ports(control string) {
	b := o.rsc.conf.Bundle
	if bundleOptions(b)["network"] == "host" {
		return // the container has the ports of its host
	}
	at := ""
	if ip := o.address(o.number); ip != "" {
		at = ip + ":"
		for _, p := range b.Network.Ports {
			if p.Range != "" {
				o.add(" -p %s%s:%s", at, p.Range, p.Range)
				continue
			}
			o.add(" -p %s%s:%s", at, p.Port, first(p.InternalPort, p.Port))
		}
	}
	if o.inner {
		o.add(" -p %s%s:%s", at, control, control)
	}
}

// hosts lets the replicas know each other by name.
func (o *runOptions) hosts() {
	if yes, err := cib.ParseBool(o.network["add-host"]); err == nil && !yes {
		return
	}
	for i := 0; i < o.count; i++ {
		if ip := o.address(i); ip != "" {
			o.add(" --add-host=%s-%d:%s", o.rsc.id, i, ip)
		}
	}
}

// address is the address of a replica; "" when replicas have none of their own.
func (o *runOptions) address(number int) string {
	a, err := netip.ParseAddr(o.network["ip-range-start"])
	if err != nil {
		return ""
	}
	for ; number > 0; number-- {
		a = a.Next()
	}
	return a.String()
}
