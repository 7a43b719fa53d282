package agent

import (
	"context"
	"errors"
	"time"

	"paceline/agent/api"
	"paceline/agent/coordinator"
	"paceline/agent/quorum"
	"paceline/agent/store"
	"paceline/fencing"
	"paceline/fencing/manual"
)

// verdictNow is the quorum's state and the fencing of a takeover, for status.
type verdictNow struct {
	verdict quorum.Verdict
	fencing []coordinator.Fencing
	restart []coordinator.Restart // the peer, if it is waited for because its daemon starts anew
	due     uint64                // number of the fencing that is still called for
}

// takeoverPoll is how often the takeover looks at the voters and at what is known when nothing tells it to.
const takeoverPoll = 200 * time.Millisecond

// takeoverMax bounds the rewriting of the voter set after confirmed fencing: one election, with room.
const takeoverMax = 15 * time.Second

// look returns who leads, who votes and what is known now. Only the takeover's loop looks: made elsewhere and handed over, an older
// one could come after a newer one, and who died would count as a voter until the next.
func (n *node) look() coordinator.Event {
	n.mu.Lock()
	l := n.leader
	n.mu.Unlock()
	return n.ledBy(l)
}

// ledBy is look under that leadership, the newest or one shortly before it.
func (n *node) ledBy(l store.Leadership) coordinator.Event {
	voters, growing, committed := n.raftGroup()
	return coordinator.LeaderIs{ID: l.LeaderID, Voters: voters, Committed: committed, Growing: growing, CIB: n.store.Snapshot().CIB, Contact: n.store.Contact(), Term: n.store.Term()}
}

// askTakeover lets the takeover's loop make an event and take it in; it never waits for longer than the node lives.
func (n *node) askTakeover(what func() coordinator.Event) {
	select {
	case n.takeover <- what:
	case <-n.ctx.Done():
	}
}

// tellTakeover hands an event to the takeover's loop.
func (n *node) tellTakeover(ev coordinator.Event) {
	n.askTakeover(func() coordinator.Event { return ev })
}

// takeoverLoop runs the machine that lets one of two go on alone after the other's confirmed fencing.
func (n *node) takeoverLoop() {
	m := coordinator.NewTakeover(n.file.Node, n.id.ID, n.id.Incarnation, n.profile.gossip.Detect(2), n.profile.timing.Restart, n.rand())
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	views := n.viewed.listen(n.ctx)
	// The set of voters and what is known change without an election too. The machine looks as soon as either is known to be
	// committed: a pair of which the coordinator dies in the moment in which the other has joined it is a pair. What else there is to
	// see (when its peer was last in contact) it looks at now and then.
	states, groups := n.store.Watch(n.ctx), n.store.Groups(n.ctx)
	poll := time.NewTicker(takeoverPoll)
	defer poll.Stop()
	step := func(ev coordinator.Event) {
		for _, e := range m.Step(time.Now(), ev) {
			n.takeoverEffect(e, timer)
		}
		now := verdictNow{verdict: m.Verdict(), due: m.Due(), restart: m.Restarting()}
		if f, ok := m.Fencing(); ok {
			now.fencing = append(now.fencing, f)
		}
		n.mu.Lock()
		changed := n.verdict.verdict != now.verdict || len(n.verdict.fencing) != len(now.fencing) || len(n.verdict.restart) != len(now.restart)
		n.verdict = now
		n.mu.Unlock()
		if changed {
			n.d.notify.poke()
		}
	}
	// Gossip may have told of the peer before the loop began to listen, and say no more until the peer is lost.
	step(coordinator.Viewed{View: n.currentView()})
	for {
		select {
		case <-n.ctx.Done():
			return
		case what := <-n.takeover:
			step(what())
		case <-views:
			step(coordinator.Viewed{View: n.currentView()})
		case _, ok := <-states:
			if !ok {
				states = nil
			}
			step(n.look())
		case _, ok := <-groups:
			if !ok {
				groups = nil
			}
			step(n.look())
		case <-poll.C:
			step(n.look())
		case <-timer.C:
			step(coordinator.Tick{})
		}
	}
}

func (n *node) takeoverEffect(e coordinator.Effect, timer *time.Timer) {
	switch e := e.(type) {
	case coordinator.SendFence:
		n.wg.Go(func() { n.fenceForTakeover(e.Order) })
	case coordinator.TakeOver:
		n.wg.Go(func() { n.takeOver(e) })
	case coordinator.Wake:
		if e.At.IsZero() {
			timer.Reset(time.Hour)
		} else {
			timer.Reset(max(time.Until(e.At), time.Millisecond))
		}
	case coordinator.Say:
		e.Log(n.ctx, n.log)
	}
}

// fenceForTakeover runs a fence order on this node itself: there is nobody else.
func (n *node) fenceForTakeover(o fencing.Order) {
	start := time.Now()
	err := n.exec.FenceAlone(n.ctx, o, func() bool {
		n.mu.Lock()
		defer n.mu.Unlock()
		return n.verdict.due == o.Fence
	})
	r := fencing.Result{Term: o.Term, Fence: o.Fence, Step: o.Step, Node: n.file.Node, OK: err == nil, Took: time.Since(start)}
	if err != nil {
		r.Detail = err.Error()
	}
	n.tellTakeover(coordinator.FenceReported{Result: r})
}

// takeOver rewrites the voter set to this node alone. The fencing is handed to the coordinator that is then elected.
func (n *node) takeOver(e coordinator.TakeOver) {
	ctx, cancel := context.WithTimeout(n.ctx, takeoverMax)
	defer cancel()
	n.mu.Lock()
	n.fenced = append(n.fenced, e.Fenced)
	n.mu.Unlock()
	err := n.store.Takeover(ctx, e.PeerID, e.Contact)
	if errors.Is(err, store.ErrNotTogether) && e.Fenced.Device == manual.Device {
		// The machine asks only for what rule 5 allows, or for what a person vouched for: of two voters each log holds
		// all that was ever acknowledged, so the one that started alone may go on, too.
		err = n.store.ForceQuorum(ctx)
	}
	if err != nil {
		n.mu.Lock()
		n.fenced = nil
		n.mu.Unlock()
	}
	n.tellTakeover(coordinator.TakenOver{Err: err})
	n.askTakeover(n.look)
}

// ForceQuorum makes this node the only voter, on a person's word, and returns when it coordinates.
func (b backend) ForceQuorum(ctx context.Context) error {
	n := b.d.current()
	if n == nil {
		return api.ErrUnconfigured
	}
	if err := n.store.ForceQuorum(ctx); err != nil {
		return err
	}
	_, err := b.Route(ctx)
	return err
}

var _ api.QuorumForcer = backend{}
