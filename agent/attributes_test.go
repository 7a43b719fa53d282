package agent

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
)

func text(s string) *string { return &s }

// What agents ask for, translated: what is so already costs nothing, sums are of what came before, errors are of one change.
func TestPlanAttributes(t *testing.T) {
	c := &cib.CIB{
		Configuration: cib.Configuration{
			Nodes: []*cib.Node{
				{ID: "1", Uname: "alpha", Attributes: []cib.NVSet{{ID: "nodes-1", Pairs: []cib.NVPair{{Name: "site", Value: "x"}}}}},
				{ID: "2", Uname: "beta"},
			},
			Options: []cib.NVSet{{ID: "own", Pairs: []cib.NVPair{{Name: "info", Value: "a"}}}},
		},
		Status: cib.Status{Nodes: []*cib.NodeState{{ID: "1", Uname: "alpha", Attributes: []cib.NVSet{{ID: "status-1", Pairs: []cib.NVPair{
			{Name: "score", Value: "5"}, {Name: "word", Value: "abc"}, {Name: "full", Value: "INFINITY"},
		}}}}}},
	}
	change := func(scope, node, set, name string, value *string) api.AttributeChange {
		return api.AttributeChange{Scope: scope, Node: node, Set: set, Name: name, Value: value}
	}
	for _, k := range []struct {
		name    string
		changes []api.AttributeChange
		want    string
	}{
		{"set", []api.AttributeChange{change("transient", "alpha", "", "score", text("7"))}, `status 1 score=7 ; `},
		{"as it is", []api.AttributeChange{change("transient", "alpha", "", "score", text("5")), change("permanent", "alpha", "", "site", text("x")),
			change("option", "", "own", "info", text("a")), change("transient", "alpha", "", "none", nil)}, ` ; `},
		{"delete", []api.AttributeChange{change("transient", "alpha", "", "score", nil)}, `status 1 score ; `},
		{"there and back", []api.AttributeChange{change("transient", "alpha", "", "score", text("7")), change("transient", "alpha", "", "score", text("5"))},
			`status 1 score=7, status 1 score=5 ; `},
		{"sums", []api.AttributeChange{change("transient", "alpha", "", "score", text("score++")), change("transient", "alpha", "", "score", text("value+=10")),
			change("transient", "alpha", "", "word", text("word++")), change("transient", "alpha", "", "new", text("value++")),
			change("transient", "alpha", "", "full", text("full++"))},
			`status 1 score=6, status 1 score=16, status 1 word=1, status 1 new=1 ; `},
		{"permanent and option", []api.AttributeChange{change("permanent", "beta", "", "site", text("y")), change("option", "", "own", "info", text("b"))},
			`node beta site=y, option own info=b ; `},
		{"nobody", []api.AttributeChange{change("transient", "gamma", "", "a", text("1")), change("transient", "beta", "", "a", text("1")),
			change("transient", "alpha", "", "a", text("1"))},
			`status 1 a=1 ; there is no node "gamma" in the cluster; node beta was never there: it has no transient attributes`},
	} {
		p := planAttributes(c, k.changes)
		got, sep := "", ""
		show := func(what string, v *string) {
			got += sep + what
			if v != nil {
				got += "=" + *v
			}
			sep = ", "
		}
		for _, ch := range append(p.status, p.configuration...) {
			switch {
			case ch.SetTransient != nil:
				show("status "+ch.SetTransient.NodeID+" "+ch.SetTransient.Name, ch.SetTransient.Value)
			case ch.SetNodeAttr != nil:
				show("node "+ch.SetNodeAttr.Node+" "+ch.SetNodeAttr.Name, ch.SetNodeAttr.Value)
			case ch.SetOption != nil:
				show("option "+ch.SetOption.Set+" "+ch.SetOption.Name, ch.SetOption.Value)
			default:
				t.Errorf("%s: %+v", k.name, ch)
			}
		}
		got += " ; "
		sep = ""
		for _, e := range p.errors {
			if e != "" {
				got += sep + e
				sep = "; "
			}
		}
		if got != k.want {
			t.Errorf("%s:\ngot  %s\nwant %s", k.name, got, k.want)
		}
		if len(p.errors) != len(k.changes) {
			t.Errorf("%s: %d answers to %d changes", k.name, len(p.errors), len(k.changes))
		}
	}
}

// The queue: order is kept, a dampened attribute is due once and with its last value, a failed batch comes first again.
func TestKeeper(t *testing.T) {
	k := newKeeper()
	now := time.Unix(1000, 0)
	second := func(n int) time.Time { return now.Add(time.Duration(n) * time.Second) }
	set := func(at time.Time, name, value string, delay ...time.Duration) []*asked {
		r := api.AttributesRequest{Changes: []api.AttributeChange{{Scope: api.ScopeTransient, Node: "alpha", Name: name, Value: &value}}}
		if len(delay) > 0 {
			d := api.Duration(delay[0])
			r.Delay = &d
		}
		return k.take(r, at, 10*time.Second)
	}
	due := func(at time.Time) ([]*asked, string) {
		list, next := k.due(at)
		out := ""
		for _, a := range list {
			out += a.change.Name + "=" + *a.change.Value + " "
		}
		if !next.IsZero() {
			out += fmt.Sprint("next ", next.Sub(now))
		}
		return list, out
	}
	if got := set(second(0), "ping", "1", 5*time.Second); got != nil {
		t.Error("a dampened change is waited for")
	}
	set(second(1), "ping", "2")
	a := set(second(1), "a", "1")
	set(second(2), "b", "1")
	if v, ok := k.pending(attributeKey{api.ScopeTransient, "alpha", "", "ping"}); !ok || *v != "2" {
		t.Error("what is not committed yet cannot be read")
	}
	list, got := due(second(2))
	if got != "a=1 b=1 next 5s" {
		t.Errorf("due is %q", got)
	}
	set(second(3), "a", "2")
	if lost := k.putBack(list, second(3), errors.New("nobody")); len(lost) > 0 {
		t.Errorf("given up: %v", lost)
	}
	if _, got := due(second(6)); got != "a=1 b=1 ping=2 a=2 " {
		t.Errorf("due is %q", got)
	}
	if lost := k.putBack(list, second(60), errors.New("nobody")); len(lost) != 2 {
		t.Errorf("given up: %v", lost)
	}
	if err := <-a[0].done; err == nil || err.Error() != "nobody" {
		t.Errorf("who waits is told %v", err)
	}
	if _, got := due(second(60)); got != "" {
		t.Errorf("left is %q", got)
	}
}

// Attributes that are set through any node are read through any other, and outlive the coordinator.
func TestAttributes(t *testing.T) {
	s := newSite(t, "alpha", "beta", "gamma")
	s.form("alpha", "beta", "gamma")
	set := func(node string, changes ...api.AttributeChange) {
		t.Helper()
		if err := s.nodes[node].client.SetAttributes(t.Context(), api.AttributesRequest{Changes: changes, Origin: "resource db"}); err != nil {
			t.Fatal(err)
		}
	}
	read := func(node string, want api.Attribute) string {
		t.Helper()
		r, err := s.nodes[node].client.Attributes(t.Context(), want)
		if err != nil {
			t.Fatal(err)
		}
		out := ""
		for _, a := range r.Attributes {
			out += a.Node + " " + a.Name + "=" + a.Value + "; "
		}
		return out
	}
	set("beta", api.AttributeChange{Scope: api.ScopeTransient, Name: "master-db", Value: text("10")})
	set("gamma", api.AttributeChange{Scope: api.ScopeTransient, Name: "master-db", Value: text("5")},
		api.AttributeChange{Scope: api.ScopePermanent, Node: "beta", Name: "db-data-status", Value: text("LATEST")},
		api.AttributeChange{Scope: api.ScopeOption, Set: "replication", Name: "db_INFO", Value: text("beta")})
	for _, node := range []string{"alpha", "beta", "gamma"} {
		if got := read(node, api.Attribute{Scope: api.ScopeTransient, Node: "*", Name: "master-db"}); got != "beta master-db=10; gamma master-db=5; " {
			t.Errorf("%s reads %q", node, got)
		}
		if got := read(node, api.Attribute{Scope: api.ScopePermanent, Node: "beta", Name: "db-data-status"}); got != "beta db-data-status=LATEST; " {
			t.Errorf("%s reads %q", node, got)
		}
		if got := read(node, api.Attribute{Scope: api.ScopeOption, Set: "replication"}); got != " db_INFO=beta; " {
			t.Errorf("%s reads %q", node, got)
		}
	}
	err := s.nodes["beta"].client.SetAttributes(t.Context(), api.AttributesRequest{Changes: []api.AttributeChange{{Scope: api.ScopeTransient, Node: "nobody", Name: "x", Value: text("1")}}})
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeNotFound {
		t.Errorf("an attribute of a node that is not there: %v", err)
	}
	// The coordinator goes while an agent asks: the change is made by the next one. Of two voters the other could make none.
	s.await("beta", "three voters", func(st *api.Status) bool { return st.Quorum.Total == 3 })
	s.crash("alpha")
	set("beta", api.AttributeChange{Scope: api.ScopeTransient, Name: "master-db", Value: text("20")})
	if got := read("gamma", api.Attribute{Scope: api.ScopeTransient, Node: "*", Name: "master-db"}); got != "beta master-db=20; gamma master-db=5; " {
		t.Errorf("after the coordinator's change gamma reads %q", got)
	}
}
