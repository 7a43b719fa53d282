package ctl

import (
	"fmt"
	"io"
	"time"

	"paceline/agent/api"
)

// auditTimes is how moments of an audit are shown: two of them can be milliseconds apart.
const auditTimes = "2006-01-02 15:04:05.000"

func runAudit(in *invocation) error {
	r, err := in.api.Audit(in.ctx)
	if err != nil {
		return err
	}
	if in.json() {
		if err := in.writeJSON(r); err != nil {
			return err
		}
	} else {
		in.folding(func(w io.Writer) { writeAudit(w, painter(in.colour()), r) })
	}
	if !r.OK {
		return &exitStatus{exitFailed}
	}
	return nil
}

func writeAudit(w io.Writer, paint painter, r *api.AuditReply) {
	for _, n := range r.Nodes {
		fmt.Fprintf(w, "%s: %d facts since %s%s\n", n.Name, n.Facts, n.From.Local().Format(auditTimes), clockText(n))
	}
	for _, v := range r.Violations {
		fmt.Fprintf(w, "%s  %s  %s: %s\n", paint.bad("BROKEN"), v.Time.Local().Format(auditTimes), v.Rule, v.Detail)
	}
	broken := map[string]bool{}
	for _, v := range r.Violations {
		broken[v.Rule] = true
	}
	for _, x := range r.Rules {
		switch {
		case broken[x.Name]:
		case x.Unseen != "":
			fmt.Fprintf(w, "%s  %s: %s\n", "unseen", x.Name, x.Unseen)
		case x.Judged == 0:
			fmt.Fprintf(w, "%s  %s: nothing happened that could break it\n", "idle  ", x.Name)
		default:
			fmt.Fprintf(w, "%s  %s: %s (judged %d times)\n", paint.good("kept  "), x.Name, x.Says, x.Judged)
		}
	}
	for _, u := range r.Unseen {
		fmt.Fprintf(w, "%s  %s\n", paint.warn("not read"), u)
	}
	span := r.To.Sub(r.From).Round(time.Second)
	if r.OK {
		fmt.Fprintf(w, "No rule was broken by what can be seen of the last %v.\n", span)
		return
	}
	fmt.Fprintf(w, "%d violations in the last %v. Keep the evidence: paceline report\n", len(r.Violations), span)
}

func clockText(n api.AuditNode) string {
	if n.ClockOff == 0 && n.Unsure == 0 {
		return ""
	}
	return fmt.Sprintf("; its clock is %v off, known to within %v", time.Duration(n.ClockOff).Round(time.Millisecond), time.Duration(n.Unsure).Round(time.Microsecond*100))
}
