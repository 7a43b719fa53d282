package store

import (
	"errors"
	"fmt"
	"slices"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// A leader sends its snapshot to a follower that it takes for one that lags, by a message that came late, or by mistake. Raft's rule
// (Ongaro and Ousterhout, "In Search of an Understandable Consensus Algorithm", figure 13, receiver of InstallSnapshot, 6 and 7): where the
// log has the snapshot's last entry, what follows it stays; where it does not, the whole log is superseded. The library drops the whole
// log each time and goes on as if it were there (hashicorp/raft issue 697): entries that were acknowledged would be gone, and the next
// one that is committed ends the daemon. So raft is given only a snapshot that ends behind the log.

var (
	errInLog      = errors.New("the log holds all of the snapshot")
	errSuperseded = errors.New("the log differs from the snapshot that the leader sends: cut there, and opened anew")
)

// offered is a snapshot that a leader sends.
type offered struct {
	end  position
	held bool
}

// offer is part of rules.
func (r *run) offer(end position) func() bool {
	o := &offered{end: end}
	r.mu.Lock()
	r.offered = o
	r.mu.Unlock()
	return func() bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.offered = nil
		return o.held
	}
}

// snapshots are raft's. It makes a file for one that a leader sends in its main loop, where no entry is appended meanwhile.
type snapshots struct {
	*raft.FileSnapshotStore
	r *run
}

func (s snapshots) Create(version raft.SnapshotVersion, index, term uint64, c raft.Configuration, configuredAt uint64, t raft.Transport) (raft.SnapshotSink, error) {
	if err := s.r.take(position{term, index}); err != nil {
		return nil, err
	}
	return s.FileSnapshotStore.Create(version, index, term, c, configuredAt, t)
}

// take tells why raft must not take a leader's snapshot that ends there.
func (r *run) take(end position) error {
	r.mu.Lock()
	o := r.offered
	r.mu.Unlock()
	if o == nil || o.end != end {
		return nil // this node's own
	}
	covered, err := r.covered()
	if err != nil {
		return err
	}
	held, err := r.disk.holds(end, covered)
	if err != nil {
		return r.disk.fail(err)
	}
	if held {
		r.mu.Lock()
		o.held = true
		r.mu.Unlock()
		return errInLog
	}
	if last, _ := r.disk.LastIndex(); last < end.Index {
		return nil
	}
	if err := r.disk.cut(end.Index); err != nil {
		return err
	}
	return r.disk.fail(errSuperseded)
}

// holds tells whether what the log and the own snapshot hold includes all up to the entry.
func (d *disk) holds(end, covered position) (bool, error) {
	var l raft.Log
	err := d.db.View(func(tx *bbolt.Tx) error { return getLog(tx, end.Index, &l) })
	switch {
	case errors.Is(err, raft.ErrLogNotFound):
		return end.Index <= covered.Index && end.Term <= covered.Term, nil
	case err != nil:
		return false, err
	}
	return l.Term == end.Term, nil
}

// cut drops the log from an entry on: another one was committed in its place, so nothing from there on ever was.
func (d *disk) cut(from uint64) error {
	d.mu.Lock()
	t := d.tail
	d.mu.Unlock()
	if err := d.DeleteRange(max(from, t.first), t.last); err != nil {
		return fmt.Errorf("drop the log from entry %d on: %w", from, err)
	}
	return nil
}

// trim is part of rules. A leader may go back further than this node's log reaches, where all is committed and in a snapshot: it is to go
// on from where that ends.
func (r *run) trim(m *raft.AppendEntriesRequest) {
	if m.PrevLogEntry == 0 && len(m.Entries) == 0 || r.disk.has(m.PrevLogEntry) { // a heartbeat, or the usual case
		return
	}
	covered, err := r.covered()
	if err != nil || m.PrevLogEntry >= covered.Index {
		return
	}
	behind := slices.IndexFunc(m.Entries, func(l *raft.Log) bool { return l.Index > covered.Index })
	if behind < 0 {
		behind = len(m.Entries)
	}
	if behind > 0 && m.Entries[behind-1].Index == covered.Index && m.Entries[behind-1].Term != covered.Term {
		return // of another history: raft refuses it
	}
	m.PrevLogEntry, m.PrevLogTerm, m.Entries = covered.Index, covered.Term, m.Entries[behind:]
}

// has tells whether the log reaches over the entry.
func (d *disk) has(index uint64) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tail.first != 0 && index >= d.tail.first && index <= d.tail.last
}
