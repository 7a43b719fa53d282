package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"
)

// explainNode says in which state a node is, why and since when, what that means for resources, and what would change it.
func (s *Server) explainNode(ctx context.Context, snap Snapshot, name string) (any, error) {
	live, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	p := s.planOf(ctx, snap, now)
	return explainNodeFrom(snap, name, p, Summarize(snap, live, p, now)), nil
}

func explainNodeFrom(snap Snapshot, name string, p Plan, st *Status) *Explanation {
	x := &Explanation{Schema: Schema, Node: name, Revision: snap.Revision, Nodes: []NodeExplanation{}, Causes: []Cause{}, Would: []string{}}
	at := slices.IndexFunc(st.Nodes, func(n Node) bool { return n.Name == name })
	if at < 0 {
		x.Summary = []string{name + " is configured, and nothing is known of its state."}
		return x
	}
	n := st.Nodes[at]
	text := fmt.Sprintf("%s is %s", name, n.State)
	if !n.Since.IsZero() {
		text += " since " + stamp(n.Since)
	}
	if why := cmp.Or(p.NodeWhy[name], n.Cause); why != "" && n.State != NodeOnline {
		text += ": " + why
	}
	x.Summary = append(x.Summary, text+".", stateMeaning[n.State])
	if n.Role == RoleWitness {
		x.Summary = append(x.Summary, "It is a witness: it votes, and runs no resources.")
	} else if !n.Session && n.Online {
		x.Summary = append(x.Summary, "The coordinator has no session to it: it can be given no orders.")
	}
	x.nodeFencing(n, st)
	if len(n.Resources) > 0 {
		x.Summary = append(x.Summary, "Active on it: "+list(n.Resources)+".")
	} else if n.Role != RoleWitness {
		x.Summary = append(x.Summary, "Nothing is active on it.")
	}
	e := NodeExplanation{Node: name, Verdict: string(n.State), Reasons: []string{}}
	for _, r := range p.Reasons {
		if r.Node == name && !slices.Contains(e.Reasons, r.Text) {
			e.Reasons = append(e.Reasons, r.Text)
		}
	}
	for _, f := range st.Failures {
		if f.Node == name {
			e.Reasons = append(e.Reasons, failureText(f))
			x.would("paceline resource cleanup " + f.Resource + " " + f.Node)
		}
	}
	x.Nodes = append(x.Nodes, e)
	return x
}

// nodeFencing adds how far the fencing of a node is, and the commands that its state calls for.
func (x *Explanation) nodeFencing(n Node, st *Status) {
	for _, f := range st.Fencing.Pending {
		if f.Target == n.Name {
			x.Summary = append(x.Summary, fmt.Sprintf("Its fencing (%s) is under way since %s.", f.Action, stamp(f.Since)))
		}
	}
	switch n.State {
	case NodeStandby:
		x.would("paceline node online " + n.Name)
	case NodeMaintenance:
		x.would("paceline node ready " + n.Name)
	case NodeUnclean:
		for _, b := range st.Fencing.Blocked {
			x.Summary = append(x.Summary, b+".")
		}
		x.would("paceline node fence " + n.Name)
		x.would("paceline node fence " + n.Name + " --confirmed")
	}
}

// stateMeaning is what a state means for resources.
var stateMeaning = map[NodeState]string{
	NodeOnline:      "Resources may run there.",
	NodeStandby:     "Nothing runs there until it is taken out of standby.",
	NodeMaintenance: "What runs there is left alone, and nothing is started or stopped there.",
	NodeRestarting:  "What runs there is taken to run on, and nothing is planned. If its daemon is not back in time, the node counts as lost: it is fenced, and what it ran starts elsewhere.",
	NodePending:     "It is alive and not ready for orders yet: nothing is started there before it is.",
	NodeLeaving:     "It asked to leave: what runs there moves away, and then it goes.",
	NodeLeft:        "It left in good order: nothing runs there.",
	NodeOffline:     "It is known to be down: what it ran may run elsewhere.",
	NodeUnclean:     "Nobody knows whether it still runs something: what it ran starts elsewhere only after it is fenced.",
}
