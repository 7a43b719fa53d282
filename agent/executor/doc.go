// Package executor carries out what the coordinator orders on one node: operations of resource agents, recurring monitors,
// fencing of other nodes. Every node runs one; the coordinator holds one session to each (Dial is its end, Serve the node's).
//
//	coordinator --Hello, Order, FenceOrder, Cancel, Renew, Policy, AckResult--> executor
//	coordinator <--Welcome, Result, FenceResult, RenewAck, Refused------------ executor --> agents, journal
//
// Guarantees (the numbers are the safety rules of docs/architecture.md):
//
//   - (1) at most one operation runs per resource instance at any time, whoever asked for it;
//   - (6) without a session renewed within the node lease the executor obeys the policy it was last told: it stops what it
//     runs, in the reverse order in which it was started, or keeps, demotes, or ends the node;
//   - (7) a daemon that restarts touches nothing: it reads the journal, asks each resource by a monitor how it is, and goes on
//     with the recurring monitors;
//   - (9) orders and fence orders of a term below the highest ever seen are refused, across restarts;
//   - (10) after a pause longer than the lease nothing outside is done before a new session has been opened;
//   - (11) begin and end of every operation are in the truth journal: the begin of one that changes something is on disk
//     before its agent runs, the end is written before its result leaves. An operation that can not be journalled fails,
//     except a stop, which runs and says so;
//   - every order ends with exactly one result, kept and sent again until the coordinator acknowledges its call number.
//
// A result of status cib.OpCancelled tells nothing about the resource: the agent never ran for that order, or this node
// itself ended it when it was cut off (a stop with its own result follows).
//
// The decisions about the lease (leaseCore) and the meaning of the journal (State) are step machines without clock or
// file. Tests run the whole in virtual time over net.Pipe with agents that only sleep; journals are fuzzed and checked
// against the rule of one operation at a time with random schedules.
package executor
