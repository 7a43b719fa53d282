package audit

import (
	"maps"
	"slices"
)

// placedAsAsked judges a cluster at rest: on the way there much may be where it is not to stay.
func placedAsAsked() check {
	a := newActive()
	return func(f *Fact, v *verdict) {
		a.see(f)
		if f.Kind != Rest {
			return
		}
		for _, name := range slices.Sorted(maps.Keys(a.config.With)) {
			for _, with := range a.config.With[name] {
				for _, node := range a.at.list(name) {
					v.must(a.at[with][node], "%s is on %s at rest, and %s, with which it belongs, is on %v", name, node, with, a.at.list(with))
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(a.config.Apart)) {
			for _, with := range a.config.Apart[name] {
				for _, node := range a.at.list(name) {
					v.must(!a.at[with][node], "%s is on %s at rest, and %s, from which it is kept apart, is there, too", name, node, with)
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(a.config.Barred)) {
			for _, node := range a.at.list(name) {
				nodes := a.config.Barred[name]
				v.must(!nodes[node] && !nodes[Everywhere], "%s is on %s at rest, where it may not be", name, node)
			}
		}
	}
}

func clonesWithinBounds() check {
	a := newActive()
	outside := map[string]bool{}
	return func(f *Fact, v *verdict) {
		a.see(f)
		switch f.Kind {
		case Outside:
			outside[f.Node] = true
		case Member:
			delete(outside, f.Node)
		}
		name := base(f.Resource)
		most, many := a.config.Bounds[name]
		if !many || !begins(f) && f.Kind != Found {
			return
		}
		all, here := 0, 0
		for instance, at := range a.at {
			if base(instance) == name {
				for node := range at {
					if !outside[node] || node == f.Node {
						all++
					}
				}
				if at[f.Node] {
					here++
				}
			}
		}
		v.must(all <= most.Active, "%s is active on %s: with it %d instances may be active, and %d at most", f.Resource, f.Node, all, most.Active)
		v.must(here <= most.OnNode, "%s is active on %s: with it %d instances may be active there, and %d at most", f.Resource, f.Node, here, most.OnNode)
	}
}

// withinCapacity counts what may be active on a node, so that what moves counts on both.
func withinCapacity() check {
	a := newActive()
	return func(f *Fact, v *verdict) {
		a.see(f)
		if !begins(f) || f.Unasked || a.config.Needs[base(f.Resource)] == nil {
			return
		}
		used := map[string]int{}
		for name, at := range a.at {
			if at[f.Node] {
				for what, n := range a.config.Needs[base(name)] {
					used[what] += n
				}
			}
		}
		for _, what := range slices.Sorted(maps.Keys(a.config.Needs[base(f.Resource)])) {
			room := a.config.Room[f.Node][what]
			v.must(used[what] <= room, "%s begins on %s: with it %d of %s may be in use there, and %d is what it has", f.Resource, f.Node, used[what], what, room)
		}
	}
}

// noResurrection judges the orders of the newest coordinator: those of one before it are refused (S9).
func noResurrection() check {
	since := map[string]map[string]uint64{} // resource -> node or Everywhere -> the revision from which on it is not to be started there
	known := map[string]bool{}
	term := uint64(0)
	return func(f *Fact, v *verdict) {
		switch {
		case f.Kind == Led:
			term = max(term, f.Term)
		case f.Kind == Configure:
			barred := map[string]map[string]bool{}
			for name := range known {
				if !slices.Contains(f.Config.Resources, name) {
					barred[name] = map[string]bool{Everywhere: true} // deleted
				}
			}
			for _, name := range f.Config.Resources {
				known[name] = true
				barred[name] = f.Config.Barred[name]
			}
			next := map[string]map[string]uint64{}
			for name, nodes := range barred {
				next[name] = map[string]uint64{}
				for node := range nodes {
					next[name][node] = f.Revision
					if before, ok := since[name][node]; ok {
						next[name][node] = before
					}
				}
			}
			since = next
		case f.Kind == Given && f.Term == term && starts(f.Operation):
			for _, node := range []string{f.Target, Everywhere} {
				at, barred := since[base(f.Resource)][node]
				v.must(!barred || f.Revision >= at, "%s orders %s to %s %s by a plan for revision %d; it may not be there since revision %d",
					f.Node, f.Target, f.Operation, f.Resource, f.Revision, at)
			}
		}
	}
}
