package ctl

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/crm"
)

// runDefaultTimeouts gives the operations of primitives the time-outs that their agents advise.
func runDefaultTimeouts(in *invocation) error {
	message := in.c.String("message")
	if message == "" {
		message = "default-timeouts " + strings.Join(in.args, " ")
	}
	return in.reconfigure(message, func(base *cib.Configuration) (*cib.Configuration, []string, error) {
		var notes []string
		next, _, err := crm.Update(base, "") // a copy
		if err != nil {
			return nil, nil, mistakes("the configuration", err)
		}
		for _, id := range in.args {
			r := next.Resource(id)
			if r == nil || r.Kind != cib.KindPrimitive {
				return nil, nil, notThere("primitive", id, "`paceline configure show type:primitive` shows all")
			}
			reply, err := in.api.Agent(in.ctx, agentOf(next, r))
			if err != nil {
				return nil, nil, err
			}
			if !adviseTimeouts(r, &reply.Agent) {
				notes = append(notes, id+": nothing to change: its time-outs are what "+reply.Name+" advises, or longer")
			}
		}
		return next, notes, nil
	})
}

// adviseTimeouts lengthens time-outs that are shorter than advised, and adds start, stop and monitor where the agent advises a time for
// them. It reports whether anything changed.
func adviseTimeouts(r *cib.Resource, a *api.Agent) bool {
	timeouts, _ := adviceOf(a)
	changed := false
	for _, op := range r.Operations.Ops {
		least, known := timeouts.of(op)
		ms, err := cib.ParseMilliseconds(op.Timeout)
		if known && least > 0 && op.IDRef == "" && (op.Timeout == "" || err == nil && time.Duration(ms)*time.Millisecond < least) {
			op.Timeout, changed = timeText(least), true
		}
	}
	if r.Operations.IDRef != "" {
		return changed
	}
	for _, name := range []string{"start", "stop", "monitor"} {
		has := slices.ContainsFunc(r.Operations.Ops, func(op *cib.Op) bool { return op.Name == name })
		if has || timeouts[name] <= 0 {
			continue
		}
		op := &cib.Op{Name: name, Interval: "0", Timeout: timeText(timeouts[name])}
		if name == "monitor" {
			op.Interval = "10s"
			for _, action := range a.Actions {
				if action.Name == name && action.Interval > 0 {
					op.Interval = timeText(time.Duration(action.Interval))
					break
				}
			}
		}
		op.ID = fmt.Sprintf("%s-%s-%s", r.ID, op.Name, op.Interval)
		r.Operations.Ops = append(r.Operations.Ops, op)
		changed = true
	}
	return changed
}

// timeText writes a time as people write it in configurations.
func timeText(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}
