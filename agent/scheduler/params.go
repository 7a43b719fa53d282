package scheduler

import (
	"strings"

	"paceline/agent/cib"
)

// checkParameters finds what runs with other parameters, or by another agent, than it is configured with now.
func (w *world) checkParameters() {
	for _, r := range w.all {
		if !r.primitive() || r.removed {
			continue
		}
		for _, n := range r.running {
			if n.checked() {
				w.checkOn(r, n)
			}
		}
	}
}

// checked tells whether what runs on a node is compared with its definition: it is not where everything is to leave.
func (n *node) checked() bool { return n.usable() || n.online && n.maintenance }

// noteAgent notes history that another agent left under the same name: it has to be forgotten.
func (r *rsc) noteAgent(n *node, a cib.Agent) {
	if r.removed || !n.online || a.Type == "" || a == r.agent {
		return
	}
	r.otherAgent = append(r.otherAgent, n)
	if r.isRunningOn(n) {
		r.restart, r.restartWhy = true, "its agent was changed"
	}
}

// checkOn compares the digests of what runs on a node with those of the configuration.
func (w *world) checkOn(r *rsc, n *node) {
	for _, k := range sinceStop(r, n) {
		switch {
		case k.interval > 0 && r.op(k.task, k.interval) == nil:
			r.redefined(n)
		case k.failed && (k.task != taskMonitor || k.op.OpDigest == ""):
		case k.interval > 0:
			w.checkRecurring(r, n, k)
		case k.task == taskStart, k.task == taskPromote, k.task == taskMigrateFrom, k.probe() && k.rc != rcNotRunning:
			w.checkStarted(r, n, k)
		}
	}
}

// sinceStop lists the history of an instance on a node after its last stop.
func sinceStop(r *rsc, n *node) []*record {
	var out []*record
	for _, k := range r.hist.on(n) {
		if k.task == taskStop && k.status == cib.OpDone {
			out = nil
			continue
		}
		out = append(out, k)
	}
	return out
}

func (w *world) checkRecurring(r *rsc, n *node, k *record) {
	now := w.digestParams(r, n, k.task, k.interval)
	if cib.ParametersDigest(now) != k.op.OpDigest && !sameButSecrets(now, k.op) {
		r.redefined(n)
		if r.reschedule == nil {
			r.reschedule = map[*node]map[int64]bool{}
		}
		if r.reschedule[n] == nil {
			r.reschedule[n] = map[int64]bool{}
		}
		r.reschedule[n][k.interval] = true
	}
}

func (w *world) checkStarted(r *rsc, n *node, k *record) {
	now := w.digestParams(r, n, k.task, 0)
	if cib.ParametersDigest(now) == k.op.OpDigest || sameButSecrets(now, k.op) {
		return
	}
	r.redefined(n)
	// Only an agent that listed what forces a restart can be asked to reload the rest, and only once it is started.
	if !r.startPending && k.op.RestartDigest != "" && k.op.ForceRestart != "" && cib.RestartDigest(now, k.op.ForceRestart) == k.op.RestartDigest {
		if r.reloadOn == nil {
			r.reloadOn = map[*node]bool{}
		}
		r.reloadOn[n] = true
		return
	}
	r.restart, r.restartWhy = true, "its parameters were changed"
	if k.op.OpDigest == "" {
		r.restartWhy = "nobody recorded with what parameters it was started"
	}
}

// redefined notes that something in the history on a node was done with another definition than the present one.
func (r *rsc) redefined(n *node) {
	if r.changedOn == nil {
		r.changedOn = map[*node]bool{}
	}
	r.changedOn[n] = true
}

// sameButSecrets tells whether parameters differ in nothing but secrets that were blanked out of a saved state.
func sameButSecrets(params map[string]string, op *cib.OpRecord) bool {
	if op.SecureDigest == "" {
		return false
	}
	blanked := false
	for _, v := range params {
		if v != "" && strings.Trim(v, "*") == "" {
			blanked = true
		}
	}
	if !blanked {
		return false
	}
	rest := map[string]string{}
	for k, v := range params {
		rest[k] = v
	}
	for _, name := range strings.Fields(op.SecureParams) {
		delete(rest, name)
	}
	for k := range rest {
		if k == "CRM_meta_timeout" || strings.HasPrefix(k, "pcmk_") {
			delete(rest, k)
		}
	}
	return cib.ParametersDigest(rest) == op.SecureDigest
}

// actForget cleans up after an instance: history of what is no longer configured, fail counts that have expired.
func (w *world) actForget(r *rsc) {
	for _, n := range w.nodes {
		if !n.online || n.unclean {
			continue
		}
		w.clearFailures(r, n)
	}
	for _, n := range r.otherAgent {
		if r.next == roleStopped && r.isRunningOn(n) {
			continue // it stops first
		}
		w.forget(r, n, "its agent was changed")
	}
	if r.removed && w.opts.stopRemoved {
		w.forgetRemoved(r)
	}
}

// knownOn tells whether there is history of this very instance on a node.
func (r *rsc) knownOn(n *node) bool { return len(r.hist.on(n)) > 0 }

// forget deletes the history of an instance on a node.
func (w *world) forget(r *rsc, n *node, why string) {
	a := w.action(r, taskDelete, n, 0)
	a.require(why)
	for _, stop := range r.acting(taskStop) {
		if stop.node == n {
			w.order(stop, a, needsFirst)
		}
	}
	for _, start := range r.acting(taskStart) {
		w.order(a, start, 0)
	}
	if c := r.inClone(); c != nil && r.filler {
		w.order(w.action(c, taskStopped, nil, 0), a, 0)
	}
}

func (w *world) forgetRemoved(r *rsc) {
	for _, n := range r.hist.nodes {
		if !n.online || n.unclean || !r.managed && r.isRunningOn(n) {
			continue
		}
		w.forget(r, n, "it is no longer configured")
	}
}
