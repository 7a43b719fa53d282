package ocf

import "time"

const (
	// lineMax bounds a line of output while it is looked at for an exit reason: longer lines are no reasons.
	lineMax = 1024
	// drainMax bounds what is read after the agent has ended: what it wrote itself fits a pipe, and what goes on writing in the
	// background must not hold us.
	drainMax = 256 << 10
	// killBudget is how long the killed processes of an operation may take to end. Only processes in uninterruptible sleep
	// take longer, and those for as long as their device does.
	killBudget = 2 * time.Second
	// metaDataBudget bounds a meta-data operation: OCF's authors advise 5 s, a loaded machine needs more.
	metaDataBudget = 30 * time.Second
	// busyRetries and busyPause bound the retries of ETXTBSY: an agent that is being written this moment.
	busyRetries = 10
	busyPause   = 10 * time.Millisecond
	// traceMax bounds what is kept of one traced operation, and traceFilesMax how many are kept of one resource: a day of one
	// whose monitor runs every half hour, and 50 MiB, whatever an agent prints.
	traceMax      = 1 << 20
	traceFilesMax = 50
	// traceHeadMax bounds the line that is shown of each: what ran, and the agent's words.
	traceHeadMax = 2048
	// commandMax bounds a command line that a time-out's reason quotes.
	commandMax = 160
)
