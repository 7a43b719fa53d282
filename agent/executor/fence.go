package executor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"paceline/fencing"
	"paceline/resources"
)

var errNoFence = errors.New("this node was given no way to run fencing devices")

// fence takes a fence order in; e.mu is held. Every order is answered.
func (e *Executor) fence(o fencing.Order) {
	arrived := time.Now()
	if why := e.fenceForbidden(o, arrived); why != "" {
		e.fenced(o, arrived, errors.New("refused: "+why))
		return
	}
	if e.fencings >= fencesParallel {
		e.fenced(o, arrived, fmt.Errorf("refused: %d fence orders run on this node already", e.fencings))
		return
	}
	e.fencings++
	e.wg.Go(func() {
		err := e.runFence(o, arrived)
		e.mu.Lock()
		e.fencings--
		e.fenced(o, arrived, err)
		e.mu.Unlock()
	})
}

// fenceForbidden says why a fence order is void; empty if it is not. e.mu is held.
func (e *Executor) fenceForbidden(o fencing.Order, arrived time.Time) string {
	if o.Target == e.cfg.Node {
		return "a node does not run a device against itself"
	}
	if o.Term < e.term {
		return fmt.Sprintf("the order is of term %d, and %s has seen term %d", o.Term, e.cfg.Node, e.term)
	}
	if o.Term > e.term {
		return fmt.Sprintf("the order is of term %d, and the session of term %d", o.Term, e.term)
	}
	if o.Budget <= 0 || o.Delay < 0 {
		return "the order has no time to run in"
	}
	if late := time.Since(arrived); late >= o.Delay+o.Budget {
		return fmt.Sprintf("the order expired: it came %v ago and was good for %v", late.Round(time.Millisecond), o.Delay+o.Budget)
	}
	if ok, why := e.lease.mayAct(e.now()); !ok {
		return why
	}
	return ""
}

// runFence waits for the delay and runs the device. The order is judged again at the last moment: in the delay a higher term
// may have begun, the node may have been paused or cut off.
func (e *Executor) runFence(o fencing.Order, arrived time.Time) error {
	if e.cfg.Fence == nil {
		return errNoFence
	}
	if o.Delay > 0 {
		t := time.NewTimer(o.Delay)
		select {
		case <-t.C:
		case <-e.ctx.Done():
			t.Stop()
			return errors.New("the daemon ends")
		}
	}
	line := Entry{Kind: KindFenceBegin, Fence: fenceLine(o)}
	if err := e.j.append(line, true, journalWait); err != nil {
		// Not fencing would block recovery for ever: the device's own history, the coordinator's and the log have it.
		e.log.Error("a fence order runs without its line in the truth journal", "node", e.cfg.Node, "target", o.Target, "cause", err)
		e.j.force(line)
	}
	e.mu.Lock()
	why := e.fenceForbidden(o, arrived)
	e.mu.Unlock()
	if why != "" {
		return errors.New("refused: " + why)
	}
	ctx, cancel := context.WithTimeout(e.ctx, min(o.Budget, o.Delay+o.Budget-time.Since(arrived)))
	defer cancel()
	return e.cfg.Fence(ctx, o)
}

func fenceLine(o fencing.Order) *FenceLine {
	return &FenceLine{Term: o.Term, View: o.View, Fence: o.Fence, Step: o.Step, Device: o.Device.ID, Action: o.Action, Target: o.Target}
}

// fenced keeps a fence order's result until it is sent; e.mu is held.
func (e *Executor) fenced(o fencing.Order, arrived time.Time, err error) {
	r := fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: e.cfg.Node, OK: err == nil, Took: time.Since(arrived)}
	if err != nil {
		r.Detail = resources.CleanText(err.Error(), resources.ReasonMax, false)
	}
	line := fenceLine(o)
	line.OK = r.OK
	e.j.note(Entry{Kind: KindFenceEnd, Fence: line, Reason: r.Detail})
	// Results of terms that are over interest nobody.
	e.fenceOut = slices.DeleteFunc(e.fenceOut, func(x fencing.Result) bool { return x.Term < e.term })
	e.fenceOut = append(e.fenceOut, r)
	if len(e.fenceOut) > OutboxMax {
		e.fenceOut = e.fenceOut[1:]
	}
	e.wakeSession()
}

// fenceSent forgets a result that was written to the session.
func (e *Executor) fenceSent(r fencing.Result) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.fenceOut = slices.DeleteFunc(e.fenceOut, func(x fencing.Result) bool { return x == r })
}
