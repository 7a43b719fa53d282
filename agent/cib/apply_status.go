package cib

import (
	"errors"
	"fmt"
	"slices"
)

// replaceState returns the CIB with the state of the node of that ID changed.
func (c *CIB) replaceState(id, act string, change func(*NodeState)) (*CIB, error) {
	at := slices.IndexFunc(c.Status.Nodes, func(n *NodeState) bool { return n.ID == id })
	if at < 0 {
		return nil, fmt.Errorf("%s: nothing is known of a node with ID %q", act, id)
	}
	next := *c.Status.Nodes[at]
	change(&next)
	out := c.clone()
	out.Status.Nodes = with(c.Status.Nodes, at, &next)
	return out, nil
}

func (c *CIB) nodeStatus(ch *NodeStatus) (*CIB, error) {
	if ch.ID == "" {
		return nil, errors.New("set the state of a node: it has no ID")
	}
	at := slices.IndexFunc(c.Status.Nodes, func(n *NodeState) bool { return n.ID == ch.ID })
	next := NodeState{ID: ch.ID}
	if at >= 0 {
		next = *c.Status.Nodes[at]
	}
	for _, field := range []struct {
		to   *string
		text string
	}{
		{&next.Uname, ch.Uname}, {&next.InCCM, ch.InCCM}, {&next.CRMD, ch.CRMD}, {&next.Join, ch.Join},
		{&next.Expected, ch.Expected}, {&next.Boot, ch.Boot}, {&next.Incarnation, ch.Incarnation}, {&next.Cause, ch.Cause},
		{&next.Fenced, ch.Fenced},
	} {
		switch field.text {
		case "":
		case "-":
			*field.to = ""
		default:
			*field.to = field.text
		}
	}
	if ch.Since != 0 {
		next.Since = ch.Since
	}
	out := c.clone()
	out.Status.Nodes = with(c.Status.Nodes, at, &next)
	return out, nil
}

func (c *CIB) clearNode(id string) (*CIB, error) {
	at := slices.IndexFunc(c.Status.Nodes, func(n *NodeState) bool { return n.ID == id })
	if at < 0 {
		return c, nil
	}
	if n := c.Status.Nodes[at]; len(n.Resources)+len(n.Attributes)+len(n.Utilization) == 0 && !n.HasHistory {
		return c, nil
	}
	return c.replaceState(id, "clear a node", func(n *NodeState) {
		n.Resources, n.Attributes, n.Utilization, n.HasHistory = nil, nil, nil, false
	})
}

func (c *CIB) recordOp(ch *RecordOp) (*CIB, error) {
	if ch.Resource == "" || ch.Record.ID == "" {
		return nil, fmt.Errorf("record an operation of resource %q: the resource and the record's ID are needed", ch.Resource)
	}
	return c.replaceState(ch.NodeID, fmt.Sprintf("record operation %q", ch.Record.ID), func(n *NodeState) {
		at := slices.IndexFunc(n.Resources, func(h *ResourceHistory) bool { return h.ID == ch.Resource })
		next := ResourceHistory{ID: ch.Resource}
		if at >= 0 {
			next = *n.Resources[at]
		}
		if ch.Agent != (Agent{}) {
			next.Agent = ch.Agent
		}
		record := ch.Record
		next.Ops = without(next.Ops, func(r *OpRecord) bool { return slices.Contains(ch.Drop, r.ID) && r.ID != record.ID })
		same := slices.IndexFunc(next.Ops, func(r *OpRecord) bool { return r.ID == record.ID })
		next.Ops = with(next.Ops, same, &record)
		n.Resources = with(n.Resources, at, &next)
		n.HasHistory = true
	})
}

func (c *CIB) forgetOps(ch *ForgetOps) (*CIB, error) {
	matches := func(r *OpRecord) bool {
		return r.Operation == ch.Operation && (ch.IntervalMS == "" || sameInterval(ch.IntervalMS, r.IntervalMS))
	}
	affected := func(h *ResourceHistory) bool {
		if ch.Resource != "" && h.ID != ch.Resource {
			return false
		}
		return ch.Operation == "" || slices.ContainsFunc(h.Ops, matches)
	}
	at := slices.IndexFunc(c.Status.Nodes, func(n *NodeState) bool { return n.ID == ch.NodeID })
	if at < 0 || !slices.ContainsFunc(c.Status.Nodes[at].Resources, affected) {
		return c, nil
	}
	return c.replaceState(ch.NodeID, "forget operations", func(n *NodeState) {
		var kept []*ResourceHistory
		for _, h := range n.Resources {
			if affected(h) {
				if ch.Operation == "" {
					continue
				}
				next := *h
				if next.Ops = without(h.Ops, matches); len(next.Ops) == 0 {
					continue // a resource without results is as unknown as one without an entry
				}
				h = &next
			}
			kept = append(kept, h)
		}
		n.Resources = kept
	})
}

// sameInterval compares intervals in milliseconds; none is 0.
func sameInterval(a, b string) bool {
	if a == "" {
		a = "0"
	}
	if b == "" {
		b = "0"
	}
	return a == b
}

func (c *CIB) setTransient(ch *SetTransient) (*CIB, error) {
	if ch.Name == "" {
		return nil, fmt.Errorf("set a transient attribute of node ID %q: it has no name", ch.NodeID)
	}
	changed := true
	out, err := c.replaceState(ch.NodeID, fmt.Sprintf("set transient attribute %q", ch.Name), func(n *NodeState) {
		if ch.Value == nil {
			n.Attributes, changed = dropPair(n.Attributes, []string{ch.Name})
		} else {
			n.Attributes = setPair(n.Attributes, []string{ch.Name}, *ch.Value, "status-"+n.ID, noIDs())
		}
	})
	if err == nil && !changed {
		return c, nil
	}
	return out, err
}

func (c *CIB) setTicket(ch *SetTicket) (*CIB, error) {
	if ch.ID == "" {
		return nil, errors.New("set a ticket: it has no ID")
	}
	at := slices.IndexFunc(c.Status.Tickets, func(t *TicketState) bool { return t.ID == ch.ID })
	if ch.State == nil && at < 0 {
		return c, nil
	}
	out := c.clone()
	if ch.State == nil {
		out.Status.Tickets = without(c.Status.Tickets, func(t *TicketState) bool { return t.ID == ch.ID })
		return out, nil
	}
	state := *ch.State
	state.ID = ch.ID
	out.Status.Tickets = with(c.Status.Tickets, at, &state)
	return out, nil
}

func (c *CIB) recordFence(event FenceEvent) (*CIB, error) {
	if event.Target == "" || event.Action == "" {
		return nil, fmt.Errorf("record the fencing of %q: the target and the action are needed", event.Target)
	}
	out := c.clone()
	for i := len(c.Status.Fencing) - 1; i >= 0; i-- {
		if f := c.Status.Fencing[i]; f.State == "pending" && f.Target == event.Target && f.Action == event.Action {
			out.Status.Fencing = with(c.Status.Fencing, i, &event)
			return out, nil
		}
	}
	list := with(c.Status.Fencing, -1, &event)
	if len(list) > FenceHistoryMax {
		list = forgetFence(list)
	}
	out.Status.Fencing = list
	return out, nil
}

// forgetFence leaves out the oldest entry that is neither under way nor the newest success, or rehearsal, of its target: a fencing that fails for hours must
// not make the proofs forgotten that others worked.
func forgetFence(list []*FenceEvent) []*FenceEvent {
	kept := map[[2]string]bool{}
	oldest := 0
	for i := len(list) - 1; i >= 0; i-- {
		e := list[i]
		key := [2]string{e.Target, e.Action}
		proof := (e.State == "ok" || e.Action == "test") && !kept[key]
		if proof || e.State == "pending" {
			kept[key] = kept[key] || proof
			continue
		}
		oldest = i
	}
	return slices.Delete(slices.Clone(list), oldest, oldest+1)
}

func (c *CIB) setQuorum(ch *SetQuorum) (*CIB, error) {
	header := c.Header
	header.HaveQuorum = "0"
	if ch.HaveQuorum {
		header.HaveQuorum = "1"
	}
	if ch.DC != "" {
		header.DCUUID = ch.DC
	}
	if header.HaveQuorum == c.Header.HaveQuorum && header.DCUUID == c.Header.DCUUID {
		return c, nil
	}
	out := c.clone()
	out.Header = header
	return out, nil
}

func (c *CIB) setAccess(ch *SetAccess) (*CIB, error) {
	if ch.ID == "" {
		return nil, errors.New("set an access token: it has no ID")
	}
	list := without(c.Status.Access, func(t *AccessToken) bool {
		return t.ID == ch.ID || ch.Token != nil && t.Expires <= ch.Token.Created
	})
	if ch.Token != nil {
		if len(list) >= AccessTokensMax {
			return nil, fmt.Errorf("set access token %s: there are %d already, which is the most", ch.ID, len(list))
		}
		token := *ch.Token
		token.ID = ch.ID
		list = with(list, -1, &token)
	}
	if len(list) == 0 && len(c.Status.Access) == 0 {
		return c, nil
	}
	out := c.clone()
	out.Status.Access = list
	return out, nil
}
