package access

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"

	"paceline/agent/cib"
)

const document = `<cib admin_epoch="0" epoch="1" num_updates="0"><configuration>
<crm_config><cluster_property_set id="opts"><nvpair id="o1" name="enable-acl" value="true"/><nvpair id="o2" name="maintenance-mode" value="false"/></cluster_property_set></crm_config>
<nodes><node id="11" uname="n1"><instance_attributes id="n1-a"><nvpair id="n1-a-s" name="standby" value="off"/></instance_attributes></node><node id="12" uname="n2"/></nodes>
<resources>
<!--for the shop-->
<primitive id="web" class="ocf" provider="heartbeat" type="Dummy"><meta_attributes id="web-m"><nvpair id="web-m-t" name="target-role" value="Started"/></meta_attributes><instance_attributes id="web-p"><nvpair id="web-p-s" name="passwd" value="open-sesame"/></instance_attributes></primitive>
<group id="shop"><primitive id="db" class="ocf" provider="heartbeat" type="Dummy"/><primitive id="fs" class="ocf" provider="heartbeat" type="Dummy"/></group>
</resources>
<constraints><rsc_location id="loc" rsc="web" node="n1" score="10"/></constraints>
<acls>
<acl_role id="reader"><acl_permission id="r1" kind="read" xpath="/cib"/></acl_role>
<acl_role id="operator"><acl_permission id="p1" kind="write" xpath="//resources//meta_attributes/nvpair[@name='target-role']"/><acl_permission id="p2" kind="write" object-type="rsc_location"/></acl_role>
<acl_role id="quiet"><acl_permission id="q1" kind="deny" object-type="instance_attributes"/><acl_permission id="q2" kind="read" xpath="/cib"/></acl_role>
<acl_role id="shopper"><acl_permission id="s1" kind="write" reference="shop"/><acl_permission id="s2" kind="deny" reference="db"/></acl_role>
<acl_role id="both"><acl_permission id="b1" kind="write" reference="web"/><acl_permission id="b2" kind="deny" xpath="//primitive[@id='web']"/></acl_role>
<acl_role id="admin"><acl_permission id="a1" kind="write" xpath="/cib"/></acl_role>
<acl_role id="odd"><acl_permission id="x1" kind="write" xpath="/cib"/><acl_permission id="x2" kind="deny" xpath="//primitive[last()]"/></acl_role>
<acl_target id="bob"><role id="reader"/></acl_target>
<acl_target id="carol"><role id="reader"/><role id="operator"/></acl_target>
<acl_target id="alice"><role id="quiet"/></acl_target>
<acl_target id="sam"><role id="shopper"/></acl_target>
<acl_target id="t5" name="both"><role id="both"/></acl_target>
<acl_target id="dave"><role id="admin"/></acl_target>
<acl_role id="keeper"><acl_permission id="k1" kind="write" xpath="//primitive[@id='db']"/></acl_role><acl_target id="keeper"><role id="keeper"/></acl_target>
<acl_target id="odd-one"><role id="odd"/></acl_target>
<acl_group id="staff"><role id="operator"/></acl_group>
</acls></configuration>
<status><node_state id="11" uname="n1"><lrm id="11"><lrm_resources><lrm_resource id="db" class="ocf" provider="heartbeat" type="Dummy"/></lrm_resources></lrm></node_state></status></cib>`

func sample(t interface{ Fatal(...any) }) *cib.CIB {
	c, warnings, err := cib.Decode(strings.NewReader(document))
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	return c
}

func text(t interface{ Fatal(...any) }, c *cib.CIB) string {
	var b bytes.Buffer
	if err := cib.Encode(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func str(s string) *string { return &s }

func TestRead(t *testing.T) {
	c := sample(t)
	for _, test := range []struct {
		user         User
		has, lacks   []string
		all, nothing bool
	}{
		{user: User{Name: "root", Super: true}, all: true, has: []string{"open-sesame"}},
		{user: User{Name: "hacluster"}, all: true},
		{user: User{Name: "bob"}, all: true, has: []string{"open-sesame", "for the shop"}},
		{user: User{Name: "nobody"}, nothing: true, lacks: []string{"web", "n1", "shop"}},
		{user: User{Name: "alice"}, has: []string{`id="web"`, "target-role", "for the shop"}, lacks: []string{"open-sesame", "web-p", "standby"}},
		// The deny of db is deeper than the write of its group; web, of which nothing is said, is not there, nor its comment.
		{user: User{Name: "sam"}, has: []string{`id="shop"`, `id="fs"`}, lacks: []string{`"db"`, `"web"`, "for the shop", "n1"}},
		{user: User{Name: "both"}, lacks: []string{"web"}},
		// What encloses is left with its ID alone.
		{user: User{Name: "x", Groups: []string{"staff"}}, has: []string{`id="web-m-t"`, `<primitive id="web">`},
			// The constraint may be read by itself, but names a node that may not.
			lacks: []string{"Dummy", "n2", `"db"`, "for the shop", `"loc"`, "n1"}},
		{user: User{Name: "odd-one"}, nothing: true, lacks: []string{"web"}},
		{user: User{Name: "dave", Scope: &Scope{Roles: []string{"shopper"}}}, has: []string{`id="fs"`}, lacks: []string{`"web"`}},
		{user: User{Name: "root", Super: true, Scope: &Scope{Kind: ScopeRead}}, all: true},
		{user: User{Name: "root", Super: true, Scope: &Scope{}}, nothing: true, lacks: []string{"web"}},
	} {
		r := Of(&c.Configuration, test.user)
		seen, err := r.Read(c)
		if err != nil {
			t.Fatal(err)
		}
		got := text(t, seen)
		for _, w := range test.has {
			if !strings.Contains(got, w) {
				t.Errorf("%s does not see %s:\n%s", test.user.Name, w, got)
			}
		}
		for _, w := range test.lacks {
			if strings.Contains(got, w) {
				t.Errorf("%s sees %s:\n%s", test.user.Name, w, got)
			}
		}
		if r.ReadsAll(c) != test.all || (r.None() != "") != test.nothing {
			t.Errorf("%s: reads all %v, none %q", test.user.Name, r.ReadsAll(c), r.None())
		}
		if test.all && got != text(t, c) {
			t.Errorf("%s reads everything, but gets something else:\n%s", test.user.Name, got)
		}
	}
}

func TestWithoutRulesEverybodyMay(t *testing.T) {
	c := sample(t)
	off, err := cib.Apply(c, cib.Change{SetOption: &cib.SetOption{Name: "enable-acl", Value: str("false")}})
	if err != nil {
		t.Fatal(err)
	}
	if !Of(&off.Configuration, User{Name: "nobody"}).Unlimited() {
		t.Error("without enable-acl a user is limited")
	}
	if Of(&off.Configuration, User{Name: "nobody", Scope: &Scope{Roles: []string{"reader"}}}).Unlimited() {
		t.Error("a token is not limited by its scope where enable-acl is off")
	}
	odd, err := cib.Apply(c, cib.Change{SetOption: &cib.SetOption{Name: "enable-acl", Value: str("perhaps")}})
	if err != nil {
		t.Fatal(err)
	}
	if Of(&odd.Configuration, User{Name: "nobody"}).Unlimited() {
		t.Error("an enable-acl that is not understood opens everything")
	}
}

func TestWrite(t *testing.T) {
	c := sample(t)
	role := func(id, value string) cib.Change {
		return cib.Change{SetMeta: &cib.SetMeta{Resource: id, Name: "target-role", Value: str(value)}}
	}
	for _, test := range []struct {
		user   string
		change cib.Change
		want   string // empty: allowed
	}{
		{"carol", role("web", "Stopped"), ""},
		{"carol", role("fs", "Stopped"), ""}, // with the set around it
		{"carol", cib.Change{SetMeta: &cib.SetMeta{Resource: "web", Name: "target-role"}}, ""},
		{"carol", cib.Change{SetMeta: &cib.SetMeta{Resource: "web", Name: "priority", Value: str("1")}},
			"user carol may not add nvpair priority of primitive web; one of the roles admin would allow it"},
		{"bob", role("web", "Stopped"), "user bob may not change nvpair target-role of primitive web; one of the roles operator, admin would allow it"},
		{"sam", role("fs", "Stopped"), ""},
		{"sam", role("shop", "Stopped"), ""},
		{"sam", role("db", "Stopped"), "user sam may not add nvpair target-role of primitive db; role operator would allow it"},
		{"both", role("web", "Stopped"), "user both may not change nvpair target-role of primitive web; role operator would allow it"},
		{"sam", cib.Change{ForgetOps: &cib.ForgetOps{NodeID: "11", Resource: "db"}}, "user sam may not remove lrm_resource db of node_state n1; no role in the configuration would allow it"},
		{"keeper", cib.Change{ForgetOps: &cib.ForgetOps{NodeID: "11", Resource: "db"}}, ""}, // what is known of a resource goes with it
		{"carol", cib.Change{DropConstraint: &cib.DropConstraint{ID: "loc"}}, ""},
		{"dave", cib.Change{DropNode: &cib.DropNode{Uname: "n1"}}, ""},
		{"carol", cib.Change{DropNode: &cib.DropNode{Uname: "n2"}}, "user carol may not remove node n2; role admin would allow it"},
		{"stranger", role("web", "Stopped"), "user stranger may not change nvpair target-role of primitive web: access rules are on (enable-acl), and none names user stranger or a group of theirs; one of the roles operator, admin would allow it"},
	} {
		next, err := cib.Apply(c, test.change)
		if err != nil {
			t.Fatal(err)
		}
		err = Of(&c.Configuration, User{Name: test.user}).Write(c, next)
		got := ""
		if err != nil {
			got = err.Error()
		}
		want := strings.Replace(test.want, "one of the roles admin would", "role admin would", 1)
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", test.user, got, want)
		}
	}
}

// A name that is allowed does not open the door to one that is not.
func TestRenamingNeedsBoth(t *testing.T) {
	c := sample(t)
	next, _, err := cib.Decode(strings.NewReader(strings.Replace(document, `name="passwd" value="open-sesame"`, `name="target-role" value="x"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	var no *Refusal
	if err := Of(&c.Configuration, User{Name: "carol"}).Write(c, next); !errors.As(err, &no) {
		t.Errorf("got %v, want a refusal", err)
	}
}

// users draws roles of drawn permissions for a user.
func drawACLs(t *rapid.T, c *cib.CIB, kinds ...string) *cib.CIB {
	out := *c
	p := cib.ACLPermission{ID: "p"}
	var list []cib.ACLPermission
	for range rapid.IntRange(0, 5).Draw(t, "permissions") {
		p := p
		p.Kind = rapid.SampledFrom(kinds).Draw(t, "kind")
		switch rapid.IntRange(0, 2).Draw(t, "by") {
		case 0:
			p.Reference = rapid.SampledFrom([]string{"web", "shop", "db", "fs", "loc", "11", "web-m-t", "opts"}).Draw(t, "reference")
		case 1:
			p.ObjectType = rapid.SampledFrom([]string{"primitive", "group", "nvpair", "meta_attributes", "node", "rsc_location", "acls", "status"}).Draw(t, "type")
		default:
			p.XPath = rapid.SampledFrom([]string{"/cib", "//resources", "//nvpair[@name='target-role']", "/cib/configuration//primitive[not(@id='web')]", "//node[@uname='n1' or @uname='n2']", "//status | //constraints"}).Draw(t, "xpath")
		}
		list = append(list, p)
	}
	out.Configuration.ACLs = cib.ACLs{
		Targets: []cib.ACLTarget{{ID: "u", Roles: []string{"drawn"}}},
		Roles:   []cib.ACLRole{{ID: "drawn", Permissions: list}},
	}
	return &out
}

func drawChange(t *rapid.T) cib.Change {
	resource := rapid.SampledFrom([]string{"web", "shop", "db", "fs"}).Draw(t, "resource")
	switch rapid.IntRange(0, 5).Draw(t, "change") {
	case 0:
		return cib.Change{SetMeta: &cib.SetMeta{Resource: resource, Name: rapid.SampledFrom([]string{"target-role", "priority"}).Draw(t, "meta"), Value: str("v")}}
	case 1:
		return cib.Change{DropConstraint: &cib.DropConstraint{ID: "loc"}}
	case 2:
		return cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "n1", Name: "standby", Value: str("on")}}
	case 3:
		return cib.Change{DropNode: &cib.DropNode{Uname: "n2"}}
	case 4:
		return cib.Change{SetOption: &cib.SetOption{Name: "enable-acl", Value: str("false")}}
	}
	return cib.Change{ForgetOps: &cib.ForgetOps{NodeID: "11", Resource: "db"}}
}

func TestWithoutWritePermissionNothingChanges(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawACLs(t, base, "read", "deny")
		next, err := cib.Apply(c, drawChange(t))
		if err != nil {
			t.Skip(err)
		}
		a, b := text(t, c), text(t, next)
		_, rest, _ := strings.Cut(a, ">") // the counters of the first line aside
		_, restNext, _ := strings.Cut(b, ">")
		_, rest, _ = strings.Cut(rest, ">")
		_, restNext, _ = strings.Cut(restNext, ">")
		if err := Of(&c.Configuration, User{Name: "u"}).Write(c, next); err == nil && rest != restNext {
			t.Fatalf("a user without a permission to write made\n%s\ninto\n%s", a, b)
		}
	})
}

func TestFilteringLeavesNothingUnread(t *testing.T) {
	base := sample(t)
	rapid.Check(t, func(t *rapid.T) {
		c := drawACLs(t, base, "read", "write", "deny")
		r := Of(&c.Configuration, User{Name: "u"})
		seen, err := r.Read(c)
		if err != nil {
			t.Fatal(err)
		}
		// Whoever filters what is filtered already finds nothing more to take: no element is there by mistake.
		left := text(t, seen)
		for _, id := range Hidden(c, seen) {
			if strings.Contains(left, `"`+id+`"`) {
				t.Fatalf("%s is hidden, and there:\n%s", id, left)
			}
		}
		root := cib.Tree(c)
		m := r.judge(root)
		if strings.Contains(left, "open-sesame") != m.reads(root.FindElement("//nvpair[@id='web-p-s']")) {
			t.Fatalf("the password is read against its permission:\n%s", left)
		}
	})
}
