// Package cluster makes a lab's nodes into a paceline cluster, as an operator would: cluster init on the first, a token,
// cluster join on the others, configure load. Stories, benchmarks and the demonstration build on it.
//
// It reaches the daemons as everybody does, by the command line or the API's client, and beside that reads what no
// daemon can gloss over: the truth journals on the nodes' disks and the log of the power switch. Audit judges by these two alone whether
// a resource was ever active twice. Audit is tested with journals that are known to be good and bad.
package cluster
