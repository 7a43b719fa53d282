package ctl

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"paceline/agent/api"
)

// runDoctor looks at everything and says what is wrong, each with the command that mends it. It ends with exitFailed if
// there is an error or, with --strict, anything at all.
func runDoctor(in *invocation) error {
	d, err := in.api.Checkup(in.ctx)
	if err != nil {
		return err
	}
	checks := d.Checks
	if len(in.args) > 0 {
		var names []string
		for _, c := range checks {
			names = append(names, c.Name)
		}
		for _, want := range in.args {
			if !slices.Contains(names, want) {
				e := usagef("paceline doctor: there is no check %q", want)
				e.hint = "checks are " + strings.Join(names, ", ")
				return e
			}
		}
		checks = filter(checks, func(c api.Check) bool { return slices.Contains(in.args, c.Name) })
	}
	found := 0
	bad := false
	for _, c := range checks {
		found += len(c.Findings)
		bad = bad || c.State == api.SeverityError
	}
	if in.json() {
		shown := *d
		shown.Checks, shown.OK = checks, !bad
		if err := in.writeJSON(shown); err != nil {
			return err
		}
	} else {
		in.folding(func(w io.Writer) { writeCheckup(w, painter(in.colour()), checks, found) })
	}
	if bad || in.c.Bool("strict") && found > 0 {
		return &exitStatus{exitFailed}
	}
	return nil
}

func writeCheckup(w io.Writer, paint painter, checks []api.Check, found int) {
	for _, c := range checks {
		switch c.State {
		case api.StateOK:
			fmt.Fprintf(w, "%s  %s: %s\n", paint.good("ok     "), c.Name, c.Text)
			continue
		case api.SeverityError:
			fmt.Fprintf(w, "%s  %s\n", paint.bad("ERROR  "), c.Name)
		default:
			fmt.Fprintf(w, "%s  %s\n", paint.warn("warning"), c.Name)
		}
		for _, f := range c.Findings {
			mark := paint.warn("-")
			if f.Severity == api.SeverityError {
				mark = paint.bad("!")
			}
			fmt.Fprintf(w, "         %s %s\n", mark, f.What)
			if f.Hint != "" {
				fmt.Fprintf(w, "           -> %s\n", f.Hint)
			}
		}
	}
	if found == 0 {
		fmt.Fprintf(w, "\nNothing is wrong.\n")
		return
	}
	fmt.Fprintf(w, "\n%s.\n", plural(found, "finding"))
}

// runHealth says whether this node's daemon does its work, for probes that run often: it asks nobody else.
func runHealth(in *invocation) error {
	h, err := in.api.Health(in.ctx)
	if err != nil {
		return err
	}
	if in.json() {
		if err := in.writeJSON(h); err != nil {
			return err
		}
	} else {
		word := "healthy"
		if !h.OK {
			word = "NOT healthy"
		}
		switch {
		case h.Cluster == "":
			in.printf("%s: %s: the node belongs to no cluster\n", orDefault(h.Node, "this node"), word)
		case h.Coordinator == "":
			in.printf("%s: %s: there is no coordinator\n", h.Node, word)
		default:
			in.printf("%s: %s: cluster %s, coordinator %s\n", h.Node, word, h.Cluster, h.Coordinator)
		}
		printProblems(in.Out, h.Problems)
	}
	if !h.OK {
		return &exitStatus{exitFailed}
	}
	return nil
}
