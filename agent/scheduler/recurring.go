package scheduler

import (
	"fmt"
	"strconv"

	"paceline/agent/cib"
)

// actRecurring makes the recurring monitors of an instance where it shall run, and cancels those that are over.
func (w *world) actRecurring(r *rsc) {
	n := r.assigned
	if r.maintenance || w.opts.maintenance {
		w.cancelAll(r)
		return
	}
	if n != nil && n.maintenance {
		w.cancelAll(r)
		return
	}
	for _, op := range r.ops {
		ms := opInterval(op)
		if ms == 0 || op.Name == taskStart || op.Name == taskStop || op.Name == taskPromote || op.Name == taskDemote {
			continue
		}
		if w.repeated(r, op) {
			continue
		}
		if parseRole(op.Role) == roleStopped {
			w.actStoppedMonitor(r, op, ms)
			continue
		}
		if n != nil && r.next >= roleStarted {
			w.actMonitor(r, op, ms, n)
		}
	}
	w.cancelGone(r)
}

// repeated reports an operation that is configured twice: as it cannot be told which one is meant, none is.
func (w *world) repeated(r *rsc, op *cib.Op) bool {
	for _, o := range r.ops {
		if o != op && o.Name == op.Name && opInterval(o) == opInterval(op) {
			w.problem(fmt.Sprintf("resource %s: operation %s with interval %d ms is configured twice; it is ignored", r.id,
				op.Name, opInterval(op)))
			return true
		}
	}
	return false
}

// roleFits tells whether a monitor is one for the role that the instance shall have. Where there is promotion, nothing is
// merely started: a monitor without a role is for what is not promoted, one of the role Started for nothing.
func roleFits(op *cib.Op, r *rsc) bool {
	want := parseRole(op.Role)
	switch {
	case !r.promotable():
		return want == roleUnknown || want == r.next
	case op.Role == "":
		return r.next != rolePromoted
	}
	return want == r.next
}

// inHistory returns the history of a recurring operation on a node; nil where a stop or a change of role has ended it.
func inHistory(r *rsc, n *node, task string, ms int64) *record {
	var found *record
	for _, k := range sinceStart(r, n) {
		if k.task == task && k.interval == ms && ms > 0 && k.status != cib.OpCancelled {
			found = k
		}
	}
	return found
}

// sinceStart lists the history of an instance on a node since it came to life there: since its last start or, where
// that is not recorded any more, its last change of role.
func sinceStart(r *rsc, n *node) []*record {
	list := r.hist.on(n)
	start, stop, implied, changed := -1, -1, -1, -1
	for i, k := range list {
		switch {
		case k.task == taskStop && k.status == cib.OpDone:
			stop, implied = i, -1
		case k.task == taskStart || k.task == taskMigrateFrom:
			start = i
		case k.task == taskPromote || k.task == taskDemote:
			changed = i
		case k.task == taskMonitor && implied < 0 && (k.rc == rcOK || k.rc == rcPromoted):
			implied = i
		}
	}
	if start < 0 {
		switch {
		case changed > stop:
			start = changed
		default:
			start = implied
		}
	}
	switch {
	case start < 0 && stop < 0:
		return list // nothing tells when it began: all of it may be true
	case start < 0 || start < stop:
		return nil
	}
	return list[start:]
}

func (w *world) actMonitor(r *rsc, op *cib.Op, ms int64, n *node) {
	old := inHistory(r, n, op.Name, ms)
	if !opEnabled(op) || !roleFits(op, r) {
		return
	}
	a := w.action(r, op.Name, n, ms)
	if r.next == rolePromoted {
		a.targetRC = rcPromoted
	}
	start := w.existing(r, taskStart, n, 0)
	switch {
	case old == nil || !r.isRunningOn(n):
		a.require("it is not monitored yet")
	case old.status == cib.OpPending:
		a.require("its monitor is not complete")
	case start != nil && start.need:
		a.require("")
	case r.reschedule[n][ms] && op.Name == taskMonitor:
		a.require("its parameters were changed")
	}
	if !r.managed && !r.isRunningOn(n) {
		a.need = false
	}
	w.order(start, a, needsFirst|forcesThen)
	if p := w.existing(r, taskPromote, n, 0); p != nil {
		w.order(p, a, needsFirst)
	}
	if r.next == roleUnpromoted || r.next == roleStarted {
		if d := w.existing(r, taskDemote, n, 0); d != nil {
			w.order(d, a, needsFirst)
		}
	}
	for _, stop := range r.acting(taskStop) {
		w.order(stop, a, 0)
	}
	w.order(w.existing(r, taskReload, n, 0), a, forcesThen)
}

// actStoppedMonitor watches that an instance is not running where it should not be.
func (w *world) actStoppedMonitor(r *rsc, op *cib.Op, ms int64) {
	if !opEnabled(op) {
		return
	}
	if c := r.inClone(); c != nil && !c.clone.unique {
		w.problem(fmt.Sprintf("resource %s: monitors of the stopped role are not possible for anonymous clones", r.base))
		return
	}
	for _, n := range w.nodes {
		if n.kind == kindPing {
			continue
		}
		old := inHistoryAnyStop(r, n, op.Name, ms)
		if r.assigned == n && r.next >= roleStarted {
			if old != nil {
				w.cancel(r, n, op.Name, ms, "it is to run there", true)
			}
			continue
		}
		if !n.online || n.pending || n.unclean || n.shutdown {
			continue
		}
		a := w.action(r, op.Name, n, ms)
		a.targetRC = rcNotRunning
		if old == nil {
			a.require("it is not watched there yet")
		}
		if p := w.existing(r, taskMonitor, n, 0); p != nil {
			w.order(p, a, needsFirst|forcesThen)
		}
		for _, stop := range r.acting(taskStop) {
			if stop.node == n {
				w.order(stop, a, needsFirst|forcesThen)
			}
		}
	}
}

// inHistoryAnyStop returns the history of a recurring operation that stops do not end.
func inHistoryAnyStop(r *rsc, n *node, task string, ms int64) *record {
	for _, k := range r.hist.on(n) {
		if k.task == task && k.interval == ms && k.status != cib.OpCancelled {
			return k
		}
	}
	return nil
}

// cancelAll ends every monitor of an instance in maintenance.
func (w *world) cancelAll(r *rsc) {
	for _, n := range r.running {
		for _, k := range r.hist.on(n) {
			if k.interval > 0 && inHistory(r, n, k.task, k.interval) == k {
				w.cancel(r, n, k.task, k.interval, "it is in maintenance", false)
			}
		}
	}
}

// cancelGone ends monitors that are no longer configured, or not for the role that the instance shall have.
func (w *world) cancelGone(r *rsc) {
	for _, n := range r.running {
		if !n.online || n.unclean && !n.remote() {
			continue
		}
		for _, k := range r.hist.on(n) {
			if k.interval == 0 || inHistory(r, n, k.task, k.interval) != k {
				continue
			}
			op := r.anyOp(k.task, k.interval)
			if op != nil && opEnabled(op) && r.reschedule[n][k.interval] {
				continue // with the definition that it has now it was never asked for
			}
			if op != nil && opEnabled(op) && parseRole(op.Role) == rolePromoted && r.role == rolePromoted &&
				r.next != rolePromoted && (r.next >= roleStarted || r.uber().kind == cib.KindBundle) && !w.repeated(r, op) {
				w.cancel(r, n, k.task, k.interval, "it is not promoted any more", true).beforeStop = nil
				continue
			}
			switch {
			case op == nil && (r.removed || !w.opts.cancelRemoved || !n.checked()):
				continue
			case op != nil && parseRole(op.Role) == roleStopped && opEnabled(op):
				continue
			case op != nil && opEnabled(op) && (r.next < roleStarted || roleFits(op, r) || w.repeated(r, op)):
				continue
			}
			a := w.cancel(r, n, k.task, k.interval, "it is not wanted any more", true)
			if op == nil {
				a.beforeStop = nil
				w.order(w.existing(r, taskStop, n, 0), a, 0)
			}
		}
	}
}

// anyOp returns a configured operation, enabled or not.
func (r *rsc) anyOp(name string, interval int64) *cib.Op {
	for _, op := range r.ops {
		if op.Name == name && opInterval(op) == interval {
			return op
		}
	}
	return nil
}

// cancel ends a recurring operation on a node.
func (w *world) cancel(r *rsc, n *node, task string, ms int64, why string, order bool) *action {
	a := w.actionVariant(r, taskCancel, n, ms, task)
	a.cancelOf = task
	a.key = r.id + "_" + task + "_" + strconv.FormatInt(ms, 10)
	a.require(why)
	if stop := w.existing(r, taskStop, n, 0); stop != nil {
		a.beforeStop = stop
	}
	for _, t := range []string{taskStart, taskPromote, taskDemote} {
		if next := w.existing(r, t, n, 0); next != nil && order {
			w.order(a, next, 0)
		}
	}
	return a
}
