package api

import (
	"strings"

	"paceline/agent/cib"
)

// These read meta attributes for people: by name through the levels they are inherited from, leaving rules aside, which
// only the scheduler judges.

// metaOf finds a name in sets, by their order of precedence.
func metaOf(sets []cib.NVSet, name string) (string, bool) {
	for _, set := range cib.OrderSets(sets) {
		if v, ok := set.Get(name); ok {
			return v, true
		}
	}
	return "", false
}

// stopped says whether the sets themselves hold a target role that stops.
func stopped(sets []cib.NVSet) bool {
	v, _ := metaOf(sets, "target-role")
	return strings.EqualFold(v, "Stopped")
}

// inheritsStop says whether a template or the defaults would stop the resource if it said nothing itself.
func inheritsStop(c *cib.Configuration, r *cib.Resource) bool {
	if r.Template != "" {
		for _, t := range c.Templates {
			if t.ID == r.Template {
				if _, ok := metaOf(t.Meta, "target-role"); ok {
					return stopped(t.Meta)
				}
			}
		}
	}
	return stopped(c.RscDefaults)
}

// keptStopped says why a person's will keeps the resource stopped; empty if nobody's does.
func keptStopped(c *cib.Configuration, t target) string {
	if _, ok := metaOf(t.resource.Meta, "target-role"); ok {
		if stopped(t.resource.Meta) {
			return "target-role of " + t.resource.ID + " is Stopped"
		}
		return ""
	}
	for _, a := range t.ancestors {
		if stopped(a.Meta) {
			return "target-role of " + a.ID + " is Stopped"
		}
	}
	if inheritsStop(c, t.resource) {
		return "the defaults say target-role Stopped"
	}
	return ""
}

// inherited looks a meta attribute up: the resource, its template, what it is part of, the defaults.
func inherited(c *cib.Configuration, r *cib.Resource, ancestors []*cib.Resource, name string) (string, bool) {
	if v, ok := metaOf(r.Meta, name); ok {
		return v, true
	}
	for _, t := range c.Templates {
		if r.Template != "" && t.ID == r.Template {
			if v, ok := metaOf(t.Meta, name); ok {
				return v, true
			}
		}
	}
	for _, a := range ancestors {
		if v, ok := metaOf(a.Meta, name); ok {
			return v, true
		}
	}
	return metaOf(c.RscDefaults, name)
}

// isTrue reads boolean text; what is not boolean is def.
func isTrue(text string, def bool) bool {
	v, err := cib.ParseBool(text)
	if err != nil {
		return def
	}
	return v
}

// optionTrue reads a boolean cluster option.
func optionTrue(c *cib.Configuration, name string, def bool) bool {
	v, ok := c.Option(name)
	if !ok {
		return def
	}
	return isTrue(v, def)
}

// agentOf returns the agent of a primitive, from its template if it has one.
func agentOf(c *cib.Configuration, r *cib.Resource) cib.Agent {
	if r.Agent.Type != "" || r.Template == "" {
		return r.Agent
	}
	for _, t := range c.Templates {
		if t.ID == r.Template {
			return t.Agent
		}
	}
	return r.Agent
}
