package coordinator

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/quorum"
	"paceline/agent/transition"
	"paceline/fencing"
)

// Outside is what the Runner acts through. Methods may block until ctx ends.
type Outside interface {
	// Apply commits a change and returns the state that it led to.
	Apply(ctx context.Context, ch cib.Change) (Snapshot, error)
	// Dial opens a session to the executor of a node.
	Dial(ctx context.Context, node, addr string, term uint64) (Session, SessionUp, error)
	// ChangeVoters makes one change of the voter set and returns the set.
	ChangeVoters(ctx context.Context, step quorum.Step, addr string) ([]string, error)
	// Views returns the views of the membership, latest wins.
	Views(ctx context.Context) <-chan membership.View
	// Record keeps a Planned, Ended or Happened. It must not block.
	Record(e Effect)
}

// Session is a session to one executor.
type Session interface {
	Send(transition.Order) error
	SendFence(fencing.Order) error
	Ack(callID int64) error
	// Inform tells the node what the configuration wants of it when it is cut off.
	Inform(*cib.CIB) error
	// Events yields Reported, FenceReported and at last SessionDown; it is closed after that.
	Events() <-chan Event
	Close() error
}

const (
	// queueMax bounds the events that wait for the loop: producers then wait for it, and it never waits for them.
	queueMax = 1024
	// dialTimeout bounds the opening of a session: a TLS handshake and one exchange, with room for a slow node.
	dialTimeout = 2 * time.Second
	// votersTimeout bounds one change of the voter set, catching up included.
	votersTimeout = 30 * time.Second
	// votersPause spaces attempts after a change failed.
	votersPause = time.Second
	// refusedPause spaces commits after one was refused: the core plans again at once, and while leadership is handed over, or a disk is full,
	// it would be refused thousands of times a second.
	refusedPause = 50 * time.Millisecond
	// batchMax bounds how many commits are written as one log entry.
	batchMax = 64
)

// Runner carries a Core's effects out while this node leads: the only goroutines of the coordinator are its own.
type Runner struct {
	core    *Core
	out     Outside
	log     *slog.Logger
	changed func() // called after each step; must not block

	in      chan Event
	inspect chan func(*Core)
	wg      sync.WaitGroup

	mu       sync.Mutex
	sessions map[string]*liveSession
	queue    []Commit
	kick     chan struct{} // capacity 1: the queue is not empty
}

type liveSession struct {
	Session
	node string
}

// NewRunner returns a Runner for one term.
func NewRunner(cfg Config, out Outside, log *slog.Logger, changed func()) *Runner {
	return &Runner{
		core: NewCore(cfg), out: out, log: log, changed: changed,
		in: make(chan Event, queueMax), inspect: make(chan func(*Core)),
		sessions: map[string]*liveSession{}, kick: make(chan struct{}, 1),
	}
}

// Post hands an event to the loop. It reports false if ctx ended first.
func (r *Runner) Post(ctx context.Context, ev Event) bool {
	select {
	case r.in <- ev:
		return true
	case <-ctx.Done():
		return false
	}
}

// Progress asks the loop what it is doing.
func (r *Runner) Progress(ctx context.Context) (Progress, error) {
	got := make(chan Progress, 1)
	select {
	case r.inspect <- func(c *Core) { got <- c.Progress() }:
		return <-got, nil
	case <-ctx.Done():
		return Progress{}, ctx.Err()
	}
}

// Run leads until ctx ends. It returns when every goroutine it started has ended.
func (r *Runner) Run(ctx context.Context, first Elected) {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		r.closeSessions()
		r.wg.Wait()
	}()
	r.wg.Go(func() { r.commitLoop(ctx) })
	r.wg.Go(func() {
		for v := range r.out.Views(ctx) {
			r.Post(ctx, Viewed{View: v})
		}
	})
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	r.step(ctx, timer, first)
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-r.in:
			r.step(ctx, timer, ev)
		case f := <-r.inspect:
			f(r.core)
		case <-timer.C:
			r.step(ctx, timer, Tick{})
		}
	}
}

func (r *Runner) step(ctx context.Context, timer *time.Timer, ev Event) {
	now := time.Now()
	for _, e := range r.core.Step(now, ev) {
		switch e := e.(type) {
		case Commit:
			r.mu.Lock()
			r.queue = append(r.queue, e)
			r.mu.Unlock()
			select {
			case r.kick <- struct{}{}:
			default:
			}
		case Send:
			r.with(ctx, e.Node, func(s Session) error { return s.Send(e.Order) })
		case SendFence:
			r.with(ctx, e.Node, func(s Session) error { return s.SendFence(e.Order) })
		case Ack:
			r.with(ctx, e.Node, func(s Session) error { return s.Ack(e.CallID) })
		case OpenSession:
			r.wg.Go(func() { r.open(ctx, e) })
		case CloseSession:
			r.drop(e.Node, nil)
		case Inform:
			for _, node := range r.nodes() {
				r.with(ctx, node, func(s Session) error { return s.Inform(e.CIB) })
			}
		case ChangeVoters:
			r.wg.Go(func() { r.changeVoters(ctx, e) })
		case Wake:
			timer.Reset(wait(now, e.At))
		case Planned, Ended, Happened:
			r.out.Record(e)
		case Say:
			e.Log(ctx, r.log)
		}
	}
	r.changed()
}

// wait returns how long to wait until at; an hour where nothing is to be waited for.
func wait(now, at time.Time) time.Duration {
	if at.IsZero() {
		return time.Hour
	}
	return max(at.Sub(now), time.Millisecond)
}

// Log writes what is to be said as one line of the log. A level that has no name counts as info.
func (s Say) Log(ctx context.Context, log *slog.Logger) {
	var level slog.Level
	if level.UnmarshalText([]byte(s.Level)) != nil {
		level = slog.LevelInfo
	}
	log.Log(ctx, level, s.Text, s.Attrs...)
}

// with does something with a node's session. Sending must not hold up the loop: sessions queue by themselves; one that
// refuses is lost, and the core learns it.
func (r *Runner) with(ctx context.Context, node string, do func(Session) error) {
	r.mu.Lock()
	s := r.sessions[node]
	r.mu.Unlock()
	why := "there is none"
	if s != nil {
		err := do(s)
		if err == nil {
			return
		}
		why = err.Error()
		r.drop(node, s)
	}
	r.wg.Go(func() { r.Post(ctx, SessionDown{Node: node, Why: why}) })
}

func (r *Runner) open(ctx context.Context, e OpenSession) {
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	s, up, err := r.out.Dial(dialCtx, e.Node, e.Addr, r.core.term)
	if err != nil {
		r.Post(ctx, SessionDown{Node: e.Node, Why: err.Error()})
		return
	}
	live := &liveSession{Session: s, node: e.Node}
	r.mu.Lock()
	if ctx.Err() != nil {
		r.mu.Unlock()
		s.Close()
		for range s.Events() { // whoever fills it waits for its reader
		}
		return
	}
	old := r.sessions[e.Node]
	r.sessions[e.Node] = live
	r.mu.Unlock()
	if old != nil {
		old.Close()
	}
	r.Post(ctx, up)
	for ev := range s.Events() {
		if down, ok := ev.(SessionDown); ok {
			if r.drop(e.Node, live) {
				r.Post(ctx, down)
			}
			break
		}
		// What an older session still holds is not told: the node says again, in the session that follows, what was not
		// acknowledged. So no result of an earlier boot is taken for one of the boot that has joined since.
		if r.current(e.Node, live) {
			r.Post(ctx, ev)
		}
	}
	s.Close()
}

func (r *Runner) current(node string, s *liveSession) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sessions[node] == s
}

// drop forgets a session and closes it. With s given it does so only if s is still the node's session.
func (r *Runner) drop(node string, s *liveSession) bool {
	r.mu.Lock()
	cur := r.sessions[node]
	if cur == nil || s != nil && cur != s {
		r.mu.Unlock()
		return false
	}
	delete(r.sessions, node)
	r.mu.Unlock()
	r.wg.Go(func() { cur.Close() }) // it waits for its own goroutines: not in the loop
	return true
}

func (r *Runner) nodes() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return sortedKeys(r.sessions)
}

func (r *Runner) closeSessions() {
	r.mu.Lock()
	all := r.sessions
	r.sessions = map[string]*liveSession{}
	r.mu.Unlock()
	for _, s := range all {
		s.Close()
	}
}

func (r *Runner) changeVoters(ctx context.Context, e ChangeVoters) {
	c, cancel := context.WithTimeout(ctx, votersTimeout)
	defer cancel()
	ids, err := r.out.ChangeVoters(c, e.Step, e.Addr)
	if err != nil {
		select { // the core asks again at once
		case <-time.After(votersPause):
		case <-ctx.Done():
			return
		}
	}
	r.Post(ctx, VotersAre{IDs: ids, Err: err})
}

// commitLoop writes commits in their order. Those that wait together go into one log entry; if that is refused each goes
// by itself, so that one bad change spoils no other.
func (r *Runner) commitLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.kick:
		}
		for {
			batch := r.take()
			if len(batch) == 0 {
				break
			}
			r.commitAll(ctx, batch)
		}
	}
}

func (r *Runner) take() []Commit {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.queue), batchMax)
	batch := r.queue[:n:n]
	r.queue = r.queue[n:]
	return batch
}

func (r *Runner) commitAll(ctx context.Context, batch []Commit) {
	if len(batch) > 1 {
		var all cib.Change
		for _, c := range batch {
			all.Batch = append(all.Batch, c.Change)
		}
		if snap, err := r.out.Apply(ctx, all); err == nil {
			for _, c := range batch {
				r.Post(ctx, Committed{Seq: c.Seq, Snapshot: snap})
			}
			return
		}
	}
	refused := false
	for _, c := range batch {
		snap, err := r.out.Apply(ctx, c.Change)
		refused = refused || err != nil
		r.Post(ctx, Committed{Seq: c.Seq, Snapshot: snap, Err: err})
	}
	if refused {
		select {
		case <-time.After(refusedPause):
		case <-ctx.Done():
		}
	}
}
