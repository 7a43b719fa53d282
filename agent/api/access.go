package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/access"
	"paceline/agent/cib"
)

// right is what an endpoint asks of who uses it, beside what its answer decides by the rules.
type right int

const (
	rightUsual    right = iota // to read: what may not be read is left out; to change: the commit is judged
	rightReadAll               // what it says cannot be told apart: everything may be read
	rightWriteAll              // it is about the whole cluster: everything may be changed
	rightOpen                  // it says nothing of the configuration
	rightLocal                 // as rightWriteAll, and never by a token: it hands out the cluster itself
)

// caller is who asks, as the daemon that was asked found out. It goes along to other nodes.
type caller struct {
	access.User
	UID    int    `json:"uid"` // of the machine that was asked; -1 for a token
	PID    int    `json:"pid,omitempty"`
	Remote string `json:"remote,omitempty"` // address of who uses a token
	Token  string `json:"token,omitempty"`  // ID of the token
}

// reader is what one request may see and change.
type reader struct {
	access.Rights
	who     caller
	cib     *cib.CIB // the state that was judged; nil while there is no cluster
	limited bool     // some of it may not be read
	mask    *mask
}

// reader finds out what a request may do now. A token that is gone is refused here.
func (s *Server) reader(ctx context.Context, q *request) (*reader, error) {
	who := &q.who.caller
	snap, err := s.backend.Snapshot(ctx)
	var e *Error
	if errors.As(err, &e) && e.Code == CodeUnconfigured && who.Token == "" {
		return &reader{Rights: access.All(who.Name), who: *who}, nil // there are no rules yet
	}
	if err != nil {
		return nil, err
	}
	if err := who.current(snap.CIB, time.Now()); err != nil {
		return nil, err
	}
	r := &reader{Rights: access.Of(&snap.CIB.Configuration, who.User), who: *who, cib: snap.CIB}
	r.limited = !r.ReadsAll(snap.CIB)
	return r, nil
}

// permit refuses a request that the user may not make whatever it says.
func (s *Server) permit(r *reader, e endpoint, q *request) error {
	if none := r.None(); none != "" && e.right != rightOpen {
		return Errorf(CodeForbidden, q.what, "user %s may not read or change anything: %s", r.who.Name, none).
			WithHint("an administrator can give roles: paceline configure acl_target %s ROLE", r.who.Name)
	}
	switch e.right {
	case rightReadAll:
		if r.limited {
			return Errorf(CodeForbidden, q.what, "user %s may not read everything, and it cannot be told apart here what they may", r.who.Name).
				WithHint("a role with read permission for the xpath /cib, and no deny, allows it")
		}
	case rightWriteAll, rightLocal:
		if e.right == rightLocal && r.who.Token != "" {
			return Errorf(CodeForbidden, q.what, "user %s uses a token, and this is done on a member only", r.who.Name)
		}
		if r.cib == nil {
			return nil
		}
		if err := r.MayWrite(r.cib, "cib", "", ""); err != nil {
			return forbidden(q, err)
		}
	}
	return nil
}

// forbidden puts a refusal into an error that is shown as it is.
func forbidden(q *request, err error) error {
	var no *access.Refusal
	if !errors.As(err, &no) {
		return err
	}
	return Errorf(CodeForbidden, q.what, "%v", no).WithHint("an administrator can give a role: paceline configure acl_target %s ROLE", no.User)
}

// mayWrite judges a change by the rules of the state that it changes.
func (s *Server) mayWrite(ctx context.Context, q *request, before, after *cib.CIB) error {
	r := access.Of(&before.Configuration, q.who.caller.User)
	if err := r.Write(before, after); err != nil {
		return forbidden(q, err)
	}
	return nil
}

// show takes out of an answer what the user may not read.
func (r *reader) show(v any) (any, error) {
	if !r.limited {
		return v, nil
	}
	switch v := v.(type) {
	case *CIBReply:
		out := *v
		var err error
		out.CIB, err = r.Read(v.CIB)
		return &out, err
	case *ConfigurationReply:
		out := *v
		c, err := r.Read(&cib.CIB{Configuration: *v.Configuration})
		if err != nil {
			return nil, err
		}
		out.Configuration = &c.Configuration
		return &out, nil
	case *HistoryReply:
		out := *v
		out.Commits = nil
		for _, c := range v.Commits {
			out.Commits = append(out.Commits, r.commit(c))
		}
		return r.masked(&out)
	case *Status:
		out := *v
		if v.LastChange != nil {
			c := r.commit(*v.LastChange)
			out.LastChange = &c
		}
		return r.masked(&out)
	case rawReply: // made of what may be read
		return v, nil
	}
	return r.masked(v)
}

// commit leaves of a commit what the user may read: changes of objects that they may read as a whole, and its message if
// those are all.
func (r *reader) commit(c Commit) Commit {
	whole := r.Whole(r.cib)
	all := len(c.Changes)
	c.Changes = slices.DeleteFunc(slices.Clone(c.Changes), func(ch Change) bool { return !whole[objectName(ch.Object)] })
	if len(c.Changes) < all {
		c.Message = ""
	}
	return c
}

// masked makes plain JSON values of an answer, without what names what the user may not read.
func (r *reader) masked(v any) (any, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	m, err := r.hides()
	if err != nil {
		return nil, err
	}
	b, err = m.json(b)
	return json.RawMessage(b), err
}

// hides returns what is masked for the user.
func (r *reader) hides() (*mask, error) {
	if r.mask == nil {
		seen, err := r.Read(r.cib)
		if err != nil {
			return nil, fmt.Errorf("leave out what user %s may not read: %w", r.who.Name, err)
		}
		r.mask = newMask(access.Hidden(r.cib, seen), access.Values(r.cib, seen))
	}
	return r.mask, nil
}

// shown takes names that the user may not read out of an error's text. Refusals by the rules, and what the user wrote, stay.
func (r *reader) shown(q *request, e *Error) *Error {
	if r == nil || !r.limited || e.Code == CodeForbidden || r.cib == nil {
		return e
	}
	m, err := r.hides()
	if err != nil {
		return &Error{Code: e.Code, What: e.What, Why: "the cause may not be shown"}
	}
	known := m.without(q.URL.RequestURI() + " " + string(q.body))
	out := *e
	out.Why, out.Hint, out.Problems = known.text(e.Why), known.text(e.Hint), nil
	for _, p := range e.Problems {
		if !known.tells(p.Object + " " + p.What) {
			p.Hint = known.text(p.Hint)
			out.Problems = append(out.Problems, p)
		}
	}
	return &out
}

// objectName finds the name in the object of a change: `primitive "web"`.
func objectName(object string) string {
	_, rest, _ := strings.Cut(object, `"`)
	name, _, _ := strings.Cut(rest, `"`)
	return name
}
