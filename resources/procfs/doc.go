// Package procfs reads /proc for agents that must know processes exactly: which process a remembered one is (a pid and
// its start time, since pids come again), what descends from it, when it ends, and how to end it with all it has begun.
//
// Guarantees: nothing is ever signalled whose start time was not compared just before; a process without a readable
// /proc entry counts as ended; a zombie counts as ended. Tested against real processes, among them ones that fork away, leave
// their session and fork on while they are being ended.
package procfs
