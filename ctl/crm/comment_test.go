package crm

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"

	"paceline/agent/cib"
)

const remarked = `# Machines
node alpha attributes rack=1
#
#   indented -- with hyphens -\- and <tags> & "quotes" --
primitive db Dummy
## boxed ##
primitive web Dummy
# the shop
group shop db web
# order matters
order o Mandatory: db web
# who cuts power
fencing_topology \
	alpha: db web \
	beta: web
# cluster-wide
property batch-limit=5
# how sticky
rsc_defaults resource-stickiness=100
# may look
role viewer read cib
# Ann
acl_target ann viewer
# on call
alert page "/usr/bin/page"
# the end
`

func TestCommentsSurvive(t *testing.T) {
	c, err := Parse(remarked)
	if err != nil {
		t.Fatal(err)
	}
	text := Print(c)
	again, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	through := func(name string, c *cib.Configuration) {
		t.Helper()
		if d := cib.Diff(again, c); len(d) > 0 {
			t.Errorf("through %s: %v", name, d)
		}
		if got, want := CommentsOf(c), CommentsOf(again); len(got) != 11 || len(want) != 11 {
			t.Errorf("through %s: %d comments, want 11 of 11: %q", name, len(got), got)
		}
		if got := Print(c); got != text {
			t.Errorf("through %s:\n%s\nwant\n%s", name, got, text)
		}
	}
	through("text", c)
	var xml bytes.Buffer
	if err := cib.EncodeConfiguration(&xml, c); err != nil {
		t.Fatal(err)
	}
	back, warnings, err := cib.Decode(&xml)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	through("XML", &back.Configuration)

	for _, edit := range []struct{ text, key, want string }{
		{"primitive db Dummy params fake=1", "db", "\n   indented -- with hyphens -\\- and <tags> & \"quotes\" --"},
		{"# new words\nprimitive web Dummy", "web", " new words"},
		{"rename web www", "www", "# boxed ##"},
		{"property cluster-delay=9s", "property cib-bootstrap-options", " cluster-wide"},
		{"node alpha attributes rack=2", "node alpha", " Machines"},
		{"fencing_topology alpha: web", topologyKey, " who cuts power"},
		{"delete o", "o", ""},
		{"primitive web Dummy\n# other end", closingKey, ""},
	} {
		next, _, err := Update(c, edit.text)
		if err != nil {
			t.Errorf("%s: %v", edit.text, err)
			continue
		}
		if got := CommentsOf(next)[edit.key]; got != edit.want {
			t.Errorf("after %q the comment of %s is %q, want %q", edit.text, edit.key, got, edit.want)
		}
		if edit.key == closingKey && next.Comment != " other end" {
			t.Errorf("the closing comment is %q", next.Comment)
		}
	}
}

func TestCommentsInXML(t *testing.T) {
	c, _, err := cib.Decode(bytes.NewReader([]byte(`<configuration>
 <!-- all of them
      and more -->
 <resources><!--not this--><!-- a -\-\- b --> <primitive id="p" class="ocf" provider="heartbeat" type="Dummy"><!-- inside --></primitive>
 <!-- of nothing --></resources>
 <!-- end --></configuration>`)))
	if err != nil {
		t.Fatal(err)
	}
	want := "# all of them\n#      and more\n#not this\n# a --- b\nprimitive p Dummy\n# end\n"
	if got := Print(&c.Configuration); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever a comment says, it comes back from XML.
func TestCommentProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := rapid.StringMatching(`[-\\ a><&#]{0,8}[-\\a>]`)
		c := &cib.Configuration{Comment: line.Draw(t, "last"), Tags: []cib.Tag{{ID: "t", Refs: []string{"x"}, Comment: line.Draw(t, "first") + "\n" + line.Draw(t, "second")}}}
		var xml bytes.Buffer
		if err := cib.EncodeConfiguration(&xml, c); err != nil {
			t.Fatal(err)
		}
		text := xml.String()
		back, _, err := cib.Decode(&xml)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		if d := cib.Diff(c, &back.Configuration); len(d) > 0 {
			t.Fatalf("%v\n%s", d, text)
		}
	})
}
