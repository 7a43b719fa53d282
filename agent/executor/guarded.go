package executor

import (
	"errors"
	"time"
)

// Watchdog is what the executor needs of this machine's watchdog. Its methods may be called by any goroutine; Hold and
// Release do not block.
type Watchdog interface {
	// Arm makes it count, and feeds it; armed already, it does nothing.
	Arm() error
	// Hold ends the feeding after that time, unless Release comes before; a binding one cannot be released.
	Hold(length time.Duration, binding bool, why string)
	Release()
	// StopBudget is how long a node that is bound to end itself may take to stop what it runs before.
	StopBudget() time.Duration
	// PresumedDead is how long after its last session a node that is bound to end itself is dead in truth.
	PresumedDead() time.Duration
}

// guard arms the watchdog for a session that is about to begin. It comes with the first session of an incarnation and not
// before: a daemon that was restarted while the node was cut off must not feed what its predecessor left counting.
func (e *Executor) guard(p Policy) string {
	if e.cfg.Watchdog == nil {
		return ""
	}
	if err := e.cfg.Watchdog.Arm(); err != nil {
		e.log.Error("this node is not guarded by its watchdog", "node", e.cfg.Node, "err", err)
		return "not armed: " + err.Error()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.guarded = true
	e.lease.binding = e.lease.binding || p.WatchdogFencing
	return "armed"
}

// presumedDead is what the others may count on; e.mu is held.
func (e *Executor) presumedDead() time.Duration {
	if !e.guarded || !e.lease.binding {
		return 0
	}
	return e.cfg.Watchdog.PresumedDead()
}

// bindsAnew says whether a policy makes this node one that ends itself when it is cut off, which it was not; e.mu is held.
func (e *Executor) bindsAnew(p Policy) bool {
	return e.guarded && p.WatchdogFencing && !e.lease.binding
}

// ending says why no session may be opened any more: the others already count on this node's end. It is empty for a node
// that is not bound to end.
func (e *Executor) ending() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.lease.binding {
		return ""
	}
	e.stepLease(leaseTick{}) // a lease that is over is over, whether or not its tick came
	if e.lease.acted == "" {
		return ""
	}
	return "this node ends itself: " + e.lease.acted
}

// hold limits the feeding of the watchdog for a node that was just cut off: when the time for stopping is over, so is the
// feeding (safety rule 6). It returns the time that is left for stopping. e.mu is held.
func (e *Executor) hold(c cutOff) time.Duration {
	if !e.guarded {
		return c.budget
	}
	if e.lease.binding {
		c.budget = min(c.budget, e.cfg.Watchdog.StopBudget())
	}
	switch {
	case e.lease.binding:
		c.budget = max(c.budget-c.late, 0)
	case c.how == PolicyFreeze || c.how == PolicyIgnore:
		return c.budget // nothing is to be stopped
	}
	e.cfg.Watchdog.Hold(c.budget, e.lease.binding, c.why)
	return c.budget
}

// stoppedAll is told that a cut-off node has stopped what it had to: nothing is at risk any more. A node that is bound to
// end itself does so now.
func (e *Executor) stoppedAll(why string) {
	e.mu.Lock()
	guarded, binding := e.guarded, e.lease.binding
	e.mu.Unlock()
	switch {
	case !guarded:
	case binding && e.cfg.Suicide != nil:
		e.cfg.Suicide(why)
	default:
		e.cfg.Watchdog.Release()
	}
}

// Progress proves that the executor works, for whoever feeds a watchdog: its lock can be taken, and the lease has been
// judged at this moment. It blocks as long as that is not so.
func (e *Executor) Progress() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return errors.New("the executor is closed")
	}
	e.stepLease(leaseTick{})
	return nil
}

// pillWait is what the others may count on; e.mu is held.
func (e *Executor) pillWait() time.Duration {
	if e.cfg.PillWait == nil || !e.guarded {
		return 0
	}
	return e.cfg.PillWait()
}

// Announce is called when PillWait has changed: the session ends if it began with another word, and the next one says what is.
func (e *Executor) Announce() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session != nil && e.announced != e.pillWait() {
		e.session.end("whether a poison pill reaches this node has changed, and the next session says so to the coordinator")
	}
}

// Tied says whether a coordinator looks after this node: the lease that the last one gave it is not over.
func (e *Executor) Tied() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.stepLease(leaseTick{})
	ok, _ := e.lease.mayAct(e.now())
	return ok
}
