package ctl

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/crm"
	"paceline/ctl/draft"
)

// selection is what words of 'configure show' choose: IDs, "changed", "type:T", "tag:T", "related:X" and patterns ("web*"), joined
// by "and" and "or" (or nothing, which is "or"). "obscure:PATTERN" chooses nothing: it hides the values of such names.
type selection struct {
	all     bool // no word chooses
	keys    map[string]bool
	obscure []string
}

// choose reads the words. base is what "changed" compares with.
func choose(c, base *cib.Configuration, words []string) (*selection, error) {
	objects := crm.Objects(c)
	s := &selection{all: true, keys: map[string]bool{}}
	and := false
	for _, w := range words {
		switch {
		case w == "and" || w == "or":
			and = w == "and"
			continue
		case strings.HasPrefix(w, "obscure:"):
			if _, err := path.Match(strings.TrimPrefix(w, "obscure:"), ""); err != nil {
				return nil, usagef("paceline configure show: %q is no pattern", w)
			}
			s.obscure = append(s.obscure, strings.TrimPrefix(w, "obscure:"))
			continue
		}
		found, err := matching(c, base, objects, w)
		if err != nil {
			return nil, err
		}
		switch {
		case s.all || !and:
			for k := range found {
				s.keys[k] = true
			}
		default:
			for k := range s.keys {
				if !found[k] {
					delete(s.keys, k)
				}
			}
		}
		s.all, and = false, false
	}
	return s, nil
}

// matching returns the keys of the objects that a word chooses.
func matching(c, base *cib.Configuration, objects []crm.Object, word string) (map[string]bool, error) {
	found := map[string]bool{}
	kind, name, isTerm := strings.Cut(word, ":")
	switch {
	case word == "changed":
		for _, o := range draft.Compare(base, c) {
			if o.New != "" {
				found[o.Key] = true
			}
		}
		return found, nil
	case isTerm && kind == "type":
		for _, o := range objects {
			if keyword(o.Text) == name || name == "ms" && keyword(o.Text) == "clone" {
				found[o.Key] = true
			}
		}
		return found, nil
	case isTerm && kind == "related":
		for _, o := range objects {
			if mentions(o.Text, name) {
				found[o.Key] = true
			}
		}
		return found, nil
	case isTerm && kind == "tag":
		for _, t := range c.Tags {
			if t.ID == name {
				for _, id := range append([]string{t.ID}, t.Refs...) {
					found[id] = true
				}
				return found, nil
			}
		}
		return nil, notThere("tag", name, "`paceline configure show type:tag` shows all")
	}
	for _, o := range objects {
		id := o.Key[strings.LastIndexByte(o.Key, ' ')+1:]
		if ok, err := path.Match(word, id); ok && err == nil || id == word {
			found[o.Key] = true
		}
	}
	for i := range c.Topology {
		if l := &c.Topology[i]; l.ID == word || l.Target == word && c.NodeByName(word) == nil {
			found["fencing_topology"] = true
		}
	}
	if _, err := selectObjects(c, []string{word}); err == nil { // what has no text by itself: a member of an object that is XML
		found[word] = true
	}
	if len(found) == 0 && !strings.ContainsAny(word, "*?[") {
		return nil, notThere("object", word, "`paceline configure show` shows all")
	}
	return found, nil
}

func notThere(kind, name, hint string) error {
	return api.Errorf(api.CodeNotFound, "show "+name, "there is no %s %q", kind, name).WithHint("%s", hint)
}

// mentions tells whether a name is one of the words of an object, or a part of one that is parted by colons.
func mentions(text, name string) bool {
	for _, w := range strings.FieldsFunc(uncommented(text), func(r rune) bool { return strings.ContainsRune(" \t\n\\,=\"@{}()[]", r) }) {
		if w == name || slices.Contains(strings.Split(w, ":"), name) {
			return true
		}
	}
	return false
}

// keyword returns the first word of an object's text.
func keyword(text string) string {
	word, rest, _ := strings.Cut(uncommented(text), " ")
	if word == "xml" {
		word = strings.TrimPrefix(strings.FieldsFunc(rest+" ", func(r rune) bool { return r == ' ' || r == '>' || r == '/' })[0], "<")
	}
	return word
}

// uncommented leaves the lines of comment out.
func uncommented(text string) string {
	for strings.HasPrefix(text, "#") {
		_, text, _ = strings.Cut(text, "\n")
	}
	return text
}

// text writes the chosen objects; a collection brings its members.
func (s *selection) text(c *cib.Configuration) (string, error) {
	if len(s.obscure) > 0 {
		var err error
		if c, err = obscured(c, s.obscure); err != nil {
			return "", err
		}
	}
	if s.all {
		return crm.Print(c), nil
	}
	keys := withMembers(c, s.keys)
	var b strings.Builder
	for _, o := range crm.Objects(c) {
		if keys[o.Key] {
			b.WriteString(o.Text)
		}
	}
	return b.String(), nil
}

// part returns the configuration of the chosen objects alone.
func (s *selection) part(c *cib.Configuration) (*cib.Configuration, error) {
	var err error
	if len(s.obscure) > 0 {
		if c, err = obscured(c, s.obscure); err != nil {
			return nil, err
		}
	}
	if s.all {
		return c, nil
	}
	var ids []string
	for k := range s.keys {
		ids = append(ids, k[strings.LastIndexByte(k, ' ')+1:])
	}
	slices.Sort(ids)
	return selectObjects(c, ids)
}

func withMembers(c *cib.Configuration, keys map[string]bool) map[string]bool {
	out := map[string]bool{}
	for k := range keys {
		out[k] = true
	}
	for r, parent := range c.Walk() { // parents come first
		if parent != nil && out[parent.ID] {
			out[r.ID] = true
		}
	}
	return out
}

// obscured returns a copy in which the values of names that fit a pattern are hidden.
func obscured(c *cib.Configuration, patterns []string) (*cib.Configuration, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("copy the configuration: %w", err)
	}
	out := &cib.Configuration{}
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("copy the configuration: %w", err)
	}
	for _, s := range cib.NewIndex(out).Pairs {
		for _, p := range patterns {
			if ok, err := path.Match(p, s.Name); ok && err == nil {
				s.Value = "******"
			}
		}
	}
	return out, nil
}

// selectObjects returns the configuration that holds only the objects of the IDs (nodes by name, fencing levels by target).
// A collection brings its members.
func selectObjects(c *cib.Configuration, ids []string) (*cib.Configuration, error) {
	out := &cib.Configuration{}
	found := map[string]bool{}
	want := func(id string) bool {
		if slices.Contains(ids, id) {
			found[id] = true
			return true
		}
		return false
	}
	out.Options = filter(c.Options, func(s cib.NVSet) bool { return want(s.ID) })
	out.RscDefaults = filter(c.RscDefaults, func(s cib.NVSet) bool { return want(s.ID) })
	out.OpDefaults = filter(c.OpDefaults, func(s cib.NVSet) bool { return want(s.ID) })
	out.Nodes = filter(c.Nodes, func(n *cib.Node) bool { return want(n.Uname) || want(n.ID) })
	taken := map[string]bool{}
	for r, parent := range c.Walk() {
		if wanted := want(r.ID); parent != nil && taken[parent.ID] {
			taken[r.ID] = true // it comes with its collection
		} else if wanted {
			taken[r.ID] = true
			out.Resources = append(out.Resources, r)
		}
	}
	out.Templates = filter(c.Templates, func(r *cib.Resource) bool { return want(r.ID) })
	out.Constraints = filter(c.Constraints, func(x *cib.Constraint) bool { return want(x.ID()) })
	topology := want("fencing_topology") && len(c.Topology) > 0
	out.Topology = filter(c.Topology, func(l cib.FencingLevel) bool { return want(l.ID) || want(l.Target) || topology })
	out.Tags = filter(c.Tags, func(t cib.Tag) bool { return want(t.ID) })
	out.ACLs.Roles = filter(c.ACLs.Roles, func(r cib.ACLRole) bool { return want(r.ID) })
	out.ACLs.Targets = filter(c.ACLs.Targets, func(t cib.ACLTarget) bool { return want(t.ID) })
	out.ACLs.Groups = filter(c.ACLs.Groups, func(t cib.ACLTarget) bool { return want(t.ID) })
	out.Alerts = filter(c.Alerts, func(a cib.Alert) bool { return want(a.ID) })
	for _, id := range ids {
		if !found[id] {
			return nil, notThere("object", id, "`paceline configure show` shows all")
		}
	}
	return out, nil
}

func filter[T any](list []T, keep func(T) bool) []T {
	var out []T
	for _, x := range list {
		if keep(x) {
			out = append(out, x)
		}
	}
	return out
}
