package coordinator

import (
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/outcome"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/fencing/manual"
)

// fence is the fencing of one target: it outlives transitions, retries with growing pauses, and is never given up while
// the plan asks for it (liveness bound L7).
type fence struct {
	target, action string
	origin         string // "coordinator", or who asked
	person         bool   // asked for by a person: tried once
	machine        *fencing.Machine
	number         uint64
	contact        uint64 // Takeover: the contact with the peer when it was ordered
	void           bool   // a success counts no more: the target may have been cut, come back and been given work since
	attempt        int
	since          time.Time
	delay          time.Duration // priority-fencing-delay, as planned
	notBefore      time.Time
	waiters        []waiter
	detail         string // why the last attempt failed
	blocked        string // why no attempt can succeed by itself
	cancelled      string
	presumedFrom   time.Time // since when time is counted, if the target's own watchdog is a way to fence: a tie to the target since then makes it void
}

// waiter is an action of a transition that waits for the fencing.
type waiter struct {
	machine *transition.Machine
	action  int
}

func (f *fence) running() bool     { return f.machine != nil }
func (f *fence) cancel(why string) { f.cancelled = why }

// fenceOrdered takes a fence action of the transition on: a fencing of the same target that runs already serves it too.
func (c *Core) fenceOrdered(now time.Time, a *transition.Action) {
	f := c.fences[a.Node]
	if f == nil {
		f = &fence{target: a.Node, action: a.Operation, origin: "coordinator", since: now}
		c.fences[a.Node] = f
		c.say("warn", "a node is to be fenced", "node", a.Node, "action", a.Operation, "cause", a.Reason)
	}
	f.person, f.cancelled = false, ""
	f.delay = time.Duration(a.StartDelayMS) * time.Millisecond
	f.waiters = append(f.waiters, waiter{c.machine, a.ID})
}

func (c *Core) fenceAsked(now time.Time, e FenceAsked) {
	if c.fences[e.Target] == nil {
		c.fences[e.Target] = &fence{target: e.Target, action: e.Action, origin: e.Origin, person: true, since: now}
	}
	c.fences[e.Target].notBefore = now
}

// fenceConfirmed takes a person's word that a node is off: the fencing counts as done, unless the node is heard right now.
func (c *Core) fenceConfirmed(now time.Time, e FenceConfirmed) {
	word := manual.Confirmation{Node: e.Target, User: strings.TrimPrefix(e.Origin, "user "), At: now}
	ev := eventOf(word.Record())
	if err := word.Check(heard(c.view, e.Target)); err != nil {
		ev.State, ev.Detail = fencing.StateFailed, err.Error()
		c.commit(cib.Change{RecordFence: &cib.RecordFence{Event: ev}}, nil)
		c.say("error", "a person's word was not taken", "node", e.Target, "cause", err)
		return
	}
	f := c.fences[e.Target]
	if f == nil {
		f = &fence{target: e.Target, action: fencing.Off, since: now}
		c.fences[e.Target] = f
	}
	f.machine = nil
	c.fenceDone(now, f, ev)
}

func eventOf(r fencing.Record) cib.FenceEvent {
	return cib.FenceEvent{
		Target: r.Target, Action: r.Action, Device: r.Device, Executor: r.Executor, Origin: r.Origin, State: r.State, Detail: r.Detail,
		Started: r.Started, Completed: r.Completed, Attempt: r.Attempt,
	}
}

// heard reports whether gossip has the node of that name alive.
func heard(v membership.View, name string) bool {
	m, ok := v.Member(name)
	return ok && m.Status == membership.Alive
}

// tendFences starts what is due and gives up what nobody wants any more.
func (c *Core) tendFences(now time.Time) {
	c.tendRehearsals(now)
	for _, target := range sortedKeys(c.fences) {
		f := c.fences[target]
		switch {
		case f.running():
			c.stepFence(now, f, nil)
			if f.machine != nil {
				c.wakeAt(f.machine.Deadline())
			}
		case f.cancelled != "":
			c.say("info", "a fencing is called off", "node", target, "cause", f.cancelled)
			delete(c.fences, target)
			c.replan("the fencing of " + target + " was called off")
		case now.Before(f.notBefore):
			c.wakeAt(f.notBefore)
		default:
			c.startFence(now, f)
		}
	}
}

func (c *Core) startFence(now time.Time, f *fence) {
	f.attempt++
	c.fenceNo++
	f.number, f.void = c.fenceNo, false
	f.machine = fencing.NewMachine(fencing.Request{
		Number: f.number, Target: f.target, Action: f.action, Origin: f.origin, Term: c.term, View: c.view.Seq,
		Timeout: FencingTimeout(c.snap.CIB), Devices: c.devices(now, f), Levels: Levels(c.snap.CIB, f.target),
		Live: c.live(), Self: c.cfg.Self, Attempt: f.attempt, PriorityDelay: f.delay, Rand: c.cfg.Rand,
	})
	c.commit(cib.Change{RecordFence: &cib.RecordFence{Event: cib.FenceEvent{
		Target: f.target, Action: f.action, Origin: f.origin, State: fencing.StatePending, Started: now.UnixMilli(), Attempt: f.attempt,
	}}}, nil)
	c.stepFence(now, f, nil)
}

// stepFence moves one fencing on. A nil event is the passing of time.
func (c *Core) stepFence(now time.Time, f *fence, ev fencing.Event) {
	for _, e := range f.machine.Step(now, ev) {
		switch e := e.(type) {
		case fencing.Ask:
			c.effects = append(c.effects, SendFence{Node: e.Node, Order: e.Order})
		case fencing.Done:
			f.machine = nil
			c.fenceEnded(now, f, e)
			return
		}
	}
	if f.machine != nil {
		c.wakeAt(f.machine.Deadline())
	}
}

func (c *Core) fenceReported(now time.Time, r fencing.Result) {
	c.rehearsalEvent(now, r)
	for _, target := range sortedKeys(c.fences) {
		if f := c.fences[target]; f.running() && f.number == r.Fence && r.Term == c.term {
			c.stepFence(now, f, r)
			return
		}
	}
}

func (c *Core) fenceNodeLost(now time.Time, f *fence, node string) {
	if f != nil && f.running() {
		c.stepFence(now, f, fencing.NodeLost{Node: node})
	}
}

func (c *Core) fenceEnded(now time.Time, f *fence, d fencing.Done) {
	ev := cib.FenceEvent{
		Target: f.target, Action: f.action, Device: d.Device, Executor: d.Node, Origin: f.origin, State: fencing.StateFailed,
		Detail: d.Detail, Started: d.Started.UnixMilli(), Completed: now.UnixMilli(), Attempt: f.attempt,
	}
	ev.Detail = outcome.Bounded(ev.Detail)
	if d.OK && f.void {
		d.OK, d.Detail = false, "confirmed, but the node was given work meanwhile: what runs there now may be newer than the cut"
		ev.Detail = d.Detail
	}
	if d.OK && c.tied[f.target].After(f.presumedFrom) && counted(c.snap.CIB, d.Device) {
		d.OK, d.Detail = false, "the node had a session again, so its watchdog counted anew"
		ev.Detail = d.Detail
	}
	if d.OK {
		ev.State = fencing.StateOK
		c.fenceDone(now, f, ev)
		return
	}
	f.detail, f.blocked = d.Detail, d.Blocked
	pause := fenceRetryMin << min(f.attempt-1, 6)
	f.notBefore = now.Add(min(pause, fenceRetryMax))
	c.commit(cib.Change{RecordFence: &cib.RecordFence{Event: ev}}, nil)
	c.say("error", "a fencing failed", "node", f.target, "action", f.action, "attempt", f.attempt, "cause", d.Detail, "again", f.notBefore.Sub(now))
	if f.person {
		delete(c.fences, f.target)
		return
	}
	c.wakeAt(f.notBefore)
}

// fenceDone commits a confirmed fencing; only then what waits for it goes on (safety rule 2).
func (c *Core) fenceDone(now time.Time, f *fence, ev cib.FenceEvent) {
	delete(c.fences, f.target)
	if st := c.stateByName(f.target); st != nil {
		c.fencedAt[f.target] = fenced{boot: st.Boot, at: now}
	}
	batch := []cib.Change{{RecordFence: &cib.RecordFence{Event: ev}}}
	batch = append(batch, outcome.Fenced(c.snap.CIB, c.stateByName(f.target), f.action, now)...)
	if f.action != fencing.On {
		c.dropSession(now, f.target, "the node was fenced")
	}
	c.commit(cib.Change{Batch: batch}, func(_ time.Time, err error) {
		if err != nil {
			return // refused: the plan will ask for the fencing again
		}
		c.say("warn", "a node is fenced", "node", ev.Target, "action", ev.Action, "device", ev.Device, "executor", ev.Executor)
		served := false
		for _, w := range f.waiters {
			if w.machine == c.machine && c.machine != nil {
				w.machine.Confirm(w.action)
				served = true
			}
		}
		if !served {
			c.plans = 0
			c.replan(ev.Target + " was fenced")
		}
	})
}

// dropUnwanted calls off fencings that the new plan does not ask for.
func (c *Core) dropUnwanted() {
	wanted := map[string]bool{}
	for _, a := range c.plan.Graph.Actions {
		if a.Kind == transition.KindFence {
			wanted[a.Node] = true
		}
	}
	for _, f := range c.fences {
		if !wanted[f.target] && !f.person && !f.running() {
			f.cancel("it is not needed any more")
		}
	}
}
