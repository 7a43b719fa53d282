package scheduler

import (
	"fmt"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// action is something that may have to be done. Most are never needed: a resource that stays has a stop and a start all
// the same, so that an ordering can force a restart on it.
type action struct {
	kind     transition.Kind
	task     string
	rsc      *rsc
	node     *node
	interval int64
	key      string

	need     bool // it must be done
	imposed  bool // need was imposed from outside of a collection, and so holds for everything in it
	runnable bool
	pseudo   bool
	dead     bool // replaced by another, never emitted
	why      string
	blocked  string // why it is not runnable
	minimum  int    // runnable when so many of its anyOf inputs are; 0 means that they do not matter

	targetRC int
	in, out  []*edge
	marked   bool
	listed   bool // it is in the transition

	notify      string
	notifyLists map[string]any
	cancelOf    string
	beforeStop  *action // cancel: a stop that makes it needless
	fenceOp     string
	extraMeta   map[string]string
	reload      bool
	unless      *action // not needed when that is done
	id          int
}

type actionKey struct {
	rsc      *rsc
	task     string
	node     *node
	interval int64
	variant  string
}

// edgeFlag says what an ordering does beyond ordering.
type edgeFlag uint16

const (
	// needsFirst: then can be done only if first can be.
	needsFirst edgeFlag = 1 << iota
	// forcesThen: when first must be done, then must be too.
	forcesThen
	// forcesFirst: when then must be done, first must be too; if first cannot be, neither can then.
	forcesFirst
	// ifPromoted limits forcesFirst to resources that are promoted now.
	ifPromoted
	// restarts ties the stop of a resource to its own start.
	restarts
	// oneWay: the ordering says nothing about what already runs.
	oneWay
	// upward: need passes from a member to its collection without being imposed on the other members.
	upward
	// anyOf: then needs some of its inputs of this kind, not all.
	anyOf
	// sameNode: does not count if the two are on different nodes.
	sameNode
	// serial: they must not overlap, whichever comes first.
	serial
	// loadOnly: what leaves a node makes room for what comes.
	loadOnly
	// hidden: no ordering at all, only a way for what is impossible to spread.
	hidden
)

// edge orders two actions.
type edge struct {
	first, then *action
	flags       edgeFlag
	cut         bool // dropped to break a loop
}

// apart tells whether an edge does not count because its actions are on different nodes.
func (e *edge) apart() bool {
	return e.flags&sameNode != 0 && e.first.node != nil && e.then.node != nil && e.first.node != e.then.node
}

// action returns the action of that identity, made if missing.
func (w *world) action(r *rsc, task string, n *node, interval int64) *action {
	return w.actionVariant(r, task, n, interval, "")
}

func (w *world) actionVariant(r *rsc, task string, n *node, interval int64, variant string) *action {
	k := actionKey{r, task, n, interval, variant}
	if a := w.byKey[k]; a != nil {
		return a
	}
	a := &action{kind: transition.KindResource, task: task, rsc: r, node: n, interval: interval,
		runnable: true}
	if r != nil {
		a.key = fmt.Sprintf("%s_%s_%d", r.id, task, interval)
		r.acts = append(r.acts, a)
		if !r.primitive() {
			a.kind, a.pseudo = transition.KindPseudo, true
		}
	}
	w.byKey[k] = a
	w.actions = append(w.actions, a)
	if r != nil && r.primitive() {
		w.judgeRunnable(a)
	}
	return a
}

// existing returns the action if it was made.
func (w *world) existing(r *rsc, task string, n *node, interval int64) *action {
	return w.byKey[actionKey{r, task, n, interval, ""}]
}

// judgeRunnable decides whether an operation can be carried out where it is meant to.
func (w *world) judgeRunnable(a *action) {
	n, r := a.node, a.rsc
	switch {
	case n == nil:
		a.block("there is no node to run it on")
	case !n.online && !(n.kind == kindGuest && w.guestComing(n)):
		a.block(n.name + " is offline")
		if a.task == taskStop && r.managed && !n.unclean && w.canFenceFor(n) {
			w.mark(n, r.id+" cannot be stopped there: the node is offline")
		}
	case n.pending:
		a.block(n.name + " is still joining")
	case (a.task == taskStart || a.task == taskPromote) && !w.quorumAllows(a):
	}
}

// quorumAllows tells whether a start may happen in a partition like this one.
func (w *world) quorumAllows(a *action) bool {
	if w.quorum || w.opts.noQuorum == quorumIgnore || a.rsc.requires == requireNothing {
		return true
	}
	switch w.opts.noQuorum {
	case quorumFreeze:
		top := a.rsc.uber()
		if top.active(false) && (a.rsc.next <= a.rsc.role || a.rsc.next == roleStarted) {
			return true
		}
		a.block("there is no quorum, and no-quorum-policy is freeze")
		return false
	case quorumDemote:
		if a.rsc.promotable() {
			if a.task == taskPromote {
				a.block("there is no quorum, and no-quorum-policy is demote")
				return false
			}
			if a.rsc.isRunningOn(a.node) {
				return true
			}
		}
		a.block("there is no quorum")
		return false
	}
	a.block("there is no quorum")
	return false
}

// canFenceFor tells whether a node that cannot be reached can be fenced instead.
func (w *world) canFenceFor(n *node) bool {
	return w.opts.fencing && !n.remote()
}

// block makes an action one that cannot be done.
func (a *action) block(why string) {
	if a.runnable {
		a.runnable, a.blocked = false, why
	}
}

// require makes an action one that must be done.
func (a *action) require(why string) bool {
	if a.need {
		return false
	}
	a.need = true
	if a.why == "" {
		a.why = why
	}
	return true
}

// order puts first before then.
func (w *world) order(first, then *action, flags edgeFlag) {
	if first == nil || then == nil || first == then {
		return
	}
	for _, e := range first.out {
		if e.then == then && e.flags&(restarts|upward|anyOf|hidden) == flags&(restarts|upward|anyOf|hidden) {
			e.flags |= flags
			return
		}
	}
	e := &edge{first: first, then: then, flags: flags}
	first.out = append(first.out, e)
	then.in = append(then.in, e)
}

// acting lists the actions of a resource of one task, on every node.
func (r *rsc) acting(task string) []*action {
	var out []*action
	for _, a := range r.acts {
		if a.task == task && a.interval == 0 && a.notify == "" && !a.dead {
			out = append(out, a)
		}
	}
	return out
}

// done tells whether the action will be in the transition.
func (a *action) done() bool {
	if !a.need || !a.runnable || a.dead {
		return false
	}
	return true
}

func collective(r *rsc) bool { return r.kind != cib.KindPrimitive }
