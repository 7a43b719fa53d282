package sbd

import "time"

const (
	// DevicesMax is the most devices of a set: with three, one may fail and all works on; more would only be more to fail.
	DevicesMax = 3
	// SlotsMax is the number of slots on a device, the persons' included. A node reads one message a slot in every round, so a
	// round is 128 KiB; a cluster that is larger than 31 nodes is too large for shared disks.
	SlotsMax = 32
	// nameMax and bootMax bound names, so that a record fits into one sector of 512 bytes.
	nameMax = 63
	bootMax = 40
	// Poll is the time from one look at the messages to the next.
	Poll = time.Second
	// WatchdogMin and WatchdogMax bound the watchdog time-out that a set is made for, as those of the watchdog itself.
	WatchdogMin = 2 * time.Second
	WatchdogMax = 5 * time.Minute
	// WaitMax bounds the message wait: nobody waits longer for a recovery without looking.
	WaitMax = time.Hour
	// marginMin is the least margin of the message wait, as of the watchdog's presumed-dead time.
	marginMin = 2 * time.Second
	// ioMax bounds one reading or writing: whoever waits goes on, and the device counts as lost meanwhile.
	ioMax = 5 * time.Second
	// glance is the time from one look for an answer to the next, while somebody waits for it.
	glance = 300 * time.Millisecond
	// claimPause is waited before a slot that was just taken is looked at again: another node may have taken it at the same time.
	claimPause = 200 * time.Millisecond
	// lastWords bounds the answer of a node that is about to end itself.
	lastWords = 500 * time.Millisecond
)
