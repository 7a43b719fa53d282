package coordinator

import (
	"testing"
	"time"

	"paceline/fencing"
)

// A rehearsal stands in the history, touches no power and fences nobody, whatever it comes to.
func TestRehearsalStandsInTheHistory(t *testing.T) {
	for _, ok := range []bool{true, false} {
		w := poisoned(t, 16*time.Second)
		w.step(FenceRehearsed{Target: "c", Origin: "user alice"})
		w.step(FenceRehearsed{Target: "c", Origin: "user bob"})
		if len(w.fences) != 1 {
			t.Fatalf("%d orders for two wishes", len(w.fences))
		}
		f := w.fences[0]
		if f.Node == "c" || f.Order.Action != fencing.Status || f.Order.Device.Params[fencing.BootParameter] != "boot1" {
			t.Fatalf("%s is asked %+v", f.Node, f.Order)
		}
		w.step(FenceReported{Result: fencing.Result{Term: f.Order.Term, Fence: f.Order.Fence, Step: f.Order.Step, Node: f.Node, OK: ok, Detail: "why"}})
		h := w.snap.CIB.Status.Fencing
		want := map[bool]string{true: fencing.StateOK, false: fencing.StateFailed}[ok]
		if len(h) != 1 || h[0].Action != fencing.Test || h[0].State != want || h[0].Origin != "user alice" || h[0].Target != "c" {
			t.Errorf("history %+v", h)
		}
		if w.state("c").Fenced != "" || !w.core.isUp("c") {
			t.Error("c was fenced by a rehearsal")
		}
	}
	w := poisoned(t, 16*time.Second)
	w.step(FenceRehearsed{Target: "c", Origin: "user alice"})
	w.sleep(time.Minute)
	if h := w.snap.CIB.Status.Fencing; len(h) != 1 || h[0].State != fencing.StateFailed {
		t.Errorf("a device that never answers: %+v", h)
	}
}
