package coordinator

import (
	"fmt"
	"runtime/debug"
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/resources"
)

// advance moves the transition on, and plans the next when it has come to its end.
func (c *Core) advance(now time.Time) {
	if !c.ready {
		return
	}
	if c.machine != nil {
		c.expire(now)
		c.issue(now)
		if c.held() && !c.recheck.IsZero() {
			if now.Before(c.recheck) {
				c.wakeAt(c.recheck)
			} else {
				c.replan("time passed")
			}
		}
		if !c.machine.Settled() {
			c.wakeAt(c.machine.Deadline())
			return
		}
		c.finish(now)
	}
	if c.dirty == "" && (c.recheck.IsZero() || now.Before(c.recheck)) {
		c.wakeAt(c.recheck)
		return
	}
	if len(c.commits) > 0 || !c.sessionsSettled() || c.awaitsResults(now) {
		return // what is on its way will decide about the plan
	}
	if now.Before(c.calmTill) {
		c.wakeAt(c.calmTill)
		return
	}
	c.schedule(now)
}

// held reports whether nothing but fencings keeps the transition from its end: that can last, and time passes meanwhile.
func (c *Core) held() bool {
	m := c.machine
	return !m.Settled() && len(m.Flying(transition.KindResource)) == 0 && len(m.Flying(transition.KindCluster)) == 0
}

// sessionsSettled reports that every node that is committed as online has a session: orders would reach it.
func (c *Core) sessionsSettled() bool {
	for _, st := range c.snap.CIB.Status.Nodes {
		if online(st) && st.RemoteNode == "" && !c.isUp(st.Uname) {
			return false
		}
	}
	return true
}

// schedule plans for the newest state and starts the transition.
func (c *Core) schedule(now time.Time) {
	why := c.dirty
	if why == "" {
		why = "time passed"
	}
	c.dirty = ""
	plan, m, broken := c.makePlan(now)
	if broken != "" {
		c.dirty, c.calmTill = why, now.Add(calmPause)
		c.say("error", "the scheduler broke: nothing is done until it is tried again", "revision", c.snap.Revision, "pause", calmPause, "cause", broken)
		c.wakeAt(c.calmTill)
		return
	}
	c.plan, c.planned = plan, c.snap.Revision
	c.recheck = c.plan.Recheck
	if !c.recheck.IsZero() && !c.recheck.After(now) {
		c.recheck = now.Add(time.Second)
	}
	c.dropUnwanted()
	if c.plan.Graph.Real() == 0 {
		c.plans = 0
		c.machine = nil
		c.say("debug", "nothing to do", "revision", c.snap.Revision, "cause", why)
		c.wakeAt(c.recheck)
		return
	}
	c.plans++
	if c.plans > calmAfter {
		c.calmTill, c.plans = now.Add(calmPause), 0
		c.say("warn", "the cluster plans in circles; it waits before it goes on", "pause", calmPause, "cause", why)
	}
	c.machine = m
	c.effects = append(c.effects, Planned{
		Term: c.term, Graph: c.graphs, Revision: c.snap.Revision, Now: now, Cause: why, CIB: c.snap.CIB, Plan: plan.Graph,
	})
	c.say("info", "a transition starts", "graph", c.graphs, "rev", c.snap.Revision, "actions", c.plan.Graph.Real(), "cause", why)
	c.issue(now)
	c.wakeAt(m.Deadline())
	if m.Settled() {
		c.wakeAt(now) // it ended in the act: nothing else would happen that ends it
	}
}

// makePlan plans, and outlives a broken invariant in the scheduler: the daemon would start again, be elected again and
// plan the same again, and nobody would be told why. Status plans by itself and shows the fault to people.
func (c *Core) makePlan(now time.Time) (plan *scheduler.Result, m *transition.Machine, broken string) {
	defer func() {
		if r := recover(); r != nil {
			broken = fmt.Sprintf("%v\n%s", r, debug.Stack())
		}
	}()
	plan = c.cfg.Plan(c.snap.CIB, now)
	if plan.Graph.Real() == 0 {
		return plan, nil, ""
	}
	c.graphs++
	m, err := transition.NewMachine(plan.Graph, c.term, c.snap.Revision, c.graphs, c.limits())
	if err != nil {
		return nil, nil, err.Error()
	}
	return plan, m, ""
}

func (c *Core) limits() transition.Limits {
	var l transition.Limits
	if v, ok := c.snap.CIB.Option("batch-limit"); ok {
		l.Batch, _ = strconv.Atoi(v)
	}
	if v, ok := c.snap.CIB.Option("node-action-limit"); ok {
		l.PerNode, _ = strconv.Atoi(v)
	}
	return l
}

// finish ends the transition. One that ran to its end is followed by another plan, which is empty if all is well.
func (c *Core) finish(now time.Time) {
	m := c.machine
	c.machine = nil
	e := Ended{Term: c.term, Graph: m.Numbers().Graph, Now: now, Aborted: m.Aborted()}
	e.Done, e.Failed, e.Rest = m.Outcome()
	c.effects = append(c.effects, e)
	if why := m.Aborted(); why != "" {
		c.say("debug", "the transition was cut short", "graph", m.Numbers().Graph, "left", m.Left(), "cause", why)
		if c.dirty == "" {
			c.dirty = why
		}
		return
	}
	c.say("info", "the transition is complete", "graph", m.Numbers().Graph, "left", m.Left())
	if c.dirty == "" {
		c.dirty = "the transition before is complete"
	}
}

// issue hands out what is ready: fencings to the fencer, the coordinator's own actions to itself, operations to executors.
func (c *Core) issue(now time.Time) {
	for again := true; again && c.machine != nil; {
		again = false
		m := c.machine
		var intents []cib.Change
		var after []transition.Order
		for _, o := range c.machine.Ready(now) {
			switch {
			case o.Action.Kind == transition.KindFence:
				c.fenceOrdered(now, o.Action)
			case o.Action.Kind == transition.KindCluster:
				c.clusterAction(now, o.Action)
				again = true // there may have been nothing to do
			case !c.isUp(o.Action.Executor()):
				c.machine.Fail(o.Action.ID)
				c.replan("there is no session to " + o.Action.Executor())
				again = true
			case c.intended(o.Action):
				intents = append(intents, c.intent(now, o)...)
				after = append(after, o)
			default:
				c.send(o)
			}
		}
		if len(intents) > 0 {
			c.commit(cib.Change{Batch: intents}, func(_ time.Time, err error) {
				for _, o := range after {
					if err == nil {
						c.send(o)
					} else {
						m.Fail(o.Action.ID)
					}
				}
			})
		}
	}
}

func (c *Core) send(o transition.Order) {
	a := *o.Action
	if f := c.fences[a.Executor()]; f != nil && f.running() && c.intended(&a) {
		f.void = true
	}
	a.Resource = outcome.HistoryName(a.Resource, a.Meta)
	if a.Operation == resources.Notify {
		a.Meta = notifyMeta(&a)
	}
	o.Action = &a
	c.effects = append(c.effects, Send{Node: o.Action.Executor(), Order: o})
}

// intended reports whether the order makes something active that was not: then its intent is committed before it leaves,
// so that a coordinator elected meanwhile knows where to look (safety rules 1 and 3).
func (c *Core) intended(a *transition.Action) bool {
	switch a.Operation {
	case resources.Start, resources.Promote, resources.MigrateTo, resources.MigrateFrom:
		return true
	}
	return false
}

func (c *Core) intent(now time.Time, o transition.Order) []cib.Change {
	a := o.Action
	st := c.snap.CIB.NodeState(a.Node)
	if st == nil {
		return nil
	}
	key := outcome.OpKey(a.Resource, a.Operation, a.IntervalMS)
	name := outcome.HistoryName(a.Resource, a.Meta)
	tkey := outcome.IntentKey(o.Numbers, a.TargetRC, outcome.NewestCall(st, name))
	return []cib.Change{{RecordOp: &cib.RecordOp{
		NodeID: st.ID, Resource: name, Agent: a.Agent,
		Record: cib.OpRecord{
			ID: name + "_last_0", Key: key, Operation: a.Operation, IntervalMS: "0", CallID: "-1", RC: "193",
			OpStatus: strconv.Itoa(cib.OpPending), TransitionKey: tkey, TransitionMagic: "-1:193;" + tkey,
			OnNode: a.Node, LastRun: strconv.FormatInt(now.Unix(), 10), OpDigest: a.Digest,
			MigrateSource: a.Meta["migrate_source"], MigrateTarget: a.Meta["migrate_target"],
		},
	}}}
}

// clusterAction carries out what is the coordinator's own to do.
func (c *Core) clusterAction(now time.Time, a *transition.Action) {
	m := c.machine
	done := func(_ time.Time, err error) {
		if err != nil {
			m.Fail(a.ID)
			return
		}
		m.Confirm(a.ID)
	}
	st := c.snap.CIB.NodeState(a.Node)
	if st == nil {
		m.Confirm(a.ID)
		return
	}
	changes, known := outcome.ClusterChanges(st, a, now)
	switch {
	case !known:
		c.say("error", "nobody knows how to do what the plan asks for", "op", a.Operation, "node", a.Node)
		m.Fail(a.ID)
		return
	case len(changes) == 0:
		m.Confirm(a.ID)
		return
	case a.Operation == outcome.Shutdown:
		c.say("info", a.Node+" may leave: nothing runs there any more")
	}
	c.commit(cib.Change{Batch: changes}, done)
}

// expire gives up on operations whose result did not come in time: the executor should have ended them long before.
func (c *Core) expire(now time.Time) {
	for _, a := range c.machine.Expired(now) {
		c.say("error", "no result came in time", "res", a.Resource, "op", a.Operation, "node", a.Node)
		r := transition.Result{
			Numbers: transition.Numbers{Term: c.term, Revision: c.snap.Revision, Graph: c.machine.Numbers().Graph, Action: a.ID},
			Node:    a.Node, Resource: outcome.HistoryName(a.Resource, a.Meta), Operation: a.Operation, IntervalMS: a.IntervalMS,
			CallID: outcome.NewestCall(c.stateByName(a.Node), outcome.HistoryName(a.Resource, a.Meta)),
			RC:     int(resources.GenericError), Status: cib.OpTimeout, TargetRC: a.TargetRC, Agent: a.Agent,
			ExitReason: fmt.Sprintf("the node gave no result within %v", a.Budget()+transition.Grace),
			StartedMS:  now.Add(-a.Budget()).UnixMilli(), Digest: a.Digest, RestartDigest: a.RestartDigest,
		}
		m := c.machine
		missing := func(now time.Time) {
			if c.machine != m {
				return
			}
			if in, _ := m.InFlight(r.Numbers); in != nil { // it did not come after all
				c.record(now, r, a)
			}
		}
		if !c.later(r, missing) {
			missing(now)
		}
	}
}
