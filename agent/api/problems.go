package api

import (
	"cmp"
	"fmt"
	"time"

	"paceline/agent/cib"
)

// problems collects the named findings: of the daemon, of the configuration, of the plan, and what follows from the status.
func problems(c *cib.CIB, live Live, p Plan, st *Status) []Problem {
	out := nonNil(append([]Problem(nil), live.Problems...))
	add := func(name, severity, object, what, hint string) {
		out = append(out, Problem{Name: name, Severity: severity, Object: object, What: what, Hint: hint})
	}
	if p.Broken != "" {
		add("scheduler-broken", SeverityError, "", "the scheduler cannot plan for this state: "+p.Broken,
			"this is a fault of paceline: please report it, with `paceline configure xml`; an earlier configuration may help: `paceline configure rollback`")
	}
	if !st.Fencing.Enabled {
		add("fencing-off", SeverityWarning, "", "fencing is switched off: a failed node's work is taken over without knowing that it is dead",
			"configure a fencing device and set fencing-enabled=true")
	}
	for _, b := range blockedFencings(live, st.Nodes, st.Fencing) {
		add("recovery-blocked", SeverityError, b.node, b.text(), b.hint)
	}
	if st.Maintenance {
		add("maintenance", SeverityWarning, "", "the whole cluster is in maintenance mode: nothing is monitored or recovered",
			"end it with: property maintenance-mode=false, by `paceline configure load update -`")
	}
	for _, l := range st.Leftovers {
		text := l.Text
		if !l.Expires.IsZero() {
			text += ", until " + l.Expires.Local().Format(time.DateTime)
		}
		add("leftover-constraint", SeverityWarning, l.ID, text, "paceline resource clear "+l.Resource)
	}
	for _, m := range live.Missing {
		then := "is fenced then, and what ran on it starts elsewhere"
		if !st.Fencing.Enabled {
			then = "what ran on it starts elsewhere then"
		}
		add("node-missing", SeverityWarning, m.Node, fmt.Sprintf("%s was not heard since the cluster came up: at %s it counts as lost, and %s",
			m.Node, m.Lost.Local().Format(time.TimeOnly), then), "switch it on, or see whether its network works; if it is off for good: paceline node fence --confirmed "+m.Node)
	}
	for _, n := range st.Nodes {
		late := n.Online && !n.Session && st.Time.Sub(n.Since) > sessionGrace && n.Role != RoleWitness && n.State != NodeRestarting
		if late && !st.Stale && live.Coordinator == live.Node {
			add("no-session", SeverityError, n.Name, "the coordinator has no connection to "+n.Name+", though it is alive: it can give it no orders",
				"see that port 7947 is open between "+live.Coordinator+" and "+n.Name+", and the logs of pacelined on both")
		}
	}
	for _, n := range st.Nodes {
		if n.Role == RoleWitness && n.State == NodeOffline {
			what, hint := "", "see whether "+n.Name+" has power and whether its network works"
			if st.Quorum.Quorate {
				what = ": without its vote the next node that is lost may take the quorum with it"
			} else {
				hint += "; if it is certain that no other part of the cluster runs: paceline cluster force-quorum"
			}
			add("witness-lost", SeverityWarning, n.Name, "the witness "+n.Name+" is not heard"+what, hint)
		}
	}
	versions := map[string]bool{}
	for _, n := range st.Nodes {
		if n.Version != "" && n.Online {
			versions[n.Version] = true
		}
	}
	if len(versions) > 1 {
		add("versions-differ", SeverityWarning, "", "the nodes run different versions of paceline", "finish the upgrade")
	}
	for _, text := range p.Problems {
		add("plan", SeverityWarning, "", text, "")
	}
	for _, v := range cib.Validate(c) {
		out = append(out, problemOf(v))
	}
	return out
}

// protection says whether the promise of the cluster holds now: nothing runs twice, and what fails is recovered.
func protection(st *Status) Protected {
	var no []string
	add := func(format string, args ...any) { no = append(no, fmt.Sprintf(format, args...)) }
	if st.Stale {
		add("this node does not hear the coordinator")
	}
	if !st.Quorum.Quorate {
		add("there is no quorum: %s", cmp.Or(st.Quorum.Reason, "too few voters are heard"))
	}
	if st.Stale && st.Revision == 0 {
		return Protected{Because: no} // this node has no copy of what is configured
	}
	no = append(no, st.Fencing.Blocked...)
	switch {
	case len(st.Fencing.Blocked) > 0: // said already, with its reason
	case !st.Fencing.Enabled:
		add("fencing is switched off")
	case len(st.Fencing.Devices) > 0:
		if p := st.Fencing.Pills; p != nil && p.Only && st.Fencing.Watchdog == nil {
			no = append(no, p.gaps()...)
		}
	case st.Fencing.Watchdog == nil:
		add("no fencing device is configured")
	default:
		no = append(no, st.Fencing.Watchdog.gaps()...)
	}
	able := 0
	var unclean []string
	for _, n := range st.Nodes {
		switch {
		case n.Role == RoleWitness:
		case n.State == NodeOnline:
			able++
		case n.State == NodeUnclean:
			unclean = append(unclean, n.Name)
		}
	}
	if len(unclean) > 0 && len(st.Fencing.Blocked) == 0 && st.Quorum.Quorate {
		add("what ran on %s is down until its fencing has succeeded: nobody knows yet whether it still runs", list(unclean))
	}
	if able < 2 {
		add("%s can run resources: nothing can take over", map[int]string{0: "no node", 1: "only 1 node"}[able])
	}
	if st.Maintenance {
		add("the cluster is in maintenance mode")
	}
	for _, p := range st.Problems {
		if p.Name == "scheduler-broken" {
			add("%s", p.What)
		}
	}
	if len(no) > 0 {
		return Protected{Because: no}
	}
	because := []string{fmt.Sprintf("%d nodes can take over", able)}
	if st.Quorum.Reason != "" {
		because = append(because, st.Quorum.Reason)
	}
	if len(st.Fencing.Devices) > 0 {
		because = append(because, "failed nodes are fenced by "+list(st.Fencing.Devices))
	}
	if w := st.Fencing.Watchdog; w != nil && len(w.Armed) > 0 {
		because = append(because, fmt.Sprintf("lost nodes are reset by their watchdogs, and count as dead %v after they were last heard", w.longest()))
	}
	return Protected{Yes: true, Because: because}
}
