package draft

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

const baseText = `node alpha attributes rack=1
node beta
primitive p0 Dummy params a=0
primitive p1 Dummy params a=0
primitive p2 Dummy params a=0
primitive p3 Dummy params a=0
primitive p4 Dummy params a=0
group g p3 p4
location l0 p0 100: alpha
colocation c0 inf: p1 p0
order o0 Mandatory: p0 p1
tag t0 p0 p1
property stonith-enabled=false batch-limit=5
rsc_defaults resource-stickiness=10
`

func parse(t testing.TB, text string) *cib.Configuration {
	t.Helper()
	c, err := crm.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// edits draws what one editor does; side keeps the names of new objects apart. Lines that do not fit what came before are left out.
func edits(t *rapid.T, base *cib.Configuration, side string) *cib.Configuration {
	c := base
	for n := range rapid.IntRange(0, 5).Draw(t, "edits of "+side) {
		value := rapid.IntRange(1, 3).Draw(t, "value")
		id := fmt.Sprintf("p%d", rapid.IntRange(0, 4).Draw(t, "primitive"))
		lines := []string{
			fmt.Sprintf("primitive %s Dummy params a=%d", id, value),
			"delete " + id,
			fmt.Sprintf("primitive %s%d Dummy params a=%d", side, n, value),
			fmt.Sprintf("primitive new%d Dummy params a=%d", value, value), // both may
			fmt.Sprintf("location at-%s-%s %s %d: beta", side, id, id, value),
			fmt.Sprintf("location l0 p0 %d: alpha", value),
			fmt.Sprintf("property batch-limit=%d", value),
			fmt.Sprintf("property cluster-delay=%ds", value),
			fmt.Sprintf("rsc_defaults migration-threshold=%d", value),
			fmt.Sprintf("node alpha attributes rack=%d", value),
			fmt.Sprintf("node beta attributes room%s=%d", side, value),
			"modgroup g add " + id,
			fmt.Sprintf("group g%s%d %s", side, n, id),
			"delete g", "delete l0", "delete o0", "delete t0",
			fmt.Sprintf("tag t%s%d %s", side, n, id),
			fmt.Sprintf("fencing_topology alpha: %s", id),
		}
		next, _, err := crm.Update(c, rapid.SampledFrom(lines).Draw(t, "line"))
		if err == nil {
			c = next
		}
	}
	return c
}

func TestMergeProperties(t *testing.T) {
	base := parse(t, baseText)
	clean, clashed := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		mine, theirs := edits(t, base, "x"), edits(t, base, "y")
		same := func(what string, got *cib.Configuration, conflicts []Conflict, want *cib.Configuration) {
			if len(conflicts) > 0 {
				t.Fatalf("%s: conflicts %+v", what, conflicts)
			}
			if d := cib.Diff(want, got); len(d) > 0 {
				t.Fatalf("%s: %v", what, d)
			}
		}
		got, conflicts := Merge(base, mine, base)
		same("nobody else changed anything", got, conflicts, mine)
		got, conflicts = Merge(base, base, theirs)
		same("I changed nothing", got, conflicts, theirs)
		got, conflicts = Merge(base, mine, mine)
		same("both did the same", got, conflicts, mine)

		got, conflicts = Merge(base, mine, theirs)
		other, back := Merge(base, theirs, mine)
		if (len(conflicts) > 0) != (len(back) > 0) {
			t.Fatalf("one way %v, the other way %v", conflicts, back)
		}
		both := differently(base, mine, theirs)
		if len(conflicts) > 0 {
			clashed++
			if got != nil {
				t.Fatal("a configuration in spite of conflicts")
			}
			return
		}
		clean++
		if len(both) > 0 {
			t.Fatalf("%v changed on both sides, and merged", both)
		}
		nothingLost(t, base, mine, theirs, got)
		if d := slices.DeleteFunc(cib.Diff(got, other), func(d cib.Difference) bool { return strings.HasSuffix(d.Attribute, "order") }); len(d) > 0 {
			t.Fatalf("it matters who commits first: %v", d)
		}
	})
	if clean == 0 || clashed == 0 {
		t.Errorf("%d merges without and %d with conflicts: the edits are not varied enough", clean, clashed)
	}
}

// pairwise are the keys of objects that are merged pair by pair.
func pairwise(key string) bool {
	for _, kind := range []string{"property ", "rsc_defaults ", "op_defaults ", "node "} {
		if strings.HasPrefix(key, kind) {
			return true
		}
	}
	return key == "fencing_topology"
}

// differently lists the objects that the sides made different things of, by a way of its own: their texts.
func differently(base, mine, theirs *cib.Configuration) []string {
	b, x, y := objectTexts(base), objectTexts(mine), objectTexts(theirs)
	var out []string
	for _, list := range []map[string]string{b, x, y} {
		for key := range list {
			if !pairwise(key) && b[key] != x[key] && b[key] != y[key] && x[key] != y[key] {
				out = append(out, key)
			}
		}
	}
	return out
}

// nothingLost holds every object of the result against the side that has touched it.
func nothingLost(t *rapid.T, base, mine, theirs, got *cib.Configuration) {
	b, x, y, g := objectTexts(base), objectTexts(mine), objectTexts(theirs), objectTexts(got)
	for _, list := range []map[string]string{b, x, y, g} {
		for key := range list {
			want := y[key]
			if x[key] != b[key] {
				want = x[key]
			}
			if !pairwise(key) && g[key] != want {
				t.Fatalf("%s is %q, want %q", key, g[key], want)
			}
		}
	}
	values := func(c *cib.Configuration) map[string]string {
		m := map[string]string{}
		note := func(where string, sets []cib.NVSet) {
			for _, s := range sets {
				for _, p := range s.Pairs {
					m[where+" "+p.Name] = p.Value
				}
			}
		}
		note("property", c.Options)
		note("rsc_defaults", c.RscDefaults)
		for _, n := range c.Nodes {
			note(n.Uname, n.Attributes)
		}
		return m
	}
	vb, vx, vy, vg := values(base), values(mine), values(theirs), values(got)
	for _, list := range []map[string]string{vb, vx, vy, vg} {
		for name := range list {
			want := vy[name]
			if vx[name] != vb[name] {
				want = vx[name]
			}
			if vg[name] != want {
				t.Fatalf("%s is %q, want %q", name, vg[name], want)
			}
		}
	}
}

func TestMergeStories(t *testing.T) {
	for _, c := range []struct{ name, mine, theirs, want string }{
		{"two new resources", "primitive web Dummy", "primitive db Dummy", ""},
		{"two options", "property batch-limit=9", "property cluster-delay=30s", ""},
		{"one option, two values", "property batch-limit=9", "property batch-limit=8",
			`property "batch-limit" changed on both sides: batch-limit=5 | batch-limit=9 | batch-limit=8`},
		{"an option that only its removal fights with", "set cib-bootstrap-options.batch-limit 9", "delete cib-bootstrap-options",
			`property "cib-bootstrap-options" changed here and removed there`},
		{"one primitive, two parameters", "primitive p0 Dummy params a=1", "primitive p0 Dummy params a=2",
			`primitive "p0" changed on both sides`},
		{"a resource that goes, and a new constraint on it", "location at p0 1: beta", "delete p0", "the changes do not fit together"},
		{"a resource into two groups", "group h p0", "group i p0", `resource "p0" it was put into i and into h`},
		{"a standby meanwhile", "node alpha attributes rack=2", "node alpha attributes standby=on", ""},
		{"both add the same", "primitive web Dummy", "primitive web Dummy", ""},
		{"both add the same name", "primitive web Dummy", "primitive web apache", `primitive "web" added on both sides`},
		{"members", "modgroup g add p0", "modgroup g remove p4", `group "g" changed on both sides`},
		{"a member and its group", "primitive p3 Dummy params a=9", "modgroup g add p0", ""},
	} {
		base := parse(t, baseText)
		change := func(text string) *cib.Configuration {
			next, _, err := crm.Update(base, text)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			return next
		}
		got, conflicts := Merge(base, change(c.mine), change(c.theirs))
		var said []string
		for _, k := range conflicts {
			text := k.Object + " " + k.Why
			if k.Base+k.Mine+k.Theirs != "" {
				text += ": " + k.Base + " | " + k.Mine + " | " + k.Theirs
			}
			said = append(said, text)
		}
		if text := strings.Join(said, "\n"); c.want == "" && text != "" || !strings.Contains(text, c.want) || c.want != "" && text == "" {
			t.Errorf("%s: got %q, want %q", c.name, text, c.want)
		}
		if c.want == "" && got == nil {
			t.Errorf("%s: no configuration", c.name)
		}
	}
}

func TestConflictShowsBothVersions(t *testing.T) {
	base := parse(t, baseText)
	mine, theirs := parse(t, strings.Replace(baseText, "p0 Dummy params a=0", "p0 Dummy params a=1", 1)), parse(t, strings.Replace(baseText, "p0 Dummy params a=0", "p0 Dummy params a=2", 1))
	_, conflicts := Merge(base, mine, theirs)
	if len(conflicts) != 1 {
		t.Fatalf("got %+v", conflicts)
	}
	k := conflicts[0]
	for _, v := range []struct{ text, want string }{{k.Base, "a=0"}, {k.Mine, "a=1"}, {k.Theirs, "a=2"}} {
		if !strings.HasPrefix(v.text, "primitive p0 Dummy") || !strings.Contains(v.text, v.want) {
			t.Errorf("got %q, want the primitive with %s", v.text, v.want)
		}
	}
}
