package ctl

// nodeCommands take nodes in and out of service.
var nodeCommands = []command{
	{
		path: "node show", short: "show nodes and their attributes", run: runNodeShow,
		args: []arg{{name: "NODE", kind: argNode, optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline node show", "paceline node show node2 --json"},
	},
	nodeCommand("standby", "move all resources off a node and keep it empty"),
	nodeCommand("online", "let a node in standby run resources again"),
	nodeCommand("maintenance", "leave what runs on a node alone: no monitoring, no recovery"),
	nodeCommand("ready", "end the maintenance of a node"),
	{
		path: "node fence", short: "cut a node's power, or confirm that it has none", run: runFence,
		long: "Returns when the devices have confirmed it. With --confirmed no device is used: you give your word that the node is\n" +
			"off, and recovery of what ran there begins. If it is not off, data may be lost.",
		args: []arg{{name: "NODE", kind: argNode}},
		flags: []flag{
			{name: "confirmed", usage: "I have seen that the node has no power"},
			{name: "action", kind: flagText, def: "the cluster's fencing-action", usage: "off, reboot or on (`ACTION`)"},
			flagYes, flagJSON,
		},
		examples: []string{"paceline node fence node2", "paceline node fence --confirmed node2"},
	},
}

func nodeCommand(mode, short string) command {
	return command{
		path: "node " + mode, short: short, run: runNodeMode(mode),
		long:     "Without NODE it is this one.",
		args:     []arg{{name: "NODE", kind: argNode, optional: true, repeat: true}},
		flags:    writes,
		examples: []string{"paceline node " + mode + " node2 --wait"},
	}
}
