package api

import (
	"context"
	"net/http"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

// Backend is what the server needs of a running daemon. Its methods may be called concurrently. Errors may be *Error,
// which reaches the person who asked as it is; any other error is reported as failed, an ended context as a time-out.
//
// A daemon that belongs to no cluster yet answers Live (with Cluster empty), Init and Join; everything else returns
// ErrUnconfigured.
type Backend interface {
	// Route says who answers requests now. It waits for an election under way until ctx ends (the server gives it
	// RouteWait), then returns an error of CodeNoCoordinator that says in words why there is none.
	Route(ctx context.Context) (Route, error)

	// Snapshot returns the newest committed state this node has; on the coordinator that is the truth. The CIB is
	// immutable.
	Snapshot(ctx context.Context) (Snapshot, error)
	// Live returns what is known beside the CIB. It never waits.
	Live(ctx context.Context) (Live, error)
	// Changed returns a channel that receives a value (capacity 1, never blocking the sender) soon after Snapshot or
	// Live may answer differently. The channel is released when ctx ends.
	Changed(ctx context.Context) <-chan struct{}

	// Apply commits a change. It returns after the commit. A BaseRevision that is not 0 and not the current
	// configuration revision is refused with CodeConflict.
	Apply(ctx context.Context, cmd Command) (Applied, error)
	// History returns at most n commits of the configuration, newest first.
	History(ctx context.Context, n int) ([]Commit, error)
	// At returns the configuration as it was committed at a revision named by History, or CodeNotFound.
	At(ctx context.Context, revision uint64) (*cib.Configuration, error)
	// Fence carries out a fencing that a person ordered, and returns when it has ended. With Confirmed no device is
	// used: the person vouches that the node is off; the success is committed as "manual".
	Fence(ctx context.Context, req FenceRequest) (FenceReply, error)

	// Init makes this unconfigured node the first of a new cluster.
	Init(ctx context.Context, req InitRequest) (InitReply, error)
	// Join makes this unconfigured node a member of the cluster that issued the token.
	Join(ctx context.Context, req JoinRequest) (JoinReply, error)
	// Token issues a join token.
	Token(ctx context.Context, req TokenRequest) (TokenReply, error)
	// Leave takes a node out of the cluster for good. For this node (the default) it first moves its resources away, and
	// forgets the cluster at the end; for another it only removes one that is not online.
	Leave(ctx context.Context, req LeaveRequest) (LeaveReply, error)
}

// Coordinating is the Backend of a daemon that may be the coordinator.
type Coordinating interface {
	// Planned returns the plan by which this node acts as coordinator, and the revision of the whole CIB that it was made for;
	// nil if there is none. A plan that is being made is waited for, for at most a second. It is not to be changed.
	Planned(ctx context.Context) (*scheduler.Result, uint64)
}

// QuorumForcer is the Backend of a daemon that can, on a person's word, go on with itself as the only voter.
type QuorumForcer interface {
	// ForceQuorum makes this node the only voter, with what its disk holds. It returns when this node coordinates.
	ForceQuorum(ctx context.Context) error
}

// Route names the coordinator.
type Route struct {
	Coordinator string
	Local       bool              // this node is it
	Transport   http.RoundTripper // reaches its Server.PeerHandler; the URL's host is ignored. Nil when Local
}

// Snapshot is a committed state.
type Snapshot struct {
	Revision       uint64 // of the whole CIB
	ConfigRevision uint64 // of the last change of the configuration
	CIB            *cib.CIB
}

// Command is a change to commit.
type Command struct {
	Change       cib.Change
	BaseRevision uint64 // configuration revision the change was made against; 0 = whatever is current
	User         string // "root", "alice (via node2)"
	Message      string
}

// Applied is the outcome of a commit.
type Applied struct {
	Revision       uint64
	ConfigRevision uint64
}

// Live is what a daemon knows beside the CIB.
type Live struct {
	Node    string // this node's name
	Cluster string // empty: not configured
	Version string
	Profile string // lan, fast, wan

	Coordinator string // empty: none known
	Term        uint64
	Quorum      Quorum
	Members     []Member
	Links       []Link // of this node to others, where it has several

	Transition Transition
	// Planned is the revision that the scheduler last planned for.
	Planned uint64

	Fencing  []FencePending // under way or blocked, oldest first
	Problems []Problem      // what the daemon finds wrong, beside what follows from the CIB
	Stale    string         // not empty: why this node's knowledge may be old
	// Unheard says that this daemon has heard no coordinator since it started: what its copy of the state says of resources is of an
	// earlier time, and says nothing of now.
	Unheard bool
	Missing []Missing // members that were not heard since the cluster came up
	// Restarting are the members that are waited for because their daemons announced that they start anew.
	Restarting []Restarting
}

// Restarting is a member whose daemon announced that it starts anew, and is not back yet.
type Restarting struct {
	Node string
	Left time.Duration // until it counts as lost, if it is not back
}

// Missing is a member that is waited for.
type Missing struct {
	Node string
	Lost time.Time // when it counts as lost, if it is not heard until then
}

// Member is a node as the membership and the coordinator see it now.
type Member struct {
	Name        string
	ID          string
	Role        string // RoleVoter, RoleMember, RoleWitness
	State       string // MemberAlive, MemberLeft, MemberFailed
	Address     string // host:port of gossip
	Incarnation string
	Version     string
	Since       time.Time // of the last change of State
	Session     bool      // the coordinator has a session to its executor
}

// States of a Member, as gossip has them.
const (
	MemberAlive  = "alive"
	MemberLeft   = "left"
	MemberFailed = "failed"
)
