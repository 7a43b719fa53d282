package watchdog

import "time"

const (
	// TimeoutMin and TimeoutMax bound the time-out: below, a busy machine is reset for being busy; above, recovery waits
	// for minutes, and many timers cannot count so far.
	TimeoutMin = 2 * time.Second
	TimeoutMax = 5 * time.Minute
	// TimeoutDefault is what most sites with local disks use.
	TimeoutDefault = 5 * time.Second
	// roundsPerTimeout is how often the timer is fed within its time-out: four rounds may be late before it matters.
	roundsPerTimeout = 5
	// marginMin is the least margin of the presumed-dead time: clocks of two machines drift by at most seconds an hour, and
	// what a timer rounds is below a second.
	marginMin = 2 * time.Second
	// standInWait bounds one exchange with a stand-in.
	standInWait = time.Second
)
