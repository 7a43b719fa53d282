package draft

const (
	// undoMax bounds the steps that a session remembers: each keeps a configuration, and nobody goes back further by steps.
	undoMax = 100

	// savedSteps bounds the steps that a saved session remembers: each is a configuration on disk.
	savedSteps = 10

	// conflictsMax bounds the conflicts of one merge: more means that one side has replaced everything.
	conflictsMax = 100
)
