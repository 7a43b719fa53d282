package ctl

import "strings"

// foreign is a command of another cluster shell that there is nothing for here: why, and what serves instead.
type foreign struct{ why, instead string }

// foreignCommands are such commands, or levels of them, by their path there; a flag stands behind its command. They are wrong
// usage, and are answered in words that are of use.
var foreignCommands = map[string]foreign{
	"assist": {"there are no wizards for constraints", "`paceline configure rsc_template` keeps what primitives share; a bond that may break is a " +
		"colocation with a finite score: paceline configure colocation together 100: web db"},
	"cibstatus":   {"the state of the cluster is not edited", "paceline simulate lets nodes, resources and tickets fail on a model: paceline simulate --node-down node1 --run"},
	"cluster add": {"a node joins by itself, with a token", "paceline cluster token | ssh NODE paceline cluster join -"},
	"cluster copy": {"the cluster copies no files between machines", "its own configuration is the same on all nodes by itself; for other files use what copies yours: ssh, " +
		"ansible"},
	"cluster crash_test": {"nothing is broken on purpose here", "paceline simulate --node-down NODE --run shows what a loss would lead to, " +
		"paceline node fence NODE cuts its power"},
	"cluster diff":                {"the cluster compares no files between machines", "paceline doctor tells what differs: agents, versions, time-outs"},
	"cluster geo_init":            {"tickets are granted by hand: no service negotiates them between sites", "paceline ticket grant TICKET"},
	"cluster geo_init_arbitrator": {"tickets are granted by hand: no service negotiates them between sites", "paceline ticket grant TICKET"},
	"cluster geo_join":            {"tickets are granted by hand: no service negotiates them between sites", "paceline ticket grant TICKET"},
	"cluster join -c":             {"a node joins with a token, not by logging in to a member", "ssh node1 paceline cluster token | paceline cluster join -"},
	"cluster disable --all":       everywhere("disable"),
	"cluster enable --all":        everywhere("enable"),
	"cluster restart --all":       everywhere("restart"),
	"cluster start --all":         everywhere("start"),
	"cluster stop --all": {"a daemon is started and stopped by the service manager of its machine", "stop all services at once by " +
		"`paceline configure property stop-all-resources=true --wait`, so that none moves away, then say `paceline cluster stop` on each node"},
	"cluster rename": {"a cluster keeps the name that it was made with", "the name is only shown: nothing depends on it"},
	"cluster run":    {"the cluster runs no commands on other machines", "paceline itself means the whole cluster on every node; for other commands use ssh or ansible"},
	"corosync":       {"there is no corosync.conf: membership and votes are part of the daemon", "paceline cluster status shows them; addresses are given to paceline cluster init and join"},
	"corosync log":   {"there is no log of corosync", "journalctl -u pacelined; paceline history tells what happened in the cluster"},
	"options": {"no preferences are kept", "EDITOR and VISUAL name the editor, NO_COLOR or --display plain ends colours, --wait and --yes stand at the " +
		"command that they are for"},
	"resource secret": {"passwords are no part of the configuration", "give a reference in their place: paceline resource param RESOURCE set NAME secret:file:/PATH"},
	"sbd": {"there is no service beside the daemon for that", "paceline cluster init and join take --watchdog /dev/watchdog; devices are resources (paceline ra list stonith); " +
		"paceline doctor fencing checks both"},
	"script":  {"there are no scripts of steps", "what is wanted is a file: paceline configure apply FILE; commands in a file run by paceline --file FILE"},
	"session": {"there are no sessions of the history to keep", "paceline report keeps what happened in a file, paceline history shows it"},
	"template": {"there are no templates with questions", "paceline configure rsc_template keeps what primitives share, and paceline configure load update FILE " +
		"brings in a prepared text"},
}

// everywhere answers a verb of the daemon's service that is meant for all nodes.
func everywhere(verb string) foreign {
	return foreign{"a daemon is started and stopped by the service manager of its machine", "ssh NODE paceline cluster " + verb + ", for each node"}
}

// foreignLevels are levels that other shells have within configure as well.
var foreignLevels = []string{"assist", "cibstatus", "options", "script", "template"}

// foreignWord finds the answer to a word that is no command in a level.
func foreignWord(level, word string) (foreign, bool) {
	for _, path := range []string{strings.TrimSpace(level + " " + word), level} {
		if f, ok := foreignCommands[path]; ok {
			return f, true
		}
	}
	if level == "configure" {
		for _, l := range foreignLevels {
			if l == word {
				return foreignCommands[l], true
			}
		}
	}
	return foreign{}, false
}

// refuse puts the answer into the error that it is.
func (f foreign) refuse(where string) *usageError {
	e := usagef("%s: %s", where, f.why)
	e.hint = f.instead
	return e
}
