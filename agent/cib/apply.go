package cib

import (
	"errors"
	"fmt"
	"slices"
)

// Apply returns the CIB that the change makes of c. It is pure and deterministic: c stays as it was, and the result
// shares with it (and with the change) everything that did not change, so neither may be written to afterwards. A change
// that changes nothing returns c itself. On an error, which names the object that it is about, nothing has changed.
//
// A changed configuration raises Header.Epoch, a changed status Header.NumUpdates, once for the whole of a batch.
func Apply(c *CIB, change Change) (*CIB, error) {
	out, err := apply(c, &change, 0)
	if err != nil || out == c {
		return c, err
	}
	// Each step made a shallow copy of the root, so out is ours.
	if change.configures() {
		out.Header.Epoch++
		out.Header.NumUpdates = 0
	} else {
		out.Header.NumUpdates++
	}
	return out, nil
}

// Configures tells whether the change is one of the configuration, which counts as a commit of a person.
func (ch Change) Configures() bool { return ch.configures() }

func (ch *Change) configures() bool {
	for i := range ch.Batch {
		if ch.Batch[i].configures() {
			return true
		}
	}
	return ch.Configure != nil || ch.SetOption != nil || ch.SetMeta != nil || ch.SetNodeAttr != nil || ch.PutNode != nil ||
		ch.DropNode != nil || ch.PutConstraint != nil || ch.DropConstraint != nil
}

// errShape tells of a change that has no or several fields set.
var errShape = errors.New("a change must have exactly one of its fields set")

func (ch *Change) fields() int {
	n := 0
	for _, set := range []bool{
		ch.Batch != nil, ch.Configure != nil, ch.SetOption != nil, ch.SetMeta != nil, ch.SetNodeAttr != nil, ch.PutNode != nil,
		ch.DropNode != nil, ch.PutConstraint != nil, ch.DropConstraint != nil, ch.NodeStatus != nil, ch.ClearNode != nil,
		ch.RecordOp != nil, ch.ForgetOps != nil, ch.SetTransient != nil, ch.SetTicket != nil, ch.RecordFence != nil,
		ch.SetQuorum != nil, ch.SetAccess != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

func apply(c *CIB, ch *Change, depth int) (*CIB, error) {
	if ch.fields() != 1 {
		return nil, errShape
	}
	switch {
	case ch.Batch != nil:
		if depth >= batchDepthMax {
			return nil, fmt.Errorf("batches are nested deeper than %d", batchDepthMax)
		}
		out := c
		for i := range ch.Batch {
			var err error
			if out, err = apply(out, &ch.Batch[i], depth+1); err != nil {
				return nil, fmt.Errorf("change %d of the batch: %w", i+1, err)
			}
		}
		return out, nil
	case ch.Configure != nil:
		return c.configure(&ch.Configure.Configuration)
	case ch.SetOption != nil:
		return c.setOption(ch.SetOption)
	case ch.SetMeta != nil:
		return c.setMeta(ch.SetMeta)
	case ch.SetNodeAttr != nil:
		return c.setNodeAttr(ch.SetNodeAttr)
	case ch.PutNode != nil:
		return c.putNode(ch.PutNode)
	case ch.DropNode != nil:
		return c.dropNode(ch.DropNode)
	case ch.PutConstraint != nil:
		return c.putConstraint(&ch.PutConstraint.Constraint)
	case ch.DropConstraint != nil:
		return c.dropConstraint(ch.DropConstraint.ID)
	case ch.NodeStatus != nil:
		return c.nodeStatus(ch.NodeStatus)
	case ch.ClearNode != nil:
		return c.clearNode(ch.ClearNode.ID)
	case ch.RecordOp != nil:
		return c.recordOp(ch.RecordOp)
	case ch.ForgetOps != nil:
		return c.forgetOps(ch.ForgetOps)
	case ch.SetTransient != nil:
		return c.setTransient(ch.SetTransient)
	case ch.SetTicket != nil:
		return c.setTicket(ch.SetTicket)
	case ch.RecordFence != nil:
		return c.recordFence(ch.RecordFence.Event)
	case ch.SetAccess != nil:
		return c.setAccess(ch.SetAccess)
	default:
		return c.setQuorum(ch.SetQuorum)
	}
}

// clone returns a copy of the root that may be written to; what its fields point at may not.
func (c *CIB) clone() *CIB {
	out := *c
	return &out
}

// with returns a copy of the list with element i replaced, or appended when i is -1.
func with[T any](list []T, i int, value T) []T {
	if i < 0 {
		return append(list[:len(list):len(list)], value)
	}
	out := slices.Clone(list)
	out[i] = value
	return out
}

// without returns a copy of the list that lacks the elements of which drop is true, or the list itself if there are none.
func without[T any](list []T, drop func(T) bool) []T {
	if !slices.ContainsFunc(list, drop) {
		return list
	}
	var out []T
	for _, v := range list {
		if !drop(v) {
			out = append(out, v)
		}
	}
	return out
}

// setPair returns the sets changed so that the first of the names has that value, and the other names none. Sets with a
// rule decide only where the rule holds, and are left as they are. The pair stays where one of the names stood already, so
// that sets and scores keep their meaning; else it goes into the first set of one's own, or into a new first one.
func setPair(sets []NVSet, names []string, value, newSet string, ids idSource) []NVSet {
	homeSet, homePair := homeOf(sets, names)
	out := slices.Clone(sets)
	for i := range out {
		s := &out[i]
		if s.Rule != nil {
			continue
		}
		var pairs []NVPair
		for j, p := range s.Pairs {
			switch {
			case i == homeSet && j == homePair:
				pairs = append(pairs, NVPair{ID: p.ID, Name: names[0], Value: value})
			case !slices.Contains(names, p.Name):
				pairs = append(pairs, p)
			}
		}
		s.Pairs = pairs
	}
	if homeSet >= 0 {
		return out
	}
	at := slices.IndexFunc(out, func(s NVSet) bool { return s.Rule == nil && s.IDRef == "" })
	if at < 0 {
		out = append([]NVSet{{ID: ids.unique(newSet)}}, out...)
		at = 0
	}
	s := &out[at]
	s.Pairs = with(s.Pairs, -1, NVPair{ID: ids.unique(s.ID + "-" + names[0]), Name: names[0], Value: value})
	return out
}

// homeOf finds the pair that decides the value of the names: the places of the set and of the pair in it, or -1.
func homeOf(sets []NVSet, names []string) (set, pair int) {
	for _, i := range setOrder(sets) {
		if sets[i].Rule != nil {
			continue
		}
		for j, p := range sets[i].Pairs {
			if slices.Contains(names, p.Name) && p.IDRef == "" {
				return i, j
			}
		}
	}
	return -1, -1
}

// dropPair returns the sets without pairs of the names, also in sets with a rule.
func dropPair(sets []NVSet, names []string) ([]NVSet, bool) {
	named := func(p NVPair) bool { return slices.Contains(names, p.Name) }
	if !slices.ContainsFunc(sets, func(s NVSet) bool { return slices.ContainsFunc(s.Pairs, named) }) {
		return sets, false
	}
	out := slices.Clone(sets)
	for i := range out {
		out[i].Pairs = without(out[i].Pairs, named)
	}
	return out, true
}

// withoutEmpty returns the sets without those that say nothing any more and that no other set stands for.
func (c *Configuration) withoutEmpty(sets []NVSet) []NVSet {
	empty := func(s NVSet) bool { return len(s.Pairs) == 0 && s.Rule == nil && s.IDRef == "" }
	if !slices.ContainsFunc(sets, empty) {
		return sets
	}
	x := NewIndex(c)
	return without(sets, func(s NVSet) bool { return empty(s) && !x.Referred[s.ID] })
}
