package coordinator

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/fencing"
)

// world drives a Core: it commits what the Core asks for, and keeps what the Core sends.
type world struct {
	t     *testing.T
	core  *Core
	now   time.Time
	snap  Snapshot
	view  membership.View
	graph *transition.Graph // what the next plans are; nil is an empty one
	plans int

	hold    bool // commits are kept in held until released
	held    []Commit
	log     []string // what the Core asked for, in order
	sent    []Send
	fences  []SendFence
	acks    []Ack
	said    []string
	wake    time.Time
	changes []ChangeVoters
}

func newWorld(t *testing.T, nodes ...string) *world {
	w := &world{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	w.snap.CIB = &cib.CIB{}
	w.core = NewCore(Config{
		Self: nodes[0], SelfID: "id-" + nodes[0], Timing: TimingFor(700*time.Millisecond, 5*time.Second),
		Plan: w.plan, Rand: rand.New(rand.NewPCG(1, 2)),
	})
	for _, n := range nodes {
		w.view.Members = append(w.view.Members, member(n, "boot1", "inc1"))
	}
	w.step(Elected{Term: 3, Snapshot: w.snap, View: w.view, Voters: []string{"id-" + nodes[0]}})
	for _, n := range nodes {
		w.up(n, "boot1", "inc1")
	}
	return w
}

func member(name, boot, inc string) membership.Member {
	return membership.Member{
		Name: name, ID: "id-" + name, Boot: boot, Incarnation: inc, Addr: "10.0.0.1", PeerPort: 7947, Role: membership.RoleVoter, Status: membership.Alive,
	}
}

func (w *world) plan(*cib.CIB, time.Time) *scheduler.Result {
	w.plans++
	g := w.graph
	w.graph = nil
	if g == nil {
		g = &transition.Graph{}
	}
	return &scheduler.Result{Graph: g}
}

// next makes g the next plan and asks for one.
func (w *world) next(actions ...*transition.Action) {
	w.t.Helper()
	w.graph = &transition.Graph{Actions: actions}
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
}

func (w *world) step(ev Event) {
	w.t.Helper()
	var after []Event
	for _, e := range w.core.Step(w.now, ev) {
		switch e := e.(type) {
		case Commit:
			w.log = append(w.log, "commit "+changeName(e.Change))
			w.held = append(w.held, e)
		case Send:
			w.log = append(w.log, "send "+e.Order.Action.Operation+" "+e.Order.Action.Resource+" "+e.Node)
			w.sent = append(w.sent, e)
		case SendFence:
			w.log = append(w.log, "fence "+e.Order.Action+" "+e.Order.Target+" by "+e.Node)
			w.fences = append(w.fences, e)
		case OpenSession:
			w.log = append(w.log, "open "+e.Node)
		case CloseSession:
			w.log = append(w.log, "close "+e.Node)
		case Ack:
			w.acks = append(w.acks, e)
		case Say:
			w.said = append(w.said, e.Text)
		case Wake:
			w.wake = e.At
		case ChangeVoters:
			w.changes = append(w.changes, e)
		}
	}
	for _, ev := range after {
		w.step(ev)
	}
	if !w.hold {
		w.release()
	}
}

func (w *world) release() {
	w.t.Helper()
	for len(w.held) > 0 {
		c := w.held[0]
		w.held = w.held[1:]
		next, err := cib.Apply(w.snap.CIB, c.Change)
		if err == nil {
			w.snap = Snapshot{Revision: w.snap.Revision + 1, CIB: next}
		} else {
			w.t.Errorf("commit refused: %v", err)
		}
		w.step(Committed{Seq: c.Seq, Snapshot: w.snap, Err: err})
	}
}

// sleep lets time pass, with the ticks that the Core asked for.
func (w *world) sleep(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for i := 0; !w.wake.IsZero() && !w.wake.After(end); i++ {
		if i > 1000 {
			w.t.Fatal("the Core asks to be woken again and again")
		}
		w.now = maxOf(w.now, w.wake)
		w.step(Tick{})
		if !w.wake.After(w.now) && !w.wake.IsZero() {
			w.now = w.now.Add(time.Millisecond)
		}
	}
	w.now = end
}

func (w *world) up(node, boot, inc string) {
	w.t.Helper()
	w.step(SessionUp{Node: node, ID: "id-" + node, Boot: boot, Incarnation: inc})
}

func (w *world) status(node string, s membership.Status) {
	w.t.Helper()
	v := membership.View{Seq: w.view.Seq + 1, Members: append([]membership.Member(nil), w.view.Members...)}
	for i := range v.Members {
		if v.Members[i].Name == node {
			v.Members[i].Status, v.Members[i].Since = s, w.now
		}
	}
	w.view = v
	w.step(Viewed{View: v})
}

func (w *world) state(node string) *cib.NodeState {
	w.t.Helper()
	st := w.snap.CIB.NodeState("id-" + node)
	if st == nil {
		w.t.Fatalf("nothing is known of %s", node)
	}
	return st
}

// answer reports the result of the newest order for the resource.
func (w *world) answer(resource string, callID int64, rc, status int) {
	w.t.Helper()
	for i := len(w.sent) - 1; i >= 0; i-- {
		if o := w.sent[i].Order; o.Action.Resource == resource {
			w.step(Reported{Result: transition.Result{
				Numbers: o.Numbers, Node: o.Action.Node, Resource: resource, Operation: o.Action.Operation, IntervalMS: o.Action.IntervalMS,
				CallID: callID, RC: rc, Status: status, TargetRC: o.Action.TargetRC, StartedMS: w.now.UnixMilli(),
			}})
			return
		}
	}
	w.t.Fatalf("no order for %s was sent", resource)
}

func changeName(ch cib.Change) string {
	switch {
	case ch.Batch != nil:
		var s []string
		for _, c := range ch.Batch {
			s = append(s, changeName(c))
		}
		return strings.Join(s, "+")
	case ch.NodeStatus != nil:
		return "node-status"
	case ch.ClearNode != nil:
		return "clear"
	case ch.RecordOp != nil:
		return "record " + ch.RecordOp.Record.ID
	case ch.ForgetOps != nil:
		return "forget " + ch.ForgetOps.Resource
	case ch.SetTransient != nil:
		if ch.SetTransient.Value != nil {
			return ch.SetTransient.Name + "=" + *ch.SetTransient.Value
		}
		return ch.SetTransient.Name + "=nil"
	case ch.RecordFence != nil:
		return "fence-" + ch.RecordFence.Event.State
	case ch.SetQuorum != nil:
		return "quorum"
	case ch.PutNode != nil:
		return "put-node"
	}
	return "?"
}

func (w *world) expectLog(want ...string) {
	w.t.Helper()
	if got := strings.Join(w.log, "\n"); got != strings.Join(want, "\n") {
		w.t.Fatalf("asked for:\n%s\nwanted:\n%s", got, strings.Join(want, "\n"))
	}
	w.log = nil
}

func op(id int, operation, resource, node string, after ...int) *transition.Action {
	return &transition.Action{ID: id, Kind: transition.KindResource, Operation: operation, Resource: resource, Node: node, TimeoutMS: 20000, After: after}
}

func TestNodesBecomeMembersWhenTheirExecutorsAnswer(t *testing.T) {
	w := newWorld(t, "a", "b")
	for _, n := range []string{"a", "b"} {
		if st := w.state(n); !online(st) || st.Expected != "member" || st.Boot != "boot1" {
			t.Fatalf("%s: %+v", n, st)
		}
	}
	if !isTrue(w.snap.CIB.Header.HaveQuorum) || w.snap.CIB.Header.DCUUID != "id-a" {
		t.Fatal("the coordinator and its quorum are not committed")
	}
	if len(w.changes) == 0 || w.changes[0].Step.Admit != "id-b" {
		t.Fatalf("b is not admitted to the voters: %+v", w.changes)
	}
}

func TestALostNodeIsCommittedUncleanBeforeAnythingIsPlanned(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.log, w.plans = nil, 0
	w.hold = true
	w.status("c", membership.Failed)
	if w.plans != 0 {
		t.Fatal("planned before the loss was committed")
	}
	w.expectLog("close c", "commit node-status")
	w.hold = false
	w.release()
	if st := w.state("c"); isTrue(st.InCCM) || st.CRMD != "offline" || st.Expected != "member" {
		t.Fatalf("not unclean: %+v", st)
	}
	if w.plans != 1 {
		t.Fatal("plans:", w.plans)
	}
}

func device(c *cib.CIB) *cib.CIB {
	next := *c
	next.Configuration.Resources = []*cib.Resource{{
		ID: "power", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "stonith", Type: "fence_test"},
		Params: []cib.NVSet{{Pairs: []cib.NVPair{{Name: "pcmk_host_check", Value: "none"}}}},
	}}
	return &next
}

// Rules 2 and 3: what comes after a fencing leaves only when its success is committed, and a start only after its intent is.
func TestFenceThenStart(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.snap.CIB = device(w.snap.CIB)
	w.status("c", membership.Failed)
	w.log = nil
	w.next(
		&transition.Action{ID: 1, Kind: transition.KindFence, Operation: "off", Node: "c"},
		op(2, "start", "web", "b", 1),
	)
	w.expectLog("commit fence-pending", "fence off c by a")
	w.hold = true
	o := w.fences[0].Order
	w.step(FenceReported{Result: fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: "a", OK: true}})
	w.expectLog("commit fence-ok+clear+node-status")
	w.hold = false
	w.release()
	w.expectLog("commit record web_last_0", "send start web b")
	if st := w.state("c"); st.Expected != "down" || st.Fenced == "" {
		t.Fatalf("c is not down: %+v", st)
	}
	h := w.state("b").Resources[0]
	if h.Ops[0].OpStatus != "-1" {
		t.Fatal("the intent is not pending:", h.Ops[0])
	}
	w.answer("web", 7, 0, cib.OpDone)
	if h := w.state("b").Resources[0]; h.Ops[0].OpStatus != "0" || h.Ops[0].CallID != "7" {
		t.Fatalf("the result is not recorded: %+v", h.Ops[0])
	}
	if len(w.acks) != 1 || w.acks[0].CallID != 7 {
		t.Fatal("the result was not acknowledged", w.acks)
	}
}

// A person has a living node fenced; the device answers late. What the node was ordered to start meanwhile may have been
// started after the cut, so the success says nothing of it: it must not be forgotten (rule 1).
func TestASuccessIsVoidForANodeThatWasGivenWorkMeanwhile(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.snap.CIB = device(w.snap.CIB)
	w.next()
	w.step(FenceAsked{Target: "c", Action: "reboot", Origin: "user root"})
	w.next(op(1, "start", "web", "c"))
	if len(w.sent) != 1 || len(w.fences) == 0 {
		t.Fatalf("sent %+v, fences %+v", w.sent, w.fences)
	}
	o := w.fences[len(w.fences)-1].Order
	w.step(FenceReported{Result: fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: w.fences[len(w.fences)-1].Node, OK: true}})
	st := w.state("c")
	if st.Fenced != "" || len(st.Resources) != 1 {
		t.Fatalf("what c was given is forgotten: %+v", st)
	}
}

func TestAFailedFencingIsTriedAgainWithGrowingPauses(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.snap.CIB = device(w.snap.CIB)
	w.status("c", membership.Failed)
	w.next(&transition.Action{ID: 1, Kind: transition.KindFence, Operation: "off", Node: "c"}, op(2, "start", "web", "b", 1))
	var gaps []time.Duration
	for len(gaps) < 4 {
		n := len(w.fences)
		o := w.fences[n-1].Order
		w.step(FenceReported{Result: fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: w.fences[n-1].Node, Detail: "no"}})
		if len(w.fences) > n {
			continue // another node tries
		}
		last := w.now
		for i := 0; len(w.fences) == n; i++ {
			if i > 1000 {
				t.Fatal("the fencing was given up")
			}
			w.sleep(100 * time.Millisecond)
		}
		gaps = append(gaps, w.now.Sub(last))
	}
	for i, g := range gaps {
		if want := time.Second << i; g < want || g > want+200*time.Millisecond {
			t.Fatalf("pauses %v: pause %d should be %v", gaps, i, want)
		}
	}
	if len(w.sent) != 0 {
		t.Fatal("something was started before the fencing succeeded:", w.sent)
	}
}

func TestNoStartWithoutFencing(t *testing.T) {
	w := newWorld(t, "a", "b", "c") // no device at all
	w.status("c", membership.Failed)
	w.next(&transition.Action{ID: 1, Kind: transition.KindFence, Operation: "off", Node: "c"}, op(2, "start", "web", "b", 1))
	w.sleep(5 * time.Minute)
	if len(w.sent) != 0 {
		t.Fatal("recovered without fencing:", w.sent)
	}
	p := w.core.Progress()
	if len(p.Fences) != 1 || p.Fences[0].Blocked == "" {
		t.Fatalf("nobody is told what recovery waits for: %+v", p.Fences)
	}
	// A person's word lets it go on.
	w.log = nil
	w.step(FenceConfirmed{Target: "c", Origin: "user root"})
	if w.state("c").Expected != "down" {
		t.Fatal("the confirmation was not taken")
	}
}

// Rule 9.
func TestAFencedNodeHeardAgainInTheSameBootIsALie(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.snap.CIB = device(w.snap.CIB)
	w.status("c", membership.Failed)
	w.next(&transition.Action{ID: 1, Kind: transition.KindFence, Operation: "off", Node: "c"})
	o := w.fences[0].Order
	w.step(FenceReported{Result: fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: "a", OK: true}})
	w.now = w.now.Add(time.Second)
	w.log = nil
	w.status("c", membership.Alive)
	if st := w.state("c"); st.Expected != "member" || isTrue(st.InCCM) {
		t.Fatalf("the lie was believed: %+v", st)
	}
	last := w.snap.CIB.Status.Fencing[len(w.snap.CIB.Status.Fencing)-1]
	if last.State != "failed" || !strings.Contains(last.Detail, "does not do what it says") {
		t.Fatalf("the history hides it: %+v", last)
	}
	for _, l := range w.log {
		if l == "open c" {
			t.Fatal("a session was opened to a node that should be dead")
		}
	}
}

func TestARebootedNodeIsKnownToRunNothing(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.answer("web", 1, 0, cib.OpDone)
	v := membership.View{Seq: 9, Members: []membership.Member{w.view.Members[0], member("b", "boot2", "inc2")}}
	w.view = v
	w.log = nil
	w.step(Viewed{View: v})
	w.up("b", "boot2", "inc2")
	if st := w.state("b"); len(st.Resources) != 0 || st.Boot != "boot2" || !online(st) {
		t.Fatalf("after a reboot: %+v", st)
	}
	// A new incarnation in the same boot keeps what it runs.
	w.next(op(1, "start", "web", "b"))
	w.answer("web", 1, 0, cib.OpDone)
	v.Seq, v.Members = 10, []membership.Member{w.view.Members[0], member("b", "boot2", "inc3")}
	w.step(Viewed{View: v})
	w.up("b", "boot2", "inc3")
	if st := w.state("b"); len(st.Resources) != 1 || st.Incarnation != "inc3" {
		t.Fatalf("after a restart of the daemon: %+v", st)
	}
}

func TestResultsCountOnceAndLateOnesMoveNothing(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "monitor", "web", "b"), op(2, "start", "db", "b", 1))
	w.sent[0].Order.Action.TargetRC = 7
	late := transition.Result{
		Numbers: transition.Numbers{Term: 2, Graph: 1, Action: 1}, Node: "b", Resource: "web", Operation: "monitor", CallID: 3, RC: 7, TargetRC: 7,
	}
	w.log = nil
	w.step(Reported{Result: late})
	if len(w.sent) != 1 {
		t.Fatal("a result of another term confirmed an action:", w.sent)
	}
	w.expectLog("commit record web_last_0")
	w.step(Reported{Result: late})
	w.expectLog()
	if len(w.acks) != 2 {
		t.Fatal("the repeated result was not acknowledged")
	}
}

func TestFailuresAreCounted(t *testing.T) {
	w := newWorld(t, "a", "b")
	mon := op(1, "monitor", "web", "b")
	mon.IntervalMS = 10000
	w.next(mon)
	w.answer("web", 1, 0, cib.OpDone)
	for i := range 2 {
		w.log = nil
		w.step(Reported{Result: transition.Result{
			Node: "b", Resource: "web", Operation: "monitor", IntervalMS: 10000, CallID: int64(2 + i), RC: 7, Unasked: true, ExitReason: "gone",
		}})
		w.expectLog(fmt.Sprintf("commit record web_last_failure_0+fail-count-web#monitor_10000=%d+last-failure-web#monitor_10000=%d", i+1, w.now.Unix()))
	}
	w.next(op(1, "start", "web", "b"))
	w.log = nil
	w.answer("web", 9, 1, cib.OpDone)
	w.expectLog(fmt.Sprintf("commit record web_last_failure_0+record web_last_0+fail-count-web#start_0=INFINITY+last-failure-web#start_0=%d", w.now.Unix()))
	w.next(&transition.Action{ID: 1, Kind: transition.KindCluster, Operation: "clear_failcount", Resource: "web", Node: "b"})
	for _, set := range w.state("b").Attributes {
		for _, p := range set.Pairs {
			if strings.Contains(p.Name, "web") {
				t.Error("left after clear_failcount:", p.Name)
			}
		}
	}
}

func TestAProbeThatFindsSomethingIsNoFailure(t *testing.T) {
	w := newWorld(t, "a", "b")
	probe := op(1, "monitor", "web", "b")
	probe.TargetRC = 7
	w.next(probe)
	w.log, w.plans = nil, 0
	w.answer("web", 1, 0, cib.OpDone)
	w.expectLog("commit record web_last_0")
	if w.plans != 1 {
		t.Fatal("what was found leads to a new plan; plans:", w.plans)
	}
}

func TestASilentExecutorIsPendingThenLost(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.step(SessionDown{Node: "c", Why: "connection reset"})
	if !online(w.state("c")) {
		t.Fatal("a session that just broke is no loss yet")
	}
	for range 20 { // each attempt fails
		w.sleep(200 * time.Millisecond)
		if s := w.core.sessions["c"]; s != nil && s.opening {
			w.step(SessionDown{Node: "c", Why: "connection refused"})
		}
	}
	if st := w.state("c"); st.Join != "pending" || !isTrue(st.InCCM) {
		t.Fatalf("after 4 s: %+v", st)
	}
	w.sleep(2 * time.Second)
	if st := w.state("c"); isTrue(st.InCCM) || st.Expected != "member" || !strings.Contains(st.Cause, "refused") {
		t.Fatalf("after the lease: %+v", st)
	}
}

func TestAnOrderWithoutResultTimesOut(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.sleep(29 * time.Second)
	if w.state("b").Resources[0].Ops[0].OpStatus != "-1" {
		t.Fatal("ended too early")
	}
	w.sleep(2 * time.Second)
	found := false
	for _, op := range w.state("b").Resources[0].Ops {
		found = found || op.ID == "web_last_failure_0" && op.OpStatus == "2"
	}
	if !found {
		t.Fatalf("no time-out recorded: %+v", w.state("b").Resources[0].Ops)
	}
}

func TestIntentsThatNeverArrivedAreForgotten(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.step(SessionDown{Node: "b", Why: "reset"})
	w.up("b", "boot1", "inc1")
	if n := len(w.state("b").Resources); n != 0 {
		t.Fatal("an intent that the node does not know of was kept")
	}
	w.next(op(1, "start", "web", "b"))
	w.step(SessionDown{Node: "b", Why: "reset"})
	w.step(SessionUp{Node: "b", ID: "id-b", Boot: "boot1", Incarnation: "inc1", Running: []string{"web"}})
	if n := len(w.state("b").Resources); n != 1 {
		t.Fatal("an operation that runs was forgotten")
	}
}

func TestANodeThatLeavesInGoodOrderIsNotUnclean(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(&transition.Action{ID: 1, Kind: transition.KindCluster, Operation: "do_shutdown", Node: "b"})
	if st := w.state("b"); st.Expected != "down" {
		t.Fatalf("not let go: %+v", st)
	}
	w.log = nil
	w.status("b", membership.Left)
	if st := w.state("b"); isTrue(st.InCCM) || st.Expected != "down" {
		t.Fatalf("after it left: %+v", st)
	}
}

// After a takeover of two the first commit says that the peer is fenced; what gossip says meanwhile does not talk over it.
func TestAFencingBeforeTheElectionIsCommittedFirst(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.core = NewCore(w.core.cfg)
	for i := range w.view.Members {
		if w.view.Members[i].Name == "b" {
			w.view.Members[i].Status = membership.Failed
		}
	}
	w.log = nil
	w.step(Elected{Term: 4, Snapshot: w.snap, View: w.view, Voters: []string{"id-a"}, Fenced: []cib.FenceEvent{{Target: "b", Action: "off", Device: "power", State: "ok"}}})
	w.up("a", "boot1", "inc1")
	if st := w.state("b"); st.Expected != "down" || st.Cause != "fenced (off)" || st.Fenced == "" {
		t.Fatalf("b: %+v", st)
	}
}

// A node that was paused or cut off refuses what came before: that is no failure of the resource.
func TestAnOrderThatNeverRanIsNoFailure(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.log, w.plans = nil, 0
	w.answer("web", 4, 1, cib.OpCancelled)
	w.expectLog("commit forget web")
	w.next(op(1, "stop", "web", "b"))
	w.log = nil
	w.answer("web", 5, 1, cib.OpCancelled)
	w.expectLog()
	if w.plans < 2 || len(w.acks) != 2 {
		t.Fatal("plans:", w.plans, "acks:", w.acks)
	}
}

// Quicker than it can be missed: the old session still looks alive, and gossip names a new boot.
func TestANodeThatRebootsUnmissedLosesItsOrders(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	v := membership.View{Seq: 9, Members: []membership.Member{w.view.Members[0], member("b", "boot2", "inc2")}}
	w.view, w.log = v, nil
	w.step(Viewed{View: v})
	w.up("b", "boot2", "inc2")
	if len(w.state("b").Resources) != 0 {
		t.Fatal("what was ordered of the old boot still counts")
	}
	if p := w.core.Progress(); !p.Idle {
		t.Fatalf("the transition waits for a result that can not come: %+v", p)
	}
}

// Without fencing a lost node gets the time in which it stops by itself. Until then nothing is planned: to the scheduler,
// without fencing, whatever is not a member runs nothing.
func TestWithoutFencingALostNodeGetsItsLease(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	off := device(w.snap.CIB)
	off.Configuration.Options = []cib.NVSet{{ID: "o", Pairs: []cib.NVPair{{Name: "stonith-enabled", Value: "false"}}}}
	w.snap.CIB = off
	w.step(Changed{Snapshot: w.snap, Why: "fencing is switched off"})
	w.status("c", membership.Failed)
	plans := w.plans
	w.step(Changed{Snapshot: w.snap, Why: "somebody asks for a plan"})
	w.sleep(9 * time.Second)
	if st := w.state("c"); !isTrue(st.InCCM) || st.Join != "member" {
		t.Fatalf("lost before it can have stopped: %+v", st)
	}
	if w.plans != plans {
		t.Fatal("planned while nobody knows what the lost node runs")
	}
	w.sleep(2 * time.Second)
	if st := w.state("c"); isTrue(st.InCCM) {
		t.Fatalf("never lost: %+v", st)
	}
	if w.plans == plans {
		t.Fatal("nothing is planned after the node is lost")
	}
}

// The same holds for a node that gossip hears and whose executor does not answer: what it runs goes on.
func TestWithoutFencingASilentNodeGetsItsLease(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	off := device(w.snap.CIB)
	off.Configuration.Options = []cib.NVSet{{ID: "o", Pairs: []cib.NVPair{{Name: "stonith-enabled", Value: "false"}}}}
	w.snap.CIB = off
	w.step(Changed{Snapshot: w.snap, Why: "fencing is switched off"})
	w.step(SessionDown{Node: "c", Why: "no answer"})
	plans := w.plans
	w.step(Changed{Snapshot: w.snap, Why: "somebody asks for a plan"})
	w.sleep(9 * time.Second)
	if st := w.state("c"); !isTrue(st.InCCM) || st.Join != "member" || w.plans != plans {
		t.Fatalf("lost before it can have stopped, or planned without it: %+v, %d plans", st, w.plans-plans)
	}
	w.sleep(2 * time.Second)
	if st := w.state("c"); isTrue(st.InCCM) {
		t.Fatalf("never lost: %+v", st)
	}
}

// A node repeats results whose acknowledgement was lost. One of before a start that is under way must not take its place:
// the start in flight would look like a stop that is done, and the next plan would start the resource elsewhere.
func TestARepeatedResultDoesNotReplaceAnIntent(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "stop", "web", "b"))
	w.answer("web", 21, 0, cib.OpDone)
	stopped := transition.Result{Numbers: w.sent[len(w.sent)-1].Order.Numbers, Node: "b", Incarnation: "inc1", Resource: "web", Operation: "stop", CallID: 21}
	w.next(op(1, "start", "web", "b"))

	successor := NewCore(w.core.cfg)
	w.core, w.acks = successor, nil
	w.step(Elected{Term: 4, Snapshot: w.snap, View: w.view, Voters: []string{"id-a"}})
	w.up("a", "boot1", "inc1")
	w.step(SessionUp{Node: "b", ID: "id-b", Boot: "boot1", Incarnation: "inc1", Running: []string{"web"}})
	w.step(Reported{Result: stopped})
	ops := w.state("b").Resources[0].Ops
	if len(ops) != 1 || ops[0].Operation != "start" || ops[0].OpStatus != "-1" {
		t.Fatalf("the start in flight is forgotten: %+v", ops[0])
	}
	if len(w.acks) != 1 || w.acks[0].CallID != 21 {
		t.Fatalf("the node will repeat it for ever: %+v", w.acks)
	}
	w.step(Reported{Result: transition.Result{Node: "b", Incarnation: "inc1", Resource: "web", Operation: "start", CallID: 22}})
	if op := w.state("b").Resources[0].Ops[0]; op.CallID != "22" {
		t.Fatalf("the end of the start is not recorded: %+v", op)
	}
}

// A session that is replaced while a result is being recorded brings it again: it counts once.
func TestAResultThatComesTwiceAtOnceCountsOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.hold, w.log = true, nil
	failed := transition.Result{Numbers: w.sent[len(w.sent)-1].Order.Numbers, Node: "b", Incarnation: "inc1", Resource: "web", Operation: "start", CallID: 7, RC: 1}
	w.step(Reported{Result: failed})
	w.step(Reported{Result: failed})
	if len(w.held) != 1 {
		t.Fatalf("recorded %d times", len(w.held))
	}
}

// A node that was fenced and is heard again votes already, before its session is up: the leader may lead by its vote. To take
// the vote away from it, and keep that of a dead node, would leave a set in which nobody can win.
func TestAFencedVoterThatIsHeardAgainKeepsItsVote(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.step(VotersAre{IDs: []string{"id-a", "id-b", "id-c"}})
	for _, name := range []string{"b", "c"} {
		next, err := cib.Apply(w.snap.CIB, cib.Change{NodeStatus: &cib.NodeStatus{
			ID: "id-" + name, InCCM: "false", CRMD: "offline", Join: "down", Expected: "down", Fenced: "1",
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.snap = Snapshot{Revision: w.snap.Revision + 1, CIB: next}
	}
	view := w.view
	w.core = NewCore(w.core.cfg)
	w.changes = nil
	view.Members = []membership.Member{member("a", "boot1", "inc1"), member("b", "boot2", "inc2"), member("c", "boot1", "inc1")}
	view.Members[2].Status = membership.Failed
	w.view = view
	w.step(Elected{Term: 4, Snapshot: w.snap, View: view, Voters: []string{"id-a", "id-b", "id-c"}})
	w.up("a", "boot1", "inc1")
	w.sleep(3 * time.Second)
	if len(w.changes) == 0 || w.changes[0].Step.Remove != "id-c" {
		t.Fatalf("changes of the voters: %+v", w.changes)
	}
}

func TestAPersonCanNotConfirmANodeThatIsHeard(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.step(FenceConfirmed{Target: "c", Origin: "user root"})
	if st := w.state("c"); st.Expected != "member" || st.Fenced != "" {
		t.Fatalf("the word was taken: %+v", st)
	}
	last := w.snap.CIB.Status.Fencing[len(w.snap.CIB.Status.Fencing)-1]
	if last.State != "failed" || !strings.Contains(last.Detail, "heard right now") {
		t.Fatalf("nobody is told: %+v", last)
	}
}

// Which instance of an anonymous clone is on a node changes from plan to plan: the node is told no numbers, so that what
// was started by one plan is found by the next. Unique instances differ, and keep theirs.
func TestNodesKnowAnonymousInstancesWithoutTheirNumber(t *testing.T) {
	w := newWorld(t, "a", "b")
	anonymous, unique := op(1, "start", "web:1", "b"), op(2, "start", "ip:1", "b")
	anonymous.Meta = map[string]string{"globally_unique": "false"}
	unique.Meta = map[string]string{"globally_unique": "true"}
	w.log = nil
	w.next(anonymous, unique)
	w.expectLog("commit record web_last_0+record ip:1_last_0", "send start web b", "send start ip:1 b")
	if anonymous.Resource != "web:1" {
		t.Fatal("the plan was changed")
	}
	w.answer("web", 4, 0, cib.OpDone)
	w.answer("ip:1", 5, 0, cib.OpDone)
	st := w.state("b")
	if len(st.Resources) != 2 || st.Resources[0].ID != "web" || st.Resources[1].ID != "ip:1" {
		t.Fatalf("history: %+v", st.Resources)
	}
}

// Agents learn from meta attributes what they are notified of.
func TestANotificationTellsItsListsToTheAgent(t *testing.T) {
	w := newWorld(t, "a", "b")
	n := op(1, "notify", "web:1", "b")
	n.Notify, n.Meta = "pre-start", map[string]string{"globally_unique": "false"}
	n.NotifyLists = map[string]any{"start": [][]string{{"web:0", "a"}, {"web:2", "c"}}, "promoted": [][]string{{"web:1", "b"}}, "inactive": []string{"web:0"}}
	w.next(n)
	meta := w.sent[0].Order.Action.Meta
	for k, want := range map[string]string{
		"notify_type": "pre", "notify_operation": "start", "notify_start_resource": "web:0 web:2", "notify_start_uname": "a c",
		"notify_promoted_uname": "b", "notify_master_resource": "web:1", "notify_inactive_resource": "web:0", "notify_stop_uname": "",
	} {
		if got, ok := meta[k]; got != want || !ok {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	if len(n.Meta) != 1 {
		t.Error("the plan was changed")
	}
}

// An agent that can not take a notification, or fails in it, keeps nobody from starting.
func TestAFailedNotificationHoldsNothingUp(t *testing.T) {
	w := newWorld(t, "a", "b")
	n := op(1, "notify", "web:1", "b")
	n.Meta = map[string]string{"globally_unique": "false"}
	w.next(n, op(2, "start", "db", "a", 1))
	w.log = nil
	w.answer("web", 4, 3, cib.OpDone)
	w.expectLog("commit record db_last_0", "send start db a")
	if len(w.acks) != 1 {
		t.Fatal("the node keeps the result for ever")
	}
}

func TestFailuresThatAreNotThereAreCleared(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(&transition.Action{ID: 1, Kind: transition.KindCluster, Operation: "clear_failcount", Resource: "web", Node: "b"}, op(2, "start", "db", "a", 1))
	w.sleep(time.Millisecond)
	if len(w.sent) != 1 {
		t.Fatal("what comes after it is held up")
	}
}

// A broken invariant in the scheduler must not take the daemon down, again and again: it is tried again with pauses, and
// at once when something changed.
func TestASchedulerThatPanicsIsTriedAgain(t *testing.T) {
	w := newWorld(t, "a", "b")
	broken := 0
	w.core.cfg.Plan = func(*cib.CIB, time.Time) *scheduler.Result { broken++; panic("an invariant") }
	w.said = nil
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
	if broken != 1 || len(w.said) == 0 || !strings.Contains(w.said[0], "scheduler") {
		t.Fatalf("planned %d times; people are told %q", broken, w.said)
	}
	if w.core.Progress().Idle {
		t.Fatal("nothing is said to be left to do")
	}
	w.sleep(calmPause + time.Second)
	if broken != 2 {
		t.Fatalf("planned %d times", broken)
	}
	w.core.cfg.Plan = w.plan
	w.next(op(1, "start", "web", "b"))
	if len(w.sent) != 1 {
		t.Fatal("a change that mends it waits")
	}
	// A graph that is none is the same kind of fault.
	w.answer("web", 1, 0, cib.OpDone)
	w.next(op(1, "start", "web", "b", 2))
	w.next(&transition.Action{ID: 1, Kind: transition.KindCluster, Operation: "dance", Node: "b"})
	w.sleep(time.Millisecond)
	if p := w.core.Progress(); p.Graph != 0 {
		t.Fatalf("a transition hangs: %+v", p)
	}
}

// However long the commit of a time-out takes, it is asked for once, and it comes after what is known of the resource.
func TestATimeoutIsRecordedOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.answer("web", 41, 0, cib.OpDone)
	w.next(op(1, "stop", "web", "b"))
	w.hold, w.log = true, nil
	w.sleep(29 * time.Second)
	w.now = w.now.Add(2 * time.Second)
	for range 5 {
		w.step(Tick{})
		w.now = w.now.Add(time.Millisecond)
	}
	if len(w.held) != 1 {
		t.Fatalf("asked for:\n%s", strings.Join(w.log, "\n"))
	}
	if !w.wake.IsZero() && !w.wake.After(w.now) {
		t.Fatal("the Core asks to be woken again and again")
	}
	w.hold = false
	w.release()
	for _, o := range w.state("b").Resources[0].Ops {
		if o.Operation == "stop" && o.CallID != "41" {
			t.Errorf("the failed stop is replayed before the start that it was to end: %+v", o)
		}
	}
}

// A cluster that plans in circles with operations that end well must not do so at full speed either.
func TestCirclesOfOperationsAreSlowedDown(t *testing.T) {
	w := newWorld(t, "a", "b")
	call := int64(0)
	w.core.cfg.Plan = func(*cib.CIB, time.Time) *scheduler.Result {
		return &scheduler.Result{Graph: &transition.Graph{Actions: []*transition.Action{op(1, "monitor", "web", "b")}}}
	}
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
	answered := 0
	for len(w.sent) > answered && answered < 1000 {
		answered, call = len(w.sent), call+1
		w.answer("web", call, 0, cib.OpDone)
	}
	if answered > 2*calmAfter {
		t.Fatalf("%d transitions without a pause", answered)
	}
	w.status("b", membership.Failed) // what is new does not wait
	if w.core.calmTill.After(w.now) {
		t.Fatal("the loss of a node waits")
	}
}

// Time passes for the rest of the cluster, too, while a fencing can not succeed.
func TestABlockedFencingDoesNotHoldUpTheClock(t *testing.T) {
	w := newWorld(t, "a", "b", "c") // no device at all
	w.status("c", membership.Failed)
	w.core.cfg.Plan = func(*cib.CIB, time.Time) *scheduler.Result {
		w.plans++
		return &scheduler.Result{Recheck: w.now.Add(time.Minute), Graph: &transition.Graph{Actions: []*transition.Action{
			{ID: 1, Kind: transition.KindFence, Operation: "off", Node: "c"}, op(2, "start", "web", "b", 1),
		}}}
	}
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
	w.plans = 0
	w.sleep(61 * time.Second)
	if w.plans != 1 || len(w.sent) != 0 {
		t.Fatalf("planned %d times after the time of the recheck, sent %v", w.plans, w.sent)
	}
	if p := w.core.Progress(); len(p.Fences) != 1 {
		t.Fatalf("the fencing was given up: %+v", p)
	}
}
