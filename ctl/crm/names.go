package crm

import (
	"fmt"
	"slices"

	"paceline/agent/cib"
)

// distinct refuses lines that give an ID twice, or one that is there (unless it is the same kind of object, in an update).
func (d *document) distinct(statements []*statement) Errors {
	var errs Errors
	seen := map[string]word{}
	for _, s := range statements {
		a := s.add
		for _, w := range s.chosen {
			if !cib.ValidID(w.text) {
				errs = append(errs, w.errorf("%q cannot be an ID", w.text))
			}
			if first, taken := seen[w.text]; taken {
				errs = append(errs, w.errorf("the ID %q is given already, in line %d", w.text, first.line))
			}
			seen[w.text] = w
			if d.foreign(w.text, a) {
				errs = append(errs, w.errorf("the ID %q is taken", w.text))
			}
		}
		if a.xml != nil {
			for _, o := range namedIn(a.xml) {
				at := word{place: s.place, text: o.id}
				if first, taken := seen[o.space+o.id]; taken {
					errs = append(errs, at.errorf("%q is configured already, in line %d", o.id, first.line))
				}
				seen[o.space+o.id] = at
				if was := d.kindOf(o.space, o.id); was != "" && (!d.update || was != o.kind) {
					errs = append(errs, at.errorf("there is a %s %q already", was, o.id))
				}
			}
			continue
		}
		if a.id.text == "" {
			continue
		}
		space := "" // nodes, users and groups have names of their own
		switch {
		case a.node != nil:
			space = "node "
		case a.target != nil && a.group:
			space = "group "
		case a.target != nil:
			space = "user "
		}
		if first, taken := seen[space+a.id.text]; taken {
			errs = append(errs, a.id.errorf("%q is configured already, in line %d", a.id.text, first.line))
			continue
		}
		seen[space+a.id.text] = a.id
		was := d.kindOf(space, a.id.text)
		switch {
		case was == "" || a.node != nil || d.update && was == kindOf(a): // a line about a node adds to it
		case d.update:
			errs = append(errs, a.id.errorf("%q is the ID of a %s: a %s cannot take its place", a.id.text, was, kindOf(a)))
		default:
			errs = append(errs, a.id.errorf("there is a %s %q already", was, a.id.text))
		}
	}
	return errs
}

// named is an object with a name of its own.
type named struct{ space, kind, id string }

// namedIn lists the objects of an XML line.
func namedIn(x *cib.Configuration) []named {
	var list []named
	for r := range x.Walk() {
		list = append(list, named{"", string(r.Kind), r.ID})
	}
	for _, t := range x.Templates {
		list = append(list, named{"", string(t.Kind), t.ID})
	}
	for _, k := range x.Constraints {
		list = append(list, named{"", string(k.Kind()) + " constraint", k.ID()})
	}
	for _, n := range x.Nodes {
		list = append(list, named{"node ", "node", n.Uname})
	}
	for _, t := range x.Tags {
		list = append(list, named{"", "tag", t.ID})
	}
	for _, r := range x.ACLs.Roles {
		list = append(list, named{"", "role", r.ID})
	}
	for _, t := range x.ACLs.Targets {
		list = append(list, named{"user ", "acl_target", t.ID})
	}
	for _, t := range x.ACLs.Groups {
		list = append(list, named{"group ", "acl_group", t.ID})
	}
	for _, a := range x.Alerts {
		list = append(list, named{"", "alert", a.ID})
	}
	return list
}

// foreign tells whether an ID that a line chooses is known already, other than in the object that the line may replace.
func (d *document) foreign(id string, a *addition) bool {
	if !d.known[id] {
		return false
	}
	if !d.update {
		return a.set == nil // sets of cluster-wide values merge, and so do their rules
	}
	return d.kindOf("", id) != "" // bookkeeping may belong to what is replaced
}

// kindOf names the kind of an addition for people.
func kindOf(a *addition) string {
	switch {
	case a.resource != nil:
		return string(a.resource.Kind)
	case a.constraint != nil:
		return string(a.constraint.Kind()) + " constraint"
	case a.node != nil:
		return "node"
	case a.tag != nil:
		return "tag"
	case a.role != nil:
		return "role"
	case a.target != nil && a.group:
		return "acl_group"
	case a.target != nil:
		return "acl_target"
	case a.alert != nil:
		return "alert"
	}
	return ""
}

// kindOf names the kind of the object of that ID in the document, or returns "".
func (d *document) kindOf(space, id string) string {
	c := d.c
	switch space {
	case "node ":
		if c.NodeByName(id) != nil {
			return "node"
		}
		return ""
	case "group ":
		if slices.ContainsFunc(c.ACLs.Groups, func(t cib.ACLTarget) bool { return t.ID == id }) {
			return "acl_group"
		}
		return ""
	case "user ":
		if slices.ContainsFunc(c.ACLs.Targets, func(t cib.ACLTarget) bool { return t.ID == id }) {
			return "acl_target"
		}
		return ""
	}
	if r := c.Resource(id); r != nil {
		return string(r.Kind)
	}
	for _, k := range c.Constraints {
		if k.ID() == id {
			return string(k.Kind()) + " constraint"
		}
	}
	switch {
	case slices.ContainsFunc(c.Tags, func(t cib.Tag) bool { return t.ID == id }):
		return "tag"
	case slices.ContainsFunc(c.ACLs.Roles, func(r cib.ACLRole) bool { return r.ID == id }):
		return "role"
	case slices.ContainsFunc(c.Alerts, func(a cib.Alert) bool { return a.ID == id }):
		return "alert"
	}
	return ""
}

func (d *document) resourceIDs() []string {
	var ids []string
	for r := range d.c.Walk() {
		ids = append(ids, r.ID)
	}
	return ids
}

// freshID returns the ID, with a number behind it where it is taken.
func (d *document) freshID(want string) string {
	taken := idsOf(d.c)
	id := cib.FitID(want)
	for n := 0; taken[id]; n++ {
		id = fmt.Sprintf("%s-%d", cib.FitID(want), n)
	}
	return id
}
