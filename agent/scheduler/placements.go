package scheduler

import "paceline/agent/cib"

// active lists what is active now, or after the transition.
func (w *world) active(after bool) []Placement {
	out := []Placement{}
	for _, r := range w.all {
		if r.kind == cib.KindBundle {
			out = append(out, w.activeReplicas(r, after)...)
		}
		if r.kind != cib.KindPrimitive || inBundle(r) {
			continue
		}
		if !after {
			for _, n := range r.running {
				out = append(out, Placement{r.id, n.name, r.role.String()})
			}
			continue
		}
		out = append(out, w.activeAfter(r)...)
	}
	return out
}

// inBundle tells whether r is a part of a bundle, which is listed by its replicas.
func inBundle(r *rsc) bool { return r.uber().kind == cib.KindBundle }

// activeReplicas lists the replicas of a bundle: each on its container's host, in the role of what runs inside.
func (w *world) activeReplicas(r *rsc, after bool) []Placement {
	var out []Placement
	list := func(k *rsc) []Placement {
		if after {
			return w.activeAfter(k)
		}
		var p []Placement
		for _, n := range k.running {
			p = append(p, Placement{k.id, n.name, k.role.String()})
		}
		return p
	}
	for _, p := range r.bundle.replicas {
		if p.container == nil {
			continue
		}
		for _, c := range list(p.container) {
			if p.inst != nil {
				inner := list(firstLeaf(p.inst))
				if len(inner) == 0 {
					continue
				}
				c.Resource, c.Role = p.conn.id, inner[0].Role
			}
			out = append(out, c)
		}
	}
	return out
}

func (w *world) activeAfter(r *rsc) []Placement {
	var out []Placement
	add := func(n *node, ro role) {
		for i := range out {
			if out[i].Node == n.name {
				return
			}
		}
		out = append(out, Placement{r.id, n.name, ro.String()})
	}
	for _, n := range r.running {
		if s := w.existing(r, taskStop, n, 0); s != nil && s.done() {
			continue
		}
		ro := r.role
		if d := w.existing(r, taskDemote, n, 0); d != nil && d.done() {
			ro = roleUnpromoted
		}
		if p := w.existing(r, taskPromote, n, 0); p != nil && p.done() {
			ro = rolePromoted
		}
		add(n, ro)
	}
	if n := r.assigned; n != nil {
		if s := w.existing(r, taskStart, n, 0); s != nil && s.done() {
			ro := roleStarted
			if r.promotable() {
				ro = roleUnpromoted
				if p := w.existing(r, taskPromote, n, 0); p != nil && p.done() {
					ro = rolePromoted
				}
			}
			add(n, ro)
		}
	}
	return out
}
