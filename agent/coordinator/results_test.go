package coordinator

import (
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// failures returns the fail count of an operation on b.
func (w *world) failCount(operation string) string {
	for _, set := range w.state("b").Attributes {
		for _, p := range set.Pairs {
			if p.Name == "fail-count-web#"+operation {
				return p.Value
			}
		}
	}
	return ""
}

// seen is what a recurring monitor saw, unasked.
func seen(callID int64, rc int, reason string) Reported {
	return Reported{Result: transition.Result{Node: "b", Resource: "web", Operation: "monitor", IntervalMS: 10000, CallID: callID, RC: rc,
		Unasked: true, ExitReason: reason}}
}

// Failures that come before the first of them is committed count each, and a repeated one does not; the last says why.
func TestFailuresDuringACommit(t *testing.T) {
	w := newWorld(t, "a", "b")
	mon := op(1, "monitor", "web", "b")
	mon.IntervalMS = 10000
	w.next(mon)
	w.answer("web", 1, 0, cib.OpDone)
	w.hold = true
	w.step(seen(2, 7, "gone"))
	w.step(seen(3, 1, "broken"))
	w.step(seen(3, 1, "broken"))
	w.step(seen(2, 7, "gone"))
	w.hold = false
	w.release()
	if got := w.failCount("monitor_10000"); got != "2" {
		t.Errorf("two failures count as %q", got)
	}
	for _, o := range w.state("b").Resources[0].Ops {
		if o.ID == "web_last_failure_0" && (o.ExitReason != "broken" || o.CallID != "3") {
			t.Errorf("the record of the failure is %+v", o)
		}
	}
}

// A result that comes after the coordinator gave up waiting says why it failed, and counts no second time; what the monitor
// sees after that does.
func TestALateFailureCountsOnce(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.snap.CIB.Configuration.Options = []cib.NVSet{{ID: "o", Pairs: []cib.NVPair{{ID: "p", Name: "start-failure-is-fatal", Value: "false"}}}}
	w.next(op(1, "start", "web", "b"))
	w.sleep(31 * time.Second)
	if got := w.failCount("start_0"); got != "1" {
		t.Fatalf("the time-out counts as %q", got)
	}
	w.answer("web", 9, 1, cib.OpDone)
	if got := w.failCount("start_0"); got != "1" {
		t.Errorf("with its late result it counts as %q", got)
	}
	w.next(op(1, "start", "web", "b"))
	w.answer("web", 10, 1, cib.OpDone)
	if got := w.failCount("start_0"); got != "2" {
		t.Errorf("with that of the next start it counts as %q", got)
	}
}

// A result that is being committed when its time is over has come in time.
func TestAResultThatIsBeingCommittedIsNotLate(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.hold = true
	w.answer("web", 9, 0, cib.OpDone)
	w.now = w.now.Add(time.Hour)
	w.step(Tick{})
	w.hold = false
	w.release()
	if got := w.failCount("start_0"); got != "" {
		t.Errorf("it counts as %q failures", got)
	}
}

// A node that lost its disk comes back under its name with a new ID and counts its calls from one: its results are new ones, whatever
// numbers the old one had used.
func TestResultsOfAWipedNodeCount(t *testing.T) {
	w := newWorld(t, "a", "b")
	w.next(op(1, "start", "web", "b"))
	w.answer("web", 9, 0, cib.OpDone)
	w.next(op(1, "stop", "web", "b"))
	w.answer("web", 10, 0, cib.OpDone)
	for i, m := range w.view.Members {
		if m.Name == "b" {
			m.ID, m.Boot, m.Incarnation = "id-b2", "boot2", "inc2"
			w.view.Members[i] = m
		}
	}
	w.view.Seq++
	w.step(Viewed{View: w.view})
	w.step(SessionUp{Node: "b", ID: "id-b2", Boot: "boot2", Incarnation: "inc2"})
	probe := op(1, "monitor", "web", "b")
	w.next(probe)
	acks := len(w.acks)
	w.answer("web", 1, 7, cib.OpDone)
	if len(w.acks) != acks+1 {
		t.Errorf("%d acknowledgements of one result", len(w.acks)-acks)
	}
	st := w.snap.CIB.NodeState("id-b2")
	if st == nil || len(st.Resources) != 1 || st.Resources[0].Ops[0].CallID != "1" {
		t.Fatalf("the result of the new node is not recorded: %+v", st)
	}
}
