package scheduler

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// failures is how often an instance has failed on a node and when it did last.
type failures struct {
	count int
	last  int64 // Unix seconds; 0 when not known
}

// rawFailures sums the fail counts that a node's attributes hold for an instance: of one operation when task is given.
func rawFailures(r *rsc, n *node, task string, interval int64) failures {
	var f failures
	names := map[string]bool{r.base: true}
	if r.number >= 0 || r.inClone() != nil {
		if c := r.inClone(); c != nil && c.clone.unique {
			names = map[string]bool{r.id: true}
		}
	}
	for name, value := range n.attrs {
		kind, rest, ok := cutFailAttr(name)
		if !ok {
			continue
		}
		who, op, perOp := strings.Cut(rest, "#")
		if !names[who] {
			if b, num := splitInstance(who); num < 0 || !names[b] {
				continue
			}
		}
		if task != "" && perOp && op != fmt.Sprintf("%s_%d", task, interval) {
			continue
		}
		if kind == "last-failure-" {
			if t, err := strconv.ParseInt(value, 10, 64); err == nil && t > f.last {
				f.last = t
			}
			continue
		}
		if count, err := cib.ParseScore(value); err == nil {
			f.count = add(f.count, count)
		}
	}
	return f
}

func cutFailAttr(name string) (kind, rest string, ok bool) {
	for _, p := range []string{"fail-count-", "last-failure-"} {
		if rest, ok := strings.CutPrefix(name, p); ok {
			return p, rest, true
		}
	}
	return "", "", false
}

// effective is the fail count that still counts: none after failure-timeout has passed, unless a failure blocks.
func (w *world) effective(r *rsc, n *node) failures {
	f := rawFailures(r, n, "", 0)
	if f.count > 0 && r.failTimeout > 0 && f.last > 0 && !w.blockingFailure(r, n) {
		due := unixTime(f.last).Add(time.Duration(r.failTimeout) * time.Millisecond)
		if !w.now.Before(due) {
			f.count = 0
		} else {
			w.recheckAt(due.Add(graceSeconds * time.Second))
		}
	}
	return f
}

// blockingFailure tells whether the history holds a failure whose on-fail is block: it never expires.
func (w *world) blockingFailure(r *rsc, n *node) bool {
	for _, k := range r.hist.on(n) {
		if k.failed && w.opValue(r, k.task, k.interval, "on-fail") == "block" {
			return true
		}
	}
	return false
}

// expire decides whether a failure in the history is too old to count, and clears what should be cleared with it.
func (w *world) expire(k *record) {
	r := k.rsc
	if r.failTimeout <= 0 {
		return
	}
	last := k.changed()
	if last == 0 {
		return
	}
	due := unixTime(last).Add(time.Duration(r.failTimeout) * time.Millisecond)
	if w.opValue(r, k.task, k.interval, "on-fail") == "block" {
		return
	}
	if w.now.Before(due) {
		w.recheckAt(due.Add(graceSeconds * time.Second))
		return
	}
	if k.status == cib.OpDone || w.mustFenceFirst(k) {
		return
	}
	if rawFailures(r, k.node, "", 0).count > 0 && w.effectiveWith(r, k.node, k) > 0 {
		return // a later failure keeps this one alive
	}
	if k.task == taskMonitor && (k.rc == rcNotRunning || k.rc == rcPromoted || k.rc == rcOK) && k.interval == 0 {
		return
	}
	k.expired = true
}

// effectiveWith is the effective fail count while the history is still being read.
func (w *world) effectiveWith(r *rsc, n *node, k *record) int {
	f := rawFailures(r, n, "", 0)
	if f.count > 0 && f.last > 0 {
		due := unixTime(f.last).Add(time.Duration(r.failTimeout) * time.Millisecond)
		if !w.now.Before(due) {
			return 0
		}
	}
	return f.count
}

// applyThresholds bans instances from nodes where they have failed too often.
func (w *world) applyThresholds() {
	for _, n := range w.nodes {
		if !hasFailAttrs(n) {
			continue
		}
		for _, r := range w.all {
			if r.primitive() {
				w.applyThreshold(r, n)
			}
		}
	}
}

func hasFailAttrs(n *node) bool {
	for name := range n.attrs {
		if strings.HasPrefix(name, "fail-count-") {
			return true
		}
	}
	return false
}

func (w *world) applyThreshold(r *rsc, n *node) {
	if r.threshold == 0 || r.removed || w.failedOtherwise(r, n) {
		return
	}
	f := w.effective(r, n)
	if f.count <= 0 {
		return
	}
	if f.count < r.threshold {
		return
	}
	// A stop that failed and is to be ignored does not move anything.
	why := "it failed there, and is not tried again before a cleanup"
	if f.count < infinity {
		why = fmt.Sprintf("it failed there %d times (migration-threshold %d)", f.count, r.threshold)
	}
	w.banFailed(r, n, why)
}

func (w *world) banFailed(r *rsc, n *node, why string) {
	target := r
	if c := r.inClone(); c != nil && !c.clone.unique {
		target = c
	}
	if target.bannedFor == nil {
		target.bannedFor = map[*node]bool{}
	}
	target.banWhy(n, why)
	r.banWhy(n, why)
	if target.bannedFor[n] {
		return
	}
	target.bannedFor[n] = true
	target.spread(n, banned)
}

// clearFailures forgets the failures of an instance on a node where they mean nothing any more.
func (w *world) clearFailures(r *rsc, n *node) {
	why := w.clearWhy(r, n)
	if why == "" {
		return
	}
	a := w.actionVariant(r, taskClear, n, 0, "")
	a.kind = transition.KindCluster
	a.runnable = true
	w.needOp(a, why)
	if r.removed {
		for _, stop := range r.acting(taskStop) {
			w.order(a, stop, 0)
		}
	}
}

// clearWhy tells why the fail count of an instance on a node is to be cleared; "" if it is not.
func (w *world) clearWhy(r *rsc, n *node) string {
	if r.removed && w.opts.stopRemoved && hasFailAttrs(n) && rawFailures(r, n, "", 0).count > 0 {
		return "it is no longer configured"
	}
	if !r.knownOn(n) {
		return ""
	}
	if w.failedOtherwise(r, n) {
		return "the parameters of " + r.id + " have changed since it failed"
	}
	if !hasFailAttrs(n) || rawFailures(r, n, "", 0).count == 0 {
		return ""
	}
	if w.effective(r, n).count == 0 {
		return fmt.Sprintf("the failures of %s on %s have expired", r.id, n.name)
	}
	if r.changedOn[n] {
		return "the definition of " + r.id + " has changed"
	}
	return ""
}

// failedOtherwise tells whether an instance failed on a node with other parameters than it has now: such a failure does
// not count, while one of an instance that was only redefined later does until it is cleared.
func (w *world) failedOtherwise(r *rsc, n *node) bool {
	for _, k := range r.hist.failures {
		if k.node != n {
			continue
		}
		now := w.digestParams(r, n, k.task, k.interval)
		if cib.ParametersDigest(now) != k.op.OpDigest && !sameButSecrets(now, k.op) {
			return true
		}
	}
	return false
}
