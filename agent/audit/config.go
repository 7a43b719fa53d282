package audit

import (
	"slices"
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// Config is what a configuration asks for, as far as rules judge it.
type Config struct {
	Nodes     int
	Fencing   bool
	Resources []string            // all primitives
	Bounds    map[string]Bound    // of what may be active more than once; all else may be active once
	After     map[string][]string // mandatory orders: what must be active before the resource starts
	Groups    map[string]string   // member -> the member before it
	HandsOff  map[string]bool
	With      map[string][]string        // mandatory colocations: what has to be active where the resource is
	Apart     map[string][]string        // the opposite
	Barred    map[string]map[string]bool // nodes on which a resource may never be; Everywhere: what is to be stopped
	Needs     map[string]map[string]int  // utilization of resources; nil where placement does not look at it
	Room      map[string]map[string]int  // of nodes
}

// Everywhere stands for all nodes in Config.Barred.
const Everywhere = "*"

// Bound is how often an instance of a clone may be active in the cluster and on one node, and promoted.
type Bound struct{ Active, OnNode, Promoted int }

// base is the name of what an instance is one of.
func base(resource string) string {
	name, _, _ := strings.Cut(resource, ":")
	return name
}

// ConfigOf reads the rules' configuration out of a CIB. It knows primitives, groups, and clones of both; orders of the starts and
// colocations of two primitives; locations on one node without a rule; capacity; and maintenance of the cluster and of resources.
func ConfigOf(c *cib.CIB) *Config {
	out := &Config{
		Nodes: len(c.Configuration.Nodes), Fencing: !is(option(c, "stonith-enabled"), "false"),
		Bounds: map[string]Bound{}, After: map[string][]string{}, Groups: map[string]string{}, HandsOff: map[string]bool{},
		With: map[string][]string{}, Apart: map[string][]string{}, Barred: map[string]map[string]bool{},
	}
	all := is(option(c, "maintenance-mode"), "true")
	var walk func(r *cib.Resource, off bool)
	walk = func(r *cib.Resource, off bool) {
		off = off || is(meta(r, "is-managed"), "false") || is(meta(r, "maintenance"), "true")
		if r.Kind == cib.KindPrimitive && off {
			out.HandsOff[r.ID] = true
		}
		if r.Kind == cib.KindPrimitive {
			out.Resources = append(out.Resources, r.ID)
		}
		if meta(r, "target-role") == "Stopped" {
			out.bar(r, Everywhere)
		}
		for i, child := range r.Children {
			switch {
			case r.Kind == cib.KindGroup && i > 0:
				out.Groups[child.ID] = r.Children[i-1].ID
			case r.Kind == cib.KindClone:
				b := Bound{Active: number(meta(r, "clone-max"), out.Nodes), OnNode: number(meta(r, "clone-node-max"), 1)}
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
		if o := k.Colocation; o != nil && single(o.Resource) && single(o.With) && o.Role+o.WithRole+o.NodeAttribute == "" && len(o.Lifetime) == 0 {
			switch o.Score {
			case "INFINITY", "+INFINITY":
				out.With[o.Resource] = append(out.With[o.Resource], o.With)
			case "-INFINITY":
				out.Apart[o.Resource] = append(out.Apart[o.Resource], o.With)
			}
		}
		if l := k.Location; l != nil && l.Score == "-INFINITY" && l.Node != "" && l.Role == "" && len(l.Lifetime) == 0 {
			if r := c.Resource(l.Resource); r != nil {
				out.bar(r, l.Node)
			}
		}
	}
	out.capacity(c)
	return out
}

// bar says that a resource, and all that is in it, may not be on a node.
func (c *Config) bar(r *cib.Resource, node string) {
	if r.Kind == cib.KindPrimitive {
		if c.Barred[r.ID] == nil {
			c.Barred[r.ID] = map[string]bool{}
		}
		c.Barred[r.ID][node] = true
	}
	for _, child := range r.Children {
		c.bar(child, node)
	}
}

// capacity takes in what resources need and nodes have, where placement looks at it.
func (c *Config) capacity(from *cib.CIB) {
	if s := option(from, "placement-strategy"); s == "" || s == "default" {
		return
	}
	c.Needs, c.Room = map[string]map[string]int{}, map[string]map[string]int{}
	for _, r := range from.Primitives() {
		if len(r.Utilization) > 0 {
			c.Needs[r.ID] = numbers(r.Utilization)
		}
	}
	for _, n := range from.Configuration.Nodes {
		c.Room[n.Uname] = numbers(n.Utilization)
	}
}

func numbers(sets []cib.NVSet) map[string]int {
	out := map[string]int{}
	for _, set := range sets {
		for _, p := range set.Pairs {
			out[p.Name] = number(p.Value, 0)
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
