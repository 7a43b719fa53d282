package scheduler

import (
	"paceline/agent/cib"
)

// references finds sets, pairs and rules by ID, for what points to them.
type references struct {
	sets  map[string]*cib.NVSet
	pairs map[string]*cib.NVPair
	rules map[string]*cib.Rule
	ops   map[string]*cib.Op
	lists map[string]*cib.Operations
}

func indexReferences(c *cib.Configuration) *references {
	d := &references{
		sets: map[string]*cib.NVSet{}, pairs: map[string]*cib.NVPair{}, rules: map[string]*cib.Rule{},
		ops: map[string]*cib.Op{}, lists: map[string]*cib.Operations{},
	}
	d.addSets(c.Options, c.RscDefaults, c.OpDefaults)
	for _, n := range c.Nodes {
		d.addSets(n.Attributes, n.Utilization)
	}
	for r := range c.Walk() {
		d.addResource(r)
	}
	for _, t := range c.Templates {
		d.addResource(t)
	}
	for _, k := range c.Constraints {
		if l := k.Location; l != nil {
			for _, r := range l.Rules {
				d.addRule(r)
			}
		}
	}
	return d
}

func (d *references) addResource(r *cib.Resource) {
	d.addSets(r.Params, r.Meta, r.Utilization)
	if r.Operations.ID != "" {
		d.lists[r.Operations.ID] = &r.Operations
	}
	for _, op := range r.Operations.Ops {
		if op.ID != "" && op.IDRef == "" {
			d.ops[op.ID] = op
		}
		d.addSets(op.Meta, op.Params)
	}
}

func (d *references) addSets(lists ...[]cib.NVSet) {
	for _, list := range lists {
		for i := range list {
			s := &list[i]
			if s.ID != "" && s.IDRef == "" {
				d.sets[s.ID] = s
			}
			for j := range s.Pairs {
				if p := &s.Pairs[j]; p.ID != "" && p.IDRef == "" {
					d.pairs[p.ID] = p
				}
			}
			d.addRule(s.Rule)
		}
	}
}

func (d *references) addRule(r *cib.Rule) {
	if r == nil {
		return
	}
	if r.ID != "" && r.IDRef == "" {
		d.rules[r.ID] = r
	}
	for _, e := range r.Expressions {
		d.addRule(e.Rule)
	}
}

// values merges sets of name-value pairs: higher scores first, the first to give a name decides its value.
func (w *world) values(sets []cib.NVSet, at scope) map[string]string {
	out := map[string]string{}
	w.valuesInto(out, sets, at)
	return out
}

// valuesInto adds to out what it does not have yet.
func (w *world) valuesInto(out map[string]string, sets []cib.NVSet, at scope) {
	if len(sets) == 0 {
		return
	}
	if len(sets) > 1 {
		sets = cib.OrderSets(sets)
	}
	for i := range sets {
		s := &sets[i]
		if s.IDRef != "" {
			if to := w.docs.sets[s.IDRef]; to != nil {
				s = to
			}
		}
		if s.Rule != nil && !w.satisfied(s.Rule, at) {
			continue
		}
		for j := range s.Pairs {
			w.pairInto(out, &s.Pairs[j])
		}
	}
}

func (w *world) pairInto(out map[string]string, p *cib.NVPair) {
	name, value, none := p.Name, p.Value, p.NoValue
	if p.IDRef != "" {
		to := w.docs.pairs[p.IDRef]
		if to == nil {
			w.problem("no name-value pair has the ID " + p.IDRef)
			return
		}
		if name == "" {
			name = to.Name
		}
		value, none = to.Value, to.NoValue
	}
	if _, have := out[name]; have || none || name == "" {
		return
	}
	if value == "#default" {
		return
	}
	out[name] = value
}
