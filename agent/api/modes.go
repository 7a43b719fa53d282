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

// These set what people want of a resource beside running or not: its role, and whether the cluster touches it.

// promote wants a promotable clone's instances promoted, as many as its configuration says.
func (s *Server) promote(ctx context.Context, q *request) (any, error) {
	return s.targetRole(ctx, q, "Promoted")
}

// demote wants none of them promoted; they go on running.
func (s *Server) demote(ctx context.Context, q *request) (any, error) {
	return s.targetRole(ctx, q, "Unpromoted")
}

func (s *Server) targetRole(ctx context.Context, q *request, role string) (any, error) {
	r, _, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	clone := t.resource
	for _, a := range t.ancestors {
		if a.Kind == cib.KindClone {
			clone = a
		}
	}
	if !clone.Promotable() {
		return nil, Errorf(CodeRefused, q.what, "%s has no promoted role: it is no promotable clone", t.resource.ID).
			WithHint("`paceline configure clone ID %s meta promotable=true` makes one", t.resource.ID)
	}
	batch := []cib.Change{setMeta(clone.ID, "target-role", &role)}
	for _, c := range clone.Children { // what is said of a part would hide what is said of the whole
		if _, ok := metaOf(c.Meta, "target-role"); ok {
			batch = append(batch, setMeta(c.ID, "target-role", nil))
		}
	}
	return s.commit(ctx, q, r.edit(q, cib.Change{Batch: batch}))
}

// manage gives a resource back to the cluster; unmanage takes it out of its hands: it is still monitored, never started or
// stopped. maintenance also ends its monitoring; Off ends that.
func (s *Server) manage(ctx context.Context, q *request) (any, error) {
	return s.hands(ctx, q, "is-managed", "true", true)
}

func (s *Server) unmanage(ctx context.Context, q *request) (any, error) {
	return s.hands(ctx, q, "is-managed", "false", false)
}

func (s *Server) maintain(ctx context.Context, q *request) (any, error) {
	var r ResourceRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	if r.Off {
		return s.hands(ctx, q, "maintenance", "false", true)
	}
	return s.hands(ctx, q, "maintenance", "true", false)
}

// hands sets a boolean meta attribute on a resource. Where that takes a person's earlier word back, the attribute goes,
// everywhere in the resource, and is set only if something the resource inherits says otherwise.
func (s *Server) hands(ctx context.Context, q *request, name, value string, back bool) (any, error) {
	r, snap, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	cfg := &snap.CIB.Configuration
	var batch []cib.Change
	if !back {
		batch = append(batch, setMeta(t.resource.ID, name, &value))
	} else {
		var walk func(x *cib.Resource)
		walk = func(x *cib.Resource) {
			if v, ok := metaOf(x.Meta, name); ok && v != value {
				batch = append(batch, setMeta(x.ID, name, nil))
			}
			for _, c := range x.Children {
				walk(c)
			}
		}
		walk(t.resource)
		bare := *t.resource
		bare.Meta = nil
		if v, ok := inherited(cfg, &bare, t.ancestors, name); ok && isTrue(v, value == "true") != (value == "true") {
			batch = append(batch, setMeta(t.resource.ID, name, &value))
		}
	}
	reply, err := s.commit(ctx, q, r.edit(q, cib.Change{Batch: batch}))
	if err != nil || !back {
		return reply, err
	}
	if optionTrue(cfg, "maintenance-mode", false) {
		reply.Notes = append(reply.Notes, "the whole cluster is in maintenance mode: `paceline maintenance off` ends it")
	}
	return reply, nil
}

// ban keeps a resource away from a node until it is cleared, or for a time. Without a node it is the one it runs on.
func (s *Server) ban(ctx context.Context, q *request) (any, error) {
	r, snap, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	m := mover{s: s, q: q, r: r, resource: t.top(), cfg: &snap.CIB.Configuration}
	m.members = primitivesIn(m.resource)
	if m.resource.Promotable() && r.Node == "" {
		m.role = "Promoted"
	}
	m.from = r.Node
	if r.Node == "" {
		m.from = m.where(s.planOf(ctx, snap, time.Now()).Active)
		if m.from == "" {
			return nil, Errorf(CodeRefused, q.what, "%s runs nowhere: say from which node it is to be kept away", m.resource.ID)
		}
	} else if _, err := s.findNode(ctx, snap.CIB, r.Node); err != nil {
		return nil, err
	}
	m.r.Node = ""
	end := time.Time{}
	if r.Until > 0 {
		end = time.Now().Add(time.Duration(r.Until))
	}
	l := m.constraint(end)
	batch := []cib.Change{}
	for _, old := range leftovers(m.cfg) {
		// The ban goes before an earlier preference for the same node; bans of other nodes stay.
		if old.Resource == m.resource.ID && old.Node == m.from {
			batch = append(batch, cib.Change{DropConstraint: &cib.DropConstraint{ID: old.ID}})
		}
	}
	batch = append(batch, cib.Change{PutConstraint: &cib.PutConstraint{Constraint: cib.Constraint{Location: l}}})
	reply, err := s.commit(ctx, q, r.edit(q, cib.Change{Batch: batch}))
	if err == nil && !r.DryRun {
		reply.Notes = append(reply.Notes, m.stays())
	}
	return reply, err
}

// Sections of values that a request may set.
const (
	SectionParam       = "param"
	SectionMeta        = "meta"
	SectionUtilization = "utilization"
)

// ValueRequest sets one named value of a resource or node, or (with a nil Value) deletes it.
type ValueRequest struct {
	Section string `json:"section,omitempty"` // resource: param, meta, utilization; node: attribute (the default), utilization
	// Operation and Interval name an operation of the resource whose parameter it is ("monitor", "10s").
	Operation string  `json:"operation,omitempty"`
	Interval  string  `json:"interval,omitempty"`
	Name      string  `json:"name"`
	Value     *string `json:"value"`
	// Transient is an attribute that a node loses when it leaves the cluster or reboots.
	Transient bool     `json:"transient,omitempty"`
	Message   string   `json:"message,omitempty"`
	DryRun    bool     `json:"dry_run,omitempty"`
	Yes       bool     `json:"yes,omitempty"`
	Wait      Duration `json:"wait,omitempty"`
}

func (r ValueRequest) edit(q *request, what string, change cib.Change) edit {
	return edit{
		change: change, message: cmp.Or(r.Message, what), dryRun: r.DryRun, yes: r.Yes, wait: time.Duration(r.Wait),
	}
}

// said is what a value request does, in words.
func (r ValueRequest) said(section, object string) string {
	if r.Value == nil {
		return fmt.Sprintf("delete %s %s of %s", section, r.Name, object)
	}
	return fmt.Sprintf("set %s %s of %s", section, r.Name, object)
}

// resourceValue sets or deletes a parameter, meta attribute or utilization of a resource.
func (s *Server) resourceValue(ctx context.Context, q *request) (any, error) {
	var r ValueRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	t, err := findResource(&snap.CIB.Configuration, q.PathValue("resource"))
	if err != nil {
		return nil, err
	}
	what := r.said(r.Section, t.resource.ID)
	if r.Section == SectionMeta {
		return s.commit(ctx, q, r.edit(q, what, setMeta(t.resource.ID, r.Name, r.Value)))
	}
	var next *cib.Configuration
	switch {
	case r.Section == SectionParam && r.Operation != "":
		what += " at its " + r.Operation
		next, err = snap.CIB.Configuration.WithOperationValue(t.resource.ID, r.Operation, r.Interval, r.Name, r.Value)
	case r.Section == SectionParam:
		next, err = snap.CIB.Configuration.WithValue(t.resource.ID, cib.SectionParams, r.Name, r.Value)
	case r.Section == SectionUtilization:
		next, err = snap.CIB.Configuration.WithValue(t.resource.ID, cib.SectionUtilization, r.Name, r.Value)
	default:
		return nil, Errorf(CodeUsage, q.what, "a resource has no values of the kind %q", r.Section).
			WithHint("kinds are %s, %s and %s", SectionParam, SectionMeta, SectionUtilization)
	}
	if err != nil {
		return nil, Errorf(CodeInvalid, q.what, "%v", err)
	}
	return s.commit(ctx, q, r.edit(q, what, cib.Change{Configure: &cib.Configure{Configuration: *next}}))
}

// nodeValue sets or deletes an attribute or capacity of a node. A transient attribute is part of the status.
func (s *Server) nodeValue(ctx context.Context, q *request) (any, error) {
	var r ValueRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	node, err := s.findNode(ctx, snap.CIB, q.PathValue("node"))
	if err != nil {
		return nil, err
	}
	if r.Name == "" {
		return nil, Errorf(CodeUsage, q.what, "the attribute has no name")
	}
	switch {
	case r.Section == SectionUtilization:
		next, err := snap.CIB.Configuration.WithNodeUtilization(node.Uname, r.Name, r.Value)
		if err != nil {
			return nil, Errorf(CodeInvalid, q.what, "%v", err)
		}
		return s.commit(ctx, q, r.edit(q, r.said(r.Section, node.Uname), cib.Change{Configure: &cib.Configure{Configuration: *next}}))
	case r.Section != "" && r.Section != "attribute":
		return nil, Errorf(CodeUsage, q.what, "a node has no values of the kind %q", r.Section).WithHint("kinds are attribute and utilization")
	case !r.Transient:
		set := &cib.SetNodeAttr{Node: node.Uname, Name: r.Name, Value: r.Value}
		return s.commit(ctx, q, r.edit(q, r.said("attribute", node.Uname), cib.Change{SetNodeAttr: set}))
	}
	ns := snap.CIB.NodeState(node.ID)
	if ns == nil {
		return nil, Errorf(CodeRefused, q.what, "%s was never seen, and a transient attribute lives only while a node does", node.Uname).
			WithHint("without --until-reboot the attribute is permanent: `paceline node attribute %s set %s VALUE`", node.Uname, r.Name)
	}
	return s.commitStatus(ctx, q, r.edit(q, r.said("attribute", node.Uname), cib.Change{
		SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: r.Name, Value: r.Value},
	}), func(old *string) string {
		switch {
		case r.Value == nil && old == nil:
			return ""
		case r.Value == nil:
			return fmt.Sprintf("node %s: attribute %s=%s removed (until reboot)", node.Uname, r.Name, *old)
		case old != nil && *old == *r.Value:
			return ""
		}
		return fmt.Sprintf("node %s: attribute %s=%s (until reboot)", node.Uname, r.Name, *r.Value)
	}, transientOf(ns, r.Name))
}

func transientOf(ns *cib.NodeState, name string) *string {
	for _, set := range ns.Attributes {
		if v, ok := set.Get(name); ok {
			return &v
		}
	}
	return nil
}

// commitStatus commits a change of the status that a person asked for; say puts it in words, and says nothing if it changes
// nothing.
func (s *Server) commitStatus(ctx context.Context, q *request, e edit, say func(old *string) string, old *string) (*ChangeReply, error) {
	text := say(old)
	e.unseen = true
	if text == "" {
		e.change = cib.Change{}
	}
	reply, err := s.commit(ctx, q, e)
	if err != nil || text == "" {
		return reply, err
	}
	object, _, _ := strings.Cut(text, ":")
	reply.Changes = append(reply.Changes, Change{Object: object, Kind: "changed", Text: text})
	return reply, nil
}

// TicketRequest acts on a ticket at this site: Action is grant, revoke, standby, activate or delete.
type TicketRequest struct {
	Action  string   `json:"action"`
	Message string   `json:"message,omitempty"`
	DryRun  bool     `json:"dry_run,omitempty"`
	Yes     bool     `json:"yes,omitempty"`
	Wait    Duration `json:"wait,omitempty"`
}

// ticket changes a ticket's state at this site. A ticket that no constraint names and nobody has granted is refused, so
// that a slip of the finger does not make one.
func (s *Server) ticket(ctx context.Context, q *request) (any, error) {
	var r TicketRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	id := q.PathValue("ticket")
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	known := ticketNames(snap.CIB)
	if !slices.Contains(known, id) {
		e := Errorf(CodeNotFound, q.what, "there is no ticket %q: no rsc_ticket constraint names it", id)
		if near := cib.Near(id, known); near != "" {
			e = e.WithHint("did you mean %s?", near)
		}
		return nil, e
	}
	next := cib.TicketState{ID: id, Granted: "false"}
	for _, t := range snap.CIB.Status.Tickets {
		if t.ID == id {
			next = *t
		}
	}
	before := next
	switch r.Action {
	case "grant":
		if !isTrue(next.Granted, false) {
			next.LastGranted = number(int(time.Now().Unix()))
		}
		next.Granted = "true"
	case "revoke":
		next.Granted = "false"
	case "standby":
		next.Standby = "true"
	case "activate":
		next.Standby = "false"
	case "delete":
		if isTrue(next.Granted, false) {
			return nil, Errorf(CodeRefused, q.what, "the ticket is granted here").WithHint("first: paceline ticket revoke %s", id)
		}
	default:
		return nil, Errorf(CodeUsage, q.what, "%q is nothing that is done to a ticket", r.Action).
			WithHint("it is grant, revoke, standby, activate or delete")
	}
	set := &cib.SetTicket{ID: id, State: &next}
	text := "ticket " + id + ": " + ticketText(next)
	if r.Action == "delete" {
		set.State, text = nil, "ticket "+id+": its state is forgotten"
	} else if ticketText(before) == ticketText(next) {
		text = ""
	}
	e := edit{change: cib.Change{SetTicket: set}, message: cmp.Or(r.Message, q.what), dryRun: r.DryRun, yes: r.Yes, wait: time.Duration(r.Wait)}
	reply, err := s.commitStatus(ctx, q, e, func(*string) string { return text }, nil)
	if err == nil && r.Action == "grant" && text != "" {
		reply.Notes = append(reply.Notes, "granted by hand: make sure that no other site has it, nothing else does")
	}
	return reply, err
}

func ticketText(t cib.TicketState) string {
	text := "revoked"
	if isTrue(t.Granted, false) {
		text = "granted"
	}
	if isTrue(t.Standby, false) {
		text += ", standby"
	}
	return text
}

// ticketNames lists the tickets that constraints name or that have a state, sorted, each once.
func ticketNames(c *cib.CIB) []string {
	var out []string
	for _, k := range c.Configuration.Constraints {
		if k.Ticket != nil {
			out = append(out, k.Ticket.Ticket)
		}
	}
	for _, t := range c.Status.Tickets {
		out = append(out, t.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
