package cib

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"
)

func TestDiffForPeople(t *testing.T) {
	old, new := loadFile(t, "testdata/diff/old.xml"), loadFile(t, "testdata/diff/new.xml")
	var lines []string
	for _, d := range Diff(&old.Configuration, &new.Configuration) {
		lines = append(lines, d.String()+"\n")
	}
	golden(t, "testdata/diff/old-new.txt", strings.Join(lines, ""))
}

// mutate makes one small change somewhere in the tree.
func mutate(t *rapid.T, root *etree.Element) {
	var all []*etree.Element
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		all = append(all, e)
		for _, child := range e.ChildElements() {
			walk(child)
		}
	}
	walk(root)
	e := rapid.SampledFrom(all[1:]).Draw(t, "element")
	attr := func() *etree.Attr {
		if len(e.Attr) == 0 {
			return &etree.Attr{}
		}
		return &e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attr")]
	}
	switch rapid.IntRange(0, 5).Draw(t, "act") {
	case 0:
		attr().Value = rapid.SampledFrom([]string{"", "x", "web", "INFINITY", "a b", "true"}).Draw(t, "value")
	case 1:
		e.RemoveAttr(attr().Key)
	case 2:
		e.Parent().RemoveChild(e)
	case 3:
		e.Parent().AddChild(e.Copy())
	case 4: // to the end of its list
		parent := e.Parent()
		parent.RemoveChild(e)
		parent.AddChild(e)
	case 5:
		other := rapid.SampledFrom(all[1:]).Draw(t, "other")
		other.AddChild(e.Copy())
	}
}

// Two configurations that are few changes apart: they differ exactly if their texts do; nothing panics, whatever the
// document says; and what was decoded comes back.
func TestDiffIsEmptyIffEqual(t *testing.T) {
	text, err := os.ReadFile("testdata/documents/complete.xml")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(label string) (*CIB, string) {
			doc := etree.NewDocument()
			if err := doc.ReadFromBytes(text); err != nil {
				t.Fatal(err)
			}
			root := doc.Root().SelectElement("configuration")
			for range rapid.IntRange(0, 3).Draw(t, label) {
				mutate(t, root)
			}
			doc.SetRoot(root.Copy())
			changed, err := doc.WriteToBytes()
			if err != nil {
				t.Fatal(err)
			}
			c, _, err := Decode(bytes.NewReader(changed))
			if err != nil {
				t.Skip("too deep")
			}
			var out bytes.Buffer
			if err := Encode(&out, c); err != nil {
				t.Fatal(err)
			}
			back, warnings, err := Decode(bytes.NewReader(out.Bytes()))
			if err != nil || len(warnings) > 0 || image2(t, back) != image2(t, c) {
				t.Fatalf("not the same after XML: %v %v", err, warnings)
			}
			Validate(c)
			return c, out.String()
		}
		a, textA := draw("changes of a")
		b, textB := draw("changes of b")
		if d := Diff(&a.Configuration, &b.Configuration); (len(d) == 0) != (textA == textB) {
			t.Fatalf("%d differences (%v), and the texts are the same: %t\n%s\n%s", len(d), d, textA == textB, textA, textB)
		}
	})
}
