package api

import (
	"time"

	"paceline/agent/cib"
)

// CIBReply is the whole state.
type CIBReply struct {
	Schema         int      `json:"schema"`
	Revision       uint64   `json:"revision"`
	ConfigRevision uint64   `json:"config_revision"`
	CIB            *cib.CIB `json:"cib"`
}

// ConfigurationReply is the configuration at a revision.
type ConfigurationReply struct {
	Schema        int                `json:"schema"`
	Revision      uint64             `json:"revision"`
	Configuration *cib.Configuration `json:"configuration"`
}

// ChangeRequest asks for a change of the configuration. Exactly one of Change and Configuration is set.
type ChangeRequest struct {
	Change *cib.Change `json:"change,omitempty"`
	// Configuration is wanted as a whole (load replace, rollback).
	Configuration *cib.Configuration `json:"configuration,omitempty"`
	// BaseRevision is the configuration revision that the change was made against; the change is refused if the
	// configuration has moved on. 0 does not check.
	BaseRevision uint64 `json:"base_revision,omitempty"`
	Message      string `json:"message,omitempty"`
	DryRun       bool   `json:"dry_run,omitempty"` // validate and preview only
	// Yes goes on although the change takes the last copy of something down.
	Yes bool `json:"yes,omitempty"`
	// Wait, if not 0, lets the reply come when the cluster has settled, or when this time has passed.
	Wait Duration `json:"wait,omitempty"`
}

// ChangeReply is the outcome of any write.
type ChangeReply struct {
	Schema         int       `json:"schema"`
	Revision       uint64    `json:"revision"`        // of the state after the commit; of the current one in a dry run
	ConfigRevision uint64    `json:"config_revision"` // the name of the commit in the history
	DryRun         bool      `json:"dry_run,omitempty"`
	Changes        []Change  `json:"changes"`  // what changed in the configuration, in words
	Actions        []Action  `json:"actions"`  // what the cluster does about it
	Problems       []Problem `json:"problems"` // warnings; errors refuse the change
	Settled        bool      `json:"settled"`  // with a wait: the cluster has settled
	// Confirm says in a dry run for what a confirmation will be needed.
	Confirm string `json:"confirm,omitempty"`
	// Failures happened during the wait.
	Failures []Failure `json:"failures,omitempty"`
	// Notes are for the person who asked: what was left behind, what to do next.
	Notes []string `json:"notes,omitempty"`
}

// Change is one difference between two configurations.
type Change struct {
	Object string `json:"object"`
	Kind   string `json:"kind"` // added removed changed moved
	Text   string `json:"text"`
}

// Commit is one change of the configuration in the history.
type Commit struct {
	Revision uint64    `json:"revision"`
	Time     time.Time `json:"time"`
	User     string    `json:"user"`
	Message  string    `json:"message,omitempty"`
	Changes  []Change  `json:"changes"`
}

// HistoryReply lists commits, newest first.
type HistoryReply struct {
	Schema  int      `json:"schema"`
	Commits []Commit `json:"commits"`
}

// NodeRequest changes the mode of a node (standby, online, maintenance, ready).
type NodeRequest struct {
	// UntilReboot lets a standby end when the node leaves the cluster or reboots.
	UntilReboot bool `json:"until_reboot,omitempty"`
	// Ask wants to be asked before what runs on the node moves away; without it only what would stop is asked about.
	Ask     bool     `json:"ask,omitempty"`
	Message string   `json:"message,omitempty"`
	DryRun  bool     `json:"dry_run,omitempty"`
	Yes     bool     `json:"yes,omitempty"`
	Wait    Duration `json:"wait,omitempty"`
}

// ResourceRequest acts on a resource.
type ResourceRequest struct {
	Node    string   `json:"node,omitempty"`  // move: where to (empty: away)
	Stay    bool     `json:"stay,omitempty"`  // move: keep the preference
	Until   Duration `json:"until,omitempty"` // move, ban: keep the preference for so long
	Off     bool     `json:"off,omitempty"`   // maintenance: end it
	Message string   `json:"message,omitempty"`
	DryRun  bool     `json:"dry_run,omitempty"`
	Yes     bool     `json:"yes,omitempty"`
	Wait    Duration `json:"wait,omitempty"`
}

// CleanupRequest asks to forget failures. Empty fields mean all.
type CleanupRequest struct {
	Resource string   `json:"resource,omitempty"`
	Node     string   `json:"node,omitempty"`
	DryRun   bool     `json:"dry_run,omitempty"`
	Wait     Duration `json:"wait,omitempty"`
}

// FenceRequest asks for a node to be fenced.
type FenceRequest struct {
	Node string `json:"node"`
	// Action is off, reboot (default: the cluster's fencing action), on, or test: every device that would fence the node is asked
	// whether it could, and its power is not touched.
	Action    string `json:"action,omitempty"`
	Confirmed bool   `json:"confirmed,omitempty"`
	Yes       bool   `json:"yes,omitempty"`
	DryRun    bool   `json:"dry_run,omitempty"` // say what would happen, and cut no power
	// Wait, if not 0, lets the reply come when what ran there is recovered too, or when this time has passed.
	Wait Duration `json:"wait,omitempty"`
	User string   `json:"-"` // set by the server
}

// FenceReply is how a fencing ended.
type FenceReply struct {
	Schema int        `json:"schema"`
	DryRun bool       `json:"dry_run,omitempty"` // nothing was fenced
	Event  FenceEvent `json:"event"`
	// Actions are in a dry run what the cluster would do, the fencing included.
	Actions []Action `json:"actions,omitempty"`
	Confirm string   `json:"confirm,omitempty"` // in a dry run: for what a confirmation will be needed
	Settled bool     `json:"settled"`           // with a wait: the cluster has settled
	Why     string   `json:"why,omitempty"`     // with a wait: what it waits for still
}

// WaitReply says how a wait ended.
type WaitReply struct {
	Schema   int      `json:"schema"`
	Settled  bool     `json:"settled"`
	Revision uint64   `json:"revision"`
	Pending  []Action `json:"pending"`
	Why      string   `json:"why,omitempty"` // not settled: what it waits for
}

// Explanation says why a resource runs where it runs, or does not, in sentences.
type Explanation struct {
	Schema   int               `json:"schema"`
	Resource string            `json:"resource,omitempty"`
	Node     string            `json:"node,omitempty"` // of an explanation of a node
	Revision uint64            `json:"revision"`
	Summary  []string          `json:"summary"` // what is, and why
	Nodes    []NodeExplanation `json:"nodes"`
	Causes   []Cause           `json:"causes"` // the same in machine form
	// Would list commands that would change it.
	Would []string `json:"would"`
}

// NodeExplanation is the verdict on one node.
type NodeExplanation struct {
	Node    string   `json:"node"`
	Verdict string   `json:"verdict"` // "runs here", "may run here", "cannot run here"
	Reasons []string `json:"reasons"`
}

// InitRequest makes a cluster. Empty fields get defaults: Node the host name, Cluster "paceline", Profile "lan", Address the
// source address of the default route.
type InitRequest struct {
	Cluster string `json:"cluster,omitempty"`
	Node    string `json:"node,omitempty"`
	Address string `json:"address,omitempty"`
	// Links are further IP addresses of this node, on networks of their own, in an order that is the same on all nodes.
	Links      []string `json:"links,omitempty"`
	GossipPort int      `json:"gossip_port,omitempty"`
	PeerPort   int      `json:"peer_port,omitempty"`
	Profile    string   `json:"profile,omitempty"`
	// Watchdog is this machine's, "/dev/watchdog" or "unix:PATH" of a stand-in, and WatchdogTimeout its time-out in seconds.
	Watchdog        string `json:"watchdog,omitempty"`
	WatchdogTimeout int    `json:"watchdog_timeout,omitempty"`
	// SBD are the shared disks for poison pills, as this machine names them.
	SBD []string `json:"sbd,omitempty"`
}

// InitReply describes the new cluster.
type InitReply struct {
	Schema  int       `json:"schema"`
	Cluster string    `json:"cluster"`
	Node    string    `json:"node"`
	Address string    `json:"address"`
	Token   string    `json:"token"` // for the next node
	Expires time.Time `json:"expires"`
	// Fencing is how the nodes could be fenced: nothing of it is configured.
	Fencing FencingProposal `json:"fencing"`
}

// JoinRequest joins a cluster. Empty fields get the defaults of InitRequest.
type JoinRequest struct {
	Token      string   `json:"token"`
	Node       string   `json:"node,omitempty"`
	Address    string   `json:"address,omitempty"`
	Links      []string `json:"links,omitempty"` // as in InitRequest
	GossipPort int      `json:"gossip_port,omitempty"`
	PeerPort   int      `json:"peer_port,omitempty"`
	Witness    bool     `json:"witness,omitempty"` // vote, but run nothing
	// Watchdog is this machine's, "/dev/watchdog" or "unix:PATH" of a stand-in, and WatchdogTimeout its time-out in seconds.
	Watchdog        string `json:"watchdog,omitempty"`
	WatchdogTimeout int    `json:"watchdog_timeout,omitempty"`
	// SBD are the shared disks for poison pills, as this machine names them.
	SBD []string `json:"sbd,omitempty"`
}

// JoinReply describes the membership.
type JoinReply struct {
	Schema  int    `json:"schema"`
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	Address string `json:"address"`
	Role    string `json:"role"`
}

// TokenRequest asks for a join token.
type TokenRequest struct {
	TTL Duration `json:"ttl,omitempty"` // default TokenTTL
}

// TokenReply is a join token: a secret.
type TokenReply struct {
	Schema  int       `json:"schema"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// LeaveRequest takes a node out of the cluster.
type LeaveRequest struct {
	Node   string `json:"node,omitempty"` // empty: this node
	Yes    bool   `json:"yes,omitempty"`
	DryRun bool   `json:"dry_run,omitempty"` // say what would happen only
}

// LeaveReply confirms.
type LeaveReply struct {
	Schema int    `json:"schema"`
	Node   string `json:"node"`
	DryRun bool   `json:"dry_run,omitempty"` // it has not left
	// Actions are in a dry run what the cluster would do before.
	Actions []Action `json:"actions,omitempty"`
	Confirm string   `json:"confirm,omitempty"` // in a dry run: for what a confirmation will be needed
}

// ForceQuorumRequest makes this node the only voter.
type ForceQuorumRequest struct {
	Yes bool `json:"yes,omitempty"` // the risk is understood
}

// ForceQuorumReply confirms.
type ForceQuorumReply struct {
	Schema int    `json:"schema"`
	Node   string `json:"node"`
}

// Health is a daemon's own state.
type Health struct {
	Schema      int       `json:"schema"`
	Node        string    `json:"node"`
	Version     string    `json:"version"`
	Cluster     string    `json:"cluster,omitempty"` // empty: not configured
	Coordinator string    `json:"coordinator,omitempty"`
	Quorate     bool      `json:"quorate"`
	OK          bool      `json:"ok"`
	Problems    []Problem `json:"problems"`
}

// WatchEvent is one line of the watch stream: a Status, or (with neither) a heartbeat.
type WatchEvent struct {
	Schema int     `json:"schema"`
	Status *Status `json:"status,omitempty"`
	Error  *Error  `json:"error,omitempty"` // the last line of a stream that failed
}

// Duration is a time.Duration that reads and writes as text ("90s").
type Duration time.Duration

// MarshalText writes the duration as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads what time.ParseDuration reads.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}
