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
	if w.interleaved(o) {
		return
	}
	firsts := w.endsOf(o.first, o.firstTask)
	thens := w.beginsOf(o.then, o.thenTask)
	if len(firsts) == 0 {
		firsts = w.placeholder(o)
	}
	if o.firstTask == taskStart || o.firstTask == taskPromote {
		if gate := w.minimumGate(o); gate != nil {
			firsts = []*action{gate}
		}
	}
	for _, a := range firsts {
		for _, b := range thens {
			w.order(a, b, o.flags)
		}
	}
	w.orderProbes(o)
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

// orderProbes lets what follows a resource wait until it is known where that is.
func (w *world) orderProbes(o *ordering) {
	if o.inverse || o.firstTask != taskStart || o.flags&serial != 0 {
		return
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
