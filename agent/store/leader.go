package store

import (
	"context"
	"time"

	"github.com/hashicorp/raft"
)

// follow publishes leadership. This node's own is published only once a barrier has passed: whoever acts on it sees all
// that was committed before.
func (s *Store) follow(r *run) {
	node := r.raft.Load()
	var led uint64 // term in which the barrier has passed
	handed := 0    // attempts to hand leadership over
	last := Leadership{Term: ^uint64(0)}
	for {
		var retry <-chan time.Time
		addr, id := node.LeaderWithID()
		now := Leadership{Term: node.CurrentTerm(), LeaderID: string(id), LeaderAddr: string(addr)}
		if node.State() == raft.Leader {
			if led != now.Term && s.barrier(r) && node.State() == raft.Leader && node.CurrentTerm() == now.Term {
				led = now.Term
				s.updateOwnAddress(r)
			}
			now.Leader = led == now.Term && r.fsm.haltedBy() == nil
			now.LeaderID, now.LeaderAddr = s.cfg.ID, s.cfg.Address
			if !now.Leader {
				now.LeaderID, now.LeaderAddr = "", ""
				retry = time.After(s.cfg.Timings.Election)
			}
			if r.fsm.haltedBy() != nil {
				handed++
				s.handOver(r, handed)
			}
		}
		if now != last {
			s.tellLeader(r, now)
			last = now
		}
		select {
		case <-r.wake:
		case <-retry:
		case <-r.quit:
			return
		}
	}
}

// tellLeader publishes leadership, unless the run is at its end.
func (s *Store) tellLeader(r *run, l Leadership) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.stopping {
		s.leaders.publish(l)
	}
}

func (s *Store) barrier(r *run) bool {
	if !r.enter() {
		return false
	}
	defer r.leave()
	return r.raft.Load().Barrier(enqueueTimeout).Error() == nil
}

// handOver gives leadership to another voter, a different one each time: this node cannot do what a leader must.
func (s *Store) handOver(r *run, attempt int) {
	var others []Voter
	for _, m := range r.members() {
		if m.Votes && m.ID != s.cfg.ID {
			others = append(others, m)
		}
	}
	if len(others) == 0 || !r.enter() {
		return
	}
	defer r.leave()
	to := others[attempt%len(others)]
	if err := r.raft.Load().LeadershipTransferToServer(raft.ServerID(to.ID), raft.ServerAddress(to.Addr)).Error(); err != nil {
		s.cfg.Logger.Warn("leadership was not taken over", "peer", to.ID, "cause", err)
	}
}

// updateOwnAddress corrects the voter set when this node leads under another address than the set says.
func (s *Store) updateOwnAddress(r *run) {
	node := r.raft.Load()
	for _, m := range node.GetConfiguration().Configuration().Servers {
		if string(m.ID) != s.cfg.ID || string(m.Address) == s.cfg.Address || m.Suffrage != raft.Voter || !r.enter() {
			continue
		}
		go func() { // counted by enter
			defer r.leave()
			if err := node.AddVoter(m.ID, raft.ServerAddress(s.cfg.Address), 0, enqueueTimeout).Error(); err != nil {
				s.cfg.Logger.Warn("the voter set has an old address of this node", "old", m.Address, "new", s.cfg.Address, "cause", err)
			}
		}()
	}
}

// TransferLeadership hands leadership to the voter of that ID, or with "" to the one that is most up to date.
func (s *Store) TransferLeadership(ctx context.Context, id string) error {
	return s.operate(ctx, "transfer leadership", func(r *run, _ time.Duration) error {
		node := r.raft.Load()
		if node.State() != raft.Leader {
			return raft.ErrNotLeader
		}
		if id == "" {
			return s.transferAttempts(r, node, node.LeadershipTransfer)
		}
		addr := raft.ServerAddress("")
		for _, m := range node.GetConfiguration().Configuration().Servers {
			if string(m.ID) == id && m.Suffrage == raft.Voter {
				addr = m.Address
			}
		}
		if addr == "" {
			return &notVoter{id}
		}
		return s.transferAttempts(r, node, func() raft.Future {
			return node.LeadershipTransferToServer(raft.ServerID(id), addr)
		})
	})
}

// transferAttempts repeats a transfer that did not happen: a heartbeat that crosses the request makes the candidate a
// follower again. Between attempts it waits, for one that timed out is in progress until raft has put it away, and one to a
// peer with a new address until the last call to the old one has ended.
func (s *Store) transferAttempts(r *run, node *raft.Raft, transfer func() raft.Future) error {
	for try := 1; ; try++ {
		err := transfer().Error()
		if err == nil || node.State() != raft.Leader || try == transferTries {
			return err
		}
		select {
		case <-time.After(s.cfg.Timings.Election):
		case <-r.quit:
			return err
		}
	}
}

type notVoter struct{ id string }

func (e *notVoter) Error() string { return "node " + e.id + " is not a voter" }
