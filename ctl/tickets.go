package ctl

import (
	"slices"
	"time"

	"strconv"

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
			return api.Errorf(api.CodeNotFound, "show ticket "+id, "there is no ticket %q", id).WithHint("`paceline ticket show` lists them")
		}
	}
	if len(ids) > 0 {
		list = filter(list, func(t ticketView) bool { return slices.Contains(ids, t.ID) })
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema  int          `json:"schema"`
			Tickets []ticketView `json:"tickets"`
		}{api.Schema, list})
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
	if !slices.Contains([]string{"grant", "revoke", "standby", "activate", "delete"}, in.arg(0)) {
		e := usagef("paceline site ticket: %q is nothing that is done to a ticket", in.arg(0))
		e.hint = "it is grant, revoke, standby, activate, show or delete"
		return e
	}
	if in.arg(1) == "" {
		return usagef("paceline site ticket %s: TICKET is missing", in.arg(0))
	}
	return in.ticket(in.arg(0), in.arg(1))
}
