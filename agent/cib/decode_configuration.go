package cib

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

func none(visit) {}

func (d *decoder) configuration(e *etree.Element, c *Configuration) {
	d.attrs(e, none, nil)
	for _, child := range e.ChildElements() {
		if !d.section(child, c) {
			d.unknown(child)
		}
	}
	c.Comment = commentBefore(e.Child)
}

// section reads one section of the configuration; it reports false for an element that is none.
func (d *decoder) section(e *etree.Element, c *Configuration) bool {
	switch e.Tag {
	case "crm_config", "nodes", "resources", "constraints", "fencing-topology", "tags", "acls", "alerts":
		d.attrs(e, none, nil)
		for _, child := range e.ChildElements() {
			if !d.object(child, c) {
				d.unknown(child)
			}
		}
	case "rsc_defaults":
		d.defaults(e, &c.RscDefaults)
	case "op_defaults":
		d.defaults(e, &c.OpDefaults)
	default:
		return false
	}
	return true
}

func (d *decoder) defaults(e *etree.Element, sets *[]NVSet) {
	d.attrs(e, none, nil)
	for _, child := range e.ChildElements() {
		if child.Tag == "meta_attributes" {
			*sets = append(*sets, d.clusterSet(child))
		} else {
			d.unknown(child)
		}
	}
}

// object reads one object into its section; it reports false for an element that is none.
func (d *decoder) object(e *etree.Element, c *Configuration) bool {
	switch e.Tag {
	case "cluster_property_set":
		c.Options = append(c.Options, d.clusterSet(e))
	case "node":
		c.Nodes = append(c.Nodes, d.node(e))
	case "primitive", "group", "clone", "master", "bundle":
		c.Resources = append(c.Resources, d.resource(e))
	case "template":
		c.Templates = append(c.Templates, d.resource(e))
	case "rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket":
		c.Constraints = append(c.Constraints, d.constraint(e))
	case "fencing-level":
		var l FencingLevel
		d.attrs(e, l.attributes, nil, "devices")
		for device := range strings.SplitSeq(e.SelectAttrValue("devices", ""), ",") {
			if device = strings.TrimSpace(device); device != "" {
				l.Devices = append(l.Devices, device)
			}
		}
		d.leaf(e)
		l.Comment = commentOf(e)
		c.Topology = append(c.Topology, l)
	case "tag":
		t := Tag{Comment: commentOf(e)}
		d.attrs(e, func(v visit) { v("id", &t.ID) }, nil)
		t.Refs = d.refs(e, "obj_ref")
		c.Tags = append(c.Tags, t)
	case "acl_target":
		c.ACLs.Targets = append(c.ACLs.Targets, d.aclTarget(e))
	case "acl_group":
		c.ACLs.Groups = append(c.ACLs.Groups, d.aclTarget(e))
	case "acl_role":
		c.ACLs.Roles = append(c.ACLs.Roles, d.aclRole(e))
	case "alert":
		c.Alerts = append(c.Alerts, d.alert(e))
	default:
		return false
	}
	return true
}

// clusterSet reads a set of cluster-wide values.
func (d *decoder) clusterSet(e *etree.Element) NVSet {
	s := d.nvset(e)
	s.Comment = commentOf(e)
	return s
}

func (d *decoder) nvset(e *etree.Element) NVSet {
	var s NVSet
	d.attrs(e, s.attributes, nil)
	for _, child := range e.ChildElements() {
		switch {
		case child.Tag == "nvpair":
			s.Pairs = append(s.Pairs, d.nvpair(child))
		case child.Tag == "rule" && s.Rule == nil:
			s.Rule = d.rule(child)
		case child.Tag == "rule":
			d.warn(child, "a second rule of a set")
		default:
			d.unknown(child)
		}
	}
	return s
}

func (d *decoder) nvpair(e *etree.Element) NVPair {
	var p NVPair
	d.attrs(e, p.attributes, nil)
	p.NoValue = p.IDRef == "" && e.SelectAttr("value") == nil
	d.leaf(e)
	return p
}

func (d *decoder) rule(e *etree.Element) *Rule {
	r := &Rule{}
	d.attrs(e, r.attributes, nil)
	for _, child := range e.ChildElements() {
		var x Expression
		switch child.Tag {
		case "rule":
			x.Rule = d.rule(child)
		case "expression":
			x.Attribute = &AttributeExpr{}
			d.attrs(child, x.Attribute.attributes, nil)
			d.leaf(child)
		case "date_expression":
			x.Date = d.dateExpr(child)
		case "rsc_expression":
			x.Resource = &ResourceExpr{}
			d.attrs(child, x.Resource.attributes, nil)
			d.leaf(child)
		case "op_expression":
			x.Operation = &OperationExpr{}
			d.attrs(child, x.Operation.attributes, nil)
			d.leaf(child)
		default:
			d.unknown(child)
			continue
		}
		r.Expressions = append(r.Expressions, x)
	}
	return r
}

func (d *decoder) dateExpr(e *etree.Element) *DateExpr {
	x := &DateExpr{}
	d.attrs(e, x.attributes, nil)
	for _, child := range e.ChildElements() {
		spec := &DateSpec{ID: child.SelectAttrValue("id", "")}
		switch {
		case child.Tag == "duration" && x.Duration == nil:
			x.Duration = spec
		case child.Tag == "date_spec" && x.Spec == nil:
			x.Spec = spec
		default:
			d.unknown(child)
			continue
		}
		spec.Fields = d.free(child, "id")
		d.leaf(child)
	}
	return x
}

func (d *decoder) node(e *etree.Element) *Node {
	n := &Node{Comment: commentOf(e)}
	d.attrs(e, n.attributes, nil)
	d.nvsets(e, map[string]*[]NVSet{"instance_attributes": &n.Attributes, "utilization": &n.Utilization})
	return n
}

// nvsets reads what holds nothing but sets, each kind into its list.
func (d *decoder) nvsets(e *etree.Element, lists map[string]*[]NVSet) {
	for _, child := range e.ChildElements() {
		if list := lists[child.Tag]; list != nil {
			*list = append(*list, d.nvset(child))
		} else {
			d.unknown(child)
		}
	}
}

// resource reads a resource of any kind, or a template.
func (d *decoder) resource(e *etree.Element) *Resource {
	r := &Resource{Kind: ResourceKind(e.Tag), Comment: commentOf(e)}
	if e.Tag == "master" {
		r.Kind, r.Legacy = KindClone, true
	}
	d.attrs(e, r.attributes, nil)
	operations := false
	for _, child := range e.ChildElements() {
		switch tag := child.Tag; {
		case tag == "instance_attributes":
			r.Params = append(r.Params, d.nvset(child))
		case tag == "meta_attributes":
			r.Meta = append(r.Meta, d.nvset(child))
		case tag == "utilization" && r.isLeaf():
			r.Utilization = append(r.Utilization, d.nvset(child))
		case tag == "operations" && r.isLeaf() && !operations:
			operations = true
			d.operations(child, &r.Operations)
		case tag == "primitive" && !r.isLeaf(), tag == "group" && r.Kind == KindClone:
			r.Children = append(r.Children, d.resource(child))
		case r.Kind == KindBundle:
			d.bundlePart(child, r)
		default:
			d.unknown(child)
		}
	}
	return r
}

// isLeaf tells whether the resource has an agent of its own.
func (r *Resource) isLeaf() bool { return r.Kind == KindPrimitive || r.Kind == KindTemplate }

func (d *decoder) operations(e *etree.Element, o *Operations) {
	d.attrs(e, o.attributes, nil)
	for _, child := range e.ChildElements() {
		if child.Tag != "op" {
			d.unknown(child)
			continue
		}
		op := &Op{}
		d.attrs(child, op.attributes, &op.Extra)
		for _, set := range child.ChildElements() {
			switch set.Tag {
			case "meta_attributes":
				op.Meta = append(op.Meta, d.nvset(set))
			case "instance_attributes":
				op.Params = append(op.Params, d.nvset(set))
			default:
				d.unknown(set)
			}
		}
		o.Ops = append(o.Ops, op)
	}
}

func (d *decoder) bundlePart(e *etree.Element, r *Resource) {
	b := r.Bundle
	if b == nil {
		b = &Bundle{}
	}
	switch e.Tag {
	case "docker", "podman", "rkt":
		if b.Runtime != "" {
			d.warn(e, "a second container of a bundle")
			return
		}
		b.Runtime, b.Options = e.Tag, d.free(e)
		d.leaf(e)
	case "network":
		if b.Network != nil {
			d.warn(e, "a second network of a bundle")
			return
		}
		b.Network = &BundleNet{Options: d.free(e)}
		for _, child := range e.ChildElements() {
			if child.Tag != "port-mapping" {
				d.unknown(child)
				continue
			}
			var p PortMap
			d.attrs(child, p.attributes, nil)
			b.Network.Ports = append(b.Network.Ports, p)
		}
	case "storage":
		d.attrs(e, none, nil)
		for _, child := range e.ChildElements() {
			if child.Tag != "storage-mapping" {
				d.unknown(child)
				continue
			}
			var s StorageMap
			d.attrs(child, s.attributes, nil)
			b.Storage = append(b.Storage, s)
		}
	default:
		d.unknown(e)
	}
	if b.Runtime != "" || b.Network != nil || len(b.Storage) > 0 {
		r.Bundle = b
	}
}

func (d *decoder) constraint(e *etree.Element) *Constraint {
	c := &Constraint{Comment: commentOf(e)}
	var sets *[]ResourceSet
	var rules, lifetime *[]*Rule
	switch e.Tag {
	case "rsc_location":
		c.Location = &Location{}
		d.attrs(e, c.Location.attributes, nil)
		sets, rules, lifetime = &c.Location.Sets, &c.Location.Rules, &c.Location.Lifetime
	case "rsc_colocation":
		c.Colocation = &Colocation{}
		d.attrs(e, c.Colocation.attributes, nil)
		sets, lifetime = &c.Colocation.Sets, &c.Colocation.Lifetime
	case "rsc_order":
		c.Order = &Order{}
		d.attrs(e, c.Order.attributes, nil)
		sets, lifetime = &c.Order.Sets, &c.Order.Lifetime
	case "rsc_ticket":
		c.Ticket = &RscTicket{}
		d.attrs(e, c.Ticket.attributes, nil)
		sets = &c.Ticket.Sets
	}
	for _, child := range e.ChildElements() {
		switch {
		case child.Tag == "resource_set":
			var s ResourceSet
			d.attrs(child, s.attributes, nil)
			s.Resources = d.refs(child, "resource_ref")
			*sets = append(*sets, s)
		case child.Tag == "rule" && rules != nil:
			*rules = append(*rules, d.rule(child))
		case child.Tag == "lifetime" && lifetime != nil:
			d.attrs(child, none, nil)
			for _, rule := range child.ChildElements() {
				if rule.Tag == "rule" {
					*lifetime = append(*lifetime, d.rule(rule))
				} else {
					d.unknown(rule)
				}
			}
		default:
			d.unknown(child)
		}
	}
	return c
}

// refs reads children of that tag that carry nothing but an ID.
func (d *decoder) refs(e *etree.Element, tag string) []string {
	var ids []string
	for _, child := range e.ChildElements() {
		if child.Tag != tag {
			d.unknown(child)
			continue
		}
		var id string
		d.attrs(child, func(v visit) { v("id", &id) }, nil)
		d.leaf(child)
		ids = append(ids, id)
	}
	return ids
}

func (d *decoder) aclTarget(e *etree.Element) ACLTarget {
	t := ACLTarget{Comment: commentOf(e)}
	d.attrs(e, func(v visit) { v("id", &t.ID); v("name", &t.Name) }, nil)
	t.Roles = d.refs(e, "role")
	return t
}

func (d *decoder) aclRole(e *etree.Element) ACLRole {
	r := ACLRole{Comment: commentOf(e)}
	d.attrs(e, func(v visit) { v("id", &r.ID); v("description", &r.Description) }, nil)
	for _, child := range e.ChildElements() {
		if child.Tag != "acl_permission" {
			d.unknown(child)
			continue
		}
		var p ACLPermission
		d.attrs(child, p.attributes, nil)
		d.leaf(child)
		r.Permissions = append(r.Permissions, p)
	}
	return r
}

func (d *decoder) alert(e *etree.Element) Alert {
	a := Alert{Comment: commentOf(e)}
	d.attrs(e, a.attributes, nil)
	a.SetOrder(childTags(e))
	for _, child := range e.ChildElements() {
		switch child.Tag {
		case "meta_attributes":
			a.Meta = append(a.Meta, d.nvset(child))
		case "instance_attributes":
			a.Params = append(a.Params, d.nvset(child))
		case "recipient":
			a.Recipients = append(a.Recipients, d.recipient(child))
		case "select":
			if a.Select != nil {
				d.warn(child, "a second selection of an alert")
				continue
			}
			a.Select = &AlertSelect{}
			d.alertSelect(child, a.Select)
		default:
			d.unknown(child)
		}
	}
	return a
}

func (d *decoder) recipient(e *etree.Element) AlertRecipient {
	var r AlertRecipient
	d.attrs(e, r.attributes, nil)
	d.nvsets(e, map[string]*[]NVSet{"meta_attributes": &r.Meta, "instance_attributes": &r.Params})
	return r
}

func (d *decoder) alertSelect(e *etree.Element, s *AlertSelect) {
	d.attrs(e, none, nil)
	s.SetOrder(childTags(e))
	for _, child := range e.ChildElements() {
		d.attrs(child, none, nil)
		switch child.Tag {
		case "select_fencing":
			s.Fencing = true
		case "select_nodes":
			s.Nodes = true
		case "select_resources":
			s.Resources = true
		case "select_attributes":
			s.HasAttributes = true
			for _, attribute := range child.ChildElements() {
				if attribute.Tag != "attribute" {
					d.unknown(attribute)
					continue
				}
				var a Attr
				d.attrs(attribute, func(v visit) { v("id", &a.Name); v("name", &a.Value) }, nil)
				s.Attributes = append(s.Attributes, a)
			}
			continue
		default:
			d.unknown(child)
			continue
		}
		d.leaf(child)
	}
}

// The usual orders of the children of an alert and of its selection.
var (
	alertOrder  = []string{"meta_attributes", "instance_attributes", "select", "recipient"}
	selectOrder = []string{"select_attributes", "select_fencing", "select_nodes", "select_resources"}
)

// SetOrder notes the order of the child elements, by their names, if it is not the usual one.
func (a *Alert) SetOrder(tags []string) {
	selected := false
	a.Order = unusual(slices.DeleteFunc(slices.Clone(tags), func(tag string) bool {
		again := selected && tag == "select"
		selected = selected || tag == "select"
		return again
	}), alertOrder)
}

// SetOrder notes the order of the child elements, by their names, if it is not the usual one.
func (s *AlertSelect) SetOrder(tags []string) {
	var once []string
	for _, tag := range tags {
		if !slices.Contains(once, tag) {
			once = append(once, tag)
		}
	}
	s.Order = unusual(once, selectOrder)
}

func childTags(e *etree.Element) []string {
	var tags []string
	for _, child := range e.ChildElements() {
		tags = append(tags, child.Tag)
	}
	return tags
}

// unusual returns the tags that are known, or nil if they stand in the usual order.
func unusual(tags, usual []string) []string {
	tags = slices.DeleteFunc(tags, func(tag string) bool { return !slices.Contains(usual, tag) })
	if slices.IsSortedFunc(tags, func(a, b string) int { return slices.Index(usual, a) - slices.Index(usual, b) }) {
		return nil
	}
	return tags
}
