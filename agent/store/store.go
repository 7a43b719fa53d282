package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"

	"paceline/agent/cib"
)

// Store is one node's part of the replicated CIB. Its methods may be called from any goroutine.
type Store struct {
	cfg     Config
	options *bbolt.Options // nil but in tests
	fault   func() error   // nil but in tests

	streams   *streams
	state     atomic.Pointer[state] // the newest published
	publishMu sync.Mutex
	watchers  topic[Snapshot]
	leaders   topic[Leadership]
	groups    topic[uint64]

	closing chan struct{}
	wg      sync.WaitGroup
	life    chan struct{} // capacity 1: held by who starts or stops raft

	mu      sync.Mutex
	closed  bool
	run     *run  // nil while raft is stopped
	cause   error // why
	changed chan struct{}
}

// Snapshot is one immutable state of the replicated CIB.
type Snapshot struct {
	Revision       uint64   // rises with every command that changed something
	ConfigRevision uint64   // rises with every change of the configuration
	Index, Term    uint64   // of the last command
	CIB            *cib.CIB // not to be changed
}

// Leadership says who leads.
type Leadership struct {
	// Leader: this node leads, in Term, and Snapshot holds everything that was committed before.
	Leader     bool
	Term       uint64
	LeaderID   string // "" when none is known
	LeaderAddr string
}

// Command is what Apply commits.
type Command struct {
	Change cib.Change
	// BaseRevision, if not 0, must be the configuration's revision, or the command is refused with a *Conflict.
	BaseRevision uint64
	User         string
	Message      string
	// Term, if not 0, is the term that the command was decided in: a leader of another term refuses it as not the leader. A
	// coordinator that lost its leadership, and does not know it yet, commits nothing in the name of the next.
	Term uint64
	// RequestID makes a repetition of the command harmless: the first of the same id counts, among the last RequestsMax.
	RequestID string
}

// Open opens the store in cfg.Dir and takes part in the cluster that it knows; it does not wait for a leader. A data
// directory in use by another process, and one that is damaged beyond what the cluster can mend, are errors. A failed
// Open leaves cfg.Stream to the caller; afterwards it is the store's.
func Open(cfg Config) (*Store, error) { return open(cfg, nil, nil) }

func open(cfg Config, options *bbolt.Options, fault func() error) (*Store, error) {
	if err := cfg.complete(); err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{
		cfg: cfg, options: options, fault: fault,
		closing: make(chan struct{}), life: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	s.streams = newStreams(cfg.Stream, cfg.Address)
	r, err := s.start()
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.setRun(r, nil)
	s.streams.serve()
	s.wg.Go(s.supervise)
	return s, nil
}

// Close ends the store and waits for all of its goroutines. It does not give up leadership or the vote.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	s.mu.Unlock()
	close(s.closing)
	s.wg.Wait()
	s.life <- struct{}{}
	var err error
	if r := s.setRun(nil, ErrClosed); r != nil {
		err = r.stop()
	}
	err = errors.Join(err, s.streams.close())
	s.watchers.close()
	s.leaders.close()
	s.groups.close()
	if err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

func (s *Store) setRun(r *run, cause error) (before *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before = s.run
	s.run, s.cause = r, cause
	close(s.changed)
	s.changed = make(chan struct{})
	return before
}

func (s *Store) present() (*run, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run, s.changed
}

// enter returns the run for one operation, which must end with leave.
func (s *Store) enter() (*run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, ErrClosed
	}
	if s.run != nil && s.run.enter() {
		return s.run, nil
	}
	if s.cause != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, s.cause)
	}
	return nil, ErrUnavailable
}

// supervise starts raft again after a failed write. Until the disk takes writes, the node has no part in the cluster.
func (s *Store) supervise() {
	for {
		r, changed := s.present()
		if r != nil {
			select {
			case <-s.closing:
				return
			case <-changed:
				continue
			case <-r.disk.failed:
			}
		}
		select {
		case s.life <- struct{}{}:
		case <-s.closing:
			return
		}
		if now, _ := s.present(); now == r {
			s.reopen(r)
		}
		<-s.life
	}
}

// reopen stops a run whose disk failed, if there is one, and starts the next as soon as that succeeds.
func (s *Store) reopen(r *run) {
	if r != nil {
		cause := r.disk.failure()
		s.cfg.Logger.Error("the disk failed: this node leaves the quorum until it takes writes again", "cause", cause)
		s.halt(r, cause)
	}
	for pause := reopenMin; ; pause = min(2*pause, reopenMax) {
		t := time.NewTimer(pause)
		select {
		case <-t.C:
		case <-s.closing:
			t.Stop()
			return
		}
		next, err := s.startAnew()
		if err == nil {
			s.cfg.Logger.Info("the disk takes writes again")
			s.setRun(next, nil)
			return
		}
		s.setRun(nil, err)
	}
}

// startAnew starts raft on a new copy of its file. After a failed write nobody knows which pages the disk has, and the kernel
// counts them as clean: what is built on them would be gone with the next power cut.
func (s *Store) startAnew() (*run, error) {
	if err := renewDatabase(s.cfg.databasePath(), s.options); err != nil {
		return nil, err
	}
	return s.start()
}

// halt takes the run out of use and stops it.
func (s *Store) halt(r *run, cause error) {
	s.setRun(nil, cause)
	r.retire()
	s.leaders.publish(Leadership{}) // before raft has stopped: with a disk that hangs it does not
	if err := r.stop(); err != nil {
		s.cfg.Logger.Error("stop raft", "cause", err)
	}
}

// Health returns nil, or why this node does not do its full part: its disk, a damaged log, a newer version's entry.
func (s *Store) Health() error {
	s.mu.Lock()
	r, cause, closed := s.run, s.cause, s.closed
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case r != nil:
		return r.mayStand()
	case cause != nil:
		return fmt.Errorf("%w: %w", ErrUnavailable, cause)
	}
	return ErrUnavailable
}

// operate runs an operation on raft and waits for it or for ctx. The operation ends by itself in any case.
func (s *Store) operate(ctx context.Context, what string, do func(*run, time.Duration) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	r, err := s.enter()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	bound := enqueueTimeout
	if deadline, ok := ctx.Deadline(); ok {
		bound = max(time.Until(deadline), time.Millisecond)
	}
	ended := make(chan error, 1)
	go func() { // counted by enter
		defer r.leave()
		ended <- do(r, bound)
	}()
	select {
	case err = <-ended:
	case <-ctx.Done():
		err = fmt.Errorf("%w: %w", ErrUncertain, ctx.Err())
	}
	if err = r.explain(err); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// explain turns raft's errors into ours.
func (r *run) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, raft.ErrNotLeader), errors.Is(err, raft.ErrLeadershipTransferInProgress):
		return r.notLeader()
	case errors.Is(err, raft.ErrEnqueueTimeout):
		return fmt.Errorf("raft did not take it in time: %w", context.DeadlineExceeded)
	case errors.Is(err, raft.ErrLeadershipLost), errors.Is(err, raft.ErrRaftShutdown):
		return fmt.Errorf("%w: %w", ErrUncertain, err)
	}
	return err
}

func (r *run) notLeader() *NotLeader {
	addr, id := r.raft.Load().LeaderWithID()
	if string(id) == r.cfg.ID { // in the middle of a change
		return &NotLeader{}
	}
	return &NotLeader{LeaderID: string(id), LeaderAddr: string(addr)}
}

// Apply commits a command and returns when it is on the disks of a majority and applied here. Only the leader can; others
// answer ErrNotLeader at once. A change that does not apply, or a *Conflict, changes nothing. After ErrUncertain the command
// may or may not take effect, now or later.
func (s *Store) Apply(ctx context.Context, c Command) (Applied, error) {
	const what = "commit"
	if len(c.RequestID) > RequestIDMax {
		return Applied{}, fmt.Errorf("%s: request id of %d bytes: at most %d", what, len(c.RequestID), RequestIDMax)
	}
	data, err := encodeEntry(&entry{
		Change: c.Change, Base: c.BaseRevision, User: c.User, Message: c.Message,
		Time: time.Now().UnixMilli(), Request: c.RequestID,
	})
	if err != nil {
		return Applied{}, fmt.Errorf("%s: %w", what, err)
	}
	var out outcome // written before the operation ends, read only when it has
	err = s.operate(ctx, what, func(r *run, bound time.Duration) error {
		node := r.raft.Load()
		if node.State() != raft.Leader || c.Term != 0 && node.CurrentTerm() != c.Term {
			return raft.ErrNotLeader
		}
		future := node.Apply(data, bound)
		if err := future.Error(); err != nil {
			return err
		}
		out = future.Response().(outcome)
		return out.err
	})
	if err != nil {
		return Applied{}, err
	}
	return out.applied, nil
}

// Barrier returns when everything that was committed before it is applied here. Only the leader can.
func (s *Store) Barrier(ctx context.Context) error {
	return s.operate(ctx, "barrier", func(r *run, bound time.Duration) error {
		return r.raft.Load().Barrier(bound).Error()
	})
}

// publish makes a state visible. A state that raft replays after a start is not shown before it is newer than the one
// that is shown.
func (s *Store) publish(n *state) {
	s.publishMu.Lock()
	defer s.publishMu.Unlock()
	if old := s.state.Load(); old != nil && n.index <= old.index {
		return
	}
	s.state.Store(n)
	s.watchers.publish(n.snapshot())
}

func (n *state) snapshot() Snapshot {
	return Snapshot{Revision: n.revision, ConfigRevision: n.configRevision, Index: n.index, Term: n.term, CIB: n.cib}
}

// preview shows what is known to be committed at a start, before a leader says how far that is: a node that starts alone
// can answer what the cluster looked like. It fails where raft would end the process: no snapshot can be used, or only one that
// the log does not reach back to.
func (s *Store) preview(r *run) error {
	f := newFSM(s.cfg.Apply, s.cfg.Logger, func(*state) {})
	from, err := f.restoreNewest(r.snaps)
	if err != nil && (from == 0 || r.disk.tail.first > from+1) {
		return fmt.Errorf("the newest snapshot cannot be used, and the log does not reach back far enough to do without: %w", err)
	}
	for index := max(from+1, r.disk.tail.first); index != 0 && index <= r.disk.tail.commit; index++ {
		var l raft.Log
		if err := r.disk.GetLog(index, &l); err != nil {
			break
		}
		if l.Type == raft.LogCommand {
			f.Apply(&l)
		}
	}
	s.publish(f.current.Load())
	return nil
}

// Snapshot returns the newest state that this node knows. On a follower it may be behind the leader's; before a leader is
// known, it is the last that this node knew to be committed.
func (s *Store) Snapshot() Snapshot { return s.state.Load().snapshot() }

// Watch returns a channel that holds the newest state, beginning with the present one; states in between are passed over
// when the reader is slow. It is closed when ctx or the store ends.
func (s *Store) Watch(ctx context.Context) <-chan Snapshot { return s.watchers.subscribe(ctx) }

// Groups returns a channel that holds the log index of the newest change of the raft group that this node knows to be
// committed, as soon as there is one: time to look at Group again. It is closed when ctx or the store ends. What a leader sends as
// a snapshot shows in Watch.
func (s *Store) Groups(ctx context.Context) <-chan uint64 { return s.groups.subscribe(ctx) }

// Leader returns a channel that holds the newest leadership, beginning with the present one. It is closed when the store
// ends.
func (s *Store) Leader() <-chan Leadership { return s.leaders.subscribe(context.Background()) }

// History returns the newest n commits of the configuration, newest first; n <= 0 means all that are kept.
func (s *Store) History(n int) []Commit { return s.state.Load().history.list(n) }

// At returns the configuration of that revision, or ErrUnknownRevision.
func (s *Store) At(revision uint64) (*cib.Configuration, error) {
	h := s.state.Load().history
	if c := h.at(revision); c != nil {
		return c, nil
	}
	if n := len(h.commits); n > 0 {
		return nil, fmt.Errorf("%w: %d to %d are", ErrUnknownRevision, h.commits[0].Revision-1, h.commits[n-1].Revision)
	}
	return nil, fmt.Errorf("%w: nothing was committed yet", ErrUnknownRevision)
}
