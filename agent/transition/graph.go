package transition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"paceline/agent/cib"
)

// Kind says who carries an action out.
type Kind string

// The kinds of actions.
const (
	KindResource Kind = "resource" // an executor runs an operation of a resource agent
	KindFence    Kind = "fence"    // the fencer acts on a node's power: operation off, reboot or on
	KindCluster  Kind = "cluster"  // the coordinator's own: do_shutdown, clear_failcount, lrm_delete
	KindPseudo   Kind = "pseudo"   // nobody: it marks a point that others come after
)

// Graph is a transition: actions and their order. It is acyclic. Actions are listed by ascending ID; that order is part
// of the plan (it breaks ties among actions that are ready).
type Graph struct {
	Actions []*Action `json:"actions"`
}

// RealBefore returns the actions that one waits for, directly or through pseudo actions, by ascending ID: what a person
// would call its predecessors.
func (g *Graph) RealBefore(a *Action) []*Action {
	byID := map[int]*Action{}
	for _, b := range g.Actions {
		byID[b.ID] = b
	}
	seen := map[int]bool{}
	var out []*Action
	var visit func(x *Action)
	visit = func(x *Action) {
		for _, id := range x.After {
			if seen[id] {
				continue
			}
			seen[id] = true
			if b := byID[id]; b.Kind == KindPseudo {
				visit(b)
			} else {
				out = append(out, b)
			}
		}
	}
	visit(a)
	slices.SortFunc(out, func(a, b *Action) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// Action is one step of a transition. Fields that do not apply to its kind are empty.
type Action struct {
	ID        int    `json:"id"` // unique in the graph, from 1
	Kind      Kind   `json:"kind"`
	Operation string `json:"operation"` // start stop monitor promote demote notify migrate_to migrate_from reload-agent delete cancel; off reboot on; ...
	// Key tells pseudo actions apart for people and tests ("group_running_0").
	Key          string    `json:"key,omitempty"`
	Resource     string    `json:"resource,omitempty"` // instance name: "ip:1" in a clone
	Node         string    `json:"node,omitempty"`     // the node it acts on
	Router       string    `json:"router,omitempty"`   // cluster node that carries it out for a remote or guest Node
	IntervalMS   int64     `json:"interval_ms"`        // of a monitor; of the monitor that a cancel ends
	TimeoutMS    int64     `json:"timeout_ms,omitempty"`
	StartDelayMS int64     `json:"start_delay_ms,omitempty"`
	TargetRC     int       `json:"target_rc,omitempty"` // the OCF exit code that is expected
	Agent        cib.Agent `json:"agent,omitzero"`
	// Params are the resource's instance attributes after rules; Meta the CRM_meta_* values without their prefix.
	Params map[string]string `json:"params,omitempty"`
	// Args are instance attributes whose name is a number: arguments by position, in the way of old agents. They are told
	// apart from what an agent's metadata can name; the agent is given both.
	Args        map[string]string `json:"args,omitempty"`
	Meta        map[string]string `json:"meta,omitempty"`
	Notify      string            `json:"notify,omitempty"` // pre-start, post-start, ...
	NotifyLists map[string]any    `json:"notify_lists,omitempty"`
	// Digest and RestartDigest of the parameters, to be kept with the result (cib.OpRecord).
	Digest        string `json:"digest,omitempty"`
	RestartDigest string `json:"restart_digest,omitempty"`
	Priority      int    `json:"priority,omitempty"` // higher first among those ready
	After         []int  `json:"after"`              // IDs of the actions that must be confirmed before, ascending
	Reason        string `json:"reason,omitempty"`   // why, as a sentence part: "web failed on node1"
	// ReasonCode is the machine form of why where somebody decides on it: "probe", "restart", "move", ...
	ReasonCode string `json:"reason_code,omitempty"`
}

// Numbers identify an order and its result. A result whose numbers are not those of an order in flight is late and is
// refused.
type Numbers struct {
	Term     uint64 `json:"term"`     // raft term of the coordinator
	Revision uint64 `json:"revision"` // of the CIB that was planned for
	Graph    uint64 `json:"graph"`    // number of the transition within the term
	Action   int    `json:"action"`
}

// Order asks a node's executor to carry an action out. Deadline is relative, so that clocks need not agree: the
// executor ends the operation after Action.TimeoutMS of its own monotonic clock.
type Order struct {
	Numbers Numbers `json:"numbers"`
	Action  *Action `json:"action"`
}

// Result is how an operation ended, or a change that a recurring monitor saw.
type Result struct {
	Numbers     Numbers `json:"numbers"`
	Node        string  `json:"node"`
	Incarnation string  `json:"incarnation,omitempty"` // of the daemon that ran it
	Resource    string  `json:"resource"`
	Operation   string  `json:"operation"`
	IntervalMS  int64   `json:"interval_ms"`
	CallID      int64   `json:"call_id"` // rises with each operation of a node's journal
	RC          int     `json:"rc"`      // OCF exit code
	Status      int     `json:"status"`  // cib.OpDone, OpTimeout, ...
	ExitReason  string  `json:"exit_reason,omitempty"`
	Output      string  `json:"output,omitempty"` // tail of what the agent printed, bounded
	StartedMS   int64   `json:"started_ms"`       // Unix milliseconds, for people
	TookMS      int64   `json:"took_ms"`
	// Unasked marks what no order asked for: a change seen by a recurring monitor or an event.
	Unasked bool `json:"unasked,omitempty"`
	// Event is what made a node look outside of its monitors' intervals, in words: "unit web.service is failed".
	Event string `json:"event,omitempty"`
	// Digest is that of the order, and so is RestartDigest unless ForceRestart is set.
	Agent         cib.Agent `json:"agent,omitzero"`
	Digest        string    `json:"digest,omitempty"`
	RestartDigest string    `json:"restart_digest,omitempty"`
	// ForceRestart names the parameters whose change needs a restart, where the agent can take the others over while the
	// resource runs; RestartDigest is then theirs. In the form of cib.OpRecord.
	ForceRestart string `json:"force_restart,omitempty"`
	TargetRC     int    `json:"target_rc"`
	// MigrateSource and MigrateTarget name the nodes of a migration.
	MigrateSource string `json:"migrate_source,omitempty"`
	MigrateTarget string `json:"migrate_target,omitempty"`
}

// Label names the action for people: "start web on node1".
func (a *Action) Label() string {
	if a.Key != "" {
		return a.Key
	}
	words := []string{a.Operation}
	if a.Notify != "" {
		words = append(words, "("+a.Notify+")")
	}
	if a.IntervalMS > 0 {
		words = append(words, fmt.Sprintf("(every %d ms)", a.IntervalMS))
	} else if a.Operation == "monitor" {
		words[0] = "probe"
	}
	if a.Resource != "" {
		words = append(words, a.Resource)
	}
	if a.Kind == KindFence {
		return a.Operation + " node " + a.Node
	}
	return strings.Join(append(words, "on", a.Node), " ")
}
