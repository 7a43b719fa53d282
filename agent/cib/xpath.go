package cib

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// XPath is a path of an access permission, of the subset of XPath 1.0 that can be told to select what people mean:
//
//	paths   /a/b//c, with * for any element, several joined by |
//	tests   [@name], [@name='v'], [@name!='v'], starts-with(@name,'v'), contains(@name,'v'), not(...), and, or, parentheses
//
// Everything else (axes, positions, element values, other functions, attributes as the result) is refused by ParseXPath.
type XPath struct {
	paths []xpathPath
}

type xpathPath []xpathStep

// xpathStep goes down: to children, or with deep to all descendants.
type xpathStep struct {
	deep  bool
	name  string // "*" is any
	tests []xpathTest
}

type xpathTest func(*etree.Element) bool

// ParseXPath reads a path. The error says where it leaves the subset.
func ParseXPath(text string) (XPath, error) {
	p := &xpathParser{text: text}
	if len(text) > xpathMax {
		return XPath{}, fmt.Errorf("xpath: it is longer than %d characters", xpathMax)
	}
	var x XPath
	for {
		path := p.path()
		if p.err != nil {
			return XPath{}, p.err
		}
		x.paths = append(x.paths, path)
		if !p.take("|") {
			break
		}
	}
	if p.space(); p.at < len(p.text) {
		p.fail("%q is not understood here", p.rest())
	}
	return x, p.err
}

// Select returns the elements that the path means in the document whose outermost element is root, each once.
func (x XPath) Select(root *etree.Element) []*etree.Element {
	var out []*etree.Element
	seen := map[*etree.Element]bool{}
	for _, path := range x.paths {
		document := etree.NewElement("")
		document.Child = []etree.Token{root} // above the root, without taking it from where it is
		found := []*etree.Element{document}
		for _, step := range path {
			found = step.from(found)
		}
		for _, e := range found {
			if !seen[e] {
				seen[e] = true
				out = append(out, e)
			}
		}
	}
	return out
}

func (s xpathStep) from(list []*etree.Element) []*etree.Element {
	var out []*etree.Element
	seen := map[*etree.Element]bool{}
	var down func(e *etree.Element)
	down = func(e *etree.Element) {
		for _, t := range e.Child {
			child, ok := t.(*etree.Element)
			if !ok {
				continue
			}
			if s.fits(child) && !seen[child] {
				seen[child] = true
				out = append(out, child)
			}
			if s.deep {
				down(child)
			}
		}
	}
	for _, e := range list {
		down(e)
	}
	return out
}

func (s xpathStep) fits(e *etree.Element) bool {
	return (s.name == "*" || s.name == e.Tag) && !slices.ContainsFunc(s.tests, func(t xpathTest) bool { return !t(e) })
}

type xpathParser struct {
	text  string
	at    int
	depth int
	err   error
}

func (p *xpathParser) rest() string { return fmt.Sprintf("%.20s", p.text[p.at:]) }

func (p *xpathParser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf("xpath %q, character %d: %s", p.text, p.at+1, fmt.Sprintf(format, args...))
	}
}

func (p *xpathParser) space() {
	for p.at < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.at])) {
		p.at++
	}
}

func (p *xpathParser) take(word string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], word) {
		p.at += len(word)
		return true
	}
	return false
}

func (p *xpathParser) want(word string) {
	if !p.take(word) {
		p.fail("%q is expected", word)
	}
}

// name reads a name, or returns "".
func (p *xpathParser) name() string {
	p.space()
	from := p.at
	for p.at < len(p.text) {
		c := p.text[p.at]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (p.at == from || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			break
		}
		p.at++
	}
	return p.text[from:p.at]
}

func (p *xpathParser) path() xpathPath {
	var path xpathPath
	for {
		s := xpathStep{}
		switch {
		case p.take("//"):
			s.deep = true
		case p.take("/"):
		case len(path) == 0:
			p.fail("a path begins with / or //")
			return nil
		default:
			return path
		}
		if p.take("@") {
			p.fail("a permission is for elements, not for single attributes: test them in brackets")
			return nil
		}
		if s.name = "*"; !p.take("*") {
			s.name = p.name()
		}
		switch {
		case s.name == "":
			p.fail("the name of an element is expected")
		case p.take("::"):
			p.fail("axes are not supported")
		case p.take("("):
			p.fail("functions are supported in brackets only")
		}
		for p.err == nil && p.take("[") {
			s.tests = append(s.tests, p.either())
			p.want("]")
		}
		if p.err != nil {
			return nil
		}
		path = append(path, s)
	}
}

// keyword takes a word that is not the beginning of a longer name.
func (p *xpathParser) keyword(word string) bool {
	from := p.at
	if p.name() == word {
		return true
	}
	p.at = from
	return false
}

func (p *xpathParser) either() xpathTest {
	test := p.both()
	for p.err == nil && p.keyword("or") {
		a, b := test, p.both()
		test = func(e *etree.Element) bool { return a(e) || b(e) }
	}
	return test
}

func (p *xpathParser) both() xpathTest {
	test := p.one()
	for p.err == nil && p.keyword("and") {
		a, b := test, p.one()
		test = func(e *etree.Element) bool { return a(e) && b(e) }
	}
	return test
}

func (p *xpathParser) nested() xpathTest {
	if p.depth++; p.depth > xpathDepth {
		p.fail("parentheses are nested deeper than %d", xpathDepth)
		return nil
	}
	defer func() { p.depth-- }()
	test := p.either()
	p.want(")")
	return test
}

func (p *xpathParser) one() xpathTest {
	if p.take("(") {
		return p.nested()
	}
	if p.take("@") {
		name := p.name()
		if name == "" {
			p.fail("the name of an attribute is expected")
		}
		switch {
		case p.take("!="):
			want := p.literal()
			return func(e *etree.Element) bool { v, ok := attribute(e, name); return ok && v != want }
		case p.take("="):
			want := p.literal()
			return func(e *etree.Element) bool { v, ok := attribute(e, name); return ok && v == want }
		}
		return func(e *etree.Element) bool { _, ok := attribute(e, name); return ok }
	}
	switch word := p.name(); {
	case word == "not" && p.take("("):
		test := p.nested()
		return func(e *etree.Element) bool { return !test(e) }
	case word == "starts-with" && p.take("("):
		return p.compare(strings.HasPrefix)
	case word == "contains" && p.take("("):
		return p.compare(strings.Contains)
	case word != "":
		p.fail("%q is not supported: tests are of attributes (@name='value')", word)
	default:
		p.fail("a test of an attribute is expected")
	}
	return nil
}

func (p *xpathParser) compare(holds func(value, with string) bool) xpathTest {
	p.want("@")
	name := p.name()
	if name == "" {
		p.fail("the name of an attribute is expected")
	}
	p.want(",")
	want := p.literal()
	p.want(")")
	return func(e *etree.Element) bool { v, _ := attribute(e, name); return holds(v, want) }
}

func (p *xpathParser) literal() string {
	p.space()
	if p.at < len(p.text) {
		if q := p.text[p.at]; q == '\'' || q == '"' {
			if end := strings.IndexByte(p.text[p.at+1:], q); end >= 0 {
				text := p.text[p.at+1 : p.at+1+end]
				p.at += end + 2
				return text
			}
		}
	}
	p.fail("a text in quotes is expected")
	return ""
}

func attribute(e *etree.Element, name string) (string, bool) {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Value, true
		}
	}
	return "", false
}
