package cib

import (
	"fmt"
	"strings"
	"testing"
)

func TestLookups(t *testing.T) {
	c := loadFile(t, "testdata/documents/complete.xml")
	conf := &c.Configuration
	for id, kind := range map[string]ResourceKind{"vip": KindPrimitive, "disks": KindGroup, "box": KindBundle, "vm": KindTemplate, "old-ms": KindClone} {
		if r := c.Resource(id); r == nil || r.Kind != kind {
			t.Errorf("%s: got %+v", id, r)
		}
	}
	if r := c.Resource("nothing"); r != nil {
		t.Errorf("got %+v", r)
	}
	var ids []string
	for _, r := range c.Primitives() {
		ids = append(ids, r.ID)
	}
	if got := strings.Join(ids, " "); got != "guest vip web db disk old boxed fence-a fence-b" {
		t.Errorf("primitives %s", got)
	}
	if c.NodeByName("beta").ID != "2" || c.NodeByID("2").Uname != "beta" || c.NodeByName("2") != nil || c.NodeByID("9") != nil {
		t.Error("nodes are mixed up")
	}
	if c.NodeState("1") != c.NodeState("alpha") || c.NodeState("gamma") != nil {
		t.Error("node states are mixed up")
	}
	for id, want := range map[string]bool{"db-clone": true, "old-ms": true, "disks-clone": false, "vip": false} {
		if got := c.Resource(id).Promotable(); got != want {
			t.Errorf("%s: promotable %t", id, got)
		}
	}
	var kinds []string
	for _, k := range conf.Constraints {
		kinds = append(kinds, string(k.Kind())[:3])
	}
	if got := strings.Join(kinds, " "); got != "loc loc loc loc ord col ord ord col tic tic" {
		t.Errorf("constraints %s", got)
	}
	if (&Constraint{}).Kind() != "" || (&Constraint{}).ID() != "" {
		t.Error("an empty constraint has a kind or an ID")
	}
}

func TestIndexFollowsReferences(t *testing.T) {
	c := loadFile(t, "testdata/documents/complete.xml")
	x := NewIndex(&c.Configuration)
	params := c.Resource("guest").Params
	if s := x.Set(&params[2]); s == nil || s.ID != "nodes-1" {
		t.Errorf("the set is %+v", s)
	}
	if s := x.Set(&params[0]); s != &params[0] {
		t.Errorf("a set without a reference is %+v", s)
	}
	if s := x.Set(&NVSet{IDRef: "nothing"}); s != nil {
		t.Errorf("a set that is not there is %+v", s)
	}
	for i, want := range []string{"fallback line one", "config line one"} {
		name, value, ok := x.Pair(&params[1].Pairs[i])
		if got := fmt.Sprint(name, " ", strings.SplitN(value, "\n", 2)[0]); !ok || got != want {
			t.Errorf("pair %d: got %q, want %q", i, got, want)
		}
	}
	if name, value, ok := x.Pair(&NVPair{Name: "a", Value: "b"}); name != "a" || value != "b" || !ok {
		t.Error("a pair without a reference is changed")
	}
	if _, _, ok := x.Pair(&NVPair{IDRef: "nothing"}); ok {
		t.Error("a pair that is not there has a value")
	}
	if x.Parents["vip"].ID != "front" || x.Parents["fence-a"] != nil || len(x.Operations["vm-ops"].Ops) != 1 || x.Operations["vm"] != x.Operations["vm-ops"] {
		t.Error("parents or operations are mixed up")
	}
}

func TestScoresAreWrittenAsTheyAreRead(t *testing.T) {
	for _, n := range []int{0, 1, -1, 999999, Infinity, -Infinity} {
		if got, err := ParseScore(FormatScore(n)); err != nil || got != n {
			t.Errorf("%d came back as %d, %v", n, got, err)
		}
	}
	if FormatScore(Infinity+5) != "INFINITY" || FormatScore(-Infinity) != "-INFINITY" {
		t.Error("infinity has no name")
	}
}

func TestErrorsLeavesWarningsOut(t *testing.T) {
	problems := []Problem{{Message: "a", Severity: SeverityWarning}, {Message: "b", Severity: SeverityError}}
	if got := Errors(problems); len(got) != 1 || got[0].Message != "b" {
		t.Errorf("got %v", got)
	}
}
