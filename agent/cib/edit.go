package cib

import (
	"errors"
	"fmt"
	"slices"
)

// Section says which pairs of an object are meant.
type Section string

// The sections of a resource; a node has SectionUtilization beside its attributes.
const (
	SectionParams      Section = "params"
	SectionMeta        Section = "meta"
	SectionUtilization Section = "utilization"
)

// sets returns the place of the section's sets in a resource, and the ID of the set that is made where there is none.
func (r *Resource) sets(s Section) (sets *[]NVSet, id string, err error) {
	switch s {
	case SectionParams:
		return &r.Params, r.ID + "-instance_attributes", nil
	case SectionMeta:
		return &r.Meta, r.ID + "-meta_attributes", nil
	case SectionUtilization:
		return &r.Utilization, r.ID + "-utilization", nil
	}
	return nil, "", fmt.Errorf("a resource has no section %q", s)
}

// WithValue returns the configuration with one pair of a resource or template set, or (with a nil value) deleted. Deleting
// what is not there changes nothing. The receiver is not changed.
func (c *Configuration) WithValue(resource string, s Section, name string, value *string) (*Configuration, error) {
	return c.changeResource(resource, func(r *Resource) error {
		sets, id, err := r.sets(s)
		if err != nil {
			return err
		}
		*sets, err = withPair(*sets, id, name, value, c.idSource())
		return err
	})
}

// WithOperationValue returns the configuration with one parameter of an operation of a primitive set, or (with a nil value)
// deleted. Without an interval the first operation of that name is meant. An operation that is not configured is added when
// a value is set; interval "" then means 0.
func (c *Configuration) WithOperationValue(resource, operation, interval, name string, value *string) (*Configuration, error) {
	return c.changeResource(resource, func(r *Resource) error {
		at := slices.IndexFunc(r.Operations.Ops, func(o *Op) bool {
			return o.Name == operation && (interval == "" || sameInterval(o.Interval, interval))
		})
		op := &Op{Name: operation, Interval: interval}
		switch {
		case at >= 0:
			*op = *r.Operations.Ops[at]
		case value == nil:
			return nil
		case interval == "":
			op.Interval = "0"
		}
		if at < 0 {
			op.ID = FitID(r.ID + "-" + operation + "-" + op.Interval)
		}
		var err error
		if op.Params, err = withPair(op.Params, op.ID+"-instance_attributes", name, value, c.idSource()); err != nil {
			return err
		}
		r.Operations.Ops = with(r.Operations.Ops, at, op)
		return nil
	})
}

// WithNodeUtilization returns the configuration with one capacity of a node set, or (with a nil value) deleted.
func (c *Configuration) WithNodeUtilization(node, name string, value *string) (*Configuration, error) {
	at := slices.IndexFunc(c.Nodes, func(n *Node) bool { return n.Uname == node })
	if at < 0 {
		return nil, fmt.Errorf("there is no node %q%s", node, didYouMean(node, c.nodeNames()))
	}
	next := *c.Nodes[at]
	var err error
	if next.Utilization, err = withPair(next.Utilization, "nodes-"+next.ID+"-utilization", name, value, c.idSource()); err != nil {
		return nil, err
	}
	out := *c
	out.Nodes = with(c.Nodes, at, &next)
	return &out, nil
}

func withPair(sets []NVSet, id, name string, value *string, ids idSource) ([]NVSet, error) {
	if name == "" {
		return nil, errors.New("a value needs a name")
	}
	if value == nil {
		sets, _ = dropPair(sets, []string{name})
		return slices.DeleteFunc(slices.Clone(sets), func(s NVSet) bool {
			return len(s.Pairs) == 0 && s.IDRef == "" && s.Rule == nil
		}), nil
	}
	return setPair(sets, []string{name}, *value, id, ids), nil
}

// changeResource copies the path to a resource or template and changes the copy.
func (c *Configuration) changeResource(id string, change func(*Resource) error) (*Configuration, error) {
	var failed error
	copied := func(r *Resource) *Resource {
		next := *r
		failed = change(&next)
		return &next
	}
	out := *c
	var found bool
	if out.Resources, found = replaceResource(c.Resources, id, copied); !found {
		out.Templates, found = replaceResource(c.Templates, id, copied)
	}
	if !found {
		return nil, fmt.Errorf("there is no resource %q%s", id, didYouMean(id, c.resourceIDs()))
	}
	return &out, failed
}
