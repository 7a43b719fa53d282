package outcome

import (
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/resources"
)

const state = `<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes><resources/>
<constraints/></configuration><status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member">
<lrm id="1"><lrm_resources><lrm_resource id="web:3" class="ocf" provider="test" type="Dummy">
<lrm_rsc_op id="web:3_last_0" operation="start" interval="0" call-id="7" rc-code="0" op-status="0"/>
<lrm_rsc_op id="web:3_last_failure_0" operation="monitor" interval="10000" call-id="9" rc-code="1" op-status="0"/>
</lrm_resource></lrm_resources></lrm>
<transient_attributes id="1"><instance_attributes id="s"><nvpair id="x" name="fail-count-web#monitor_10000" value="2"/>
<nvpair id="y" name="fail-count-other#monitor_10000" value="1"/></instance_attributes></transient_attributes></node_state>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>`

func read(t *testing.T) *cib.CIB {
	t.Helper()
	c, _, err := cib.Decode(strings.NewReader(state))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func attributes(s *cib.NodeState) map[string]string {
	out := map[string]string{}
	for _, set := range s.Attributes {
		for _, p := range set.Pairs {
			out[p.Name] = p.Value
		}
	}
	return out
}

var at = time.Unix(1_800_000_000, 0)

// act makes an action of an anonymous clone's instance.
func act(id int, op, node string, after ...int) *transition.Action {
	return &transition.Action{ID: id, Kind: transition.KindResource, Operation: op, Resource: "web:0", Node: node, After: after,
		Meta: map[string]string{"globally_unique": "false"}}
}

// TestExecute: what comes after a failure does not run; what does not, does; the state that was given stays as it is.
func TestExecute(t *testing.T) {
	c := read(t)
	g := &transition.Graph{Actions: []*transition.Action{
		act(1, "stop", "a"), act(2, "start", "b", 1), act(3, "monitor", "b", 2), act(4, "monitor", "b"),
	}}
	g.Actions[2].IntervalMS = 10_000
	g.Actions[3].TargetRC = 7
	next, done, err := Execute(c, g, at, func(a *transition.Action) Verdict { return Verdict{Failed: a.ID == 2, RC: 5} })
	if err != nil {
		t.Fatal(err)
	}
	if len(done) != 4 || done[3].Action.ID != 3 || !done[3].Skipped {
		t.Errorf("done: %+v", done)
	}
	b := next.NodeState("b")
	if got := attributes(b)["fail-count-web#start_0"]; got != "INFINITY" {
		t.Errorf("the fail count of the start is %q", got)
	}
	if h := b.Resources[0]; h.ID != "web" || len(h.Ops) != 2 || h.Ops[0].ID != "web_last_failure_0" || h.Ops[0].RC != "5" {
		t.Errorf("the history of b is %+v", h)
	}
	ops := next.NodeState("a").Resources[0]
	if len(next.NodeState("a").Resources) != 1 || ops.ID != "web:3" || ops.Ops[0].Operation != "stop" || ops.Ops[0].CallID != "10" {
		t.Errorf("the stop is not recorded under the name of the history: %+v", ops.Ops[0])
	}
	if len(c.NodeState("b").Resources) != 0 || c.NodeState("a").Resources[0].Ops[0].Operation != "start" {
		t.Error("the state that was given has changed")
	}
}

// TestClearFailcount: the record of the failure goes with its count, and nothing else does.
func TestClearFailcount(t *testing.T) {
	g := &transition.Graph{Actions: []*transition.Action{{ID: 1, Kind: transition.KindCluster, Operation: "clear_failcount", Resource: "web:3", Node: "a"}}}
	next, _, err := Execute(read(t), g, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := next.NodeState("a")
	if got := attributes(a); len(got) != 2 || got["fail-count-other#monitor_10000"] != "1" || got[cib.KnownCallAttribute+"web:3"] != "9" {
		t.Errorf("attributes: %v", got)
	}
	if ops := a.Resources[0].Ops; len(ops) != 1 || ops[0].ID != "web:3_last_0" || ops[0].CallID != "7" {
		t.Errorf("records: %+v", ops[0])
	}
}

// TestFencings: off and reboot end what was known of a node; on notes since when it has its access back.
func TestFencings(t *testing.T) {
	for op, want := range map[string]string{"off": "down", "reboot": "down", "on": "member"} {
		g := &transition.Graph{Actions: []*transition.Action{{ID: 1, Kind: transition.KindFence, Operation: op, Node: "a"}}}
		next, _, err := Execute(read(t), g, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		a := next.NodeState("a")
		if a.Join != want || (len(a.Resources) == 0) != (op != "on") {
			t.Errorf("%s: join is %q with %d histories", op, a.Join, len(a.Resources))
		}
		if got := attributes(a)["#node-unfenced"]; (got == "1800000000") != (op == "on") {
			t.Errorf("%s: #node-unfenced is %q", op, got)
		}
	}
}

// What migrated away from a node that is lost may have arrived: its target is asked, unless it has told by itself.
func TestTargetOfALostMigrationIsAsked(t *testing.T) {
	for told, forgotten := range map[string]bool{"monitor": true, "migrate_from": false} {
		c, _, err := cib.Decode(strings.NewReader(`<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
<resources/><constraints/></configuration><status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member">
<lrm id="1"><lrm_resources><lrm_resource id="vm" class="ocf" provider="test" type="Dummy">
<lrm_rsc_op id="vm_last_0" operation="migrate_to" interval="0" call-id="-1" rc-code="193" op-status="-1" migrate_source="a" migrate_target="b"/>
</lrm_resource></lrm_resources></lrm></node_state>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="vm" class="ocf" provider="test" type="Dummy"><lrm_rsc_op id="vm_last_0" operation="` + told + `" interval="0" call-id="3" rc-code="7" op-status="0"/></lrm_resource>
<lrm_resource id="web" class="ocf" provider="test" type="Dummy"><lrm_rsc_op id="web_last_0" operation="monitor" interval="0" call-id="4" rc-code="7" op-status="0"/></lrm_resource>
</lrm_resources></lrm></node_state></status></cib>`))
		if err != nil {
			t.Fatal(err)
		}
		next, err := cib.Apply(c, cib.Change{Batch: Fenced(c, c.NodeState("a"), fencing.Reboot, at)})
		if err != nil {
			t.Fatal(err)
		}
		known := map[string]bool{}
		for _, h := range next.NodeState("b").Resources {
			known[h.ID] = len(h.Ops) > 0
		}
		if known["vm"] == forgotten || !known["web"] {
			t.Errorf("b told of its %s: after the fencing of a it is known there of %v", told, known)
		}
	}
}

// TestConnection: a remote node appears with its connection, and without what an earlier life of it left.
func TestConnection(t *testing.T) {
	remote := cib.Agent{Class: "ocf", Provider: "pacemaker", Type: "remote"}
	on := func(id int, op, rsc, node string, agent cib.Agent, after ...int) *transition.Action {
		return &transition.Action{ID: id, Kind: transition.KindResource, Operation: op, Resource: rsc, Node: node, Agent: agent, After: after}
	}
	g := &transition.Graph{Actions: []*transition.Action{
		on(1, "start", "far", "a", remote), on(2, "start", "web", "far", cib.Agent{}, 1),
	}}
	next, _, err := Execute(read(t), g, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	far := next.NodeState("far")
	if far == nil || far.RemoteNode != "true" || far.InCCM != "true" || len(far.Resources) != 1 {
		t.Fatalf("far is %+v", far)
	}
	again := &transition.Graph{Actions: []*transition.Action{on(1, "stop", "far", "a", remote), on(2, "start", "far", "b", remote, 1)}}
	if next, _, err = Execute(next, again, at, nil); err != nil || len(next.NodeState("far").Resources) != 0 {
		t.Errorf("after a new connection (%v) the remote node is %+v", err, next.NodeState("far"))
	}
}

// TestNoGraph: what is no graph is refused, and nothing is played.
func TestNoGraph(t *testing.T) {
	c := read(t)
	g := &transition.Graph{Actions: []*transition.Action{act(1, "stop", "a", 2), act(2, "start", "b", 1)}}
	if next, done, err := Execute(c, g, at, nil); err == nil || next != c || len(done) != 0 {
		t.Errorf("a circle is played: %v, %v", done, err)
	}
}

// TestReloaded: after a reload the history says what made the resource active, with the parameters that it has now.
func TestReloaded(t *testing.T) {
	for _, before := range []string{"start", "promote", "monitor", "demote"} {
		c := read(t)
		h := c.NodeState("a").Resources[0]
		first := *h.Ops[0]
		first.Operation, first.OpDigest, first.RestartDigest, first.ForceRestart, first.RC = before, "old", "fixed", " port ", "8"
		h.Ops = []*cib.OpRecord{&first}
		a := act(1, resources.ReloadAgent, "a")
		a.Digest = "new"
		next, _, err := Execute(c, &transition.Graph{Actions: []*transition.Action{a}}, at, nil)
		if err != nil {
			t.Fatal(err)
		}
		want, rc := before, "8"
		if before == "demote" || before == "start" {
			want, rc = "start", "0"
		}
		got := next.NodeState("a").Resources[0].Ops
		if len(got) != 1 || got[0].Operation != want || got[0].RC != rc || got[0].OpDigest != "new" || got[0].RestartDigest != "fixed" ||
			got[0].ForceRestart != " port " || got[0].CallID != "8" {
			t.Errorf("after %s: %+v", before, got[0])
		}
	}
}

// TestEvents: what a node sees because of an event is a failure, where a probe that gives the same answer is none.
func TestEvents(t *testing.T) {
	for event, want := range map[string]struct{ id, count string }{"": {"web:0_last_0", ""}, "the unit is failed": {"web:0_last_failure_0", "1"}} {
		c := read(t)
		b := c.NodeState("b")
		r := transition.Result{Node: "b", Resource: "web:0", Operation: resources.Monitor, RC: 7, Status: cib.OpDone, CallID: 3, Unasked: true, Event: event}
		changes := Changes(c, b, r, at)
		if id := changes[0].RecordOp.Record.ID; id != want.id {
			t.Errorf("event %q: it is recorded as %s", event, id)
		}
		count := ""
		for _, x := range changes {
			if s := x.SetTransient; s != nil && s.Name == "fail-count-web:0#monitor_0" {
				count = *s.Value
			}
		}
		if count != want.count {
			t.Errorf("event %q: the fail count is %q", event, count)
		}
	}
}
