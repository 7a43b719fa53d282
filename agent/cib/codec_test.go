package cib

import (
	"bytes"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
)

// canonical lists the elements of a document in order, each with its path and sorted attributes.
func canonical(t *testing.T, text []byte) []string {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromBytes(text); err != nil {
		t.Fatal(err)
	}
	var lines []string
	var walk func(e *etree.Element, path string)
	walk = func(e *etree.Element, path string) {
		var attrs []string
		for _, a := range e.Attr {
			attrs = append(attrs, a.FullKey()+"="+a.Value)
		}
		slices.Sort(attrs)
		path += "/" + e.Tag + "{" + strings.Join(attrs, "|") + "}"
		lines = append(lines, path)
		for _, child := range e.ChildElements() {
			walk(child, path)
		}
	}
	walk(doc.Root(), "")
	slices.Sort(lines) // order between different elements carries nothing; that between equal ones is tested by the model
	return lines
}

func TestEveryElementComesBack(t *testing.T) {
	text, err := os.ReadFile("testdata/documents/complete.xml")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, string(text))
	var out bytes.Buffer
	if err := Encode(&out, c); err != nil {
		t.Fatal(err)
	}
	in, back := canonical(t, text), canonical(t, out.Bytes())
	for _, line := range in {
		if !slices.Contains(back, line) {
			t.Errorf("lost: %s", line)
		}
	}
	for _, line := range back {
		if !slices.Contains(in, line) {
			t.Errorf("invented: %s", line)
		}
	}
	again := load(t, out.String())
	if !reflect.DeepEqual(c, again) {
		t.Error("reading what was written gives another CIB")
	}
}

func TestObjectsComeBackAlone(t *testing.T) {
	text, err := os.ReadFile("testdata/documents/complete.xml")
	if err != nil {
		t.Fatal(err)
	}
	c := load(t, string(text))
	objects, err := EncodeObjects(&c.Configuration)
	if err != nil {
		t.Fatal(err)
	}
	back, warnings, err := DecodeObjects(strings.Join(objects, "\n"))
	if err != nil || len(warnings) > 0 || !reflect.DeepEqual(back, &c.Configuration) {
		t.Errorf("not the same: %v %v", err, warnings)
	}
}

func TestDecodeWarnsOfWhatItCannotHold(t *testing.T) {
	tests := []struct{ text, warning string }{
		{"<cib>\n<configuration>\n<resources>\n<primitive id=\"a\" colour=\"red\"/>\n</resources></configuration></cib>",
			`line 4: cib/configuration/resources/primitive[a]: unknown attribute colour="red"`},
		{"<configuration>\n <crm_config><widget id=\"w\"/></crm_config></configuration>", "line 2: configuration/crm_config/widget[w]: unknown element"},
		{"<configuration><nodes>some text</nodes></configuration>", `line 1: configuration/nodes: text "some text"`},
		{"<configuration><resources><group id=\"g\"><operations/></group></resources></configuration>",
			"line 1: configuration/resources/group[g]/operations: unknown element"},
		{"<configuration><rsc_defaults><meta_attributes id=\"m\"><rule id=\"r\"/><rule id=\"s\"/></meta_attributes></rsc_defaults></configuration>",
			"line 1: configuration/rsc_defaults/meta_attributes[m]/rule[s]: a second rule of a set"},
		{"<configuration><acls><acl_user id=\"u\"/></acls></configuration>", "line 1: configuration/acls/acl_user[u]: unknown element"},
	}
	for _, test := range tests {
		_, warnings, err := Decode(strings.NewReader(test.text))
		if err != nil || len(warnings) != 1 || warnings[0].String() != test.warning {
			t.Errorf("got %v (error %v)\nwant %s", warnings, err, test.warning)
		}
	}
	_, warnings, err := Decode(strings.NewReader("<configuration><crm_config>" + strings.Repeat("<x/>", 1000) + "</crm_config></configuration>"))
	if err != nil || len(warnings) != warningMax+1 {
		t.Errorf("%d warnings, error %v", len(warnings), err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	tests := []struct{ text, err string }{
		{"", "line 1: the document is empty"},
		{"<!-- only -->", "line 1: the document is empty"},
		{"plain", "line 1: text outside of the root element"},
		{"<cib>\n<configuration>\n</cib>", "line 3: cib/configuration: element <configuration> closed by </cib>"},
		{"<cib>\n  <configuration>", "line 2: cib/configuration: unexpected EOF"},
		{"<cib><status a=\"1\"\n a=\"2\"/></cib>", `line 1: cib/status: attribute "a" is given twice`},
		{"<cib/><cib/>", "line 1: a second root element <cib>"},
		{"<html/>", "line 1: the document's root is <html>, not <cib> or <configuration>"},
		{"<cib epoch=\"many\"/>", `line 1: cib: attribute epoch="many" is not an integer`},
		{"<cib>&nope;</cib>", "line 1: cib: invalid character entity &nope;"},
		{strings.Repeat("<rule>", depthMax+1), "line 1: elements are nested deeper than 48"},
		{"<?xml version=\"1.0\" encoding=\"EBCDIC\"?><cib/>", "line 1: xml: encoding \"EBCDIC\" declared but Decoder.CharsetReader is nil"},
	}
	for _, test := range tests {
		c, _, err := Decode(strings.NewReader(test.text))
		if err == nil || err.Error() != test.err || c != nil {
			t.Errorf("%.60q: got %v\nwant %s", test.text, err, test.err)
		}
		if _, ok := errors.AsType[*DocumentError](err); err != nil && !ok {
			t.Errorf("%.60q: the error is a %T", test.text, err)
		}
	}
}

func TestEncodeRefusesWhatXMLCannotHold(t *testing.T) {
	for text, c := range map[string]*Configuration{
		`write the element node[1]: value "a\x00b" of attribute "uname" has a character that XML cannot hold`: {Nodes: []*Node{{ID: "1", Uname: "a\x00b"}}},
		`write the element node[1]: value "\xff" of attribute "uname" has a character that XML cannot hold`:   {Nodes: []*Node{{ID: "1", Uname: "\xff"}}},
		`write the element op[m]: "a b" cannot be the name of an attribute`: {Resources: []*Resource{{ID: "r", Kind: KindPrimitive,
			Operations: Operations{Ops: []*Op{{ID: "m", Extra: []Attr{{"a b", "1"}}}}}}}},
		`write the element resources[]: resource "r" is of no kind`: {Resources: []*Resource{{ID: "r"}}},
	} {
		var out bytes.Buffer
		if err := EncodeConfiguration(&out, c); err == nil || err.Error() != text {
			t.Errorf("got %v\nwant %s", err, text)
		}
		if out.Len() > 0 {
			t.Errorf("%s: something was written", text)
		}
	}
}

func TestOldTickets(t *testing.T) {
	c := load(t, `<cib><status><tickets><instance_attributes id="status-tickets">
		<nvpair id="a" name="granted-ticket-east" value="true"/><nvpair id="b" name="last-granted-east" value="12"/>
		<nvpair id="c" name="standby-west" value="true"/></instance_attributes></tickets></status></cib>`)
	if got := c.Status.Tickets; len(got) != 2 {
		t.Errorf("got %+v", got)
	}
	if got := c.Status.Tickets[0]; got.ID != "east" || got.Granted != "true" || got.LastGranted != "12" {
		t.Errorf("got %+v", got)
	}
}

func TestExportNamesItsSchema(t *testing.T) {
	for schema, c := range map[string]*CIB{SchemaName: {}, "pacemaker-2.10": {Header: Header{ValidateWith: "pacemaker-2.10"}}} {
		var out bytes.Buffer
		if err := Export(&out, c); err != nil || load(t, out.String()).Header.ValidateWith != schema {
			t.Errorf("%s: got %s (error %v)", schema, out.String(), err)
		}
	}
}

func TestAlertsKeepTheirOrder(t *testing.T) {
	const text = `<configuration><alerts><alert id="a" path="/a"><recipient id="r" value="x"/><select><select_nodes/><select_fencing/></select>` +
		`<meta_attributes id="m"/><recipient id="s" value="y"/></alert></alerts></configuration>`
	c := load(t, text)
	objects, err := EncodeObjects(&c.Configuration)
	if err != nil || len(objects) != 1 || !strings.Contains(text, objects[0]) {
		t.Errorf("got %v, %v", objects, err)
	}
	c.Configuration.Alerts[0].Select = nil // an order that names what has gone does no harm
	c.Configuration.Alerts[0].Recipients = append(c.Configuration.Alerts[0].Recipients, AlertRecipient{ID: "t", Value: "z"})
	objects, _ = EncodeObjects(&c.Configuration)
	const want = `<recipient id="r" value="x"/><meta_attributes id="m"/><recipient id="s" value="y"/><recipient id="t" value="z"/>`
	if !strings.Contains(objects[0], want) {
		t.Errorf("got %s", objects[0])
	}
}

// Whatever comes in: no panic, and what is accepted can be written and read back to the same value.
func FuzzDecode(f *testing.F) {
	complete, err := os.ReadFile("testdata/documents/complete.xml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(complete)
	for _, text := range []string{
		small, "", "<cib/>", "<configuration/>", "<cib><configuration><resources><primitive/></resources></configuration></cib>",
		"<configuration><resources><clone id='c'><clone id='d'/></clone></resources></configuration>",
		"<configuration><resources><bundle id='b'><rkt/><rkt/><network/><network/></bundle></resources></configuration>",
		"<configuration><resources><bundle id='b'><storage/></bundle><bundle id='c'><lxc/></bundle></resources></configuration>",
		"<configuration><constraints><rsc_order><lifetime><rule><rule/></rule></lifetime></rsc_order></constraints></configuration>",
		"<cib xmlns:a='b' a:c='d' xmlns='e'/>", "<a:cib/>", "<cib epoch='9223372036854775808'/>", "<cib><![CDATA[x]]><?pi?><!DOCTYPE x></cib>",
		"<configuration><fencing-topology><fencing-level devices=',, a ,'/></fencing-topology></configuration>",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, _, err := Decode(bytes.NewReader(text))
		if err != nil {
			return
		}
		Validate(c)
		var out bytes.Buffer
		if err := Encode(&out, c); err != nil {
			return // a name or a character that only lenient readers take
		}
		back, _, err := Decode(&out)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v\n%s", err, out.String())
		}
		if image(t, back) != image(t, c) {
			t.Fatalf("not the same\n%s\n%s", image(t, back), image(t, c))
		}
		if d := Diff(&back.Configuration, &c.Configuration); len(d) > 0 {
			t.Fatalf("differences of equal configurations: %v", d)
		}
	})
}
