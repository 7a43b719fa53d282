// Package draft is the editing of a configuration before the cluster hears of it: a session that starts from a revision,
// collects changes, shows and takes them back, and is brought up to date when somebody else has committed meanwhile.
//
//	base (revision r) --lines, files--> work --Rebase onto r'--> work' --commit, compare-and-set at r'--> cluster
//
// Guarantees:
//   - What fails changes nothing: a line, a text and a rebase are taken as a whole or not at all.
//   - Merge loses nothing. An object, or a pair of a cluster-wide set or of a node, that only one side has touched comes out
//     as that side has it; one that both have touched differently is a Conflict, which shows all versions.
//   - Member nodes are the cluster's own: no text makes or drops one.
//
// The package is a core: no goroutine, clock, file or socket. It is tested by properties over pairs of editors.
package draft
