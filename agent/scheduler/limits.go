package scheduler

import "time"

const (
	// defaultTimeoutMS is the time an operation gets when nobody says otherwise: that of the OCF world.
	defaultTimeoutMS = 20000

	// cloneNodesMax bounds clone-max: more instances than this are a mistake of a digit, and each costs memory.
	cloneNodesMax = 10000

	// reasonNodesMax bounds the nodes that one sentence lists: people read the first few.
	reasonNodesMax = 8

	// roundsMax bounds the fixed point of propagation, as a multiple of the number of actions. An action changes at
	// most a handful of times, so only a fault in the rules can reach it.
	roundsMax = 64

	// graceSeconds is how much later than due a recheck is asked for, so that what expires has expired by then.
	graceSeconds = 1

	// backoffMaxDefault is failure-backoff-max where nobody says otherwise: what is mended by hand is tried again while one
	// still looks at it. backoffLongest bounds both.
	backoffMaxDefault = time.Minute
	backoffLongest    = 24 * time.Hour

	// ruleDepthMax bounds nested rules and references between sets: documents have two or three levels.
	ruleDepthMax = 32
)
