package coordinator

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
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
	if c.known(st, r) {
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
			if h.ID == c.historyID(r) && op.OpStatus == "-1" {
				c.commit(cib.Change{ForgetOps: &cib.ForgetOps{NodeID: st.ID, Resource: h.ID}}, done)
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

// known reports whether the result, or a newer one of the same operation, is recorded already: executors repeat what was
// not acknowledged.
func (c *Core) known(st *cib.NodeState, r transition.Result) bool {
	interval := strconv.FormatInt(r.IntervalMS, 10)
	for _, h := range st.Resources {
		if h.ID != c.historyID(r) {
			continue
		}
		for _, op := range h.Ops {
			id, err := strconv.ParseInt(op.CallID, 10, 64)
			if err == nil && op.Operation == r.Operation && op.IntervalMS == interval && id >= r.CallID && r.CallID > 0 {
				return true
			}
		}
	}
	return false
}

// historyID is the name under which the history keeps the result's resource.
func (c *Core) historyID(r transition.Result) string { return r.Resource }

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
	good := succeeded(r)
	recorded := func(_ time.Time, err error) {
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
		case isProbe(r) && r.Status == cib.OpDone && (r.RC == int(resources.OK) || r.RC == int(resources.RunningPromoted)):
			c.say("info", r.Resource+" was found running on "+r.Node)
		default:
			c.say("warn", text, "node", r.Node, "res", r.Resource, "op", r.Operation, "rc", r.RC, "reason", r.ExitReason)
		}
	}
	changes := c.resultChanges(now, st, r, good)
	if len(changes) == 0 { // of a notification nothing is kept
		recorded(now, nil)
		return
	}
	c.commit(cib.Change{Batch: changes}, recorded)
}

// succeeded reports whether the result is what was expected.
func succeeded(r transition.Result) bool {
	return r.Status == cib.OpDone && r.RC == r.TargetRC || r.Status == cib.OpCancelled && r.Operation == "cancel"
}

func isProbe(r transition.Result) bool {
	return r.Operation == resources.Monitor && r.IntervalMS == 0
}

// describe says in a sentence part what happened.
func describe(r transition.Result) string {
	what := fmt.Sprintf("%s of %s on %s", r.Operation, r.Resource, r.Node)
	if r.Operation == resources.Monitor && r.IntervalMS > 0 {
		what = fmt.Sprintf("monitor (every %v) of %s on %s", time.Duration(r.IntervalMS)*time.Millisecond, r.Resource, r.Node)
	}
	if succeeded(r) {
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

// resultChanges translates a result into the changes of the history and the fail counts. The forms of identifiers and
// attributes are those of Pacemaker's status section, so that its tools and our scheduler read them alike.
func (c *Core) resultChanges(now time.Time, st *cib.NodeState, r transition.Result, good bool) []cib.Change {
	rsc := c.historyID(r)
	switch r.Operation {
	case "cancel":
		return []cib.Change{{ForgetOps: &cib.ForgetOps{
			NodeID: st.ID, Resource: rsc, Operation: resources.Monitor, IntervalMS: strconv.FormatInt(r.IntervalMS, 10),
		}}}
	case "delete":
		return []cib.Change{{ForgetOps: &cib.ForgetOps{NodeID: st.ID, Resource: rsc}}}
	case resources.Notify:
		return nil
	}
	failed := !good
	if isProbe(r) && r.Status == cib.OpDone {
		switch resources.ExitCode(r.RC) {
		case resources.OK, resources.NotRunning, resources.RunningPromoted, resources.Degraded, resources.DegradedPromoted:
			failed = false // a probe asks; each of these is an answer
		}
	}
	rec := opRecord(r)
	put := func(id string, drop []string) cib.Change {
		rec.ID = id
		return cib.Change{RecordOp: &cib.RecordOp{NodeID: st.ID, Resource: rsc, Agent: r.Agent, Record: rec, Drop: drop}}
	}
	var out []cib.Change
	switch {
	case failed:
		out = append(out, put(rsc+"_last_failure_0", nil))
		if r.IntervalMS == 0 {
			out = append(out, put(rsc+"_last_0", nil))
		}
	case r.IntervalMS > 0:
		out = append(out, put(opKey(rsc, r.Operation, r.IntervalMS), nil))
	default:
		var drop []string
		if r.Operation == resources.Stop {
			drop = recurring(st, rsc)
		}
		out = append(out, put(rsc+"_last_0", drop))
	}
	if failed && !isProbe(r) {
		out = append(out, c.countFailure(now, st, rsc, r)...)
	}
	return out
}

func recurring(st *cib.NodeState, rsc string) []string {
	var out []string
	for _, h := range st.Resources {
		if h.ID == rsc {
			for _, op := range h.Ops {
				if op.IntervalMS != "" && op.IntervalMS != "0" && !strings.HasSuffix(op.ID, "_last_failure_0") {
					out = append(out, op.ID)
				}
			}
		}
	}
	return out
}

func opRecord(r transition.Result) cib.OpRecord {
	key := opKey(r.Resource, r.Operation, r.IntervalMS)
	tkey := fmt.Sprintf("%d:%d:%d:paceline", r.Numbers.Action, r.Numbers.Graph, r.TargetRC)
	rec := cib.OpRecord{
		Key: key, Operation: r.Operation, IntervalMS: strconv.FormatInt(r.IntervalMS, 10),
		CallID: strconv.FormatInt(r.CallID, 10), RC: strconv.Itoa(r.RC), OpStatus: strconv.Itoa(r.Status),
		TransitionKey: tkey, TransitionMagic: fmt.Sprintf("%d:%d;%s", r.Status, r.RC, tkey), ExitReason: bounded(r.ExitReason), OnNode: r.Node,
		LastRCChange: strconv.FormatInt((r.StartedMS+r.TookMS)/1000, 10), ExecTime: strconv.FormatInt(r.TookMS, 10),
		QueueTime: "0", OpDigest: r.Digest, RestartDigest: r.RestartDigest,
		MigrateSource: r.MigrateSource, MigrateTarget: r.MigrateTarget,
	}
	if r.IntervalMS == 0 {
		rec.LastRun = strconv.FormatInt(r.StartedMS/1000, 10)
	}
	return rec
}

// countFailure raises the fail count of an operation: to INFINITY for a failed stop, and for a failed start unless
// start-failure-is-fatal is false; by one for everything else.
func (c *Core) countFailure(now time.Time, st *cib.NodeState, rsc string, r transition.Result) []cib.Change {
	suffix := fmt.Sprintf("%s#%s_%d", rsc, r.Operation, r.IntervalMS)
	value := "INFINITY"
	fatal := r.Operation == resources.Stop
	if r.Operation == resources.Start {
		v, ok := c.snap.CIB.Option("start-failure-is-fatal")
		fatal = !ok || isTrue(v)
	}
	if !fatal {
		count := 0
		for _, set := range st.Attributes {
			for _, p := range set.Pairs {
				if p.Name == "fail-count-"+suffix {
					count, _ = cib.ParseScore(p.Value)
				}
			}
		}
		if count < cib.Infinity-1 {
			value = strconv.Itoa(count + 1)
		}
	}
	when := strconv.FormatInt(now.Unix(), 10)
	return []cib.Change{
		{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: "fail-count-" + suffix, Value: &value}},
		{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: "last-failure-" + suffix, Value: &when}},
	}
}
