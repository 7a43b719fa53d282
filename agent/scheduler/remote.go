package scheduler

import (
	"fmt"

	"paceline/agent/cib"
)

// Remote nodes have no daemon of their own: a cluster node runs their operations through a connection, which is a
// resource. A guest is a remote node inside of another resource, its container, and lives and dies with it.

// unpackRemote decides whether a remote node is up, by its connection. It returns false while that is not known yet.
func (w *world) unpackRemote(n *node, s *cib.NodeState, last bool) bool {
	c := n.conn
	if c == nil {
		return last
	}
	if s != nil {
		n.unseen = false
	}
	n.online = c.role >= roleStarted
	if c.next == roleStopped && c.role >= roleStarted || c.target == roleStopped && c.role >= roleStarted {
		n.shutdown = true
	}
	host := c.current()
	switch {
	case c.container != nil && c.container.failed:
		n.online, n.needsReset = false, true
		n.uncleanWhy = "its container " + c.container.id + " failed"
	case c.failed:
		n.online = false
		if n.kind == kindGuest && c.container != nil && !n.unclean {
			n.needsReset = true
		}
	case c.role < roleStarted || c.container != nil && c.container.role < roleStarted:
		n.online, n.needsReset = false, false
	case host != nil && host.unclean && !host.online:
		n.online = false
		if c.container != nil || n.kind == kindGuest {
			n.needsReset = true
			n.uncleanWhy = host.name + ", which it runs on, is lost"
		}
	}
	n.wasOnline = n.online
	if n.online {
		n.unclean = false
	}
	return true
}

// unpackReconnect reads how long a lost connection is left alone: so long its failure lasts.
func (w *world) unpackReconnect(r *rsc) {
	v, ok := w.paramsOn(r, nil)["reconnect_interval"]
	if !ok {
		return
	}
	ms, err := cib.ParseMilliseconds(v)
	if err != nil {
		w.problem(fmt.Sprintf("resource %s: reconnect_interval: %v; it is ignored", r.id, err))
		return
	}
	if ms > 0 {
		r.reconnect, r.failTimeout = ms, ms
	}
}

// mustFenceFirst tells whether a lost connection is not made again, however much time has passed, because its node has
// not been fenced yet.
func (w *world) mustFenceFirst(k *record) bool {
	n := w.byName[k.rsc.id]
	return k.task == taskMonitor && k.rsc.reconnect > 0 && w.opts.fencing && n != nil && !n.fencedOnce
}

// loseConnection does what a connection's failure calls for: its node is fenced, and it is made again at once, or only
// when reconnect_interval has passed.
func (w *world) loseConnection(r *rsc) {
	r.failed = true
	if r.reconnect > 0 {
		r.next, r.target = roleStopped, roleStopped
		r.stopWhy = "it was lost, and reconnect_interval has not passed"
	}
	n := w.byName[r.id]
	if !w.opts.fencing || n == nil || n.kind != kindRemote || n.fencedOnce {
		return
	}
	n.needsReset = true
	w.mark(n, "remote connection is unrecoverable")
}

// keepOffRemotes bans what cannot run on remote nodes: connections, what holds guests, and fencing devices.
func (w *world) keepOffRemotes() {
	for _, r := range w.all {
		if !r.primitive() {
			continue
		}
		if !(r.isRemote || r.guest != nil || r.agent.Class == "stonith" || holdsGuest(r) && !inBundle(r)) {
			continue
		}
		for _, n := range w.nodes {
			if n.remote() {
				r.scores[n.idx] = banned
			}
		}
	}
}

// holdsGuest tells whether a guest node runs inside of r.
func holdsGuest(r *rsc) bool { return guestIn(r) != nil }

// guestIn is the guest node that runs inside of r, or nil.
func guestIn(r *rsc) *node {
	for _, f := range r.fills {
		if f.guest != nil {
			return f.guest
		}
	}
	return nil
}

// followContainer lets the connection to a guest go wherever its container may, also in an asymmetric cluster, where no
// constraint can name it.
func (w *world) followContainer(conn *rsc) {
	for _, n := range w.nodes {
		if conn.scores[n.idx] == absent && n.kind == kindMember {
			conn.scores[n.idx] = 0
		}
	}
}

// bindContainers keeps what runs inside of a container with it: on its node, started after it and stopped before it.
// Where the container is a guest node, what is inside runs there, and is ordered as everything on guest nodes is.
func (w *world) bindContainers() {
	for _, r := range w.all {
		c := r.container
		if c == nil || r.containerRemoved || c.parent != nil && c.parent.kind == cib.KindBundle {
			continue
		}
		if r.guest != nil {
			w.followContainer(r)
		} else if g := guestIn(c); g != nil {
			for _, n := range w.nodes {
				if n != g {
					r.scores[n.idx] = banned
					r.banWhy(n, "it runs inside of "+c.id)
				}
			}
			continue
		}
		w.colocate("#within-"+c.id, infinity, "", r, c, roleUnknown, roleUnknown, true, true)
		s := orderSpec{id: "#within-" + c.id, symmetric: true, firstTask: taskStart, thenTask: taskStart}
		w.orderPair(s, c, r, "")
	}
}

// connectionPlaced settles whether a remote node can be used, once its connection has its place.
func (w *world) connectionPlaced(r *rsc) {
	n := w.byName[r.id]
	if n == nil || n.conn != r {
		return
	}
	if r.assigned != nil && r.next != roleStopped {
		n.online = true
		if !n.needsReset {
			n.unclean = false
		}
		if n.unseen {
			n.unclean = false
		}
		return
	}
	n.shutdown = true
}

// guestReady tells whether what a remote node hangs on lets anything run there.
func (w *world) guestReady(n *node) bool {
	if n.kind != kindGuest || n.conn == nil {
		return true
	}
	c := n.conn.container
	if c == nil || !c.placed {
		return true
	}
	return c.assigned != nil && n.conn.next != roleStopped
}

func (w *world) guestComing(n *node) bool { return n.online }

// orderGuestProbes lets the probes of a connection into a guest wait until the guest runs.
func (w *world) orderGuestProbes() {
	for _, r := range w.all {
		if r.guest == nil || r.container == nil || r.guest.bundle {
			continue
		}
		for _, p := range r.acts {
			if p.task != taskMonitor || p.interval != 0 {
				continue
			}
			for _, s := range r.container.acting(taskStart) {
				w.order(s, p, needsFirst)
			}
		}
		for _, stop := range r.acting(taskStop) {
			for _, s := range r.container.acting(taskStart) {
				w.order(stop, s, 0)
			}
		}
	}
}

// orderRemotes orders the actions on remote nodes after (or before) what happens to their connections and containers.
func (w *world) orderRemotes() {
	for _, a := range append([]*action(nil), w.actions...) {
		if a.rsc == nil || a.node == nil || !a.node.remote() || a.node.conn == nil || !a.rsc.primitive() {
			continue
		}
		if a.kind == "cluster" {
			w.clearBehind(a)
			continue
		}
		if a.node.kind == kindGuest && a.node.conn.container != nil {
			w.orderInGuest(a)
		} else {
			w.orderBehindConnection(a)
		}
	}
}

// clearBehind lets a cleared fail count wait for a connection that is recovered.
func (w *world) clearBehind(a *action) {
	for _, s := range a.node.conn.acting(taskStart) {
		w.order(s, a, 0)
	}
}

func (w *world) orderInGuest(a *action) {
	conn := a.node.conn
	c := conn.container
	switch a.task {
	case taskStart, taskPromote:
		for _, s := range c.acting(taskStart) {
			w.order(s, a, needsFirst|forcesThen)
		}
		for _, s := range conn.acting(taskStart) {
			w.order(s, a, needsFirst|forcesThen)
		}
		w.leaveForRemote(a)
	case taskStop, taskDemote:
		if c.failed {
			return
		}
		for _, s := range conn.acting(taskStop) {
			w.order(a, s, forcesFirst)
			if a.task == taskStop {
				w.orderStop(a.rsc, s, 0) // its probes, too, say whether it is there
			}
		}
	default:
		for _, s := range conn.acting(taskStart) {
			w.order(s, a, needsFirst)
		}
		if a.interval == 0 {
			for _, s := range conn.acting(taskStop) {
				w.order(a, s, 0)
			}
		}
	}
}

// leaveForRemote lets a resource that moves to a remote node leave its old place only when the remote node is there.
func (w *world) leaveForRemote(start *action) {
	for _, s := range start.node.conn.acting(taskStart) {
		for _, stop := range start.rsc.acting(taskStop) {
			if stop.node != start.node && !stop.node.remote() {
				w.order(s, stop, 0)
			}
		}
	}
}

// connectionState is what one can do through a connection.
type connectionState uint8

const (
	connectionAlive     connectionState = iota // it works, and may be stopped or moved in good order
	connectionResting                          // it is down and not wanted
	connectionRecovered                        // it is down and will be up again
	connectionFailed                           // the node must be fenced
)

func (w *world) stateOf(n *node) connectionState {
	c := n.conn
	switch {
	case n.needsReset || n.unclean:
		return connectionFailed
	case c.failed || len(c.running) == 0 || c.current() != nil && (!c.current().online || c.current().unclean):
		if c.assigned != nil && c.next != roleStopped {
			return connectionRecovered
		}
		if c.failed {
			return connectionFailed
		}
		return connectionResting
	}
	return connectionAlive
}

func (w *world) orderBehindConnection(a *action) {
	conn := a.node.conn
	state := w.stateOf(a.node)
	switch a.task {
	case taskStart, taskPromote:
		for _, s := range conn.acting(taskStart) {
			w.order(s, a, needsFirst)
		}
		w.leaveForRemote(a)
	case taskStop, taskDemote:
		switch state {
		case connectionAlive:
			for _, s := range conn.acting(taskStop) {
				w.order(a, s, 0)
			}
		case connectionRecovered:
			for _, s := range conn.acting(taskStart) {
				w.order(s, a, needsFirst)
			}
		case connectionFailed:
			if conn.next == roleStopped {
				return // there is nothing to wait for: what runs there ends with the fencing
			}
			for _, s := range conn.acting(taskStop) {
				w.order(a, s, 0)
			}
		}
	default:
		flags := needsFirst
		if a.interval > 0 && a.cancelOf == "" {
			flags |= forcesThen // a new connection knows nothing of the monitors that the old one asked for
		}
		for _, s := range conn.acting(taskStart) {
			w.order(s, a, flags)
		}
		if a.cancelOf != "" || a.interval == 0 && state == connectionAlive {
			for _, s := range conn.acting(taskStop) {
				w.order(a, s, 0)
			}
		}
	}
}

// actGuestFences stands the loss of containers for the fencing of the guests in them.
func (w *world) actGuestFences() {
	for _, n := range w.nodes {
		if n.kind != kindGuest || !n.needsReset || n.conn == nil || n.conn.container == nil {
			continue
		}
		a := w.fence(n, "reboot", n.uncleanWhy)
		for _, s := range n.conn.container.acting(taskStop) {
			w.order(s, a, needsFirst)
		}
		if h := n.conn.container.current(); h != nil {
			if f := w.fences[h]; f != nil {
				w.order(f, a, 0)
			}
		}
	}
}

// routerOf is the cluster node that carries out an operation on a remote node.
func (w *world) routerOf(a *action) string {
	n := a.node
	if n == nil || !n.remote() || n.conn == nil {
		return ""
	}
	c := n.conn
	now, then := c.current(), c.assigned
	if c.partialTo != nil {
		now = c.partialFrom
	}
	switch {
	case now == nil && then == nil:
		return ""
	case now == nil:
		return then.name
	case then == nil, now == then:
		return now.name
	}
	// The connection moves: what ends something goes by the old way, as far as that is open.
	old := false
	switch a.task {
	case taskStop, taskDemote, taskCancel, taskMigrateTo:
		old = w.stateOf(n) == connectionAlive
	case taskNotify:
		old = a.notify == "pre-stop" || a.notify == "pre-demote" || a.notify == "post-demote"
		old = old && w.stateOf(n) == connectionAlive
	case taskMonitor:
		old = a.interval == 0 && w.stateOf(n) == connectionAlive && n.kind == kindGuest
	}
	if old {
		return now.name
	}
	return then.name
}
