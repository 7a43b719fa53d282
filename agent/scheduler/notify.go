package scheduler

import (
	"fmt"
	"sort"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// phase is one kind of change in a clone of which its instances are told before and after.
type phase struct {
	task, done  string
	begin, end  *action
	pre, preOK  *action // "is about to", and everybody has been told
	post, posOK *action // "has", and everybody has been told
	fences      []*action
	told        []*action
}

// actNotifications tells the instances of clones that asked for it what happens to the others. It runs when it is
// settled what happens.
func (w *world) actNotifications() {
	for _, r := range w.all {
		if r.kind == cib.KindClone && r.clone.notify && len(r.kids) > 0 {
			w.notifyClone(r)
		}
	}
}

func (w *world) notifyClone(r *rsc) {
	var phases []*phase
	for _, t := range []string{taskDemote, taskStop, taskStart, taskPromote} {
		begin, end := w.existing(r, t, nil, 0), w.existing(r, ending(t), nil, 0)
		if begin == nil || end == nil || !begin.done() && !end.done() || !w.anyReal(r, t) {
			continue
		}
		phases = append(phases, w.notifyPhase(r, t, begin, end))
	}
	if len(phases) == 0 {
		return
	}
	for i, p := range phases {
		for _, q := range phases[:i] {
			if q.task == taskDemote && p.task != taskPromote && p.task != taskStop {
				continue
			}
			w.order(q.posOK, p.pre, 0)
		}
	}
	lists := w.notifyLists(r)
	r.leaves(func(l *rsc) {
		for _, p := range phases {
			w.notifyInstance(l, p, lists)
		}
	})
	w.notifyMonitors(r, phases)
}

// anyReal tells whether some instance of the clone will really do the task.
func (w *world) anyReal(r *rsc, task string) bool {
	any := false
	r.leaves(func(l *rsc) {
		for _, a := range l.acting(task) {
			any = any || a.done()
		}
	})
	return any
}

func (w *world) notifyPhase(r *rsc, task string, begin, end *action) *phase {
	p := &phase{task: task, done: ending(task), begin: begin, end: end}
	mark := func(op, key string) *action {
		a := w.actionVariant(r, op, nil, 0, key)
		a.key, a.notify = r.id+"_"+key+"_0", key
		a.pseudo, a.kind = true, transition.KindPseudo
		a.require("")
		return a
	}
	p.pre = mark(taskNotify, "pre_notify_"+task)
	p.preOK = mark("notified", "confirmed-pre_notify_"+task)
	p.post = mark(taskNotify, "post_notify_"+p.done)
	p.posOK = mark("notified", "confirmed-post_notify_"+p.done)
	w.order(p.pre, p.preOK, 0)
	w.order(p.preOK, begin, 0)
	w.order(p.preOK, p.post, 0)
	w.order(end, p.post, 0)
	w.order(p.post, p.posOK, 0)
	for _, e := range append([]*edge(nil), end.out...) {
		if t := e.then; t.rsc != nil && t.rsc != r && !inside(t.rsc, r) || t.rsc == nil {
			w.order(p.posOK, t, e.flags&sameNode)
		}
	}
	return p
}

func inside(r, outer *rsc) bool {
	for ; r != nil; r = r.parent {
		if r == outer {
			return true
		}
	}
	return false
}

// notifyInstance tells one instance of one phase, where it is active at that time.
func (w *world) notifyInstance(l *rsc, p *phase, lists map[string]any) {
	started := false
	for _, a := range l.acting(taskStart) {
		started = started || a.done()
	}
	switch p.task {
	case taskStop, taskDemote:
		for _, n := range l.running {
			stop := w.existing(l, taskStop, n, 0)
			w.tell(l, n, p, "pre", lists)
			if p.task == taskDemote || stop == nil || !stop.done() {
				w.tell(l, n, p, "post", lists)
			} else if f := w.fences[n]; f != nil {
				p.fences = append(p.fences, f)
			}
		}
	case taskStart:
		for _, n := range l.running {
			if !started && w.stays(l, n) {
				w.tell(l, n, p, "pre", lists)
			}
		}
		w.tellAfter(l, p, lists, false)
	case taskPromote:
		w.tellAfter(l, p, lists, true)
	}
}

func (w *world) stays(l *rsc, n *node) bool {
	stop := w.existing(l, taskStop, n, 0)
	return stop == nil || !stop.done()
}

// tellAfter tells an instance where it will be active.
func (w *world) tellAfter(l *rsc, p *phase, lists map[string]any, pre bool) {
	n := l.assigned
	if n == nil || l.next < roleStarted {
		return
	}
	if !l.isRunningOn(n) {
		if s := w.existing(l, taskStart, n, 0); s == nil || !s.done() {
			return
		}
	}
	if pre {
		w.tell(l, n, p, "pre", lists)
	}
	w.tell(l, n, p, "post", lists)
}

func (w *world) tell(l *rsc, n *node, p *phase, when string, lists map[string]any) {
	if !n.online || n.pending {
		return
	}
	f := w.fences[n]
	if f != nil || n.unclean {
		return
	}
	a := w.actionVariant(l, taskNotify, n, 0, when+"-"+p.task)
	a.notify = when + "-" + p.task
	a.require(fmt.Sprintf("instances of %s are told of each other", l.inClone().id))
	a.notifyLists = lists
	if when == "post" && !p.end.done() {
		a.need = false // it will not be complete
		return
	}
	if when == "pre" {
		w.order(p.pre, a, 0)
		w.order(a, p.preOK, 0)
		return
	}
	w.order(p.post, a, 0)
	w.order(a, p.posOK, 0)
	if p.task == taskStop {
		p.told = append(p.told, a)
		for _, x := range w.eachFence() {
			w.order(x, a, 0)
		}
	}
}

// notifyMonitors lets new recurring monitors wait until everybody has been told.
func (w *world) notifyMonitors(r *rsc, phases []*phase) {
	r.leaves(func(l *rsc) {
		for _, a := range l.acts {
			if a.task != taskMonitor || a.interval == 0 || !a.done() {
				continue
			}
			for _, p := range phases {
				if p.task != taskStop {
					w.order(p.posOK, a, 0)
				}
			}
		}
	})
}

// notifyLists says who is what and what happens to whom.
func (w *world) notifyLists(r *rsc) map[string]any {
	pairs := map[string][][]string{}
	var inactive []string
	put := func(list string, l *rsc, n *node) { pairs[list] = append(pairs[list], []string{l.id, n.name}) }
	r.leaves(func(l *rsc) {
		for _, n := range l.running {
			put("active", l, n)
			switch l.role {
			case rolePromoted:
				put("promoted", l, n)
			case roleUnpromoted:
				put("unpromoted", l, n)
			}
		}
		if len(l.running) == 0 {
			inactive = append(inactive, l.id)
		}
		for _, task := range []string{taskStart, taskStop, taskPromote, taskDemote} {
			for _, a := range l.acting(task) {
				if a.done() {
					put(task, l, a.node)
				}
			}
		}
	})
	out := map[string]any{}
	for k, v := range pairs {
		sort.Slice(v, func(i, j int) bool { return v[i][0]+"\x00"+v[i][1] < v[j][0]+"\x00"+v[j][1] })
		out[k] = v
	}
	if len(inactive) > 0 {
		sort.Strings(inactive)
		out["inactive"] = inactive
	}
	var nodes []string
	for _, n := range w.nodes {
		if w.mayHold(r, n) {
			nodes = append(nodes, n.name)
		}
	}
	if len(nodes) > 0 {
		sort.Strings(nodes)
		out["available_nodes"] = nodes
	}
	return out
}

// mayHold tells whether instances of a clone could ever be on a node: it is not left out of their placement. Nothing but
// its own contents ever is in the container of a bundle.
func (w *world) mayHold(r *rsc, n *node) bool {
	switch {
	case n.kind == kindPing:
		return false
	case n.bundle:
		return n.conn != nil && n.conn.uber() == r.uber()
	}
	return r.scores[n.idx] != absent && (!r.exclusive || r.discover[n] == "exclusive")
}
