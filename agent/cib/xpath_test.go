package cib

import (
	"strings"
	"testing"
)

func TestXPath(t *testing.T) {
	c, _, err := Decode(strings.NewReader(`<cib><configuration><crm_config/><nodes><node id="1" uname="n1"/></nodes><resources>
<group id="g"><primitive id="a" class="ocf" type="x"><meta_attributes id="am"><nvpair id="am-t" name="target-role" value="Started"/></meta_attributes></primitive></group>
<primitive id="b" class="systemd" type="y"/></resources><constraints/></configuration><status/></cib>`))
	if err != nil {
		t.Fatal(err)
	}
	root := Tree(c)
	for _, test := range []struct{ path, want string }{
		{"/cib", "cib"},
		{"//primitive", "a b"},
		{"/cib/configuration/resources/primitive", "b"},
		{"/cib/configuration/resources//primitive[@class='ocf']", "a"},
		{"//primitive[@class!='ocf']", "b"},
		{"//primitive[@provider]", ""},
		{"//primitive[ @class = \"ocf\" or @class='systemd' ]", "a b"},
		{"//primitive[not(@id='a')][@type='y']", "b"},
		{"//primitive[(@id='a' or @id='b') and starts-with(@type,'x')]", "a"},
		{"//*[contains(@id,'m-')]", "am-t"},
		{"//group//nvpair[@name='target-role']", "am-t"},
		{"//node[@uname='n1'] | //primitive[@id='b']", "1 b"},
		{"/primitive", ""},
		{"//group/*", "a"},
	} {
		x, err := ParseXPath(test.path)
		if err != nil {
			t.Errorf("%s: %v", test.path, err)
			continue
		}
		var ids []string
		for _, e := range x.Select(root) {
			ids = append(ids, e.SelectAttrValue("id", e.Tag))
		}
		if got := strings.Join(ids, " "); got != test.want {
			t.Errorf("%s selects %q, want %q", test.path, got, test.want)
		}
	}
	for path, want := range map[string]string{
		"":                          "begins with /",
		"primitive":                 "begins with /",
		"//primitive/@id":           "not for single attributes",
		"//primitive[1]":            "a test of an attribute is expected",
		"//primitive[last()]":       `"last" is not supported`,
		"//primitive[meta]":         `"meta" is not supported`,
		"/cib/child::configuration": "axes are not supported",
		"//primitive[@id='a'":       `"]" is expected`,
		"//primitive[@id=a]":        "a text in quotes is expected",
		"//text()":                  "functions are supported in brackets only",
		"/cib/..":                   "the name of an element is expected",
		"//a[@b='c'] or //d":        "not understood here",
		"//a[" + strings.Repeat("(", 30) + "@b" + strings.Repeat(")", 30) + "]": "nested deeper",
	} {
		if _, err := ParseXPath(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", path, err, want)
		}
	}
}
