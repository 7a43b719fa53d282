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
	{
		path: "ra test", short: "check how an agent behaves, by running it on this machine", run: runAgentTest,
		long: "Runs every operation in every order that a cluster uses: started twice, stopped twice, looked at while stopped, killed in the\n" +
			"middle of a start, wrong parameters; checks the meta-data; and looks at what is left behind: processes, mounts, addresses, files.\n" +
			"The agent is a file, or ocf:PROVIDER:TYPE for an installed one. It does start and stop the resource, on this machine, outside\n" +
			"of the cluster: give parameters that nothing else uses. Ends with 1 if a check fails; warnings are no failures.",
		args: []arg{{name: "AGENT", kind: argFile}, {name: "NAME=VALUE", optional: true, repeat: true}},
		flags: []flag{
			{name: "timeout", kind: flagDuration, def: "0s", usage: "of each operation (`TIME`); 0: as the agent advises"},
			{name: "verbose", usage: "list what is right, too"}, flagJSON,
		},
		examples: []string{"paceline ra test ./my-agent port=8080", "paceline ra test ocf:heartbeat:Dummy"},
	},
	{
		path: "ra new", short: "make the first version of a new agent, in Go or for the shell", run: runAgentNew,
		long: "In Go: a folder NAME with a program that builds without a network into one static executable. For the shell: a file NAME.\n" +
			"Both work as they are and pass `ra test`. docs/writing-agents.md says what to change.",
		args:     []arg{{name: "NAME"}},
		flags:    []flag{{name: "lang", kind: flagText, def: "go", usage: "`LANGUAGE` of the agent: go or sh"}},
		examples: []string{"paceline ra new shop", "paceline ra new shop --lang sh"},
	},
}
