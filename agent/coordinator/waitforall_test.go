package coordinator

import (
	"slices"
	"testing"

	"paceline/agent/cib"
	"paceline/agent/membership"
)

// A cluster that comes up as a whole waits with wait-for-all for whoever was a member, and for nobody else; one in which a node
// went on does not wait.
func TestWaitForAll(t *testing.T) {
	state := func(name, in, boot string) *cib.NodeState {
		st := &cib.NodeState{ID: "id-" + name, Uname: name, InCCM: in, CRMD: "offline", Join: "down", Expected: "down", Boot: boot}
		if in == "true" {
			st.CRMD, st.Join, st.Expected = "online", "member", "member"
		}
		return st
	}
	before := func() *cib.CIB {
		c := &cib.CIB{}
		for _, n := range []string{"a", "b", "c", "gone"} {
			c.Configuration.Nodes = append(c.Configuration.Nodes, &cib.Node{ID: "id-" + n, Uname: n})
		}
		c.Status.Nodes = []*cib.NodeState{state("a", "true", "old"), state("b", "true", "old"), state("c", "true", "old"), state("gone", "false", "old")}
		c.Configuration.Options = []cib.NVSet{{ID: "o", Pairs: []cib.NVPair{{ID: "w", Name: "wait-for-all", Value: "true"}}}}
		return c
	}
	elected := func(c *cib.CIB, members ...membership.Member) *world {
		w := newWorld(t, "a")
		w.core = NewCore(w.core.cfg)
		w.log = nil
		w.snap = Snapshot{Revision: 100, CIB: c}
		w.view.Members = members
		w.step(Elected{Term: 9, Snapshot: w.snap, View: w.view, Voters: []string{"id-a", "id-b", "id-c"}})
		return w
	}
	opened := func(w *world) bool { return slices.ContainsFunc(w.log, func(s string) bool { return s[:4] == "open" }) }

	w := elected(before(), member("a", "new", "2"), member("b", "new", "2"))
	if got := w.core.Progress().Awaits; !slices.Equal(got, []string{"c"}) || opened(w) {
		t.Fatalf("waits for %v, and did %v", got, w.log)
	}
	w.view.Members = append(w.view.Members, member("c", "new", "2"))
	w.step(Viewed{View: w.view})
	if got := w.core.Progress().Awaits; len(got) != 0 || !opened(w) {
		t.Errorf("all are there: waits for %v, and did %v", got, w.log)
	}
	w.view.Members[2].Status = membership.Failed // it waits once
	w.step(Viewed{View: w.view})
	if got := w.core.Progress().Awaits; len(got) != 0 {
		t.Errorf("waits for %v, which was there", got)
	}

	if w := elected(before(), member("a", "old", "2"), member("b", "new", "2")); len(w.core.Progress().Awaits) != 0 || !opened(w) {
		t.Error("a went on, and the next coordinator waits")
	}
	off := before()
	off.Configuration.Options = nil
	if w := elected(off, member("a", "new", "2"), member("b", "new", "2")); len(w.core.Progress().Awaits) != 0 || !opened(w) {
		t.Error("waits though nobody asked for it")
	}

	w = elected(before(), member("a", "new", "2"), member("b", "new", "2"))
	w.step(FenceConfirmed{Target: "c", Origin: "user root"})
	w.step(Tick{})
	if got := w.core.Progress().Awaits; len(got) != 0 || !opened(w) {
		t.Errorf("a person says that c is off: waits for %v, and did %v", got, w.log)
	}
}

// People are told of whom a cluster that came up still waits for, and when that ends; not of who left in good order.
func TestUnseenMembersAreTold(t *testing.T) {
	w := newWorld(t, "a")
	c := &cib.CIB{}
	for _, n := range []string{"a", "b", "gone"} {
		c.Configuration.Nodes = append(c.Configuration.Nodes, &cib.Node{ID: "id-" + n, Uname: n})
		st := &cib.NodeState{ID: "id-" + n, Uname: n, InCCM: "true", CRMD: "online", Join: "member", Expected: "member", Boot: "old"}
		if n == "gone" {
			st.InCCM, st.CRMD, st.Join, st.Expected = "false", "offline", "down", "down"
		}
		c.Status.Nodes = append(c.Status.Nodes, st)
	}
	w.core = NewCore(w.core.cfg)
	w.snap = Snapshot{Revision: 100, CIB: c}
	w.view.Members = []membership.Member{member("a", "new", "2")}
	w.step(Elected{Term: 9, Snapshot: w.snap, View: w.view, Voters: []string{"id-a", "id-b"}})
	want := []Unseen{{Node: "b", Lost: w.core.started.Add(w.core.patience(w.core.cfg.Timing.Unseen))}}
	if got := w.core.Progress().Unseen; !slices.Equal(got, want) {
		t.Errorf("unseen are %v, want %v", got, want)
	}
	w.view.Members = append(w.view.Members, member("b", "new", "2"))
	w.step(Viewed{View: w.view})
	if got := w.core.Progress().Unseen; len(got) != 0 {
		t.Errorf("unseen are %v, and all are there", got)
	}
}
