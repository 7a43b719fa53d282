package coordinator

import (
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/transition"
	"paceline/fencing"
)

const presumedTime = 27 * time.Second

// watched is a world whose nodes have nothing but their watchdogs, which they announced.
func watched(t *testing.T) *world {
	w := newWorld(t, "a", "b", "c")
	c, err := cib.Apply(w.snap.CIB, cib.Change{SetOption: &cib.SetOption{Name: "stonith-watchdog-timeout", Value: ptr("-1")}})
	if err != nil {
		t.Fatal(err)
	}
	w.snap.CIB = c
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
	w.step(VotersAre{IDs: []string{"id-a", "id-b", "id-c"}})
	for _, n := range []string{"a", "b", "c"} {
		w.step(SessionUp{Node: n, ID: "id-" + n, Boot: "boot1", Incarnation: "inc1", PresumedDead: presumedTime, Watchdog: "armed"})
	}
	return w
}

func ptr(s string) *string { return &s }

func (w *world) fenceC() {
	w.t.Helper()
	w.next(&transition.Action{ID: 1, Kind: transition.KindFence, Operation: "reboot", Node: "c"}, op(2, "start", "web", "b", 1))
}

// answerFence has the node that was asked last do what it was asked.
func (w *world) answerFence() fencing.Order {
	w.t.Helper()
	if len(w.fences) == 0 {
		w.t.Fatal("nobody was asked to fence")
	}
	f := w.fences[len(w.fences)-1]
	w.step(FenceReported{Result: fencing.Result{Term: f.Order.Term, Fence: f.Order.Fence, Step: f.Order.Step, Node: f.Node, OK: true}})
	return f.Order
}

// A lost node counts as dead the presumed time after its last session, and what it ran waits for that.
func TestALostNodeIsFencedByItsWatchdogAfterThePresumedTime(t *testing.T) {
	w := watched(t)
	w.sleep(time.Hour)
	w.status("c", membership.Failed)
	w.sleep(2 * time.Second)
	w.fenceC()
	if o := w.answerFence(); o.Action != fencing.List {
		t.Fatalf("asked to %s first", o.Action)
	}
	o := w.fences[len(w.fences)-1].Order
	if o.Action != fencing.Reboot || o.Device.ID != WatchdogDevice {
		t.Fatalf("%s by %s", o.Action, o.Device.ID)
	}
	if want := presumedTime - 2*time.Second; o.Delay < want || o.Delay > want+time.Second {
		t.Errorf("it waits for %v, want %v: the session was lost two seconds ago", o.Delay, want)
	}
	if len(w.sent) != 0 {
		t.Error("something was started before the fencing")
	}
	w.answerFence()
	if len(w.sent) != 1 || w.state("c").Fenced == "" {
		t.Errorf("c is not fenced: %+v, sent %d", w.state("c"), len(w.sent))
	}
}

// A coordinator that was elected a moment ago does not know how long its predecessor kept the session: it counts anew.
func TestTheCountBeginsWithTheElection(t *testing.T) {
	w := watched(t)
	next := NewCore(w.core.cfg)
	w.core = next
	w.view.Members[2].Status = membership.Failed
	w.now = w.now.Add(time.Hour)
	w.step(Elected{Term: 4, Snapshot: w.snap, View: w.view, Voters: []string{"id-a", "id-b", "id-c"}})
	w.up("a", "boot1", "inc1")
	w.up("b", "boot1", "inc1")
	w.sleep(time.Second)
	w.fenceC()
	w.answerFence()
	if o := w.fences[len(w.fences)-1].Order; o.Action != fencing.Reboot || o.Delay < presumedTime-2*time.Second {
		t.Errorf("%s after %v, want no less than %v", o.Action, o.Delay, presumedTime-2*time.Second)
	}
}

// A session that came up although the node was to end makes the wait worth nothing.
func TestATieToTheTargetVoidsTheWait(t *testing.T) {
	w := watched(t)
	w.status("c", membership.Failed)
	w.fenceC()
	w.answerFence()
	w.sleep(time.Second)
	w.step(SessionUp{Node: "c", ID: "id-c", Boot: "boot1", Incarnation: "inc1", PresumedDead: presumedTime})
	w.answerFence()
	if w.state("c").Fenced != "" || len(w.sent) != 0 {
		t.Error("c counts as dead, and had a session meanwhile")
	}
}

func TestWhoIsNotPresumedDead(t *testing.T) {
	for _, tc := range []struct {
		name, timeout, announced string
		voters                   int
		want                     time.Duration
		why                      string
	}{
		{"announced", "-1", "27000", 3, presumedTime, ""},
		{"a longer time was chosen", "60", "27000", 3, time.Minute, ""},
		{"a shorter time was chosen", "10", "27000", 3, 0, "may live for 27s"},
		{"not asked for", "0", "27000", 3, 0, ""},
		{"no watchdog", "-1", "", 3, 0, "not armed"},
		{"two voters", "-1", "27000", 2, 0, "three voters"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := &cib.CIB{}
			c.Status.Nodes = []*cib.NodeState{{ID: "1", Uname: "a"}}
			c, err := cib.Apply(c, cib.Change{SetOption: &cib.SetOption{Name: "fencing-watchdog-timeout", Value: &tc.timeout}})
			if err == nil && tc.announced != "" {
				c, err = cib.Apply(c, cib.Change{SetTransient: &cib.SetTransient{NodeID: "1", Name: cib.PresumedDeadAttribute, Value: &tc.announced}})
			}
			if err != nil {
				t.Fatal(err)
			}
			got, why := presumedDead(c, c.NodeState("1"), tc.voters)
			if got != tc.want || !strings.Contains(why, tc.why) || (tc.why == "") != (why == "") {
				t.Errorf("presumed dead after %v (%q), want %v (%q)", got, why, tc.want, tc.why)
			}
		})
	}
}

// One of two that lost the other is never saved by the watchdog, and a device that says it is one is none.
func TestAWatchdogIsNoConfiguredDevice(t *testing.T) {
	c := device(&cib.CIB{})
	c.Configuration.Resources[0].Agent.Type = WatchdogDevice
	if got := Devices(c); len(got) != 0 {
		t.Errorf("devices %+v", got)
	}
}
