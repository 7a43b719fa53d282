package audit

import (
	"maps"
	"slices"

	"paceline/resources"
)

// places is a set of nodes for each resource.
type places map[string]map[string]bool

func (p places) add(resource, node string) {
	if p[resource] == nil {
		p[resource] = map[string]bool{}
	}
	p[resource][node] = true
}

func (p places) drop(resource, node string) { delete(p[resource], node) }

func (p places) off(node string) {
	for _, at := range p {
		delete(at, node)
	}
}

func (p places) list(resource string) []string { return slices.Sorted(maps.Keys(p[resource])) }

// active follows where what may be active: from the moment a start begins to the end of a stop that succeeded.
type active struct {
	at     places
	config *Config
}

func newActive() *active { return &active{at: places{}, config: &Config{}} }

func begins(f *Fact) bool {
	return f.Kind == Begin && (f.Operation == resources.Start || f.Operation == resources.MigrateFrom)
}

// starts says that an operation makes something active, or promoted.
func starts(operation string) bool {
	return operation == resources.Start || operation == resources.MigrateFrom || operation == resources.Promote
}

// see takes a fact in.
func (a *active) see(f *Fact) {
	switch {
	case f.Kind == Configure:
		a.config = f.Config
	case begins(f), f.Kind == Found:
		a.at.add(f.Resource, f.Node)
	case f.Kind == End && f.RC == 0 && (f.Operation == resources.Stop || f.Operation == resources.MigrateTo),
		f.Kind == End && f.Operation == resources.Monitor && f.RC == int(resources.NotRunning), f.Kind == Gone:
		a.at.drop(f.Resource, f.Node)
	case f.Kind == Off:
		a.at.off(f.Node)
	}
}

func singleActivity() check {
	a := newActive()
	return func(f *Fact, v *verdict) {
		a.see(f)
		if _, many := a.config.Bounds[f.Resource]; many || !begins(f) && f.Kind != Found {
			return
		}
		v.must(len(a.at[f.Resource]) <= 1, "%s is active on %s: it may be active on %v, and on 1 at most", f.Resource, f.Node, a.at.list(f.Resource))
	}
}

func promotedWithinBounds() check {
	promoted, config := places{}, &Config{}
	return func(f *Fact, v *verdict) {
		switch {
		case f.Kind == Configure:
			config = f.Config
		case f.Kind == Begin && f.Operation == resources.Promote, f.Kind == Found && f.RC == int(resources.RunningPromoted):
			name := base(f.Resource)
			promoted.add(name, f.Node)
			most := config.Bounds[name].Promoted
			v.must(len(promoted[name]) <= most, "%s is promoted on %s: it may be promoted on %v, and on %d at most",
				f.Resource, f.Node, promoted.list(name), most)
		case f.Kind == End && f.RC == 0 && (f.Operation == resources.Demote || f.Operation == resources.Stop), f.Kind == Gone,
			f.Kind == End && f.Operation == resources.Monitor && (f.RC == 0 || f.RC == int(resources.NotRunning)):
			promoted.drop(base(f.Resource), f.Node)
		case f.Kind == Off:
			promoted.off(f.Node)
		}
	}
}

func noStartWithoutLease() check {
	until := map[string]Fact{}
	return func(f *Fact, v *verdict) {
		switch {
		case f.Kind == Renewed:
			until[f.Node] = *f
		case (begins(f) || f.Kind == Begin && f.Operation == resources.Promote) && !f.Unasked:
			lease, known := until[f.Node]
			if !known {
				return
			}
			v.must(f.At <= lease.Until, "%s of %s begins on %s, whose lease was over at %v", f.Operation, f.Resource, f.Node, lease.Until)
		}
	}
}

func orderKept() check {
	a := newActive()
	// Their start has ended well, and no stop was ordered. What a node that is cut off stops by itself, and what ran on one that lost
	// power, counts as started until its coordinator can have heard of it: orders are judged by what could be known when they were given.
	started := places{}
	dark := map[string]string{} // nodes without power of which nothing is committed yet, with the boot in which they were
	return func(f *Fact, v *verdict) {
		a.see(f)
		boot, off := dark[f.Node]
		switch {
		case f.Kind == Off:
			dark[f.Node] = f.Boot
		case off && (f.Kind == Fenced || f.Kind == Outside || f.Kind == Member && f.Boot != boot):
			started.off(f.Node)
			delete(dark, f.Node)
		case f.Kind == End && f.RC == 0 && (f.Operation == resources.Start || f.Operation == resources.MigrateFrom),
			f.Kind == End && f.RC == 0 && f.Operation == resources.Monitor:
			if a.at[f.Resource][f.Node] {
				started.add(f.Resource, f.Node)
			}
		case f.Kind == Found:
			started.add(f.Resource, f.Node)
		case begins(f) && !f.Unasked:
			for _, first := range a.config.After[f.Resource] {
				if a.config.HandsOff[first] {
					continue // it counts as started where it may be active: whether it is, is its owner's affair
				}
				v.must(len(started[first]) > 0, "%s begins on %s, and %s, which comes first, is started nowhere", f.Resource, f.Node, first)
			}
		case f.Kind == Begin && f.Operation == resources.Stop:
			if !f.Unasked {
				for then, firsts := range a.config.After {
					if slices.Contains(firsts, f.Resource) && started[f.Resource][f.Node] && len(started[f.Resource]) == 1 {
						v.must(len(a.at[then]) == 0, "%s is stopped on %s while %s, which comes after it, may be active on %v", f.Resource, f.Node, then, a.at.list(then))
					}
				}
			}
			if !f.Unasked {
				started.drop(f.Resource, f.Node)
			}
		}
	}
}

func groupsArePrefixes() check {
	a := newActive()
	started := places{}
	return func(f *Fact, v *verdict) {
		a.see(f)
		switch {
		case begins(f) && !f.Unasked:
			if before, ok := a.config.Groups[f.Resource]; ok {
				v.must(started[before][f.Node], "%s begins on %s, where %s, the member before it, was not started", f.Resource, f.Node, before)
			}
		case f.Kind == Found:
			started.add(f.Resource, f.Node)
		case f.Kind == End && f.RC == 0 && (f.Operation == resources.Start || f.Operation == resources.Monitor):
			if a.at[f.Resource][f.Node] {
				started.add(f.Resource, f.Node)
			}
		case f.Kind == Begin && f.Operation == resources.Stop && !f.Unasked:
			started.drop(f.Resource, f.Node)
		case f.Kind == Off:
			started.off(f.Node)
		}
	}
}

func handsOff() check {
	since := map[string]uint64{} // by resource: the revision from which on it is not to be touched
	return func(f *Fact, v *verdict) {
		switch {
		case f.Kind == Configure:
			for name := range f.Config.HandsOff {
				if _, ok := since[name]; !ok {
					since[name] = f.Revision
				}
			}
			maps.DeleteFunc(since, func(name string, _ uint64) bool { return !f.Config.HandsOff[name] })
		case f.Kind == Begin && !f.Unasked && f.Operation != resources.Monitor:
			at, off := since[f.Resource]
			v.must(!off || f.Revision < at, "%s of %s begins on %s by a plan for revision %d; hands are off it since revision %d",
				f.Operation, f.Resource, f.Node, f.Revision, at)
		}
	}
}

func oneOperation() check {
	runs := map[[2]string]string{}
	return func(f *Fact, v *verdict) {
		key := [2]string{f.Node, f.Resource}
		switch f.Kind {
		case Begin:
			v.must(runs[key] == "", "%s of %s begins on %s while its %s runs", f.Operation, f.Resource, f.Node, runs[key])
			runs[key] = f.Operation
		case End:
			delete(runs, key)
		case Off:
			maps.DeleteFunc(runs, func(k [2]string, _ string) bool { return k[0] == f.Node })
		}
	}
}

func boundedQueues() check {
	return func(f *Fact, v *verdict) {
		if f.Kind == Queues {
			v.must(f.Number <= QueuesMax, "%d orders and results wait on %s", f.Number, f.Node)
		}
	}
}
