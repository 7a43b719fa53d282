package executor

import (
	"context"
	"maps"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
)

// reloading is what an agent's meta-data says about changed parameters.
type reloading struct {
	operation string // that tells the agent: reload-agent, or reload of API 1.0
	restart   string // in the form of cib.OpRecord.ForceRestart; empty: every change needs a restart
}

// reloading asks the agent of a job, while its operation runs, what can be reloaded. The function that it returns waits for
// the answer for so long: no result is held up by an agent that cannot say what it is.
func (e *Executor) reloading(runner resources.Runner, j *job) func(limit time.Duration) reloading {
	none := reloading{operation: resources.ReloadAgent}
	if j.kind != jobOrdered || !takesParameters(j.action) {
		return func(time.Duration) reloading { return none }
	}
	answer := make(chan reloading, 1)
	ask := func() { answer <- e.askReloading(runner, agentOf(j.action)) }
	probe := j.action.Operation == resources.Monitor
	if !probe { // of a probe it matters only if it finds something, which few do
		e.wg.Go(ask)
	}
	var got *reloading
	return func(limit time.Duration) reloading {
		if got != nil {
			return *got
		}
		if probe {
			e.wg.Go(ask)
		}
		t := time.NewTimer(limit)
		defer t.Stop()
		select {
		case x := <-answer:
			got = &x
			return x
		case <-t.C:
			return none
		}
	}
}

func (e *Executor) askReloading(runner resources.Runner, a resources.Agent) reloading {
	ctx, cancel := context.WithTimeout(e.ctx, metaDataMax)
	defer cancel()
	m, err := resources.Describe(ctx, runner, a)
	if err != nil {
		e.log.Debug("an agent does not say what it can reload: a change of its parameters restarts it", "agent", a.String(), "cause", err)
		return reloading{operation: resources.ReloadAgent}
	}
	op, restart := m.Reloading()
	if op == "" {
		return reloading{operation: resources.ReloadAgent}
	}
	// The list is never empty: it says that all other parameters can be reloaded.
	return reloading{operation: op, restart: " " + strings.Join(restart, " ") + " "}
}

// takesParameters says whether a resource goes by an operation's parameters after it: a probe tells of what runs already.
func takesParameters(a *transition.Action) bool {
	switch a.Operation {
	case resources.Start, resources.Promote, resources.MigrateFrom, resources.ReloadAgent:
		return true
	case resources.Monitor:
		return a.IntervalMS == 0
	}
	return false
}

// running says whether an operation that ended so has left the resource active.
func running(code resources.ExitCode) bool {
	switch code {
	case resources.OK, resources.RunningPromoted, resources.Degraded, resources.DegradedPromoted:
		return true
	}
	return false
}

// noteReloading puts into a result what a later change of parameters has to be compared with.
func noteReloading(res *transition.Result, a *transition.Action, x reloading) {
	if x.restart == "" {
		return
	}
	params := maps.Clone(a.Args)
	if params == nil {
		params = map[string]string{}
	}
	maps.Copy(params, a.Params)
	res.ForceRestart, res.RestartDigest = x.restart, cib.RestartDigest(params, x.restart)
}
