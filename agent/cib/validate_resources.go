package cib

import (
	"fmt"
	"slices"
	"strings"
)

var agentClasses = []string{"ocf", "systemd", "service", "lsb", "stonith", "upstart", "nagios"}

// resource judges a resource or template within its parent (nil at top level), and what it holds.
func (j *judge) resource(r, parent *Resource) {
	if r.ID == "" {
		j.on(string(r.Kind), r.ID)
		j.error("id", "a %s has no ID", r.Kind)
	}
	j.on(string(r.Kind), r.ID)
	switch r.Kind {
	case KindPrimitive, KindTemplate:
		j.agent(r)
		j.operations(r)
		j.utilization(r.Utilization)
	case KindGroup:
		if len(r.Children) == 0 {
			j.error("", "the group is empty: it needs at least one primitive")
		}
	case KindClone:
		if len(r.Children) != 1 {
			j.error("", "the clone holds %d resources: it needs exactly one, a primitive or a group", len(r.Children))
		}
	case KindBundle:
		j.bundle(r)
	default:
		j.error("kind", "%q is no kind of resource: primitive, group, clone, bundle or template is", string(r.Kind))
	}
	j.freeSets("params ", r.Params)
	for i := range r.Meta {
		j.set("meta ", &r.Meta[i], metaAttributes, false)
	}
	if parent != nil && !mayHold(parent.Kind, r.Kind) {
		j.error("", "a %s cannot hold a %s", parent.Kind, r.Kind)
	}
	if parent == nil && r.Kind == KindTemplate && slices.Contains(j.c.Resources, r) {
		j.error("", "a template stands among the resources")
	}
	for _, child := range r.Children {
		j.resource(child, r)
	}
}

func mayHold(parent, child ResourceKind) bool {
	switch parent {
	case KindGroup, KindBundle:
		return child == KindPrimitive
	case KindClone:
		return child == KindPrimitive || child == KindGroup
	}
	return false
}

func (j *judge) agent(r *Resource) {
	a := r.Agent
	if r.Template != "" {
		if j.index.Templates[r.Template] == nil {
			j.error("template", "there is no template %q%s", r.Template, didYouMean(r.Template, keys(j.index.Templates)))
		}
		if a != (Agent{}) {
			j.error("template", "it has both a template and an agent of its own (%s)", a)
		}
		return
	}
	switch {
	case a.Class == "":
		j.error("class", "the agent has no class: %s", oneOf(agentClasses))
	case !slices.Contains(agentClasses, a.Class):
		j.error("class", "%q is no class of agents: %s%s", a.Class, oneOf(agentClasses), didYouMean(a.Class, agentClasses))
	case a.Class == "ocf" && a.Provider == "":
		j.error("provider", "an agent of class ocf needs a provider, as in ocf:heartbeat:%s", a.Type)
	case a.Class != "ocf" && a.Provider != "":
		j.error("provider", "an agent of class %s has no provider (here %q): only ocf has", a.Class, a.Provider)
	}
	if a.Type == "" {
		j.error("type", "the agent has no type")
	}
}

func (j *judge) operations(r *Resource) {
	o := &r.Operations
	if o.IDRef != "" && j.index.Operations[o.IDRef] == nil {
		j.error("operations id-ref", "there are no operations %q%s", o.IDRef, didYouMean(o.IDRef, keys(j.index.Operations)))
	}
	seen := map[string]bool{}
	for _, op := range o.Ops {
		if op.IDRef != "" {
			if j.index.Ops[op.IDRef] == nil {
				j.error("op id-ref", "there is no operation %q%s", op.IDRef, didYouMean(op.IDRef, keys(j.index.Ops)))
			}
			continue
		}
		where := "op " + op.Name
		if op.Name == "" {
			j.error("op", "operation %q has no name", op.ID)
			continue
		}
		if op.Interval != "" && op.Interval != "0" {
			where += " interval=" + op.Interval
		}
		for _, a := range []struct{ name, value string }{
			{"interval", op.Interval}, {"timeout", op.Timeout}, {"start-delay", op.StartDelay}, {"role", op.Role}, {"on-fail", op.OnFail},
			{"requires", op.Requires}, {"enabled", op.Enabled}, {"record-pending", op.RecordPending},
		} {
			known, _ := Find(operationAttributes, a.name)
			j.value(where+": "+a.name, a.value, known)
		}
		for _, a := range op.Extra {
			j.warn(where+": "+a.Name, "an operation has no such attribute%s", didYouMean(a.Name, Names(operationAttributes)))
		}
		for i := range op.Meta {
			j.set(where+": meta ", &op.Meta[i], operationAttributes, false)
		}
		j.freeSets(where+": params ", op.Params)
		ms, err := ParseMilliseconds(op.Interval)
		if op.Interval == "" {
			ms, err = 0, nil
		}
		if err != nil {
			continue
		}
		key := fmt.Sprintf("%s %d", op.Name, ms)
		if seen[key] {
			j.add(SeverityWarning, where, "give it another interval", "it is configured twice, and the first counts: name and interval tell operations apart")
		}
		seen[key] = true
	}
}

func (j *judge) bundle(r *Resource) {
	b := r.Bundle
	if b == nil || b.Runtime == "" {
		j.error("", "the bundle has no container: docker or podman is needed")
		return
	}
	if err := checkEnum(b.Runtime, []string{"docker", "podman", "rkt"}); err != nil {
		j.error("container", "%s", err)
	}
	if len(r.Children) > 1 {
		j.error("", "the bundle holds %d resources: at most one primitive is allowed", len(r.Children))
	}
	option := func(list []Attr, name string) string {
		at := slices.IndexFunc(list, func(a Attr) bool { return a.Name == name })
		if at < 0 {
			return ""
		}
		return list[at].Value
	}
	if option(b.Options, "image") == "" {
		j.error(b.Runtime+" image", "the container has no image")
	}
	for _, count := range []struct{ name, least string }{{"replicas", "1"}, {"replicas-per-host", "1"}, {"promoted-max", "0"}, {"masters", "0"}} {
		j.value(b.Runtime+" "+count.name, option(b.Options, count.name), Known{Type: TypeInteger, Min: count.least})
	}
	network := b.Network
	if network == nil {
		network = &BundleNet{}
	}
	if len(r.Children) == 1 && option(network.Options, "ip-range-start") == "" && option(network.Options, "control-port") == "" {
		j.error("network", "a bundle with a primitive needs ip-range-start or control-port, to reach into the container")
	}
	j.value("network control-port", option(network.Options, "control-port"), Known{Type: TypeInteger, Min: "1"})
	for _, p := range network.Ports {
		where := "port-mapping " + p.ID
		if (p.Port == "") == (p.Range == "") {
			j.error(where, "exactly one of port and range is needed")
		}
		j.value(where+": port", p.Port, Known{Type: TypeInteger, Min: "1"})
		j.value(where+": internal-port", p.InternalPort, Known{Type: TypeInteger, Min: "1"})
	}
	for _, s := range b.Storage {
		where := "storage-mapping " + s.ID
		if (s.SourceDir == "") == (s.SourceDirRoot == "") {
			j.error(where, "exactly one of source-dir and source-dir-root is needed")
		}
		if !strings.HasPrefix(s.TargetDir, "/") {
			j.error(where+": target-dir", "%q is not an absolute path", s.TargetDir)
		}
	}
}
