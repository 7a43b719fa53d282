package agent

import "time"

const (
	// leaveTimeout bounds a departure in good order: the resources' own stop time-outs come first; a service manager
	// should allow a little more (the shipped unit does).
	leaveTimeout = 3 * time.Minute
	// leaveQuiet is how long a departing node waits for a coordinator before it gives up on good order.
	leaveQuiet = 5 * time.Second
	// votelessWait is how long a departing voter waits to hear that it is one no more. It may not hear it at all.
	votelessWait = time.Second
	// closeTimeout bounds how long a daemon that ends waits for operations in flight; they then go on without it.
	closeTimeout = 5 * time.Second
	// announceMax bounds how long a daemon that is to start anew tries to have that committed: an election between two coordinators, with
	// room. Where nobody coordinates it ends without a word.
	announceMax = 2 * time.Second
	// announcePause spaces its attempts.
	announcePause = 50 * time.Millisecond
	// restartBodyMax bounds what it says.
	restartBodyMax = 1 << 10
	// progressMax bounds how long an answer waits for the coordinator's loop, which at worst makes the plan of a large cluster.
	progressMax = time.Second
	// barrierTimeout bounds how long a new leader takes to apply what was committed before it.
	barrierTimeout = 10 * time.Second
	// barrierPause spaces attempts of a new leader to do so.
	barrierPause = 200 * time.Millisecond
	// contactEvery is the pause between attempts to reach members while none is known.
	contactEvery = 500 * time.Millisecond
	// contactSpare is every which of these times those who are missing are called while others are there: each 2 s. Whoever starts calls
	// too, so that this only finds those whom nobody found.
	contactSpare = 4
	// contactsMax bounds the remembered addresses.
	contactsMax = 256
	// contactMax bounds one such attempt.
	contactMax = 2 * time.Second
	// joinTimeout bounds a join from the command line: contact, admission, first contact by gossip.
	joinTimeout = 20 * time.Second

	// witnessVoteWait is how long a witness that joins waits for its vote. A coordinator grants it at once, or not before another voter goes.
	witnessVoteWait = 3 * time.Second
	// fenceWait bounds how long a person's fencing is waited for beyond the cluster's own time-out.
	fenceWait = 10 * time.Second
	// tokenTTLDefault is the life of a join token: long enough to walk to the next machine.
	tokenTTLDefault = 24 * time.Hour
	// accessAddresses bounds the members that an access token names: all voters, and a text that can still be copied.
	accessAddresses = 7
	// keyBodyMax bounds what nodes say about keys.
	keyBodyMax = 4 << 10
	// rotationPatience is how long two keys may be accepted before status speaks of it: a rotation takes a second.
	rotationPatience = 15 * time.Second
)
