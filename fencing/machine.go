package fencing

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Machine carries one fencing out. It is a step machine: Step takes what happened and returns what is wanted, at once;
// time and randomness enter as values. The same inputs give the same effects.
//
//	ways ---> task ---> try ---> Ask --> Result, NodeLost or no answer
//	  ^ next    ^ next    ^ again, on another node    |
//	  +---------+---------+---------------------------+--> Done
//
// One order is under way at a time.
type Machine struct {
	req     Request
	gone    map[string]bool // nodes that were lost meanwhile
	list    []way
	why     []string // what cannot be used, in words
	broken  []string // levels that cannot be used, in words
	started time.Time
	end     time.Time // the fencing is over by then, zero before the first Step
	over    bool

	way, task, try int       // where we are in list
	taskEnd        time.Time // the task's own time is over
	holdUntil      time.Time // the task's delay is over
	step           int       // number of the last order
	last           string    // node of the last try of the task
	pending        *pending  // the order under way
	notBefore      time.Time // pause before the next try
	nodes          []string  // nodes that did the mandatory tasks of the way
	notes          []note    // what failed
	first          bool      // nothing was asked that a priority delay would hold back
}

// pending is an order whose result is awaited.
type pending struct {
	node  string
	order Order
	until time.Time // no answer by then means no
}

// NewMachine returns a machine for one fencing. Nothing happens before the first Step.
func NewMachine(req Request) *Machine {
	if req.Timeout <= 0 {
		req.Timeout = TimeoutDefault
	}
	return &Machine{req: req, gone: map[string]bool{}, first: true}
}

// Step takes in that something happened, or with nil that time has passed, and returns what is wanted now. It is to be
// called first with nil, with each event, and at Deadline. After Done there is nothing more to do and it returns nothing.
// Events that are late, or not for this machine, change nothing.
func (m *Machine) Step(now time.Time, ev Event) []Effect {
	if m.over {
		return nil
	}
	if m.end.IsZero() {
		if done := m.begin(now); done != nil {
			return done
		}
	}
	switch ev := ev.(type) {
	case Result:
		m.result(now, ev)
	case NodeLost:
		m.gone[ev.Node] = true
		if m.pending != nil && m.pending.node == ev.Node {
			m.failed(now, "the node was lost meanwhile")
		}
	}
	if m.pending != nil && !now.Before(m.pending.until) {
		m.failed(now, fmt.Sprintf("no answer within %s", m.pending.order.Delay+m.pending.order.Budget+answerGrace))
	}
	if m.over {
		return nil
	}
	return m.advance(now)
}

// Deadline returns when Step is to be called at the latest, without an event.
func (m *Machine) Deadline() time.Time {
	switch {
	case m.over || m.end.IsZero():
		return m.end
	case m.pending != nil:
		return earlier(m.pending.until, m.end)
	}
	return earlier(m.notBefore, m.end)
}

// End returns by when the fencing will have ended, one way or the other. It is zero before the first Step.
func (m *Machine) End() time.Time { return m.end }

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// begin finds the ways, and the bound of the whole.
func (m *Machine) begin(now time.Time) []Effect {
	m.started = now
	m.list, m.why, m.broken = m.ways()
	total, shared := m.req.PriorityDelay, false
	for _, w := range m.list {
		for _, t := range w.tasks {
			total += t.delay
			if t.explicit > 0 && !t.optional {
				total += t.explicit
			} else {
				shared = true
			}
		}
	}
	if shared {
		total += m.req.Timeout
	}
	m.end = now.Add(total + answerGrace)
	if len(m.list) > 0 {
		m.startTask(now)
		return nil
	}
	text := "no fencing device is configured"
	if why := append(m.why, m.broken...); len(why) > 0 {
		text = fmt.Sprintf("no fencing device can reach %s: %s", m.req.Target, strings.Join(why, "; "))
	}
	m.over = true
	return []Effect{Done{Detail: text, Blocked: text, Started: m.started}}
}

// result takes in how an order ended, if it is the one under way.
func (m *Machine) result(now time.Time, r Result) {
	p := m.pending
	if p == nil || r.Fence != m.req.Number || r.Term != m.req.Term || r.Step != p.order.Step || r.Node != p.node || !now.Before(p.until) {
		return
	}
	if !r.OK {
		m.failed(now, r.Detail)
		return
	}
	m.pending = nil
	if t := m.current(); !t.optional && t.action != List {
		m.nodes = append(m.nodes, p.node)
	}
	m.task++
	m.startTask(now)
}

// failed takes in that a try came to nothing. advance decides what comes next.
func (m *Machine) failed(now time.Time, why string) {
	p := m.pending
	m.pending = nil
	m.note(note{what: fmt.Sprintf("%s %s", p.order.Device.ID, p.order.Action), node: p.node, why: clean(why)})
	m.notBefore = now
	if next := m.pick(); next == p.node {
		m.notBefore = now.Add(retryPause)
	}
}

func (m *Machine) current() *task { return &m.list[m.way].tasks[m.task] }

// startTask prepares for the tries of the task whose turn it is.
func (m *Machine) startTask(now time.Time) {
	m.try, m.last, m.notBefore = 0, "", now
	if m.way >= len(m.list) || m.task >= len(m.list[m.way].tasks) {
		return
	}
	t := m.current()
	if t.optional && m.list[m.way].tasks[m.task-1].action == Off {
		// The node is fenced: recovery must not wait long for what only brings it back.
		m.end = earlier(m.end, now.Add(onTime+answerGrace))
	}
	m.holdUntil = now
	if t.action == Off || t.action == Reboot {
		m.holdUntil = now.Add(t.delay)
		if m.first {
			m.holdUntil = m.holdUntil.Add(m.req.PriorityDelay)
		}
		if start := m.started.Add(m.req.PriorityDelay); m.holdUntil.Before(start) {
			m.holdUntil = start
		}
	}
	hold := m.holdUntil.Sub(now)
	m.taskEnd = earlier(m.holdUntil.Add(m.share(now, hold)), m.end.Add(-answerGrace))
}

// share returns the time for the current task, delays not counted: the device's own, or an equal part of what is left for
// those that have none.
func (m *Machine) share(now time.Time, hold time.Duration) time.Duration {
	t := m.current()
	if t.explicit > 0 {
		return t.explicit
	}
	left := m.end.Sub(now) - answerGrace - hold
	parts := 1
	for i := m.way; i < len(m.list); i++ {
		for j, o := range m.list[i].tasks {
			switch {
			case i == m.way && j <= m.task:
			case o.optional:
			case o.explicit > 0:
				left -= o.explicit + o.delay
			default:
				left -= o.delay
				parts++
			}
		}
	}
	return max(left/time.Duration(parts), min(shareMin, m.req.Timeout), 0)
}

// pick returns the node for the next try: the best one that has not just failed, or none.
func (m *Machine) pick() string {
	nodes := m.candidates(m.current().dev)
	if len(nodes) == 0 {
		return ""
	}
	if i := slices.Index(nodes, m.last); i >= 0 {
		return nodes[(i+1)%len(nodes)]
	}
	return nodes[min(m.try, len(nodes)-1)]
}

// advance hands out the next order, or ends the fencing.
func (m *Machine) advance(now time.Time) []Effect {
	for m.pending == nil {
		if m.way >= len(m.list) {
			return m.finish(false)
		}
		if m.task >= len(m.list[m.way].tasks) {
			return m.finish(true)
		}
		t := m.current()
		node := m.pick()
		begin := now
		if m.notBefore.After(now) {
			begin = m.notBefore
		}
		// What is left of the delay holds for every try: a node that fails early must not make the delay shorter.
		hold := max(m.holdUntil.Sub(begin), 0)
		budget := m.taskEnd.Sub(begin) - hold
		switch {
		case node == "":
			m.giveUp(now, fmt.Sprintf("%s %s: %s", t.dev.ID, t.action, m.noNode(t.dev)))
		case m.try >= tries(t.dev, t.action), budget <= 0:
			m.giveUp(now, "")
		case begin.After(now):
			return nil // Deadline says when
		default:
			m.try++
			m.last = node
			m.first = m.first && t.action == List
			return m.ask(now, node, hold, budget)
		}
	}
	if !now.Before(m.end) {
		m.failed(now, "the time of the fencing is over")
		return m.finish(m.safe())
	}
	return nil
}

func (m *Machine) ask(now time.Time, node string, hold, budget time.Duration) []Effect {
	m.step++
	t := m.current()
	o := Order{
		Term: m.req.Term, View: m.req.View, Fence: m.req.Number, Step: m.step,
		Device: t.dev, Action: t.action, Target: m.req.Target, Delay: hold, Budget: budget,
	}
	m.pending = &pending{node: node, order: o, until: now.Add(hold + budget + answerGrace)}
	return []Effect{Ask{Node: node, Order: o}}
}

// giveUp goes on after a task that cannot succeed: to the next task if it was optional, else to the next way.
func (m *Machine) giveUp(now time.Time, why string) {
	if why != "" {
		m.note(note{why: why})
	}
	if m.current().optional {
		m.task++
	} else {
		m.way, m.task, m.nodes = m.way+1, 0, nil
	}
	m.startTask(now)
}

// safe says whether all mandatory tasks of the current way are done.
func (m *Machine) safe() bool {
	return m.way < len(m.list) && m.task < len(m.list[m.way].tasks) && m.current().optional
}

// finish ends the fencing.
func (m *Machine) finish(ok bool) []Effect {
	m.over = true
	d := Done{OK: ok, Started: m.started}
	if !ok {
		d.Detail = strings.Join(append(m.tried(), m.broken...), "; ")
		return []Effect{d}
	}
	var ids []string
	for _, t := range m.list[m.way].tasks {
		if !t.optional && t.action != List {
			ids = append(ids, t.dev.ID)
		}
	}
	d.Detail = strings.Join(m.tried(), "; ")
	d.Device = strings.Join(ids, "+")
	slices.Sort(m.nodes)
	d.Node = strings.Join(slices.Compact(m.nodes), "+")
	return []Effect{d}
}

// note is one thing that failed, and on which node it was tried.
type note struct{ what, node, why string }

// note keeps what failed.
func (m *Machine) note(n note) { m.notes = append(m.notes, n) }

// tried tells what was tried and why it failed: the same failure once, with all nodes that met it; the first and the last of many.
func (m *Machine) tried() []string {
	type failure struct{ what, why string }
	var order []failure
	count, nodes := map[failure]int{}, map[failure][]string{}
	for _, n := range m.notes {
		f := failure{n.what, n.why}
		if count[f]++; count[f] == 1 {
			order = append(order, f)
		}
		if n.node != "" && !slices.Contains(nodes[f], n.node) {
			nodes[f] = append(nodes[f], n.node)
		}
	}
	var notes []string
	for _, f := range order {
		text := f.why
		if f.what != "" {
			text = f.what + " on " + enumerate(nodes[f]) + ": " + f.why
		}
		if count[f] > len(nodes[f]) && count[f] > 1 {
			text += fmt.Sprintf(" (%d times)", count[f])
		}
		notes = append(notes, text)
	}
	if dropped := len(notes) - notesMax; dropped > 0 {
		notes = slices.Replace(notes, notesMax/2, notesMax/2+dropped, fmt.Sprintf("(%d more)", dropped))
	}
	return notes
}

// enumerate writes names as a sentence does: "a, b and c".
func enumerate(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// clean makes a device's words fit into a sentence.
func clean(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if s == "" {
		return "it failed and did not say why"
	}
	if len(s) > detailMax {
		s = strings.ToValidUTF8(s[:detailMax], "") + "..."
	}
	return s
}
