package cib

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

func (j *judge) constraint(k *Constraint) {
	j.on(string(k.Kind())+" constraint", k.ID())
	if k.ID() == "" {
		j.error("id", "the constraint has no ID")
	}
	switch {
	case k.Location != nil:
		j.location(k.Location)
	case k.Colocation != nil:
		j.colocation(k.Colocation)
	case k.Order != nil:
		j.order(k.Order)
	case k.Ticket != nil:
		j.ticket(k.Ticket)
	}
	sets, _ := k.parts()
	for i := range sets {
		j.resourceSet(fmt.Sprintf("set %d", i+1), &sets[i])
	}
}

// ref judges a reference to a resource, a template or a tag.
func (j *judge) ref(attribute, id string) {
	if id == "" || j.index.Resources[id] != nil || j.index.Templates[id] != nil || j.index.Tags[id] != nil || j.full() {
		return
	}
	known := append(append(keys(j.index.Resources), keys(j.index.Templates)...), keys(j.index.Tags)...)
	j.error(attribute, "there is no resource, template or tag %q%s", id, didYouMean(id, known))
}

func (j *judge) location(l *Location) {
	given := 0
	for _, set := range []bool{l.Resource != "", l.Pattern != "", len(l.Sets) > 0} {
		if set {
			given++
		}
	}
	if given != 1 {
		j.error("rsc", "exactly one of rsc, rsc-pattern and resource sets is needed")
	}
	j.ref("rsc", l.Resource)
	if _, err := regexp.CompilePOSIX(strings.TrimPrefix(l.Pattern, "!")); err != nil {
		j.error("rsc-pattern", "%q is not a regular expression: %s", l.Pattern, err)
	}
	j.value("role", l.Role, anyRole)
	j.value("score", l.Score, anyScore)
	j.value("resource-discovery", l.Discovery, enum("always", "never", "exclusive"))
	switch {
	case l.Node != "" && len(l.Rules) > 0:
		j.error("node", "it has both a node and rules")
	case l.Node == "" && len(l.Rules) == 0:
		j.error("node", "it names no node and has no rule")
	case l.Node != "" && l.Score == "":
		j.error("score", "it names a node but no score")
	}
	j.node("node", l.Node)
	for _, r := range l.Rules {
		j.rule("rule", r, 0)
	}
	for _, r := range l.Lifetime {
		j.rule("lifetime rule", r, 0)
	}
}

// node judges a reference to a node. Nodes may join later, and remote and guest nodes are resources, so it is no error.
func (j *judge) node(attribute, name string) {
	if name == "" || len(j.c.Nodes) == 0 || j.index.Nodes[name] != nil || j.index.Resources[name] != nil || j.full() || j.isGuest(name) {
		return
	}
	j.warn(attribute, "no node %q is known%s", name, didYouMean(name, j.c.nodeNames()))
}

func (j *judge) isGuest(name string) bool {
	for r := range j.c.Walk() {
		for i := range r.Meta {
			if value, ok := r.Meta[i].Get("remote-node"); ok && value == name {
				return true
			}
		}
		// Replicas of a bundle are nodes named after it.
		if r.Kind == KindBundle && strings.HasPrefix(name, r.ID+"-") {
			return true
		}
	}
	return false
}

func (j *judge) colocation(c *Colocation) {
	j.value("score", c.Score, anyScore)
	j.value("rsc-role", c.Role, anyRole)
	j.value("with-rsc-role", c.WithRole, anyRole)
	j.value("influence", c.Influence, anyBool)
	for _, r := range c.Lifetime {
		j.rule("lifetime rule", r, 0)
	}
	j.pair("rsc", c.Resource, "with-rsc", c.With, len(c.Sets))
}

// pair judges the two resources of a constraint without sets.
func (j *judge) pair(firstName, first, secondName, second string, sets int) {
	switch {
	case sets > 0 && first+second != "":
		j.error(firstName, "it has both %s or %s and resource sets", firstName, secondName)
	case sets > 0:
	case first == "":
		j.error(firstName, "it names no resource")
	case second == "":
		j.error(secondName, "it names no second resource")
	case first == second && firstName == "rsc":
		j.error(secondName, "it relates %q to itself", first)
	}
	j.ref(firstName, first)
	j.ref(secondName, second)
}

var actions = []string{"start", "stop", "promote", "demote"}

func (j *judge) order(o *Order) {
	j.value("kind", o.Kind, enum("Mandatory", "Optional", "Serialize"))
	j.value("score", o.Score, anyScore)
	j.value("first-action", o.FirstAction, enum(actions...))
	j.value("then-action", o.ThenAction, enum(actions...))
	j.value("symmetrical", o.Symmetrical, anyBool)
	j.value("require-all", o.RequireAll, anyBool)
	for _, r := range o.Lifetime {
		j.rule("lifetime rule", r, 0)
	}
	if o.Kind != "" && o.Score != "" {
		j.error("score", "it has both kind and score")
	}
	j.pair("first", o.First, "then", o.Then, len(o.Sets))
	if o.First != "" && o.First == o.Then && strings.EqualFold(actionOf(o.FirstAction, "start"), actionOf(o.ThenAction, actionOf(o.FirstAction, "start"))) {
		j.error("then", "it relates %q to itself", o.First)
	}
}

// actionOf returns the action, or what holds where none is given.
func actionOf(action, otherwise string) string {
	if action == "" {
		return otherwise
	}
	return action
}

func (j *judge) ticket(t *RscTicket) {
	if t.Ticket == "" {
		j.error("ticket", "it names no ticket")
	}
	if (t.Resource == "") == (len(t.Sets) == 0) {
		j.error("rsc", "exactly one of rsc and resource sets is needed")
	}
	j.ref("rsc", t.Resource)
	j.value("rsc-role", t.Role, anyRole)
	j.value("loss-policy", t.LossPolicy, enum("stop", "demote", "fence", "freeze"))
}

func (j *judge) resourceSet(where string, s *ResourceSet) {
	if s.IDRef != "" {
		if j.index.ResourceSets[s.IDRef] == nil {
			j.error(where+": id-ref", "there is no resource set %q%s", s.IDRef, didYouMean(s.IDRef, keys(j.index.ResourceSets)))
		}
		return
	}
	j.value(where+": sequential", s.Sequential, anyBool)
	j.value(where+": require-all", s.RequireAll, anyBool)
	j.value(where+": action", s.Action, enum(actions...))
	j.value(where+": role", s.Role, anyRole)
	j.value(where+": score", s.Score, anyScore)
	j.value(where+": kind", s.Kind, enum("Mandatory", "Optional", "Serialize"))
	j.value(where+": ordering", s.Ordering, enum("group", "listed"))
	if len(s.Resources) == 0 {
		j.error(where, "the set is empty")
	}
	seen := map[string]bool{}
	for _, id := range s.Resources {
		j.ref(where, id)
		if seen[id] {
			j.error(where, "%q is in the set twice", id)
		}
		seen[id] = true
	}
}

func (j *judge) topology() {
	seen := map[string]bool{}
	for i := range j.c.Topology {
		l := &j.c.Topology[i]
		j.on("fencing level", l.ID)
		given := 0
		for _, set := range []bool{l.Target != "", l.TargetPattern != "", l.TargetAttribute != ""} {
			if set {
				given++
			}
		}
		if given != 1 {
			j.error("target", "exactly one of target, target-pattern and target-attribute is needed")
		}
		if l.TargetAttribute != "" && l.TargetValue == "" {
			j.error("target-value", "target-attribute needs a target-value")
		}
		j.node("target", l.Target)
		if _, err := regexp.CompilePOSIX(l.TargetPattern); err != nil {
			j.error("target-pattern", "%q is not a regular expression: %s", l.TargetPattern, err)
		}
		if n, err := strconv.Atoi(l.Index); err != nil || n < 1 || n > 9 {
			j.error("index", "%q is not a level: 1 to 9 is", l.Index)
		}
		key := strings.Join([]string{l.Target, l.TargetPattern, l.TargetAttribute, l.TargetValue, l.Index}, "\x00")
		if seen[key] {
			j.error("index", "the target has level %s twice", l.Index)
		}
		seen[key] = true
		if len(l.Devices) == 0 {
			j.error("devices", "the level has no devices")
		}
		for _, id := range l.Devices {
			j.device(id)
		}
	}
}

func (j *judge) device(id string) {
	r := j.index.Resources[id]
	if r == nil {
		j.error("devices", "there is no fencing device %q%s", id, didYouMean(id, keys(j.index.Resources)))
		return
	}
	agent := r.Agent
	if t := j.index.Templates[r.Template]; t != nil {
		agent = t.Agent
	}
	if agent.Class != "stonith" {
		j.error("devices", "%s %q is not a fencing device: its agent is %s, not stonith:...", r.Kind, id, agent)
	}
}

func (j *judge) tags() {
	known := map[string]bool{}
	for _, named := range j.c.ids() {
		known[named.id] = true
	}
	for _, t := range j.c.Tags {
		j.on("tag", t.ID)
		if t.ID == "" {
			j.error("id", "the tag has no ID")
		}
		if len(t.Refs) == 0 {
			j.error("", "the tag names no objects")
		}
		for _, id := range t.Refs {
			if !known[id] {
				j.error("", "there is no object %q%s", id, didYouMean(id, keys(j.index.Resources)))
			}
		}
	}
}

func (j *judge) acls() {
	roles := map[string]bool{}
	for _, r := range j.c.ACLs.Roles {
		j.on("acl_role", r.ID)
		if r.ID == "" {
			j.error("id", "the role has no ID")
		}
		roles[r.ID] = true
		for _, p := range r.Permissions {
			where := strings.TrimSpace("permission " + p.ID)
			j.value(where+": kind", p.Kind, enum("read", "write", "deny"))
			if p.Kind == "" {
				j.error(where+": kind", "the permission has no kind: read, write or deny is")
			}
			given := 0
			for _, text := range []string{p.XPath, p.Reference, p.ObjectType} {
				if text != "" {
					given++
				}
			}
			if given != 1 {
				j.error(where, "exactly one of xpath, reference and object-type is needed")
			}
			if p.XPath != "" {
				if _, err := ParseXPath(p.XPath); err != nil {
					j.warn(where+": xpath", "%v: whoever has this role may do nothing until it is mended", err)
				}
			}
			if p.Attribute != "" && p.ObjectType == "" {
				j.error(where+": attribute", "an attribute needs an object-type")
			}
		}
	}
	j.aclTargets("acl_target", j.c.ACLs.Targets, roles)
	j.aclTargets("acl_group", j.c.ACLs.Groups, roles)
}

func (j *judge) aclTargets(sort string, targets []ACLTarget, roles map[string]bool) {
	for _, t := range targets {
		j.on(sort, t.ID)
		if t.ID == "" {
			j.error("id", "it has no ID")
		}
		for _, role := range t.Roles {
			if !roles[role] {
				j.error("role", "there is no role %q%s", role, didYouMean(role, keys(roles)))
			}
		}
	}
}

func (j *judge) alerts() {
	for i := range j.c.Alerts {
		a := &j.c.Alerts[i]
		j.on("alert", a.ID)
		if a.ID == "" {
			j.error("id", "the alert has no ID")
		}
		if a.Path == "" {
			j.error("path", "the alert has no path of a program")
		}
		j.freeSets("meta ", a.Meta)
		j.freeSets("params ", a.Params)
		for k := range a.Recipients {
			r := &a.Recipients[k]
			if r.Value == "" {
				j.error("recipient "+r.ID, "the recipient has no value")
			}
			j.freeSets("recipient meta ", r.Meta)
			j.freeSets("recipient params ", r.Params)
		}
	}
}
