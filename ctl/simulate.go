package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

// simulateCommand shows what the scheduler would do with a saved cluster state.
func simulateCommand() *cli.Command {
	return &cli.Command{
		Name:  "simulate",
		Usage: "show what the cluster would do in a given state",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "cib", Required: true, Usage: "the state, as Pacemaker XML: `FILE`, or - for standard input"},
			&cli.StringFlag{Name: "now", Usage: "`TIME` to plan for (RFC 3339); default: the state's own time, else the clock"},
			&cli.StringFlag{Name: "output", Value: "text", Usage: "text, json or dot"},
			&cli.BoolFlag{Name: "scores", Usage: "show what every node was worth to every instance"},
		},
		Action: func(c *cli.Context) error { return simulate(c) },
	}
}

func simulate(c *cli.Context) error {
	state, err := readState(c.String("cib"), c.App.Reader)
	if err != nil {
		return err
	}
	now, err := planTime(c.String("now"), state)
	if err != nil {
		return err
	}
	plan := scheduler.Plan(state, now)
	switch c.String("output") {
	case "json":
		return writePlanJSON(c.App.Writer, plan, c.Bool("scores"))
	case "dot":
		return writePlanDot(c.App.Writer, plan)
	case "text":
		return writePlanText(c.App.Writer, plan, c.Bool("scores"))
	}
	return fmt.Errorf("output %q is none of text, json, dot", c.String("output"))
}

// readState reads a CIB from a file, or from standard input.
func readState(path string, stdin io.Reader) (*cib.CIB, error) {
	in := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read the state: %w", err)
		}
		defer f.Close()
		in = f
	}
	state, _, err := cib.Decode(in)
	if err != nil {
		return nil, fmt.Errorf("read the state from %s: %w", path, err)
	}
	return state, nil
}

// planTime is the time to plan for: as asked, else as the state says, else now.
func planTime(text string, state *cib.CIB) (time.Time, error) {
	if text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return t, fmt.Errorf("--now: %q is not a time such as 2026-01-31T12:00:00Z", text)
		}
		return t, nil
	}
	if s := state.Header.ExecutionDate; s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return time.Unix(n, 0), nil
		}
	}
	return time.Now(), nil
}

func writePlanJSON(out io.Writer, plan *scheduler.Result, scores bool) error {
	doc := map[string]any{
		"actions": plan.Graph.Actions, "placements": plan.Placements, "initial": plan.Initial, "reasons": plan.Reasons,
		"problems": plan.Problems, "blocked": plan.Blocked,
	}
	if scores {
		doc["scores"] = plan.Scores()
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", " ")
	return enc.Encode(doc)
}

// writePlanDot draws the transition for Graphviz.
func writePlanDot(out io.Writer, plan *scheduler.Result) error {
	var b strings.Builder
	b.WriteString("digraph transition {\n")
	for _, a := range plan.Graph.Actions {
		style := "color=green fontcolor=black"
		if a.Kind == "pseudo" {
			style = "color=orange fontcolor=gray"
		}
		fmt.Fprintf(&b, " %d [label=%q %s];\n", a.ID, actionLabel(a), style)
	}
	for _, a := range plan.Graph.Actions {
		for _, before := range a.After {
			fmt.Fprintf(&b, " %d -> %d;\n", before, a.ID)
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(out, b.String())
	return err
}
