package ctl

// nodeCommands take nodes in and out of service.
var nodeCommands = []command{
	{
		path: "node show", aliases: []string{"status"}, short: "show nodes and their attributes", run: runNodeShow,
		args: []arg{{name: "NODE", kind: argNode, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline node show", "paceline node show node2 --json"},
	},
	{
		path: "node list", short: "list the names of the nodes", run: runNodeList, flags: []flag{flagJSON},
		examples: []string{"paceline node list"},
	},
	nodeCommand("standby", "move all resources off a node and keep it empty",
		"Without NODE it is this one. With a LIFETIME of 'reboot' it ends when the node leaves the cluster or reboots; 'forever' is the\n"+
			"default. What runs there moves away, and it is said where to; a person at a terminal is asked before. What has no other\n"+
			"place is stopped only with --yes."),
	nodeCommand("online", "let a node in standby run resources again", "Without NODE it is this one."),
	nodeCommand("maintenance", "leave what runs on a node alone: no monitoring, no recovery", "Without NODE it is this one."),
	nodeCommand("ready", "end the maintenance of a node", "Without NODE it is this one."),
	{
		path: "node fence", short: "cut a node's power, or confirm that it has none", run: runFence,
		long: "Returns when the devices have confirmed it. With --confirmed no device is used: you give your word that the node is\n" +
			"off, and recovery of what ran there begins. If it is not off, data may be lost.",
		args: []arg{{name: "NODE", kind: argNode}},
		flags: []flag{
			{name: "confirmed", usage: "I have seen that the node has no power"},
			{name: "action", kind: flagText, def: "the cluster's fencing-action", usage: "off, reboot or on (`ACTION`)"},
			flagWaiting, flagDryRun, flagYes, flagJSON,
		},
		examples: []string{"paceline node fence node2", "paceline node fence node2 --dry-run", "paceline node fence --confirmed node2"},
	},
	{
		path: "node clearstate", short: "give your word that a node is off, so that what ran there is recovered", run: runClearState,
		long: "The same as 'node fence --confirmed', by its name in older shells. If the node still runs, services run twice and data is\n" +
			"lost; so it asks, or takes --yes.",
		args: []arg{{name: "NODE", kind: argNode}}, flags: []flag{flagWaiting, flagDryRun, flagYes, flagJSON},
		examples: []string{"paceline node clearstate node3"},
	},
	{
		path: "node delete", aliases: []string{"remove"}, short: "remove a node that is not online from the cluster", run: runNodeDelete,
		args: []arg{{name: "NODE", kind: argNode}}, flags: []flag{flagDryRun, flagYes, flagJSON},
		examples: []string{"paceline node delete node3"},
	},
	withFlag(valuesCommand("node attribute", "NODE", argNode, "the attributes of a node", runNodeValues("", false), "node2 set rack 7"),
		flag{name: "until-reboot", usage: "the attribute lives until the node leaves the cluster or reboots"}),
	valuesCommand("node status-attr", "NODE", argNode, "the attributes that a node has until it leaves or reboots", runNodeValues("", true), "node2 show"),
	valuesCommand("node utilization", "NODE", argNode, "the capacity of a node", runNodeValues("utilization", false), "node2 set memory 16384"),
	{
		path: "node server", short: "show the addresses of nodes", run: runNodeServer,
		args: []arg{{name: "NODE", kind: argNode, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline node server"},
	},
}

func nodeCommand(mode, short, long string) command {
	return command{
		path: "node " + mode, short: short, run: runNodeMode(mode), long: long,
		args:     []arg{{name: "NODE", kind: argNode, optional: true, repeat: true}},
		flags:    append([]flag{{name: "all", usage: "every node"}}, writes...),
		examples: []string{"paceline node " + mode + " node2 --wait"},
	}
}

func withFlag(c command, f flag) command {
	c.flags = append([]flag{f}, c.flags...)
	return c
}
