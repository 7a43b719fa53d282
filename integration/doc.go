// Package integration holds what looks at paceline as a whole: the stories in which real daemons on real nodes of the
// lab (package lab) lose power, links and disks; the benchmarks and the demonstration, which are programs below it; and
// the tests that hold the house in order: who imports whom, what a core may not do, how things are named.
//
// It guarantees nothing to anybody: nothing imports it. Stories need root, or a user namespace; without they are
// skipped and say why.
package integration
