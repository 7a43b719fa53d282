package executor

import "time"

const (
	// LineMax bounds one message, or one journal line but a checkpoint, in bytes: an inventory of 10,000 resources, or an order whose parameters
	// are as large as an environment may be, fits; a stranger can not make the node hold more.
	LineMax = 8 << 20
	// LeaseMin and LeaseMax bound the node lease that a coordinator may state: below, renewals would be most of the work
	// and a garbage collection a loss; above, a cut-off node would be taken for lost long before it notices.
	LeaseMin = 200 * time.Millisecond
	LeaseMax = 10 * time.Minute
	// ParallelDefault bounds operations at once on a node, as the coordinator does per node; stops are not counted, so
	// that hanging starts never hold them up.
	ParallelDefault = 32
	// OutboxMax is the number of unacknowledged results beyond which only the newest of each resource, operation and
	// interval is kept: the coordinator decides on the newest anyway, and memory stays bounded while there is none.
	OutboxMax = 1000
	// QueueMax bounds the orders waiting for one resource: a coordinator sends one at a time.
	QueueMax = 16
	// SessionQueueMax bounds messages waiting to be written to one node; beyond, the session is lost rather than slow.
	SessionQueueMax = 4096
	// StopBudgetDefault bounds stopping everything by itself when the coordinator stated nothing: Pacemaker's default
	// operation time-out, three times.
	StopBudgetDefault = 60 * time.Second
	// RotateBytes is the size at which a journal file is rotated, and JournalsKept how many older files stay: some hundred
	// thousand operations, and below 50 MiB in all.
	RotateBytes  = 8 << 20
	JournalsKept = 5
)

const (
	handshakeMax = 5 * time.Second // for Hello and Welcome: a peer that sends none must not hold a connection
	// runnerGrace is how long after the end of its time-out a Runner may take to return before its order is answered
	// without it. It is shorter than transition.Grace, so that the answer is not late.
	runnerGrace = 5 * time.Second
	// eventGapMin is the least time between two monitors that events asked for: a storm of events costs at most 20 a second.
	eventGapMin = 50 * time.Millisecond
	// never is when a monitor runs that only events cause, as timers know it.
	never = 100 * 365 * 24 * time.Hour
	// watchRetryMin and watchRetryMax bound the pause before a Watcher that ended is started again.
	watchRetryMin = time.Second
	watchRetryMax = 30 * time.Second
	// stopRetryMin and stopRetryMax bound the pause before a self-stop that failed is tried again.
	stopRetryMin = 5 * time.Second
	stopRetryMax = time.Minute
	// probeWait is how long a Welcome waits for the monitors that a restarted daemon runs; those that take longer come as
	// results.
	probeWait = 500 * time.Millisecond
	// journalWait is how long an operation waits for the journal's disk before it fails, and journalWaitStop how long a stop
	// waits before it runs without.
	journalWait     = 5 * time.Second
	journalWaitStop = time.Second
	// callsSkipped is left out of the numbers of calls when the daemon starts again: more than a day of operations, one in a
	// second, on a disk that took no line.
	callsSkipped = 100_000
	// journalLineMax bounds a checkpoint: 20,000 resources with their monitors and unacknowledged results.
	journalLineMax = 64 << 20
	// journalQueue bounds journal lines waiting for the disk, and journalBatch those written with one system call.
	journalQueue = 1024
	journalBatch = 128
	// syncIdle is when lines that nobody waits for are synced if nothing else causes it: what a power cut may cost of
	// the ends of operations. A missing end is read as "may have gone on", so it errs on the safe side.
	syncIdle = 200 * time.Millisecond
	// seenMax bounds the orders that are remembered to recognise repeated ones.
	seenMax = 8192
	// monitorsParallel bounds recurring monitors at once, apart from ordered operations: neither starves the other.
	monitorsParallel = 16
	// metaDataMax bounds the question for an agent's meta-data: 5 s is what OCF's authors advise, a loaded machine needs more.
	// metaDataWait is how long a result waits for it, which is asked for while the operation runs.
	metaDataMax  = 20 * time.Second
	metaDataWait = 2 * time.Second
	// fencesParallel bounds fence orders at once on this node.
	fencesParallel = 32
	// probeTimeout is the budget of the monitors of a restarted daemon where no recurring one tells its own.
	probeTimeout = 20 * time.Second
)
