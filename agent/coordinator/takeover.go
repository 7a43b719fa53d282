package coordinator

import (
	"cmp"
	"math/rand/v2"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/quorum"
	"paceline/fencing"
	"paceline/fencing/manual"
)

// Takeover decides for one of exactly two voters that lost the other: it has the peer fenced, and only after confirmed
// success asks for the voter set to be rewritten (safety rule 5). It runs while there is no leader; a Core takes over
// from it. It is a step machine like Core.
type Takeover struct {
	self, selfID string
	incarnation  string
	detect       time.Duration // by then a loss is known to either side
	rng          *rand.Rand

	view     membership.View
	leader   string
	led      string // the newest leader that was known
	ledTerm  uint64 // the term in which it led
	term     uint64
	voters   []string
	settled  bool // that these are the voters is committed
	growing  []string
	together bool // this incarnation was in live quorum with the present voters
	contact  uint64
	met      time.Time // when that was last seen to grow
	snap     *cib.CIB
	restarts restarts  // of the peer's daemon, announced
	waits    time.Time // until when such a one was last waited for

	fence   *fence
	late    bool // the loss was noticed while an order of before it was out: the other side may be far ahead
	number  uint64
	taking  bool // asked for, not answered yet
	effects []Effect
	wakes   []time.Time
	told    string // last reason told to people
}

// LeaderIs tells the Takeover who leads ("" for nobody), who votes and what is known. Contact grows with everything that
// this node and another voter exchange as leader and follower.
type LeaderIs struct {
	ID      string
	Voters  []string
	Growing []string // IDs of those that are being made voters
	CIB     *cib.CIB
	Contact uint64
	Term    uint64 // the newest that the node knows of
	// Committed says that the node knows the voter set to be committed. A leader that removes one of three acts by the set of
	// two before the other of the two knows of it.
	Committed bool
}

// TakenOver answers a TakeOver.
type TakenOver struct{ Err error }

func (LeaderIs) event()  {}
func (TakenOver) event() {}

// TakeOver asks for the voter set to be rewritten to this node alone: the fencing of the peer is confirmed. It is void if
// there was any contact with the peer beyond Contact: that is later than the order to fence it, so the peer may have been
// cut, have come back, and run services again.
type TakeOver struct {
	PeerID  string
	Fenced  cib.FenceEvent
	Contact uint64
}

func (TakeOver) effect() {}

// NewTakeover returns a machine that has seen nothing, for this incarnation of the daemon. detect is the time by which gossip
// knows of a loss; restart is Timing.Restart.
func NewTakeover(self, selfID, incarnation string, detect, restart time.Duration, rng *rand.Rand) *Takeover {
	return &Takeover{self: self, selfID: selfID, incarnation: incarnation, detect: detect, restarts: newRestarts(restart), rng: rng}
}

// Verdict returns the quorum's state as this node sees it.
func (t *Takeover) Verdict() quorum.Verdict {
	in := quorum.Input{Self: t.selfID, Leader: t.leader, Together: t.together, Voters: t.heard()}
	if len(t.growing) > 0 {
		in.Growing = cmp.Or(t.nodeByID(t.growing[0]), t.growing[0])
	}
	return quorum.Judge(in)
}

// Fencing returns the fencing under way for a takeover, if there is one.
func (t *Takeover) Fencing() (Fencing, bool) {
	if t.fence == nil {
		return Fencing{}, false
	}
	return t.fence.report(), true
}

// Due returns the number of the fencing that is still called for: the peer is lost as it was when it was ordered, and nobody
// has led since. It is 0 if there is none. A device is let loose for no other: in the delay of its order the peer may have
// come back.
func (t *Takeover) Due() uint64 {
	if f := t.fence; f != nil && f.running() && !f.void && t.leader == "" && t.nodeByID(t.Verdict().Takeover) == f.target {
		return f.number
	}
	return 0
}

func (t *Takeover) heard() []quorum.Voter {
	var out []quorum.Voter
	for _, id := range t.voters {
		v := quorum.Voter{ID: id, Name: id}
		for _, m := range t.view.Members {
			if m.ID == id {
				v.Name, v.Heard = m.Name, m.Status == membership.Alive
			}
		}
		if n := t.nodeByID(id); n != "" {
			v.Name = n
		}
		out = append(out, v)
	}
	return out
}

func (t *Takeover) nodeByID(id string) string {
	if t.snap != nil {
		if n := t.snap.NodeByID(id); n != nil {
			return n.Uname
		}
	}
	return ""
}

// Step takes one event in and returns what is to be done.
func (t *Takeover) Step(now time.Time, ev Event) []Effect {
	t.effects, t.wakes = nil, nil
	switch e := ev.(type) {
	case Viewed:
		t.view = e.View
	case LeaderIs:
		if !sameSet(t.voters, e.Voters) {
			t.together = false // with whom it was together is not with whom it votes now
		}
		if e.Contact != t.contact {
			t.met = now
		}
		t.leader, t.voters, t.growing, t.snap, t.contact = e.ID, e.Voters, e.Growing, e.CIB, e.Contact
		t.term, t.settled = e.Term, e.Committed
		t.restarts.note(now, e.CIB)
		if e.ID != "" {
			t.led, t.ledTerm = e.ID, e.Term
		}
	case FenceReported:
		if f := t.fence; f != nil && f.running() && f.number == e.Result.Fence {
			t.step(now, e.Result)
		}
	case FenceConfirmed:
		t.confirmed(now, e)
	case TakenOver:
		t.taking = false
		if e.Err != nil {
			t.say("error", "the takeover failed", "err", e.Err)
			if t.fence != nil {
				t.fence.notBefore = now.Add(fenceRetryMin)
			}
		} else { // the next look at the voters says so, too; until then the peer is not to be fenced again
			t.fence, t.together = nil, false
		}
	}
	t.decide(now)
	t.wake()
	return t.effects
}

func (t *Takeover) decide(now time.Time) {
	if t.leader != "" {
		t.late = false
		if t.allHeard() && t.joined() && t.settled {
			t.together = true
		}
		switch f := t.fence; {
		case f == nil || t.taking:
		case f.running():
			f.void = true // what the device cut may be back by now, and run services again
		default:
			t.fence = nil
		}
		t.told = ""
		return
	}
	v := t.Verdict()
	if v.Reason != t.told {
		t.told = v.Reason
		t.say("warn", "there is no coordinator", "cause", v.Reason)
	}
	if t.taking {
		return
	}
	if v.Takeover == "" || t.snap == nil {
		if t.fence != nil && !t.fence.running() {
			t.fence = nil
		}
		return
	}
	peer := t.nodeByID(v.Takeover)
	if f := t.fence; f != nil && !f.running() && (f.void || f.target != peer) {
		t.fence = nil // of another loss: of this peer before it came back, or of another one
	}
	if until := t.restartingUntil(v.Takeover); t.fence == nil && now.Before(until) {
		if !until.Equal(t.waits) {
			t.waits = until
			t.say("info", "the other voter announced that its daemon starts anew: it is waited for before it is fenced", "node", peer, "most", until.Sub(now))
		}
		t.wakes = append(t.wakes, until)
		return
	}
	switch {
	case peer == "":
		return
	case t.fence == nil:
		t.fence = &fence{target: peer, action: FencingAction(t.snap), origin: "takeover", since: now}
		if !FencingEnabled(t.snap) {
			t.fence.blocked = "fencing is disabled: a person must confirm that " + peer + " is off (paceline node fence --confirmed " + peer + ")"
			t.say("error", "this node can not go on alone", "cause", t.fence.blocked)
		}
	case t.fence.running():
		t.late = t.late || t.fence.void
		t.step(now, nil)
		return
	}
	switch f := t.fence; {
	case !FencingEnabled(t.snap):
	case now.Before(f.notBefore):
		t.wakes = append(t.wakes, f.notBefore)
	default:
		t.start(now, f)
	}
}

// restartingUntil returns until when the peer is waited for, because its daemon announced that it starts anew and has not been heard
// since; the zero time if it did not.
func (t *Takeover) restartingUntil(id string) time.Time {
	st := t.snap.NodeState(id)
	until := t.restarts.until(st)
	if m, ok := t.view.ByID(id); until.IsZero() || ok && m.Incarnation != st.Incarnation {
		return time.Time{}
	}
	return until
}

// Restarting returns the peer whose daemon announced that it starts anew, and until when it is waited for, while nobody leads and it
// is not heard. That time may be just over.
func (t *Takeover) Restarting() []Restart {
	if t.leader != "" || len(t.voters) != 2 {
		return nil
	}
	return t.restarts.all(func(id string) bool { return id == t.selfID || t.restartingUntil(id).IsZero() })
}

func (t *Takeover) allHeard() bool {
	for _, v := range t.heard() {
		if !v.Heard && v.ID != t.selfID {
			return false
		}
	}
	return len(t.voters) > 1
}

// joined says that this incarnation is a member by what is committed. To hear a leader is less: a node that was fenced
// and follows again is still taken for gone, and the others go on without its vote, until its joining is committed.
func (t *Takeover) joined() bool {
	if t.snap == nil {
		return false
	}
	st := t.snap.NodeState(t.selfID)
	return online(st) && st.Fenced == "" && st.Incarnation == t.incarnation
}

func (t *Takeover) start(now time.Time, f *fence) {
	f.attempt++
	t.number++
	f.number, f.contact = t.number, t.contact
	t.say("warn", "the other voter is lost: it is fenced before this node goes on alone", "node", f.target, "action", f.action)
	f.machine = fencing.NewMachine(fencing.Request{
		Number: f.number, Target: f.target, Action: f.action, Origin: f.origin, View: t.view.Seq,
		Timeout: FencingTimeout(t.snap), Devices: aimed(Devices(t.snap), t.snap.NodeState(f.target)), Levels: Levels(t.snap, f.target),
		Live: []string{t.self}, Self: t.self, PriorityDelay: t.delay(now, f.target), Rand: t.rng,
	})
	t.step(now, nil)
}

// ledLast says that this node coordinated until the other was lost. One that led in a term before the newest it knows of
// may have been followed by the other, without ever having heard of that.
func (t *Takeover) ledLast() bool { return t.led == t.selfID && t.ledTerm == t.term }

// delay returns how long the fencing is held back beyond what the devices say. Where what is configured does not tell the two
// sides apart - no delay, or the same for both, or nearly - the side that did not coordinate waits until the other side's
// fencing is over, which may begin only when gossip has noticed the loss there too: both must never die from one cut link.
// The price is paid only when it is the coordinator of two that died. Where delays are drawn by lot (pcmk_delay_max) it is
// left to the lot. The side that did coordinate waits as well where it begins late: by then the other may have waited long enough.
func (t *Takeover) delay(now time.Time, target string) time.Duration {
	d := PriorityDelay(t.snap, t.self, target)
	late := t.late
	t.late = false // what is tried again is not held back again
	if t.ledLast() && !late || delayDrawn(t.snap) {
		return d
	}
	apart := fixedDelay(t.snap, t.self, target) - fixedDelay(t.snap, target, t.self)
	wait := courtesy(t.snap) + max(t.met.Add(t.detect).Sub(now), 0)
	if t.ledLast() {
		wait += courtesy(t.snap) // the other's own, and then its device
	}
	if apart < wait && -apart < wait {
		return d + wait - apart
	}
	return d
}

func (t *Takeover) step(now time.Time, ev fencing.Event) {
	f := t.fence
	for _, e := range f.machine.Step(now, ev) {
		switch e := e.(type) {
		case fencing.Ask:
			if f.void { // the peer was there meanwhile: this fencing is not tried any further
				t.fence = nil
				return
			}
			t.effects = append(t.effects, SendFence{Node: e.Node, Order: e.Order})
		case fencing.Done:
			f.machine = nil
			t.ended(now, f, e)
			return
		}
	}
	t.wakes = append(t.wakes, f.machine.Deadline())
}

func (t *Takeover) ended(now time.Time, f *fence, d fencing.Done) {
	if !d.OK {
		f.detail, f.blocked = d.Detail, d.Blocked
		f.notBefore = now.Add(min(fenceRetryMin<<min(f.attempt-1, 6), fenceRetryMax))
		t.say("error", "a fencing failed", "node", f.target, "attempt", f.attempt, "cause", d.Detail)
		return
	}
	if v := t.Verdict(); f.void || t.leader != "" || v.Takeover == "" || t.nodeByID(v.Takeover) != f.target {
		// Fenced, yes, but not in time: the pair goes on, or the peer has started again since and may lead by now.
		t.say("warn", "the other voter was fenced and is back: there is nothing to take over", "node", f.target, "device", d.Device)
		t.fence = nil
		return
	}
	t.takeOver(now, f.contact, cib.FenceEvent{
		Target: f.target, Action: f.action, Device: d.Device, Executor: d.Node, Origin: f.origin, State: fencing.StateOK,
		Started: d.Started.UnixMilli(), Completed: now.UnixMilli(), Attempt: f.attempt,
	})
}

// confirmed takes a person's word. It counts also on a node that started alone: both logs of two voters hold all that was
// ever acknowledged, and the person vouches that the other one is off.
func (t *Takeover) confirmed(now time.Time, e FenceConfirmed) {
	if t.leader != "" || len(t.voters) != 2 || t.taking {
		return
	}
	word := manual.Confirmation{Node: e.Target, User: strings.TrimPrefix(e.Origin, "user "), At: now}
	if err := word.Check(heard(t.view, e.Target)); err != nil {
		t.say("error", "a person's word was not taken", "node", e.Target, "cause", err)
		return
	}
	t.takeOver(now, t.contact, eventOf(word.Record()))
}

func (t *Takeover) takeOver(now time.Time, contact uint64, ev cib.FenceEvent) {
	for _, id := range t.voters {
		if id != t.selfID && t.nodeByID(id) == ev.Target {
			t.taking = true
			t.say("warn", "the other voter is confirmed fenced: this node goes on alone", "node", ev.Target, "device", ev.Device)
			t.effects = append(t.effects, TakeOver{PeerID: id, Fenced: ev, Contact: contact})
			return
		}
	}
	t.say("error", "the fenced node is not the other voter", "node", ev.Target)
}

func (t *Takeover) say(level, text string, attrs ...any) {
	t.effects = append(t.effects, Say{Level: level, Text: text, Attrs: attrs})
}

func (t *Takeover) wake() {
	var first time.Time
	for _, w := range t.wakes {
		if !w.IsZero() && (first.IsZero() || w.Before(first)) {
			first = w
		}
	}
	t.effects = append(t.effects, Wake{At: first})
}

func sameSet(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	in := map[string]bool{}
	for _, x := range a {
		in[x] = true
	}
	for _, x := range b {
		if !in[x] {
			return false
		}
	}
	return true
}
