package cib

import (
	"iter"
	"sort"
)

// Resource returns the resource or template of that ID at any depth, or nil.
func (c *CIB) Resource(id string) *Resource { return c.Configuration.Resource(id) }

// Primitives returns every primitive at any depth, in document order.
func (c *CIB) Primitives() []*Resource { return c.Configuration.Primitives() }

// NodeByName returns the configured node of that uname, or nil.
func (c *CIB) NodeByName(uname string) *Node { return c.Configuration.NodeByName(uname) }

// NodeByID returns the configured node of that ID, or nil.
func (c *CIB) NodeByID(id string) *Node { return c.Configuration.NodeByID(id) }

// NodeState returns the state of the node of that ID or, failing that, uname; nil if nothing is known of it.
func (c *CIB) NodeState(name string) *NodeState {
	var byName *NodeState
	for _, n := range c.Status.Nodes {
		if n.ID == name {
			return n
		}
		if byName == nil && n.Uname == name {
			byName = n
		}
	}
	return byName
}

// Option returns the value of a cluster option, asked for under any of its names (see OptionNames).
func (c *CIB) Option(name string) (value string, ok bool) { return c.Configuration.Option(name) }

// Resource returns the resource or template of that ID at any depth, or nil.
func (c *Configuration) Resource(id string) *Resource {
	for r := range c.Walk() {
		if r.ID == id {
			return r
		}
	}
	for _, t := range c.Templates {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// Walk yields every resource and, when it is not at top level, the collection that holds it: parents before children, in
// document order. Templates are not resources.
func (c *Configuration) Walk() iter.Seq2[*Resource, *Resource] {
	return func(yield func(r, parent *Resource) bool) {
		walkResources(c.Resources, nil, yield)
	}
}

func walkResources(list []*Resource, parent *Resource, yield func(r, parent *Resource) bool) bool {
	for _, r := range list {
		if !yield(r, parent) || !walkResources(r.Children, r, yield) {
			return false
		}
	}
	return true
}

// Primitives returns every primitive at any depth, in document order.
func (c *Configuration) Primitives() []*Resource {
	var list []*Resource
	for r := range c.Walk() {
		if r.Kind == KindPrimitive {
			list = append(list, r)
		}
	}
	return list
}

// NodeByName returns the configured node of that uname, or nil.
func (c *Configuration) NodeByName(uname string) *Node {
	for _, n := range c.Nodes {
		if n.Uname == uname {
			return n
		}
	}
	return nil
}

// NodeByID returns the configured node of that ID, or nil.
func (c *Configuration) NodeByID(id string) *Node {
	for _, n := range c.Nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Option returns the value of a cluster option, asked for under any of its names. Where a document gives it under
// several, the newest name counts; where several sets give it, the first in the order of OrderSets. Sets with a
// rule are left out, because a rule needs a time and a place: the scheduler applies those.
func (c *Configuration) Option(name string) (value string, ok bool) {
	sets := OrderSets(c.Options)
	for _, known := range OptionNames(name) {
		for _, set := range sets {
			if set.Rule != nil {
				continue
			}
			if value, ok := set.Get(known); ok {
				return value, true
			}
		}
	}
	return "", false
}

// BootstrapSet is the ID of the set of cluster options that goes before all others, whatever their scores.
const BootstrapSet = "cib-bootstrap-options"

// OrderSets returns the sets in the order in which they count, the first that gives a name deciding its value: the
// bootstrap options, then by descending score, and for equal scores the last of the document first: what is said later, and
// more specially, wins, as in Pacemaker.
func OrderSets(sets []NVSet) []NVSet {
	ordered := make([]NVSet, 0, len(sets))
	for _, i := range setOrder(sets) {
		ordered = append(ordered, sets[i])
	}
	return ordered
}

// setOrder returns the indices of the sets in the order of OrderSets.
func setOrder(sets []NVSet) []int {
	order, rank := make([]int, len(sets)), make([]int, len(sets))
	for i := range sets {
		order[i] = len(sets) - 1 - i
		if sets[i].ID == BootstrapSet {
			rank[i] = Infinity + 1
		} else {
			rank[i], _ = ParseScore(sets[i].Score) // a bad score counts as 0; Validate reports it
		}
	}
	sort.SliceStable(order, func(a, b int) bool { return rank[order[a]] > rank[order[b]] })
	return order
}

// Get returns the value of the first pair of that name in the set itself. References are not followed.
func (s *NVSet) Get(name string) (value string, ok bool) {
	for i := range s.Pairs {
		if p := &s.Pairs[i]; p.Name == name && p.IDRef == "" && !p.NoValue {
			return p.Value, true
		}
	}
	return "", false
}

// Promotable tells whether the resource is a clone whose instances have a promoted role.
func (r *Resource) Promotable() bool {
	if r.Kind != KindClone {
		return false
	}
	if r.Legacy {
		return true
	}
	for _, set := range OrderSets(r.Meta) {
		if value, ok := set.Get("promotable"); ok {
			yes, _ := ParseBool(value)
			return yes
		}
	}
	return false
}

// ID returns the constraint's ID.
func (c *Constraint) ID() string {
	switch {
	case c.Location != nil:
		return c.Location.ID
	case c.Colocation != nil:
		return c.Colocation.ID
	case c.Order != nil:
		return c.Order.ID
	case c.Ticket != nil:
		return c.Ticket.ID
	}
	return ""
}

// Kind returns the constraint's kind; it is empty when no field is set.
func (c *Constraint) Kind() ConstraintKind {
	switch {
	case c.Location != nil:
		return ConstraintLocation
	case c.Colocation != nil:
		return ConstraintColocation
	case c.Order != nil:
		return ConstraintOrder
	case c.Ticket != nil:
		return ConstraintTicket
	}
	return ""
}
