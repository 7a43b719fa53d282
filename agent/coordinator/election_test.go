package coordinator

import (
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/transition"
)

// electedAgain begins another term, with a view in which gossip has not heard some nodes since before.
func (w *world) electedAgain(voters, answered []string, silent ...string) {
	w.t.Helper()
	w.core = NewCore(w.core.cfg)
	w.changes, w.log = nil, nil
	w.view.Members = append([]membership.Member(nil), w.view.Members...)
	for i, m := range w.view.Members {
		for _, s := range silent {
			if m.Name == s {
				w.view.Members[i].Status, w.view.Members[i].Since = membership.Failed, w.now.Add(-time.Second)
			}
		}
	}
	w.step(Elected{Term: 4, Snapshot: w.snap, View: w.view, Voters: voters, Answered: answered})
}

// Who has just made a node the coordinator lives, though gossip has not heard of it again: it is not fenced for that, and keeps
// its vote. If gossip never hears of it, it is lost after the time of a lease.
func TestWhoAnsweredAtTheElectionIsNotLost(t *testing.T) {
	all := []string{"id-a", "id-b", "id-c"}
	w := newWorld(t, "a", "b", "c")
	w.electedAgain(all, []string{"id-b"}, "b", "c")
	if st := w.state("b"); !isTrue(st.InCCM) {
		t.Fatalf("b is lost: %+v", st)
	}
	if st := w.state("c"); isTrue(st.InCCM) {
		t.Fatalf("c, which did not answer, is not lost: %+v", st)
	}
	w.sleep(4 * time.Second)
	if st := w.state("b"); !isTrue(st.InCCM) {
		t.Fatalf("b is lost before its lease is over: %+v", st)
	}
	w.sleep(2 * time.Second)
	if st := w.state("b"); isTrue(st.InCCM) {
		t.Fatalf("b is never lost: %+v", st)
	}

	w = newWorld(t, "a", "b", "c")
	next, err := cib.Apply(w.snap.CIB, cib.Change{NodeStatus: &cib.NodeStatus{
		ID: "id-b", InCCM: "false", CRMD: "offline", Join: "down", Expected: "down", Fenced: "1",
	}})
	if err != nil {
		t.Fatal(err)
	}
	w.snap = Snapshot{Revision: w.snap.Revision + 1, CIB: next}
	w.electedAgain(all, []string{"id-b"}, "b")
	w.up("a", "boot1", "inc1")
	w.up("c", "boot1", "inc1")
	w.sleep(3 * time.Second)
	if len(w.changes) != 0 {
		t.Fatalf("the voters that elected this node are changed: %+v", w.changes)
	}
	w.sleep(3 * time.Second)
	if len(w.changes) != 1 || w.changes[0].Step.Remove != "id-b" {
		t.Fatalf("changes of the voters: %+v", w.changes)
	}
}

// A node repeats results until they are acknowledged, to every coordinator that is elected: what was forgotten of a resource
// meanwhile must not count again.
func TestAResultThatWasForgottenIsKnownToTheNextCoordinator(t *testing.T) {
	w := newWorld(t, "a", "b")
	probe := op(1, "monitor", "web", "b")
	w.next(probe)
	w.answer("web", 8, 7, cib.OpDone)
	w.next(op(1, "start", "web", "b"))
	lost := w.sent[len(w.sent)-1].Order.Numbers
	w.electedAgain([]string{"id-a"}, nil)
	w.up("a", "boot1", "inc1")
	w.up("b", "boot1", "inc1") // it does not know of the start: what is known of the resource is forgotten
	if h := w.state("b").Resources; len(h) != 0 {
		t.Fatalf("not forgotten: %+v", h[0].Ops[0])
	}
	w.electedAgain([]string{"id-a"}, nil)
	w.up("a", "boot1", "inc1")
	w.up("b", "boot1", "inc1")
	w.acks = nil
	w.step(Reported{Result: transition.Result{Node: "b", Incarnation: "inc1", Resource: "web", Operation: "monitor", CallID: 8, RC: 7}})
	if h := w.state("b").Resources; len(h) != 0 || len(w.acks) != 1 {
		t.Fatalf("recorded again, %d acknowledged: %+v", len(w.acks), h)
	}
	w.step(Reported{Result: transition.Result{Numbers: lost, Node: "b", Incarnation: "inc1", Resource: "web", Operation: "start", CallID: 9}})
	if h := w.state("b").Resources; len(h) != 1 || h[0].Ops[0].CallID != "9" {
		t.Fatalf("what is newer is not recorded: %+v", h)
	}
}

// A stop that a coordinator before ordered leaves the record of a start until it has ended: nothing is planned before, unless the
// node loses its session, or gives no result for longer than any operation takes.
func TestOperationsOfCoordinatorsBeforeAreAwaited(t *testing.T) {
	elected := func() *world {
		w := newWorld(t, "a", "b")
		w.electedAgain([]string{"id-a"}, nil)
		w.up("a", "boot1", "inc1")
		w.plans = 0
		w.step(SessionUp{Node: "b", ID: "id-b", Incarnation: "inc1", Boot: "boot1", Running: []string{"web", "db"}, Unacked: []string{"web"}})
		w.sleep(10 * time.Second)
		if w.plans != 0 {
			t.Fatal("planned while operations are in flight")
		}
		return w
	}
	result := func(resource string, call int64, interval int64) Reported {
		return Reported{Result: transition.Result{Node: "b", Incarnation: "inc1", Resource: resource, Operation: "stop", IntervalMS: interval, CallID: call}}
	}
	w := elected()
	w.step(result("web", 5, 0))
	w.step(result("db", 6, 0))
	w.step(result("web", 7, 10000)) // of a recurring one
	if w.plans != 0 {
		t.Fatal("planned while one is in flight")
	}
	w.step(result("web", 8, 0))
	if w.plans == 0 {
		t.Fatal("all have ended, and nothing is planned")
	}
	w = elected()
	w.step(SessionDown{Node: "b", Why: "a test"})
	w.sleep(5 * time.Second)
	if w.plans == 0 {
		t.Fatal("it waits for a node that is lost")
	}
	w = elected()
	w.sleep(inFlightMax)
	if w.plans == 0 {
		t.Fatal("it waits for ever")
	}
}
