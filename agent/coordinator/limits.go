package coordinator

import "time"

// Timing holds the coordinator's time-outs. They derive from the membership's profile; see TimingFor.
type Timing struct {
	// JoinWait is how long planning waits, after an election, for the sessions of nodes that are heard.
	JoinWait time.Duration
	// NodeLease is how long a member may be without a session before it counts as lost, though gossip hears it: it will
	// have stopped acting for the cluster by then (safety rule 6).
	NodeLease time.Duration
	// Unseen is how long a node that is configured, and that this membership never heard, may take to appear before it
	// counts as lost (start-up fencing). It gives nodes that boot together the time to do so.
	Unseen time.Duration
	// HeardAgain is how long gossip may go on naming a fenced node alive before that counts as a lie of the device: the
	// detection time, with room.
	HeardAgain time.Duration
	// Restart is how long a member is waited for whose daemon announced that it starts anew, from the announcement on: three fifths of
	// the lease. A daemon needs 0.1 s to be heard again on an idle machine, and 0.7 s on a very busy one. More than the lease it
	// must never be: of two voters the other has no coordinator meanwhile, and would stop what it runs when its own lease ends; two
	// fifths are left for it to fence and take over. It only ever delays a fencing, so no time after which a node
	// is presumed dead is touched by it.
	Restart time.Duration
	// SessionRetry is the pause between attempts to open a session.
	SessionRetry time.Duration
}

// TimingFor derives the time-outs from the profile's detection time and node lease.
func TimingFor(detect, lease time.Duration) Timing {
	return Timing{
		JoinWait:     2 * time.Second,
		NodeLease:    lease,
		Unseen:       max(20*time.Second, 10*detect),
		HeardAgain:   max(5*time.Second, 5*detect),
		Restart:      lease * 3 / 5,
		SessionRetry: 200 * time.Millisecond,
	}
}

const (
	// fenceRetryMin and fenceRetryMax bound the pause between fencings of one target: never faster than once a second, and
	// never given up.
	fenceRetryMin = time.Second
	fenceRetryMax = time.Minute
	// fenceTimeoutDefault is Pacemaker's stonith-timeout.
	fenceTimeoutDefault = 60 * time.Second
	// courtesyMin and courtesyMax bound the delay of the side of two that did not coordinate: the power switches that we
	// know of need 20 ms to 5 s.
	courtesyMin = 500 * time.Millisecond
	courtesyMax = 10 * time.Second
	// inFlightMax bounds how long a plan waits for results of operations that a node has from a coordinator before: they end by
	// their own time-outs, which are 20 s unless they are configured.
	inFlightMax = 30 * time.Second
	// calmAfter is how many plans in a row may follow one another without anything new from outside, before the next
	// waits for calmPause: a cluster that plans in circles must not do so at full speed.
	calmAfter = 30
	calmPause = 5 * time.Second
)
