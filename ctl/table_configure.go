package ctl

import "slices"

// argSelection is what chooses objects.
var argSelection = arg{name: "SELECTOR", kind: argObject, optional: true, repeat: true}

const selectors = "SELECTOR is an ID, a pattern ('web*'), changed, type:KIND, tag:TAG or related:ID; several are joined by 'or', which may be\n" +
	"left out, or 'and'. A collection brings its members. With 'xml' as the first word the text is XML."

// configureCommands read and change the configuration; those that take a line of the language are in language.go. In the shell they
// work on its session, with --shadow on a shadow copy, else on the cluster.
var configureCommands = []command{
	{
		path: "configure show", short: "print the configuration in the crm language", run: runShow,
		long:  selectors + "\n'obscure:PATTERN' hides the values of such names. --json prints the typed configuration.",
		args:  []arg{argSelection},
		flags: []flag{{name: "revision", kind: flagNumber, def: "the current one", usage: "as it was at a `REVISION`"}, flagJSON},
		examples: []string{
			"paceline configure show", "paceline configure show web", "paceline configure show type:location and related:web",
			"paceline configure show xml", "paceline configure show --revision 12",
		},
	},
	{
		path: "configure edit", short: "edit the configuration in a text editor", run: runEdit,
		long: "Opens the text in VISUAL, EDITOR or vi, and takes what comes back as one change. A text with mistakes, or that the cluster\n" +
			"refuses, can be opened again; one that is given up is left in a file whose name is told.\n" + selectors,
		args: []arg{argSelection}, flags: writes,
		examples: []string{"paceline configure edit", "paceline configure edit web"},
	},
	{
		path: "configure filter", short: "send the configuration through a program, and take what comes back", run: runFilter,
		long: "PROGRAM is a command of the shell (one word: quote it). It gets every object as one line, and what it writes takes their place\n" +
			"as one change.\n" + selectors,
		args: []arg{{name: "PROGRAM"}, argSelection}, flags: writes,
		examples: []string{"paceline configure filter 'sed s/10s/20s/' web --dry-run"},
	},
	{
		path: "configure diff", short: "show what differs, object by object", run: runDiff,
		long: "In the shell and with a shadow copy: what was changed there. With FILE: what making the configuration the file's would\n" +
			"change. With --from and --to: what was changed between two revisions.",
		args: []arg{{name: "FILE", kind: argFile, optional: true}},
		flags: []flag{
			{name: "from", kind: flagNumber, def: "the current one", usage: "the earlier `REVISION`"},
			{name: "to", kind: flagNumber, def: "the current one", usage: "the later `REVISION`"},
			{name: "semantic", usage: "by value, not by text"}, flagJSON,
		},
		examples: []string{"paceline configure diff web.crm", "paceline configure diff --from 41"},
	},
	{
		path: "configure verify", short: "check the configuration", run: runVerify,
		long: "Checks structure, references and names; parameters and time-outs against what the agents of this node say; and fencing.\n" +
			"Errors end it with status 1, warnings alone do not.",
		args: []arg{{name: "FILE", kind: argFile, optional: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline configure verify", "paceline configure verify web.crm"},
	},
	{
		path: "configure plan", aliases: []string{"ptest", "simulate"}, short: "show what a commit would make the cluster do", run: runPlan,
		long: "Shows the changes, then every start, stop, move, promotion and fencing that they would cause, and for each resource how\n" +
			"long it would be away: expected from how long its operations took before, and at most by their time-outs. It is about the\n" +
			"session of the shell, a shadow copy, or FILE as the wanted state; without any of them about what is to be done as it is.\n" +
			"Exit status 2: changes are pending.",
		args: []arg{{name: "FILE", kind: argFile, optional: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline configure plan web.crm"},
	},
	{
		path: "configure commit", short: "commit the session", run: runCommit,
		long: "What others have committed since the session began is merged; where they have changed the same, both versions are shown,\n" +
			"nothing is committed, and the edits stay.",
		args: []arg{{name: "WORD", optional: true}}, flags: writes,
	},
	{
		path: "configure apply", short: "make the configuration what a file says", run: runApply,
		long: "The file is the wanted state: what it does not have goes, save member nodes. All or nothing. With --dry-run exit status 2\n" +
			"says that changes are pending.",
		args: []arg{{name: "FILE", kind: argFile}}, flags: writes,
		examples: []string{"paceline configure apply cluster.crm --dry-run", "paceline configure apply cluster.crm -m 'from the repository' --wait"},
	},
	{
		path: "configure load", short: "change the configuration to what a file says", run: runLoad,
		long: "The file is written in the crm language, or is a CIB in XML or JSON; which of them is seen from its content. 'update' adds\n" +
			"new objects and replaces those of the same ID, 'replace' makes the configuration exactly the file's, but never drops\n" +
			"a node that is a member; 'push' is replace. All or nothing: a file with an error changes nothing. Without a method it is update.",
		args: []arg{{name: "METHOD", kind: argChoice, values: []string{"update", "replace", "push"}, optional: true}, {name: "FILE", kind: argFile}}, flags: writes,
		examples: []string{
			"paceline configure load update web.crm", "paceline configure load replace cib.xml --dry-run",
			"echo 'property maintenance-mode=true' | paceline configure load update -",
		},
	},
	{
		path: "configure save", short: "write the configuration to a file", run: runSave,
		long:     "The last word is the file, '-' is standard output.\n" + selectors,
		args:     []arg{{name: "SELECTOR|FILE", kind: argFile, repeat: true}},
		examples: []string{"paceline configure save cluster.crm", "paceline configure save xml type:primitive web.xml"},
	},
	{
		path: "configure import", short: "bring in the configuration of a Pacemaker cluster", run: runImport,
		long: "Reads what `cibadmin -Q` prints there, from a file or from standard input ('-'); its status is left out. Tells what comes in\n" +
			"and what does not map: parts that are unknown, options that mean nothing here, agents that this node does not have.",
		args: []arg{{name: "FILE", kind: argFile}}, flags: writes,
		examples: []string{"paceline configure import cib.xml --dry-run", "ssh old cibadmin -Q | paceline configure import -"},
	},
	{
		path: "configure convert", short: "translate a configuration between the crm language, XML and JSON", run: runConvert,
		long: "Reads a configuration in the crm language, in XML or in JSON, whichever it is, from a file or from standard input, and prints\n" +
			"it in the form asked for. It needs no cluster and changes none. What XML has and the model does not hold is told on\n" +
			"standard error.",
		args:     []arg{{name: "FILE", kind: argFile, optional: true}},
		flags:    []flag{{name: "to", kind: flagText, usage: "`FORM` to print: xml, crm or json; must be given"}},
		examples: []string{"paceline configure convert --to xml web.crm", "cibadmin -Q | paceline configure convert --to crm"},
	},
	{
		path: "configure fmt", short: "write files of the crm language in their tidy form", run: runFmt,
		long:     "Comments stay. Without FILE it reads standard input and prints. It needs no cluster.",
		args:     []arg{{name: "FILE", kind: argFile, optional: true, repeat: true}},
		flags:    []flag{{name: "check", usage: "name the files that are not tidy, change none, and end with status 1 if there are some"}},
		examples: []string{"paceline configure fmt web.crm", "paceline configure fmt --check web.crm"},
	},
	{
		path: "configure lint", short: "check files without a cluster", run: runLint,
		long: "Tells mistakes by line and column, and what is doubtful. Errors end it with status 1, warnings alone do not.",
		args: []arg{{name: "FILE", kind: argFile, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline configure lint web.crm"},
	},
	{
		path: "configure graph", short: "draw resources and constraints", run: runGraph,
		long:     "Prints text for Graphviz, or an SVG by itself; the ending .svg of a file says so too.",
		args:     []arg{{name: "FORM|FILE", kind: argFile, optional: true, repeat: true}},
		flags:    []flag{{name: "output", alias: "o", kind: flagText, def: "dot", usage: "`FORM`: dot or svg"}},
		examples: []string{"paceline configure graph cluster.svg", "paceline configure graph | dot -Tpng > cluster.png"},
	},
	{
		path: "configure xml", short: "print the whole state as Pacemaker's XML", run: runXML,
		examples: []string{"paceline configure xml > cib.xml"},
	},
	{
		path: "configure commit-history", aliases: []string{"history"}, short: "list who changed what, and when", run: runHistory,
		flags:    []flag{{name: "number", kind: flagNumber, def: "20", usage: "how many `COMMITS`"}, flagJSON},
		examples: []string{"paceline configure commit-history --number 5"},
	},
	{
		path: "configure blame", short: "say who last changed an object, when and why", run: runBlame,
		long: "Lists the commits that touched the object, the latest first, with what each changed in it.",
		args: []arg{{name: "OBJECT", kind: argObject}}, flags: []flag{flagJSON},
		examples: []string{"paceline configure blame web"},
	},
	{
		path: "configure undo", short: "take back the last commit, or the last N", run: runUndo,
		long: "The configuration before them becomes a new commit. In the shell and in a shadow copy it takes back the last steps instead.",
		args: []arg{{name: "N", optional: true}}, flags: writes,
		examples: []string{"paceline configure undo --dry-run", "paceline configure undo 2"},
	},
	{
		path: "configure rollback", short: "go back to an earlier configuration", run: runRollback,
		long: "The old configuration becomes a new commit. Nodes that have joined since stay.",
		args: []arg{{name: "REVISION", kind: argRevision}}, flags: writes,
		examples: []string{"paceline configure rollback 41 --dry-run"},
	},
	{
		path: "configure default-timeouts", short: "give operations the time-outs that their agents advise", run: runDefaultTimeouts,
		long: "Operations of the primitives that have a shorter time-out, or none, get the advised one; start, stop and monitor are added\nwhere they are missing.",
		args: []arg{{name: "PRIMITIVE", kind: argResource, repeat: true}}, flags: writes,
		examples: []string{"paceline configure default-timeouts web --dry-run"},
	},
	{
		path: "configure validate-all", short: "check the parameters of a primitive against what its agent takes", run: runValidateAll,
		long: "'configure verify' for one primitive: names, required parameters, numbers and choices, time-outs. The agent is not run; 'rsctest' does.",
		args: []arg{{name: "PRIMITIVE", kind: argResource}}, flags: []flag{flagJSON},
		examples: []string{"paceline configure validate-all web"},
	},
	{
		path: "configure rsctest", short: "run the agent of a primitive that is stopped, on this machine, and check how it behaves", run: runResourceTest,
		long: "Starts, monitors and stops it with the parameters that it is configured with, outside of the cluster, as 'ra test' does.\n" +
			"It must run nowhere: stop it first, and keep it stopped (resource stop). Other machines do it by the same command there.",
		args:     []arg{{name: "PRIMITIVE", kind: argResource, repeat: true}},
		flags:    []flag{{name: "timeout", kind: flagDuration, def: "0s", usage: "of each operation (`TIME`); 0: as the agent advises"}, {name: "verbose", usage: "list what is right, too"}, flagJSON},
		examples: []string{"paceline configure rsctest web"},
	},
	{
		path: "configure schema", short: "name the schema of the configuration's XML form", run: runSchema,
		args: []arg{{name: "NAME", optional: true}}, examples: []string{"paceline configure schema"},
	},
	{
		path: "configure upgrade", short: "bring the configuration to the newest schema, which it always has", run: runUpgrade,
		long: "What comes in by 'configure import' and 'load' is brought to it there, so that nothing is left to do.",
		args: []arg{{name: "force", kind: argChoice, values: []string{"force"}, optional: true}}, examples: []string{"paceline configure upgrade"},
	},
	{
		path: "configure refresh", short: "drop the edits of the session", run: runRefreshSession,
		long: "The session starts again from the cluster's configuration; a shadow copy does, too.",
	},
	{
		path: "configure get_property", aliases: []string{"get-property"}, short: "print the value of a cluster option", run: runGetProperty,
		args: []arg{{name: "NAME", kind: argOption}}, examples: []string{"paceline configure get_property no-quorum-policy"},
	},
}

// shadowless are the commands of the configure level that have nothing to do with a shadow copy.
var shadowless = []string{
	"configure convert", "configure fmt", "configure lint", "configure xml", "configure commit-history", "configure blame", "configure rollback",
}

// onShadows gives the rows that can work on a shadow copy the flag for it.
func onShadows(rows []command) []command {
	out := slices.Clone(rows)
	for i := range out {
		if !slices.Contains(shadowless, out[i].path) {
			out[i].flags = append(slices.Clone(out[i].flags), flagShadow)
			if slices.Contains(flagNames(out[i].flags), flagMessage.name) {
				out[i].flags = append(out[i].flags, flagUnknownAgent)
			}
		}
	}
	return out
}

func flagNames(list []flag) []string {
	var out []string
	for _, f := range list {
		out = append(out, f.name)
	}
	return out
}
