package scheduler

import "paceline/agent/cib"

// propagate lets orderings force and block actions until nothing changes any more.
func (w *world) propagate() {
	queue := append([]*action(nil), w.actions...)
	for _, a := range queue {
		a.marked = true
	}
	limit := roundsMax * (len(w.actions) + 1)
	push := func(a *action) {
		if !a.marked {
			a.marked = true
			queue = append(queue, a)
		}
	}
	for steps := 0; len(queue) > 0; steps++ {
		a := queue[0]
		queue = queue[1:]
		a.marked = false
		if steps > limit {
			w.problem("the orderings force and block each other without end; the plan may lack actions")
			return
		}
		w.settleMinimum(a, push)
		for _, e := range a.out {
			w.update(e, push)
		}
		for _, e := range a.in {
			w.update(e, push)
		}
	}
}

// settleMinimum decides whether enough of the inputs of a mark can be done.
func (w *world) settleMinimum(a *action, push func(*action)) {
	if a.minimum == 0 || !a.runnable {
		return
	}
	can, need := 0, false
	for _, e := range a.in {
		if e.flags&anyOf == 0 {
			continue
		}
		if e.first.runnable && !e.first.dead {
			can++
			if e.first.need {
				need = true
			}
		}
	}
	if can < a.minimum {
		a.block("too few instances can run")
		push(a)
		for _, e := range a.out {
			push(e.then)
		}
	}
	if need && a.require("") {
		push(a)
	}
}

// update lets one ordering take effect.
func (w *world) update(e *edge, push func(*action)) {
	f, t := e.first, e.then
	if e.apart() {
		return
	}
	if e.flags&anyOf != 0 {
		w.settleMinimum(t, push)
		if e.flags&upward == 0 {
			return
		}
	}
	if e.flags&oneWay != 0 && satisfiedAlready(t) {
		return
	}
	w.checkMigration(e, push)
	if e.flags&restarts != 0 {
		w.updateRestart(f, t, push)
	}
	if e.flags&needsFirst != 0 && !f.runnable && t.runnable {
		w.blockAction(t, f.blockedText(), push)
	}
	if e.flags&forcesFirst != 0 && t.need && (e.flags&upward != 0 || t.forces(f)) &&
		(e.flags&ifPromoted == 0 || t.rsc != nil && t.rsc.role == rolePromoted) {
		if e.flags&upward != 0 {
			if f.require(t.why) {
				push(f)
			}
		} else if !f.need {
			w.requireAction(f, "", t, push)
		}
		if e.flags&upward == 0 && (f.stuck() || f.need && !f.runnable) && t.runnable {
			w.blockAction(t, f.blockedText(), push)
		}
	}
	if e.flags&forcesThen != 0 && f.need && !f.dead && (e.flags&upward != 0 || f.forces(t)) {
		if e.flags&upward != 0 {
			if t.require(f.why) {
				push(t)
			}
			if !f.runnable && (t.task == taskStopped || t.task == taskDemoted) && t.runnable {
				w.blockAction(t, f.blockedText(), push)
			}
		} else if !t.need && e.flags&restarts == 0 {
			w.requireAction(t, "", f, push)
		}
	}
}

// forces tells whether that an action is needed means something to what other is about. That a clone starts or promotes an
// instance does, if the other is on the same node or is itself spread over nodes; that it stops or demotes one does not,
// as long as others stay.
func (a *action) forces(other *action) bool {
	if a.rsc == nil || a.imposed {
		return true
	}
	if a.rsc.kind != cib.KindClone {
		// What only moves, without ever being down, disturbs nobody.
		return !(movesAlong(a) && (beginning(a.task) == taskStart || beginning(a.task) == taskStop))
	}
	task := beginning(a.task)
	if task == taskStart || task == taskPromote {
		n := other.place()
		for _, k := range a.rsc.kids {
			for _, b := range k.acting(task) {
				if b.need && b.runnable && (n == nil || b.place() == n) {
					return true
				}
			}
		}
		return false
	}
	for _, k := range a.rsc.kids {
		if k.active(false) {
			for _, b := range k.acting(task) {
				if !b.need {
					return false
				}
			}
		}
	}
	return true
}

// place is the node that an action is about: its own, or that of the group that it marks.
func (a *action) place() *node {
	if a.node == nil && a.rsc != nil && a.rsc.kind == cib.KindGroup {
		return a.rsc.assigned
	}
	return a.node
}

// satisfiedAlready tells whether what an action wants is the case now.
func satisfiedAlready(a *action) bool {
	if a.need || a.rsc == nil {
		return false
	}
	switch beginning(a.task) {
	case taskStart:
		return a.rsc.active(false)
	case taskStop:
		return !a.rsc.active(false)
	case taskPromote:
		return a.rsc.role == rolePromoted
	case taskDemote:
		return a.rsc.role != rolePromoted
	}
	return false
}

// stuck tells whether an action would have to be done but must not be: its resource is not managed.
func (a *action) stuck() bool {
	if a.rsc == nil || !a.rsc.primitive() || a.rsc.managed || a.need || a.interval != 0 {
		return false
	}
	switch a.task {
	case taskStop:
		return a.rsc.isRunningOn(a.node)
	case taskDemote:
		return a.rsc.role == rolePromoted
	}
	return false
}

func (a *action) blockedText() string {
	who := ""
	if a.rsc != nil {
		who = a.rsc.id + " "
	}
	if a.blocked != "" {
		return who + a.task + " cannot be done: " + a.blocked
	}
	if a.rsc != nil && !a.rsc.managed {
		return a.rsc.id + " is not managed"
	}
	return who + a.task + " cannot be done"
}

// updateRestart ties a stop to the start of the same resource.
func (w *world) updateRestart(stop, start *action, push func(*action)) {
	pending := start.rsc.startPending && start.rsc.pendingT == taskStart && stop.node == start.node
	if start.need && !stop.need && start.rsc.managed && !pending {
		if stop.rsc.partialTo == nil || stop.node != start.node {
			w.requireAction(stop, start.why, start, push)
		}
	}
	if !start.runnable && !stop.need && start.rsc.managed && !start.dead {
		w.requireAction(stop, start.blocked, nil, push)
	}
	if stop.need && !start.need && start.rsc.managed && !start.dead {
		w.requireAction(start, stop.why, stop, push)
	}
	if stop.need && !stop.runnable && start.runnable {
		w.blockAction(start, stop.blockedText(), push)
	}
}

// requireAction makes an action needed because of another; in a collection that holds for all members.
func (w *world) requireAction(a *action, why string, because *action, push func(*action)) {
	if why == "" && because != nil {
		why = because.describe()
	}
	if a.rsc != nil && a.rsc.primitive() && !a.rsc.managed && a.interval == 0 {
		return
	}
	changed := a.require(why)
	if a.rsc != nil && collective(a.rsc) && !a.imposed {
		a.imposed = true
		changed = true
		w.impose(a, a.rsc, beginning(a.task), why, push)
	}
	if changed {
		push(a)
	}
}

// impose requires an action of every member of a collection.
func (w *world) impose(a *action, r *rsc, task, why string, push func(*action)) {
	for _, k := range r.kids {
		for _, b := range k.acting(task) {
			w.requireAction(b, why, nil, push)
			if b.stuck() || b.need && !b.runnable && task == taskStop {
				w.blockAction(a, b.blockedText(), push)
			}
		}
	}
}

// blockAction makes an action impossible; the start of a collection blocks those of its members.
func (w *world) blockAction(a *action, why string, push func(*action)) {
	if !a.runnable {
		return
	}
	a.block(why)
	push(a)
	if a.rsc == nil || !collective(a.rsc) || beginning(a.task) != a.task {
		return
	}
	if a.task != taskStart && a.task != taskPromote {
		return
	}
	for _, k := range a.rsc.kids {
		for _, b := range k.acting(a.task) {
			w.blockAction(b, why, push)
		}
	}
}

// describe names an action for reasons: "db start".
func (a *action) describe() string {
	if a.rsc == nil {
		if a.fenceOp == "on" {
			return a.node.name + " is unfenced"
		}
		return a.key
	}
	switch a.task {
	case taskRunning:
		return a.rsc.id + " starts"
	case taskStopped:
		return a.rsc.id + " stops"
	}
	return a.rsc.id + " " + a.task + "s"
}
