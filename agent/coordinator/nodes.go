package coordinator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/outcome"
	"paceline/agent/quorum"
	"paceline/agent/transition"
	"paceline/fencing"
)

// reconcileNodes brings the committed states of the nodes in line with what gossip and the sessions say, and asks for
// sessions where there are none.
func (c *Core) reconcileNodes(now time.Time) {
	if c.snap.CIB == nil {
		return
	}
	if c.awaitAll() {
		c.started, c.joinBy = now, now.Add(c.cfg.Timing.JoinWait) // what is waited for afterwards counts from the end of this
		return
	}
	seen, settled := map[string]bool{}, true
	for _, m := range c.view.Members {
		if m.Role == membership.RoleWitness {
			continue
		}
		seen[m.ID] = true
		switch m.Status {
		case membership.Alive:
			settled = c.tendAlive(now, m) && settled
		case membership.Left:
			c.tendGone(now, m.ID, m.Name, "it left the cluster")
		default:
			c.tendFailed(now, m)
		}
	}
	for _, n := range c.snap.CIB.Configuration.Nodes {
		if seen[n.ID] || (n.Type != "" && n.Type != cib.NodeMember) {
			continue
		}
		settled = c.tendUnseen(now, n) && settled
	}
	if c.ready {
		return
	}
	if settled || !now.Before(c.joinBy) {
		c.ready = true
		return
	}
	c.wakeAt(c.joinBy)
}

// online reports whether the committed state has the node as one that can run things.
func online(s *cib.NodeState) bool {
	return s != nil && isTrue(s.InCCM) && s.CRMD == "online" && s.Join == "member"
}

// tendAlive looks after a node that gossip hears. It reports whether all is said about the node.
func (c *Core) tendAlive(now time.Time, m membership.Member) bool {
	s := c.session(m.Name)
	st := c.snap.CIB.NodeState(m.ID)
	if st != nil && st.Expected == "down" && st.Incarnation == m.Incarnation {
		c.letGo[m.ID] = m.Incarnation
	}
	if c.lied(now, m, st) {
		return true
	}
	if f := c.fences[m.Name]; f != nil && f.running() {
		return true // it may die any moment: its result is waited for
	}
	if !s.up || s.incarnation != m.Incarnation && s.boot != m.Boot {
		return c.tendSilent(now, m, s, st)
	}
	s.stranger = time.Time{}
	if st != nil && online(st) && st.Boot == s.boot && st.Incarnation == s.incarnation && c.configured(m) {
		if batch := announcements(s, m.ID, st); len(batch) > 0 {
			c.nodeCommit(m.ID, m.Name+": its watchdog "+cmp.Or(s.watchdog, "is gone"), batch)
		}
		return true
	}
	if c.letGo[m.ID] == s.incarnation {
		return true // let go in good order; it says goodbye any moment
	}
	c.join(now, m, s, st)
	return true
}

func (c *Core) configured(m membership.Member) bool {
	for _, n := range c.snap.CIB.Configuration.Nodes {
		if n.ID == m.ID {
			return n.Uname == m.Name
		}
	}
	return false
}

// join commits a node with a session as a member. What was known of another boot of it is void: the machine was off.
func (c *Core) join(now time.Time, m membership.Member, s *session, st *cib.NodeState) {
	if f := c.fences[m.Name]; f != nil {
		f.cancel("it came back")
	}
	var batch []cib.Change
	if !c.configured(m) {
		batch = append(batch, cib.Change{PutNode: &cib.PutNode{ID: m.ID, Uname: m.Name, Type: cib.NodeMember, Replace: true}})
	}
	cause := "joined"
	if st != nil && st.Boot != "" && st.Boot != s.boot {
		batch = append(batch, outcome.Cleared(c.snap.CIB, st)...)
		cause = "joined after a reboot"
	}
	batch = append(batch,
		cib.Change{NodeStatus: &cib.NodeStatus{
			ID: m.ID, Uname: m.Name, InCCM: "true", CRMD: "online", Join: "member", Expected: "member",
			Boot: s.boot, Incarnation: s.incarnation, Since: now.UnixMilli(), Cause: cause, Fenced: "-",
		}},
		cib.Change{SetTransient: &cib.SetTransient{NodeID: m.ID, Name: "shutdown"}},
	)
	batch = append(batch, announcements(s, m.ID, st)...)
	if st != nil && st.Incarnation != s.incarnation && attribute(st, cib.RestartAttribute) != "" {
		batch = append(batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: m.ID, Name: cib.RestartAttribute}})
	}
	delete(c.fencedAt, m.Name)
	c.nodeCommit(m.ID, m.Name+" "+cause, batch)
}

// nodeCommit commits a change of a node's state, one at a time a node, and plans again after it.
func (c *Core) nodeCommit(id, why string, batch []cib.Change) {
	key := "node:" + id
	if c.busy[key] {
		return
	}
	c.busy[key] = true
	c.commit(cib.Change{Batch: batch}, func(now time.Time, err error) {
		delete(c.busy, key)
		if err == nil {
			c.afresh()
			c.replan(why)
			c.say("info", why)
			c.happened(HappenedMembership, now, c.nodeName(id), "", why)
		}
	})
}

// nodeName is the name of the node of that ID, which may carry what the commit is about after a colon.
func (c *Core) nodeName(id string) string {
	id, _, _ = strings.Cut(id, ":")
	if st := c.snap.CIB.NodeState(id); st != nil {
		return st.Uname
	}
	return ""
}

// tendFailed looks after a node that gossip reports dead. With fencing it is lost at once, unless its daemon announced that it starts
// anew and has not been heard since, or it has just made this node
// the coordinator: then gossip has yet to hear of it again, and has a lease's time for that. Without fencing, nobody will ever
// confirm that it is dead; all there is, is that a node that is cut off stops what it runs by itself after its lease
// (safety rule 6). So much time it gets, and as much again for the stops.
func (c *Core) tendFailed(now time.Time, m membership.Member) {
	why := "it is not heard any more"
	st := c.snap.CIB.NodeState(m.ID)
	if until := c.restarts.until(st); !until.IsZero() && m.Incarnation == st.Incarnation {
		if !c.restartingUntil(now, st).IsZero() {
			c.dropSession(now, m.Name, why)
			c.awaitRestart(now, until, st)
			return
		}
		why += ": its daemon announced that it starts anew, and was not back in time"
	}
	if FencingEnabled(c.snap.CIB) && !c.outvoices(now, m) || st == nil || !isTrue(st.InCCM) || st.Expected == "down" {
		c.tendGone(now, m.ID, m.Name, why)
		return
	}
	c.dropSession(now, m.Name, why)
	c.tendMissing(now, maxOf(m.Since, c.started), m.ID, m.Name, st, c.cfg.Timing.NodeLease, why)
}

// outvoices says that a node lives although gossip has not heard of it since before the election: it has answered the
// coordinator in this term. That holds for the time of a lease; if gossip has not heard it by then, it is lost.
func (c *Core) outvoices(now time.Time, m membership.Member) bool {
	until := c.started.Add(c.cfg.Timing.NodeLease)
	if !c.answered[m.ID] || m.Status == membership.Alive || m.Since.After(c.started) || !now.Before(until) {
		return false
	}
	c.wakeAt(until)
	return true
}

func maxOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// dropSession ends a node's session, if there is one, and with it what was ordered through it.
func (c *Core) dropSession(now time.Time, node, why string) {
	if s := c.sessions[node]; s != nil {
		if s.up || s.opening {
			c.effects = append(c.effects, CloseSession{Node: node, Why: why})
			c.tied[node] = now
		}
		delete(c.sessions, node)
	}
	c.loseOrders(node, why)
	for _, target := range sortedKeys(c.fences) {
		c.fenceNodeLost(now, c.fences[target], node)
	}
	c.rehearsalEvent(now, fencing.NodeLost{Node: node})
}

// tendSilent looks after a node that gossip hears and that has no session.
func (c *Core) tendSilent(now time.Time, m membership.Member, s *session, st *cib.NodeState) bool {
	if s.up { // either its session is of an old incarnation, or gossip is behind; if that does not pass, the one that gossip hears is lost
		since := s.stranger
		why := "another incarnation of it answers than the one that is heard"
		c.dropSession(now, m.Name, why)
		s = c.session(m.Name)
		if s.stranger = now; !since.IsZero() {
			s.stranger, s.downSince, s.why, s.retryAt = since, since, why, now.Add(c.cfg.Timing.SessionRetry)
		}
	}
	if s.downSince.IsZero() {
		s.downSince = now
	}
	if !s.opening {
		if now.Before(s.retryAt) {
			c.wakeAt(s.retryAt)
		} else {
			s.opening = true
			c.effects = append(c.effects, OpenSession{Node: m.Name, Addr: fmt.Sprintf("%s:%d", m.Addr, m.PeerPort)})
		}
	}
	if until := c.restartingUntil(now, st); !until.IsZero() {
		c.awaitRestart(now, until, st)
		return !online(st)
	}
	if st == nil || !isTrue(st.InCCM) {
		return s.why != "" // a new one: it joins when its session is up
	}
	why := s.why
	if why == "" {
		why = "no session"
	}
	return c.tendMissing(now, s.downSince, m.ID, m.Name, st, c.cfg.Timing.NodeLease, "its executor does not answer: "+why)
}

// tendMissing looks after a node that is committed as in the membership and without a session since then: it is pending
// at first - nothing is placed on it, nothing is recovered from it - and lost after the limit. Without fencing it stays
// what it was until then, and nothing is planned (sessionsSettled): plans without fencing recover from a pending node.
func (c *Core) tendMissing(now, since time.Time, id, name string, st *cib.NodeState, limit time.Duration, why string) bool {
	fencing := FencingEnabled(c.snap.CIB)
	if lost := since.Add(c.patience(limit)); now.Before(lost) {
		c.wakeAt(lost)
		if !fencing {
			return !online(st)
		}
		pendingAt := since.Add(c.cfg.Timing.JoinWait / 2)
		if now.Before(pendingAt) {
			c.wakeAt(pendingAt)
			return !online(st)
		}
		if online(st) {
			c.nodeCommit(id, name+" is pending: "+why, []cib.Change{{NodeStatus: &cib.NodeStatus{
				ID: id, Uname: name, Join: "pending", Since: now.UnixMilli(), Cause: why,
			}}})
			return false
		}
		return true
	}
	c.tendGone(now, id, name, why)
	return true
}

// patience is how long a node is waited for: where nobody will confirm its death it gets the time in which it stops by itself.
func (c *Core) patience(limit time.Duration) time.Duration {
	if FencingEnabled(c.snap.CIB) {
		return limit
	}
	return max(limit, 2*c.cfg.Timing.NodeLease)
}

// unseen lists the members that this membership never heard of, while they are waited for.
func (c *Core) unseen() []Unseen {
	if c.snap.CIB == nil || len(c.awaits) > 0 {
		return nil
	}
	var out []Unseen
	for _, n := range c.snap.CIB.Configuration.Nodes {
		heard := slices.ContainsFunc(c.view.Members, func(m membership.Member) bool { return m.ID == n.ID })
		if st := c.snap.CIB.NodeState(n.ID); !heard && (n.Type == "" || n.Type == cib.NodeMember) && st != nil && isTrue(st.InCCM) {
			out = append(out, Unseen{Node: n.Uname, Lost: c.started.Add(c.patience(c.cfg.Timing.Unseen))})
		}
	}
	return out
}

// tendUnseen looks after a configured node that this membership never heard of.
func (c *Core) tendUnseen(now time.Time, n *cib.Node) bool {
	st := c.snap.CIB.NodeState(n.ID)
	if st == nil {
		// It never was a member: it can not run anything of this cluster.
		c.nodeCommit(n.ID, n.Uname+" is configured and has not joined yet", []cib.Change{{NodeStatus: &cib.NodeStatus{
			ID: n.ID, Uname: n.Uname, InCCM: "false", CRMD: "offline", Join: "down", Expected: "down",
			Since: now.UnixMilli(), Cause: "has not joined yet",
		}}})
		return false
	}
	if !isTrue(st.InCCM) {
		return true
	}
	return c.tendMissing(now, c.started, n.ID, n.Uname, st, c.cfg.Timing.Unseen, "it was not heard since the cluster started")
}

// tendGone commits that a node is out of the membership. Unless it was let go in good order (Expected is "down") that
// makes it unclean: the scheduler has it fenced before anything that it may run starts elsewhere.
func (c *Core) tendGone(now time.Time, id, name, why string) {
	c.dropSession(now, name, why)
	st := c.snap.CIB.NodeState(id)
	if st == nil || !isTrue(st.InCCM) && st.CRMD != "online" {
		return
	}
	text := name + " is lost: " + why
	if st.Expected == "down" {
		text = name + " is gone: " + why
	}
	c.nodeCommit(id, text, []cib.Change{{NodeStatus: &cib.NodeStatus{
		ID: id, Uname: name, InCCM: "false", CRMD: "offline", Since: now.UnixMilli(), Cause: why,
	}}})
}

// lied reports a node that is heard in the very boot that was confirmed fenced (safety rule 9). Gossip may go on naming
// a dead node alive for as long as it takes to notice; only after that, or when the node was missed and is heard again,
// it is the device that lied. Such a node stays out until it is fenced in truth, or comes back from another boot.
func (c *Core) lied(now time.Time, m membership.Member, st *cib.NodeState) bool {
	if st == nil || st.Fenced == "" || st.Boot == "" || st.Boot != m.Boot {
		return false
	}
	at := c.fencedAt[m.Name].at
	if at.IsZero() {
		at = c.started
	}
	if grace := at.Add(c.cfg.Timing.HeardAgain); now.Before(grace) && !m.Since.After(at) {
		c.wakeAt(grace)
		return true
	}
	why := m.Name + " was reported fenced and is heard again in the same boot: its fencing device does not do what it says"
	if st.Expected != "member" {
		c.nodeCommit(m.ID, why, []cib.Change{
			{RecordFence: &cib.RecordFence{Event: cib.FenceEvent{
				Target: m.Name, Action: fencing.Off, Origin: "coordinator", State: fencing.StateFailed, Detail: why,
				Started: now.UnixMilli(), Completed: now.UnixMilli(),
			}}},
			{NodeStatus: &cib.NodeStatus{
				ID: m.ID, Uname: m.Name, InCCM: "false", CRMD: "offline", Expected: "member",
				Since: now.UnixMilli(), Cause: why,
			}},
		})
	}
	return true
}

func (c *Core) sessionUp(now time.Time, e SessionUp) {
	s := c.session(e.Node)
	s.opening, s.up, s.why = false, true, ""
	s.presumed, s.watchdog, s.pillWait = e.PresumedDead, e.Watchdog, e.PillWait
	c.tied[e.Node] = now
	s.incarnation, s.boot, s.downSince, s.retryAt = e.Incarnation, e.Boot, time.Time{}, time.Time{}
	s.inFlight, s.inFlightBy = map[string]int{}, now.Add(inFlightMax)
	for _, r := range slices.Concat(e.Running, e.Unacked) {
		s.inFlight[r]++
	}
	c.afresh()
	c.dropStalePending(e)
}

// landed takes in the result of an operation that a node had from a coordinator before.
func (s *session) landed(r transition.Result) {
	if r.IntervalMS != 0 || s.inFlight[r.Resource] == 0 {
		return
	}
	if s.inFlight[r.Resource]--; s.inFlight[r.Resource] == 0 {
		delete(s.inFlight, r.Resource)
	}
}

// awaitsResults reports whether a node has operations in flight that this coordinator did not order. What is recorded of their
// resources is about to change: a stop that was ordered before leaves the record of a start until it has ended.
func (c *Core) awaitsResults(now time.Time) bool {
	waits := false
	for _, name := range sortedKeys(c.sessions) {
		if s := c.sessions[name]; s.up && len(s.inFlight) > 0 && now.Before(s.inFlightBy) {
			c.wakeAt(s.inFlightBy)
			waits = true
		}
	}
	return waits
}

// dropStalePending forgets intents that were committed and whose order never reached the node, or whose result is lost:
// the node would say that they run. The resource is probed again.
func (c *Core) dropStalePending(e SessionUp) {
	st := c.snap.CIB.NodeState(e.ID)
	if st == nil || st.Boot != e.Boot {
		return
	}
	running := map[string]bool{}
	for _, r := range e.Running {
		running[r] = true
	}
	var batch []cib.Change
	for _, h := range st.Resources {
		for _, op := range h.Ops {
			if op.OpStatus == "-1" && !running[h.ID] {
				batch = append(batch, outcome.Forget(st, h.ID)...)
				break
			}
		}
	}
	if len(batch) > 0 {
		c.nodeCommit(e.ID+":pending", e.Node+" does not know of operations that were ordered: their resources are probed again", batch)
	}
}

func (c *Core) sessionDown(now time.Time, e SessionDown) {
	s := c.session(e.Node)
	s.opening, s.why, s.retryAt = false, e.Why, now.Add(c.cfg.Timing.SessionRetry)
	if s.up {
		s.up, s.downSince = false, now
		c.tied[e.Node] = now
		c.say("warn", "the session to a node is lost", "node", e.Node, "why", e.Why)
	}
	c.loseOrders(e.Node, "the session to the node was lost")
	for _, target := range sortedKeys(c.fences) {
		c.fenceNodeLost(now, c.fences[target], e.Node)
	}
	c.rehearsalEvent(now, fencing.NodeLost{Node: e.Node})
}

// loseOrders ends the orders in flight on a node: their results may still come, and are then recorded as what they are.
func (c *Core) loseOrders(node, why string) {
	if c.machine == nil {
		return
	}
	for _, a := range c.machine.OnNode(node) {
		c.machine.Fail(a.ID)
		c.replan(fmt.Sprintf("%s of %s on %s was lost: %s", a.Operation, a.Resource, node, why))
	}
}

// reconcileVoters asks for the next change of the voter set.
func (c *Core) reconcileVoters(now time.Time) {
	if c.changingVoters || c.snap.CIB == nil || !c.ready {
		return
	}
	addr := map[string]string{}
	known := map[string]int{}
	var nodes []quorum.Candidate
	for _, m := range c.view.Members {
		st := c.snap.CIB.NodeState(m.ID)
		cand := quorum.Candidate{ID: m.ID, Name: m.Name, Voter: c.voters[m.ID], Witness: m.Role == membership.RoleWitness}
		cand.Heard = m.Status == membership.Alive
		cand.Alive = m.Status == membership.Alive && (cand.Witness || c.isUp(m.Name) && online(st) || m.ID == c.cfg.SelfID)
		// One that was fenced and is heard again votes already, and may be the very one whose vote this node leads by.
		cand.Gone = m.Status != membership.Alive && (st != nil && st.Expected == "down" || st == nil && m.Status == membership.Left)
		if m.Status == membership.Alive && st != nil && st.Expected == "down" && !online(st) && st.Fenced == "" {
			cand.Gone = true // let go in good order, still saying goodbye
		}
		if c.outvoices(now, m) {
			cand.Gone = false
		}
		if st != nil {
			cand.Since = st.Since
		}
		addr[m.ID] = fmt.Sprintf("%s:%d", m.Addr, m.PeerPort)
		known[m.ID] = len(nodes)
		nodes = append(nodes, cand)
	}
	for id := range c.voters {
		if _, ok := known[id]; ok {
			continue
		}
		st := c.snap.CIB.NodeState(id)
		nodes = append(nodes, quorum.Candidate{ID: id, Voter: true, Gone: st != nil && st.Expected == "down"})
	}
	step := quorum.Next(c.cfg.SelfID, nodes)
	if step.None() {
		return
	}
	c.changingVoters = true
	c.effects = append(c.effects, ChangeVoters{Step: step, Addr: addr[step.Admit]})
}

func (c *Core) votersAre(e VotersAre) {
	c.changingVoters = false
	if e.Err != nil {
		c.say("warn", "the voters could not be changed", "err", e.Err)
	}
	c.voters = map[string]bool{}
	for _, id := range e.IDs {
		c.voters[id] = true
	}
}
