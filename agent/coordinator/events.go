package coordinator

import (
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/quorum"
	"paceline/agent/transition"
	"paceline/fencing"
)

// Snapshot is a committed state of the cluster.
type Snapshot struct {
	Revision       uint64
	ConfigRevision uint64
	CIB            *cib.CIB
}

// Event is something that happened. Exactly the types below are events.
type Event interface{ event() }

// Elected starts the loop: this node leads, and Snapshot holds everything that was ever acknowledged.
type Elected struct {
	Term     uint64
	Snapshot Snapshot
	View     membership.View
	Voters   []string // IDs
	// Answered lists the IDs of voters that acknowledged something to this node as the leader of this term: they live, whatever
	// gossip still says of them.
	Answered []string
	// Fenced lists peers whose fencing was confirmed while there was no coordinator (the takeover of two).
	Fenced []cib.FenceEvent
}

// Viewed is a new view of the membership.
type Viewed struct{ View membership.View }

// VotersAre tells the voter set after it changed, or why a change failed.
type VotersAre struct {
	IDs []string
	Err error
}

// SessionUp says that a node's executor answers.
type SessionUp struct {
	Node        string
	ID          string
	Incarnation string
	Boot        string
	// Running are the resources of the operations that run or wait on the node now, one for each; recurring ones are left out.
	Running []string
	// Unacked are the resources of results that the node is about to repeat, one for each; of recurring operations none.
	Unacked []string
	// PresumedDead is how long after its last session the node is dead in truth, by its own watchdog; 0: nobody may count on
	// that. Watchdog says how it stands, for people.
	PresumedDead time.Duration
	Watchdog     string
	// PillWait is the message wait after which a poison pill counts as taken by the node in this boot; 0: none reaches it.
	PillWait time.Duration
}

// SessionDown says that a session ended, or could not be opened.
type SessionDown struct {
	Node string
	Why  string
}

// Reported is an operation's result or an unasked change.
type Reported struct{ Result transition.Result }

// FenceReported is the result of a fence order.
type FenceReported struct{ Result fencing.Result }

// Committed answers the Commit effect of the same number.
type Committed struct {
	Seq      uint64
	Snapshot Snapshot
	Err      error
}

// Changed says that somebody else's change was committed (an operator's).
type Changed struct {
	Snapshot Snapshot
	Why      string
}

// FenceRehearsed is a person's wish to know whether a node could be fenced.
type FenceRehearsed struct{ Target, Origin string }

// FenceAsked is a person's wish to fence a node.
type FenceAsked struct {
	Target, Action, Origin string
}

// FenceConfirmed is a person's word that a node is off.
type FenceConfirmed struct {
	Target, Origin string
}

// Tick says that the time asked for by Wake has come.
type Tick struct{}

func (Elected) event()        {}
func (Viewed) event()         {}
func (VotersAre) event()      {}
func (SessionUp) event()      {}
func (SessionDown) event()    {}
func (Reported) event()       {}
func (FenceReported) event()  {}
func (Committed) event()      {}
func (Changed) event()        {}
func (FenceAsked) event()     {}
func (FenceRehearsed) event() {}
func (FenceConfirmed) event() {}
func (Tick) event()           {}

// Effect is something to be done by the runner. Exactly the types below are effects.
type Effect interface{ effect() }

// Commit asks for a change of the CIB; a Committed of the same number answers it. Commits are carried out in order.
type Commit struct {
	Seq    uint64
	Change cib.Change
}

// Send hands an order to a node's executor. If there is no session the runner answers with SessionDown.
type Send struct {
	Node  string
	Order transition.Order
}

// SendFence hands a fence order to a node.
type SendFence struct {
	Node  string
	Order fencing.Order
}

// Ack tells a node that the result of that call number is recorded, so that it need not be kept any longer.
type Ack struct {
	Node   string
	CallID int64
}

// OpenSession asks for a session to a node's executor; SessionUp or SessionDown answers it.
type OpenSession struct {
	Node string
	Addr string // host:port of the peer listener
}

// CloseSession ends a session, if there is one.
type CloseSession struct {
	Node string
	Why  string
}

// Inform tells all nodes what the configuration wants of them when they are cut off.
type Inform struct{ CIB *cib.CIB }

// ChangeVoters asks for one change of the voter set; VotersAre answers it.
type ChangeVoters struct {
	Step quorum.Step
	Addr string // of the one to admit
}

// Wake asks for a Tick at that time; it replaces what was asked before. A zero time asks for none.
type Wake struct{ At time.Time }

// Say tells people something: it becomes a line of the log and of the event stream.
type Say struct {
	Level string // debug info warn error
	Text  string
	Attrs []any // key, value, ...
}

// Planned says that a transition starts: what it was planned from is worth keeping, for it can be planned again. Neither
// the CIB nor the graph changes afterwards.
type Planned struct {
	Term, Graph uint64
	Revision    uint64
	Now         time.Time
	Cause       string
	CIB         *cib.CIB
	Plan        *transition.Graph
}

// Ended says how a transition ended. Aborted is why it was cut short; empty if it ran to its end. Done were carried out,
// Failed failed, Rest did not run, or their end is not known.
type Ended struct {
	Term, Graph uint64
	Now         time.Time
	Aborted     string
	Done        []*transition.Action
	Failed      []*transition.Action
	Rest        []*transition.Action
}

// Happened is a cause: an election, a change of the membership, a failure.
type Happened struct {
	Kind           HappenedKind
	Now            time.Time
	Node, Resource string
	Revision       uint64
	Text           string
}

// HappenedKind tells causes apart.
type HappenedKind int

// The kinds of causes.
const (
	HappenedElection HappenedKind = iota
	HappenedMembership
	HappenedFailure
)

func (Planned) effect()      {}
func (Ended) effect()        {}
func (Happened) effect()     {}
func (Commit) effect()       {}
func (Send) effect()         {}
func (SendFence) effect()    {}
func (Ack) effect()          {}
func (OpenSession) effect()  {}
func (CloseSession) effect() {}
func (Inform) effect()       {}
func (ChangeVoters) effect() {}
func (Wake) effect()         {}
func (Say) effect()          {}
