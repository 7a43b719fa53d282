package ctl

import "slices"

// Flags that many commands share.
var (
	flagJSON    = flag{name: "json", usage: "print the reply as JSON"}
	flagYes     = flag{name: "yes", alias: "y", usage: "go on although the last copy of something goes down, or the cluster loses its fencing"}
	flagDryRun  = flag{name: "dry-run", alias: "n", usage: "show what would happen, change nothing"}
	flagWaiting = flag{name: "wait", kind: flagWait, def: "5m", usage: "return when the cluster has settled, or after this `TIME`"}
	flagMessage = flag{name: "message", alias: "m", kind: flagText, usage: "why, for the history (`TEXT`)"}
	writes      = []flag{flagWaiting, flagDryRun, flagYes, flagMessage, flagJSON}
)

// level is a command that only holds others; in the shell, a place to be.
type level struct {
	name     string // "" is the root
	short    string
	commands []command
}

// levels are the commands of every level, in the order of the help. Each level has its file, table_NAME.go. A level without
// commands is not there.
var levels = []level{
	{"", "", slices.Concat(statusCommands, whatifCommands)},
	{"configure", "read and change the configuration", onShadows(slices.Concat(configureCommands, objectCommands()))},
	{"resource", "start, stop and move resources", resourceCommands},
	{"node", "take nodes in and out of service", nodeCommands},
	{"fence", "see to it that fencing works", fenceCommands},
	{"ra", "look at resource agents", raCommands},
	{"cib", "work on copies of the configuration", cibCommands},
	{"maintenance", "leave a resource or the whole cluster alone", maintenanceCommands},
	{"ticket", "grant and revoke tickets", ticketCommands},
	{"site", "tickets of this site", siteCommands},
	{"access", "say who may use the cluster from elsewhere", accessCommands},
	{"cluster", "make, join and leave a cluster", clusterCommands},
	{"corosync", "what is asked of corosync elsewhere", corosyncCommands},
	{"", "", programCommands},
}

// table is every command, in the order of the help.
var table = func() []command {
	var out []command
	for _, l := range levels {
		out = append(out, l.commands...)
	}
	return out
}()
