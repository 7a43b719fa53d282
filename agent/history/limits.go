package history

import "time"

const (
	// InputsMax and InputsBytesMax bound the inputs kept: a thousand transitions are weeks of a quiet cluster, and 64 MiB
	// are a thousand of a hundred resources, or some hundred of a thousand.
	InputsMax      = 1000
	InputsBytesMax = 64 << 20
	// timelineMax bounds one file of the timeline, of which there are two: about ten thousand events each.
	timelineMax = 2 << 20
	// lineMax bounds an event: what does not fit is cut.
	lineMax = 16 << 10
	// inputMax bounds an input that is read: a configuration of ten thousand resources with its status.
	inputMax = 256 << 20
	// queueMax bounds what waits to be written; a storm of failures makes some hundred events a second.
	queueMax = 1024
	// SyncPause is how long the writer waits after the last write before it brings files to the disk: a recovery with its
	// own writes to the disk is over by then.
	SyncPause = time.Second
	// ListMax bounds what the timeline lists of one transition: more nobody reads in a list, and its input has it all.
	ListMax = 200
)
