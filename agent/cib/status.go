package cib

// Status is what is known of the nodes: only the coordinator changes it, by committed Changes.
type Status struct {
	Nodes   []*NodeState   `json:"nodes,omitempty"`
	Tickets []*TicketState `json:"tickets,omitempty"`
	Fencing []*FenceEvent  `json:"fencing,omitempty"` // newest last, at most FenceHistoryMax
	// Access are the tokens for remote use. They are no configuration: an old revision that is brought back must not bring
	// back a token that was revoked.
	Access []*AccessToken `json:"access,omitempty"`
}

// AccessTokensMax bounds Status.Access: one for each person and program of a large site.
const AccessTokensMax = 500

// AccessToken is what the cluster keeps of a token with which somebody uses it from elsewhere. The secret is not kept.
type AccessToken struct {
	ID      string `json:"id"`
	User    string `json:"user"`            // for the rules and the audit
	Scope   string `json:"scope,omitempty"` // read, write; empty with Roles
	Roles   string `json:"roles,omitempty"` // separated by spaces
	Hash    string `json:"hash"`            // SHA-256 of the secret, in hexadecimal
	By      string `json:"by,omitempty"`    // who made it
	Created int64  `json:"created"`         // Unix seconds
	Expires int64  `json:"expires"`         // Unix seconds
}

// FenceHistoryMax bounds Status.Fencing: a year of weekly rehearsals of a few nodes, and small enough to read.
const FenceHistoryMax = 200

// FenceEvent is one entry of the fencing history that all nodes share.
type FenceEvent struct {
	Target    string `json:"target"`
	Action    string `json:"action"`           // off reboot on
	Device    string `json:"device,omitempty"` // resource IDs of the devices used, joined by '+'; "manual" for a person's word
	Executor  string `json:"executor,omitempty"`
	Origin    string `json:"origin,omitempty"` // who asked: "coordinator", "takeover", "user NAME"
	State     string `json:"state"`            // pending ok failed
	Detail    string `json:"detail,omitempty"` // why it failed, in words
	Started   int64  `json:"started"`          // Unix milliseconds
	Completed int64  `json:"completed,omitempty"`
	Attempt   int    `json:"attempt,omitempty"`
}

// NodeState is what is known of one node.
//
// The textual fields InCCM, CRMD, Join and Expected are Pacemaker's, so that a document of either product schedules the
// same: a node is online when InCCM is true, CRMD is "online" (or a timestamp) and Join is "member". A node that
// Expected has as "member" and that is not in the membership is unclean: it must be fenced before recovery.
type NodeState struct {
	ID          string             `json:"id"`
	Uname       string             `json:"uname,omitempty"`
	InCCM       string             `json:"in_ccm,omitempty"`
	CRMD        string             `json:"crmd,omitempty"`
	Join        string             `json:"join,omitempty"`
	Expected    string             `json:"expected,omitempty"`
	HA          string             `json:"ha,omitempty"`
	RemoteNode  string             `json:"remote_node,omitempty"`
	Fenced      string             `json:"node_fenced,omitempty"`
	Maintenance string             `json:"node_in_maintenance,omitempty"`
	ConnHost    string             `json:"conn_host,omitempty"`
	Boot        string             `json:"paceline-boot,omitempty"`        // boot identity of the machine
	Incarnation string             `json:"paceline-incarnation,omitempty"` // of the daemon: new at each start
	Since       int64              `json:"paceline-since,omitempty"`       // Unix milliseconds of the last change of membership
	Cause       string             `json:"paceline-cause,omitempty"`       // of that change, in words
	Extra       []Attr             `json:"extra,omitempty"`
	HasHistory  bool               `json:"has-history,omitempty"` // the document has an <lrm> element for the node
	Resources   []*ResourceHistory `json:"resources,omitempty"`   // lrm_resources
	Attributes  []NVSet            `json:"attributes,omitempty"`  // transient_attributes
	Utilization []NVSet            `json:"utilization,omitempty"` // transient
}

// ResourceHistory is the operation history of one resource instance on one node.
type ResourceHistory struct {
	ID           string      `json:"id"` // instance name: "ip:1" of a unique clone, "ip" of an anonymous one
	Agent        Agent       `json:"agent"`
	Container    string      `json:"container,omitempty"`
	ShutdownLock string      `json:"shutdown-lock,omitempty"` // Unix seconds since which a clean shutdown keeps it here
	Extra        []Attr      `json:"extra,omitempty"`
	Ops          []*OpRecord `json:"ops,omitempty"` // in document order
}

// OpRecord is the last known result of one operation (a name and an interval) of a resource instance on a node.
type OpRecord struct {
	ID              string `json:"id"` // RSC_OP_INTERVALMS, or RSC_last_0, RSC_last_failure_0
	Key             string `json:"operation_key,omitempty"`
	Operation       string `json:"operation"`
	IntervalMS      string `json:"interval,omitempty"`
	CallID          string `json:"call-id,omitempty"`          // rises with each operation a node runs; -1 while pending
	RC              string `json:"rc-code,omitempty"`          // OCF exit code; 193 while pending
	OpStatus        string `json:"op-status,omitempty"`        // see the OpStatus constants
	TransitionKey   string `json:"transition-key,omitempty"`   // "action:graph:target-rc:uuid"
	TransitionMagic string `json:"transition-magic,omitempty"` // "status:rc;key"
	ExitReason      string `json:"exit-reason,omitempty"`
	OnNode          string `json:"on_node,omitempty"`
	LastRun         string `json:"last-run,omitempty"`       // Unix seconds
	LastRCChange    string `json:"last-rc-change,omitempty"` // Unix seconds
	ExecTime        string `json:"exec-time,omitempty"`      // milliseconds
	QueueTime       string `json:"queue-time,omitempty"`
	OpDigest        string `json:"op-digest,omitempty"`
	RestartDigest   string `json:"op-restart-digest,omitempty"`
	SecureDigest    string `json:"op-secure-digest,omitempty"`
	ForceRestart    string `json:"op-force-restart,omitempty"`
	SecureParams    string `json:"op-secure-params,omitempty"`
	MigrateSource   string `json:"migrate_source,omitempty"`
	MigrateTarget   string `json:"migrate_target,omitempty"`
	FeatureSet      string `json:"crm_feature_set,omitempty"`
	DebugOrigin     string `json:"crm-debug-origin,omitempty"`
	Extra           []Attr `json:"extra,omitempty"`
}

// Values of OpRecord.OpStatus (the field's numbers in Pacemaker's documents).
const (
	OpPending      = -1
	OpDone         = 0
	OpCancelled    = 1
	OpTimeout      = 2
	OpNotSupported = 3
	OpError        = 4
	OpErrorHard    = 5
	OpErrorFatal   = 6
	OpNotInstalled = 7
	OpNotConnected = 8
	OpInvalid      = 9
)

// TicketState is the state of one multi-site ticket at this site.
type TicketState struct {
	ID          string `json:"id"`
	Granted     string `json:"granted,omitempty"`
	LastGranted string `json:"last-granted,omitempty"`
	Standby     string `json:"standby,omitempty"`
	Extra       []Attr `json:"extra,omitempty"`
}
