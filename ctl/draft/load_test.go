package draft

import (
	"strings"
	"testing"

	"paceline/agent/cib"
)

// decode reads objects of a configuration from XML.
func decode(t *testing.T, text string) *cib.Configuration {
	t.Helper()
	c, _, err := cib.DecodeObjects(text)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func prim(id string) string {
	return `<primitive id="` + id + `" class="ocf" provider="heartbeat" type="Dummy"/>`
}

// shape writes the tree of resources in short: a g(b c).
func shape(list []*cib.Resource) string {
	var words []string
	for _, r := range list {
		w := r.ID
		if len(r.Children) > 0 {
			w += "(" + shape(r.Children) + ")"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

func TestMergeResources(t *testing.T) {
	group := func(id string, members ...string) string {
		text := `<group id="` + id + `">`
		for _, m := range members {
			text += prim(m)
		}
		return text + "</group>"
	}
	for _, c := range []struct{ name, base, file, want string }{
		{"a new one comes last", prim("a") + prim("b"), prim("c"), "a b c"},
		{"a known one keeps its place", prim("a") + prim("b"), prim("a"), "a b"},
		{"also inside a group", group("g", "a", "b") + prim("c"), prim("a"), "g(a b) c"},
		{"a group takes its members out of the top level", prim("a") + prim("b"), group("g", "a"), "b g(a)"},
		{"and out of another group", group("g", "a", "b"), group("h", "b"), "g(a) h(b)"},
		{"an emptied group goes", group("g", "a"), group("h", "a"), "h(a)"},
		{"a group is replaced in its place", group("g", "a", "b") + prim("c"), group("g", "b"), "g(b) c"},
	} {
		next, _ := Load(decode(t, c.base), decode(t, c.file), false)
		if got := shape(next.Resources); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMergeOptionsAndReplace(t *testing.T) {
	base := decode(t, `<cluster_property_set id="cib-bootstrap-options"><nvpair id="x" name="stonith-enabled" value="true"/><nvpair id="y" name="batch-limit" value="5"/></cluster_property_set>`+prim("a"))
	base.Nodes = []*cib.Node{{ID: "77", Uname: "node1"}, {ID: "78", Uname: "node2"}}
	file := decode(t, `<cluster_property_set id="cib-bootstrap-options"><nvpair id="z" name="fencing-enabled" value="false"/></cluster_property_set>`+prim("b"))
	file.Nodes = []*cib.Node{{ID: "1", Uname: "node1"}, {ID: "2", Uname: "far", Type: "remote"}, {ID: "3", Uname: "stranger"}}

	next, notes := Load(base, file, false)
	if v, _ := next.Option("fencing-enabled"); v != "false" {
		t.Errorf("fencing-enabled is %q after an update under its other name", v)
	}
	if v, _ := next.Option("batch-limit"); v != "5" {
		t.Errorf("batch-limit is %q, want it kept", v)
	}
	if len(next.Options) != 1 || len(next.Options[0].Pairs) != 2 {
		t.Errorf("got options %+v", next.Options)
	}
	names := func(c *cib.Configuration) string {
		var w []string
		for _, n := range c.Nodes {
			w = append(w, n.ID+"="+n.Uname)
		}
		return strings.Join(w, " ")
	}
	if got := names(next); got != "77=node1 78=node2 2=far" {
		t.Errorf("got nodes %s", got)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "stranger") {
		t.Errorf("got notes %q", notes)
	}
	next, _ = Load(base, file, true)
	if got := names(next) + " " + shape(next.Resources); got != "77=node1 78=node2 2=far b" {
		t.Errorf("replace: got %s", got)
	}
	if _, ok := next.Option("batch-limit"); ok {
		t.Error("replace kept an option that the file does not have")
	}
}
