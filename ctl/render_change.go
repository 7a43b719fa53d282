package ctl

import (
	"fmt"
	"io"
	"strings"

	"paceline/agent/api"
)

// shownActions bounds how many actions of a plan are listed: more are only counted.
const shownActions = 30

// changed prints the outcome of a write; done says in one line what was done. A wait that ran out ends with exitUnreachable.
func (in *invocation) changed(r *api.ChangeReply, done string) error {
	if in.json() {
		if err := in.writeJSON(r); err != nil {
			return err
		}
		return in.unsettled(r)
	}
	for _, c := range r.Changes {
		in.printf("%s\n", c.Text)
	}
	if r.DryRun {
		in.wouldBeDone(r.Actions, "")
	} else if done != "" && len(r.Changes) > 0 || done != "" && r.Settled {
		in.printf("%s (revision %d)\n", done, r.ConfigRevision)
	}
	printProblems(in.Err, r.Problems)
	in.needed(r.Confirm)
	for _, n := range r.Notes {
		fmt.Fprintln(in.Err, "note: "+n)
	}
	for _, f := range r.Failures {
		fmt.Fprintln(in.Err, "error: "+failureText(f))
	}
	return in.unsettled(r)
}

// wouldBeDone prints a preview.
func (in *invocation) wouldBeDone(actions []api.Action, confirm string) {
	in.printf("would be done:\n")
	printActions(in.Out, actions)
	in.needed(confirm)
}

// needed says for what a confirmation will be needed.
func (in *invocation) needed(confirm string) {
	if confirm != "" {
		fmt.Fprintln(in.Err, "note: "+confirm+"; --yes will be needed")
	}
}

// unsettled turns a wait that did not end well into an exit status.
func (in *invocation) unsettled(r *api.ChangeReply) error {
	switch {
	case r.DryRun || in.c.Duration("wait") == 0:
		return nil
	case !r.Settled:
		return &exitStatus{exitUnreachable}
	case len(r.Failures) > 0:
		return &exitStatus{exitFailed}
	}
	return nil
}

// printActions lists the actions of a plan that change something; looking and watching go without saying.
func printActions(w io.Writer, list []api.Action) {
	list = filter(list, func(a api.Action) bool {
		return a.Operation != "monitor" && a.Operation != "cancel" && a.Operation != "notify"
	})
	if len(list) == 0 {
		fmt.Fprintln(w, "  nothing")
	}
	for i, a := range list {
		if i == shownActions {
			fmt.Fprintf(w, "  ... and %d more\n", len(list)-shownActions)
			return
		}
		text := "  " + actionText(a)
		if a.Reason != "" {
			text += "  (" + a.Reason + ")"
		}
		fmt.Fprintln(w, text)
	}
}

// actionText names an action: "start web on node2".
func actionText(a api.Action) string {
	words := []string{a.Operation}
	if a.Resource != "" {
		words = append(words, a.Resource)
		if a.Node != "" {
			words = append(words, "on")
		}
	}
	if a.Node != "" {
		words = append(words, a.Node)
	}
	return strings.Join(words, " ")
}

// printProblems lists findings: what is wrong with which object, and what mends it.
func printProblems(w io.Writer, list []api.Problem) {
	for _, p := range list {
		where := p.Object
		if p.Attribute != "" {
			where = strings.TrimSpace(where + " " + p.Attribute)
		}
		if where != "" {
			where += ": "
		}
		fmt.Fprintf(w, "%s: %s%s\n", p.Severity, where, p.What)
		if p.Hint != "" {
			fmt.Fprintf(w, "    %s\n", p.Hint)
		}
	}
}
