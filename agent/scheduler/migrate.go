package scheduler

import (
	"strconv"

	"paceline/agent/cib"
)

// Live migration has two halves: migrate_to on the source, migrate_from on the target; a stop on the source ends it.
// The history of one half is told on each node, and either may be missing, under way or failed.

// latest returns the last record of a task of a resource on a node, and whether a later one voids it.
func (w *world) latest(r *rsc, n *node, task string) (found *record, after []*record) {
	if n == nil || n.stat == nil {
		return nil, nil
	}
	for _, h := range n.stat.Resources {
		if h.ID != r.id && h.ID != r.base {
			continue
		}
		list := interpret(n, h)
		for i, k := range list {
			if k.task == task {
				k.rsc = r
				found, after = k, list[i+1:]
			}
		}
	}
	return found, after
}

func (w *world) nodeNamed(name string) *node {
	if name == "" {
		return nil
	}
	return w.byName[name]
}

// newerOn tells whether something that happened on n after the migration k says what is there now.
func (w *world) newerOn(r *rsc, n *node, k *record) bool {
	if n == nil || n.stat == nil {
		return false
	}
	since := k.changed()
	for _, h := range n.stat.Resources {
		if h.ID != r.id && h.ID != r.base {
			continue
		}
		for _, o := range interpret(n, h) {
			if o.task == taskMigrateFrom || o.task == taskMigrateTo || o.status == cib.OpPending {
				continue
			}
			if o.probe() && o.rc != rcNotRunning && o.rc != rcOK {
				continue
			}
			if since > 0 && o.changed() > since && (o.task == taskStop || o.task == taskStart || o.task == taskMonitor) {
				return true
			}
		}
	}
	return false
}

// stoppedAfter tells whether a stop followed on the node.
func stoppedAfter(after []*record) bool {
	for _, k := range after {
		if k.task == taskStop && k.status == cib.OpDone && k.rc == rcOK {
			return true
		}
	}
	return false
}

// migrateToPending decides where a resource is that was on its way when its source was last heard. Where the source is
// lost, nobody says how far it came: it may be active on the target as well, and has to be stopped there before it is
// started on a third node.
func (w *world) migrateToPending(s *replayed, k *record) {
	if s.role < roleStarted {
		s.role = roleStarted
	}
	if target := w.nodeNamed(k.op.MigrateTarget); !s.n.online && target != nil && target.online && !w.newerOn(s.r, target, k) {
		s.r.dangling = append(s.r.dangling, target)
	}
}

func (w *world) migrateFromPending(s *replayed, k *record) {
	s.role = roleStarted
	if source := w.nodeNamed(k.op.MigrateSource); source != nil {
		s.r.partialTo, s.r.partialFrom = s.n, source
	}
}

// migrateToDone decides where a resource is after its source has let it go.
func (w *world) migrateToDone(s *replayed, k *record) {
	r := s.r
	target := w.nodeNamed(k.op.MigrateTarget)
	from, after := w.latest(r, target, taskMigrateFrom)
	if from != nil && from.op.MigrateSource != "" && from.op.MigrateSource != s.n.name {
		from = nil
	}
	if from == nil && target != nil && w.newerOn(r, target, k) {
		// The target has been heard of since: what it says counts. The source may still hold a remainder.
		s.role = roleStarted
		if w.newerOn(r, s.n, k) {
			return
		}
		s.role = roleStopped
		s.dangling = true
		return
	}
	s.role = roleStarted
	switch {
	case from != nil && from.rc == rcOK && from.status == cib.OpDone:
		// It is there; only the remainder on the source has to be stopped.
		s.role = roleStopped
		s.dangling = true
	case from != nil && from.status != cib.OpPending:
		s.fail, s.failure = max(s.fail, failRestart), k
		if target != nil && target.online && !stoppedAfter(after) {
			s.also = target
		}
	default:
		if target == nil || !target.online {
			s.fail, s.failure = max(s.fail, failRestart), k
			r.failedTask = taskMigrateTo
			return
		}
		w.alsoOn(r, target)
		r.partialTo, r.partialFrom = target, s.n
	}
}

// alsoOn notes a second node where a resource is, or may be.
func (w *world) alsoOn(r *rsc, n *node) {
	if !r.isRunningOn(n) {
		r.running = append(r.running, n)
		n.running = append(n.running, r)
	}
	if r.role < roleStarted {
		r.role = roleStarted
	}
}

// migrateToFailed decides where a resource is after its source could not let it go: still there, or on the way.
func (w *world) migrateToFailed(s *replayed, k *record) {
	s.role = roleStarted
	target := w.nodeNamed(k.op.MigrateTarget)
	if target == nil {
		return
	}
	if from, after := w.latest(s.r, target, taskMigrateFrom); from != nil && from.changed() >= k.changed() {
		if stoppedAfter(after) {
			return
		}
	}
	if w.newerOn(s.r, target, k) {
		return
	}
	if target.online && heardOf(s.r, target) { // where nothing was ever heard of it, a probe will tell
		s.also = target
	}
}

// heardOf tells whether there is any history of a resource on a node.
func heardOf(r *rsc, n *node) bool {
	if n.stat == nil {
		return false
	}
	for _, h := range n.stat.Resources {
		if (h.ID == r.id || h.ID == r.base) && len(h.Ops) > 0 {
			return true
		}
	}
	return false
}

// stoppedOn tells whether the last thing known of a node is that the resource was stopped, or not found, there.
func stoppedOn(w *world, r *rsc, n *node) bool {
	if n.stat == nil {
		return true
	}
	for _, h := range n.stat.Resources {
		if h.ID != r.id && h.ID != r.base {
			continue
		}
		stopped := false
		for _, k := range interpret(n, h) {
			switch {
			case k.task == taskStop && k.rc == rcOK:
				stopped = true
			case k.probe() && k.rc == rcNotRunning:
				stopped = true
			default:
				stopped = false
			}
		}
		return stopped
	}
	return false
}

// migrateFromFailed decides where a resource is after its target could not take it: maybe there, maybe still at home.
func (w *world) migrateFromFailed(s *replayed, k *record) {
	s.role = roleStarted
	source := w.nodeNamed(k.op.MigrateSource)
	if source == nil {
		return
	}
	to, after := w.latest(s.r, source, taskMigrateTo)
	if to == nil || stoppedAfter(after) || stoppedOn(w, s.r, source) {
		return
	}
	if source.online {
		s.also = source
	}
}

// planMigrations marks what may move by migration, before orderings have their say.
func (w *world) planMigrations() {
	for _, r := range w.all {
		if !r.primitive() || !r.migratable || !r.managed || r.failed || r.next < roleStarted || r.restart {
			continue
		}
		if r.partialTo != nil && r.partialTo == r.assigned {
			r.migrating = r.partialFrom != nil && r.partialFrom.online && !r.partialFrom.unclean
			continue
		}
		if len(r.running) != 1 || r.assigned == nil || r.running[0] == r.assigned {
			continue
		}
		from, to := r.running[0], r.assigned
		stop, start := w.existing(r, taskStop, from, 0), w.existing(r, taskStart, to, 0)
		if stop == nil || start == nil || !stop.runnable || !start.runnable || stop.pseudo || !from.online || from.unclean {
			continue
		}
		if r.inClone() != nil && r.role == rolePromoted {
			continue
		}
		r.migrating = true
	}
}

// migrationStops is called when an ordering makes a live migration impossible.
func (w *world) migrationStops(r *rsc, why string, push func(*action)) {
	if !r.migrating {
		return
	}
	r.migrating = false
	r.stayWhy = why
	for _, a := range r.acts {
		push(a)
		for _, e := range a.out {
			push(e.then)
		}
		for _, e := range a.in {
			push(e.first)
		}
	}
}

// checkMigration ends the migration of a resource that has to stop before (or to start after) another that does not
// migrate with it.
func (w *world) checkMigration(e *edge, push func(*action)) {
	f, t := e.first, e.then
	if e.flags&hidden != 0 {
		return
	}
	// then starts after first has: first must stay where it is, or migrate too.
	if t.rsc != nil && t.rsc.migrating && t.task == taskStart && f.rsc != t.rsc && e.flags&(forcesThen|needsFirst) != 0 &&
		e.flags&upward == 0 {
		if !f.runnable || f.need && beginning(f.task) == taskStart && !movesAlong(f) && f.forces(t) {
			w.migrationStops(t.rsc, f.describe(), push)
		}
	}
	// first stops before then does: then must not stop for good.
	if f.rsc != nil && f.rsc.migrating && f.task == taskStop && t.rsc != f.rsc && e.flags&forcesFirst != 0 && e.flags&upward == 0 {
		if t.need && beginning(t.task) == taskStop && !movesAlong(t) && t.forces(f) {
			w.migrationStops(f.rsc, t.describe(), push)
		}
	}
}

// movesAlong tells whether an action belongs to resources that all migrate.
func movesAlong(a *action) bool {
	if a.rsc == nil {
		return false
	}
	if a.rsc.primitive() {
		return a.rsc.migrating
	}
	all := true
	a.rsc.leaves(func(l *rsc) {
		for _, b := range l.acting(beginning(a.task)) {
			if b.need && !l.migrating {
				all = false
			}
		}
	})
	return all
}

// actMigrations replaces the stop and start of what migrates.
func (w *world) actMigrations() {
	for _, r := range w.all {
		if r.primitive() && r.migrating {
			w.actMigration(r)
		}
	}
}

func (w *world) actMigration(r *rsc) {
	to := r.assigned
	from := r.current()
	if r.partialTo != nil && r.partialTo == to {
		from = r.partialFrom
	}
	stop, start := w.existing(r, taskStop, from, 0), w.existing(r, taskStart, to, 0)
	if stop == nil || start == nil || !stop.done() || !start.done() {
		r.migrating = false
		return
	}
	mf := w.action(r, taskMigrateFrom, to, 0)
	mf.require("it moves from " + from.name + " without being stopped")
	var first *action
	if !(r.partialTo == to && r.partialTo != nil) {
		mt := w.action(r, taskMigrateTo, from, 0)
		mt.require("it moves to " + to.name + " without being stopped")
		w.order(mt, mf, needsFirst)
		first = mt
	} else {
		first = mf
	}
	for _, a := range []*action{first, mf} {
		a.extraMeta = map[string]string{"migrate_source": from.name, "migrate_target": to.name}
	}
	w.order(mf, stop, 0)
	w.order(mf, start, 0)
	start.pseudo = true
	w.migrationInputs(r, first, stop, start)
}

// migrationInputs lets a migration wait for what its start would wait for, and for the stops of what cannot migrate.
func (w *world) migrationInputs(r *rsc, first, stop, start *action) {
	for _, e := range append([]*edge(nil), start.in...) {
		f := e.first
		if f.rsc == r && f.task != taskMonitor || e.flags&(upward|hidden) != 0 {
			continue
		}
		if f.rsc != nil && f.rsc.migrating && f.task == taskStart {
			if m := w.existing(f.rsc, taskMigrateFrom, f.rsc.assigned, 0); m != nil {
				w.order(m, first, 0)
			} else {
				w.pendingFollow(f.rsc, first)
			}
			continue
		}
		w.order(f, first, 0)
	}
	for _, e := range append([]*edge(nil), stop.in...) {
		f := e.first
		if f.rsc == nil || f.rsc == r || f.rsc.migrating || e.flags&(upward|hidden) != 0 {
			continue
		}
		w.order(f, first, 0)
	}
}

// pendingFollow orders a migration after that of a resource whose migration is made later.
func (w *world) pendingFollow(f *rsc, first *action) {
	m := w.action(f, taskMigrateFrom, f.assigned, 0)
	w.order(m, first, 0)
}

// actPartial continues a migration of which the source's half is done, or gives it up.
func (w *world) actPartial(r *rsc) {
	if r.assigned == r.partialTo {
		return
	}
	r.partialTo, r.partialFrom = nil, nil
}

// settleHistory puts the finishing touches on what the histories of several nodes mean together.
func (w *world) settleHistory() {
	for _, r := range w.all {
		if !r.primitive() {
			continue
		}
		if len(r.running) > 1 && r.partialTo == nil && r.recovery == multiBlock {
			r.blocked, r.managed = true, false
			r.blockedWhy = "it is active on " + strconv.Itoa(len(r.running)) + " nodes, and multiple-active is block"
			if p := r.parent; p != nil && p.kind == cib.KindGroup {
				for _, k := range p.kids {
					k.managed = false
				}
			}
		}
	}
}
