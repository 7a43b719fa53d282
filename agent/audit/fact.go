package audit

import "time"

// Kind says what a Fact tells.
type Kind string

// The kinds of facts, with the fields they use beside At and Node.
const (
	Begin     Kind = "begin"      // an operation's agent begins: Resource, Operation, Interval, Unasked; of an order also Term and Revision
	End       Kind = "end"        // it ended: Resource, Operation, RC as it truly was
	Found     Kind = "found"      // something was found active that was not known to be: Resource, RC (8: promoted)
	Gone      Kind = "gone"       // what was active ended without an operation: Resource
	Off       Kind = "off"        // the machine lost power, and all that ran on it with it: Boot
	Wiped     Kind = "wiped"      // the node lost its disk: its numbers begin again
	Session   Kind = "session"    // the executor took a session: Term
	Ordered   Kind = "ordered"    // the executor took an order: Term
	Given     Kind = "given"      // the coordinator Node gives Target an order: Resource, Operation, Term and Revision
	Renewed   Kind = "renewed"    // the node's lease was prolonged: Until
	Led       Kind = "led"        // the node was elected: Term
	Met       Kind = "met"        // the node and Target exchanged something as leader and follower
	FenceSent Kind = "fence sent" // the node lets a device loose on Target: Term (0: a takeover), Number, Voters of a takeover
	FenceActs Kind = "fence acts" // the device acts: Target, Until (when the order expires; 0 if nobody knows)
	FenceSlow Kind = "fence slow" // the device fails, or takes longer than it ever has: Target
	Fenced    Kind = "fenced"     // committed: Node's fencing is confirmed; Boot is the one that it was in
	Member    Kind = "member"     // committed: Node is a member in this Boot
	Outside   Kind = "outside"    // committed: Node is no member, and nobody can ask it what it runs
	Recorded  Kind = "recorded"   // committed: the result of Node's Call of Operation on Resource
	Applied   Kind = "applied"    // the node takes entry Index of the log for committed; Digest tells entries apart
	Configure Kind = "configure"  // committed: Config holds from Revision on
	Queues    Kind = "queues"     // how much waits on the node: Number
	Rest      Kind = "rest"       // nothing is in flight, nothing is wrong, and nobody asked for anything that is not done
	Troubled  Kind = "troubled"   // from now on things go wrong that justify a fencing
)

// Fact is one thing that truly happened.
type Fact struct {
	At        time.Duration // since the beginning, by one clock for all nodes
	Kind      Kind
	Node      string
	Boot      string
	Target    string
	Resource  string
	Operation string
	Interval  int64
	Call      int64
	RC        int
	Unasked   bool // the node's own deed, not a coordinator's order
	Term      uint64
	Revision  uint64
	Index     uint64
	Number    uint64
	Until     time.Duration
	Digest    string
	Voters    []string
	Config    *Config
}
