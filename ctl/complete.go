package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// completeWait bounds the question to the daemon while a person holds the Tab key.
const completeWait = 500 * time.Millisecond

// The scripts only ask the program itself, so that every shell offers the same.
var completionScripts = map[string]string{
	"bash": `_paceline() {
	local IFS=$'\n'
	COMPREPLY=($(paceline __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _paceline paceline
`,
	"zsh": `#compdef paceline
_paceline() {
	local -a found
	local word text
	while IFS=$'\t' read -r word text; do
		found+=("${word//:/\\:}:$text")
	done < <(paceline __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
	if (( $#found )); then _describe paceline found; else _files; fi
}
compdef _paceline paceline
`,
	"fish": `complete -c paceline -f -a '(paceline __complete (commandline -opc)[2..-1] (commandline -ct))'
complete -c paceline -n '__fish_seen_subcommand_from load simulate' -F
`,
}

func runCompletion(in *invocation) error {
	script, ok := completionScripts[in.arg(0)]
	if !ok {
		e := usagef("paceline completion: there is no script for %q", in.arg(0))
		e.hint = "shells are bash, fish and zsh"
		return e
	}
	in.printf("%s", script)
	return nil
}

// candidate is one possible completion.
type candidate struct{ word, text string }

// complete prints what can stand in the place of the last word, one candidate a line with its description behind a tab.
func complete(ctx context.Context, app *cli.App, s Streams, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, c := range candidates(ctx, app, s, words[:len(words)-1], last) {
		if strings.HasPrefix(c.word, last) {
			fmt.Fprintf(s.Out, "%s\t%s\n", c.word, c.text)
		}
	}
}

func candidates(ctx context.Context, app *cli.App, s Streams, before []string, last string) []candidate {
	list, path := app.Commands, ""
	var at *cli.Command
	i := 0
	for ; i < len(before) && len(list) > 0; i++ {
		c, err := find(list, path, before[i])
		if err != nil {
			return nil
		}
		at, list, path = c, c.Subcommands, strings.TrimSpace(path+" "+c.Name)
	}
	if len(list) > 0 {
		var out []candidate
		for _, c := range list {
			out = append(out, candidate{c.Name, c.Usage})
		}
		return out
	}
	if strings.HasPrefix(last, "-") {
		return flagCandidates(at)
	}
	_, args, err := separate(at, path, before[i:])
	if err != nil {
		return nil // the value of a flag
	}
	row := rowOf(path)
	if row == nil || len(row.args) == 0 {
		return nil
	}
	a := row.args[min(len(args), len(row.args)-1)]
	if len(args) >= len(row.args) && !a.repeat {
		return nil
	}
	if a.kind == argChoice {
		var out []candidate
		for _, v := range a.values {
			out = append(out, candidate{word: v})
		}
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, completeWait)
	defer cancel()
	return slices.DeleteFunc(argCandidates(ctx, s, a.kind), func(c candidate) bool { return slices.Contains(args, c.word) })
}

func rowOf(path string) *command {
	for i := range table {
		if table[i].path == path {
			return &table[i]
		}
	}
	return nil
}

func flagCandidates(c *cli.Command) []candidate {
	var out []candidate
	for _, f := range c.Flags {
		text := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			text = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		out = append(out, candidate{"--" + f.Names()[0], text})
	}
	return append(out, candidate{"--help", "show help"})
}

// argCandidates lists what the cluster has of a kind; without an answer in time, nothing.
func argCandidates(ctx context.Context, s Streams, kind argKind) []candidate {
	switch kind {
	case argNode, argResource, argRevision, argObject:
	default:
		return nil
	}
	client := s.client()
	defer client.Close()
	var out []candidate
	if kind == argRevision {
		h, err := client.History(ctx, api.HistoryDefault)
		if err != nil {
			return nil
		}
		for _, c := range h.Commits {
			out = append(out, candidate{fmt.Sprint(c.Revision), strings.TrimSpace(c.User + " " + c.Message)})
		}
		return out
	}
	if kind == argObject {
		r, err := client.Configuration(ctx, 0)
		if err != nil {
			return nil
		}
		return objectCandidates(r.Configuration)
	}
	st, err := client.Status(ctx)
	if err != nil {
		return nil
	}
	if kind == argNode {
		for _, n := range st.Nodes {
			out = append(out, candidate{n.Name, stateText(n)})
		}
		return out
	}
	var walk func(list []api.Resource)
	walk = func(list []api.Resource) {
		for _, r := range list {
			text := r.Agent
			if text == "" {
				text = r.Kind
			}
			out = append(out, candidate{r.ID, text})
			walk(r.Children)
		}
	}
	walk(st.Resources)
	return out
}

// objectCandidates are the objects of a configuration that have a name of their own.
func objectCandidates(c *cib.Configuration) []candidate {
	var out []candidate
	for r := range c.Walk() {
		out = append(out, candidate{r.ID, string(r.Kind)})
	}
	for _, t := range c.Templates {
		out = append(out, candidate{t.ID, "template"})
	}
	for _, x := range c.Constraints {
		out = append(out, candidate{x.ID(), "constraint"})
	}
	for _, n := range c.Nodes {
		out = append(out, candidate{n.Uname, "node"})
	}
	for _, t := range c.Tags {
		out = append(out, candidate{t.ID, "tag"})
	}
	for _, a := range c.Alerts {
		out = append(out, candidate{a.ID, "alert"})
	}
	for _, r := range c.ACLs.Roles {
		out = append(out, candidate{r.ID, "role"})
	}
	return out
}
