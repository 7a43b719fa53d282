// Package access decides who may read and write what of a CIB.
//
// The rules are those of Pacemaker Explained, chapter "Access Control Lists": a permission names elements of the XML form of
// the CIB by type, ID or XPath, and holds for them and for all within; the most deeply nested match decides, and of several
// for the same element deny before write before read; what no permission names is denied. Root, the daemon's own user and
// the user hacluster have everything; everybody else who reaches the daemon has everything as long as enable-acl is not
// true.
//
// Guarantees: a user without a permission to write never changes anything; a CIB that was filtered holds no element that its
// reader has no permission for, except the enclosing elements of what may be read, of which the ID alone is left. A role
// whose XPath cannot be understood gives nothing, and takes everything else away: it might have been a deny.
//
// It is a core: no clock, no I/O. Tables and properties test it.
package access

import (
	"fmt"
	"slices"

	"github.com/beevik/etree"

	"paceline/agent/cib"
)

// User is who asks.
type User struct {
	Name   string   `json:"name"`
	Groups []string `json:"groups,omitempty"`
	// Super is root, or as good as root.
	Super bool `json:"super,omitempty"`
	// Scope limits a token to less than its user; nil for a user of the machine.
	Scope *Scope `json:"scope,omitempty"`
}

// Scope is what a token is good for: all of one kind, or what roles allow.
type Scope struct {
	Kind  string   `json:"kind,omitempty"` // ScopeRead, ScopeWrite; empty with Roles
	Roles []string `json:"roles,omitempty"`
}

// Kinds of scopes.
const (
	ScopeRead  = "read"  // read everything
	ScopeWrite = "write" // read and change everything
)

// mode is what is allowed; the order is that of precedence for the same element, the strongest last.
type mode int

const (
	unsaid mode = iota
	read
	write
	deny
)

// Rights are what one user may do on one configuration. The zero value allows nothing.
type Rights struct {
	user     string
	super    bool
	broken   string // why nothing is allowed
	roles    []string
	granted  []permission
	catalog  []cib.ACLRole // all roles, to name those that would help
	unlisted bool          // the ACL names neither the user nor a group of theirs
}

type permission struct {
	mode   mode
	choose func(root *etree.Element) []*etree.Element
}

// All returns the rights of who may do everything.
func All(name string) Rights { return Rights{user: name, super: true} }

// Of returns the rights of a user.
func Of(c *cib.Configuration, u User) Rights {
	r := Rights{user: u.Name, catalog: c.ACLs.Roles}
	switch {
	case u.Scope != nil && u.Scope.Kind == ScopeWrite:
		r.super = true
		return r
	case u.Scope != nil && u.Scope.Kind == ScopeRead:
		r.granted = []permission{{read, func(root *etree.Element) []*etree.Element { return []*etree.Element{root} }}}
		return r
	case u.Scope != nil:
		r.grant(u.Scope.Roles)
		return r
	case u.Super || u.Name == "hacluster" || !Enabled(c):
		r.super = true
		return r
	}
	r.unlisted = true
	for _, t := range c.ACLs.Targets {
		if nameOf(t) == u.Name {
			r.unlisted = false
			r.grant(t.Roles)
		}
	}
	for _, t := range c.ACLs.Groups {
		if slices.Contains(u.Groups, nameOf(t)) {
			r.unlisted = false
			r.grant(t.Roles)
		}
	}
	return r
}

// Enabled says whether the configuration's access rules are obeyed.
func Enabled(c *cib.Configuration) bool {
	v, ok := c.Option("enable-acl")
	on, err := cib.ParseBool(v)
	return ok && (on || err != nil) // what is not understood is no reason to open everything
}

func nameOf(t cib.ACLTarget) string {
	if t.Name != "" {
		return t.Name
	}
	return t.ID
}

// grant adds roles by name.
func (r *Rights) grant(names []string) {
	for _, name := range names {
		at := slices.IndexFunc(r.catalog, func(role cib.ACLRole) bool { return role.ID == name })
		if at < 0 || slices.Contains(r.roles, name) {
			continue
		}
		r.roles = append(r.roles, name)
		for _, p := range r.catalog[at].Permissions {
			compiled, err := compile(p)
			if err != nil {
				r.broken = fmt.Sprintf("permission %s of role %s is not understood: %v", p.ID, name, err)
				continue
			}
			r.granted = append(r.granted, compiled)
		}
	}
}

func compile(p cib.ACLPermission) (permission, error) {
	out := permission{}
	switch p.Kind {
	case "read":
		out.mode = read
	case "write":
		out.mode = write
	case "deny":
		out.mode = deny
	default:
		return out, fmt.Errorf("%q is no kind of permission", p.Kind)
	}
	switch {
	case p.XPath != "":
		x, err := cib.ParseXPath(p.XPath)
		if err != nil {
			return out, err
		}
		out.choose = x.Select
	case p.Reference != "":
		out.choose = where(func(e *etree.Element) bool { return value(e, "id") == p.Reference })
	case p.ObjectType != "":
		out.choose = where(func(e *etree.Element) bool {
			return e.Tag == p.ObjectType && (p.Attribute == "" || slices.ContainsFunc(e.Attr, func(a etree.Attr) bool { return a.Key == p.Attribute }))
		})
	default:
		return out, fmt.Errorf("it names nothing")
	}
	return out, nil
}

func where(holds func(*etree.Element) bool) func(*etree.Element) []*etree.Element {
	return func(root *etree.Element) []*etree.Element {
		var out []*etree.Element
		walk(root, func(e *etree.Element) {
			if holds(e) {
				out = append(out, e)
			}
		})
		return out
	}
}

func walk(e *etree.Element, see func(*etree.Element)) {
	see(e)
	for _, t := range e.Child {
		if child, ok := t.(*etree.Element); ok {
			walk(child, see)
		}
	}
}

func value(e *etree.Element, name string) string {
	for _, a := range e.Attr {
		if a.Key == name {
			return a.Value
		}
	}
	return ""
}

// Unlimited says whether the user may do everything.
func (r Rights) Unlimited() bool { return r.super }

// None says why the user may do nothing at all; empty if there is something.
func (r Rights) None() string {
	switch {
	case r.super:
		return ""
	case r.broken != "":
		return r.broken
	case r.unlisted:
		return fmt.Sprintf("access rules are on (enable-acl), and none names user %s or a group of theirs", r.user)
	case !slices.ContainsFunc(r.granted, func(p permission) bool { return p.mode != deny }):
		return fmt.Sprintf("no role of user %s allows anything", r.user)
	}
	return ""
}

// modes says of every element of a tree what is allowed.
type modes map[*etree.Element]mode

func (r Rights) judge(root *etree.Element) modes {
	said := modes{}
	if r.None() == "" {
		for _, p := range r.granted {
			for _, e := range p.choose(root) {
				said[e] = max(said[e], p.mode)
			}
		}
	}
	out := modes{}
	var down func(e *etree.Element, inherited mode)
	down = func(e *etree.Element, inherited mode) {
		m := inherited
		if own, ok := said[e]; ok {
			m = own
		}
		if r.super {
			m = write
		}
		out[e] = m
		for _, t := range e.Child {
			if child, ok := t.(*etree.Element); ok {
				down(child, m)
			}
		}
	}
	down(root, deny)
	return out
}

func (m modes) reads(e *etree.Element) bool  { return m[e] == read || m[e] == write }
func (m modes) writes(e *etree.Element) bool { return m[e] == write }
