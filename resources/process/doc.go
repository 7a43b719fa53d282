// Package process is the native agent ocf:paceline:process: it runs a command under our own supervision.
//
// Guarantees: the command runs in a session of its own and outlives the daemon; it is found again by its pid together with its
// start time, from a state file or, if the daemon died between the fork and the write, by a mark in its environment; so it never
// runs twice on a node. Stop ends the whole of it, by signal first and KILL in time: where the daemon may make cgroups it begins in one of
// its own, which nothing can leave; elsewhere its descendants, its session and a mark in the environment tell what belongs to it. Its end is seen at once, by pidfd.
//
// Tested with real processes: ones that fork away, ignore signals, die early or never become ready.
package process
