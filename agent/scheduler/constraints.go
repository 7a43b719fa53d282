package scheduler

import (
	"fmt"
	"regexp"
	"strings"

	"paceline/agent/cib"
)

// unpackConstraints turns constraints into locations, colocations, orderings and tickets between resources.
func (w *world) unpackConstraints() {
	w.tags = map[string][]string{}
	for _, t := range w.cib.Configuration.Tags {
		w.tags[t.ID] = append(w.tags[t.ID], t.Refs...)
	}
	for _, t := range w.cib.Configuration.Templates {
		var refs []string
		for c := range w.cib.Configuration.Walk() {
			if c.Template == t.ID {
				refs = append(refs, c.ID)
			}
		}
		w.tags[t.ID] = append(w.tags[t.ID], refs...)
	}
	for _, c := range w.cib.Configuration.Constraints {
		switch {
		case c.Location != nil:
			if w.lifetime(c.Location.Lifetime) {
				w.unpackLocation(c.Location)
			}
		case c.Colocation != nil:
			if w.lifetime(c.Colocation.Lifetime) {
				w.unpackColocation(c.Colocation)
			}
		case c.Order != nil:
			if w.lifetime(c.Order.Lifetime) {
				w.unpackOrder(c.Order)
			}
		case c.Ticket != nil:
			w.unpackTicket(c.Ticket)
		}
	}
	w.sortColocations()
}

// lifetime tells whether a constraint is in force now.
func (w *world) lifetime(rules []*cib.Rule) bool {
	if len(rules) == 0 {
		return true
	}
	for _, r := range rules {
		if w.satisfied(r, scope{}) {
			return true
		}
	}
	return false
}

// lookup finds the resources that a constraint names: one, or those that a tag or template stands for.
func (w *world) lookup(id, where string) []*rsc {
	if r := w.constrained(id); r != nil {
		return []*rsc{r}
	}
	if refs, ok := w.tags[id]; ok {
		var out []*rsc
		for _, ref := range refs {
			if r := w.constrained(ref); r != nil {
				out = append(out, r)
			}
		}
		return out
	}
	w.problem(fmt.Sprintf("constraint %s: there is no resource %q; the constraint is ignored", where, id))
	return nil
}

// constrained returns the resource of an ID as constraints mean it: what is inside of a clone stands for the clone.
func (w *world) constrained(id string) *rsc {
	r := w.byRsc[id]
	if r == nil {
		base, _ := splitInstance(id)
		for _, try := range []string{id + ":0", base + ":0", base} {
			if k := w.byRsc[try]; k != nil {
				r = k
				break
			}
		}
	}
	if r == nil {
		return nil
	}
	if c := r.inClone(); c != nil && c != r {
		if c.parent != nil { // the clone that a bundle makes of its primitive
			return c.parent
		}
		if r.id == id {
			return r
		}
		return c
	}
	if r.parent != nil && r.parent.kind == cib.KindBundle {
		return r.parent
	}
	return r
}

func (w *world) unpackLocation(l *cib.Location) {
	if l.Pattern != "" {
		w.locationPattern(l)
		return
	}
	if len(l.Sets) > 0 {
		for i := range l.Sets {
			s := w.set(&l.Sets[i])
			for _, id := range s.Resources {
				for _, r := range w.lookup(id, l.ID) {
					w.locate(l, r, s.Role, nil)
				}
			}
		}
		return
	}
	for _, r := range w.lookup(l.Resource, l.ID) {
		w.locate(l, r, "", nil)
	}
}

// set follows a reference to another set.
func (w *world) set(s *cib.ResourceSet) *cib.ResourceSet {
	if s.IDRef == "" {
		return s
	}
	for _, c := range w.cib.Configuration.Constraints {
		var sets []cib.ResourceSet
		switch {
		case c.Location != nil:
			sets = c.Location.Sets
		case c.Colocation != nil:
			sets = c.Colocation.Sets
		case c.Order != nil:
			sets = c.Order.Sets
		case c.Ticket != nil:
			sets = c.Ticket.Sets
		}
		for i := range sets {
			if sets[i].ID == s.IDRef && sets[i].IDRef == "" {
				return &sets[i]
			}
		}
	}
	w.problem("no resource set has the ID " + s.IDRef)
	return s
}

func (w *world) locationPattern(l *cib.Location) {
	text, invert := l.Pattern, false
	if strings.HasPrefix(text, "!") {
		text, invert = text[1:], true
	}
	re, err := regexp.CompilePOSIX(text)
	if err != nil {
		w.problem(fmt.Sprintf("constraint %s: pattern %q: %v; the constraint is ignored", l.ID, l.Pattern, err))
		return
	}
	for _, r := range w.top {
		m := re.FindStringSubmatch(r.id)
		if (m != nil) == invert {
			continue
		}
		w.locate(l, r, "", m)
	}
}

// locate makes the location of one resource.
func (w *world) locate(l *cib.Location, r *rsc, setRole string, match []string) {
	text := setRole
	if text == "" {
		text = l.Role
	}
	ro := parseRole(text)
	if ro == roleStarted || ro == roleUnpromoted {
		ro = roleUnknown // what is started on a node is there in either role
	}
	if l.Score != "" && l.Node != "" {
		score, err := cib.ParseScore(l.Score)
		if err != nil {
			w.problem(fmt.Sprintf("constraint %s: %v; it counts as 0", l.ID, err))
		}
		n := w.byName[l.Node]
		if n == nil {
			w.problem(fmt.Sprintf("constraint %s: there is no node %q; the constraint is ignored", l.ID, l.Node))
			return
		}
		loc := &location{id: l.ID, rsc: r, role: ro, discover: l.Discovery, scores: map[*node]int{n: score}, order: []*node{n}}
		w.locations = append(w.locations, loc)
		return
	}
	for _, rule := range l.Rules {
		w.locateRule(l, rule, r, ro, match)
	}
}

func (w *world) locateRule(l *cib.Location, rule *cib.Rule, r *rsc, ro role, match []string) {
	if rule.IDRef != "" {
		to := w.docs.rules[rule.IDRef]
		if to == nil {
			w.problem("no rule has the ID " + rule.IDRef)
			return
		}
		rule = to
	}
	if rule.Role != "" {
		if p := parseRole(rule.Role); p == rolePromoted {
			ro = p
		}
	}
	fixed, err := cib.ParseScore(rule.Score)
	if err != nil && rule.ScoreAttribute == "" {
		w.problem(fmt.Sprintf("constraint %s: rule %s: %v; it counts as 0", l.ID, rule.ID, err))
	}
	loc := &location{id: l.ID, rsc: r, role: ro, discover: l.Discovery, scores: map[*node]int{}}
	for _, n := range w.nodes {
		at := scope{node: n, agent: &r.agent, params: w.paramsOn(r, n), meta: r.meta, match: match}
		if !w.satisfied(rule, at) {
			continue
		}
		score := fixed
		if rule.ScoreAttribute != "" {
			v, ok := n.attrs[expand(rule.ScoreAttribute, match)]
			if !ok {
				continue
			}
			score, err = cib.ParseScore(v)
			if err != nil {
				w.problem(fmt.Sprintf("node %s: attribute %s is used as a score: %v", n.name, rule.ScoreAttribute, err))
				continue
			}
		}
		loc.scores[n] = score
		loc.order = append(loc.order, n)
	}
	if len(loc.order) > 0 {
		w.locations = append(w.locations, loc)
	}
}

// applyLocations adds the scores of locations to the resources. Those for the promoted role wait for promotion.
func (w *world) applyLocations() {
	for _, l := range w.locations {
		if l.role == rolePromoted {
			continue
		}
		if l.role == roleStopped {
			continue
		}
		w.applyLocation(l.rsc, l)
	}
}

func (w *world) applyLocation(r *rsc, l *location) {
	for _, n := range l.order {
		s := l.scores[n]
		if r.scores[n.idx] == absent {
			if n.kind == kindPing {
				continue
			}
			r.scores[n.idx] = s
		} else {
			r.scores[n.idx] = add(r.scores[n.idx], s)
		}
		if s <= banned {
			r.banWhy(n, "constraint "+l.id)
		}
		w.applyDiscovery(r, n, l.discover)
	}
	if r.kind == cib.KindBundle {
		for _, p := range r.bundle.replicas {
			if p.container != nil {
				w.applyLocation(p.container, l)
			}
		}
		return
	}
	for i, k := range r.kids {
		// Members of a group that stay together follow the first: it speaks for all.
		if r.kind == cib.KindGroup && r.colocated && i > 0 {
			w.discoverOnly(k, l)
			continue
		}
		w.applyLocation(k, l)
	}
}

func (w *world) discoverOnly(r *rsc, l *location) {
	for _, n := range l.order {
		if r.scores[n.idx] == absent && n.kind != kindPing {
			r.scores[n.idx] = 0
		}
		w.applyDiscovery(r, n, l.discover)
	}
}

func (w *world) applyDiscovery(r *rsc, n *node, mode string) {
	if mode == "" || mode == "always" {
		return
	}
	if r.discover == nil {
		r.discover = map[*node]string{}
	}
	r.discover[n] = mode
	if mode == "exclusive" {
		r.exclusive = true
	}
}
