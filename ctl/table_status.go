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
}
