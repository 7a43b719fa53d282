package scheduler

import (
	"fmt"

	"paceline/agent/cib"
)

// OCF exit codes that decisions hang on.
const (
	rcOK               = 0
	rcUnknownError     = 1
	rcInvalidParam     = 2
	rcUnimplemented    = 3
	rcInsufficient     = 4
	rcNotInstalled     = 5
	rcNotConfigured    = 6
	rcNotRunning       = 7
	rcPromoted         = 8
	rcFailedPromoted   = 9
	rcDegraded         = 190
	rcDegradedPromoted = 191
	rcUnknown          = 193
)

// onFail is what a failure calls for, in order of severity: the worst of an instance's failures decides.
type onFail uint8

const (
	failNothing onFail = iota
	failIgnore
	failDemote
	failRestart
	failResetRemote
	failRestartContainer
	failBan
	failBlock
	failStop
	failStandby
	failFence
)

// settle turns an exit code and a status into what really happened: a probe that finds something is no failure, and
// an operation that "succeeded" with another code than expected is one.
func (w *world) settle(k *record) {
	r := k.rsc
	if k.rc == rcUnknown && k.status == cib.OpDone {
		k.status = cib.OpPending
	}
	if k.status == cib.OpPending || k.status == cib.OpCancelled {
		return
	}
	rc := k.rc
	switch rc {
	case rcDegraded:
		rc = rcOK
	case rcDegradedPromoted:
		rc = rcPromoted
	}
	if rc != k.rc && k.task == taskMonitor {
		k.rc = rc
		if k.target == rc || k.target < 0 || k.probe() {
			k.status = cib.OpDone
		}
	}
	switch k.status {
	case cib.OpNotInstalled, cib.OpInvalid, cib.OpNotConnected, cib.OpTimeout, cib.OpErrorHard, cib.OpErrorFatal:
		k.failed = true
		if k.status == cib.OpTimeout || k.status == cib.OpNotConnected {
			return
		}
	case cib.OpNotSupported:
		k.failed = true
	}
	if k.status == cib.OpDone && k.target >= 0 && k.target != k.rc || k.status == cib.OpError {
		k.status = cib.OpError
	}
	switch k.rc {
	case rcOK:
		if k.probe() && k.target == rcNotRunning {
			k.status = cib.OpDone
		} else if k.status == cib.OpError && k.target == rcOK {
			k.status = cib.OpDone
		}
	case rcNotRunning:
		if k.probe() || k.target == k.rc || !r.managed && k.task == taskMonitor {
			k.status = cib.OpDone
		} else if k.task == taskStop {
			k.status = cib.OpDone
		} else if k.status == cib.OpDone {
			k.status = cib.OpError
		}
	case rcPromoted:
		if k.target == k.rc {
			k.status = cib.OpDone
		} else if k.probe() && k.rc != k.target {
			k.status = cib.OpDone
		} else if k.target < 0 && k.task == taskMonitor {
			k.status = cib.OpDone
		}
	case rcFailedPromoted:
		k.status = cib.OpError
	case rcUnimplemented:
		if k.interval > 0 {
			k.status = cib.OpError // the agent cannot tell: as bad as any other failure
			break
		}
		k.status = cib.OpErrorHard
	case rcInvalidParam, rcInsufficient, rcNotInstalled:
		k.status = cib.OpErrorHard
	case rcNotConfigured:
		k.status = cib.OpErrorFatal
	default:
		if k.status == cib.OpDone {
			k.status = cib.OpError
		}
	}
	k.failed = k.status != cib.OpDone
}

// maskedProbe tells whether a failed probe means no more than that the resource cannot be there: nothing is
// installed that could run, or it makes no sense on this node.
func (w *world) maskedProbe(k *record) bool {
	return k.probe() && (k.rc == rcNotInstalled || k.rc == rcInvalidParam)
}

// onFailOf returns what the configuration says of a failure of the operation.
func (w *world) onFailOf(r *rsc, task string, interval int64) onFail {
	value := w.opValue(r, task, interval, "on-fail")
	if task == taskDemote && value == "demote" {
		value = "" // would be a loop
	}
	remote := r.isRemote || r.guest != nil
	switch value {
	case "":
	case "ignore", "nothing":
		return failIgnore
	case "block":
		return failBlock
	case "stop":
		return failStop
	case "restart":
		if task == taskStop {
			break
		}
		return w.restartKind(r)
	case "standby":
		if task == taskStop && w.opts.fencing {
			break
		}
		return failStandby
	case "migrate":
		return failBan
	case "fence":
		if w.opts.fencing {
			return failFence
		}
		w.problem(fmt.Sprintf("resource %s: on-fail=fence of %s needs fencing, which is disabled", r.id, task))
		if task == taskStop {
			return failBlock
		}
		return w.restartKind(r)
	case "demote":
		if w.demotable(r, task, interval) {
			return failDemote
		}
		w.problem(fmt.Sprintf("resource %s: on-fail=demote is for promote and for monitors of the promoted role, "+
			"not for %s; its default is used", r.id, task))
	case "restart-container":
		if r.container != nil {
			return failRestartContainer
		}
		w.problem(fmt.Sprintf("resource %s: on-fail=restart-container of %s is for what runs in a container (meta attribute container), "+
			"and this runs in none; its default is used", r.id, task))
	default:
		w.problem(fmt.Sprintf("resource %s: on-fail=%q of %s is unknown; its default is used", r.id, value, task))
	}
	switch {
	case task == taskStop && r.container != nil && (remote || !inBundle(r)):
		return failRestartContainer
	case task == taskStop && r.isRemote && w.opts.fencing, task == taskStop && !remote && w.opts.fencing:
		return failFence
	case task == taskStop:
		return failBlock
	}
	if task == taskStart && r.isRemote {
		return failRestart // nothing was lost
	}
	return w.restartKind(r)
}

// restartKind is how a resource is restarted after a failure: connections to remote nodes are reset, those to guests are
// restarted with the guest, and so is what watches the inside of a container. What runs on the node that a bundle's container
// is can be restarted there.
func (w *world) restartKind(r *rsc) onFail {
	if r.isRemote && r.guest == nil {
		return failResetRemote
	}
	if r.container != nil && (r.guest != nil || !inBundle(r)) {
		return failRestartContainer
	}
	return failRestart
}

func (w *world) demotable(r *rsc, task string, interval int64) bool {
	if task == taskPromote {
		return true
	}
	if task != taskMonitor || interval == 0 {
		return false
	}
	op := r.op(taskMonitor, interval)
	return op != nil && parseRole(op.Role) == rolePromoted
}
