package exec

import "time"

const (
	// metaDataMax bounds an agent's meta-data; the largest of the family is 40 KiB.
	metaDataMax = 1 << 20
	// metaDataTime bounds the run for it, so that an agent that hangs there still gets to fence.
	metaDataTime = 5 * time.Second
	// metaDataRetry is when an agent is asked again that could not say what it is: a fencing must not wait for that
	// each time.
	metaDataRetry = 5 * time.Minute
	// listMax bounds what an agent lists.
	listMax = 1 << 20
	// outputMax is how much of the end of its output is kept of an agent that acts.
	outputMax = 8 << 10
	// reasonLines and reasonMax bound what is told of it.
	reasonLines = 3
	reasonMax   = 400
	// pipeWait is how long the output's end is waited for after the agent has ended: something it began may hold it open.
	pipeWait = 200 * time.Millisecond
	// reapRounds bounds the search for what an agent left behind: each round ends all that it finds, and the next one
	// finds what was begun meanwhile.
	reapRounds = 20
	// reapPause is the wait between two rounds.
	reapPause = 5 * time.Millisecond
	// verifyTime bounds asking a device for the power's state after it said that it switched it off.
	verifyTime = 10 * time.Second
	// onTime bounds switching on after a reboot that is done as off and on, at the least: the node is fenced by then.
	onTime = 20 * time.Second
)
