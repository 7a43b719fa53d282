// Package agent wires one node together: options in, a running node out.
//
//	membership (serf) --views--> coordinator.Runner (while this node leads) --orders--> executors of all nodes
//	store (raft) <--commits--            |                                   --fence orders--> fencing drivers
//	api (socket, peer port) --commands---+
//
// A daemon starts unconfigured and answers only init and join, or finds its paceline.json and becomes a member. It
// decides nothing: the scheduler, the coordinator's core, quorum and the fencing machine do.
//
// Guarantees: Run returns only when everything it started has ended; a daemon that ends without having left (SIGHUP, a
// crash) leaves its resources running (safety rule 7); SIGTERM leaves in good order first, within a stated time.
package agent
