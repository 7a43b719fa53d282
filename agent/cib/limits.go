package cib

const (
	// documentMax bounds a document in bytes. A cluster of 32 nodes and 1,000 resources with full history needs about 20
	// MiB; more is a mistake or an attack.
	documentMax = 64 << 20

	// depthMax bounds the nesting of elements. The deepest place of the schema (a rule within a rule of an operation's
	// attributes of a primitive of a cloned group) needs 12; nested rules may go on for a while.
	depthMax = 48

	// elementMax bounds the number of elements, since the tree in memory is far larger than its text.
	elementMax = 2_000_000

	// warningMax bounds the warnings of one document: nobody reads more, and a document of another kind would make as
	// many as it has elements.
	warningMax = 100

	// nearMax bounds the names that are compared letter by letter; longer ones were not typed by a person.
	nearMax = 64

	// nearListMax bounds the names that one is compared with: a hint is not worth more than a few milliseconds.
	nearListMax = 5000

	// problemsMax bounds the findings of Validate, as warningMax does warnings.
	problemsMax = 200

	// summaryMax bounds, in letters, the words for an object that was added or removed: a few lines of a terminal.
	summaryMax = 300

	// batchDepthMax bounds batches within batches: one level is what the coordinator and the API make.
	batchDepthMax = 8

	// timeMaxMS bounds amounts of time (100 years), so that sums of them never overflow.
	timeMaxMS = 100 * 365 * msDay

	// xpathMax bounds the path of an access permission in bytes, xpathDepth its nested parentheses: people write a line.
	xpathMax   = 2000
	xpathDepth = 20
)
