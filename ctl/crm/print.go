package crm

import (
	"errors"
	"strings"

	"paceline/agent/cib"
)

// Print writes the configuration as text. Objects come in the document's order, members before the collection that holds them, so
// that reading the text back keeps the order, which decides ties. Objects that the language cannot say, or that would come back
// changed, are written as XML lines.
func Print(c *cib.Configuration) string {
	_, text := printed(c)
	return text
}

// printed writes the configuration, and returns the printer that knows where the objects stand.
func printed(c *cib.Configuration) (*printer, string) {
	p := newPrinter(c)
	text := p.all()
	for range printTries {
		if !p.learn(text) {
			break
		}
		text = p.all()
	}
	return p, text
}

// topologyKey is the key of the fencing levels that are one line together; as an ID it means all of them.
const topologyKey = "fencing_topology"

// closingKey is the key of the comment behind the last object.
const closingKey = "# closing"

// Object is one object as Print writes it.
type Object struct {
	// Key tells objects apart: the ID of a resource, constraint, tag, role or alert; else with the keyword before it ("node alpha",
	// "property cib-bootstrap-options", "acl_target ann"). All levels of fencing that the language can say are "fencing_topology", the comment behind the last object is
	// "# closing".
	Key  string
	Text string // its lines, the last with its end
}

// Objects returns the parts of the text that Print writes, in their order.
func Objects(c *cib.Configuration) []Object {
	p, text := printed(c)
	lines := strings.SplitAfter(text, "\n")
	var list []Object
	for i, s := range p.starts {
		end := p.lines
		if i+1 < len(p.starts) {
			end = p.starts[i+1].line - 1
		}
		part := strings.Join(lines[s.line-1:end], "")
		if n := len(list); n > 0 && list[n-1].Key == s.key { // levels of one target as XML, one a line
			list[n-1].Text += part
			continue
		}
		list = append(list, Object{s.key, part})
	}
	return list
}

// learn reads a text back, and notes the objects that came back changed or not at all. It reports whether there are new ones. A
// text that refers to what is not there cannot be read back; it is left as it is, for people to see.
func (p *printer) learn(text string) bool {
	before := len(p.asXML)
	back, err := Parse(text)
	if err != nil {
		var list Errors
		if errors.As(err, &list) {
			for _, e := range list {
				if key := p.keyAt(e.Line); key != "" && !strings.HasPrefix(e.Message, "there is no ") {
					p.asXML[key] = true
				}
			}
		}
		return len(p.asXML) > before
	}
	is := imagesOf(back)
	for key, image := range imagesOf(p.c) {
		if is[key] != image {
			p.asXML[key] = true
		}
	}
	return len(p.asXML) > before
}

// keyAt returns the key of the object that stands at a line of the text.
func (p *printer) keyAt(line int) string {
	key := ""
	for _, s := range p.starts {
		if s.line > line {
			break
		}
		key = s.key
	}
	return key
}

// printer writes objects.
type printer struct {
	c      *cib.Configuration
	used   map[string]bool // IDs that an id-ref names
	asXML  map[string]bool // keys of objects that the language cannot say
	starts []start         // of the objects in the text
	lines  int             // in the text so far
	b      strings.Builder

	comments map[string]string // by key
	told     map[string]bool   // keys whose comment is in the text
}

type start struct {
	line int
	key  string
}

func newPrinter(c *cib.Configuration) *printer {
	return &printer{c: c, used: referenced(c), asXML: map[string]bool{}, comments: CommentsOf(c)}
}

func (p *printer) all() string {
	p.b.Reset()
	p.starts, p.lines, p.told = nil, 0, map[string]bool{}
	c := p.c
	for _, n := range c.Nodes {
		p.object("node "+n.Uname, p.node(n), &cib.Configuration{Nodes: []*cib.Node{n}})
	}
	for _, t := range c.Templates {
		p.object(t.ID, p.leaf("rsc_template", t), &cib.Configuration{Templates: []*cib.Resource{t}})
	}
	for _, r := range c.Resources {
		p.resource(r)
	}
	for i := range c.Tags {
		t := &c.Tags[i]
		p.object(t.ID, p.say("tag", append([]string{t.ID}, t.Refs...)...), &cib.Configuration{Tags: []cib.Tag{*t}})
	}
	for _, k := range c.Constraints {
		p.object(k.ID(), p.constraint(k), &cib.Configuration{Constraints: []*cib.Constraint{k}})
	}
	p.topology()
	p.clusterSets("property", c.Options, func(s cib.NVSet) *cib.Configuration { return &cib.Configuration{Options: []cib.NVSet{s}} })
	p.clusterSets("rsc_defaults", c.RscDefaults, func(s cib.NVSet) *cib.Configuration {
		return &cib.Configuration{RscDefaults: []cib.NVSet{s}}
	})
	p.clusterSets("op_defaults", c.OpDefaults, func(s cib.NVSet) *cib.Configuration {
		return &cib.Configuration{OpDefaults: []cib.NVSet{s}}
	})
	p.acls()
	for i := range c.Alerts {
		a := &c.Alerts[i]
		p.object(a.ID, p.alert(a), &cib.Configuration{Alerts: []cib.Alert{*a}})
	}
	if lines := remark(c.Comment); len(lines) > 0 {
		p.starts = append(p.starts, start{p.lines + 1, closingKey})
		p.b.WriteString(strings.Join(lines, "\n") + "\n")
		p.lines += len(lines)
	}
	return p.b.String()
}

// object writes the parts of an object, one a line, or its XML where there are none.
func (p *printer) object(key string, parts []string, alone *cib.Configuration) {
	if parts != nil && !p.asXML[key] && sayable(strings.Join(parts, "")) {
		p.write(key, strings.Join(parts, " \\\n\t"))
		return
	}
	elements, err := cib.EncodeObjects(alone)
	if err != nil {
		p.write(key, "# "+key+" cannot be written: "+strings.ReplaceAll(err.Error(), "\n", " "))
		return
	}
	for _, e := range elements {
		p.write(key, "xml "+e)
	}
}

// write writes an object and notes where it stands.
func (p *printer) write(key, text string) {
	p.starts = append(p.starts, start{p.lines + 1, key})
	of := key
	if strings.HasPrefix(key, "level ") {
		of = topologyKey
	}
	if !p.told[of] {
		p.told[of] = true
		for _, line := range remark(p.comments[of]) {
			p.b.WriteString(line + "\n")
			p.lines++
		}
	}
	p.b.WriteString(text)
	p.b.WriteByte('\n')
	p.lines += strings.Count(text, "\n") + 1
}

// say makes the first part of an object of words that need quotes where they are unusual.
func (p *printer) say(keyword string, words ...string) []string {
	for _, w := range words {
		keyword += " " + quoteValue(w)
	}
	return []string{keyword}
}

// scoreText is how a score is shown.
func scoreText(score string) string {
	switch strings.ToUpper(score) {
	case "INFINITY", "+INFINITY":
		return "inf"
	case "-INFINITY":
		return "-inf"
	}
	return score
}

// resource writes a resource behind its members.
func (p *printer) resource(r *cib.Resource) {
	var children []string
	for _, child := range r.Children {
		children = append(children, child.ID)
	}
	alone := &cib.Configuration{Resources: []*cib.Resource{r}}
	if p.asXML[r.ID] && len(children) > 0 { // its XML holds its members
		p.object(r.ID, nil, alone)
		return
	}
	for _, child := range r.Children {
		p.resource(child)
	}
	var parts []string
	switch r.Kind {
	case cib.KindPrimitive:
		parts = p.leaf("primitive", r)
	case cib.KindGroup:
		parts = p.collection("group", r, children)
	case cib.KindClone:
		keyword := "clone"
		if r.Legacy {
			keyword = "ms"
		}
		parts = p.collection(keyword, r, children)
	case cib.KindBundle:
		parts = p.bundle(r, children)
	}
	p.object(r.ID, parts, alone)
}

func (p *printer) collection(keyword string, r *cib.Resource, children []string) []string {
	parts := p.say(keyword, append([]string{r.ID}, children...)...)
	parts = describe(parts, r.Description)
	parts = p.sets(parts, "params", r.Params, r.ID+"-instance_attributes")
	return p.sets(parts, "meta", r.Meta, r.ID+"-meta_attributes")
}

func describe(parts []string, text string) []string {
	if text == "" {
		return parts
	}
	return append(parts, "description="+quoteValue(text))
}

// leaf writes a primitive or a template.
func (p *printer) leaf(keyword string, r *cib.Resource) []string {
	agent := "@" + r.Template
	switch a := r.Agent; {
	case r.Template != "" && a != (cib.Agent{}):
		return nil
	case r.Template == "" && a.Class == "ocf" && a.Provider == defaultProvider && !strings.Contains(a.Type, ":"):
		agent = a.Type
	case r.Template == "":
		agent = a.String()
	}
	parts := describe(p.say(keyword, r.ID), r.Description)
	parts[0] += " " + agent
	parts = p.sets(parts, "params", r.Params, r.ID+"-instance_attributes")
	parts = p.sets(parts, "meta", r.Meta, r.ID+"-meta_attributes")
	parts = p.sets(parts, "utilization", r.Utilization, r.ID+"-utilization")
	o := &r.Operations
	switch {
	case o.IDRef != "":
		parts = append(parts, "operations $id-ref="+quoteValue(o.IDRef))
	case o.ID != "":
		parts = append(parts, "operations $id="+quoteValue(o.ID))
	}
	for _, op := range o.Ops {
		if op.IDRef != "" || len(op.Extra) > 0 {
			return nil
		}
		text := "op " + quoteValue(op.Name)
		for _, name := range opAttributes {
			if value := *opField(op, name); value != "" {
				text += " " + name + "=" + quoteValue(value)
			}
		}
		parts = append(parts, text)
		parts = p.sets(parts, "op_params", op.Params, op.ID+"-instance_attributes")
		parts = p.sets(parts, "op_meta", op.Meta, op.ID+"-meta_attributes")
	}
	return parts
}

func (p *printer) bundle(r *cib.Resource, children []string) []string {
	b := r.Bundle
	if b == nil || b.Runtime == "" || len(r.Params) > 0 {
		return nil
	}
	parts := describe(p.say("bundle", r.ID), r.Description)
	parts = append(parts, attrWords(b.Runtime, b.Options))
	if n := b.Network; n != nil {
		text := attrWords("network", n.Options)
		for _, port := range n.Ports {
			text += attrWords(" port-mapping", []cib.Attr{
				{Name: "port", Value: port.Port}, {Name: "internal-port", Value: port.InternalPort}, {Name: "range", Value: port.Range}, {Name: "id", Value: port.ID},
			})
		}
		parts = append(parts, text)
	}
	if len(b.Storage) > 0 {
		text := "storage"
		for _, m := range b.Storage {
			text += attrWords(" storage-mapping", []cib.Attr{
				{Name: "source-dir", Value: m.SourceDir}, {Name: "source-dir-root", Value: m.SourceDirRoot},
				{Name: "target-dir", Value: m.TargetDir}, {Name: "options", Value: m.Options}, {Name: "id", Value: m.ID},
			})
		}
		parts = append(parts, text)
	}
	for _, child := range children {
		parts = append(parts, "primitive "+child)
	}
	return p.sets(parts, "meta", r.Meta, r.ID+"-meta_attributes")
}

func attrWords(head string, attrs []cib.Attr) string {
	for _, a := range attrs {
		if a.Value != "" {
			head += " " + a.Name + "=" + quoteValue(a.Value)
		}
	}
	return head
}

func (p *printer) node(n *cib.Node) []string {
	if n.Score != "" || n.Uname == "" {
		return nil
	}
	name := quoteValue(n.Uname)
	if n.Type != "" {
		name += ":" + n.Type
	}
	head := "node " + name
	if n.ID != "" && n.ID != n.Uname {
		head = "node " + n.ID + ": " + name
	}
	parts := describe([]string{head}, n.Description)
	parts = p.sets(parts, "attributes", n.Attributes, n.Uname+"-instance_attributes")
	return p.sets(parts, "utilization", n.Utilization, n.Uname+"-utilization")
}

// OneLine joins the lines of a printed text that go on, so that every object is one line.
func OneLine(text string) string { return strings.ReplaceAll(text, " \\\n\t", " ") }
