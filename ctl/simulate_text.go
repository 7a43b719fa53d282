package ctl

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/agent/whatif"
)

// writePlanText tells an answer to a person: what is, what is done and why, and what is then.
func writePlanText(out io.Writer, a answer) error {
	var b strings.Builder
	plan := a.plan
	if a.saved != nil {
		fmt.Fprintf(&b, "Transition %s, planned at %s, kept by %s: %s.\n\n", a.saved.Input.ID, a.saved.Input.Now.Format(time.RFC3339Nano), a.saved.Keeper, a.saved.Again.Text)
	}
	writeNodes(&b, plan)
	b.WriteString("\nActive now:\n")
	writePlacements(&b, plan.Initial)
	b.WriteString("\nTransition:\n")
	writeActions(&b, plan)
	b.WriteString("\nActive then:\n")
	writePlacements(&b, plan.Placements)
	writeReasons(&b, plan)
	for _, p := range plan.Problems {
		fmt.Fprintf(&b, "\nproblem: %s\n", p)
	}
	if !plan.Recheck.IsZero() {
		fmt.Fprintf(&b, "\nTo be planned again at %s\n", plan.Recheck.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if a.scores {
		writeScores(&b, plan)
	}
	if a.history != nil {
		writeRun(&b, a)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func writeNodes(b *strings.Builder, plan *scheduler.Result) {
	b.WriteString("Nodes:\n")
	for _, n := range plan.Nodes {
		fmt.Fprintf(b, "  %s: %s%s\n", n.Name, n.State, because(n.Why))
	}
}

func writeActions(b *strings.Builder, plan *scheduler.Result) {
	real := 0
	for _, a := range plan.Graph.Actions {
		if a.Kind == transition.KindPseudo {
			continue
		}
		real++
		fmt.Fprintf(b, "  %3d %s%s%s\n", a.ID, a.Label(), because(a.Reason), afterText(plan.Graph, a))
	}
	if real == 0 {
		b.WriteString("  nothing to do\n")
	}
	for _, k := range plan.Blocked {
		fmt.Fprintf(b, "  cannot %s %s%s: %s\n", k.Operation, k.Resource, on(k.Node), k.Text)
	}
}

func writeReasons(b *strings.Builder, plan *scheduler.Result) {
	if len(plan.Reasons) > 0 {
		b.WriteString("\nReasons:\n")
		for _, r := range plan.Reasons {
			fmt.Fprintf(b, "  %s\n", r.Text)
		}
	}
}

func writeScores(b *strings.Builder, plan *scheduler.Result) {
	b.WriteString("\nScores:\n")
	for _, s := range plan.Scores() {
		kind := ""
		if s.Promotion {
			kind = " (promotion)"
		}
		fmt.Fprintf(b, "  %s on %s: %s%s\n", s.Resource, s.Node, s.Score, kind)
	}
	if list := plan.Capacities(); len(list) > 0 {
		b.WriteString("\nUtilization (left of what is offered):\n")
		for _, c := range list {
			var parts []string
			for _, name := range slices.Sorted(maps.Keys(c.Total)) {
				parts = append(parts, fmt.Sprintf("%s %d of %d", name, c.Left[name], c.Total[name]))
			}
			fmt.Fprintf(b, "  %s: %s\n", c.Node, strings.Join(parts, ", "))
		}
	}
}

// writeRun tells how the run went: every transition with --steps, and what it means in the end.
func writeRun(b *strings.Builder, a answer) {
	run := a.history
	for i, s := range run.Steps {
		if !a.steps {
			if line := failedIn(s); line != "" {
				fmt.Fprintf(b, "\nTransition %d: %s\n", i+1, line)
			}
			continue
		}
		fmt.Fprintf(b, "\nTransition %d, carried out:\n", i+1)
		for _, d := range s.Done {
			fmt.Fprintf(b, "  %3d %s: %s\n", d.Action.ID, d.Action.Label(), doneText(d))
		}
		next := run.Rest
		if i+1 < len(run.Steps) {
			next = run.Steps[i+1].Plan
		}
		fmt.Fprintf(b, "Active after transition %d:\n", i+1)
		writePlacements(b, next.Initial)
		if i+1 < len(run.Steps) {
			fmt.Fprintf(b, "\nPlan of transition %d:\n", i+2)
			writeActions(b, next)
		}
	}
	if run.Settled {
		fmt.Fprintf(b, "\nAt rest after %s. Active:\n", plural(len(run.Steps), "transition"))
	} else {
		fmt.Fprintf(b, "\nThe run was ended after %s: %s. Active:\n", plural(len(run.Steps), "transition"), run.Circles)
	}
	writePlacements(b, run.Rest.Initial)
	for _, k := range run.Rest.Blocked {
		fmt.Fprintf(b, "  cannot %s %s%s: %s\n", k.Operation, k.Resource, on(k.Node), k.Text)
	}
	b.WriteString("\nWhat it means:\n")
	if len(a.effects) == 0 {
		b.WriteString("  nothing changes for any resource\n")
	}
	for _, e := range a.effects {
		fmt.Fprintf(b, "  %s\n", effectText(e))
	}
}

func failedIn(s whatif.Step) string {
	failed, skipped := 0, 0
	for _, d := range s.Done {
		switch {
		case d.Skipped:
			skipped++
		case d.Failed:
			failed++
		}
	}
	if failed == 0 {
		return ""
	}
	return fmt.Sprintf("%s failed, %d not run", plural(failed, "operation"), skipped)
}

func doneText(d outcome.Done) string {
	switch {
	case d.Skipped:
		return "not run: " + d.Why
	case d.Failed:
		return fmt.Sprintf("failed with %d: %s", d.RC, d.Why)
	}
	return "ok"
}

// effectText says what becomes of a resource: "web moves from a to b, with an outage: ...".
func effectText(e whatif.Effect) string {
	text := e.Resource + " " + e.Kind
	from, to := spotNames(e.From), spotNames(e.To)
	switch {
	case len(e.From) == 0:
		text += " on " + to
	case len(e.To) == 0, from == to:
		text += " on " + from
	default:
		text += " from " + from + " to " + to
	}
	switch {
	case e.Lost:
		text += ", and is down then"
	case e.Outage:
		text += ", with an outage"
	}
	return text + because(e.Reason)
}

func spotNames(list []whatif.Spot) string {
	var out []string
	for _, s := range list {
		name := s.Node
		if s.Role == "Promoted" {
			name += " (promoted)"
		}
		out = append(out, name)
	}
	return strings.Join(out, ", ")
}

func writePlacements(b *strings.Builder, list []scheduler.Placement) {
	if len(list) == 0 {
		b.WriteString("  nothing\n")
	}
	for _, p := range list {
		fmt.Fprintf(b, "  %s: %s on %s\n", p.Resource, p.Role, p.Node)
	}
}

func because(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

func on(node string) string {
	if node == "" {
		return ""
	}
	return " on " + node
}

// afterText lists the actions that one waits for; marks, which nobody carries out, are looked through.
func afterText(g *transition.Graph, a *transition.Action) string {
	var ids []int
	for _, b := range g.RealBefore(a) {
		ids = append(ids, b.ID)
	}
	if len(ids) == 0 {
		return ""
	}
	return " (after " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ids)), ", "), "[]") + ")"
}
