package scheduler

import (
	"slices"
	"sort"

	"paceline/agent/cib"
)

// placeClone gives the instances of a clone their nodes: those that run somewhere keep their place where they may, the
// others go where there is room.
func (w *world) placeClone(r *rsc) {
	if r.placed || r.placing {
		return
	}
	r.placing = true
	defer func() { r.placing = false }()
	if r.clone.promotable {
		w.addPromotionScores(r)
	}
	for _, c := range r.with {
		w.place(c.pri, nil)
	}
	for _, c := range r.dependentList() {
		if c.influences(c.dep) {
			r.scores = w.merge(r.scores, c.dep, r, c, float64(c.score)/infinity, true)
		}
	}
	w.noteScores(r)
	w.placeInstances(r, r.clone.max, r.clone.nodeMax)
	r.placed = true
	if r.clone.promotable {
		w.promoteInstances(r)
	}
	r.next = roleStopped
	for _, k := range r.kids {
		if k.next > r.next {
			r.next = k.next
		}
	}
}

// placeInstances places at most limit instances, at most perNode on one node.
func (w *world) placeInstances(r *rsc, limit, perNode int) {
	count := map[*node]int{}
	order := w.instanceOrder(r)
	available := 0
	for _, n := range w.nodes {
		if s := r.scores[n.idx]; s != absent && s >= 0 && n.usable() && w.guestReady(n) {
			available++
		}
	}
	optimal := perNode
	if available > 0 {
		optimal = min(perNode, max(1, limit/available))
	}
	placed, reserved := 0, map[*node]bool{}
	for _, k := range order {
		if placed >= limit {
			break
		}
		if n := w.keepNode(r, k, count, optimal); n != nil && w.placeEarly(r, k, n, count, perNode, limit-placed, reserved) {
			count[n]++
			placed++
		}
	}
	for _, k := range order {
		if k.placed {
			continue
		}
		if placed >= limit {
			k.spreadWhy(banned, "the clone has its full number of instances")
		}
		if n := w.placeInstance(r, k, nil, count, perNode); n != nil {
			count[n]++
			placed++
		}
	}
}

func (r *rsc) spreadWhy(score int, why string) {
	r.spread(nil, score)
	r.leaves(func(l *rsc) { l.banWhy(nil, why) })
}

// keepNode is the node where an instance should stay; nil when it is free to go anywhere.
func (w *world) keepNode(r, k *rsc, count map[*node]int, optimal int) *node {
	n := currentOf(k)
	if n == nil || !n.usable() || !w.guestReady(n) {
		return nil
	}
	if s := r.scores[n.idx]; s == absent || s < 0 {
		return nil
	}
	if count[n] >= optimal {
		return nil
	}
	return n
}

// placeEarly tries to leave an instance on its node. Where another node is better, that one is reserved for an instance
// that runs nowhere yet, as long as there are such; when there are none, nothing is changed.
func (w *world) placeEarly(r, k *rsc, n *node, count map[*node]int, perNode, left int, reserved map[*node]bool) bool {
	save := w.saveInstance(k)
	tried := map[*node]bool{}
	for {
		for m := range tried {
			k.spreadAt(m, banned)
		}
		got := w.placeInstance(r, k, n, count, perNode)
		if got == n {
			for m := range tried {
				reserved[m] = true
			}
			return true
		}
		w.restoreInstance(k, save)
		save = w.saveInstance(k)
		if got == nil || tried[got] {
			return false
		}
		tried[got] = true
		more := 0
		for m := range tried {
			if !reserved[m] {
				more++
			}
		}
		if len(reserved)+more >= left {
			return false
		}
	}
}

// placeInstance places one instance on a node that is not full.
func (w *world) placeInstance(r, k *rsc, prefer *node, count map[*node]int, perNode int) *node {
	for _, n := range w.nodes {
		s := r.scores[n.idx]
		if count[n] >= perNode {
			k.spreadAt(n, banned)
			k.leaves(func(l *rsc) { l.banWhy(n, occupied) })
		} else if s == absent || s < 0 {
			k.spreadAt(n, banned)
		}
	}
	return w.place(k, prefer)
}

// spreadAt is spread for one node.
func (r *rsc) spreadAt(n *node, score int) { r.spread(n, score) }

type savedInstance struct {
	rscs []*rsc
	vals []rsc
}

func (w *world) saveInstance(k *rsc) savedInstance {
	var s savedInstance
	var visit func(x *rsc)
	visit = func(x *rsc) {
		c := *x
		c.scores = copyScores(x.scores)
		s.rscs = append(s.rscs, x)
		s.vals = append(s.vals, c)
		for _, y := range x.kids {
			visit(y)
		}
	}
	visit(k)
	return s
}

func (w *world) restoreInstance(k *rsc, s savedInstance) {
	for i, x := range s.rscs {
		if x.primitive() && x.assigned != nil {
			x.assigned.count--
			w.release(x, x.assigned)
		}
		*x = s.vals[i]
	}
}

// instanceOrder lists the instances in the order in which they are placed: those that run where they may stay first.
func (w *world) instanceOrder(r *rsc) []*rsc {
	list := append([]*rsc(nil), r.kids...)
	onNode := map[*node]int{}
	for _, k := range r.kids {
		if n := currentOf(k); n != nil {
			onNode[n]++
		}
	}
	sort.SliceStable(list, func(i, j int) bool { return w.instanceBefore(r, list[i], list[j], onNode) })
	return list
}

func (w *world) instanceBefore(r, a, b *rsc, onNode map[*node]int) bool {
	na, nb := currentOf(a), currentOf(b)
	if (na != nil) != (nb != nil) {
		return na != nil
	}
	if na == nil {
		return a.number < b.number
	}
	allowed := func(n *node) bool { return r.scores[n.idx] != absent }
	if x, y := allowed(na), allowed(nb); x != y {
		return x
	}
	if a.priority != b.priority {
		return a.priority > b.priority
	}
	if x, y := na.usable(), nb.usable(); x != y {
		return x
	}
	if x, y := anyFailed(a), anyFailed(b); x != y {
		return !x
	}
	if onNode[na] != onNode[nb] {
		return onNode[na] < onNode[nb]
	}
	if x, y := firstLeaf(a).at(na), firstLeaf(b).at(nb); x != y {
		return x > y
	}
	return a.number < b.number
}

func firstLeaf(k *rsc) *rsc {
	for len(k.kids) > 0 {
		k = k.kids[0]
	}
	return k
}

func anyFailed(k *rsc) bool {
	failed := false
	k.leaves(func(l *rsc) { failed = failed || l.failed })
	return failed
}

// applyClonePrimary changes the scores of a dependent by where the instances of a clone are.
func (w *world) applyClonePrimary(r, pri *rsc, c *colocation) {
	if !pri.placed {
		return
	}
	if c.depRole != roleUnknown && c.depRole != roleStarted && r.next != c.depRole {
		return
	}
	if d := r.inClone(); d != nil && d.clone.interleave && c.dep != r && c.score > 0 {
		w.applyInterleaved(r, pri, c)
		return
	}
	if c.score >= infinity {
		w.keepOnly(r, instanceNodes(pri, c), c)
		return
	}
	w.applyEach(r, instanceNodes(pri, c), c)
}

// instanceNodes lists the nodes of a clone's instances in the role that a colocation names.
func instanceNodes(pri *rsc, c *colocation) []*node {
	var at []*node
	for _, k := range pri.kids {
		if n := nodeOf(k); n != nil && (c.priRole == roleUnknown || k.next == c.priRole) {
			at = append(at, n)
		}
	}
	return at
}

// applyEach adds an optional score once for every instance, to all of their nodes or to none: a part of them would let
// chance decide which node looks better.
func (w *world) applyEach(r *rsc, at []*node, c *colocation) {
	before := r.scores
	for _, n := range at {
		count := copyScores(r.scores)
		for _, m := range w.nodes {
			if count[m.idx] != absent && w.colocationValue(m, c) == w.colocationValue(n, c) {
				count[m.idx] = add(count[m.idx], c.score)
			}
		}
		r.scores = count
	}
	if !c.mandatory() && !w.anyAvailable(r.scores) {
		r.scores = before
	}
}

// occupied is why an instance cannot go where there is no room for another one.
const occupied = "another instance has its place there"

// keepOnly bans every node that does not match one of those.
func (w *world) keepOnly(r *rsc, at []*node, c *colocation) {
	values := map[string]bool{}
	for _, n := range at {
		values[w.colocationValue(n, c)] = true
	}
	for _, n := range w.nodes {
		if r.scores[n.idx] != absent && !values[w.colocationValue(n, c)] {
			r.scores[n.idx] = banned
			r.banWhy(n, "constraint "+c.id+" wants it with "+c.pri.id)
		}
	}
}

// nodeOf is the node that an instance was given: that of its first primitive.
func nodeOf(k *rsc) *node {
	if k.kind == cib.KindGroup {
		return k.assigned
	}
	return k.assigned
}

// applyInterleaved pairs an instance of a clone with the instance of its primary on the best common node.
func (w *world) applyInterleaved(r, pri *rsc, c *colocation) {
	at := instanceNodes(pri, c)
	if c.score < infinity {
		w.applyEach(r, at, c)
		return
	}
	w.keepOnly(r, at, c)
}

// actClone makes the pseudo actions of a clone around those of its instances.
func (w *world) actClone(r *rsc) {
	start, running := w.action(r, taskStart, nil, 0), w.action(r, taskRunning, nil, 0)
	stop, stopped := w.action(r, taskStop, nil, 0), w.action(r, taskStopped, nil, 0)
	w.order(start, running, 0)
	w.order(stop, stopped, 0)
	w.order(stopped, start, 0)
	running.minimum = 1
	r.leaves(func(l *rsc) {
		for _, a := range l.acts {
			if a.task == taskMonitor && a.interval == 0 {
				w.order(a, start, 0)
				w.order(a, stopped, 0)
			}
		}
	})
	for _, k := range r.kids {
		w.wrap(r, k, taskStart, taskRunning, anyOf)
		w.wrap(r, k, taskStop, taskStopped, 0)
	}
	if r.clone.promotable {
		w.pairs(r)
		promote, promoted := w.action(r, taskPromote, nil, 0), w.action(r, taskPromoted, nil, 0)
		demote, demoted := w.action(r, taskDemote, nil, 0), w.action(r, taskDemoted, nil, 0)
		promoted.minimum = 1
		w.order(running, promote, 0)
		w.order(demoted, promote, 0)
		w.order(stopped, promote, 0)
		w.order(demoted, stop, 0)
		w.order(demoted, start, 0)
		w.order(demote, demoted, 0)
		for _, k := range r.kids {
			w.wrap(r, k, taskPromote, taskPromoted, anyOf)
			w.wrap(r, k, taskDemote, taskDemoted, 0)
		}
	}
}

// orderInstances starts (and promotes) the instances of ordered clones one after the other, and stops (and demotes) them
// the other way round. It is done when it is known which of them have something to do.
func (w *world) orderInstances() {
	for _, r := range w.all {
		if r.kind != cib.KindClone || !r.clone.ordered {
			continue
		}
		back := slices.Clone(r.kids)
		slices.Reverse(back)
		for _, task := range []string{taskStart, taskPromote} {
			w.orderInTurn(r.kids, task)
		}
		for _, task := range []string{taskStop, taskDemote} {
			w.orderInTurn(back, task)
		}
	}
}

// orderPromotions has promotions wait for the stops and demotions of other instances also where the mark between them can not be
// reached, because some other instance can not be stopped or demoted now: what fails to be demoted may still be promoted until
// it is stopped.
func (w *world) orderPromotions() {
	for _, r := range w.all {
		if r.kind != cib.KindClone || !r.clone.promotable {
			continue
		}
		for _, task := range []string{taskStop, taskDemote} {
			if mark := w.existing(r, ending(task), nil, 0); mark != nil && mark.done() {
				continue
			}
			var firsts, thens []*action
			for _, k := range r.kids {
				firsts = append(firsts, slices.DeleteFunc(endsOfInstance(k, task), func(a *action) bool { return !a.done() })...)
				thens = append(thens, slices.DeleteFunc(k.acting(taskPromote), func(a *action) bool { return !a.done() })...)
			}
			for _, a := range firsts {
				for _, b := range thens {
					if a.rsc != b.rsc { // what is restarted is promoted after its own stop anyway
						w.order(a, b, 0)
					}
				}
			}
		}
	}
}

func (w *world) orderInTurn(kids []*rsc, task string) {
	var before []*action
	for _, k := range kids {
		now := slices.DeleteFunc(k.acting(task), func(a *action) bool { return !a.done() })
		if len(now) == 0 {
			continue
		}
		for _, a := range before {
			for _, b := range now {
				w.order(a, b, 0)
			}
		}
		before = endsOfInstance(k, task)
	}
}

// endsOfInstance are the actions that end a task of an instance.
func endsOfInstance(k *rsc, task string) []*action {
	if collective(k) {
		return k.acting(ending(task))
	}
	return k.acting(task)
}

// interleave orders two clones instance by instance: each waits for the one that it shares its node with.
func (w *world) interleave(o *ordering) bool {
	for _, t := range o.then.kids {
		for _, b := range t.acting(o.thenTask) {
			w.interleaveOne(o, t, b)
		}
	}
	for _, a := range w.endsOf(o.first, o.firstTask) {
		for _, b := range w.beginsOf(o.then, o.thenTask) {
			w.order(a, b, 0)
		}
	}
	return true
}

func (w *world) interleaveOne(o *ordering, t *rsc, b *action) {
	n := b.node
	if n == nil {
		n = taskNode(t, o.thenTask)
	}
	if n == nil {
		return
	}
	found := false
	for _, f := range o.first.kids {
		if !taskOn(f, o.firstTask, n) {
			continue
		}
		found = true
		for _, a := range endsOfInstance(f, o.firstTask) {
			if a.node == nil || a.node == n {
				w.order(a, b, o.flags)
			}
		}
	}
	if !found && o.flags&needsFirst != 0 && (o.firstTask == taskStart || o.firstTask == taskPromote) {
		why := "there is no instance of " + o.first.id + " to go with it on " + n.name
		if o.firstTask == taskPromote {
			why = "no instance of " + o.first.id + " is going to be promoted on " + n.name
		}
		w.blockAction(b, why, func(*action) {})
	}
}

// taskNode is the node that a task of an instance is about.
func taskNode(k *rsc, task string) *node {
	if task == taskStop || task == taskDemote {
		return currentOf(k)
	}
	return nodeOf(k)
}

// taskOn tells whether an instance has (or would have) that task on a node.
func taskOn(k *rsc, task string, n *node) bool {
	if task == taskStop || task == taskDemote {
		on := false
		k.leaves(func(l *rsc) { on = on || l.isRunningOn(n) })
		return on
	}
	if nodeOf(k) != n {
		return false
	}
	return task != taskPromote || k.next == rolePromoted
}

// minimumGate is the mark that enough instances of a clone are up for what waits for some of them.
func (w *world) minimumGate(o *ordering) *action {
	c := o.first
	if c.kind != cib.KindClone || o.inverse {
		return nil
	}
	least := c.clone.min
	if o.clonMin {
		least = 1
	}
	if least == 0 {
		return nil
	}
	g := w.actionVariant(nil, "clone-one-or-more:"+o.id, nil, 0, o.firstTask+o.then.id)
	g.pseudo, g.kind, g.key, g.minimum = true, "pseudo", "clone-one-or-more:"+o.id, least
	for _, k := range c.kids {
		for _, a := range endsOfInstance(k, o.firstTask) {
			w.order(a, g, anyOf)
		}
	}
	return g
}
