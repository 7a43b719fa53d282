package outcome

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
)

// Changes translates a result into the changes of the history and the fail counts. The forms of identifiers and
// attributes are those of Pacemaker's status section, so that its tools and our scheduler read them alike.
func Changes(c *cib.CIB, st *cib.NodeState, r transition.Result, now time.Time) []cib.Change {
	rsc := r.Resource
	switch r.Operation {
	case "cancel":
		interval := strconv.FormatInt(r.IntervalMS, 10)
		forget := cib.Change{ForgetOps: &cib.ForgetOps{NodeID: st.ID, Resource: rsc, Operation: resources.Monitor, IntervalMS: interval}}
		return append([]cib.Change{forget}, keepCall(st, rsc, func(op *cib.OpRecord) bool {
			return op.Operation != resources.Monitor || op.IntervalMS != interval
		})...)
	case "delete":
		return remove(st, rsc)
	case resources.Notify:
		return nil
	}
	failed := !Succeeded(r)
	if Probe(r) && r.Status == cib.OpDone {
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
		out = append(out, put(OpKey(rsc, r.Operation, r.IntervalMS), nil))
	case r.Operation == resources.ReloadAgent:
		out = append(out, reloaded(st, r, rec))
	default:
		var drop []string
		if r.Operation == resources.Stop {
			drop = recurring(st, rsc)
		}
		out = append(out, put(rsc+"_last_0", drop))
	}
	if failed && !Probe(r) && !counted(st, r) {
		out = append(out, countFailure(c, st, r, now)...)
	}
	return out
}

// reloaded records that a running resource has taken changed parameters over: what made it active is recorded with them.
// A record of the reload itself would take the place of that one, and the next change would go unnoticed.
func reloaded(st *cib.NodeState, r transition.Result, rec cib.OpRecord) cib.Change {
	rec.ID, rec.Key, rec.Operation = r.Resource+"_last_0", OpKey(r.Resource, resources.Start, 0), resources.Start
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if h.ID != r.Resource || op.ID != rec.ID {
				continue
			}
			switch op.Operation {
			case resources.Promote, resources.MigrateFrom, resources.Monitor:
				rec.Key, rec.Operation, rec.RC, rec.TransitionKey, rec.TransitionMagic = op.Key, op.Operation, op.RC, op.TransitionKey, op.TransitionMagic
			}
			if rec.ForceRestart == "" { // what needs a restart has not changed, or this was none
				rec.ForceRestart, rec.RestartDigest = op.ForceRestart, op.RestartDigest
			}
		}
	}
	return cib.Change{RecordOp: &cib.RecordOp{NodeID: st.ID, Resource: r.Resource, Agent: r.Agent, Record: rec}}
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
	key := OpKey(r.Resource, r.Operation, r.IntervalMS)
	tkey := TransitionKey(r.Numbers, r.TargetRC)
	rec := cib.OpRecord{
		Key: key, Operation: r.Operation, IntervalMS: strconv.FormatInt(r.IntervalMS, 10),
		CallID: strconv.FormatInt(r.CallID, 10), RC: strconv.Itoa(r.RC), OpStatus: strconv.Itoa(r.Status),
		TransitionKey: tkey, TransitionMagic: fmt.Sprintf("%d:%d;%s", r.Status, r.RC, tkey), ExitReason: Bounded(r.ExitReason), OnNode: r.Node,
		LastRCChange: strconv.FormatInt((r.StartedMS+r.TookMS)/1000, 10), ExecTime: strconv.FormatInt(r.TookMS, 10),
		QueueTime: "0", OpDigest: r.Digest, RestartDigest: r.RestartDigest, ForceRestart: r.ForceRestart,
		MigrateSource: r.MigrateSource, MigrateTarget: r.MigrateTarget,
	}
	if r.IntervalMS == 0 {
		rec.LastRun = strconv.FormatInt(r.StartedMS/1000, 10)
	}
	return rec
}

// counted tells whether the failure of an order was counted before: the coordinator gave up waiting for its result, which
// has come after all.
func counted(st *cib.NodeState, r transition.Result) bool {
	if r.Unasked {
		return false // what a recurring monitor sees later is another failure
	}
	key := TransitionKey(r.Numbers, r.TargetRC)
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if h.ID == r.Resource && op.ID == r.Resource+"_last_failure_0" && op.Operation == r.Operation &&
				op.OpStatus == strconv.Itoa(cib.OpTimeout) && op.TransitionKey == key {
				return true
			}
		}
	}
	return false
}

// countFailure raises the fail count of an operation: to INFINITY for a failed stop, and for a failed start unless
// start-failure-is-fatal is false; by one for everything else.
func countFailure(c *cib.CIB, st *cib.NodeState, r transition.Result, now time.Time) []cib.Change {
	suffix := fmt.Sprintf("%s#%s_%d", r.Resource, r.Operation, r.IntervalMS)
	value := "INFINITY"
	fatal := r.Operation == resources.Stop
	if r.Operation == resources.Start {
		v, ok := c.Option("start-failure-is-fatal")
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

// Succeeded reports whether the result is what was expected.
func Succeeded(r transition.Result) bool {
	return r.Status == cib.OpDone && r.RC == r.TargetRC || r.Status == cib.OpCancelled && r.Operation == "cancel"
}

// Probe reports whether the result answers the question if a resource is active: no failure of it is one of the resource. What a node
// saw because of an event is none: the resource was active.
func Probe(r transition.Result) bool {
	return r.Operation == resources.Monitor && r.IntervalMS == 0 && r.Event == ""
}

// isTrue reads a boolean of the CIB; a bad one counts as false.
func isTrue(s string) bool {
	b, err := cib.ParseBool(s)
	return err == nil && b
}

// Bounded cuts a text that an agent or a device gave to what the CIB keeps, at a whole character.
func Bounded(text string) string {
	if len(text) > ReasonMax {
		text = text[:ReasonMax]
	}
	return strings.ToValidUTF8(text, "")
}
