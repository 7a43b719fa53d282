package scheduler

import "paceline/agent/transition"

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
		if v := n.attrs["#node-unfenced"]; v != "" && v != "0" {
			continue
		}
		w.unfenceNode(n)
	}
}

func (w *world) unfenceNode(n *node) {
	var on *action
	for _, a := range append([]*action(nil), w.actions...) {
		r := a.rsc
		if a.node != n || r == nil || !r.primitive() || a.task != taskStart && !(a.task == taskMonitor && a.interval == 0) {
			continue
		}
		device := r.agent.Class == "stonith" && r.meta["provides"] == "unfencing"
		if r.requires != requireUnfencing && !device {
			continue
		}
		if on == nil {
			on = w.actionVariant(nil, "on", n, 0, "unfence")
			on.kind, on.fenceOp, on.key = transition.KindFence, "on", "unfence-"+n.name
		}
		if a.need {
			on.require("it is required by " + r.id)
		}
		w.order(on, a, needsFirst)
	}
}
