package store

import (
	"errors"
	"fmt"
)

// Errors on which callers decide.
var (
	// ErrNotLeader: only the leader commits. The error is a *NotLeader that says who leads, as far as it is known. The
	// command had no effect.
	ErrNotLeader = errors.New("not the leader")
	// ErrUncertain: the command was handed over, and it is not known whether it is or will be committed (leadership was
	// lost, the context ended, the disk failed). Repeat it with the same request id.
	ErrUncertain = errors.New("the outcome is not known")
	// ErrClosed: the store is closed or closing.
	ErrClosed = errors.New("the store is closed")
	// ErrUnavailable: the store waits for its disk; the cause is wrapped. The command had no effect.
	ErrUnavailable = errors.New("the store cannot write")
	// ErrHalted: this node met a log entry that its version does not understand, and applies nothing more.
	ErrHalted = errors.New("the store has stopped applying")
	// ErrNotPair: a takeover is for one of exactly two voters.
	ErrNotPair = errors.New("not one of exactly two voters")
	// ErrMetAgain: since its fencing was ordered the peer was heard as leader or follower, so its fencing proves nothing.
	ErrMetAgain = errors.New("the peer was in quorum with this node again after its fencing had been ordered")
	// ErrNotTogether: this incarnation was never in quorum with the peer, so it must not take over (safety rule 5).
	ErrNotTogether = errors.New("this node was not in quorum with the peer since it started")
	// ErrUnknownRevision: the configuration of that revision is not kept (any more).
	ErrUnknownRevision = errors.New("no such revision is kept")
	// ErrTooLarge: the change is greater than EntryMax.
	ErrTooLarge = errors.New("the change is too large")
)

// NotLeader names the leader to go to; both fields are empty when none is known.
type NotLeader struct {
	LeaderID   string
	LeaderAddr string
}

func (e *NotLeader) Error() string {
	if e.LeaderID == "" && e.LeaderAddr == "" {
		return "not the leader, and no leader is known"
	}
	return fmt.Sprintf("not the leader: %s at %s is", e.LeaderID, e.LeaderAddr)
}

// Is makes errors.Is(err, ErrNotLeader) true.
func (e *NotLeader) Is(target error) bool { return target == ErrNotLeader }

// Conflict refuses a command whose base revision is not the configuration's revision: somebody else committed in between.
type Conflict struct {
	Have uint64 // the configuration's revision
	Want uint64 // the command's base revision
}

func (e *Conflict) Error() string {
	return fmt.Sprintf("the configuration is at revision %d, not %d: it was changed in between", e.Have, e.Want)
}
