package outcome

import (
	"slices"
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/resources"
)

// Shutdown is the coordinator's own action that lets a node go.
const Shutdown = "do_shutdown"

// Fenced returns what a confirmed fencing of the node of a state in c means. After off and reboot nothing that was known
// of the node holds any more, and it is down; what was migrating away from it is looked for where it went. After on
// (unfencing) the node is noted as having its access back, until it is down the next time.
func Fenced(c *cib.CIB, st *cib.NodeState, action string, now time.Time) []cib.Change {
	if st == nil {
		return nil
	}
	at := strconv.FormatInt(now.Unix(), 10)
	if action == fencing.On {
		return []cib.Change{{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: "#node-unfenced", Value: &at}}}
	}
	return append(Cleared(c, st),
		cib.Change{NodeStatus: &cib.NodeStatus{
			ID: st.ID, Uname: st.Uname, InCCM: "false", CRMD: "offline", Join: "down", Expected: "down",
			Fenced: at, Since: now.UnixMilli(), Cause: "fenced (" + action + ")",
		}})
}

// Cleared returns what it means that the life of a node has ended of which a state in c tells: nothing of it holds any
// more. What the targets of its migrations said of the resource before is forgotten as well, so that they are probed:
// with the history of the source goes the only record that something may have arrived there, and what nobody knows of
// would be started a second time. A target that has begun its own half of the migration has a record of that.
func Cleared(c *cib.CIB, source *cib.NodeState) []cib.Change {
	out := []cib.Change{{ClearNode: &cib.ClearNode{ID: source.ID}}}
	for _, h := range source.Resources {
		for _, op := range h.Ops {
			if op.Operation != resources.MigrateTo || op.MigrateTarget == "" || op.MigrateTarget == source.Uname {
				continue
			}
			if target := c.NodeState(op.MigrateTarget); target != nil {
				out = append(out, forgetArrival(target, h.ID)...)
			}
		}
	}
	return out
}

// forgetArrival forgets what the target of a migration says of the resource, unless it says that it took part.
func forgetArrival(target *cib.NodeState, resource string) []cib.Change {
	for _, h := range target.Resources {
		if h.ID == resource && !slices.ContainsFunc(h.Ops, func(op *cib.OpRecord) bool { return op.Operation == resources.MigrateFrom }) {
			return Forget(target, resource)
		}
	}
	return nil
}

// ClusterChanges returns what an action of the coordinator's own does; known is false for one that nobody knows.
func ClusterChanges(st *cib.NodeState, a *transition.Action, now time.Time) (changes []cib.Change, known bool) {
	switch a.Operation {
	case Shutdown:
		return []cib.Change{{NodeStatus: &cib.NodeStatus{
			ID: st.ID, Uname: st.Uname, Join: "down", Expected: "down", CRMD: "offline", Since: now.UnixMilli(), Cause: "left in good order",
		}}}, true
	case "clear_failcount":
		return append(clearFailures(st, a.Resource), clearRecord(st, inHistory(st, a.Resource))...), true
	case "lrm_delete":
		return remove(st, inHistory(st, a.Resource)), true
	}
	return nil, false
}
