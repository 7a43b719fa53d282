package process

import "time"

const (
	// readyPause is the wait between two looks at whether the command is ready: short against a failover of a second.
	readyPause = 10 * time.Millisecond
	// dialBudget bounds one attempt to connect to ready_tcp.
	dialBudget = time.Second
	// endPause is the wait between two looks at members of a group whose leader has ended.
	endPause = 5 * time.Millisecond
	// killShare and killLeast say when KILL is sent if kill_after is not set: when a fifth of the budget is left, and
	// half a second at least, for KILL takes a moment too.
	killShare = 5
	killLeast = 500 * time.Millisecond
	// argumentsMax bounds the arguments of a command; the kernel would take more, a person would not.
	argumentsMax = 1000
	// logTail is how much of the log file is looked at when the command dies early.
	logTail = 2048
)
