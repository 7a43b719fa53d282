package watchdog

import (
	"fmt"
	"time"
)

// Times are what the presumed-dead time derives from. All count on monotonic clocks.
type Times struct {
	Lease      time.Duration // node lease: a node without a coordinator acts for itself after it
	StopBudget time.Duration // what it then may take to stop its resources before feeding ends
	Timeout    time.Duration // of the watchdog
}

// Margin is for what no formula knows: clocks that drift, timers that round.
func (t Times) Margin() time.Duration { return max(marginMin, t.Timeout/5) }

// PresumedDead is how long after its last tie to a coordinator was seen to end a node is dead in truth:
//
//	2 x lease + stop budget + 2 x time-out + margin
//
// The lease counts twice, because a coordinator that was paused may have prolonged it once more than its successor knows; the
// time-out counts twice, because a node that is paused between its last look at the clock and the feeding that follows feeds
// once too late, and at most once: a longer pause is its end.
func (t Times) PresumedDead() time.Duration {
	return 2*t.Lease + t.StopBudget + 2*t.Timeout + t.Margin()
}

// Check says what is wrong with the time-outs, in words.
func (t Times) Check() error {
	switch {
	case t.Timeout < TimeoutMin || t.Timeout > TimeoutMax:
		return fmt.Errorf("watchdog time-out %v: %v to %v is allowed", t.Timeout, TimeoutMin, TimeoutMax)
	case t.Lease <= 0:
		return fmt.Errorf("watchdog: a node lease of %v", t.Lease)
	case t.StopBudget < 0:
		return fmt.Errorf("watchdog: a stop budget of %v", t.StopBudget)
	}
	return nil
}
