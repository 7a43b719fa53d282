package ctl

// statusCommands show what is, and what is wrong.
var statusCommands = []command{
	{
		path: "status", short: "show the state of the cluster", run: runStatus,
		long: "Shows who coordinates, whether there is quorum and why, whether the cluster is protected and why not, every node and\n" +
			"resource, what failed, what is being done, and what needs your attention. Without a coordinator it shows what this\n" +
			"node last knew, marked as stale. On a terminal --watch is a full-screen view (q quits, b turns it by node, d shows every\n" +
			"instance). The words of older shells may follow: full, bynode, ops, failcounts, brief, simple ...",
		args: []arg{{name: "WORD", kind: argChoice, values: statusWords, optional: true, repeat: true}},
		flags: []flag{
			{name: "watch", alias: "w", usage: "keep showing it, whenever it changes"},
			{name: "by-node", usage: "list resources under their nodes"},
			{name: "ops", usage: "add the results of operations"},
			{name: "failcounts", usage: "add the fail counts"},
			{name: "attributes", usage: "add the attributes of nodes"},
			{name: "brief", usage: "only count resources"},
			{name: "html", usage: "print one page for a web server"},
			{name: "metrics", usage: "print figures for Prometheus's collector of text files"},
			{name: "simple", usage: "one line for monitoring; exit status 1 if something is wrong"},
			flagJSON,
		},
		examples: []string{"paceline status", "paceline status --watch", "paceline status --html > cluster.html", "paceline status --json | jq .protected"},
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
		path: "audit", short: "judge by the journals of all nodes whether the cluster kept its promises", run: runAudit,
		long: "Reads what every node's executor wrote down - what began and ended there, whom it fenced, whose sessions it took - and the\n" +
			"committed configurations, and judges them by the rules that the simulation is judged by: nothing active twice, no recovery\n" +
			"before confirmed fencing, one coordinator a term, orders kept, and so on. It says which rules were put to the test, which\n" +
			"can not be seen in a live cluster, and which nodes could not be read. The exit status is 1 if a rule was broken.",
		flags:    []flag{flagJSON},
		examples: []string{"paceline audit", "paceline audit --json | jq .violations"},
	},
	{
		path: "report", short: "collect what there is to know about the cluster into one file", run: runReport,
		long: "The file (tar.gz) holds the status, the configuration, who changed it, what the doctor found, and of every node the\n" +
			"daemon's log and configuration, the journal of what it ran and the scheduler's saved inputs. Passwords and the like are\n" +
			"masked; the cluster's key is not in it. A node that does not answer is named in missing.txt, and the exit status is 4.",
		args: []arg{{name: "DEST", kind: argFile, optional: true}},
		flags: []flag{
			{name: "from", alias: "f", kind: flagText, def: "12h", usage: "begin at this `TIME`: \"2031-03-04 18:00\", 18:00, or 2h (ago)"},
			{name: "to", alias: "t", kind: flagText, def: "now", usage: "end at this `TIME`"},
			{name: "nodes", kind: flagText, def: "all", usage: "only these nodes (`LIST`, with commas)"},
			flagJSON,
		},
		examples: []string{"paceline report", "paceline report --from 18:00 --to 19:30 /tmp/incident"},
	},
	{
		path: "verify", short: "check the configuration (the same as 'configure verify')", run: runVerify,
		args: []arg{{name: "FILE", kind: argFile, optional: true}}, flags: []flag{flagJSON, flagShadow},
		examples: []string{"paceline verify"},
	},
	{
		path: "health", short: "say whether this node's daemon does its work", run: runHealth,
		long:  "Quick, and asks no other node: for probes. The exit status is 1 if it does not. 'doctor' looks at the whole cluster.",
		flags: []flag{flagJSON}, examples: []string{"paceline health"},
	},
}

// corosyncCommands are what is asked of corosync elsewhere and has an answer here.
var corosyncCommands = []command{
	{
		path: "corosync status", short: "show members, votes and connections (the same as 'cluster status')", run: runClusterStatus,
		long:  "There is no corosync: membership and votes are part of the daemon.",
		args:  []arg{{name: "TOPIC", kind: argChoice, values: []string{"ring", "quorum", "qdevice", "qnetd", "cpg"}, optional: true}},
		flags: []flag{flagJSON}, examples: []string{"paceline corosync status"},
	},
}

// checkNames are the checks of the doctor.
var checkNames = []string{
	"fencing", "quorum", "nodes", "clocks", "timeouts", "rules", "agents", "versions", "failures", "attention", "configuration", "daemons",
}
