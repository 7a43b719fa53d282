package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/executor"
	"paceline/agent/membership"
	"paceline/agent/peer"
	"paceline/agent/quorum"
	"paceline/agent/scheduler"
	"paceline/agent/store"
)

// leadLoop follows the elections: while this node leads, a coordinator runs.
func (n *node) leadLoop() {
	var stop context.CancelFunc
	var done chan struct{}
	elections := n.store.Leader()
	end := func() {
		if stop != nil {
			stop()
			<-done
			stop = nil
		}
	}
	defer end()
	for {
		select {
		case <-n.ctx.Done():
			return
		case l, ok := <-elections:
			if !ok {
				return
			}
			end()
			n.mu.Lock()
			n.leader = l
			n.heard = n.heard || l.LeaderID != ""
			if l.LeaderID != "" && l.LeaderID != n.id.ID {
				n.fenced = nil // another has led since: what was confirmed before is not the newest that is known of the peer
			}
			n.mu.Unlock()
			n.askTakeover(func() coordinator.Event { return n.ledBy(l) })
			n.d.notify.poke()
			if !l.Leader {
				continue
			}
			ctx, cancel := context.WithCancel(n.ctx)
			stop, done = cancel, make(chan struct{})
			n.wg.Go(func() {
				defer close(done)
				n.lead(ctx, l.Term)
			})
		}
	}
}

// lead coordinates for one term.
func (n *node) lead(ctx context.Context, term uint64) {
	for !n.caughtUp(ctx, term) {
		select { // a leader that does not coordinate keeps everybody else from it, too
		case <-ctx.Done():
			return
		case <-time.After(barrierPause):
		}
	}
	n.takeBackAdmissions(ctx)
	out := &outside{n, term}
	r := coordinator.NewRunner(coordinator.Config{
		Self: n.file.Node, SelfID: n.id.ID, Timing: n.profile.timing, Plan: scheduler.Plan, Rand: n.rand(),
	}, out, n.log, n.d.notify.poke)
	n.mu.Lock()
	n.runner = r
	fenced := n.fenced
	n.fenced = nil
	view := n.view
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		n.runner = nil
		n.mu.Unlock()
		n.d.notify.poke()
	}()
	r.Run(ctx, coordinator.Elected{
		Term: term, Snapshot: n.snapshot(), View: view, Voters: n.voterIDs(), Answered: n.store.Answered(term), Fenced: fenced,
	})
}

// takeBackAdmissions ends what a coordinator before began: while somebody is being made a voter, two have no takeover.
func (n *node) takeBackAdmissions(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	if err := n.store.LetGo(ctx); err != nil { // the next admission tries again
		n.log.Warn("an unfinished admission of a voter could not be taken back", "err", err)
	}
}

// caughtUp waits, for a while, until everything that was committed before the election is applied here.
func (n *node) caughtUp(ctx context.Context, term uint64) bool {
	ctx, cancel := context.WithTimeout(ctx, barrierTimeout)
	defer cancel()
	err := n.store.Barrier(ctx)
	if err != nil {
		n.log.Warn("the election could not be taken up yet", "term", term, "err", err)
	}
	return err == nil
}

func (n *node) snapshot() coordinator.Snapshot {
	s := n.store.Snapshot()
	return coordinator.Snapshot{Revision: s.Revision, ConfigRevision: s.ConfigRevision, CIB: s.CIB}
}

func (n *node) voterIDs() []string {
	voters, _, _ := n.raftGroup()
	return voters
}

// raftGroup returns the IDs of the voters, and of those that are being made one, and whether that is committed.
func (n *node) raftGroup() (voters, growing []string, committed bool) {
	members, committed := n.store.Group()
	for _, m := range members {
		if m.Votes {
			voters = append(voters, m.ID)
		} else {
			growing = append(growing, m.ID)
		}
	}
	return voters, growing, committed
}

// outside is what the coordinator acts through.
type outside struct {
	n    *node
	term uint64 // commits of another are refused
}

func (o *outside) Apply(ctx context.Context, ch cib.Change) (coordinator.Snapshot, error) {
	if _, err := o.n.store.Apply(ctx, store.Command{Change: ch, User: "coordinator", Term: o.term}); err != nil {
		return coordinator.Snapshot{}, err
	}
	return o.n.snapshot(), nil
}

func (o *outside) Views(ctx context.Context) <-chan membership.View {
	out := make(chan membership.View)
	kick := o.n.viewed.listen(ctx)
	o.n.wg.Go(func() {
		defer close(out)
		for {
			select {
			case out <- o.n.currentView():
			case <-ctx.Done():
				return
			}
			select {
			case <-kick:
			case <-ctx.Done():
				return
			}
		}
	})
	return out
}

func (o *outside) ChangeVoters(ctx context.Context, step quorum.Step, addr string) ([]string, error) {
	var err error
	switch {
	case step.Admit != "":
		err = o.n.store.Admit(ctx, step.Admit, addr)
	case step.Remove != "":
		err = o.n.store.Remove(ctx, step.Remove)
	}
	o.n.askTakeover(o.n.look)
	return o.n.voterIDs(), err
}

// Dial opens a session to a node's executor; to this node's own without the network.
func (o *outside) Dial(ctx context.Context, name, addr string, term uint64) (coordinator.Session, coordinator.SessionUp, error) {
	n := o.n
	c := n.snapshot().CIB
	hello := executor.Hello{
		Term: term, Coordinator: n.file.Node, Cluster: n.file.Cluster, NodeLease: n.profile.lease, Policy: policyOf(c, name),
	}
	if known := c.NodeByName(name); known != nil {
		hello.Voteless = !slices.Contains(n.voterIDs(), known.ID)
	}
	var conn net.Conn
	if name == n.file.Node {
		mine, its := net.Pipe()
		n.wg.Go(func() { n.exec.Serve(n.ctx, its) })
		conn = mine
	} else {
		p, err := n.peer.Dial(ctx, addr, peer.ALPNExec)
		if err != nil {
			return nil, coordinator.SessionUp{}, err
		}
		if got := p.Peer().Node; got != name {
			p.Close()
			return nil, coordinator.SessionUp{}, fmt.Errorf("%s answers at %s, not %s", got, addr, name)
		}
		conn = p
	}
	s, w, err := executor.Dial(ctx, conn, hello)
	if err != nil {
		conn.Close()
		return nil, coordinator.SessionUp{}, err
	}
	up := coordinator.SessionUp{
		Node: w.Node, ID: w.ID, Incarnation: w.Incarnation, Boot: w.Boot, PresumedDead: w.PresumedDead, Watchdog: w.Watchdog, PillWait: w.PillWait,
	}
	for _, r := range w.Running {
		up.Running = append(up.Running, r.Resource)
	}
	up.Unacked = w.Unacked
	live := &session{Session: s, node: name, events: make(chan coordinator.Event)}
	n.wg.Go(live.pump)
	return live, up, nil
}

// session adapts an executor's session to what the coordinator wants.
type session struct {
	*executor.Session
	node   string
	events chan coordinator.Event
}

func (s *session) Close() error                     { s.Session.Close(); return nil }
func (s *session) Events() <-chan coordinator.Event { return s.events }
func (s *session) Inform(c *cib.CIB) error          { return s.Session.SetPolicy(policyOf(c, s.node)) }

// pump translates events until the session is lost. The reader of Events goes on reading until it is closed.
func (s *session) pump() {
	defer close(s.events)
	why := errors.New("the session was closed")
	for ev := range s.Session.Events() {
		switch {
		case ev.Result != nil:
			s.events <- coordinator.Reported{Result: *ev.Result}
		case ev.Fence != nil:
			s.events <- coordinator.FenceReported{Result: *ev.Fence}
		}
		if ev.Lost != nil { // the last event
			why = ev.Lost
			break
		}
	}
	s.events <- coordinator.SessionDown{Node: s.node, Why: why.Error()}
}

func policyOf(c *cib.CIB, node string) executor.Policy {
	return executor.Policy{
		NoQuorum: coordinator.NoQuorumPolicy(c), Unmanaged: coordinator.Unmanaged(c, node), WatchdogFencing: coordinator.WatchdogFencing(c),
	}
}
