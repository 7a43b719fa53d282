package cib

import (
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// A comment of an object is lines of text, each without the mark that begins a comment. In XML each line is a comment before the
// object's element, or behind the last section. XML comments cannot hold two hyphens in a row: within "-\-" and "-\\" the first
// backslash stands for nothing.

// comment writes the comment of an object before its element.
func (x *encoder) comment(e *etree.Element, text string) {
	switch parent := e.Parent(); {
	case text == "":
	case x.lenient:
		x.attr(e, commentName, text)
	default:
		for line := range strings.SplitSeq(text, "\n") {
			parent.InsertChildAt(e.Index(), etree.NewComment(escapeComment(line)))
		}
	}
}

// commentName stands for the comment where differences are looked for.
const commentName = "comment"

// closing writes the comment behind the last element.
func (x *encoder) closing(root *etree.Element, text string) {
	if text == "" || x.lenient {
		return
	}
	for line := range strings.SplitSeq(text, "\n") {
		root.CreateComment(escapeComment(line))
	}
}

// escapeComment makes a line fit to stand in an XML comment. What XML cannot hold at all becomes '?': a comment is no reason to
// refuse a document.
func escapeComment(line string) string {
	var b strings.Builder
	hyphen := false
	for _, r := range line {
		if !validText(string(r)) || r == utf8.RuneError {
			r = '?'
		}
		if hyphen && (r == '-' || r == '\\') {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
		hyphen = r == '-'
	}
	return b.String() + " "
}

func unescapeComment(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i > 0 && text[i-1] == '-' && i+1 < len(text) && (text[i+1] == '-' || text[i+1] == '\\') {
			i++
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// commentOf returns the comment of the object that is the element: the comments right before it. Those before a section are of the
// first object in it.
func commentOf(e *etree.Element) string {
	parent := e.Parent()
	if parent == nil {
		return ""
	}
	text := commentBefore(parent.Child[:e.Index()])
	if firstElement(parent) == e && parent.Parent() != nil && parent.Parent().Tag == "configuration" {
		text = strings.Trim(commentOf(parent)+"\n"+text, "\n")
	}
	return text
}

func firstElement(e *etree.Element) *etree.Element {
	for _, token := range e.Child {
		if child, ok := token.(*etree.Element); ok {
			return child
		}
	}
	return nil
}

// commentBefore returns the comments at the end of a list of what stands in an element.
func commentBefore(list []etree.Token) string {
	var lines []string
	for i := len(list) - 1; i >= 0; i-- {
		switch t := list[i].(type) {
		case *etree.Comment:
			var more []string
			for line := range strings.SplitSeq(unescapeComment(t.Data), "\n") {
				more = append(more, strings.TrimRight(line, " \t\r"))
			}
			lines = append(more, lines...)
			continue
		case *etree.CharData:
			if t.IsWhitespace() {
				continue
			}
		}
		break
	}
	return strings.Join(lines, "\n")
}
