package ctl

import (
	"cmp"
	"fmt"
	"io"
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/history"
	"paceline/agent/scheduler"
)

// historyActs are the words that may follow history.
var historyActs = []string{"show", "replay", "export", "resource", "node", "latest", "transition", "transitions", "events", "log", "info", "peinputs"}

// runTimeline tells what happened. Beside its own words it takes those of crmsh's history level that mean the same.
func runTimeline(in *invocation) error {
	act, rest := in.arg(0), in.arg(1)
	if (act == "transition" || act == "latest") && rest == "" {
		rest = "last"
	}
	if act == "transition" || act == "latest" {
		act = "show"
	}
	switch act {
	case "", "events", "log", "info":
		return in.showTimeline(api.TimelineDefault, in.c.String("node"), in.c.String("resource"), nil)
	case "transitions", "peinputs":
		return in.showTimeline(timelineAll, "", "", func(e api.TimelineEvent) bool { return e.Kind == history.Transition || e.Kind == history.Result })
	case "resource", "node":
		if rest == "" {
			e := usagef("paceline history %s: %s is missing", act, strings.ToUpper(act))
			e.hint = "usage: paceline history " + act + " " + strings.ToUpper(act)
			return e
		}
		if act == "node" {
			return in.showTimeline(api.TimelineDefault, rest, in.c.String("resource"), nil)
		}
		return in.showTimeline(api.TimelineDefault, in.c.String("node"), rest, nil)
	case "show", "replay", "export":
		if rest == "" {
			e := usagef("paceline history %s: TRANSITION is missing", act)
			e.hint = "`paceline history` lists them"
			return e
		}
		t, err := in.transition(rest)
		if err != nil {
			return err
		}
		switch act {
		case "replay":
			return in.replay(t)
		case "export":
			return cib.Export(in.Out, t.Input.CIB)
		}
		return in.showTransition(t)
	default:
		e := usagef("paceline history: %q is nothing that it can tell", act)
		e.hint = "words are " + strings.Join(historyActs, ", ")
		return e
	}
}

// timelineAll is how many events are searched for some of a kind: what the daemons keep, about.
const timelineAll = 5000

// showTimeline prints the newest n events, or as many as --last says, that concern a node or resource and that keep, if set, chooses.
func (in *invocation) showTimeline(n int, node, resource string, keep func(api.TimelineEvent) bool) error {
	if last := in.c.Int("last"); last != 0 {
		n = last
	}
	t, err := in.api.Timeline(in.ctx, n, node, resource)
	if err != nil {
		return err
	}
	if keep != nil {
		t.Events = filter(t.Events, keep)
	}
	if in.json() {
		return in.writeJSON(t)
	}
	in.folding(func(w io.Writer) { writeTimeline(w, t.Events) })
	for _, note := range t.Notes {
		fmt.Fprintln(in.Err, "note: "+note)
	}
	return nil
}

func writeTimeline(w io.Writer, events []api.TimelineEvent) {
	if len(events) == 0 {
		fmt.Fprintln(w, "nothing is known to have happened")
	}
	for _, e := range events {
		fmt.Fprintf(w, "%s  %s\n", e.Time.Local().Format("2006-01-02 15:04:05.000"), eventText(e))
		for _, line := range firstFew(e.Ordered) {
			fmt.Fprintf(w, "    ordered: %s\n", line)
		}
		for _, line := range firstFew(e.Results) {
			fmt.Fprintf(w, "    %s\n", line)
		}
	}
}

// listedMax bounds the lines of one event in the timeline; `history show` has them all.
const listedMax = 8

func firstFew(list []string) []string {
	if len(list) <= listedMax {
		return list
	}
	return append(list[:listedMax:listedMax], fmt.Sprintf("... and %d more", len(list)-listedMax))
}

// eventText says what happened, in one line.
func eventText(e api.TimelineEvent) string {
	kept := ""
	if e.Keeper != "" && e.Kind == history.Transition {
		kept = " (kept by " + e.Keeper + ")"
	}
	switch e.Kind {
	case history.Transition:
		return fmt.Sprintf("transition %s starts%s, because of: %s", e.Transition, kept, e.Text)
	case history.Result:
		return fmt.Sprintf("transition %s: %s", e.Transition, e.Text)
	case api.TimelineConfiguration:
		return fmt.Sprintf("configuration %d by %s: %s", e.Revision, cmp.Or(e.User, "nobody known"), e.Text)
	case api.TimelineFencing:
		return fmt.Sprintf("fencing, asked for by %s: %s", cmp.Or(e.User, "nobody known"), e.Text)
	}
	text := e.Kind + ": " + e.Text
	if e.Node != "" && !strings.Contains(e.Text, e.Node) {
		text = e.Kind + ": " + e.Node + ": " + e.Text
	}
	return text
}

// transition fetches a saved input; "last" is the newest transition of the timeline.
func (in *invocation) transition(id string) (*api.TransitionReply, error) {
	if id == "last" {
		t, err := in.api.Timeline(in.ctx, 1000, "", "")
		if err != nil {
			return nil, err
		}
		for _, e := range t.Events {
			if e.Kind == history.Transition {
				return in.api.Transition(in.ctx, e.Transition)
			}
		}
		return nil, &api.Error{Code: api.CodeNotFound, What: "find the last transition", Why: "none is known"}
	}
	if _, err := history.ParseID(id); err != nil {
		e := usagef("%v", err)
		e.hint = "`paceline history` lists transitions; 'last' is the newest"
		return nil, e
	}
	return in.api.Transition(in.ctx, id)
}

// replay says whether a saved input gives the same graph again; if not, the exit status says so, too.
func (in *invocation) replay(t *api.TransitionReply) error {
	if in.json() {
		if err := in.writeJSON(map[string]any{
			"schema": api.Schema, "transition": t.Input.ID, "keeper": t.Keeper, "digest": t.Input.Digest, "again": t.Again,
		}); err != nil {
			return err
		}
	} else {
		in.printf("transition %s: %s\n  then: %s (paceline %s)\n  now:  %s (paceline %s)\n", t.Input.ID, t.Again.Text, t.Input.Digest, t.Input.Version,
			t.Again.Digest, t.Again.Version)
	}
	if !t.Again.Same {
		return &exitStatus{exitFailed}
	}
	return nil
}

func (in *invocation) showTransition(t *api.TransitionReply) error {
	timeline, err := in.api.Timeline(in.ctx, timelineAll, "", "")
	if err != nil {
		return err
	}
	result := ""
	var results []string
	for _, e := range timeline.Events {
		if e.Kind == history.Result && e.Transition == t.Input.ID.String() {
			result, results = e.Text, e.Results
		}
	}
	plan := scheduler.Plan(t.Input.CIB, t.Input.Now)
	if in.json() {
		return in.writeJSON(map[string]any{
			"schema": api.Schema, "transition": t.Input.ID, "keeper": t.Keeper, "now": t.Input.Now, "revision": t.Input.Revision, "cause": t.Input.Cause,
			"digest": t.Input.Digest, "again": t.Again, "actions": plan.Graph.Actions, "reasons": plan.Reasons, "result": result, "results": results,
		})
	}
	in.printf("Transition %s\n", t.Input.ID)
	in.printf("  planned  %s for revision %d, because of: %s\n", t.Input.Now.Local().Format("2006-01-02 15:04:05.000"), t.Input.Revision, t.Input.Cause)
	in.printf("  kept by  %s\n  check    %s\n", t.Keeper, t.Again.Text)
	in.printf("  result   %s\n", cmp.Or(result, "not known: the coordinator changed, or it is still under way"))
	for _, line := range results {
		in.printf("           %s\n", line)
	}
	in.printf("\n")
	return writePlanText(in.Out, answer{plan: plan})
}
