package membership

import "time"

const (
	// HealMax bounds the time from the end of a partition to views with everybody in them, in the profiles lan and
	// fast: one call that hangs in the old partition (TCPTimeout), one round of calls, two exchanges.
	HealMax = 3 * time.Second

	// rejoinParallel is how many failed members are called at a time, so that half a cluster that is gone does not
	// cost a connection each all the time.
	rejoinParallel = 4

	// joinParallel is how many addresses are called at a time by Join.
	joinParallel = 8
	// aloneFactor is how much more often than Profile.Rejoin a member calls that is alone: daemons that start together
	// should find each other at once.
	aloneFactor = 4

	// eventQueue holds serf's events until the table takes them. The table never blocks; the queue is there so that the
	// last events at Close find room.
	eventQueue = 1024

	// problemKeep is how long a problem is shown after it was last seen.
	problemKeep = 5 * time.Minute
	// problemsMax bounds the problems that are kept; the one that has been quiet longest goes first.
	problemsMax = 32
	// logGap is the least time between two equal lines of the gossip libraries, or two reports of a problem.
	logGap = 30 * time.Second
	// reportsMax bounds the reports of problems in logGap, whatever they are.
	reportsMax = 20
	// logKinds bounds the kinds of lines for which logGap is kept; when it is reached, they are forgotten.
	logKinds = 256

	// tombstone is how long a member that left is still shown.
	tombstone = time.Hour
	// forgetFailed is when serf itself would forget a failed member: never, that is decided by Forget.
	forgetFailed = 10 * 365 * 24 * time.Hour

	// nameMax and clusterMax bound names: a member's tags must fit into 512 bytes, a label into 255.
	nameMax    = 128
	clusterMax = 200
	// linksMax bounds the further addresses of a node, in bytes: three of IPv6.
	linksMax = 3 * 46
)
