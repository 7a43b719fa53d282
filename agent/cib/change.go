package cib

// Change is one typed change of the CIB: exactly one field is set. It is what a log entry of the replicated store carries,
// so its JSON form is a promise: fields are added, never renamed or given another meaning.
type Change struct {
	// Batch applies several changes as one: all or none.
	Batch []Change `json:"batch,omitempty"`

	// Configuration changes: they count as commits, with an author and a message.

	Configure      *Configure      `json:"configure,omitempty"`
	SetOption      *SetOption      `json:"set_option,omitempty"`
	SetMeta        *SetMeta        `json:"set_meta,omitempty"`
	SetNodeAttr    *SetNodeAttr    `json:"set_node_attr,omitempty"`
	PutNode        *PutNode        `json:"put_node,omitempty"`
	DropNode       *DropNode       `json:"drop_node,omitempty"`
	PutConstraint  *PutConstraint  `json:"put_constraint,omitempty"`
	DropConstraint *DropConstraint `json:"drop_constraint,omitempty"`

	// Status changes: made by the coordinator only.

	NodeStatus   *NodeStatus   `json:"node_status,omitempty"`
	ClearNode    *ClearNode    `json:"clear_node,omitempty"`
	RecordOp     *RecordOp     `json:"record_op,omitempty"`
	ForgetOps    *ForgetOps    `json:"forget_ops,omitempty"`
	SetTransient *SetTransient `json:"set_transient,omitempty"`
	SetTicket    *SetTicket    `json:"set_ticket,omitempty"`
	RecordFence  *RecordFence  `json:"record_fence,omitempty"`
	SetQuorum    *SetQuorum    `json:"set_quorum,omitempty"`
	SetAccess    *SetAccess    `json:"set_access,omitempty"`
}

// Configure replaces the whole configuration. The status stays.
type Configure struct {
	Configuration Configuration `json:"configuration"`
}

// SetOption sets a cluster option in the first set of options (made if missing: "cib-bootstrap-options"); a nil value
// deletes it everywhere. The other generation's name of the same option is replaced. With Set, only the set of that ID is
// touched, and made if missing: agents keep values of their own in sets of their own.
type SetOption struct {
	Set   string  `json:"set,omitempty"`
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

// SetMeta sets a meta attribute of a resource (target-role, is-managed, maintenance, ...); nil deletes it.
type SetMeta struct {
	Resource string  `json:"resource"`
	Name     string  `json:"name"`
	Value    *string `json:"value"`
}

// SetNodeAttr sets a permanent node attribute (standby, maintenance, ...) of the node of that uname; nil deletes it.
type SetNodeAttr struct {
	Node  string  `json:"node"`
	Name  string  `json:"name"`
	Value *string `json:"value"`
}

// PutNode adds a node, or replaces uname and type of the node of that ID.
type PutNode struct {
	ID    string `json:"id"`
	Uname string `json:"uname"`
	Type  string `json:"type,omitempty"`
	// Replace lets the node take the name over from another ID, whose state is forgotten; its attributes stay.
	Replace bool `json:"replace,omitempty"`
}

// DropNode removes a node, its state, and the location constraints that name it.
type DropNode struct {
	Uname string `json:"uname"`
}

// PutConstraint adds a constraint, or replaces the one of the same ID in its place.
type PutConstraint struct {
	Constraint Constraint `json:"constraint"`
}

// DropConstraint removes a constraint; one that is not there is no error.
type DropConstraint struct {
	ID string `json:"id"`
}

// NodeStatus sets the membership fields of a node's state (made if missing). Empty strings leave a field as it is; "-"
// clears it.
type NodeStatus struct {
	ID          string `json:"id"`
	Uname       string `json:"uname,omitempty"`
	InCCM       string `json:"in_ccm,omitempty"`
	CRMD        string `json:"crmd,omitempty"`
	Join        string `json:"join,omitempty"`
	Expected    string `json:"expected,omitempty"`
	Boot        string `json:"boot,omitempty"`
	Incarnation string `json:"incarnation,omitempty"`
	Since       int64  `json:"since,omitempty"`
	Cause       string `json:"cause,omitempty"`
	Fenced      string `json:"fenced,omitempty"` // Unix seconds of the confirmed fencing; empty until the node joins again
}

// ClearNode forgets the operation history and the transient attributes of a node: after confirmed fencing or a reboot
// nothing known of its resources holds any more.
type ClearNode struct {
	ID string `json:"id"`
}

// RecordOp puts a result into the history of a resource on a node, replacing the record of the same ID.
//
// A failed start or stop (or other non-monitor) also replaces nothing but its own "_last_failure_0" twin: the caller
// sends both. Fail counts are transient attributes and sent as SetTransient in the same Batch.
type RecordOp struct {
	NodeID   string   `json:"node_id"`
	Resource string   `json:"resource"`
	Agent    Agent    `json:"agent"`
	Record   OpRecord `json:"record"`
	// Drop lists IDs of records of the same resource that the new one supersedes (a stop ends recurring monitors).
	Drop []string `json:"drop,omitempty"`
}

// ForgetOps deletes history. Resource "" means all resources of the node; Operation "" all operations of the resource,
// and then the resource's entry itself.
type ForgetOps struct {
	NodeID     string `json:"node_id"`
	Resource   string `json:"resource,omitempty"`
	Operation  string `json:"operation,omitempty"`
	IntervalMS string `json:"interval,omitempty"`
}

// SetTransient sets a transient node attribute; nil deletes it.
type SetTransient struct {
	NodeID string  `json:"node_id"`
	Name   string  `json:"name"`
	Value  *string `json:"value"`
}

// SetTicket sets the state of a ticket; nil deletes it.
type SetTicket struct {
	ID    string       `json:"id"`
	State *TicketState `json:"state"`
}

// RecordFence appends to the fencing history, or replaces the newest pending entry of the same target and action.
type RecordFence struct {
	Event FenceEvent `json:"event"`
}

// SetQuorum records whether the coordinator's partition has quorum, and who the coordinator is (node ID).
type SetQuorum struct {
	HaveQuorum bool   `json:"have_quorum"`
	DC         string `json:"dc,omitempty"`
}

// SetAccess adds an access token, or replaces the one of that ID; nil revokes it. Tokens that had expired when the new one was
// made are forgotten.
type SetAccess struct {
	ID    string       `json:"id"`
	Token *AccessToken `json:"token"`
}
