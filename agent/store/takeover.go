package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"
)

// Takeover of two.
//
// When one of exactly two voters dies, the other has no majority. After the peer's fencing is confirmed, the survivor
// answers in its place (the ghost): it grants the survivor's election and acknowledges its entries, so that raft itself,
// without any surgery on its files, elects the survivor, commits the peer's removal from the voter set, and goes on alone.
//
// No acknowledged entry is lost: with two voters each one is on both logs. (A pair that knows a third as one without a vote
// may have become three by now, see Admit: that is none.) What the survivor has not seen committed may
// become committed. The peer cannot undo any of it when it comes back: the survivor's log ends in a later term, and the
// survivor refuses the peer's votes, as a ghost's first, then as a stranger's, until it has admitted it again.
//
// The mark (peer X is a ghost) is durable before the first answer in its name, and until the removal is committed, so that
// a crash in between is followed by the same takeover: but then it is first asked whether the peer can be reached again, in
// which case the mark is void and the two go on as two voters. That is always safe: whatever the survivor committed
// alone is in its log, and of two voters neither leads without the other's vote.

// ghostMark is the durable form.
type ghostMark struct {
	Peer  string `json:"peer"`
	Since int64  `json:"since"` // Unix milliseconds, for people
}

// takeover is one in progress.
type takeover struct {
	peer raft.ServerID
	done chan struct{}
}

// Takeover makes this node the only voter and the leader, in place of the pair that it was with peerID. The caller
// guarantees that the peer was confirmed fenced by an order that it gave after it had read contact from Contact. It is
// refused with ErrNotPair unless the voters are this node and the peer, with ErrNotTogether unless this incarnation was in
// quorum with the peer (safety rule 5), and with ErrMetAgain if the two have exchanged anything since: the peer may have
// been cut, have started again, and lead or run services by now. A peer that started again without such contact can do
// neither. Repeating it is harmless. If ctx ends first, the takeover goes on.
func (s *Store) Takeover(ctx context.Context, peerID string, contact uint64) error {
	what := "take over from " + peerID
	r, err := s.enter()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer r.leave()
	t, err := s.beginTakeover(r, raft.ServerID(peerID), contact)
	if err != nil || t == nil {
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
	select {
	case <-t.done:
		return nil
	case <-r.quit:
		return fmt.Errorf("%s: %w: it goes on when the store does", what, ErrUnavailable)
	case <-ctx.Done():
		return fmt.Errorf("%s: it goes on: %w", what, ctx.Err())
	}
}

// Answered returns the IDs of the others that have acknowledged something to this node as the leader of that term; a ghost is
// none of them.
func (s *Store) Answered(term uint64) []string {
	r, err := s.enter()
	if err != nil {
		return nil
	}
	defer r.leave()
	return r.net.answeredIn(term)
}

// Contact counts what this node has exchanged with others as leader or follower, since its store started.
func (s *Store) Contact() uint64 {
	r, err := s.enter()
	if err != nil {
		return 0
	}
	defer r.leave()
	return r.net.contacts()
}

// awaitTakeover waits for the end of a takeover that is under way.
func (s *Store) awaitTakeover(ctx context.Context) error {
	r, err := s.enter()
	if err != nil {
		return err
	}
	defer r.leave()
	r.mu.Lock()
	t := r.takeover
	r.mu.Unlock()
	if t == nil {
		return nil
	}
	select {
	case <-t.done:
		return nil
	case <-r.quit:
		return ErrUnavailable
	case <-ctx.Done():
		return fmt.Errorf("the takeover from %s is under way: %w", t.peer, ctx.Err())
	}
}

// beginTakeover returns nil without an error when there is nothing left to do.
func (s *Store) beginTakeover(r *run, peer raft.ServerID, contact uint64) (*takeover, error) {
	if err := r.mayStand(); err != nil {
		return nil, err
	}
	r.mu.Lock()
	running := r.takeover
	r.mu.Unlock()
	if running != nil {
		if running.peer != peer {
			return nil, fmt.Errorf("a takeover from %s is under way", running.peer)
		}
		return running, nil
	}
	alone, err := s.pairedWith(r, peer)
	if err != nil || alone {
		return nil, err
	}
	if !r.net.wasTogether(peer) {
		return nil, ErrNotTogether
	}
	// A leader that removed a third has the pair in effect before its peer knows of it. The peer and the third, back from their
	// fencings, are a majority of the set before then.
	if _, committed := r.group(); !committed {
		return nil, fmt.Errorf("that there are two voters is not committed: %w", ErrNotPair)
	}
	// Barred before the mark is written: from the look at the contact on, nothing of the peer's counts any more.
	if !r.net.bar(peer, contact) {
		return nil, ErrMetAgain
	}
	data, err := json.Marshal(ghostMark{Peer: string(peer), Since: time.Now().UnixMilli()})
	if err != nil {
		return nil, err
	}
	if err := r.disk.put(bucketMeta, keyGhost, data); err != nil {
		r.net.bar("", 0)
		return nil, err
	}
	s.cfg.Logger.Warn("takeover: this node answers for its fenced peer until it is removed from the voters", "peer", peer)
	return s.runTakeover(r, peer, false), nil
}

// pairedWith holds the latest voter set against what a takeover needs; alone means that this node is the only voter.
func (s *Store) pairedWith(r *run, peer raft.ServerID) (alone bool, err error) {
	self, other, voters := false, false, 0
	for _, m := range r.raft.Load().GetConfiguration().Configuration().Servers {
		if m.Suffrage != raft.Voter {
			return false, fmt.Errorf("%s is being made a voter, and may be one already: %w", m.ID, ErrNotPair)
		}
		voters++
		self = self || string(m.ID) == s.cfg.ID
		other = other || m.ID == peer
	}
	switch {
	case self && voters == 1 && string(peer) != s.cfg.ID:
		return true, nil
	case self && other && voters == 2 && string(peer) != s.cfg.ID:
		return false, nil
	}
	return false, fmt.Errorf("%d voters, this node %s, the peer %s: %w", voters, amongThem(self), amongThem(other), ErrNotPair)
}

func amongThem(is bool) string {
	if is {
		return "among them"
	}
	return "not among them"
}

// resumeTakeover continues one that a crash interrupted.
func (s *Store) resumeTakeover(r *run) error {
	mark, err := r.disk.ghostMark()
	if err != nil || mark == nil {
		return err
	}
	s.cfg.Logger.Warn("takeover: it was interrupted and goes on", "peer", mark.Peer, "since", time.UnixMilli(mark.Since))
	s.runTakeover(r, raft.ServerID(mark.Peer), true)
	return nil
}

func (d *disk) ghostMark() (*ghostMark, error) {
	data, err := d.getMeta(keyGhost)
	if errors.Is(err, errNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var mark ghostMark
	if err := json.Unmarshal(data, &mark); err != nil || mark.Peer == "" {
		return nil, damagedFile(d.db.Path(), fmt.Errorf("ghost mark %q", data))
	}
	return &mark, nil
}

func (s *Store) runTakeover(r *run, peer raft.ServerID, resumed bool) *takeover {
	t := &takeover{peer: peer, done: make(chan struct{})}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.takeover != nil {
		return r.takeover
	}
	r.takeover = t
	r.wg.Go(func() {
		done := s.finishTakeover(r, peer, resumed)
		r.net.bar("", 0) // by now it is no voter, or no ghost
		if done {
			r.mu.Lock()
			r.takeover = nil
			r.mu.Unlock()
			close(t.done)
		}
	})
	return t
}

// finishTakeover returns false if the run ends first; the mark then stays.
func (s *Store) finishTakeover(r *run, peer raft.ServerID, resumed bool) bool {
	alone, err := s.pairedWith(r, peer)
	void := err != nil
	if !alone && !void && resumed && s.reachable(r, peer) {
		s.cfg.Logger.Warn("takeover: the peer is there again: given up", "peer", peer)
		void = true
	}
	if !alone && !void {
		r.net.setGhost(peer)
		defer r.net.setGhost("")
		if !s.removeGhost(r, peer) {
			return false
		}
		s.cfg.Logger.Warn("takeover: this node is the only voter now", "former peer", peer)
	}
	return r.disk.remove(bucketMeta, keyGhost) == nil
}

func (s *Store) reachable(r *run, peer raft.ServerID) bool {
	m, _ := member(r.members(), string(peer))
	for _, addr := range r.addresses(peer, raft.ServerAddress(m.Addr)) {
		if conn, err := s.streams.under.Dial(addr, s.cfg.Timings.RPC); err == nil {
			conn.Close()
			return true
		}
	}
	return false
}

// removeGhost leads with the ghost's votes until the peer's removal is committed.
func (s *Store) removeGhost(r *run, peer raft.ServerID) bool {
	node := r.raft.Load()
	again := time.NewTicker(s.cfg.Timings.Election)
	defer again.Stop()
	changed := make(chan raft.Observation, 1)
	observer := raft.NewObserver(changed, false, func(o *raft.Observation) bool {
		_, ok := o.Data.(raft.RaftState)
		return ok
	})
	node.RegisterObserver(observer)
	defer node.DeregisterObserver(observer)
	for r.enter() {
		state := node.State()
		if state == raft.Leader {
			err := node.RemoveServer(peer, 0, enqueueTimeout).Error()
			r.leave()
			if err == nil {
				return true
			}
			s.cfg.Logger.Info("takeover: the removal did not go through yet", "peer", peer, "cause", err)
		} else {
			r.leave()
			if state == raft.Follower {
				if err := r.net.campaign(); err != nil { // raft stands for election by itself a little later
					s.cfg.Logger.Warn("takeover: no election yet", "cause", err)
				}
			}
		}
		select {
		case <-changed:
		case <-again.C:
		case <-r.quit:
			return false
		}
	}
	return false
}

// Term returns the newest term that this node knows of; 0 while the store is not available.
func (s *Store) Term() uint64 {
	r, err := s.enter()
	if err != nil {
		return 0
	}
	defer r.leave()
	return r.term()
}
