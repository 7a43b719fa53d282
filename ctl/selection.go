package ctl

import (
	"slices"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// selectObjects returns the configuration that holds only the objects of the IDs (nodes by name, fencing levels by target).
// A collection brings its members.
func selectObjects(c *cib.Configuration, ids []string) (*cib.Configuration, error) {
	out := &cib.Configuration{}
	found := map[string]bool{}
	want := func(id string) bool {
		if slices.Contains(ids, id) {
			found[id] = true
			return true
		}
		return false
	}
	out.Options = filter(c.Options, func(s cib.NVSet) bool { return want(s.ID) })
	out.RscDefaults = filter(c.RscDefaults, func(s cib.NVSet) bool { return want(s.ID) })
	out.OpDefaults = filter(c.OpDefaults, func(s cib.NVSet) bool { return want(s.ID) })
	out.Nodes = filter(c.Nodes, func(n *cib.Node) bool { return want(n.Uname) || want(n.ID) })
	for r := range c.Walk() {
		if want(r.ID) {
			out.Resources = append(out.Resources, r)
		}
	}
	out.Templates = filter(c.Templates, func(r *cib.Resource) bool { return want(r.ID) })
	out.Constraints = filter(c.Constraints, func(x *cib.Constraint) bool { return want(x.ID()) })
	out.Topology = filter(c.Topology, func(l cib.FencingLevel) bool { return want(l.ID) || want(l.Target) })
	out.Tags = filter(c.Tags, func(t cib.Tag) bool { return want(t.ID) })
	out.ACLs.Roles = filter(c.ACLs.Roles, func(r cib.ACLRole) bool { return want(r.ID) })
	out.ACLs.Targets = filter(c.ACLs.Targets, func(t cib.ACLTarget) bool { return want(t.ID) })
	out.ACLs.Groups = filter(c.ACLs.Groups, func(t cib.ACLTarget) bool { return want(t.ID) })
	out.Alerts = filter(c.Alerts, func(a cib.Alert) bool { return want(a.ID) })
	for _, id := range ids {
		if !found[id] {
			return nil, api.Errorf(api.CodeNotFound, "show "+id, "there is no object %q", id).WithHint("`paceline configure show` shows all")
		}
	}
	return out, nil
}

func filter[T any](list []T, keep func(T) bool) []T {
	var out []T
	for _, x := range list {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}
