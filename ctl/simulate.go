package ctl

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/whatif"
)

// question is what simulate is asked.
type question struct {
	state   *cib.CIB
	saved   *api.TransitionReply // where the state is a transition's saved input
	now     time.Time
	events  []whatif.Event
	failing []whatif.Failure
	run     bool
	steps   bool
	scores  bool
}

// answer is what comes of it.
type answer struct {
	question
	plan    *scheduler.Result
	history *whatif.Run     // nil without --run
	effects []whatif.Effect // of the run, what happened included
}

func runSimulate(in *invocation) error {
	form := cmp.Or(in.c.String("output"), "text")
	if form != "text" && form != "json" && form != "dot" {
		return usagef("paceline simulate: output %q is none of text, json, dot", form)
	}
	q, err := in.question()
	if err != nil {
		return err
	}
	a, err := q.answer()
	if err != nil {
		return err
	}
	switch form {
	case "json":
		return writePlanJSON(in.Out, a)
	case "dot":
		return writePlanDot(in.Out, a.plan)
	}
	return writePlanText(in.Out, a)
}

// question reads the flags.
func (in *invocation) question() (question, error) {
	var q question
	var err error
	if q.events, q.failing, err = in.events(); err != nil {
		return q, usagef("paceline simulate: %v", err)
	}
	q.steps, q.scores = in.c.Bool("steps"), in.c.Bool("scores")
	q.run = in.c.Bool("run") || q.steps
	source := cmp.Or(in.c.String("cib"), "live")
	if id, ok := strings.CutPrefix(source, "history:"); ok {
		if q.saved, err = in.transition(id); err != nil {
			return q, err
		}
		q.state, q.now = q.saved.Input.CIB, q.saved.Input.Now
		if q.saved.Again, err = api.Replay(q.saved.Input, Version); err != nil || in.c.String("now") == "" {
			return q, err
		}
	} else if q.state, err = in.readState(source); err != nil {
		return q, err
	}
	q.now, err = planTime(in.c.String("now"), q.state)
	return q, err
}

// events reads what is to happen, in the order in which it does.
func (in *invocation) events() (events []whatif.Event, failing []whatif.Failure, err error) {
	for _, kind := range []string{whatif.NodeDown, whatif.NodeLeft, whatif.NodeUp, whatif.Standby, whatif.Online} {
		for _, name := range in.c.StringSlice(kind) {
			events = append(events, whatif.Event{Kind: kind, Name: name})
		}
	}
	if word := in.c.String("quorum"); word != "" {
		if _, err := cib.ParseBool(word); err != nil {
			return nil, nil, fmt.Errorf("--quorum: %q is neither yes nor no", word)
		}
		events = append(events, whatif.Event{Kind: whatif.Quorum, State: word})
	}
	for _, text := range in.c.StringSlice("ticket") {
		e, err := whatif.ParseTicket(text)
		if err != nil {
			return nil, nil, err
		}
		events = append(events, e)
	}
	for _, name := range []string{"fail", "op-inject", "op-fail"} {
		for _, text := range in.c.StringSlice(name) {
			f, err := whatif.ParseFailure(text)
			if err != nil {
				return nil, nil, err
			}
			if name == "op-fail" || name == "fail" && f.Operation != "" && f.Operation != "monitor" {
				failing = append(failing, f)
			} else {
				events = append(events, whatif.Event{Kind: whatif.Fail, Failure: f})
			}
		}
	}
	return events, failing, nil
}

// answer plans, and plays the plan if that is asked for.
func (q question) answer() (answer, error) {
	a := answer{question: q}
	state, err := whatif.Apply(q.state, q.now, q.events...)
	if err != nil {
		return a, err
	}
	if !q.run {
		a.plan = scheduler.Plan(state, q.now)
		return a, nil
	}
	if a.history, err = whatif.Play(state, q.now, q.failing); err != nil {
		return a, err
	}
	a.plan = a.history.First()
	var was []scheduler.Placement
	if len(q.events) > 0 {
		was = scheduler.Plan(q.state, q.now).Initial
	}
	a.effects = a.history.Effects(was)
	return a, nil
}

// readState reads the state to plan for: from a file, standard input, or the cluster.
func (in *invocation) readState(source string) (*cib.CIB, error) {
	if source == "live" {
		text, err := in.api.CIBXML(in.ctx)
		if err != nil {
			return nil, err
		}
		return decodeState(bytes.NewReader(text), "the cluster")
	}
	if source == "-" {
		return decodeState(in.In, "standard input")
	}
	f, err := os.Open(source)
	if err != nil {
		return nil, fmt.Errorf("read the state: %w", err)
	}
	defer f.Close()
	return decodeState(f, source)
}

func decodeState(r io.Reader, what string) (*cib.CIB, error) {
	state, _, err := cib.Decode(r)
	if err != nil {
		return nil, fmt.Errorf("read the state from %s: %w", what, err)
	}
	return state, nil
}

// planTime is the time to plan for: as asked, else as the state says, else now.
func planTime(text string, state *cib.CIB) (time.Time, error) {
	if text != "" {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return t, usagef("paceline simulate: --now: %q is not a time such as 2026-01-31T12:00:00Z", text)
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

// simulatedStep is one transition of a run, in JSON.
type simulatedStep struct {
	Actions any                    `json:"actions"`
	Results []simulatedResult      `json:"results"`
	Active  []scheduler.Placement  `json:"active"` // after it
	Nodes   []scheduler.NodeStatus `json:"nodes"`  // after it
}

type simulatedResult struct {
	Action int    `json:"action"`
	Result string `json:"result"` // ok, failed, not run
	RC     int    `json:"rc"`
	Why    string `json:"why,omitempty"`
}

func writePlanJSON(out io.Writer, a answer) error {
	plan := a.plan
	doc := map[string]any{
		"actions": plan.Graph.Actions, "placements": plan.Placements, "initial": plan.Initial, "reasons": plan.Reasons,
		"problems": plan.Problems, "blocked": plan.Blocked, "nodes": plan.Nodes,
	}
	if a.saved != nil {
		doc["history"] = map[string]any{"transition": a.saved.Input.ID, "kept_by": a.saved.Keeper, "digest": a.saved.Input.Digest, "again": a.saved.Again}
	}
	if a.scores {
		doc["scores"], doc["utilization"] = plan.Scores(), plan.Capacities()
	}
	if run := a.history; run != nil {
		steps := []simulatedStep{}
		for i, s := range run.Steps {
			next := run.Rest
			if i+1 < len(run.Steps) {
				next = run.Steps[i+1].Plan
			}
			steps = append(steps, simulatedStep{Actions: s.Plan.Graph.Actions, Results: results(s.Done), Active: next.Initial, Nodes: next.Nodes})
		}
		doc["run"] = map[string]any{
			"settled": run.Settled, "why": run.Circles, "steps": steps, "final": run.Rest.Initial, "nodes": run.Rest.Nodes,
			"blocked": run.Rest.Blocked, "effects": a.effects,
		}
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", " ")
	return enc.Encode(doc)
}

func results(done []outcome.Done) []simulatedResult {
	out := []simulatedResult{}
	for _, d := range done {
		out = append(out, simulatedResult{Action: d.Action.ID, Result: resultWord(d), RC: d.RC, Why: d.Why})
	}
	return out
}

func resultWord(d outcome.Done) string {
	switch {
	case d.Skipped:
		return "not run"
	case d.Failed:
		return "failed"
	}
	return "ok"
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
		fmt.Fprintf(&b, " %d [label=%q %s];\n", a.ID, a.Label(), style)
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
