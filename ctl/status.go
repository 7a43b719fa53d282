package ctl

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"paceline/agent/api"
)

// watchPause is the pause before a broken watch is tried again.
const watchPause = time.Second

func runStatus(in *invocation) error {
	view := statusView{byNode: in.c.Bool("by-node"), paint: painter(in.colour())}
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
	view.write(in.Out, st)
	return nil
}

// watchStatus shows the status again whenever it changes, until it is interrupted. A daemon that goes away is waited for.
func (in *invocation) watchStatus(view statusView) error {
	first := true
	for {
		var last error
		for st, err := range in.api.Watch(in.ctx) {
			if err != nil {
				last = err
				break
			}
			first = false
			if in.json() {
				if err := in.writeJSONLine(st); err != nil {
					return err
				}
				continue
			}
			in.screen(func(b *bytes.Buffer) { view.write(b, st) })
		}
		if in.ctx.Err() != nil {
			return nil
		}
		var e *api.Error
		if first || errors.As(last, &e) && e.Code == api.CodeForbidden {
			return last
		}
		if !in.json() {
			in.screen(func(b *bytes.Buffer) { fmt.Fprintf(b, "%v\ntrying again ...\n", last) })
		}
		select {
		case <-in.ctx.Done():
			return nil
		case <-time.After(watchPause):
		}
	}
}

// screen shows one full view: on a terminal in place of the last one, else after it.
func (in *invocation) screen(draw func(*bytes.Buffer)) {
	var b bytes.Buffer
	if in.Terminal {
		b.WriteString("\x1b[H\x1b[2J")
	}
	draw(&b)
	if !in.Terminal {
		b.WriteByte('\n')
	}
	in.Out.Write(b.Bytes())
}

// staleness warns, on standard error, that an answer is old knowledge.
func (in *invocation) staleness(st *api.Status) {
	if st.Stale {
		fmt.Fprintf(in.Err, "warning: this is what %s last knew: %s\n", st.Node, st.StaleReason)
	}
}
