package crm

import (
	"fmt"
	"slices"
	"strconv"

	"paceline/agent/cib"
)

// visitor walks all IDs of bookkeeping elements in document order, each with the ID that a text without one gives it.
// The IDs of objects (resources, constraints, sets of cluster-wide values, ...) are not visited.
type visitor func(id *string, made string)

func visitIDs(c *cib.Configuration, v visitor) {
	for _, sets := range [][]cib.NVSet{c.Options, c.RscDefaults, c.OpDefaults} {
		for i := range sets {
			visitSetParts(&sets[i], v)
		}
	}
	for _, n := range c.Nodes {
		visitSets(n.Attributes, n.Uname+"-instance_attributes", v)
		visitSets(n.Utilization, n.Uname+"-utilization", v)
	}
	for _, t := range c.Templates {
		visitResource(t, v)
	}
	for r := range c.Walk() {
		visitResource(r, v)
	}
	for _, k := range c.Constraints {
		visitConstraint(k, v)
	}
	for i := range c.Topology {
		v(&c.Topology[i].ID, "fencing")
	}
	for i := range c.ACLs.Roles {
		r := &c.ACLs.Roles[i]
		for j := range r.Permissions {
			v(&r.Permissions[j].ID, r.ID+"-"+strconv.Itoa(j))
		}
	}
	for i := range c.Alerts {
		visitAlert(&c.Alerts[i], v)
	}
}

func visitSets(sets []cib.NVSet, made string, v visitor) {
	for i := range sets {
		visitSet(&sets[i], made, v)
	}
}

func visitSet(s *cib.NVSet, made string, v visitor) {
	if s.IDRef != "" {
		return
	}
	v(&s.ID, made)
	visitSetParts(s, v)
}

func visitSetParts(s *cib.NVSet, v visitor) {
	visitRule(s.Rule, s.ID+"-rule", v)
	for i := range s.Pairs {
		if p := &s.Pairs[i]; p.IDRef == "" {
			v(&p.ID, s.ID+"-"+p.Name)
		}
	}
}

func visitRule(r *cib.Rule, made string, v visitor) {
	if r == nil || r.IDRef != "" {
		return
	}
	v(&r.ID, made)
	for _, x := range r.Expressions {
		made := r.ID + "-expression"
		switch {
		case x.Rule != nil:
			visitRule(x.Rule, r.ID+"-rule", v)
		case x.Attribute != nil:
			v(&x.Attribute.ID, made)
		case x.Date != nil:
			v(&x.Date.ID, made)
			if x.Date.Duration != nil {
				v(&x.Date.Duration.ID, x.Date.ID+"-duration")
			}
			if x.Date.Spec != nil {
				v(&x.Date.Spec.ID, x.Date.ID+"-date_spec")
			}
		case x.Resource != nil:
			v(&x.Resource.ID, made)
		case x.Operation != nil:
			v(&x.Operation.ID, made)
		}
	}
}

func visitResource(r *cib.Resource, v visitor) {
	visitSets(r.Params, r.ID+"-instance_attributes", v)
	visitSets(r.Meta, r.ID+"-meta_attributes", v)
	visitSets(r.Utilization, r.ID+"-utilization", v)
	owner := r.Operations.ID
	if owner == "" {
		owner = r.ID
	}
	for _, op := range r.Operations.Ops {
		if op.IDRef != "" {
			continue
		}
		v(&op.ID, owner+"-"+op.Name+"-"+op.Interval)
		visitSets(op.Params, op.ID+"-instance_attributes", v)
		visitSets(op.Meta, op.ID+"-meta_attributes", v)
	}
	if b := r.Bundle; b != nil {
		if b.Network != nil {
			for i := range b.Network.Ports {
				v(&b.Network.Ports[i].ID, r.ID+"-"+strconv.Itoa(i))
			}
		}
		for i := range b.Storage {
			v(&b.Storage[i].ID, r.ID+"-"+strconv.Itoa(i))
		}
	}
}

func visitConstraint(k *cib.Constraint, v visitor) {
	sets, rules := setsOf(k), rulesOf(k)
	if sets != nil {
		for i := range *sets {
			if s := &(*sets)[i]; s.IDRef == "" {
				v(&s.ID, k.ID()+"-"+strconv.Itoa(i))
			}
		}
	}
	for _, r := range rules {
		visitRule(r, k.ID()+"-rule", v)
	}
}

// setsOf returns the constraint's list of resource sets.
func setsOf(k *cib.Constraint) *[]cib.ResourceSet {
	switch {
	case k.Location != nil:
		return &k.Location.Sets
	case k.Colocation != nil:
		return &k.Colocation.Sets
	case k.Order != nil:
		return &k.Order.Sets
	case k.Ticket != nil:
		return &k.Ticket.Sets
	}
	return nil
}

func rulesOf(k *cib.Constraint) []*cib.Rule {
	switch {
	case k.Location != nil:
		return slices.Concat(k.Location.Rules, k.Location.Lifetime)
	case k.Colocation != nil:
		return k.Colocation.Lifetime
	case k.Order != nil:
		return k.Order.Lifetime
	}
	return nil
}

func visitAlert(a *cib.Alert, v visitor) {
	visitSets(a.Params, a.ID+"-instance_attributes", v)
	visitSets(a.Meta, a.ID+"-meta_attributes", v)
	if a.Select != nil {
		for i := range a.Select.Attributes {
			v(&a.Select.Attributes[i].Name, a.ID+"-"+strconv.Itoa(i))
		}
	}
	for i := range a.Recipients {
		r := &a.Recipients[i]
		v(&r.ID, a.ID+"-recipient-"+strconv.Itoa(i+1))
		visitSets(r.Params, r.ID+"-instance_attributes", v)
		visitSets(r.Meta, r.ID+"-meta_attributes", v)
	}
}

// idsOf lists every ID of the configuration.
func idsOf(c *cib.Configuration) map[string]bool {
	taken := map[string]bool{}
	take := func(id string) {
		if id != "" {
			taken[id] = true
		}
	}
	for r := range c.Walk() {
		take(r.ID)
		take(r.Operations.ID)
	}
	for _, t := range c.Templates {
		take(t.ID)
		take(t.Operations.ID)
	}
	for _, k := range c.Constraints {
		take(k.ID())
	}
	for i := range c.Tags {
		take(c.Tags[i].ID)
	}
	for i := range c.ACLs.Roles {
		take(c.ACLs.Roles[i].ID)
	}
	for i := range c.Alerts {
		take(c.Alerts[i].ID)
	}
	for _, sets := range [][]cib.NVSet{c.Options, c.RscDefaults, c.OpDefaults} {
		for i := range sets {
			take(sets[i].ID)
		}
	}
	visitIDs(c, func(id *string, _ string) { take(*id) })
	return taken
}

// fillIDs gives an ID to every bookkeeping element that has none. A taken one gets a number behind it.
func fillIDs(c *cib.Configuration) {
	taken := idsOf(c)
	visitIDs(c, func(id *string, made string) {
		if *id != "" {
			return
		}
		*id = cib.FitID(made)
		for n := 0; taken[*id]; n++ {
			*id = fmt.Sprintf("%s-%d", cib.FitID(made), n)
		}
		taken[*id] = true
	})
	for _, n := range c.Nodes { // nodes are named as they are, whatever else has the name
		if n.ID == "" {
			n.ID = n.Uname
		}
	}
}

// resolve makes references point at IDs: they may also name the object that owns the thing.
func (d *document) resolve() Errors {
	index := cib.NewIndex(d.c)
	var errs Errors
	lost := func(kind, id string) {
		at, noted := d.targets[target{kind, id}]
		if !noted {
			return // it was there before, or comes from an XML line: Validate judges it
		}
		errs = append(errs, at.errorf("%q refers to no %s", id, map[string]string{
			"set": "attribute set", "pair": "attribute", "rule": "rule", "operations": "operations of a resource"}[kind]))
		delete(d.targets, target{kind, id})
	}
	sets := func(list []cib.NVSet, of func(*cib.Resource) []cib.NVSet) {
		for i := range list {
			s := &list[i]
			if s.IDRef != "" && index.Sets[s.IDRef] == nil {
				owner := d.resource(s.IDRef)
				if owner == nil || of == nil || len(of(owner)) == 0 || of(owner)[0].ID == "" {
					lost("set", s.IDRef)
				} else {
					s.IDRef = of(owner)[0].ID
				}
			}
			if s.Rule != nil {
				d.resolveRule(s.Rule, index, lost)
			}
			for j := range s.Pairs {
				if ref := s.Pairs[j].IDRef; ref != "" && index.Pairs[ref] == nil {
					lost("pair", ref)
				}
			}
		}
	}
	resource := func(r *cib.Resource) {
		sets(r.Params, func(o *cib.Resource) []cib.NVSet { return o.Params })
		sets(r.Meta, func(o *cib.Resource) []cib.NVSet { return o.Meta })
		sets(r.Utilization, func(o *cib.Resource) []cib.NVSet { return o.Utilization })
		for _, op := range r.Operations.Ops {
			sets(op.Params, nil)
			sets(op.Meta, nil)
		}
		d.resolveOperations(r, index, lost)
	}
	for _, t := range d.c.Templates {
		resource(t)
	}
	for r := range d.c.Walk() {
		resource(r)
	}
	for _, n := range d.c.Nodes {
		sets(n.Attributes, nil)
		sets(n.Utilization, nil)
	}
	sets(d.c.Options, nil)
	sets(d.c.RscDefaults, nil)
	sets(d.c.OpDefaults, nil)
	for _, k := range d.c.Constraints {
		for _, r := range rulesOf(k) {
			d.resolveRule(r, index, lost)
		}
	}
	return errs
}

func (d *document) resolveRule(r *cib.Rule, index *cib.Index, lost func(kind, id string)) {
	if r.IDRef == "" || index.Rules[r.IDRef] != nil {
		return
	}
	for _, k := range d.c.Constraints {
		if rules := rulesOf(k); k.ID() == r.IDRef && len(rules) > 0 && rules[0] != r && rules[0].ID != "" {
			r.IDRef = rules[0].ID
			return
		}
	}
	lost("rule", r.IDRef)
}

func (d *document) resolveOperations(r *cib.Resource, index *cib.Index, lost func(kind, id string)) {
	o := &r.Operations
	if o.IDRef == "" {
		return
	}
	target := index.Operations[o.IDRef]
	switch {
	case target == nil || target == o || target.ID == "" && len(target.Ops) == 0:
		lost("operations", o.IDRef)
	case target.ID == "":
		target.ID = d.freshID(o.IDRef + "-operations")
		o.IDRef = target.ID
	default:
		o.IDRef = target.ID
	}
}
