package draft

import (
	"fmt"
	"slices"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// Load makes the configuration that loading a file leads to. With replace it is the file's; else what the file has is
// added, objects of the same ID are replaced in their place, and sets of options are merged. Member nodes are the cluster's
// own in both cases: the file can give them attributes, but neither make nor drop one. What it leaves out is said.
func Load(base, file *cib.Configuration, replace bool) (*cib.Configuration, []string) {
	nodes, notes := loadNodes(base.Nodes, file.Nodes, replace)
	if replace {
		out := *file
		out.Nodes = nodes
		return &out, notes
	}
	out := *base
	out.Nodes = nodes
	out.Options = loadSets(base.Options, file.Options)
	out.RscDefaults = loadSets(base.RscDefaults, file.RscDefaults)
	out.OpDefaults = loadSets(base.OpDefaults, file.OpDefaults)
	out.Resources = loadResources(base.Resources, file.Resources)
	out.Templates = loadByID(base.Templates, file.Templates, func(r *cib.Resource) string { return r.ID })
	out.Constraints = loadByID(base.Constraints, file.Constraints, (*cib.Constraint).ID)
	out.Topology = loadByID(base.Topology, file.Topology, func(l cib.FencingLevel) string { return l.ID })
	out.Tags = loadByID(base.Tags, file.Tags, func(t cib.Tag) string { return t.ID })
	out.ACLs.Roles = loadByID(base.ACLs.Roles, file.ACLs.Roles, func(r cib.ACLRole) string { return r.ID })
	out.ACLs.Targets = loadByID(base.ACLs.Targets, file.ACLs.Targets, func(t cib.ACLTarget) string { return t.ID })
	out.ACLs.Groups = loadByID(base.ACLs.Groups, file.ACLs.Groups, func(t cib.ACLTarget) string { return t.ID })
	out.Alerts = loadByID(base.Alerts, file.Alerts, func(a cib.Alert) string { return a.ID })
	if file.Comment != "" {
		out.Comment = file.Comment
	}
	crm.KeepComments(&out, crm.CommentsOf(base))
	return &out, notes
}

// loadByID replaces in place what has the same ID, and appends the rest.
func loadByID[T any](base, file []T, id func(T) string) []T {
	out := slices.Clone(base)
	for _, f := range file {
		i := slices.IndexFunc(out, func(b T) bool { return id(b) == id(f) })
		if i >= 0 {
			out[i] = f
			continue
		}
		out = append(out, f)
	}
	return out
}

// loadSets merges pairs into the sets of the same ID; an option has one value, under whichever of its names.
func loadSets(base, file []cib.NVSet) []cib.NVSet {
	out := slices.Clone(base)
	for _, f := range file {
		i := slices.IndexFunc(out, func(b cib.NVSet) bool { return b.ID == f.ID })
		if i < 0 {
			out = append(out, f)
			continue
		}
		set := out[i]
		set.Pairs = slices.Clone(set.Pairs)
		for _, p := range f.Pairs {
			j := slices.IndexFunc(set.Pairs, func(b cib.NVPair) bool {
				return cib.CanonicalOption(b.Name) == cib.CanonicalOption(p.Name)
			})
			if j >= 0 {
				set.Pairs[j] = p
				continue
			}
			set.Pairs = append(set.Pairs, p)
		}
		if f.Comment != "" {
			set.Comment = f.Comment
		}
		if f.Rule != nil {
			set.Rule = f.Rule
		}
		if f.Score != "" {
			set.Score = f.Score
		}
		out[i] = set
	}
	return out
}

// loadResources replaces resources where they are, be it inside a collection, and takes members of a new or replaced
// collection away from where they were.
func loadResources(base, file []*cib.Resource) []*cib.Resource {
	incoming := map[string]*cib.Resource{} // top level of the file
	inside := map[string]bool{}            // members of its collections
	for _, f := range file {
		incoming[f.ID] = f
		for _, id := range membersOf(f) {
			inside[id] = true
		}
	}
	used := map[string]bool{}
	var rebuild func(list []*cib.Resource) []*cib.Resource
	rebuild = func(list []*cib.Resource) []*cib.Resource {
		var out []*cib.Resource
		for _, b := range list {
			switch {
			case inside[b.ID]:
				continue // it is in the file's collection now
			case incoming[b.ID] != nil:
				out = append(out, incoming[b.ID])
				used[b.ID] = true
				continue
			}
			if len(b.Children) > 0 {
				c := *b
				c.Children = rebuild(b.Children)
				if len(c.Children) == 0 {
					continue // all its members went elsewhere
				}
				b = &c
			}
			out = append(out, b)
		}
		return out
	}
	out := rebuild(base)
	for _, f := range file {
		if !used[f.ID] {
			out = append(out, f)
		}
	}
	return out
}

func membersOf(r *cib.Resource) []string {
	var out []string
	for _, c := range r.Children {
		out = append(append(out, c.ID), membersOf(c)...)
	}
	return out
}

// loadNodes keeps the members of the cluster, with their identities, and gives them the file's attributes by name. Other
// kinds of nodes (remote, ping) come from the file.
func loadNodes(base, file []*cib.Node, replace bool) ([]*cib.Node, []string) {
	out := slices.Clone(base)
	if replace {
		out = slices.DeleteFunc(out, func(n *cib.Node) bool { return !memberNode(n) })
		for i, n := range out {
			if len(file) > 0 {
				c := *n
				c.Attributes, c.Utilization, c.Description, c.Comment = nil, nil, "", ""
				out[i] = &c
			}
		}
	}
	var notes []string
	for _, f := range file {
		i := slices.IndexFunc(out, func(b *cib.Node) bool { return b.Uname == f.Uname })
		switch {
		case i >= 0:
			c := *out[i]
			if replace || len(f.Attributes) > 0 {
				c.Attributes = f.Attributes
			}
			if replace || len(f.Utilization) > 0 {
				c.Utilization = f.Utilization
			}
			if replace || f.Description != "" {
				c.Description = f.Description
			}
			if replace || f.Comment != "" {
				c.Comment = f.Comment
			}
			out[i] = &c
		case memberNode(f):
			notes = append(notes, fmt.Sprintf("node %s is not a member of this cluster and is left out; it comes in with `paceline cluster join`", f.Uname))
		default:
			out = append(out, f)
		}
	}
	return out, notes
}

// Members gives a configuration that was made of base the member nodes of base again, with the attributes it has now: nodes join
// and leave the cluster, and no text makes or drops one. What it leaves out is said.
func Members(base, next *cib.Configuration) (*cib.Configuration, []string) {
	given := slices.Clone(next.Nodes)
	var stay []string
	for _, n := range base.Nodes {
		if memberNode(n) && next.NodeByName(n.Uname) == nil {
			given = append(given, n)
			stay = append(stay, fmt.Sprintf("node %s is a member of the cluster and stays; `paceline cluster leave %s` takes it out", n.Uname, n.Uname))
		}
	}
	nodes, notes := loadNodes(base.Nodes, given, true)
	notes = append(notes, stay...)
	out := *next
	out.Nodes = nodes
	return &out, notes
}

func memberNode(n *cib.Node) bool { return n.Type == "" || n.Type == cib.NodeMember }
