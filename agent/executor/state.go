package executor

import (
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/resources"
)

// Kind says what a journal line tells.
type Kind string

// The kinds of journal lines.
const (
	KindCheckpoint  Kind = "checkpoint"   // head of a rotated file: State is all that the lines before it said
	KindBoot        Kind = "boot"         // the machine was off: nothing that was active is
	KindDaemonStart Kind = "daemon-start" // a new incarnation
	KindDaemonStop  Kind = "daemon-stop"
	KindBegin       Kind = "begin"    // an operation, about to run
	KindEnd         Kind = "end"      // of an operation, with its result; of a recurring monitor only the reported ones
	KindReturned    Kind = "returned" // an agent that was given up on has returned at last
	KindForget      Kind = "forget"   // a resource (order delete) or, with Operation set, one of its recurring monitors
	KindAck         Kind = "ack"
	KindSession     Kind = "session"
	KindRefused     Kind = "refused" // a session
	KindLost        Kind = "lost"    // a session
	KindPolicy      Kind = "policy"
	KindCutOff      Kind = "cut-off" // Reason says what the node does by itself, and why
	KindPause       Kind = "pause"
	KindFenceBegin  Kind = "fence-begin"
	KindFenceEnd    Kind = "fence-end"
)

// Entry is one line of the truth journal. Fields that do not apply to its kind are empty.
//
// Action holds the parameters of the resource, passwords among them: the file has mode 0600, and whoever hands a journal
// to others masks them.
type Entry struct {
	Seq         int64               `json:"seq"` // rises by line
	Kind        Kind                `json:"kind"`
	WallMS      int64               `json:"wall_ms"` // Unix
	MonoMS      int64               `json:"mono_ms"` // since the machine's boot
	PID         int                 `json:"pid"`
	Node        string              `json:"node"`
	Boot        string              `json:"boot"`
	Incarnation string              `json:"incarnation"`
	Resource    string              `json:"resource,omitempty"`
	Operation   string              `json:"operation,omitempty"`
	IntervalMS  int64               `json:"interval_ms,omitempty"`
	CallID      int64               `json:"call_id,omitempty"`
	Numbers     *transition.Numbers `json:"numbers,omitempty"`
	BeganMS     int64               `json:"began_mono_ms,omitempty"` // of an end: when its agent began, like MonoMS
	SelfStop    bool                `json:"self_stop,omitempty"`
	Quiet       bool                `json:"quiet,omitempty"` // the result is as expected and is not sent
	Action      *transition.Action  `json:"action,omitempty"`
	Result      *transition.Result  `json:"result,omitempty"`
	Session     *SessionLine        `json:"session,omitempty"`
	Policy      *Policy             `json:"policy,omitempty"`
	Fence       *FenceLine          `json:"fence,omitempty"`
	Reason      string              `json:"reason,omitempty"`
	State       *State              `json:"state,omitempty"`
}

// SessionLine tells of a session in the journal.
type SessionLine struct {
	Term        uint64        `json:"term"`
	Coordinator string        `json:"coordinator"`
	Cluster     string        `json:"cluster"`
	NodeLease   time.Duration `json:"node_lease"`
}

// FenceLine tells of a fence order in the journal, without the device's parameters.
type FenceLine struct {
	Term   uint64 `json:"term"`
	View   uint64 `json:"view"`
	Fence  uint64 `json:"fence"`
	Step   int    `json:"step"`
	Device string `json:"device"`
	Action string `json:"action"`
	Target string `json:"target"`
	OK     bool   `json:"ok,omitempty"`
}

// Role is what is known of a resource that may be active.
type Role string

// The roles of an active resource.
const (
	RoleUnsure   Role = "unsure" // it may be active: an operation runs, failed, or was cut short
	RoleStarted  Role = "started"
	RolePromoted Role = "promoted" // or may be
)

// Active is a resource that is, or may be, active on the node.
type Active struct {
	Resource  string             `json:"resource"`
	Role      Role               `json:"role"`
	Order     int64              `json:"order"`  // rises in the order of the starts
	Action    *transition.Action `json:"action"` // that started or found it
	Unmanaged bool               `json:"unmanaged,omitempty"`
	// Promotable is set once it was promoted or demoted.
	Promotable bool `json:"promotable,omitempty"`
}

// Recurring is a recurring monitor.
type Recurring struct {
	Action  *transition.Action `json:"action"`
	Numbers transition.Numbers `json:"numbers"`
	RC      int                `json:"rc"` // last reported
	Status  int                `json:"status"`
}

// Open is an operation that has begun and not ended.
type Open struct {
	CallID  int64              `json:"call_id"`
	Action  *transition.Action `json:"action"`
	BeganMS int64              `json:"began_mono_ms"`
}

// State is what a journal says, line by line. It is a step machine: Apply takes one line in.
type State struct {
	Seq         int64               `json:"seq"`
	Boot        string              `json:"boot"`
	Incarnation string              `json:"incarnation"`
	CallID      int64               `json:"call_id"` // the highest given out
	Term        uint64              `json:"term"`    // the highest seen
	Coordinator string              `json:"coordinator"`
	Cluster     string              `json:"cluster"`
	NodeLease   time.Duration       `json:"node_lease"`
	Policy      Policy              `json:"policy"`
	Active      []Active            `json:"active"` // in the order of the starts
	Recurring   []Recurring         `json:"recurring"`
	Open        []Open              `json:"open"`
	Unacked     []transition.Result `json:"unacked"` // by call number
}

// ActiveSet returns what the lines say to be active, in the order of the starts.
func ActiveSet(entries []Entry) []Active { return Fold(entries).Active }

// Fold applies the entries to an empty State.
func Fold(entries []Entry) State {
	var s State
	for _, e := range entries {
		s.Apply(e)
	}
	return s
}

// clone copies what Apply may change in place; actions and results are never changed.
func (s *State) clone() State {
	c := *s
	c.Active = slices.Clone(s.Active)
	c.Recurring = slices.Clone(s.Recurring)
	c.Open = slices.Clone(s.Open)
	c.Unacked = slices.Clone(s.Unacked)
	return c
}

// Apply takes one line in. Any line is tolerated, in any order.
func (s *State) Apply(e Entry) {
	switch e.Kind {
	case KindCheckpoint:
		if e.State != nil {
			*s = e.State.clone()
			s.sanitize()
		}
	case KindBoot:
		s.Boot = e.Boot
		s.Active, s.Recurring, s.Open, s.Unacked = nil, nil, nil, nil
	case KindDaemonStart:
		s.Boot, s.Incarnation = e.Boot, e.Incarnation
	case KindBegin:
		s.begin(e)
	case KindEnd:
		s.end(e)
	case KindForget:
		s.forget(e.Resource, e.Operation, e.IntervalMS)
	case KindAck:
		s.Unacked = slices.DeleteFunc(s.Unacked, func(r transition.Result) bool { return r.CallID == e.CallID })
	case KindSession:
		if n := e.Session; n != nil {
			s.Term, s.Coordinator, s.Cluster, s.NodeLease = n.Term, n.Coordinator, n.Cluster, n.NodeLease
		}
		s.setPolicy(e.Policy)
	case KindPolicy:
		s.setPolicy(e.Policy)
	}
	s.Seq = max(s.Seq, e.Seq)
	s.CallID = max(s.CallID, e.CallID)
}

// sanitize drops what a damaged checkpoint may hold and the rest relies on not to be there.
func (s *State) sanitize() {
	s.Active = slices.DeleteFunc(s.Active, func(a Active) bool { return a.Action == nil || a.Resource == "" })
	s.Recurring = slices.DeleteFunc(s.Recurring, func(r Recurring) bool { return r.Action == nil })
	s.Open = slices.DeleteFunc(s.Open, func(o Open) bool { return o.Action == nil })
}

func (s *State) setPolicy(p *Policy) {
	if p == nil {
		return
	}
	s.Policy = *p
	if p.Unmanaged == nil {
		return
	}
	for i := range s.Active {
		s.Active[i].Unmanaged = p.leavesAlone(s.Active[i].Resource)
	}
}

// leavesAlone says whether the policy names a resource, or the primitive that it is an instance of.
func (p *Policy) leavesAlone(resource string) bool {
	base, _, _ := strings.Cut(resource, ":")
	return slices.Contains(p.Unmanaged, resource) || slices.Contains(p.Unmanaged, base)
}

func (s *State) find(resource string) *Active {
	for i := range s.Active {
		if s.Active[i].Resource == resource {
			return &s.Active[i]
		}
	}
	return nil
}

func (s *State) recurring(resource, operation string, intervalMS int64) *Recurring {
	for i := range s.Recurring {
		a := s.Recurring[i].Action
		if a.Resource == resource && a.Operation == operation && a.IntervalMS == intervalMS {
			return &s.Recurring[i]
		}
	}
	return nil
}

func (s *State) forget(resource, operation string, intervalMS int64) {
	s.Recurring = slices.DeleteFunc(s.Recurring, func(r Recurring) bool {
		return r.Action.Resource == resource &&
			(operation == "" || operation == r.Action.Operation && intervalMS == r.Action.IntervalMS)
	})
	if operation == "" {
		s.remove(resource)
	}
}

func (s *State) remove(resource string) {
	s.Active = slices.DeleteFunc(s.Active, func(a Active) bool { return a.Resource == resource })
}

func (s *State) add(e Entry, a *transition.Action, role Role) {
	if x := s.find(e.Resource); x != nil {
		x.Role = role
		return
	}
	s.Active = append(s.Active, Active{Resource: e.Resource, Role: role, Order: e.Seq, Action: a, Unmanaged: s.unmanaged(a, false)})
}

// unmanaged tells whether a resource is to be left alone, from the policy or else the meta attributes of an order.
func (s *State) unmanaged(a *transition.Action, before bool) bool {
	if s.Policy.Unmanaged != nil {
		return s.Policy.leavesAlone(a.Resource)
	}
	managed, known := a.Meta["is-managed"], false
	if managed == "" {
		managed = a.Meta["is_managed"]
	}
	if managed != "" {
		known = true
	}
	if m := a.Meta["maintenance"]; m != "" {
		if isTrue(m) {
			return true
		}
		known = true
	}
	if known {
		return managed != "" && !isTrue(managed)
	}
	return before
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "true", "on", "yes", "y", "1":
		return true
	}
	return false
}

// activates says whether an operation may make an inactive resource active.
func activates(operation string) bool {
	return operation == resources.Start || operation == resources.MigrateFrom
}

func (s *State) begin(e Entry) {
	if e.Action == nil || e.Resource == "" || e.Action.Resource != e.Resource {
		return
	}
	s.Open = append(s.Open, Open{CallID: e.CallID, Action: e.Action, BeganMS: e.MonoMS})
	switch {
	case activates(e.Operation):
		if x := s.find(e.Resource); x != nil {
			x.Action = e.Action // its parameters are the newest
		}
		s.add(e, e.Action, RoleUnsure)
	case e.Operation == resources.Promote:
		s.add(e, e.Action, RolePromoted)
	case e.Operation == resources.Stop:
		s.forgetRecurring(e.Resource)
	}
	if x := s.find(e.Resource); x != nil {
		x.Promotable = x.Promotable || e.Operation == resources.Promote || e.Operation == resources.Demote
		// An order to change something is only given to what is managed; a monitor tells nothing if it says nothing.
		x.Unmanaged = s.unmanaged(e.Action, x.Unmanaged && e.Operation == resources.Monitor)
	}
}

func (s *State) forgetRecurring(resource string) {
	s.Recurring = slices.DeleteFunc(s.Recurring, func(r Recurring) bool { return r.Action.Resource == resource })
}

func (s *State) end(e Entry) {
	var action *transition.Action
	for i, o := range s.Open {
		if o.CallID == e.CallID {
			action = o.Action
			s.Open = slices.Delete(s.Open, i, i+1)
			break
		}
	}
	r := e.Result
	if r == nil {
		return
	}
	if !e.Quiet {
		s.keep(*r)
	}
	if r.Status == cib.OpCancelled {
		return // the agent never ran
	}
	if e.IntervalMS > 0 {
		if x := s.recurring(e.Resource, e.Operation, e.IntervalMS); x != nil {
			x.RC, x.Status = r.RC, r.Status
			if action != nil {
				x.Action, x.Numbers = action, r.Numbers
			}
		} else if action != nil && action.IntervalMS > 0 {
			s.Recurring = append(s.Recurring, Recurring{Action: action, Numbers: r.Numbers, RC: r.RC, Status: r.Status})
		}
	}
	s.learn(e, action, *r)
}

// learn draws from a result what it says about the resource being active.
func (s *State) learn(e Entry, action *transition.Action, r transition.Result) {
	x := s.find(e.Resource)
	ok := r.Status == cib.OpDone && r.RC == int(resources.OK)
	switch e.Operation {
	case resources.Start, resources.MigrateFrom:
		if x != nil && ok {
			x.Role = RoleStarted
		}
	case resources.Stop:
		if ok {
			s.remove(e.Resource)
		} else if x != nil {
			x.Role = RoleUnsure
		}
	case resources.Promote:
		if x != nil {
			x.Role = RolePromoted // also after a failure: it may be
		}
	case resources.Demote:
		if x != nil && ok {
			x.Role = RoleStarted
		}
	case resources.ReloadAgent:
		if x != nil && ok && action != nil {
			x.Action = action // its parameters are the newest
		}
	case resources.Monitor:
		s.learnMonitor(e, x, action, r)
	}
}

func (s *State) learnMonitor(e Entry, x *Active, action *transition.Action, r transition.Result) {
	role := RoleUnsure
	if r.Status == cib.OpDone {
		switch resources.ExitCode(r.RC) {
		case resources.OK, resources.Degraded:
			role = RoleStarted
		case resources.RunningPromoted, resources.DegradedPromoted, resources.FailedPromoted:
			role = RolePromoted
		case resources.NotRunning:
			if e.IntervalMS == 0 {
				s.remove(e.Resource) // probed as not running
				return
			}
		case resources.GenericError:
		default:
			if x == nil {
				return // the agent could not even look: nothing says that there is something
			}
		}
	} else if x == nil && r.Status != cib.OpTimeout {
		return
	}
	if x != nil {
		x.Role = role
	} else if action != nil && e.IntervalMS == 0 {
		s.add(e, action, role) // a probe found it
	}
}

// keep adds a result to those not acknowledged.
func (s *State) keep(r transition.Result) {
	if r.CallID == 0 {
		return
	}
	at, found := slices.BinarySearchFunc(s.Unacked, r.CallID, func(x transition.Result, id int64) int {
		return int(x.CallID - id)
	})
	if found {
		s.Unacked[at] = r
		return
	}
	s.Unacked = slices.Insert(s.Unacked, at, r)
	if len(s.Unacked) <= OutboxMax {
		return
	}
	for i := len(s.Unacked) - 1; i >= 0; i-- {
		x := &s.Unacked[i]
		if i != at && x.Resource == r.Resource && x.Operation == r.Operation && x.IntervalMS == r.IntervalMS && x.CallID < r.CallID {
			s.Unacked = slices.Delete(s.Unacked, i, i+1)
			return
		}
	}
	if len(s.Unacked) > 4*OutboxMax {
		s.Unacked = slices.Delete(s.Unacked, 0, 1) // thousands of different ones: the oldest says least
	}
}
