package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

func (s *Server) explain(ctx context.Context, q *request) (any, error) {
	id, node := q.URL.Query().Get("resource"), q.URL.Query().Get("node")
	if id == "" {
		return nil, Errorf(CodeUsage, q.what, "no resource is named")
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	t, err := findResource(&snap.CIB.Configuration, id)
	if err != nil && node == "" {
		if n, nerr := s.findNode(ctx, snap.CIB, id); nerr == nil {
			return s.explainNode(ctx, snap, n.Uname)
		}
	}
	if err != nil {
		return nil, err
	}
	if node != "" {
		if _, err := s.findNode(ctx, snap.CIB, node); err != nil {
			return nil, err
		}
	}
	live, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	p := s.planOf(ctx, snap, now)
	commits, err := s.backend.History(ctx, originMax)
	if err != nil {
		return nil, err
	}
	return explainFrom(snap, t, node, p, Summarize(snap, live, p, now), commits), nil
}

// explainFrom puts into sentences where a resource is, where it is to be, and why; node by node.
func explainFrom(snap Snapshot, t target, node string, p Plan, st *Status, commits []Commit) *Explanation {
	x := &Explanation{Schema: Schema, Resource: t.resource.ID, Revision: snap.Revision, Nodes: []NodeExplanation{}, Causes: []Cause{}, Would: []string{}}
	id := t.resource.ID
	mine := func(instance string) bool { return instance == id || slices.Contains(t.members, baseID(instance)) }
	now, wanted := places(p.Active, mine), places(p.Wanted, mine)
	switch {
	case len(now) == 0 && len(wanted) == 0:
		x.Summary = append(x.Summary, id+" runs nowhere, and there is nowhere for it to run.")
	case len(now) == 0:
		x.Summary = append(x.Summary, fmt.Sprintf("%s runs nowhere; it is to run on %s.", id, list(wanted)))
	case slices.Equal(now, wanted):
		x.Summary = append(x.Summary, fmt.Sprintf("%s runs on %s, and is to stay.", id, list(now)))
	case len(wanted) == 0:
		x.Summary = append(x.Summary, fmt.Sprintf("%s runs on %s, and is to be stopped.", id, list(now)))
	default:
		x.Summary = append(x.Summary, fmt.Sprintf("%s runs on %s; it is to run on %s.", id, list(now), list(wanted)))
	}
	x.causes(snap, t, p, st, mine)
	if p.Why != nil {
		x.everywhere(causesOf(p.Why(id), snap.CIB, st, commits), node)
	}
	for _, n := range st.Nodes {
		if node != "" && n.Name != node || n.Role == RoleWitness {
			continue
		}
		e := NodeExplanation{Node: n.Name, Reasons: []string{}}
		lost := n.State == NodeUnclean && !n.Online
		switch {
		case slices.Contains(now, n.Name) && lost:
			e.Verdict = "may run here still"
		case slices.Contains(now, n.Name):
			e.Verdict = "runs here"
		case slices.Contains(wanted, n.Name):
			e.Verdict = "is to run here"
		default:
			e.Verdict = "does not run here"
		}
		if at := activeSince(snap.CIB, n.Name, mine); !at.IsZero() && slices.Contains(now, n.Name) {
			if lost {
				e.Reasons = append(e.Reasons, "it was started here at "+stamp(at))
			} else {
				e.Reasons = append(e.Reasons, "it is active here since "+stamp(at))
			}
		}
		if n.State != NodeOnline {
			text := "the node is " + string(n.State)
			if why := cmp.Or(n.Cause, p.NodeWhy[n.Name]); why != "" && n.State != NodeStandby && n.State != NodeMaintenance {
				text += ": " + why
			}
			switch o := originOf(commits, n.Name, string(n.State)); {
			case n.State != NodeStandby && n.State != NodeMaintenance:
				if !n.Since.IsZero() {
					text += " (since " + stamp(n.Since) + ")"
				}
			case o != nil:
				text += fmt.Sprintf(" (since %s, by %s)", stamp(o.Time), o.User)
			}
			e.Reasons = append(e.Reasons, text)
		}
		for _, r := range p.Reasons {
			if r.Node == n.Name && mine(r.Resource) && !slices.Contains(e.Reasons, r.Text) && !(p.Why != nil && strings.Contains(r.Text, " cannot run on ")) {
				e.Reasons = append(e.Reasons, r.Text)
			}
		}
		for _, f := range st.Failures {
			if f.Node == n.Name && mine(f.Resource) {
				e.Reasons = append(e.Reasons, failureText(f))
				x.would("paceline resource cleanup " + f.Resource + " " + f.Node)
			}
		}
		if !slices.Contains(wanted, n.Name) {
			e.Reasons = append(e.Reasons, x.here(n.Name, e.Reasons)...)
		}
		if p.Why == nil && len(e.Reasons) == 0 && len(wanted) > 0 && !slices.Contains(wanted, n.Name) && !slices.Contains(now, n.Name) {
			e.Reasons = append(e.Reasons, "nothing forbids it; "+list(wanted)+" suits better")
		}
		if len(e.Reasons) == 0 && len(wanted) == 0 && len(x.Summary) > 1 {
			e.Reasons = append(e.Reasons, "nothing else keeps it from here")
		}
		switch n.State {
		case NodeStandby:
			x.would("paceline node online " + n.Name)
		case NodeMaintenance:
			x.would("paceline node ready " + n.Name)
		}
		x.Nodes = append(x.Nodes, e)
	}
	for _, c := range x.Causes {
		if c.Node == "" || !slices.Contains(wanted, c.Node) {
			for _, r := range c.remedies(&snap.CIB.Configuration) {
				x.would(r)
			}
		}
	}
	return x
}

// causes adds what holds for the resource as a whole.
func (x *Explanation) causes(snap Snapshot, t target, p Plan, st *Status, mine func(string) bool) {
	if why := keptStopped(&snap.CIB.Configuration, t); why != "" {
		x.Summary = append(x.Summary, "It is stopped on purpose: "+why+".")
		by := t.resource.ID
		for _, a := range t.ancestors {
			if stopped(a.Meta) {
				by = a.ID
			}
		}
		x.would("paceline resource start " + by)
	}
	var inside func(r *cib.Resource)
	inside = func(r *cib.Resource) {
		for _, c := range r.Children {
			if stopped(c.Meta) {
				x.Summary = append(x.Summary, c.ID+" in it is stopped on purpose: target-role of "+c.ID+" is Stopped.")
				x.would("paceline resource start " + c.ID)
			}
			inside(c)
		}
	}
	inside(t.resource)
	if st.Maintenance {
		x.Summary = append(x.Summary, "The cluster is in maintenance mode, so nothing is done about it.")
	}
	if !st.Quorum.Quorate {
		x.Summary = append(x.Summary, "There is no quorum, so nothing is started: "+st.Quorum.Reason+".")
	}
	for instance, why := range p.Blocked {
		if mine(instance) && !strings.Contains(strings.ToLower(strings.Join(x.Summary, "\n")), strings.ToLower(why)) {
			x.Summary = append(x.Summary, why+".")
		}
	}
	slices.Sort(x.Summary[min(1, len(x.Summary)):])
	for _, b := range st.Fencing.Blocked {
		x.Summary = append(x.Summary, b+".")
	}
	for _, r := range p.Reasons {
		if r.Node == "" && mine(r.Resource) && !slices.Contains(x.Summary, r.Text) {
			x.Summary = append(x.Summary, r.Text)
		}
	}
	for _, l := range st.Leftovers {
		if l.Resource == t.resource.ID || slices.ContainsFunc(t.ancestors, func(a *cib.Resource) bool { return a.ID == l.Resource }) {
			x.Summary = append(x.Summary, fmt.Sprintf("%s (%s).", l.Text, l.ID))
			x.would("paceline resource clear " + l.Resource)
		}
	}
}

// everywhere takes in the causes, and says those that hold on every node. With node given, those of other nodes are left out.
func (x *Explanation) everywhere(causes []Cause, node string) {
	for _, c := range causes {
		if node != "" && c.Node != "" && c.Node != node {
			continue
		}
		x.Causes = append(x.Causes, c)
		if c.Node != "" || c.Kind == scheduler.WhyQuorum || c.Kind == scheduler.WhyTargetRole && c.Commit == nil || c.Object == "maintenance-mode" {
			continue // said by the state of the cluster
		}
		x.sum(c)
	}
}

// sum adds a cause to the summary, unless it is there in other words.
func (x *Explanation) sum(c Cause) {
	text := c.text()
	if said := strings.Join(x.Summary, "\n"); strings.Contains(strings.ToLower(said), strings.ToLower(text)) {
		return
	}
	switch word, _, _ := strings.Cut(text, " "); {
	case baseID(c.Resource) != x.Resource:
		text = baseID(c.Resource) + ": " + text
	case word == "it" || word == "constraint" || word == "ticket" || word == "there" || word == "the":
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	x.Summary = append(x.Summary, text+".")
}

// here lists what keeps the resource from a node, without what is said already.
func (x *Explanation) here(node string, said []string) []string {
	var out []string
	for _, c := range x.Causes {
		if c.Node != node || c.Kind == scheduler.WhyNode || c.Kind == scheduler.WhyFencing && c.Object == node {
			continue // the state of the node is said first
		}
		text := c.text()
		if !slices.Contains(said, text) && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return out
}

// would adds a command that would change something, once.
func (x *Explanation) would(command string) {
	if !slices.Contains(x.Would, command) && len(x.Would) < remediesMax {
		x.Would = append(x.Would, command)
	}
}

// places lists the nodes on which something is placed, sorted, each once.
func places(list []Placement, mine func(string) bool) []string {
	var out []string
	for _, p := range list {
		if mine(p.Resource) && p.Node != "" && p.Role != "Stopped" {
			out = append(out, p.Node)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// failureText describes a failure in one sentence part.
func failureText(f Failure) string {
	text := fmt.Sprintf("%s of %s failed", f.Operation, f.Resource)
	if !f.When.IsZero() {
		text += " at " + stamp(f.When)
	}
	text += ": " + cmp.Or(f.Reason, f.RCText)
	switch f.Count {
	case "":
	case "INFINITY":
		text += "; it may not run there again until somebody cleans up"
	default:
		text += " (fail count " + f.Count + ")"
	}
	return text
}
