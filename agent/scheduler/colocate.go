package scheduler

import (
	"sort"

	"paceline/agent/cib"
)

// withList returns the colocations in which r is the dependent, those of what holds it included.
func (r *rsc) withList() []*colocation {
	if r.withAll == nil {
		list := append([]*colocation{}, r.with...)
		list = append(list, r.parentWith(r)...)
		sort.SliceStable(list, func(i, j int) bool { return colocationBefore(list[i], list[j], list[i].pri, list[j].pri) })
		r.withAll = list
	}
	return r.withAll
}

func (r *rsc) parentWith(from *rsc) []*colocation {
	p := r.parent
	if p == nil {
		return nil
	}
	switch p.kind {
	case cib.KindGroup:
		// Where members stay together, the first goes where the group should.
		if !p.colocated {
			break
		}
		if p.kids[0] != r {
			if !afterUnmanaged(p, r) {
				return nil
			}
			break
		}
		list := append(append([]*colocation{}, p.with...), p.parentWith(from)...)
		for _, k := range p.kids[1:] {
			for _, c := range k.with {
				if c.id != groupMembers && c.mandatory() {
					list = append(list, c)
				}
			}
		}
		return list
	case cib.KindBundle:
		// Containers go where the bundle should; the promoted role is that of the clone inside.
		var list []*colocation
		for _, c := range p.with {
			if (c.depRole == rolePromoted) == (r.kind == cib.KindClone) && (r.kind == cib.KindClone || r.container == nil &&
				r.guest == nil) {
				list = append(list, c)
			}
		}
		return list
	}
	return append(append([]*colocation{}, p.with...), p.parentWith(from)...)
}

// afterUnmanaged tells whether a member before r is not managed: that one stays wherever it is, so that what follows it has
// to obey the colocations of the group itself.
func afterUnmanaged(g, r *rsc) bool {
	for _, k := range g.kids {
		if k == r {
			return false
		}
		if !k.managed {
			return true
		}
	}
	return false
}

// dependentList returns the colocations in which r is the primary, those of what holds it included.
func (r *rsc) dependentList() []*colocation {
	if r.dependentAll == nil {
		list := append([]*colocation{}, r.dependents...)
		list = append(list, r.parentDependents()...)
		sort.SliceStable(list, func(i, j int) bool {
			return colocationBefore(list[i], list[j], list[i].dep, list[j].dep)
		})
		r.dependentAll = list
	}
	return r.dependentAll
}

func (r *rsc) parentDependents() []*colocation {
	p := r.parent
	if p == nil {
		return nil
	}
	switch p.kind {
	case cib.KindGroup:
		// What is placed with the group is placed with its last member, which comes last to life.
		if p.colocated && p.kids[len(p.kids)-1] != r {
			return nil
		}
	case cib.KindBundle:
		var list []*colocation
		for _, c := range p.dependents {
			if (c.priRole == rolePromoted) == (r.kind == cib.KindClone) && (r.kind == cib.KindClone || r.guest == nil) {
				list = append(list, c)
			}
		}
		return list
	}
	return append(append([]*colocation{}, p.dependents...), p.parentDependents()...)
}

// groupMembers is the ID of the colocations within groups.
const groupMembers = "#group-members"

// groupColocations ties each member of a group to the one before it.
func (w *world) groupColocations() {
	for _, g := range w.all {
		if g.kind != cib.KindGroup || !g.colocated {
			continue
		}
		for i := 1; i < len(g.kids); i++ {
			w.colocate(groupMembers, infinity, "", g.kids[i], g.kids[i-1], roleUnknown, roleUnknown, g.kids[i].critical,
				true)
		}
	}
}

// followPrimaries places what r is to be placed with, and applies where that is to the scores of r: what must be, or
// what should be.
func (w *world) followPrimaries(r *rsc, must bool) {
	for _, c := range r.withList() {
		if c.mandatory() != must {
			continue
		}
		w.place(c.pri, nil)
		var saved []int
		if c.depRole == rolePromoted || !c.mandatory() {
			saved = copyScores(r.scores)
		}
		w.applyColocation(r, c.pri, c)
		if saved != nil && !w.anyAvailable(r.scores) {
			r.scores = saved
		}
	}
}

func (c *colocation) mandatory() bool { return c.score >= infinity || c.score <= banned }

// applyColocation changes the scores of the dependent r by where the primary is.
func (w *world) applyColocation(r, pri *rsc, c *colocation) {
	switch pri.kind {
	case cib.KindGroup:
		w.applyGroupPrimary(r, pri, c)
		return
	case cib.KindClone:
		w.applyClonePrimary(r, pri, c)
		return
	case cib.KindBundle:
		w.applyBundlePrimary(r, pri, c)
		return
	}
	if !pri.placed {
		return
	}
	if !w.colocationCounts(r, pri, c) {
		return
	}
	if pri.assigned == nil {
		if c.score < 0 {
			return
		}
		work := copyScores(r.scores)
		for i, s := range work {
			if s != absent {
				work[i] = add(s, -c.score)
			}
		}
		w.adopt(r, work, c)
		return
	}
	w.applyNodes(r, []*node{pri.assigned}, c)
}

// colocationCounts tells whether a colocation that names roles is about the roles that the two will have.
func (w *world) colocationCounts(r, pri *rsc, c *colocation) bool {
	if c.depRole != roleUnknown && c.depRole != roleStarted {
		if c.depRole == rolePromoted || c.depRole == roleUnpromoted {
			if r.next != c.depRole {
				return false
			}
		} else if r.next != c.depRole {
			return false
		}
	}
	if c.priRole != roleUnknown && pri.next != c.priRole {
		return false
	}
	return true
}

// applyNodes adds the score of a colocation for the nodes that match where its primary is.
func (w *world) applyNodes(r *rsc, at []*node, c *colocation) {
	work := copyScores(r.scores)
	values := map[string]bool{}
	for _, n := range at {
		values[w.colocationValue(n, c)] = true
	}
	for _, n := range w.nodes {
		s := work[n.idx]
		if s == absent {
			continue
		}
		if values[w.colocationValue(n, c)] {
			if c.score < infinity {
				work[n.idx] = add(s, c.score)
			}
		} else if c.score >= infinity {
			work[n.idx] = banned
		}
	}
	w.adopt(r, work, c)
}

func (w *world) adopt(r *rsc, work []int, c *colocation) {
	if c.score <= banned || c.score >= infinity || w.anyAvailable(work) {
		r.scores = work
	}
}

// colocationValue is the node attribute by which a colocation tells places apart.
func (w *world) colocationValue(n *node, c *colocation) string {
	n = hostOf(n)
	if c.attr == "#uname" {
		return n.name
	}
	return n.attrs[c.attr]
}

// applyGroupPrimary colocates with a group: with its last member, or with every one where they do not stay together.
func (w *world) applyGroupPrimary(r, g *rsc, c *colocation) {
	if len(g.kids) == 0 || !g.placed {
		return
	}
	if g.colocated {
		last := g.kids[len(g.kids)-1]
		if c.score >= infinity {
			w.applyColocation(r, last, c)
			return
		}
		w.applyColocation(r, g.kids[0], c)
		return
	}
	if c.score >= infinity {
		return
	}
	for _, k := range g.kids {
		w.applyColocation(r, k, c)
	}
}

// heedDependents lets what will be placed with r have its say about where r goes.
func (w *world) heedDependents(r *rsc, must bool) {
	for _, c := range r.dependentList() {
		if c.mandatory() != must || !c.influences(c.dep) {
			continue
		}
		// A clone is not driven away by a dependent that cannot go along: the dependent alone stays behind.
		r.scores = w.merge(r.scores, c.dep, r, c, float64(c.score)/infinity, r.inClone() != nil)
	}
}

// influences tells whether the dependent's preferences count: with influence=false only while it is not active.
func (c *colocation) influences(dep *rsc) bool {
	if c.influence {
		return true
	}
	return !dep.active(false)
}

// merge adds the preferences of src, which is placed in relation to target, to scores, and returns the sum. What
// depends on src is asked in turn. Where nothing would be left to choose, scores are returned as they were.
func (w *world) merge(scores []int, src, target *rsc, c *colocation, factor float64, positive bool) []int {
	if src.kind == cib.KindGroup {
		return w.mergeGroup(scores, src, target, c, factor, positive)
	}
	if src.merging {
		return scores
	}
	src.merging = true
	defer func() { src.merging = false }()
	work := w.mergeScores(scores, src, c, factor, positive)
	if !w.rating && (!w.anyAvailable(work) || positive && !w.anyAvailable(w.mergeScores(scores, src, c, factor, false))) {
		return scores
	}
	for _, k := range src.dependentList() {
		if !k.influences(k.dep) || k.dep == target {
			continue
		}
		work = w.merge(work, k.dep, target, k, factor*float64(k.score)/infinity, positive)
	}
	return work
}

// mergeGroup asks a group for its preferences: its first member, and through it the others.
func (w *world) mergeGroup(scores []int, g, target *rsc, c *colocation, factor float64, positive bool) []int {
	if g.merging || len(g.kids) == 0 {
		return scores
	}
	g.merging = true
	defer func() { g.merging = false }()
	return w.merge(scores, g.kids[0], target, c, factor, positive)
}

// mergeScores adds factor times the scores of src, node by node (or by the attribute of the colocation).
func (w *world) mergeScores(scores []int, src *rsc, c *colocation, factor float64, positive bool) []int {
	work := copyScores(scores)
	for _, n := range w.nodes {
		s := work[n.idx]
		if s == absent {
			continue
		}
		have := w.bestMatching(src, n, c)
		if factor < 0 && have < 0 && !(have <= banned && w.allowedOnOne(src)) {
			// What src avoids does not become attractive for what avoids src, unless src has nowhere else to go.
			continue
		}
		if positive && s == excluded {
			continue
		}
		delta := scale(have, factor)
		sum := add(s, delta)
		if positive && sum < 0 && s > 0 {
			sum = 1
		} else if positive && sum < 0 && s == 0 {
			sum = 0
		}
		work[n.idx] = sum
	}
	return work
}

// excluded marks a node that a positive-only merge has given up.
const excluded = absent - 1

// bestMatching is the best score that src has on a usable node of the same attribute value as n.
func (w *world) bestMatching(src *rsc, n *node, c *colocation) int {
	if c.attr == "#uname" {
		if src.scores[n.idx] == absent {
			return 0
		}
		if g := src.parent; g != nil && g.kind == cib.KindGroup && g.colocated && g.kids[0].at(n) <= banned {
			return banned // members stay together: where the first cannot go, none can
		}
		if !n.usable() {
			return banned
		}
		return src.scores[n.idx]
	}
	best, any := 0, false
	for _, m := range w.nodes {
		if src.scores[m.idx] == absent || !m.usable() || m.attrs[c.attr] != n.attrs[c.attr] {
			continue
		}
		if !any || src.scores[m.idx] > best {
			best, any = src.scores[m.idx], true
		}
	}
	if !any {
		return banned
	}
	return best
}

// allowedOnOne tells whether there is just one node that a resource may use.
func (w *world) allowedOnOne(r *rsc) bool {
	count := 0
	for _, n := range w.nodes {
		if r.at(n) >= 0 && n.usable() {
			count++
		}
	}
	return count == 1
}

// scale multiplies a score; a small product does not vanish.
func scale(score int, factor float64) int {
	if score <= banned || score >= infinity {
		switch {
		case factor == 0:
			return 0
		}
	}
	p := factor * float64(score)
	var d int
	if p < 0 {
		d = int(p - 0.5)
	} else {
		d = int(p + 0.5)
	}
	if d == 0 && score != 0 {
		if factor > 0 {
			d = 1
		} else if factor < 0 {
			d = -1
		}
	}
	if d == 1 && score < 0 {
		d = -1
	}
	return max(banned, min(infinity, d))
}
