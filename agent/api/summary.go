package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"paceline/agent/cib"
)

func (s *Server) status(ctx context.Context, q *request) (any, error) {
	return s.currentStatus(ctx, q.who)
}

// currentStatus asks the coordinator, wherever it is. If that fails within RouteWait, what this node knows is the answer,
// marked stale.
func (s *Server) currentStatus(ctx context.Context, who identity) (*Status, error) {
	search, cancel := context.WithTimeout(ctx, RouteWait)
	defer cancel()
	route, err := s.route(search, who)
	switch {
	case err != nil:
		if e := asError(err, "", ""); e.Code == CodeUnconfigured {
			return nil, e
		}
	case route.Local:
		return s.localStatus(ctx, "")
	case who.forwarded != "":
		return nil, Errorf(CodeNoCoordinator, "", "%s is not the coordinator (any more)", s.node(ctx))
	default:
		st := &Status{}
		if err = s.fetch(search, route, who, "/v1/status", st); err == nil {
			return st, nil
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return s.localStatus(ctx, asError(err, "", "").Why)
}

// localStatus sums up what this node knows.
func (s *Server) localStatus(ctx context.Context, stale string) (*Status, error) {
	live, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	if live.Cluster == "" {
		return nil, ErrUnconfigured
	}
	if live.Stale == "" {
		live.Stale = stale
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	st := Summarize(snap, live, s.planOf(ctx, snap, now), now)
	if commits, err := s.backend.History(ctx, 1); err == nil && len(commits) > 0 {
		st.LastChange = &commits[0]
	}
	return st, nil
}

// Summarize makes the status of a committed state, of what is known beside it, and of what the scheduler makes of it. It
// is pure.
func Summarize(snap Snapshot, live Live, p Plan, now time.Time) *Status {
	c := snap.CIB
	if live.Unheard {
		p.Active = nil
	}
	st := &Status{
		Schema: Schema, Cluster: live.Cluster, Node: live.Node, Version: live.Version, Time: now,
		Stale: live.Stale != "", StaleReason: live.Stale, Coordinator: live.Coordinator, Term: live.Term, Quorum: live.Quorum,
		Revision: snap.Revision, ConfigRevision: snap.ConfigRevision,
		Maintenance: optionTrue(&c.Configuration, "maintenance-mode", false),
		Transition:  live.Transition, Leftovers: leftovers(&c.Configuration),
	}
	st.Transition.Pending = nonNil(st.Transition.Pending)
	st.Failures = []Failure{}
	failedAt := map[[2]string]bool{}
	for _, f := range failuresShown(c, live) {
		st.Failures = append(st.Failures, f.Failure)
		failedAt[[2]string{f.Node, f.instance}] = true
	}
	st.Nodes = nodes(c, live, p)
	st.Fencing = fencingOf(c, live, st.Nodes)
	t := tree{c: &c.Configuration, plan: p, live: live, failed: failedAt, clusterMaintenance: st.Maintenance}
	st.Resources = t.resources()
	for _, x := range c.Status.Tickets {
		st.Tickets = append(st.Tickets, Ticket{ID: x.ID, Granted: isTrue(x.Granted, false), Standby: isTrue(x.Standby, false)})
	}
	st.Counts = count(st)
	st.Links = live.Links
	st.Problems = problems(c, live, p, st)
	st.Protected = protection(st)
	return st
}

// failuresShown are the failures that are known to be of now.
func failuresShown(c *cib.CIB, live Live) []failure {
	if live.Unheard {
		return nil
	}
	return failures(c)
}

// nodes lists the configured nodes in their order, then living members that are not configured yet.
func nodes(c *cib.CIB, live Live, p Plan) []Node {
	out := []Node{}
	seen := map[string]bool{}
	members := map[string]Member{}
	for _, m := range live.Members {
		members[m.Name] = m
	}
	for _, n := range c.Configuration.Nodes {
		seen[n.Uname] = true
		m, known := members[n.Uname]
		node := Node{Name: n.Uname, ID: n.ID, Role: RoleMember}
		if n.Type == cib.NodeRemote {
			node.Role = RoleRemote
		}
		node.fill(m)
		node.judge(c.NodeState(n.ID), m, known, n, live, p.Nodes[n.Uname])
		out = append(out, node)
	}
	for _, m := range live.Members {
		if lostWitness := m.Role == RoleWitness && m.State == MemberFailed; seen[m.Name] || m.State != MemberAlive && !lostWitness {
			continue // gossip remembers for a while who was a member once; a witness is known from nowhere else
		}
		node := Node{Name: m.Name, ID: m.ID, Role: RoleMember}
		node.fill(m)
		node.judge(c.NodeState(m.ID), m, true, &cib.Node{}, live, "")
		out = append(out, node)
	}
	for i := range out {
		out[i].Coordinator = out[i].Name == live.Coordinator && live.Coordinator != ""
		out[i].Resources = []string{}
		for _, pl := range p.Active {
			if pl.Node == out[i].Name && pl.Role != "Stopped" {
				out[i].Resources = append(out[i].Resources, pl.Resource)
			}
		}
	}
	return out
}

func (n *Node) fill(m Member) {
	if m.Name == "" {
		return
	}
	n.Role, n.Address, n.Version, n.Incarnation = cmp.Or(m.Role, n.Role), m.Address, m.Version, m.Incarnation
	n.Session, n.Since = m.Session, m.Since
}

// judge finds the one word for a node. What the plan says of it counts; without its word the committed state does. What
// gossip and the fencer know already, and nobody has committed yet, goes before both.
func (n *Node) judge(ns *cib.NodeState, m Member, known bool, conf *cib.Node, live Live, planned string) {
	alive := known && m.State == MemberAlive
	n.Online = alive
	n.State = NodeOffline
	var member, online, joined, expected bool
	if ns != nil {
		member, online = since(ns.InCCM), ns.CRMD == "online" || number64(ns.CRMD) > 0
		joined, expected = ns.Join == "member", ns.Expected == "member"
		n.Cause = ns.Cause
		if ns.Since > 0 {
			n.Since = time.UnixMilli(ns.Since)
		}
		if n.Incarnation == "" {
			n.Incarnation = ns.Incarnation
		}
		if !known && (n.Role == RoleRemote || len(live.Members) == 0) {
			n.Online = member && online // nobody else can tell
		}
	}
	if member && known && m.State == MemberFailed {
		n.Cause, n.Since = notHeard, m.Since // newer than what is committed
	}
	unseen := live.Stale != "" && !n.Online && !known && n.Role != RoleRemote
	if unseen && member {
		n.Cause, n.Since = "this node has not heard it", time.Time{}
	}
	if n.Role == RoleWitness {
		// A witness runs nothing, so nothing has to be known of it but whether it is heard.
		switch {
		case alive:
			n.State = NodeOnline
		case m.State == MemberLeft:
			n.State = NodeLeft
		default:
			n.Cause = notHeard
		}
		return
	}
	switch {
	case fencePending(live, n.Name):
		n.State = NodeUnclean
	case restarting(live, n.Name) != "":
		n.State, n.Cause, n.Since = NodeRestarting, restarting(live, n.Name), time.Time{}
	case ns == nil && alive, member && !(online && joined), alive && !member && !expected, member && unseen:
		n.State = NodePending
	case ns != nil && member && known && m.State == MemberFailed, planned == string(NodeUnclean):
		n.State = NodeUnclean
	case m.State == MemberLeft && planned != string(NodeOnline):
		n.State = NodeLeft
	case planned != "":
		n.State = NodeState(planned)
	case ns != nil && !member && expected:
		n.State = NodeUnclean
	case !member:
		n.State = NodeOffline
	case nodeAttrTrue(conf, ns, "maintenance"):
		n.State = NodeMaintenance
	case nodeAttrTrue(conf, ns, "standby"):
		n.State = NodeStandby
	default:
		n.State = NodeOnline
	}
}

// restarting says how long a node is waited for whose daemon starts anew; empty for any other.
func restarting(live Live, node string) string {
	for _, r := range live.Restarting {
		if r.Node == node {
			return fmt.Sprintf("its daemon starts anew, as it announced, and is expected back within %v: until then it is not fenced", r.Left.Round(100*time.Millisecond))
		}
	}
	return ""
}

const notHeard = "it is not heard any more"

func fencePending(live Live, node string) bool {
	return slices.ContainsFunc(live.Fencing, func(f FencePending) bool { return f.Target == node && f.Action != "on" })
}

// since reads in_ccm: boolean text, or the time since when.
func since(text string) bool { return isTrue(text, number64(text) > 0) }

func number64(text string) int64 {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func nodeAttrTrue(conf *cib.Node, ns *cib.NodeState, name string) bool {
	v, ok := metaOf(conf.Attributes, name)
	if !ok && ns != nil {
		v, _ = metaOf(ns.Attributes, name)
	}
	return v == "on" || isTrue(v, false)
}

// fencingOf sums fencing up.
func fencingOf(c *cib.CIB, live Live, nodes []Node) Fencing {
	f := Fencing{
		Enabled: optionTrue(&c.Configuration, "fencing-enabled", true), Devices: fenceDevices(&c.Configuration),
		Pending: nonNil(live.Fencing), Last: []FenceEvent{}, Blocked: []string{}, Watchdog: watchdogOf(c, live, nodes),
	}
	f.Pills, f.Tested = pillsOf(c, f.Devices, nodes), tests(c, nodes)
	for i := len(c.Status.Fencing) - 1; i >= 0 && len(f.Last) < FenceLast; i-- {
		e := c.Status.Fencing[i]
		if e.State != "pending" {
			f.Last = append(f.Last, fenceEvent(e))
		}
	}
	for _, b := range blockedFencings(live, nodes, f) {
		f.Blocked = append(f.Blocked, b.text())
	}
	return f
}

// blockedFencing is a node that has to be fenced and cannot be.
type blockedFencing struct{ node, why, hint string }

func (b blockedFencing) text() string {
	return fmt.Sprintf("recovery of what ran on %s waits, because it cannot be fenced: %s", b.node, b.why)
}

// blockedFencings says for which nodes recovery waits for a person. Without quorum it waits for the others instead.
func blockedFencings(live Live, nodes []Node, f Fencing) []blockedFencing {
	var out []blockedFencing
	confirm := func(node string) string {
		return "cut the power of " + node + " by hand, then say so: `paceline node fence --confirmed " + node + "`"
	}
	for _, p := range live.Fencing {
		if p.Blocked != "" {
			out = append(out, blockedFencing{p.Target, p.Blocked, "make the fencing device work, or " + confirm(p.Target)})
		}
	}
	for _, n := range nodes {
		if n.State != NodeUnclean || fencePending(live, n.Name) || !live.Quorum.Quorate {
			continue
		}
		switch {
		case !f.Enabled:
			out = append(out, blockedFencing{n.Name, "fencing is switched off", confirm(n.Name)})
		case len(f.Devices) == 0 && f.Watchdog == nil:
			out = append(out, blockedFencing{n.Name, "no fencing device is configured", "configure a fencing device, or " + confirm(n.Name)})
		}
	}
	return out
}

func fenceEvent(e *cib.FenceEvent) FenceEvent {
	out := FenceEvent{
		Target: e.Target, Action: e.Action, Device: e.Device, Executor: e.Executor, Origin: e.Origin,
		OK: e.State == "ok", Detail: e.Detail, Started: time.UnixMilli(e.Started),
	}
	if e.Completed > 0 {
		out.Completed = time.UnixMilli(e.Completed)
	}
	return out
}

func count(st *Status) Counts {
	n := Counts{Nodes: len(st.Nodes)}
	for _, node := range st.Nodes {
		if node.Online {
			n.Online++
		}
	}
	var walk func(list []Resource)
	walk = func(list []Resource) {
		for _, r := range list {
			walk(r.Children)
			if r.Kind != string(cib.KindPrimitive) {
				continue
			}
			n.Resources += max(1, len(r.Instances))
			n.Active += len(r.Nodes)
			if r.Disabled {
				n.Disabled++
			}
			if r.Blocked != "" {
				n.Blocked++
			}
			if r.Failed {
				n.Failed++
			}
		}
	}
	walk(st.Resources)
	return n
}
