package scheduler

import (
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// Result is a plan: what to do next, and why.
type Result struct {
	Graph *transition.Graph `json:"graph"`
	// Initial is what the CIB says is active now; Placements what is active once every action has succeeded.
	Initial    []Placement `json:"initial"`
	Placements []Placement `json:"placements"`
	Reasons    []Reason    `json:"reasons"`
	Blocked    []Blocked   `json:"blocked,omitempty"`
	// Problems are faults of the configuration, each with what was assumed instead.
	Problems []string `json:"problems,omitempty"`
	// Recheck is when the plan may change by the passing of time alone; zero if never.
	Recheck time.Time    `json:"recheck,omitzero"`
	Nodes   []NodeStatus `json:"nodes"`

	scores     func() []Score
	capacities func() []Capacity
	why        func(resource string) []Why
}

// Scores lists what every node was worth to every instance when it was placed. It is made on demand: in a large cluster
// it is by far the largest part of a plan.
func (r *Result) Scores() []Score {
	if r.scores == nil {
		return nil
	}
	return r.scores()
}

// Placement says that an instance is active on a node.
type Placement struct {
	Resource string `json:"resource"`
	Node     string `json:"node"`
	Role     string `json:"role"` // Started, Unpromoted, Promoted
}

// Reason is one sentence about a resource: why it is, or is not, on a node, or why something is done with it.
type Reason struct {
	Resource string `json:"resource,omitempty"`
	Node     string `json:"node,omitempty"`
	Text     string `json:"text"`
}

// Blocked is something that would have to be done and cannot be.
type Blocked struct {
	Resource  string `json:"resource,omitempty"`
	Node      string `json:"node,omitempty"`
	Operation string `json:"operation"`
	Text      string `json:"text"`
}

// Score is what a node was worth to an instance when its place was chosen. Promotion scores have no node.
type Score struct {
	Resource  string `json:"resource"`
	Node      string `json:"node"`
	Score     string `json:"score"`
	Promotion bool   `json:"promotion,omitempty"`
}

// NodeStatus is how the plan sees a node.
type NodeStatus struct {
	Name  string `json:"name"`
	State string `json:"state"` // online, offline, standby, maintenance, pending, unclean
	Why   string `json:"why,omitempty"`
}

// Plan decides what the cluster does next. It is pure: the same input gives the same result.
func Plan(c *cib.CIB, now time.Time) *Result {
	w := unpack(c, now)
	initial := w.active(false)
	w.applyConstraints()
	w.placeAll()
	w.checkParameters()
	w.actAll()
	w.actFences()
	w.actUnfencing()
	w.orderAll()
	w.orderApart()
	w.followBlocked()
	w.orderLoad()
	w.orderGuestProbes()
	w.orderRemotes()
	w.planMigrations()
	w.actShutdowns()
	w.propagate()
	w.actMigrations()
	w.actNotifications()
	w.orderRestartsAfterProbes()
	w.orderInstances()
	w.orderPromotions()
	g := w.emit()
	res := &Result{Graph: g, Initial: initial, Placements: w.active(true), Problems: w.problems, Recheck: w.recheck}
	w.explain(res)
	return res
}

// unpack interprets the CIB as a world.
func unpack(c *cib.CIB, now time.Time) *world {
	w := &world{
		cib: c, now: now.UTC(), docs: indexReferences(&c.Configuration), byName: map[string]*node{}, byID: map[string]*node{},
		byKey: map[actionKey]*action{}, fences: map[*node]*action{}, seen: map[string]bool{}, problems: []string{},
	}
	w.unpackOptions()
	w.unpackNodes()
	w.guestNodes()
	w.unpackStates()
	w.unpackTickets()
	w.unfencing = w.findUnfencing()
	w.unpackResources()
	w.unpackHistory()
	return w
}

// applyConstraints reads the constraints and lets those that do not depend on other resources change the scores.
func (w *world) applyConstraints() {
	w.unpackConstraints()
	w.groupColocations()
	w.bindContainers()
	w.bindBundles()
	w.keepOffRemotes()
	w.sortColocations()
	w.applyLocations()
	w.applyStickiness()
	w.applyHealth()
	w.applyThresholds()
	w.applyTickets()
	w.applyTargets()
	w.applyLocks()
}
