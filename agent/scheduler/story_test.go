package scheduler

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

var update = flag.Bool("update", false, "rewrite the outcomes in testdata")

// TestStories plays the files in testdata: commands that build and change a cluster, and after each "plan" the outcome.
//
//	node a b              members that are up
//	option NAME VALUE     a cluster option
//	capacity NODE NAME N  what a node has; needs.NAME=N is what a primitive takes of it
//	primitive ID k=v ...  op.NAME=INTERVAL[/ON-FAIL[/ROLE]] adds an operation, class=C is the agent's, the rest are meta attributes
//	remote ID op.NAME=... a remote node, and the resource that connects to it
//	bundle ID N PRIMITIVE N replicas of a container with a primitive in it
//	group ID a b ...      and clone ID a k=v ... take what was made before
//	discover R NODE MODE  a location that says where to probe
//	locate R NODE SCORE, colocate R WITH SCORE, order FIRST THEN [KIND]
//	meta R k=v            changes a meta attribute; param R k=v a parameter
//	fail R NODE OP RC     an operation failed (and its fail count rises)
//	history R NODE OP RC  an operation ended so; OP is NAME or NAME:INTERVAL_MS, and R may have an instance number; status=N,
//	                      digest=D (of no parameters, if not given), restart=D/NAMES (the parameters whose change needs a restart), at=SECONDS, target=NODE
//	                      (of a migration) may follow
//	count R NODE OP N     the fail count of an operation, OP as in monitor_10000
//	lose NODE             the node is gone; leave NODE: it wants to shut down; standby NODE on|off; pending NODE
//	score NODE R N        a promotion score
//	quorum yes|no, after DURATION
//	run                   plans and applies until nothing is left to do
//	plan                  shows the plan, and applies nothing; then applies it: do
//	details               shows the parameters and notification lists of the plan's actions
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.story")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".story"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := &story{c: &cib.CIB{Header: cib.Header{HaveQuorum: "1"}}, now: time.Unix(1000000, 0), parts: map[string]*cib.Resource{}}
	var out strings.Builder
	for _, block := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		commands, _, _ := strings.Cut(block, "\n----\n")
		commands = strings.TrimSuffix(commands, "\n----")
		s.out.Reset()
		for _, line := range strings.Split(commands, "\n") {
			if err := s.command(line); err != nil {
				t.Fatalf("%s: %q: %v", file, line, err)
			}
		}
		if out.Len() > 0 {
			out.WriteString("\n")
		}
		out.WriteString(commands + "\n")
		if s.out.Len() > 0 {
			out.WriteString("----\n" + s.out.String())
		}
	}
	if *update {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got := out.String(); got != string(text) {
		t.Errorf("%s: the outcome differs; got\n%s", file, got)
	}
}

// story is a cluster that commands change.
type story struct {
	c     *cib.CIB
	now   time.Time
	parts map[string]*cib.Resource // made, not yet at top level
	out   strings.Builder
}

func (s *story) command(line string) error {
	f := strings.Fields(line)
	if len(f) == 0 || strings.HasPrefix(line, "#") {
		return nil
	}
	conf := &s.c.Configuration
	switch f[0] {
	case "node":
		for _, n := range f[1:] {
			addMember(s.c, n)
		}
	case "option":
		if len(conf.Options) == 0 {
			conf.Options = []cib.NVSet{optionSet()}
		}
		setPair(&conf.Options[0], f[1], f[2])
	case "capacity":
		for _, n := range conf.Nodes {
			if n.ID == f[1] {
				n.Utilization = meta(f[2], f[3])
			}
		}
	case "primitive":
		s.primitive(f[1], f[2:])
	case "remote":
		s.primitive(f[1], f[2:])
		s.parts[f[1]].Agent = cib.Agent{Class: "ocf", Provider: "pacemaker", Type: "remote"}
	case "bundle":
		s.bundle(f[1], f[2], s.take(f[3]))
	case "group":
		g := &cib.Resource{ID: f[1], Kind: cib.KindGroup}
		for _, m := range f[2:] {
			g.Children = append(g.Children, s.take(m))
		}
		s.put(g)
	case "clone":
		k := &cib.Resource{ID: f[1], Kind: cib.KindClone, Children: []*cib.Resource{s.take(f[2])}}
		setMeta(k, f[3:])
		s.put(k)
	case "locate":
		conf.Constraints = append(conf.Constraints, &cib.Constraint{Location: &cib.Location{ID: "l-" + f[1] + "-" + f[2],
			Resource: f[1], Node: f[2], Score: f[3]}})
	case "discover":
		conf.Constraints = append(conf.Constraints, &cib.Constraint{Location: &cib.Location{ID: "d-" + f[1] + "-" + f[2],
			Resource: f[1], Node: f[2], Score: "0", Discovery: f[3]}})
	case "colocate":
		k := &cib.Colocation{ID: "c-" + f[1] + "-" + f[2], Resource: f[1], With: f[2], Score: f[3]}
		if with, role, ok := strings.Cut(f[2], ":"); ok {
			k.With, k.WithRole = with, role
		}
		conf.Constraints = append(conf.Constraints, &cib.Constraint{Colocation: k})
	case "order":
		o := &cib.Order{ID: "o-" + f[1] + "-" + f[2], First: f[1], Then: f[2], Kind: "Mandatory"}
		if r, a, ok := strings.Cut(f[1], ":"); ok {
			o.First, o.FirstAction, o.ThenAction = r, a, "start"
		}
		if len(f) > 3 {
			o.Kind = f[3]
		}
		conf.Constraints = append(conf.Constraints, &cib.Constraint{Order: o})
	case "param":
		k, v, _ := strings.Cut(f[2], "=")
		r := s.c.Resource(f[1])
		r.Params = []cib.NVSet{{Pairs: []cib.NVPair{{Name: k, Value: v}}}}
	case "meta":
		setMeta(s.c.Resource(f[1]), f[2:])
	default:
		return s.event(f)
	}
	return nil
}

func (s *story) event(f []string) error {
	switch f[0] {
	case "fail":
		s.fail(f[1], f[2], f[3], f[4])
	case "count":
		s.transient(f[2], "fail-count-"+f[1]+"#"+f[3], f[4])
	case "history":
		recorded(s.history(f[1], f[2], f[3], f[4]), f[5:])
	case "lose":
		n := s.c.NodeState(f[1])
		n.InCCM, n.CRMD, n.Join = "false", "offline", "down"
	case "join":
		n := s.c.NodeState(f[1])
		n.InCCM, n.CRMD, n.Join, n.Expected = "true", "online", "member", "member"
	case "pending":
		n := s.c.NodeState(f[1])
		n.InCCM, n.CRMD, n.Join, n.Expected = "true", "online", "down", "down"
	case "leave":
		s.transient(f[1], "shutdown", "1")
	case "standby":
		s.transient(f[1], "standby", f[2])
	case "maintenance":
		s.transient(f[1], "maintenance", f[2])
	case "score":
		s.transient(f[1], "master-"+f[2], f[3])
	case "quorum":
		s.c.Header.HaveQuorum = map[string]string{"yes": "1", "no": "0"}[f[1]]
	case "after":
		d, err := time.ParseDuration(f[1])
		if err != nil {
			return err
		}
		s.now = s.now.Add(d)
	case "run":
		return s.run()
	case "plan":
		s.show(Plan(s.c, s.now))
	case "details":
		s.details(Plan(s.c, s.now))
	case "do":
		applyAll(s.c, Plan(s.c, s.now), s.now)
	default:
		return fmt.Errorf("no such command")
	}
	return nil
}

// run plans and applies until nothing is left to do.
func (s *story) run() error {
	for range 8 {
		p := Plan(s.c, s.now)
		if len(p.Graph.Actions) == 0 {
			return nil
		}
		applyAll(s.c, p, s.now)
	}
	return fmt.Errorf("the cluster does not come to rest")
}

func (s *story) primitive(id string, args []string) {
	r := primitive(id)
	var rest []string
	for _, a := range args {
		k, v, _ := strings.Cut(a, "=")
		switch {
		case strings.HasPrefix(k, "op."):
			of := append(strings.Split(v, "/"), "", "")
			r.Operations.Ops = append(r.Operations.Ops, &cib.Op{Name: k[3:], Interval: of[0], OnFail: of[1], Role: of[2]})
		case strings.HasPrefix(k, "needs."):
			r.Utilization = meta(k[6:], v)
		case k == "class":
			r.Agent.Class = v
			if v != "ocf" {
				r.Agent.Provider = ""
			}
		default:
			rest = append(rest, a)
		}
	}
	setMeta(r, rest)
	s.put(r)
}

// bundle makes containers, which have the network of their host, with a primitive in each.
func (s *story) bundle(id, replicas string, inner *cib.Resource) {
	s.put(&cib.Resource{ID: id, Kind: cib.KindBundle, Children: []*cib.Resource{inner}, Bundle: &cib.Bundle{Runtime: "podman",
		Options: []cib.Attr{{Name: "image", Value: "image"}, {Name: "replicas", Value: replicas}}, Network: &cib.BundleNet{}}})
}

func (s *story) put(r *cib.Resource) {
	s.parts[r.ID] = r
	s.c.Configuration.Resources = append(s.c.Configuration.Resources, r)
}

// take takes a resource out of the top level, to put it into a collection.
func (s *story) take(id string) *cib.Resource {
	list := s.c.Configuration.Resources
	for i, r := range list {
		if r.ID == id {
			s.c.Configuration.Resources = append(list[:i:i], list[i+1:]...)
			return r
		}
	}
	return primitive(id)
}

func setMeta(r *cib.Resource, pairs []string) {
	if len(r.Meta) == 0 {
		r.Meta = []cib.NVSet{{}}
	}
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		setPair(&r.Meta[0], k, v)
	}
}

func setPair(s *cib.NVSet, name, value string) {
	for i := range s.Pairs {
		if s.Pairs[i].Name == name {
			s.Pairs[i].Value = value
			return
		}
	}
	s.Pairs = append(s.Pairs, cib.NVPair{Name: name, Value: value})
}

func (s *story) transient(node, name, value string) {
	n := s.c.NodeState(node)
	if len(n.Attributes) == 0 {
		n.Attributes = []cib.NVSet{{}}
	}
	setPair(&n.Attributes[0], name, value)
}

// fail records that an operation failed.
func (s *story) fail(id, node, op, rc string) {
	h := s.historyOf(id, node)
	drop(h, func(o *cib.OpRecord) bool { return o.ID == id+"_last_failure_0" })
	o := s.history(id, node, op, rc)
	for _, before := range h.Ops {
		if before != o && before.Operation == o.Operation && before.IntervalMS == o.IntervalMS {
			o.OpDigest = before.OpDigest // it had the parameters that it had before
		}
	}
	o.ID, o.LastRCChange = id+"_last_failure_0", strconv.FormatInt(s.now.Unix(), 10)
	attr := id + "#" + o.Operation + "_" + o.IntervalMS
	count := "1"
	if o.Operation == "start" {
		count = "INFINITY"
	}
	s.transient(node, "fail-count-"+attr, count)
	s.transient(node, "last-failure-"+attr, o.LastRCChange)
}

func (s *story) historyOf(id, node string) *cib.ResourceHistory {
	n := s.c.NodeState(node)
	for _, h := range n.Resources {
		if h.ID == id {
			return h
		}
	}
	h := &cib.ResourceHistory{ID: id, Agent: primitive(id).Agent}
	base, _ := splitInstance(id)
	if r := s.parts[base]; r != nil {
		h.Agent = r.Agent
	}
	n.Resources = append(n.Resources, h)
	return h
}

// history records the end of an operation.
func (s *story) history(id, node, op, rc string) *cib.OpRecord {
	name, interval, ok := strings.Cut(op, ":")
	if !ok {
		interval = "0"
	}
	last := 0
	for _, r := range s.c.NodeState(node).Resources {
		for _, o := range r.Ops {
			call, _ := strconv.Atoi(o.CallID)
			last = max(last, call)
		}
	}
	h := s.historyOf(id, node)
	o := &cib.OpRecord{ID: id + "_" + name + "_" + interval, Operation: name, IntervalMS: interval, RC: rc, OpStatus: "0",
		CallID: strconv.Itoa(last + 1), TransitionKey: "1:1:0:test", LastRCChange: "1"}
	if interval == "0" {
		o.OpDigest = cib.ParametersDigest(nil)
	}
	h.Ops = append(h.Ops, o)
	return o
}

// recorded adds details to a record of history.
func recorded(o *cib.OpRecord, pairs []string) {
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		switch k {
		case "status":
			o.OpStatus = v
		case "target":
			o.MigrateTarget = v
		case "at":
			o.LastRCChange = v
		case "digest":
			o.OpDigest = v
		case "restart":
			o.RestartDigest, o.ForceRestart, _ = strings.Cut(v, "/")
		}
	}
}

// details writes what is told to the agents.
func (s *story) details(p *Result) {
	for _, a := range p.Graph.Actions {
		if a.Kind == transition.KindPseudo {
			continue
		}
		fmt.Fprintln(&s.out, showAction(a))
		for _, m := range []struct {
			name string
			of   map[string]string
		}{{"param", a.Params}, {"arg", a.Args}} {
			for _, k := range slices.Sorted(maps.Keys(m.of)) {
				fmt.Fprintf(&s.out, "    %s %s=%s\n", m.name, k, m.of[k])
			}
		}
		for _, k := range slices.Sorted(maps.Keys(a.NotifyLists)) {
			fmt.Fprintf(&s.out, "    %s %v\n", k, a.NotifyLists[k])
		}
	}
}

// show writes a plan: its real actions with their order and reasons, what is blocked, and what is said of resources.
func (s *story) show(p *Result) {
	for _, a := range p.Graph.Actions {
		if a.Kind == transition.KindPseudo {
			continue
		}
		fmt.Fprintf(&s.out, "%s%s\n", showAction(a), showReason(a.Reason))
		for _, b := range realBefore(p.Graph, a) {
			fmt.Fprintf(&s.out, "    after %s\n", b)
		}
	}
	if len(p.Graph.Actions) == 0 {
		s.out.WriteString("nothing to do\n")
	}
	for _, b := range p.Blocked {
		fmt.Fprintf(&s.out, "blocked: %s %s on %s: %s\n", b.Operation, b.Resource, b.Node, b.Text)
	}
	for _, r := range p.Reasons {
		fmt.Fprintf(&s.out, "# %s\n", r.Text)
	}
	for _, x := range p.Problems {
		fmt.Fprintf(&s.out, "problem: %s\n", x)
	}
	if !p.Recheck.IsZero() {
		fmt.Fprintf(&s.out, "again in %s\n", p.Recheck.Sub(s.now))
	}
}

func showAction(a *transition.Action) string {
	words := []string{a.Operation, a.Resource}
	if a.IntervalMS > 0 {
		words = append(words, fmt.Sprintf("every %dms", a.IntervalMS))
	}
	if a.Notify != "" {
		words[0] += "(" + a.Notify + ")"
	}
	return strings.Join(append(words, "on", a.Node), " ")
}

func showReason(why string) string {
	if why == "" {
		return ""
	}
	return ": " + why
}

// realBefore names the real actions that an action waits for directly, or through pseudo actions.
func realBefore(g *transition.Graph, a *transition.Action) []string {
	var names []string
	for _, b := range g.RealBefore(a) {
		names = append(names, showAction(b))
	}
	sort.Strings(names)
	return names
}
