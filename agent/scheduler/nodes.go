package scheduler

import (
	"maps"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
)

// unpackNodes lists the configured nodes. Guests and bundle nodes are added when resources are unpacked.
func (w *world) unpackNodes() {
	for _, c := range w.cib.Configuration.Nodes {
		if w.byName[c.Uname] != nil {
			w.problem("node " + c.Uname + " is configured twice; the second is ignored")
			continue
		}
		kind := kindMember
		switch c.Type {
		case "", "member":
		case "ping":
			kind = kindPing
		case "remote":
			kind = kindRemote
		default:
			w.problem("node " + c.Uname + ": type " + strconv.Quote(c.Type) + " is unknown; the node is ignored")
			continue
		}
		n := w.addNode(c.ID, c.Uname, kind)
		n.conf = c
		n.score, _ = cib.ParseScore(c.Score)
	}
}

func (w *world) addNode(id, name string, kind nodeKind) *node {
	n := &node{idx: len(w.nodes), id: id, name: name, kind: kind, discovery: true, unseen: true}
	w.nodes = append(w.nodes, n)
	w.byName[name] = n
	if w.byID[id] == nil {
		w.byID[id] = n
	}
	return n
}

// find returns the node of a state: by ID, or by name.
func (w *world) find(s *cib.NodeState) *node {
	if n := w.byID[s.ID]; n != nil {
		return n
	}
	return w.byName[s.Uname]
}

// unpackStates attaches the states, node attributes and utilization, and decides which nodes are up.
func (w *world) unpackStates() {
	for _, s := range w.cib.Status.Nodes {
		n := w.find(s)
		if n == nil {
			if s.Uname != "" {
				w.problem("node " + s.Uname + " has a state but is not configured; the state is ignored")
			}
			continue
		}
		n.stat = s
		n.fencedOnce = n.remote() && present(s.Fenced)
	}
	for _, n := range w.nodes {
		w.unpackAttributes(n)
	}
	for _, n := range w.nodes {
		if !n.remote() {
			w.unpackMember(n)
		}
	}
}

func (w *world) unpackAttributes(n *node) {
	n.attrs = map[string]string{}
	at := scope{node: n}
	if n.stat != nil {
		w.valuesInto(n.attrs, n.stat.Attributes, at)
	}
	if n.conf != nil {
		w.valuesInto(n.attrs, n.conf.Attributes, at)
	}
	n.attrs["#uname"], n.attrs["#id"] = n.name, n.id
	n.attrs["#kind"] = "cluster"
	if n.remote() {
		n.attrs["#kind"] = "remote"
		if n.kind == kindGuest {
			n.attrs["#kind"] = "container"
		}
	}
	n.attrs["#is_dc"] = strconv.FormatBool(n.id == w.cib.Header.DCUUID)
	if name, ok := w.cib.Option("cluster-name"); ok {
		n.attrs["#cluster-name"] = name
		n.attrs["#site-name"] = name
	}
	if site, ok := n.attrs["site-name"]; ok {
		n.attrs["#site-name"] = site
	}
	n.capacity = map[string]int{}
	util := map[string]string{}
	if n.stat != nil {
		w.valuesInto(util, n.stat.Utilization, at)
	}
	if n.conf != nil {
		w.valuesInto(util, n.conf.Utilization, at)
	}
	for k, v := range util {
		n.capacity[k], _ = strconv.Atoi(v)
	}
	if len(util) > 0 {
		n.offered = maps.Clone(n.capacity)
	}
	w.nodeFlags(n)
}

// nodeFlags reads the node attributes that change what may run there.
func (w *world) nodeFlags(n *node) {
	yes := func(name string) bool {
		b, _ := cib.ParseBool(n.attrs[name])
		return b
	}
	n.standby = yes("standby")
	n.maintenance = yes("maintenance") || w.opts.maintenance
	if s := n.stat; s != nil && !yes("maintenance") {
		if b, err := cib.ParseBool(s.Maintenance); err == nil && b && n.remote() {
			n.maintenance = true
		}
	}
	if v, ok := n.attrs["resource-discovery-enabled"]; ok && n.remote() {
		if b, err := cib.ParseBool(v); err == nil {
			n.discovery = b
		}
	}
	if v := n.attrs["shutdown"]; v != "" && v != "0" {
		n.shutdown = true
	}
}

// mark makes a node one that must be fenced before anything it ran may be recovered.
func (w *world) mark(n *node, why string) {
	if n.unclean {
		return
	}
	switch n.kind {
	case kindGuest:
		// A guest is fenced by recovering the container that it runs in.
		c := n.conn.container
		if !c.managed {
			return
		}
		if !c.failed {
			c.failed = true
			c.stopWhy, c.failedWhy = why, why
		}
		n.uncleanWhy = why
		n.needsReset = true
		return
	case kindRemote:
		if n.conn != nil && !n.conn.managed {
			return
		}
		n.needsReset = true
	}
	n.unclean, n.uncleanWhy = true, why
}

// present reads a field that is a boolean, or in newer documents the time since which it is true.
func present(text string) bool {
	if b, err := cib.ParseBool(text); err == nil {
		return b
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return err == nil && n > 0
}

// unpackMember decides whether a cluster node is up.
func (w *world) unpackMember(n *node) {
	s := n.stat
	if s == nil {
		if n.kind == kindMember && w.opts.fencing && w.opts.startupFencing {
			n.unclean, n.uncleanWhy = true, "node is unseen and startup-fencing is on"
		}
		return
	}
	n.unseen = false
	inCluster := present(s.InCCM)
	process := s.CRMD == "online"
	if !process {
		if t, err := strconv.ParseInt(s.CRMD, 10, 64); err == nil && t > 0 {
			process = true
		}
	}
	member := s.Join == "member"
	n.expectedUp = s.Expected == "member"
	if n.shutdown {
		n.expectedUp = false
	}
	if w.opts.fencing {
		w.onlineFenced(n, inCluster, process, member)
	} else {
		w.onlineUnfenced(n, inCluster, process, member)
	}
	if n.online && n.shutdown {
		w.shutdown = true
	}
	if n.kind == kindPing {
		n.online = false
		n.unclean = false
	}
}

func (w *world) onlineFenced(n *node, inCluster, process, member bool) {
	s := n.stat
	terminate := false
	if v := n.attrs["terminate"]; v != "" {
		b, err := cib.ParseBool(v)
		if t, err2 := strconv.ParseInt(v, 10, 64); err != nil && err2 == nil {
			b = t > 0
		}
		terminate = b
	}
	n.online = process
	switch {
	case n.shutdown:
	case s.InCCM == "":
		// It was never seen: whatever it does, it does on its own.
		n.online = false
		if s.Expected == "" && !w.opts.startupFencing {
			n.unseen = true
			break
		}
		w.mark(n, "peer has not been seen by the cluster")
	case s.Join == "banned":
		w.mark(n, "peer failed the membership criteria of the cluster")
	case !n.expectedUp && !(inCluster && process && member):
		n.pending = inCluster || process
		n.online = n.pending
		w.pendingTooLong(n)
	case !inCluster:
		n.online = false
		w.mark(n, "peer is no longer part of the cluster")
	case !process:
		n.online = true // its machine is heard of, but not its daemon
		w.mark(n, "peer process is no longer available")
	case terminate:
		w.mark(n, "termination was requested")
	case !member:
		n.pending = true
	}
}

// pendingTooLong fences a node that has been joining for longer than the cluster allows.
func (w *world) pendingTooLong(n *node) {
	since, err := strconv.ParseInt(n.stat.InCCM, 10, 64)
	if !n.pending || err != nil || since <= 1 || w.opts.pendingTimeoutMS <= 0 {
		return
	}
	due := unixTime(since).Add(time.Duration(w.opts.pendingTimeoutMS) * time.Millisecond)
	if w.now.Before(due) {
		w.recheckAt(due.Add(graceSeconds * time.Second))
		return
	}
	w.mark(n, "it has been joining for longer than node-pending-timeout")
}

func (w *world) onlineUnfenced(n *node, inCluster, process, member bool) {
	switch {
	case !inCluster:
	case process:
		n.online = member
	case !n.expectedUp:
	default:
		n.unclean, n.uncleanWhy = true, "cluster process is unexpectedly down"
	}
}

// applyHealth turns node health attributes into scores by the strategy of the cluster.
func (w *world) applyHealth() {
	o := &w.opts
	if o.health == "none" {
		return
	}
	for _, n := range w.nodes {
		n.health = w.healthScore(n)
		if n.health == 0 {
			continue
		}
		for _, r := range w.top {
			r.healthAt(n, n.health)
		}
	}
}

func (r *rsc) healthAt(n *node, score int) {
	if _, ok := r.meta["allow-unhealthy-nodes"]; ok {
		if yes, _ := cib.ParseBool(r.meta["allow-unhealthy-nodes"]); yes {
			return
		}
	}
	r.addAt(n, score)
	for _, k := range r.kids {
		k.healthAt(n, score)
	}
}

func (w *world) healthScore(n *node) int {
	o := &w.opts
	sum, worst, any := 0, 0, false
	for name, v := range n.attrs {
		if !strings.HasPrefix(name, "#health") {
			continue
		}
		score, known := w.healthScoreOf(v)
		if !known {
			score, _ = cib.ParseScore(v)
		}
		sum = add(sum, score)
		if !any || score < worst {
			worst, any = score, true
		}
	}
	switch o.health {
	case "migrate-on-red":
		for name, v := range n.attrs {
			if strings.HasPrefix(name, "#health") && v == "red" {
				return banned
			}
		}
	case "only-green":
		for name, v := range n.attrs {
			if strings.HasPrefix(name, "#health") && (v == "red" || v == "yellow") {
				return banned
			}
		}
	case "progressive":
		return add(sum, o.healthBase)
	case "custom":
		return sum
	}
	return 0
}

func (w *world) healthScoreOf(v string) (int, bool) {
	s, ok := w.opts.healthScores[v]
	return s, ok
}
