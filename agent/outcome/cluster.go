package outcome

import (
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/fencing"
)

// Shutdown is the coordinator's own action that lets a node go.
const Shutdown = "do_shutdown"

// Fenced returns what a confirmed fencing means. After off and reboot nothing that was known of the node holds any more,
// and it is down; after on (unfencing) the node is noted as having its access back, until it is down the next time.
func Fenced(st *cib.NodeState, action string, now time.Time) []cib.Change {
	if st == nil {
		return nil
	}
	at := strconv.FormatInt(now.Unix(), 10)
	if action == fencing.On {
		return []cib.Change{{SetTransient: &cib.SetTransient{NodeID: st.ID, Name: "#node-unfenced", Value: &at}}}
	}
	return []cib.Change{
		{ClearNode: &cib.ClearNode{ID: st.ID}},
		{NodeStatus: &cib.NodeStatus{
			ID: st.ID, Uname: st.Uname, InCCM: "false", CRMD: "offline", Join: "down", Expected: "down",
			Fenced: at, Since: now.UnixMilli(), Cause: "fenced (" + action + ")",
		}},
	}
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
