package scheduler

import (
	"fmt"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// applyStickiness lets resources prefer the node where they are. What is not managed is nowhere else, and what is placed before it or
// with it has to reckon with that.
func (w *world) applyStickiness() {
	for _, r := range w.all {
		if !r.primitive() {
			continue
		}
		sticky := r.sticky
		switch {
		case !r.managed:
			sticky = infinity
		case len(r.running) != 1:
			continue
		}
		for _, n := range r.running {
			r.addAt(n, sticky)
		}
	}
}

// applyTargets bans resources that are meant to be stopped.
func (w *world) applyTargets() {
	for _, r := range w.all {
		if r.primitive() && (r.target == roleStopped || r.next == roleStopped) {
			if r.stopWhy == "" {
				r.stopWhy = "its target-role is Stopped"
				if r.removed {
					r.stopWhy = "it is no longer configured"
				}
			}
			r.next = roleStopped
		}
	}
}

// applyTickets keeps resources away whose ticket this site does not hold.
func (w *world) applyTickets() {
	for _, r := range w.all {
		for _, t := range r.tickets {
			w.applyTicket(r, t)
		}
	}
}

func (w *world) applyTicket(r *rsc, t *rscTicket) {
	lost := !t.ticket.granted
	standby := t.ticket.granted && t.ticket.standby
	if !lost && !standby {
		return
	}
	why := fmt.Sprintf("ticket %s is not granted here", t.ticket.id)
	if standby {
		why = fmt.Sprintf("ticket %s is in standby", t.ticket.id)
	}
	if t.role == rolePromoted {
		w.ticketPromoted(r, t, why, standby)
		return
	}
	if standby {
		w.ticketStop(r, why)
		return
	}
	switch t.loss {
	case "fence":
		w.ticketFence(r, t, roleStarted)
		w.ticketStop(r, why)
	case "demote":
		if r.kind == cib.KindClone && r.clone.promotable {
			w.ticketPromoted(r, t, why, false)
			return
		}
		w.ticketStop(r, why)
	case "freeze":
		r.leaves(func(l *rsc) {
			if len(l.running) > 0 {
				l.managed = false
			} else {
				l.ban()
				l.banWhy(nil, why)
			}
		})
	default:
		w.ticketStop(r, why)
	}
}

func (w *world) ticketStop(r *rsc, why string) {
	r.banWhy(nil, why)
	r.spread(nil, banned)
	r.leaves(func(l *rsc) { l.banWhy(nil, why) })
}

func (w *world) ticketFence(r *rsc, t *rscTicket, least role) {
	r.leaves(func(l *rsc) {
		if l.role < least {
			return
		}
		for _, n := range l.running {
			w.mark(n, fmt.Sprintf("ticket %s was lost while %s was there", t.ticket.id, l.id))
		}
	})
}

// ticketPromoted forbids the promoted role.
func (w *world) ticketPromoted(r *rsc, t *rscTicket, why string, standby bool) {
	if standby && t.loss == "stop" && !r.active(false) {
		w.ticketStop(r, why)
		return
	}
	if !standby && t.role == rolePromoted {
		switch t.loss {
		case "stop":
			w.ticketStop(r, why)
			return
		case "fence":
			w.ticketFence(r, t, rolePromoted)
		case "freeze":
			r.leaves(func(l *rsc) {
				if len(l.running) > 0 {
					l.managed = false
				}
			})
			r.noPromotion = why
			return
		}
	}
	r.noPromotion = why
}

// endLock forgets the history that held a lock for too long.
func (w *world) endLock(r *rsc) {
	a := w.actionVariant(r, "lrm_delete", r.lockNode, 0, "lock")
	a.kind = transition.KindCluster
	a.runnable, a.blocked = true, ""
	a.require("the lock of " + r.id + " to " + r.lockNode.name + " has expired")
	r.lockNode = nil
}

// applyLocks keeps resources on the node that shut down cleanly with them, for as long as locks hold.
func (w *world) applyLocks() {
	if !w.opts.shutdownLock {
		return
	}
	for _, r := range w.all {
		if !r.primitive() || r.lockNode == nil {
			continue
		}
		limit := w.opts.shutdownLockMS
		if limit > 0 {
			due := unixTime(r.lockSince).Add(time.Duration(limit) * time.Millisecond)
			if !w.now.Before(due) {
				w.endLock(r)
				continue
			}
			w.recheckAt(due.Add(graceSeconds * time.Second))
		}
		for _, n := range w.nodes {
			if n != r.lockNode && r.scores[n.idx] != absent {
				r.scores[n.idx] = banned
				r.banWhy(n, "it is locked to "+r.lockNode.name+", which is shutting down")
			}
		}
	}
}
