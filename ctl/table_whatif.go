package ctl

// whatifCommands say why, and what would be.
var whatifCommands = []command{
	{
		path: "explain", short: "say why a resource runs where it runs, or does not; or why a node is in its state", run: runExplain,
		long: "Says in sentences, node by node, what speaks for and against running there, on which constraint, failure or fencing it hangs\n" +
			"and since when, and which commands would change it. Of a node it says in which state it is, why, and what that means.",
		args:     []arg{{name: "RESOURCE", kind: argResource}, {name: "NODE", kind: argNode, optional: true}},
		flags:    []flag{flagJSON},
		examples: []string{"paceline explain web", "paceline explain web node2", "paceline explain node2"},
	},
	{
		path: "history", short: "tell what happened, what the cluster did about it, and why", run: runTimeline,
		long: "Without arguments one timeline, newest first: who changed the configuration, which nodes came and went, what failed, what\n" +
			"was fenced, what each transition was planned for, ordered and achieved. 'show' tells all of one transition, planned again\n" +
			"from its saved input; 'replay' only says whether that gives the same graph, byte for byte; 'export' prints the input in\n" +
			"Pacemaker's XML. Inputs are kept by the node that coordinated, the newest thousand; the others are asked for theirs.\n" +
			"'resource NAME' and 'node NAME' tell what concerns one, 'transitions' only lists transitions, 'latest' shows the last one.",
		args: []arg{
			{name: "ACT", kind: argChoice, optional: true, values: historyActs},
			{name: "TRANSITION|NAME", optional: true},
		},
		flags: []flag{
			{name: "last", kind: flagNumber, def: "50", usage: "how many events (`N`)"},
			{name: "node", kind: flagText, usage: "only what concerns `NODE`"},
			{name: "resource", kind: flagText, usage: "only what concerns `RESOURCE`"},
			flagJSON,
		},
		examples: []string{"paceline history", "paceline history --resource web --last 20", "paceline history show 12.3", "paceline simulate --cib history:12.3"},
	},
	{
		path: "simulate", short: "show what the cluster would do in a given state", run: runSimulate,
		long: "Plans for a saved state, or with 'live' for the cluster as it is, and shows what would be done, in which order and why.\n" +
			"Nothing is changed. What-if flags let something happen first, in the order: nodes, modes, quorum, tickets, failures;\n" +
			"each may be given several times. --run carries the plan out on the model and plans again until nothing is left to do;\n" +
			"--steps shows each transition and the state after it. An operation named by --op-fail fails when the model carries it\n" +
			"out; one named by --fail has failed already if it is a monitor, and otherwise fails when it is carried out.",
		flags: []flag{
			{name: "cib", kind: flagText, def: "live", usage: "the state: `FILE` in Pacemaker's XML, - for standard input, live, or history:ID"},
			{name: "now", kind: flagText, usage: "`TIME` to plan for (RFC 3339); default: the state's own time, else the clock"},
			{name: "output", kind: flagText, def: "text", usage: "`FORM`: text, json or dot"},
			{name: "scores", usage: "show what every node was worth to every instance, and the utilization"},
			{name: "run", alias: "R", usage: "carry the plan out on the model, until the cluster is at rest"},
			{name: "steps", usage: "like --run, and show every transition with the state after it"},
			{name: "node-down", kind: flagList, usage: "`NODE` is lost, and nobody knows its state"},
			{name: "node-up", kind: flagList, usage: "`NODE` joins"},
			{name: "node-left", kind: flagList, usage: "`NODE` left in good order"},
			{name: "standby", kind: flagList, usage: "`NODE` goes to standby"},
			{name: "online", kind: flagList, usage: "`NODE` comes back from standby or maintenance"},
			{name: "quorum", kind: flagText, usage: "there is quorum: yes or no (`WORD`)"},
			{name: "ticket", kind: flagList, usage: "`NAME=STATE`: granted, revoked, standby or active"},
			{name: "fail", kind: flagList, usage: "`RESOURCE[@NODE][:OP][=RC]` fails; without OP it is the monitor"},
			{name: "op-inject", kind: flagList, usage: "`RESOURCE_OP_MS@NODE=RC` was reported, as crm_simulate writes it"},
			{name: "op-fail", kind: flagList, usage: "`RESOURCE_OP_MS@NODE=RC` fails when it is carried out, as crm_simulate writes it"},
		},
		examples: []string{
			"paceline simulate", "paceline simulate --cib saved.xml --scores", "paceline simulate --node-down node1 --run",
			"paceline simulate --standby node1 --fail web@node2:start --steps",
		},
	},
}
