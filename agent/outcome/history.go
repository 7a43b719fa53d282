package outcome

import (
	"fmt"
	"strconv"
	"strings"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// OpKey is the key of an operation in the history: RESOURCE_OPERATION_INTERVAL.
func OpKey(resource, operation string, intervalMS int64) string {
	return fmt.Sprintf("%s_%s_%d", resource, operation, intervalMS)
}

// TransitionKey names the order that an operation's record answers, in the form of Pacemaker's records:
// ACTION:GRAPH:EXPECTED:WHOSE. Graphs are counted within a term.
func TransitionKey(n transition.Numbers, targetRC int) string {
	return fmt.Sprintf("%d:%d:%d:paceline-%d", n.Action, n.Graph, targetRC, n.Term)
}

// HistoryName is the name by which a node knows a resource, and under which its history keeps it. Instances of anonymous
// clones go without their number: which of them is on a node changes from plan to plan, and what was started under one
// number must be found and stopped under any other.
func HistoryName(resource string, meta map[string]string) string {
	if i := strings.LastIndexByte(resource, ':'); i > 0 && meta["globally_unique"] == "false" {
		return resource[:i]
	}
	return resource
}

// inHistory is the name under which a node's history has an instance, for actions that do not say whose instance it is.
func inHistory(st *cib.NodeState, resource string) string {
	base, _, _ := strings.Cut(resource, ":")
	name := resource
	for _, h := range st.Resources {
		switch h.ID {
		case resource:
			return resource
		case base:
			name = base
		}
	}
	return name
}

// clearFailures deletes the fail counts of a resource on a node, of all its operations.
func clearFailures(st *cib.NodeState, resource string) []cib.Change {
	base, _, _ := strings.Cut(resource, ":")
	var out []cib.Change
	for _, set := range st.Attributes {
		for _, p := range set.Pairs {
			for _, prefix := range []string{"fail-count-", "last-failure-"} {
				name, ok := strings.CutPrefix(p.Name, prefix)
				if !ok {
					continue
				}
				if rsc, _, _ := strings.Cut(name, "#"); rsc == base || rsc == resource {
					out = append(out, cib.Change{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: p.Name}})
				}
			}
		}
	}
	return out
}

// clearRecord deletes the record of the newest failure of a resource on a node: what counts no more is not to be read
// again. A change deletes records together with one that it writes, so another of them is written as it is; where there is
// none, nothing but the failure is known.
func clearRecord(st *cib.NodeState, resource string) []cib.Change {
	for _, h := range st.Resources {
		if h.ID != resource {
			continue
		}
		var failure, other *cib.OpRecord
		for _, op := range h.Ops {
			if strings.HasSuffix(op.ID, "_last_failure_0") {
				failure = op
			} else {
				other = op
			}
		}
		if failure == nil {
			return nil
		}
		if other == nil {
			return Forget(st, resource)
		}
		drop := cib.Change{RecordOp: &cib.RecordOp{NodeID: st.ID, Resource: resource, Agent: h.Agent, Record: *other, Drop: []string{failure.ID}}}
		return append([]cib.Change{drop}, keepCall(st, resource, func(op *cib.OpRecord) bool { return op != failure })...)
	}
	return nil
}

// NewestCall is the number of the newest operation that was recorded of a resource on a node, be it forgotten since. On a
// node one runs after the other, and they are reported in that order: what a node reports up to it is known. A time-out that
// the coordinator itself records carries it: it is replayed after what is known, and before what the node will do next.
func NewestCall(st *cib.NodeState, resource string) int64 {
	return newestCall(st, resource, func(*cib.OpRecord) bool { return true })
}

// newestCall is that of the records that are counted, and of those that were forgotten before.
func newestCall(st *cib.NodeState, resource string, counts func(*cib.OpRecord) bool) int64 {
	var newest int64
	if st == nil {
		return 0
	}
	for _, set := range st.Attributes {
		for _, p := range set.Pairs {
			if id, err := strconv.ParseInt(p.Value, 10, 64); err == nil && p.Name == cib.KnownCallAttribute+resource {
				newest = max(newest, id)
			}
		}
	}
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if h.ID != resource || !counts(op) {
				continue
			}
			if id, err := strconv.ParseInt(op.CallID, 10, 64); err == nil {
				newest = max(newest, id)
			}
			newest = max(newest, IntentAfter(op))
		}
	}
	return newest
}

// Forget makes the changes that forget what is known of a resource on a node, but not up to which call it was known: the
// node may repeat a result whose acknowledgement it missed, to this coordinator or to the next, and it must not count again.
func Forget(st *cib.NodeState, resource string) []cib.Change {
	forget := cib.Change{ForgetOps: &cib.ForgetOps{NodeID: st.ID, Resource: resource}}
	return append([]cib.Change{forget}, keepCall(st, resource, func(*cib.OpRecord) bool { return false })...)
}

// remove makes the changes that forget a resource for good, which is none any more: nothing of it is kept, or what is kept would
// grow for as long as resources come and go.
func remove(st *cib.NodeState, resource string) []cib.Change {
	out := []cib.Change{{ForgetOps: &cib.ForgetOps{NodeID: st.ID, Resource: resource}}}
	if newestCall(st, resource, func(*cib.OpRecord) bool { return false }) > 0 {
		out = append(out, cib.Change{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: cib.KnownCallAttribute + resource}})
	}
	return out
}

// keepCall makes the change that keeps the newest call's number when only some of the records stay.
func keepCall(st *cib.NodeState, resource string, stays func(*cib.OpRecord) bool) []cib.Change {
	newest := NewestCall(st, resource)
	if newest <= newestCall(st, resource, stays) {
		return nil
	}
	value := strconv.FormatInt(newest, 10)
	return []cib.Change{{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: cib.KnownCallAttribute + resource, Value: &value}}}
}

// IntentKey is the transition key of an operation that is committed before its order leaves. It takes the place of what is
// recorded of the resource, so it keeps the number of the newest call of that.
func IntentKey(n transition.Numbers, targetRC int, after int64) string {
	return fmt.Sprintf("%s:%d", TransitionKey(n, targetRC), after)
}

// IntentAfter returns which call was the newest recorded when the operation was committed as under way: results up to it
// are known, and nothing new is to be learnt of them. It is 0 for anything but an intent.
func IntentAfter(op *cib.OpRecord) int64 {
	parts := strings.Split(op.TransitionKey, ":")
	if op.OpStatus != strconv.Itoa(cib.OpPending) || len(parts) != 5 {
		return 0
	}
	after, err := strconv.ParseInt(parts[4], 10, 64)
	if err != nil {
		return 0
	}
	return after
}
