package crm

import (
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
