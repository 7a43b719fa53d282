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

// Verdict is how a played action ends. The zero value is success.
type Verdict struct {
	Failed bool
	RC     int    // exit code of the failed operation; 0 means generic error
	Why    string // for people
}

// Done is how one action of a played transition ended. Actions that did not run, because what they come after failed, have
// Skipped.
type Done struct {
	Action  *transition.Action `json:"action"`
	RC      int                `json:"rc"`
	Failed  bool               `json:"failed,omitempty"`
	Skipped bool               `json:"skipped,omitempty"`
	Why     string             `json:"why,omitempty"`
}

// Execute plays a graph on a copy of c, with the machine that the coordinator advances graphs with: action by action, in
// the order in which the graph allows them and smallest ID first among those ready, each ending as judge says (nil: all
// succeed) and recorded as the coordinator would. After a failure it goes on with what does not come after it. The result
// lists the real actions, first those that ran in their order, then those that did not.
func Execute(c *cib.CIB, g *transition.Graph, now time.Time, judge func(*transition.Action) Verdict) (*cib.CIB, []Done, error) {
	m, err := transition.NewMachine(g, 1, 1, 1, transition.Limits{Batch: 1, PerNode: 1})
	if err != nil {
		return c, nil, fmt.Errorf("play a transition: %w", err)
	}
	var done []Done
	ran := map[int]bool{}
	for range roundsMax {
		orders := m.Ready(now)
		if len(orders) == 0 {
			break
		}
		for _, o := range orders {
			a := o.Action
			var v Verdict
			if judge != nil {
				v = judge(a)
			}
			next, d, err := end(c, a, now, v)
			if err != nil {
				return c, done, fmt.Errorf("play %s of %s on %s: %w", a.Operation, a.Resource, a.Node, err)
			}
			c, done = next, append(done, d)
			ran[a.ID] = true
			if d.Failed {
				m.Fail(a.ID)
			} else {
				m.Confirm(a.ID)
			}
		}
	}
	for _, a := range g.Actions {
		if a.Kind != transition.KindPseudo && !ran[a.ID] {
			done = append(done, Done{Action: a, Skipped: true, Why: "what it comes after failed"})
		}
	}
	return c, done, nil
}

// end plays the end of one action.
func end(c *cib.CIB, a *transition.Action, now time.Time, v Verdict) (*cib.CIB, Done, error) {
	d := Done{Action: a, RC: a.TargetRC, Failed: v.Failed, Why: v.Why}
	if v.Failed {
		d.RC = v.RC
		if d.RC == 0 {
			d.RC = int(resources.GenericError)
		}
	}
	c = known(c, a.Node)
	st := c.NodeState(a.Node)
	var changes []cib.Change
	switch a.Kind {
	case transition.KindFence:
		if !v.Failed {
			changes = Fenced(c, st, a.Operation, now)
		}
	case transition.KindCluster:
		if !v.Failed {
			changes, _ = ClusterChanges(st, a, now)
			if a.Operation == Shutdown { // the membership sees it go
				changes = append(changes, cib.Change{ClearNode: &cib.ClearNode{ID: st.ID}},
					cib.Change{NodeStatus: &cib.NodeStatus{ID: st.ID, InCCM: "false"}})
			}
		}
	case transition.KindResource:
		r := result(st, a, now, d.RC)
		changes = Changes(c, st, r, now)
	}
	if len(changes) == 0 {
		return c, d, nil
	}
	next, err := cib.Apply(c, cib.Change{Batch: changes})
	if err == nil && a.Kind == transition.KindResource && !v.Failed {
		next, err = connection(next, a)
	}
	return next, d, err
}

// known returns the CIB with a state for the node: remote and guest nodes have none until something is known of them.
func known(c *cib.CIB, node string) *cib.CIB {
	if node == "" || c.NodeState(node) != nil {
		return c
	}
	id := node
	st := &cib.NodeState{ID: id, Uname: node, RemoteNode: "true"}
	if n := c.NodeByName(node); n != nil {
		st.ID, st.RemoteNode = n.ID, ""
		if n.Type == cib.NodeRemote {
			st.RemoteNode = "true"
		}
	}
	out := *c
	out.Status.Nodes = append(c.Status.Nodes[:len(c.Status.Nodes):len(c.Status.Nodes)], st)
	return &out
}

// result is how an executor would report the end of the action.
func result(st *cib.NodeState, a *transition.Action, now time.Time, rc int) transition.Result {
	return transition.Result{
		Numbers: transition.Numbers{Graph: 1, Action: a.ID}, Node: a.Node, Resource: recorded(st, a), Operation: a.Operation,
		IntervalMS: a.IntervalMS, CallID: NextCall(st), RC: rc, Status: cib.OpDone, TargetRC: a.TargetRC, Agent: a.Agent,
		StartedMS: now.UnixMilli(), Digest: a.Digest, RestartDigest: a.RestartDigest,
		MigrateSource: a.Meta["migrate_source"], MigrateTarget: a.Meta["migrate_target"],
	}
}

// recorded is the name under which the node's history keeps the resource of an action. Documents of others may keep an
// instance of an anonymous clone under a number that changes from plan to plan.
func recorded(st *cib.NodeState, a *transition.Action) string {
	name := HistoryName(a.Resource, a.Meta)
	if name == a.Resource {
		return name
	}
	for _, h := range st.Resources {
		if base, number, ok := strings.Cut(h.ID, ":"); ok && base == name && strings.Trim(number, "0123456789") == "" {
			return h.ID
		}
	}
	return name
}

// NextCall is the number that the next operation of a node would have.
func NextCall(st *cib.NodeState) int64 {
	var newest int64
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if id, err := strconv.ParseInt(op.CallID, 10, 64); err == nil {
				newest = max(newest, id)
			}
		}
	}
	return newest + 1
}

// connection lets a remote or guest node appear with its connection, fresh, and go with it.
func connection(c *cib.CIB, a *transition.Action) (*cib.CIB, error) {
	if (a.Agent != cib.Agent{Class: "ocf", Provider: "pacemaker", Type: "remote"}) {
		return c, nil
	}
	c = known(c, a.Resource)
	id := c.NodeState(a.Resource).ID
	switch a.Operation {
	case resources.Start:
		return cib.Apply(c, cib.Change{Batch: []cib.Change{
			{ClearNode: &cib.ClearNode{ID: id}}, {NodeStatus: &cib.NodeStatus{ID: id, InCCM: "true"}},
		}})
	case resources.Stop:
		return cib.Apply(c, cib.Change{NodeStatus: &cib.NodeStatus{ID: id, InCCM: "false"}})
	}
	return c, nil
}
