package ctl

import (
	"fmt"
	"io"
	"slices"

	"paceline/agent/api"
)

func runStatus(in *invocation) error {
	view, extra, simple, err := in.statusView()
	if err != nil {
		return err
	}
	page, metrics := in.c.Bool("html") || slices.Contains(in.args, "html"), in.c.Bool("metrics")
	if page && metrics || (page || metrics) && (in.c.Bool("watch") || in.json() || simple) {
		return usagef("paceline status: --html, --metrics, --json, --simple and --watch are forms of their own: one at a time")
	}
	if in.c.Bool("watch") {
		return in.watchStatus(view)
	}
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(st)
	}
	if page {
		return writeHTML(in.Out, st)
	}
	if metrics {
		writeMetrics(in.Out, st)
		return nil
	}
	if simple {
		line, well := simpleStatus(st)
		in.printf("%s\n", line)
		if !well {
			return &exitStatus{exitFailed}
		}
		return nil
	}
	in.folding(func(w io.Writer) { view.write(w, st) })
	if extra == (more{}) {
		return nil
	}
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	return extra.write(in.Out, state.CIB, view.paint)
}

// staleness warns, on standard error, that an answer is old knowledge.
func (in *invocation) staleness(st *api.Status) {
	if st.Stale {
		fmt.Fprintf(in.Err, "warning: this is what %s last knew: %s\n", st.Node, st.StaleReason)
	}
}
