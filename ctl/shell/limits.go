package shell

const (
	// historyMax is how many lines the history keeps: some weeks of a person's work.
	historyMax = 1000
	// historyBytes bounds what is read of a history file, whoever wrote it.
	historyBytes = 1 << 20
	// lineMax bounds a line of a script: a whole configuration's longest object has some kilobytes.
	lineMax = 1 << 20
	// listedMax is how many candidates are listed with their descriptions, each on a line of its own; more are set in columns.
	listedMax = 60
)
