package executor

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"paceline/agent/transition"

	"golang.org/x/sys/unix"
)

// JournalName is the journal's file name in the data folder; rotated files have .1 (newest) and so on after it.
const JournalName = "journal.jsonl"

// journalFile is the part of a file that the journal needs; tests put disks that fail in its place.
type journalFile interface {
	Write([]byte) (int, error)
	Datasync() error
	Truncate(size int64) error
	Close() error
}

type diskFile struct{ *os.File }

func (f diskFile) Datasync() error { return unix.Fdatasync(int(f.Fd())) }

// journal appends lines to the truth journal and keeps the State that they add up to. One goroutine writes: lines that
// arrive while the disk is busy are written and synced together: a change costs one sync of the disk (0.2 to 0.4 ms on a
// virtual one), sixteen at once a tenth of that each (BenchmarkBegin).
type journal struct {
	path string
	log  *slog.Logger
	open func(path string) (journalFile, error) // for appending
	fill func(*Entry)                           // sets node, times, pid

	syncDir func(path string) error // but in tests, that of the package

	mu    sync.Mutex // never held across the disk
	state State
	seq   int64

	forced atomic.Bool // the state knows lines that the file has not: as dirty
	reqs   chan *appendRequest
	quit   chan struct{}
	done   chan struct{}

	// Of the writing goroutine alone:
	file     journalFile
	size     int64
	head     int64 // size of its checkpoint
	dirty    bool  // the file does not tell all: nothing more is written to it before it has been rotated
	unsynced bool
	maxBytes int64
}

type appendRequest struct {
	entry Entry
	sync  bool
	line  []byte
	reply chan error // capacity 1; nil if nobody waits
}

var errJournalClosed = errors.New("the journal is closed")

// openJournal reads what is there, cuts a torn tail off, and starts writing behind it.
func openJournal(dir string, log *slog.Logger, open func(string) (journalFile, error), fill func(*Entry)) (*journal, error) {
	if open == nil {
		open = openDisk
	}
	j := &journal{
		path: filepath.Join(dir, JournalName), log: log, open: open, fill: fill, syncDir: syncDir,
		reqs: make(chan *appendRequest, journalQueue), quit: make(chan struct{}), done: make(chan struct{}),
		maxBytes: RotateBytes,
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	entries, good, err := readJournal(j.path)
	var damage *DamageError
	switch {
	case errors.As(err, &damage):
		log.Error("the journal is damaged; what its other lines say is kept", "path", j.path, "cause", err)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.state = Fold(entries)
	j.seq = j.state.Seq
	if j.file, err = open(j.path); err != nil {
		return nil, fmt.Errorf("open journal: %w", err)
	}
	if st, err := os.Stat(j.path); err == nil && st.Size() > good {
		log.Warn("the journal ends in a torn line, as after a crash; it was cut", "path", j.path, "bytes", st.Size()-good)
		if err := j.file.Truncate(good); err != nil {
			j.file.Close()
			return nil, fmt.Errorf("open journal: cut the torn line: %w", err)
		}
	}
	if err := syncDir(dir); err != nil { // or a power cut takes a new file away, and the highest term with it
		j.file.Close()
		return nil, fmt.Errorf("open journal: %w", err)
	}
	j.size = good
	go j.write()
	return j, nil
}

func openDisk(path string) (journalFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, err
	}
	return diskFile{f}, nil
}

// view calls f with the state, which f must neither change nor keep.
func (j *journal) view(f func(*State)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	f(&j.state)
}

// skipCalls leaves numbers out: those that a journal without room for them may have given out and not kept.
func (j *journal) skipCalls(n int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.CallID += n
}

// nextCall returns a call number that was never given out.
func (j *journal) nextCall() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.state.CallID++
	return j.state.CallID
}

// append writes the line, and with sync waits until the disk has it. After an error the line counts as not written,
// and the state does not know it.
func (j *journal) append(e Entry, sync bool, wait time.Duration) error {
	req, err := j.request(e, sync)
	if err != nil {
		return err
	}
	req.reply = make(chan error, 1)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case j.reqs <- req:
	case <-j.done:
		return errJournalClosed
	case <-timer.C:
		return fmt.Errorf("the journal's disk did not take a line for %v", wait)
	}
	select {
	case err := <-req.reply:
		return err
	case <-j.done:
		select {
		case err := <-req.reply:
			return err
		default:
			return errJournalClosed
		}
	case <-timer.C:
		return fmt.Errorf("the journal's disk did not answer for %v", wait)
	}
}

// note writes the line when there is time; it is known to the state at once.
func (j *journal) note(e Entry) {
	req, err := j.request(e, false)
	if err != nil {
		j.log.Error("a journal line could not be made", "cause", err)
		return
	}
	j.mu.Lock()
	j.state.Apply(req.entry)
	j.mu.Unlock()
	select {
	case j.reqs <- req:
	default:
		j.forced.Store(true)
		j.log.Error("the journal's disk is too slow; a line was left out", "kind", string(e.Kind))
	}
}

// force makes the state know the line although the file does not have it. The next file will.
func (j *journal) force(e Entry) {
	j.fill(&e)
	j.mu.Lock()
	j.seq++
	e.Seq = j.seq
	j.state.Apply(e)
	j.mu.Unlock()
	j.forced.Store(true)
}

func (j *journal) request(e Entry, sync bool) (*appendRequest, error) {
	j.fill(&e)
	j.mu.Lock()
	j.seq++
	e.Seq = j.seq
	j.mu.Unlock()
	line, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode journal line: %w", err)
	}
	if len(line) >= LineMax {
		return nil, fmt.Errorf("encode journal line: %d bytes are more than the %d allowed", len(line), LineMax)
	}
	return &appendRequest{entry: e, sync: sync, line: append(line, '\n')}, nil
}

// close writes what waits, syncs and closes.
func (j *journal) close() {
	close(j.quit)
	<-j.done
}

func (j *journal) write() {
	defer close(j.done)
	idle := time.NewTimer(time.Hour)
	idle.Stop()
	defer idle.Stop()
	for {
		select {
		case r := <-j.reqs:
			j.batch(r)
			if j.unsynced {
				idle.Reset(syncIdle)
			}
		case <-idle.C:
			j.sync()
		case <-j.quit:
			for {
				select {
				case r := <-j.reqs:
					j.batch(r)
					continue
				default:
				}
				break
			}
			j.sync()
			j.file.Close()
			return
		}
	}
}

// batch writes r and what waits behind it.
func (j *journal) batch(r *appendRequest) {
	batch := []*appendRequest{r}
	for len(batch) < journalBatch {
		select {
		case n := <-j.reqs:
			batch = append(batch, n)
			continue
		default:
		}
		break
	}
	var buf bytes.Buffer
	for _, r := range batch {
		buf.Write(r.line)
	}
	err := j.put(buf.Bytes())
	if err == nil {
		j.finish(batch, nil, false)
		for _, r := range batch {
			if r != nil && r.sync {
				err = j.sync()
				break
			}
		}
	}
	j.finish(batch, err, true)
}

// finish answers the requests that want no sync, or all that are left.
func (j *journal) finish(batch []*appendRequest, err error, all bool) {
	for i, r := range batch {
		if r == nil || !all && r.sync {
			continue
		}
		batch[i] = nil
		if r.reply == nil {
			continue // of note: applied already
		}
		if err == nil {
			j.mu.Lock()
			j.state.Apply(r.entry)
			j.mu.Unlock()
		}
		r.reply <- err
	}
}

// put writes lines. After an error the file ends in half a line: a new one follows.
func (j *journal) put(p []byte) error {
	j.dirty = j.forced.Swap(false) || j.dirty
	if j.dirty || j.size+int64(len(p)) > max(j.maxBytes, 4*j.head) {
		if err := j.rotate(); err != nil {
			if j.dirty {
				return fmt.Errorf("write journal: %w", err)
			}
			j.log.Error("the journal could not be rotated; it grows", "cause", err)
		}
	}
	n, err := j.file.Write(p)
	j.size += int64(n)
	j.unsynced = true
	if err != nil {
		j.dirty = true // it ends in half a line
		return fmt.Errorf("write journal: %w", err)
	}
	return nil
}

// sync brings the file to the disk. After a failure nobody knows which pages the disk has, and the kernel counts them as
// clean: so the next line goes into a new file that tells everything again.
func (j *journal) sync() error {
	if !j.unsynced {
		return nil
	}
	j.unsynced = false
	if err := j.file.Datasync(); err != nil {
		j.dirty = true
		return fmt.Errorf("sync journal: %w", err)
	}
	return nil
}

// rotate starts a new file with a checkpoint at its head. The old one is kept as .1; there is always a whole one of the
// name.
func (j *journal) rotate() error {
	head := Entry{Kind: KindCheckpoint}
	j.fill(&head)
	j.mu.Lock()
	state := j.state.clone()
	head.Seq = state.Seq
	j.mu.Unlock()
	head.State = &state
	line, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("rotate journal: %w", err)
	}
	if len(line) >= journalLineMax {
		return fmt.Errorf("rotate journal: what it must tell takes %d bytes, more than the %d allowed", len(line), journalLineMax)
	}
	fresh := j.path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("rotate journal: %w", err)
	}
	f, err := j.open(fresh)
	if err != nil {
		return fmt.Errorf("rotate journal: %w", err)
	}
	n, err := f.Write(append(line, '\n'))
	if err == nil {
		err = f.Datasync()
	}
	if err == nil {
		if err = j.replace(fresh); err != nil {
			j.dirty = true // the name may lead to the new file already: nothing may go into the old one alone
		}
	}
	if err != nil {
		f.Close()
		os.Remove(fresh)
		return fmt.Errorf("rotate journal: %w", err)
	}
	if j.unsynced {
		j.file.Datasync() // the old file is for people and checkers; the new one tells all that counts
	}
	j.file.Close()
	j.file, j.size, j.head, j.dirty, j.unsynced = f, int64(n), int64(n), false, false
	return nil
}

func (j *journal) replace(fresh string) error {
	name := func(i int) string { return j.path + "." + strconv.Itoa(i) }
	for i := JournalsKept - 1; i >= 1; i-- {
		if err := os.Rename(name(i), name(i+1)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if err := os.Link(j.path, name(1)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, j.path); err != nil {
		return err
	}
	return j.syncDir(filepath.Dir(j.path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// unacked returns the results that sent does not have, in order.
func (j *journal) unacked(sent map[int64]bool) []transition.Result {
	j.mu.Lock()
	defer j.mu.Unlock()
	var out []transition.Result
	for _, r := range j.state.Unacked {
		if !sent[r.CallID] {
			out = append(out, r)
		}
	}
	return out
}
