package ctl

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"paceline/agent/api"
)

// Exit statuses.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitRefused     = 3
	exitUnreachable = 4
)

// Streams are what a command line has around it.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	Getenv   func(string) string
	// Terminal says that a person is at both ends: questions may be asked, colours shown.
	Terminal bool
	// Width is how many columns the terminal has; 0 without one.
	Width int
	// Piped says that standard input is no terminal: commands may be read from it.
	Piped bool

	no      bool   // where a confirmation is asked for, the answer is no
	display string // how to show things: one of displays, or "" for what suits the terminal
	chosen  string // the shadow copy that the command line names before the command; "live" is the cluster

	desk  *desk  // of the shell that runs the command, if one does
	place string // in a script: where the command stands ("file:3")
	// comment are in a script the lines of comment before the command.
	comment []string
}

// displays are the ways to show things; uppercase is taken as plain.
var displays = []string{"plain", "color", "color-always", "uppercase"}

// Standard returns the streams of the process.
func Standard() Streams {
	in := term.IsTerminal(int(os.Stdin.Fd()))
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0 // no terminal, or one that does not know
	}
	return Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Getenv: os.Getenv,
		Terminal: in && term.IsTerminal(int(os.Stdout.Fd())), Width: width, Piped: !in,
	}
}

// client returns a client of the daemon that the environment names.
func (s Streams) client() *api.Client {
	if c := s.remote(); c != nil {
		return c
	}
	socket := s.Getenv("PACELINE_SOCKET")
	if socket == "" {
		socket = api.SocketDefault
	}
	return api.NewClient(socket)
}

// Run runs one command line (args[0] is the program's name) and returns its exit status. Without a command, or with that of a
// level alone, it reads commands: from the person at the terminal, or from standard input.
func Run(ctx context.Context, args []string, s Streams) int {
	if len(args) > 1 && args[1] == "__complete" { // asked by the completion scripts
		complete(ctx, s, args[2:])
		return exitDone
	}
	if len(args) == 2 { // asked when the program is built
		switch args[1] {
		case "__reference":
			io.WriteString(s.Out, Reference())
			return exitDone
		case "__manual":
			io.WriteString(s.Out, Manual())
			return exitDone
		}
	}
	p := &program{Streams: s, name: "paceline"}
	var file string
	if len(args) > 0 {
		if base := filepath.Base(args[0]); base == "crm" {
			p.name = base
		}
		var err error
		if file, args, err = p.globals(args[1:]); err != nil {
			return report(s, err)
		}
		s = p.Streams
	}
	level, rest := levelAt(newApp(s), args)
	switch {
	case file != "":
		return p.file(ctx, file, level, rest)
	case len(rest) > 0 || !s.Terminal && !s.Piped:
		return report(s, p.once(ctx, s, args))
	case s.Terminal:
		return p.interactive(ctx, level)
	}
	return p.script(ctx, "standard input", s.In, level)
}

// usageError is a mistake in the command line.
type usageError struct {
	text, hint string
	unknown    bool // the command is none
}

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) *usageError {
	return &usageError{text: fmt.Sprintf(format, args...)}
}

// report prints an error for people and returns the exit status it deserves.
func report(s Streams, err error) int {
	if err == nil {
		return exitDone
	}
	var silent *exitStatus
	if errors.As(err, &silent) {
		return silent.status
	}
	text, hint, status := err.Error(), "", exitFailed
	var use *usageError
	var e *api.Error
	switch {
	case errors.As(err, &use):
		hint, status = use.hint, exitUsage
	case errors.As(err, &e):
		hint, status = e.Hint, statusOf(e.Code)
		if e.Where != "" && e.Code != api.CodeUsage {
			text += " (said by " + e.Where + ")"
		}
	}
	if s.place != "" {
		text = s.place + ": " + text
	}
	fmt.Fprintln(s.Err, "error: "+text)
	if e != nil {
		printProblems(s.Err, e.Problems)
	}
	if hint != "" {
		fmt.Fprintln(s.Err, "hint: "+hint)
	}
	return status
}

func statusOf(c api.Code) int {
	switch c {
	case api.CodeUsage:
		return exitUsage
	case api.CodeConflict, api.CodeRefused, api.CodeForbidden, api.CodeConfirm, api.CodeUnconfigured:
		return exitRefused
	case api.CodeNoCoordinator, api.CodeUnreachable, api.CodeTimeout:
		return exitUnreachable
	}
	return exitFailed
}

// exitStatus ends a command that has said all there is to say.
type exitStatus struct{ status int }

func (e *exitStatus) Error() string { return fmt.Sprintf("exit status %d", e.status) }

// invocation is one command being run.
type invocation struct {
	ctx context.Context
	Streams
	c    *cli.Context
	args []string
	api  *api.Client
}

func (in *invocation) json() bool { return in.c.Bool("json") }

// printf writes to standard output.
func (in *invocation) printf(format string, args ...any) { fmt.Fprintf(in.Out, format, args...) }

// writeJSON prints the API's own reply.
func (in *invocation) writeJSON(v any) error {
	e := json.NewEncoder(in.Out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// writeJSONLine prints a value on one line, for streams.
func (in *invocation) writeJSONLine(v any) error {
	e := json.NewEncoder(in.Out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// arg returns the argument at i, or "".
func (in *invocation) arg(i int) string {
	if i < len(in.args) {
		return in.args[i]
	}
	return ""
}

// confirmed runs an act; if the cluster wants a word of confirmation and a person is at the terminal, it asks and repeats
// the act with yes.
func (in *invocation) confirmed(act func(yes bool) error) error {
	err := act(in.c.Bool("yes"))
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeConfirm || !in.Terminal || in.no {
		return err
	}
	fmt.Fprintf(in.Err, "%s\nDo it? [y/N] ", e.Error())
	line, rerr := bufio.NewReader(in.In).ReadString('\n')
	if rerr != nil && line == "" {
		return err
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return act(true)
	}
	return &exitStatus{exitRefused}
}

// colour reports whether output may be coloured.
func (in *invocation) colour() bool {
	switch in.display {
	case "plain", "uppercase":
		return false
	case "color-always":
		return true
	}
	return in.Terminal && in.Getenv("NO_COLOR") == ""
}
