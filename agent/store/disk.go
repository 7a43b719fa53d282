package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// disk is raft's log and stable store in one bbolt file. Each write is one transaction, synced before it returns, so a
// write that a power cut interrupts is either whole or absent: a torn tail shows as the state before the write, which
// nobody was told of.
//
// After the first failed write it takes no more (raft goes on with what it holds in memory, which may differ from the
// file by then): every later write returns the same error, failed is closed, and the owner starts raft again from what
// the file holds.
type disk struct {
	db     *bbolt.DB
	logger *slog.Logger
	// committed tells raft's commit index, noted with each write; nil before raft runs.
	committed func() uint64
	// covered tells the last entry that a snapshot covers; nil before raft runs.
	covered func() (position, error)
	// appended, if not nil, is called after entries were stored.
	appended func()

	mu     sync.Mutex // guards what follows; never held during a write
	tail   tail
	debt   position // see inspect.go
	cause  error
	failed chan struct{}

	writing sync.Mutex   // one write at a time, so that tail follows the file
	self    []byte       // what raft writes when this node votes for itself
	fault   func() error // made by tests: a write that fails
}

var (
	bucketLog    = []byte("log")
	bucketStable = []byte("stable") // raft's own: term and vote
	bucketMeta   = []byte("meta")

	keyFormat = []byte("format")
	keyTail   = []byte("tail")
	keyDebt   = []byte("debt")
	keyGhost  = []byte("ghost")
	keyProbe  = []byte("probe")

	formatValue = []byte("paceline-raft/1")
)

// errStuck is of a disk that neither takes a write nor refuses it. What it does with the write later counts for nothing.
var errStuck = fmt.Errorf("it has not ended within %v (hint: look for a lost path to the disk, or a full queue)", writeTimeout)

// update runs one durable write. Its first error is the last one that the disk is asked for.
func (d *disk) update(write func(*bbolt.Tx) error) error {
	return d.change(func(tx *bbolt.Tx, _ *tail, _ *position) error { return write(tx) })
}

// change is update for writes that move the log's ends or the debt: write is given both as they are, and what it makes of them holds when
// it is on the disk. raft appends and compacts at the same time, from goroutines of its own: nobody else writes between the two.
func (d *disk) change(write func(*bbolt.Tx, *tail, *position) error) error {
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.failure(); err != nil {
		return err
	}
	d.mu.Lock()
	next, debt := d.tail, d.debt
	d.mu.Unlock()
	stuck := time.AfterFunc(writeTimeout, func() { d.fail(errStuck) })
	defer stuck.Stop()
	err := d.db.Update(func(tx *bbolt.Tx) error {
		if d.fault != nil {
			if err := d.fault(); err != nil {
				return err
			}
		}
		return write(tx, &next, &debt)
	})
	if err != nil {
		return d.fail(err)
	}
	if err := d.failure(); err != nil {
		return err
	}
	d.mu.Lock()
	d.tail, d.debt = next, debt
	d.mu.Unlock()
	return nil
}

func (d *disk) fail(err error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cause == nil {
		d.cause = fmt.Errorf("write %s: %w", d.db.Path(), err)
		close(d.failed)
	}
	return d.cause
}

func (d *disk) failure() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cause
}

// FirstIndex is part of raft.LogStore.
func (d *disk) FirstIndex() (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tail.first, nil
}

// LastIndex is part of raft.LogStore.
func (d *disk) LastIndex() (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.tail.last, nil
}

// IsMonotonic tells raft that the log has no gaps, which inspect relies on.
func (d *disk) IsMonotonic() bool { return true }

// GetLog is part of raft.LogStore. Where the log begins behind a snapshot the entry before it is known as well, but for what it says: raft
// asks for its term when a leader goes on from there, and never for more, because the snapshot has it.
func (d *disk) GetLog(index uint64, l *raft.Log) error {
	err := d.db.View(func(tx *bbolt.Tx) error { return getLog(tx, index, l) })
	if errors.Is(err, raft.ErrLogNotFound) && d.covered != nil {
		if covered, failed := d.covered(); failed == nil && index != 0 && covered.Index == index {
			*l = raft.Log{Index: index, Term: covered.Term}
			return nil
		}
	}
	return err
}

func getLog(tx *bbolt.Tx, index uint64, l *raft.Log) error {
	key := indexKey(index)
	sealed := tx.Bucket(bucketLog).Get(key)
	if sealed == nil {
		return raft.ErrLogNotFound
	}
	value, err := unseal(key, sealed)
	if err == nil {
		err = decodeLog(index, value, l)
	}
	if err != nil {
		return fmt.Errorf("read log %d: %w", index, err)
	}
	return nil
}

// StoreLog is part of raft.LogStore.
func (d *disk) StoreLog(l *raft.Log) error { return d.StoreLogs([]*raft.Log{l}) }

// configuresAfter tells whether an entry after the index, and after what is known to be committed, changes the raft group.
func (d *disk) configuresAfter(index uint64) (bool, error) {
	d.mu.Lock()
	at := d.tail
	d.mu.Unlock()
	for i := at.last; i > max(index, at.commit) && i >= at.first; i-- {
		var l raft.Log
		if err := d.GetLog(i, &l); err != nil {
			return false, err
		}
		if l.Type == raft.LogConfiguration {
			return true, nil
		}
	}
	return false, nil
}

// StoreLogs is part of raft.LogStore: all of the entries are on the disk when it returns, or none.
func (d *disk) StoreLogs(logs []*raft.Log) error {
	if len(logs) == 0 {
		return nil
	}
	var committed uint64
	if d.committed != nil {
		committed = d.committed()
	}
	last := logs[len(logs)-1]
	err := d.change(func(tx *bbolt.Tx, next *tail, debt *position) error {
		bucket := tx.Bucket(bucketLog)
		bucket.FillPercent = 0.9 // keys only rise
		if next.last == 0 || logs[0].Index > next.last+1 {
			if err := d.goesOn(*next, logs[0].Index); err != nil {
				return err
			}
			if err := dropRange(bucket, next.first, next.last); err != nil {
				return err
			}
			next.first, next.last = logs[0].Index, logs[0].Index-1
		}
		for _, l := range logs {
			if l.Index != next.last+1 {
				return fmt.Errorf("log entry %d does not follow %d", l.Index, next.last)
			}
			key := indexKey(l.Index)
			if err := bucket.Put(key, seal(key, encodeLog(l))); err != nil {
				return err
			}
			next.last, next.lastTerm = l.Index, l.Term
		}
		next.commit = min(max(next.commit, committed), next.last)
		if *debt != (position{}) && !(position{last.Term, last.Index}).before(*debt) {
			*debt = position{}
			if err := tx.Bucket(bucketMeta).Delete(keyDebt); err != nil {
				return err
			}
		}
		return putTail(tx, *next)
	})
	if err != nil {
		return err
	}
	if d.appended != nil {
		d.appended()
	}
	return nil
}

// goesOn refuses to begin the log anew at an entry, unless a snapshot covers all before it: raft does that after it was sent one.
func (d *disk) goesOn(t tail, index uint64) error {
	if d.covered == nil {
		return nil
	}
	covered, err := d.covered()
	if err != nil {
		return err
	}
	if index > covered.Index+1 {
		return fmt.Errorf("log entry %d does not follow %d, and a snapshot covers no more than %d", index, t.last, covered.Index)
	}
	return nil
}

func putTail(tx *bbolt.Tx, t tail) error {
	return tx.Bucket(bucketMeta).Put(keyTail, seal(keyTail, t.encode()))
}

// DeleteRange is part of raft.LogStore. raft deletes from the front what a snapshot covers, and from the end what a leader
// of a later term has overruled: in both cases entries that nobody may count on.
func (d *disk) DeleteRange(low, high uint64) error {
	return d.change(func(tx *bbolt.Tx, next *tail, _ *position) error {
		low, high := max(low, next.first), min(high, next.last)
		switch {
		case next.last == 0 || low > high:
			return nil
		case low == next.first && high == next.last:
			next.first, next.last, next.lastTerm, next.commit = 0, 0, 0, 0
		case low == next.first:
			next.first = high + 1
		case high == next.last:
			var l raft.Log
			if err := getLog(tx, low-1, &l); err != nil {
				return err
			}
			next.last, next.lastTerm = l.Index, l.Term
			next.commit = min(next.commit, next.last)
		default:
			return fmt.Errorf("delete log %d to %d of %d to %d: it would leave a gap", low, high, next.first, next.last)
		}
		if err := dropRange(tx.Bucket(bucketLog), low, high); err != nil {
			return err
		}
		return putTail(tx, *next)
	})
}

func dropRange(bucket *bbolt.Bucket, low, high uint64) error {
	if high == 0 {
		return nil
	}
	c := bucket.Cursor()
	for k, _ := c.Seek(indexKey(low)); len(k) == 8 && binary.BigEndian.Uint64(k) <= high; k, _ = c.Next() {
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

// errNotFound is what raft takes for an absent key: it compares the text.
var errNotFound = errors.New("not found")

// Get is part of raft.StableStore.
func (d *disk) Get(key []byte) ([]byte, error) {
	var value []byte
	err := d.db.View(func(tx *bbolt.Tx) (err error) {
		value, err = get(tx, bucketStable, key)
		return err
	})
	return value, err
}

// get returns a copy.
func get(tx *bbolt.Tx, bucket, key []byte) ([]byte, error) {
	sealed := tx.Bucket(bucket).Get(key)
	if sealed == nil {
		return nil, errNotFound
	}
	value, err := unseal(key, sealed)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", key, err)
	}
	return append([]byte{}, value...), nil
}

// Set is part of raft.StableStore: raft keeps the candidate that it voted for here. A node with a debt does not vote for
// itself: in a cluster of one voter no other vote would stop it.
func (d *disk) Set(key, value []byte) error {
	if string(key) == keyVote && bytes.Equal(value, d.self) {
		if debt := d.owed(); debt != (position{}) {
			return &debtError{debt}
		}
	}
	return d.put(bucketStable, key, value)
}

// owed returns the node's debt, zero if there is none.
func (d *disk) owed() position {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.debt
}

// settle forgets the debt if a position reaches it.
func (d *disk) settle(reached position) error {
	if debt := d.owed(); debt == (position{}) || reached.before(debt) {
		return nil
	}
	return d.change(func(tx *bbolt.Tx, _ *tail, debt *position) error {
		*debt = position{}
		return tx.Bucket(bucketMeta).Delete(keyDebt)
	})
}

type debtError struct{ debt position }

func (e *debtError) Error() string {
	return fmt.Sprintf("this node's log was damaged and does not reach entry %d of term %d again yet", e.debt.Index, e.debt.Term)
}

func (d *disk) put(bucket, key, value []byte) error {
	return d.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Put(key, seal(key, value)) })
}

func (d *disk) remove(bucket, key []byte) error {
	return d.update(func(tx *bbolt.Tx) error { return tx.Bucket(bucket).Delete(key) })
}

// keyTerm is raft's name of the current term; to be unable to write it is a panic there.
const keyTerm = "CurrentTerm"

// keyVote is raft's name of the candidate it voted for.
const keyVote = "LastVoteCand"

// SetUint64 is part of raft.StableStore.
//
// A term that cannot be written is no error here: raft would end the process, and with it the node's resources. It is
// safe to let raft go on in memory, because the disk takes no further write: neither a vote nor an entry of that term can
// come out of this node before raft has been started again from what the file holds.
func (d *disk) SetUint64(key []byte, value uint64) error {
	if old, err := d.GetUint64(key); err == nil && old == value {
		return nil
	}
	err := d.Set(key, binary.BigEndian.AppendUint64(nil, value))
	if err != nil && string(key) == keyTerm {
		d.logger.Error("the term could not be written: this node neither votes nor stores until it can", "term", value, "cause", err)
		return nil
	}
	return err
}

// GetUint64 is part of raft.StableStore.
func (d *disk) GetUint64(key []byte) (uint64, error) {
	value, err := d.Get(key)
	if err != nil {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("read %s: %d bytes: 8", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// probe tells whether the disk takes writes.
func (d *disk) probe() error {
	if err := d.put(bucketMeta, keyProbe, make([]byte, probeBytes)); err != nil {
		return err
	}
	return d.remove(bucketMeta, keyProbe)
}

func (d *disk) close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("close %s: %w", d.db.Path(), err)
	}
	return nil
}

func (d *disk) getMeta(key []byte) ([]byte, error) {
	var value []byte
	err := d.db.View(func(tx *bbolt.Tx) (err error) {
		value, err = get(tx, bucketMeta, key)
		return err
	})
	return value, err
}
