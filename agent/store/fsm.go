package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"paceline/agent/cib"
)

// fsm drives the state by raft's log. raft calls its methods from one goroutine; state and halted are read from any.
type fsm struct {
	apply   func(*cib.CIB, cib.Change) (*cib.CIB, error)
	logger  *slog.Logger
	publish func(*state)
	current atomic.Pointer[state]
	halted  atomic.Pointer[error]
	stopped func() // called once, when applying stops; may be nil
	// regrouped is called with the index of a change of the raft group once that is known to be committed; may be nil.
	regrouped func(index uint64)
}

func newFSM(apply func(*cib.CIB, cib.Change) (*cib.CIB, error), logger *slog.Logger, publish func(*state)) *fsm {
	f := &fsm{apply: apply, logger: logger, publish: publish}
	f.current.Store(newState())
	return f
}

// outcome is what Apply answers to the proposer.
type outcome struct {
	applied Applied
	err     error
}

func (f *fsm) Apply(l *raft.Log) any {
	if err := f.haltedBy(); err != nil {
		return outcome{err: err}
	}
	e, err := decodeEntry(l.Data)
	if v := (*versionError)(nil); errors.As(err, &v) {
		return outcome{err: f.halt(fmt.Errorf("log entry %d: %w", l.Index, v))}
	}
	if err != nil {
		f.logger.Error("log entry is unreadable to every version: passed over", "index", l.Index, "cause", err)
		return outcome{err: err}
	}
	next, applied, err := f.current.Load().step(f.apply, e, l.Index, l.Term)
	if p := (*applyPanic)(nil); errors.As(err, &p) {
		f.logger.Error("log entry breaks the apply function: passed over", "index", l.Index, "cause", p.value)
	}
	f.current.Store(next)
	f.publish(next)
	return outcome{applied: applied, err: err}
}

// StoreConfiguration is part of raft.ConfigurationStore: raft calls it in the order of the log, once a change of the group is
// known to be committed.
func (f *fsm) StoreConfiguration(index uint64, _ raft.Configuration) {
	if f.regrouped != nil {
		f.regrouped(index)
	}
}

// halt stops applying for good: the entry may mean anything, and what comes after it may depend on it.
func (f *fsm) halt(cause error) error {
	err := fmt.Errorf("%w: %w (hint: upgrade this node's paceline)", ErrHalted, cause)
	if f.halted.CompareAndSwap(nil, &err) {
		f.logger.Error("applying stopped: this node follows the cluster's state no more", "cause", cause)
		if f.stopped != nil {
			f.stopped()
		}
	}
	return err
}

func (f *fsm) haltedBy() error {
	if p := f.halted.Load(); p != nil {
		return *p
	}
	return nil
}

// Snapshot refuses once halted, so that the log keeps what a newer version will have to apply.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if err := f.haltedBy(); err != nil {
		return nil, err
	}
	return fsmSnapshot{f.current.Load()}, nil
}

func (f *fsm) Restore(r io.ReadCloser) error {
	s, err := decodeState(r)
	if v := (*versionError)(nil); errors.As(err, &v) {
		return f.halt(v)
	}
	if err != nil {
		return err
	}
	f.current.Store(s)
	f.publish(s)
	return nil
}

// restoreNewest restores the newest snapshot that can be used, and returns where it ends; 0 without one. The error is of the newest
// one that can not.
func (f *fsm) restoreNewest(snaps *raft.FileSnapshotStore) (end uint64, err error) {
	list, err := snaps.List()
	if err != nil {
		return 0, err
	}
	for _, s := range list {
		meta, r, openErr := snaps.Open(s.ID)
		if openErr == nil {
			openErr = errors.Join(f.Restore(r), r.Close())
		}
		if openErr == nil {
			return meta.Index, err
		}
		err = cmp.Or(err, fmt.Errorf("snapshot %s: %w", s.ID, openErr))
	}
	return 0, err
}

var _ raft.ConfigurationStore = (*fsm)(nil)

type fsmSnapshot struct{ state *state }

func (s fsmSnapshot) Persist(sink raft.SnapshotSink) error {
	data, err := s.state.encode()
	if err == nil {
		_, err = sink.Write(data)
	}
	if err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (s fsmSnapshot) Release() {}
