package draft

import (
	"slices"
	"strings"

	"paceline/agent/cib"
	"paceline/ctl/crm"
)

func objectTexts(c *cib.Configuration) map[string]string { return textOf(crm.Objects(c)) }

// sets merges cluster-wide sets pair by pair: two people who set two options are no conflict.
func (m *merger) sets(kind string, base, mine, theirs []cib.NVSet) []cib.NVSet {
	name := func(p cib.NVPair) string { return p.Name }
	if kind == "property" {
		name = func(p cib.NVPair) string { return cib.CanonicalOption(p.Name) }
	}
	return list3(m, kind, base, mine, theirs, func(s cib.NVSet) string { return s.ID + s.IDRef },
		how[cib.NVSet]{both: func(key string, b *cib.NVSet, x, y cib.NVSet) (cib.NVSet, bool) {
			return m.set(kind, kind, key, name, b, x, y), true
		}})
}

// set merges two versions of a set. A part of it that both have changed is told as one of the object.
func (m *merger) set(kind, object, key string, name func(cib.NVPair) string, base *cib.NVSet, mine, theirs cib.NVSet) cib.NVSet {
	if base == nil {
		base = &cib.NVSet{ID: mine.ID}
	}
	pairName := func(p cib.NVPair) string { return name(p) + p.IDRef }
	out := theirs
	out.Pairs = list3(m, object, base.Pairs, mine.Pairs, theirs.Pairs, pairName, how[cib.NVPair]{
		both: func(_ string, _ *cib.NVPair, x, y cib.NVPair) (cib.NVPair, bool) { // only the ID or the name's generation differs
			return y, x.Value == y.Value && x.IDRef == y.IDRef && x.NoValue == y.NoValue
		},
		text: pairText,
	})
	bare := func(s cib.NVSet) cib.NVSet { s.Pairs = nil; return s }
	switch b, x, y := bare(*base), bare(mine), bare(theirs); {
	case equal(x, y), equal(b, x):
	case equal(b, y):
		pairs := out.Pairs
		out = mine
		out.Pairs = pairs
	default:
		m.conflict(textKey(kind, key), Conflict{Object: kind + " \"" + key + "\"", Why: "its rule or score was changed on both sides"})
	}
	return out
}

func pairText(p cib.NVPair) string {
	switch {
	case p.IDRef != "":
		return "@" + p.IDRef
	case p.NoValue:
		return p.Name
	case cib.SecretName(p.Name):
		return p.Name + "=******"
	}
	return p.Name + "=" + p.Value
}

// nodes merges nodes by name and their attributes one by one: commands set some of them (standby, maintenance).
func (m *merger) nodes() []*cib.Node {
	key := func(n *cib.Node) string { return n.Uname }
	return list3(m, "node", m.base.Nodes, m.mine.Nodes, m.theirs.Nodes, key,
		how[*cib.Node]{both: func(key string, base **cib.Node, mine, theirs *cib.Node) (*cib.Node, bool) {
			b := &cib.Node{ID: theirs.ID, Uname: key}
			if base != nil {
				b = *base
			}
			out := *theirs
			sets := func(b, x, y []cib.NVSet) []cib.NVSet {
				return list3(m, "node", b, x, y, func(s cib.NVSet) string { return s.ID + s.IDRef },
					how[cib.NVSet]{both: func(_ string, b *cib.NVSet, x, y cib.NVSet) (cib.NVSet, bool) {
						return m.set("node", "node \""+key+"\" attribute", key, func(p cib.NVPair) string { return p.Name }, b, x, y), true
					}})
			}
			out.Attributes = sets(b.Attributes, mine.Attributes, theirs.Attributes)
			out.Utilization = sets(b.Utilization, mine.Utilization, theirs.Utilization)
			for _, f := range []struct {
				b, x string
				y    *string
			}{{b.Description, mine.Description, &out.Description}, {b.Type, mine.Type, &out.Type}, {b.Score, mine.Score, &out.Score}, {b.ID, mine.ID, &out.ID}, {b.Comment, mine.Comment, &out.Comment}} {
				switch {
				case f.x == *f.y || f.b == f.x:
				case f.b == *f.y:
					*f.y = f.x
				default:
					m.conflict("node "+key, Conflict{Object: "node \"" + key + "\"", Why: "changed on both sides"})
				}
			}
			return &out, true
		}})
}

// topology merges the levels of each target as one thing.
func (m *merger) topology() []cib.FencingLevel {
	type levels []cib.FencingLevel
	target := func(l cib.FencingLevel) string {
		return strings.Join([]string{l.Target, l.TargetPattern, l.TargetAttribute, l.TargetValue}, " ")
	}
	split := func(list []cib.FencingLevel) []levels {
		var out []levels
		for _, l := range list {
			at := slices.IndexFunc(out, func(o levels) bool { return target(o[0]) == target(l) })
			if at < 0 {
				out = append(out, nil)
				at = len(out) - 1
			}
			out[at] = append(out[at], l)
		}
		return out
	}
	var out []cib.FencingLevel
	key := func(l levels) string { return strings.TrimSpace(target(l[0])) }
	for _, l := range list3(m, "fencing_topology", split(m.base.Topology), split(m.mine.Topology), split(m.theirs.Topology), key, how[levels]{}) {
		out = append(out, l...)
	}
	return out
}

// flat is a resource without the resources in it, and the IDs of those.
type flat struct {
	Own     *cib.Resource
	Members []string
}

// resources merges each resource by itself (a collection has its list of members as a part of it), and puts the tree together.
func (m *merger) resources() []*cib.Resource {
	flatten := func(c *cib.Configuration) (list []flat, top []string) {
		for r, parent := range c.Walk() {
			own := *r
			own.Children = nil
			list = append(list, flat{&own, memberIDs(r)})
			if parent == nil {
				top = append(top, r.ID)
			}
		}
		return list, top
	}
	base, baseTop := flatten(m.base)
	mine, mineTop := flatten(m.mine)
	theirs, theirsTop := flatten(m.theirs)
	var all []flat
	id := func(f flat) string { return f.Own.ID }
	x, y, b := keyed(mine, id), keyed(theirs, id), keyed(base, id)
	for _, k := range union(y.keys, x.keys) {
		kind := "resource"
		for _, l := range []keyedList[flat]{x, y} {
			if f, ok := l.at[k]; ok {
				kind = string(f.Own.Kind)
			}
		}
		if f, keep := one(m, kind, k, b, x, y, how[flat]{}); keep {
			all = append(all, f)
		}
	}
	return m.tree(all, baseTop, mineTop, theirsTop)
}

func memberIDs(r *cib.Resource) []string {
	var ids []string
	for _, child := range r.Children {
		ids = append(ids, child.ID)
	}
	return ids
}

// tree puts merged resources into their collections.
func (m *merger) tree(all []flat, baseTop, mineTop, theirsTop []string) []*cib.Resource {
	made := map[string]*cib.Resource{}
	for _, f := range all {
		own := *f.Own
		made[own.ID] = &own
	}
	parent := map[string]string{}
	for _, f := range all {
		for _, id := range f.Members {
			in, taken := parent[id]
			switch {
			case taken:
				m.conflict(id, Conflict{Object: "resource \"" + id + "\"", Why: "it was put into " + in + " and into " + f.Own.ID})
			case made[id] == nil:
				m.conflict(id, Conflict{Object: "resource \"" + id + "\"", Why: "it was removed on one side, and is in " + f.Own.ID + " on the other"})
			default:
				parent[id] = f.Own.ID
				made[f.Own.ID].Children = append(made[f.Own.ID].Children, made[id])
			}
		}
	}
	isTop := func(id string) bool { return made[id] != nil && parent[id] == "" }
	order, clash := merged(baseTop, mineTop, theirsTop, isTop)
	if clash {
		m.conflict("", Conflict{
			Object: "resources", Why: "the order was changed on both sides", Base: strings.Join(baseTop, " "),
			Mine: strings.Join(mineTop, " "), Theirs: strings.Join(theirsTop, " "),
		})
	}
	for _, f := range all {
		if isTop(f.Own.ID) && !slices.Contains(order, f.Own.ID) {
			order = append(order, f.Own.ID) // its collection went, and neither side had it at top level
		}
	}
	var out []*cib.Resource
	for _, id := range order {
		out = append(out, made[id])
	}
	return out
}
