package scheduler

import (
	"sort"
	"strings"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// canFence tells whether this partition may fence the node.
func (w *world) canFence(n *node) bool {
	switch {
	case n.kind == kindGuest:
		return true
	case !w.opts.fencing:
		return false
	case w.quorum, w.opts.noQuorum == quorumIgnore:
		return true
	}
	return n.online
}

// actFences fences the nodes that must be, and puts before and after each what has to be.
func (w *world) actFences() {
	w.fenceWithoutQuorum()
	var ordinary, own []*action
	for _, n := range w.nodes {
		if !n.unclean || !w.canFence(n) || n.kind == kindGuest {
			continue
		}
		a := w.fence(n, "", n.uncleanWhy)
		if n.id == w.cib.Header.DCUUID && w.cib.Header.DCUUID != "" {
			own = append(own, a)
		} else {
			ordinary = append(ordinary, a)
		}
	}
	w.actGuestFences()
	w.orderFences(ordinary, own)
	for n, a := range w.eachFence() {
		w.settleFenced(n, a)
		w.clearAfter(n.conn, a)
	}
}

// fence returns the fencing action of a node.
func (w *world) fence(n *node, op, why string) *action {
	if a := w.fences[n]; a != nil {
		return a
	}
	if op == "" {
		op = w.opts.fenceAction
	}
	a := w.actionVariant(nil, op, n, 0, "fence")
	a.kind, a.fenceOp = transition.KindFence, op
	a.key = "fence-" + n.name + "-" + op
	a.require(why)
	if n.kind == kindGuest {
		a.pseudo, a.kind = true, transition.KindPseudo
	}
	w.fences[n] = a
	return a
}

// eachFence yields the fenced nodes in the order of the configuration.
func (w *world) eachFence() func(yield func(*node, *action) bool) {
	return func(yield func(*node, *action) bool) {
		for _, n := range w.nodes {
			if a := w.fences[n]; a != nil && a.fenceOp != "on" {
				if !yield(n, a) {
					return
				}
			}
		}
	}
}

// fenceDelay is how long to wait before fencing a node (priority-fencing-delay): where the cluster is split in halves, the
// half with the more important resources shall win, so it is shot at later.
func (w *world) fenceDelay(n *node) int64 {
	if w.opts.priorityDelayMS <= 0 || n.remote() {
		return 0
	}
	members, up := 0, 0
	top, low := 0, 0
	for _, m := range w.nodes {
		if m.kind != kindMember {
			continue
		}
		members++
		if m.online && !m.unclean {
			up++
		}
		p := m.importance()
		if members == 1 || p > top {
			top = p
		}
		if members == 1 || p < low {
			low = p
		}
	}
	if up > members/2 || top == low || n.importance() < top {
		return 0
	}
	return w.opts.priorityDelayMS
}

// importance sums the priorities of what runs on a node; a promoted instance counts one more.
func (n *node) importance() int {
	sum := 0
	for _, r := range n.running {
		sum += r.priority
		if r.role == rolePromoted && r.priority > 0 {
			sum++
		}
	}
	return sum
}

// fenceWithoutQuorum fences this very partition when it lost quorum and its policy says so.
func (w *world) fenceWithoutQuorum() {
	if w.quorum || w.opts.noQuorum != quorumFence {
		return
	}
	for _, n := range w.nodes {
		if n.online && !n.remote() {
			w.mark(n, "there is no quorum, and no-quorum-policy is fence")
		}
	}
}

// clearAfter lets the failures of a connection be forgotten only when its node is fenced.
func (w *world) clearAfter(conn *rsc, fence *action) {
	if conn == nil || conn.reconnect == 0 {
		return
	}
	for _, a := range conn.acts {
		if a.task == taskClear {
			w.order(fence, a, 0)
		}
	}
}

// orderFences fences one node after the other by name where that is asked for, and the coordinator's own node last.
func (w *world) orderFences(ordinary, own []*action) {
	for _, a := range ordinary {
		for _, b := range own {
			w.order(a, b, 0)
		}
	}
	if w.opts.concurrentFence {
		return
	}
	sort.SliceStable(ordinary, func(i, j int) bool { return namedBefore(ordinary[i].node.name, ordinary[j].node.name) })
	for i := 1; i < len(ordinary); i++ {
		w.order(ordinary[i-1], ordinary[i], 0)
	}
}

// namedBefore orders names as people do: n9 before n10, and without regard to case.
func namedBefore(a, b string) bool {
	a, b = strings.ToLower(a), strings.ToLower(b)
	for a != "" && b != "" {
		x, y := leadingNumber(a), leadingNumber(b)
		if x != "" && y != "" {
			if m, n := strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0"); m != n {
				return len(m) < len(n) || len(m) == len(n) && m < n
			}
			a, b = a[len(x):], b[len(y):]
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func leadingNumber(s string) string { return s[:len(s)-len(strings.TrimLeft(s, "0123456789"))] }

// settleFenced adapts the actions to the fencing of a node: what would stop there is stopped by it, and nothing else
// can be done there.
func (w *world) settleFenced(n *node, fence *action) {
	for _, a := range w.actions {
		if a.rsc == nil || !a.rsc.primitive() {
			continue
		}
		if a.node == n {
			w.settleOn(a, n, fence)
		}
	}
	for _, r := range w.all {
		if !r.primitive() {
			continue
		}
		w.startsAfter(r, n, fence)
	}
	w.collectivesAfter(n, fence)
}

func (w *world) settleOn(a *action, n *node, fence *action) {
	switch a.task {
	case taskStop, taskDemote:
		a.pseudo, a.runnable, a.blocked = true, true, ""
		if a.rsc.agent.Class != "stonith" {
			w.order(fence, a, needsFirst)
		}
	case taskNotify:
		a.pseudo = true
	default:
		if a.cancelOf != "" {
			a.need = false
			return
		}
		if n.kind != kindRemote && n.kind != kindGuest {
			a.block(n.name + " is to be fenced")
		}
	}
}

// startsAfter lets starts wait for fencing: those that require it for every one, others for a node of which it is not
// known whether they run there.
func (w *world) startsAfter(r *rsc, n *node, fence *action) {
	if r.isRemote {
		// A connection harms nobody, and may spare a fencing; but to a fenced node it is made afterwards.
		for _, a := range r.acting(taskStart) {
			if n.conn == r || !r.known.has(n) {
				w.order(fence, a, needsFirst)
			}
		}
		return
	}
	for _, a := range r.acts {
		if a.task != taskStart && a.task != taskPromote || a.dead {
			continue
		}
		if a.task == taskPromote && r.requires < requireFencing {
			continue
		}
		switch {
		case r.requires >= requireFencing:
			w.order(fence, a, needsFirst)
		case !r.known.has(n):
			w.order(fence, a, needsFirst)
		}
	}
}

// collectivesAfter lets collections whose members stop by the fencing wait for it.
func (w *world) collectivesAfter(n *node, fence *action) {
	for _, r := range w.top {
		if r.primitive() {
			continue
		}
		hit, devices := false, false
		r.leaves(func(l *rsc) {
			if l.agent.Class == "stonith" {
				devices = true
			}
			// What runs in a guest is lost with it, whether or not it was to stop.
			if s := w.existing(l, taskStop, n, 0); s != nil && (s.need || n.kind == kindGuest && l.isRunningOn(n)) {
				hit = true
			}
		})
		if !hit || devices {
			continue
		}
		if r.kind == cib.KindClone || r.kind == cib.KindGroup {
			for _, task := range []string{taskStop, taskDemote} {
				if a := w.existing(r, task, nil, 0); a != nil {
					w.order(fence, a, 0)
				}
			}
		}
	}
}

// actShutdowns lets nodes leave that asked to, once nothing runs on them any more.
func (w *world) actShutdowns() {
	var leaving []*action
	defer func() {
		for _, a := range leaving { // the coordinator's own node leaves last
			for _, b := range leaving {
				if b.node.id == w.cib.Header.DCUUID && a != b {
					w.order(a, b, 0)
				}
			}
		}
	}()
	for _, n := range w.nodes {
		if !n.shutdown || !n.online || n.remote() || n.unclean || n.kind == kindPing {
			continue
		}
		a := w.actionVariant(nil, "do_shutdown", n, 0, "shutdown")
		a.kind, a.key = transition.KindCluster, "do_shutdown-"+n.name
		a.require(n.name + " asked to leave")
		for _, s := range w.actions {
			if s.node == n && s.task == taskStop && s.rsc != nil && s.rsc.primitive() {
				if !s.rsc.managed && s.rsc.isRunningOn(n) {
					continue
				}
				w.order(s, a, needsFirst) // what cannot be stopped keeps its node: it would be fenced for it when it is gone
			}
		}
		leaving = append(leaving, a)
	}
}
