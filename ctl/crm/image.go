package crm

import (
	"strings"

	"paceline/agent/cib"
)

// referenced lists the IDs that an id-ref names.
func referenced(c *cib.Configuration) map[string]bool {
	used := map[string]bool{}
	note := func(id string) {
		if id != "" {
			used[id] = true
		}
	}
	var rule func(r *cib.Rule)
	rule = func(r *cib.Rule) {
		if r == nil {
			return
		}
		note(r.IDRef)
		for _, x := range r.Expressions {
			rule(x.Rule)
		}
	}
	sets := func(lists ...[]cib.NVSet) {
		for _, list := range lists {
			for i := range list {
				note(list[i].IDRef)
				rule(list[i].Rule)
				for _, p := range list[i].Pairs {
					note(p.IDRef)
				}
			}
		}
	}
	resource := func(r *cib.Resource) {
		sets(r.Params, r.Meta, r.Utilization)
		note(r.Operations.IDRef)
		for _, op := range r.Operations.Ops {
			note(op.IDRef)
			sets(op.Params, op.Meta)
		}
	}
	sets(c.Options, c.RscDefaults, c.OpDefaults)
	for _, n := range c.Nodes {
		sets(n.Attributes, n.Utilization)
	}
	for _, t := range c.Templates {
		resource(t)
	}
	for r := range c.Walk() {
		resource(r)
	}
	for _, k := range c.Constraints {
		for _, r := range rulesOf(k) {
			rule(r)
		}
		for _, s := range *setsOf(k) {
			note(s.IDRef)
		}
	}
	for i := range c.Alerts {
		sets(c.Alerts[i].Params, c.Alerts[i].Meta)
		for j := range c.Alerts[i].Recipients {
			sets(c.Alerts[i].Recipients[j].Params, c.Alerts[i].Recipients[j].Meta)
		}
	}
	return used
}

// imagesOf returns a text for each object, by the printer's key: equal texts mean the same but for IDs of bookkeeping elements
// that nothing refers to, and defaults that are written or not.
func imagesOf(c *cib.Configuration) map[string]string {
	n, err := copyOf(c)
	if err != nil {
		return nil
	}
	normalize(n)
	images := map[string]string{}
	add := func(key string, alone *cib.Configuration) {
		elements, err := cib.EncodeObjects(alone)
		if err != nil {
			elements = []string{err.Error()}
		}
		images[key] += strings.Join(elements, "\n") + "\n"
	}
	for _, node := range n.Nodes {
		add("node "+node.Uname, &cib.Configuration{Nodes: []*cib.Node{node}})
	}
	for _, t := range n.Templates {
		add(t.ID, &cib.Configuration{Templates: []*cib.Resource{t}})
	}
	for r := range n.Walk() {
		alone := *r
		alone.Children = nil
		for _, child := range r.Children {
			alone.Children = append(alone.Children, &cib.Resource{ID: child.ID, Kind: child.Kind})
		}
		add(r.ID, &cib.Configuration{Resources: []*cib.Resource{&alone}})
	}
	for _, k := range n.Constraints {
		add(k.ID(), &cib.Configuration{Constraints: []*cib.Constraint{k}})
	}
	for _, s := range n.Options {
		add("property "+s.ID, &cib.Configuration{Options: []cib.NVSet{s}})
	}
	for _, s := range n.RscDefaults {
		add("rsc_defaults "+s.ID, &cib.Configuration{RscDefaults: []cib.NVSet{s}})
	}
	for _, s := range n.OpDefaults {
		add("op_defaults "+s.ID, &cib.Configuration{OpDefaults: []cib.NVSet{s}})
	}
	for i := range n.Topology {
		add("level "+targetText(&n.Topology[i]), &cib.Configuration{Topology: n.Topology[i : i+1]})
	}
	for _, t := range n.Tags {
		add(t.ID, &cib.Configuration{Tags: []cib.Tag{t}})
	}
	for _, r := range n.ACLs.Roles {
		add(r.ID, &cib.Configuration{ACLs: cib.ACLs{Roles: []cib.ACLRole{r}}})
	}
	for _, t := range n.ACLs.Targets {
		add("acl_target "+t.ID, &cib.Configuration{ACLs: cib.ACLs{Targets: []cib.ACLTarget{t}}})
	}
	for _, t := range n.ACLs.Groups {
		add("acl_group "+t.ID, &cib.Configuration{ACLs: cib.ACLs{Groups: []cib.ACLTarget{t}}})
	}
	for _, a := range n.Alerts {
		add(a.ID, &cib.Configuration{Alerts: []cib.Alert{a}})
	}
	return images
}

// normalize takes out of a configuration what means nothing.
func normalize(c *cib.Configuration) {
	used := referenced(c)
	visitIDs(c, func(id *string, _ string) {
		if !used[*id] {
			*id = ""
		}
	})
	normalizeSets(c.Options, c.RscDefaults, c.OpDefaults)
	for section, sets := range map[string][]cib.NVSet{"property": c.Options, "rsc_defaults": c.RscDefaults, "op_defaults": c.OpDefaults} {
		for i := range sets {
			if sets[i].ID == "" && sets[i].IDRef == "" {
				sets[i].ID = defaultSets[section]
			}
		}
	}
	for _, n := range c.Nodes {
		normalizeSets(n.Attributes, n.Utilization)
	}
	resource := func(r *cib.Resource) {
		normalizeSets(r.Params, r.Meta, r.Utilization)
		for _, op := range r.Operations.Ops {
			if op.Interval == "" {
				op.Interval = "0"
			}
			normalizeSets(op.Params, op.Meta)
		}
	}
	for _, t := range c.Templates {
		resource(t)
	}
	for r := range c.Walk() {
		resource(r)
	}
	for _, k := range c.Constraints {
		normalizeConstraint(k)
	}
	for i := range c.Alerts {
		c.Alerts[i].Order = nil
		if c.Alerts[i].Select != nil {
			c.Alerts[i].Select.Order = nil
		}
		normalizeSets(c.Alerts[i].Params, c.Alerts[i].Meta)
		for _, r := range c.Alerts[i].Recipients {
			normalizeSets(r.Params, r.Meta)
		}
	}
}

func normalizeSets(lists ...[]cib.NVSet) {
	for _, list := range lists {
		for i := range list {
			list[i].Score = plainScore(list[i].Score)
			normalizeRule(list[i].Rule)
		}
	}
}

func plainScore(score string) string {
	if text, isScore := scoreOf(score); isScore {
		return text
	}
	return score
}

func normalizeRule(r *cib.Rule) {
	if r == nil || r.IDRef != "" {
		return
	}
	if r.Score = plainScore(r.Score); r.Score == "INFINITY" {
		r.Score = ""
	}
	if r.BooleanOp = strings.ToLower(r.BooleanOp); r.BooleanOp == "and" || len(r.Expressions) < 2 {
		r.BooleanOp = ""
	}
	for _, x := range r.Expressions {
		normalizeRule(x.Rule)
		if x.Attribute != nil && x.Attribute.ValueSource == "literal" {
			x.Attribute.ValueSource = ""
		}
		if x.Date != nil && x.Date.Operation == "" {
			x.Date.Operation = "in_range"
		}
	}
}

func normalizeConstraint(k *cib.Constraint) {
	for _, r := range rulesOf(k) {
		normalizeRule(r)
	}
	for i := range *setsOf(k) {
		s := &(*setsOf(k))[i]
		s.Sequential, s.RequireAll = unlessTrue(s.Sequential), unlessTrue(s.RequireAll)
	}
	switch {
	case k.Location != nil:
		k.Location.Score = plainScore(k.Location.Score)
	case k.Colocation != nil:
		k.Colocation.Score = plainScore(k.Colocation.Score)
	case k.Order != nil:
		o := k.Order
		if o.Kind == "" && o.Score != "" {
			o.Kind = orderKind(o.Score)
			o.Score = ""
		}
		o.Symmetrical = unlessTrue(o.Symmetrical)
	}
}

// unlessTrue returns a boolean in one spelling, and nothing for true.
func unlessTrue(text string) string {
	value, err := cib.ParseBool(text)
	switch {
	case err != nil:
		return text
	case value:
		return ""
	}
	return "false"
}
