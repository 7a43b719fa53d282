package coordinator

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/fencing"
)

// pair drives a Takeover of node a, whose peer is b.
type pair struct {
	t      *testing.T
	m      *Takeover
	now    time.Time
	cib    *cib.CIB
	view   membership.View
	fences []SendFence
	takes  []TakeOver
	said   []string
	wake   time.Time
}

func newPair(t *testing.T, c *cib.CIB) *pair {
	p := &pair{t: t, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), m: NewTakeover("a", "id-a", "1", time.Second, 3*time.Second, rand.New(rand.NewPCG(1, 1)))}
	next := *c
	next.Configuration.Nodes = []*cib.Node{{ID: "id-a", Uname: "a"}, {ID: "id-b", Uname: "b"}}
	next.Status.Nodes = []*cib.NodeState{{ID: "id-a", Uname: "a", InCCM: "true", CRMD: "online", Join: "member", Expected: "member", Incarnation: "1"}}
	p.cib = &next
	p.view.Members = []membership.Member{member("a", "1", "1"), member("b", "1", "1")}
	return p
}

func (p *pair) step(ev Event) {
	p.t.Helper()
	for _, e := range p.m.Step(p.now, ev) {
		switch e := e.(type) {
		case SendFence:
			p.fences = append(p.fences, e)
		case TakeOver:
			p.takes = append(p.takes, e)
		case Say:
			p.said = append(p.said, e.Text)
		case Wake:
			p.wake = e.At
		}
	}
}

func (p *pair) leader(id string) {
	p.step(LeaderIs{ID: id, Voters: []string{"id-a", "id-b"}, Committed: true, CIB: p.cib})
}

func (p *pair) peer(s membership.Status) {
	v := membership.View{Seq: p.view.Seq + 1, Members: append([]membership.Member(nil), p.view.Members...)}
	v.Members[1].Status = s
	p.view = v
	p.step(Viewed{View: v})
}

func (p *pair) fenced(ok bool) {
	p.t.Helper()
	o := p.fences[len(p.fences)-1].Order
	p.step(FenceReported{Result: fencing.Result{Fence: o.Fence, Step: o.Step, Node: "a", OK: ok, Detail: "no"}})
}

// together brings the pair into live quorum, led by the ID given, and then loses the peer.
func (p *pair) together(leader string) {
	p.step(Viewed{View: p.view})
	p.leader(leader)
	p.leader("")
	p.peer(membership.Failed)
}

func TestTheSurvivorOfTwoGoesOnAfterConfirmedFencing(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	if len(p.fences) != 1 || p.fences[0].Order.Target != "b" || p.fences[0].Node != "a" {
		t.Fatalf("fence orders: %+v", p.fences)
	}
	if len(p.takes) != 0 {
		t.Fatal("took over before the fencing was confirmed")
	}
	p.fenced(true)
	if len(p.takes) != 1 || p.takes[0].PeerID != "id-b" || p.takes[0].Fenced.State != "ok" {
		t.Fatalf("takeovers: %+v", p.takes)
	}
}

func TestOneThatStartedAloneNeverFencesItsWayIntoQuorum(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.peer(membership.Failed)
	p.leader("")
	p.now = p.now.Add(time.Hour)
	p.step(Tick{})
	if len(p.fences)+len(p.takes) != 0 {
		t.Fatalf("fenced %+v, took over %+v", p.fences, p.takes)
	}
	if v := p.m.Verdict(); !strings.Contains(v.Reason, "force-quorum") {
		t.Fatal("nobody is told what to do:", v.Reason)
	}
	p.step(FenceConfirmed{Target: "b", Origin: "user root"}) // a person vouches
	if len(p.takes) != 1 || p.takes[0].Fenced.Device != "manual" {
		t.Fatalf("the person's word was not taken: %+v", p.takes)
	}
}

// A node that follows again after it was fenced is still taken for gone by the others until its joining is committed: it has
// no right to fence them before.
func TestToHearALeaderIsNotToBeAMemberAgain(t *testing.T) {
	for what, change := range map[string]func(*cib.NodeState){
		"recorded as fenced":       func(st *cib.NodeState) { st.Fenced, st.Expected = "1", "down" },
		"known from before":        func(st *cib.NodeState) { st.Incarnation = "0" },
		"not taken in yet":         func(st *cib.NodeState) { st.CRMD, st.Join = "offline", "down" },
		"not known to be a member": func(st *cib.NodeState) { st.InCCM = "false" },
	} {
		p := newPair(t, device(&cib.CIB{}))
		st := *p.cib.Status.Nodes[0]
		change(&st)
		p.cib.Status.Nodes[0] = &st
		p.together("id-b")
		if len(p.fences)+len(p.takes) != 0 {
			t.Errorf("%s: fenced %+v, took over %+v", what, p.fences, p.takes)
		}
	}
}

func TestAPairThatIsBecomingThreeHasNoTakeover(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.step(Viewed{View: p.view})
	for _, leader := range []string{"id-b", ""} {
		p.step(LeaderIs{ID: leader, Voters: []string{"id-a", "id-b"}, Growing: []string{"id-c"}, Committed: true, CIB: p.cib})
	}
	p.peer(membership.Failed)
	if len(p.fences)+len(p.takes) != 0 {
		t.Fatalf("fenced %+v, took over %+v", p.fences, p.takes)
	}
	if v := p.m.Verdict(); !strings.Contains(v.Reason, "id-c was being made a voter") {
		t.Fatal("nobody is told why:", v.Reason)
	}
}

// A leader that removes the third acts by the set of two before the second knows of it: back from its fencing, that one and the
// third are a majority of three.
func TestAPairThatIsNotCommittedHasNoTakeover(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.step(Viewed{View: p.view})
	for _, leader := range []string{"id-a", ""} {
		p.step(LeaderIs{ID: leader, Voters: []string{"id-a", "id-b"}, CIB: p.cib})
	}
	p.peer(membership.Failed)
	if len(p.fences)+len(p.takes) != 0 {
		t.Fatalf("fenced %+v, took over %+v", p.fences, p.takes)
	}
}

// The device cut the peer, and answers so late that the pair was together again meanwhile: the answer proves nothing.
func TestALateSuccessDoesNotCount(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	late := p.fences[0].Order
	p.peer(membership.Alive)
	p.leader("id-b")
	p.leader("")
	p.peer(membership.Failed)
	p.step(FenceReported{Result: fencing.Result{Fence: late.Fence, Step: late.Step, Node: "a", OK: true}})
	if len(p.takes) != 0 {
		t.Fatalf("took over: %+v", p.takes)
	}
	if n := len(p.fences); n != 2 || p.fences[1].Order.Fence == late.Fence {
		t.Fatalf("fence orders: %+v", p.fences)
	}
	p.fenced(true)
	if len(p.takes) != 1 {
		t.Fatalf("takeovers: %+v", p.takes)
	}
}

func TestATakeoverCarriesTheContactAtItsFencing(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.step(Viewed{View: p.view})
	tell := func(leader string, contact uint64) {
		p.step(LeaderIs{ID: leader, Voters: []string{"id-a", "id-b"}, Committed: true, CIB: p.cib, Contact: contact})
	}
	tell("id-b", 5)
	tell("", 7)
	p.peer(membership.Failed)
	tell("", 8)
	p.fenced(true)
	if len(p.takes) != 1 || p.takes[0].Contact != 7 {
		t.Fatalf("takeovers: %+v", p.takes)
	}
}

func TestAFailedTakeoverFencingIsTriedAgain(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	p.fenced(false)
	if len(p.takes) != 0 {
		t.Fatal("took over after a failed fencing")
	}
	for range 3 {
		n := len(p.fences)
		p.now = p.wake
		p.step(Tick{})
		if len(p.fences) != n+1 {
			t.Fatal("the fencing was given up")
		}
		p.fenced(false)
	}
	p.peer(membership.Alive) // heard again: nothing is to be taken over
	p.leader("id-b")
	p.now = p.now.Add(time.Hour)
	n := len(p.fences)
	p.step(Tick{})
	if len(p.fences) != n {
		t.Fatal("a peer that is back was fenced")
	}
}

func TestWithoutFencingAPersonIsAsked(t *testing.T) {
	c := device(&cib.CIB{})
	c.Configuration.Options = []cib.NVSet{{ID: "o", Pairs: []cib.NVPair{{Name: "stonith-enabled", Value: "false"}}}}
	p := newPair(t, c)
	p.together("id-a")
	if len(p.fences)+len(p.takes) != 0 {
		t.Fatal("went on without fencing")
	}
	if f, ok := p.m.Fencing(); !ok || !strings.Contains(f.Blocked, "--confirmed b") {
		t.Fatalf("nobody is told what it waits for: %+v", f)
	}
}

// Both must never die from one cut: without any configured delay the side that did not coordinate waits.
func TestTheSideThatDidNotCoordinateWaits(t *testing.T) {
	leads, follows := newPair(t, device(&cib.CIB{})), newPair(t, device(&cib.CIB{}))
	leads.together("id-a")
	follows.together("id-b")
	if d := leads.fences[0].Order.Delay; d != 0 {
		t.Error("the coordinator waits", d)
	}
	if d := follows.fences[0].Order.Delay; d < courtesyMin {
		t.Error("the other waits only", d)
	}
	// It notices the loss at once, and the coordinator only after the whole time of detection.
	early := newPair(t, device(&cib.CIB{}))
	early.step(Viewed{View: early.view})
	early.step(LeaderIs{ID: "id-b", Voters: []string{"id-a", "id-b"}, Committed: true, CIB: early.cib, Contact: 1})
	early.now = early.now.Add(400 * time.Millisecond)
	early.leader("")
	early.peer(membership.Failed)
	if d := early.fences[0].Order.Delay; d != time.Second+courtesyMin {
		t.Error("the side that noticed early waits", d)
	}
	for base, want := range map[string]time.Duration{
		"2s":           courtesyMin,                        // the same for both: it decides nothing
		"a:3s;b:1s":    0,                                  // the other side waits long enough
		"a:1s;b:3s":    0,                                  // this one does, by the device
		"a:1;b:1300ms": courtesyMin - 300*time.Millisecond, // it does not wait long enough
		"a:1300ms;b:1": courtesyMin + 300*time.Millisecond, // the other one would come second by too little
	} {
		c := device(&cib.CIB{})
		c.Configuration.Resources[0].Params[0].Pairs = append(c.Configuration.Resources[0].Params[0].Pairs, cib.NVPair{Name: "pcmk_delay_base", Value: base})
		follows := newPair(t, c)
		follows.together("id-b")
		if d := follows.fences[0].Order.Delay - fencing.DelayBase(Devices(c)[0], "b"); d != want {
			t.Errorf("pcmk_delay_base=%s: the side that did not coordinate waits %v beside it, want %v", base, d, want)
		}
	}
	c := device(&cib.CIB{})
	c.Configuration.Resources[0].Params[0].Pairs = append(c.Configuration.Resources[0].Params[0].Pairs, cib.NVPair{Name: "pcmk_delay_max", Value: "1ms"})
	drawn := newPair(t, c)
	drawn.together("id-b")
	if d := drawn.fences[0].Order.Delay; d > time.Millisecond {
		t.Error("what is drawn by lot should decide, and no more:", d)
	}
}

// An order that became void when the pair met again, and is still out when they lose each other once more, holds the next one up:
// the other side, which waits for as long as the coordinator needs if it begins in time, may fence meanwhile.
func TestTheCoordinatorWaitsWhereItBeginsLate(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	p.peer(membership.Alive)
	p.leader("id-a")
	p.leader("")
	p.peer(membership.Failed)
	if len(p.fences) != 1 {
		t.Fatalf("%d orders while the first is out", len(p.fences))
	}
	p.fenced(true)
	if len(p.fences) != 2 || p.fences[1].Order.Delay < 2*courtesyMin {
		t.Fatalf("the late coordinator orders %+v", p.fences)
	}
	p.leader("id-a")
	p.peer(membership.Alive)
	p.fenced(true)
	p.leader("")
	p.peer(membership.Failed)
	if n := len(p.fences); n != 3 || p.fences[2].Order.Delay != 0 {
		t.Errorf("in time again it orders %+v", p.fences)
	}
}

// A fencing that succeeds when the pair has found together again, or after the peer is back from it, takes nothing over.
// A peer that comes back while its fencing is held back is not to be fenced any more.
func TestAFencingIsDueOnlyWhileThePeerIsLost(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-b")
	if len(p.fences) != 1 || p.m.Due() != p.fences[0].Order.Fence {
		t.Fatalf("%d fencings, due is %d", len(p.fences), p.m.Due())
	}
	p.peer(membership.Alive)
	if due := p.m.Due(); due != 0 {
		t.Fatalf("the peer is heard, and fencing %d is due", due)
	}
	p.peer(membership.Failed)
	p.leader("id-b")
	p.leader("")
	if due := p.m.Due(); due != 0 {
		t.Fatalf("somebody led since, and fencing %d is due", due)
	}
}

// Each of two may have been the last leader that it knows of. The one that knows of a newer term than its own waits.
func TestWhoLedBeforeTheNewestTermWaits(t *testing.T) {
	for term, waits := range map[uint64]bool{5: false, 6: true} {
		p := newPair(t, device(&cib.CIB{}))
		p.step(Viewed{View: p.view})
		p.step(LeaderIs{ID: "id-a", Voters: []string{"id-a", "id-b"}, Committed: true, CIB: p.cib, Term: 5})
		p.step(LeaderIs{Voters: []string{"id-a", "id-b"}, Committed: true, CIB: p.cib, Term: term})
		p.peer(membership.Failed)
		if len(p.fences) != 1 || (p.fences[0].Order.Delay > 0) != waits {
			t.Fatalf("newest term %d: %+v", term, p.fences)
		}
	}
}

// What is left of the fencing of an earlier peer is not turned against anybody when the next peer is lost.
func TestTheFencingOfAnEarlierPeerIsForgotten(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	first := p.fences[0].Order
	next := *p.cib
	next.Configuration.Nodes = append(next.Configuration.Nodes, &cib.Node{ID: "id-c", Uname: "c"})
	v := membership.View{Seq: p.view.Seq + 1, Members: []membership.Member{member("a", "1", "1"), member("b", "1", "1"), member("c", "1", "1")}}
	p.step(Viewed{View: v})
	p.step(LeaderIs{ID: "id-a", Voters: []string{"id-a", "id-c"}, Committed: true, CIB: &next})
	gone := v
	gone.Seq++
	gone.Members = append([]membership.Member(nil), v.Members...)
	gone.Members[2].Status = membership.Failed
	p.step(Viewed{View: gone})
	p.step(LeaderIs{Voters: []string{"id-a", "id-c"}, Committed: true, CIB: &next})
	p.step(FenceReported{Result: fencing.Result{Fence: first.Fence, Step: first.Step, Node: "a", Detail: "refused"}})
	p.now = p.now.Add(2 * time.Minute)
	p.step(Tick{})
	p.step(Tick{})
	if last := p.fences[len(p.fences)-1].Order; len(p.fences) < 2 || last.Target != "c" {
		t.Fatalf("the lost peer is c; fenced is %s, in %d orders", last.Target, len(p.fences))
	}
}

func TestASuccessThatComesTooLateTakesNothingOver(t *testing.T) {
	for name, back := range map[string]func(*pair){
		"a leader is elected": func(p *pair) { p.peer(membership.Alive); p.leader("id-b") },
		"the peer is heard":   func(p *pair) { p.peer(membership.Alive) },
	} {
		p := newPair(t, device(&cib.CIB{}))
		p.together("id-a")
		back(p)
		p.fenced(true)
		if len(p.takes) != 0 {
			t.Errorf("%s: took over: %+v", name, p.takes)
		}
	}
}

func TestATakeoverFencesOnce(t *testing.T) {
	p := newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	p.fenced(true)
	p.step(TakenOver{})
	p.step(Tick{})
	if len(p.fences) != 1 {
		t.Fatalf("the peer that was taken over from is fenced again: %+v", p.fences)
	}
	// One that failed is tried again, with a pause.
	p = newPair(t, device(&cib.CIB{}))
	p.together("id-a")
	for range 3 {
		p.fenced(true)
		n := len(p.fences)
		p.step(TakenOver{Err: errors.New("a test")})
		if len(p.fences) != n {
			t.Fatal("fenced again at once")
		}
		p.now = p.wake
		p.step(Tick{})
		if len(p.fences) != n+1 {
			t.Fatal("given up")
		}
	}
}
