package ctl

import (
	"slices"
	"strings"

	"paceline/agent/cib"
	"paceline/ctl/shell"
)

// topic is a page of help that belongs to no command.
type topic struct{ name, short, text string }

// topics are the pages, by name. Help, the manual page and the reference are made from them.
var topics = []topic{
	{"agents", "how agents are named", `An agent is CLASS:PROVIDER:TYPE or CLASS:TYPE: ocf:heartbeat:IPaddr2, systemd:nginx, stonith:fence_ipmilan.
A type alone is looked up among the ocf providers, heartbeat first. A fencing device is a primitive of class stonith.
Parameters stand behind params, which may be left out; Tab and 'ra info AGENT' list them.`},
	{"exit-status", "what a command's exit status says", `0  done
1  failed
2  wrong usage; for a plan or a dry run: there are changes pending
3  refused by the state of the cluster, or a confirmation is wanted (--yes)
4  unreachable, or not settled in time`},
	{"rules", "conditions on nodes and times", `A rule stands in a location, or before the pairs of a set of attributes:

  location web-by-day web rule 100: date spec hours=8-17 weekdays=1-5
  location web-fast web rule -inf: not_defined disk or disk ne ssd
  primitive web systemd:nginx meta rule #uname eq node1 resource-stickiness=100

Comparisons are lt, gt, lte, gte, eq and ne, with string:, number:, integer: or version: before them where the text alone does
not say how to compare. defined and not_defined ask whether a node has an attribute. Conditions are joined by and, or by or,
not by both in one rule. date takes lt TIME, gt TIME, in start=TIME end=TIME, and spec with hours, weekdays, months ...
Without a score a rule is worth inf.`},
	{"scores", "how much something is worth", `A score is a whole number, or inf for a million, which nothing outweighs. Positive scores attract, negative ones repel, -inf
forbids. Of the nodes that are allowed the one with the highest sum wins; resource-stickiness is the score for staying.`},
	{"sets", "constraints over more than two resources", `Resources in a row of a colocation or order belong together one after the other:

  order boot Mandatory: files db web
  colocation together inf: web db files

( a b ) may start in any order, beside each other; [ a b ] too, and one of them is enough. A change of role or action begins a new
set by itself: colocation c inf: db:Promoted web.`},
	{"shell", "the interactive shell", `Without a command paceline reads commands: from the person at the terminal, with completion by Tab, or line by line from
standard input; --file FILE reads them from a file. A level's name alone goes to that level, 'up' leaves it, and a command of
another level works from anywhere: 'resource start web', or '/resource/start web'. Commands may be shortened to a unique prefix.

In the configure level edits collect until 'commit'. Leaving it with edits asks at a terminal, and commits in a script. A
script ends at the first line that goes wrong, with that line's exit status; what was edited and not committed is dropped then.
A line that ends in a backslash goes on in the next one; a line that begins with # is a comment.

The history is in ~/.local/state/paceline/history, readable by its owner alone. Lines with secrets are not kept in it. Ctrl-C
gives a line up, or ends the command that runs; Ctrl-D leaves. Called by a link named crm it is the same program.`},
	{"times", "how times are written", `A duration is a number with a unit: 10s, 500ms, 5min, 2h; without a unit it is seconds. In rules durations and moments are
written as in ISO 8601: P7D, 2031-03-04 10:00:00.`},
}

func topicNamed(name string) (topic, bool) {
	i := slices.IndexFunc(topics, func(t topic) bool { return t.name == name })
	if i < 0 {
		return topic{}, false
	}
	return topics[i], true
}

func topicNames() []shell.Candidate {
	var out []shell.Candidate
	for _, t := range topics {
		out = append(out, shell.Candidate{Word: t.name, Text: t.short})
	}
	return out
}

// elsewhere are words of other cluster shells, in any level, and what does their work here.
var elsewhere = map[string]string{
	"crm_mon": "status --watch", "mon": "status --watch", "cibadmin": "configure show", "crm_resource": "resource", "crm_attribute": "node attribute",
	"stonith_admin": "node fence", "stonith": "node fence", "constraint": "configure location", "unstandby": "node online", "unmove": "resource clear",
	"enable": "resource start", "disable": "resource stop", "setup": "cluster init",
}

// meantCommand guesses the command that somebody meant who typed an unknown word in a level: one of nearly the same name there, the
// same name in another level, or the name that another cluster shell has for it.
func meantCommand(level, word string) string {
	var names []string
	for _, c := range here(level) {
		names = append(names, c.Word)
	}
	if near := cib.Near(word, names); near != "" {
		return strings.TrimSpace(level + " " + near)
	}
	if path := elsewhere[word]; path != "" {
		return path
	}
	var found []string
	for i := range table {
		at, name, nested := strings.Cut(table[i].path, " ")
		if nested && at != level && (name == word || slices.Contains(table[i].aliases, word)) {
			found = append(found, table[i].path)
		}
	}
	if len(found) > 0 {
		return found[0]
	}
	return ""
}

func topicList() string {
	var names []string
	for _, t := range topics {
		names = append(names, t.name)
	}
	return strings.Join(names, ", ")
}
