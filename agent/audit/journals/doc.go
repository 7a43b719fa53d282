// Package journals makes facts for the rules of package audit out of the truth journals that executors keep: what began and
// ended on a node, whom it let a device loose on, and whose sessions it took.
//
// Guarantees: it reads what it is given and decides nothing. A journal does not tell of everything: leases, what a power
// switch did, and what waits in queues are facts that come from elsewhere, or from nowhere.
package journals
