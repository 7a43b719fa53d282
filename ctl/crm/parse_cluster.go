package crm

import (
	"slices"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

func (p *parser) property() (*addition, *Error)    { return p.cluster("property", true) }
func (p *parser) rscDefaults() (*addition, *Error) { return p.cluster("rsc_defaults", false) }
func (p *parser) opDefaults() (*addition, *Error)  { return p.cluster("op_defaults", false) }

// cluster reads a set of cluster-wide values.
func (p *parser) cluster(section string, filled bool) (*addition, *Error) {
	if !p.more() {
		return nil, p.expected("NAME=VALUE, or the ID of a set and a colon")
	}
	id := ""
	if name, colon := strings.CutSuffix(p.peek().text, ":"); colon && cib.ValidID(name) {
		p.at++
		id = name
	}
	set, err := p.set(nil)
	if err != nil {
		return nil, err
	}
	if id != "" {
		set.ID = id
	}
	p.chosen = slices.DeleteFunc(p.chosen, func(w word) bool { return w.text == set.ID }) // lines of one set merge
	if filled && len(set.Pairs) == 0 && set.ID == "" {
		return nil, p.expected("NAME=VALUE")
	}
	return &addition{set: &set, section: section}, nil
}

var nodeTypes = []string{"member", "remote", "ping"}

func (p *parser) node() (*addition, *Error) {
	n := &cib.Node{}
	if name, value, _ := p.option("id"); name != "" {
		n.ID = value
	} else if id, colon := strings.CutSuffix(p.peek().text, ":"); colon {
		p.at++
		n.ID = id
	}
	if !p.more() || strings.Contains(p.peek().text, "=") {
		return nil, p.expected("the name of a node")
	}
	w := p.next()
	uname, kind, typed := strings.Cut(w.text, ":")
	if n.Uname = uname; uname == "" {
		return nil, w.errorf("the name of a node is expected, not %q", w.text)
	}
	if typed {
		if kind = strings.ToLower(kind); kind == "normal" {
			kind = "member" // its old name
		}
		if !slices.Contains(nodeTypes, kind) {
			return nil, w.unknown(kind, nodeTypes, "a type of node is expected (%s), not %q", or(nodeTypes), kind)
		}
		n.Type = kind
	}
	p.description(&n.Description)
	stop := []string{"attributes", "utilization"}
	for first := true; p.more(); first = false {
		sets := &n.Attributes
		switch {
		case p.accept("attributes"):
		case p.accept("utilization"):
			sets = &n.Utilization
		case !first:
			return nil, p.expected("attributes or utilization")
		}
		set, err := p.set(stop)
		if err != nil {
			return nil, err
		}
		*sets = append(*sets, set)
	}
	w.text = uname
	return &addition{node: n, id: w}, nil
}

// fencing reads levels; a target holds for the levels that follow it.
func (p *parser) fencing() (*addition, *Error) {
	a := &addition{}
	var to cib.FencingLevel
	targeted := false
	var bare word            // a target without levels yet
	next := map[string]int{} // the last level of each target
	for p.more() {
		w := p.next()
		if target, isTarget, err := fencingTarget(w); err != nil {
			return nil, err
		} else if isTarget {
			if len(a.everywhere) > 0 {
				return nil, w.errorf("levels of all nodes stand before a target: name targets for all levels or for none")
			}
			if bare.text != "" {
				break
			}
			to, targeted, bare = target, true, w
			continue
		}
		bare = word{}
		devices := strings.Split(w.text, ",")
		for _, id := range devices {
			if !cib.ValidID(id) {
				return nil, w.errorf("the ID of a fencing device, or several with commas, are expected, not %q", w.text)
			}
		}
		if !targeted {
			a.everywhere = append(a.everywhere, devices)
			continue
		}
		level := to
		key := to.Target + "\x00" + to.TargetPattern + "\x00" + to.TargetAttribute // of an attribute all values share the count
		next[key]++
		level.Index, level.Devices = strconv.Itoa(next[key]), devices
		a.levels = append(a.levels, level)
	}
	if bare.text != "" {
		return nil, bare.errorf("the target %q has no levels: fencing devices are expected behind it", bare.text)
	}
	return a, nil
}

// fencingTarget reads NODE:, pattern:REGEX or attr:NAME=VALUE.
func fencingTarget(w word) (cib.FencingLevel, bool, *Error) {
	if pattern, is := strings.CutPrefix(w.text, "pattern:"); is {
		if pattern == "" {
			return cib.FencingLevel{}, false, w.errorf("a pattern is expected behind \"pattern:\"")
		}
		return cib.FencingLevel{TargetPattern: pattern}, true, nil
	}
	if attribute, is := strings.CutPrefix(w.text, "attr:"); is {
		name, value, found := strings.Cut(attribute, "=")
		if !found || name == "" {
			return cib.FencingLevel{}, false, w.errorf("attr:NAME=VALUE is expected, not %q", w.text)
		}
		return cib.FencingLevel{TargetAttribute: name, TargetValue: value}, true, nil
	}
	if node, is := strings.CutSuffix(w.text, ":"); is {
		if node == "" {
			return cib.FencingLevel{}, false, w.errorf("the name of a node is expected before the colon")
		}
		return cib.FencingLevel{Target: node}, true, nil
	}
	return cib.FencingLevel{}, false, nil
}

func (p *parser) tag() (*addition, *Error) {
	if p.more() { // the colon may touch the ID
		p.words = slices.Clone(p.words)
		p.words[p.at].text = strings.TrimSuffix(p.words[p.at].text, ":")
	}
	id, err := p.id("the ID of a tag")
	if err != nil {
		return nil, err
	}
	t := &cib.Tag{ID: id.text}
	for p.more() {
		ref, err := p.id("the ID of an object")
		if err != nil {
			return nil, err
		}
		t.Refs = append(t.Refs, ref.text)
	}
	if len(t.Refs) == 0 {
		return nil, p.expected("the ID of an object")
	}
	return &addition{tag: t, id: id}, nil
}

func (p *parser) aclTarget() (*addition, *Error) { return p.aclUser(false) }
func (p *parser) aclGroup() (*addition, *Error)  { return p.aclUser(true) }

func (p *parser) aclUser(group bool) (*addition, *Error) {
	if !p.more() {
		return nil, p.expected("the name of a user or group")
	}
	w := p.next()
	a := &addition{target: &cib.ACLTarget{ID: w.text}, group: group, id: w}
	for p.more() {
		role, err := p.id("the ID of a role")
		if err != nil {
			return nil, err
		}
		a.target.Roles = append(a.target.Roles, role.text)
		a.roles = append(a.roles, role)
	}
	return a, nil
}

var rights = []string{"read", "write", "deny"}

func (p *parser) role() (*addition, *Error) {
	id, err := p.id("the ID of a role")
	if err != nil {
		return nil, err
	}
	r := &cib.ACLRole{ID: id.text}
	p.description(&r.Description)
	for p.more() {
		permissions, err := p.permissions()
		if err != nil {
			return nil, err
		}
		r.Permissions = append(r.Permissions, permissions...)
	}
	if len(r.Permissions) == 0 {
		return nil, p.expected("a right (" + or(rights) + ")")
	}
	return &addition{role: r, id: id}, nil
}

// permissions reads a right and what it is about. Each further thing is a permission of its own, of the same right.
func (p *parser) permissions() ([]cib.ACLPermission, *Error) {
	if !p.stops(rights) {
		return nil, p.expected("a right (" + or(rights) + ")")
	}
	perm := cib.ACLPermission{Kind: strings.ToLower(p.next().text)}
	if id, colon := strings.CutSuffix(p.peek().text, ":"); colon && cib.ValidID(id) {
		p.choose(&perm.ID, id, p.next())
	}
	p.description(&perm.Description)
	var list []cib.ACLPermission
	for p.more() && !p.stops(rights) {
		more, err := perspective(&perm, p.peek())
		if err != nil {
			return nil, err
		}
		if more {
			p.at++
			continue
		}
		list, perm = append(list, perm), cib.ACLPermission{Kind: perm.Kind}
	}
	if !isAbout(&perm) {
		return nil, p.expected("what the right is about (xpath:, ref:, type:, meta:, params:, node, property, status, cib, ...)")
	}
	return append(list, perm), nil
}

func isAbout(perm *cib.ACLPermission) bool {
	return perm.XPath != "" || perm.Reference != "" || perm.ObjectType != ""
}

// perspective reads one word of what a right is about; it reports false for a word that begins another right.
func perspective(perm *cib.ACLPermission, w word) (bool, *Error) {
	name, rest, colon := strings.Cut(w.text, ":")
	name = strings.ToLower(name)
	switch {
	case (name == "attr" || name == "attribute") && rest != "":
		perm.Attribute = rest
		return true, nil
	case isAbout(perm):
		return false, nil
	case name == "xpath" && rest != "":
		perm.XPath = rest
		return true, nil
	case (name == "ref" || name == "reference") && rest != "":
		perm.Reference = rest
		return true, nil
	case (name == "type" || name == "tag") && rest != "":
		perm.ObjectType = rest
		return true, nil
	}
	short, known := shortcuts[name]
	if !known {
		return false, w.unknown(name, shortcutNames(), "%q is nothing that a right can be about", w.text)
	}
	of, attribute, _ := strings.Cut(rest, ":")
	path := short.expand(of, attribute)
	if path == "" || colon && of == "" {
		return false, w.errorf("%q is incomplete: %s is expected", w.text, short.form)
	}
	perm.XPath = path
	return true, nil
}

func (p *parser) alert() (*addition, *Error) {
	id, err := p.id("the ID of an alert")
	if err != nil {
		return nil, err
	}
	if !p.more() {
		return nil, p.expected("the path of a program")
	}
	a := &cib.Alert{ID: id.text, Path: p.next().text}
	p.description(&a.Description)
	stop := []string{"attributes", "meta", "select", "to", "}"}
	var order []string // of the elements that the parts become
	for p.more() {
		var set cib.NVSet
		switch {
		case p.accept("attributes"):
			set, err = p.set(stop)
			a.Params = append(a.Params, set)
			order = append(order, "instance_attributes")
		case p.accept("meta"):
			set, err = p.set(stop)
			a.Meta = append(a.Meta, set)
			order = append(order, "meta_attributes")
		case p.accept("select"):
			err = p.selection(a)
			order = append(order, "select")
		case p.accept("to"):
			err = p.recipient(a, stop)
			order = append(order, "recipient")
		default:
			err = p.expected("attributes, meta, select or to")
		}
		if err != nil {
			return nil, err
		}
	}
	a.SetOrder(order)
	return &addition{alert: a, id: id}, nil
}

// selection reads the kinds of events of an alert.
func (p *parser) selection(a *cib.Alert) *Error {
	s := &cib.AlertSelect{}
	if a.Select != nil {
		s = a.Select
	}
	a.Select = s
	order := s.Order
	for n := 0; ; n++ {
		switch {
		case p.accept("nodes"):
			s.Nodes = true
			order = append(order, "select_nodes")
		case p.accept("fencing"):
			s.Fencing = true
			order = append(order, "select_fencing")
		case p.accept("resources"):
			s.Resources = true
			order = append(order, "select_resources")
		case p.peek().is("attributes") && p.at+1 < len(p.words) && p.words[p.at+1].text == "{":
			p.at += 2
			s.HasAttributes = true
			order = append(order, "select_attributes")
			for !p.accept("}") {
				if !p.more() {
					return p.expected("the name of an attribute, or }")
				}
				s.Attributes = append(s.Attributes, cib.Attr{Value: p.next().text})
			}
		case n == 0:
			return p.expected("nodes, fencing, resources or attributes { ... }")
		default:
			s.SetOrder(order)
			return nil
		}
	}
}

// recipient reads VALUE with what it has, in braces where that would not be clear.
func (p *parser) recipient(a *cib.Alert, stop []string) *Error {
	braces := p.accept("{")
	if !p.more() || p.peek().is("}") {
		return p.expected("a recipient")
	}
	r := cib.AlertRecipient{}
	if strings.HasPrefix(p.peek().text, "$") {
		p.setID(&r.ID)
	}
	r.Value = p.next().text
	p.description(&r.Description)
	for p.more() {
		var sets *[]cib.NVSet
		switch {
		case p.accept("attributes"):
			sets = &r.Params
		case p.accept("meta"):
			sets = &r.Meta
		}
		if sets == nil {
			break
		}
		set, err := p.set(stop)
		if err != nil {
			return err
		}
		*sets = append(*sets, set)
	}
	if braces && !p.accept("}") {
		return p.expected("attributes, meta or }")
	}
	a.Recipients = append(a.Recipients, r)
	return nil
}

// xml reads an element of the CIB as it is.
func (p *parser) xml() (*addition, *Error) {
	at := p.peek()
	if !p.more() {
		return nil, p.expected("an XML element")
	}
	p.at = len(p.words)
	c, warnings, err := cib.DecodeObjects(p.raw)
	if err != nil {
		return nil, at.errorf("the XML cannot be read: %s", err)
	}
	if len(warnings) > 0 {
		return nil, at.errorf("the XML has what cannot be kept: %s", warnings[0])
	}
	return &addition{xml: c}, nil
}
