package whatif

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/resources"
)

// Event is something that happens to a cluster.
type Event struct {
	// What happens is one of the Kinds. Name is that of the node or ticket; State that of a ticket or of the quorum.
	Kind    string
	Name    string
	State   string
	Failure Failure
}

// The kinds of events.
const (
	NodeDown = "node-down" // the node is lost: out of the membership, and nobody knows why (unclean)
	NodeUp   = "node-up"   // the node joins; after a loss it knows of nothing that runs
	NodeLeft = "node-left" // the node left in good order, or is known to be off
	Standby  = "standby"
	Online   = "online" // standby and maintenance end
	Quorum   = "quorum" // State is yes or no
	Ticket   = "ticket" // State is granted, revoked, standby or active
	Fail     = "fail"   // an operation failed
)

// Failure names an operation that fails: of a resource, on a node ("" is any), with an exit code.
type Failure struct {
	Resource   string
	Node       string
	Operation  string // "" is the recurring monitor
	IntervalMS int64  // of a monitor; -1 is any
	RC         int    // 0 is generic error
}

// hits tells whether the failure is that of an action.
func (f Failure) hits(a *transition.Action) bool {
	if a.Kind == transition.KindFence {
		return f.Operation == "fence" && f.Resource == a.Node
	}
	base, _, _ := strings.Cut(a.Resource, ":")
	return a.Kind == transition.KindResource && (f.Resource == a.Resource || f.Resource == base) &&
		(f.Node == "" || f.Node == a.Node) && f.Operation == a.Operation && (f.IntervalMS < 0 || f.IntervalMS == a.IntervalMS)
}

// Apply lets events happen to a state, in their order, and returns the state after them. An event that names what is not
// there is an error, which lists what is.
func Apply(c *cib.CIB, now time.Time, events ...Event) (*cib.CIB, error) {
	for _, e := range events {
		next, err := e.apply(c, now)
		if err != nil {
			return c, err
		}
		c = next
	}
	return c, nil
}

func (e Event) apply(c *cib.CIB, now time.Time) (*cib.CIB, error) {
	switch e.Kind {
	case NodeDown, NodeUp, NodeLeft, Standby, Online:
		return e.onNode(c, now)
	case Quorum:
		yes, err := cib.ParseBool(e.State)
		if err != nil {
			return c, fmt.Errorf("quorum: %q is neither yes nor no", e.State)
		}
		return cib.Apply(c, cib.Change{SetQuorum: &cib.SetQuorum{HaveQuorum: yes}})
	case Ticket:
		return e.onTicket(c, now)
	case Fail:
		return e.Failure.happen(c, now)
	}
	return c, fmt.Errorf("nobody knows what happens with %q", e.Kind)
}

func (e Event) onNode(c *cib.CIB, now time.Time) (*cib.CIB, error) {
	id, name, err := nodeID(c, e.Name)
	if err != nil {
		return c, fmt.Errorf("%s: %w", e.Kind, err)
	}
	set := func(s cib.NodeStatus) (*cib.CIB, error) {
		s.ID, s.Uname, s.Since = id, name, now.UnixMilli()
		return cib.Apply(c, cib.Change{NodeStatus: &s})
	}
	switch e.Kind {
	case NodeDown:
		return set(cib.NodeStatus{InCCM: "false", CRMD: "offline", Join: "down", Expected: "member", Cause: "what-if: lost"})
	case NodeUp:
		if st := c.NodeState(id); st != nil && st.Join != "member" {
			if c, err = cib.Apply(c, cib.Change{ClearNode: &cib.ClearNode{ID: id}}); err != nil {
				return c, err
			}
		}
		return set(cib.NodeStatus{InCCM: "true", CRMD: "online", Join: "member", Expected: "member", Fenced: "-", Cause: "what-if: joined"})
	case NodeLeft:
		if c, err = cib.Apply(c, cib.Change{Batch: []cib.Change{{NodeStatus: &cib.NodeStatus{ID: id, Uname: name}},
			{ClearNode: &cib.ClearNode{ID: id}}}}); err != nil {
			return c, err
		}
		return set(cib.NodeStatus{InCCM: "false", CRMD: "offline", Join: "down", Expected: "down", Cause: "what-if: left"})
	}
	return mode(c, id, name, e.Kind == Standby)
}

// mode puts a node into standby, or takes it out of that and of maintenance. Both may be set in two places.
func mode(c *cib.CIB, id, name string, standby bool) (*cib.CIB, error) {
	var batch []cib.Change
	on := "on"
	if standby {
		batch = append(batch, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: name, Name: "standby", Value: &on}})
	} else {
		for _, attr := range []string{"standby", "maintenance"} {
			if c.NodeByID(id) != nil {
				batch = append(batch, cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: name, Name: attr}})
			}
			if c.NodeState(id) != nil {
				batch = append(batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: id, Name: attr}})
			}
		}
	}
	if standby && c.NodeByID(id) == nil { // known by its state alone
		batch = []cib.Change{{SetTransient: &cib.SetTransient{NodeID: id, Name: "standby", Value: &on}}}
	}
	return cib.Apply(c, cib.Change{Batch: batch})
}

func (e Event) onTicket(c *cib.CIB, now time.Time) (*cib.CIB, error) {
	state := cib.TicketState{ID: e.Name}
	for _, t := range c.Status.Tickets {
		if t.ID == e.Name {
			state = *t
		}
	}
	switch e.State {
	case "granted":
		state.Granted, state.Standby, state.LastGranted = "true", "false", strconv.FormatInt(now.Unix(), 10)
	case "revoked":
		state.Granted = "false"
	case "standby":
		state.Standby = "true"
	case "active":
		state.Standby = "false"
	default:
		return c, fmt.Errorf("ticket %s: %q is none of granted, revoked, standby, active", e.Name, e.State)
	}
	return cib.Apply(c, cib.Change{SetTicket: &cib.SetTicket{ID: e.Name, State: &state}})
}

// happen records the failure as if it had just been reported: where no node is named, wherever the resource is active. A
// failure of an operation other than a monitor also needs no place where it is active, but then a node.
func (f Failure) happen(c *cib.CIB, now time.Time) (*cib.CIB, error) {
	if f.Operation == "" {
		f.Operation = resources.Monitor
	}
	var places []scheduler.Placement
	for _, p := range scheduler.Plan(c, now).Initial {
		base, _, _ := strings.Cut(p.Resource, ":")
		if (p.Resource == f.Resource || base == f.Resource) && (f.Node == "" || f.Node == p.Node) {
			places = append(places, p)
		}
	}
	base, _, _ := strings.Cut(f.Resource, ":")
	conf := c.Resource(base)
	if conf == nil && len(places) == 0 {
		return c, fmt.Errorf("fail: there is no resource %q; there are: %s", f.Resource, strings.Join(primitives(c), ", "))
	}
	if len(places) == 0 {
		if f.Node == "" {
			return c, fmt.Errorf("fail: %s is active nowhere: name the node, as in %s@NODE", f.Resource, f.Resource)
		}
		_, name, err := nodeID(c, f.Node)
		if err != nil {
			return c, fmt.Errorf("fail: %w", err)
		}
		places = []scheduler.Placement{{Resource: f.Resource, Node: name, Role: "Stopped"}}
	}
	for _, p := range places {
		next, err := f.record(c, conf, p, now)
		if err != nil {
			return c, err
		}
		c = next
	}
	return c, nil
}

func (f Failure) record(c *cib.CIB, conf *cib.Resource, p scheduler.Placement, now time.Time) (*cib.CIB, error) {
	st := c.NodeState(p.Node)
	if st == nil {
		return c, fmt.Errorf("fail: nothing is known of node %s", p.Node)
	}
	r := transition.Result{Node: p.Node, Resource: p.Resource, Operation: f.Operation, IntervalMS: max(f.IntervalMS, 0), RC: f.RC,
		Status: cib.OpDone, StartedMS: now.UnixMilli(), Unasked: true, CallID: outcome.NextCall(st)}
	if r.RC == 0 {
		r.RC = int(resources.GenericError)
	}
	h := historyOf(st, p.Resource)
	switch {
	case h != nil:
		r.Resource, r.Agent = h.ID, h.Agent
	case conf != nil:
		r.Resource, r.Agent = conf.ID, conf.Agent
	}
	if f.Operation == resources.Monitor && f.IntervalMS <= 0 {
		r.IntervalMS = monitorOf(conf, p.Role)
		if p.Role == "Stopped" {
			r.IntervalMS = 0 // what is not active has no recurring monitor: the probe failed
		}
	}
	if p.Role == "Promoted" && f.Operation == resources.Monitor {
		r.TargetRC = int(resources.RunningPromoted)
	}
	return cib.Apply(c, cib.Change{Batch: outcome.Changes(c, st, r, now)})
}

// monitorOf is the shortest interval of a primitive's monitors of a role; 10 s where none is configured: the failure could
// only be seen by one.
func monitorOf(conf *cib.Resource, role string) int64 {
	best := int64(0)
	if conf != nil {
		for _, op := range conf.Operations.Ops {
			ms, err := cib.ParseMilliseconds(op.Interval)
			fits := op.Role == "" || op.Role == role || op.Role == "Master" && role == "Promoted" || op.Role == "Slave" && role == "Unpromoted"
			if op.Name == resources.Monitor && err == nil && ms > 0 && fits && (best == 0 || ms < best) {
				best = ms
			}
		}
	}
	if best == 0 {
		return 10_000
	}
	return best
}

// historyOf finds the history of an instance, which may be kept under the name without number.
func historyOf(st *cib.NodeState, resource string) *cib.ResourceHistory {
	base, _, _ := strings.Cut(resource, ":")
	var found *cib.ResourceHistory
	for _, h := range st.Resources {
		b, _, _ := strings.Cut(h.ID, ":")
		if h.ID == resource {
			return h
		}
		if b == base && found == nil {
			found = h
		}
	}
	return found
}

func nodeID(c *cib.CIB, name string) (id, uname string, err error) {
	var known []string
	for _, n := range c.Configuration.Nodes {
		if n.Uname == name || n.ID == name {
			return n.ID, n.Uname, nil
		}
		known = append(known, n.Uname)
	}
	for _, s := range c.Status.Nodes {
		if s.Uname == name || s.ID == name {
			return s.ID, s.Uname, nil
		}
		if s.Uname != "" && !slices.Contains(known, s.Uname) {
			known = append(known, s.Uname)
		}
	}
	return "", "", fmt.Errorf("there is no node %q; there are: %s", name, strings.Join(known, ", "))
}

func primitives(c *cib.CIB) []string {
	var out []string
	for _, r := range c.Primitives() {
		out = append(out, r.ID)
	}
	return out
}
