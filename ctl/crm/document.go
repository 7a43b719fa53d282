package crm

import (
	"slices"
	"strconv"

	"paceline/agent/cib"
)

// document is the configuration that statements are carried out on. It owns all of it.
type document struct {
	c       *cib.Configuration
	update  bool
	before  []*cib.Node     // the nodes that were known before the load
	known   map[string]bool // the IDs that were known before the load
	targets map[target]place
	notes   []Note
}

func newDocument(base *cib.Configuration, update bool) (*document, error) {
	c, err := copyOf(base)
	if err != nil {
		return nil, err
	}
	return &document{c: c, update: update}, nil
}

// run carries out statements: object lines between two commands together, commands one by one. It stops at the first load or
// command that fails.
func (d *document) run(statements []*statement) Errors {
	for len(statements) > 0 {
		n := slices.IndexFunc(statements, func(s *statement) bool { return s.add == nil })
		if n < 0 {
			n = len(statements)
		}
		if n > 0 {
			if errs := d.load(statements[:n]); len(errs) > 0 {
				return errs
			}
			statements = statements[n:]
			continue
		}
		if err := statements[0].apply(d); err != nil {
			return Errors{err}
		}
		statements = statements[1:]
	}
	return nil
}

// load adds what the lines say. Members come before the collections that they are put into.
func (d *document) load(statements []*statement) Errors {
	d.before = slices.Clone(d.c.Nodes)
	d.known = idsOf(d.c)
	var errs Errors
	each := func(of func(*addition) bool, add func(*statement, *addition) *Error) {
		for _, s := range statements {
			if of(s.add) {
				if err := add(s, s.add); err != nil {
					errs = append(errs, err)
				}
			}
		}
	}
	kind := func(kinds ...cib.ResourceKind) func(*addition) bool {
		return func(a *addition) bool { return a.resource != nil && slices.Contains(kinds, a.resource.Kind) }
	}
	errs = append(errs, d.distinct(statements)...)
	if len(errs) > 0 {
		return errs
	}
	had := CommentsOf(d.c)
	each(func(a *addition) bool { return a.xml != nil }, d.addXMLResources)
	each(kind(cib.KindPrimitive, cib.KindTemplate), d.addResource)
	each(kind(cib.KindGroup), d.addResource)
	each(kind(cib.KindClone, cib.KindBundle), d.addResource)
	each(func(a *addition) bool { return a.resource == nil }, d.addOther)
	each(func(a *addition) bool { return a.constraint != nil }, d.checkRefs)
	each(func(a *addition) bool { return a.target != nil }, d.checkRoles)
	each(kind(cib.KindPrimitive), d.checkTemplate)
	for _, s := range statements {
		if s.apply != nil {
			if err := s.apply(d); err != nil {
				errs = append(errs, err)
			}
		}
	}
	if len(errs) > 0 {
		return errs
	}
	for _, s := range statements {
		comment(d.c, s.add)
	}
	KeepComments(d.c, had)
	d.order(statements)
	fillIDs(d.c)
	return d.resolve()
}

// order puts new resources and constraints into the order of the lines, behind those that were known: order decides ties.
func (d *document) order(statements []*statement) {
	lines := map[string]int{}
	for i, s := range statements {
		a := s.add
		switch {
		case a.resource != nil || a.constraint != nil:
			lines[a.id.text] = i + 1
		case a.xml != nil:
			for _, r := range a.xml.Resources {
				lines[r.ID] = i + 1
			}
			for _, k := range a.xml.Constraints {
				lines[k.ID()] = i + 1
			}
		}
	}
	at := func(id string) int {
		if d.known[id] {
			return 0
		}
		return lines[id]
	}
	slices.SortStableFunc(d.c.Resources, func(a, b *cib.Resource) int { return at(a.ID) - at(b.ID) })
	slices.SortStableFunc(d.c.Constraints, func(a, b *cib.Constraint) int { return at(a.ID()) - at(b.ID()) })
}

func (d *document) resource(id string) *cib.Resource { return d.c.Resource(id) }

// parent returns the collection that holds the resource, or nil.
func (d *document) parent(id string) *cib.Resource {
	for r, parent := range d.c.Walk() {
		if r.ID == id {
			return parent
		}
	}
	return nil
}

// put replaces the element that is like the new one, or appends it.
func put[T any](list []T, value T, same func(T) bool) []T {
	if at := slices.IndexFunc(list, same); at >= 0 {
		list[at] = value
		return list
	}
	return append(list, value)
}

func (d *document) addResource(_ *statement, a *addition) *Error {
	r := a.resource
	if r.Kind == cib.KindTemplate {
		d.c.Templates = put(d.c.Templates, r, func(t *cib.Resource) bool { return t.ID == r.ID })
		return nil
	}
	if old := d.resource(r.ID); old != nil { // an update: the new one stands where the old one stood
		members := old.Children
		*old, r = *r, old
		a.resource = old
		d.c.Resources = append(d.c.Resources, members...)
	} else {
		d.c.Resources = append(d.c.Resources, r)
	}
	for _, w := range a.children {
		if err := d.nest(r, w); err != nil {
			return err
		}
	}
	return nil
}

// nest moves a resource from the top level into a collection.
func (d *document) nest(into *cib.Resource, w word) *Error {
	child := d.resource(w.text)
	if child == nil || child.Kind == cib.KindTemplate {
		known := slices.DeleteFunc(d.resourceIDs(), func(id string) bool { return id == into.ID })
		return w.unknown(w.text, known, "there is no resource %q to put into %s %q", w.text, into.Kind, into.ID)
	}
	if parent := d.parent(child.ID); parent != nil {
		return w.errorf("%q is in %s %q already", child.ID, parent.Kind, parent.ID)
	}
	if child == into {
		return w.errorf("%s %q cannot hold itself", into.Kind, into.ID)
	}
	if child.Kind != cib.KindPrimitive && !(into.Kind == cib.KindClone && child.Kind == cib.KindGroup) {
		return w.errorf("a %s cannot hold a %s, which %q is", into.Kind, child.Kind, child.ID)
	}
	d.c.Resources = slices.DeleteFunc(d.c.Resources, func(r *cib.Resource) bool { return r == child })
	into.Children = append(into.Children, child)
	return nil
}

func (d *document) addOther(s *statement, a *addition) *Error {
	c := d.c
	switch {
	case a.xml != nil:
		return d.addXML(s, a.xml)
	case a.constraint != nil:
		c.Constraints = put(c.Constraints, a.constraint, func(k *cib.Constraint) bool { return k.ID() == a.id.text })
	case a.node != nil:
		if old := c.NodeByName(a.node.Uname); old != nil {
			mergeNode(old, a.node)
		} else {
			c.Nodes = append(c.Nodes, a.node)
		}
	case a.set != nil:
		d.addSet(a.section, a.set)
	case a.tag != nil:
		c.Tags = put(c.Tags, *a.tag, func(t cib.Tag) bool { return t.ID == a.tag.ID })
	case a.role != nil:
		c.ACLs.Roles = put(c.ACLs.Roles, *a.role, func(r cib.ACLRole) bool { return r.ID == a.role.ID })
	case a.target != nil && a.group:
		c.ACLs.Groups = put(c.ACLs.Groups, *a.target, func(t cib.ACLTarget) bool { return t.ID == a.target.ID })
	case a.target != nil:
		c.ACLs.Targets = put(c.ACLs.Targets, *a.target, func(t cib.ACLTarget) bool { return t.ID == a.target.ID })
	case a.alert != nil:
		c.Alerts = put(c.Alerts, *a.alert, func(x cib.Alert) bool { return x.ID == a.alert.ID })
	default:
		d.addLevels(s, a)
	}
	return nil
}

// mergeNode adds to a node what a line says of it. Unlike other objects a node is not replaced: its attributes include what
// commands have set (standby, maintenance), and a line about its rack must not end that.
func mergeNode(into, line *cib.Node) {
	if line.ID != "" {
		into.ID = line.ID
	}
	if line.Type != "" {
		into.Type = line.Type
	}
	if line.Description != "" {
		into.Description = line.Description
	}
	into.Attributes = mergeSets(into.Attributes, line.Attributes)
	into.Utilization = mergeSets(into.Utilization, line.Utilization)
}

func mergeSets(into, lines []cib.NVSet) []cib.NVSet {
	for _, s := range lines {
		at := slices.IndexFunc(into, func(o cib.NVSet) bool {
			if s.ID != "" {
				return o.ID == s.ID
			}
			return o.IDRef == "" && o.Rule == nil && s.IDRef == "" && s.Rule == nil && o.Score == s.Score
		})
		if at < 0 {
			into = append(into, s)
			continue
		}
		if s.Rule != nil {
			into[at].Rule = s.Rule
		}
		for _, p := range s.Pairs {
			into[at].Pairs = put(into[at].Pairs, p, func(o cib.NVPair) bool { return p.Name != "" && o.Name == p.Name })
		}
	}
	return into
}

// addLevels adds a fencing topology, which in an update takes the place of the old one.
func (d *document) addLevels(s *statement, a *addition) {
	if d.update {
		d.c.Topology = nil
	}
	d.c.Topology = append(d.c.Topology, a.levels...)
	for _, n := range d.before {
		for i, devices := range a.everywhere {
			d.c.Topology = append(d.c.Topology, cib.FencingLevel{Target: n.Uname, Index: strconv.Itoa(i + 1), Devices: devices})
		}
	}
	if len(a.everywhere) > 0 && len(d.before) == 0 {
		d.notes = append(d.notes, Note{s.line,
			"a fencing topology without targets is for the nodes that are known, and there are none yet: no level was made"})
	}
}

// defaultSets are the IDs of sets of cluster-wide values that have none.
var defaultSets = map[string]string{"property": cib.BootstrapSet, "rsc_defaults": "rsc-options", "op_defaults": "op-options"}

// addSet merges a set of cluster-wide values into the one of the same ID; one with a rule stands by itself.
func (d *document) addSet(section string, s *cib.NVSet) {
	list := map[string]*[]cib.NVSet{"property": &d.c.Options, "rsc_defaults": &d.c.RscDefaults, "op_defaults": &d.c.OpDefaults}[section]
	id := s.ID
	if id == "" {
		id = defaultSets[section]
	}
	at := slices.IndexFunc(*list, func(o cib.NVSet) bool { return o.ID == id })
	switch {
	case s.IDRef != "":
		*list = append(*list, *s)
		return
	case at < 0:
		s.ID = id
		at = len(*list)
		*list = append(*list, cib.NVSet{ID: id})
	case s.ID == "" && (s.Rule != nil || (*list)[at].Rule != nil):
		s.ID = d.freshID(id)
		*list = append(*list, *s)
		return
	}
	s.ID = id // for the comment of the line
	into := &(*list)[at]
	if s.Rule != nil {
		into.Rule = s.Rule
	}
	if s.Score != "" {
		into.Score = s.Score
	}
	for _, p := range s.Pairs {
		names := []string{p.Name}
		if section == "property" {
			names = cib.OptionNames(p.Name)
		}
		same := func(o cib.NVPair) bool { return p.Name != "" && slices.Contains(names, o.Name) }
		into.Pairs = put(into.Pairs, p, same)
	}
}

// checkRefs refuses a constraint about what is not there.
func (d *document) checkRefs(_ *statement, a *addition) *Error {
	for _, w := range a.refs {
		if d.resource(w.text) != nil || slices.ContainsFunc(d.c.Tags, func(t cib.Tag) bool { return t.ID == w.text }) {
			continue
		}
		known := d.resourceIDs()
		for _, t := range d.c.Tags {
			known = append(known, t.ID)
		}
		return w.unknown(w.text, known, "there is no resource or tag %q", w.text)
	}
	return nil
}

func (d *document) checkRoles(_ *statement, a *addition) *Error {
	for _, w := range a.roles {
		if !slices.ContainsFunc(d.c.ACLs.Roles, func(r cib.ACLRole) bool { return r.ID == w.text }) {
			var known []string
			for _, r := range d.c.ACLs.Roles {
				known = append(known, r.ID)
			}
			return w.unknown(w.text, known, "there is no role %q", w.text)
		}
	}
	return nil
}

func (d *document) checkTemplate(_ *statement, a *addition) *Error {
	id := a.resource.Template
	if id == "" || slices.ContainsFunc(d.c.Templates, func(t *cib.Resource) bool { return t.ID == id }) {
		return nil
	}
	var known []string
	for _, t := range d.c.Templates {
		known = append(known, t.ID)
	}
	return a.id.unknown(id, known, "there is no template %q for primitive %q", id, a.id.text)
}
