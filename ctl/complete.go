package ctl

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"paceline/ctl/shell"
)

// The scripts only ask the program itself, so that every shell offers the same.
var completionScripts = map[string]string{
	"bash": `_paceline() {
	local IFS=$'\n' line=${COMP_LINE:0:COMP_POINT} word tail from= breaks=
	local -a words
	IFS=$' \t\n' read -r -a words <<<"$line"
	words=("${words[@]:1}")
	case $line in *[[:blank:]]) words+=("") ;; esac
	word=${words[${#words[@]} - 1]}
	# bash parts words at ':' and '=' too: what it has of the word already is not given again.
	case $COMP_WORDBREAKS in *:*) breaks+=: ;; esac
	case $COMP_WORDBREAKS in *=*) breaks+== ;; esac
	if [ -n "$breaks" ]; then
		tail=${word##*[$breaks]}
		from=${word%"$tail"}
	fi
	COMPREPLY=($(paceline __complete "${words[@]}" 2>/dev/null | cut -f1))
	COMPREPLY=("${COMPREPLY[@]#"$from"}")
	case ${COMPREPLY[0]} in *[:=]) [ ${#COMPREPLY[@]} = 1 ] && compopt -o nospace ;; esac
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
complete -c paceline -n '__fish_seen_subcommand_from load apply save import convert fmt lint verify plan diff' -F
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

// complete prints what can stand in the place of the last word, one candidate a line with its description behind a tab.
func complete(ctx context.Context, s Streams, words []string) {
	if len(words) == 0 {
		words = []string{""}
	}
	last := words[len(words)-1]
	for _, c := range candidatesAt(ctx, &facts{streams: s}, words[:len(words)-1], last) {
		if strings.HasPrefix(c.Word, last) {
			fmt.Fprintf(s.Out, "%s\t%s\n", c.Word, c.Text)
		}
	}
}

// candidatesInShell lists what can stand in the place of the last word of a line typed in a level of the shell.
func candidatesInShell(ctx context.Context, k *facts, level string, before []string, last string) []shell.Candidate {
	if len(before) == 0 {
		own := append(here(level), navigation...)
		if level == "" || slices.ContainsFunc(own, func(c shell.Candidate) bool { return strings.HasPrefix(c.Word, last) }) {
			return own
		}
		return here("") // a command of another level
	}
	switch before[0] {
	case "cd":
		var out []shell.Candidate
		for _, c := range here("") {
			if slices.Contains(levelNames(), c.Word) {
				out = append(out, c)
			}
		}
		return append(out, shell.Candidate{Word: "..", Text: "the level above"})
	case "help":
		before = before[1:]
		if len(before) == 0 {
			out := here(level)
			if level != "" {
				out = append(out, here("")...)
			}
			return append(out, topicNames()...)
		}
	}
	full, err := fullPath(newApp(k.streams), level, before)
	if err != nil {
		return nil
	}
	return candidatesAt(ctx, k, full, last)
}

// candidatesAt lists what can stand in the place of the last word of a command line.
func candidatesAt(ctx context.Context, k *facts, before []string, last string) []shell.Candidate {
	list, path := newApp(k.streams).Commands, ""
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
		var out []shell.Candidate
		for _, c := range list {
			out = append(out, shell.Candidate{Word: c.Name, Text: c.Usage})
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
	if row == nil {
		return nil
	}
	if row.complete != nil {
		return row.complete(ctx, k, args, last)
	}
	if len(row.args) == 0 {
		return nil
	}
	a := row.args[min(len(args), len(row.args)-1)]
	if len(args) >= len(row.args) && !a.repeat {
		return nil
	}
	return without(k.named(ctx, a, last), args)
}

// without leaves out what is there already.
func without(list []shell.Candidate, used []string) []shell.Candidate {
	return slices.DeleteFunc(list, func(c shell.Candidate) bool { return slices.Contains(used, c.Word) })
}

func rowOf(path string) *command {
	for i := range table {
		if table[i].path == path {
			return &table[i]
		}
	}
	return nil
}

func flagCandidates(c *cli.Command) []shell.Candidate {
	var out []shell.Candidate
	for _, f := range c.Flags {
		text := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			text = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		out = append(out, shell.Candidate{Word: "--" + f.Names()[0], Text: text})
	}
	return append(out, shell.Candidate{Word: "--help", Text: "show help"})
}
