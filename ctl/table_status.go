package ctl

// statusCommands show what is, and what is wrong.
var statusCommands = []command{
	{
		path: "status", short: "show the state of the cluster", run: runStatus,
		long: "Shows who coordinates, whether there is quorum and why, whether the cluster is protected and why not, every node and\n" +
			"resource, what failed, what is being done, and what needs your attention. Without a coordinator it shows what this\n" +
			"node last knew, marked as stale.",
		flags: []flag{
			{name: "watch", alias: "w", usage: "keep showing it, whenever it changes"},
			{name: "by-node", usage: "list resources under their nodes"},
			flagJSON,
		},
		examples: []string{"paceline status", "paceline status --watch", "paceline status --json | jq .protected"},
	},
	{
		path: "doctor", short: "look for what is wrong, or will be, with the command that mends it", run: runDoctor,
		long: "Checks fencing (configured, and shown to work), quorum, nodes, clocks, the arithmetic of time-outs, rules that moves left\n" +
			"behind, agents that nodes lack, versions, failures, what is stopped or unmanaged on purpose, the configuration and the\n" +
			"daemons. The exit status is 1 if there is an error, or with --strict anything at all.",
		args:     []arg{{name: "CHECK", kind: argChoice, values: checkNames, optional: true, repeat: true}},
		flags:    []flag{{name: "strict", usage: "let warnings count, too"}, flagJSON},
		examples: []string{"paceline doctor", "paceline doctor fencing timeouts", "paceline doctor --strict --json"},
	},
	{
		path: "health", short: "say whether this node's daemon does its work", run: runHealth,
		long:  "Quick, and asks no other node: for probes. The exit status is 1 if it does not. 'doctor' looks at the whole cluster.",
		flags: []flag{flagJSON}, examples: []string{"paceline health"},
	},
}

// checkNames are the checks of the doctor.
var checkNames = []string{
	"fencing", "quorum", "nodes", "clocks", "timeouts", "rules", "agents", "versions", "failures", "attention", "configuration", "daemons",
}
