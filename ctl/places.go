package ctl

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"paceline/ctl/shell"
)

// line runs one line: it goes to another level, or is a command of this level, or of another by its path.
func (p *program) line(ctx context.Context, s Streams, text string) error {
	list, err := shell.Split(text)
	if err != nil {
		e := usagef("%v", err)
		e.hint = "close it, or write \\\" for a quote itself"
		return e
	}
	if len(list) == 0 {
		return nil
	}
	d := s.desk
	if strings.Contains(list[0], "/") && list[0] != "/" { // resource/start is "resource start", /status is that of the root
		path := strings.FieldsFunc(list[0], func(r rune) bool { return r == '/' })
		if strings.HasPrefix(list[0], "/") {
			return p.run(ctx, s, "", append(path, list[1:]...))
		}
		list = append(path, list[1:]...)
	}
	switch word, rest := list[0], list[1:]; word {
	case "quit", "bye", "exit":
		return errQuit
	case "up", "..", "end":
		if d.level == "" {
			return errQuit
		}
		return p.enter(ctx, s, "")
	case "/":
		return p.enter(ctx, s, "")
	case "cd":
		return p.cd(ctx, s, rest)
	case "ls":
		return p.ls(s)
	case "help", "?", "h":
		return p.help(ctx, s, rest)
	}
	return p.run(ctx, s, d.level, list)
}

// run runs a command by its words, looked for in a level and then from the root.
func (p *program) run(ctx context.Context, s Streams, level string, list []string) error {
	app := newApp(s)
	full, err := fullPath(app, level, list)
	if err != nil {
		return err
	}
	target, rest := levelAt(app, full)
	if target != "" && len(rest) == 0 {
		return p.enter(ctx, s, target)
	}
	if target != "configure" {
		s.desk = nil // the session is of the configure level alone: others' commands commit by themselves
	}
	return p.once(ctx, s, full)
}

// fullPath returns words as they are typed at the root. What the level does not have is looked for there.
func fullPath(app *cli.App, level string, list []string) ([]string, error) {
	if level == "" {
		return list, nil
	}
	at, err := find(app.Commands, "", level)
	if err != nil {
		return nil, err
	}
	_, err = find(at.Subcommands, level, list[0])
	var use *usageError
	if err == nil || !errors.As(err, &use) || !use.unknown {
		return append([]string{level}, list...), nil // an ambiguous word is told of as such
	}
	if _, rootErr := find(app.Commands, "", list[0]); rootErr == nil {
		return list, nil
	}
	return nil, err
}

// enter goes to a level. The configure level is not left with edits without a word.
func (p *program) enter(ctx context.Context, s Streams, level string) error {
	if s.desk.level == "configure" && level != "configure" {
		if err := p.leave(ctx, s); err != nil {
			return err
		}
	}
	s.desk.level = level
	return nil
}

// cd goes to a level by path: "cd resource", "cd ..", "cd /node"; without one to the root.
func (p *program) cd(ctx context.Context, s Streams, rest []string) error {
	if len(rest) > 1 {
		return usagef("cd: %q is one argument too many", rest[1])
	}
	path := ""
	if len(rest) == 1 {
		path = rest[0]
	}
	level := s.desk.level
	if path == "" || strings.HasPrefix(path, "/") {
		level = ""
	}
	for _, step := range strings.Split(path, "/") {
		switch step {
		case "", ".":
		case "..":
			level = ""
		default:
			if level != "" { // levels are all in the root
				return usagef("cd: there is no level %q in %s", step, level)
			}
			name, rest := levelAt(newApp(s), []string{step})
			if name == "" || len(rest) > 0 {
				e := usagef("cd: there is no level %q", step)
				e.hint = "levels are " + strings.Join(levelNames(), ", ")
				return e
			}
			level = name
		}
	}
	return p.enter(ctx, s, level)
}

// ls lists what can be typed here.
func (p *program) ls(s Streams) error {
	var list []shell.Candidate
	for _, c := range here(s.desk.level) {
		list = append(list, shell.Candidate{Word: c.Word})
	}
	for _, n := range navigation {
		list = append(list, shell.Candidate{Word: n.Word})
	}
	_, err := s.Out.Write(shell.Listing(list, 0))
	return err
}

// help explains a command of this level or of any, or a topic; without a name it lists what there is.
func (p *program) help(ctx context.Context, s Streams, rest []string) error {
	if len(rest) == 0 {
		if err := p.once(ctx, s, append(words(s.desk.level), "--help")); err != nil {
			return err
		}
		fmt.Fprintf(s.Out, "\nIN THE SHELL:\n")
		for _, n := range navigation {
			fmt.Fprintf(s.Out, "   %-10s  %s\n", n.Word, n.Text)
		}
		return nil
	}
	if level := s.desk.level; level != "" {
		if err := p.once(ctx, s, slices.Concat(words(level), rest, []string{"--help"})); err == nil {
			return nil
		}
	}
	return p.once(ctx, s, append([]string{"help"}, rest...))
}

// navigation is what the shell itself understands.
var navigation = []shell.Candidate{
	{Word: "cd", Text: "go to a level: cd resource, cd ..; without one to the root"},
	{Word: "up", Text: "leave this level; also '..' and 'end'"},
	{Word: "ls", Text: "list what can be typed here"},
	{Word: "help", Text: "explain a command or a topic"},
	{Word: "quit", Text: "leave the shell; also 'bye', 'exit' and Ctrl-D"},
}

// leave commits or drops what the configure level holds. With a person at the terminal it asks; from a script it commits,
// as each line would have by itself.
func (p *program) leave(ctx context.Context, s Streams) error {
	d := s.desk
	if !d.uncommitted() {
		d.session = nil
		return nil
	}
	if s.Terminal {
		fmt.Fprintf(s.Err, "%s not committed. Commit now? [y]es, [n]o, drop it, [c]ancel: ", changesWaiting(d))
		answer, err := bufio.NewReader(s.In).ReadString('\n')
		if err != nil && answer == "" {
			answer = "n"
		}
		switch strings.ToLower(strings.TrimSpace(answer)) {
		case "y", "yes":
		case "n", "no":
			d.session = nil
			return nil
		default:
			return &exitStatus{exitRefused} // said by the question
		}
	}
	if err := p.once(ctx, s, []string{"configure", "commit"}); err != nil {
		return err
	}
	d.session = nil
	return nil
}

func changesWaiting(d *desk) string {
	n := len(d.session.Differences())
	if n == 1 {
		return "1 change is"
	}
	return fmt.Sprintf("%d changes are", n)
}

func words(level string) []string {
	if level == "" {
		return nil
	}
	return []string{level}
}

// levelAt returns the level that words begin with, and those behind it.
func levelAt(app *cli.App, list []string) (string, []string) {
	if len(list) == 0 {
		return "", nil
	}
	c, err := find(app.Commands, "", list[0])
	if err != nil || len(c.Subcommands) == 0 {
		return "", list
	}
	return c.Name, list[1:]
}

func levelNames() []string {
	var out []string
	for _, l := range levels {
		if l.name != "" && len(l.commands) > 0 {
			out = append(out, l.name)
		}
	}
	return out
}

// here lists the commands of a level; in the root the levels too.
func here(level string) []shell.Candidate {
	var out []shell.Candidate
	for _, l := range levels {
		if level == "" && l.name != "" && len(l.commands) > 0 {
			out = append(out, shell.Candidate{Word: l.name, Text: l.short})
			continue
		}
		if l.name != level {
			continue
		}
		for _, c := range l.commands {
			out = append(out, shell.Candidate{Word: strings.TrimPrefix(c.path, level+" "), Text: c.short})
		}
	}
	return out
}
