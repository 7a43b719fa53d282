package ctl

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"paceline/agent/api"
	"paceline/ctl/shell"
)

// command is one row of the table.
type command struct {
	path     string   // "resource move"
	aliases  []string // other names in the same level, as other shells have them ("migrate")
	short    string   // one line, without a full stop
	long     string   // what it guarantees, when to use it
	args     []arg
	flags    []flag
	examples []string
	run      func(in *invocation) error
	// loose lets words that look like flags and are none of the command's pass as arguments ("-inf:" is a score).
	loose bool
	// complete, if set, lists what may follow args, in the place of last.
	complete func(ctx context.Context, k *facts, args []string, last string) []shell.Candidate
}

// arg is one argument.
type arg struct {
	name     string
	kind     argKind
	optional bool
	repeat   bool     // the last may be given several times
	values   []string // with argChoice: the words that may stand here; the command itself refuses others
}

// argKind says what an argument names, for completion.
type argKind int

const (
	argText argKind = iota
	argNode
	argResource
	argFile
	argRevision
	argChoice // one of arg.values
	argObject // any object of the configuration: resource, constraint, template, tag, node ...
	argTicket
	argAgent  // [CLASS:[PROVIDER:]]TYPE
	argClass  // a class of agents, or CLASS:PROVIDER
	argOption // a cluster option
)

// flag is one flag.
type flag struct {
	name, alias string
	kind        flagKind
	def         string // shown as the default; for duration it is the default
	usage       string
	others      []string // further names, as other shells have them
}

type flagKind int

const (
	flagBool flagKind = iota
	flagText
	flagNumber
	flagDuration
	flagWait // a duration that may be left out: --wait means --wait=DEF
	flagList // a text that may be given several times
)

// synopsis writes the arguments as help does: "RESOURCE [NODE]".
func (c *command) synopsis() string {
	var words []string
	for _, a := range c.args {
		w := a.name
		if a.repeat {
			w += "..."
		}
		if a.optional {
			w = "[" + w + "]"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

// check refuses a wrong number of arguments.
func (c *command) check(args []string) error {
	least, most := 0, len(c.args)
	for _, a := range c.args {
		if !a.optional {
			least++
		}
		if a.repeat {
			most = -1
		}
	}
	usage := "usage: paceline " + strings.TrimSpace(c.path+" "+c.synopsis())
	switch {
	case len(args) < least:
		missing := filter(c.args, func(a arg) bool { return !a.optional })
		e := usagef("paceline %s: %s is missing", c.path, missing[len(args)].name)
		e.hint = usage
		return e
	case most >= 0 && len(args) > most:
		e := usagef("paceline %s: %q is one argument too many", c.path, args[most])
		e.hint = usage
		return e
	}
	return nil
}

// newApp makes the application from the table.
func newApp(s Streams) *cli.App {
	app := &cli.App{
		Name: "paceline", HelpName: "paceline", Usage: "keep services alive on a cluster of machines",
		Description: "Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused by the state of the cluster, 4 unreachable or timed out.\n" +
			"Commands may be shortened to a unique prefix; flags may stand after arguments. Without a command it is a shell.\n" +
			"Topics of help (`paceline help TOPIC`): " + topicList() + ".\n\nBefore a command may stand:\n" + programFlagList(),
		Reader: s.In, Writer: s.Out, ErrWriter: s.Err,
		HideVersion: true, HideHelpCommand: true,
		ExitErrHandler: func(*cli.Context, error) {},
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			e := usagef("paceline: %v", err)
			e.hint = "`paceline help` lists what may stand before a command; other flags follow the command"
			return e
		},
	}
	for _, l := range levels {
		if len(l.commands) == 0 {
			continue
		}
		if l.name == "" {
			for i := range l.commands {
				app.Commands = append(app.Commands, l.commands[i].command(s, l.commands[i].path))
			}
			continue
		}
		c := &cli.Command{Name: l.name, Usage: l.short, OnUsageError: app.OnUsageError, HideHelpCommand: true}
		c.Action = func(ctx *cli.Context) error { return cli.ShowSubcommandHelp(ctx) }
		for i := range l.commands {
			row := &l.commands[i]
			c.Subcommands = append(c.Subcommands, row.command(s, strings.TrimPrefix(row.path, l.name+" ")))
		}
		app.Commands = append(app.Commands, c)
	}
	return app
}

// command makes the urfave form of a row.
func (c *command) command(s Streams, name string) *cli.Command {
	out := &cli.Command{
		Name: name, Aliases: c.aliases, Usage: c.short, ArgsUsage: c.synopsis(), Description: c.description(),
		OnUsageError: func(_ *cli.Context, err error, _ bool) error { return c.wrongFlag(err) },
	}
	for _, f := range c.flags {
		out.Flags = append(out.Flags, f.flag())
	}
	out.Action = func(cc *cli.Context) error {
		args := cc.Args().Slice()
		if err := c.check(args); err != nil {
			return err
		}
		client := s.client()
		defer client.Close()
		return c.run(&invocation{ctx: cc.Context, Streams: s, c: cc, args: args, api: client})
	}
	return out
}

// badValue is how the standard library calls a flag whose value is none.
var badValue = regexp.MustCompile(`^invalid value (".*") for flag -(\S+): `)

// wrongFlag says what is wrong with a flag in the words of its kind.
func (c *command) wrongFlag(err error) error {
	m := badValue.FindStringSubmatch(err.Error())
	if m == nil {
		return usagef("paceline %s: %v", c.path, err)
	}
	e := usagef("paceline %s: --%s: %s is not what it takes", c.path, m[2], m[1])
	for _, f := range c.flags {
		if f.name != m[2] && f.alias != m[2] && !slices.Contains(f.others, m[2]) {
			continue
		}
		switch f.kind {
		case flagNumber:
			e = usagef("paceline %s: --%s: %s is no whole number", c.path, m[2], m[1])
		case flagDuration, flagWait:
			e = usagef("paceline %s: --%s: %s is no time", c.path, m[2], m[1])
			e.hint = "times are numbers with a unit: 30s, 10m, 2h"
		}
	}
	return e
}

func (c *command) description() string {
	text := c.long
	if len(c.examples) > 0 {
		text = strings.TrimSpace(text + "\n\nExamples:\n  " + strings.Join(c.examples, "\n  "))
	}
	return text
}

func (f flag) flag() cli.Flag {
	var aliases []string
	if f.alias != "" {
		aliases = []string{f.alias}
	}
	aliases = append(aliases, f.others...)
	switch f.kind {
	case flagText:
		return &cli.StringFlag{Name: f.name, Aliases: aliases, Usage: f.usage, DefaultText: f.def}
	case flagList:
		return &cli.StringSliceFlag{Name: f.name, Aliases: aliases, Usage: f.usage}
	case flagNumber:
		return &cli.IntFlag{Name: f.name, Aliases: aliases, Usage: f.usage, DefaultText: f.def}
	case flagDuration:
		d, _ := time.ParseDuration(f.def) // none: zero
		return &cli.DurationFlag{Name: f.name, Aliases: aliases, Usage: f.usage, Value: d}
	case flagWait:
		return &cli.DurationFlag{Name: f.name, Aliases: aliases, Usage: f.usage, DefaultText: f.def + " if no time is given"}
	}
	return &cli.BoolFlag{Name: f.name, Aliases: aliases, Usage: f.usage, DisableDefaultText: true}
}

// arrange puts the words of a command line into the order that urfave/cli reads: full names of commands, then flags, then
// arguments behind "--".
func arrange(app *cli.App, args []string) ([]string, error) {
	if len(args) == 0 {
		return []string{app.Name}, nil
	}
	out := []string{args[0]}
	rest := args[1:]
	list := app.Commands
	var at *cli.Command
	path := ""
	if len(rest) > 0 && (rest[0] == "--version" || rest[0] == "-v") {
		rest = append([]string{"version"}, rest[1:]...)
	}
	if rest := args[1:]; len(rest) > 1 && rest[0] == "help" {
		return arrange(app, append(append([]string{args[0]}, rest[1:]...), "--help")) // help X is X --help
	}
	for len(rest) > 0 && len(list) > 0 {
		word := rest[0]
		if word == "" {
			e := usagef("%s: a command is missing: its word is empty", strings.TrimSpace("paceline "+path))
			e.hint = "`" + strings.TrimSpace("paceline "+path) + " help` lists the commands"
			return nil, e
		}
		if word == "help" && len(rest) > 1 { // resource help move is resource move --help
			return arrange(app, slices.Concat(out, rest[1:], []string{"--help"}))
		}
		if word == "help" {
			return append(out, "--help"), nil
		}
		if strings.HasPrefix(word, "-") {
			return append(out, rest...), nil
		}
		c, err := find(list, path, word)
		if err != nil {
			return nil, err
		}
		out = append(out, c.Name)
		path = strings.TrimSpace(path + " " + c.Name)
		at, list, rest = c, c.Subcommands, rest[1:]
	}
	if at == nil || len(at.Subcommands) > 0 {
		return append(out, rest...), nil
	}
	flags, words, err := separate(at, path, rest)
	if err != nil {
		return nil, err
	}
	out = append(out, flags...)
	if len(words) > 0 {
		out = append(append(out, "--"), words...)
	}
	return out, nil
}

// find resolves a word to a command: its name or an alias, or a prefix of exactly one name, or of exactly one alias.
func find(list []*cli.Command, path, word string) (*cli.Command, error) {
	var near, byAlias []*cli.Command
	var names []string
	for _, c := range list {
		if c.Name == word || slices.Contains(c.Aliases, word) {
			return c, nil
		}
		if strings.HasPrefix(c.Name, word) {
			near = append(near, c)
			names = append(names, c.Name)
		}
		if slices.ContainsFunc(c.Aliases, func(a string) bool { return strings.HasPrefix(a, word) }) {
			byAlias = append(byAlias, c)
		}
	}
	if len(near) == 0 && len(byAlias) == 1 {
		return byAlias[0], nil
	}
	where := strings.TrimSpace("paceline " + path)
	switch len(near) {
	case 1:
		return near[0], nil
	case 0:
		if f, ok := foreignWord(path, word); ok {
			e := f.refuse(where + " " + word)
			e.unknown = true
			return nil, e
		}
		e := usagef("%s: there is no command %q", where, word)
		e.unknown, e.hint = true, "`"+where+" help` lists the commands"
		if meant := meantCommand(path, word); meant != "" {
			e.hint = "did you mean `paceline " + meant + "`?"
		}
		return nil, e
	}
	e := usagef("%s: %q may mean %s", where, word, strings.Join(names, ", "))
	e.hint = "give more letters"
	return nil, e
}

// separate takes flags and arguments apart. "--" ends the flags, "-" is an argument (standard input).
func separate(c *cli.Command, path string, words []string) (flags, args []string, err error) {
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "--" {
			return flags, append(args, words[i+1:]...), nil
		}
		if len(w) < 2 || w[0] != '-' {
			args = append(args, w)
			continue
		}
		name, _, hasValue := strings.Cut(strings.TrimLeft(w, "-"), "=")
		if name == "help" || name == "h" {
			return []string{"--help"}, nil, nil
		}
		f := flagNamed(c, name)
		if row := rowOf(path); f == nil && row != nil && row.loose {
			args = append(args, w)
			continue
		}
		if answer, ok := foreignCommands[path+" "+w]; ok && f == nil {
			return nil, nil, answer.refuse("paceline " + path + " " + w)
		}
		if f == nil {
			e := usagef("paceline %s: there is no flag %s", path, strings.SplitN(w, "=", 2)[0])
			e.hint = "`paceline " + path + " --help` lists them"
			return nil, nil, e
		}
		switch {
		case hasValue || isBool(f):
			flags = append(flags, w)
		case name == "wait": // its value may be left out, and may stand behind a blank if it reads as a time
			value := api.WaitDefault.String()
			if i+1 < len(words) {
				if _, err := time.ParseDuration(words[i+1]); err == nil {
					i++
					value = words[i]
				}
			}
			flags = append(flags, "--wait="+value)
		case i+1 == len(words):
			return nil, nil, usagef("paceline %s: %s needs a value", path, w)
		default:
			flags = append(flags, w, words[i+1])
			i++
		}
	}
	return flags, args, nil
}

func flagNamed(c *cli.Command, name string) cli.Flag {
	for _, f := range c.Flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func isBool(f cli.Flag) bool {
	b, ok := f.(cli.DocGenerationFlag)
	return ok && !b.TakesValue()
}
