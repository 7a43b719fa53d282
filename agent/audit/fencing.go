package audit

import (
	"maps"
	"slices"
)

func fencingBeforeRecovery() check {
	a := newActive()
	left := map[string]map[string]string{} // resource -> node that lost power while it may have been active there -> boot
	settled := func(node, otherThan string) {
		for _, at := range left {
			if boot, ok := at[node]; ok && boot != otherThan {
				delete(at, node)
			}
		}
	}
	return func(f *Fact, v *verdict) {
		switch {
		case f.Kind == Off:
			for name, at := range a.at {
				if !at[f.Node] {
					continue
				}
				if left[name] == nil {
					left[name] = map[string]string{}
				}
				left[name][f.Node] = f.Boot
			}
		case f.Kind == Fenced:
			settled(f.Node, "")
		case f.Kind == Member:
			settled(f.Node, f.Boot)
		case begins(f):
			if _, many := a.config.Bounds[base(f.Resource)]; !many && a.config.Fencing {
				delete(left[f.Resource], f.Node)
				v.must(len(left[f.Resource]) == 0, "%s begins on %s; it was active on %v, which lost power and is neither fenced nor back",
					f.Resource, f.Node, slices.Sorted(maps.Keys(left[f.Resource])))
			}
			delete(left, f.Resource)
		}
		a.see(f)
	}
}

func rightfulFencing() check {
	led := map[uint64]bool{}
	return func(f *Fact, v *verdict) {
		switch f.Kind {
		case Led:
			led[f.Term] = true
		case FenceSent:
			v.must(f.Node != f.Target, "%s lets a device loose on itself", f.Node)
			if f.Term != 0 {
				v.must(led[f.Term], "%s fences %s for term %d, in which nobody was elected", f.Node, f.Target, f.Term)
			} else {
				v.must(len(f.Voters) == 2 && slices.Contains(f.Voters, f.Node) && slices.Contains(f.Voters, f.Target),
					"%s, alone, fences %s; the voters are %v", f.Node, f.Target, f.Voters)
			}
		}
	}
}

func noLateFencing() check {
	return func(f *Fact, v *verdict) {
		if f.Kind == FenceActs && f.Until != 0 {
			v.must(f.At <= f.Until, "%s is cut for %s %v after its order expired", f.Target, f.Node, f.At-f.Until)
		}
	}
}

func oneWinner() check {
	pair, slow := false, false
	lost := map[string]string{} // who was cut -> by whom, since the two last met
	return func(f *Fact, v *verdict) {
		switch f.Kind {
		case Configure:
			pair = f.Config.Nodes == 2
		case Met:
			clear(lost)
			slow = false
		case FenceSlow: // who waits for the other side's device waits by what is known of its speed, and once
			slow = true
		case FenceActs:
			if pair && !slow {
				v.must(lost[f.Node] != f.Target, "%s is cut by %s, which it had cut itself: both lost", f.Target, f.Node)
				lost[f.Target] = f.Node
			}
		}
	}
}

func fencedBootStaysOut() check {
	out := map[string]string{}
	return func(f *Fact, v *verdict) {
		switch f.Kind {
		case Fenced:
			out[f.Node] = f.Boot
		case Member:
			v.must(f.Boot == "" || out[f.Node] != f.Boot, "%s is a member again in boot %s, in which it was confirmed fenced", f.Node, f.Boot)
		}
	}
}

func noNeedlessKill() check {
	trouble := false
	return func(f *Fact, v *verdict) {
		switch f.Kind {
		case Troubled:
			trouble = true
		case FenceActs:
			v.must(trouble, "%s is fenced by %s, and nothing was wrong", f.Target, f.Node)
		}
	}
}
