package cib

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Encode writes the CIB as Pacemaker's XML. Decode reads it back to an equal value. A value that XML cannot hold (a control
// character, text that is not UTF-8) is an error that names it; nothing is written then.
func Encode(w io.Writer, c *CIB) error {
	x := &encoder{}
	root := x.cib(c)
	return x.write(w, root)
}

// SchemaName names the schema of what Export writes, where the CIB names none itself.
const SchemaName = "pacemaker-3.9"

// featureSet is the version of Pacemaker's decisions for which Export writes: that of its release 2.0. From 3.0.13 on the tools
// find the fail counts of single operations, which ours all are; a version that is newer than a tool is refused by it.
const featureSet = "3.1.0"

// Export is Encode for readers other than ourselves: Pacemaker's tools want to be told the schema and the feature set.
func Export(w io.Writer, c *CIB) error {
	out := *c
	if out.Header.ValidateWith == "" {
		out.Header.ValidateWith = SchemaName
	}
	if out.Header.FeatureSet == "" {
		out.Header.FeatureSet = featureSet
	}
	return Encode(w, &out)
}

// EncodeConfiguration writes the configuration alone, with <configuration> as the root.
func EncodeConfiguration(w io.Writer, c *Configuration) error {
	x := &encoder{}
	root := etree.NewElement("configuration")
	x.configuration(root, c)
	return x.write(w, root)
}

// EncodeObjects writes the objects of the configuration without their sections, one element per object, each on one line.
// DecodeObjects reads them.
func EncodeObjects(c *Configuration) ([]string, error) {
	x := &encoder{}
	root := etree.NewElement("configuration")
	x.configuration(root, c)
	if x.err != nil {
		return nil, x.err
	}
	var list []string
	for _, section := range root.ChildElements() {
		for _, e := range section.ChildElements() {
			if section.Tag == "rsc_defaults" || section.Tag == "op_defaults" {
				e = x.only(section.Tag, e)
			}
			doc := etree.NewDocumentWithRoot(e.Copy())
			doc.WriteSettings.CanonicalAttrVal = true
			text, err := doc.WriteToString()
			if err != nil {
				return nil, fmt.Errorf("write the element %s: %w", e.Tag, err)
			}
			list = append(list, text)
		}
	}
	return list, nil
}

// encoder carries the first error.
type encoder struct {
	err     error
	lenient bool // the tree is not for writing: take everything
}

func (x *encoder) write(w io.Writer, root *etree.Element) error {
	if x.err != nil {
		return x.err
	}
	doc := etree.NewDocumentWithRoot(root)
	doc.WriteSettings.CanonicalAttrVal = true // keeps line ends and tabs within values
	doc.Indent(2)
	if _, err := doc.WriteTo(w); err != nil {
		return fmt.Errorf("write the document: %w", err)
	}
	return nil
}

// only wraps an element into its section, for elements that do not tell it by themselves.
func (x *encoder) only(section string, e *etree.Element) *etree.Element {
	parent := etree.NewElement(section)
	parent.AddChild(e.Copy())
	return parent
}

// attr writes an attribute unless it is empty.
func (x *encoder) attr(e *etree.Element, name, value string) {
	if value != "" {
		x.force(e, name, value)
	}
}

// force writes an attribute, also an empty one.
func (x *encoder) force(e *etree.Element, name, value string) {
	switch {
	case x.lenient:
		e.Attr = append(e.Attr, etree.Attr{Key: name, Value: value}) // as it is, without parting it at a colon
	case !validName(name):
		x.fail(e, "%q cannot be the name of an attribute", name)
	case !validText(value):
		x.fail(e, "value %q of attribute %q has a character that XML cannot hold", value, name)
	default:
		e.CreateAttr(name, value)
	}
}

func (x *encoder) fail(e *etree.Element, format string, args ...any) {
	if x.err == nil {
		x.err = fmt.Errorf("write the element %s[%s]: %s", e.Tag, e.SelectAttrValue("id", ""), fmt.Sprintf(format, args...))
	}
}

// number writes an integer unless it is zero.
func (x *encoder) number(e *etree.Element, name string, n int64) {
	if n != 0 {
		x.force(e, name, strconv.FormatInt(n, 10))
	}
}

func (x *encoder) attrs(e *etree.Element, table func(visit), extra []Attr) {
	table(func(name string, field *string) { x.attr(e, name, *field) })
	for _, a := range extra {
		x.force(e, a.Name, a.Value)
	}
}

// child makes an element with the attributes of a table.
func (x *encoder) child(parent *etree.Element, tag string, table func(visit), extra []Attr) *etree.Element {
	e := parent.CreateElement(tag)
	x.attrs(e, table, extra)
	return e
}

// validName accepts the names that can be written without escaping: what schemas use, and names with one prefix (XML namespaces). Of letters
// beyond ASCII the reader knows those of XML 1.0, fourth edition, so it is asked.
func validName(name string) bool {
	ascii := true
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r == '_' || r >= utf8.RuneSelf
		if !letter && (i == 0 || !(r >= '0' && r <= '9' || strings.ContainsRune("-.:", r))) {
			return false
		}
		ascii = ascii && r < utf8.RuneSelf
	}
	if name == "" || strings.HasSuffix(name, ":") || strings.Count(name, ":") > 1 {
		return false
	}
	if ascii {
		return true
	}
	_, err := xml.NewDecoder(strings.NewReader("<" + name + "/>")).Token()
	return err == nil
}

func validText(text string) bool {
	for i, r := range text {
		if r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF {
			return false
		}
		if r == utf8.RuneError {
			if _, width := utf8.DecodeRuneInString(text[i:]); width == 1 {
				return false
			}
		}
	}
	return true
}

func (x *encoder) cib(c *CIB) *etree.Element {
	root := etree.NewElement("cib")
	h := &c.Header
	x.force(root, "admin_epoch", strconv.FormatInt(h.AdminEpoch, 10))
	x.force(root, "epoch", strconv.FormatInt(h.Epoch, 10))
	x.force(root, "num_updates", strconv.FormatInt(h.NumUpdates, 10))
	x.attrs(root, h.attributes, h.Extra)
	x.configuration(root.CreateElement("configuration"), &c.Configuration)
	x.status(root.CreateElement("status"), &c.Status)
	return root
}

func (x *encoder) status(e *etree.Element, s *Status) {
	for _, n := range s.Nodes {
		x.nodeState(e, n)
	}
	if len(s.Tickets) > 0 {
		tickets := e.CreateElement("tickets")
		for _, t := range s.Tickets {
			x.child(tickets, "ticket_state", t.attributes, t.Extra)
		}
	}
	if len(s.Fencing) > 0 {
		fencing := e.CreateElement("paceline-fencing")
		for _, f := range s.Fencing {
			event := x.child(fencing, "event", f.attributes, nil)
			x.number(event, "started", f.Started)
			x.number(event, "completed", f.Completed)
			x.number(event, "attempt", int64(f.Attempt))
		}
	}
	if len(s.Access) > 0 {
		access := e.CreateElement("paceline-access")
		for _, t := range s.Access {
			token := x.child(access, "token", t.attributes, nil)
			x.number(token, "created", t.Created)
			x.number(token, "expires", t.Expires)
		}
	}
}

func (x *encoder) nodeState(parent *etree.Element, n *NodeState) {
	e := x.child(parent, "node_state", n.attributes, n.Extra)
	x.number(e, "paceline-since", n.Since)
	if len(n.Attributes)+len(n.Utilization) > 0 {
		transient := e.CreateElement("transient_attributes")
		x.attr(transient, "id", n.ID)
		x.nvsets(transient, "instance_attributes", n.Attributes)
		x.nvsets(transient, "utilization", n.Utilization)
	}
	if !n.HasHistory && len(n.Resources) == 0 {
		return
	}
	lrm := e.CreateElement("lrm")
	x.attr(lrm, "id", n.ID)
	list := lrm.CreateElement("lrm_resources")
	for _, h := range n.Resources {
		history := x.child(list, "lrm_resource", h.attributes, h.Extra)
		for _, r := range h.Ops {
			x.child(history, "lrm_rsc_op", r.attributes, r.Extra)
		}
	}
}
