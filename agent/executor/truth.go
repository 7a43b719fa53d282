package executor

import (
	"fmt"
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

// Overlaps names pairs of runs of one resource that were going on at once. There must never be one.
func Overlaps(runs []Run) []string {
	var out []string
	last := map[string]Run{}
	for _, r := range runs {
		if p, ok := last[r.Resource]; ok && (p.EndMS < 0 || r.BeginMS < p.EndMS) && r.EndMS != r.BeginMS {
			out = append(out, fmt.Sprintf("%s of %s (call %d) began at %d ms while %s (call %d) ran until %d ms",
				r.Operation, r.Resource, r.CallID, r.BeginMS, p.Operation, p.CallID, p.EndMS))
		}
		if p, ok := last[r.Resource]; !ok || p.EndMS >= 0 && r.EndMS >= p.EndMS || r.EndMS < 0 {
			last[r.Resource] = r
		}
	}
	return out
}

// Period is a time in which a resource was, or may have been, active on a node. Times are Unix milliseconds.
type Period struct {
	Node     string
	Resource string
	FromMS   int64
	ToMS     int64 // the end of the stop; of a node that was switched off, its last sign of life; -1 while it lasts
	Lost     bool  // the machine went off
}

// Periods lists the times of activity that the lines of one node tell of: from the begin of a start (or a probe that found
// it) to the end of a successful stop. It is what "never active on two nodes" is checked against.
func Periods(entries []Entry) []Period {
	var s State
	var out []Period
	open := map[string]int{} // resource -> index
	var lastMS int64
	for _, e := range entries {
		before := lastMS
		s.Apply(e)
		lastMS = e.WallMS
		now := map[string]bool{}
		for _, a := range s.Active {
			now[a.Resource] = true
			if a.Action.Agent.Class == "stonith" {
				continue // a record, not an activity
			}
			if _, ok := open[a.Resource]; !ok {
				open[a.Resource] = len(out)
				out = append(out, Period{Node: e.Node, Resource: a.Resource, FromMS: e.WallMS, ToMS: -1})
			}
		}
		for name, i := range open {
			if now[name] {
				continue
			}
			out[i].ToMS = e.WallMS
			if e.Kind == KindBoot {
				out[i].ToMS, out[i].Lost = before, true
			}
			delete(open, name)
		}
	}
	return out
}
