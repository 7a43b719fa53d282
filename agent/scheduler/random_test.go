package scheduler

import (
	"fmt"
	"strconv"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"

	"paceline/agent/cib"
)

// drawer draws the parts of a random cluster. Everything has an ID, so that other schedulers can read it too.
type drawer struct {
	t     *rapid.T
	c     *cib.CIB
	ids   []string // of top-level resources
	nodes []string
	loops bool // constraints may form loops and contradict each other
	tied  map[string]bool
	clone bool // the primitive being drawn is in a clone
}

func (d *drawer) one(what string, from ...string) string {
	return rapid.SampledFrom(from).Draw(d.t, what)
}

// rarely is true once in so many times.
func (d *drawer) rarely(what string, in int) bool { return rapid.IntRange(1, in).Draw(d.t, what) == in }

func (d *drawer) number(what string, least, most int) int {
	return rapid.IntRange(least, most).Draw(d.t, what)
}

// randomCluster draws a small cluster with whatever resources and constraints, in which nothing runs yet. Where loops are
// allowed, what depends on another may be what that depends on, and two of them may be tied in several ways.
func randomCluster(t *rapid.T, loops bool) *cib.CIB {
	d := &drawer{t: t, c: &cib.CIB{Header: cib.Header{HaveQuorum: "1"}}, loops: loops, tied: map[string]bool{}}
	d.options()
	for i := range d.number("nodes", 1, 4) {
		name := fmt.Sprintf("n%d", i)
		d.nodes = append(d.nodes, name)
		addMember(d.c, name)
		d.c.Configuration.Nodes[i].Attributes = meta("zone", d.one("zone", "east", "west"))
	}
	for i := range d.number("resources", 1, 5) {
		r := d.resource(i)
		d.ids = append(d.ids, r.ID)
		d.c.Configuration.Resources = append(d.c.Configuration.Resources, r)
	}
	for i := range d.number("constraints", 0, 5) {
		d.c.Configuration.Constraints = append(d.c.Configuration.Constraints, d.constraint(fmt.Sprintf("k%d", i)))
	}
	nameSets(d.c)
	return d.c
}

func (d *drawer) options() {
	options := []string{"stonith-enabled", "false"}
	if d.rarely("fencing", 2) {
		options[1] = "true"
		device := &cib.Resource{ID: "power", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "stonith", Type: "fence_xvm"}}
		d.c.Configuration.Resources = append(d.c.Configuration.Resources, device)
	}
	if d.rarely("opt-in", 8) {
		options = append(options, "symmetric-cluster", "false")
	}
	if d.rarely("strategy", 6) {
		options = append(options, "placement-strategy", d.one("placement", "utilization", "balanced", "minimal"))
	}
	if d.rarely("first-failure", 6) {
		options = append(options, "start-failure-is-fatal", "false")
	}
	d.c.Configuration.Options = []cib.NVSet{optionSet(options...)}
}

func (d *drawer) primitive(id string, promotable bool) *cib.Resource {
	p := primitive(id)
	pairs := []string{"resource-stickiness", d.one("sticky", "0", "1", "100", "INFINITY")}
	if d.rarely("limited", 5) {
		pairs = append(pairs, "migration-threshold", d.one("threshold", "1", "2"))
	}
	if d.rarely("ranked", 5) {
		pairs = append(pairs, "priority", d.one("priority", "5", "10"))
	}
	if d.rarely("not started", 12) {
		pairs = append(pairs, "target-role", "Stopped")
	}
	p.Meta = meta(pairs...)
	if d.rarely("monitored", 2) {
		op := &cib.Op{Name: "monitor", Interval: "10s"}
		if d.rarely("severe", 5) {
			op.OnFail = d.one("on-fail", "stop", "block", "ignore", "standby")
			if op.OnFail == "stop" && d.clone {
				op.OnFail = "restart" // another instance would start in the place of the one that is stopped, for ever
			}
		}
		p.Operations.Ops = append(p.Operations.Ops, op)
		if promotable {
			p.Operations.Ops = append(p.Operations.Ops, &cib.Op{Name: "monitor", Interval: "5s", Role: "Promoted"})
		}
	}
	return p
}

func (d *drawer) resource(i int) *cib.Resource {
	name := func(n int) string { return fmt.Sprintf("r%d%c", i, 'a'+n) }
	group := func(id string, promotable bool) *cib.Resource {
		g := &cib.Resource{ID: id, Kind: cib.KindGroup}
		for n := range d.number("members", 1, 3) {
			g.Children = append(g.Children, d.primitive(name(n), promotable))
		}
		return g
	}
	switch d.number("kind", 0, 7) {
	case 0, 1:
		return group(fmt.Sprintf("g%d", i), false)
	case 2, 3, 4:
		return d.cloned(i, name(0), group)
	}
	p := d.primitive(name(0), false)
	if d.rarely("mobile", 4) {
		p.Meta[0].Pairs = append(p.Meta[0].Pairs, cib.NVPair{Name: "allow-migrate", Value: "true"})
	}
	return p
}

func (d *drawer) cloned(i int, name string, group func(string, bool) *cib.Resource) *cib.Resource {
	k := &cib.Resource{ID: fmt.Sprintf("c%d", i), Kind: cib.KindClone}
	promotable := d.rarely("promotable", 3)
	d.clone = true
	defer func() { d.clone = false }()
	if d.rarely("of a group", 4) {
		k.Children = []*cib.Resource{group(fmt.Sprintf("g%d", i), promotable)}
	} else {
		k.Children = []*cib.Resource{d.primitive(name, promotable)}
	}
	pairs := []string{"interleave", d.one("interleave", "true", "false"), "promotable", strconv.FormatBool(promotable)}
	if d.rarely("few", 4) {
		pairs = append(pairs, "clone-max", d.one("clone-max", "1", "2", "3"))
	}
	if d.rarely("ordered", 5) {
		pairs = append(pairs, "ordered", "true")
	}
	if d.rarely("notified", 5) {
		pairs = append(pairs, "notify", "true")
	}
	k.Meta = meta(pairs...)
	return k
}

func (d *drawer) constraint(id string) *cib.Constraint {
	score := d.one("score", "INFINITY", "-INFINITY", "100", "-100", "INFINITY", "50")
	one := func(what string) string { return d.one(what, d.ids...) }
	kind := d.number("constraint", 0, 3)
	if len(d.ids) == 1 {
		kind = 0 // a resource is not tied to itself
	}
	first, then := "", ""
	if kind > 0 {
		first, then = d.two("first", "then")
		if tie := fmt.Sprint(kind == 1, first, then); d.tied[tie] && !d.loops {
			kind = 0
		} else {
			d.tied[tie] = true
		}
	}
	switch kind {
	case 0:
		l := &cib.Location{ID: id, Resource: one("rsc"), Score: score, Node: d.one("node", d.nodes...)}
		if d.rarely("by rule", 3) {
			l.Score, l.Node = "", ""
			l.Rules = []*cib.Rule{{ID: id + "-rule", Score: score, Expressions: []cib.Expression{{Attribute: &cib.AttributeExpr{
				ID: id + "-expr", Attribute: "zone", Operation: d.one("operation", "eq", "ne"), Value: "east"}}}}}
		}
		return &cib.Constraint{Location: l}
	case 1:
		k := &cib.Colocation{ID: id, Resource: then, With: first, Score: score}
		if r := d.find(k.With); r.Kind == cib.KindClone && r.Promotable() && d.rarely("with role", 2) {
			k.WithRole = "Promoted"
		}
		return &cib.Constraint{Colocation: k}
	case 2:
		if len(d.ids) > 2 && d.rarely("as sets", 4) {
			i := d.number("first of three", 0, len(d.ids)-3)
			return &cib.Constraint{Order: &cib.Order{ID: id, Kind: "Mandatory", Sets: []cib.ResourceSet{
				{ID: id + "-s0", Resources: d.ids[i : i+2], Sequential: d.one("sequential", "true", "false")},
				{ID: id + "-s1", Resources: d.ids[i+2 : i+3]}}}}
		}
	}
	o := &cib.Order{ID: id, First: first, Then: then, Kind: d.one("order", "Mandatory", "Optional", "Serialize")}
	if o.Kind != "Serialize" && d.rarely("one way", 4) {
		o.Symmetrical = "false"
	}
	if r := d.find(o.First); r.Kind == cib.KindClone && r.Promotable() && d.rarely("promote first", 2) {
		o.FirstAction, o.ThenAction = "promote", "start"
	}
	return &cib.Constraint{Order: o}
}

// two draws two different resources, the second of which may depend on the first.
func (d *drawer) two(one, other string) (string, string) {
	i := d.number(one, 0, len(d.ids)-1)
	j := (i + d.number(other, 1, len(d.ids)-1)) % len(d.ids)
	if !d.loops && i > j {
		i, j = j, i
	}
	return d.ids[i], d.ids[j]
}

func (d *drawer) find(id string) *cib.Resource { return d.c.Resource(id) }

// nameSets gives IDs to whatever has none.
func nameSets(c *cib.CIB) {
	next := 0
	fill := func(id *string) {
		if next++; *id == "" {
			*id = fmt.Sprintf("id%d", next)
		}
	}
	sets := func(list []cib.NVSet) {
		for i := range list {
			fill(&list[i].ID)
			for j := range list[i].Pairs {
				fill(&list[i].Pairs[j].ID)
			}
		}
	}
	sets(c.Configuration.Options)
	for _, n := range c.Configuration.Nodes {
		sets(n.Attributes)
	}
	for r := range c.Configuration.Walk() {
		sets(r.Meta)
		for _, o := range r.Operations.Ops {
			fill(&o.ID)
		}
	}
	for _, s := range c.Status.Nodes {
		sets(s.Attributes)
	}
}

// disturb lets something happen to a cluster at rest.
func disturb(t *rapid.T, c *cib.CIB) {
	s := rapid.SampledFrom(c.Status.Nodes).Draw(t, "where")
	switch rapid.IntRange(0, 4).Draw(t, "event") {
	case 0:
		s.InCCM, s.CRMD, s.Join = "false", "offline", "down"
	case 1:
		addTransient(s, "standby", "on")
	case 2:
		if len(s.Resources) > 0 {
			failMonitor(s, rapid.SampledFrom(s.Resources).Draw(t, "failed"))
		}
	case 3:
		promote(t, c, s)
	case 4:
		if list := c.Configuration.Constraints; len(list) > 0 {
			gone := rapid.SampledFrom(list).Draw(t, "constraint removed")
			var kept []*cib.Constraint
			for _, k := range c.Configuration.Constraints {
				if k != gone {
					kept = append(kept, k)
				}
			}
			c.Configuration.Constraints = kept
		}
	}
	nameSets(c)
}

// promote lets an agent say that its instance there may be promoted.
func promote(t *rapid.T, c *cib.CIB, s *cib.NodeState) {
	for r, parent := range c.Configuration.Walk() {
		if r.Kind == cib.KindPrimitive && parent != nil && parent.Kind == cib.KindClone && parent.Promotable() {
			addTransient(s, "master-"+r.ID, rapid.SampledFrom([]string{"5", "10", "100"}).Draw(t, "promotion score"))
		}
	}
}

func addTransient(s *cib.NodeState, name, value string) {
	if len(s.Attributes) == 0 {
		s.Attributes = []cib.NVSet{{}}
	}
	setPair(&s.Attributes[0], name, value)
}

// testUUID is the part of a transition key that tells whose transition it was.
const testUUID = "6e6f6465-0000-4000-8000-000000000001"

// failMonitor records that a recurring monitor found the resource failed.
func failMonitor(s *cib.NodeState, h *cib.ResourceHistory) {
	last, digest := 0, ""
	for _, r := range s.Resources {
		for _, o := range r.Ops {
			n, _ := strconv.Atoi(o.CallID)
			last = max(last, n)
			if r == h && o.IntervalMS == "10000" {
				digest = o.OpDigest
			}
		}
	}
	if digest == "" {
		return // it has no such monitor
	}
	h.Ops = append(h.Ops, &cib.OpRecord{ID: h.ID + "_last_failure_0", Key: h.ID + "_monitor_10000", Operation: "monitor", IntervalMS: "10000", RC: "1", OpStatus: "0",
		OpDigest: digest, CallID: strconv.Itoa(last + 1), TransitionKey: "1:1:0:" + testUUID, LastRCChange: "1"})
	addTransient(s, "fail-count-"+h.ID+"#monitor_10000", "1")
	addTransient(s, "last-failure-"+h.ID+"#monitor_10000", "1")
}
