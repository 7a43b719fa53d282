package cib

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

func ptr(s string) *string { return &s }

// image is the text of a CIB: equal images mean equal CIBs.
func image(t testing.TB, c *CIB) string {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func load(t testing.TB, text string) *CIB {
	t.Helper()
	c, warnings, err := Decode(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range warnings {
		t.Errorf("unexpected warning: %s", w)
	}
	return c
}

const small = `<cib epoch="3" num_updates="7">
<configuration>
  <crm_config>
    <cluster_property_set id="cib-bootstrap-options">
      <nvpair id="o1" name="stonith-enabled" value="true"/>
    </cluster_property_set>
  </crm_config>
  <nodes><node id="1" uname="alpha"/><node id="2" uname="beta"/></nodes>
  <resources>
    <primitive id="vip" class="ocf" provider="heartbeat" type="IPaddr2"/>
    <group id="front">
      <primitive id="web" class="systemd" type="nginx">
        <meta_attributes id="web-meta"><nvpair id="web-meta-p" name="priority" value="5"/></meta_attributes>
      </primitive>
      <primitive id="app" class="systemd" type="app"/>
    </group>
  </resources>
  <constraints><rsc_location id="l1" rsc="vip" node="beta" score="100"/></constraints>
</configuration>
<status>
  <node_state id="1" uname="alpha" in_ccm="true" crmd="online" join="member" expected="member"><lrm id="1"><lrm_resources>
    <lrm_resource id="vip" class="ocf" provider="heartbeat" type="IPaddr2">
      <lrm_rsc_op id="vip_last_0" operation="start" interval="0" call-id="4" rc-code="0"/>
      <lrm_rsc_op id="vip_monitor_10000" operation="monitor" interval="10000" call-id="5" rc-code="0"/>
    </lrm_resource></lrm_resources></lrm>
  </node_state>
  <node_state id="2" uname="beta"/>
</status></cib>`

func TestApplyChanges(t *testing.T) {
	tests := []struct {
		name   string
		change Change
		check  func(*CIB) string // "" when right
	}{
		{"an option replaces the other generation's name", Change{SetOption: &SetOption{Name: "fencing-enabled", Value: ptr("false")}}, func(c *CIB) string {
			got := c.Configuration.Options[0].Pairs
			if len(got) != 1 || got[0].Name != "fencing-enabled" || got[0].Value != "false" {
				return fmt.Sprint(got)
			}
			return ""
		}},
		{"a new option gets an ID of its set", Change{SetOption: &SetOption{Name: "maintenance-mode", Value: ptr("true")}}, func(c *CIB) string {
			if p := c.Configuration.Options[0].Pairs[1]; p.ID != "cib-bootstrap-options-maintenance-mode" {
				return p.ID
			}
			return ""
		}},
		{"an option gets a set of its own", Change{SetOption: &SetOption{Set: "own", Name: "db_REPL_INFO", Value: ptr("alpha")}}, func(c *CIB) string {
			if n := len(c.Configuration.Options[0].Pairs); n != 1 {
				return fmt.Sprint("the first set has ", n)
			}
			s := c.Configuration.Options[1]
			return want(s.ID+" "+s.Pairs[0].ID+" "+s.Pairs[0].Value, "own own-db_REPL_INFO alpha")
		}},
		{"an option is deleted under its other name", Change{SetOption: &SetOption{Name: "fencing-enabled", Value: nil}}, func(c *CIB) string {
			if v, ok := c.Option("stonith-enabled"); ok {
				return v
			}
			return ""
		}},
		{"a meta attribute of a member", Change{SetMeta: &SetMeta{"web", "target-role", ptr("Stopped")}}, func(c *CIB) string {
			return want(c.Resource("web").Meta[0].Pairs[1].Value, "Stopped")
		}},
		{"a meta attribute makes its set", Change{SetMeta: &SetMeta{"app", "is-managed", ptr("false")}}, func(c *CIB) string {
			return want(c.Resource("app").Meta[0].ID, "app-meta_attributes")
		}},
		{"a node attribute", Change{SetNodeAttr: &SetNodeAttr{"beta", "standby", ptr("on")}}, func(c *CIB) string {
			return want(c.NodeByName("beta").Attributes[0].Pairs[0].ID, "nodes-2-standby")
		}},
		{"a node is renamed", Change{PutNode: &PutNode{ID: "2", Uname: "gamma"}}, func(c *CIB) string {
			return want(c.Configuration.Nodes[1].Uname, "gamma")
		}},
		{"a node leaves with its state and its locations", Change{DropNode: &DropNode{"beta"}}, func(c *CIB) string {
			return want(fmt.Sprint(len(c.Configuration.Nodes), len(c.Status.Nodes), len(c.Configuration.Constraints)), "1 1 0")
		}},
		{"a constraint is replaced in its place", Change{PutConstraint: &PutConstraint{Constraint{Location: &Location{ID: "l1", Resource: "vip", Node: "alpha", Score: "5"}}}}, func(c *CIB) string {
			return want(c.Configuration.Constraints[0].Location.Node, "alpha")
		}},
		{"a constraint is dropped", Change{DropConstraint: &DropConstraint{"l1"}}, func(c *CIB) string {
			return want(fmt.Sprint(len(c.Configuration.Constraints)), "0")
		}},
		{"a node's state is made", Change{NodeStatus: &NodeStatus{ID: "3", Uname: "gamma", InCCM: "true"}}, func(c *CIB) string {
			return want(c.NodeState("gamma").InCCM, "true")
		}},
		{"a node's state changes where it is named, and - clears", Change{NodeStatus: &NodeStatus{ID: "1", Join: "down", Expected: "-"}}, func(c *CIB) string {
			n := c.NodeState("1")
			return want(n.InCCM+n.Join+n.Expected, "truedown")
		}},
		{"a node is forgotten", Change{ClearNode: &ClearNode{"1"}}, func(c *CIB) string {
			n := c.NodeState("1")
			return want(fmt.Sprint(n.HasHistory, len(n.Resources)), "false 0")
		}},
		{"a stop supersedes the monitor", Change{RecordOp: &RecordOp{NodeID: "1", Resource: "vip", Record: OpRecord{ID: "vip_last_0", Operation: "stop", RC: "0"}, Drop: []string{"vip_monitor_10000"}}}, func(c *CIB) string {
			h := c.NodeState("1").Resources[0]
			return want(fmt.Sprintf("%d %s %s", len(h.Ops), h.Ops[0].Operation, h.Agent), "1 stop ocf:heartbeat:IPaddr2")
		}},
		{"a first operation of a resource", Change{RecordOp: &RecordOp{NodeID: "2", Resource: "web", Agent: Agent{"systemd", "", "nginx"}, Record: OpRecord{ID: "web_last_0", Operation: "monitor"}}}, func(c *CIB) string {
			return want(fmt.Sprintf("%s %t", c.NodeState("2").Resources[0].ID, c.NodeState("2").HasHistory), "web true")
		}},
		{"one operation is forgotten", Change{ForgetOps: &ForgetOps{NodeID: "1", Resource: "vip", Operation: "monitor", IntervalMS: "10000"}}, func(c *CIB) string {
			return want(fmt.Sprint(len(c.NodeState("1").Resources[0].Ops)), "1")
		}},
		{"all resources are forgotten", Change{ForgetOps: &ForgetOps{NodeID: "1"}}, func(c *CIB) string {
			return want(fmt.Sprint(len(c.NodeState("1").Resources)), "0")
		}},
		{"a transient attribute", Change{SetTransient: &SetTransient{"2", "fail-count-vip#start_0", ptr("INFINITY")}}, func(c *CIB) string {
			p := c.NodeState("2").Attributes[0].Pairs[0]
			return want(p.ID+" "+p.Name, "status-2-fail-count-vip_start_0 fail-count-vip#start_0")
		}},
		{"a ticket", Change{SetTicket: &SetTicket{"T", &TicketState{Granted: "true"}}}, func(c *CIB) string {
			return want(c.Status.Tickets[0].ID+c.Status.Tickets[0].Granted, "Ttrue")
		}},
		{"a fencing", Change{RecordFence: &RecordFence{FenceEvent{Target: "beta", Action: "off", State: "pending"}}}, func(c *CIB) string {
			return want(c.Status.Fencing[0].State, "pending")
		}},
		{"quorum", Change{SetQuorum: &SetQuorum{true, "1"}}, func(c *CIB) string {
			return want(c.Header.HaveQuorum+c.Header.DCUUID, "11")
		}},
		{"a new configuration leaves the status", Change{Configure: &Configure{Configuration{}}}, func(c *CIB) string {
			return want(fmt.Sprint(len(c.Configuration.Nodes), len(c.Status.Nodes)), "0 2")
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := load(t, small)
			text := image(t, before)
			after, err := Apply(before, test.change)
			if err != nil {
				t.Fatal(err)
			}
			if bad := test.check(after); bad != "" {
				t.Error(bad)
			}
			if image(t, before) != text {
				t.Error("the input changed")
			}
			epoch, updates := int64(3), int64(8)
			if test.change.Configures() {
				epoch, updates = 4, 0
			}
			if after.Header.Epoch != epoch || after.Header.NumUpdates != updates {
				t.Errorf("epoch %d.%d, want %d.%d", after.Header.Epoch, after.Header.NumUpdates, epoch, updates)
			}
		})
	}
}

func want(got, expected string) string {
	if got == expected {
		return ""
	}
	return fmt.Sprintf("got %q, want %q", got, expected)
}

func TestApplyRefuses(t *testing.T) {
	tests := []struct {
		change Change
		err    string
	}{
		{Change{}, "a change must have exactly one of its fields set"},
		{Change{ClearNode: &ClearNode{"1"}, SetQuorum: &SetQuorum{}}, "a change must have exactly one of its fields set"},
		{Change{SetOption: &SetOption{}}, "set an option: it has no name"},
		{Change{SetMeta: &SetMeta{"wbe", "target-role", ptr("Stopped")}}, `set meta attribute "target-role": there is no resource "wbe"; did you mean "web"?`},
		{Change{SetNodeAttr: &SetNodeAttr{"betta", "standby", ptr("on")}}, `set attribute "standby": there is no node "betta"; did you mean "beta"?`},
		{Change{PutNode: &PutNode{ID: "3", Uname: "beta"}}, `add node "beta" with ID "3": the node of ID "2" has that name`},
		{Change{DropNode: &DropNode{"delta"}}, `remove node "delta": there is no such node`},
		{Change{PutConstraint: &PutConstraint{Constraint{Order: &Order{ID: "web"}}}}, `put order constraint "web": a primitive has that ID`},
		{Change{PutConstraint: &PutConstraint{}}, "put a constraint: it must be of exactly one kind"},
		{Change{RecordOp: &RecordOp{NodeID: "9", Resource: "vip", Record: OpRecord{ID: "vip_last_0"}}}, `record operation "vip_last_0": nothing is known of a node with ID "9"`},
		{Change{SetTransient: &SetTransient{"9", "x", ptr("1")}}, `set transient attribute "x": nothing is known of a node with ID "9"`},
		{Change{Configure: &Configure{Configuration{Resources: []*Resource{nil}}}}, "the configuration has an empty place among its resources"},
		{Change{Batch: []Change{{SetQuorum: &SetQuorum{true, "1"}}, {SetOption: &SetOption{}}}}, "change 2 of the batch: set an option: it has no name"},
	}
	for _, test := range tests {
		before := load(t, small)
		after, err := Apply(before, test.change)
		if err == nil || err.Error() != test.err {
			t.Errorf("got error %v\nwant %s", err, test.err)
		}
		if after != before {
			t.Errorf("%s: the CIB changed in spite of the error", test.err)
		}
	}
}

func TestApplyNothingReturnsTheSame(t *testing.T) {
	c := load(t, small)
	for _, ch := range []Change{
		{DropConstraint: &DropConstraint{"none"}}, {SetOption: &SetOption{Name: "no-quorum-policy", Value: nil}}, {ClearNode: &ClearNode{"2"}},
		{ForgetOps: &ForgetOps{NodeID: "2"}}, {SetTicket: &SetTicket{"T", nil}}, {PutNode: &PutNode{ID: "1", Uname: "alpha"}},
		{SetMeta: &SetMeta{"vip", "priority", nil}}, {Batch: []Change{{SetTransient: &SetTransient{"2", "x", nil}}}},
	} {
		if after, err := Apply(c, ch); err != nil || after != c {
			t.Errorf("%+v: a new CIB (or error %v)", ch, err)
		}
	}
}

func TestFenceHistoryIsBoundedAndPendingIsReplaced(t *testing.T) {
	c := &CIB{}
	record := func(target, state string) {
		t.Helper()
		var err error
		if c, err = Apply(c, Change{RecordFence: &RecordFence{FenceEvent{Target: target, Action: "off", State: state}}}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range FenceHistoryMax + 10 {
		record(fmt.Sprint("n", i), "ok")
	}
	if n := len(c.Status.Fencing); n != FenceHistoryMax {
		t.Errorf("%d entries, want %d", n, FenceHistoryMax)
	}
	record("beta", "pending")
	record("gamma", "pending")
	record("beta", "ok")
	last := c.Status.Fencing[len(c.Status.Fencing)-2:]
	if last[0].Target != "beta" || last[0].State != "ok" || last[1].State != "pending" {
		t.Errorf("got %+v, %+v", last[0], last[1])
	}
}

// A node that fails to be fenced for hours does not make it forgotten when the fencing of others was shown to work.
func TestFenceHistoryKeepsProofs(t *testing.T) {
	c := &CIB{}
	record := func(target, action, state string) {
		t.Helper()
		var err error
		if c, err = Apply(c, Change{RecordFence: &RecordFence{FenceEvent{Target: target, Action: action, State: state}}}); err != nil {
			t.Fatal(err)
		}
	}
	record("a", "off", "ok")
	record("b", "test", "ok")
	record("c", "test", "failed")
	for range 3 * FenceHistoryMax {
		record("d", "off", "failed")
	}
	var kept []string
	for _, e := range c.Status.Fencing {
		if e.Target != "d" {
			kept = append(kept, e.Target)
		}
	}
	if len(c.Status.Fencing) != FenceHistoryMax || !slices.Equal(kept, []string{"a", "b", "c"}) {
		t.Errorf("%d entries, of others than d: %v", len(c.Status.Fencing), kept)
	}
}

// anyChange draws changes that often fit the small document, and often do not.
func anyChange(depth int) *rapid.Generator[Change] {
	return rapid.Custom(func(t *rapid.T) Change {
		node := rapid.SampledFrom([]string{"1", "2", "3", ""})
		uname := rapid.SampledFrom([]string{"alpha", "beta", "gamma", ""})
		resource := rapid.SampledFrom([]string{"vip", "front", "web", "app", "nothing", ""})
		name := rapid.SampledFrom([]string{"stonith-enabled", "fencing-enabled", "priority", "standby", "x y", ""})
		value := rapid.Ptr(rapid.SampledFrom([]string{"", "1", "true", "-", "INFINITY"}), true)
		op := rapid.SampledFrom([]string{"vip_last_0", "vip_monitor_10000", "web_last_0"})
		switch n := rapid.IntRange(0, 15).Draw(t, "kind"); n {
		case 0:
			if depth > 0 {
				return Change{Batch: rapid.SliceOfN(anyChange(depth-1), 0, 4).Draw(t, "batch")}
			}
			return Change{}
		case 1:
			return Change{SetOption: &SetOption{rapid.SampledFrom([]string{"", "own", "cib-bootstrap-options"}).Draw(t, "set"), name.Draw(t, "name"), value.Draw(t, "value")}}
		case 2:
			return Change{SetMeta: &SetMeta{resource.Draw(t, "rsc"), name.Draw(t, "name"), value.Draw(t, "value")}}
		case 3:
			return Change{SetNodeAttr: &SetNodeAttr{uname.Draw(t, "node"), name.Draw(t, "name"), value.Draw(t, "value")}}
		case 4:
			return Change{PutNode: &PutNode{node.Draw(t, "id"), uname.Draw(t, "uname"), "", rapid.Bool().Draw(t, "replace")}}
		case 5:
			return Change{DropNode: &DropNode{uname.Draw(t, "uname")}}
		case 6:
			return Change{PutConstraint: &PutConstraint{Constraint{Location: &Location{ID: rapid.SampledFrom([]string{"l1", "l2", "vip", ""}).Draw(t, "id")}}}}
		case 7:
			return Change{DropConstraint: &DropConstraint{rapid.SampledFrom([]string{"l1", "l2"}).Draw(t, "id")}}
		case 8:
			return Change{NodeStatus: &NodeStatus{ID: node.Draw(t, "id"), Uname: uname.Draw(t, "uname"), InCCM: rapid.SampledFrom([]string{"", "-", "true"}).Draw(t, "ccm")}}
		case 9:
			return Change{ClearNode: &ClearNode{node.Draw(t, "id")}}
		case 10:
			return Change{RecordOp: &RecordOp{NodeID: node.Draw(t, "id"), Resource: resource.Draw(t, "rsc"),
				Record: OpRecord{ID: op.Draw(t, "op")}, Drop: rapid.SliceOfN(op, 0, 2).Draw(t, "drop")}}
		case 11:
			return Change{ForgetOps: &ForgetOps{NodeID: node.Draw(t, "id"), Resource: resource.Draw(t, "rsc"),
				Operation: rapid.SampledFrom([]string{"", "monitor", "start"}).Draw(t, "op")}}
		case 12:
			return Change{SetTransient: &SetTransient{node.Draw(t, "id"), name.Draw(t, "name"), value.Draw(t, "value")}}
		case 13:
			ch := &SetTicket{ID: rapid.SampledFrom([]string{"T", "U", ""}).Draw(t, "ticket")}
			if rapid.Bool().Draw(t, "set") {
				ch.State = &TicketState{Granted: "true"}
			}
			return Change{SetTicket: ch}
		case 14:
			return Change{RecordFence: &RecordFence{FenceEvent{Target: uname.Draw(t, "target"), Action: "off",
				State: rapid.SampledFrom([]string{"pending", "ok"}).Draw(t, "state")}}}
		default:
			return Change{SetQuorum: &SetQuorum{rapid.Bool().Draw(t, "quorum"), node.Draw(t, "dc")}}
		}
	})
}

// Whatever is applied, in whatever order: every earlier CIB stays as it was, the same change gives the same result, the
// result survives its XML and JSON forms, and an option that was set is read back.
func TestApplyProperties(t *testing.T) {
	start := load(t, small)
	rapid.Check(t, func(t *rapid.T) {
		chain := []*CIB{start}
		texts := []string{image2(t, start)}
		for _, ch := range rapid.SliceOfN(anyChange(2), 1, 12).Draw(t, "changes") {
			before := chain[len(chain)-1]
			after, err := Apply(before, ch)
			again, err2 := Apply(before, ch)
			if (err == nil) != (err2 == nil) || image2(t, after) != image2(t, again) {
				t.Fatalf("%+v is not deterministic", ch)
			}
			if o := ch.SetOption; err == nil && o != nil && o.Value != nil && o.Set == "" {
				if v, ok := after.Option(o.Name); !ok || v != *o.Value {
					t.Fatalf("option %s is %q after it was set to %q", o.Name, v, *o.Value)
				}
			}
			chain, texts = append(chain, after), append(texts, image2(t, after))
		}
		for i, c := range chain {
			if image2(t, c) != texts[i] {
				t.Fatalf("CIB %d of the chain changed later", i)
			}
		}
		last := chain[len(chain)-1]
		var out bytes.Buffer
		if err := Encode(&out, last); err != nil {
			t.Fatal(err)
		}
		back, warnings, err := Decode(&out)
		if err != nil || len(warnings) > 0 || image2(t, back) != image2(t, last) {
			t.Fatalf("not the same after XML: %v %v\n%s\n%s", err, warnings, image2(t, back), image2(t, last))
		}
		var fromJSON CIB
		if err := json.Unmarshal([]byte(texts[len(texts)-1]), &fromJSON); err != nil || image2(t, &fromJSON) != image2(t, last) {
			t.Fatalf("not the same after JSON: %v", err)
		}
	})
}

func image2(t *rapid.T, c *CIB) string {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
