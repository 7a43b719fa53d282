package cib

// Index finds what references point at, in one pass over a configuration. It is a snapshot: it belongs to the
// configuration that it was made of.
type Index struct {
	Resources    map[string]*Resource    // at any depth
	Templates    map[string]*Resource    //
	Parents      map[string]*Resource    // of resources that are not at top level
	Sets         map[string]*NVSet       // of any kind
	Pairs        map[string]*NVPair      // pairs with an ID
	Rules        map[string]*Rule        // at any depth
	Operations   map[string]*Operations  // by their own ID, and by that of the resource or template that has them
	Ops          map[string]*Op          //
	ResourceSets map[string]*ResourceSet //
	Tags         map[string]*Tag         //
	Nodes        map[string]*Node        // by uname
	Referred     map[string]bool         // IDs of sets that others stand for
}

// NewIndex returns the index of a configuration. Of several objects with one ID, the first is found.
func NewIndex(c *Configuration) *Index {
	x := &Index{
		Resources: map[string]*Resource{}, Templates: map[string]*Resource{}, Parents: map[string]*Resource{}, Sets: map[string]*NVSet{},
		Pairs: map[string]*NVPair{}, Rules: map[string]*Rule{}, Operations: map[string]*Operations{}, Ops: map[string]*Op{},
		ResourceSets: map[string]*ResourceSet{}, Tags: map[string]*Tag{}, Nodes: map[string]*Node{},
		Referred: map[string]bool{},
	}
	x.sets(c.Options, c.RscDefaults, c.OpDefaults)
	for _, n := range c.Nodes {
		first(x.Nodes, n.Uname, n)
		x.sets(n.Attributes, n.Utilization)
	}
	for _, t := range c.Templates {
		first(x.Templates, t.ID, t)
		x.resource(t)
	}
	for r, parent := range c.Walk() {
		first(x.Resources, r.ID, r)
		if parent != nil {
			first(x.Parents, r.ID, parent)
		}
		x.resource(r)
	}
	for _, k := range c.Constraints {
		sets, rules := k.parts()
		for i := range sets {
			first(x.ResourceSets, sets[i].ID, &sets[i])
		}
		for _, r := range rules {
			x.rule(r)
		}
	}
	for i := range c.Tags {
		first(x.Tags, c.Tags[i].ID, &c.Tags[i])
	}
	for i := range c.Alerts {
		a := &c.Alerts[i]
		x.sets(a.Meta, a.Params)
		for j := range a.Recipients {
			x.sets(a.Recipients[j].Meta, a.Recipients[j].Params)
		}
	}
	return x
}

func first[T any](m map[string]*T, id string, value *T) {
	if _, taken := m[id]; id != "" && !taken {
		m[id] = value
	}
}

func (x *Index) resource(r *Resource) {
	x.sets(r.Meta, r.Params, r.Utilization)
	o := &r.Operations
	first(x.Operations, o.ID, o)
	first(x.Operations, r.ID, o)
	for _, op := range o.Ops {
		first(x.Ops, op.ID, op)
		x.sets(op.Meta, op.Params)
	}
}

func (x *Index) sets(lists ...[]NVSet) {
	for _, list := range lists {
		for i := range list {
			s := &list[i]
			first(x.Sets, s.ID, s)
			if s.IDRef != "" {
				x.Referred[s.IDRef] = true
			}
			x.rule(s.Rule)
			for j := range s.Pairs {
				first(x.Pairs, s.Pairs[j].ID, &s.Pairs[j])
			}
		}
	}
}

func (x *Index) rule(r *Rule) {
	if r == nil {
		return
	}
	first(x.Rules, r.ID, r)
	for _, expr := range r.Expressions {
		x.rule(expr.Rule)
	}
}

// Set returns the set itself, or the one that it stands for; nil when its reference points nowhere.
func (x *Index) Set(s *NVSet) *NVSet {
	if s.IDRef == "" {
		return s
	}
	if target := x.Sets[s.IDRef]; target != nil && target.IDRef == "" {
		return target
	}
	return nil
}

// Pair returns the name and value of a pair, following its reference; false when that points nowhere or there is no value.
func (x *Index) Pair(p *NVPair) (name, value string, ok bool) {
	if p.IDRef == "" {
		return p.Name, p.Value, !p.NoValue
	}
	target := x.Pairs[p.IDRef]
	if target == nil || target.IDRef != "" {
		return p.Name, "", false
	}
	if name = p.Name; name == "" {
		name = target.Name
	}
	return name, target.Value, !target.NoValue
}
