package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Voter is one member of the raft group.
type Voter struct {
	ID    string
	Addr  string
	Votes bool // false while it only receives the log
}

// Members returns the raft group as this node knows it, the latest even if it is not committed yet; nil when the node is in
// none, or its store is not available.
func (s *Store) Members() []Voter {
	r, _ := s.present()
	if r == nil {
		return nil
	}
	return r.members()
}

func (r *run) members() []Voter {
	list, _ := r.group()
	return list
}

// Group returns what Members does, and whether it is committed as far as this node knows. A leader has a change in effect
// before anybody else knows of it.
func (s *Store) Group() (members []Voter, committed bool) {
	r, _ := s.present()
	if r == nil {
		return nil, false
	}
	return r.group()
}

func (r *run) group() (members []Voter, committed bool) {
	node := r.raft.Load()
	for _, m := range node.GetConfiguration().Configuration().Servers {
		members = append(members, Voter{ID: string(m.ID), Addr: string(m.Address), Votes: m.Suffrage == raft.Voter})
	}
	changing, err := r.disk.configuresAfter(node.CommitIndex()) // raft does not tell the index of its latest configuration
	return members, err == nil && !changing
}

func member(list []Voter, id string) (Voter, bool) {
	for _, m := range list {
		if m.ID == id {
			return m, true
		}
	}
	return Voter{}, false
}

// AddNonvoter makes a node receive the log, at that address.
func (s *Store) AddNonvoter(ctx context.Context, id, addr string) error {
	return s.operate(ctx, "add "+id+" without a vote", func(r *run, bound time.Duration) error {
		return r.raft.Load().AddNonvoter(raft.ServerID(id), raft.ServerAddress(addr), 0, bound).Error()
	})
}

// AddVoter gives a node a vote, or a voter another address. A node whose log lags must not be made a voter: use Admit.
// It returns when a majority of the new voter set has the new voter set.
func (s *Store) AddVoter(ctx context.Context, id, addr string) error {
	return s.operate(ctx, "make "+id+" a voter", func(r *run, bound time.Duration) error {
		node := r.raft.Load()
		if err := node.AddVoter(raft.ServerID(id), raft.ServerAddress(addr), 0, bound).Error(); err != nil {
			return err
		}
		// raft counts the entry by the old set: a single voter's own disk is enough there. What comes after is counted by
		// the new set, so once it is committed, the second of two voters knows that it is one, and may take over.
		return node.Barrier(bound).Error()
	})
}

// Remove takes a node out of the raft group. Voters may leave only in good order, or after confirmed fencing (safety rule
// 4): the caller answers for that.
func (s *Store) Remove(ctx context.Context, id string) error {
	return s.operate(ctx, "remove "+id, func(r *run, bound time.Duration) error {
		return r.raft.Load().RemoveServer(raft.ServerID(id), 0, bound).Error()
	})
}

// Admit makes a node a voter in the safe order: it receives the log, catches up, and only then gets its vote, because a voter
// that lags stalls commits. It can be repeated at any point. A voter that came back with another address has the address
// updated. When ctx ends before the node has caught up, it is let go again.
//
// That the others know it as one without a vote first is what keeps the takeover of two safe: a pair becomes three by the
// word of two, of which the second of the pair need not be one. It must not take itself for one of two then; but it has
// acknowledged, as one of two, that a third is on its way in.
func (s *Store) Admit(ctx context.Context, id, addr string) error {
	if err := s.awaitTakeover(ctx); err != nil { // it may be about to remove this very node
		return fmt.Errorf("admit %s: %w", id, err)
	}
	m, known := member(s.Members(), id)
	if known && m.Votes && m.Addr == addr {
		if err := s.Barrier(ctx); err != nil { // who is no leader cannot say, and a removal before it is done then
			return err
		}
		m, known = member(s.Members(), id)
	}
	if known && m.Votes {
		if m.Addr == addr {
			return nil
		}
		return s.AddVoter(ctx, id, addr)
	}
	if !known || m.Addr != addr {
		if err := s.AddNonvoter(ctx, id, addr); err != nil {
			return err
		}
	} else if err := s.Barrier(ctx); err != nil { // somebody began before: everybody is to know
		return err
	}
	if err := s.awaitCaughtUp(ctx, id); err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), letGoTimeout)
		defer cancel()
		return errors.Join(fmt.Errorf("admit %s: %w", id, err), s.LetGo(ctx))
	}
	return s.AddVoter(ctx, id, addr)
}

// LetGo removes those that only receive the log: admissions that did not come to their end. While there is one, a pair of
// voters has no takeover.
func (s *Store) LetGo(ctx context.Context) error {
	for _, m := range s.Members() {
		if !m.Votes {
			if err := s.Remove(ctx, m.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// awaitCaughtUp waits until the node's log holds everything that is committed.
func (s *Store) awaitCaughtUp(ctx context.Context, id string) error {
	r, err := s.enter()
	if err != nil {
		return err
	}
	r.leave()
	node := r.raft.Load()
	recheck := time.NewTicker(s.cfg.Timings.Heartbeat) // leadership may be lost without progress
	defer recheck.Stop()
	for {
		reached, moved := r.net.progress(raft.ServerID(id))
		if node.State() != raft.Leader {
			return r.notLeader()
		}
		if commit := node.CommitIndex(); commit != 0 && reached >= commit {
			return nil
		}
		select {
		case <-moved:
		case <-recheck.C:
		case <-r.quit:
			return ErrUnavailable
		case <-ctx.Done():
			return fmt.Errorf("it has %d of %d log entries: %w", reached, node.CommitIndex(), ctx.Err())
		}
	}
}
