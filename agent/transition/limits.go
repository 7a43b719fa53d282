package transition

import "time"

// The limits of a transition, each with its reason.
const (
	// BatchDefault bounds orders in flight in the cluster: enough to keep 32 nodes busy, few enough that their results
	// fit into a handful of commits.
	BatchDefault = 128
	// PerNodeDefault bounds orders in flight per node, so that a mass start does not starve the node's own monitors.
	PerNodeDefault = 32
	// Grace is added to an operation's own budget before the coordinator gives up on its result: executors enforce the
	// budget; this covers their killing a hung agent, the journal's sync and the network.
	Grace = 10 * time.Second
	// TimeoutDefault is the budget of an operation that has none (Pacemaker's default-action-timeout).
	TimeoutDefault = 20 * time.Second
)
