// Package quorum decides, from the voters and who of them is heard, whether this node may act for the cluster, and how
// the set of voters should change. Both are pure functions, so that they can be tested over every membership.
//
// Guarantees. A verdict is quorate only with a majority of the voters (safety rule 3) - the one exception, the takeover
// of two (rule 5), is never a verdict but a permission: Takeover names the peer that may be fenced, and only if this
// very incarnation was in live quorum with it. The set of voters loses a member only in good order or after confirmed
// fencing (rule 4), never by the passing of time. Every verdict carries its reason in words.
//
// The package is a core: no goroutine, clock, timer, file or socket.
package quorum
