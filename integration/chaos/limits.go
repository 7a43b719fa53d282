package main

import "time"

const (
	// commandMax bounds one command of an operator, which answers in 2 s or says why not, on a machine that is busy with all else.
	commandMax = 20 * time.Second
	// answerMax is what a command may take before it counts as one that hangs: an API call answers within 2 s, looks for a
	// coordinator that long at most, and is forwarded once; tripled for a loaded machine.
	answerMax = 15 * time.Second
	// restMax bounds the way back to rest after everything is mended: 10 s plus the longest operation (20 s, and its retry), a
	// fencing that is retried with growing pauses (to 60 s), doubled for a loaded machine.
	restMax = 180 * time.Second
	// helpAfter is when a person looks at a cluster that does not come to rest, and cleans failures up.
	helpAfter = 20 * time.Second
	// tendEvery is how often nodes without power and daemons that ended are seen to while rest is waited for.
	tendEvery = 500 * time.Millisecond
	// looks at what runs, lookAgain apart, before what does not fit counts: ten seconds are longer than any start or stop here takes.
	looks     = 20
	lookAgain = 500 * time.Millisecond
	// journalMax bounds the wait for a line in every node's journal: monitors, which write two, run every 10 s.
	journalMax = 30 * time.Second
	// loadThreads are the busy loops of a load on all processors.
	loadThreads = 4
	// writeEvery is the pause between two committed writes, and slots how many attributes they are spread over.
	writeEvery = 500 * time.Millisecond
	slots      = 40
	// writeMax bounds one write: without an answer nobody knows whether it is committed.
	writeMax = 5 * time.Second
	// stallMin is a delay of the program's own timers from which on the machine, and not the fault, may have made a node be missed.
	stallMin = 200 * time.Millisecond
	// logKeep bounds what is kept of a node's log in a report of a violation, in lines.
	logKeep = 80
)
