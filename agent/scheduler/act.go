package scheduler

import (
	"paceline/agent/cib"
)

// actAll lists the actions that would bring every resource where it was placed.
func (w *world) actAll() {
	w.actProbes()
	for _, r := range w.top {
		w.act(r)
	}
}

func (w *world) act(r *rsc) {
	switch r.kind {
	case cib.KindPrimitive:
		w.actPrimitive(r)
	case cib.KindGroup:
		for _, k := range r.kids {
			w.act(k)
		}
		w.actGroup(r)
	case cib.KindClone:
		for _, k := range r.kids {
			w.act(k)
		}
		w.actClone(r)
	case cib.KindBundle:
		w.actBundle(r)
	}
}

// actPrimitive makes the actions of one instance: from the role it has where it is, to the role it shall have.
func (w *world) actPrimitive(r *rsc) {
	n := r.assigned
	stay := n != nil && r.isRunningOn(n) && r.role >= roleStarted
	multi := len(r.running) > 1 && r.partialTo == nil
	if len(r.running) > 1 && r.partialTo != nil {
		w.actPartial(r)
		stay = false
	}
	restart := stay && w.mustRestart(r, n, multi)
	for _, cur := range r.running {
		w.actLeave(r, cur, n, stay, restart, multi)
	}
	for _, d := range r.dangling {
		if !r.isRunningOn(d) {
			w.needOp(w.action(r, taskStop, d, 0), "the remainder of a migration is there")
		}
	}
	if r.role >= roleStarted && len(r.running) == 0 {
		r.role = roleStopped
	}
	if n != nil && r.next >= roleStarted && !(multi && r.recovery == multiStopOnly) {
		w.actArrive(r, n, stay, restart)
	} else if multi && r.recovery == multiStopOnly {
		r.next = roleStopped // it is left stopped, for people to look at
	}
	w.orderPrimitive(r)
	w.actRecurring(r)
	w.actForget(r)
}

// mustRestart tells whether a resource that stays has to be stopped and started all the same.
func (w *world) mustRestart(r *rsc, n *node, multi bool) bool {
	switch {
	case r.failed && !r.demoteOnly:
		r.restartWhy = "it failed: " + r.failedWhy
		return true
	case multi && r.recovery != multiStopUnexpected:
		r.restartWhy = "it is active on several nodes"
		return true
	case r.restart:
		return true
	case r.startPending && r.pendingT == taskStart:
		return false
	case n.unclean:
		return true
	}
	return false
}

// actLeave makes the stop (and demote) on a node where the instance is now.
func (w *world) actLeave(r *rsc, cur, to *node, stay, restart, multi bool) {
	stop := w.action(r, taskStop, cur, 0)
	here := cur == to
	if r.blocked {
		stop.block("it is blocked by a failure: " + r.blockedWhy)
	}
	switch {
	case to == nil || r.next == roleStopped:
		w.needOp(stop, "")
	case !here:
		w.needOp(stop, "")
		if w.moving(r, cur) {
			stop.why = "it moves to " + to.name
		}
	case restart:
		w.needOp(stop, r.restartWhy)
	case multi && r.recovery == multiStopOnly:
		w.needOp(stop, "it is active on several nodes")
	}
	if r.role == rolePromoted {
		demote := w.action(r, taskDemote, cur, 0)
		switch {
		case stop.need:
			w.needOp(demote, stop.why)
		case r.next != rolePromoted:
			w.needOp(demote, "")
		case r.failed && r.demoteOnly:
			w.needOp(demote, "it failed: "+r.failedWhy)
		}
	}
}

func (w *world) moving(r *rsc, cur *node) bool { return r.assigned != nil && r.assigned != cur }

// needOp requires an operation, unless the resource is not ours to touch.
func (w *world) needOp(a *action, why string) {
	if !a.rsc.managed {
		return
	}
	a.require(why)
}

// actArrive makes the start (and promote) where the instance shall be.
func (w *world) actArrive(r *rsc, n *node, stay, restart bool) {
	start := w.action(r, taskStart, n, 0)
	if r.blocked {
		start.block("it is blocked by a failure: " + r.blockedWhy)
	}
	if !stay || restart {
		if why := w.pauses(r, n); why != "" {
			start.block(why)
		}
		w.needOp(start, "")
	}
	if stay && !restart && r.reloadOn[n] {
		w.actReload(r, n, start)
	}
	if r.startPending && r.pendingT == taskStart && stay && r.managed {
		// Its start is on the way: it is sent again, which is harmless.
		start.require("its start is not complete")
	}
	if r.next == rolePromoted {
		promote := w.action(r, taskPromote, n, 0)
		if stay && !restart && (r.role != rolePromoted || r.failed && r.demoteOnly) {
			if why := w.pauses(r, n); why != "" {
				promote.block(why)
			}
		}
		switch {
		case r.role != rolePromoted || !stay || restart:
			w.needOp(promote, "")
		case r.failed && r.demoteOnly:
			w.needOp(promote, "")
		case r.pendingT == taskPromote:
			w.needOp(promote, "its promotion is not complete")
		}
	}
}

// orderPrimitive orders the actions of one instance among themselves.
func (w *world) orderPrimitive(r *rsc) {
	starts, stops := r.acting(taskStart), r.acting(taskStop)
	promotes, demotes := r.acting(taskPromote), r.acting(taskDemote)
	for _, stop := range stops {
		for _, start := range starts {
			if !r.isRunningOn(stop.node) && len(r.running) > 0 {
				w.order(stop, start, 0) // the remainder of a migration: nothing that runs depends on it
				continue
			}
			if r.recovery == multiStopUnexpected && stop.node != r.assigned && r.isRunningOn(start.node) {
				w.order(stop, start, 0)
				continue
			}
			w.order(stop, start, restarts|forcesThen)
		}
		for _, demote := range demotes {
			if demote.node == stop.node {
				w.order(demote, stop, forcesFirst|ifPromoted)
			}
		}
	}
	for _, promote := range promotes {
		for _, start := range starts {
			w.order(start, promote, needsFirst|forcesThen)
		}
		for _, demote := range demotes {
			w.order(demote, promote, restarts|forcesThen)
		}
	}
	w.orderProbes(r, starts)
}

// orderProbes lets starts wait for the probes of the same instance. What is active nowhere as far as is known may be active
// where one cannot look yet; what is active already is not stopped, or kept from moving, for that.
func (w *world) orderProbes(r *rsc, starts []*action) {
	whole := r
	if c := r.inClone(); c != nil {
		whole = c
	}
	var flags edgeFlag
	if !whole.active(false) {
		flags = needsFirst
	}
	for _, n := range w.nodes {
		if !r.probed[n] {
			continue
		}
		probe := w.existing(r, taskMonitor, n, 0)
		for _, start := range starts {
			w.order(probe, start, flags)
		}
	}
}

// actReload tells a running resource about changed parameters that it can take over without a restart.
func (w *world) actReload(r *rsc, n *node, start *action) {
	a := w.action(r, taskReload, n, 0)
	a.reload = true
	w.needOp(a, "its parameters were changed")
	w.order(start, a, 0)
	for _, p := range w.beforeAll(r, taskStop) {
		if p.task == taskMonitor {
			w.order(p, a, 0)
		}
	}
	a.unless = start
}

// beforeAll lists what must be over before one can rely on a resource having stopped: its stops, and the probes that
// tell whether there is anything to stop.
func (w *world) beforeAll(r *rsc, task string) []*action {
	list := r.acting(task)
	if task != taskStop || !r.primitive() {
		return list
	}
	for _, a := range r.acts {
		if a.task == taskMonitor && a.interval == 0 {
			list = append(list, a)
		}
	}
	return list
}

// orderStop puts the stop of first (and its probes) before then.
func (w *world) orderStop(first *rsc, then *action, flags edgeFlag) {
	for _, a := range w.beforeAll(first, taskStop) {
		if a.task == taskMonitor {
			w.order(a, then, flags&sameNode)
			continue
		}
		w.order(a, then, flags)
	}
}

// actGroup makes the pseudo actions of a group around those of its members.
func (w *world) actGroup(r *rsc) {
	start, running := w.action(r, taskStart, nil, 0), w.action(r, taskRunning, nil, 0)
	stop, stopped := w.action(r, taskStop, nil, 0), w.action(r, taskStopped, nil, 0)
	w.order(start, running, 0)
	w.order(stop, stopped, 0)
	w.order(stopped, start, 0)
	promotable := r.promotable()
	if promotable {
		w.pairs(r)
	}
	var prev *rsc
	for _, k := range r.kids {
		w.wrap(r, k, taskStart, taskRunning, needsFirst)
		w.wrap(r, k, taskStop, taskStopped, 0)
		if promotable {
			w.wrap(r, k, taskPromote, taskPromoted, needsFirst)
			w.wrap(r, k, taskDemote, taskDemoted, 0)
		}
		if len(k.acting(taskStart)) == 0 {
			running.block(k.id + " cannot run")
		}
		if promotable && len(k.acting(taskPromote)) == 0 {
			w.action(r, taskPromoted, nil, 0).block(k.id + " is not going to be promoted")
		}
		if prev != nil && r.ordered {
			w.orderMembers(prev, k, promotable)
		}
		prev = k
	}
}

// wrap puts the actions of a member between the two marks of its collection.
func (w *world) wrap(r, k *rsc, task, done string, flags edgeFlag) {
	begin, end := w.action(r, task, nil, 0), w.action(r, done, nil, 0)
	kidTask, kidEnd := task, task
	if collective(k) {
		kidEnd = done
	}
	for _, a := range k.acting(kidTask) {
		w.order(begin, a, forcesFirst|upward)
	}
	for _, a := range k.acting(kidEnd) {
		w.order(a, end, forcesThen|upward|flags)
	}
	if task == taskStop && k.primitive() {
		for _, a := range w.beforeAll(k, taskStop) {
			if a.task == taskMonitor {
				w.order(a, end, 0)
			}
		}
	}
}

// orderMembers orders a group member after the one before it, and the other way round for stops.
func (w *world) orderMembers(prev, k *rsc, promotable bool) {
	for _, a := range prev.acting(taskStart) {
		for _, b := range k.acting(taskStart) {
			w.order(a, b, needsFirst|forcesThen)
		}
	}
	if len(prev.acting(taskStart)) == 0 {
		for _, b := range k.acting(taskStart) {
			b.block(prev.id + " cannot run")
		}
	}
	for _, b := range prev.acting(taskStop) {
		w.orderStop(k, b, forcesFirst)
	}
	if !prev.active(false) && k.active(false) {
		// What runs above a gap has to stop before the gap is filled.
		for _, a := range k.acting(taskStop) {
			for _, b := range prev.acting(taskStart) {
				w.order(a, b, forcesFirst)
			}
		}
	}
	if !promotable {
		return
	}
	for _, a := range prev.acting(taskPromote) {
		for _, b := range k.acting(taskPromote) {
			w.order(a, b, needsFirst|forcesThen)
		}
	}
	for _, a := range k.acting(taskDemote) {
		for _, b := range prev.acting(taskDemote) {
			w.order(a, b, forcesFirst)
		}
	}
}

// pairs makes the marks around promotion and demotion.
func (w *world) pairs(r *rsc) {
	promote, promoted := w.action(r, taskPromote, nil, 0), w.action(r, taskPromoted, nil, 0)
	demote, demoted := w.action(r, taskDemote, nil, 0), w.action(r, taskDemoted, nil, 0)
	w.order(promote, promoted, 0)
	w.order(demote, demoted, 0)
}
