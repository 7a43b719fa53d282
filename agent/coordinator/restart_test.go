package coordinator

import (
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
)

const restartTime = 3 * time.Second // of the lease of 5 s that newWorld has

// announce commits what a node's daemon says before it starts anew, as the coordinator does for it.
func (w *world) announce(node, boot, incarnation string) {
	w.t.Helper()
	ch, err := Announce(w.snap.CIB, "id-"+node, boot, incarnation)
	if err != nil {
		w.t.Fatal(err)
	}
	w.commit(ch)
}

func (w *world) commit(ch cib.Change) {
	w.t.Helper()
	next, err := cib.Apply(w.snap.CIB, ch)
	if err != nil {
		w.t.Fatal(err)
	}
	w.snap = Snapshot{Revision: w.snap.Revision + 1, CIB: next}
	w.step(Changed{Snapshot: w.snap, Why: "a test"})
}

// heardAs has gossip say of a node that it is, or was, that incarnation.
func (w *world) heardAs(node, boot, incarnation string, s membership.Status) {
	w.t.Helper()
	v := membership.View{Seq: w.view.Seq + 1, Members: slices.Clone(w.view.Members)}
	for i, m := range v.Members {
		if m.Name == node {
			v.Members[i] = member(node, boot, incarnation)
			v.Members[i].Status, v.Members[i].Since = s, w.now
		}
	}
	w.view = v
	w.step(Viewed{View: v})
}

// ends is the end of a daemon: its session, and then gossip's word.
func (w *world) ends(node, incarnation string) {
	w.t.Helper()
	w.step(SessionDown{Node: node, Why: "the daemon ends"})
	w.sleep(700 * time.Millisecond)
	w.heardAs(node, "boot1", incarnation, membership.Failed)
}

func (w *world) lost(node string) bool { return !isTrue(w.state(node).InCCM) }

func TestAnAnnouncedRestart(t *testing.T) {
	for _, c := range []struct {
		name   string
		story  func(w *world)
		lost   bool          // at the end
		lostAt time.Duration // after the announcement; 0: at once, or never
	}{
		{name: "unannounced, it is lost at once", lost: true, story: func(w *world) { w.ends("c", "inc1") }},
		{name: "back in time", story: func(w *world) {
			w.announce("c", "boot1", "inc1")
			w.ends("c", "inc1")
			w.sleep(2 * time.Second)
			w.heardAs("c", "boot1", "inc2", membership.Alive)
			w.up("c", "boot1", "inc2")
			w.sleep(time.Hour)
		}},
		{name: "back before it was missed", story: func(w *world) {
			w.announce("c", "boot1", "inc1")
			w.step(SessionDown{Node: "c", Why: "the daemon ends"})
			w.sleep(1500 * time.Millisecond) // longer than a node may be without a session before it is pending
			w.heardAs("c", "boot1", "inc2", membership.Alive)
			w.up("c", "boot1", "inc2")
			w.sleep(time.Hour)
		}},
		{name: "never back", lost: true, lostAt: restartTime, story: func(w *world) {
			w.announce("c", "boot1", "inc1")
			w.ends("c", "inc1")
			w.sleep(time.Hour)
		}},
		{name: "said again by the same daemon, it does not last longer", lost: true, lostAt: restartTime, story: func(w *world) {
			w.announce("c", "boot1", "inc1")
			w.sleep(2 * time.Second)
			w.announce("c", "boot1", "inc1")
			w.commit(cib.Change{SetTransient: &cib.SetTransient{NodeID: "id-c", Name: cib.RestartAttribute}})
			w.announce("c", "boot1", "inc1")
			w.ends("c", "inc1")
			w.sleep(time.Hour)
		}},
		{name: "the daemon that follows fails before it is a member", lost: true, story: func(w *world) {
			w.announce("c", "boot1", "inc1")
			w.ends("c", "inc1")
			w.heardAs("c", "boot1", "inc2", membership.Alive)
			w.heardAs("c", "boot1", "inc2", membership.Failed)
		}},
		{name: "the daemon that follows fails when it is a member", lost: true, story: func(w *world) {
			w.announce("c", "boot1", "inc1")
			w.ends("c", "inc1")
			w.heardAs("c", "boot1", "inc2", membership.Alive)
			w.up("c", "boot1", "inc2")
			w.heardAs("c", "boot1", "inc2", membership.Failed)
		}},
		{name: "the announcement of a boot before", lost: true, story: func(w *world) {
			text := "boot0 inc1"
			w.commit(cib.Change{SetTransient: &cib.SetTransient{NodeID: "id-c", Name: cib.RestartAttribute, Value: &text}})
			w.ends("c", "inc1")
		}},
		{name: "the announcement of an incarnation before", lost: true, story: func(w *world) {
			text := "boot1 inc0"
			w.commit(cib.Change{SetTransient: &cib.SetTransient{NodeID: "id-c", Name: cib.RestartAttribute, Value: &text}})
			w.ends("c", "inc1")
		}},
		{name: "without fencing it is waited for as ever", lost: true, lostAt: 700*time.Millisecond + 2*5*time.Second, story: func(w *world) {
			off := "false"
			w.commit(cib.Change{SetOption: &cib.SetOption{Name: "stonith-enabled", Value: &off}})
			w.announce("c", "boot1", "inc1")
			w.ends("c", "inc1")
			w.sleep(time.Hour)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "a", "b", "c")
			began := w.now
			c.story(w)
			st := w.state("c")
			if w.lost("c") != c.lost {
				t.Fatalf("lost: %v, wanted %v: %+v", w.lost("c"), c.lost, st)
			}
			if at := time.UnixMilli(st.Since).Sub(began); c.lostAt != 0 && (at < c.lostAt || at > c.lostAt+10*time.Millisecond) {
				t.Errorf("lost %v after the announcement, wanted %v", at, c.lostAt)
			}
			if !c.lost && attribute(st, cib.RestartAttribute) != "" {
				t.Error("the announcement outlives the return")
			}
			if slices.Contains(w.log, "open c") && !c.lost && !online(st) {
				t.Errorf("it is back and no member: %+v", st)
			}
		})
	}
}

// While a node is waited for it stays what it is, and nothing is planned: a plan that takes it for one that is joining stops what
// hangs on its resources. What is planned when another node is lost does not wait for it.
func TestNothingIsPlannedDuringAnAnnouncedRestart(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.announce("c", "boot1", "inc1")
	w.ends("c", "inc1")
	w.plans = 0
	w.next()
	w.sleep(1500 * time.Millisecond)
	if st := w.state("c"); w.plans != 0 || !online(st) {
		t.Fatalf("%d plans, and it is %+v", w.plans, st)
	}
	if got := w.core.Progress().Restarting; len(got) != 1 || got[0].Node != "c" || got[0].Until.Sub(w.now) > restartTime {
		t.Errorf("people are told: %+v", got)
	}
	w.status("b", membership.Failed)
	if st := w.state("c"); !w.lost("b") || w.lost("c") || st.Join != "pending" || w.plans == 0 {
		t.Fatalf("b is lost, %d plans, and c is %+v", w.plans, st)
	}
	w.sleep(restartTime)
	if !w.lost("c") {
		t.Error("c is not lost when its time is over")
	}
	if cause := w.state("c").Cause; !strings.Contains(cause, "announced") {
		t.Errorf("it is lost because %q", cause)
	}
}

// The coordinator that follows knows of the announcement, for it is committed, and waits from its election on.
func TestAnAnnouncedRestartUnderTheNextCoordinator(t *testing.T) {
	w := newWorld(t, "a", "b", "c")
	w.announce("c", "boot1", "inc1")
	w.ends("c", "inc1")
	next := newWorld(t, "b", "a", "c")
	next.now, next.snap, next.view = w.now.Add(2*time.Second), w.snap, w.view
	next.core = NewCore(next.core.cfg)
	next.step(Elected{Term: 4, Snapshot: w.snap, View: w.view, Voters: []string{"id-a", "id-b", "id-c"}})
	for _, n := range []string{"a", "b"} {
		next.up(n, "boot1", "inc1")
	}
	next.sleep(restartTime - 10*time.Millisecond)
	if next.lost("c") {
		t.Fatal("lost before its time was over")
	}
	next.sleep(20 * time.Millisecond)
	if !next.lost("c") {
		t.Fatal("waited for beyond its time")
	}
	// Once that is committed nobody waits again.
	third := newWorld(t, "a", "b", "c")
	third.core, third.snap, third.view = NewCore(third.core.cfg), next.snap, next.view
	third.step(Elected{Term: 5, Snapshot: next.snap, View: next.view, Voters: []string{"id-a", "id-b", "id-c"}})
	if got := third.core.Progress().Restarting; !third.lost("c") || len(got) != 0 {
		t.Errorf("the next one waits for %+v", got)
	}
}

func TestAnnounceIsRefused(t *testing.T) {
	w := newWorld(t, "a", "b")
	for what, c := range map[string]struct{ id, boot, incarnation string }{
		"of nobody": {"id-x", "boot1", "inc1"}, "of another boot": {"id-b", "boot2", "inc1"},
		"of another incarnation": {"id-b", "boot1", "inc2"}, "of nothing": {"id-b", "", ""},
	} {
		if _, err := Announce(w.snap.CIB, c.id, c.boot, c.incarnation); err == nil {
			t.Errorf("%s: not refused", what)
		}
	}
	st := *w.state("b")
	for what, change := range map[string]func(*cib.NodeState){
		"let go":  func(st *cib.NodeState) { st.Expected = "down" },
		"fenced":  func(st *cib.NodeState) { st.Fenced = "1" },
		"lost":    func(st *cib.NodeState) { st.InCCM = "false" },
		"pending": func(st *cib.NodeState) { st.Join = "pending" },
	} {
		next := st
		change(&next)
		if _, err := Announce(&cib.CIB{Status: cib.Status{Nodes: []*cib.NodeState{&next}}}, "id-b", "boot1", "inc1"); err == nil {
			t.Errorf("%s: not refused", what)
		}
	}
}

// One of two waits for the other as long as that one said, and no longer; and for no other incarnation of it.
func TestTheOtherOfTwoIsWaitedFor(t *testing.T) {
	pairWith := func(text string) *pair {
		p := newPair(t, device(&cib.CIB{}))
		p.cib.Status.Nodes = append(p.cib.Status.Nodes, &cib.NodeState{
			ID: "id-b", Uname: "b", InCCM: "true", CRMD: "online", Join: "member", Expected: "member", Boot: "1", Incarnation: "1",
		})
		p.step(Viewed{View: p.view})
		p.leader("id-a")
		next, err := cib.Apply(p.cib, cib.Change{SetTransient: &cib.SetTransient{NodeID: "id-b", Name: cib.RestartAttribute, Value: &text}})
		if err != nil {
			t.Fatal(err)
		}
		p.cib = next
		p.leader("id-a")
		p.now = p.now.Add(500 * time.Millisecond)
		p.leader("")
		p.peer(membership.Failed)
		return p
	}

	p := pairWith("1 1")
	if got := p.m.Restarting(); len(p.fences) != 0 || len(got) != 1 || got[0].Node != "b" || !p.wake.Equal(got[0].Until) {
		t.Fatalf("fences %+v, waits for %+v, wakes at %v", p.fences, got, p.wake)
	}
	p.now = p.wake.Add(-time.Millisecond)
	p.leader("") // that is looked at again and again, and prolongs nothing
	if len(p.fences) != 0 {
		t.Fatal("fenced before its time was over")
	}
	p.now = p.wake
	p.step(Tick{})
	if len(p.fences) != 1 || p.fences[0].Order.Target != "b" {
		t.Fatalf("not fenced when its time is over: %+v", p.fences)
	}
	p.fenced(true)
	if len(p.takes) != 1 {
		t.Fatalf("takeovers: %+v", p.takes)
	}

	p = pairWith("1 1") // it comes back, and its new daemon dies before it is a member
	p.view.Members[1].Incarnation = "2"
	p.peer(membership.Alive)
	if len(p.fences)+len(p.m.Restarting()) != 0 {
		t.Fatalf("heard, and fenced %+v or waited for", p.fences)
	}
	p.peer(membership.Failed)
	if len(p.fences) != 1 {
		t.Error("the announcement of the daemon before counted for the next")
	}
	for _, other := range []string{"0 1", "1 0", "1", ""} {
		if p := pairWith(other); len(p.fences) != 1 {
			t.Errorf("%q counted", other)
		}
	}
}
