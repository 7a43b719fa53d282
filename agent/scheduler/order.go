package scheduler

import (
	"fmt"
	"strings"

	"paceline/agent/cib"
)

// ordering is an order between resources, before it is known which actions they have.
type ordering struct {
	id                  string
	first, then         *rsc
	firstTask, thenTask string
	flags               edgeFlag
	inverse             bool
	clonMin             bool
	gate                *action // set orderings with require-all=false: the mark between the sets
	gateThen            *action
	mandatory           bool
	symmetric           bool
	loose               bool // the reverse of an order that some of several satisfy: it forces nothing
}

type orderKind uint8

const (
	orderMandatory orderKind = iota
	orderOptional
	orderSerialize
)

// orderSpec is what an order constraint says, interpreted.
type orderSpec struct {
	id                  string
	kind                orderKind
	symmetric           bool
	firstTask, thenTask string
}

func (w *world) unpackOrder(c *cib.Order) {
	s := orderSpec{id: c.ID, symmetric: true}
	switch c.Kind {
	case "":
		if c.Score != "" {
			if n, err := cib.ParseScore(c.Score); err == nil && n <= 0 {
				s.kind = orderOptional
			}
		}
	case "Mandatory":
	case "Optional":
		s.kind = orderOptional
	case "Serialize":
		s.kind = orderSerialize
	default:
		w.problem(fmt.Sprintf("constraint %s: kind %q is unknown; Mandatory is used", c.ID, c.Kind))
	}
	if s.kind == orderSerialize {
		s.symmetric = false
	}
	if c.Symmetrical != "" {
		if b, err := cib.ParseBool(c.Symmetrical); err == nil && !(s.kind == orderSerialize && b) {
			s.symmetric = b
		} else {
			w.problem(fmt.Sprintf("constraint %s: symmetrical=%q is not possible; it is ignored", c.ID, c.Symmetrical))
		}
	}
	if len(c.Sets) > 0 {
		w.orderSets(c, s)
		return
	}
	s.firstTask, s.thenTask = c.FirstAction, c.ThenAction
	if s.firstTask == "" {
		s.firstTask = taskStart
	}
	if s.thenTask == "" {
		s.thenTask = s.firstTask
	}
	firsts, thens := w.lookup(c.First, c.ID), w.lookup(c.Then, c.ID)
	for _, f := range firsts {
		for _, t := range thens {
			w.orderPair(s, f, t, c.RequireAll)
		}
	}
}

// orderPair makes the ordering of two resources, and its reverse when it is symmetrical.
func (w *world) orderPair(s orderSpec, first, then *rsc, requireAll string) {
	if first == then {
		return
	}
	o := &ordering{id: s.id, first: first, then: then, firstTask: s.firstTask, thenTask: s.thenTask,
		flags: s.flags(false), mandatory: s.kind == orderMandatory, symmetric: s.symmetric}
	if requireAll != "" {
		if b, err := cib.ParseBool(requireAll); err == nil && !b && first.kind == cib.KindClone && first.clone.min == 0 {
			o.clonMin = true
		}
	}
	w.orderings = append(w.orderings, o)
	if !s.symmetric {
		return
	}
	back := &ordering{id: s.id, first: then, then: first, firstTask: inverse(s.thenTask), thenTask: inverse(s.firstTask),
		flags: s.flags(true), inverse: true, mandatory: s.kind == orderMandatory, symmetric: true}
	if o.clonMin || first.kind == cib.KindClone && first.clone.min > 0 {
		back.flags, back.loose = 0, true
	}
	if back.firstTask != "" && back.thenTask != "" {
		w.orderings = append(w.orderings, back)
	}
}

// flags are those of the edges of an order: of its reverse if back.
func (s orderSpec) flags(back bool) edgeFlag {
	var f edgeFlag
	switch s.kind {
	case orderSerialize:
		return serial
	case orderOptional:
		return 0
	}
	if back {
		return forcesFirst
	}
	f = forcesThen | needsFirst
	if !s.symmetric {
		f |= oneWay
	}
	return f
}

func inverse(task string) string {
	switch task {
	case taskStart:
		return taskStop
	case taskStop:
		return taskStart
	case taskPromote:
		return taskDemote
	case taskDemote:
		return taskPromote
	}
	return ""
}

// orderSets makes the orderings within and between the sets of a constraint.
func (w *world) orderSets(c *cib.Order, s orderSpec) {
	sets := w.members(c.Sets, c.ID)
	for i := range sets {
		w.orderWithin(c, s, &sets[i])
	}
	for i := 0; i+1 < len(sets); i++ {
		w.orderBetween(c, s, &sets[i], &sets[i+1])
	}
}

func setTask(m *setMembers) string {
	if m.action != "" {
		return strings.ToLower(m.action)
	}
	return taskStart
}

func (w *world) orderWithin(c *cib.Order, s orderSpec, m *setMembers) {
	s.firstTask, s.thenTask = setTask(m), setTask(m)
	if s.kind == orderSerialize {
		for i := range m.rscs {
			for j := 0; j < i; j++ {
				w.orderPair(s, m.rscs[j], m.rscs[i], "")
			}
		}
		return
	}
	if !m.sequential {
		return
	}
	for i := 1; i < len(m.rscs); i++ {
		w.orderPair(s, m.rscs[i-1], m.rscs[i], "")
	}
}

func (w *world) orderBetween(c *cib.Order, s orderSpec, a, b *setMembers) {
	if len(a.rscs) == 0 || len(b.rscs) == 0 {
		return
	}
	s.firstTask, s.thenTask = setTask(a), setTask(b)
	if !a.requireAll && s.kind != orderSerialize {
		w.orderSome(s, a, b)
		return
	}
	firsts, thens := a.rscs, b.rscs
	if a.sequential {
		firsts = firsts[len(firsts)-1:]
	}
	if b.sequential {
		thens = thens[:1]
	}
	for _, f := range firsts {
		for _, t := range thens {
			w.orderPair(s, f, t, "")
		}
	}
}

// orderSome makes a mark that some member of a set has to reach before the next set may go on.
func (w *world) orderSome(s orderSpec, a, b *setMembers) {
	gate := w.actionVariant(nil, "one-or-more:"+a.conf.ID, nil, 0, s.id)
	gate.pseudo, gate.kind, gate.minimum = true, "pseudo", 1
	gate.key = gate.task
	for _, f := range a.rscs {
		w.orderings = append(w.orderings, &ordering{id: s.id, first: f, firstTask: s.firstTask, gateThen: gate,
			flags: anyOf})
	}
	for _, t := range b.rscs {
		w.orderings = append(w.orderings, &ordering{id: s.id, then: t, thenTask: s.thenTask, gate: gate,
			flags: needsFirst})
		if b.sequential {
			break
		}
	}
	if !s.symmetric {
		return
	}
	firsts, thens := a.rscs, b.rscs
	if b.sequential {
		thens = thens[:1]
	}
	for _, f := range firsts {
		for _, t := range thens {
			back := &ordering{id: s.id, first: t, then: f, firstTask: inverse(s.thenTask), thenTask: inverse(s.firstTask),
				inverse: true, loose: true}
			if back.firstTask != "" && back.thenTask != "" {
				w.orderings = append(w.orderings, back)
			}
		}
	}
}

// unpackTicket ties resources to a ticket.
func (w *world) unpackTicket(c *cib.RscTicket) {
	t := w.tickets[c.Ticket]
	if t == nil {
		t = &ticket{id: c.Ticket}
		w.tickets[c.Ticket] = t
	}
	tie := func(id, roleText string) {
		for _, r := range w.lookup(id, c.ID) {
			r.tickets = append(r.tickets, &rscTicket{ticket: t, role: parseRole(roleText), loss: c.LossPolicy})
			if c.LossPolicy == "fence" && !w.opts.fencing {
				w.problem("constraint " + c.ID + ": loss-policy fence needs fencing, which is disabled; stop is used")
				r.tickets[len(r.tickets)-1].loss = "stop"
			}
		}
	}
	if c.Resource != "" {
		tie(c.Resource, c.Role)
	}
	for i := range c.Sets {
		s := w.set(&c.Sets[i])
		for _, id := range s.Resources {
			tie(id, s.Role)
		}
	}
}

func (w *world) unpackTickets() {
	w.tickets = map[string]*ticket{}
	for _, s := range w.cib.Status.Tickets {
		t := &ticket{id: s.ID}
		t.granted, _ = cib.ParseBool(s.Granted)
		t.standby, _ = cib.ParseBool(s.Standby)
		w.tickets[s.ID] = t
	}
}
