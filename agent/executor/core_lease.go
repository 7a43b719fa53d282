package executor

import (
	"fmt"
	"time"
)

// leaseCore decides when the node is cut off and what it does then (rules 6 and 10). It is a step machine: time enters as
// a value that must not go back, and nothing happens but what the returned effects say.
type leaseCore struct {
	lease   time.Duration // 0 until a coordinator stated one: then there is nothing to lose
	policy  Policy
	renewed time.Time // when the lease was last prolonged
	ticked  time.Time // when the core was last asked: a gap is a pause of the whole process
	open    bool      // there is a session
	acted   string    // why and how the policy was carried out; empty while the node is not cut off
	paused  bool      // nothing outside may be done until a Hello
	until   time.Time // while paused: how long the coordinator may take to open a session before the node is cut off
	binding bool      // a cut-off node ends itself, and the others count on it: a pause gives no more time
}

// leaseEvent is one of the types below.
type leaseEvent interface{ leaseEvent() }

type (
	leaseTick   struct{}
	leaseRenew  struct{}
	leaseLost   struct{} // the session ended
	leasePolicy struct{ policy Policy }
	leaseHello  struct {
		lease  time.Duration
		policy Policy
	}
)

func (leaseTick) leaseEvent()   {}
func (leaseRenew) leaseEvent()  {}
func (leaseLost) leaseEvent()   {}
func (leasePolicy) leaseEvent() {}
func (leaseHello) leaseEvent()  {}

// leaseEffect is one of the types below.
type leaseEffect interface{ leaseEffect() }

type (
	// closeSession ends the session: it must be opened anew.
	closeSession struct{ why string }
	// cutOff says that the node acts for itself: how is one of the Policy constants.
	cutOff struct {
		how    string
		budget time.Duration
		late   time.Duration // how long ago the lease ended
		why    string
	}
	// pauseSeen says that orders which have not begun are void.
	pauseSeen struct{ why string }
)

func (closeSession) leaseEffect() {}
func (cutOff) leaseEffect()       {}
func (pauseSeen) leaseEffect()    {}

// newLeaseCore starts the clock of a daemon that has read what its journal says. With a lease from there, the node is cut
// off if no coordinator comes within it.
func newLeaseCore(now time.Time, lease time.Duration, policy Policy) *leaseCore {
	return &leaseCore{lease: lease, policy: policy, renewed: now, ticked: now}
}

// step takes one event in.
func (c *leaseCore) step(now time.Time, ev leaseEvent) []leaseEffect {
	var out []leaseEffect
	gap := now.Sub(c.ticked)
	c.ticked = now
	if c.lease > 0 && gap > c.lease && !c.paused && c.acted == "" && !c.binding {
		c.paused = true
		c.until = now.Add(c.lease / 4)
		why := fmt.Sprintf("this node stood still for %v, longer than its lease of %v", gap.Round(time.Millisecond), c.lease)
		out = append(out, pauseSeen{why: why})
		if _, fresh := ev.(leaseHello); c.open && !fresh { // a Hello has replaced the session already
			c.open = false
			out = append(out, closeSession{why: why})
		}
	}
	// A renewal that comes when the lease is over is too late, also if it comes before the tick that would have said so.
	if _, fresh := ev.(leaseHello); !fresh && c.lease > 0 && c.acted == "" && !now.Before(c.due()) {
		out = append(out, c.expire(now)...)
	}
	switch e := ev.(type) {
	case leaseHello:
		c.lease, c.policy = e.lease, e.policy
		c.open, c.renewed, c.acted, c.paused = true, now, "", false
	case leaseRenew:
		if c.open {
			c.renewed = now
		}
	case leasePolicy:
		c.policy = e.policy
	case leaseLost:
		c.open = false
	case leaseTick:
	}
	return out
}

// due is when the node is cut off if nothing comes.
func (c *leaseCore) due() time.Time {
	if c.paused {
		return c.until
	}
	return c.renewed.Add(c.lease)
}

func (c *leaseCore) expire(now time.Time) []leaseEffect {
	how := c.policy.NoQuorum
	switch how {
	case PolicyFreeze, PolicyIgnore, PolicyDemote, PolicySuicide:
	case "fence":
		how = PolicySuicide
	default:
		how = PolicyStop
	}
	if c.binding && how != PolicySuicide {
		how = PolicyStop // this node ends: what can be stopped in good order is
	}
	budget := c.policy.StopBudget
	if budget <= 0 {
		budget = StopBudgetDefault
	}
	c.acted = fmt.Sprintf("no coordinator for %v, longer than the node lease of %v; no-quorum-policy is %s",
		now.Sub(c.renewed).Round(time.Millisecond), c.lease, how)
	var out []leaseEffect
	if c.open {
		c.open = false
		out = append(out, closeSession{why: c.acted})
	}
	late := max(now.Sub(c.renewed)-c.lease, 0)
	return append(out, cutOff{how: how, budget: budget, late: late, why: c.acted})
}

// wake is when the core wants a tick at the latest: often enough to see a pause, and exactly when the lease ends.
func (c *leaseCore) wake(now time.Time) time.Time {
	if c.lease <= 0 {
		return now.Add(time.Minute)
	}
	tick := now.Add(c.lease / 8)
	if due := c.due(); c.acted == "" && due.Before(tick) {
		return due
	}
	return tick
}

// mayAct says whether something outside may be begun now; if not, why.
func (c *leaseCore) mayAct(now time.Time) (bool, string) {
	switch {
	case c.lease <= 0:
		return false, "no coordinator has opened a session yet"
	case c.paused, now.Sub(c.ticked) > c.lease:
		return false, "this node was paused for longer than its lease; the session must be opened anew"
	case c.acted != "":
		return false, "this node is cut off: " + c.acted
	}
	return true, ""
}
