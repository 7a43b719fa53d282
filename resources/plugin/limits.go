package plugin

import "time"

const (
	// marginShare and marginMost say how long before the manager's own time-out an operation is told to end, a tenth of it and half a
	// second at most, so that the agent's words are heard: the manager's signal leaves none.
	marginShare = 10
	marginMost  = 500 * time.Millisecond
	// DefaultTimeout is what an agent advises for an operation unless its Info says more.
	DefaultTimeout = 20 * time.Second
	// DefaultInterval is the interval that an agent advises for its monitor.
	DefaultInterval = 10 * time.Second
	// untilPause is the wait between two looks of Until.
	untilPause = 50 * time.Millisecond
	// outputMax bounds what Run keeps of a command's output, in bytes.
	outputMax = 64 << 10
	// closeGrace is how long Run waits for the output of a command that has ended, where a child keeps it open.
	closeGrace = time.Second
)
