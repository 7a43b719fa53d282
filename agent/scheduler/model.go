package scheduler

import (
	"time"

	"paceline/agent/cib"
)

// world is everything Plan knows while it decides. It is built by unpack and filled by the later stages.
type world struct {
	cib  *cib.CIB
	now  time.Time
	opts options
	docs *references

	nodes  []*node // in the order of the configuration; guests and bundle nodes follow
	byName map[string]*node
	byID   map[string]*node

	top     []*rsc // top-level resources, by descending priority
	all     []*rsc // every resource and instance, parents first
	byRsc   map[string]*rsc
	tags    map[string][]string
	tickets map[string]*ticket

	locations   []*location
	colocations []*colocation
	orderings   []*ordering // between resources, before their actions exist

	actions []*action
	byKey   map[actionKey]*action
	fences  map[*node]*action

	quorum    bool
	unfencing bool // some device provides unfencing
	shutdown  bool // some node is shutting down

	problems []string
	seen     map[string]bool // problems already noted
	reasons  []Reason
	recheck  time.Time
	rating   bool // merged scores are for promotion, where even a bad one counts
}

// problem notes something wrong with the input, once.
func (w *world) problem(text string) {
	if !w.seen[text] {
		w.seen[text] = true
		w.problems = append(w.problems, text)
	}
}

// recheckAt asks for a new plan at that time, if no earlier one was asked for.
func (w *world) recheckAt(t time.Time) {
	if w.recheck.IsZero() || t.Before(w.recheck) {
		w.recheck = t
	}
}

// node is one place where resources may run.
type node struct {
	idx  int // position in world.nodes and in every score table
	id   string
	name string
	kind nodeKind
	conf *cib.Node
	stat *cib.NodeState

	online      bool
	pending     bool // joining: alive, but not to be used yet
	unclean     bool // its state is unknown and it must be fenced
	uncleanWhy  string
	standby     bool
	standbyFail bool // standby by a failure with on-fail=standby
	maintenance bool
	shutdown    bool // asked to leave
	expectedUp  bool
	unseen      bool // nothing was ever heard of it
	score       int
	discovery   bool // probes are allowed
	unpacked    bool // its history has been read

	attrs    map[string]string
	capacity map[string]int // utilization left
	offered  map[string]int // utilization at first; nil if none

	conn       *rsc // remote and guest nodes: the resource that connects to it
	needsReset bool // remote: the connection failed so that the node must be fenced
	fencedOnce bool // remote: it has been fenced, and not been in use since
	running    []*rsc
	count      int // instances placed on it
	health     int
	bundle     bool // it is a container of a bundle
	wasOnline  bool // remote: it was up before connections were placed
}

type nodeKind uint8

const (
	kindMember nodeKind = iota
	kindRemote
	kindGuest
	kindPing
)

func (n *node) remote() bool { return n.kind == kindRemote || n.kind == kindGuest }

// usable tells whether anything may be placed on the node at all.
func (n *node) usable() bool {
	if n == nil || !n.online || n.pending || n.shutdown || n.unclean || n.standby || n.maintenance {
		return false
	}
	return true
}

// role is what an instance is or shall be.
type role uint8

const (
	roleUnknown role = iota
	roleStopped
	roleStarted
	roleUnpromoted
	rolePromoted
)

func (r role) String() string {
	return [...]string{"Unknown", "Stopped", "Started", "Unpromoted", "Promoted"}[r]
}

// rsc is a primitive instance, a group, a clone or a bundle.
type rsc struct {
	id     string // instance name: "ip:1" in a clone
	base   string // without instance number
	conf   *cib.Resource
	kind   cib.ResourceKind
	agent  cib.Agent
	parent *rsc
	kids   []*rsc
	ops    []*cib.Op // after templates

	meta     map[string]string
	params   []cib.NVSet // in order of precedence: own, template, parents
	util     map[string]int
	priority int
	sticky   int

	clone  *cloneSpec
	bundle *bundleSpec

	managed     bool
	maintenance bool
	blocked     bool // a failure with on-fail=block
	blockedWhy  string
	failed      bool
	removed     bool // in the history only: no longer configured
	filler      bool // extra instance made for what the history holds beyond clone-max
	critical    bool
	recovery    recoveryType
	requires    requirement
	target      role          // target-role; roleUnknown when not given
	threshold   int           // migration-threshold; 0 means never
	backoff     time.Duration // failure-backoff; 0 means that what failed is tried again at once
	backoffMax  time.Duration // failure-backoff-max
	failTimeout int64
	reconnect   int64 // connection: milliseconds to wait until a lost one is made again; 0: none
	migratable  bool
	colocated   bool // group: members share a node
	ordered     bool
	isRemote    bool // connection to a remote node
	guest       *node
	container   *rsc // what this one runs inside of (guest connections, bundle contents)
	fills       []*rsc
	lockNode    *node
	lockSince   int64

	role     role
	next     role
	pendingT string // operation in flight: "start", "stop", ...
	running  []*node
	known    nodeSet        // nodes whose history has been probed or run
	pendNode map[*node]bool // nodes with a pending probe

	scores    []int // per node; absent where the node is not considered
	discover  map[*node]string
	exclusive bool

	with       []*colocation // this one is the dependent
	dependents []*colocation // this one is the primary
	assigned   *node
	placed     bool
	placing    bool
	merging    bool
	stopWhy    string

	acts                   []*action
	promoScore             int
	partialTo, partialFrom *node // migration under way
	restart                bool  // it has to be restarted where it is
	restartWhy             string
	hist                   past
	tickets                []*rscTicket
	migrating              bool
	number                 int // instance number in a clone, or replica number
	failedOn               map[*node]bool
	startPending           bool
	claimed                *node // instance of an anonymous clone: the node whose history it was given
	containerRemoved       bool
	bans                   map[*node]string // why nodes are forbidden
	failedWhy, failedTask  string
	demoteOnly             bool           // its failure calls for a demotion only
	probed                 map[*node]bool // nodes that this transition probes
	withAll, dependentAll  []*colocation
	noted                  []int  // scores when it was placed
	noPromotion            string // clone: why nothing in it may be promoted
	bannedFor              map[*node]bool
	otherAgent             []*node                  // nodes with history of another agent
	reschedule             map[*node]map[int64]bool // recurring operations whose parameters have changed
	reloadOn               map[*node]bool           // its parameters have changed, but only such as can be reloaded
	changedOn              map[*node]bool
	histName               string  // instance of an anonymous clone: its name in a history that still numbers instances
	dangling               []*node // nodes with the remainder of a migration
	stayWhy                string  // why it does not migrate
}

// primitive tells whether operations run on it.
func (r *rsc) primitive() bool { return r.kind == cib.KindPrimitive }

// top returns the outermost collection that holds r, or r itself. A bundle is not passed unless through is set.
func (r *rsc) top() *rsc {
	for r.parent != nil && r.parent.kind != cib.KindBundle {
		r = r.parent
	}
	return r
}

// uber returns the outermost collection, bundles included.
func (r *rsc) uber() *rsc {
	for r.parent != nil {
		r = r.parent
	}
	return r
}

// inClone returns the clone that r is, or is inside of.
func (r *rsc) inClone() *rsc {
	for ; r != nil; r = r.parent {
		if r.kind == cib.KindClone {
			return r
		}
	}
	return nil
}

// leaves calls f for every primitive in r.
func (r *rsc) leaves(f func(*rsc)) {
	if r.primitive() {
		f(r)
	}
	for _, k := range r.kids {
		k.leaves(f)
	}
}

// isRunningOn tells whether the primitive is active there.
func (r *rsc) isRunningOn(n *node) bool {
	for _, m := range r.running {
		if m == n {
			return true
		}
	}
	return false
}

// current returns the node it is active on, the first when there are several.
func (r *rsc) current() *node {
	if len(r.running) == 0 {
		return nil
	}
	return r.running[0]
}

// active tells whether any (or every) primitive in it is active.
func (r *rsc) active(every bool) bool {
	if r.primitive() {
		return len(r.running) > 0
	}
	for _, k := range r.kids {
		if k.active(every) != every {
			return !every
		}
	}
	return every && len(r.kids) > 0
}

// cloneSpec holds what makes a clone.
type cloneSpec struct {
	max, nodeMax       int
	promotedMax        int
	promotedNodeMax    int
	min                int
	unique, promotable bool
	interleave         bool
	ordered            bool
	notify             bool
	template           *cib.Resource
}

// recoveryType is what to do with a resource active on several nodes.
type recoveryType uint8

const (
	multiStopStart recoveryType = iota
	multiStopOnly
	multiBlock
	multiStopUnexpected
)

// requirement is what must hold before a resource may start.
type requirement uint8

const (
	requireNothing requirement = iota
	requireQuorum
	requireFencing
	requireUnfencing
)

// ticket is the state of a multi-site ticket here.
type ticket struct {
	id      string
	granted bool
	standby bool
}

// rscTicket ties a resource to a ticket.
type rscTicket struct {
	ticket *ticket
	role   role
	loss   string
}

// location is one location constraint on one resource, with its scores by node.
type location struct {
	id       string
	rsc      *rsc
	role     role // roleUnknown: any
	scores   map[*node]int
	order    []*node
	discover string
}

// colocation is one colocation between two resources.
type colocation struct {
	id        string
	seq       int
	dep, pri  *rsc
	depRole   role
	priRole   role
	score     int
	attr      string
	influence bool
	explicit  bool // influence was written down
}
