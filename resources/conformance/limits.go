package conformance

import "time"

const (
	// operationMax bounds an operation whose meta-data advises no time-out, and the advice itself: a test is no production.
	operationMax = 2 * time.Minute
	// queryMax bounds operations that change nothing and need nobody: meta-data, usage.
	queryMax = 10 * time.Second
	// interruptAfter is when the start that is to be interrupted is killed: in the middle, for most agents.
	interruptAfter = 20 * time.Millisecond
	// outputMax is how much of an operation's output is kept; printMax is how much an agent may print without a warning.
	outputMax = 1 << 20
	printMax  = 64 << 10
	// namedMax bounds how many leftovers a line names.
	namedMax = 5
	// closeGrace is how long output is waited for after the agent has ended: a daemon may hold it, which is a finding.
	closeGrace = 500 * time.Millisecond
)
