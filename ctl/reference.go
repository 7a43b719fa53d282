package ctl

import (
	"fmt"
	"strings"
)

// programFlags are the flags that stand before a command.
var programFlags = []struct{ name, usage string }{
	{"-f, --file FILE", "run the commands in FILE, a line each; - is standard input"},
	{"-w, --wait", "after every change, return when the cluster has settled"},
	{"-y, --yes", "go on where a command asks for confirmation; -F and --force of older scripts are taken for it"},
	{"-n, --no", "do not go on there, and do not ask"},
	{"-c, --cib NAME", "configure commands work on the shadow copy NAME; live is the cluster"},
	{"-D, --display WAY", "show things plain or in color (color-always: also in a pipe)"},
	{"--host HOST[:PORT]", "use the cluster of an access token from elsewhere, through this member"},
	{"-v, --version", "print the version"},
	{"-h, --help", "show help"},
}

// programFlagList lists them for the help.
func programFlagList() string {
	var b strings.Builder
	for _, f := range programFlags {
		fmt.Fprintf(&b, "  %-18s  %s\n", f.name, f.usage)
	}
	return strings.TrimRight(b.String(), "\n")
}

// intro is what the reference and the manual page begin with.
const intro = "paceline makes clusters, shows and changes them. Without a command it is a shell: it reads commands from the person at the terminal, " +
	"or from standard input. Commands may be shortened to a unique prefix, and flags may stand after arguments."

// eachLevel calls back for every level that has commands, with the root's first.
func eachLevel(do func(l level)) {
	root := level{short: "commands of no level"}
	for _, l := range levels {
		if l.name == "" {
			root.commands = append(root.commands, l.commands...)
		}
	}
	do(root)
	for _, l := range levels {
		if l.name != "" && len(l.commands) > 0 {
			do(l)
		}
	}
}

// Reference writes the reference of all commands in Markdown: docs/cli.md.
func Reference() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# Commands\n\nMade from the program's own table of commands by `make docs`.\n\n%s\n", intro)
	line("| before a command | |\n| --- | --- |")
	for _, f := range programFlags {
		line("| `%s` | %s |", f.name, f.usage)
	}
	eachLevel(func(l level) {
		title := l.name
		if title == "" {
			title = "status, explain, simulate ..."
		}
		line("\n## %s\n\n%s.", title, upperFirst(l.short))
		for i := range l.commands {
			l.commands[i].markdown(line)
		}
	})
	line("\n## Topics\n\n`help TOPIC` prints one.")
	for _, t := range topics {
		line("\n### %s: %s\n\n```text\n%s\n```", t.name, t.short, t.text)
	}
	return b.String()
}

func (c *command) markdown(line func(string, ...any)) {
	line("\n### paceline %s\n\n%s.", strings.TrimSpace(c.path+" "+escapeMarkdown(c.synopsis())), upperFirst(c.short))
	if len(c.aliases) > 0 {
		line("Also called: `%s`.", strings.Join(c.aliases, "`, `"))
	}
	if c.long != "" {
		line("\n%s", escapeMarkdown(c.long))
	}
	if len(c.flags) > 0 {
		line("\n| flag | |\n| --- | --- |")
		for _, f := range c.flags {
			line("| `%s` | %s |", f.spelled(), escapeMarkdown(f.explained()))
		}
	}
	if len(c.examples) > 0 {
		line("\n```sh\n%s\n```", strings.Join(c.examples, "\n"))
	}
}

func escapeMarkdown(text string) string {
	return strings.NewReplacer("|", "\\|", "<", "\\<", "*", "\\*", "_", "\\_").Replace(text)
}

// spelled writes a flag with the name of its value: "-m, --message TEXT".
func (f flag) spelled() string {
	out := "--" + f.name
	if f.alias != "" {
		out = "-" + f.alias + ", " + out
	}
	_, rest, ok := strings.Cut(f.usage, "`")
	value, _, closed := strings.Cut(rest, "`")
	switch {
	case f.kind == flagBool:
		return out
	case f.kind == flagWait:
		return out + "[=TIME]"
	case ok && closed:
		return out + " " + value
	}
	return out + " VALUE"
}

// explained is what a flag does, with its default.
func (f flag) explained() string {
	text := strings.ReplaceAll(f.usage, "`", "")
	switch {
	case f.kind == flagWait && f.def != "":
		return text + "; without a time " + f.def
	case f.def != "":
		return text + " (default: " + f.def + ")"
	}
	return text
}

func upperFirst(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// Manual writes the manual page paceline(8) in the man macros.
func Manual() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line(".TH PACELINE 8 \"\" \"paceline\" \"System administration\"")
	line(".SH NAME\npaceline \\- the command line of the paceline cluster manager")
	line(".SH SYNOPSIS\n.B paceline\n.RI [ FLAGS ]\n.RI [ COMMAND ]\n.RI [ ARGUMENTS ]")
	line(".SH DESCRIPTION\n%s\n.PP\nThe daemon is described in\n.BR pacelined (8).", roff(intro))
	line(".SH FLAGS BEFORE A COMMAND")
	for _, f := range programFlags {
		line(".TP\n.B %s\n%s", roff(f.name), roff(f.usage))
	}
	eachLevel(func(l level) {
		title := "COMMANDS"
		if l.name != "" {
			title = strings.ToUpper(l.name)
		}
		line(".SH %s\n%s.", roff(title), roff(upperFirst(l.short)))
		for i := range l.commands {
			l.commands[i].manual(line)
		}
	})
	for _, t := range topics {
		if t.name == "exit-status" {
			continue
		}
		line(".SH %s\n.nf\n%s\n.fi", roff(strings.ToUpper(t.short)), roff(t.text))
	}
	line(".SH ENVIRONMENT\n.TP\n.B PACELINE_SOCKET\nThe daemon's control socket (/run/paceline/paceline.sock).")
	line(".TP\n.B NO_COLOR\nIf set, nothing is coloured.")
	line(".TP\n.BR VISUAL \", \" EDITOR\nThe editor of\n.BR \"configure edit\" .")
	t, _ := topicNamed("exit-status")
	line(".SH EXIT STATUS\n.nf\n%s\n.fi", roff(t.text))
	line(".SH FILES\n.TP\n~/.local/state/paceline/history\nThe lines typed into the shell.")
	line(".SH SEE ALSO\n.BR pacelined (8)")
	return b.String()
}

func (c *command) manual(line func(string, ...any)) {
	line(".TP\n.B paceline %s\n%s.", roff(strings.TrimSpace(c.path+" "+c.synopsis())), roff(upperFirst(c.short)))
	if len(c.aliases) > 0 {
		line("Also called %s.", roff(strings.Join(c.aliases, ", ")))
	}
	if c.long != "" {
		line("%s", roff(c.long))
	}
	if len(c.flags) > 0 {
		line(".RS")
		for _, f := range c.flags {
			line(".TP\n.B %s\n%s", roff(f.spelled()), roff(f.explained()))
		}
		line(".RE")
	}
}

// roff escapes a text for the man macros.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(text)
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if strings.HasPrefix(l, ".") || strings.HasPrefix(l, "'") {
			lines[i] = `\&` + l
		}
	}
	return strings.Join(lines, "\n")
}
