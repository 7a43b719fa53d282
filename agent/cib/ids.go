package cib

import (
	"strconv"
	"strings"
)

// idSource makes IDs that the document does not have yet.
type idSource struct {
	taken func() map[string]bool
}

// unique returns the ID, made fit for a document, with a number appended where it is taken.
func (s idSource) unique(want string) string {
	want = FitID(want)
	taken := s.taken()
	id := want
	for n := 0; taken[id]; n++ {
		id = want + "-" + strconv.Itoa(n)
	}
	taken[id] = true
	return id
}

func (c *Configuration) idSource() idSource {
	var taken map[string]bool
	return idSource{func() map[string]bool {
		if taken == nil {
			taken = map[string]bool{}
			for _, named := range c.ids() {
				taken[named.id] = true
			}
		}
		return taken
	}}
}

// noIDs is for parts of the status, where IDs are made from the node's and cannot clash.
func noIDs() idSource {
	return idSource{func() map[string]bool { return map[string]bool{} }}
}

// FitID replaces what an XML ID may not hold: it starts with a letter or '_' and holds letters, digits, '.', '-' and '_'.
func FitID(text string) string {
	if ValidID(text) {
		return text
	}
	var b strings.Builder
	for i, r := range text {
		switch {
		case idRune(r, b.Len() == 0):
			b.WriteRune(r)
		case i == 0 && idRune(r, false):
			b.WriteByte('_')
			b.WriteRune(r)
		default:
			b.WriteByte('_')
		}
	}
	if b.Len() == 0 {
		return "_"
	}
	return b.String()
}

// ValidID tells whether the text can be an ID of a document.
func ValidID(text string) bool {
	for i, r := range text {
		if !idRune(r, i == 0) {
			return false
		}
	}
	return text != ""
}

func idRune(r rune, first bool) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r == '_', r >= 0x80 && r != 0xFFFD:
		return true
	case first:
		return false
	}
	return r >= '0' && r <= '9' || r == '-' || r == '.'
}

// namedID is an ID with the sort of object that has it.
type namedID struct {
	sort string // "primitive", "nvpair", "rule", ...
	id   string
	at   string // the object around it, as people call it; empty for objects themselves
}

// ids lists every ID that the configuration gives, in document order.
func (c *Configuration) ids() []namedID {
	var l idLister
	l.sets("cluster_property_set", c.Options)
	l.sets("rsc_defaults", c.RscDefaults)
	l.sets("op_defaults", c.OpDefaults)
	for _, n := range c.Nodes {
		l.owner("node", n.ID)
		l.sets("instance_attributes", n.Attributes)
		l.sets("utilization", n.Utilization)
	}
	for _, t := range c.Templates {
		l.resource(t)
	}
	for _, r := range c.Resources {
		l.resource(r)
	}
	for _, k := range c.Constraints {
		l.constraint(k)
	}
	l.at = ""
	for i := range c.Topology {
		l.add("fencing-level", c.Topology[i].ID)
	}
	for i := range c.Tags {
		l.add("tag", c.Tags[i].ID)
	}
	for _, t := range c.ACLs.Groups {
		l.add("acl_group", t.ID)
	}
	for _, t := range c.ACLs.Targets {
		l.add("acl_target", t.ID)
	}
	for _, r := range c.ACLs.Roles {
		l.owner("acl_role", r.ID)
		for _, p := range r.Permissions {
			l.add("acl_permission", p.ID)
		}
	}
	for i := range c.Alerts {
		l.alert(&c.Alerts[i])
	}
	return l.list
}

type idLister struct {
	list []namedID
	at   string
}

func (l *idLister) add(sort, id string) {
	if id != "" {
		l.list = append(l.list, namedID{sort, id, l.at})
	}
}

// owner adds an object that the following IDs belong to.
func (l *idLister) owner(sort, id string) {
	l.at = ""
	l.add(sort, id)
	l.at = sort + " " + strconv.Quote(id)
}

func (l *idLister) sets(sort string, sets []NVSet) {
	for i := range sets {
		l.add(sort, sets[i].ID)
		l.rule(sets[i].Rule)
		for j := range sets[i].Pairs {
			l.add("nvpair", sets[i].Pairs[j].ID)
		}
	}
}

func (l *idLister) rule(r *Rule) {
	if r == nil {
		return
	}
	l.add("rule", r.ID)
	for _, x := range r.Expressions {
		switch {
		case x.Rule != nil:
			l.rule(x.Rule)
		case x.Attribute != nil:
			l.add("expression", x.Attribute.ID)
		case x.Date != nil:
			l.add("date_expression", x.Date.ID)
			for _, spec := range []*DateSpec{x.Date.Duration, x.Date.Spec} {
				if spec != nil {
					l.add("date_spec", spec.ID)
				}
			}
		case x.Resource != nil:
			l.add("rsc_expression", x.Resource.ID)
		case x.Operation != nil:
			l.add("op_expression", x.Operation.ID)
		}
	}
}

func (l *idLister) resource(r *Resource) {
	l.owner(string(r.Kind), r.ID)
	l.sets("meta_attributes", r.Meta)
	l.sets("instance_attributes", r.Params)
	l.sets("utilization", r.Utilization)
	l.add("operations", r.Operations.ID)
	for _, op := range r.Operations.Ops {
		l.add("op", op.ID)
		l.sets("meta_attributes", op.Meta)
		l.sets("instance_attributes", op.Params)
	}
	if b := r.Bundle; b != nil {
		if b.Network != nil {
			for _, p := range b.Network.Ports {
				l.add("port-mapping", p.ID)
			}
		}
		for _, s := range b.Storage {
			l.add("storage-mapping", s.ID)
		}
	}
	for _, child := range r.Children {
		l.resource(child)
	}
}

func (l *idLister) constraint(k *Constraint) {
	l.owner(string(k.Kind())+" constraint", k.ID())
	sets, rules := k.parts()
	for i := range sets {
		l.add("resource_set", sets[i].ID)
	}
	for _, r := range rules {
		l.rule(r)
	}
}

// parts returns a constraint's resource sets, and its rules and lifetime.
func (c *Constraint) parts() ([]ResourceSet, []*Rule) {
	switch {
	case c.Location != nil:
		rules := append([]*Rule(nil), c.Location.Rules...)
		return c.Location.Sets, append(rules, c.Location.Lifetime...)
	case c.Colocation != nil:
		return c.Colocation.Sets, c.Colocation.Lifetime
	case c.Order != nil:
		return c.Order.Sets, c.Order.Lifetime
	case c.Ticket != nil:
		return c.Ticket.Sets, nil
	}
	return nil, nil
}

func (l *idLister) alert(a *Alert) {
	l.owner("alert", a.ID)
	l.sets("meta_attributes", a.Meta)
	l.sets("instance_attributes", a.Params)
	if a.Select != nil {
		for _, attribute := range a.Select.Attributes {
			l.add("attribute", attribute.Name)
		}
	}
	for i := range a.Recipients {
		r := &a.Recipients[i]
		l.add("recipient", r.ID)
		l.sets("meta_attributes", r.Meta)
		l.sets("instance_attributes", r.Params)
	}
}
