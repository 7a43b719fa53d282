package ctl

import "time"

const (
	// shadowsMax bounds the shadow copies of one user: they are for work at hand, and somebody who has more has forgotten them.
	shadowsMax = 50

	// shadowBytesMax bounds a shadow copy's file: two configurations of the largest size that a request may carry.
	shadowBytesMax = 2 * configurationMax

	// commitTries bounds how often a commit is merged again because somebody else committed in between.
	commitTries = 5

	// editTries bounds how often a text with mistakes is opened again.
	editTries = 20

	// blameCommits bounds the commits that are searched for an object: what the store keeps at most.
	blameCommits = 1000

	// agentWait bounds the questions about one agent in a check of a configuration: a broken agent must not hold it up.
	agentWait = 15 * time.Second
)
