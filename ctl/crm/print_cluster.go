package crm

import (
	"slices"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// topology writes the levels, those of each target together; levels that do not count from 1 are written as XML.
func (p *printer) topology() {
	type group struct {
		target string
		levels []cib.FencingLevel
	}
	var groups []*group
	for _, l := range p.c.Topology {
		target := targetText(&l)
		at := slices.IndexFunc(groups, func(g *group) bool { return g.target == target })
		if at < 0 {
			groups = append(groups, &group{target: target})
			at = len(groups) - 1
		}
		groups[at].levels = append(groups[at].levels, l)
	}
	parts := []string{"fencing_topology"}
	counted := map[string]int{}
	for _, g := range groups {
		slices.SortStableFunc(g.levels, func(a, b cib.FencingLevel) int { return strings.Compare(a.Index, b.Index) })
		counter := g.target
		if name, _, isAttribute := strings.Cut(g.target, "="); isAttribute && strings.HasPrefix(g.target, "attr:") {
			counter = name
		}
		text, ok := g.target, g.target != "" && !p.asXML["level "+g.target]
		n := counted[counter]
		for _, l := range g.levels {
			n++
			ok = ok && l.Index == strconv.Itoa(n) && len(l.Devices) > 0
			text += " " + strings.Join(l.Devices, ",")
		}
		if !ok || !sayable(text) {
			for _, l := range g.levels {
				p.object("level "+g.target, nil, &cib.Configuration{Topology: []cib.FencingLevel{l}})
			}
			continue
		}
		counted[counter] = n
		parts = append(parts, text)
	}
	if len(parts) > 1 {
		p.write(topologyKey, strings.Join(parts, " \\\n\t"))
	}
}

// targetText writes the target of a level, or returns "" where it has none or several.
func targetText(l *cib.FencingLevel) string {
	switch {
	case l.Target != "" && l.TargetPattern+l.TargetAttribute == "":
		return quoteValue(l.Target) + ":"
	case l.TargetPattern != "" && l.Target+l.TargetAttribute == "":
		return quoteTarget("pattern:" + l.TargetPattern)
	case l.TargetAttribute != "" && l.Target+l.TargetPattern == "":
		return quoteTarget("attr:" + l.TargetAttribute + "=" + l.TargetValue)
	}
	return ""
}

// quoteTarget quotes a word of a fencing topology only where it must be: patterns are easier to read bare.
func quoteTarget(text string) string {
	if strings.ContainsAny(text, " \t\"'\\#") {
		return quoteValue(text)
	}
	return text
}

func (p *printer) acls() {
	a := &p.c.ACLs
	for i := range a.Roles {
		r := &a.Roles[i]
		parts := describe(p.say("role", r.ID), r.Description)
		for j := range r.Permissions {
			parts = append(parts, permissionText(&r.Permissions[j]))
		}
		p.object(r.ID, parts, &cib.Configuration{ACLs: cib.ACLs{Roles: []cib.ACLRole{*r}}})
	}
	users := func(keyword string, targets []cib.ACLTarget, alone func(cib.ACLTarget) cib.ACLs) {
		for _, t := range targets {
			parts := append(p.say(keyword, t.ID), t.Roles...)
			if t.Name != "" {
				parts = nil
			}
			p.object(keyword+" "+t.ID, parts, &cib.Configuration{ACLs: alone(t)})
		}
	}
	users("acl_target", a.Targets, func(t cib.ACLTarget) cib.ACLs { return cib.ACLs{Targets: []cib.ACLTarget{t}} })
	users("acl_group", a.Groups, func(t cib.ACLTarget) cib.ACLs { return cib.ACLs{Groups: []cib.ACLTarget{t}} })
}

func permissionText(perm *cib.ACLPermission) string {
	text := perm.Kind
	if perm.Description != "" {
		text += " description=" + quoteValue(perm.Description)
	}
	switch {
	case perm.XPath != "":
		if short := fold(perm.XPath); short != "" {
			text += " " + quoteTarget(short)
		} else {
			text += " xpath:" + quoteValue(perm.XPath)
		}
	case perm.Reference != "":
		text += " ref:" + quoteValue(perm.Reference)
	}
	if perm.Attribute != "" {
		text += " attr:" + quoteValue(perm.Attribute)
	}
	if perm.ObjectType != "" {
		text += " type:" + quoteValue(perm.ObjectType)
	}
	return text
}

// alert writes the parts in the order of the document.
func (p *printer) alert(a *cib.Alert) []string {
	parts := describe(p.say("alert", a.ID, a.Path), a.Description)
	meta := p.sets(nil, "meta", a.Meta, a.ID+"-meta_attributes")
	params := p.sets(nil, "attributes", a.Params, a.ID+"-instance_attributes")
	recipients := a.Recipients
	selection := a.Select
	order := append(slices.Clone(a.Order), slices.Repeat([]string{"meta_attributes"}, len(meta))...)
	order = append(order, slices.Repeat([]string{"instance_attributes"}, len(params))...)
	order = append(order, "select")
	order = append(order, slices.Repeat([]string{"recipient"}, len(recipients))...)
	to := false // the last part is a recipient without braces
	for _, tag := range order {
		switch {
		case tag == "meta_attributes" && len(meta) > 0:
			parts, meta = brace(parts, to, meta[0]), meta[1:]
			to = false
		case tag == "instance_attributes" && len(params) > 0:
			parts, params = brace(parts, to, params[0]), params[1:]
			to = false
		case tag == "select" && selection != nil:
			parts, selection = append(parts, selectText(selection)), nil
			to = false
		case tag == "recipient" && len(recipients) > 0:
			parts = append(parts, "to "+p.recipient(&recipients[0]))
			to = !strings.HasPrefix(parts[len(parts)-1], "to {")
			recipients = recipients[1:]
		}
	}
	return parts
}

// brace appends a set, which would be read as the recipient's if that had no braces.
func brace(parts []string, to bool, set string) []string {
	if last := len(parts) - 1; to {
		parts[last] = "to { " + strings.TrimPrefix(parts[last], "to ") + " }"
	}
	return append(parts, set)
}

func selectText(s *cib.AlertSelect) string {
	words := map[string]string{}
	if s.Nodes {
		words["select_nodes"] = "nodes"
	}
	if s.Fencing {
		words["select_fencing"] = "fencing"
	}
	if s.Resources {
		words["select_resources"] = "resources"
	}
	if s.HasAttributes || len(s.Attributes) > 0 {
		text := "attributes {"
		for _, attribute := range s.Attributes {
			text += " " + quoteValue(attribute.Value)
		}
		words["select_attributes"] = text + " }"
	}
	text := "select"
	for _, tag := range append(slices.Clone(s.Order), "select_attributes", "select_fencing", "select_nodes", "select_resources") {
		if words[tag] != "" {
			text += " " + words[tag]
			delete(words, tag)
		}
	}
	return text
}

func (p *printer) recipient(r *cib.AlertRecipient) string {
	words := describe([]string{quoteValue(r.Value)}, r.Description)
	words = p.sets(words, "attributes", r.Params, r.ID+"-instance_attributes")
	words = p.sets(words, "meta", r.Meta, r.ID+"-meta_attributes")
	if len(words) == 1 {
		return words[0]
	}
	return "{ " + strings.Join(words, " ") + " }"
}
