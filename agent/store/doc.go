// Package store is the replicated CIB: a log of commands (hashicorp/raft) over a file (bbolt), applied to an immutable
// *cib.CIB on every voter.
//
// Guarantees:
//
//   - A command that Apply acknowledged is on the disks of a majority of the voters. It survives the loss of any minority
//     and a power cut of all (safety rule 3). A command that does not apply changes nothing, on all nodes alike.
//   - Revisions rise with every change, the configuration's with changes of the configuration; BaseRevision makes a
//     compare-and-set of it, RequestID makes a repetition harmless.
//   - Whoever is told to lead by Leader sees in Snapshot all that was committed before.
//   - The voter set changes one node at a time; two voters become one only by Takeover, after confirmed fencing and a live
//     quorum in this incarnation, or by ForceQuorum, by a person (safety rules 4 and 5; see takeover.go).
//   - A disk that fails a write makes the node leave the quorum until it takes writes again; the caller of Apply gets the
//     error. Damage is recognised by checksums, reported, and mended from the other voters without a vote that an
//     undamaged node would not have given (see inspect.go).
//   - An entry that this version does not understand stops applying, visibly (Health), instead of being passed over.
//   - No call outlives its context, and no goroutine outlives Close.
//
// The parts:
//
//	Apply -> entry -> raft -> disk (log, term, vote)       Watch, Snapshot <- topic <- fsm <- raft
//	                   |
//	                transport (ghost, rules of voting) -> raft's network transport -> streams -> Config.Stream
//
// The state machine (state.go, history.go) is a core: pure and deterministic. Everything else is a shell around raft; its
// tests run whole clusters in virtual time over an in-memory stream layer, with real files.
package store
