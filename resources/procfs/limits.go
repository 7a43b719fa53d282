package procfs

import "time"

const (
	// environMax bounds what is read of one process's environment: the kernel allows 128 KiB for one string, and few processes
	// have more than that in all.
	environMax = 256 << 10
	// environWaits and environPause bound, for one pass over the process table, the waits for processes that seem to have no
	// environment: an exec takes less than a millisecond, and a process that really has none is rare.
	environWaits = 10
	environPause = 500 * time.Microsecond
	// kernelThread is the flag of a kernel thread in /proc/PID/stat.
	kernelThread = 0x00200000
	// killRounds bounds the rounds of EndTree. Every round stops what it finds, so that only what is forked between two
	// rounds remains; a fork bomb is ended after a few. Past the bound the rest is killed unstopped.
	killRounds = 50
	// killPause is the wait between two looks at processes that were sent KILL.
	killPause = 2 * time.Millisecond
)
