package crm

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	_ "paceline/integration/drawn"

	"paceline/agent/cib"
)

// everything is a document with every element of the schemas.
func everything(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("../../agent/cib/testdata/documents/complete.xml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEverythingReadsBack(t *testing.T) {
	c, _, err := cib.Decode(strings.NewReader(string(everything(t))))
	if err != nil {
		t.Fatal(err)
	}
	printed := Print(&c.Configuration)
	back, err := Parse(printed)
	if err != nil {
		t.Fatalf("%v\n%s", err, printed)
	}
	was, is := imagesOf(&c.Configuration), imagesOf(back)
	for key, image := range was {
		if is[key] != image {
			t.Errorf("%s came back changed\nwas: %sis:  %s", key, image, is[key])
		}
	}
	if got, want := orderOf(back), orderOf(&c.Configuration); !slices.Equal(got, want) {
		t.Errorf("in another order:\n%v\n%v", got, want)
	}
}

func orderOf(c *cib.Configuration) []string {
	var ids []string
	for r := range c.Walk() {
		ids = append(ids, r.ID)
	}
	for _, k := range c.Constraints {
		ids = append(ids, k.ID())
	}
	return ids
}

// Whatever a document says, as long as it is valid: its text reads back to the same.
func TestPrintReadsBack(t *testing.T) {
	text := everything(t)
	rapid.Check(t, func(t *rapid.T) {
		doc := etree.NewDocument()
		if err := doc.ReadFromBytes(text); err != nil {
			t.Fatal(err)
		}
		root := doc.Root().SelectElement("configuration")
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			mutate(t, root)
		}
		doc.SetRoot(root.Copy())
		changed, err := doc.WriteToString()
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := cib.Decode(strings.NewReader(changed))
		if err != nil || len(cib.Errors(cib.Validate(c))) > 0 {
			return
		}
		printed := Print(&c.Configuration)
		back, err := Parse(printed)
		if err != nil {
			t.Fatalf("its own text cannot be read: %v", err)
		}
		was, is := imagesOf(&c.Configuration), imagesOf(back)
		for key, image := range was {
			if is[key] != image {
				t.Fatalf("%q came back changed\nwas: %sis:  %s", key, image, is[key])
			}
		}
	})
}

// mutate makes one small change of a value, or takes an element away, or moves one.
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
	act := rapid.IntRange(0, 3).Draw(t, "act")
	switch {
	case act == 0 && len(e.Attr) > 0:
		a := &e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attr")]
		if a.Key != "id" {
			a.Value = rapid.SampledFrom([]string{"", "x", `a "b" \ 'c'`, "INFINITY", "line\nline", "#x", "{", "meta", "é", "true", "a=b"}).Draw(t, "value")
		}
	case act == 1 && len(e.Attr) > 0:
		e.RemoveAttr(e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attr")].Key)
	case act == 2:
		e.Parent().RemoveChild(e)
	default:
		parent := e.Parent()
		parent.RemoveChild(e)
		parent.AddChild(e)
	}
}

func TestNotes(t *testing.T) {
	_, notes, err := Add(&cib.Configuration{}, "primitive f stonith:fence_x\n\nfencing_topology f")
	if err != nil || len(notes) != 1 || notes[0].Line != 3 {
		t.Errorf("got %v, %v", notes, err)
	}
	base, err := Parse("node alpha\nnode beta")
	if err != nil {
		t.Fatal(err)
	}
	c, notes, err := Add(base, "primitive f stonith:fence_x\nprimitive g stonith:fence_y\nfencing_topology f g")
	if err != nil || len(notes) > 0 || len(c.Topology) != 4 || c.Topology[3].Target != "beta" || c.Topology[3].Index != "2" {
		t.Errorf("got %+v, %v, %v", c, notes, err)
	}
}

func FuzzParse(f *testing.F) {
	scripts, err := os.ReadFile("testdata/good/objects.txt")
	if err != nil {
		f.Fatal(err)
	}
	for _, block := range strings.Split(string(scripts), bars) {
		input, _, _ := strings.Cut(block, dashes)
		f.Add(input)
	}
	f.Add("primitive a Dummy\ngroup g a\nrename a b\nmodgroup g remove b\ndelete g\nset b.x 1\nerase")
	f.Add("location l {=")
	f.Add("xml <primitive id=\"a\" class=\"systemd\" type=\"a\"/>")
	f.Add("location l { ( a } [\norder o ( ( ]\nprimitive \"\nalert a b to {\nprimitive a Dummy params rule date spec \\")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse(text)
		if err != nil {
			return
		}
		printed := Print(c)
		back, err := Parse(printed)
		if err != nil {
			return // references to what is not there are allowed in places
		}
		was, is := imagesOf(c), imagesOf(back)
		for key, image := range was {
			if is[key] != image && len(cib.Errors(cib.ValidateConfiguration(c))) == 0 {
				t.Fatalf("%s came back changed\nwas: %sis:  %s\n%s", key, image, is[key], printed)
			}
		}
	})
}
