package cib

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// shapeOf lists what a tree holds beside white space, in order.
func shapeOf(e *etree.Element, line func(*etree.Element) int) []string {
	out := []string{e.FullTag() + " " + strings.Repeat("|", line(e))}
	for _, a := range e.Attr {
		out = append(out, a.FullKey()+"="+a.Value)
	}
	for _, token := range e.Child {
		switch t := token.(type) {
		case *etree.Element:
			if t.Parent() != e || e.Child[t.Index()] != token {
				out = append(out, "not where it says")
			}
			out = append(out, shapeOf(t, line)...)
		case *etree.Comment:
			out = append(out, "comment "+t.Data)
		case *etree.CharData:
			if !t.IsWhitespace() {
				out = append(out, "text "+t.Data)
			}
		}
	}
	return append(out, "end")
}

// comparePlain checks that what the plain reader takes is what the full reader makes of it.
func comparePlain(t *testing.T, text []byte) (taken bool) {
	t.Helper()
	root, starts := readPlain(text)
	if root == nil {
		return false
	}
	d, full, err := parseAny(text)
	if err != nil {
		t.Fatalf("the plain reader takes what the full one refuses (%v): %q", err, text)
	}
	plain := &decoder{root: root, lineOf: func(n int) int { return 1 + strings.Count(string(text[:starts[n]]), "\n") }}
	if one, other := shapeOf(root, plain.line), shapeOf(full, d.line); !slices.Equal(one, other) {
		t.Fatalf("the plain reader says\n%q\nthe full one\n%q\nof %q", one, other, text)
	}
	return true
}

// TestPlainReader compares the readers, and says which documents the plain one takes.
func TestPlainReader(t *testing.T) {
	for text, taken := range map[string]bool{
		`<cib a="1" b='2'/>`: true,
		"<?xml version=\"1.0\"?>\n<cib\n a=\"&lt;&#65;&#x42;&amp;\"><!-- one --><b/> <c></c >\n</cib> ": true,
		`<cib><a b="é"/></cib>`:      true,
		`<cib>text</cib>`:            false,
		`<a><b/>/></a>`:              false,
		`<a><b/>></a>`:               false,
		`<cib a="1" a="2"/>`:         false,
		`<cib a="<"/>`:               false,
		`<cib a="&nbsp;"/>`:          false,
		`<cib a="&#0;"/>`:            false,
		`<cib xmlns="urn:x"/>`:       false,
		`<x:cib/>`:                   false,
		`<cib a="1"b="2"/>`:          false,
		`<cib a = "1"/>`:             false,
		"<cib a=\"\r\n\"/>":          false,
		"<cib a=\"\xff\"/>":          false,
		"\ufeff<cib/>":               false,
		`<cib><!-- a -- b --></cib>`: false,
		`<cib><![CDATA[x]]></cib>`:   false,
		`<!DOCTYPE cib><cib/>`:       false,
		`<cib/><cib/>`:               false,
		`<cib>`:                      false,
		`<cib></cib`:                 false,
		`<cib><a></cib></a>`:         false,
		`<cib/`:                      false,
		``:                           false,
		strings.Repeat("<a>", depthMax+1) + strings.Repeat("</a>", depthMax+1): false,
		strings.Repeat("<a>", depthMax) + strings.Repeat("</a>", depthMax):     true,
	} {
		if got := comparePlain(t, []byte(text)); got != taken {
			t.Errorf("taken is %v, not %v: %q", got, taken, text)
		}
	}
	files, err := filepath.Glob("testdata/*/*.xml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no documents: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		comparePlain(t, text)
	}
}

// FuzzPlainReader looks for documents of which the readers say different things.
func FuzzPlainReader(f *testing.F) {
	f.Add([]byte("<?xml version=\"1.0\"?>\n<cib a=\"&lt;1\"><!-- c --><b x='y'/>\n</cib>"))
	f.Fuzz(func(t *testing.T, text []byte) { comparePlain(t, text) })
}

// TestManyAttributes fills the room for attributes more than once, within elements and between them.
func TestManyAttributes(t *testing.T) {
	var b strings.Builder
	b.WriteString("<cib>")
	for n := range 3 * attrsMin / 100 {
		b.WriteString("<e")
		for i := range 100 + n {
			b.WriteString(" a" + strings.Repeat("x", i) + `="` + strings.Repeat("v", i%7) + `"`)
		}
		b.WriteString("/>")
	}
	b.WriteString("</cib>")
	if !comparePlain(t, []byte(b.String())) {
		t.Error("the document is not taken")
	}
}
