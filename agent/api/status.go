package api

import "time"

// Schema is the version of all replies. It changes only if a field would change its meaning.
const Schema = 1

// Status is the state of the cluster for people and programs.
type Status struct {
	Schema         int       `json:"schema"`
	Cluster        string    `json:"cluster"`
	Node           string    `json:"node"` // who answered
	Version        string    `json:"version,omitempty"`
	Time           time.Time `json:"time"`
	Stale          bool      `json:"stale"`
	StaleReason    string    `json:"stale_reason,omitempty"`
	Coordinator    string    `json:"coordinator,omitempty"` // empty: none
	Term           uint64    `json:"term,omitempty"`
	Quorum         Quorum    `json:"quorum"`
	Protected      Protected `json:"protected"`
	Revision       uint64    `json:"revision"`
	ConfigRevision uint64    `json:"config_revision"`
	LastChange     *Commit   `json:"last_change,omitempty"`
	Maintenance    bool      `json:"maintenance"` // of the whole cluster

	Nodes      []Node       `json:"nodes"`
	Links      []Link       `json:"links,omitempty"` // of the node that answers, to each node with which it has several
	Resources  []Resource   `json:"resources"`
	Counts     Counts       `json:"counts"`
	Failures   []Failure    `json:"failures"`
	Fencing    Fencing      `json:"fencing"`
	Transition Transition   `json:"transition"`
	Leftovers  []Constraint `json:"leftovers"` // constraints that a move or ban left
	Tickets    []Ticket     `json:"tickets,omitempty"`
	Problems   []Problem    `json:"problems"`
}

// Quorum is the verdict on whether this side may act, with its reason in words.
type Quorum struct {
	Quorate bool   `json:"quorate"`
	Reason  string `json:"reason"`
	Votes   int    `json:"votes"`  // present
	Total   int    `json:"total"`  // of voters
	Needed  int    `json:"needed"` // for quorum
	// Changing: the coordinator is adding or removing a voter; until that is done, the others may count otherwise.
	Changing bool   `json:"changing,omitempty"`
	Witness  string `json:"witness,omitempty"`
}

// States of links.
const (
	LinkUp     = "up"
	LinkDown   = "down"   // it does not answer, and another link to the same node does
	LinkSilent = "silent" // no link to the node answers
)

// Link is one of several networks over which two nodes reach each other, as one of them sees it.
type Link struct {
	Node      string    `json:"node"`    // the other node
	Link      int       `json:"link"`    // number of the network, from 0
	From      string    `json:"from"`    // address on this side
	Address   string    `json:"address"` // address of the other node
	State     string    `json:"state"`
	Since     time.Time `json:"since"`                // of State
	RoundTrip Duration  `json:"round_trip,omitempty"` // of the last probe that was answered
}

// Protected says whether the cluster's promise (never run anything twice, recover what fails) holds now.
type Protected struct {
	Yes     bool     `json:"yes"`
	Because []string `json:"because"` // reasons, the gravest first
}

// NodeState is the state of a node in one word.
type NodeState string

// The states of nodes. Where several hold, the first of this list is shown.
const (
	NodeUnclean     NodeState = "unclean"     // must be fenced before its resources are recovered
	NodeRestarting  NodeState = "restarting"  // its daemon starts anew, as it announced; what runs there runs on
	NodePending     NodeState = "pending"     // alive, not yet ready for orders
	NodeLeaving     NodeState = "leaving"     // asked to leave; its resources move away first
	NodeLeft        NodeState = "left"        // stopped in good order
	NodeOffline     NodeState = "offline"     // gone, and known to be down
	NodeMaintenance NodeState = "maintenance" // resources run on, unattended
	NodeStandby     NodeState = "standby"     // runs no resources
	NodeOnline      NodeState = "online"
)

// Roles of nodes.
const (
	RoleVoter   = "voter"
	RoleMember  = "member"  // runs resources, has no vote
	RoleWitness = "witness" // votes, runs no resources
	RoleRemote  = "remote"
)

// RoleUnknown is the role of a resource of which this node cannot know where it runs: it has heard nobody since it started.
const RoleUnknown = "Unknown"

// Node is one node.
type Node struct {
	Name        string    `json:"name"`
	ID          string    `json:"id"`
	State       NodeState `json:"state"`
	Online      bool      `json:"online"` // alive, whatever State says
	Role        string    `json:"role"`
	Coordinator bool      `json:"coordinator,omitempty"`
	Address     string    `json:"address,omitempty"`
	Version     string    `json:"version,omitempty"`
	Incarnation string    `json:"incarnation,omitempty"`
	Session     bool      `json:"session"` // the coordinator can give it orders
	Since       time.Time `json:"since,omitzero"`
	Cause       string    `json:"cause,omitempty"`
	Resources   []string  `json:"resources"` // IDs of instances active on it
}

// Resource is a primitive instance, or a group, clone or bundle with its children.
type Resource struct {
	ID      string   `json:"id"`
	Kind    string   `json:"kind"`            // primitive group clone bundle
	Agent   string   `json:"agent,omitempty"` // class:provider:type
	Role    string   `json:"role"`            // of a primitive: Started Stopped Promoted Unpromoted, or Unknown; of a collection: the best of its children
	Nodes   []string `json:"nodes"`           // where it is active
	Managed bool     `json:"managed"`
	// Disabled says that a person stopped it (target-role).
	Disabled    bool   `json:"disabled,omitempty"`
	Maintenance bool   `json:"maintenance,omitempty"`
	Promotable  bool   `json:"promotable,omitempty"` // clone
	Failed      bool   `json:"failed"`
	Blocked     string `json:"blocked,omitempty"` // why nothing is done about it, in words
	Why         string `json:"why,omitempty"`     // primitive: why it runs nowhere, where nobody stopped it, in words
	Orphan      bool   `json:"orphan,omitempty"`  // runs, and is no longer configured
	// Pending is the operation under way ("start on node2").
	Pending    string     `json:"pending,omitempty"`
	TargetRole string     `json:"target_role,omitempty"`
	Instances  []Instance `json:"instances,omitempty"` // primitive: one for each node it is active or failed on
	Children   []Resource `json:"children,omitempty"`
}

// Instance is a primitive on one node.
type Instance struct {
	Name string `json:"name"` // "ip", or "ip:1" of a unique clone
	Node string `json:"node"`
	Role string `json:"role"`
	// Failed instances have a record in Failures.
	Failed bool `json:"failed,omitempty"`
}

// Counts sum the status up.
type Counts struct {
	Nodes     int `json:"nodes"`
	Online    int `json:"online"`
	Resources int `json:"resources"` // primitive instances configured
	Active    int `json:"active"`
	Disabled  int `json:"disabled"`
	Blocked   int `json:"blocked"`
	Failed    int `json:"failed"`
}

// Failure is a failed operation that nobody has cleaned up and that has not expired.
type Failure struct {
	Resource   string    `json:"resource"`
	Node       string    `json:"node"`
	Operation  string    `json:"operation"`
	IntervalMS int64     `json:"interval_ms"`
	RC         int       `json:"rc"`
	RCText     string    `json:"rc_text"`
	Status     string    `json:"status"` // done timeout error ...
	Reason     string    `json:"reason,omitempty"`
	When       time.Time `json:"when,omitzero"`
	Count      string    `json:"count,omitempty"` // fail count on that node: a number, or INFINITY
}

// Fencing is what is known of fencing.
type Fencing struct {
	Enabled bool           `json:"enabled"`
	Devices []string       `json:"devices"` // IDs
	Pending []FencePending `json:"pending"`
	Last    []FenceEvent   `json:"last"` // newest first
	// Tested says when the fencing of each node was last shown to work; a node that is not among them never was.
	Tested []FenceTest `json:"tested"`
	// Blocked says what recovery waits for, in words.
	Blocked []string `json:"blocked"`
	// Watchdog says how nodes are presumed dead by their own watchdogs; null where they are not.
	Watchdog *WatchdogFencing `json:"watchdog,omitempty"`
	// Pills says which nodes poison pills reach over shared disks; null where no device sends them.
	Pills *PillFencing `json:"pills,omitempty"`
}

// PillFencing is fencing by poison pills over shared disks.
type PillFencing struct {
	Reached     []string `json:"reached"`
	Unreached   []string `json:"unreached"` // nodes that do not read the disks
	MessageWait Duration `json:"message_wait,omitempty"`
	Useless     string   `json:"useless,omitempty"` // why no pill counts at all
	Only        bool     `json:"only,omitempty"`    // there is no other device
}

// WatchdogFencing is fencing without a device: a lost node was surely reset by its own watchdog after a time.
type WatchdogFencing struct {
	Armed   []WatchdogNode `json:"armed"`
	Unarmed []string       `json:"unarmed"`           // nodes that nobody may presume dead
	Useless string         `json:"useless,omitempty"` // why no node is presumed dead at all
}

// WatchdogNode is a node whose watchdog is armed.
type WatchdogNode struct {
	Node         string   `json:"node"`
	PresumedDead Duration `json:"presumed_dead"` // how long after its last session it is dead in truth
}

// FencePending is a fencing under way, or one that cannot go on.
type FencePending struct {
	Target  string    `json:"target"`
	Action  string    `json:"action"`
	Since   time.Time `json:"since"`
	Attempt int       `json:"attempt,omitempty"`
	Device  string    `json:"device,omitempty"`
	Detail  string    `json:"detail,omitempty"` // why the last attempt failed
	// Blocked is not empty when no further attempt can succeed by itself: why, in words.
	Blocked string `json:"blocked,omitempty"`
}

// FenceEvent is one fencing that ended.
type FenceEvent struct {
	Target    string    `json:"target"`
	Action    string    `json:"action"`
	Device    string    `json:"device,omitempty"`
	Executor  string    `json:"executor,omitempty"`
	Origin    string    `json:"origin,omitempty"`
	OK        bool      `json:"ok"`
	Detail    string    `json:"detail,omitempty"`
	Started   time.Time `json:"started"`
	Completed time.Time `json:"completed,omitzero"`
}

// Transition is the plan being carried out.
type Transition struct {
	Running bool `json:"running"`
	// Idle: nothing was to be done at the revision that was last planned for, and nothing is in flight or awaited. Only the
	// coordinator knows: it is false in a stale status.
	Idle     bool     `json:"idle"`
	Graph    uint64   `json:"graph,omitempty"`
	Revision uint64   `json:"revision,omitempty"` // it was planned for
	Done     int      `json:"done"`
	Total    int      `json:"total"`
	Pending  []Action `json:"pending"` // in flight, then waiting
}

// Action is one step of a plan, for people.
type Action struct {
	Operation string    `json:"operation"`
	Resource  string    `json:"resource,omitempty"`
	Node      string    `json:"node,omitempty"`
	Reason    string    `json:"reason,omitempty"`
	InFlight  bool      `json:"in_flight,omitempty"`
	Since     time.Time `json:"since,omitzero"`
}

// Constraint describes a constraint that a command made.
type Constraint struct {
	ID       string    `json:"id"`
	Resource string    `json:"resource"`
	Node     string    `json:"node,omitempty"`
	Text     string    `json:"text"`
	Expires  time.Time `json:"expires,omitzero"`
}

// Ticket is the state of a multi-site ticket at this site.
type Ticket struct {
	ID      string `json:"id"`
	Granted bool   `json:"granted"`
	Standby bool   `json:"standby,omitempty"`
}

// Severities of problems.
const (
	SeverityError   = "error"
	SeverityWarning = "warning"
)

// Problem is a named finding: of the configuration, or of the running cluster.
type Problem struct {
	Name      string    `json:"name"` // stable: "no-fencing", "node-unclean", "clock-skew"
	Severity  string    `json:"severity"`
	Object    string    `json:"object,omitempty"`
	Attribute string    `json:"attribute,omitempty"`
	What      string    `json:"what"`
	Hint      string    `json:"hint,omitempty"`
	Since     time.Time `json:"since,omitzero"`
}
