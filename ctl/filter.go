package ctl

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/ctl/crm"
)

// filterWait bounds a program that a configuration is sent through: it reads what it gets, and has nothing to wait for.
const filterWait = time.Minute

// runFilter sends the text of chosen objects, one line each, through a program, and takes what comes back as one change.
func runFilter(in *invocation) error {
	s, keep, commit, err := in.session()
	if err != nil {
		return err
	}
	t, err := newEditing(s, in.args[1:])
	if err != nil {
		return err
	}
	text := t.before
	if !t.xml {
		text = crm.OneLine(text)
	}
	ctx, cancel := context.WithTimeout(in.ctx, filterWait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", in.arg(0)) // the person's own words; nothing of the cluster is among them
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, in.Err
	if err := cmd.Run(); err != nil {
		return api.Errorf(api.CodeFailed, "filter through "+in.arg(0), "%v", err).WithHint("nothing was changed")
	}
	if out.Len() > configurationMax {
		return api.Errorf(api.CodeInvalid, "filter through "+in.arg(0), "it wrote more than %d MiB", configurationMax>>20).WithHint("nothing was changed")
	}
	next, notes, err := t.read(out.String())
	if err != nil {
		return err
	}
	if commit {
		s.Set(next)
		return in.commitSession(s, cmp.Or(in.c.String("message"), "filter through "+strings.Fields(in.arg(0) + " -")[0]))
	}
	if in.c.Bool("dry-run") {
		s.Set(next)
		return in.commit(s, "", notes)
	}
	for _, n := range append(notes, s.Set(next)...) {
		fmt.Fprintln(in.Err, "note: "+n)
	}
	return keep()
}
