package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
)

// Checkup is what the doctor found.
type Checkup struct {
	Schema  int       `json:"schema"`
	Cluster string    `json:"cluster"`
	Time    time.Time `json:"time"`
	OK      bool      `json:"ok"` // no error was found; warnings may have been
	Checks  []Check   `json:"checks"`
}

// Check is one thing that was looked at.
type Check struct {
	Name     string    `json:"name"`     // stable: fencing quorum nodes clocks timeouts rules agents versions failures attention configuration daemons
	State    string    `json:"state"`    // ok, warning or error
	Text     string    `json:"text"`     // what holds, if all is well
	Findings []Problem `json:"findings"` // each with the command that mends it, where there is one
}

// StateOK is the state of a check that found nothing.
const StateOK = "ok"

// checkup looks at the whole cluster.
func (s *Server) checkup(ctx context.Context, q *request) (any, error) {
	live, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	st := Summarize(snap, live, s.planOf(ctx, snap, now), now)
	p := patient{c: snap.CIB, st: st, live: live, looks: s.lookAtAll(ctx, q.who, live), now: now}
	p.advice = s.advice(ctx, &snap.CIB.Configuration)
	out := p.examine()
	return &out, nil
}

// advice asks this node's agents which time-outs they advise, by agent and operation.
func (s *Server) advice(ctx context.Context, c *cib.Configuration) map[string][]AgentAction {
	catalog, ok := s.backend.(AgentCatalog)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, inspectMax)
	defer cancel()
	out := map[string][]AgentAction{}
	for _, r := range c.Primitives() {
		name := agentOf(c, r).String()
		if _, done := out[name]; done || strings.HasPrefix(name, "stonith:") || strings.HasPrefix(name, "systemd:") {
			continue
		}
		out[name] = nil
		if a, err := catalog.Agent(ctx, name); err == nil { // a node without the agent has no advice; the check of agents tells
			out[name] = a.Actions
		}
	}
	return out
}

// patient is what the doctor looks at. Its methods are pure.
type patient struct {
	c      *cib.CIB
	st     *Status
	live   Live
	looks  map[string]look
	advice map[string][]AgentAction
	now    time.Time
}

func (p patient) examine() Checkup {
	out := Checkup{Schema: Schema, Cluster: p.live.Cluster, Time: p.now, OK: true}
	for _, check := range []func() Check{
		p.fencing, p.quorum, p.nodes, p.clocks, p.timeouts, p.rules, p.agents, p.versions, p.failures, p.attention, p.configuration, p.daemons,
	} {
		c := check()
		c.State = StateOK
		for _, f := range c.Findings {
			if f.Severity == SeverityError {
				c.State = SeverityError
			} else if c.State == StateOK {
				c.State = SeverityWarning
			}
		}
		if c.Findings == nil {
			c.Findings = []Problem{}
		}
		out.OK = out.OK && c.State != SeverityError
		out.Checks = append(out.Checks, c)
	}
	return out
}

func (c *Check) add(severity, name, object, hint, format string, args ...any) {
	c.Findings = append(c.Findings, Problem{
		Name: name, Severity: severity, Object: object, What: fmt.Sprintf(format, args...), Hint: hint,
	})
}

// rehearsed is how old a successful fencing, or rehearsal of one, may be to count as a proof that it works.
const rehearsed = 180 * 24 * time.Hour

func (p patient) fencing() Check {
	c := Check{Name: "fencing", Text: "configured, and shown to work on every node"}
	f := p.st.Fencing
	cfg := &p.c.Configuration
	if !f.Enabled {
		c.add(SeverityError, "fencing-off", "", "paceline configure property fencing-enabled=true", "fencing is switched off")
	}
	if f.Watchdog != nil {
		for _, gap := range f.Watchdog.gaps() {
			c.add(SeverityError, "watchdog-gap", "", "docs/fencing.md says what fencing by watchdogs needs", "%s", gap)
		}
	}
	if f.Pills != nil {
		severity := SeverityWarning
		if f.Pills.Only {
			severity = SeverityError
		}
		for _, gap := range f.Pills.gaps() {
			c.add(severity, "pill-gap", "", "paceline fence sbd list shows the shared disks; docs/fencing.md says what they need", "%s", gap)
		}
	}
	if len(f.Devices) == 0 && f.Watchdog != nil {
		c.Text = fmt.Sprintf("by watchdogs alone; recovery waits up to %v", f.Watchdog.longest())
		return c
	}
	if len(f.Devices) == 0 {
		c.add(SeverityError, "no-fencing-device", "", "paceline ra list stonith, then paceline configure primitive NAME stonith:AGENT ...", "no fencing device is configured")
		return c
	}
	for _, b := range f.Blocked {
		c.add(SeverityError, "recovery-blocked", "", "paceline status names the ways out", "%s", b)
	}
	for _, id := range f.Devices {
		r := findStatus(p.st.Resources, id)
		switch {
		case r == nil || r.Disabled:
			if r != nil {
				c.add(SeverityWarning, "device-disabled", id, "paceline resource start "+id, "fencing device %s is stopped on purpose", id)
			}
		case len(r.Nodes) == 0:
			c.add(SeverityError, "device-not-running", id, "paceline explain "+id, "fencing device %s answers on no node", id)
		}
	}
	covered := coverage(cfg)
	for _, n := range p.st.Nodes {
		if n.Role == RoleWitness || n.Role == RoleRemote {
			continue
		}
		if covered != nil && !covered[strings.ToLower(n.Name)] {
			c.add(SeverityError, "node-not-fenceable", n.Name, "paceline configure edit "+f.Devices[0]+": add it to pcmk_host_list or pcmk_host_map",
				"no fencing device lists %s", n.Name)
			continue
		}
		hint := "paceline fence test " + n.Name + " (with --for-real, in a quiet hour: its services move)"
		switch last := testedOn(p.c, n.Name); {
		case last == nil:
			c.add(SeverityWarning, "fencing-untested", n.Name, hint, "fencing of %s has never been shown to work", n.Name)
		case !last.OK:
			c.add(SeverityError, "fencing-test-failed", n.Name, hint, "the last rehearsal of fencing %s failed: %s", n.Name, last.Detail)
		case p.now.Sub(last.When) > rehearsed:
			c.add(SeverityWarning, "fencing-untested", n.Name, hint, "fencing of %s was last shown to work on %s", n.Name, last.When.Format(time.DateOnly))
		}
	}
	return c
}

// coverage lists the nodes (in lower case) that static lists of devices name; nil if some device finds its targets itself.
func coverage(c *cib.Configuration) map[string]bool {
	out := map[string]bool{}
	for _, id := range fenceDevices(c) {
		r := c.Resource(id)
		hosts, listed := metaOf(r.Params, "pcmk_host_list")
		mapped, hasMap := metaOf(r.Params, "pcmk_host_map")
		if how, _ := metaOf(r.Params, "pcmk_host_check"); !listed && !hasMap || how == "dynamic-list" || how == "status" || how == "none" {
			return nil
		}
		words := strings.FieldsFunc(hosts, func(r rune) bool { return r == ' ' || r == ',' || r == ';' })
		for _, w := range strings.FieldsFunc(mapped, func(r rune) bool { return r == ' ' || r == ';' || r == '\t' }) {
			name, _, _ := strings.Cut(w, ":")
			words = append(words, name)
		}
		for _, w := range words {
			out[strings.ToLower(w)] = true
		}
	}
	return out
}

func (p patient) quorum() Check {
	v := p.live.Quorum
	c := Check{Name: "quorum", Text: v.Reason}
	switch {
	case !v.Quorate:
		c.add(SeverityError, "no-quorum", "", "paceline cluster status", "there is no quorum: %s", v.Reason)
	case v.Total == 2 && v.Witness == "":
		c.add(SeverityWarning, "two-voters", "", "paceline cluster join --witness TOKEN, on a third machine of any size",
			"two voters and no witness: after a loss everything hangs on the fencing device, and a node that starts alone waits for its peer")
	case v.Total > 1 && v.Votes == v.Needed && v.Votes < v.Total:
		c.add(SeverityWarning, "quorum-margin", "", "bring the missing nodes back",
			"%d voters of %d are heard and %d are needed: the next one that is lost takes the quorum with it", v.Votes, v.Total, v.Needed)
	}
	return c
}

func (p patient) nodes() Check {
	c := Check{Name: "nodes", Text: "all nodes are online"}
	for _, n := range p.st.Nodes {
		switch n.State {
		case NodeOnline:
			if n.Role != RoleWitness && n.Role != RoleRemote && !n.Session && !p.st.Stale && p.now.Sub(n.Since) > sessionGrace {
				c.add(SeverityError, "no-session", n.Name, "see that its port of peers is open, and its log", "the coordinator has no connection to %s", n.Name)
			}
		case NodeUnclean:
			c.add(SeverityError, "node-unclean", n.Name, "paceline explain or paceline status says what it waits for", "%s has to be fenced%s", n.Name, because(n.Cause))
		case NodeStandby:
			c.add(SeverityWarning, "node-standby", n.Name, "paceline node online "+n.Name, "%s is in standby: it takes over nothing", n.Name)
		case NodeMaintenance:
			c.add(SeverityWarning, "node-maintenance", n.Name, "paceline node ready "+n.Name, "%s is in maintenance: nothing there is monitored or recovered", n.Name)
		case NodeOffline, NodeLeft:
			c.add(SeverityWarning, "node-offline", n.Name, "start it; if it is gone for good: paceline cluster leave "+n.Name, "%s is %s%s", n.Name, n.State, because(n.Cause))
		}
	}
	return c
}

func because(cause string) string {
	if cause == "" {
		return ""
	}
	return " (" + cause + ")"
}

// skewMax is the difference of clocks that is worth a word: rules with dates, expiries of failures and bans, and people who
// read logs of two nodes all rely on the time of day. Leases and time-outs do not.
const skewMax = time.Second

func (p patient) clocks() Check {
	c := Check{Name: "clocks", Text: "the clocks of all nodes agree"}
	for _, name := range p.looked() {
		l := p.looks[name]
		if l.err != nil || name == p.live.Node {
			continue
		}
		// The node read its clock somewhere between question and answer: only what lies outside is a difference.
		var off time.Duration
		switch {
		case l.Time.Before(l.asked):
			off = l.asked.Sub(l.Time)
		case l.Time.After(l.answered):
			off = l.Time.Sub(l.answered)
		}
		if off > skewMax {
			c.add(SeverityWarning, "clock-skew", name, "chronyc makestep, or another time service, on "+name,
				"the clock of %s differs from that of %s by %v", name, p.live.Node, off.Round(100*time.Millisecond))
		}
	}
	return c
}

// looked lists the nodes that were asked, sorted.
func (p patient) looked() []string {
	var out []string
	for name := range p.looks {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// rules are the leftovers of moves and bans.
func (p patient) rules() Check {
	c := Check{Name: "rules", Text: "no move or ban has left a rule behind"}
	for _, l := range p.st.Leftovers {
		until := ""
		if !l.Expires.IsZero() {
			until = ", until " + l.Expires.Local().Format(time.DateTime)
		}
		c.add(SeverityWarning, "leftover-constraint", l.ID, "paceline resource clear "+l.Resource, "%s%s", l.Text, until)
	}
	return c
}

func (p patient) agents() Check {
	c := Check{Name: "agents", Text: "every node has the agents of all resources"}
	for _, name := range p.looked() {
		if err := p.looks[name].err; err != nil {
			c.add(SeverityWarning, "node-silent", name, "see the log of pacelined there", "%s could not be asked: %s", name, asError(err, "", "").Why)
		}
	}
	uses := map[string][]string{}
	var order []string
	for _, r := range p.c.Configuration.Primitives() {
		agent := agentOf(&p.c.Configuration, r).String()
		if agent == "" {
			continue
		}
		if uses[agent] == nil {
			order = append(order, agent)
		}
		uses[agent] = append(uses[agent], r.ID)
	}
	for _, agent := range order {
		var with, without []string
		for _, name := range p.looked() {
			l := p.looks[name]
			if l.err != nil || len(l.Agents) == 0 {
				continue
			}
			if slices.Contains(l.Agents, agent) || slices.Contains(l.Agents, agent+".service") {
				with = append(with, name)
			} else {
				without = append(without, name)
			}
		}
		class, _, _ := strings.Cut(agent, ":")
		switch {
		case len(without) == 0:
		case len(with) == 0:
			c.add(SeverityError, "agent-missing", agent, "install it; `paceline ra list "+class+"` shows what there is",
				"no node has the agent %s, which %s needs", agent, list(uses[agent]))
		default:
			c.add(SeverityWarning, "agent-missing", agent, "install it there, or keep the resource away with a location constraint",
				"%s has no agent %s: %s cannot run there", list(without), agent, list(uses[agent]))
		}
	}
	return c
}

func (p patient) versions() Check {
	c := Check{Name: "versions"}
	by := map[string][]string{}
	var all []string
	for _, n := range p.st.Nodes {
		if n.Version == "" || !n.Online {
			continue
		}
		if by[n.Version] == nil {
			all = append(all, n.Version)
		}
		by[n.Version] = append(by[n.Version], n.Name)
	}
	slices.Sort(all)
	if len(all) < 2 {
		c.Text = "all nodes run the same version"
		if len(all) == 1 {
			c.Text = "all nodes run paceline " + all[0]
		}
		return c
	}
	var words []string
	for _, v := range all {
		words = append(words, v+" on "+list(by[v]))
	}
	c.add(SeverityWarning, "versions-differ", "", "finish the upgrade, node by node", "the nodes run different versions: %s", strings.Join(words, ", "))
	return c
}

func (p patient) failures() Check {
	c := Check{Name: "failures", Text: "nothing has failed"}
	for _, f := range p.st.Failures {
		c.add(SeverityWarning, "failed-action", f.Resource, "paceline resource cleanup "+f.Resource+" "+f.Node, "on %s: %s", f.Node, failureText(f))
	}
	seen := map[string]bool{}
	for _, f := range p.st.Failures {
		seen[f.Resource+" "+f.Node] = true
	}
	for _, ns := range p.c.Status.Nodes {
		counts := failCounts(ns)
		var ids []string
		for id := range counts {
			ids = append(ids, id)
		}
		slices.Sort(ids)
		for _, id := range ids {
			if counts[id] == "INFINITY" && !seen[baseID(id)+" "+ns.Uname] {
				c.add(SeverityWarning, "failcount", id, "paceline resource cleanup "+baseID(id)+" "+ns.Uname, "%s may not run on %s any more: its fail count is INFINITY", id, ns.Uname)
			}
		}
	}
	return c
}

// attention is what people have taken out of the cluster's hands, and may have forgotten.
func (p patient) attention() Check {
	c := Check{Name: "attention", Text: "everything is in the cluster's hands"}
	if p.st.Maintenance {
		c.add(SeverityWarning, "maintenance", "", "paceline maintenance off", "the whole cluster is in maintenance mode")
	}
	var walk func(rs []Resource, covered string)
	walk = func(rs []Resource, covered string) {
		for _, r := range rs {
			said := covered
			if r.Disabled && !strings.Contains(said, "d") {
				c.add(SeverityWarning, "disabled", r.ID, "paceline resource start "+r.ID, "%s is stopped on purpose", r.ID)
				said += "d"
			}
			switch {
			case p.st.Maintenance || strings.Contains(said, "m"):
			case r.Maintenance:
				c.add(SeverityWarning, "maintenance", r.ID, "paceline resource maintenance "+r.ID+" off", "%s is in maintenance", r.ID)
				said += "m"
			case !r.Managed:
				c.add(SeverityWarning, "unmanaged", r.ID, "paceline resource manage "+r.ID, "%s is not managed", r.ID)
				said += "m"
			}
			if r.Kind == string(cib.KindPrimitive) && r.Role == "Stopped" && !r.Disabled && r.Pending == "" && !p.st.Transition.Running && !strings.Contains(covered, "c") {
				c.add(SeverityError, "not-running", r.ID, "paceline explain "+r.ID, "%s does not run%s", r.ID, because(r.Blocked))
			}
			if r.Kind == string(cib.KindBundle) {
				said += "c"
			}
			walk(r.Children, said)
		}
	}
	walk(p.st.Resources, "")
	return c
}

func (p patient) configuration() Check {
	c := Check{Name: "configuration", Text: "it is consistent"}
	for _, v := range cib.Validate(p.c) {
		f := problemOf(v)
		if f.Name == "configuration" {
			f.What = strings.TrimSpace(f.Object+" "+f.Attribute) + ": " + f.What
		}
		c.Findings = append(c.Findings, f)
	}
	slices.SortStableFunc(c.Findings, func(a, b Problem) int { return cmp.Compare(a.Severity, b.Severity) })
	return c
}

// daemons is what they find wrong themselves: disks, refused peers, foreign packets.
func (p patient) daemons() Check {
	c := Check{Name: "daemons", Text: "no daemon reports anything wrong"}
	c.Findings = append(c.Findings, p.live.Problems...)
	return c
}

func findStatus(rs []Resource, id string) *Resource {
	for i := range rs {
		if rs[i].ID == id {
			return &rs[i]
		}
		if r := findStatus(rs[i].Children, id); r != nil {
			return r
		}
	}
	return nil
}
