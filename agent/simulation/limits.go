package simulation

import "time"

// Times of the model. They are those of the profile "lan" where that has them.
const (
	latencyMin  = 100 * time.Microsecond
	latencyMax  = 3 * time.Millisecond
	detectMin   = 400 * time.Millisecond // gossip: silence to "failed"
	detectMax   = 900 * time.Millisecond
	hearMin     = 20 * time.Millisecond // gossip: there again to "alive"
	hearMax     = 300 * time.Millisecond
	heartbeat   = 50 * time.Millisecond // of a raft leader
	electionMin = 200 * time.Millisecond
	electionMax = 400 * time.Millisecond
	nodeLease   = 5 * time.Second
	renewEvery  = time.Second
	sessionDead = 2500 * time.Millisecond // without an answer to a renewal
	dialMax     = 2 * time.Second
	stallPoll   = 20 * time.Millisecond // how often a stalled message looks whether the link is back
	voterRetry  = time.Second
	bootMin     = 300 * time.Millisecond // power on to daemon up
	bootMax     = 1500 * time.Millisecond
	takeLook    = 200 * time.Millisecond // agent's takeoverPoll

	// quietFor is how long nothing may happen at the end before the cluster counts as at rest.
	quietFor = 3 * time.Second
	// settleMax is the longest that a healed cluster may take to come to rest: start-up fencing waits 20 s, fencing
	// retries up to a minute, and the calm after circles of plans.
	settleMax = 4 * time.Minute
	// clearEvery is how often a person looks after failures that nothing else ends.
	clearEvery = 30 * time.Second
	// circlesMax is how often in a row a transition that ran to its end may be followed by another. One is ordinary: what
	// probes find changes what is to be done; results of agents' attributes come in between.
	circlesMax = 4
	// replanEvery: the plans of one revision in so many are made again from what would be on disk.
	replanEvery = 7
	// eventsMax ends a run that never ends: a circle without time passing.
	eventsMax = 3_000_000
	// traceKept is how many lines of a run are kept for a failure's report.
	traceKept = 400
)
