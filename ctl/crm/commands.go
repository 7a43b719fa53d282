package crm

import (
	"fmt"
	"slices"
	"strings"

	"paceline/agent/cib"
)

func (p *parser) deletion() (func(*document) *Error, *Error) {
	ids := p.words[p.at:]
	p.at = len(p.words)
	ids = slices.DeleteFunc(slices.Clone(ids), func(w word) bool { return w.text == "--force" })
	if len(ids) == 0 {
		return nil, p.expected("the ID of an object")
	}
	return func(d *document) *Error {
		for _, w := range ids {
			if err := d.remove(w); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (p *parser) renaming() (func(*document) *Error, *Error) {
	if !p.more() {
		return nil, p.expected("the ID of an object")
	}
	old := p.next()
	id, err := p.id("the new ID")
	if err != nil {
		return nil, err
	}
	return func(d *document) *Error { return d.rename(old, id) }, nil
}

func (p *parser) regrouping() (func(*document) *Error, *Error) {
	if !p.more() {
		return nil, p.expected("the ID of a group")
	}
	group := p.next()
	act := p.next()
	if !act.is("add") && !act.is("remove") {
		p.at--
		return nil, p.expected("add or remove")
	}
	member, err := p.id("the ID of a primitive")
	if err != nil {
		return nil, err
	}
	var where, beside word
	if act.is("add") && p.more() {
		where = p.next()
		if !where.is("before") && !where.is("after") {
			return nil, where.errorf("before or after is expected, not %q", where.text)
		}
		if beside, err = p.id("the ID of a member of the group"); err != nil {
			return nil, err
		}
	}
	return func(d *document) *Error {
		r := d.resource(group.text)
		if r == nil || r.Kind != cib.KindGroup {
			return group.unknown(group.text, d.resourceIDs(), "there is no group %q", group.text)
		}
		if act.is("remove") {
			return d.ungroup(r, member)
		}
		return d.regroup(r, member, where, beside)
	}, nil
}

// regroup adds a member to a group at its end, or before or after another member.
func (d *document) regroup(group *cib.Resource, member, where, beside word) *Error {
	at := len(group.Children)
	if where.text != "" {
		at = slices.IndexFunc(group.Children, func(r *cib.Resource) bool { return r.ID == beside.text })
		if at < 0 {
			return beside.errorf("%q is not in group %q", beside.text, group.ID)
		}
		if where.is("after") {
			at++
		}
	}
	if err := d.nest(group, member); err != nil {
		return err
	}
	last := len(group.Children) - 1
	moved := group.Children[last]
	group.Children = slices.Insert(group.Children[:last:last], at, moved)
	return nil
}

func (d *document) ungroup(group *cib.Resource, member word) *Error {
	at := slices.IndexFunc(group.Children, func(r *cib.Resource) bool { return r.ID == member.text })
	if at < 0 {
		return member.errorf("%q is not in group %q", member.text, group.ID)
	}
	if len(group.Children) == 1 {
		e := member.errorf("group %q would be empty", group.ID)
		e.Hint = "delete the group instead"
		return e
	}
	d.c.Resources = append(d.c.Resources, group.Children[at])
	group.Children = slices.Delete(group.Children, at, at+1)
	return nil
}

// erasing empties the configuration; nodes stay unless they are named.
func (p *parser) erasing() (func(*document) *Error, *Error) {
	nodes := p.accept("nodes")
	return func(d *document) *Error {
		kept := d.c.Nodes
		*d.c = cib.Configuration{}
		if !nodes {
			d.c.Nodes = kept
		}
		return nil
	}, nil
}

// setting changes one value that is there: ID.[OP.][INTERVAL.]NAME VALUE.
func (p *parser) setting() (func(*document) *Error, *Error) {
	if !p.more() {
		return nil, p.expected("ID.NAME")
	}
	path := p.next()
	if !p.more() {
		return nil, p.expected("a value")
	}
	value := p.next().text
	return func(d *document) *Error { return d.assign(path, value) }, nil
}

func (d *document) assign(path word, value string) *Error {
	// IDs and names may hold dots: the longest ID that is there counts.
	for at := strings.LastIndexByte(path.text, '.'); at > 0; at = strings.LastIndexByte(path.text[:at], '.') {
		id, name := path.text[:at], path.text[at+1:]
		if r := d.resource(id); r != nil {
			if setIn(name, value, r.Params, r.Meta, r.Utilization) {
				return nil
			}
			return d.assignOp(path, r, name, value)
		}
		if n := d.c.NodeByName(id); n != nil {
			if setIn(name, value, n.Attributes, n.Utilization) {
				return nil
			}
			return path.errorf("node %q has no attribute %q", id, name)
		}
		for _, list := range [][]cib.NVSet{d.c.Options, d.c.RscDefaults, d.c.OpDefaults} {
			for i := range list {
				if list[i].ID != id {
					continue
				}
				if setIn(name, value, list[i:i+1]) {
					return nil
				}
				return path.errorf("set %q has no attribute %q", id, name)
			}
		}
	}
	id, _, _ := strings.Cut(path.text, ".")
	return path.unknown(id, d.resourceIDs(), "there is no object %q with a value to set", id)
}

func setIn(name, value string, lists ...[]cib.NVSet) bool {
	for _, sets := range lists {
		for i := range sets {
			for j := range sets[i].Pairs {
				if p := &sets[i].Pairs[j]; p.Name == name && p.IDRef == "" {
					p.Value, p.NoValue = value, false
					return true
				}
			}
		}
	}
	return false
}

// assignOp changes an attribute of an operation: OP.NAME or OP.INTERVAL.NAME, OP perhaps beginning with op_.
func (d *document) assignOp(path word, r *cib.Resource, name, value string) *Error {
	parts := strings.Split(name, ".")
	if len(parts) != 2 && len(parts) != 3 {
		var known []string
		for _, sets := range [][]cib.NVSet{r.Params, r.Meta, r.Utilization} {
			for _, s := range sets {
				for _, p := range s.Pairs {
					known = append(known, p.Name)
				}
			}
		}
		return path.unknown(name, known, "%s %q has no attribute %q", r.Kind, r.ID, name)
	}
	var found []*cib.Op
	for _, op := range r.Operations.Ops {
		if op.Name == strings.TrimPrefix(parts[0], "op_") && (len(parts) == 2 || sameTime(op.Interval, parts[1])) {
			found = append(found, op)
		}
	}
	switch {
	case len(found) == 0:
		return path.errorf("%s %q has no such operation", r.Kind, r.ID)
	case len(found) > 1:
		return path.errorf("%s %q has %d operations %q: name the interval, as in %s.%s.10s.NAME", r.Kind, r.ID, len(found), parts[0], r.ID, parts[0])
	}
	last := parts[len(parts)-1]
	if field := opField(found[0], last); field != nil && *field != "" {
		*field = value
		return nil
	}
	if setIn(last, value, found[0].Params, found[0].Meta) {
		return nil
	}
	return path.errorf("operation %s of %s %q has no attribute %q", parts[0], r.Kind, r.ID, last)
}

func sameTime(a, b string) bool {
	x, errX := cib.ParseMilliseconds(a)
	y, errY := cib.ParseMilliseconds(b)
	return errX == nil && errY == nil && x == y
}

func (d *document) rename(old, id word) *Error {
	if was := d.kindOf("", id.text); was != "" || idsOf(d.c)[id.text] {
		return id.errorf("%q is taken", id.text)
	}
	c, found := d.c, false
	swap := func(s *string) {
		if *s == old.text {
			*s, found = id.text, true
		}
	}
	swapAll := func(list []string) {
		for i := range list {
			swap(&list[i])
		}
	}
	for r := range c.Walk() {
		renameResource(r, swap)
	}
	for _, t := range c.Templates {
		renameResource(t, swap)
	}
	for _, k := range c.Constraints {
		switch {
		case k.Location != nil:
			swap(&k.Location.ID)
		case k.Colocation != nil:
			swap(&k.Colocation.ID)
		case k.Order != nil:
			swap(&k.Order.ID)
		case k.Ticket != nil:
			swap(&k.Ticket.ID)
		}
	}
	for i := range c.Tags {
		swap(&c.Tags[i].ID)
	}
	for i := range c.ACLs.Roles {
		swap(&c.ACLs.Roles[i].ID)
	}
	for i := range c.Alerts {
		swap(&c.Alerts[i].ID)
	}
	if !found {
		return old.unknown(old.text, d.resourceIDs(), "there is no object %q", old.text)
	}
	d.renameUses(swap, swapAll)
	return nil
}

func renameResource(r *cib.Resource, swap func(*string)) {
	old := r.ID
	swap(&r.ID)
	if r.ID == old {
		return
	}
	// IDs that were made of the old one are made anew, so that they are not shown as chosen ones.
	clear := map[string]bool{}
	one := &cib.Configuration{Resources: []*cib.Resource{{
		ID: old, Kind: r.Kind, Params: r.Params, Meta: r.Meta, Utilization: r.Utilization, Operations: r.Operations, Bundle: r.Bundle,
	}}}
	visitIDs(one, func(id *string, made string) { clear[*id] = *id == cib.FitID(made) })
	visitIDs(one, func(id *string, _ string) {
		if clear[*id] {
			*id = cib.FitID(r.ID + strings.TrimPrefix(*id, old))
		}
	})
}

// renameUses changes the references to a renamed object.
func (d *document) renameUses(swap func(*string), swapAll func([]string)) {
	c := d.c
	for r := range c.Walk() {
		swap(&r.Template)
		swap(&r.Operations.IDRef)
	}
	for _, k := range c.Constraints {
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
			swapAll((*setsOf(k))[i].Resources)
		}
	}
	for i := range c.Topology {
		swapAll(c.Topology[i].Devices)
	}
	for i := range c.Tags {
		swapAll(c.Tags[i].Refs)
	}
	for _, targets := range [][]cib.ACLTarget{c.ACLs.Targets, c.ACLs.Groups} {
		for i := range targets {
			swapAll(targets[i].Roles)
		}
	}
	for i := range c.ACLs.Roles {
		for j := range c.ACLs.Roles[i].Permissions {
			swap(&c.ACLs.Roles[i].Permissions[j].Reference)
		}
	}
}

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
	if id == "fencing_topology" {
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
