package cib

import (
	"errors"
	"fmt"
	"slices"
)

func (c *CIB) configure(configuration *Configuration) (*CIB, error) {
	if err := configuration.whole(); err != nil {
		return nil, err
	}
	out := c.clone()
	out.Configuration = *configuration
	return out, nil
}

// whole refuses lists with nothing in a place, which JSON can say and no code expects.
func (c *Configuration) whole() error {
	if slices.Contains(c.Nodes, nil) {
		return errors.New("the configuration has an empty place among its nodes")
	}
	if slices.ContainsFunc(c.Constraints, func(k *Constraint) bool { return k == nil || k.Kind() == "" }) {
		return errors.New("the configuration has an empty place among its constraints")
	}
	for _, k := range c.Constraints {
		if _, rules := k.parts(); slices.ContainsFunc(rules, brokenRule) {
			return fmt.Errorf("constraint %q has an empty place among its rules", k.ID())
		}
	}
	if slices.Contains(c.Templates, nil) {
		return errors.New("the configuration has an empty place among its templates")
	}
	for _, list := range [][]*Resource{c.Resources, c.Templates} {
		if err := wholeResources(list, 0); err != nil {
			return err
		}
	}
	return nil
}

func wholeResources(list []*Resource, depth int) error {
	if depth > depthMax {
		return fmt.Errorf("resources are nested deeper than %d", depthMax)
	}
	for _, r := range list {
		if r == nil {
			return errors.New("the configuration has an empty place among its resources")
		}
		if slices.Contains(r.Operations.Ops, nil) {
			return fmt.Errorf("resource %q has an empty place among its operations", r.ID)
		}
		if err := wholeResources(r.Children, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func brokenRule(r *Rule) bool { return r == nil }

func (c *CIB) setOption(ch *SetOption) (*CIB, error) {
	if ch.Name == "" {
		return nil, errors.New("set an option: it has no name")
	}
	if ch.Set != "" {
		return c.setOptionIn(ch)
	}
	names := namesFirst(ch.Name)
	var sets []NVSet
	if ch.Value == nil {
		var changed bool
		if sets, changed = dropPair(c.Configuration.Options, names); !changed {
			return c, nil
		}
	} else {
		sets = setPair(c.Configuration.Options, names, *ch.Value, BootstrapSet, c.Configuration.idSource())
	}
	out := c.clone()
	out.Configuration.Options = sets
	return out, nil
}

// setOptionIn sets an option in a set of its own.
func (c *CIB) setOptionIn(ch *SetOption) (*CIB, error) {
	at := slices.IndexFunc(c.Configuration.Options, func(s NVSet) bool { return s.ID == ch.Set && s.IDRef == "" })
	set := NVSet{ID: ch.Set}
	if at >= 0 {
		set = c.Configuration.Options[at]
	} else if ch.Value == nil {
		return c, nil
	}
	one := []NVSet{set}
	if ch.Value == nil {
		var changed bool
		if one, changed = dropPair(one, []string{ch.Name}); !changed {
			return c, nil
		}
	} else {
		one = setPair(one, []string{ch.Name}, *ch.Value, ch.Set, c.Configuration.idSource())
	}
	out := c.clone()
	out.Configuration.Options = with(c.Configuration.Options, at, one[0])
	return out, nil
}

// namesFirst returns all names of an option, beginning with the given one.
func namesFirst(name string) []string {
	names := []string{name}
	for _, other := range OptionNames(name) {
		if other != name {
			names = append(names, other)
		}
	}
	return names
}

func (c *CIB) setMeta(ch *SetMeta) (*CIB, error) {
	if ch.Name == "" {
		return nil, fmt.Errorf("set a meta attribute of resource %q: it has no name", ch.Resource)
	}
	changed := true
	change := func(r *Resource) *Resource {
		next := *r
		if ch.Value == nil {
			next.Meta, changed = dropPair(r.Meta, []string{ch.Name})
			next.Meta = c.Configuration.withoutEmpty(next.Meta)
		} else {
			next.Meta = setPair(r.Meta, []string{ch.Name}, *ch.Value, r.ID+"-meta_attributes", c.Configuration.idSource())
		}
		return &next
	}
	out := c.clone()
	var found bool
	if out.Configuration.Resources, found = replaceResource(c.Configuration.Resources, ch.Resource, change); !found {
		out.Configuration.Templates, found = replaceResource(c.Configuration.Templates, ch.Resource, change)
	}
	switch {
	case !found:
		return nil, fmt.Errorf("set meta attribute %q: there is no resource %q%s", ch.Name, ch.Resource, didYouMean(ch.Resource, c.Configuration.resourceIDs()))
	case !changed:
		return c, nil
	}
	return out, nil
}

// replaceResource returns the list with the resource of that ID changed, copying only the path to it.
func replaceResource(list []*Resource, id string, change func(*Resource) *Resource) ([]*Resource, bool) {
	for i, r := range list {
		if r.ID == id {
			return with(list, i, change(r)), true
		}
		if children, found := replaceResource(r.Children, id, change); found {
			next := *r
			next.Children = children
			return with(list, i, &next), true
		}
	}
	return list, false
}

func (c *Configuration) resourceIDs() []string {
	var ids []string
	for r := range c.Walk() {
		ids = append(ids, r.ID)
	}
	return ids
}

func (c *Configuration) nodeNames() []string {
	var names []string
	for _, n := range c.Nodes {
		names = append(names, n.Uname)
	}
	return names
}

func (c *CIB) setNodeAttr(ch *SetNodeAttr) (*CIB, error) {
	if ch.Name == "" {
		return nil, fmt.Errorf("set an attribute of node %q: it has no name", ch.Node)
	}
	at := slices.IndexFunc(c.Configuration.Nodes, func(n *Node) bool { return n.Uname == ch.Node })
	if at < 0 {
		return nil, fmt.Errorf("set attribute %q: there is no node %q%s", ch.Name, ch.Node, didYouMean(ch.Node, c.Configuration.nodeNames()))
	}
	next := *c.Configuration.Nodes[at]
	if ch.Value == nil {
		var changed bool
		if next.Attributes, changed = dropPair(next.Attributes, []string{ch.Name}); !changed {
			return c, nil
		}
		next.Attributes = c.Configuration.withoutEmpty(next.Attributes)
	} else {
		next.Attributes = setPair(next.Attributes, []string{ch.Name}, *ch.Value, "nodes-"+next.ID, c.Configuration.idSource())
	}
	out := c.clone()
	out.Configuration.Nodes = with(c.Configuration.Nodes, at, &next)
	return out, nil
}

func (c *CIB) putNode(ch *PutNode) (*CIB, error) {
	if ch.ID == "" || ch.Uname == "" {
		return nil, fmt.Errorf("add node %q with ID %q: both the name and the ID are needed", ch.Uname, ch.ID)
	}
	at := -1
	for i, n := range c.Configuration.Nodes {
		if n.ID == ch.ID {
			at = i
		} else if n.Uname == ch.Uname {
			if !ch.Replace {
				return nil, fmt.Errorf("add node %q with ID %q: the node of ID %q has that name", ch.Uname, ch.ID, n.ID)
			}
			return c.replaceNode(i, ch)
		}
	}
	next := Node{ID: ch.ID}
	if at >= 0 {
		next = *c.Configuration.Nodes[at]
		if next.Uname == ch.Uname && next.Type == ch.Type {
			return c, nil
		}
	}
	next.Uname, next.Type = ch.Uname, ch.Type
	out := c.clone()
	out.Configuration.Nodes = with(c.Configuration.Nodes, at, &next)
	return out, nil
}

// replaceNode gives the node at that place another ID, and forgets the state of the old one: a machine came back under
// its name with an empty disk.
func (c *CIB) replaceNode(at int, ch *PutNode) (*CIB, error) {
	next := *c.Configuration.Nodes[at]
	old := next.ID
	next.ID, next.Type = ch.ID, ch.Type
	out := c.clone()
	out.Configuration.Nodes = with(c.Configuration.Nodes, at, &next)
	out.Status.Nodes = without(c.Status.Nodes, func(n *NodeState) bool { return n.ID == old })
	return out, nil
}

func (c *CIB) dropNode(ch *DropNode) (*CIB, error) {
	ids := map[string]bool{}
	for _, n := range c.Configuration.Nodes {
		if n.Uname == ch.Uname {
			ids[n.ID] = true
		}
	}
	gone := func(n *NodeState) bool { return ids[n.ID] || n.Uname == ch.Uname }
	if len(ids) == 0 && !slices.ContainsFunc(c.Status.Nodes, gone) {
		return nil, fmt.Errorf("remove node %q: there is no such node%s", ch.Uname, didYouMean(ch.Uname, c.Configuration.nodeNames()))
	}
	out := c.clone()
	out.Configuration.Nodes = without(out.Configuration.Nodes, func(n *Node) bool { return n.Uname == ch.Uname })
	out.Configuration.Constraints = without(out.Configuration.Constraints, func(k *Constraint) bool {
		return k.Location != nil && k.Location.Node == ch.Uname
	})
	out.Status.Nodes = without(out.Status.Nodes, gone)
	return out, nil
}

func (c *CIB) putConstraint(k *Constraint) (*CIB, error) {
	kinds := 0
	for _, set := range []bool{k.Location != nil, k.Colocation != nil, k.Order != nil, k.Ticket != nil} {
		if set {
			kinds++
		}
	}
	if kinds != 1 {
		return nil, errors.New("put a constraint: it must be of exactly one kind")
	}
	id := k.ID()
	if id == "" {
		return nil, fmt.Errorf("put a %s constraint: it has no ID", k.Kind())
	}
	at := slices.IndexFunc(c.Configuration.Constraints, func(other *Constraint) bool { return other.ID() == id })
	if at < 0 {
		for _, other := range c.Configuration.ids() {
			if other.id == id {
				return nil, fmt.Errorf("put %s constraint %q: a %s has that ID", k.Kind(), id, other.sort)
			}
		}
	}
	next := *k
	out := c.clone()
	out.Configuration.Constraints = with(c.Configuration.Constraints, at, &next)
	return out, nil
}

func (c *CIB) dropConstraint(id string) (*CIB, error) {
	gone := func(k *Constraint) bool { return k.ID() == id }
	if !slices.ContainsFunc(c.Configuration.Constraints, gone) {
		return c, nil
	}
	out := c.clone()
	out.Configuration.Constraints = without(c.Configuration.Constraints, gone)
	return out, nil
}
