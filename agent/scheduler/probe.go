package scheduler

import "paceline/agent/cib"

// actProbes makes a probe for every instance on every node whose state of it is not known.
func (w *world) actProbes() {
	for _, r := range w.all {
		if r.primitive() {
			r.probed = map[*node]bool{}
		}
	}
	if !w.opts.probes {
		return
	}
	for _, n := range w.nodes {
		if n.unclean || !n.online || n.kind == kindPing || !n.discovery {
			continue
		}
		if n.kind == kindGuest && guestIsNew(n) {
			continue // nothing can be left in it
		}
		for _, r := range w.top {
			w.probe(r, n)
		}
	}
}

// guestIsNew tells whether a guest is started (again) by this transition.
func guestIsNew(n *node) bool {
	c := n.conn.container
	if c == nil {
		return n.conn.assigned != n.conn.current()
	}
	return n.needsReset || len(c.running) == 0 || c.assigned != c.current()
}

// probe makes the probes of r on n; it returns whether there are any.
func (w *world) probe(r *rsc, n *node) bool {
	switch r.kind {
	case cib.KindPrimitive:
		return w.probePrimitive(r, n)
	case cib.KindBundle:
		return w.probeBundle(r, n)
	case cib.KindClone:
		if !r.clone.unique {
			return w.probeAnonymous(r, n)
		}
	}
	any := false
	for _, k := range r.kids {
		if w.probe(k, n) {
			any = true
		}
	}
	return any
}

// probeAnonymous probes once per node: by the instance that is there or shall be, else by the first.
func (w *world) probeAnonymous(r *rsc, n *node) bool {
	if r.exclusive && r.discover[n] != "exclusive" {
		return false
	}
	if len(r.kids) == 0 {
		return false
	}
	chosen := r.kids[0]
	for _, k := range r.kids {
		if placedOn(k, n) {
			chosen = k
			break
		}
	}
	for _, k := range r.kids {
		if k.claimed == n {
			chosen = k
			break
		}
	}
	return w.probe(chosen, n)
}

func placedOn(r *rsc, n *node) bool {
	found := false
	r.leaves(func(l *rsc) {
		if l.assigned == n {
			found = true
		}
	})
	return found
}

func (w *world) probePrimitive(r *rsc, n *node) bool {
	if r.known.has(n) || r.removed || r.isRunningOn(n) {
		return false
	}
	if r.container != nil && r.guest == nil && !n.bundle {
		return false // it can be nowhere but in its container
	}
	if r.isRemote && n.remote() || r.agent.Class == "stonith" && n.remote() {
		return false
	}
	if n.remote() && (len(r.fills) > 0 && !inBundle(r) || r.isRemote || r.guest != nil) {
		return false
	}
	if n.kind == kindGuest && n.conn != nil && n.conn.container == r {
		return false
	}
	if n.bundle && r.scores[n.idx] == absent {
		return false
	}
	if !w.discoverable(r, n) {
		return false
	}
	a := w.action(r, taskMonitor, n, 0)
	a.targetRC = rcNotRunning
	a.require("its state there is not known")
	r.probed[n] = true
	return true
}

// discoverable tells whether constraints allow to look for r on n.
func (w *world) discoverable(r *rsc, n *node) bool {
	for x := r; x != nil && !(n.bundle && x.kind == cib.KindBundle); x = x.parent {
		if x.discover[n] == "never" {
			return false
		}
		if x.exclusive && x.discover[n] != "exclusive" {
			return false
		}
	}
	return true
}
