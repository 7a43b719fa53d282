package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
)

func TestBaseID(t *testing.T) {
	for in, want := range map[string]string{"web": "web", "web:0": "web", "web:12": "web", "web:": "web:", "a:b": "a:b"} {
		if got := baseID(in); got != want {
			t.Errorf("baseID(%q) = %q, want %q", in, got, want)
		}
	}
}

// What counts as a failure is what people are told; the rest is how operations normally end.
func TestFailed(t *testing.T) {
	for _, c := range []struct {
		op, interval, rc, status, key string
		want                          bool
	}{
		{"start", "0", "0", "0", "3:1:0:u", false},
		{"start", "0", "1", "0", "3:1:0:u", true},
		{"start", "0", "1", "2", "3:1:0:u", true},
		{"monitor", "0", "7", "0", "3:1:7:u", false},
		{"monitor", "0", "0", "0", "3:1:7:u", false},
		{"monitor", "0", "5", "0", "3:1:7:u", true},
		{"monitor", "0", "1", "0", "3:1:7:u", true},
		{"monitor", "10000", "7", "0", "3:1:0:u", true},
		{"monitor", "10000", "0", "0", "3:1:0:u", false},
		{"monitor", "10000", "8", "0", "3:1:8:u", false},
		{"monitor", "10000", "190", "0", "3:1:0:u", false},
		{"stop", "0", "1", "0", "3:1:0:u", true},
		{"start", "0", "193", "-1", "3:1:0:u", false},
		{"start", "0", "0", "0", "", false},
		{"start", "0", "", "0", "", false},
	} {
		rec := &cib.OpRecord{Operation: c.op, IntervalMS: c.interval, RC: c.rc, OpStatus: c.status, TransitionKey: c.key}
		if _, got := failed(rec); got != c.want {
			t.Errorf("%s_%s rc %s status %s key %q: failed is %v, want %v", c.op, c.interval, c.rc, c.status, c.key, got, c.want)
		}
	}
}

// An agent that some node lacks just cannot run there; one that nobody has is a mistake.
func TestAnAgentThatNobodyHasIsAFailure(t *testing.T) {
	probe := func(node, rc string) *cib.NodeState {
		return &cib.NodeState{ID: node, Uname: node, Resources: []*cib.ResourceHistory{{ID: "web", Ops: []*cib.OpRecord{{
			ID: "web_last_0", Operation: "monitor", IntervalMS: "0", RC: rc, OpStatus: "0", TransitionKey: "1:1:7:u",
		}}}}}
	}
	for _, c := range []struct {
		nodes []*cib.NodeState
		want  int
	}{
		{[]*cib.NodeState{probe("a", "5"), probe("b", "5")}, 2},
		{[]*cib.NodeState{probe("a", "5"), probe("b", "7")}, 0},
	} {
		if got := failures(&cib.CIB{Status: cib.Status{Nodes: c.nodes}}); len(got) != c.want {
			t.Errorf("%d failures, want %d: %+v", len(got), c.want, got)
		}
	}
}

func TestEveryCodeHasAStatusOfItsKind(t *testing.T) {
	for _, c := range []Code{CodeUsage, CodeForbidden, CodeNotFound, CodeConflict, CodeRefused, CodeConfirm, CodeInvalid, CodeFailed, CodeUnconfigured, CodeNoCoordinator, CodeTimeout} {
		if n := c.HTTPStatus(); n < 400 || n > 599 {
			t.Errorf("%s has status %d", c, n)
		}
	}
}

func TestList(t *testing.T) {
	var many []string
	for i := range 12 {
		many = append(many, fmt.Sprint("r", i))
	}
	for want, in := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "r0, r1, r2, r3, r4, r5, r6, r7 and 4 more": many} {
		if got := list(in); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// One word for a node, from what gossip, the commit, the fencer and the plan say.
func TestJudge(t *testing.T) {
	up := &cib.NodeState{InCCM: "true", CRMD: "online", Join: "member", Expected: "member"}
	joining := &cib.NodeState{InCCM: "true", CRMD: "online", Join: "pending", Expected: "member"}
	gone := &cib.NodeState{InCCM: "false", CRMD: "offline", Join: "down", Expected: "member"}
	down := &cib.NodeState{InCCM: "false", CRMD: "offline", Join: "down", Expected: "down"}
	on := &cib.Node{Attributes: []cib.NVSet{{Pairs: []cib.NVPair{{Name: "standby", Value: "on"}}}}}
	both := &cib.Node{Attributes: []cib.NVSet{{Pairs: []cib.NVPair{{Name: "standby", Value: "on"}, {Name: "maintenance", Value: "true"}}}}}
	fencing := Live{Fencing: []FencePending{{Target: "n", Action: "reboot"}}}
	waking := Live{Fencing: []FencePending{{Target: "n", Action: "on"}}}
	for _, c := range []struct {
		name    string
		ns      *cib.NodeState
		gossip  string // "" is unknown to gossip
		conf    *cib.Node
		live    Live
		planned string
		want    NodeState
	}{
		{"healthy", up, MemberAlive, nil, Live{}, "", NodeOnline},
		{"healthy, and planned so", up, MemberAlive, nil, Live{}, "online", NodeOnline},
		{"standby", up, MemberAlive, on, Live{}, "", NodeStandby},
		{"maintenance goes before standby", up, MemberAlive, both, Live{}, "", NodeMaintenance},
		{"new, nothing committed yet", nil, MemberAlive, nil, Live{}, "", NodePending},
		{"joining", joining, MemberAlive, nil, Live{}, "", NodePending},
		{"back after a clean stop, not joined yet", down, MemberAlive, nil, Live{}, "", NodePending},
		{"vanished, not committed yet", up, MemberFailed, nil, Live{}, "online", NodeUnclean},
		{"vanished", gone, MemberFailed, nil, Live{}, "", NodeUnclean},
		{"vanished where fencing is off", gone, MemberFailed, nil, Live{}, "offline", NodeOffline},
		{"fenced", down, MemberFailed, nil, Live{}, "", NodeOffline},
		{"stopped in good order", down, MemberLeft, nil, Live{}, "", NodeLeft},
		{"planned unclean though it answers", up, MemberAlive, nil, Live{}, "unclean", NodeUnclean},
		{"being fenced though it answers", up, MemberAlive, nil, fencing, "online", NodeUnclean},
		{"being switched on", down, MemberFailed, nil, waking, "", NodeOffline},
		{"remote, unknown to gossip", up, "", nil, Live{}, "online", NodeOnline},
		{"never seen", nil, "", nil, Live{}, "", NodeOffline},
	} {
		n := Node{Name: "n", Role: RoleVoter}
		conf := c.conf
		if conf == nil {
			conf = &cib.Node{}
		}
		n.judge(c.ns, Member{Name: "n", State: c.gossip}, c.gossip != "", conf, c.live, c.planned)
		if n.State != c.want {
			t.Errorf("%s: got %s, want %s", c.name, n.State, c.want)
		}
	}
}

// coordinating is a backend that has a plan of its own.
type coordinating struct {
	Backend
	plan     *scheduler.Result
	revision uint64
}

func (c *coordinating) Planned(context.Context) (*scheduler.Result, uint64) {
	return c.plan, c.revision
}

func TestTheCoordinatorsOwnPlanIsShown(t *testing.T) {
	made := 0
	b := &coordinating{plan: &scheduler.Result{Graph: &transition.Graph{}, Initial: []scheduler.Placement{{Resource: "web", Node: "node1", Role: "Started"}}}, revision: 7}
	s := NewServer(Config{Backend: b, Plan: func(*cib.CIB, time.Time) Plan { made++; return Plan{} }})
	state, now := &cib.CIB{}, time.Unix(1900000000, 0)
	for range 2 {
		if p := s.planOf(t.Context(), Snapshot{Revision: 7, CIB: state}, now); len(p.Active) != 1 || made != 0 {
			t.Fatalf("the plan is %+v, and %d were made; want the coordinator's", p, made)
		}
		now = now.Add(time.Hour) // the coordinator knows when to plan again
	}
	if s.planOf(t.Context(), Snapshot{Revision: 8, CIB: state}, now); made != 1 {
		t.Error("an older plan of the coordinator is shown for a newer state")
	}
	if s.planOf(t.Context(), Snapshot{Revision: 8, CIB: state}, now); made != 1 {
		t.Error("the plan of one state was made twice")
	}
	if s.planOf(t.Context(), Snapshot{Revision: 8, CIB: state}, now.Add(2*planAge)); made != 2 {
		t.Error("an old plan is shown")
	}
	b.plan = nil // this node coordinates no more
	if s.planOf(t.Context(), Snapshot{Revision: 7, CIB: &cib.CIB{}}, now); made != 3 {
		t.Error("a plan is shown that nobody has")
	}
}

// A daemon that has heard nobody since it started does not show the services of its old log as if they ran.
func TestUnheardStatusSaysNothingOfServices(t *testing.T) {
	web := &cib.Resource{ID: "web", Kind: cib.KindPrimitive}
	c := &cib.CIB{Configuration: cib.Configuration{Resources: []*cib.Resource{web, {ID: "g", Kind: cib.KindGroup, Children: []*cib.Resource{{ID: "ip", Kind: cib.KindPrimitive}}}}}}
	c.Status.Nodes = []*cib.NodeState{{ID: "1", Uname: "node1", Resources: []*cib.ResourceHistory{{ID: "web", Ops: []*cib.OpRecord{{
		ID: "web_last_failure_0", Operation: "start", IntervalMS: "0", RC: "1", OpStatus: "0", CallID: "3", TransitionKey: "1:1:0:u",
	}}}}}}
	p := Plan{Active: []Placement{{Resource: "web", Node: "node1", Role: "Started"}, {Resource: "ip", Node: "node1", Role: "Started"}}}
	live := Live{Stale: "there is no coordinator", Unheard: true}
	st := Summarize(Snapshot{CIB: c}, live, p, time.Unix(1900000000, 0))
	if web, g := st.Resources[0], st.Resources[1]; web.Role != RoleUnknown || g.Role != RoleUnknown || len(web.Nodes)+len(g.Nodes) != 0 {
		t.Errorf("web is shown as %s on %v, g as %s on %v", web.Role, web.Nodes, g.Role, g.Nodes)
	}
	if st.Counts.Active != 0 || len(st.Failures) != 0 {
		t.Errorf("%d are counted as active, with failures %v", st.Counts.Active, st.Failures)
	}
	live.Unheard = false
	if st := Summarize(Snapshot{CIB: c}, live, p, time.Unix(1900000000, 0)); st.Resources[0].Role != "Started" || len(st.Failures) != 1 {
		t.Errorf("what is known is shown as %+v, with failures %v", st.Resources[0], st.Failures)
	}
}

func TestMissingMembersAreProblems(t *testing.T) {
	c := &cib.CIB{Configuration: cib.Configuration{Nodes: []*cib.Node{{ID: "3", Uname: "node3"}}}}
	lost := time.Unix(1900000020, 0)
	st := Summarize(Snapshot{CIB: c}, Live{Missing: []Missing{{"node3", lost}}}, Plan{}, time.Unix(1900000000, 0))
	for _, p := range st.Problems {
		if p.Name == "node-missing" && p.Object == "node3" && strings.Contains(p.What, lost.Local().Format(time.TimeOnly)) && strings.Contains(p.What, "is fenced") {
			return
		}
	}
	t.Errorf("nobody is told of node3: %+v", st.Problems)
}

func TestRefusalsDoNotFillTheTimeline(t *testing.T) {
	var a allowance
	now, kept := time.Unix(1900000000, 0), 0
	for range 10 * refusalsMax {
		if a.room(now) {
			kept++
		}
	}
	if kept != refusalsMax || !a.room(now.Add(refusalsPause+time.Second)) {
		t.Errorf("%d refusals at once are kept, want %d, and more after a while", kept, refusalsMax)
	}
}
