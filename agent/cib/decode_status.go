package cib

import (
	"strings"

	"github.com/beevik/etree"
)

func (d *decoder) status(e *etree.Element, s *Status) {
	d.attrs(e, none, nil)
	for _, child := range e.ChildElements() {
		switch child.Tag {
		case "node_state":
			s.Nodes = append(s.Nodes, d.nodeState(child))
		case "tickets":
			d.attrs(child, none, nil)
			d.tickets(child, s)
		case "paceline-fencing":
			d.attrs(child, none, nil)
			d.fencing(child, s)
		case "paceline-access":
			d.attrs(child, none, nil)
			d.access(child, s)
		default:
			d.unknown(child)
		}
	}
}

func (d *decoder) nodeState(e *etree.Element) *NodeState {
	n := &NodeState{Since: d.number64(e, "paceline-since")}
	d.attrs(e, n.attributes, &n.Extra, "paceline-since")
	for _, child := range e.ChildElements() {
		switch child.Tag {
		case "lrm":
			n.HasHistory = true
			d.attrs(child, none, nil, "id") // repeats the node's
			for _, list := range child.ChildElements() {
				if list.Tag != "lrm_resources" {
					d.unknown(list)
					continue
				}
				d.attrs(list, none, nil, "id") // always "lrm_resources"
				d.histories(list, n)
			}
		case "transient_attributes":
			d.attrs(child, none, nil, "id")
			for _, set := range child.ChildElements() {
				switch set.Tag {
				case "instance_attributes":
					n.Attributes = append(n.Attributes, d.nvset(set))
				case "utilization":
					n.Utilization = append(n.Utilization, d.nvset(set))
				default:
					d.unknown(set)
				}
			}
		default:
			d.unknown(child)
		}
	}
	return n
}

func (d *decoder) histories(e *etree.Element, n *NodeState) {
	for _, child := range e.ChildElements() {
		if child.Tag != "lrm_resource" {
			d.unknown(child)
			continue
		}
		h := &ResourceHistory{}
		d.attrs(child, h.attributes, &h.Extra)
		for _, op := range child.ChildElements() {
			if op.Tag != "lrm_rsc_op" {
				d.unknown(op)
				continue
			}
			record := &OpRecord{}
			d.attrs(op, record.attributes, &record.Extra)
			d.leaf(op)
			h.Ops = append(h.Ops, record)
		}
		n.Resources = append(n.Resources, h)
	}
}

// tickets reads both forms: a ticket_state for each ticket, and the pairs of old documents.
func (d *decoder) tickets(e *etree.Element, s *Status) {
	for _, child := range e.ChildElements() {
		switch child.Tag {
		case "ticket_state":
			t := &TicketState{}
			d.attrs(child, t.attributes, &t.Extra)
			d.leaf(child)
			s.Tickets = append(s.Tickets, t)
		case "instance_attributes":
			for _, pair := range d.nvset(child).Pairs {
				if !oldTicket(pair, s) {
					d.warn(child, "pair %s=%q is of no ticket", pair.Name, pair.Value)
				}
			}
		default:
			d.unknown(child)
		}
	}
}

// oldTicket puts a pair like granted-ticket-T=true into the state of ticket T.
func oldTicket(pair NVPair, s *Status) bool {
	prefixes := []struct {
		text  string
		field func(*TicketState) *string
	}{
		{"granted-ticket-", func(t *TicketState) *string { return &t.Granted }},
		{"last-granted-", func(t *TicketState) *string { return &t.LastGranted }},
		{"standby-", func(t *TicketState) *string { return &t.Standby }},
	}
	for _, p := range prefixes {
		id, found := strings.CutPrefix(pair.Name, p.text)
		if !found || id == "" {
			continue
		}
		var state *TicketState
		for _, t := range s.Tickets {
			if t.ID == id {
				state = t
			}
		}
		if state == nil {
			state = &TicketState{ID: id}
			s.Tickets = append(s.Tickets, state)
		}
		*p.field(state) = pair.Value
		return true
	}
	return false
}

func (d *decoder) fencing(e *etree.Element, s *Status) {
	for _, child := range e.ChildElements() {
		if child.Tag != "event" {
			d.unknown(child)
			continue
		}
		f := &FenceEvent{
			Started:   d.number64(child, "started"),
			Completed: d.number64(child, "completed"),
			Attempt:   int(d.number64(child, "attempt")),
		}
		d.attrs(child, f.attributes, nil, "started", "completed", "attempt")
		d.leaf(child)
		s.Fencing = append(s.Fencing, f)
	}
}

func (d *decoder) access(e *etree.Element, s *Status) {
	for _, child := range e.ChildElements() {
		if child.Tag != "token" {
			d.unknown(child)
			continue
		}
		t := &AccessToken{Created: d.number64(child, "created"), Expires: d.number64(child, "expires")}
		d.attrs(child, t.attributes, nil, "created", "expires")
		d.leaf(child)
		s.Access = append(s.Access, t)
	}
}
