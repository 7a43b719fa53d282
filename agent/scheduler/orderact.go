package scheduler

import "paceline/agent/cib"

// orderAll turns the orderings between resources into edges between their actions.
func (w *world) orderAll() {
	for _, o := range w.orderings {
		w.expandOrdering(o)
	}
}

func (w *world) expandOrdering(o *ordering) {
	switch {
	case o.gateThen != nil:
		for _, a := range w.endsOf(o.first, o.firstTask) {
			w.order(a, o.gateThen, anyOf)
		}
		return
	case o.gate != nil:
		for _, b := range w.beginsOf(o.then, o.thenTask) {
			w.order(o.gate, b, o.flags)
		}
		return
	}
	if o.firstTask == taskStart || o.firstTask == taskPromote {
		if gate := w.minimumGate(o); gate != nil {
			for _, b := range w.beginsOf(o.then, o.thenTask) {
				w.order(gate, b, needsFirst)
			}
			return
		}
	}
	if !o.loose && w.interleaved(o) {
		return
	}
	firsts := w.endsOf(o.first, o.firstTask)
	thens := w.beginsOf(o.then, o.thenTask)
	if len(firsts) == 0 {
		firsts = w.placeholder(o)
	}
	for _, b := range thens {
		for _, a := range firsts {
			w.order(a, b, o.flags)
		}
		if o.firstTask == taskStop && o.first.primitive() {
			w.orderStop(o.first, b, o.flags)
		}
	}
}

// endsOf are the actions whose completion means that the task of a resource is complete.
func (w *world) endsOf(r *rsc, task string) []*action {
	if collective(r) {
		if end := ending(task); end != "" {
			if a := w.existing(r, end, nil, 0); a != nil {
				return []*action{a}
			}
		}
		return nil
	}
	return r.acting(task)
}

// beginsOf are the actions with which the task of a resource begins.
func (w *world) beginsOf(r *rsc, task string) []*action {
	if collective(r) {
		if a := w.existing(r, task, nil, 0); a != nil {
			return []*action{a}
		}
		return nil
	}
	return r.acting(task)
}

func ending(task string) string {
	switch task {
	case taskStart:
		return taskRunning
	case taskStop:
		return taskStopped
	case taskPromote:
		return taskPromoted
	case taskDemote:
		return taskDemoted
	}
	return ""
}

func beginning(task string) string {
	switch task {
	case taskRunning:
		return taskStart
	case taskStopped:
		return taskStop
	case taskPromoted:
		return taskPromote
	case taskDemoted:
		return taskDemote
	}
	return task
}

// placeholder stands for the start of a resource that is not going to be started: what needs it cannot go on.
func (w *world) placeholder(o *ordering) []*action {
	if o.flags&needsFirst == 0 || o.firstTask != taskStart && o.firstTask != taskPromote {
		return nil
	}
	a := w.action(o.first, o.firstTask, nil, 0)
	a.block(o.first.id + " is not going to " + o.firstTask)
	a.dead = true
	return []*action{a}
}

// orderApart lets a resource that must not share a node with another start there only after that has stopped. The marks of
// collections are on no node: with one of those, all of it counts.
func (w *world) orderApart() {
	for _, c := range w.colocations {
		if c.score > banned {
			continue
		}
		w.apart(c.dep, c.depRole, c.pri, c.priRole)
		w.apart(c.pri, c.priRole, c.dep, c.depRole)
	}
}

func (w *world) apart(first *rsc, firstRole role, then *rsc, thenRole role) {
	firstTask, thenTask := taskStop, taskStart
	if firstRole == rolePromoted {
		firstTask = taskDemote
	}
	if thenRole == rolePromoted {
		thenTask = taskPromote
	}
	for _, b := range w.beginsOf(then, thenTask) {
		if firstTask == taskStop && first.primitive() {
			w.orderStop(first, b, sameNode)
			continue
		}
		for _, a := range w.endsOf(first, firstTask) {
			w.order(a, b, sameNode)
		}
	}
}

// followBlocked stops what must be with a resource that cannot start: where the one cannot go, the other cannot stay.
func (w *world) followBlocked() {
	for _, c := range w.colocations {
		if c.score < infinity || c.id == groupMembers {
			continue
		}
		task, depTask := taskStart, taskStart
		if c.priRole == rolePromoted {
			task = taskPromote
		}
		if c.depRole == rolePromoted {
			depTask = taskPromote
		}
		if c.pri.kind == cib.KindClone {
			continue
		}
		for _, a := range w.endsOf(c.pri, task) {
			c.dep.leaves(func(l *rsc) {
				for _, b := range l.acting(depTask) {
					w.order(a, b, needsFirst|hidden)
				}
			})
		}
	}
}

// dropIdleProbes drops the probes of connections into containers that are not there and will not be.
func (w *world) dropIdleProbes() {
	for _, p := range w.actions {
		if p.task != taskMonitor || p.interval != 0 || p.rsc == nil || p.rsc.guest == nil || p.rsc.container == nil {
			continue
		}
		c := p.rsc.container
		up := len(c.running) > 0
		for _, s := range c.acting(taskStart) {
			up = up || s.done()
		}
		if !up {
			p.need = false
		}
	}
}

// orderRestartsAfterProbes lets what is restarted because of a resource wait until it is known where that resource is.
func (w *world) orderRestartsAfterProbes() {
	w.dropIdleProbes()
	for _, p := range w.actions {
		if p.task != taskMonitor || p.interval != 0 || !p.done() {
			continue
		}
		seen := map[*action]bool{}
		for _, start := range p.rsc.acting(taskStart) {
			w.probeBeforeRestarts(p, start, seen)
		}
	}
}

func (w *world) probeBeforeRestarts(p, start *action, seen map[*action]bool) {
	if seen[start] {
		return
	}
	seen[start] = true
	for _, e := range start.out {
		t := e.then
		if e.flags&upward != 0 && t.rsc != nil && t.rsc.kind == cib.KindClone && t.need {
			w.probeBeforeRestarts(p, t, seen)
			continue
		}
		if e.flags&forcesThen == 0 || e.flags&(upward|restarts) != 0 || !t.need || t.rsc == nil || t.rsc == p.rsc ||
			!t.rsc.primitive() || t.task != taskStart {
			continue
		}
		for _, in := range t.in {
			if in.flags&restarts != 0 && in.first.need && in.first.task == taskStop {
				w.order(p, in.first, 0)
			}
		}
		w.probeBeforeRestarts(p, t, seen)
	}
}

// interleaved orders clones instance by instance, where the later one asks for it.
func (w *world) interleaved(o *ordering) bool {
	inter := o.then
	if o.firstTask == taskStop || o.firstTask == taskDemote {
		inter = o.first
		if !o.inverse {
			inter = o.then
		}
	}
	if o.first.kind != cib.KindClone && o.first.kind != cib.KindBundle ||
		o.then.kind != cib.KindClone && o.then.kind != cib.KindBundle {
		return false
	}
	if inter.clone == nil || !inter.clone.interleave {
		return false
	}
	return w.interleave(o)
}
