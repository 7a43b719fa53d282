package draft

import (
	"encoding/json"
	"slices"
	"strings"

	"paceline/agent/cib"
)

// Conflict is a thing that both sides have changed, each in its own way. Base, Mine and Theirs are its versions in the crm
// language; a side that does not have it is empty.
type Conflict struct {
	Object string `json:"object"` // kind and name: primitive "web"
	Why    string `json:"why"`
	Base   string `json:"base,omitempty"`
	Mine   string `json:"mine,omitempty"`
	Theirs string `json:"theirs,omitempty"`
}

// Merge brings the changes that lead from base to mine into theirs, object by object. Without conflicts the result has both sides'
// changes; objects that both sides have added in the same place stand in the order theirs, mine. With conflicts there is no
// configuration. Changes that fit one by one and not together (a constraint here, the removal of its resource there) are conflicts.
func Merge(base, mine, theirs *cib.Configuration) (*cib.Configuration, []Conflict) {
	m := &merger{base: base, mine: mine, theirs: theirs}
	out := &cib.Configuration{}
	out.Options = m.sets("property", base.Options, mine.Options, theirs.Options)
	out.RscDefaults = m.sets("rsc_defaults", base.RscDefaults, mine.RscDefaults, theirs.RscDefaults)
	out.OpDefaults = m.sets("op_defaults", base.OpDefaults, mine.OpDefaults, theirs.OpDefaults)
	out.Nodes = m.nodes()
	out.Resources = m.resources()
	out.Templates = list3(m, "rsc_template", base.Templates, mine.Templates, theirs.Templates, resourceID, how[*cib.Resource]{})
	out.Constraints = list3(m, "constraint", base.Constraints, mine.Constraints, theirs.Constraints, (*cib.Constraint).ID, how[*cib.Constraint]{})
	out.Topology = m.topology()
	out.Tags = list3(m, "tag", base.Tags, mine.Tags, theirs.Tags, func(t cib.Tag) string { return t.ID }, how[cib.Tag]{})
	target := func(t cib.ACLTarget) string { return t.ID }
	out.ACLs.Targets = list3(m, "acl_target", base.ACLs.Targets, mine.ACLs.Targets, theirs.ACLs.Targets, target, how[cib.ACLTarget]{})
	out.ACLs.Groups = list3(m, "acl_group", base.ACLs.Groups, mine.ACLs.Groups, theirs.ACLs.Groups, target, how[cib.ACLTarget]{})
	out.ACLs.Roles = list3(m, "role", base.ACLs.Roles, mine.ACLs.Roles, theirs.ACLs.Roles, func(r cib.ACLRole) string { return r.ID }, how[cib.ACLRole]{})
	out.Alerts = list3(m, "alert", base.Alerts, mine.Alerts, theirs.Alerts, func(a cib.Alert) string { return a.ID }, how[cib.Alert]{})
	out.Comment = theirs.Comment
	switch {
	case theirs.Comment == base.Comment:
		out.Comment = mine.Comment
	case mine.Comment != base.Comment && mine.Comment != theirs.Comment:
		m.conflict("", Conflict{Object: "the last comment", Why: "changed on both sides", Base: base.Comment, Mine: mine.Comment, Theirs: theirs.Comment})
	}
	if len(m.conflicts) == 0 {
		m.together(out)
	}
	if len(m.conflicts) > 0 {
		m.show()
		return nil, m.conflicts
	}
	return out, nil
}

type merger struct {
	base, mine, theirs *cib.Configuration
	conflicts          []Conflict
	keys               []string // of the conflicts, as crm.Object has them; "" where Base, Mine and Theirs are set already
}

func resourceID(r *cib.Resource) string { return r.ID }

// conflict notes one; key is that of the object's text.
func (m *merger) conflict(key string, c Conflict) {
	if len(m.conflicts) < conflictsMax {
		m.conflicts = append(m.conflicts, c)
		m.keys = append(m.keys, key)
	}
}

// show puts the versions of the objects in conflict into words.
func (m *merger) show() {
	if !slices.ContainsFunc(m.keys, func(k string) bool { return k != "" }) {
		return
	}
	base, mine, theirs := objectTexts(m.base), objectTexts(m.mine), objectTexts(m.theirs)
	for i, key := range m.keys {
		if key != "" {
			c := &m.conflicts[i]
			c.Base, c.Mine, c.Theirs = base[key], mine[key], theirs[key]
		}
	}
}

// together looks for errors that neither side has by itself.
func (m *merger) together(out *cib.Configuration) {
	known := map[string]bool{}
	note := func(c *cib.Configuration) {
		for _, p := range cib.ValidateConfiguration(c) {
			known[p.Object+" "+p.Attribute+" "+p.Message] = true
		}
	}
	note(m.mine)
	note(m.theirs)
	for _, p := range cib.Errors(cib.ValidateConfiguration(out)) {
		if !known[p.Object+" "+p.Attribute+" "+p.Message] {
			m.conflict("", Conflict{Object: p.Object, Why: "the changes do not fit together: " + p.Message})
		}
	}
}

// equal compares by meaning: an empty list and a missing one are the same.
func equal[T any](a, b T) bool { return image(a) == image(b) }

func image(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic("draft: a configuration that cannot be written: " + err.Error()) // it has no channels and no functions
	}
	return string(text)
}

// how says what is special about the elements of a list.
type how[T any] struct {
	// both, if set, merges two versions of one element of which both sides have changed something; base is nil where both have added
	// it. It may decline.
	both func(key string, base *T, mine, theirs T) (T, bool)
	// text, if set, puts an element that is no object of the language by itself into words.
	text func(T) string
}

// keyedList is a list with its keys, in order.
type keyedList[T any] struct {
	keys []string
	at   map[string]T
}

// keyed gives a second element of the same key, which is an error of the configuration, a key of its own.
func keyed[T any](list []T, key func(T) string) keyedList[T] {
	k := keyedList[T]{at: map[string]T{}}
	for _, v := range list {
		name := key(v)
		for _, taken := k.at[name]; taken; _, taken = k.at[name] {
			name += " again"
		}
		k.keys = append(k.keys, name)
		k.at[name] = v
	}
	return k
}

// list3 merges three versions of a list element by element, and their order. An element that both sides have changed is a conflict
// unless there is a way to merge it.
func list3[T any](m *merger, kind string, base, mine, theirs []T, key func(T) string, h how[T]) []T {
	b, x, y := keyed(base, key), keyed(mine, key), keyed(theirs, key)
	result := map[string]T{}
	for _, k := range union(y.keys, x.keys) {
		if v, keep := one(m, kind, k, b, x, y, h); keep {
			result[k] = v
		}
	}
	order, clash := merged(b.keys, x.keys, y.keys, func(k string) bool { _, ok := result[k]; return ok })
	if clash {
		m.conflict("", Conflict{
			Object: kind, Why: "the order was changed on both sides", Base: strings.Join(b.keys, " "),
			Mine: strings.Join(x.keys, " "), Theirs: strings.Join(y.keys, " "),
		})
	}
	var out []T
	for _, k := range order {
		out = append(out, result[k])
	}
	return out
}

// one merges the versions of one element.
func one[T any](m *merger, kind, key string, b, x, y keyedList[T], h how[T]) (T, bool) {
	base, hadBase := b.at[key]
	mine, hasMine := x.at[key]
	theirs, hasTheirs := y.at[key]
	switch {
	case hasMine && hasTheirs && equal(mine, theirs):
		return theirs, true
	case hadBase && hasMine && equal(base, mine):
		return theirs, hasTheirs
	case hadBase && hasTheirs && equal(base, theirs):
		return mine, hasMine
	case !hadBase && !hasTheirs:
		return mine, true
	case !hadBase && !hasMine:
		return theirs, true
	}
	c := Conflict{Object: kind + " \"" + key + "\"", Why: "changed on both sides"}
	switch {
	case !hasMine:
		c.Why = "removed here and changed there"
	case !hasTheirs:
		c.Why = "changed here and removed there"
	default:
		was := &base
		if !hadBase {
			was, c.Why = nil, "added on both sides"
		}
		if h.both != nil {
			if v, ok := h.both(key, was, mine, theirs); ok {
				return v, true
			}
		}
	}
	if h.text == nil {
		m.conflict(textKey(kind, key), c)
	} else {
		for _, side := range []struct {
			has  bool
			v    T
			text *string
		}{{hadBase, base, &c.Base}, {hasMine, mine, &c.Mine}, {hasTheirs, theirs, &c.Theirs}} {
			if side.has {
				*side.text = h.text(side.v)
			}
		}
		m.conflict("", c)
	}
	if hasMine {
		return mine, true
	}
	return theirs, true
}

// textKey returns the key under which crm.Objects has the text.
func textKey(kind, key string) string {
	switch kind {
	case "node", "property", "rsc_defaults", "op_defaults", "acl_target", "acl_group":
		return kind + " " + key
	case "fencing_topology":
		return kind
	}
	return key
}

func union(a, b []string) []string {
	out := slices.Clone(a)
	known := map[string]bool{}
	for _, k := range a {
		known[k] = true
	}
	for _, k := range b {
		if !known[k] {
			out = append(out, k)
		}
	}
	return out
}

// merged puts the keys that are kept in order. The side that has reordered what all three have decides; if both have, each in its
// own way, there is a clash. What only one side has comes behind what it stands behind there.
func merged(base, mine, theirs []string, keep func(string) bool) (order []string, clash bool) {
	in := func(lists ...[]string) func(string) bool {
		return func(k string) bool {
			for _, l := range lists {
				if !slices.Contains(l, k) {
					return false
				}
			}
			return keep(k)
		}
	}
	b, x, y := only(base, in(mine, theirs)), only(mine, in(base, theirs)), only(theirs, in(base, mine))
	spine, other := theirs, mine
	switch {
	case slices.Equal(b, x) || slices.Equal(x, y):
	case slices.Equal(b, y):
		spine, other = mine, theirs
	default:
		clash = true
	}
	order = only(spine, keep)
	for i, k := range other {
		if !keep(k) || slices.Contains(order, k) {
			continue
		}
		at := 0
		for j := i - 1; j >= 0; j-- {
			if p := slices.Index(order, other[j]); p >= 0 {
				at = p + 1
				break
			}
		}
		for at < len(order) && !slices.Contains(base, order[at]) && !slices.Contains(other, order[at]) {
			at++ // what the spine has added in the same place
		}
		order = slices.Insert(order, at, k)
	}
	return order, clash
}

func only(list []string, keep func(string) bool) []string {
	var out []string
	for _, k := range list {
		if keep(k) {
			out = append(out, k)
		}
	}
	return out
}
