// Package conformance checks whether an OCF executable behaves as a cluster manager must be able to rely on: it runs the agent, in
// every order in which a manager may, and compares what it says with what it should.
//
// Guarantees: what was active before is not touched (the check refuses to begin); every operation is bounded, and what it leaves
// running ends with it; at the end the resource is stopped, if its agent can stop it.
//
// It is what `paceline ra test` runs. Tested with agents that make one mistake each.
package conformance
