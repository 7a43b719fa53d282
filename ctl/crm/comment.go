package crm

import (
	"slices"
	"strings"

	"paceline/agent/cib"
)

// CommentsOf returns the comments of a configuration's objects by their keys (see Object).
func CommentsOf(c *cib.Configuration) map[string]string {
	m := map[string]string{}
	eachComment(c, func(key string, text *string) {
		if *text != "" {
			m[key] = strings.TrimPrefix(m[key]+"\n"+*text, "\n") // several levels are one line
		}
	})
	return m
}

// KeepComments gives objects that have no comment the ones that they had. The configuration is changed in place.
func KeepComments(c *cib.Configuration, had map[string]string) {
	has := CommentsOf(c)
	eachComment(c, func(key string, text *string) {
		if has[key] == "" && had[key] != "" {
			*text = had[key]
			has[key] = had[key]
		}
	})
}

// eachComment visits the comments of all objects, with the printer's key of each.
func eachComment(c *cib.Configuration, visit func(key string, text *string)) {
	for _, n := range c.Nodes {
		visit("node "+n.Uname, &n.Comment)
	}
	for _, t := range c.Templates {
		visit(t.ID, &t.Comment)
	}
	for r := range c.Walk() {
		visit(r.ID, &r.Comment)
	}
	for i := range c.Tags {
		visit(c.Tags[i].ID, &c.Tags[i].Comment)
	}
	for _, k := range c.Constraints {
		visit(k.ID(), &k.Comment)
	}
	for i := range c.Topology {
		visit(topologyKey, &c.Topology[i].Comment)
	}
	for section, sets := range map[string][]cib.NVSet{"property": c.Options, "rsc_defaults": c.RscDefaults, "op_defaults": c.OpDefaults} {
		for i := range sets {
			visit(section+" "+sets[i].ID, &sets[i].Comment)
		}
	}
	for i := range c.ACLs.Roles {
		visit(c.ACLs.Roles[i].ID, &c.ACLs.Roles[i].Comment)
	}
	for i := range c.ACLs.Targets {
		visit("acl_target "+c.ACLs.Targets[i].ID, &c.ACLs.Targets[i].Comment)
	}
	for i := range c.ACLs.Groups {
		visit("acl_group "+c.ACLs.Groups[i].ID, &c.ACLs.Groups[i].Comment)
	}
	for i := range c.Alerts {
		visit(c.Alerts[i].ID, &c.Alerts[i].Comment)
	}
}

// comment gives the object of a line the line's comment.
func comment(c *cib.Configuration, a *addition) {
	if a.comment == "" {
		return
	}
	key := keyOf(a)
	done := false
	eachComment(c, func(k string, text *string) {
		if k == key && !done {
			*text, done = a.comment, true
		}
	})
}

// keyOf returns the printer's key of what a line adds; of several objects of an XML line, that of the first.
func keyOf(a *addition) string {
	switch {
	case a.xml != nil:
		if objects := namedIn(a.xml); len(objects) > 0 {
			space := map[string]string{"node ": "node ", "user ": "acl_target ", "group ": "acl_group "}[objects[0].space]
			return space + objects[0].id
		}
		for section, sets := range map[string][]cib.NVSet{"property": a.xml.Options, "rsc_defaults": a.xml.RscDefaults, "op_defaults": a.xml.OpDefaults} {
			if len(sets) > 0 {
				return section + " " + sets[0].ID
			}
		}
		return topologyKey
	case a.node != nil:
		return "node " + a.id.text
	case a.set != nil:
		return a.section + " " + a.set.ID
	case a.target != nil && a.group:
		return "acl_group " + a.id.text
	case a.target != nil:
		return "acl_target " + a.id.text
	case len(a.levels)+len(a.everywhere) > 0:
		return topologyKey
	}
	return a.id.text
}

// remark writes a comment as lines of a text.
func remark(text string) []string {
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = "#" + strings.TrimRight(l, " \t\r")
	}
	return slices.Clip(lines)
}
