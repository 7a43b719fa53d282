package ctl

// resourceCommands start, stop and move resources, and show what is known of them.
var resourceCommands = []command{
	{
		path: "resource list", aliases: []string{"show", "status"}, short: "show resources, and where they run", run: runResourceList,
		args: []arg{{name: "RESOURCE", kind: argResource, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline resource status", "paceline resource list web --json"},
	},
	resourceCommand("start", "let a resource that was stopped run again", "Takes back what 'resource stop' did, also for everything in a group."),
	resourceCommand("stop", "stop a resource and keep it stopped", "It stays stopped, also over reboots, until 'resource start'. What depends on it stops too; if that was not meant, --yes is asked for."),
	resourceCommand("restart", "stop a resource and start it again", "Returns when it runs again. What depends on it restarts with it."),
	resourceCommand("promote", "let a promotable clone be promoted", "The cluster promotes as many instances as the clone's promoted-max says, where the agents' promotion scores are best."),
	resourceCommand("demote", "keep every instance of a promotable clone unpromoted", "Its instances go on running. 'resource promote' takes it back."),
	{
		path: "resource move", aliases: []string{"migrate"}, short: "move a resource to a node, or away from where it is", run: runMove,
		long: "Returns when it has arrived. The preference that moved it is taken away again at the end, so no rule is left behind;\n" +
			"if the resource would go back then, the preference stays and you are told. A member of a group moves the whole group.\n" +
			"With a LIFETIME (PT30M, 2h, \"2031-03-04 18:00\") the preference stays for so long.",
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "NODE", kind: argNode, optional: true},
			{name: "LIFETIME", optional: true}, {name: "force", kind: argChoice, values: []string{"force"}, optional: true}},
		flags: append([]flag{
			{name: "stay", usage: "keep the preference until 'resource clear'"},
			{name: "until", kind: flagDuration, usage: "keep the preference for this `TIME`"},
		}, writes...),
		examples: []string{"paceline resource move web node2", "paceline resource move web", "paceline resource move web node2 --until 2h"},
	},
	{
		path: "resource ban", short: "keep a resource away from a node", run: runBan,
		long: "Without NODE it is the one where it runs now. The rule stays until 'resource clear', or for the LIFETIME (PT30M, 2h,\n" +
			"\"2031-03-04 18:00\"); 'status' shows it.",
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "NODE", kind: argNode, optional: true},
			{name: "LIFETIME", optional: true}, {name: "force", kind: argChoice, values: []string{"force"}, optional: true}},
		flags:    append([]flag{{name: "until", kind: flagDuration, usage: "keep it away for this `TIME`"}}, writes...),
		examples: []string{"paceline resource ban web node2 --until 2h", "paceline resource ban web node2 PT30M"},
	},
	{
		path: "resource clear", aliases: []string{"unmove", "unmigrate", "unban"}, short: "remove the rules that moves and bans left behind",
		run: runResource("clear"), args: []arg{{name: "RESOURCE", kind: argResource, repeat: true}}, flags: writes,
		examples: []string{"paceline resource clear web"},
	},
	resourceCommand("manage", "give a resource back to the cluster", "Takes back what 'resource unmanage' did, also for everything in it."),
	resourceCommand("unmanage", "let a resource be: it is monitored, never started or stopped", "It stays so until 'resource manage'; a stop of the node does not stop it either."),
	{
		path: "resource maintenance", short: "leave a resource alone: no monitoring, no recovery", run: runMaintenance,
		args:     []arg{{name: "RESOURCE", kind: argResource}, {name: "STATE", kind: argChoice, values: []string{"on", "off"}, optional: true}},
		flags:    writes,
		examples: []string{"paceline resource maintenance web", "paceline resource maintenance web off"},
	},
	{
		path: "resource cleanup", short: "forget failures, look again and try again", run: runCleanup,
		args:     []arg{{name: "RESOURCE", kind: argResource, optional: true}, {name: "NODE", kind: argNode, optional: true}, {name: "force", kind: argChoice, values: []string{"force"}, optional: true}},
		flags:    []flag{flagWaiting, flagDryRun, flagJSON},
		examples: []string{"paceline resource cleanup", "paceline resource cleanup web node2 --wait"},
	},
	{
		path: "resource refresh", aliases: []string{"reprobe"}, short: "forget all that is known of resources, and ask their agents anew", run: runRefresh,
		long:     "More than 'cleanup', which looks only at what failed. Nothing is stopped for it.",
		args:     []arg{{name: "RESOURCE", kind: argResource, optional: true}, {name: "NODE", kind: argNode, optional: true}, {name: "force", kind: argChoice, values: []string{"force"}, optional: true}},
		flags:    []flag{flagWaiting, flagDryRun, flagJSON},
		examples: []string{"paceline resource refresh", "paceline resource refresh web node2 --wait"},
	},
	{
		path: "resource failcount", short: "show, set or delete the fail counts of a resource", run: runFailcount,
		long: "failcount RESOURCE show [NODE], set NODE VALUE [OPERATION [INTERVAL]], or delete [NODE [OPERATION]].",
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "ACTION", kind: argChoice, values: []string{"show", "set", "delete"}, optional: true},
			{name: "NODE", kind: argNode, optional: true}, {name: "VALUE", optional: true}, {name: "OPERATION", optional: true}, {name: "INTERVAL", optional: true}},
		flags:    writes,
		examples: []string{"paceline resource failcount web show node2", "paceline resource failcount web delete node2", "paceline resource failcount web set node2 3"},
	},
	valuesCommand("resource param", "RESOURCE", argResource, "parameters", runResourceValues("param"), "web set port 8080"),
	valuesCommand("resource meta", "RESOURCE", argResource, "meta attributes", runResourceValues("meta"), "web set priority 10"),
	valuesCommand("resource utilization", "RESOURCE", argResource, "utilization (what it takes of a node's capacity)", runResourceValues("utilization"), "web set memory 2048"),
	{
		path: "resource locate", short: "say where resources run", run: runLocate,
		args: []arg{{name: "RESOURCE", kind: argResource, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline resource locate web"},
	},
	{
		path: "resource constraints", short: "print the constraints that concern a resource", run: runConstraints,
		args: []arg{{name: "RESOURCE", kind: argResource}}, flags: []flag{flagJSON},
		examples: []string{"paceline resource constraints web"},
	},
	{
		path: "resource operations", short: "show the results of operations, as last known", run: runOperations,
		args:     []arg{{name: "RESOURCE", kind: argResource, optional: true}, {name: "NODE", kind: argNode, optional: true}},
		flags:    []flag{flagJSON},
		examples: []string{"paceline resource operations", "paceline resource operations web node2"},
	},
	{
		path: "resource scores", short: "show what every node is worth to resources", run: runScores,
		long: "'explain' says the same in sentences.",
		args: []arg{{name: "RESOURCE", kind: argResource, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline resource scores web"},
	},
	{
		path: "resource trace", short: "let an agent write down everything that it does", run: runTrace(true),
		long: "Sets trace_ra for one OPERATION of the resource, or for all. What the agent prints, and each step of it if it is a\n" +
			"shell script of the usual kind, is kept on its node in /var/lib/paceline/trace/RESOURCE, a file each time, of 1 MiB at\n" +
			"most, the newest 50; with a FOLDER the agent writes there by itself. Tracing a monitor disturbs nothing; tracing all of a\n" +
			"running resource restarts it, and asks before.",
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "OPERATION", optional: true}, {name: "INTERVAL", optional: true}, {name: "FOLDER", optional: true}}, flags: writes,
		examples: []string{"paceline resource trace web monitor", "paceline resource trace web monitor 10s /var/tmp/trace"},
	},
	{
		path: "resource traces", short: "list what is kept of a traced agent, or print it", run: runTraces,
		long: "Lists the files that 'resource trace' had the nodes keep, the oldest first: the node, the file, what ran and how it ended. With a\n" +
			"FILE, or the word last for the newest, it prints that one.",
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "FILE", optional: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline resource traces web", "paceline resource traces web last"},
	},
	{
		path: "resource untrace", short: "end the tracing of an agent", run: runTrace(false),
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "OPERATION", optional: true}, {name: "INTERVAL", optional: true}}, flags: writes,
		examples: []string{"paceline resource untrace web monitor"},
	},
}

func resourceCommand(verb, short, long string) command {
	return command{
		path: "resource " + verb, short: short, long: long, run: runResource(verb),
		args: []arg{{name: "RESOURCE", kind: argResource, repeat: true}}, flags: writes,
		examples: []string{"paceline resource " + verb + " web"},
	}
}

// valuesCommand is a command that shows, sets and deletes named values of an object.
func valuesCommand(path, object string, kind argKind, what string, run func(*invocation) error, example string) command {
	return command{
		path: path, short: "show, set or delete " + what, run: run,
		long: "show [NAME], set NAME VALUE, or delete NAME.",
		args: []arg{{name: object, kind: kind}, {name: "ACTION", kind: argChoice, values: []string{"show", "set", "delete"}, optional: true},
			{name: "NAME", optional: true}, {name: "VALUE", optional: true}},
		flags: writes, loose: true,
		examples: []string{"paceline " + path + " " + example},
	}
}
