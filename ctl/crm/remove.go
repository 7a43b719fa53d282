package crm

import (
	"fmt"
	"slices"

	"paceline/agent/cib"
)

// remove deletes the object of that ID, and what cannot be without it.
func (d *document) remove(w word) *Error {
	id, c := w.text, d.c
	if r := d.resource(id); r != nil {
		if r.Kind == cib.KindTemplate {
			for user := range c.Walk() {
				if user.Template == id {
					return w.errorf("template %q is in use: primitive %q is made from it", id, user.ID)
				}
			}
			c.Templates = slices.DeleteFunc(c.Templates, func(t *cib.Resource) bool { return t == r })
		}
		d.removeResource(r)
		return nil
	}
	before := d.size()
	c.Constraints = slices.DeleteFunc(c.Constraints, func(k *cib.Constraint) bool { return k.ID() == id })
	c.Tags = slices.DeleteFunc(c.Tags, func(t cib.Tag) bool { return t.ID == id })
	c.Nodes = slices.DeleteFunc(c.Nodes, func(n *cib.Node) bool { return n.Uname == id })
	for _, list := range []*[]cib.NVSet{&c.Options, &c.RscDefaults, &c.OpDefaults} {
		*list = slices.DeleteFunc(*list, func(s cib.NVSet) bool { return s.ID == id })
	}
	c.ACLs.Targets = slices.DeleteFunc(c.ACLs.Targets, func(t cib.ACLTarget) bool { return t.ID == id })
	c.ACLs.Groups = slices.DeleteFunc(c.ACLs.Groups, func(t cib.ACLTarget) bool { return t.ID == id })
	c.Alerts = slices.DeleteFunc(c.Alerts, func(a cib.Alert) bool { return a.ID == id })
	if id == topologyKey {
		c.Topology = nil
	}
	if err := d.removeRole(w); err != nil {
		return err
	}
	if d.size() == before {
		return w.unknown(id, d.names(), "there is no object %q", id)
	}
	d.removeUses(id)
	return nil
}

func (d *document) removeRole(w word) *Error {
	acls := &d.c.ACLs
	for _, t := range slices.Concat(acls.Targets, acls.Groups) {
		if slices.Contains(t.Roles, w.text) && slices.ContainsFunc(acls.Roles, func(r cib.ACLRole) bool { return r.ID == w.text }) {
			return w.errorf("role %q is in use: %q has it", w.text, t.ID)
		}
	}
	acls.Roles = slices.DeleteFunc(acls.Roles, func(r cib.ACLRole) bool { return r.ID == w.text })
	return nil
}

// size counts the objects, to see whether one went.
func (d *document) size() string {
	c := d.c
	return fmt.Sprint(len(c.Constraints), len(c.Tags), len(c.Nodes), len(c.Options), len(c.RscDefaults), len(c.OpDefaults),
		len(c.ACLs.Targets), len(c.ACLs.Groups), len(c.ACLs.Roles), len(c.Alerts), len(c.Topology))
}

// names lists what can be deleted, for hints.
func (d *document) names() []string {
	names := d.resourceIDs()
	for _, k := range d.c.Constraints {
		names = append(names, k.ID())
	}
	for _, n := range d.c.Nodes {
		names = append(names, n.Uname)
	}
	for _, t := range d.c.Tags {
		names = append(names, t.ID)
	}
	return names
}

// removeResource takes a resource out. Members of a collection stay, and the first takes its constraints over; a collection
// that is emptied goes.
func (d *document) removeResource(r *cib.Resource) {
	c := d.c
	parent := d.parent(r.ID)
	if parent != nil {
		parent.Children = slices.DeleteFunc(parent.Children, func(child *cib.Resource) bool { return child == r })
	} else {
		c.Resources = slices.DeleteFunc(c.Resources, func(other *cib.Resource) bool { return other == r })
	}
	c.Resources = append(c.Resources, r.Children...)
	if len(r.Children) > 0 {
		d.handOver(r.ID, r.Children[0].ID)
	}
	d.removeUses(r.ID)
	if parent != nil && len(parent.Children) == 0 && parent.Kind != cib.KindBundle {
		d.removeResource(parent)
	}
}

// handOver makes the constraints of one resource those of another.
func (d *document) handOver(from, to string) {
	swap := func(s *string) {
		if *s == from {
			*s = to
		}
	}
	for _, k := range d.c.Constraints {
		switch {
		case k.Location != nil:
			swap(&k.Location.Resource)
		case k.Colocation != nil:
			swap(&k.Colocation.Resource)
			swap(&k.Colocation.With)
		case k.Order != nil:
			swap(&k.Order.First)
			swap(&k.Order.Then)
		case k.Ticket != nil:
			swap(&k.Ticket.Resource)
		}
		for i := range *setsOf(k) {
			for j := range (*setsOf(k))[i].Resources {
				swap(&(*setsOf(k))[i].Resources[j])
			}
		}
	}
}

// removeUses takes the references to a deleted object out, and what they leave empty.
func (d *document) removeUses(id string) {
	c := d.c
	is := func(s string) bool { return s == id }
	c.Constraints = slices.DeleteFunc(c.Constraints, func(k *cib.Constraint) bool { return bereft(k, id) })
	for i := range c.Topology {
		c.Topology[i].Devices = slices.DeleteFunc(c.Topology[i].Devices, is)
	}
	c.Topology = slices.DeleteFunc(c.Topology, func(l cib.FencingLevel) bool { return len(l.Devices) == 0 })
	for i := range c.Tags {
		c.Tags[i].Refs = slices.DeleteFunc(c.Tags[i].Refs, is)
	}
	c.Tags = slices.DeleteFunc(c.Tags, func(t cib.Tag) bool { return len(t.Refs) == 0 })
}

// bereft takes a resource out of a constraint, and tells whether the constraint has lost its meaning.
func bereft(k *cib.Constraint, id string) bool {
	sets := setsOf(k)
	if sets == nil {
		return false
	}
	had := len(*sets) > 0
	members, touched := 0, false
	for i := range *sets {
		s := &(*sets)[i]
		before := len(s.Resources)
		s.Resources = slices.DeleteFunc(s.Resources, func(r string) bool { return r == id })
		touched = touched || len(s.Resources) < before
		members += len(s.Resources)
	}
	*sets = slices.DeleteFunc(*sets, func(s cib.ResourceSet) bool { return len(s.Resources) == 0 && s.IDRef == "" })
	switch {
	case k.Location != nil:
		return k.Location.Resource == id || had && members == 0
	case k.Ticket != nil:
		return k.Ticket.Resource == id || had && members == 0
	case k.Colocation != nil && !had:
		return k.Colocation.Resource == id || k.Colocation.With == id
	case k.Order != nil && !had:
		return k.Order.First == id || k.Order.Then == id
	case !touched:
		return false
	case members < 2:
		return true
	case members == 2:
		unset(k)
	}
	return false
}

// unset writes a constraint of two ordered members without sets.
func unset(k *cib.Constraint) {
	sets := setsOf(k)
	var pair []side
	for _, s := range *sets {
		if s.IDRef != "" || len(s.Resources) == 2 && s.Sequential == "false" {
			return
		}
		for _, id := range s.Resources {
			pair = append(pair, side{id, s.Role + s.Action})
		}
	}
	if k.Colocation != nil {
		if len(*sets) == 1 { // within one set, each member is placed with the one before it
			pair[0], pair[1] = pair[1], pair[0]
		}
		c := k.Colocation
		c.Resource, c.Role, c.With, c.WithRole = pair[0].id, pair[0].role, pair[1].id, pair[1].role
	}
	if k.Order != nil {
		o := k.Order
		o.First, o.FirstAction, o.Then, o.ThenAction = pair[0].id, pair[0].role, pair[1].id, pair[1].role
	}
	*sets = nil
}
