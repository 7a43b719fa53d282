package fencing

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Rehearsal asks every device that would fence a target whether it could, and touches no power: whether the device answers, has the target,
// and sees it as it is. It is a step machine as Machine is, with the same events and effects.
type Rehearsal struct {
	req     Request
	up      bool // the target is a member now: its power cannot be off
	checks  []check
	at      int
	step    int
	pending *pending
	started time.Time
	over    bool
	skip    map[string]bool // devices that turned out not to reach the target
	good    []string        // devices that have passed
	nodes   []string
	bad     []string
}

// check is one question to one device.
type check struct {
	dev    Device
	action string
	wanted bool // by a topology, or a list of the device: that it does not reach the target is a failure
}

// NewRehearsal returns the rehearsal of a fencing; up says that the target is a member now. Nothing happens before the first Step.
func NewRehearsal(req Request, up bool) *Rehearsal {
	r := &Rehearsal{req: req, up: up, skip: map[string]bool{}}
	m := NewMachine(req)
	list, why, broken := m.ways()
	var seen []string
	for _, w := range list {
		asked := w.tasks[0].action == List
		for _, t := range w.tasks {
			if t.optional || t.action == List || slices.Contains(seen, t.dev.ID) {
				continue
			}
			seen = append(seen, t.dev.ID)
			if asked {
				r.checks = append(r.checks, check{t.dev, List, false})
			}
			r.checks = append(r.checks, check{t.dev, Status, !asked})
		}
	}
	r.bad = append(r.bad, broken...)
	if len(list) == 0 {
		r.bad = append(r.bad, why...)
	}
	return r
}

// Step takes in that something happened, or with nil that time has passed, and returns what is wanted now.
func (r *Rehearsal) Step(now time.Time, ev Event) []Effect {
	if r.over {
		return nil
	}
	if r.started.IsZero() {
		r.started = now
	}
	switch ev := ev.(type) {
	case Result:
		if p := r.pending; p != nil && ev.Fence == r.req.Number && ev.Term == r.req.Term && ev.Step == p.order.Step && ev.Node == p.node {
			r.answered(ev)
		}
	case NodeLost:
		if r.pending != nil && r.pending.node == ev.Node {
			r.failed("the node was lost meanwhile")
		}
	}
	if r.pending != nil && !now.Before(r.pending.until) {
		r.failed(fmt.Sprintf("no answer within %v", r.pending.order.Budget+answerGrace))
	}
	return r.advance(now)
}

// Deadline returns when Step is to be called at the latest, without an event.
func (r *Rehearsal) Deadline() time.Time {
	if r.pending == nil {
		return time.Time{}
	}
	return r.pending.until
}

func (r *Rehearsal) answered(res Result) {
	c := r.checks[r.at]
	switch {
	case c.action == List && !res.OK:
		r.pending = nil
		r.skip[c.dev.ID] = true
		r.at++
		return
	case !res.OK && r.up && strings.HasSuffix(res.Detail, ErrPowerOff.Error()):
		r.failed(fmt.Sprintf("it says that the power of %s is off, and %s is here: it looks at something else", r.req.Target, r.req.Target))
		return
	case !res.OK && !strings.HasSuffix(res.Detail, ErrPowerOff.Error()):
		r.failed(res.Detail)
		return
	}
	if c.action == Status {
		r.good = append(r.good, c.dev.ID)
		r.nodes = append(r.nodes, r.pending.node)
	}
	r.pending = nil
	r.at++
}

func (r *Rehearsal) failed(why string) {
	c := r.checks[r.at]
	r.bad = append(r.bad, fmt.Sprintf("%s on %s: %s", c.dev.ID, r.pending.node, clean(why)))
	r.pending = nil
	r.at++
}

// advance asks the next device, or ends.
func (r *Rehearsal) advance(now time.Time) []Effect {
	for r.pending == nil && r.at < len(r.checks) {
		c := r.checks[r.at]
		if r.skip[c.dev.ID] {
			r.at++
			continue
		}
		nodes := NewMachine(r.req).candidates(c.dev)
		if len(nodes) == 0 {
			r.bad = append(r.bad, fmt.Sprintf("no live node but the target may run %s", c.dev.ID))
			r.at++
			continue
		}
		budget := rehearsalTime
		if own, ok := actionTimeout(c.dev, c.action); ok {
			budget = own
		}
		r.step++
		o := Order{
			Term: r.req.Term, View: r.req.View, Fence: r.req.Number, Step: r.step,
			Device: c.dev, Action: c.action, Target: r.req.Target, Budget: budget,
		}
		r.pending = &pending{node: nodes[0], order: o, until: now.Add(budget + answerGrace)}
		return []Effect{Ask{Node: nodes[0], Order: o}}
	}
	if r.pending != nil {
		return nil
	}
	r.over = true
	d := Done{Started: r.started, Device: strings.Join(r.good, "+"), Detail: strings.Join(r.bad, "; ")}
	slices.Sort(r.nodes)
	d.Node = strings.Join(slices.Compact(r.nodes), "+")
	if len(r.good) == 0 && d.Detail == "" {
		d.Detail = "no fencing device reaches " + r.req.Target
	}
	d.OK = d.Detail == ""
	return []Effect{d}
}
