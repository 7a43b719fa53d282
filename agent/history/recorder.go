package history

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"paceline/agent/transition"
)

// Recorder keeps the history of this node's terms as coordinator in a folder. Its methods may be called concurrently.
type Recorder struct {
	dir       string
	version   string
	log       *slog.Logger
	inputsMax int
	bytesMax  int64

	queue   chan item
	lost    atomic.Int64 // what found the queue full
	stop    chan struct{}
	done    chan struct{}
	closing sync.Once
	mu      sync.Mutex // of kept and broken
	kept    []kept
	broken  error // the last thing that could not be written; nil if the last one could
}

// item is one thing to write; flushed is closed when all before it is written.
type item struct {
	event   *Event
	input   *Input
	graph   *transition.Graph
	flushed chan struct{}
}

// Open opens, or makes, the folder and starts the writer. version is that of this paceline.
func Open(dir, version string, log *slog.Logger) (*Recorder, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	all, err := list(dir)
	if err != nil {
		return nil, fmt.Errorf("open the history: %w", err)
	}
	r := &Recorder{
		dir: dir, version: version, log: log, inputsMax: InputsMax, bytesMax: InputsBytesMax,
		queue: make(chan item, queueMax), stop: make(chan struct{}), done: make(chan struct{}), kept: all,
	}
	go r.write()
	return r, nil
}

// Note keeps an event. It never waits.
func (r *Recorder) Note(e Event) { r.put(item{event: &e}) }

// Keep keeps the input of a transition, whose graph it computes the digest of. It never waits; neither the CIB nor the
// graph may change afterwards.
func (r *Recorder) Keep(in Input, g *transition.Graph) {
	in.Format, in.Version = format, r.version
	r.put(item{input: &in, graph: g})
}

func (r *Recorder) put(i item) {
	select {
	case r.queue <- i:
	default:
		r.lost.Add(1)
	}
}

// Flush returns when everything that was kept before is written.
func (r *Recorder) Flush() {
	i := item{flushed: make(chan struct{})}
	select {
	case r.queue <- i:
		select {
		case <-i.flushed:
		case <-r.done:
		}
	case <-r.done:
	}
}

// Close writes what waits and ends the writer. What comes afterwards is not kept.
func (r *Recorder) Close() {
	r.closing.Do(func() { close(r.stop) })
	<-r.done
}

// Kept lists the transitions whose inputs are kept here, oldest first.
func (r *Recorder) Kept() []ID {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]ID, len(r.kept))
	for i, k := range r.kept {
		out[i] = k.id
	}
	return out
}

// Problem says why the history is not kept at present; nil if it is.
func (r *Recorder) Problem() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.broken
}

// write is the writer: what comes is written at once, and brought to the disk when nothing has come for a while.
func (r *Recorder) write() {
	defer close(r.done)
	unsynced := map[string]bool{}
	var quiet <-chan time.Time
	for {
		select {
		case i := <-r.queue:
			r.writeItem(i, unsynced)
			if quiet == nil {
				quiet = time.After(SyncPause)
			}
		case <-r.stop:
			for len(r.queue) > 0 {
				r.writeItem(<-r.queue, unsynced)
			}
			r.sync(unsynced)
			return
		case <-quiet:
			quiet = nil
			r.sync(unsynced)
		}
	}
}

func (r *Recorder) writeItem(i item, unsynced map[string]bool) {
	if i.flushed != nil {
		close(i.flushed)
		return
	}
	var events []Event
	if n := r.lost.Swap(0); n > 0 {
		events = append(events, Event{Time: time.Now(), Kind: Lost, Text: fmt.Sprintf("%d entries before this one were not kept: they came faster than the disk takes them", n)})
	}
	var err error
	if i.event != nil {
		events = append(events, *i.event)
	}
	if i.input != nil {
		if err = r.writeOne(*i.input, i.graph); err == nil {
			unsynced[r.inputPath(i.input.ID)] = true
		}
	}
	if len(events) > 0 {
		if werr := r.appendEvents(events); werr != nil {
			err = werr
		}
		unsynced[r.timelinePath()] = true
	}
	r.mu.Lock()
	first := r.broken == nil && err != nil
	r.broken = err
	r.mu.Unlock()
	if first {
		r.log.Warn("the history cannot be kept", "err", err)
	}
}

func (r *Recorder) writeOne(in Input, g *transition.Graph) error {
	var err error
	if in.Digest, err = Digest(g); err != nil {
		return err
	}
	size, err := r.writeInput(in)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.kept = r.trim(append(r.kept, kept{in.ID, size}))
	return nil
}

// sync brings files, and the folder that names them, to the disk.
func (r *Recorder) sync(unsynced map[string]bool) {
	if len(unsynced) == 0 {
		return
	}
	for _, path := range append(names(unsynced), filepath.Clean(r.dir)) {
		f, err := os.Open(path)
		if err != nil {
			continue // trimmed meanwhile
		}
		if err := f.Sync(); err != nil {
			r.log.Warn("the history was not brought to the disk", "err", err)
		}
		f.Close()
	}
	clear(unsynced)
}

func names(m map[string]bool) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	return out
}
