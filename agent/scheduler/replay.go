package scheduler

import (
	"fmt"
	"time"

	"paceline/agent/cib"
)

// replay goes through the history of one instance on one node and leaves the instance in the state that it means.
func (w *world) replay(r *rsc, n *node, records []*record) {
	s := &replayed{w: w, r: r, n: n, role: roleStopped, from: r.role}
	for _, k := range records {
		w.settle(k)
		if k.failed {
			k.fail = w.onFailOf(r, k.task, k.interval)
			w.expire(k)
		}
	}
	for _, k := range records {
		s.step(k)
	}
	s.finish()
}

// replayed is the state of a replay.
type replayed struct {
	w        *world
	r        *rsc
	n        *node
	from     role
	role     role
	fail     onFail
	failure  *record
	last     *record
	next     role
	pending  string
	seen     bool
	dangling bool
	also     *node // another node where it may be, after a migration that failed
}

func (s *replayed) step(k *record) {
	if k.task == taskNotify || k.task == "meta-data" {
		return
	}
	if k.status == cib.OpCancelled {
		return
	}
	if k.task != taskMigrateTo && k.status != cib.OpPending || k.task != taskMonitor {
		s.known(k)
	}
	switch {
	case k.status == cib.OpPending:
		s.inFlight(k)
	case !k.failed:
		s.succeeded(k)
	case k.expired:
	default:
		s.failedStep(k)
	}
}

// known notes that the node need not be probed any more.
func (s *replayed) known(k *record) {
	s.seen = true
	s.r.known.add(s.n)
	if c := s.r.inClone(); c != nil && !c.clone.unique {
		for _, kid := range c.kids {
			if l := leafOf(kid, s.r.base); l != nil {
				l.known.add(s.n)
			}
		}
	}
}

func (s *replayed) inFlight(k *record) {
	r := s.r
	switch k.task {
	case taskStart:
		r.startPending = true
		s.role = roleStarted
		s.pending = taskStart
	case taskPromote:
		s.role = rolePromoted
		s.pending = taskPromote
	case taskMonitor:
		if k.interval == 0 {
			r.pendNode[s.n] = true
		}
	case taskMigrateTo:
		s.w.migrateToPending(s, k)
		s.pending = taskMigrateTo
	case taskMigrateFrom:
		s.w.migrateFromPending(s, k)
		s.pending = taskMigrateFrom
	default:
		s.pending = k.task
	}
	if k.task != taskMonitor {
		s.pending = k.task
		s.last = k
	}
}

func (s *replayed) succeeded(k *record) {
	clear := false
	s.last = k
	if k.task != taskMonitor {
		s.dangling, s.also = false, nil
	}
	if k.task != taskMonitor && k.rc == rcNotRunning && k.target == rcNotRunning {
		s.role = roleStopped // an operation that was to find nothing, whatever it is called
		s.clear()
		return
	}
	switch k.task {
	case taskMonitor:
		switch {
		case k.rc == rcNotRunning:
			if k.target == rcNotRunning || k.probe() || !s.r.managed {
				s.role = roleStopped
				clear = true
			}
		case k.rc == rcPromoted:
			s.role = rolePromoted
		case s.role < roleStarted:
			s.role = roleStarted
		case k.probe() && k.rc == rcOK && s.role == rolePromoted:
			s.role = roleUnpromoted
		}
		if s.failure != nil && s.failure.task == taskMonitor && s.failure.interval == k.interval && k.interval > 0 {
			clear = true
		}
	case taskStart:
		s.role, clear = roleStarted, true
		s.r.startPending = false
	case taskStop:
		s.role, clear = roleStopped, true
		s.pending = ""
	case taskPromote:
		s.role, clear = rolePromoted, true
	case taskDemote:
		// It makes good what a demotion was called for; a failed instance that is demoted has still failed.
		s.role, clear = roleUnpromoted, s.fail == failDemote
	case taskMigrateFrom:
		s.role, clear = roleStarted, true
	case taskMigrateTo:
		s.w.migrateToDone(s, k)
	case "reload", taskReload:
		if s.role < roleStarted {
			s.role = roleStarted
		}
	default:
		if s.role < roleStarted {
			s.role = roleStarted
		}
	}
	if clear {
		s.clear()
	}
}

// clear forgets a past failure that the present success makes good.
func (s *replayed) clear() {
	switch s.fail {
	case failNothing:
	case failStop, failBan, failStandby, failFence:
		// These stay until the failure is forgotten.
	case failResetRemote:
		if s.r.reconnect > 0 {
			return // it lasts until it is time to connect again
		}
		fallthrough
	case failBlock, failIgnore, failRestart, failDemote, failRestartContainer:
		s.fail, s.failure, s.next = failNothing, nil, roleUnknown
	}
}

func (s *replayed) failedStep(k *record) {
	w, r := s.w, s.r
	s.last = k
	if w.maskedProbe(k) && w.probeMasked(s, k) {
		return
	}
	fail := k.fail
	if fail == failIgnore {
		switch k.status {
		case cib.OpErrorHard, cib.OpNotInstalled, cib.OpErrorFatal:
			fail = w.restartKind(r) // what cannot run here cannot be left here
		default:
			s.ignored(k)
			return
		}
	}
	if k.task == taskStop && fail == failRestartContainer {
		s.ignored(k) // the stop of the container does what this one could not
		s.fail, s.failure = max(fail, s.fail), k
		return
	}
	switch k.status {
	case cib.OpErrorFatal:
		r.banWhy(nil, "its configuration is not accepted by its agent")
		r.top().spread(nil, banned)
	case cib.OpErrorHard, cib.OpNotInstalled, cib.OpInvalid:
		if !(k.task == taskStop) {
			w.banInstance(r, s.n, fmt.Sprintf("%s says %s", k.task, exitName(k.rc)))
		}
	}
	switch k.task {
	case taskStop:
		if s.role < roleStarted {
			s.role = roleStarted
		}
	case taskPromote:
		s.role = rolePromoted
	case taskDemote:
		switch {
		case fail == failBlock:
			s.role = rolePromoted
			s.next = roleStopped
		default:
			s.role = roleUnpromoted
		}
	case taskMigrateTo:
		w.migrateToFailed(s, k)
	case taskMigrateFrom:
		w.migrateFromFailed(s, k)
	default:
		if k.rc == rcFailedPromoted || k.rc == rcPromoted && k.task == taskMonitor {
			s.role = rolePromoted
		} else if s.role < roleStarted {
			s.role = roleStarted
		}
	}
	if fail == failStop {
		s.next = roleStopped
	}
	if fail > s.fail || s.failure == nil {
		s.fail, s.failure = max(fail, s.fail), k
	}
}

// ignored takes a failure with on-fail=ignore as if it had gone as expected.
func (s *replayed) ignored(k *record) {
	switch k.task {
	case taskStart:
		s.role = roleStarted
	case taskStop:
		s.role = roleStopped
	case taskPromote:
		s.role = rolePromoted
	case taskDemote:
		s.role = roleUnpromoted
	case taskMonitor:
		switch {
		case k.target == rcPromoted:
			s.role = rolePromoted
		case s.role < roleStarted && k.target != rcNotRunning:
			s.role = roleStarted
		}
	}
}

// probeMasked handles a probe that says the resource cannot be here. It returns false when that is a failure after all.
func (w *world) probeMasked(s *replayed, k *record) bool {
	w.banInstance(s.r, s.n, fmt.Sprintf("a probe says %s", exitName(k.rc)))
	return true
}

// banInstance forbids a node to an instance; for an anonymous clone to all of them.
func (w *world) banInstance(r *rsc, n *node, why string) {
	target := r
	if c := r.inClone(); c != nil && !c.clone.unique {
		target = c
	}
	target.spread(n, banned)
	target.banWhy(n, why)
}

// banWhy keeps why a node is forbidden, for the reasons.
func (r *rsc) banWhy(n *node, why string) {
	if r.bans == nil {
		r.bans = map[*node]string{}
	}
	if _, have := r.bans[n]; !have {
		r.bans[n] = why
	}
}

func exitName(rc int) string {
	names := map[int]string{1: "error", 2: "invalid parameter", 3: "unimplemented feature", 4: "insufficient privileges",
		5: "not installed", 6: "not configured", 7: "not running", 8: "promoted", 9: "failed while promoted"}
	if n, ok := names[rc]; ok {
		return n
	}
	return fmt.Sprintf("exit code %d", rc)
}

// finish applies what the history on this node means to the instance.
func (s *replayed) finish() {
	r, n, w := s.r, s.n, s.w
	if !n.online && !n.unclean && !n.maintenance && !n.remote() {
		if !w.opts.fencing || !r.managed || r.agent.Class == "stonith" || r.removed || r.lockNode == n {
			return // it left in good order: nothing of it is left there
		}
		if s.role >= roleStarted {
			w.mark(n, r.id+" is thought to be active there")
		}
	}
	if s.role < roleStarted {
		if s.dangling && n.online {
			r.dangling = append(r.dangling, n)
		}
		s.stoppedHere()
		return
	}
	if r.promotable() && s.role == roleStarted {
		s.role = roleUnpromoted
	}
	if s.also != nil {
		w.alsoOn(r, s.also)
	}
	w.activate(r, n, s)
	if s.pending != "" {
		r.pendingT = s.pending
	}
	if s.next != roleUnknown {
		r.next, r.stopWhy = s.next, "a failure with on-fail=stop"
	}
	if s.fail == failBlock && n.unclean && w.canFence(n) {
		s.fail = failRestart // the fencing of the node does what the stop could not
	}
	if s.fail != failNothing && s.fail != failIgnore {
		w.applyFailure(r, n, s.fail, s.failure)
	}
}

func (s *replayed) stoppedHere() {
	switch s.fail {
	case failStandby, failFence, failStop, failRestartContainer, failResetRemote:
		failed := s.r.failed // where it runs now it did not
		s.w.applyFailure(s.r, s.n, s.fail, s.failure)
		s.r.failed = failed
	}
}

// promotable tells whether instances of r have a promoted role.
func (r *rsc) promotable() bool {
	c := r.inClone()
	return c != nil && c.clone.promotable
}

// activate notes that r runs on n.
func (w *world) activate(r *rsc, n *node, s *replayed) {
	if !r.isRunningOn(n) {
		r.running = append(r.running, n)
		n.running = append(n.running, r)
	}
	if s.role > r.role {
		r.role = s.role
	}
	if n.remote() && !n.online && !n.maintenance && r.managed && w.opts.fencing {
		w.lostWith(n, r)
	}
	if n.maintenance && !r.isRemote {
		r.managed = false
	}
}

// lostWith notes that a remote node is gone that something ran on. A guest is recovered with its container; another
// remote node must be fenced, unless its connection did not fail itself and can be made again.
func (w *world) lostWith(n *node, r *rsc) {
	why := r.id + " is thought to be active there"
	if n.kind == kindGuest || n.conn != nil && n.conn.failed {
		w.mark(n, why)
		return
	}
	if !n.unclean && (n.conn == nil || n.conn.managed) {
		n.unclean, n.uncleanWhy = true, why
	}
}

// applyFailure does to the instance (or its node) what the worst of its failures calls for.
func (w *world) applyFailure(r *rsc, n *node, fail onFail, k *record) {
	what := fmt.Sprintf("%s failed there", r.id)
	if k != nil {
		r.failedWhy = fmt.Sprintf("%s on %s: %s", k.task, n.name, exitName(k.rc))
		r.failedTask = k.task
	}
	r.failedOn[n] = true
	switch fail {
	case failFence:
		if n.online || !n.remote() {
			w.mark(n, what)
		}
		r.failed = true
	case failStandby:
		n.standby, n.standbyFail = true, true
		r.failed = r.failed || r.isRunningOn(n) // where it was stopped there, it need not be restarted elsewhere
	case failBlock:
		r.managed, r.blocked, r.failed = false, true, true
		r.blockedWhy = r.failedWhy
	case failStop:
		r.next, r.failed = roleStopped, true
		r.stopWhy = "a failure with on-fail=stop"
		r.target = roleStopped
	case failBan:
		w.banInstance(r, n, "a failure with on-fail=migrate")
		r.failed = true
	case failDemote:
		r.failed = true
		r.demoteOnly = true
	case failResetRemote:
		w.loseConnection(r)
	case failRestartContainer:
		r.failed = true
		if c := r.container; c != nil && c.managed {
			c.failed = true
			c.stopWhy = r.id + " failed in it"
			if c.failedWhy == "" {
				c.failedWhy = r.id + " in it: " + r.failedWhy
			}
		}
	case failRestart:
		r.failed = true
	}
}

func unixTime(s int64) time.Time { return time.Unix(s, 0).UTC() }
