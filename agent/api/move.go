package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
)

// Prefixes of the IDs of constraints that moves make; people know them from older shells.
const (
	preferPrefix = "cli-prefer-"
	banPrefix    = "cli-ban-"
)

// move puts a resource on a node (or away from where it is), waits until it is there, and takes the preference that did it
// away again, unless the request asks for it to stay. While it works the preference carries an end date, so that it does
// not outlive a coordinator that dies in between.
func (s *Server) move(ctx context.Context, q *request) (any, error) {
	r, snap, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	m := mover{s: s, q: q, r: r, resource: t.top(), cfg: &snap.CIB.Configuration}
	m.members = primitivesIn(m.resource)
	m.what = q.what + " away"
	if r.Node != "" {
		m.what = q.what + " to " + r.Node
	}
	m.r.Message = cmp.Or(r.Message, m.what)
	if m.resource.Kind == cib.KindClone && !m.resource.Promotable() {
		return nil, Errorf(CodeRefused, q.what, "%s is a clone: it runs on several nodes already", m.resource.ID).
			WithHint("keep it off a node with a location constraint, or use `paceline node standby NODE`")
	}
	if m.resource.Promotable() {
		m.role = "Promoted"
	}
	before := s.plan(snap.CIB, time.Now())
	m.from = m.where(before.Active)
	if r.Node != "" {
		if _, err := s.findNode(ctx, snap.CIB, r.Node); err != nil {
			return nil, err
		}
		if m.from == r.Node {
			return &ChangeReply{
				Schema: Schema, Revision: snap.Revision, ConfigRevision: snap.ConfigRevision,
				Changes: []Change{}, Actions: []Action{}, Problems: []Problem{}, Settled: true,
				Notes: []string{m.resource.ID + " runs on " + r.Node + " already"},
			}, nil
		}
	} else if m.from == "" {
		return nil, Errorf(CodeRefused, q.what, "%s runs nowhere, so it cannot move away", m.resource.ID).
			WithHint("`paceline explain %s` says why it does not run", m.resource.ID)
	}
	if err := m.foresee(snap.CIB); err != nil {
		return nil, err
	}
	return m.carryOut(ctx)
}

// mover is one move on its way.
type mover struct {
	s        *Server
	q        *request
	r        ResourceRequest
	cfg      *cib.Configuration
	resource *cib.Resource // what moves: the outermost collection of what was named
	members  []string
	role     string // Promoted: only that role moves
	from     string
	what     string // "move resource web to node2"
}

// where returns the node on which the resource is, by its first active member.
func (m *mover) where(list []Placement) string {
	for _, id := range m.members {
		for _, p := range list {
			if baseID(p.Resource) == id && p.Node != "" && (m.role == "" && p.Role != "Stopped" || m.role != "" && promoted(p.Role)) {
				return p.Node
			}
		}
	}
	return ""
}

func promoted(role string) bool { return role == "Promoted" || role == "Master" }

// constraint makes the preference. A zero end makes one that stays.
func (m *mover) constraint(end time.Time) *cib.Location {
	id, score, node := preferPrefix+m.resource.ID, "INFINITY", m.r.Node
	if node == "" {
		id, score, node = banPrefix+m.resource.ID+"-on-"+m.from, "-INFINITY", m.from
	}
	l := &cib.Location{ID: id, Resource: m.resource.ID, Role: m.role}
	if end.IsZero() {
		l.Node, l.Score = node, score
		return l
	}
	l.Rules = []*cib.Rule{{
		ID: id + "-rule", Score: score, BooleanOp: "and", Role: m.role,
		Expressions: []cib.Expression{
			{Attribute: &cib.AttributeExpr{ID: id + "-node", Attribute: "#uname", Operation: "eq", Type: "string", Value: node}},
			{Date: &cib.DateExpr{ID: id + "-end", Operation: "lt", End: end.UTC().Format("2006-01-02 15:04:05Z")}},
		},
	}}
	l.Role = ""
	return l
}

// change replaces what earlier moves of the resource left by a new preference.
func (m *mover) change(end time.Time) cib.Change {
	batch := dropLeftovers(m.cfg, m.resource.ID)
	return cib.Change{Batch: append(batch, cib.Change{PutConstraint: &cib.PutConstraint{
		Constraint: cib.Constraint{Location: m.constraint(end)},
	}})}
}

// end is when the preference ends by itself; zero for one that stays.
func (m *mover) end(now time.Time) time.Time {
	switch {
	case m.r.Until > 0:
		return now.Add(time.Duration(m.r.Until))
	case m.r.Stay:
		return time.Time{}
	}
	return now.Add(max(MoveExpiry, time.Duration(m.r.Wait)+time.Minute))
}

// foresee refuses a move that the scheduler would not make, with its reasons.
func (m *mover) foresee(c *cib.CIB) error {
	if m.r.Node == "" {
		return nil
	}
	now := time.Now()
	next, err := cib.Apply(c, m.change(m.end(now)))
	if err != nil {
		return Errorf(CodeInvalid, m.q.what, "%v", err)
	}
	p := m.s.plan(next, now)
	if m.where(p.Wanted) == m.r.Node || len(p.Wanted) == 0 {
		return nil
	}
	var why []string
	for _, r := range p.Reasons {
		own := strings.Contains(r.Text, preferPrefix+m.resource.ID)
		if r.Node == m.r.Node && !own && (r.Resource == m.resource.ID || slices.Contains(m.members, baseID(r.Resource))) {
			why = append(why, r.Text)
		}
	}
	text := strings.Join(why, "; ")
	return Errorf(CodeRefused, m.q.what, "%s would not run on %s: %s", m.resource.ID, m.r.Node, cmp.Or(text, "the scheduler places it elsewhere")).
		WithHint("`paceline explain %s %s` says more", m.resource.ID, m.r.Node)
}

func (m *mover) carryOut(ctx context.Context) (any, error) {
	wait := time.Duration(m.r.Wait)
	if wait == 0 {
		wait = WaitDefault
	}
	e := m.r.edit(m.q, m.change(m.end(time.Now())))
	e.wait = wait
	if m.r.DryRun {
		return m.s.commit(ctx, m.q, e)
	}
	// From here on it ends in good order, whether or not somebody listens.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), wait+RequestMax)
	defer cancel()
	reply, err := m.s.commit(ctx, m.q, e)
	if err != nil {
		return nil, err
	}
	snap, err := m.s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	m.cfg = &snap.CIB.Configuration
	at := m.where(m.s.plan(snap.CIB, time.Now()).Active)
	there := at != "" && (at == m.r.Node || m.r.Node == "" && at != m.from)
	if !there {
		return nil, m.giveUp(ctx, snap.CIB, at, reply)
	}
	if m.r.Until > 0 || m.r.Stay {
		reply.Notes = append(reply.Notes, m.stays())
		return reply, nil
	}
	return reply, m.release(ctx, snap.CIB, at, reply)
}

// giveUp takes the preference back after a move that did not arrive.
func (m *mover) giveUp(ctx context.Context, c *cib.CIB, at string, reply *ChangeReply) error {
	what := "it runs nowhere now"
	if at != "" {
		what = "it runs on " + at
	}
	why := "it did not arrive: " + what
	if !reply.Settled && len(reply.Notes) > 0 {
		why += "; " + reply.Notes[len(reply.Notes)-1]
	}
	for _, f := range failures(c) {
		if slices.Contains(m.members, baseID(f.Resource)) && f.Node == m.r.Node {
			why += fmt.Sprintf("; %s of %s failed there: %s", f.Operation, f.Resource, cmp.Or(f.Reason, f.RCText))
		}
	}
	err := Errorf(CodeFailed, m.q.what, "%s", why).WithHint("the preference is withdrawn; `paceline explain %s` says why it is where it is", m.resource.ID)
	_, derr := m.s.backend.Apply(ctx, Command{
		Change: cib.Change{Batch: dropLeftovers(m.cfg, m.resource.ID)}, User: m.q.who.user, Message: m.what + ": withdrawn",
	})
	if derr != nil {
		err.Hint = "the preference is still there: `paceline resource clear " + m.resource.ID + "`"
	}
	return err
}

// release removes the preference if the resource stays where it is without it; else it keeps it and says so.
func (m *mover) release(ctx context.Context, c *cib.CIB, at string, reply *ChangeReply) error {
	drop := cib.Change{Batch: dropLeftovers(m.cfg, m.resource.ID)}
	if len(drop.Batch) == 0 {
		return nil
	}
	without, err := cib.Apply(c, drop)
	if err != nil {
		return err
	}
	message := m.what + ": done"
	back := m.where(m.s.plan(without, time.Now()).Wanted)
	change := drop
	if back != at && back != "" {
		change = m.change(time.Time{})
		message += ", preference kept"
	}
	applied, err := m.s.backend.Apply(ctx, Command{Change: change, User: m.q.who.user, Message: message})
	if err != nil {
		return asError(err, m.q.what, "").WithHint("it has moved; `paceline resource clear %s` removes the preference", m.resource.ID)
	}
	reply.Revision, reply.ConfigRevision = applied.Revision, applied.ConfigRevision
	reply.Changes = []Change{}
	if back != at && back != "" {
		reply.Notes = append(reply.Notes, "without a preference it would go back to "+back+"; so "+m.stays())
	}
	return nil
}

// stays says what a move leaves behind.
func (m *mover) stays() string {
	id := m.constraint(time.Time{}).ID
	if m.r.Until > 0 {
		return fmt.Sprintf("constraint %s stays until %s", id, time.Now().Add(time.Duration(m.r.Until)).Format(time.DateTime))
	}
	return fmt.Sprintf("constraint %s stays; `paceline resource clear %s` removes it", id, m.resource.ID)
}

// clear removes what moves and bans left behind.
func (s *Server) clear(ctx context.Context, q *request) (any, error) {
	r, snap, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	batch := dropLeftovers(&snap.CIB.Configuration, t.resource.ID)
	if t.top() != t.resource {
		batch = append(batch, dropLeftovers(&snap.CIB.Configuration, t.top().ID)...)
	}
	return s.commit(ctx, q, r.edit(q, cib.Change{Batch: batch}))
}

// dropLeftovers makes the changes that remove the constraints moves made for a resource.
func dropLeftovers(c *cib.Configuration, resource string) []cib.Change {
	var out []cib.Change
	for _, l := range leftovers(c) {
		if l.Resource == resource {
			out = append(out, cib.Change{DropConstraint: &cib.DropConstraint{ID: l.ID}})
		}
	}
	return out
}

// leftovers lists the constraints that moves and bans made.
func leftovers(c *cib.Configuration) []Constraint {
	out := []Constraint{}
	for _, x := range c.Constraints {
		l := x.Location
		if l == nil {
			continue
		}
		prefer, ban := strings.HasPrefix(l.ID, preferPrefix), strings.HasPrefix(l.ID, banPrefix)
		if !prefer && !ban {
			continue
		}
		o := Constraint{ID: l.ID, Resource: l.Resource, Node: l.Node}
		for _, r := range l.Rules {
			for _, e := range r.Expressions {
				if e.Attribute != nil && e.Attribute.Attribute == "#uname" {
					o.Node = e.Attribute.Value
				}
				if e.Date != nil && e.Date.Operation == "lt" {
					o.Expires, _ = time.Parse("2006-01-02 15:04:05Z", e.Date.End) // another form: no date is shown
				}
			}
		}
		o.Text = o.Resource + " is kept on " + o.Node + " by an earlier move"
		if ban {
			o.Text = o.Resource + " is kept away from " + o.Node + " by an earlier move"
		}
		out = append(out, o)
	}
	return out
}
