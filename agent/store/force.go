package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// ForceQuorum makes this node the only voter, with what its disk holds, whatever the other voters are or know. It is the
// last resort of a person who knows that the majority is lost: acknowledged changes that only the others held are gone,
// and if the others are alive and reach a majority among themselves, there are two clusters. It returns when this node
// leads. The others must be admitted again, with their data directories emptied if they were more than one.
func (s *Store) ForceQuorum(ctx context.Context) error {
	const what = "force quorum"
	select {
	case s.life <- struct{}{}:
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	case <-s.closing:
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	err := s.force()
	<-s.life
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	for l := range s.leaders.subscribe(ctx) {
		if l.Leader {
			return nil
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("%s: the voter set is this node alone, and it does not lead yet: %w", what, ctx.Err())
	}
	return fmt.Errorf("%s: %w", what, ErrClosed)
}

var errForcing = errors.New("a quorum is being forced")

func (s *Store) force() error {
	r, err := s.enter()
	if err != nil {
		return err
	}
	r.leave()
	s.cfg.Logger.Warn("forcing a quorum of this node alone", "voters", len(r.members()))
	s.halt(r, errForcing)
	err = s.recoverAlone()
	next, startErr := s.start()
	s.setRun(next, startErr) // without a run, supervise tries again
	return errors.Join(err, startErr)
}

func (s *Store) recoverAlone() (err error) {
	d, snaps, err := openParts(&s.cfg, s.options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	d.fault = s.fault
	scratch := newFSM(s.cfg.Apply, s.cfg.Logger, func(*state) {})
	self := raft.Server{Suffrage: raft.Voter, ID: raft.ServerID(s.cfg.ID), Address: raft.ServerAddress(s.cfg.Address)}
	_, net := raft.NewInmemTransport(self.Address) // only encodes addresses
	err = raft.RecoverCluster(s.cfg.raftConfig(), scratch, d, d, snaps, net, raft.Configuration{Servers: []raft.Server{self}})
	if err != nil {
		return err
	}
	// Last, so that a node that crashes before it may still not vote freely.
	return errors.Join(d.remove(bucketMeta, keyGhost), d.settle(position{Term: ^uint64(0)}))
}
