package ctl

// whatifCommands say why, and what would be.
var whatifCommands = []command{
	{
		path: "explain", short: "say why a resource runs where it runs, or does not", run: runExplain,
		long:     "Says in sentences, node by node, what speaks for and against running there, and which commands would change it.",
		args:     []arg{{name: "RESOURCE", kind: argResource}, {name: "NODE", kind: argNode, optional: true}},
		flags:    []flag{flagJSON},
		examples: []string{"paceline explain web", "paceline explain web node2"},
	},
	{path: "simulate", mount: simulateCommand},
}
