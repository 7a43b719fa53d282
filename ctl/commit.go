package ctl

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/draft"
)

// runCommit commits the session of the shell.
func runCommit(in *invocation) error {
	for _, word := range in.args { // crmsh's words
		if word == "force" || word == "replace" {
			e := usagef("paceline configure commit: %q overrides everything at once, and is not here", word)
			e.hint = "--yes confirms what the commit takes down; other people's commits are merged, and never overwritten"
			return e
		}
		return usagef("paceline configure commit: %q is one argument too many", word)
	}
	if name := in.shadow(); name != "" {
		return api.Errorf(api.CodeRefused, "commit", "this is the shadow copy %s, where every change is kept at once", name).
			WithHint("`paceline cib commit %s` brings it to the cluster", name)
	}
	s, err := in.editing()
	if err != nil {
		return err
	}
	if s == nil {
		fmt.Fprintln(in.Err, "note: there is nothing to commit: a command by itself commits by itself; edits collect in the shell (`paceline configure`), "+
			"in a file (`paceline configure apply FILE`) or in a shadow copy (`paceline cib new NAME`)")
		return nil
	}
	return in.commitSession(s, "")
}

// commitSession commits a session. If somebody else has committed meanwhile the edits are merged into that; what both have touched
// is shown, and refused.
func (in *invocation) commitSession(s *draft.Session, message string) error {
	if !s.Changed() {
		fmt.Fprintln(in.Err, "note: nothing to commit")
		return nil
	}
	if m := in.c.String("message"); m != "" {
		message = m
	}
	if message == "" {
		message = summary(s.Objects())
	}
	var notes []string
	for try := 1; ; try++ {
		err := in.commit(s, message, notes)
		var e *api.Error
		if !errors.As(err, &e) || e.Code != api.CodeConflict || try == commitTries {
			return err
		}
		latest, err := in.api.Configuration(in.ctx, 0)
		if err != nil {
			return err
		}
		from, _ := s.Base()
		if conflicts := s.Rebase(latest.Revision, latest.Configuration); len(conflicts) > 0 {
			return in.conflicted(latest.Revision, conflicts)
		}
		notes = []string{fmt.Sprintf("merged with what was committed since revision %d", from)}
	}
}

// conflicted shows what two people have changed, and refuses.
func (in *invocation) conflicted(revision uint64, list []draft.Conflict) error {
	if in.json() {
		if err := in.writeJSON(map[string]any{"schema": api.Schema, "revision": revision, "conflicts": list}); err != nil {
			return err
		}
	} else {
		for _, c := range list {
			fmt.Fprintf(in.Err, "%s: %s\n", c.Object, c.Why)
			for _, side := range []struct{ name, text string }{{"before", c.Base}, {"yours", c.Mine}, {"committed meanwhile", c.Theirs}} {
				showVersion(in.Err, side.name, side.text)
			}
		}
	}
	return api.Errorf(api.CodeRefused, "commit", "somebody else has changed the same: %s", plural(len(list), "conflict")).
		WithHint("nothing was committed and your edits are kept; take back what is in conflict (`undo`), or start again from the cluster's configuration (`refresh`)")
}

func showVersion(w io.Writer, name, text string) {
	if text == "" {
		fmt.Fprintf(w, "  %s: not there\n", name)
		return
	}
	fmt.Fprintf(w, "  %s:\n    %s\n", name, strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    "))
}

// summary makes the message of a commit that was given none.
func summary(list []draft.ObjectChange) string {
	const most = 4
	var words []string
	for i, c := range list {
		if i == most {
			words = append(words, fmt.Sprintf("and %d more", len(list)-most))
			break
		}
		words = append(words, c.Kind()+" "+c.Key)
	}
	return "edit: " + strings.Join(words, ", ")
}

func runApply(in *invocation) error {
	file := in.arg(0)
	text, err := in.readFile(file)
	if err != nil {
		return err
	}
	message := in.c.String("message")
	if message == "" {
		message = "apply " + file
	}
	pending := false
	err = in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		next, notes, err := applyFile(base, file, text, true)
		if err == nil {
			pending = len(cib.Diff(base, next)) > 0
		}
		return next, notes, err
	})
	if err == nil && pending && in.c.Bool("dry-run") {
		return &exitStatus{exitUsage}
	}
	return err
}

// runUndo takes steps of a session back, or commits.
func runUndo(in *invocation) error {
	n := 1
	if len(in.args) > 0 {
		var err error
		if n, err = strconv.Atoi(in.arg(0)); err != nil || n < 1 {
			return usagef("paceline configure undo: %q is not a number of steps", in.arg(0))
		}
	}
	s, keep, commit, err := in.session()
	if err != nil {
		return err
	}
	if !commit {
		if err := s.Undo(n); err != nil {
			return api.Errorf(api.CodeRefused, "", "%v", err).WithHint("`refresh` drops all edits; at the command line `paceline configure undo` takes back commits")
		}
		return keep()
	}
	r, err := in.api.History(in.ctx, n+1)
	if err != nil {
		return err
	}
	if len(r.Commits) <= n {
		return api.Errorf(api.CodeRefused, fmt.Sprintf("undo %d", n), "only %s can be taken back", plural(max(0, len(r.Commits)-1), "commit")).
			WithHint("`paceline configure commit-history` lists them")
	}
	to := r.Commits[n].Revision
	old, err := in.api.Configuration(in.ctx, to)
	if err != nil {
		return err
	}
	if current, _ := s.Base(); current != r.Commits[0].Revision {
		return api.Errorf(api.CodeConflict, "undo", "somebody has committed just now").WithHint("look at `paceline configure commit-history`, then repeat it")
	}
	message := in.c.String("message")
	if message == "" {
		message = "undo: back to " + strconv.FormatUint(to, 10)
	}
	next, notes := draft.Load(s.Configuration(), old.Configuration, true)
	s.Set(next)
	return in.commit(s, message, notes)
}

// blamed is what is known of an object's changes.
type blamed struct {
	Schema  int          `json:"schema"`
	Object  string       `json:"object"`
	Commits []api.Commit `json:"commits"` // that touched it, newest first, with its changes alone
}

func runBlame(in *invocation) error {
	id := in.arg(0)
	r, err := in.api.History(in.ctx, blameCommits)
	if err != nil {
		return err
	}
	out := blamed{Schema: api.Schema, Object: id, Commits: []api.Commit{}}
	for _, c := range r.Commits {
		c.Changes = slices.DeleteFunc(slices.Clone(c.Changes), func(x api.Change) bool { return !strings.HasSuffix(x.Object, " "+strconv.Quote(id)) })
		if len(c.Changes) > 0 {
			out.Commits = append(out.Commits, c)
		}
	}
	if len(out.Commits) == 0 {
		conf, err := in.api.Configuration(in.ctx, 0)
		if err != nil {
			return err
		}
		if _, err := selectObjects(conf.Configuration, []string{id}); err != nil {
			return err
		}
		return api.Errorf(api.CodeNotFound, "blame "+id, "no commit that is kept has touched it").WithHint("`paceline configure commit-history` lists those that are kept")
	}
	if in.json() {
		return in.writeJSON(out)
	}
	in.folding(func(w io.Writer) { writeCommits(w, out.Commits, listedMax) })
	return nil
}

func runDiff(in *invocation) error {
	from, to, err := in.compared()
	if err != nil {
		return err
	}
	list := draft.Compare(from, to)
	if in.json() {
		changes := cib.Diff(from, to)
		if changes == nil {
			changes = []cib.Difference{}
		}
		if list == nil {
			list = []draft.ObjectChange{}
		}
		return in.writeJSON(map[string]any{"schema": api.Schema, "objects": list, "changes": changes})
	}
	if in.c.Bool("semantic") {
		for _, d := range cib.Diff(from, to) {
			in.printf("%s\n", d)
		}
		return nil
	}
	for i, c := range list {
		if i > 0 {
			in.printf("\n")
		}
		for _, l := range c.Lines() {
			in.printf("%s\n", in.painted(l))
		}
	}
	return nil
}

// painted colours a line of a difference.
func (in *invocation) painted(line string) string {
	if !in.colour() {
		return line
	}
	switch {
	case strings.HasPrefix(line, "+"):
		return "\x1b[32m" + line + "\x1b[0m"
	case strings.HasPrefix(line, "-"):
		return "\x1b[31m" + line + "\x1b[0m"
	}
	return line
}

// compared returns what 'diff' compares: a session or shadow copy with what it started from, the configuration with a file, or two
// revisions.
func (in *invocation) compared() (from, to *cib.Configuration, err error) {
	at := func(name string) (*cib.Configuration, error) {
		if in.c.Int(name) < 0 {
			return nil, usagef("paceline configure diff: --%s: %d is no revision", name, in.c.Int(name))
		}
		r, err := in.api.Configuration(in.ctx, uint64(in.c.Int(name)))
		if err != nil {
			return nil, err
		}
		return r.Configuration, nil
	}
	if in.c.Int("from") != 0 || in.c.Int("to") != 0 {
		if from, err = at("from"); err == nil {
			to, err = at("to")
		}
		return from, to, err
	}
	s, _, commit, err := in.session()
	if err != nil {
		return nil, nil, err
	}
	_, base := s.Base()
	if len(in.args) == 0 {
		if commit {
			e := usagef("paceline configure diff: there is no session to compare; name a file, or revisions with --from and --to")
			e.hint = "usage: paceline configure diff [FILE] [--from REVISION] [--to REVISION]"
			return nil, nil, e
		}
		return base, s.Configuration(), nil
	}
	text, err := in.readFile(in.arg(0))
	if err != nil {
		return nil, nil, err
	}
	to, notes, err := applyFile(s.Configuration(), in.arg(0), text, true)
	for _, n := range notes {
		fmt.Fprintln(in.Err, "note: "+n)
	}
	return s.Configuration(), to, err
}

// runRefreshSession drops the edits of a session.
func runRefreshSession(in *invocation) error {
	if name := in.shadow(); name != "" {
		return resetShadow(in, name)
	}
	s, err := in.editing()
	if err != nil || s == nil {
		return err // without a session there is nothing to drop
	}
	latest, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return err
	}
	s.Committed(latest.Revision, latest.Configuration)
	return nil
}
