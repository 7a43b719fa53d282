package ctl

import "paceline/agent/api"

// fenceCommands see to it that fencing works when it is needed.
var fenceCommands = []command{
	{
		path: "fence test", short: "find out whether a node could be fenced, without harm or for real", run: runFenceTest,
		long: "Every device that would fence the node is asked whether it answers, has the node and sees its power as it is; a poison pill's\n" +
			"target is asked to answer. No power is touched. With --for-real the node is fenced as if it were lost: its services move.\n" +
			"Either stands in the history that all nodes share; `status` shows how long ago it was, and `doctor` reminds of it.",
		args: []arg{{name: "NODE", kind: argNode}},
		flags: []flag{
			{name: "for-real", usage: "cut the node's power"},
			flagWaiting, flagDryRun, flagYes, flagJSON,
		},
		examples: []string{"paceline fence test node2", "paceline fence test node2 --for-real --wait"},
	},
	{
		path: "fence sbd", short: "make and look at shared disks for poison pills, and send messages over them", run: runFenceDisks,
		long: "A node that is to be fenced finds a poison pill for itself on one to three disks that all nodes share, and resets itself; or\n" +
			"it cannot read them, and its watchdog does. `create DEVICE...` makes a set and loses what lies on the devices; the nodes are\n" +
			"told of it by `cluster init --sbd` and `cluster join --sbd`. `list` shows who reads them and what lies there. `message NODE\n" +
			"test` has a node say that it reads them; reset and off end it, without a question to the cluster. `clear NODE` makes void\n" +
			"what lies for a node. It is this node's daemon that does it: no network is needed.",
		args: []arg{
			{name: "ACTION", kind: argChoice, values: []string{api.DisksCreate, api.DisksList, api.DisksMessage, api.DisksClear}},
			{name: "DEVICE|NODE", optional: true, repeat: true},
		},
		flags: []flag{
			{name: "device", kind: flagList, usage: "`DEVICE` to use instead of those of the daemon's configuration; may be given several times"},
			{name: "watchdog-timeout", kind: flagNumber, def: "5", usage: "create: the largest watchdog time-out of the nodes, in `SECONDS`"},
			{name: "profile", kind: flagText, def: "lan", usage: "create: time `PROFILE` of the cluster: lan, fast or wan"},
			{name: "message-wait", kind: flagDuration, usage: "create: `TIME` after which a pill counts as taken; the default is the least that is safe"},
			{name: "overwrite", usage: "create: lose what lies on the devices"},
			flagYes, flagJSON,
		},
		examples: []string{
			"paceline fence sbd create /dev/disk/by-id/wwn-0x1 /dev/disk/by-id/wwn-0x2 /dev/disk/by-id/wwn-0x3",
			"paceline fence sbd list",
			"paceline fence sbd message node2 test",
		},
	},
}
