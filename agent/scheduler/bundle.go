package scheduler

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// bundleSpec is what makes a bundle: containers of one image, each maybe with an address of its own and, when a
// primitive runs inside, a connection to the guest node that the container is.
type bundleSpec struct {
	replicas []*replica
	perHost  int
	inner    *rsc // the clone of the primitive; nil without one
}

// replica is one container of a bundle with what belongs to it.
type replica struct {
	number    int
	container *rsc
	ip        *rsc
	conn      *rsc
	node      *node
	inst      *rsc
}

// bundleSize returns the number of replicas and the number of promoted ones.
func bundleSize(c *cib.Resource) (replicas, promoted, perHost int) {
	opt := bundleOptions(c.Bundle)
	promoted, _ = strconv.Atoi(first(opt["promoted-max"], opt["masters"]))
	replicas, err := strconv.Atoi(opt["replicas"])
	if err != nil || replicas < 1 {
		replicas = max(1, promoted)
	}
	perHost, err = strconv.Atoi(opt["replicas-per-host"])
	if err != nil || perHost < 1 {
		perHost = 1
	}
	return min(replicas, cloneNodesMax), promoted, perHost
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func bundleOptions(b *cib.Bundle) map[string]string {
	out := map[string]string{}
	for _, a := range b.Options {
		out[a.Name] = a.Value
	}
	return out
}

// bundleNodes adds the guest nodes of a bundle's replicas.
func (w *world) bundleNodes(c *cib.Resource) {
	if c.Bundle == nil || len(c.Children) == 0 {
		return
	}
	n, _, _ := bundleSize(c)
	for i := 0; i < n; i++ {
		w.remoteNode(fmt.Sprintf("%s-%d", c.ID, i), kindGuest).bundle = true
	}
}

// unpackBundle makes the resources of a bundle.
func (w *world) unpackBundle(r *rsc) {
	b := &bundleSpec{}
	r.bundle = b
	if r.conf.Bundle == nil {
		w.problem("resource " + r.id + " is a bundle without a container runtime; it is ignored")
		return
	}
	count, promoted, perHost := bundleSize(r.conf)
	b.perHost = perHost
	if len(r.conf.Children) > 0 {
		b.inner = w.bundleClone(r, count, promoted, perHost)
	}
	for i := 0; i < count; i++ {
		p := &replica{number: i}
		p.ip = w.bundleMember(r, w.bundleIP(r, i), i)
		p.container = w.bundleMember(r, w.bundleContainer(r, i), i)
		if p.container == nil {
			continue // its name is taken; the problem has been noted
		}
		b.replicas = append(b.replicas, p)
		if b.inner != nil {
			w.bundleConnection(r, p)
		}
	}
	if b.inner != nil {
		r.kids = append(r.kids, b.inner)
	}
}

func (w *world) bundleMember(r *rsc, conf *cib.Resource, number int) *rsc {
	if conf == nil {
		return nil
	}
	k := w.build(conf, r, "")
	if k != nil {
		k.number = number
		r.kids = append(r.kids, k)
	}
	return k
}

func setOf(id string, pairs ...string) []cib.NVSet {
	s := cib.NVSet{ID: id}
	for i := 0; i+1 < len(pairs); i += 2 {
		s.Pairs = append(s.Pairs, cib.NVPair{Name: pairs[i], Value: pairs[i+1]})
	}
	return []cib.NVSet{s}
}

// bundleClone makes the clone of the primitive inside: one instance a container.
func (w *world) bundleClone(r *rsc, count, promoted, perHost int) *rsc {
	suffix := "-clone"
	pairs := []string{"clone-max", strconv.Itoa(count), "clone-node-max", strconv.Itoa(perHost),
		"globally-unique", strconv.FormatBool(perHost > 1), "ordered", "true"}
	if promoted > 0 {
		suffix = "-master"
		pairs = append(pairs, "promotable", "true", "promoted-max", strconv.Itoa(promoted))
	}
	conf := &cib.Resource{ID: r.id + suffix, Kind: cib.KindClone, Children: r.conf.Children}
	// The container's numbers come last: they win over what the bundle's own attributes say of clones.
	conf.Meta = append(slices.Clone(r.conf.Meta), setOf(conf.ID+"-meta", pairs...)...)
	k := w.build(conf, r, "")
	return k
}

func (w *world) bundleIP(r *rsc, i int) *cib.Resource {
	net := r.conf.Bundle.Network
	if net == nil {
		return nil
	}
	opt := map[string]string{}
	for _, a := range net.Options {
		opt[a.Name] = a.Value
	}
	start := opt["ip-range-start"]
	if start == "" {
		return nil
	}
	addr, err := netip.ParseAddr(start)
	if err != nil {
		w.problem(fmt.Sprintf("bundle %s: ip-range-start=%q is not an address", r.id, start))
		return nil
	}
	for j := 0; j < i; j++ {
		addr = addr.Next()
	}
	id := r.id + "-ip-" + addr.String()
	pairs := []string{"ip", addr.String()}
	if v := opt["host-interface"]; v != "" {
		pairs = append(pairs, "nic", v)
	}
	mask := opt["host-netmask"]
	if mask == "" {
		mask = "32"
	}
	pairs = append(pairs, "cidr_netmask", mask)
	c := &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "IPaddr2"},
		Params: setOf(id+"-params", pairs...)}
	c.Operations.Ops = []*cib.Op{{Name: taskMonitor, Interval: "60s"}}
	return c
}

func (w *world) bundleConnection(r *rsc, p *replica) {
	name := fmt.Sprintf("%s-%d", r.id, p.number)
	n := w.byName[name]
	if n == nil {
		return
	}
	opt := map[string]string{}
	if net := r.conf.Bundle.Network; net != nil {
		for _, a := range net.Options {
			opt[a.Name] = a.Value
		}
	}
	port := opt["control-port"]
	if port == "" {
		port = "3121"
	}
	addr := hostAddress
	if p.ip != nil {
		addr, _ = p.ip.conf.Params[0].Get("ip")
	}
	conf := &cib.Resource{ID: name, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "pacemaker", Type: "remote"},
		Params: setOf(name+"-params", "addr", addr, "port", port), Meta: setOf(name+"-meta", "container", p.container.id)}
	conf.Operations.Ops = []*cib.Op{{Name: taskMonitor, Interval: "30s", Timeout: "30s"}}
	k := w.bundleMember(r, conf, p.number)
	if k == nil {
		return
	}
	k.isRemote = false
	k.guest, n.conn = n, k
	k.container = p.container
	p.container.fills = append(p.container.fills, k)
	p.conn, p.node = k, n
	w.bundleInstance(r, p)
}

// bundleInstance ties an instance of the inner clone to its container's node.
func (w *world) bundleInstance(r *rsc, p *replica) {
	inner := r.bundle.inner
	if p.number >= len(inner.kids) {
		return
	}
	p.inst = inner.kids[p.number]
	p.inst.claimed = p.node
	p.inst.leaves(func(l *rsc) {
		for i := range l.scores {
			l.scores[i] = absent
		}
		l.scores[p.node.idx] = 500
		l.container = p.container
	})
}

// bindBundles orders and colocates what belongs to one replica.
func (w *world) bindBundles() {
	for _, r := range w.all {
		if r.kind != cib.KindBundle || r.bundle == nil {
			continue
		}
		for _, p := range r.bundle.replicas {
			s := orderSpec{id: "#within-" + r.id, symmetric: true, firstTask: taskStart, thenTask: taskStart}
			if p.ip != nil {
				w.orderPair(s, p.ip, p.container, "")
				w.colocate(s.id, infinity, "", p.ip, p.container, roleUnknown, roleUnknown, true, true)
			}
			if p.conn != nil {
				w.followContainer(p.conn)
				w.orderPair(s, p.container, p.conn, "")
				// Where its connection could be is no reason for a container that runs well to leave its place.
				moves := p.container.failed || len(p.container.running) == 0
				w.colocate(s.id, nearContainer, "", p.conn, p.container, roleUnknown, roleUnknown, moves, true)
			}
		}
	}
}

// placeBundle places the containers, then what follows them.
func (w *world) placeBundle(r *rsc) {
	if r.placed || r.placing || r.bundle == nil {
		return
	}
	r.placing = true
	defer func() { r.placing = false }()
	for _, c := range r.with {
		w.place(c.pri, nil)
	}
	w.noteScores(r)
	stand := *r // the containers alone, as if they were the instances of a clone
	stand.kids = nil
	for _, p := range r.bundle.replicas {
		if p.container != nil {
			stand.kids = append(stand.kids, p.container)
		}
	}
	w.placeInstances(&stand, len(r.bundle.replicas), r.bundle.perHost)
	for _, p := range r.bundle.replicas {
		if p.ip != nil {
			w.place(p.ip, nil)
		}
		if p.conn != nil {
			p.nearRemote(w)
			w.place(p.conn, nil)
		}
	}
	if inner := r.bundle.inner; inner != nil {
		w.placeInner(r, inner)
	}
	r.placed = true
}

// nearRemote keeps the connection to a container on a remote node where that node itself is connected to.
func (p *replica) nearRemote(w *world) {
	host := p.container.assigned
	if host == nil || !host.remote() || host.conn == nil || host.conn.assigned == nil {
		return
	}
	for _, n := range w.nodes {
		if n != host.conn.assigned {
			p.conn.addAt(n, banned)
			p.conn.banWhy(n, host.name+", which hosts "+p.container.id+", is not connected from there")
		}
	}
}

// placeInner places the instances in their containers.
func (w *world) placeInner(r, inner *rsc) {
	inner.placing = true
	for _, p := range r.bundle.replicas {
		if p.inst != nil {
			w.place(p.inst, p.node)
		}
	}
	inner.placing, inner.placed = false, true
	if inner.clone.promotable {
		w.promoteInstances(inner)
	}
	inner.next = roleStopped
	for _, k := range inner.kids {
		inner.next = max(inner.next, k.next)
	}
	r.next = inner.next
}

// hostOf is the cluster node that a bundle node runs on, or the node itself.
func hostOf(n *node) *node {
	if n != nil && n.bundle && n.conn != nil && n.conn.container != nil {
		if h := n.conn.container.assigned; h != nil {
			return h
		}
	}
	return n
}

// applyBundlePrimary changes the scores of a dependent by where the containers of a bundle are.
func (w *world) applyBundlePrimary(r, pri *rsc, c *colocation) {
	if !pri.placed || c.depRole != roleUnknown && c.depRole != roleStarted && r.next != c.depRole {
		return
	}
	var at []*node
	for _, p := range pri.bundle.replicas {
		if p.container == nil || p.container.assigned == nil {
			continue
		}
		if c.priRole != roleUnknown && (p.inst == nil || p.inst.next != c.priRole) {
			continue
		}
		at = append(at, p.container.assigned)
	}
	if c.score >= infinity {
		w.keepOnly(r, at, c)
		return
	}
	w.applyEach(r, at, c)
}

// actBundle makes the actions of everything in a bundle, and the pseudo actions around them.
func (w *world) actBundle(r *rsc) {
	for _, k := range r.kids {
		w.act(k)
	}
	start, running := w.action(r, taskStart, nil, 0), w.action(r, taskRunning, nil, 0)
	stop, stopped := w.action(r, taskStop, nil, 0), w.action(r, taskStopped, nil, 0)
	w.order(start, running, 0)
	w.order(stop, stopped, 0)
	w.order(stopped, start, 0)
	running.minimum = 1
	for _, p := range r.bundle.replicas {
		w.actReplica(r, p)
	}
	inner := r.bundle.inner
	if inner == nil {
		return
	}
	w.wrap(r, inner, taskStart, taskRunning, 0)
	w.wrap(r, inner, taskStop, taskStopped, 0)
	if inner.clone.promotable {
		w.pairs(r)
		w.wrap(r, inner, taskPromote, taskPromoted, anyOf)
		w.action(r, taskPromoted, nil, 0).minimum = 1
		w.wrap(r, inner, taskDemote, taskDemoted, 0)
		w.order(running, w.action(r, taskPromote, nil, 0), 0)
		w.order(w.action(r, taskDemoted, nil, 0), stop, 0)
	}
	for _, p := range r.bundle.replicas {
		for _, a := range p.container.acts {
			if a.task == taskMonitor && a.interval == 0 {
				w.order(a, w.action(inner, taskStart, nil, 0), 0)
			}
		}
	}
}

func (w *world) actReplica(r *rsc, p *replica) {
	start, running := w.action(r, taskStart, nil, 0), w.action(r, taskRunning, nil, 0)
	stop, stopped := w.action(r, taskStop, nil, 0), w.action(r, taskStopped, nil, 0)
	for _, a := range p.container.acting(taskStart) {
		w.order(start, a, forcesFirst|upward|needsFirst)
		w.order(a, running, forcesThen|upward|anyOf)
		for _, q := range r.bundle.replicas {
			if q == p || q.container == nil {
				continue
			}
			if probe := w.existing(q.container, taskMonitor, a.node, 0); probe != nil {
				w.order(probe, a, 0)
			}
		}
		if p.conn != nil {
			for _, probe := range p.conn.acts {
				if probe.task == taskMonitor && probe.interval == 0 {
					w.order(a, probe, needsFirst)
				}
			}
		}
	}
	for _, a := range p.container.acting(taskStop) {
		w.order(stop, a, forcesFirst|upward)
		w.order(a, stopped, forcesThen|upward)
	}
}

// probeBundle probes the parts of a bundle.
func (w *world) probeBundle(r *rsc, n *node) bool {
	any := false
	for _, p := range r.bundle.replicas {
		if n.remote() {
			if p.node == n && p.inst != nil && w.probe(p.inst, n) {
				any = true
			}
		}
		if n.kind == kindGuest {
			continue
		}
		for _, k := range []*rsc{p.ip, p.container, p.conn} {
			if k != nil && w.probePrimitive(k, n) {
				any = true
			}
		}
	}
	return any
}

// bundleParams fills in what is known only when a container has its place.
func (w *world) bundleParams(t *transition.Action, a *action) {
	r := a.rsc
	if a.node.bundle && r.uber().kind == cib.KindBundle {
		for _, p := range r.uber().bundle.replicas {
			if p.node == a.node && p.ip != nil {
				t.Params["pcmk_external_ip"], _ = p.ip.conf.Params[0].Get("ip")
			}
		}
	}
	if h := containerHost(r, a.task); h != nil && t.Params["addr"] == hostAddress {
		t.Params["addr"] = h.name
	}
}

// hostAddress stands for the name of the node that hosts a container, where the container has no address of its own.
const hostAddress = "#uname"

// containerHost is the node that hosts, or (unless the connection is closed) will host, the container that r connects to;
// nil when r is no such connection.
func containerHost(r *rsc, task string) *node {
	if r.guest == nil || r.container == nil {
		return nil
	}
	host := r.container.assigned
	if cur := r.container.current(); cur != nil && (host == nil || task == taskStop) {
		host = cur
	}
	return host
}

// nearContainer is the score by which the connection to a bundle's container seeks the container: a container may run on
// a remote node, where no connection can, so that it does not have to be there.
const nearContainer = 10000
