package ctl

import (
	"fmt"
	"io"
	"sort"
	"strings"

	"paceline/agent/scheduler"
	"paceline/agent/transition"
)

// actionLabel names an action for people: "start web on node1".
func actionLabel(a *transition.Action) string {
	if a.Key != "" {
		return a.Key
	}
	words := []string{a.Operation}
	if a.Notify != "" {
		words = append(words, "("+a.Notify+")")
	}
	if a.IntervalMS > 0 {
		words = append(words, fmt.Sprintf("(every %d ms)", a.IntervalMS))
	} else if a.Operation == "monitor" {
		words[0] = "probe"
	}
	if a.Resource != "" {
		words = append(words, a.Resource)
	}
	if a.Kind == transition.KindFence {
		return a.Operation + " node " + a.Node
	}
	return strings.Join(append(words, "on", a.Node), " ")
}

// writePlanText tells a plan to a person: what is, what is done and why, and what is then.
func writePlanText(out io.Writer, plan *scheduler.Result, scores bool) error {
	var b strings.Builder
	b.WriteString("Nodes:\n")
	for _, n := range plan.Nodes {
		fmt.Fprintf(&b, "  %s: %s%s\n", n.Name, n.State, because(n.Why))
	}
	b.WriteString("\nActive now:\n")
	writePlacements(&b, plan.Initial)
	b.WriteString("\nTransition:\n")
	real := 0
	for _, a := range plan.Graph.Actions {
		if a.Kind == transition.KindPseudo {
			continue
		}
		real++
		fmt.Fprintf(&b, "  %3d %s%s%s\n", a.ID, actionLabel(a), because(a.Reason), afterText(plan.Graph, a))
	}
	if real == 0 {
		b.WriteString("  nothing to do\n")
	}
	for _, k := range plan.Blocked {
		fmt.Fprintf(&b, "  cannot %s %s%s: %s\n", k.Operation, k.Resource, on(k.Node), k.Text)
	}
	b.WriteString("\nActive then:\n")
	writePlacements(&b, plan.Placements)
	if len(plan.Reasons) > 0 {
		b.WriteString("\nReasons:\n")
		for _, r := range plan.Reasons {
			fmt.Fprintf(&b, "  %s\n", r.Text)
		}
	}
	for _, p := range plan.Problems {
		fmt.Fprintf(&b, "\nproblem: %s\n", p)
	}
	if !plan.Recheck.IsZero() {
		fmt.Fprintf(&b, "\nTo be planned again at %s\n", plan.Recheck.UTC().Format("2006-01-02T15:04:05Z"))
	}
	if scores {
		b.WriteString("\nScores:\n")
		for _, s := range plan.Scores() {
			fmt.Fprintf(&b, "  %s on %s: %s\n", s.Resource, s.Node, s.Score)
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
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
	byID := map[int]*transition.Action{}
	for _, b := range g.Actions {
		byID[b.ID] = b
	}
	seen := map[int]bool{}
	var ids []int
	var visit func(x *transition.Action)
	visit = func(x *transition.Action) {
		for _, id := range x.After {
			if seen[id] {
				continue
			}
			seen[id] = true
			if b := byID[id]; b.Kind == transition.KindPseudo {
				visit(b)
			} else {
				ids = append(ids, id)
			}
		}
	}
	visit(a)
	if len(ids) == 0 {
		return ""
	}
	sort.Ints(ids)
	return " (after " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(ids)), ", "), "[]") + ")"
}
