package scheduler

import (
	"fmt"
	"strings"

	"paceline/agent/cib"
)

// bundleContainer makes the primitive that runs one container of a bundle, with the options its runtime is given.
func (w *world) bundleContainer(r *rsc, i int) *cib.Resource {
	b := r.conf.Bundle
	opt := bundleOptions(b)
	id := fmt.Sprintf("%s-%s-%d", r.id, b.Runtime, i)
	run := &runOptions{rsc: r, number: i, inner: len(r.conf.Children) > 0, network: map[string]string{}}
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

func (o *runOptions) ports(control string) {
	b := o.rsc.conf.Bundle
	start := o.network["ip-range-start"]
	if bundleOptions(b)["network"] == "host" {
		return // the container has the ports of its host
	}
	if o.inner {
		o.add(" -p %s:%s", control, control)
	}
	if b.Network == nil || start == "" {
		return
	}
	for _, p := range b.Network.Ports {
		if p.Range != "" {
			o.add(" -p %s:%s", p.Range, p.Range)
			continue
		}
		to := p.InternalPort
		if to == "" {
			to = p.Port
		}
		o.add(" -p %s:%s", p.Port, to)
	}
}
