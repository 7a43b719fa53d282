package executor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paceline/fencing"
)

// FenceAlone runs a fence order that no coordinator gave: the takeover of two (safety rule 5), where nobody leads. The caller
// answers for its right to fence, and is asked again after the delay whether it is still due; the order's delay, budget and line
// in the truth journal are as ever. An order during whose delay this node stood still longer than its lease is void (rule
// 10). It returns nil when the device confirmed the action.
func (e *Executor) FenceAlone(ctx context.Context, o fencing.Order, due func() bool) error {
	if o.Target == e.cfg.Node {
		return errors.New("a node does not run a device against itself")
	}
	if e.cfg.Fence == nil {
		return errNoFence
	}
	if o.Budget <= 0 || o.Delay < 0 {
		return errors.New("the order has no time to run in")
	}
	arrived, lease := e.leaseTime()
	if o.Delay > 0 {
		t := time.NewTimer(o.Delay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-e.ctx.Done():
			return errors.New("the daemon ends")
		}
	}
	if o.Delay > 0 && !due() {
		return fmt.Errorf("refused: %s came back in the %v for which its fencing was held back", o.Target, o.Delay)
	}
	line := Entry{Kind: KindFenceBegin, Fence: fenceLine(o)}
	if err := e.j.append(line, true, journalWait); err != nil {
		e.log.Error("a fence order runs without its line in the truth journal", "node", e.cfg.Node, "target", o.Target, "cause", err)
		e.j.force(line)
	}
	var err error
	if now, _ := e.leaseTime(); now.Sub(arrived)-o.Delay > lease {
		err = fmt.Errorf("refused: this node stood still for %v, longer than its lease", now.Sub(arrived)-o.Delay)
	} else {
		ctx, cancel := context.WithTimeout(ctx, o.Budget)
		defer cancel()
		err = e.cfg.Fence(ctx, o)
	}
	end := Entry{Kind: KindFenceEnd, Fence: fenceLine(o)}
	end.Fence.OK = err == nil
	if err != nil {
		end.Reason = err.Error()
	}
	e.j.note(end)
	return err
}

// leaseTime returns the time as the lease counts it, and the lease: the shortest allowed while no coordinator has stated one.
func (e *Executor) leaseTime() (time.Time, time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.now(), max(e.lease.lease, LeaseMin)
}
