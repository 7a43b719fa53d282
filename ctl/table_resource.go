package ctl

// resourceCommands start, stop and move resources.
var resourceCommands = []command{
	resourceCommand("start", "let a resource that was stopped run again", "Takes back what 'resource stop' did, also for everything in a group."),
	resourceCommand("stop", "stop a resource and keep it stopped", "It stays stopped, also over reboots, until 'resource start'. What depends on it stops too; if that was not meant, --yes is asked for."),
	resourceCommand("restart", "stop a resource and start it again", "Returns when it runs again. What depends on it restarts with it."),
	{
		path: "resource move", short: "move a resource to a node, or away from where it is", run: runMove,
		long: "Returns when it has arrived. The preference that moved it is taken away again at the end, so no rule is left behind;\n" +
			"if the resource would go back then, the preference stays and you are told. A member of a group moves the whole group.",
		args: []arg{{name: "RESOURCE", kind: argResource}, {name: "NODE", kind: argNode, optional: true}},
		flags: append([]flag{
			{name: "stay", usage: "keep the preference until 'resource clear'"},
			{name: "until", kind: flagDuration, usage: "keep the preference for this `TIME`"},
		}, writes...),
		examples: []string{"paceline resource move web node2", "paceline resource move web", "paceline resource move web node2 --until 2h"},
	},
	resourceCommand("clear", "remove the preferences that moves left behind", ""),
	{
		path: "resource cleanup", short: "forget failures, look again and try again", run: runCleanup,
		args:     []arg{{name: "RESOURCE", kind: argResource, optional: true}, {name: "NODE", kind: argNode, optional: true}},
		flags:    []flag{flagWaiting, flagDryRun, flagJSON},
		examples: []string{"paceline resource cleanup", "paceline resource cleanup web node2 --wait"},
	},
	{
		path: "resource locate", short: "say where resources run", run: runLocate,
		args: []arg{{name: "RESOURCE", kind: argResource, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline resource locate web"},
	},
}

func resourceCommand(verb, short, long string) command {
	return command{
		path: "resource " + verb, short: short, long: long, run: runResource(verb),
		args: []arg{{name: "RESOURCE", kind: argResource}}, flags: writes,
		examples: []string{"paceline resource " + verb + " web"},
	}
}
