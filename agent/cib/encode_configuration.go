package cib

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

func (x *encoder) configuration(root *etree.Element, c *Configuration) {
	x.nvsets(root.CreateElement("crm_config"), "cluster_property_set", c.Options)
	nodes := root.CreateElement("nodes")
	for _, n := range c.Nodes {
		e := x.child(nodes, "node", n.attributes, nil)
		x.comment(e, n.Comment)
		x.nvsets(e, "instance_attributes", n.Attributes)
		x.nvsets(e, "utilization", n.Utilization)
	}
	resources := root.CreateElement("resources")
	for _, t := range c.Templates { // before their users, as people write them
		x.resource(resources, t)
	}
	for _, r := range c.Resources {
		x.resource(resources, r)
	}
	constraints := root.CreateElement("constraints")
	for _, k := range c.Constraints {
		x.constraint(constraints, k)
	}
	if len(c.RscDefaults) > 0 {
		x.nvsets(root.CreateElement("rsc_defaults"), "meta_attributes", c.RscDefaults)
	}
	if len(c.OpDefaults) > 0 {
		x.nvsets(root.CreateElement("op_defaults"), "meta_attributes", c.OpDefaults)
	}
	x.topology(root, c.Topology)
	x.tags(root, c.Tags)
	x.acls(root, &c.ACLs)
	if len(c.Alerts) > 0 {
		alerts := root.CreateElement("alerts")
		for i := range c.Alerts {
			x.alert(alerts, &c.Alerts[i])
		}
	}
	x.closing(root, c.Comment)
}

func (x *encoder) nvsets(parent *etree.Element, tag string, sets []NVSet) {
	for i := range sets {
		s := &sets[i]
		e := x.child(parent, tag, s.attributes, nil)
		x.comment(e, s.Comment)
		if s.Rule != nil {
			x.rule(e, s.Rule)
		}
		for j := range s.Pairs {
			p := &s.Pairs[j]
			pair := e.CreateElement("nvpair")
			x.attr(pair, "id", p.ID)
			x.attr(pair, "id-ref", p.IDRef)
			x.attr(pair, "name", p.Name)
			if p.Value != "" || !p.NoValue && p.IDRef == "" {
				x.force(pair, "value", p.Value)
			}
		}
	}
}

func (x *encoder) rule(parent *etree.Element, r *Rule) {
	e := x.child(parent, "rule", r.attributes, nil)
	for _, expr := range r.Expressions {
		switch {
		case expr.Rule != nil:
			x.rule(e, expr.Rule)
		case expr.Attribute != nil:
			x.child(e, "expression", expr.Attribute.attributes, nil)
		case expr.Date != nil:
			date := x.child(e, "date_expression", expr.Date.attributes, nil)
			x.dateSpec(date, "duration", expr.Date.Duration)
			x.dateSpec(date, "date_spec", expr.Date.Spec)
		case expr.Resource != nil:
			x.child(e, "rsc_expression", expr.Resource.attributes, nil)
		case expr.Operation != nil:
			x.child(e, "op_expression", expr.Operation.attributes, nil)
		}
	}
}

func (x *encoder) dateSpec(parent *etree.Element, tag string, s *DateSpec) {
	if s != nil {
		x.child(parent, tag, func(v visit) { v("id", &s.ID) }, s.Fields)
	}
}

func (x *encoder) resource(parent *etree.Element, r *Resource) {
	tag := string(r.Kind)
	if r.Legacy && r.Kind == KindClone {
		tag = "master"
	}
	if !validName(tag) && !x.lenient {
		x.fail(parent, "resource %q is of no kind", r.ID)
		return
	}
	e := x.child(parent, tag, r.attributes, nil)
	x.comment(e, r.Comment)
	x.nvsets(e, "meta_attributes", r.Meta)
	x.bundle(e, r.Bundle)
	x.nvsets(e, "instance_attributes", r.Params)
	x.nvsets(e, "utilization", r.Utilization)
	for _, child := range r.Children {
		x.resource(e, child)
	}
	o := &r.Operations
	if o.ID == "" && o.IDRef == "" && len(o.Ops) == 0 {
		return
	}
	list := x.child(e, "operations", o.attributes, nil)
	for _, op := range o.Ops {
		element := x.child(list, "op", op.attributes, op.Extra)
		x.nvsets(element, "meta_attributes", op.Meta)
		x.nvsets(element, "instance_attributes", op.Params)
	}
}

func (x *encoder) bundle(e *etree.Element, b *Bundle) {
	if b == nil {
		return
	}
	if b.Runtime != "" {
		if !validName(b.Runtime) && !x.lenient {
			x.fail(e, "%q cannot be the name of a container runtime", b.Runtime)
			return
		}
		x.child(e, b.Runtime, none, b.Options)
	}
	if b.Network != nil {
		network := x.child(e, "network", none, b.Network.Options)
		for i := range b.Network.Ports {
			x.child(network, "port-mapping", b.Network.Ports[i].attributes, nil)
		}
	}
	if len(b.Storage) > 0 {
		storage := e.CreateElement("storage")
		for i := range b.Storage {
			x.child(storage, "storage-mapping", b.Storage[i].attributes, nil)
		}
	}
}

func (x *encoder) constraint(parent *etree.Element, k *Constraint) {
	switch {
	case k.Location != nil:
		e := x.child(parent, "rsc_location", k.Location.attributes, nil)
		x.resourceSets(e, k.Location.Sets)
		for _, r := range k.Location.Rules {
			x.rule(e, r)
		}
		x.lifetime(e, k.Location.Lifetime)
	case k.Colocation != nil:
		e := x.child(parent, "rsc_colocation", k.Colocation.attributes, nil)
		x.lifetime(e, k.Colocation.Lifetime)
		x.resourceSets(e, k.Colocation.Sets)
	case k.Order != nil:
		e := x.child(parent, "rsc_order", k.Order.attributes, nil)
		x.lifetime(e, k.Order.Lifetime)
		x.resourceSets(e, k.Order.Sets)
	case k.Ticket != nil:
		e := x.child(parent, "rsc_ticket", k.Ticket.attributes, nil)
		x.resourceSets(e, k.Ticket.Sets)
	}
	if list := parent.ChildElements(); len(list) > 0 {
		x.comment(list[len(list)-1], k.Comment)
	}
}

func (x *encoder) lifetime(e *etree.Element, rules []*Rule) {
	if len(rules) == 0 {
		return
	}
	lifetime := e.CreateElement("lifetime")
	for _, r := range rules {
		x.rule(lifetime, r)
	}
}

func (x *encoder) resourceSets(e *etree.Element, sets []ResourceSet) {
	for i := range sets {
		x.refs(x.child(e, "resource_set", sets[i].attributes, nil), "resource_ref", sets[i].Resources)
	}
}

func (x *encoder) refs(e *etree.Element, tag string, ids []string) {
	for _, id := range ids {
		x.force(e.CreateElement(tag), "id", id)
	}
}

func (x *encoder) topology(root *etree.Element, levels []FencingLevel) {
	if len(levels) == 0 {
		return
	}
	topology := root.CreateElement("fencing-topology")
	for i := range levels {
		e := x.child(topology, "fencing-level", levels[i].attributes, nil)
		x.comment(e, levels[i].Comment)
		x.force(e, "devices", strings.Join(levels[i].Devices, ","))
	}
}

func (x *encoder) tags(root *etree.Element, tags []Tag) {
	if len(tags) == 0 {
		return
	}
	list := root.CreateElement("tags")
	for i := range tags {
		e := x.child(list, "tag", func(v visit) { v("id", &tags[i].ID) }, nil)
		x.comment(e, tags[i].Comment)
		x.refs(e, "obj_ref", tags[i].Refs)
	}
}

func (x *encoder) acls(root *etree.Element, a *ACLs) {
	if len(a.Targets)+len(a.Groups)+len(a.Roles) == 0 {
		return
	}
	list := root.CreateElement("acls")
	targets := func(tag string, targets []ACLTarget) {
		for i := range targets {
			t := &targets[i]
			e := x.child(list, tag, func(v visit) { v("id", &t.ID); v("name", &t.Name) }, nil)
			x.comment(e, t.Comment)
			x.refs(e, "role", t.Roles)
		}
	}
	targets("acl_target", a.Targets)
	targets("acl_group", a.Groups)
	for i := range a.Roles {
		r := &a.Roles[i]
		e := x.child(list, "acl_role", func(v visit) { v("id", &r.ID); v("description", &r.Description) }, nil)
		x.comment(e, r.Comment)
		for j := range r.Permissions {
			x.child(e, "acl_permission", r.Permissions[j].attributes, nil)
		}
	}
}

func (x *encoder) alert(parent *etree.Element, a *Alert) {
	e := x.child(parent, "alert", a.attributes, nil)
	x.comment(e, a.Comment)
	x.nvsets(e, "meta_attributes", a.Meta)
	x.nvsets(e, "instance_attributes", a.Params)
	if a.Select != nil {
		x.alertSelect(e, a.Select)
	}
	for i := range a.Recipients {
		r := &a.Recipients[i]
		recipient := x.child(e, "recipient", r.attributes, nil)
		x.nvsets(recipient, "meta_attributes", r.Meta)
		x.nvsets(recipient, "instance_attributes", r.Params)
	}
	reorder(e, a.Order)
}

func (x *encoder) alertSelect(parent *etree.Element, s *AlertSelect) {
	list := parent.CreateElement("select")
	if s.HasAttributes || len(s.Attributes) > 0 {
		attributes := list.CreateElement("select_attributes")
		for _, attr := range s.Attributes {
			attribute := attributes.CreateElement("attribute")
			x.attr(attribute, "id", attr.Name)
			x.attr(attribute, "name", attr.Value)
		}
	}
	for _, flag := range []struct {
		tag string
		set bool
	}{{"select_fencing", s.Fencing}, {"select_nodes", s.Nodes}, {"select_resources", s.Resources}} {
		if flag.set {
			list.CreateElement(flag.tag)
		}
	}
	reorder(list, s.Order)
}

// reorder puts the children into the order of the tags; those that it does not name come last.
func reorder(e *etree.Element, order []string) {
	rest := e.ChildElements()
	var sorted []*etree.Element
	for _, tag := range order {
		if at := slices.IndexFunc(rest, func(child *etree.Element) bool { return child.Tag == tag }); at >= 0 {
			sorted = append(sorted, rest[at])
			rest = slices.Delete(rest, at, at+1)
		}
	}
	if len(sorted) == 0 {
		return
	}
	for _, child := range append(sorted, rest...) { // each to the end, in turn
		e.RemoveChild(child)
		e.AddChild(child)
	}
}
