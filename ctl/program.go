package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"paceline/ctl/shell"
)

// promptWait bounds the question for this node's name before the first prompt.
const promptWait = time.Second

// errQuit ends the shell.
var errQuit = errors.New("quit")

// program is one run of the program: by itself a command, or a shell that runs many.
type program struct {
	Streams
	name string // what it was called: "paceline", or the name of a link ("crm")
	wait bool   // wait after every change
	yes  bool   // go on where a confirmation is asked for
	node string // for the prompt
}

// globals takes the program's own flags from before the command. Those of the crm shell are taken as far as they mean something
// here.
func (p *program) globals(args []string) (file string, rest []string, err error) {
	for len(args) > 0 {
		word, value, given := strings.Cut(args[0], "=")
		if !strings.HasPrefix(word, "--") {
			word, given = args[0], false
		}
		take := func() (string, error) {
			if given {
				return value, nil
			}
			if len(args) == 1 {
				return "", usagef("paceline: %s needs a value", word)
			}
			args = args[1:]
			return args[0], nil
		}
		switch word {
		case "-f", "--file":
			if file, err = take(); err != nil {
				return "", nil, usagef("paceline: %s needs the name of a file, or - for standard input", word)
			}
		case "--host":
			host, err := take()
			if err != nil {
				return "", nil, usagef("paceline: --host needs the address of a member")
			}
			getenv := p.Getenv
			p.Getenv = func(name string) string {
				if name == "PACELINE_HOST" {
					return host
				}
				return getenv(name)
			}
		case "-w", "--wait":
			p.wait = true
		case "-y", "--yes":
			p.yes = true
		case "-F", "--force":
			p.yes = true
			fmt.Fprintf(p.Err, "note: %s is taken as --yes: it goes on where a confirmation is asked for; other refusals name the flag that lifts them\n", word)
		case "-n", "--no":
			p.no = true
		case "-d", "--debug": // there is nothing more to tell: errors say all that is known
		case "-D", "--display":
			if p.display, err = take(); err != nil {
				return "", nil, err
			}
			if !slices.Contains(displays, p.display) {
				e := usagef("paceline: %s: %q is no way to show things", word, p.display)
				e.hint = "ways are " + strings.Join(displays, ", ")
				return "", nil, e
			}
		case "-c", "--cib":
			name, err := take()
			if err != nil {
				return "", nil, err
			}
			if err := p.chooseShadow(name); err != nil {
				return "", nil, err
			}
		case "-H", "--history":
			e := usagef("paceline: there is no %s: the history is kept by the cluster", word)
			e.hint = "`paceline history` shows it, and `paceline simulate --cib FILE` looks at a saved state"
			return "", nil, e
		case "-o", "--opt":
			e := usagef("paceline: there is no %s: the program has no options of its own to set", word)
			e.hint = "the environment names the editor (EDITOR) and the shadow copy (PACELINE_SHADOW)"
			return "", nil, e
		default:
			return file, args, nil
		}
		args = args[1:]
	}
	return file, nil, nil
}

// chooseShadow lets all commands work on a shadow copy, or ("live") on the cluster.
func (p *program) chooseShadow(name string) error {
	if name != liveCopy {
		d, err := p.shadows()
		if err != nil {
			return err
		}
		if _, err := d.read(name); err != nil {
			return err
		}
	}
	p.chosen = name
	return nil
}

// file runs the lines of a file.
func (p *program) file(ctx context.Context, name, level string, rest []string) int {
	if len(rest) > 0 {
		return report(p.Streams, usagef("paceline: with --file no command is taken, only a level to begin in"))
	}
	if name == "-" {
		return p.script(ctx, "standard input", p.In, level)
	}
	f, err := os.Open(name)
	if err != nil {
		return report(p.Streams, usagef("%v", err))
	}
	defer f.Close()
	return p.script(ctx, name, f, level)
}

// once runs one command line.
func (p *program) once(ctx context.Context, s Streams, words []string) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt)
	defer stop()
	if len(words) == 2 && words[0] == "help" {
		if t, ok := topicNamed(words[1]); ok {
			_, err := io.WriteString(s.Out, fold(fmt.Sprintf("%s: %s\n\n%s\n", t.name, t.short, t.text), s.Width))
			return err
		}
	}
	app := newApp(s)
	ordered, err := arrange(app, append([]string{"paceline"}, p.withGlobals(app, words)...))
	if err != nil {
		return err
	}
	var help strings.Builder // commands write to the streams themselves
	app.Writer = &help
	err = app.RunContext(ctx, ordered)
	if help.Len() > 0 {
		io.WriteString(s.Out, foldHelp(help.String(), s.Width))
	}
	return err
}

// withGlobals adds what was asked for every command to one that has it.
func (p *program) withGlobals(app *cli.App, words []string) []string {
	row, rest := rowAt(app, words)
	if row == nil {
		return words
	}
	for _, f := range row.flags {
		if f.name == "wait" && p.wait || f.name == "yes" && p.yes {
			words = slices.Concat(words[:len(words)-len(rest)], []string{"--" + f.name}, rest)
		}
	}
	return words
}

// rowAt finds the row that words name, and the words behind its name.
func rowAt(app *cli.App, words []string) (*command, []string) {
	list, path := app.Commands, ""
	for i, w := range words {
		c, err := find(list, path, w)
		if err != nil {
			return nil, nil
		}
		path = strings.TrimSpace(path + " " + c.Name)
		if list = c.Subcommands; len(list) == 0 {
			return rowOf(path), words[i+1:]
		}
	}
	return nil, nil
}

// script runs the lines of a file or a pipe, in a level. The first line that goes wrong ends it, and what the configure level
// holds is dropped then; else it is committed where the level is left, as in one go.
func (p *program) script(ctx context.Context, name string, r io.Reader, level string) int {
	lines := shell.NewScript(name, r)
	d := &desk{level: level}
	s := p.Streams
	s.desk, s.In = d, strings.NewReader("") // standard input holds the lines: no command may take them
	for first := true; ; first = false {
		line, place, err := lines.ReadLine()
		if errors.Is(err, io.EOF) {
			if first {
				return report(p.Streams, p.once(ctx, p.Streams, append(words(level), "--help")))
			}
			return p.endScript(ctx, s)
		}
		if s.place, s.comment = place, lines.Comment(); err == nil {
			err = p.line(ctx, s, line)
		}
		switch {
		case errors.Is(err, errQuit):
			return p.endScript(ctx, s)
		case err != nil:
			status := report(s, err)
			if d.uncommitted() {
				fmt.Fprintln(s.Err, "note: nothing of what was edited before is committed")
			}
			return status
		}
	}
}

func (p *program) endScript(ctx context.Context, s Streams) int {
	return report(s, p.leave(ctx, s))
}

// interactive talks to a person at a terminal, until they leave.
func (p *program) interactive(ctx context.Context, level string) int {
	history, past, err := openHistory(p.Streams)
	if err != nil {
		fmt.Fprintln(p.Err, "note: "+err.Error())
	}
	d := &desk{level: level}
	s := p.Streams
	s.desk = d
	known := &facts{streams: s}
	editor, err := shell.NewEditor(history, past, func(before []string, last string) []shell.Candidate {
		return candidatesInShell(ctx, known, d.level, before, last)
	})
	if err != nil {
		return report(s, err)
	}
	defer editor.Close()
	interrupts := make(chan os.Signal, 1) // Ctrl-C ends what runs, never the shell
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	p.node = nodeName(ctx, s)
	for ctx.Err() == nil {
		line, err := editor.ReadLine(p.prompt(d))
		switch {
		case errors.Is(err, shell.ErrInterrupt):
			continue
		case err != nil: // the end of input: as quit
			line = "quit"
		}
		err = p.line(ctx, s, line)
		known.forget()
		if errors.Is(err, errQuit) {
			if err = p.leave(ctx, s); err == nil {
				return exitDone
			}
		}
		report(s, err)
	}
	return exitFailed
}

// prompt says where the person is: the cluster's live state, the node that answers, the level, and whether edits wait.
func (p *program) prompt(d *desk) string {
	edited := ""
	if d.uncommitted() {
		edited = "*"
	}
	where := p.node
	if name := p.shadowInUse(); name != "" { // what is edited is not the cluster
		where = name + strings.TrimPrefix(where, "live")
	}
	return fmt.Sprintf("%s(%s)%s%s# ", p.name, where, d.level, edited)
}

func nodeName(ctx context.Context, s Streams) string {
	ctx, cancel := context.WithTimeout(ctx, promptWait)
	defer cancel()
	client := s.client()
	defer client.Close()
	h, err := client.Health(ctx)
	switch {
	case err != nil:
		return "no daemon"
	case h.Cluster == "":
		return "no cluster"
	}
	return "live/" + h.Node
}

// openHistory opens the person's history file; without a home there is none.
func openHistory(s Streams) (*shell.History, []string, error) {
	dir := s.Getenv("XDG_STATE_HOME")
	if dir == "" {
		home := s.Getenv("HOME")
		if home == "" {
			return nil, nil, nil
		}
		dir = filepath.Join(home, ".local", "state")
	}
	return shell.OpenHistory(filepath.Join(dir, "paceline", "history"))
}
