package ctl

// cibCommands work on shadow copies of the configuration, kept in the user's own state folder.
var cibCommands = []command{
	{
		path: "cib new", short: "make a shadow copy of the configuration, and use it", run: runCIBNew,
		long: "Configure commands change the copy from then on, and the cluster hears nothing of it, until 'cib commit' or 'cib use live'.\n" +
			"Copies are yours alone (in XDG_STATE_HOME or ~/.local/state), and there may be 50 of them.",
		args:     []arg{{name: "NAME"}},
		flags:    []flag{{name: "empty", usage: "start from an empty configuration; it takes the place of the whole when committed"}},
		examples: []string{"paceline cib new winter"},
	},
	{
		path: "cib import", short: "make a shadow copy of a saved state, and use it", run: runCIBImport,
		long: "FILE is a CIB in XML or JSON, or a text of the crm language; an input of Pacemaker's scheduler (pe-input-N.bz2) is one, too.\n" +
			"TRANSITION is one of 'history'. Without NAME the copy is called after the file.",
		args:     []arg{{name: "FILE|TRANSITION", kind: argFile}, {name: "NAME", optional: true}},
		examples: []string{"paceline cib import /tmp/pe-input-12.bz2 incident", "paceline cib import last before"},
	},
	{
		path: "cib use", short: "choose the shadow copy that configure commands work on", run: runCIBUse,
		long:     "Without NAME, or with 'live', they work on the cluster again. For one command use --shadow NAME, for a script the\nenvironment PACELINE_SHADOW.",
		args:     []arg{{name: "NAME", optional: true}},
		examples: []string{"paceline cib use winter", "paceline cib use live"},
	},
	{path: "cib list", short: "list the shadow copies", run: runCIBList, flags: []flag{flagJSON}, examples: []string{"paceline cib list"}},
	{
		path: "cib diff", short: "show what a shadow copy has changed", run: runCIBDiff,
		args: []arg{{name: "NAME", optional: true}}, flags: []flag{flagJSON}, examples: []string{"paceline cib diff winter"},
	},
	{
		path: "cib commit", short: "bring a shadow copy to the cluster", run: runCIBCommit,
		long: "What others have committed since the copy was made is merged; where they have changed the same, both versions are\n" +
			"shown and nothing is committed. Afterwards configure commands work on the cluster again.",
		args: []arg{{name: "NAME", optional: true}}, flags: append([]flag{flagUnknownAgent}, writes...), examples: []string{"paceline cib commit winter -m 'winter set-up'"},
	},
	{
		path: "cib reset", short: "start a shadow copy again from the cluster's configuration", run: runCIBReset,
		args: []arg{{name: "NAME", optional: true}}, examples: []string{"paceline cib reset winter"},
	},
	{
		path: "cib delete", short: "delete a shadow copy", run: runCIBDelete,
		args: []arg{{name: "NAME"}}, examples: []string{"paceline cib delete winter"},
	},
}
