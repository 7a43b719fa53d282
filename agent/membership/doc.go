// Package membership says who is alive: serf over memberlist, made into numbered views.
//
//	gossip --> serf events --> table --> View --> Views()
//	              ^                |
//	    guard (who may be heard)   +--> rejoin (failed members are called again)
//
// A View lists every member that was heard of, with its status: alive, left (it said so itself) or failed (it went
// silent). A member carries its incarnation, drawn at each start of its daemon: a node that restarts faster than it can
// be missed shows up with another incarnation, without ever having been seen as failed.
//
// Guarantees: the gossip is encrypted with a key made from the cluster key, and labelled with the cluster's name; whatever
// does not fit is dropped, counted and named in Problems. A name belongs to one node ID and an address to one name, as long
// as their holder is alive; a newcomer that collides is not let into any view, and Problems names both parties. Views are
// numbered without gaps, and a reader of Views that is late gets the latest. A dead member is seen as failed within
// Profile.Detect; a healed partition is one cluster again within HealMax. What "failed" means is that a member cannot be
// heard, not that it is dead: that is for fencing to make true.
//
// The transport is a value in Config. Tests run whole clusters under virtual time over memnet, and once over loopback.
package membership
