package scheduler

import (
	"slices"
	"sort"

	"paceline/agent/cib"
)

// placeAll gives every resource its node: connections to remote nodes first, because others may run behind them.
func (w *world) placeAll() {
	order := append([]*rsc(nil), w.top...)
	if w.opts.placement != "default" {
		w.sortForPlacement(order)
	}
	for _, r := range order {
		if r.isRemote || r.guest != nil {
			w.place(r, r.partialTo)
		}
	}
	for _, r := range order {
		if !r.isRemote && r.guest == nil {
			w.place(r, nil)
		}
	}
}

// place gives r (and everything in it) a node, unless it has one. prefer is taken when nothing is better.
func (w *world) place(r *rsc, prefer *node) *node {
	switch r.kind {
	case cib.KindGroup:
		return w.placeGroup(r, prefer)
	case cib.KindClone:
		w.placeClone(r)
		return nil
	case cib.KindBundle:
		w.placeBundle(r)
		return nil
	}
	return w.placePrimitive(r, prefer)
}

func (w *world) placePrimitive(r *rsc, prefer *node) *node {
	if p := r.parent; p != nil && !p.placing && !p.placed && !r.placed {
		w.place(p, nil)
	}
	if r.placed || r.placing {
		return r.assigned
	}
	r.placing = true
	defer func() { r.placing = false }()
	for _, must := range []bool{true, false} {
		w.followPrimaries(r, must)
		w.heedDependents(r, must)
	}
	if r.next == roleStopped {
		r.ban()
	}
	w.noteScores(r)
	switch {
	case w.opts.stopAll:
		w.assign(r, nil, "stop-all-resources is set")
		r.placed = true
	case !r.managed:
		w.keepUnmanaged(r)
	case r.removed && w.opts.stopRemoved:
		w.assign(r, nil, "it is no longer configured")
	default:
		w.choose(r, prefer)
	}
	r.placed = true
	if r.isRemote || r.guest != nil {
		w.connectionPlaced(r)
	}
	return r.assigned
}

// keepUnmanaged leaves an unmanaged resource where it is.
func (w *world) keepUnmanaged(r *rsc) {
	n := r.current()
	if len(r.running) > 1 && r.partialTo != nil {
		n = r.partialTo
	}
	w.assign(r, n, "")
	if n != nil {
		r.next = r.role
		if r.next < roleStarted {
			r.next = roleStarted
		}
	}
}

// assign gives r its node, or none.
func (w *world) assign(r *rsc, n *node, why string) {
	r.placed = true
	r.assigned = n
	if n == nil {
		if r.next != roleStopped || r.stopWhy == "" {
			r.stopWhy = why
		}
		r.next = roleStopped
		return
	}
	if r.next < roleStarted || r.next == roleUnknown {
		r.next = roleStarted
		if r.promotable() {
			r.next = roleUnpromoted
		}
	}
	n.count++
	w.consume(r, n)
}

// choose assigns the best node.
func (w *world) choose(r *rsc, prefer *node) {
	list := w.candidates(r)
	if len(list) == 0 {
		w.assign(r, nil, w.whyNowhere(r))
		return
	}
	chosen := list[0]
	open := func(n *node) bool { return n != nil && slices.Contains(list, n) && w.available(r, n) }
	if open(prefer) && r.at(prefer) >= r.at(chosen) && r.at(prefer) >= 0 {
		chosen = prefer
	} else if best := r.at(chosen); best > 0 && w.available(r, chosen) && !r.uniqueInstance() {
		if cur := r.current(); open(cur) && r.at(cur) == best {
			chosen = cur
		}
	}
	if r.at(chosen) < 0 || !w.available(r, chosen) {
		w.assign(r, nil, w.whyNowhere(r))
		return
	}
	w.assign(r, chosen, "")
}

func (r *rsc) uniqueInstance() bool {
	return r.parent != nil && r.parent.kind == cib.KindClone && r.parent.clone.unique
}

// candidates lists the nodes that r considers, best first.
func (w *world) candidates(r *rsc) []*node {
	var list []*node
	for _, n := range w.nodes {
		if r.scores[n.idx] != absent && (!r.exclusive || r.discover[n] == "exclusive") {
			list = append(list, n)
		}
	}
	if w.opts.placement == "utilization" || w.opts.placement == "balanced" || w.opts.placement == "minimal" {
		list = w.roomy(r, list)
	}
	w.sortNodes(list, r.scores, r.current())
	return list
}

// available tells whether the node can run r now.
func (w *world) available(r *rsc, n *node) bool {
	if !n.usable() {
		return false
	}
	if n.kind == kindGuest && n.conn != nil && n.conn.container == r {
		return false // nothing runs inside of itself
	}
	return w.guestReady(n)
}

// sortNodes orders nodes by score, then by what the placement strategy prefers, then by fewer instances, then the
// current node, then by name. The strategy "minimal" fills the nodes by their names, so that few are used.
func (w *world) sortNodes(list []*node, scores []int, current *node) {
	value := func(n *node) int {
		if !n.usable() || !w.guestReady(n) {
			return banned
		}
		return max(banned, scores[n.idx])
	}
	sort.SliceStable(list, func(i, j int) bool {
		a, b := list[i], list[j]
		if x, y := value(a), value(b); x != y {
			return x > y
		}
		if w.opts.placement != "minimal" {
			if w.opts.placement == "balanced" {
				if c := compareCapacity(a, b); c != 0 {
					return c > 0
				}
			}
			if a.count != b.count {
				return a.count < b.count
			}
			if current != nil && (a == current) != (b == current) {
				return a == current
			}
		}
		return a.name < b.name
	})
}

// anyAvailable tells whether some node could be chosen with these scores.
func (w *world) anyAvailable(scores []int) bool {
	for _, n := range w.nodes {
		if s := scores[n.idx]; s != absent && s >= 0 && n.usable() && w.guestReady(n) {
			return true
		}
	}
	return false
}

// placeGroup places the members one after the other: each but the first stays with the one before it.
func (w *world) placeGroup(r *rsc, prefer *node) *node {
	if p := r.parent; p != nil && !p.placing && !p.placed && !r.placed {
		w.place(p, nil)
	}
	if r.placed || r.placing {
		return r.assigned
	}
	if len(r.kids) == 0 {
		r.placed = true
		return nil
	}
	r.placing = true
	defer func() { r.placing = false }()
	w.noteScores(r)
	r.next = r.kids[0].next
	if r.next == roleUnknown {
		r.next = roleStopped
	}
	for _, k := range r.kids {
		n := w.place(k, prefer)
		if r.assigned == nil {
			r.assigned = n
		}
		if k.next > r.next {
			r.next = k.next
		}
	}
	r.placed = true
	return r.assigned
}
