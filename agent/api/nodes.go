package api

import (
	"cmp"
	"context"
	"strconv"
	"time"

	"paceline/agent/cib"
)

// nodeMode sets or (with an empty value) deletes a permanent attribute of a node.
func nodeMode(attribute, value string) func(*Server, context.Context, *request) (any, error) {
	return func(s *Server, ctx context.Context, q *request) (any, error) {
		var r NodeRequest
		if err := q.decode(&r); err != nil {
			return nil, err
		}
		snap, err := s.backend.Snapshot(ctx)
		if err != nil {
			return nil, err
		}
		node, err := s.findNode(ctx, snap.CIB, q.PathValue("node"))
		if err != nil {
			return nil, err
		}
		batch, transient := modeChange(snap.CIB, node, attribute, value, r.UntilReboot)
		e := edit{
			change: cib.Change{Batch: batch}, message: cmp.Or(r.Message, q.what),
			dryRun: r.DryRun, yes: r.Yes, wait: time.Duration(r.Wait),
		}
		if attribute == "standby" && value != "" {
			e.empties, e.ask = node.Uname, r.Ask
		}
		if transient == "" {
			return s.commit(ctx, q, e)
		}
		return s.commitStatus(ctx, q, e, func(*string) string { return "node " + node.Uname + ": " + transient }, nil)
	}
}

// modeChange sets a node's mode, or takes it away wherever it is set: for good, or until the node leaves. What it does to the
// status is said, because the configuration does not show it.
func modeChange(c *cib.CIB, node *cib.Node, attribute, value string, untilReboot bool) (batch []cib.Change, transient string) {
	ns := c.NodeState(node.ID)
	switch {
	case value != "" && untilReboot && ns != nil:
		set := cib.SetTransient{NodeID: ns.ID, Name: attribute, Value: &value}
		return []cib.Change{{SetTransient: &set}}, attribute + " until it leaves or reboots"
	case value != "":
		return []cib.Change{{SetNodeAttr: &cib.SetNodeAttr{Node: node.Uname, Name: attribute, Value: &value}}}, ""
	}
	if _, ok := metaOf(node.Attributes, attribute); ok {
		batch = append(batch, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: node.Uname, Name: attribute}})
	}
	if ns != nil && transientOf(ns, attribute) != nil {
		batch = append(batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: attribute}})
		transient = attribute + " ended"
	}
	return batch, transient
}

func (s *Server) findNode(ctx context.Context, c *cib.CIB, name string) (*cib.Node, error) {
	if n := c.NodeByName(name); n != nil {
		return n, nil
	}
	if live, err := s.backend.Live(ctx); err == nil {
		for _, m := range live.Members {
			if m.Name == name && m.Role == RoleWitness {
				return nil, Errorf(CodeRefused, "", "%s is a witness: it votes, and runs nothing", name)
			}
		}
	}
	var names []string
	for _, n := range c.Configuration.Nodes {
		names = append(names, n.Uname)
	}
	return nil, Errorf(CodeNotFound, "", "there is no node %q", name).WithHint("nodes are %s", list(names))
}

// fence carries out what a person ordered.
func (s *Server) fence(ctx context.Context, q *request) (any, error) {
	r := FenceRequest{}
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	r.Node, r.User = q.PathValue("node"), q.who.user
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	node, err := s.findNode(ctx, snap.CIB, r.Node)
	if err != nil {
		return nil, err
	}
	if err := q.may.MayWrite(snap.CIB, "node", "uname", node.Uname); err != nil {
		return nil, forbidden(q, err)
	}
	live, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	if r.Action == "" {
		r.Action = "reboot"
		if v, ok := snap.CIB.Option("fencing-action"); ok && v != "" {
			r.Action = v
		}
	}
	switch r.Action {
	case "off", "reboot", "on":
	case "test":
		r.Yes, r.Confirmed, r.Wait = true, false, 0
	default:
		return nil, Errorf(CodeUsage, q.what, "%q is not a fencing action", r.Action).WithHint("actions are off, reboot, on and test")
	}
	if r.Confirmed {
		for _, m := range live.Members {
			if m.Name == node.Uname && m.State == MemberAlive {
				return nil, Errorf(CodeRefused, q.what, "%s answers at %s: it is not off", node.Uname, m.Address).
					WithHint("--confirmed is your word that the node has no power; without it a fencing device is used")
			}
		}
	} else if len(fenceDevices(&snap.CIB.Configuration)) == 0 && watchdogOf(snap.CIB, live, nil) == nil {
		return nil, Errorf(CodeRefused, q.what, "no fencing device is configured").
			WithHint("cut the node's power by hand, then say so with `paceline node fence --confirmed %s`", node.Uname)
	}
	var guard error
	if !r.Yes && !r.Confirmed && r.Action != "on" {
		guard = s.guardNode(ctx, q, node.Uname, withoutVote)
	}
	if r.DryRun {
		return s.fencePreview(snap, node, r, guard)
	}
	if guard != nil {
		return nil, guard
	}
	reply, err := s.backend.Fence(ctx, r)
	if err != nil {
		return nil, err
	}
	reply.Schema = Schema
	if !reply.Event.OK && r.Action == "test" {
		return nil, Errorf(CodeFailed, "test the fencing of "+node.Uname, "%s", cmp.Or(reply.Event.Detail, "no device answered")).
			WithHint("until that is mended, recovery of what runs on %s would wait for a person; `paceline doctor` says more", node.Uname)
	}
	if !reply.Event.OK {
		return nil, Errorf(CodeFailed, q.what, "%s", cmp.Or(reply.Event.Detail, "no device confirmed it")).
			WithHint("`paceline status` shows the devices; if the node surely has no power: `paceline node fence --confirmed %s`", node.Uname)
	}
	if r.Wait > 0 {
		w, err := s.waitSettled(ctx, snap.Revision+1, time.Duration(r.Wait))
		if err != nil {
			return nil, err
		}
		reply.Settled, reply.Why = w.Settled, w.Why
	}
	return &reply, nil
}

// fencePreview says what the cluster would do if a node were fenced: as if it were lost now.
func (s *Server) fencePreview(snap Snapshot, node *cib.Node, r FenceRequest, guard error) (*FenceReply, error) {
	reply := &FenceReply{Schema: Schema, DryRun: true, Event: FenceEvent{Target: node.Uname, Action: r.Action, Origin: "user " + r.User}}
	if guard != nil {
		e := asError(guard, "", "")
		if e.Code != CodeConfirm {
			return nil, guard
		}
		reply.Confirm = e.Why
	}
	if r.Action == "on" || r.Action == "test" {
		return reply, nil
	}
	lost, err := cib.Apply(snap.CIB, cib.Change{NodeStatus: &cib.NodeStatus{
		ID: node.ID, Uname: node.Uname, InCCM: "false", CRMD: "offline", Join: "down", Expected: "member",
	}})
	if err != nil {
		return nil, err
	}
	reply.Actions = s.plan(lost, time.Now()).Actions
	return reply, nil
}

// confirmedFence says whether a request is a person's word that a node is off. The survivor of two may be waiting for just
// that, and has no coordinator until then.
func confirmedFence(q *request) bool {
	var r FenceRequest
	return q.decode(&r) == nil && r.Confirmed
}

// leavePreview says what the cluster would do if a node were to leave: as if it went to standby.
func (s *Server) leavePreview(ctx context.Context, node string, guard error) (*LeaveReply, error) {
	reply := &LeaveReply{Schema: Schema, Node: node, DryRun: true}
	if guard != nil {
		e := asError(guard, "", "")
		if e.Code != CodeConfirm {
			return nil, guard
		}
		reply.Confirm = e.Why
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	on := "on"
	if without, err := cib.Apply(snap.CIB, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: node, Name: "standby", Value: &on}}); err == nil {
		reply.Actions = s.plan(without, time.Now()).Actions
	}
	return reply, nil
}

// guardNode asks for confirmation if something runs on a node that is to be fenced, or to leave: whether it stops or moves, it
// is interrupted, and with it goes a vote. quorate says whether the others have quorum without it.
func (s *Server) guardNode(ctx context.Context, q *request, node string, quorate func(Quorum) bool) error {
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return err
	}
	live, err := s.backend.Live(ctx)
	if err != nil {
		return err
	}
	var why []string
	for _, m := range live.Members {
		if votes := m.Role == RoleVoter || m.Role == RoleWitness; m.Name == node && votes && m.State == MemberAlive && live.Quorum.Quorate && !quorate(live.Quorum) {
			why = append(why, "the cluster would be without quorum, and everything would stop")
		}
	}
	on := "on"
	without, err := cib.Apply(snap.CIB, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: node, Name: "standby", Value: &on}})
	if err == nil { // else the node is not configured: nothing can run on it
		now := time.Now()
		e := edit{empties: node, ask: true}
		why = append(why, dangers(e, &snap.CIB.Configuration, &without.Configuration, s.planOf(ctx, snap, now), s.plan(without, now))...)
	}
	return confirm(q, why)
}

// withoutVote says whether there is quorum when a voter is off. The survivor of two goes on: it has fenced the other.
func withoutVote(v Quorum) bool { return v.Total <= 2 || v.Votes-1 >= v.Needed }

// withoutVoter says whether there is quorum when a voter has given its vote back.
func withoutVoter(v Quorum) bool { return v.Votes-1 >= (v.Total-1)/2+1 || v.Total <= 2 }

// fenceDevices lists the IDs of fencing devices that are not disabled.
func fenceDevices(c *cib.Configuration) []string {
	out := []string{}
	for _, r := range c.Primitives() {
		if r.Agent.Class == "stonith" && r.Agent.Type != "watchdog" && r.Agent.Type != "fence_watchdog" { // the target's own watchdog is no device
			out = append(out, r.ID)
		}
	}
	for _, r := range c.Primitives() {
		if r.Template == "" {
			continue
		}
		for _, t := range c.Templates {
			if t.ID == r.Template && t.Agent.Class == "stonith" {
				out = append(out, r.ID)
			}
		}
	}
	return out
}

func number(n int) string { return strconv.Itoa(n) }
