package cib

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// Warning tells of something in a document that the model cannot hold and that was left out.
type Warning struct {
	Line    int    `json:"line,omitempty"` // 1 is the first; 0 if unknown
	Path    string `json:"path"`           // of element names and IDs: configuration/resources/primitive[web]
	Message string `json:"message"`
}

// String returns the warning as one line.
func (w Warning) String() string {
	if w.Line == 0 {
		return w.Path + ": " + w.Message
	}
	return fmt.Sprintf("line %d: %s: %s", w.Line, w.Path, w.Message)
}

// DocumentError tells where a document cannot be read.
type DocumentError struct {
	Line    int
	Path    string // empty when not even the elements can be told apart
	Message string
}

func (e *DocumentError) Error() string {
	text := e.Message
	if e.Path != "" {
		text = e.Path + ": " + text
	}
	if e.Line > 0 {
		text = fmt.Sprintf("line %d: %s", e.Line, text)
	}
	return text
}

// Decode reads a CIB document, or a <configuration> alone, from XML. Comments before objects are kept with them, others are not.
// Everything else that the result does not hold is named by a Warning; an empty attribute counts as an absent one. Malformed XML, a foreign root, and a document
// beyond the limits of size are errors of type *DocumentError. Values are not judged: Validate does that.
func Decode(r io.Reader) (*CIB, []Warning, error) {
	d, root, err := parse(r)
	if err != nil {
		return nil, nil, err
	}
	c := &CIB{}
	switch root.Tag {
	case "cib":
		d.cib(root, c)
	case "configuration":
		d.configuration(root, &c.Configuration)
	default:
		return nil, nil, &DocumentError{d.line(root), "", fmt.Sprintf("the document's root is <%s>, not <cib> or <configuration>", root.Tag)}
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	return c, d.warnings, nil
}

// DecodeObjects reads an XML fragment: one or more elements as they occur in a section of a configuration (a primitive, a
// constraint, a node, ...), or whole sections. It returns them as the configuration that holds nothing else.
func DecodeObjects(text string) (*Configuration, []Warning, error) {
	d, root, err := parse(strings.NewReader("<configuration>" + text + "</configuration>"))
	if err != nil {
		return nil, nil, err
	}
	c := &Configuration{}
	for _, e := range root.ChildElements() {
		switch {
		case e.Tag == "configuration":
			d.configuration(e, c)
		case e.Tag == "cib":
			return nil, nil, &DocumentError{d.line(e), d.path(e), "a whole document stands where an object is expected"}
		case !d.section(e, c) && !d.object(e, c):
			return nil, nil, &DocumentError{d.line(e), d.path(e), "no object of a configuration is called so"}
		}
	}
	if d.err != nil {
		return nil, nil, d.err
	}
	return c, d.warnings, nil
}

// decoder carries what reading a tree collects.
type decoder struct {
	root     *etree.Element
	lineOf   func(n int) int // line of the n-th element in document order
	warnings []Warning
	err      *DocumentError
}

// parse reads and checks the text, and returns its tree with the line of each element.
func parse(r io.Reader) (*decoder, *etree.Element, error) {
	text, err := io.ReadAll(io.LimitReader(r, documentMax+1))
	if err != nil {
		return nil, nil, fmt.Errorf("read the document: %w", err)
	}
	if len(text) > documentMax {
		return nil, nil, &DocumentError{0, "", fmt.Sprintf("the document is larger than %d bytes", documentMax)}
	}
	if root, starts := readPlain(text); root != nil {
		return &decoder{root: root, lineOf: func(n int) int { return 1 + bytes.Count(text[:starts[n]], []byte("\n")) }}, root, nil
	}
	return parseAny(text)
}

// parseAny is parse for documents that make use of more of XML, or are wrong.
func parseAny(text []byte) (*decoder, *etree.Element, error) {
	lines, err := scan(text)
	if err != nil {
		return nil, nil, err
	}
	doc := etree.NewDocument()
	doc.ReadSettings.MaxDepth = depthMax + 1
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, nil, &DocumentError{0, "", err.Error()}
	}
	root := doc.Root()
	if root == nil {
		return nil, nil, &DocumentError{1, "", "the document is empty"}
	}
	return &decoder{root: root, lineOf: func(n int) int { return lines[n] }}, root, nil
}

// line is where an element begins. Few are asked for: those that something is wrong with.
func (d *decoder) line(e *etree.Element) int {
	n, found := -1, 0
	var walk func(x *etree.Element)
	walk = func(x *etree.Element) {
		n++
		if x == e {
			found = d.lineOf(n)
			return
		}
		for _, child := range x.Child {
			if c, ok := child.(*etree.Element); ok && found == 0 {
				walk(c)
			}
		}
	}
	walk(d.root)
	return found
}

// scan checks well-formedness and limits in one pass, and returns the line of each element in document order. The tree
// builder tells no positions.
func scan(text []byte) ([]int, error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	var lines []int
	var open []string
	line := func() int { n, _ := dec.InputPos(); return n }
	for {
		before := line()
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if syntax := (*xml.SyntaxError)(nil); errors.As(err, &syntax) {
				return nil, &DocumentError{syntax.Line, strings.Join(open, "/"), syntax.Msg}
			}
			return nil, &DocumentError{line(), strings.Join(open, "/"), err.Error()}
		}
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) == 0 && len(lines) > 0 {
				return nil, &DocumentError{before, "", fmt.Sprintf("a second root element <%s>", t.Name.Local)}
			}
			lines = append(lines, before)
			open = append(open, t.Name.Local)
			if len(open) > depthMax {
				return nil, &DocumentError{before, "", fmt.Sprintf("elements are nested deeper than %d", depthMax)}
			}
			if len(lines) > elementMax {
				return nil, &DocumentError{before, "", fmt.Sprintf("more than %d elements", elementMax)}
			}
			if name := repeated(t.Attr); name != "" {
				return nil, &DocumentError{before, strings.Join(open, "/"), fmt.Sprintf("attribute %q is given twice", name)}
			}
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) == 0 && len(bytes.TrimSpace(t)) > 0 {
				return nil, &DocumentError{before, "", "text outside of the root element"}
			}
		}
	}
	return lines, nil
}

func repeated(attrs []xml.Attr) string {
	for i, a := range attrs {
		for _, b := range attrs[:i] {
			if a.Name == b.Name {
				return a.Name.Local
			}
		}
	}
	return ""
}

// path names an element by the elements around it.
func (d *decoder) path(e *etree.Element) string {
	var parts []string
	for ; e != nil && e.Tag != ""; e = e.Parent() {
		part := e.Tag
		if id := e.SelectAttrValue("id", ""); id != "" {
			part += "[" + id + "]"
		}
		parts = append(parts, part)
	}
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, "/")
}

func (d *decoder) warn(e *etree.Element, format string, args ...any) {
	switch {
	case len(d.warnings) < warningMax:
		d.warnings = append(d.warnings, Warning{d.line(e), d.path(e), fmt.Sprintf(format, args...)})
	case len(d.warnings) == warningMax:
		d.warnings = append(d.warnings, Warning{0, d.path(e), "there is more that is left out and not listed"})
	}
}

// fail records the first error.
func (d *decoder) fail(e *etree.Element, format string, args ...any) {
	if d.err == nil {
		d.err = &DocumentError{d.line(e), d.path(e), fmt.Sprintf(format, args...)}
	}
}

// attrsUsual is more than the attributes that any element has in practice.
const attrsUsual = 32

// attrs fills the fields that the table names. Other attributes go into extra, or are warned of if that is nil; those named
// in ignore carry nothing and are dropped.
func (d *decoder) attrs(e *etree.Element, table func(visit), extra *[]Attr, ignore ...string) {
	taken := make([]bool, 0, attrsUsual)
	taken = append(taken, make([]bool, len(e.Attr))...)
	next := 0
	table(func(name string, field *string) {
		// Attributes usually stand in the order of the table.
		for range e.Attr {
			if next >= len(e.Attr) {
				next = 0
			}
			if a := &e.Attr[next]; a.Key == name && a.Space == "" {
				*field, taken[next] = a.Value, true
				next++
				return
			}
			next++
		}
		*field = ""
	})
	for i, a := range e.Attr {
		switch name := a.FullKey(); {
		case taken[i] || slices.Contains(ignore, name):
		case extra != nil:
			*extra = append(*extra, Attr{name, a.Value})
		default:
			d.warn(e, "unknown attribute %s=%q", name, a.Value)
		}
	}
	d.noText(e)
}

// free takes all attributes of an element but those named.
func (d *decoder) free(e *etree.Element, except ...string) []Attr {
	var list []Attr
	d.attrs(e, func(visit) {}, &list, except...)
	return list
}

func (d *decoder) noText(e *etree.Element) {
	for _, token := range e.Child {
		if text, ok := token.(*etree.CharData); ok && strings.TrimSpace(text.Data) != "" {
			d.warn(e, "text %.40q", strings.TrimSpace(text.Data))
		}
	}
}

// leaf warns of children where none are expected.
func (d *decoder) leaf(e *etree.Element) {
	for _, child := range e.ChildElements() {
		d.unknown(child)
	}
}

func (d *decoder) unknown(e *etree.Element) {
	d.warn(e, "unknown element")
}

func (d *decoder) number64(e *etree.Element, name string) int64 {
	text := e.SelectAttrValue(name, "")
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		d.fail(e, "attribute %s=%q is not an integer", name, text)
	}
	return n
}

func (d *decoder) cib(e *etree.Element, c *CIB) {
	h := &c.Header
	d.attrs(e, h.attributes, &h.Extra, "admin_epoch", "epoch", "num_updates")
	h.AdminEpoch = d.number64(e, "admin_epoch")
	h.Epoch = d.number64(e, "epoch")
	h.NumUpdates = d.number64(e, "num_updates")
	for _, child := range e.ChildElements() {
		switch child.Tag {
		case "configuration":
			d.configuration(child, &c.Configuration)
		case "status":
			d.status(child, &c.Status)
		default:
			d.unknown(child)
		}
	}
}
