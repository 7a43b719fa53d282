package ctl

import (
	"slices"
	"strconv"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// ticketView is a ticket as it is shown.
type ticketView struct {
	ID          string    `json:"id"`
	Granted     bool      `json:"granted"`
	Standby     bool      `json:"standby"`
	LastGranted time.Time `json:"last_granted,omitzero"`
	// Constraints name it.
	Constraints []string `json:"constraints"`
}

// ticketsOf lists the tickets that have a state or that constraints name, by ID.
func ticketsOf(c *cib.CIB) []ticketView {
	out := []ticketView{}
	at := func(id string) *ticketView {
		i := slices.IndexFunc(out, func(t ticketView) bool { return t.ID == id })
		if i < 0 {
			i = len(out)
			out = append(out, ticketView{ID: id, Constraints: []string{}})
		}
		return &out[i]
	}
	for _, k := range c.Configuration.Constraints {
		if k.Ticket != nil {
			t := at(k.Ticket.Ticket)
			t.Constraints = append(t.Constraints, k.Ticket.ID)
		}
	}
	for _, s := range c.Status.Tickets {
		t := at(s.ID)
		t.Granted, _ = cib.ParseBool(s.Granted)
		t.Standby, _ = cib.ParseBool(s.Standby)
		if n, err := strconv.ParseInt(s.LastGranted, 10, 64); err == nil && n > 0 {
			t.LastGranted = time.Unix(n, 0).UTC()
		}
	}
	slices.SortFunc(out, func(a, b ticketView) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return out
}

func runTicketShow(in *invocation) error { return in.showTickets(in.args) }

func (in *invocation) showTickets(ids []string) error {
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	list := ticketsOf(state.CIB)
	for _, id := range ids {
		if !slices.ContainsFunc(list, func(t ticketView) bool { return t.ID == id }) {
			return noTicket("show ticket "+id, id)
		}
	}
	if len(ids) > 0 {
		list = filter(list, func(t ticketView) bool { return slices.Contains(ids, t.ID) })
	}
	if in.json() {
		return in.writeJSON(ticketsReply{api.Schema, list})
	}
	if len(list) == 0 {
		in.printf("no constraint names a ticket\n")
	}
	for _, t := range list {
		text := "revoked"
		if t.Granted {
			text = "granted"
		}
		if t.Standby {
			text += ", standby"
		}
		if !t.LastGranted.IsZero() {
			text += ", last granted " + moment(t.LastGranted)
		}
		in.printf("%s: %s\n", t.ID, text)
	}
	return nil
}

// ticketTime says when a ticket was granted last.
func (in *invocation) ticketTime(id string) error {
	if id == "" {
		return usagef("paceline site ticket time: TICKET is missing")
	}
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	list := filter(ticketsOf(state.CIB), func(t ticketView) bool { return t.ID == id })
	switch {
	case len(list) == 0:
		return noTicket("show the time of ticket "+id, id)
	case in.json():
		return in.writeJSON(ticketsReply{api.Schema, list})
	case list[0].LastGranted.IsZero():
		in.printf("%s: never granted\n", id)
	default:
		in.printf("%s: last granted %s\n", id, moment(list[0].LastGranted))
	}
	return nil
}

// ticketsReply is what the commands that show tickets answer with.
type ticketsReply struct {
	Schema  int          `json:"schema"`
	Tickets []ticketView `json:"tickets"`
}

func noTicket(what, id string) error {
	return api.Errorf(api.CodeNotFound, what, "there is no ticket %q", id).WithHint("`paceline ticket show` lists them")
}

func runTicket(verb string) func(*invocation) error {
	return func(in *invocation) error { return in.ticket(verb, in.arg(0)) }
}

func (in *invocation) ticket(verb, id string) error {
	return in.confirmed(func(yes bool) error {
		r, err := in.api.Ticket(in.ctx, id, api.TicketRequest{
			Action: verb, Message: in.c.String("message"), DryRun: in.c.Bool("dry-run"), Yes: yes, Wait: api.Duration(in.c.Duration("wait")),
		})
		if err != nil {
			return err
		}
		return in.changed(r, "")
	})
}

func runSiteTicket(in *invocation) error {
	if in.arg(0) == "show" {
		return in.showTickets(in.args[1:])
	}
	if in.arg(0) == "time" {
		return in.ticketTime(in.arg(1))
	}
	if !slices.Contains([]string{"grant", "revoke", "standby", "activate", "delete"}, in.arg(0)) {
		e := usagef("paceline site ticket: %q is nothing that is done to a ticket", in.arg(0))
		e.hint = "it is grant, revoke, standby, activate, show, time or delete"
		return e
	}
	if in.arg(1) == "" {
		return usagef("paceline site ticket %s: TICKET is missing", in.arg(0))
	}
	return in.ticket(in.arg(0), in.arg(1))
}
