package access

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"paceline/agent/cib"
)

// Refusal is the error of a change that a user may not make. Its text is a sentence part for people.
type Refusal struct {
	User   string
	Object string   // what may not be changed: `primitive web`, `nvpair standby of node n1`
	Act    string   // add, change, remove
	Roles  []string // each of these alone would allow the whole change
	Why    string   // why nothing is allowed, if that is so
}

func (r *Refusal) Error() string {
	text := fmt.Sprintf("user %s may not %s %s", r.User, r.Act, r.Object)
	if r.Why != "" {
		text += ": " + r.Why
	}
	switch len(r.Roles) {
	case 0:
		return text + "; no role in the configuration would allow it"
	case 1:
		return text + "; role " + r.Roles[0] + " would allow it"
	}
	return text + "; one of the roles " + strings.Join(r.Roles, ", ") + " would allow it"
}

// Write returns nil if the user may make the one CIB into the other, else a *Refusal. The counters and the other attributes
// of the outermost element are not looked at: they follow from the rest.
func (r Rights) Write(before, after *cib.CIB) error {
	if r.super {
		return nil
	}
	act, object := r.first(before, after)
	if object == "" {
		return nil
	}
	out := &Refusal{User: r.user, Object: object, Act: act, Why: r.None()}
	for _, role := range r.catalog {
		if slices.Contains(r.roles, role.ID) {
			continue
		}
		more := Rights{user: r.user, catalog: r.catalog, broken: r.broken, roles: slices.Clone(r.roles), granted: slices.Clone(r.granted)}
		more.grant([]string{role.ID})
		if _, still := more.first(before, after); still == "" {
			out.Roles = append(out.Roles, role.ID)
		}
	}
	return out
}

// first names the first thing that may not be changed; object is empty if there is none.
func (r Rights) first(before, after *cib.CIB) (act, object string) {
	a, b := cib.Tree(before), cib.Tree(after)
	j := judgement{old: r.judge(a), new: r.judge(b), mine: map[string]bool{}}
	walk(b.SelectElement("configuration"), func(e *etree.Element) {
		if j.new.writes(e) && slices.Contains(resourceTags, e.Tag) {
			j.mine[value(e, "id")] = true
		}
	})
	for _, section := range []string{"configuration", "status"} {
		j.status = section == "status"
		j.compare(a.SelectElement(section), b.SelectElement(section))
	}
	if before.Configuration.Comment != after.Configuration.Comment && !j.new.writes(b.SelectElement("configuration")) {
		j.refuse("change", b.SelectElement("configuration"))
	}
	return j.act, j.object
}

// MayWrite says whether the user may change the element of a kind with an attribute: node, uname, n1. It returns a *Refusal
// if not, also if there is no such element, except to who may change everything.
func (r Rights) MayWrite(c *cib.CIB, tag, attribute, is string) error {
	if r.super {
		return nil
	}
	allowed := func(r Rights) bool {
		root := cib.Tree(c)
		m := r.judge(root)
		found := false
		walk(root, func(e *etree.Element) {
			found = found || e.Tag == tag && (attribute == "" || value(e, attribute) == is) && m.writes(e)
		})
		return found
	}
	if allowed(r) {
		return nil
	}
	out := &Refusal{User: r.user, Object: strings.TrimSpace(tag + " " + is), Act: "change", Why: r.None()}
	for _, role := range r.catalog {
		more := Rights{user: r.user, catalog: r.catalog, broken: r.broken, roles: slices.Clone(r.roles), granted: slices.Clone(r.granted)}
		more.grant([]string{role.ID})
		if allowed(more) {
			out.Roles = append(out.Roles, role.ID)
		}
	}
	return out
}

// judgement compares two trees and keeps the first refusal.
type judgement struct {
	old, new    modes
	mine        map[string]bool // resources that the user may change
	status      bool            // it is the status that is compared
	act, object string
}

func (j *judgement) refuse(act string, e *etree.Element) {
	if j.object == "" {
		j.act, j.object = act, describe(e)
	}
}

func (j *judgement) compare(a, b *etree.Element) {
	if j.object != "" {
		return
	}
	if !sameAttributes(a.Attr, b.Attr) && !j.known(b) && !(j.old.writes(a) && j.new.writes(b)) {
		j.refuse("change", b)
		return
	}
	was, is := children(a), children(b)
	at := map[string]*etree.Element{}
	for _, c := range is {
		at[c.key] = c.element
	}
	had := map[string]bool{}
	var order []string
	for _, c := range was {
		had[c.key] = true
		if at[c.key] == nil {
			j.whole("remove", c.element, j.old)
			continue
		}
		order = append(order, c.key)
		j.compare(c.element, at[c.key])
	}
	next := 0
	for _, c := range is {
		if !had[c.key] {
			j.whole("add", c.element, j.new)
			continue
		}
		if order[next] != c.key && !j.new.writes(b) { // what stays has changed its place
			j.refuse("change the order in", b)
		}
		next++
	}
}

// whole judges an element that comes or goes with all in it. An enclosing element of nothing but an ID comes and goes with
// what it was made for.
func (j *judgement) whole(act string, e *etree.Element, m modes) {
	inner := children(e)
	if j.known(e) {
		return
	}
	if !m.writes(e) && (len(inner) == 0 || len(e.Attr) > len(onlyID(e.Attr))) {
		j.refuse(act, e)
		return
	}
	for _, c := range inner {
		j.whole(act, c.element, m)
	}
}

var resourceTags = []string{"primitive", "group", "clone", "master", "bundle"}

// known says whether an element is what is known of a resource that the user may change: its history and its fail counts may
// be forgotten by whoever may configure it.
func (j *judgement) known(e *etree.Element) bool {
	if !j.status {
		return false
	}
	id := ""
	switch e.Tag {
	case "lrm_resource":
		id = value(e, "id")
	case "lrm_rsc_op":
		if p := e.Parent(); p != nil && p.Tag == "lrm_resource" {
			id = value(p, "id")
		}
	case "nvpair":
		for _, prefix := range failPrefixes {
			if rest, ok := strings.CutPrefix(value(e, "name"), prefix); ok {
				id, _, _ = strings.Cut(rest, "#")
			}
		}
	}
	base, _, _ := strings.Cut(id, ":")
	return id != "" && (j.mine[id] || j.mine[base])
}

type child struct {
	key     string
	element *etree.Element
}

// children lists the elements in an element, each with a key that tells which of another tree it is the same as.
func children(e *etree.Element) []child {
	var out []child
	seen := map[string]int{}
	for _, t := range e.Child {
		c, ok := t.(*etree.Element)
		if !ok {
			continue
		}
		key := c.Tag + " " + value(c, "id")
		seen[key]++
		out = append(out, child{key + " " + strconv.Itoa(seen[key]), c})
	}
	return out
}

func sameAttributes(a, b []etree.Attr) bool {
	if len(a) != len(b) {
		return false
	}
	for _, x := range a {
		if !slices.ContainsFunc(b, func(y etree.Attr) bool { return x.Space == y.Space && x.Key == y.Key && x.Value == y.Value }) {
			return false
		}
	}
	return true
}

// describe names an element as people know it: with the object that it is a part of.
func describe(e *etree.Element) string {
	own := e.Tag
	for _, key := range []string{"name", "uname", "id"} {
		if v := value(e, key); v != "" {
			own += " " + v
			break
		}
	}
	for p := e.Parent(); p != nil; p = p.Parent() {
		switch p.Tag {
		case "primitive", "group", "clone", "master", "bundle", "template", "node", "node_state", "rsc_location", "rsc_colocation",
			"rsc_order", "rsc_ticket", "alert", "acl_role", "acl_target", "acl_group", "tag", "lrm_resource":
			if name := value(p, "uname"); name != "" {
				return own + " of " + p.Tag + " " + name
			}
			return own + " of " + p.Tag + " " + value(p, "id")
		case "crm_config":
			return own + " of the cluster's options"
		}
	}
	return own
}
