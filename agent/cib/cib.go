package cib

// CIB is one immutable state of the cluster: what people configured and what is known of the nodes.
type CIB struct {
	Header        Header        `json:"header"`
	Configuration Configuration `json:"configuration"`
	Status        Status        `json:"status"`
}

// Header holds the attributes of the document's root element. Empty means absent.
type Header struct {
	ValidateWith  string `json:"validate-with,omitempty"`
	AdminEpoch    int64  `json:"admin_epoch,omitempty"`
	Epoch         int64  `json:"epoch,omitempty"`
	NumUpdates    int64  `json:"num_updates,omitempty"`
	FeatureSet    string `json:"crm_feature_set,omitempty"`
	HaveQuorum    string `json:"have-quorum,omitempty"` // boolean text; a quorate partition has "1" or "true"
	NoQuorumPanic string `json:"no-quorum-panic,omitempty"`
	DCUUID        string `json:"dc-uuid,omitempty"` // ID of the coordinator's node
	LastWritten   string `json:"cib-last-written,omitempty"`
	ExecutionDate string `json:"execution-date,omitempty"` // Unix seconds of a saved scheduler input
	Extra         []Attr `json:"extra,omitempty"`          // other attributes, in document order
}

// Attr is an attribute that the model has no field for; the codec keeps it.
type Attr struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Configuration is what people decide. All slices are in document order, which decides ties.
type Configuration struct {
	Options     []NVSet        `json:"options,omitempty"` // cluster_property_set: the cluster options
	RscDefaults []NVSet        `json:"rsc_defaults,omitempty"`
	OpDefaults  []NVSet        `json:"op_defaults,omitempty"`
	Nodes       []*Node        `json:"nodes,omitempty"`
	Resources   []*Resource    `json:"resources,omitempty"` // top level: primitives, groups, clones, bundles
	Templates   []*Resource    `json:"templates,omitempty"` // Kind is KindTemplate
	Constraints []*Constraint  `json:"constraints,omitempty"`
	Topology    []FencingLevel `json:"fencing-topology,omitempty"`
	Tags        []Tag          `json:"tags,omitempty"`
	ACLs        ACLs           `json:"acls,omitzero"`
	Alerts      []Alert        `json:"alerts,omitempty"`
	// Comment is what people wrote behind the last object. Objects have their own, written before them: lines without their mark.
	// Comments mean nothing to the cluster.
	Comment string `json:"comment,omitempty"`
}

// NVSet is a set of name-value pairs: cluster options, meta attributes, instance attributes, utilization, defaults.
// Sets of one kind are applied by descending score; a set whose Rule is not satisfied does not apply.
type NVSet struct {
	ID    string   `json:"id,omitempty"`
	IDRef string   `json:"id-ref,omitempty"` // stands for the set of that ID elsewhere in the document
	Score string   `json:"score,omitempty"`
	Rule  *Rule    `json:"rule,omitempty"`
	Pairs []NVPair `json:"pairs,omitempty"`
	// Comment stands before a set of cluster-wide values; other sets have none.
	Comment string `json:"comment,omitempty"`
}

// NVPair is one name and value. With IDRef set it stands for the pair of that ID elsewhere; Name may then be given to
// reuse the value under another name.
type NVPair struct {
	ID    string `json:"id,omitempty"`
	IDRef string `json:"id-ref,omitempty"`
	Name  string `json:"name,omitempty"`
	Value string `json:"value,omitempty"`
	// NoValue tells a missing value from an empty one, which documents do distinguish.
	NoValue bool `json:"no-value,omitempty"`
}

// Rule is satisfied when all ("and", the default) or any ("or") of its expressions are.
type Rule struct {
	ID             string       `json:"id,omitempty"`
	IDRef          string       `json:"id-ref,omitempty"`
	Score          string       `json:"score,omitempty"`
	ScoreAttribute string       `json:"score-attribute,omitempty"` // node attribute that holds the score (location only)
	BooleanOp      string       `json:"boolean-op,omitempty"`      // "and" or "or"
	Role           string       `json:"role,omitempty"`
	Expressions    []Expression `json:"expressions,omitempty"`
}

// Expression is exactly one of its fields.
type Expression struct {
	Rule      *Rule          `json:"rule,omitempty"`
	Attribute *AttributeExpr `json:"attribute,omitempty"`
	Date      *DateExpr      `json:"date,omitempty"`
	Resource  *ResourceExpr  `json:"resource,omitempty"`
	Operation *OperationExpr `json:"operation,omitempty"`
}

// AttributeExpr compares a node attribute with a value.
type AttributeExpr struct {
	ID          string `json:"id,omitempty"`
	Attribute   string `json:"attribute"`
	Operation   string `json:"operation"`      // lt gt lte gte eq ne defined not_defined
	Type        string `json:"type,omitempty"` // string integer number version
	Value       string `json:"value,omitempty"`
	ValueSource string `json:"value-source,omitempty"` // literal param meta
}

// DateExpr compares the time of scheduling.
type DateExpr struct {
	ID        string    `json:"id,omitempty"`
	Operation string    `json:"operation,omitempty"` // gt lt in_range date_spec
	Start     string    `json:"start,omitempty"`     // ISO 8601
	End       string    `json:"end,omitempty"`
	Duration  *DateSpec `json:"duration,omitempty"`
	Spec      *DateSpec `json:"date_spec,omitempty"`
}

// DateSpec is a cron-like specification (date_spec) or an amount of time (duration): its fields in document order.
type DateSpec struct {
	ID     string `json:"id,omitempty"`
	Fields []Attr `json:"fields,omitempty"` // seconds minutes hours monthdays weekdays yeardays months weeks years weekyears moon ...
}

// ResourceExpr matches agents (in rsc_defaults and op_defaults). Empty fields match everything.
type ResourceExpr struct {
	ID       string `json:"id,omitempty"`
	Class    string `json:"class,omitempty"`
	Provider string `json:"provider,omitempty"`
	Type     string `json:"type,omitempty"`
}

// OperationExpr matches an operation (in op_defaults).
type OperationExpr struct {
	ID       string `json:"id,omitempty"`
	Name     string `json:"name"`
	Interval string `json:"interval,omitempty"`
}

// Node types. An empty type is a member.
const (
	NodeMember = "member"
	NodePing   = "ping"
	NodeRemote = "remote"
)

// Node is a configured cluster node.
type Node struct {
	ID          string  `json:"id"`
	Uname       string  `json:"uname"`
	Type        string  `json:"type,omitempty"`
	Score       string  `json:"score,omitempty"`
	Description string  `json:"description,omitempty"`
	Attributes  []NVSet `json:"attributes,omitempty"` // instance_attributes: permanent node attributes
	Utilization []NVSet `json:"utilization,omitempty"`
	Comment     string  `json:"comment,omitempty"`
}

// ResourceKind says what a Resource is.
type ResourceKind string

// The kinds of resources. A promotable clone is a KindClone whose meta attribute "promotable" is true, or whose Legacy
// is set ("master" elements of old documents).
const (
	KindPrimitive ResourceKind = "primitive"
	KindGroup     ResourceKind = "group"
	KindClone     ResourceKind = "clone"
	KindBundle    ResourceKind = "bundle"
	KindTemplate  ResourceKind = "template"
)

// Agent names a resource or fence agent: class:provider:type.
type Agent struct {
	Class    string `json:"class,omitempty"`
	Provider string `json:"provider,omitempty"`
	Type     string `json:"type,omitempty"`
}

// String returns class:provider:type, or class:type where there is no provider.
func (a Agent) String() string {
	switch {
	case a.Class == "" && a.Type == "":
		return ""
	case a.Provider == "":
		return a.Class + ":" + a.Type
	}
	return a.Class + ":" + a.Provider + ":" + a.Type
}

// Resource is a primitive, a template, or a collection of resources.
type Resource struct {
	ID          string       `json:"id"`
	Kind        ResourceKind `json:"kind"`
	Description string       `json:"description,omitempty"`
	Agent       Agent        `json:"agent,omitzero"`     // primitive and template
	Template    string       `json:"template,omitempty"` // primitive: ID of its template
	Legacy      bool         `json:"legacy,omitempty"`   // clone written as <master>
	Params      []NVSet      `json:"params,omitempty"`   // instance_attributes
	Meta        []NVSet      `json:"meta,omitempty"`     // meta_attributes
	Utilization []NVSet      `json:"utilization,omitempty"`
	Operations  Operations   `json:"operations,omitzero"`
	Children    []*Resource  `json:"children,omitempty"` // group: primitives; clone: one primitive or group; bundle: at most one primitive
	Bundle      *Bundle      `json:"bundle,omitempty"`   // bundle only
	Comment     string       `json:"comment,omitempty"`
}

// Operations lists a primitive's configured operations.
type Operations struct {
	ID    string `json:"id,omitempty"`
	IDRef string `json:"id-ref,omitempty"` // the operations of that ID, or of the primitive of that ID
	Ops   []*Op  `json:"ops,omitempty"`
}

// Op configures one operation. Text fields as written; see Milliseconds and Bool.
type Op struct {
	ID             string  `json:"id,omitempty"`
	IDRef          string  `json:"id-ref,omitempty"`
	Name           string  `json:"name"`
	Interval       string  `json:"interval,omitempty"`
	Description    string  `json:"description,omitempty"`
	StartDelay     string  `json:"start-delay,omitempty"`
	IntervalOrigin string  `json:"interval-origin,omitempty"`
	Timeout        string  `json:"timeout,omitempty"`
	Enabled        string  `json:"enabled,omitempty"`
	RecordPending  string  `json:"record-pending,omitempty"`
	Role           string  `json:"role,omitempty"`
	Requires       string  `json:"requires,omitempty"`
	OnFail         string  `json:"on-fail,omitempty"`
	Extra          []Attr  `json:"extra,omitempty"` // other attributes of the element
	Meta           []NVSet `json:"meta,omitempty"`
	Params         []NVSet `json:"params,omitempty"` // instance_attributes, for example OCF_CHECK_LEVEL
}

// Bundle describes the containers of a bundle resource.
type Bundle struct {
	Runtime string       `json:"runtime"`           // docker, podman, rkt
	Options []Attr       `json:"options,omitempty"` // attributes of the runtime's element: image, replicas, promoted-max, ...
	Network *BundleNet   `json:"network,omitempty"`
	Storage []StorageMap `json:"storage,omitempty"`
}

// BundleNet is the network of a bundle: attributes ip-range-start, control-port, host-interface, ...
type BundleNet struct {
	Options []Attr    `json:"options,omitempty"`
	Ports   []PortMap `json:"ports,omitempty"`
}

// PortMap forwards a port or a range of ports into the containers.
type PortMap struct {
	ID           string `json:"id"`
	Port         string `json:"port,omitempty"`
	InternalPort string `json:"internal-port,omitempty"`
	Range        string `json:"range,omitempty"`
}

// StorageMap mounts a host's directory into the containers.
type StorageMap struct {
	ID            string `json:"id"`
	SourceDir     string `json:"source-dir,omitempty"`
	SourceDirRoot string `json:"source-dir-root,omitempty"`
	TargetDir     string `json:"target-dir,omitempty"`
	Options       string `json:"options,omitempty"`
}

// ConstraintKind says what a Constraint is.
type ConstraintKind string

// The kinds of constraints.
const (
	ConstraintLocation   ConstraintKind = "location"
	ConstraintColocation ConstraintKind = "colocation"
	ConstraintOrder      ConstraintKind = "order"
	ConstraintTicket     ConstraintKind = "ticket"
)

// Constraint is exactly one of its kinds; the list of constraints keeps the document's order, which decides ties.
type Constraint struct {
	Location   *Location   `json:"location,omitempty"`
	Colocation *Colocation `json:"colocation,omitempty"`
	Order      *Order      `json:"order,omitempty"`
	Ticket     *RscTicket  `json:"ticket,omitempty"`
	Comment    string      `json:"comment,omitempty"`
}

// Location says where a resource may or should run.
type Location struct {
	ID        string        `json:"id"`
	Resource  string        `json:"rsc,omitempty"`
	Pattern   string        `json:"rsc-pattern,omitempty"` // POSIX extended regular expression over resource IDs
	Role      string        `json:"role,omitempty"`
	Node      string        `json:"node,omitempty"`
	Score     string        `json:"score,omitempty"`
	Discovery string        `json:"resource-discovery,omitempty"` // always never exclusive
	Sets      []ResourceSet `json:"sets,omitempty"`
	Rules     []*Rule       `json:"rules,omitempty"`
	Lifetime  []*Rule       `json:"lifetime,omitempty"`
}

// Colocation says that Resource (the dependent) is placed in relation to With (the primary).
type Colocation struct {
	ID               string        `json:"id"`
	Resource         string        `json:"rsc,omitempty"`
	Role             string        `json:"rsc-role,omitempty"`
	With             string        `json:"with-rsc,omitempty"`
	WithRole         string        `json:"with-rsc-role,omitempty"`
	Score            string        `json:"score,omitempty"`
	NodeAttribute    string        `json:"node-attribute,omitempty"`
	Influence        string        `json:"influence,omitempty"`
	ResourceInstance string        `json:"rsc-instance,omitempty"`
	WithInstance     string        `json:"with-rsc-instance,omitempty"`
	Sets             []ResourceSet `json:"sets,omitempty"`
	Lifetime         []*Rule       `json:"lifetime,omitempty"`
}

// Order says that an action of First comes before an action of Then.
type Order struct {
	ID            string        `json:"id"`
	First         string        `json:"first,omitempty"`
	FirstAction   string        `json:"first-action,omitempty"`
	Then          string        `json:"then,omitempty"`
	ThenAction    string        `json:"then-action,omitempty"`
	Kind          string        `json:"kind,omitempty"`  // Mandatory Optional Serialize
	Score         string        `json:"score,omitempty"` // old form of Kind
	Symmetrical   string        `json:"symmetrical,omitempty"`
	RequireAll    string        `json:"require-all,omitempty"`
	FirstInstance string        `json:"first-instance,omitempty"`
	ThenInstance  string        `json:"then-instance,omitempty"`
	Sets          []ResourceSet `json:"sets,omitempty"`
	Lifetime      []*Rule       `json:"lifetime,omitempty"`
}

// RscTicket ties a resource to a ticket of a multi-site cluster.
type RscTicket struct {
	ID         string        `json:"id"`
	Resource   string        `json:"rsc,omitempty"`
	Role       string        `json:"rsc-role,omitempty"`
	Ticket     string        `json:"ticket"`
	LossPolicy string        `json:"loss-policy,omitempty"` // stop demote fence freeze
	Sets       []ResourceSet `json:"sets,omitempty"`
}

// ResourceSet is a set of resources inside a constraint.
type ResourceSet struct {
	ID         string   `json:"id,omitempty"`
	IDRef      string   `json:"id-ref,omitempty"`
	Sequential string   `json:"sequential,omitempty"`
	RequireAll string   `json:"require-all,omitempty"`
	Ordering   string   `json:"ordering,omitempty"` // group or listed, of old documents
	Action     string   `json:"action,omitempty"`
	Role       string   `json:"role,omitempty"`
	Score      string   `json:"score,omitempty"`
	Kind       string   `json:"kind,omitempty"`
	Resources  []string `json:"resources,omitempty"`
}

// FencingLevel is one level (1 to 9) of the fencing topology for a target given by name, pattern or attribute.
type FencingLevel struct {
	ID              string   `json:"id"`
	Target          string   `json:"target,omitempty"`
	TargetPattern   string   `json:"target-pattern,omitempty"`
	TargetAttribute string   `json:"target-attribute,omitempty"`
	TargetValue     string   `json:"target-value,omitempty"`
	Index           string   `json:"index"`
	Devices         []string `json:"devices"`
	Comment         string   `json:"comment,omitempty"`
}

// Tag names a list of objects; constraints may refer to it.
type Tag struct {
	ID   string   `json:"id"`
	Refs []string `json:"refs"`

	Comment string `json:"comment,omitempty"`
}

// ACLs are the access rules.
type ACLs struct {
	Targets []ACLTarget `json:"targets,omitempty"`
	Groups  []ACLTarget `json:"groups,omitempty"`
	Roles   []ACLRole   `json:"roles,omitempty"`
}

// ACLTarget gives roles to a user or a group.
type ACLTarget struct {
	ID    string   `json:"id"`
	Name  string   `json:"name,omitempty"`
	Roles []string `json:"roles,omitempty"`

	Comment string `json:"comment,omitempty"`
}

// ACLRole is a list of permissions.
type ACLRole struct {
	ID          string          `json:"id"`
	Description string          `json:"description,omitempty"`
	Permissions []ACLPermission `json:"permissions,omitempty"`
	Comment     string          `json:"comment,omitempty"`
}

// ACLPermission allows or denies a kind of access to a part of the document.
type ACLPermission struct {
	ID          string `json:"id"`
	Kind        string `json:"kind"` // read write deny
	XPath       string `json:"xpath,omitempty"`
	Reference   string `json:"reference,omitempty"`
	ObjectType  string `json:"object-type,omitempty"`
	Attribute   string `json:"attribute,omitempty"`
	Description string `json:"description,omitempty"`
}

// Alert runs a program on events.
type Alert struct {
	ID          string           `json:"id"`
	Path        string           `json:"path"`
	Description string           `json:"description,omitempty"`
	Meta        []NVSet          `json:"meta,omitempty"`
	Params      []NVSet          `json:"params,omitempty"`
	Recipients  []AlertRecipient `json:"recipients,omitempty"`
	Select      *AlertSelect     `json:"select,omitempty"`
	Comment     string           `json:"comment,omitempty"`
	// Order lists the names of the child elements as a document has them, where that is not the usual order. It means nothing
	// to the cluster; people find their texts as they wrote them.
	Order []string `json:"order,omitempty"`
}

// AlertRecipient is one receiver of an alert.
type AlertRecipient struct {
	ID          string  `json:"id"`
	Value       string  `json:"value"`
	Description string  `json:"description,omitempty"`
	Meta        []NVSet `json:"meta,omitempty"`
	Params      []NVSet `json:"params,omitempty"`
}

// AlertSelect limits an alert to kinds of events.
type AlertSelect struct {
	Attributes    []Attr `json:"attributes,omitempty"` // select_attributes: Name is the element's id, Value the attribute's name
	HasAttributes bool   `json:"has-attributes,omitempty"`
	Fencing       bool   `json:"fencing,omitempty"`
	Nodes         bool   `json:"nodes,omitempty"`
	Resources     bool   `json:"resources,omitempty"`
	// Order is as in Alert.
	Order []string `json:"order,omitempty"`
}
