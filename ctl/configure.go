package ctl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/draft"
)

// loadTries bounds how often an update is merged again because somebody else committed in between.
const loadTries = 5

// configurationMax bounds a file to load: what a request may carry.
const configurationMax = api.BodyMax

func runLoad(in *invocation) error {
	method, file := "update", in.arg(0)
	if len(in.args) == 2 {
		method, file = in.arg(0), in.arg(1)
	}
	if method != "update" && method != "replace" {
		e := usagef("paceline configure load: there is no method %q", method)
		e.hint = "methods are update and replace"
		return e
	}
	text, err := in.readFile(file)
	if err != nil {
		return err
	}
	message := in.c.String("message")
	if message == "" {
		message = "load " + method + " " + file
	}
	return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		return applyFile(base, file, text, method == "replace")
	})
}

func runRollback(in *invocation) error {
	rev, err := strconv.ParseUint(in.arg(0), 10, 64)
	if err != nil || rev == 0 {
		e := usagef("paceline configure rollback: %q is not a revision", in.arg(0))
		e.hint = "`paceline configure commit-history` lists them"
		return e
	}
	old, err := in.api.Configuration(in.ctx, rev)
	if err != nil {
		return err
	}
	message := in.c.String("message")
	if message == "" {
		message = fmt.Sprintf("rollback to %d", rev)
	}
	return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		next, notes := draft.Load(base, old.Configuration, true)
		return next, notes, nil
	})
}

// reconfigure replaces the configuration by what make makes of the current one: in an editing session as one step of it, else
// as one commit. If somebody else commits in between, it is made anew of what is current then.
func (in *invocation) reconfigure(message string, make func(base *cib.Configuration) (*cib.Configuration, []string, error)) error {
	session, err := in.editing()
	if err != nil {
		return err
	}
	if session != nil && !in.c.Bool("dry-run") {
		next, notes, err := make(session.Configuration())
		if err != nil {
			return err
		}
		for _, n := range append(notes, session.Set(next)...) {
			fmt.Fprintln(in.Err, "note: "+n)
		}
		return nil
	}
	for try := 1; ; try++ {
		base, err := in.api.Configuration(in.ctx, 0)
		if err != nil {
			return err
		}
		next, notes, err := make(base.Configuration)
		if err != nil {
			return err
		}
		err = in.confirmed(func(yes bool) error {
			r, err := in.api.Change(in.ctx, api.ChangeRequest{
				Configuration: next, BaseRevision: base.Revision, Message: message, DryRun: in.c.Bool("dry-run"), Yes: yes,
				Wait: api.Duration(in.c.Duration("wait")),
			})
			if err != nil {
				return err
			}
			r.Notes = append(notes, r.Notes...)
			return in.changed(r, "committed")
		})
		var e *api.Error
		if errors.As(err, &e) && e.Code == api.CodeConflict && try < loadTries {
			continue
		}
		return err
	}
}

// readFile reads a file, or standard input for "-".
func (in *invocation) readFile(name string) ([]byte, error) {
	r := in.In
	if name != "-" {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		r = f
	}
	b, err := io.ReadAll(io.LimitReader(r, configurationMax+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > configurationMax {
		return nil, fmt.Errorf("read %s: it is larger than %d MiB", name, configurationMax>>20)
	}
	return b, nil
}

func runXML(in *invocation) error {
	b, err := in.api.CIBXML(in.ctx)
	if err != nil {
		return err
	}
	_, err = in.Out.Write(b)
	return err
}

func runShow(in *invocation) error {
	r, err := in.api.Configuration(in.ctx, uint64(max(0, in.c.Int("revision"))))
	if err != nil {
		return err
	}
	conf := r.Configuration
	if session, err := in.editing(); err != nil {
		return err
	} else if session != nil && in.c.Int("revision") == 0 {
		conf = session.Configuration()
		r.Configuration = conf
	}
	if len(in.args) > 0 {
		if conf, err = selectObjects(conf, in.args); err != nil {
			return err
		}
	}
	if in.json() {
		r.Configuration = conf
		return in.writeJSON(r)
	}
	return printCRM(in.Out, conf)
}

func runHistory(in *invocation) error {
	n := in.c.Int("number")
	if n == 0 {
		n = api.HistoryDefault
	}
	r, err := in.api.History(in.ctx, n)
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(r)
	}
	w := tabwriter.NewWriter(in.Out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "REVISION\tTIME\tUSER\tMESSAGE\tCHANGES")
	for _, c := range r.Commits {
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\n", c.Revision, moment(c.Time), c.User, orDash(c.Message), changesText(c.Changes))
	}
	return w.Flush()
}

// changesText sums the changes of a commit up in a few words.
func changesText(list []api.Change) string {
	const most = 3
	var words []string
	for i, c := range list {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		words = append(words, c.Text)
	}
	return orDash(strings.Join(words, "; "))
}
