package audit

func oneCommander() check {
	led := map[uint64]string{}
	return func(f *Fact, v *verdict) {
		if f.Kind == Led {
			v.must(led[f.Term] == "" || led[f.Term] == f.Node, "%s and %s both lead in term %d", led[f.Term], f.Node, f.Term)
			led[f.Term] = f.Node
		}
	}
}

func newestTermOnly() check {
	highest := map[string]uint64{}
	return func(f *Fact, v *verdict) {
		switch f.Kind {
		case Session, Ordered:
			v.must(f.Term >= highest[f.Node], "%s took a %s of term %d and has seen term %d", f.Node, map[Kind]string{Session: "session", Ordered: "order"}[f.Kind], f.Term, highest[f.Node])
			highest[f.Node] = max(highest[f.Node], f.Term)
		case Wiped:
			delete(highest, f.Node)
		}
	}
}

func committedForEver() check {
	entries := map[uint64]Fact{}
	return func(f *Fact, v *verdict) {
		if f.Kind == Applied {
			first, known := entries[f.Index]
			v.must(!known || first.Digest == f.Digest, "%s has another entry %d (%s) than %s had committed (%s)", f.Node, f.Index, f.Digest, first.Node, first.Digest)
			if !known {
				entries[f.Index] = *f
			}
		}
	}
}

func resultsCountOnce() check {
	type result struct {
		node, resource, operation string
		interval, call            int64
	}
	seen := map[result]bool{}
	return func(f *Fact, v *verdict) {
		switch f.Kind {
		case Recorded:
			r := result{f.Node, f.Resource, f.Operation, f.Interval, f.Call}
			v.must(!seen[r], "the result of call %d on %s (%s of %s) is recorded twice", f.Call, f.Node, f.Operation, f.Resource)
			seen[r] = true
		case Wiped:
			clear(seen)
		}
	}
}
