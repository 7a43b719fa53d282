package scheduler

import (
	"sort"

	"paceline/agent/cib"
)

// promotionOn is the promotion score of a primitive on a node, which its agent keeps in a node attribute; ok is false
// where there is none.
func (w *world) promotionOn(r *rsc, n *node) (score int, ok bool) {
	names := []string{r.base}
	if r.inClone().clone.unique {
		names = []string{r.id}
	} else if r.histName != "" {
		names = []string{r.histName, r.base}
	}
	if n.bundle && n.conn != nil && r.meta["container-attribute-target"] == "host" {
		n = hostOf(n)
	}
	for _, name := range names {
		if v, has := n.attrs["master-"+name]; has {
			s, err := cib.ParseScore(v)
			return s, err == nil
		}
	}
	return 0, false
}

// addPromotionScores lets instances prefer the nodes where they could be promoted.
func (w *world) addPromotionScores(r *rsc) {
	for _, k := range r.kids {
		for _, n := range w.nodes {
			if k.scores[n.idx] == absent || !n.usable() {
				continue
			}
			if l := firstLeaf(k); !l.known.has(n) && !l.isRunningOn(n) && !n.bundle {
				continue
			}
			if s := w.promotionScore(k, n); s > 0 {
				firstLeafOrSelf(k).addAt(n, s)
			}
		}
	}
}

func firstLeafOrSelf(k *rsc) *rsc {
	return firstLeaf(k)
}

// promotionScore sums the promotion scores of an instance on a node. An instance that is not known there has none.
func (w *world) promotionScore(k *rsc, n *node) int {
	sum, any := 0, false
	k.leaves(func(l *rsc) {
		if !w.promotionKnown(l, n) {
			return
		}
		if s, ok := w.promotionOn(l, n); ok {
			sum, any = add(sum, s), true
		}
	})
	if !any {
		return -1
	}
	return sum
}

// promotionKnown tells whether a promotion score there may be believed: the instance is or was there.
func (w *world) promotionKnown(l *rsc, n *node) bool {
	if len(l.running) > 0 && !l.isRunningOn(n) {
		// What runs elsewhere would come there stopped.
		if c := l.inClone(); c != nil && !c.clone.unique {
			for _, k := range c.kids {
				if x := leafOf(k, l.base); x != nil && x.isRunningOn(n) && x != l {
					return false
				}
			}
		}
	}
	return l.known.has(n) || l.isRunningOn(n) || n.bundle || l.inClone().clone.unique || knownNowhere(l)
}

// knownNowhere tells whether nothing at all is known of a clone yet: then what somebody set on purpose counts.
func knownNowhere(l *rsc) bool {
	for _, k := range l.inClone().kids {
		if x := leafOf(k, l.base); x != nil && x.known != nil {
			return false
		}
	}
	return true
}

// promoteInstances decides which instances of a clone are promoted.
func (w *world) promoteInstances(r *rsc) {
	for _, k := range r.kids {
		w.rate(r, k)
	}
	w.rateTogether(r)
	order := append([]*rsc(nil), r.kids...)
	onNode := map[*node]int{}
	sort.SliceStable(order, func(i, j int) bool {
		a, b := order[i], order[j]
		if a.promoScore != b.promoScore {
			return a.promoScore > b.promoScore
		}
		if x, y := instanceRole(a), instanceRole(b); x != y {
			return x > y
		}
		return w.instanceBefore(r, a, b, onNode)
	})
	perNode := map[*node]int{}
	promoted, unknown := outOfReach(r), w.unknown(r)
	for _, k := range order {
		n, taken := nodeOf(k), promoted
		if instanceRole(k) < rolePromoted {
			taken += unknown
		}
		if taken >= r.clone.promotedMax || n == nil || !w.promotable(r, k, n, perNode) {
			w.leaveUnpromoted(k)
			continue
		}
		perNode[n]++
		promoted++
		setNext(k, rolePromoted)
	}
}

// outOfReach counts the instances that are promoted, or whose demotion failed, on nodes that are alive and take no orders now.
// They can not be demoted, so nothing may be promoted in their place; a node that does not come back is fenced, and holds
// nothing any more.
func outOfReach(r *rsc) int {
	count := 0
	for _, k := range r.kids {
		held := false
		k.leaves(func(l *rsc) {
			for _, n := range l.running {
				promoted := l.role == rolePromoted || l.failedOn[n] && l.failedTask == taskDemote
				held = held || promoted && n.online && n.pending && !n.unclean && l.assigned != n
			}
		})
		if held {
			count++
		}
	}
	return count
}

// unknown counts the nodes that are alive and take no orders now, and of which nobody knows whether an instance is promoted there:
// what was known of it was forgotten, as it is when an order was not carried out, and the probe that tells is still to come. What
// is promoted elsewhere stays so, and nothing else is promoted meanwhile. A node that tells nothing of anything has only booted.
func (w *world) unknown(r *rsc) int {
	count := 0
	for _, n := range w.nodes {
		if !n.online || !n.pending || n.unclean || n.stat == nil || len(n.stat.Resources) == 0 {
			continue
		}
		told := false
		for _, k := range r.kids {
			k.leaves(func(l *rsc) { told = told || l.known.has(n) })
		}
		if !told {
			count++
		}
	}
	return count
}

func instanceRole(k *rsc) role {
	ro := k.role
	k.leaves(func(l *rsc) { ro = max(ro, l.role) })
	return ro
}

// setNext gives an instance and what is in it a role.
func setNext(k *rsc, ro role) {
	k.next = ro
	for _, x := range k.kids {
		if x.assigned != nil && x.next != roleStopped {
			setNext(x, ro)
		}
	}
}

func (w *world) leaveUnpromoted(k *rsc) {
	if k.next > roleUnpromoted {
		setNext(k, roleUnpromoted)
	}
	if k.next == roleStarted {
		setNext(k, roleUnpromoted)
	}
}

// promotable tells whether an instance may be promoted where it is: all of its members must be able to.
func (w *world) promotable(r, k *rsc, n *node, perNode map[*node]int) bool {
	able, kept := true, true
	k.leaves(func(l *rsc) {
		kept = kept && !l.managed && l.role == rolePromoted
		able = able && (l.managed || l.role == rolePromoted) && l.assigned != nil && l.next >= roleStarted &&
			l.target != roleUnpromoted && l.target != roleStopped
	})
	switch {
	case kept:
		return true
	case !able, k.promoScore < 0, !n.usable(), r.noPromotion != "":
		return false
	case !w.quorum && w.opts.noQuorum == quorumDemote:
		return false
	}
	return perNode[n] < r.clone.promotedNodeMax
}

// rate gives an instance its own promotion score: the agent's, with what constraints say of the promoted role.
func (w *world) rate(r, k *rsc) {
	n := nodeOf(k)
	k.promoScore = -1
	if n == nil {
		return
	}
	leaf := firstLeaf(k)
	if !leaf.managed && leaf.role == rolePromoted {
		k.promoScore = infinity
		return
	}
	k.promoScore = w.promotionScore(k, n)
	for _, l := range w.locations {
		if l.role != rolePromoted || l.rsc != r && l.rsc != k && l.rsc != k.uber() {
			continue
		}
		s, ok := l.scores[n]
		if !ok {
			s, ok = l.scores[hostOf(n)]
		}
		if ok {
			k.promoScore = add(k.promoScore, s)
		}
	}
	for _, c := range r.withList() {
		if c.depRole == rolePromoted {
			w.ratePrimary(k, n, c)
		}
	}
}

// ratePrimary lets a colocation of the promoted role with another resource count.
func (w *world) ratePrimary(k *rsc, n *node, c *colocation) {
	w.place(c.pri, nil)
	matches := false
	for _, m := range w.nodesInRole(c.pri, c.priRole) {
		if w.colocationValue(m, c) == w.colocationValue(n, c) {
			matches = true
		}
	}
	switch {
	case matches:
		k.promoScore = add(k.promoScore, c.score)
	case c.score >= infinity:
		k.promoScore = banned
	}
}

// nodesInRole lists where a resource will be in a role.
func (w *world) nodesInRole(r *rsc, ro role) []*node {
	var out []*node
	r.leaves(func(l *rsc) {
		if l.assigned != nil && (ro == roleUnknown || ro == roleStarted || l.next == ro) {
			out = append(out, l.assigned)
		}
	})
	return out
}

// rateTogether adds what resources that want to be with a promoted instance prefer. An instance that is not fit to be
// promoted does not become so by that.
func (w *world) rateTogether(r *rsc) {
	table := make([]int, len(w.nodes))
	for i := range table {
		table[i] = absent
	}
	for _, k := range r.kids {
		if n := nodeOf(k); n != nil {
			if table[n.idx] == absent {
				table[n.idx] = k.promoScore
			} else {
				table[n.idx] = add(table[n.idx], k.promoScore)
			}
		}
	}
	for _, c := range r.dependentList() {
		if c.priRole != rolePromoted || !c.influences(c.dep) {
			continue
		}
		w.rating = true
		table = w.merge(table, c.dep, r, c, float64(c.score)/infinity, true)
		w.rating = false
	}
	for _, k := range r.kids {
		if n := nodeOf(k); n != nil && k.promoScore >= 0 {
			k.promoScore = table[n.idx]
		}
	}
}
