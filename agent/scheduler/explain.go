package scheduler

import "paceline/agent/cib"

func (w *world) whyNowhere(r *rsc) string  { return "no node may run it" }
func (w *world) noteScores(r *rsc)         {}
func (w *world) noteInitial(r *rsc)        {}
func (r *rsc) scoresForReport() []int      { return nil }
func (w *world) reasonOf(a *action) string { return a.why }
func (w *world) explain(res *Result)       {}

// active lists what is active now, or after the transition.
func (w *world) active(after bool) []Placement {
	out := []Placement{}
	for _, r := range w.all {
		if r.kind != cib.KindPrimitive {
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
