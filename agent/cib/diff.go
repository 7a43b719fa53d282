package cib

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Kinds of differences.
const (
	Added   = "added"
	Removed = "removed"
	Changed = "changed"
)

// Difference is one difference between two configurations, for people: of an object as a whole (Attribute is empty), or of
// one of its attributes. The values of attributes that look like secrets are masked.
type Difference struct {
	Kind      string `json:"kind"`
	Object    string `json:"object"`              // sort and ID: primitive "web"
	Attribute string `json:"attribute,omitempty"` // op monitor interval=10s timeout
	Old       string `json:"old,omitempty"`
	New       string `json:"new,omitempty"`
}

// String returns the difference as one line that begins with +, - or ~.
func (d Difference) String() string {
	text := d.Object
	if d.Attribute != "" {
		text += ": " + d.Attribute
	}
	switch {
	case d.Attribute == commentName: // it may be of several lines
		return fmt.Sprintf("~ %s: %q -> %q", text, d.Old, d.New)
	case d.Kind == Added:
		return strings.TrimSpace("+ " + text + " " + d.New)
	case d.Kind == Removed:
		return strings.TrimSpace("- " + text + " " + d.Old)
	}
	return fmt.Sprintf("~ %s: %s -> %s", text, orNothing(d.Old), orNothing(d.New))
}

func orNothing(value string) string {
	if value == "" {
		return `""`
	}
	return value
}

// Diff lists the differences between two configurations in document order; it is empty exactly if they are equal (an empty
// list and a missing one being the same). A resource that moves into or out of a collection is a change of the collection's members.
func Diff(old, new *Configuration) []Difference {
	a, b := objectsOf(old), objectsOf(new)
	d := &differ{}
	for _, o := range a.list {
		if b.at[o.key] == nil {
			d.whole(Removed, o)
		}
	}
	for _, o := range b.list {
		was := a.at[o.key]
		if was == nil {
			d.whole(Added, o)
			continue
		}
		d.object = o.name
		if was.members != o.members {
			d.changed("members", was.members, o.members)
		}
		d.compare("", was.element, o.element)
	}
	for i, section := range sections {
		d.order(section, a.tops[i], b.tops[i])
	}
	if old.Comment != new.Comment {
		d.object = "configuration"
		d.changed(commentName, old.Comment, new.Comment)
	}
	return d.list
}

// sections are the lists of objects whose order is kept.
var sections = []string{"crm_config", "nodes", "resources", "constraints", "rsc_defaults", "op_defaults", "fencing-topology", "tags", "acls", "alerts"}

// object is one object of a configuration, without the objects in it.
type object struct {
	key     string // tells it from all others, also from one that has the same ID by mistake
	name    string
	element *etree.Element
	members string // IDs of the resources in it
}

type objects struct {
	list []*object
	at   map[string]*object
	tops [10][]string // keys in the order of each section
}

func objectsOf(c *Configuration) *objects {
	x := &encoder{lenient: true}
	root := etree.NewElement("configuration")
	x.configuration(root, c)
	o := &objects{at: map[string]*object{}}
	for _, section := range root.ChildElements() {
		at := slices.Index(sections, section.Tag)
		for _, e := range section.ChildElements() {
			o.tops[at] = append(o.tops[at], o.add(section.Tag, e))
		}
	}
	return o
}

var resourceTags = []string{"primitive", "group", "clone", "master", "bundle", "template"}

// add takes an element and the resources in it out of each other, and returns the key of the outer one.
func (o *objects) add(section string, e *etree.Element) string {
	name := e.Tag
	switch section {
	case "crm_config":
		name = "property"
	case "rsc_defaults", "op_defaults":
		name = section
	case "constraints":
		name = strings.TrimPrefix(e.Tag, "rsc_")
	}
	name += " " + strconv.Quote(e.SelectAttrValue("id", ""))
	key := name
	for n := 2; o.at[key] != nil; n++ {
		key = name + " " + strconv.Itoa(n)
	}
	if uname := e.SelectAttrValue("uname", ""); e.Tag == "node" && uname != "" {
		name = "node " + strconv.Quote(uname) // people know a node by its name
	}
	it := &object{key: key, name: name, element: e}
	o.at[key] = it
	o.list = append(o.list, it)
	if section != "resources" {
		return key
	}
	var members []string
	for _, child := range e.ChildElements() {
		if !slices.Contains(resourceTags, child.Tag) {
			continue
		}
		e.RemoveChild(child)
		members = append(members, o.add(section, child))
	}
	for i, member := range members {
		if id := o.at[member].element.SelectAttrValue("id", ""); ValidID(id) && strings.HasSuffix(member, strconv.Quote(id)) {
			members[i] = id
		}
	}
	it.members = strings.Join(members, " ")
	return key
}

type differ struct {
	object string
	list   []Difference
}

func (d *differ) add(kind, attribute, old, new string) {
	d.list = append(d.list, Difference{kind, d.object, attribute, old, new})
}

func (d *differ) changed(attribute, old, new string) { d.add(Changed, attribute, old, new) }

// whole tells of an object that one side lacks, with what it is made of as its value.
func (d *differ) whole(kind string, o *object) {
	d.object = o.name
	text := make([]string, 0, 8)
	if o.members != "" {
		text = append(text, o.members)
	}
	words := strings.Join(append(text, parts(o.element)...), " ")
	if short := []rune(words); len(short) > summaryMax {
		words = string(short[:summaryMax]) + "..."
	}
	if kind == Added {
		d.add(kind, "", "", words)
	} else {
		d.add(kind, "", words, "")
	}
}

// order tells of objects on both sides that stand in another order.
func (d *differ) order(section string, a, b []string) {
	in := func(list []string) func(string) bool {
		known := map[string]bool{}
		for _, key := range list {
			known[key] = true
		}
		return func(key string) bool { return !known[key] }
	}
	was, is := without(a, in(b)), without(b, in(a))
	if !slices.Equal(was, is) {
		d.object = section
		d.changed("order", strings.Join(was, ", "), strings.Join(is, ", "))
	}
}

// compare tells the differences of two elements, each of which may be nil, and returns how many there are.
func (d *differ) compare(path string, a, b *etree.Element) int {
	before := len(d.list)
	whole := a == nil || b == nil
	for _, name := range attrNames(a, b) {
		old, hadOld := attrOf(a, name)
		new, hadNew := attrOf(b, name)
		if old == new && hadOld == hadNew || whole && inLabel(name) {
			continue
		}
		where := strings.TrimSpace(path + " " + name)
		if name == "value" && path != "" {
			where = path
		}
		if secret(path) {
			old, new = mask(old), mask(new)
		}
		switch {
		case !hadOld:
			d.add(Added, where, "", new)
		case !hadNew:
			d.add(Removed, where, old, "")
		default:
			d.changed(where, old, new)
		}
	}
	d.children(path, a, b)
	if n := len(d.list) - before; n > 0 || !whole {
		return n
	}
	// One side has the element and nothing in it told so.
	if a == nil {
		d.add(Added, path, "", "")
	} else {
		d.add(Removed, path, "", "")
	}
	return 1
}

// inLabel tells whether an attribute is told by the path or by nobody missing it, when its element comes or goes.
func inLabel(name string) bool { return name == "id" || name == "name" || name == "interval" }

func (d *differ) children(path string, a, b *etree.Element) {
	was, wasAt := keyed(a)
	is, isAt := keyed(b)
	for _, key := range was {
		if isAt[key] == nil {
			d.compare(below(path, wasAt[key]), wasAt[key], nil)
		}
	}
	for _, key := range is {
		d.compare(below(path, isAt[key]), wasAt[key], isAt[key])
	}
	only := func(other map[string]*etree.Element) func(string) bool {
		return func(key string) bool { return other[key] == nil }
	}
	if x, y := without(was, only(isAt)), without(is, only(wasAt)); !slices.Equal(x, y) {
		d.changed(strings.TrimSpace(path+" order"), strings.Join(x, ", "), strings.Join(y, ", "))
	}
}

// keyed returns the keys of an element's children in their order, and the children by key.
func keyed(e *etree.Element) ([]string, map[string]*etree.Element) {
	at := map[string]*etree.Element{}
	if e == nil {
		return nil, at
	}
	var list []string
	for _, child := range e.ChildElements() {
		name := below("", child)
		key := name
		for n := 2; at[key] != nil; n++ {
			key = name + " " + strconv.Itoa(n)
		}
		at[key] = child
		list = append(list, key)
	}
	return list, at
}

// below extends a path by what people call the child.
func below(path string, child *etree.Element) string {
	attr := func(name string) string { return child.SelectAttrValue(name, "") }
	label := ""
	switch child.Tag {
	case "nvpair":
		if label = attr("name"); label == "" {
			label = "@" + attr("id-ref")
		}
	case "meta_attributes":
		label = "meta"
	case "instance_attributes":
		label = "params"
	case "operations", "resource_ref", "obj_ref", "role":
		label = attr("id")
		if child.Tag == "operations" {
			label = "operations"
		}
	case "op":
		label = "op " + attr("name")
		if interval := attr("interval"); interval != "" && interval != "0" {
			label += " interval=" + interval
		}
	default:
		label = strings.TrimSpace(child.Tag + " " + attr("id"))
	}
	path = strings.TrimSuffix(path, "operations")
	return strings.TrimSpace(path + " " + label)
}

func attrNames(elements ...*etree.Element) []string {
	var names []string
	for _, e := range elements {
		if e == nil {
			continue
		}
		for _, a := range e.Attr {
			if !slices.Contains(names, a.Key) {
				names = append(names, a.Key)
			}
		}
	}
	return names
}

func attrOf(e *etree.Element, name string) (string, bool) {
	if e == nil {
		return "", false
	}
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Value, true
		}
	}
	return "", false
}

// parts puts what an element is made of into words, IDs of bookkeeping aside.
func parts(e *etree.Element) []string {
	var words []string
	attr := func(name string) string { value, _ := attrOf(e, name); return value }
	agent := Agent{attr("class"), attr("provider"), attr("type")}
	isAgent := agent.Class != "" && slices.Contains(resourceTags, e.Tag)
	switch {
	case isAgent:
		words = append(words, agent.String())
	case attr("template") != "":
		words = append(words, "@"+attr("template"))
	}
	for _, a := range e.Attr {
		skip := a.Key == "id" || a.Key == commentName || a.Key == "template" || isAgent && slices.Contains([]string{"class", "provider", "type"}, a.Key)
		if !skip && (e.Tag != "op" || a.Key != "name") {
			words = append(words, a.Key+"="+quoted(a.Value))
		}
	}
	for _, child := range e.ChildElements() {
		name, _ := attrOf(child, "name")
		id, _ := attrOf(child, "id")
		switch child.Tag {
		case "nvpair":
			value, has := attrOf(child, "value")
			if secret(name) {
				value = mask(value)
			}
			if name == "" {
				name, _ = attrOf(child, "id-ref")
				name = "@" + name
			}
			if has {
				name += "=" + quoted(value)
			}
			words = append(words, name)
			continue
		case "resource_ref", "obj_ref", "role":
			words = append(words, id)
			continue
		case "meta_attributes":
			words = append(words, "meta")
		case "instance_attributes":
			words = append(words, "params")
		case "operations":
		case "op":
			words = append(words, "op "+name)
		default:
			words = append(words, child.Tag)
		}
		words = append(words, parts(child)...)
	}
	return words
}

// quoted puts a value that has blanks, or nothing, in quotes: else nobody sees where it ends.
func quoted(value string) string {
	if value == "" || strings.ContainsAny(value, " \t\n\"") {
		return strconv.Quote(value)
	}
	return value
}

// secret tells whether the path ends in a name whose value people would not want to show.
func secret(path string) bool {
	return SecretName(path[strings.LastIndexByte(path, ' ')+1:])
}

func mask(value string) string {
	if value == "" {
		return ""
	}
	return Mask
}
