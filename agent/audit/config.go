package audit

import (
	"slices"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// Config is what a configuration asks for, as far as rules judge it.
type Config struct {
	Nodes    int
	Fencing  bool
	Bounds   map[string]Bound    // of what may be active more than once; all else may be active once
	After    map[string][]string // mandatory orders: what must be active before the resource starts
	Groups   map[string]string   // member -> the member before it
	HandsOff map[string]bool
}

// Bound is how often an instance of a clone may be active and promoted.
type Bound struct{ Active, Promoted int }

// base is the name of what an instance is one of.
func base(resource string) string {
	name, _, _ := strings.Cut(resource, ":")
	return name
}

// active is on how many nodes a resource may be active. Instances with a number are different things.
func (c *Config) active(resource string) int {
	if b, ok := c.Bounds[resource]; ok {
		return b.Active
	}
	return 1
}

// ConfigOf reads the rules' configuration out of a CIB. It knows primitives, groups, and clones of both; orders of the starts
// of two primitives; and maintenance of the cluster and of resources.
func ConfigOf(c *cib.CIB) *Config {
	out := &Config{
		Nodes: len(c.Configuration.Nodes), Fencing: !is(option(c, "stonith-enabled"), "false"),
		Bounds: map[string]Bound{}, After: map[string][]string{}, Groups: map[string]string{}, HandsOff: map[string]bool{},
	}
	all := is(option(c, "maintenance-mode"), "true")
	var walk func(r *cib.Resource, off bool)
	walk = func(r *cib.Resource, off bool) {
		off = off || is(meta(r, "is-managed"), "false") || is(meta(r, "maintenance"), "true")
		if r.Kind == cib.KindPrimitive && off {
			out.HandsOff[r.ID] = true
		}
		for i, child := range r.Children {
			switch {
			case r.Kind == cib.KindGroup && i > 0:
				out.Groups[child.ID] = r.Children[i-1].ID
			case r.Kind == cib.KindClone:
				b := Bound{Active: number(meta(r, "clone-max"), out.Nodes)}
				if r.Legacy || is(meta(r, "promotable"), "true") {
					b.Promoted = number(meta(r, "promoted-max"), 1)
				}
				for _, member := range append(child.Children, child) {
					out.Bounds[member.ID] = b
				}
			}
			walk(child, off)
		}
	}
	for _, r := range c.Configuration.Resources {
		walk(r, all)
	}
	single := func(id string) bool {
		_, many := out.Bounds[id]
		r := c.Resource(id)
		return r != nil && r.Kind == cib.KindPrimitive && !many
	}
	for _, k := range c.Configuration.Constraints {
		if o := k.Order; o != nil && single(o.First) && single(o.Then) && (o.Kind == "" || o.Kind == "Mandatory") &&
			(o.FirstAction == "" || o.FirstAction == "start") && (o.ThenAction == "" || o.ThenAction == "start") {
			out.After[o.Then] = append(out.After[o.Then], o.First)
		}
	}
	return out
}

func option(c *cib.CIB, name string) string {
	v, _ := c.Option(name)
	return v
}

func meta(r *cib.Resource, name string) string {
	for _, set := range r.Meta {
		for _, p := range set.Pairs {
			if p.Name == name {
				return p.Value
			}
		}
	}
	return ""
}

func is(value, want string) bool {
	yes := []string{"true", "yes", "on", "1", "y"}
	if want == "false" {
		yes = []string{"false", "no", "off", "0", "n"}
	}
	return slices.Contains(yes, value)
}

func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
}
