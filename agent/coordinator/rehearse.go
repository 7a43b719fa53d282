package coordinator

import (
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/fencing"
)

// rehearsal is the rehearsal of a target's fencing.
type rehearsal struct {
	fencing.Request
	machine *fencing.Rehearsal
}

// rehearse asks the devices of a target whether they could fence it. One that runs already serves whoever asks.
func (c *Core) rehearse(now time.Time, e FenceRehearsed) {
	if c.tests[e.Target] != nil {
		return
	}
	c.fenceNo++
	req := fencing.Request{
		Number: c.fenceNo, Target: e.Target, Action: FencingAction(c.snap.CIB), Origin: e.Origin, Term: c.term, View: c.view.Seq,
		Devices: aimed(Devices(c.snap.CIB), c.stateByName(e.Target)), Levels: Levels(c.snap.CIB, e.Target), Live: c.live(), Self: c.cfg.Self,
	}
	c.tests[e.Target] = &rehearsal{req, fencing.NewRehearsal(req, c.isUp(e.Target))}
	c.stepRehearsal(now, e.Target, nil)
}

// stepRehearsal moves a rehearsal on. A nil event is the passing of time.
func (c *Core) stepRehearsal(now time.Time, target string, ev fencing.Event) {
	t := c.tests[target]
	for _, e := range t.machine.Step(now, ev) {
		switch e := e.(type) {
		case fencing.Ask:
			c.effects = append(c.effects, SendFence{Node: e.Node, Order: e.Order})
		case fencing.Done:
			delete(c.tests, target)
			r := e.Record(t.Request, now)
			r.Action, r.Detail = fencing.Test, outcome.Bounded(r.Detail)
			c.say("info", "a fencing was rehearsed", "node", target, "ok", e.OK, "devices", e.Device, "cause", e.Detail)
			c.commit(cib.Change{RecordFence: &cib.RecordFence{Event: eventOf(r)}}, nil)
			return
		}
	}
	c.wakeAt(t.machine.Deadline())
}

// tendRehearsals gives rehearsals their time.
func (c *Core) tendRehearsals(now time.Time) {
	for _, target := range sortedKeys(c.tests) {
		c.stepRehearsal(now, target, nil)
	}
}

// rehearsalEvent hands an event to the rehearsals: a result, or the loss of a node.
func (c *Core) rehearsalEvent(now time.Time, ev fencing.Event) {
	for _, target := range sortedKeys(c.tests) {
		c.stepRehearsal(now, target, ev)
	}
}
