package mount

import "time"

const (
	// retryPause is the wait between two attempts to unmount what was busy.
	retryPause = 10 * time.Millisecond
	// termGrace is how long processes may take to end after TERM before they get KILL (force_unmount=yes), if the budget allows.
	termGrace = 2 * time.Second
	// lastWords is what a stop keeps of its budget to say who was in the way: a look at all processes takes that long on a busy
	// machine.
	lastWords = 300 * time.Millisecond
	// freeGrace is how long the kernel may take to let go of a device after its last unmount; it does so in the background.
	freeGrace = 2 * time.Second
	// readRetries bounds the readings of a mount table that changes while it is read.
	readRetries = 10
	// tableKept is how long one reading of the mount table tells monitors what errors have made of their file systems: a thousand monitors
	// of a thousand mounts read it a few times a second then, and not each by itself.
	tableKept = 200 * time.Millisecond
	// checkGrace is how long a check of a file system may take to end when it is told to.
	checkGrace = time.Second
	// namedMax bounds the processes that a reason names.
	namedMax = 3
	// linksMax bounds how many files of one process are looked at: more than any sane limit of open files.
	linksMax = 1 << 20
)
