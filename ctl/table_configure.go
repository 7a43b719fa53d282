package ctl

// configureCommands read and change the configuration; those that take a line of the language are in language.go.
var configureCommands = []command{
	{
		path: "configure show", short: "print the configuration in the crm language", run: runShow,
		long:     "With IDs only those objects are printed. --json prints the typed configuration.",
		args:     []arg{{name: "ID", kind: argObject, optional: true, repeat: true}},
		flags:    []flag{{name: "revision", kind: flagNumber, def: "the current one", usage: "as it was at a `REVISION`"}, flagJSON},
		examples: []string{"paceline configure show", "paceline configure show web", "paceline configure show --revision 12"},
	},
	{path: "configure convert", mount: convertCommand},
	{
		path: "configure load", short: "change the configuration to what a file says", run: runLoad,
		long: "The file is written in the crm language or is a CIB in XML; which of the two is seen from its content. 'update' adds\n" +
			"new objects and replaces those of the same ID, 'replace' makes the configuration exactly the file's, but never drops\n" +
			"a node that is a member. All or nothing: a file with an error changes nothing. Without a method it is update.",
		args: []arg{{name: "METHOD", kind: argChoice, values: []string{"update", "replace"}, optional: true}, {name: "FILE", kind: argFile}}, flags: writes,
		examples: []string{
			"paceline configure load update web.crm", "paceline configure load replace cib.xml --dry-run",
			"echo 'property maintenance-mode=true' | paceline configure load update -",
		},
	},
	{
		path: "configure xml", short: "print the whole state as Pacemaker's XML", run: runXML,
		examples: []string{"paceline configure xml > cib.xml"},
	},
	{
		path: "configure commit-history", short: "list who changed what, and when", run: runHistory,
		flags:    []flag{{name: "number", kind: flagNumber, def: "20", usage: "how many `COMMITS`"}, flagJSON},
		examples: []string{"paceline configure commit-history --number 5"},
	},
	{
		path: "configure rollback", short: "go back to an earlier configuration", run: runRollback,
		long: "The old configuration becomes a new commit. Nodes that have joined since stay.",
		args: []arg{{name: "REVISION", kind: argRevision}}, flags: writes,
		examples: []string{"paceline configure rollback 41 --dry-run"},
	},
}
