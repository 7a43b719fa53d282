package ctl

// raCommands look at resource agents.
var raCommands = []command{
	{
		path: "ra classes", short: "list the classes of agents, and the providers of class ocf", run: runClasses, flags: []flag{flagJSON},
		examples: []string{"paceline ra classes"},
	},
	{
		path: "ra list", short: "list the agents of a class, or of one of its providers", run: runAgents,
		args:  []arg{{name: "CLASS", kind: argClass}, {name: "PROVIDER", optional: true}},
		flags: []flag{flagJSON}, examples: []string{"paceline ra list ocf heartbeat", "paceline ra list stonith"},
	},
	{
		path: "ra providers", short: "list the providers that have an agent of a type", run: runProviders,
		args:  []arg{{name: "TYPE"}, {name: "CLASS", kind: argClass, optional: true}},
		flags: []flag{flagJSON}, examples: []string{"paceline ra providers Dummy"},
	},
	{
		path: "ra info", aliases: []string{"meta"}, short: "show what an agent does, its parameters and the time-outs it advises", run: runAgentInfo,
		long: "The agent may be named in short: IPaddr2, heartbeat:IPaddr2, stonith:fence_ipmilan. Required parameters come first,\n" +
			"marked with *.",
		args: []arg{{name: "AGENT", kind: argAgent}}, flags: []flag{flagJSON},
		examples: []string{"paceline ra info IPaddr2", "paceline ra info stonith:fence_ipmilan"},
	},
	{
		path: "ra validate", short: "check parameters against what an agent takes", run: runAgentValidate,
		long: "Checks names, required parameters, numbers, booleans and choices, by the agent's meta-data. The agent itself is not run.",
		args: []arg{{name: "AGENT", kind: argAgent}, {name: "NAME=VALUE", optional: true, repeat: true}}, flags: []flag{flagJSON},
		examples: []string{"paceline ra validate IPaddr2 ip=10.0.0.100 cidr_netmask=24"},
	},
}
