package store

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// run is one life of raft inside the store. A store has several only when its disk failed, or a quorum was forced.
type run struct {
	cfg    *Config
	logger *slog.Logger
	disk   *disk
	snaps  *raft.FileSnapshotStore
	fsm    *fsm
	net    *transport
	raft   atomic.Pointer[raft.Raft] // nil while it starts
	wake   chan struct{}             // capacity 1: leadership may have changed
	quit   chan struct{}
	wg     sync.WaitGroup

	mu       sync.Mutex
	stopping bool
	inflight int
	idle     chan struct{} // closed when stopping and nothing is in flight
	takeover *takeover
	offered  *offered // the snapshot that a leader sends just now
}

// openParts opens the database and the snapshots and checks them against each other.
func openParts(cfg *Config, options *bbolt.Options) (*disk, *raft.FileSnapshotStore, error) {
	if err := makePrivateDir(cfg.Dir); err != nil {
		return nil, nil, err
	}
	snaps, covered, lost, err := openSnapshots(cfg)
	if err != nil {
		return nil, nil, err
	}
	db, err := openDatabase(cfg.databasePath(), options)
	if err != nil {
		return nil, nil, err
	}
	d, err := inspect(db, covered, lost.newest(), cfg.Logger)
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	d.self = []byte(cfg.Address)
	if err := lost.discard(cfg.Logger); err != nil { // only now: their loss is in the database
		return nil, nil, errors.Join(err, db.Close())
	}
	return d, snaps, nil
}

func (c *Config) raftConfig() *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.ID)
	rc.HeartbeatTimeout = c.Timings.Heartbeat
	rc.ElectionTimeout = c.Timings.Election
	rc.LeaderLeaseTimeout = c.Timings.Lease
	rc.CommitTimeout = c.Timings.Commit
	rc.SnapshotThreshold, rc.TrailingLogs, rc.SnapshotInterval = c.Compaction.After, c.Compaction.Keep, c.Compaction.Every
	rc.ShutdownOnRemove = false // a member that was removed and comes back replays its own removal
	rc.NoLegacyTelemetry = true
	rc.Logger = raftLogger(c.Logger)
	return rc
}

func (r *run) newTransport(l *layer) *transport {
	nc := &raft.NetworkTransportConfig{
		Stream: l, MaxPool: connectionsPerPeer, MaxRPCsInFlight: 1, Timeout: r.cfg.Timings.RPC,
		Logger: raftLogger(r.logger),
	}
	return newTransport(raft.NewNetworkTransportWithConfig(nc), l, r)
}

// addresses returns where a voter is now, the best link first; given is what the voter set says.
func (r *run) addresses(id raft.ServerID, given raft.ServerAddress) []raft.ServerAddress {
	if string(id) == r.cfg.ID {
		return []raft.ServerAddress{raft.ServerAddress(r.cfg.Address)}
	}
	var list []raft.ServerAddress
	if r.cfg.Resolve != nil {
		for _, a := range r.cfg.Resolve(string(id)) {
			list = append(list, raft.ServerAddress(a))
		}
	}
	if len(list) == 0 {
		return []raft.ServerAddress{given}
	}
	return list
}

// hedge is how long a call waits on one link before it goes over the next as well: the leader's lease must outlast it.
func (r *run) hedge() time.Duration { return r.cfg.Timings.Lease / 4 }

// start opens the parts and runs raft on them.
func (s *Store) start() (*run, error) {
	r := &run{
		cfg: &s.cfg, logger: s.cfg.Logger,
		wake: make(chan struct{}, 1), quit: make(chan struct{}), idle: make(chan struct{}),
	}
	var err error
	if r.disk, r.snaps, err = openParts(&s.cfg, s.options); err != nil {
		return nil, err
	}
	r.disk.fault = s.fault
	if err := r.disk.probe(); err != nil {
		return nil, errors.Join(err, r.disk.close())
	}
	if err := s.preview(r); err != nil {
		return nil, errors.Join(err, r.disk.close())
	}
	r.fsm = newFSM(s.cfg.Apply, s.cfg.Logger, s.publish)
	r.fsm.stopped, r.fsm.regrouped = r.nudge, s.groups.publish
	r.net = r.newTransport(s.streams.newLayer())
	if err := s.startRaft(r); err != nil {
		if r.raft.Load() != nil {
			return nil, errors.Join(err, r.stop())
		}
		return nil, errors.Join(err, r.net.Close(), r.disk.close())
	}
	return r, nil
}

func (s *Store) startRaft(r *run) error {
	rc := s.cfg.raftConfig()
	if s.cfg.Bootstrap {
		self := raft.Server{Suffrage: raft.Voter, ID: rc.LocalID, Address: raft.ServerAddress(s.cfg.Address)}
		err := raft.BootstrapCluster(rc, r.disk, r.disk, r.snaps, r.net, raft.Configuration{Servers: []raft.Server{self}})
		if err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
			return fmt.Errorf("make a new cluster: %w", err)
		}
	}
	r.disk.committed, r.disk.covered = r.committed, r.covered
	node, err := raft.NewRaft(rc, r.fsm, r.disk, r.disk, snapshots{r.snaps, r}, r.net)
	if err != nil {
		return fmt.Errorf("start raft: %w", err)
	}
	r.raft.Store(node)
	observer := raft.NewObserver(r.observed(), false, func(o *raft.Observation) bool {
		switch o.Data.(type) {
		case raft.LeaderObservation, raft.RaftState:
			return true
		}
		return false
	})
	node.RegisterObserver(observer)
	r.wg.Go(func() { s.follow(r) })
	return s.resumeTakeover(r)
}

// committed is raft's commit index; 0 before raft runs.
func (r *run) committed() uint64 {
	if node := r.raft.Load(); node != nil {
		return node.CommitIndex()
	}
	return 0
}

// covered is the last entry that a snapshot covers; zero if there is none.
func (r *run) covered() (position, error) {
	list, err := r.snaps.List()
	if err != nil || len(list) == 0 {
		return position{}, err
	}
	return position{list[0].Term, list[0].Index}, nil
}

// observed turns raft's observations into wake-ups; what is true then is read anew, so that dropped ones do no harm.
func (r *run) observed() chan raft.Observation {
	ch := make(chan raft.Observation, 1)
	r.wg.Go(func() {
		for {
			select {
			case <-ch:
				r.nudge()
			case <-r.quit:
				return
			}
		}
	})
	return ch
}

func (r *run) nudge() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// enter counts an operation on raft; it must be ended by leave.
func (r *run) enter() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return false
	}
	r.inflight++
	return true
}

func (r *run) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inflight--
	if r.stopping && r.inflight == 0 {
		close(r.idle)
	}
}

// retire begins the end of the run: nothing is begun in it any more, and nothing is said of its leadership.
func (r *run) retire() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stopping {
		return
	}
	r.stopping = true
	if r.inflight == 0 {
		close(r.idle)
	}
	close(r.quit)
}

// stop ends raft and all that belongs to the run. Operations in flight end first: raft answers each within a leader lease,
// but forgets those that wait for the state machine when it is shut down. With a disk that hangs it takes as long as that does;
// the others hear nothing of this node meanwhile.
func (r *run) stop() error {
	r.retire()
	if r.disk.failure() != nil {
		r.net.hangUp()
	}
	t := time.NewTimer(quiesceTimeout)
	defer t.Stop()
	select {
	case <-r.idle:
	case <-t.C:
		r.logger.Error("operations do not end: raft is stopped without them")
	}
	r.net.hangUp()
	err := r.raft.Load().Shutdown().Error()
	r.wg.Wait()
	return errors.Join(err, r.disk.close())
}

func (r *run) term() uint64 {
	if node := r.raft.Load(); node != nil {
		return node.CurrentTerm()
	}
	return ^uint64(0)
}

// debt returns what the node owes still: a snapshot from the leader may have brought it.
func (r *run) debt() position {
	owed, node := r.disk.owed(), r.raft.Load()
	if owed == (position{}) || node == nil {
		return owed
	}
	var got position
	stats := node.Stats()
	for key, into := range map[string]*uint64{"last_snapshot_term": &got.Term, "last_snapshot_index": &got.Index} {
		n, err := strconv.ParseUint(stats[key], 10, 64)
		if err != nil {
			return owed
		}
		*into = n
	}
	if err := r.disk.settle(got); err != nil {
		return owed
	}
	return r.disk.owed()
}

var errStarting = errors.New("this node is starting")

// mayStand is part of rules.
func (r *run) mayStand() error {
	if err := r.disk.failure(); err != nil {
		return err
	}
	if err := r.fsm.haltedBy(); err != nil {
		return err
	}
	if debt := r.debt(); debt != (position{}) {
		return &debtError{debt}
	}
	return nil
}

// vouched is part of rules. raft refuses its vote to who is no voter by its own log. One that this node knows to be on its way
// may have become a voter by the word of the others; if this node missed that, and its log is the shorter one, the two could
// never elect each other, though they are a majority. By raft's rules a vote depends on terms and logs alone: the header's ID
// serves for that refusal only.
func (r *run) vouched(candidate raft.ServerID) raft.ServerID {
	node := r.raft.Load()
	if node == nil {
		return ""
	}
	var voter raft.ServerID
	onItsWay := false
	for _, m := range node.GetConfiguration().Configuration().Servers {
		switch {
		case m.ID == candidate:
			onItsWay = m.Suffrage != raft.Voter
		case m.Suffrage == raft.Voter:
			voter = m.ID
		}
	}
	if !onItsWay {
		return ""
	}
	return voter
}

// mayVote is part of rules. A node that was never admitted does not vote: it may be one that lost its log.
func (r *run) mayVote(candidate position) error {
	node := r.raft.Load()
	if node == nil {
		return errStarting
	}
	if err := r.disk.failure(); err != nil {
		return err
	}
	if len(node.GetConfiguration().Configuration().Servers) == 0 {
		return errors.New("this node has not been admitted to a cluster")
	}
	if debt := r.debt(); candidate.before(debt) {
		return &debtError{debt}
	}
	return nil
}
