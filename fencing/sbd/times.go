package sbd

import (
	"fmt"
	"time"
)

// Times are what the message wait derives from. All count on monotonic clocks.
type Times struct {
	Watchdog time.Duration // time-out of the nodes' watchdogs
	Lease    time.Duration // node lease: how long a node without a coordinator counts itself tied to one
}

// Margin is for what no formula knows: clocks that drift, timers that round.
func (t Times) Margin() time.Duration { return max(marginMin, t.Watchdog/5) }

// Fresh is how old the newest reading of a device may be for the device to count as read.
func (t Times) Fresh() time.Duration { return t.Watchdog }

// Ending is how long after its last look at the clock a node that feeds its watchdog no more is dead in truth: a node that is
// paused between that look and the feeding feeds once too late, and at most once.
func (t Times) Ending() time.Duration { return 2*t.Watchdog + t.Margin() }

// Wait is how long after a poison pill lay on enough devices its target is dead in truth:
//
//	larger of (watchdog time-out, 2 x lease) + 2 x watchdog time-out + margin
//
// A node that reads enough devices takes the pill, or its newest readings are older than the pill, and no reading counts for longer
// than the watchdog's time-out. A node that does not read enough of them feeds on only while it is tied to a coordinator, which
// has ended the session before the pill was written; the lease counts twice, because a coordinator that was paused may have
// prolonged it once more than its successor knows.
func (t Times) Wait() time.Duration { return max(t.Fresh(), 2*t.Lease) + t.Ending() }

// Check says why a node with these times is not fenced in time by a set made with that header.
func (t Times) Check(h Header) error {
	switch {
	case t.Watchdog > h.Watchdog:
		return fmt.Errorf("the shared devices were made for watchdogs of at most %v, and this node's takes %v: make them anew, or set the watchdog to that", h.Watchdog, t.Watchdog)
	case t.Wait() > h.Wait:
		return fmt.Errorf("a poison pill counts as taken after %v (message wait), but this node may live for %v: larger of (watchdog time-out %v, 2 x lease %v) + 2 x watchdog time-out + margin %v; make the devices anew with a message wait of that",
			h.Wait, t.Wait(), t.Watchdog, t.Lease, t.Margin())
	}
	return nil
}

// FencingTimeout is the least time that a fencing must be given for a message to be delivered in it.
func FencingTimeout(wait time.Duration) time.Duration { return wait + wait/5 }

// Quorum returns on how many of n devices a message must lie to be delivered, and how many a node must read to see every such
// message. They overlap in one device at least. Of two devices one may be lost without a node being lost, but not while a node
// is to be fenced.
func Quorum(n int) (write, read int) {
	write = n/2 + 1
	return write, n - write + 1
}
