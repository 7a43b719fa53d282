package simulation

// Shrink looks for a run of the same seed that breaks the same rule with fewer faults: it leaves out halves, quarters and
// so on down to single faults, for as long as the rule is broken all the same (delta debugging, Zeller 2002). It returns
// the outcome of the smallest run that it found, after at most most runs.
func Shrink(o Outcome, opt Options, most int) Outcome {
	if o.Violation == nil {
		return o
	}
	best, rule := o, o.Violation.Invariant
	numbers := func(o Outcome) []int {
		out := []int{}
		for _, f := range o.Plan {
			out = append(out, f.Number)
		}
		return out
	}
	for size := max(len(best.Plan)/2, 1); most > 0; {
		have, smaller := numbers(best), false
		for from := 0; from < len(have) && most > 0; from += size {
			opt.Only = append(append([]int{}, have[:from]...), have[min(from+size, len(have)):]...)
			most--
			if try := Run(o.Seed, opt); try.Violation != nil && try.Violation.Invariant == rule && len(try.Plan) < len(best.Plan) {
				best, smaller = try, true
				break
			}
		}
		switch {
		case smaller:
		case size == 1:
			return best
		default:
			size = size / 2
		}
		size = min(size, max(len(best.Plan), 1))
	}
	return best
}
