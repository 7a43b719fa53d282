// Package simulation runs whole clusters in one thread, in modelled time, from one seed: the program's own decisions
// (coordinator.Core and Takeover, the scheduler, transitions, fencing, quorum, and the CIB's changes) over a modelled
// network, log, executor and power, under faults that the seed draws.
//
// Guarantees: the same seed and options give the same run, event for event. In every run the safety invariants are checked
// at each event against what truly happened (what ran where, who had power, what was committed), not against what the
// program believed; after the last fault the cluster must come to rest with everything running.
//
// What is modelled instead of run: the raft log (elections, replication, terms and the takeover's ghost, in raft.go), gossip
// (who hears whom, after a delay; gossip.go), sessions (ordered messages that stall while a link is cut; session.go) and the
// executor (executor.go). The real ones are tested in their packages, in virtual time and in the lab.
package simulation
