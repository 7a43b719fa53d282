package coordinator

import (
	"fmt"
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/transition"
	"paceline/resources"
)

// reported takes a result in: exactly once, and as what it is. A result of an order in flight moves the transition on;
// any other - late, unasked - is still the truth about its node, is recorded, and leads to a new plan.
func (c *Core) reported(now time.Time, r transition.Result) {
	st := c.stateByName(r.Node)
	if st == nil || st.Incarnation != "" && r.Incarnation != "" && st.Incarnation != r.Incarnation && st.Boot != c.session(r.Node).boot {
		c.say("warn", "a result of a node that is no member was dropped", "node", r.Node, "res", r.Resource, "op", r.Operation)
		return
	}
	if c.later(r, func(now time.Time) { c.reported(now, r) }) {
		return
	}
	if known(st, r) {
		c.effects = append(c.effects, Ack{Node: r.Node, CallID: r.CallID})
		return
	}
	var action *transition.Action
	if c.machine != nil && !r.Unasked {
		action, _ = c.machine.InFlight(r.Numbers)
	}
	if r.Status == cib.OpCancelled && r.Operation != "cancel" {
		c.neverRan(st, r, action)
		return
	}
	c.record(now, r, action)
}

// later puts off what a result of a resource means while another one is being committed. Judged by the state before that one,
// two failures would count as one, and a repeated one as two.
func (c *Core) later(r transition.Result, then func(now time.Time)) bool {
	key := r.Node + "/" + r.Resource
	waiting, busy := c.recording[key]
	if busy {
		c.recording[key] = append(waiting, then)
	}
	return busy
}

// neverRan takes in that a node did not carry an order out. Nothing may be concluded about the resource, and least of all
// that a stop failed: the intent is forgotten, so that the resource is probed, and the plan is made again.
func (c *Core) neverRan(st *cib.NodeState, r transition.Result, action *transition.Action) {
	text := fmt.Sprintf("%s of %s on %s was not carried out%s", r.Operation, r.Resource, r.Node, because(r.ExitReason))
	m := c.machine
	done := func(_ time.Time, err error) {
		if err == nil && r.CallID > 0 {
			c.effects = append(c.effects, Ack{Node: r.Node, CallID: r.CallID})
		}
		if action != nil {
			m.Fail(action.ID)
		}
		c.say("warn", text, "node", r.Node, "res", r.Resource, "op", r.Operation)
		c.replan(text)
	}
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if h.ID == r.Resource && op.OpStatus == "-1" {
				c.commit(cib.Change{Batch: outcome.Forget(st, h.ID)}, done)
				return
			}
		}
	}
	done(time.Time{}, nil)
}

func (c *Core) stateByName(node string) *cib.NodeState {
	for _, st := range c.snap.CIB.Status.Nodes {
		if st.Uname == node {
			return st
		}
	}
	return nil
}

// known reports whether the result is recorded already, or is from before one that is recorded, or before what is committed as
// under way: on a node one operation of a resource runs after the other, and they are reported in that order, so it was
// recorded before, and the node repeats it because the acknowledgement was lost. To record it again would put it in the
// place of what is newer - a start in flight would look like a stop that is done - and count it twice.
func known(st *cib.NodeState, r transition.Result) bool {
	return r.CallID > 0 && r.CallID <= outcome.NewestCall(st, r.Resource)
}

// record commits a result and then moves the transition on, if the result is that of its action.
func (c *Core) record(now time.Time, r transition.Result, action *transition.Action) {
	st := c.stateByName(r.Node)
	m := c.machine
	if st == nil {
		if action != nil {
			m.Fail(action.ID)
			c.replan(fmt.Sprintf("%s has no state", r.Node))
		}
		return
	}
	good := outcome.Succeeded(r)
	recorded := func(now time.Time, err error) {
		if err != nil {
			if action != nil {
				m.Fail(action.ID)
			}
			return
		}
		if r.CallID > 0 {
			c.effects = append(c.effects, Ack{Node: r.Node, CallID: r.CallID})
		}
		text := describe(r)
		switch {
		case action != nil && (good || r.Operation == resources.Notify):
			// A notification asks for nothing. If one that failed held up what comes after it, the next plan would ask for the
			// same again: many agents answer that they do not know the operation.
			m.Confirm(action.ID)
		case action != nil:
			m.Fail(action.ID)
			c.replan(text)
		default:
			c.plans = 0
			c.replan(text)
		}
		switch {
		case good:
			c.say("debug", text, "node", r.Node, "res", r.Resource, "op", r.Operation, "took", r.TookMS)
		case outcome.Probe(r) && r.Status == cib.OpDone && (r.RC == int(resources.OK) || r.RC == int(resources.RunningPromoted)):
			c.say("info", r.Resource+" was found running on "+r.Node)
		default:
			c.say("warn", text, "node", r.Node, "res", r.Resource, "op", r.Operation, "rc", r.RC, "reason", r.ExitReason)
			c.happened(HappenedFailure, now, r.Node, r.Resource, text)
		}
	}
	changes := outcome.Changes(c.snap.CIB, st, r, now)
	if len(changes) == 0 { // of a notification nothing is kept
		recorded(now, nil)
		return
	}
	key := r.Node + "/" + r.Resource
	c.recording[key] = nil
	c.commit(cib.Change{Batch: changes}, func(now time.Time, err error) {
		waiting := c.recording[key]
		delete(c.recording, key)
		recorded(now, err)
		for _, then := range waiting {
			then(now)
		}
	})
}

// describe says in a sentence part what happened.
func describe(r transition.Result) string {
	what := fmt.Sprintf("%s of %s on %s", r.Operation, r.Resource, r.Node)
	if r.Operation == resources.Monitor && r.IntervalMS > 0 {
		what = fmt.Sprintf("monitor (every %v) of %s on %s", time.Duration(r.IntervalMS)*time.Millisecond, r.Resource, r.Node)
	}
	if outcome.Succeeded(r) {
		return what + " succeeded"
	}
	if r.Status == cib.OpTimeout {
		return what + " timed out" + because(r.ExitReason)
	}
	return fmt.Sprintf("%s returned %d (%s)%s", what, r.RC, resources.ExitCode(r.RC), because(r.ExitReason))
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return ": " + reason
}
