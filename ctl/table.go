package ctl

// Flags that many commands share.
var (
	flagJSON    = flag{name: "json", usage: "print the reply as JSON"}
	flagYes     = flag{name: "yes", alias: "y", usage: "go on although the last copy of something goes down, or the cluster loses its fencing"}
	flagDryRun  = flag{name: "dry-run", alias: "n", usage: "show what would happen, change nothing"}
	flagWaiting = flag{name: "wait", kind: flagWait, def: "5m", usage: "return when the cluster has settled, or after this `TIME`"}
	flagMessage = flag{name: "message", alias: "m", kind: flagText, usage: "why, for the history (`TEXT`)"}
	writes      = []flag{flagWaiting, flagDryRun, flagYes, flagMessage, flagJSON}
)

// table is every command, in the order of the help.
var table = append(commands, objectCommands()...)

var commands = []command{
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
		path: "explain", short: "say why a resource runs where it runs, or does not", run: runExplain,
		long:     "Says in sentences, node by node, what speaks for and against running there, and which commands would change it.",
		args:     []arg{{name: "RESOURCE", kind: argResource}, {name: "NODE", kind: argNode, optional: true}},
		flags:    []flag{flagJSON},
		examples: []string{"paceline explain web", "paceline explain web node2"},
	},

	{
		path: "cluster init", short: "make a cluster with this node as its first member", run: runInit,
		long: "Makes the cluster's key and configuration, and prints a token with which the next node joins. Everything has a\n" +
			"default: the host name, and the address that the default route leaves by.",
		flags: []flag{
			{name: "name", kind: flagText, def: "paceline", usage: "name of the `CLUSTER`"},
			{name: "node", kind: flagText, def: "the host name", usage: "`NAME` of this node"},
			{name: "address", kind: flagText, def: "of the default route", usage: "`ADDRESS` at which the others reach this node"},
			{name: "profile", kind: flagText, def: "lan", usage: "time `PROFILE`: lan, fast or wan"},
			{name: "gossip-port", kind: flagNumber, def: "7946", usage: "`PORT` of gossip, UDP and TCP"},
			{name: "peer-port", kind: flagNumber, def: "7947", usage: "`PORT` of everything else, TCP"},
			flagJSON,
		},
		examples: []string{"paceline cluster init --name shop --address 10.0.0.1"},
	},
	{
		path: "cluster join", short: "make this node a member of the cluster that issued a token", run: runJoin,
		long: "A token is a secret: give it as '-' to have it read from standard input, where no process list shows it.",
		args: []arg{{name: "TOKEN"}},
		flags: []flag{
			{name: "node", kind: flagText, def: "the host name", usage: "`NAME` of this node"},
			{name: "address", kind: flagText, def: "of the default route", usage: "`ADDRESS` at which the others reach this node"},
			{name: "witness", usage: "give a vote, run no resources"},
			{name: "gossip-port", kind: flagNumber, def: "7946", usage: "`PORT` of gossip, UDP and TCP"},
			{name: "peer-port", kind: flagNumber, def: "7947", usage: "`PORT` of everything else, TCP"},
			flagJSON,
		},
		examples: []string{"paceline cluster join PL1-...", "ssh node1 paceline cluster token | paceline cluster join -"},
	},
	{
		path: "cluster token", short: "print a token with which a node can join", run: runToken,
		flags:    []flag{{name: "expires", kind: flagDuration, def: "24h", usage: "`TIME` for which it is good"}, flagJSON},
		examples: []string{"paceline cluster token --expires 1h"},
	},
	{
		path: "cluster leave", short: "take a node out of the cluster for good", run: runLeave,
		long: "Without NODE it is this one: its resources move away first, it gives its vote back, then it forgets the cluster.\n" +
			"With NODE it removes another one that is not online.",
		args: []arg{{name: "NODE", kind: argNode, optional: true}}, flags: []flag{flagYes, flagJSON},
		examples: []string{"paceline cluster leave", "paceline cluster leave node3"},
	},
	{
		path: "cluster force-quorum", short: "go on alone when the other voters are lost for good", run: runForceQuorum,
		long: "The last resort. This node becomes the only voter, with what its disk holds. If any of the others still runs, services\n" +
			"run twice and data is lost. A single lost peer of two needs less: 'node fence --confirmed'.",
		flags:    []flag{{name: "yes", alias: "y", usage: "the others have no power, I have seen it"}, flagJSON},
		examples: []string{"paceline cluster force-quorum"},
	},
	{
		path: "cluster status", short: "show members, votes and connections", run: runClusterStatus,
		flags: []flag{flagJSON}, examples: []string{"paceline cluster status"},
	},

	{
		path: "configure show", short: "print the configuration in the crm language", run: runShow,
		long:     "With IDs only those objects are printed. --json prints the typed configuration.",
		args:     []arg{{name: "ID", kind: argResource, optional: true, repeat: true}},
		flags:    []flag{{name: "revision", kind: flagNumber, def: "the current one", usage: "as it was at a `REVISION`"}, flagJSON},
		examples: []string{"paceline configure show", "paceline configure show web", "paceline configure show --revision 12"},
	},
	{path: "configure convert", mount: convertCommand},
	{
		path: "configure load", short: "change the configuration to what a file says", run: runLoad,
		long: "The file is written in the crm language or is a CIB in XML; which of the two is seen from its content. 'update' adds\n" +
			"new objects and replaces those of the same ID, 'replace' makes the configuration exactly the file's, but never drops\n" +
			"a node that is a member. All or nothing: a file with an error changes nothing. Without a method it is update.",
		args: []arg{{name: "METHOD", kind: argMethod, optional: true}, {name: "FILE", kind: argFile}}, flags: writes,
		examples: []string{
			"paceline configure load update web.crm", "paceline configure load replace cib.xml --dry-run",
			"echo 'property maintenance-mode=true' | paceline configure load update -",
		},
	},
	{
		path: "configure xml", short: "print the whole state as Pacemaker's XML", run: runXML,
		examples: []string{"paceline configure xml > cib.xml"},
	},
	{
		path: "configure commit-history", short: "list who changed what, and when", run: runHistory,
		flags:    []flag{{name: "number", kind: flagNumber, def: "20", usage: "how many `COMMITS`"}, flagJSON},
		examples: []string{"paceline configure commit-history --number 5"},
	},
	{
		path: "configure rollback", short: "go back to an earlier configuration", run: runRollback,
		long: "The old configuration becomes a new commit. Nodes that have joined since stay.",
		args: []arg{{name: "REVISION", kind: argRevision}}, flags: writes,
		examples: []string{"paceline configure rollback 41 --dry-run"},
	},

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

	{path: "simulate", mount: simulateCommand},

	{
		path: "version", short: "print the version", run: runVersion, flags: []flag{flagJSON},
	},
	{
		path: "completion", short: "print a completion script for a shell", run: runCompletion,
		args:     []arg{{name: "SHELL", kind: argShell}},
		examples: []string{"paceline completion bash > /etc/bash_completion.d/paceline", "paceline completion fish | source"},
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

func resourceCommand(verb, short, long string) command {
	return command{
		path: "resource " + verb, short: short, long: long, run: runResource(verb),
		args: []arg{{name: "RESOURCE", kind: argResource}}, flags: writes,
		examples: []string{"paceline resource " + verb + " web"},
	}
}
