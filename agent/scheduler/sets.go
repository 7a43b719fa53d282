package scheduler

import (
	"fmt"
	"sort"

	"paceline/agent/cib"
)

// unpackColocation makes the pairs of a colocation, with or without sets.
func (w *world) unpackColocation(c *cib.Colocation) {
	score, err := cib.ParseScore(c.Score)
	if err != nil && c.Score != "" {
		w.problem(fmt.Sprintf("constraint %s: %v; it counts as 0", c.ID, err))
	}
	if len(c.Sets) > 0 {
		if c.Score == "" {
			score = infinity
		}
		w.colocateSets(c, score)
		return
	}
	if c.Score == "" {
		score = 0
	}
	if score == 0 {
		return
	}
	deps, pris := w.lookup(c.Resource, c.ID), w.lookup(c.With, c.ID)
	if len(deps) == 0 || len(pris) == 0 {
		return
	}
	infl, explicit := w.influence(c)
	if len(deps) > 1 && len(pris) > 1 {
		w.problem("constraint " + c.ID + ": only one side of a colocation may be a tag or template; it is ignored")
		return
	}
	if len(deps) > 1 || len(pris) > 1 {
		// A tag stands for each of its resources.
		for _, d := range deps {
			for _, p := range pris {
				w.colocate(c.ID, score, c.NodeAttribute, d, p, parseRole(c.Role), parseRole(c.WithRole), infl, explicit)
			}
		}
		return
	}
	w.colocate(c.ID, score, c.NodeAttribute, deps[0], pris[0], parseRole(c.Role), parseRole(c.WithRole), infl, explicit)
}

func (w *world) influence(c *cib.Colocation) (value, explicit bool) {
	if c.Influence == "" {
		return true, false
	}
	b, err := cib.ParseBool(c.Influence)
	if err != nil {
		return true, false
	}
	return b, true
}

// colocate adds one pair.
func (w *world) colocate(id string, score int, attr string, dep, pri *rsc, depRole, priRole role, infl, explicit bool) {
	if dep == pri || score == 0 {
		return
	}
	if depRole == roleStarted {
		depRole = roleUnknown
	}
	if priRole == roleStarted {
		priRole = roleUnknown
	}
	if attr == "" {
		attr = "#uname"
	}
	if !explicit {
		infl = dep.critical
	}
	k := &colocation{id: id, seq: len(w.colocations), dep: dep, pri: pri, depRole: depRole, priRole: priRole,
		score: score, attr: attr, influence: infl, explicit: explicit}
	w.colocations = append(w.colocations, k)
	dep.with = append(dep.with, k)
	pri.dependents = append(pri.dependents, k)
}

// sortColocations puts the constraints of each resource into the order in which they are honoured: important ones first.
func (w *world) sortColocations() {
	for _, r := range w.all {
		sort.SliceStable(r.with, func(i, j int) bool { return colocationBefore(r.with[i], r.with[j], r.with[i].pri, r.with[j].pri) })
		sort.SliceStable(r.dependents, func(i, j int) bool {
			return colocationBefore(r.dependents[i], r.dependents[j], r.dependents[i].dep, r.dependents[j].dep)
		})
	}
}

// colocationBefore orders by the other resource: higher priority first; then clones before others, promotable ones
// first of all; then by ID.
func colocationBefore(a, b *colocation, x, y *rsc) bool {
	if a.priority() != b.priority() {
		return a.priority() > b.priority()
	}
	if x.priority != y.priority {
		return x.priority > y.priority
	}
	if rx, ry := cloneRank(x), cloneRank(y); rx != ry {
		return rx > ry
	}
	return x.id < y.id
}

func (c *colocation) priority() int { return 0 }

func cloneRank(r *rsc) int {
	switch {
	case r.kind == cib.KindClone && r.clone.promotable:
		return 2
	case r.kind == cib.KindClone:
		return 1
	}
	return 0
}

// setMembers is a resource set with its resources.
type setMembers struct {
	conf       *cib.ResourceSet
	rscs       []*rsc
	sequential bool
	requireAll bool
	role       role
	action     string
}

func (w *world) members(sets []cib.ResourceSet, where string) []setMembers {
	var out []setMembers
	for i := range sets {
		s := w.set(&sets[i])
		m := setMembers{conf: s, sequential: true, requireAll: true, role: parseRole(s.Role), action: s.Action}
		if b, err := cib.ParseBool(s.Sequential); err == nil {
			m.sequential = b
		}
		if b, err := cib.ParseBool(s.RequireAll); err == nil {
			m.requireAll = b
		}
		for _, id := range s.Resources {
			m.rscs = append(m.rscs, w.lookup(id, where)...)
		}
		out = append(out, m)
	}
	return out
}

func (w *world) colocateSets(c *cib.Colocation, score int) {
	infl, explicit := w.influence(c)
	sets := w.members(c.Sets, c.ID)
	for i := range sets {
		w.colocateWithin(c, &sets[i], score, infl, explicit)
	}
	for i := 0; i+1 < len(sets); i++ {
		// Each set is placed with the one after it.
		w.colocateBetween(c, &sets[i], &sets[i+1], score, infl, explicit)
	}
}

func (w *world) colocateWithin(c *cib.Colocation, s *setMembers, score int, infl, explicit bool) {
	local := score
	if s.conf.Score != "" {
		if n, err := cib.ParseScore(s.conf.Score); err == nil {
			local = n
		}
	}
	if local == 0 || !s.sequential {
		return
	}
	group := s.conf.Ordering != "" && s.conf.Ordering != "group"
	if group {
		for i := 1; i < len(s.rscs); i++ {
			w.colocate(c.ID, local, c.NodeAttribute, s.rscs[i-1], s.rscs[i], s.role, s.role, infl, explicit)
		}
		return
	}
	if local < 0 {
		// Apart from each other: every pair counts.
		for i := range s.rscs {
			for j := 0; j < i; j++ {
				w.colocate(c.ID, local, c.NodeAttribute, s.rscs[i], s.rscs[j], s.role, s.role, infl, explicit)
			}
		}
		return
	}
	for i := 1; i < len(s.rscs); i++ {
		w.colocate(c.ID, local, c.NodeAttribute, s.rscs[i], s.rscs[i-1], s.role, s.role, infl, explicit)
	}
}

func (w *world) colocateBetween(c *cib.Colocation, dep, pri *setMembers, score int, infl, explicit bool) {
	if len(dep.rscs) == 0 || len(pri.rscs) == 0 {
		return
	}
	deps, pris := dep.rscs, pri.rscs
	if dep.sequential {
		deps = deps[:1]
	}
	if pri.sequential {
		pris = pris[len(pris)-1:]
	}
	for _, d := range deps {
		for _, p := range pris {
			w.colocate(c.ID, score, c.NodeAttribute, d, p, dep.role, pri.role, infl, explicit)
		}
	}
}
