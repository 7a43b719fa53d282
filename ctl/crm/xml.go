package crm

import (
	"slices"

	"paceline/agent/cib"
)

// addXMLResources adds the resources of an XML line, so that other lines can put them into collections.
func (d *document) addXMLResources(_ *statement, a *addition) *Error {
	for _, t := range a.xml.Templates {
		d.c.Templates = put(d.c.Templates, t, func(o *cib.Resource) bool { return o.ID == t.ID })
	}
	for _, r := range a.xml.Resources {
		d.putTree(r)
	}
	return nil
}

// putTree adds a resource with its members, or puts it where the one of its ID stands. Members of that which are no members of
// the new one stay, at top level.
func (d *document) putTree(r *cib.Resource) {
	old := d.resource(r.ID)
	alone := &cib.Configuration{Resources: r.Children}
	for member := range alone.Walk() {
		if d.resource(member.ID) != nil {
			d.detach(member.ID)
		}
	}
	if old == nil {
		d.c.Resources = append(d.c.Resources, r)
		return
	}
	rest := old.Children
	*old = *r
	d.c.Resources = append(d.c.Resources, rest...)
}

// detach takes a resource out of its place.
func (d *document) detach(id string) {
	is := func(r *cib.Resource) bool { return r.ID == id }
	if parent := d.parent(id); parent != nil {
		parent.Children = slices.DeleteFunc(parent.Children, is)
		return
	}
	d.c.Resources = slices.DeleteFunc(d.c.Resources, is)
}

// addXML adds the other objects of an XML line.
func (d *document) addXML(s *statement, x *cib.Configuration) *Error {
	c := d.c
	for _, k := range x.Constraints {
		c.Constraints = put(c.Constraints, k, func(o *cib.Constraint) bool { return o.ID() == k.ID() })
	}
	for _, n := range x.Nodes {
		if n.Uname == "" {
			return s.errorf("the node of the XML has no uname")
		}
		c.Nodes = put(c.Nodes, n, func(o *cib.Node) bool { return o.Uname == n.Uname })
	}
	for i := range x.Options {
		d.addSet("property", &x.Options[i])
	}
	for i := range x.RscDefaults {
		d.addSet("rsc_defaults", &x.RscDefaults[i])
	}
	for i := range x.OpDefaults {
		d.addSet("op_defaults", &x.OpDefaults[i])
	}
	c.Topology = append(c.Topology, x.Topology...)
	for _, t := range x.Tags {
		c.Tags = put(c.Tags, t, func(o cib.Tag) bool { return o.ID == t.ID })
	}
	for _, r := range x.ACLs.Roles {
		c.ACLs.Roles = put(c.ACLs.Roles, r, func(o cib.ACLRole) bool { return o.ID == r.ID })
	}
	for _, t := range x.ACLs.Targets {
		c.ACLs.Targets = put(c.ACLs.Targets, t, func(o cib.ACLTarget) bool { return o.ID == t.ID })
	}
	for _, t := range x.ACLs.Groups {
		c.ACLs.Groups = put(c.ACLs.Groups, t, func(o cib.ACLTarget) bool { return o.ID == t.ID })
	}
	for _, a := range x.Alerts {
		c.Alerts = put(c.Alerts, a, func(o cib.Alert) bool { return o.ID == a.ID })
	}
	return nil
}
