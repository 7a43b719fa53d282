package scheduler

import (
	"slices"

	"paceline/agent/transition"
)

// Some devices fence by taking away access to shared storage. A node must be given it ("on") before anything that
// needs the storage may run there: that is unfencing.

// findUnfencing tells whether some device of the configuration provides unfencing.
func (w *world) findUnfencing() bool {
	if !w.opts.fencing {
		return false
	}
	for _, c := range w.cib.Configuration.Primitives() {
		if w.agentOf(c).Class == "stonith" && w.ownMeta(c)["provides"] == "unfencing" {
			return true
		}
	}
	return false
}

// actUnfencing unfences the nodes that were not since they came up, before what needs it.
func (w *world) actUnfencing() {
	if !w.unfencing {
		return
	}
	for _, n := range w.nodes {
		if n.kind != kindMember || !n.online || n.unclean || n.pending {
			continue
		}
		v := n.attrs["#node-unfenced"]
		changed := w.changedDevice(n)
		if v != "" && v != "0" && changed == nil {
			continue
		}
		w.unfenceNode(n, changed)
	}
}

// changedDevice returns a device that has given a node its access with other parameters than it is configured with now.
func (w *world) changedDevice(n *node) *rsc {
	for _, r := range w.all {
		if r.unfences() && r.isRunningOn(n) && r.restart && (r.changedOn[n] || slices.Contains(r.otherAgent, n)) {
			return r
		}
	}
	return nil
}

// unfences tells whether it is a device that gives nodes access.
func (r *rsc) unfences() bool {
	return r.primitive() && r.agent.Class == "stonith" && r.meta["provides"] == "unfencing"
}

// unfenceNode gives a node access before what needs it; again, if a device has changed: then what runs there is restarted.
func (w *world) unfenceNode(n *node, changed *rsc) {
	var on *action
	for _, a := range append([]*action(nil), w.actions...) {
		r := a.rsc
		if a.node != n || r == nil || !r.primitive() || a.task != taskStart && !(a.task == taskMonitor && a.interval == 0) {
			continue
		}
		if r.requires != requireUnfencing && !r.unfences() {
			continue
		}
		if on == nil {
			on = w.actionVariant(nil, "on", n, 0, "unfence")
			on.kind, on.fenceOp, on.key = transition.KindFence, "on", "unfence-"+n.name
		}
		if changed != nil {
			on.require("the definition of " + changed.id + " was changed")
		}
		if a.need {
			on.require("it is required by " + r.id)
		}
		if changed == nil || a.task == taskMonitor {
			w.order(on, a, needsFirst)
			continue
		}
		w.order(on, a, needsFirst|forcesThen)
		for _, stop := range r.acting(taskStop) {
			if stop.node == n && !r.unfences() {
				w.order(stop, on, 0)
			}
		}
	}
}
