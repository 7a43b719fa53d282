package access

import (
	"strings"

	"github.com/beevik/etree"

	"paceline/agent/cib"
)

// ReadsAll says whether the user may read every part of a CIB.
func (r Rights) ReadsAll(c *cib.CIB) bool {
	if r.super {
		return true
	}
	root := cib.Tree(c)
	m := r.judge(root)
	all := true
	walk(root, func(e *etree.Element) { all = all && m.reads(e) })
	return all
}

// Read returns what the user may read of a CIB. The CIB is not changed.
func (r Rights) Read(c *cib.CIB) (*cib.CIB, error) {
	if r.super {
		return c, nil
	}
	root, err := cib.Document(c)
	if err != nil {
		return nil, err
	}
	m := r.judge(root)
	if !m.keep(root) {
		root = etree.NewElement("cib")
	}
	defined := names(cib.Tree(c))
	prune(root, defined)
	return cib.FromTree(root)
}

// keep takes out of an element what may not be read, and says whether something is left. Comments go with the element that
// they stand before.
func (m modes) keep(e *etree.Element) bool {
	open := m.reads(e)
	var kept, comments []etree.Token
	children := false
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.Element:
			if m.keep(t) {
				if m.reads(t) {
					kept = append(kept, comments...)
				}
				kept = append(kept, t)
				children = true
			}
			comments = nil
		case *etree.Comment:
			comments = append(comments, t)
		default:
			if open {
				kept = append(kept, t)
			}
		}
	}
	if open {
		kept = append(kept, comments...)
	} else {
		e.Attr = onlyID(e.Attr)
	}
	e.Child = nil
	for _, t := range kept {
		e.AddChild(t)
	}
	return open || children
}

func onlyID(list []etree.Attr) []etree.Attr {
	for _, a := range list {
		if a.Key == "id" && a.Space == "" {
			return []etree.Attr{a}
		}
	}
	return nil
}

// Hidden lists the names by which people know the objects of a CIB that are not in what a user may read of it: resources,
// nodes, constraints, tickets, roles and so on. Each occurs once, in no order.
func Hidden(full, seen *cib.CIB) []string {
	visible := names(cib.Tree(seen))
	var out []string
	for name := range names(cib.Tree(full)) {
		if !visible[name] {
			out = append(out, name)
		}
	}
	return out
}

// refers are the elements whose ID is that of another element.
func refers(e *etree.Element) bool {
	return e.Tag == "resource_ref" || e.Tag == "obj_ref" || e.Tag == "role"
}

// names are the identifiers of the objects in a tree.
func names(root *etree.Element) map[string]bool {
	out := map[string]bool{}
	walk(root, func(e *etree.Element) {
		if e.Tag == "nvpair" || e.Tag == "cib" || refers(e) {
			return
		}
		for _, key := range []string{"id", "uname"} {
			if v := value(e, key); v != "" {
				out[v] = true
			}
		}
	})
	return out
}

// references are the attributes that name another object.
var references = []string{"rsc", "with-rsc", "first", "then", "node", "template", "reference", "id-ref", "target", "on_node"}

// prune takes out what may be read itself, and names what may not: a constraint of a hidden resource, its fail count, a
// member of a tag. What is taken out may be named elsewhere, so it goes on until nothing is found.
func prune(root *etree.Element, defined map[string]bool) {
	for {
		visible := names(root)
		hidden := func(name string) bool { return defined[name] && !visible[name] }
		var gone []*etree.Element
		walk(root, func(e *etree.Element) {
			if e != root && tells(e, hidden) {
				gone = append(gone, e)
			}
		})
		if len(gone) == 0 {
			return
		}
		for _, e := range gone {
			if p := e.Parent(); p != nil {
				p.RemoveChildAt(e.Index())
			}
		}
	}
}

// failPrefixes begin the names of what is counted of a resource's failures.
var failPrefixes = []string{"fail-count-", "last-failure-"}

func tells(e *etree.Element, hidden func(string) bool) bool {
	if e.Tag == "nvpair" {
		for _, prefix := range failPrefixes {
			if rest, ok := strings.CutPrefix(value(e, "name"), prefix); ok {
				id, _, _ := strings.Cut(rest, "#")
				instance, _, _ := strings.Cut(id, ":")
				return hidden(id) || hidden(instance)
			}
		}
		return false
	}
	if refers(e) && hidden(value(e, "id")) {
		return true
	}
	for _, key := range references {
		if v := value(e, key); v != "" && hidden(v) {
			return true
		}
	}
	return false
}

// Values lists the parameters' values of a CIB that are not in what a user may read of it, each once. Short ones are left out:
// they say nothing by themselves, and stand in too many words.
func Values(full, seen *cib.CIB) []string {
	visible := parameters(seen)
	var out []string
	for v := range parameters(full) {
		if !visible[v] && len(v) >= valueLeast {
			out = append(out, v)
		}
	}
	return out
}

// valueLeast is the length of a value that is looked for in texts.
const valueLeast = 5

func parameters(c *cib.CIB) map[string]bool {
	out := map[string]bool{}
	walk(cib.Tree(c), func(e *etree.Element) {
		if p := e.Parent(); e.Tag == "nvpair" && p != nil && p.Tag == "instance_attributes" {
			out[value(e, "value")] = true
		}
	})
	return out
}

// Whole lists the names of the objects that a user may read with all that is in them.
func (r Rights) Whole(c *cib.CIB) map[string]bool {
	root := cib.Tree(c)
	m := r.judge(root)
	out := map[string]bool{}
	var down func(e *etree.Element) bool
	down = func(e *etree.Element) bool {
		whole := m.reads(e)
		for _, t := range e.Child {
			if child, ok := t.(*etree.Element); ok {
				whole = down(child) && whole
			}
		}
		if whole && !refers(e) && e.Tag != "nvpair" {
			for _, key := range []string{"id", "uname"} {
				if v := value(e, key); v != "" {
					out[v] = true
				}
			}
		}
		return whole
	}
	if c := root.SelectElement("configuration"); c != nil {
		down(c)
	}
	return out
}
