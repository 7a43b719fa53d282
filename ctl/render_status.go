package ctl

import (
	"fmt"
	"io"
	"strings"

	"paceline/agent/api"
)

// shownProblems bounds the findings that a status lists for people: more than a screen is not read.
const shownProblems = 20

// statusView writes a status for people, in the blocks that users of crm status know.
type statusView struct {
	byNode bool // resources under their nodes
	brief  bool // only counts of resources
	detail bool // every instance of a clone on its own line
	// noHeader leaves the summary out, noPending what is under way.
	noHeader, noPending bool

	paint painter
	able  []string // nodes that can run resources
	// unclean are the nodes of which nobody knows what they run.
	unclean []string
	agents  int // width of the column of agents
}

// painter colours text if it is true.
type painter bool

func (p painter) in(code, text string) string {
	if !p {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (p painter) good(s string) string { return p.in("32", s) }
func (p painter) bad(s string) string  { return p.in("1;31", s) }
func (p painter) warn(s string) string { return p.in("33", s) }

// newView returns a view that is ready to show the resources of a status.
func newView(colour bool, st *api.Status) statusView {
	v := statusView{paint: painter(colour)}
	v.see(st)
	return v
}

// see takes from a status what the view needs to know of it.
func (v *statusView) see(st *api.Status) {
	v.able, v.unclean = nil, nil
	for _, n := range st.Nodes {
		if n.State == api.NodeUnclean && !n.Online {
			v.unclean = append(v.unclean, n.Name)
		}
		if n.State == api.NodeOnline && n.Role != api.RoleWitness {
			v.able = append(v.able, n.Name)
		}
	}
}

func (v statusView) write(w io.Writer, st *api.Status) {
	v.see(st)
	if st.Stale {
		fmt.Fprintf(w, "%s\n\n", v.paint.bad(fmt.Sprintf("STALE: this is what %s last knew: %s", st.Node, sentence(st.StaleReason))))
	}
	if !v.noHeader {
		v.summary(w, st)
	}
	v.nodes(w, st)
	v.links(w, st)
	v.resources(w, st)
	if !v.noPending {
		v.pending(w, st)
	}
	v.fencing(w, st)
	v.failures(w, st)
	v.tickets(w, st)
	v.problems(w, st)
}

func (v statusView) summary(w io.Writer, st *api.Status) {
	fmt.Fprintln(w, "Cluster Summary:")
	line := func(format string, args ...any) { fmt.Fprintf(w, "  * "+format+"\n", args...) }
	line("Cluster: %s", st.Cluster)
	coordinator := v.paint.bad("NONE")
	if st.Coordinator != "" {
		coordinator = st.Coordinator
		if st.Version != "" {
			coordinator += " (version " + st.Version + ")"
		}
	}
	quorum := "partition with quorum"
	if !st.Quorum.Quorate {
		quorum = v.paint.bad("partition WITHOUT quorum")
	}
	line("Coordinator: %s - %s: %s", coordinator, quorum, orDash(st.Quorum.Reason))
	yes := v.paint.bad("no")
	if st.Protected.Yes {
		yes = v.paint.good("yes")
	}
	if because := st.Protected.Because; len(because) > 0 && (st.Protected.Yes || len(because) == 1) {
		line("Protected: %s, because %s", yes, strings.Join(because, "; "))
	} else {
		line("Protected: %s, because", yes)
		for _, b := range because {
			fmt.Fprintf(w, "      - %s\n", b)
		}
	}
	if st.Maintenance {
		line("%s", v.paint.warn("MAINTENANCE MODE: nothing is monitored or recovered"))
	}
	line("Last updated: %s on %s", moment(st.Time), st.Node)
	if c := st.LastChange; c != nil {
		what := ""
		if c.Message != "" {
			what = ": " + c.Message
		}
		line("Last change:  %s by %s%s (revision %d)", moment(c.Time), c.User, what, c.Revision)
	}
	line("%s configured, %d online", plural(st.Counts.Nodes, "node"), st.Counts.Online)
	var extra []string
	for _, e := range []struct {
		n    int
		word string
	}{{st.Counts.Disabled, "DISABLED"}, {st.Counts.Blocked, "BLOCKED"}, {st.Counts.Failed, "FAILED"}} {
		if e.n > 0 {
			extra = append(extra, fmt.Sprintf("%d %s", e.n, e.word))
		}
	}
	text := plural(st.Counts.Resources, "resource instance") + " configured"
	if len(extra) > 0 {
		text += " (" + strings.Join(extra, ", ") + ")"
	}
	line("%s", text)
}

func (v statusView) nodes(w io.Writer, st *api.Status) {
	fmt.Fprintln(w, "\nNode List:")
	var online, offline []string
	for _, n := range st.Nodes {
		switch n.State {
		case api.NodeOnline:
			if n.Role == api.RoleWitness {
				fmt.Fprintf(w, "  * Node %s: %s (witness)\n", n.Name, v.paint.good("online"))
				continue
			}
			online = append(online, n.Name)
		case api.NodeOffline:
			if n.Cause == "" {
				offline = append(offline, n.Name)
				continue
			}
			fallthrough
		default:
			role := ""
			if n.Role == api.RoleWitness {
				role = " (witness)"
			}
			fmt.Fprintf(w, "  * Node %s%s: %s\n", n.Name, role, v.state(n))
		}
	}
	if len(online) > 0 {
		fmt.Fprintf(w, "  * Online: [ %s ]\n", v.paint.good(strings.Join(online, " ")))
	}
	if len(offline) > 0 {
		fmt.Fprintf(w, "  * OFFLINE: [ %s ]\n", v.paint.bad(strings.Join(offline, " ")))
	}
}

// links lists the links to each node, where there are several: one line a node.
func (v statusView) links(w io.Writer, st *api.Status) {
	if len(st.Links) == 0 {
		return
	}
	fmt.Fprintf(w, "\nLinks of %s:\n", st.Node)
	for i := 0; i < len(st.Links); {
		node := st.Links[i].Node
		var parts []string
		for ; i < len(st.Links) && st.Links[i].Node == node; i++ {
			l := st.Links[i]
			text := fmt.Sprintf("%d (%s) ", l.Link, l.Address)
			switch l.State {
			case api.LinkUp:
				text += v.paint.good(l.State)
			case api.LinkDown:
				text += v.paint.bad("DOWN") + " since " + moment(l.Since)
			default:
				text += v.paint.warn(l.State)
			}
			parts = append(parts, text)
		}
		fmt.Fprintf(w, "  * To %s: %s\n", node, strings.Join(parts, ", "))
	}
}

// state describes a node with its cause, coloured.
func (v statusView) state(n api.Node) string {
	text := stateText(n)
	switch n.State {
	case api.NodeOnline:
		text = v.paint.good(text)
	case api.NodeUnclean, api.NodeOffline:
		text = v.paint.bad(text)
	default:
		text = v.paint.warn(text)
	}
	if len(n.Resources) > 0 && n.State == api.NodeStandby {
		text += ", still with active resources"
	}
	if n.Cause != "" && n.State != api.NodeOnline && n.State != api.NodeStandby && n.State != api.NodeMaintenance {
		text += " (" + n.Cause
		if !n.Since.IsZero() {
			text += ", since " + moment(n.Since)
		}
		text += ")"
	}
	return text
}

// stateText names the state of a node.
func stateText(n api.Node) string {
	switch n.State {
	case api.NodeUnclean:
		if n.Online {
			return "UNCLEAN (online)"
		}
		return "UNCLEAN (offline)"
	case api.NodeOffline:
		return "OFFLINE"
	}
	return string(n.State)
}

func (v statusView) pending(w io.Writer, st *api.Status) {
	t := st.Transition
	if !t.Running && len(t.Pending) == 0 {
		return
	}
	fmt.Fprintf(w, "\nPending Actions: (%d of %d done)\n", t.Done, t.Total)
	for i, a := range t.Pending {
		if i == shownActions {
			fmt.Fprintf(w, "  * ... and %d more\n", len(t.Pending)-shownActions)
			break
		}
		text := actionText(a)
		if a.InFlight {
			text += ", under way"
			if !a.Since.IsZero() {
				text += fmt.Sprintf(" since %s", moment(a.Since))
			}
		}
		if a.Reason != "" {
			text += ": " + a.Reason
		}
		fmt.Fprintf(w, "  * %s\n", text)
	}
}

func (v statusView) fencing(w io.Writer, st *api.Status) {
	f := st.Fencing
	if len(f.Pending)+len(f.Blocked)+len(f.Last)+len(f.Tested) == 0 {
		return
	}
	fmt.Fprintln(w, "\nFencing:")
	for _, p := range f.Pending {
		if p.Blocked != "" && p.Attempt == 0 {
			continue // nothing was tried; why not is said below
		}
		text := fmt.Sprintf("%s of %s under way since %s", p.Action, p.Target, moment(p.Since))
		if p.Device != "" {
			text += " by " + p.Device
		}
		if p.Attempt > 1 {
			text += fmt.Sprintf(", attempt %d", p.Attempt)
		}
		if p.Detail != "" {
			text += ", last failed: " + p.Detail
		}
		fmt.Fprintf(w, "  * %s\n", v.paint.warn(text))
	}
	for _, b := range f.Blocked {
		fmt.Fprintf(w, "  * %s %s\n", v.paint.bad("BLOCKED:"), b)
	}
	if len(f.Tested) > 0 {
		fmt.Fprintf(w, "  * shown to work: %s\n", testedText(f.Tested, st.Time))
	}
	const most = 3
	for i, e := range f.Last {
		if i == most {
			break
		}
		text := fmt.Sprintf("%s of %s ", e.Action, e.Target)
		when := e.Completed
		if when.IsZero() {
			when = e.Started
		}
		if e.OK {
			text += v.paint.good("succeeded")
		} else {
			text += v.paint.bad("FAILED")
		}
		text += " at " + moment(when)
		if e.Device != "" {
			text += " by " + e.Device
		}
		if e.Origin != "" {
			text += ", asked for by " + e.Origin
		}
		if e.Detail != "" {
			text += ": " + e.Detail
		}
		fmt.Fprintf(w, "  * %s\n", text)
	}
}

func (v statusView) failures(w io.Writer, st *api.Status) {
	if len(st.Failures) == 0 {
		return
	}
	fmt.Fprintln(w, "\nFailed Resource Actions:")
	for _, f := range st.Failures {
		op := f.Operation
		if f.IntervalMS > 0 {
			op = fmt.Sprintf("%s_%d", op, f.IntervalMS)
		}
		text := fmt.Sprintf("%s %s on %s: %s (%d)", f.Resource, op, f.Node, f.RCText, f.RC)
		if f.Status != "" && f.Status != "complete" {
			text += ", " + f.Status
		}
		if f.Reason != "" {
			text += ", " + f.Reason
		}
		if !f.When.IsZero() {
			text += ", at " + moment(f.When)
		}
		if f.Count != "" {
			text += ", fail count " + f.Count
		}
		fmt.Fprintf(w, "  * %s\n", v.paint.bad(text))
	}
	fmt.Fprintln(w, "    (`paceline resource cleanup` forgets them and tries again)")
}

func (v statusView) tickets(w io.Writer, st *api.Status) {
	if len(st.Tickets) == 0 {
		return
	}
	fmt.Fprintln(w, "\nTickets:")
	for _, t := range st.Tickets {
		state := "revoked"
		if t.Granted {
			state = "granted"
		}
		if t.Standby {
			state += ", standby"
		}
		fmt.Fprintf(w, "  * %s: %s\n", t.ID, state)
	}
}

func (v statusView) problems(w io.Writer, st *api.Status) {
	if len(st.Problems) == 0 {
		return
	}
	fmt.Fprintln(w, "\nNeeds Attention:")
	for i, p := range st.Problems {
		if i == shownProblems {
			fmt.Fprintf(w, "  * ... and %d more (--json lists all)\n", len(st.Problems)-shownProblems)
			break
		}
		text := p.What
		if about := strings.TrimSpace(p.Object + " " + p.Attribute); about != "" && !strings.Contains(text, p.Object) {
			text = about + ": " + text
		}
		if p.Severity == api.SeverityError {
			text = v.paint.bad(text)
		} else {
			text = v.paint.warn(text)
		}
		fmt.Fprintf(w, "  * %s\n", text)
		if p.Hint != "" {
			fmt.Fprintf(w, "    -> %s\n", p.Hint)
		}
	}
}

// quorumText is the verdict in one line.
func quorumText(st *api.Status) string {
	if st.Quorum.Quorate {
		return "quorum, " + st.Quorum.Reason
	}
	return "NO quorum, " + st.Quorum.Reason
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// sentence ends a text with a full stop.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
