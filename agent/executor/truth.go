package executor

import (
	"sort"

	"paceline/agent/cib"
)

// Run is one run of an agent, as a journal tells it. Times are milliseconds since the machine's boot.
type Run struct {
	Resource   string
	Operation  string
	IntervalMS int64
	CallID     int64
	BeginMS    int64
	EndMS      int64 // -1 while no end is known
}

// Runs lists the runs that the lines of one node tell of, in the order of their begins. Of recurring monitors only those
// that were reported are there.
func Runs(entries []Entry) []Run {
	var out []Run
	at := map[int64]int{} // call -> index
	for _, e := range entries {
		switch {
		case e.Kind == KindBegin:
			at[e.CallID] = len(out)
			out = append(out, Run{e.Resource, e.Operation, e.IntervalMS, e.CallID, e.MonoMS, -1})
		case e.Kind == KindEnd && e.Result != nil && e.Result.Status == cib.OpCancelled:
			if i, ok := at[e.CallID]; ok {
				out[i].EndMS = out[i].BeginMS // its agent never ran
			}
		case e.Kind == KindEnd:
			if i, ok := at[e.CallID]; ok {
				out[i].EndMS = e.MonoMS
			} else if e.BeganMS > 0 {
				out = append(out, Run{e.Resource, e.Operation, e.IntervalMS, e.CallID, e.BeganMS, e.MonoMS})
			}
		case e.Kind == KindReturned:
			if i, ok := at[e.CallID]; ok {
				out[i].EndMS = max(out[i].EndMS, e.MonoMS)
			}
		case e.Kind == KindBoot:
			for call, i := range at {
				if out[i].EndMS < 0 {
					out[i].EndMS = out[i].BeginMS
				}
				delete(at, call)
			}
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].BeginMS < out[j].BeginMS })
	return out
}
