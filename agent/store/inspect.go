package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"

	"github.com/hashicorp/raft"
	"go.etcd.io/bbolt"
)

// What the store does with damage, and why.
//
// A write that a power cut interrupted leaves no damage (see disk). So an entry whose checksum fails, or that is missing
// although the tail record says that it was written, was acknowledged once: this node's word for it may be what made it
// committed. To cut it off and go on voting could elect a leader that lacks it: an acknowledged change would be lost.
//
//   - Damage in entries that the newest snapshot covers costs nothing: they are dropped, they only served slow followers.
//   - Otherwise the log is cut before the first damaged entry, and the place where it ended before is written down as the
//     node's debt, in the same transaction. Until its log reaches that place again, by what a leader sends, the node does
//     not stand for election, and grants its vote only to a candidate whose log reaches the debt: exactly the votes that
//     it would have given with the log whole. So every majority still holds what any majority ever acknowledged. A node
//     that was the only voter waits for a person, who can force a quorum of what is left, knowing it.
//   - A damaged snapshot is put aside, and an older one used; what the log does not bridge becomes debt as well.
//   - A damaged term, vote or ghost mark, or a damaged file structure, is refused: without its vote a node could vote
//     twice. It must join again as a new member.

// damagedFile refuses a file that cannot be trusted.
func damagedFile(path string, cause error) error {
	return fmt.Errorf("%s is damaged: %w (hint: remove this node from the cluster, move its data directory away and join again)", path, cause)
}

// inspect checks the database and takes it into use. covered is the position of the newest loadable snapshot, lost that of
// a newer one that is damaged.
func inspect(db *bbolt.DB, covered, lost position, logger *slog.Logger) (*disk, error) {
	d := &disk{db: db, logger: logger, failed: make(chan struct{})}
	var found findings
	if err := db.View(func(tx *bbolt.Tx) (err error) { found, err = survey(tx); return err }); err != nil {
		return nil, damagedFile(db.Path(), err)
	}
	d.tail, d.debt = found.tail, found.debt
	if d.debt.before(lost) {
		d.debt = lost
	}
	ended := position{d.tail.lastTerm, d.tail.last}
	cut := d.tail
	switch {
	case found.firstBad == 0:
	case found.lastBad <= covered.Index:
		logger.Warn("log entries are damaged; a snapshot covers them: dropped", "first", found.firstBad, "last", found.lastBad, "snapshot", covered.Index, "cause", found.cause)
		if cut.first = found.lastBad + 1; cut.first > cut.last {
			cut = tail{}
		}
	default:
		logger.Error("log entries are damaged: the log is cut there, and this node does not vote freely until it has them again from the others",
			"first", found.firstBad, "last", cut.last, "cause", found.cause)
		cut.last, cut.lastTerm = found.firstBad-1, found.termBefore
		if cut.last < cut.first {
			cut = tail{}
		}
		if d.debt.before(ended) {
			d.debt = ended
		}
	}
	if cut.last != 0 && cut.first > covered.Index+1 {
		logger.Error("the log does not reach back to the snapshot: dropped until the others send it", "first", cut.first, "snapshot", covered.Index)
		cut = tail{}
		if d.debt.before(ended) {
			d.debt = ended
		}
	}
	if !covered.before(d.debt) || !(position{cut.lastTerm, cut.last}).before(d.debt) {
		d.debt = position{} // what was missing is here again
	}
	cut.commit = min(cut.commit, cut.last)
	if cut == found.tail && d.debt == found.debt {
		return d, nil
	}
	err := d.update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(bucketLog)
		if cut.last == 0 {
			if err := dropRange(bucket, 0, ^uint64(0)); err != nil {
				return err
			}
		} else if err := errors.Join(dropRange(bucket, 0, cut.first-1), dropRange(bucket, cut.last+1, ^uint64(0))); err != nil {
			return err
		}
		if d.debt == (position{}) {
			if err := tx.Bucket(bucketMeta).Delete(keyDebt); err != nil {
				return err
			}
		} else {
			if err := tx.Bucket(bucketMeta).Put(keyDebt, seal(keyDebt, encodePosition(d.debt))); err != nil {
				return err
			}
		}
		return putTail(tx, cut)
	})
	if err != nil {
		return nil, err
	}
	d.tail = cut
	return d, nil
}

// checkStructure walks all pages. A page that is not there at all is a fault on reading the mapped file, which becomes an
// error here instead of the end of the process.
func checkStructure(db *bbolt.DB) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("reading it: %v", p)
		}
	}()
	return db.View(func(tx *bbolt.Tx) error {
		if err := walk(tx.Cursor(), func(name []byte) *bbolt.Bucket { return tx.Bucket(name) }); err != nil {
			return err
		}
		for _, name := range [][]byte{bucketLog, bucketStable, bucketMeta} {
			if tx.Bucket(name) == nil {
				return fmt.Errorf("it has no bucket %q", name)
			}
		}
		return nil
	})
}

// walk touches every key and value, in order: a page of another kind, a key out of order, or a value beyond the file shows.
func walk(c *bbolt.Cursor, open func([]byte) *bbolt.Bucket) error {
	var before []byte
	for k, v := c.First(); k != nil; k, v = c.Next() {
		if before != nil && bytes.Compare(before, k) >= 0 {
			return errors.New("keys are out of order")
		}
		before = append(before[:0], k...)
		if v != nil {
			_ = bytes.Count(v, []byte{0})
			continue
		}
		b := open(k)
		if b == nil {
			return fmt.Errorf("bucket %q is not there", k)
		}
		if err := walk(b.Cursor(), b.Bucket); err != nil {
			return err
		}
	}
	return nil
}

// findings are what survey found in a database whose structure is whole.
type findings struct {
	tail              tail
	debt              position
	firstBad, lastBad uint64 // 0 when no entry is damaged or missing
	termBefore        uint64 // of the entry before firstBad
	cause             error
}

func survey(tx *bbolt.Tx) (findings, error) {
	var f findings
	meta := tx.Bucket(bucketMeta)
	for _, name := range [][]byte{bucketStable, bucketMeta} {
		c := tx.Bucket(name).Cursor()
		for k, v := c.First(); k != nil; k, v = c.Next() {
			if _, err := unseal(k, v); err != nil {
				return f, fmt.Errorf("%s: %w", k, err)
			}
		}
	}
	var err error
	if sealed := meta.Get(keyTail); sealed != nil {
		value, _ := unseal(keyTail, sealed) // checked above
		if f.tail, err = decodeTail(value); err != nil {
			return f, err
		}
	}
	if sealed := meta.Get(keyDebt); sealed != nil {
		value, _ := unseal(keyDebt, sealed)
		if f.debt, err = decodePosition(value); err != nil {
			return f, err
		}
	}
	if k, _ := tx.Bucket(bucketLog).Cursor().Last(); k != nil && bytes.Compare(k, indexKey(f.tail.last)) > 0 {
		return f, errors.New("the log goes on after its end")
	}
	if f.tail.last == 0 {
		return f, nil
	}
	for index := f.tail.first; index <= f.tail.last; index++ {
		var l raft.Log
		if err := getLog(tx, index, &l); err != nil {
			if f.firstBad == 0 {
				f.firstBad, f.cause = index, err
			}
			f.lastBad = index
		} else if f.firstBad == 0 {
			f.termBefore = l.Term
		}
	}
	return f, nil
}
