package store

import "time"

// The limits of the store, each with its reason.
const (
	// EntryMax bounds one log entry: a configuration of ten thousand resources is about 6 MB, and one entry must pass to
	// a follower within an RPC time-out.
	EntryMax = 8 << 20
	// HistoryMax bounds the configuration commits that are kept: what people look back at, and can roll back to.
	HistoryMax = 200
	// HistoryBytesMax bounds their size, because every snapshot carries them.
	HistoryBytesMax = 8 << 20
	// RequestsMax bounds the request ids that are remembered: a retry comes within seconds, and a busy cluster commits
	// a hundred entries a second.
	RequestsMax = 1024
	// RequestIDMax bounds one request id.
	RequestIDMax = 128
	// snapshotsKept is one more than needed, should the newest be damaged.
	snapshotsKept = 2
	// letGoTimeout bounds the removal of one whose admission failed: one commit, with room.
	letGoTimeout = 5 * time.Second
	// lockTimeout bounds the wait for the lock of raft.db: a second daemon is told instead of waiting for ever.
	lockTimeout = 3 * time.Second
	// lockRetry is the pause between attempts to get it.
	lockRetry = 20 * time.Millisecond
	// enqueueTimeout bounds the wait for raft to take a command when the caller's context has no deadline.
	enqueueTimeout = 10 * time.Second
	// quiesceTimeout bounds the wait for commands in flight before raft is stopped. They end by themselves within a
	// leader lease; only a hung disk needs the bound.
	quiesceTimeout = 10 * time.Second
	// writeTimeout bounds one write. A leader whose disk hangs commits nothing, but its heartbeats keep the others from electing
	// another; a disk that is merely busy is done within a second or two.
	writeTimeout = 10 * time.Second
	// reopenMin and reopenMax bound the pause between attempts to open the store again after a failed write.
	reopenMin = 500 * time.Millisecond
	reopenMax = 10 * time.Second
	// probeBytes is written and deleted to see that the disk takes writes again: more than any single status change.
	probeBytes = 64 << 10
	// connectionsPerPeer is the number of idle connections kept for each peer: heartbeats and entries use one each, and
	// a vote may come on top.
	connectionsPerPeer = 3
)

const (
	// transferTries bounds the attempts to hand leadership over, each of which takes an election time-out at most, as does
	// the wait for the next.
	transferTries = 4
	// repeatAfter keeps raft from saying the same of a dead peer several times a second.
	repeatAfter = 10 * time.Second
	// acceptPauseMin and acceptPauseMax bound the pause after a failed accept (out of file descriptors, as a rule).
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)
