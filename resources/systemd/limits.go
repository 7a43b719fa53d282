package systemd

import "time"

const (
	// connectedCheck is how often the connection to systemd is looked at while somebody watches: its loss is no event.
	connectedCheck = time.Second
	// reconnectPause is the wait between two attempts to connect anew.
	reconnectPause = 200 * time.Millisecond
	// updatesBuffer is the number of property changes that may wait. systemd sends a few per unit and change; what does not fit is
	// reported as lost, and everybody looks again.
	updatesBuffer = 4096
	// killShare says when a stop that does not end is helped by KILL: when a fifth of the budget is left.
	killShare = 5
	// settleMin is the wait between the first two looks at a unit that is about to change, and doubles up to settleMax: a process that was
	// killed is gone within milliseconds, and a unit that takes seconds to start is not asked hundreds of times.
	settleMin = 2 * time.Millisecond
	settleMax = 50 * time.Millisecond
	// callBudget bounds one call to systemd that is no job.
	callBudget = 10 * time.Second
)
