// Package whatif answers what a cluster would do: it lets something happen to a state (a node dies, an operation fails, a
// ticket is revoked), plans, plays the plan on the state with package outcome, and plans again until nothing is left to do.
//
//	state -> Event... -> Plan -> Execute -> state -> Plan -> ... -> at rest
//
// It guarantees that the state it is given stays as it is, that the same question has the same answer, and that every run
// ends: after StepsMax transitions it says that the cluster does not come to rest. Effects says what a run means for each
// resource: where it was, where it is then, and whether it was down in between.
//
// The package is a core: no goroutine, clock, timer, file or socket. It is tested by stories over small states and by
// playing the transition of every conformance case, whose end must be what the plan said.
package whatif
