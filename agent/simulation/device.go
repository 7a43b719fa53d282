package simulation

import (
	"time"

	"paceline/agent/audit"
	"paceline/fencing"
)

// device is the power switch of the cluster: it reaches every node, whatever the network does.
type device struct {
	w    *world
	mode string // "", fails, hangs, slow
	// pending are the orders that it has not carried out yet: a slow one may act long after who gave it is gone.
	pending int
}

func (d *device) do(by *node, o fencing.Order, expires time.Duration, reply func(ok bool, detail string)) {
	w := d.w
	target := w.node(o.Target)
	took := w.between(20*time.Millisecond, 300*time.Millisecond)
	if d.mode == "fails" || d.mode == "hangs" || d.mode == "slow" {
		w.fact(audit.Fact{Kind: audit.FenceSlow, Node: by.name, Target: o.Target})
	}
	switch {
	case w.opt.Broken.LyingDevice:
		w.after(took, func() { reply(true, "") })
		return
	case d.mode == "fails":
		w.after(took, func() { reply(false, "the device refuses") })
		return
	case d.mode == "hangs":
		w.after(o.Budget, func() { reply(false, "the device does not answer") })
		return
	case d.mode == "slow":
		took = w.between(time.Second, 20*time.Second)
	}
	boot := by.boot
	if w.opt.Broken.FenceBeforeStart {
		w.after(took, func() { reply(true, "") })
		w.after(took+w.between(time.Second, 4*time.Second), func() { w.powerOff(target, "late") })
		return
	}
	// The agent dies with its node; what it has sent by then the device carries out.
	sent, acts := w.between(0, 20*time.Millisecond), w.between(20*time.Millisecond, took)
	if d.mode == "slow" {
		sent = acts
	}
	gone := false
	w.after(sent, func() { gone = by.boot != boot || !by.power })
	d.pending++
	w.after(acts, func() {
		d.pending--
		if gone || d.mode == "slow" && (by.boot != boot || !by.power) {
			return
		}
		if w.now > expires && !w.opt.Broken.LateFences {
			return // the agent was ended when its time was over
		}
		w.out.Fencings++
		w.fact(audit.Fact{Kind: audit.FenceActs, Node: by.name, Target: target.name, Until: expires})
		if w.out.Violation != nil {
			return
		}
		if o.Action == fencing.On {
			w.powerOn(target, 0)
			w.after(max(0, took), func() { reply(true, "") })
			return
		}
		w.powerOff(target, "fenced by "+by.name)
		back := w.between(200*time.Millisecond, 4*time.Second)
		if o.Action == fencing.Off {
			back = w.between(4*time.Second, 20*time.Second) // a person switches it on again
		}
		w.powerOn(target, back)
		switch d.mode {
		case "late answer":
			w.after(w.between(time.Second, 120*time.Second), func() { reply(true, "") })
		case "says no":
			reply(false, "the device says that it failed")
		default:
			w.after(took-acts, func() { reply(true, "") })
		}
	})
	w.after(o.Budget, func() { reply(false, "time-out") }) // an answer after the first is not taken
}
