package ctl

import (
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
	"paceline/agent/scheduler"
)

// runScores shows what every node is worth to every instance now, as the scheduler sees it.
func runScores(in *invocation) error {
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	var wanted []string
	for _, id := range in.args {
		ids := inside(&state.CIB.Configuration, id)
		if len(ids) == 0 {
			_, err := around(&state.CIB.Configuration, id)
			return err
		}
		wanted = append(wanted, ids...)
	}
	list := filter(scheduler.Plan(state.CIB, time.Now()).Scores(), func(s scheduler.Score) bool {
		base, _, _ := strings.Cut(s.Resource, ":")
		return len(wanted) == 0 || slices.Contains(wanted, base)
	})
	if in.json() {
		if list == nil {
			list = []scheduler.Score{}
		}
		return in.writeJSON(struct {
			Schema   int               `json:"schema"`
			Revision uint64            `json:"revision"`
			Scores   []scheduler.Score `json:"scores"`
		}{api.Schema, state.Revision, list})
	}
	w := tabwriter.NewWriter(in.Out, 0, 8, 2, ' ', 0)
	io.WriteString(w, "RESOURCE\tNODE\tSCORE\n")
	for _, s := range list {
		io.WriteString(w, s.Resource+"\t"+s.Node+"\t"+s.Score+"\n")
	}
	return w.Flush()
}
