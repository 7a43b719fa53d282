package fencing

import "time"

const (
	// TimeoutDefault bounds a fencing when nobody says (stonith-timeout's default): power controllers take 5 to 30 s.
	TimeoutDefault = 60 * time.Second
	// shareMin is the least time that a device gets when several share the time of a fencing, as long as there is so much.
	shareMin = 15 * time.Second
	// answerGrace is how long after an order's end its result is waited for: the way back, and an executor that is slow.
	answerGrace = 2 * time.Second
	// onTime bounds switching a fenced node on again, where a reboot is done as off and on.
	onTime = 20 * time.Second
	// retryPause is waited before the same node runs the same device again: some controllers take one login at a time.
	retryPause = time.Second
	// retriesDefault is how often an action is tried again (pcmk_*_retries).
	retriesDefault = 2
	// retriesMax bounds what a configuration may ask for.
	retriesMax = 100
	// rehearsalTime bounds each question of a rehearsal that has no time-out of its own (pcmk_status_timeout, pcmk_list_timeout).
	rehearsalTime = 20 * time.Second
	// queryTries is how many nodes are asked, at most, whether a device reaches the target.
	queryTries = 2
	// notesMax bounds the attempts that are told about; the first and the last matter most.
	notesMax = 12
	// detailMax bounds an attempt's reason, in bytes.
	detailMax = 300
)
