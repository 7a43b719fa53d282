package scheduler

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
)

// unpackResources builds the tree of resources and instances.
func (w *world) unpackResources() {
	w.byRsc = map[string]*rsc{}
	for _, c := range w.cib.Configuration.Resources {
		if r := w.build(c, nil, ""); r != nil {
			w.top = append(w.top, r)
		}
	}
	for _, r := range append([]*rsc(nil), w.all...) {
		if r.container == nil {
			w.linkContainer(r)
		}
	}
	sortByPriority(w.top)
}

// guestNodes adds the nodes that resources bring: remote nodes, guests, and the replicas of bundles.
func (w *world) guestNodes() {
	for c, parent := range w.cib.Configuration.Walk() {
		switch {
		case c.Kind == cib.KindBundle:
			w.bundleNodes(c)
		case c.Kind == cib.KindPrimitive && isRemoteAgent(w.agentOf(c)):
			w.remoteNode(c.ID, kindRemote)
		case c.Kind == cib.KindPrimitive:
			// A guest's own primitive may not be in a bundle or a clone: it would not be one machine.
			if name, ok := w.ownMeta(c)["remote-node"]; ok && name != c.ID &&
				(parent == nil || parent.Kind == cib.KindGroup) {
				w.remoteNode(name, kindGuest)
			}
		}
	}
}

func (w *world) remoteNode(name string, kind nodeKind) *node {
	if n := w.byName[name]; n != nil {
		n.kind = kind
		return n
	}
	return w.addNode(name, name, kind)
}

func isRemoteAgent(a cib.Agent) bool {
	return a.Class == "ocf" && a.Provider == "pacemaker" && a.Type == "remote"
}

// template returns the template of a primitive, or nil.
func (w *world) template(c *cib.Resource) *cib.Resource {
	if c.Template == "" {
		return nil
	}
	for _, t := range w.cib.Configuration.Templates {
		if t.ID == c.Template {
			return t
		}
	}
	w.problem("resource " + c.ID + ": there is no template " + c.Template)
	return nil
}

func (w *world) agentOf(c *cib.Resource) cib.Agent {
	if t := w.template(c); t != nil && c.Agent.Type == "" {
		return t.Agent
	}
	return c.Agent
}

// ownMeta returns the meta attributes of a resource and its template, without what it inherits.
func (w *world) ownMeta(c *cib.Resource) map[string]string {
	out := w.values(c.Meta, scope{})
	if t := w.template(c); t != nil {
		w.valuesInto(out, t.Meta, scope{})
	}
	return out
}

// build makes the resource of a configuration element and everything in it. suffix is ":N" inside of a clone.
func (w *world) build(c *cib.Resource, parent *rsc, suffix string) *rsc {
	id := c.ID + suffix
	if w.byRsc[id] != nil {
		w.problem("resource " + id + " is configured twice; the second is ignored")
		return nil
	}
	r := &rsc{
		id: id, base: c.ID, conf: c, kind: c.Kind, parent: parent,
		role: roleStopped, next: roleUnknown, managed: true, number: -1,
	}
	w.all = append(w.all, r)
	w.byRsc[id] = r
	r.agent = w.agentOf(c)
	w.unpackMeta(r)
	w.unpackSettings(r)
	r.scores = w.blankScores(r)
	switch c.Kind {
	case cib.KindPrimitive:
		w.unpackPrimitive(r)
	case cib.KindGroup:
		for _, k := range c.Children {
			if kid := w.build(k, r, suffix); kid != nil {
				r.kids = append(r.kids, kid)
			}
		}
	case cib.KindClone:
		w.unpackClone(r)
	case cib.KindBundle:
		w.unpackBundle(r)
	}
	return r
}

// blankScores gives every node the score that it has before any constraint speaks.
func (w *world) blankScores(r *rsc) []int {
	s := make([]int, len(w.nodes))
	for i, n := range w.nodes {
		switch {
		case n.kind == kindPing, n.bundle:
			s[i] = absent // containers of bundles are for what the bundle holds
		case w.opts.symmetric && (n.kind != kindGuest || n.conn == nil || n.conn.parent == nil):
			s[i] = n.score
		default:
			s[i] = absent
		}
	}
	return s
}

func (w *world) unpackMeta(r *rsc) {
	r.meta = map[string]string{}
	at := scope{agent: &r.agent}
	set := func(sets []cib.NVSet) {
		own := map[string]string{}
		w.valuesInto(own, sets, at)
		for k, v := range own {
			if _, have := r.meta[k]; !have {
				r.meta[k] = v
			}
		}
	}
	set(r.conf.Meta)
	r.params = append(r.params, cib.OrderSets(r.conf.Params)...)
	if t := w.template(r.conf); t != nil && r.primitive() {
		set(t.Meta)
		r.params = append(r.params, cib.OrderSets(t.Params)...)
	}
	if p := r.parent; p != nil {
		for k, v := range p.meta {
			if _, have := r.meta[k]; !have {
				r.meta[k] = v
			}
		}
		r.params = append(r.params, p.params...)
	}
	set(w.cib.Configuration.RscDefaults)
	r.util = map[string]int{}
	raw := w.values(r.conf.Utilization, at)
	if t := w.template(r.conf); t != nil {
		w.valuesInto(raw, t.Utilization, at)
	}
	for k, v := range raw {
		r.util[k], _ = strconv.Atoi(v)
	}
}

// unpackSettings interprets the meta attributes that every kind of resource has.
func (w *world) unpackSettings(r *rsc) {
	score := func(name string, def int) int {
		v, ok := r.meta[name]
		if !ok {
			return def
		}
		n, err := cib.ParseScore(v)
		if err != nil {
			w.problem(fmt.Sprintf("resource %s: %s: %v; %d is used", r.id, name, err, def))
			return def
		}
		return n
	}
	r.priority = score("priority", 0)
	sticky := 0
	if r.inClone() != nil {
		sticky = 1
	}
	r.sticky = score("resource-stickiness", sticky)
	r.threshold = max(0, score("migration-threshold", infinity))
	r.managed = w.flag(r, "is-managed", true)
	r.maintenance = w.flag(r, "maintenance", false)
	if r.maintenance || w.opts.maintenance {
		r.managed = false
	}
	r.critical = w.flag(r, "critical", true)
	r.colocated = w.flag(r, "collocated", true)
	r.ordered = w.flag(r, "ordered", true)
	if v, ok := r.meta["failure-timeout"]; ok {
		if ms, err := cib.ParseMilliseconds(v); err == nil && ms > 0 {
			r.failTimeout = ms
		}
	}
	r.backoff, r.backoffMax = w.span(r, "failure-backoff", 0), w.span(r, "failure-backoff-max", backoffMaxDefault)
	switch v := r.meta["multiple-active"]; v {
	case "", "stop_start":
		r.recovery = multiStopStart
	case "stop_only":
		r.recovery = multiStopOnly
	case "block":
		r.recovery = multiBlock
	case "stop_unexpected":
		r.recovery = multiStopUnexpected
	default:
		w.problem(fmt.Sprintf("resource %s: multiple-active=%q is unknown; stop_start is used", r.id, v))
	}
	w.unpackTarget(r)
}

// span reads an amount of time among the meta attributes.
func (w *world) span(r *rsc, name string, def time.Duration) time.Duration {
	v, ok := r.meta[name]
	if !ok {
		return def
	}
	ms, err := cib.ParseMilliseconds(v)
	if err != nil || ms < 0 || ms > int64(backoffLongest/time.Millisecond) {
		w.problem(fmt.Sprintf("resource %s: %s=%q is no amount of time up to %v; %v is used", r.id, name, v, backoffLongest, def))
		return def
	}
	return time.Duration(ms) * time.Millisecond
}

func (w *world) unpackTarget(r *rsc) {
	v, ok := r.meta["target-role"]
	if !ok || strings.EqualFold(v, "started") || v == "" {
		return
	}
	t := parseRole(v)
	switch t {
	case roleUnknown:
		w.problem(fmt.Sprintf("resource %s: target-role=%q is unknown; it is ignored", r.id, v))
		return
	case roleUnpromoted, rolePromoted:
		c := r.inClone()
		promotable := c != nil && w.clonePromotable(c)
		if !promotable && !(r.kind == cib.KindBundle || r.parent != nil && r.parent.kind == cib.KindBundle) {
			if r.kind == cib.KindPrimitive && c == nil {
				w.problem(fmt.Sprintf("resource %s: target-role=%s makes no sense for a resource that is not "+
					"promotable; it is ignored", r.id, v))
			}
			return
		}
		if t == rolePromoted {
			return // promoting is what would be done anyway
		}
	}
	r.target = t
}

func (w *world) unpackPrimitive(r *rsc) {
	r.ops = w.operations(r)
	r.isRemote = isRemoteAgent(r.agent)
	r.migratable = w.flag(r, "allow-migrate", r.isRemote)
	w.unpackRequires(r)
	if r.isRemote {
		if n := w.byName[r.id]; n != nil && !n.bundle {
			n.conn = r
		}
		w.unpackReconnect(r)
	}
	r.pendNode = map[*node]bool{}
	r.failedOn = map[*node]bool{}
}

func (w *world) unpackRequires(r *rsc) {
	def := requireQuorum
	switch {
	case r.agent.Class == "stonith":
	case w.opts.fencing:
		def = requireFencing
	case w.opts.noQuorum == quorumIgnore:
		def = requireNothing
	}
	r.requires = def
	switch v := r.meta["requires"]; v {
	case "":
	case "nothing":
		r.requires = requireNothing
	case "quorum":
		r.requires = requireQuorum
	case "fencing", "unfencing":
		switch {
		case !w.opts.fencing:
			r.requires = requireQuorum
		case v == "unfencing" && r.agent.Class != "stonith":
			r.requires = requireUnfencing
		case r.agent.Class != "stonith":
			r.requires = requireFencing
		}
	default:
		w.problem(fmt.Sprintf("resource %s: requires=%q is unknown; its default is used", r.id, v))
	}
	if r.meta["requires"] == "" && w.opts.fencing && w.unfencing && r.agent.Class != "stonith" {
		r.requires = requireUnfencing
	}
}

// operations returns a primitive's operations: its own, and those of its template that it does not override.
func (w *world) operations(r *rsc) []*cib.Op {
	var out []*cib.Op
	type key struct{ name, role string }
	seen := map[key]bool{}
	take := func(list *cib.Operations) {
		if list.IDRef != "" {
			if to := w.docs.lists[list.IDRef]; to != nil {
				list = to
			}
		}
		for _, op := range list.Ops {
			if op.IDRef != "" {
				if to := w.docs.ops[op.IDRef]; to != nil {
					op = to
				}
			}
			k := key{op.Name, op.Role}
			if !seen[k] {
				out = append(out, op)
			}
		}
		for _, op := range out {
			seen[key{op.Name, op.Role}] = true
		}
	}
	take(&r.conf.Operations)
	if t := w.template(r.conf); t != nil {
		take(&t.Operations)
	}
	return out
}

func opInterval(op *cib.Op) int64 {
	if op.Interval == "" {
		return 0
	}
	ms, err := cib.ParseMilliseconds(op.Interval)
	if err != nil || ms < 0 {
		return 0
	}
	return ms
}

func (w *world) clonePromotable(r *rsc) bool {
	if r.conf.Legacy {
		return true
	}
	yes, _ := cib.ParseBool(r.meta["promotable"])
	return yes
}

// cloneMeta reads a clone's number under its present and its former name.
func (w *world) cloneMeta(r *rsc, def int, names ...string) int {
	for _, n := range names {
		if _, ok := r.meta[n]; ok {
			return w.number(r, n, def)
		}
	}
	return def
}

func (w *world) unpackClone(r *rsc) {
	k := &cloneSpec{}
	r.clone = k
	k.promotable = w.clonePromotable(r)
	k.max = min(cloneNodesMax, w.cloneMeta(r, w.nodesSoFar(), "clone-max"))
	k.nodeMax = w.cloneMeta(r, 1, "clone-node-max")
	k.unique = w.flag(r, "globally-unique", k.nodeMax > 1) && w.canBeUnique(r)
	if !k.unique && k.nodeMax > 1 {
		w.problem("resource " + r.id + ": clone-node-max above 1 needs globally-unique; 1 is used")
		k.nodeMax = 1
	}
	k.min = w.cloneMeta(r, 0, "clone-min")
	k.interleave = w.flag(r, "interleave", false)
	k.ordered = w.flag(r, "ordered", false)
	k.notify = w.flag(r, "notify", false)
	if k.promotable {
		k.promotedMax = w.cloneMeta(r, 1, "promoted-max", "master-max")
		k.promotedNodeMax = w.cloneMeta(r, 1, "promoted-node-max", "master-node-max")
	}
	if len(r.conf.Children) == 0 {
		w.problem("resource " + r.id + " is a clone of nothing; it is ignored")
		return
	}
	k.template = r.conf.Children[0]
	for i := 0; i < k.max; i++ {
		w.addInstance(r)
	}
	if k.max == 0 {
		w.addInstance(r).filler = true // so that what is active can be stopped
	}
}

// canBeUnique tells whether the instances of a clone can be told apart: only OCF agents and fencing devices are told which
// instance they are.
func (w *world) canBeUnique(r *rsc) bool {
	for _, c := range r.conf.Children {
		members := []*cib.Resource{c}
		if c.Kind == cib.KindGroup {
			members = c.Children
		}
		for _, m := range members {
			if class := w.agentOf(m).Class; class != "ocf" && class != "stonith" {
				w.problem(fmt.Sprintf("resource %s: instances of %s agents cannot be told apart; globally-unique is ignored", r.id, class))
				return false
			}
		}
	}
	return true
}

// nodesSoFar counts the nodes that a clone has one instance for by default: those of the bundles that come later in the
// document are not among them.
func (w *world) nodesSoFar() int {
	count := 0
	for _, n := range w.nodes {
		if !n.bundle || n.conn != nil {
			count++
		}
	}
	return max(1, count)
}

// addInstance gives a clone one more instance.
func (w *world) addInstance(r *rsc) *rsc {
	i := len(r.kids)
	kid := w.build(r.clone.template, r, ":"+strconv.Itoa(i))
	if kid == nil {
		return nil
	}
	kid.number = i
	r.kids = append(r.kids, kid)
	return kid
}

// linkContainer notes which resource runs inside of which.
func (w *world) linkContainer(r *rsc) {
	if !r.primitive() {
		return
	}
	if id := r.meta["container"]; id != "" && r.container == nil {
		if c := w.byRsc[id]; c != nil && c != r {
			r.container = c
			c.fills = append(c.fills, r)
		}
	}
	name := r.meta["remote-node"]
	n := w.byName[name]
	if name == "" || n == nil || n.kind != kindGuest || n.conn != nil {
		return
	}
	w.guestConnection(r, n)
}

// sortByPriority orders resources by descending priority, keeping the document's order among equals.
func sortByPriority(list []*rsc) {
	for i := 1; i < len(list); i++ {
		for j := i; j > 0 && list[j].priority > list[j-1].priority; j-- {
			list[j], list[j-1] = list[j-1], list[j]
		}
	}
}
