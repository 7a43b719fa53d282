package whatif

import (
	"fmt"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
)

// Step is one transition of a run: what was planned, how each action ended, and the state that it led to.
type Step struct {
	Plan  *scheduler.Result
	Done  []outcome.Done
	After *cib.CIB
}

// Run is a transition and those that follow it.
type Run struct {
	Before *cib.CIB // the state that the first step was planned for
	Steps  []Step   // without the last, empty plan
	// Rest is the plan for the state at the end: empty if the cluster is at rest.
	Rest *scheduler.Result
	// Settled tells whether nothing is left to do. If not, Circles says why the run ended.
	Settled bool
	Circles string
}

// First is the plan that the run began with.
func (r *Run) First() *scheduler.Result {
	if len(r.Steps) > 0 {
		return r.Steps[0].Plan
	}
	return r.Rest
}

// After is the state at the end of the run.
func (r *Run) After() *cib.CIB {
	if n := len(r.Steps); n > 0 {
		return r.Steps[n-1].After
	}
	return r.Before
}

// Play plans for the state and plays the plan, again and again until nothing is left to do. Time stands still: now is that
// of every plan and of every result. Each action ends as failing says: an operation that it names fails wherever and
// whenever it is carried out, all others succeed. The error is one of the scheduler's own, a graph that cannot be played.
func Play(c *cib.CIB, now time.Time, failing []Failure) (*Run, error) {
	run := &Run{Before: c}
	seen := map[string]int{}
	for {
		plan := scheduler.Plan(c, now)
		if len(plan.Graph.Actions) == 0 {
			run.Rest, run.Settled = plan, true
			return run, nil
		}
		key := graphKey(plan.Graph)
		if seen[key]++; seen[key] > SameMax {
			run.Rest, run.Circles = plan, fmt.Sprintf("the cluster goes in circles: the same was asked for %d times", SameMax)
			return run, nil
		}
		if len(run.Steps) == StepsMax {
			run.Rest, run.Circles = plan, fmt.Sprintf("there is still something to do after %d transitions", StepsMax)
			return run, nil
		}
		next, done, err := outcome.Execute(c, plan.Graph, now, judge(failing))
		if err != nil {
			return run, err
		}
		run.Steps = append(run.Steps, Step{Plan: plan, Done: done, After: next})
		c = next
	}
}

// judge lets fail what is to fail.
func judge(failing []Failure) func(*transition.Action) outcome.Verdict {
	return func(a *transition.Action) outcome.Verdict {
		for _, f := range failing {
			if f.hits(a) {
				return outcome.Verdict{Failed: true, RC: f.RC, Why: "it was asked to fail"}
			}
		}
		return outcome.Verdict{}
	}
}

// graphKey tells graphs apart by what they order.
func graphKey(g *transition.Graph) string {
	var key strings.Builder
	for _, a := range g.Actions {
		fmt.Fprintf(&key, "%s %s %s %d;", a.Operation, a.Resource, a.Node, a.IntervalMS)
	}
	return key.String()
}
