package ctl

import (
	"fmt"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/whatif"
)

// planned is what a commit would mean.
type planned struct {
	Schema   int           `json:"schema"`
	Revision uint64        `json:"revision"` // that it is planned against
	Changes  []api.Change  `json:"changes"`  // of the configuration
	Actions  []api.Action  `json:"actions"`  // of the first transition and those that follow it, in their order
	Effects  []planEffect  `json:"effects"`  // by resource
	Problems []api.Problem `json:"problems"`
	Notes    []string      `json:"notes"`
	Settles  bool          `json:"settles"` // the cluster comes to rest; if not, Circles says why
	Circles  string        `json:"circles,omitempty"`
}

// planEffect is what happens to one resource, with how long it is away.
type planEffect struct {
	whatif.Effect
	ExpectedMS int64 `json:"expected_outage_ms,omitempty"` // of operations whose duration is known from before
	Guess      bool  `json:"expected_outage_incomplete,omitempty"`
	MostMS     int64 `json:"longest_outage_ms,omitempty"` // if every operation takes its time-out
	estimate   outage
}

// runPlan tells what committing the session, the shadow copy or a file would mean; without any of them what the cluster would do now. Changes that are pending end it with exitUsage.
func runPlan(in *invocation) error {
	s, _, _, err := in.session()
	if err != nil {
		return err
	}
	next := s.Configuration()
	var notes []string
	if len(in.args) > 0 {
		text, err := in.readFile(in.arg(0))
		if err != nil {
			return err
		}
		if next, notes, err = applyFile(next, in.arg(0), text, true); err != nil {
			return err
		}
	}
	live, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	r, err := in.api.Change(in.ctx, api.ChangeRequest{Configuration: next, DryRun: true})
	if err != nil {
		return err
	}
	p, err := planFor(live, next, r, time.Now())
	if err != nil {
		return err
	}
	p.Notes = append(notes, r.Notes...)
	if in.json() {
		err = in.writeJSON(p)
	} else {
		in.printPlan(p)
	}
	if err == nil && len(p.Changes) > 0 && in.desk == nil { // in a session they are what it is for
		return &exitStatus{exitUsage}
	}
	return err
}

// planFor plays what a configuration leads to.
func planFor(live *api.CIBReply, next *cib.Configuration, r *api.ChangeReply, now time.Time) (*planned, error) {
	run, err := whatif.Play(whatif.With(live.CIB, next), now, nil)
	if err != nil {
		return nil, api.Errorf(api.CodeFailed, "plan", "%v", err).WithHint("this is a fault of paceline: please report it, with the configuration")
	}
	p := &planned{
		Schema: api.Schema, Revision: live.ConfigRevision, Changes: r.Changes, Actions: []api.Action{}, Effects: []planEffect{},
		Problems: r.Problems, Settles: run.Settled, Circles: run.Circles,
	}
	for _, step := range run.Steps {
		for _, a := range step.Plan.Graph.Actions {
			if a.Kind != "pseudo" {
				p.Actions = append(p.Actions, api.Action{Operation: a.Operation, Resource: a.Resource, Node: a.Node, Reason: a.Reason})
			}
		}
	}
	away := outages(run)
	for _, e := range run.Effects(nil) {
		x := planEffect{Effect: e}
		if e.Outage && !e.Lost {
			x.estimate = away[e.Resource]
			x.ExpectedMS, x.MostMS, x.Guess = x.estimate.Expected.Milliseconds(), x.estimate.Most.Milliseconds(), x.estimate.Guess
		}
		p.Effects = append(p.Effects, x)
	}
	return p, nil
}

func (in *invocation) printPlan(p *planned) {
	in.printf("Changes to revision %d:\n", p.Revision)
	for _, c := range p.Changes {
		in.printf("  %s\n", c.Text)
	}
	if len(p.Changes) == 0 {
		in.printf("  none\n")
	}
	in.printf("\nThe cluster would then:\n")
	printActions(in.Out, p.Actions)
	if len(p.Effects) > 0 {
		in.printf("\nFor the resources:\n")
		for _, e := range p.Effects {
			in.printf("  %s\n", e.text())
		}
	}
	if !p.Settles {
		in.printf("\nThe cluster would not come to rest: %s\n", p.Circles)
	}
	printProblems(in.Err, p.Problems)
	for _, n := range p.Notes {
		fmt.Fprintln(in.Err, "note: "+n)
	}
}

// text tells an effect: "web moves from node1 to node2, with an outage of about 2s, at most 40s".
func (e planEffect) text() string {
	text := e.Resource + " " + e.Kind
	if from := spots(e.From); from != "" {
		text += " from " + from
	}
	if to := spots(e.To); to != "" {
		text += " to " + to
	}
	switch {
	case e.Lost:
		text += ", and stays down"
	case e.Outage:
		text += ", with an outage " + e.estimate.String()
	}
	return text
}

func spots(list []whatif.Spot) string {
	var words []string
	for _, s := range list {
		w := s.Node
		if s.Role != "Started" {
			w += " (" + strings.ToLower(s.Role) + ")"
		}
		words = append(words, w)
	}
	return strings.Join(words, ", ")
}
