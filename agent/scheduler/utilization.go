package scheduler

import "sort"

// consume takes what r needs from the capacity of its node.
func (w *world) consume(r *rsc, n *node) {
	for k, v := range r.util {
		n.capacity[k] -= v
	}
}

// release gives back what r took.
func (w *world) release(r *rsc, n *node) {
	for k, v := range r.util {
		n.capacity[k] += v
	}
}

// fitsOn tells whether a node has what is needed.
func fitsOn(n *node, need map[string]int) bool {
	for k, v := range need {
		if v > 0 && n.capacity[k] < v {
			return false
		}
	}
	return true
}

// compareCapacity is positive when a has more capacity left than b, by the number of attributes in which it leads.
func compareCapacity(a, b *node) int {
	names := map[string]bool{}
	for k := range a.capacity {
		names[k] = true
	}
	for k := range b.capacity {
		names[k] = true
	}
	lead := 0
	for k := range names {
		lead += sign(a.capacity[k] < b.capacity[k], a.capacity[k] > b.capacity[k])
	}
	return lead
}

// roomy keeps the nodes that have room for r and, if some node has, for everything that is to be placed with it.
func (w *world) roomy(r *rsc, list []*node) []*node {
	need := r.util
	if len(need) == 0 {
		return list
	}
	all := w.needsTogether(r)
	var own, together []*node
	for _, n := range list {
		if !fitsOn(n, need) {
			continue
		}
		own = append(own, n)
		if fitsOn(n, all) && n.usable() && r.at(n) >= 0 {
			together = append(together, n)
		}
	}
	if len(together) > 0 {
		return together
	}
	return own
}

// needsTogether sums what r and all that must be with it and is not placed yet need.
func (w *world) needsTogether(r *rsc) map[string]int {
	sum := map[string]int{}
	seen := map[*rsc]bool{}
	var visit func(x *rsc)
	visit = func(x *rsc) {
		if seen[x] || x.placed && x != r {
			return
		}
		seen[x] = true
		if x.primitive() {
			for k, v := range x.util {
				sum[k] += v
			}
		}
		for _, k := range x.kids {
			visit(k)
		}
		for _, c := range x.withList() {
			if c.score >= infinity && !c.pri.placed {
				visit(c.pri)
			}
		}
		for _, c := range x.dependentList() {
			if c.score >= infinity {
				visit(c.dep)
			}
		}
	}
	visit(r)
	return sum
}

// sortForPlacement orders resources where capacity is short: by priority, then those that hold their place firmest.
func (w *world) sortForPlacement(list []*rsc) {
	nodes := append([]*node(nil), w.nodes...)
	w.sortNodes(nodes, make([]int, len(w.nodes)), nil)
	tables := map[*rsc][]int{}
	for _, r := range list {
		tables[r] = w.combinedScores(r)
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if a.priority != b.priority {
			return a.priority > b.priority
		}
		x, y := tables[a], tables[b]
		ca, cb := currentOf(a), currentOf(b)
		sa, sb := banned, banned
		if ca != nil {
			sa = max(banned, x[ca.idx])
		}
		if cb != nil {
			sb = max(banned, y[cb.idx])
		}
		if ca != nil && cb != nil || ca != nil || cb != nil {
			if sa != sb {
				return sa > sb
			}
		}
		for _, n := range nodes {
			if p, q := max(banned, x[n.idx]), max(banned, y[n.idx]); p != q {
				return p > q
			}
		}
		return false
	})
}

// combinedScores are the scores of r with those of all that is placed in relation to it.
func (w *world) combinedScores(r *rsc) []int {
	s := copyScores(r.scores)
	if len(r.kids) > 0 && r.clone == nil && r.bundle == nil { // a group: its members belong together
		s = copyScores(r.kids[0].scores)
		for _, kid := range r.kids[1:] {
			for i, score := range kid.scores {
				if s[i] != absent && score != absent {
					s[i] = add(s[i], score)
				}
			}
		}
	}
	return w.mergePrimaries(s, r, r, 1)
}

// mergePrimaries adds to scores what r would be placed with, and in turn what that would be placed with, prefers.
func (w *world) mergePrimaries(scores []int, r, target *rsc, factor float64) []int {
	r.merging = true
	defer func() { r.merging = false }()
	for _, c := range r.withList() {
		if c.pri.merging || c.pri == target {
			continue
		}
		f := factor * float64(c.score) / infinity
		work := w.mergeScores(scores, c.pri, c, f, false)
		if w.anyAvailable(work) {
			scores = w.mergePrimaries(work, c.pri, target, f)
		}
	}
	return scores
}

func currentOf(r *rsc) *node {
	if r.primitive() {
		return r.current()
	}
	for _, k := range r.kids {
		if n := currentOf(k); n != nil {
			return n
		}
	}
	return nil
}

// orderLoad lets what needs room on a node start there only after what leaves it has stopped.
func (w *world) orderLoad() {
	if w.opts.placement == "default" {
		return
	}
	mark := func(n *node) *action {
		a := w.actionVariant(nil, "load_stopped_"+n.name, nil, 0, "load")
		a.pseudo, a.kind, a.key = true, "pseudo", a.task
		a.need = true
		return a
	}
	for _, r := range w.all {
		if !r.primitive() || len(r.util) == 0 {
			continue
		}
		for _, stop := range r.acting(taskStop) {
			if stop.node != nil {
				w.order(stop, mark(stop.node), loadOnly)
			}
		}
		for _, start := range r.acting(taskStart) {
			if start.node != nil {
				w.order(mark(start.node), start, loadOnly)
			}
		}
	}
}
