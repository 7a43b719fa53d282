package ctl

import "strings"

// clusterCommands make clusters and change who is in them.
var clusterCommands = []command{
	{
		path: "cluster init", short: "make a cluster with this node as its first member", run: runInit,
		long: "Makes the cluster's key and configuration, and prints a token with which the next node joins. Everything has a\n" +
			"default: the host name, and the address that the default route leaves by.",
		flags: []flag{
			{name: "name", kind: flagText, def: "paceline", usage: "name of the `CLUSTER`"},
			{name: "node", kind: flagText, def: "the host name", usage: "`NAME` of this node"},
			{name: "address", kind: flagText, def: "of the default route", usage: "`ADDRESS` at which the others reach this node"},
			{name: "link", kind: flagList, usage: "`ADDRESS` of this node on a further network; the networks in one order on all nodes"},
			{name: "profile", kind: flagText, def: "lan", usage: "time `PROFILE`: lan, fast or wan"},
			{name: "gossip-port", kind: flagNumber, def: "7946", usage: "`PORT` of gossip, UDP and TCP"},
			{name: "peer-port", kind: flagNumber, def: "7947", usage: "`PORT` of everything else, TCP"},
			{name: "watchdog", kind: flagText, usage: "`DEVICE` that resets this machine when its daemon hangs: /dev/watchdog"},
			{name: "watchdog-timeout", kind: flagNumber, def: "5", usage: "`SECONDS` after which it does"},
			{name: "sbd", kind: flagList, usage: "shared disk (`DEVICE`) for poison pills; may be given up to three times"},
			flagJSON,
		},
		examples: []string{"paceline cluster init --name shop --address 10.0.0.1", "paceline cluster init --address 10.0.0.1 --link 10.1.0.1"},
	},
	{
		path: "cluster join", short: "make this node a member of the cluster that issued a token", run: runJoin,
		long: "A token is a secret: give it as '-' to have it read from standard input, where no process list shows it.",
		args: []arg{{name: "TOKEN"}},
		flags: []flag{
			{name: "node", kind: flagText, def: "the host name", usage: "`NAME` of this node"},
			{name: "address", kind: flagText, def: "of the default route", usage: "`ADDRESS` at which the others reach this node"},
			{name: "link", kind: flagList, usage: "`ADDRESS` of this node on a further network; the networks in one order on all nodes"},
			{name: "witness", usage: "give a vote, run no resources"},
			{name: "gossip-port", kind: flagNumber, def: "7946", usage: "`PORT` of gossip, UDP and TCP"},
			{name: "peer-port", kind: flagNumber, def: "7947", usage: "`PORT` of everything else, TCP"},
			{name: "watchdog", kind: flagText, usage: "`DEVICE` that resets this machine when its daemon hangs: /dev/watchdog"},
			{name: "watchdog-timeout", kind: flagNumber, def: "5", usage: "`SECONDS` after which it does"},
			{name: "sbd", kind: flagList, usage: "shared disk (`DEVICE`) for poison pills; may be given up to three times"},
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
		path: "cluster rotate-key", short: "replace the cluster's key on all nodes, without a stop", run: runRotateKey,
		long: "All members first accept a new key beside the old one, then use it, then drop the old one; services and sessions go on.\n" +
			"While a member is not there the old key stays accepted, so that it can fetch the new one when it comes back: give the command\n" +
			"again then, as after any interruption. Join and access tokens that were made before are void afterwards.",
		flags:    []flag{{name: "without-absent", usage: "drop the old key though members are not there: they need a token to come back"}, flagJSON},
		examples: []string{"paceline cluster rotate-key"},
	},
	{
		path: "cluster renew-key", short: "fetch the cluster's key for this node, which was away while it was replaced", run: runRenewKey,
		long:     "The token is one of `paceline cluster token` on a member; '-' has it read from standard input.",
		args:     []arg{{name: "TOKEN"}},
		flags:    []flag{flagJSON},
		examples: []string{"ssh node1 paceline cluster token | paceline cluster renew-key -"},
	},
	{
		path: "cluster leave", short: "take a node out of the cluster for good", run: runLeave,
		long: "Without NODE it is this one: its resources move away first, it gives its vote back, then it forgets the cluster.\n" +
			"With NODE it removes another one that is not online.",
		args: []arg{{name: "NODE", kind: argNode, optional: true}}, flags: []flag{flagDryRun, flagYes, flagJSON},
		examples: []string{"paceline cluster leave", "paceline cluster leave node3"},
	},
	{
		path: "cluster remove", short: "remove a node that is not online from the cluster (the same as 'cluster leave NODE')", run: runLeave,
		long: "A node that is online leaves by 'cluster leave' on it: its resources move away first.",
		args: []arg{{name: "NODE", kind: argNode}}, flags: []flag{flagDryRun, flagYes, flagJSON},
		examples: []string{"paceline cluster remove node3"},
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
		path: "cluster health", short: "look for what is wrong, or will be (the same as 'doctor')", run: runDoctor,
		args:  []arg{{name: "CHECK", kind: argChoice, values: checkNames, optional: true, repeat: true}},
		flags: []flag{{name: "strict", usage: "let warnings count, too"}, flagJSON}, examples: []string{"paceline cluster health"},
	},
	serviceCommand("start", "start the daemon of this node", "It finds its cluster by itself."),
	serviceCommand("stop", "take this node out of the cluster for a while", "Its resources move away first; the daemon ends. What has no other place is stopped only with --yes; a person at a terminal is asked in any case."),
	serviceCommand("restart", "stop the daemon of this node and start it again", "Its resources move away first. `systemctl reload pacelined` starts the daemon anew under running resources."),
	{
		path: "cluster wait_for_startup", aliases: []string{"wait-for-startup"}, short: "wait until this node is part of the cluster and the cluster has settled", run: runWaitForStartup,
		args: []arg{{name: "SECONDS", optional: true}}, flags: []flag{flagJSON}, examples: []string{"paceline cluster wait_for_startup 60"},
	},
	serviceCommand("enable", "start the daemon with the machine", ""),
	serviceCommand("disable", "do not start the daemon with the machine", ""),
}

func serviceCommand(verb, short, long string) command {
	c := command{
		path: "cluster " + verb, short: short, run: runService(verb),
		long: strings.TrimSpace(long + "\nThe service manager of the machine does it: systemctl " + verb + " pacelined. A NODE that is named must be this one."),
		args: []arg{{name: "NODE", kind: argNode, optional: true, repeat: true}}, examples: []string{"paceline cluster " + verb},
	}
	switch verb {
	case "start", "restart":
		c.flags = append(c.flags, flag{name: "wait", kind: flagWait, def: "5m", usage: "return when this node is back and the cluster has settled, or after this `TIME`"})
		c.examples = append(c.examples, "paceline cluster "+verb+" --wait=2m")
	}
	if verb == "stop" || verb == "restart" {
		c.flags = append(c.flags, flagDryRun, flagYes)
	}
	c.flags = append(c.flags, flagJSON)
	return c
}
