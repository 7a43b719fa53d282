package cib

import (
	"bytes"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// plain reads documents as clusters write them, many times faster than a reader of all of XML: elements, attributes and
// comments in UTF-8, with the predefined and numeric entities. It accepts nothing else. What it does not accept, be it
// wrong or only unusual, is left to the full reader, which also has the words for what is wrong.
//
// The tree is the one that the full reader builds (TestPlainReader), but for white space between elements. Its texts are
// parts of the document's text, which stays in memory as long as they do: nearly all of it are texts that are kept.
type plain struct {
	text   string
	at     int
	attrs  []etree.Attr // room for the attributes of elements to come
	starts []int        // where the elements begin, in document order
}

// attrsMin is the room that is made for attributes at a time.
const attrsMin = 1024

// readPlain reads a plain document; it returns nil where the document is not plain.
func readPlain(text []byte) (*etree.Element, []int) {
	if !plainText(text) {
		return nil, nil
	}
	p := &plain{text: string(text)}
	p.declaration()
	if !p.misc(nil) {
		return nil, nil
	}
	root := p.element()
	if root == nil || !p.content(root) || !p.misc(nil) || p.at != len(p.text) {
		return nil, nil
	}
	return root, p.starts
}

// plainText tells whether there is nothing in the text that has to be looked at twice.
func plainText(text []byte) bool {
	ascii := true
	for _, c := range text {
		if c < ' ' && c != '\n' && c != '\t' {
			return false
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return true
	}
	// U+FEFF is a mark, U+FFFE and U+FFFF are no characters: all of them begin with EF, as does little else.
	return utf8.Valid(text) && !bytes.ContainsRune(text, '\uFEFF') && !bytes.Contains(text, []byte("\xEF\xBF\xBE")) &&
		!bytes.Contains(text, []byte("\xEF\xBF\xBF"))
}

// declaration skips the usual first lines.
func (p *plain) declaration() {
	for _, d := range []string{`<?xml version="1.0"?>`, `<?xml version="1.0" encoding="UTF-8"?>`, `<?xml version="1.0" encoding="utf-8"?>`} {
		if strings.HasPrefix(p.text, d) {
			p.at = len(d)
			return
		}
	}
}

func (p *plain) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\n' || p.text[p.at] == '\t') {
		p.at++
	}
}

// misc skips white space and takes comments, up to the next tag or the end.
func (p *plain) misc(parent *etree.Element) bool {
	for {
		p.space()
		if !strings.HasPrefix(p.text[p.at:], "<!--") {
			return true
		}
		body, _, closed := strings.Cut(p.text[p.at+4:], "--")
		end := p.at + 4 + len(body) + 2
		if !closed || end >= len(p.text) || p.text[end] != '>' {
			return false
		}
		if parent != nil {
			parent.AddChild(etree.NewComment(body))
		}
		p.at = end + 1
	}
}

// name takes an ASCII name without a prefix.
func (p *plain) name() string {
	begin := p.at
	for ; p.at < len(p.text); p.at++ {
		c := p.text[p.at]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (p.at == begin || !(c >= '0' && c <= '9' || c == '-' || c == '.')) {
			break
		}
	}
	return p.text[begin:p.at]
}

// element takes a start tag, up to its > or />, which is left; nil where it is not plain.
func (p *plain) element() *etree.Element {
	if p.at >= len(p.text) || p.text[p.at] != '<' || len(p.starts) >= elementMax {
		return nil
	}
	p.starts = append(p.starts, p.at)
	p.at++
	e := &etree.Element{Tag: p.name()}
	if e.Tag == "" {
		return nil
	}
	first := len(p.attrs)
	for {
		before := p.at
		p.space()
		if p.at >= len(p.text) {
			return nil
		}
		if c := p.text[p.at]; c == '>' || c == '/' {
			break
		}
		key := p.name()
		if key == "" || key == "xmlns" || before == p.at-len(key) {
			return nil
		}
		for _, a := range p.attrs[first:] {
			if a.Key == key {
				return nil
			}
		}
		value, ok := p.value()
		if !ok {
			return nil
		}
		if len(p.attrs) == cap(p.attrs) {
			room := make([]etree.Attr, 0, attrsMin+2*(len(p.attrs)-first))
			p.attrs, first = append(room, p.attrs[first:]...), 0
		}
		p.attrs = append(p.attrs, etree.Attr{Key: key, Value: value})
	}
	if len(p.attrs) > first {
		e.Attr = p.attrs[first:len(p.attrs):len(p.attrs)]
	}
	return e
}

// value takes ="..." or ='...'.
func (p *plain) value() (string, bool) {
	if p.at+1 >= len(p.text) || p.text[p.at] != '=' {
		return "", false
	}
	quote := p.text[p.at+1]
	if quote != '"' && quote != '\'' {
		return "", false
	}
	rest := p.text[p.at+2:]
	end := strings.IndexByte(rest, quote)
	if end < 0 {
		return "", false
	}
	p.at += 2 + end + 1
	return unquote(rest[:end])
}

// unquote replaces entities.
func unquote(raw string) (string, bool) {
	if strings.IndexByte(raw, '<') >= 0 {
		return "", false
	}
	next := strings.IndexByte(raw, '&')
	if next < 0 {
		return raw, true
	}
	var b strings.Builder
	for next >= 0 {
		b.WriteString(raw[:next])
		name, rest, closed := strings.Cut(raw[next+1:], ";")
		r, ok := entity(name)
		if !closed || !ok {
			return "", false
		}
		b.WriteRune(r)
		raw, next = rest, strings.IndexByte(rest, '&')
	}
	b.WriteString(raw)
	return b.String(), true
}

// entity is the character that an entity stands for.
func entity(name string) (rune, bool) {
	switch name {
	case "amp":
		return '&', true
	case "lt":
		return '<', true
	case "gt":
		return '>', true
	case "quot":
		return '"', true
	case "apos":
		return '\'', true
	}
	digits, numeric := strings.CutPrefix(name, "#")
	base := 10
	if hex, ok := strings.CutPrefix(digits, "x"); ok {
		digits, base = hex, 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if !numeric || err != nil || n < ' ' && n != '\n' && n != '\t' && n != '\r' || n >= utf8.RuneSelf {
		return 0, false // what is beyond ASCII is rare
	}
	return rune(n), true
}

// content takes the rest of an element whose start tag has been read, and everything in it.
func (p *plain) content(root *etree.Element) bool {
	opened := true // the start tag of e ends here; else one of its children has ended
	for e, depth := root, 1; e != nil; {
		if depth > depthMax {
			return false
		}
		ended := false
		if opened {
			if ended = strings.HasPrefix(p.text[p.at:], "/>"); ended {
				p.at++
			} else if p.text[p.at] != '>' {
				return false
			}
			p.at++
		}
		if !ended {
			if !p.misc(e) {
				return false
			}
			if ended = strings.HasPrefix(p.text[p.at:], "</"); ended && !p.endTag(e.Tag) {
				return false
			}
		}
		if ended {
			e, depth, opened = e.Parent(), depth-1, false
			continue
		}
		child := p.element()
		if child == nil {
			return false
		}
		e.AddChild(child)
		e, depth, opened = child, depth+1, true
	}
	return true
}

func (p *plain) endTag(name string) bool {
	p.at += len("</")
	if p.name() != name {
		return false
	}
	p.space()
	if p.at >= len(p.text) || p.text[p.at] != '>' {
		return false
	}
	p.at++
	return true
}
