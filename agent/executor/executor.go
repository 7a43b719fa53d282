package executor

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/resources"

	"golang.org/x/sys/unix"
)

// Config is what an Executor needs. Node, Incarnation, Boot, Registry and Dir are required.
type Config struct {
	Node        string // name
	ID          string
	Incarnation string // new at each start of the daemon
	Boot        string // new at each boot of the machine
	Registry    *resources.Registry
	Dir         string // holds the journal
	Logger      *slog.Logger
	// Fence runs a device against a target and returns nil once the device confirmed it. Without it fence orders fail.
	Fence func(ctx context.Context, o fencing.Order) error
	// Suicide ends the node (watchdog, immediate reboot): no-quorum-policy suicide. Without it everything is stopped instead.
	Suicide func(reason string)
	// StopFailed is told when the node is cut off and something could not be stopped in time: whoever feeds a watchdog
	// stops doing so. It may be called more than once.
	StopFailed func(reason string)
	// Watchdog resets this machine once it is not fed any more; nil if there is none.
	Watchdog Watchdog
	// PillWait is the message wait after which a poison pill for this node counts as taken, 0 while none reaches it; nil if none
	// ever does.
	PillWait func() time.Duration
	// Rand draws the phase of recurring monitors; nil means a source seeded by node and incarnation.
	Rand *rand.Rand
	// Parallel bounds operations at once; 0 means ParallelDefault.
	Parallel int
	// Uptime is the time since the machine's boot; nil means the kernel's.
	Uptime func() time.Duration

	openFile func(path string) (journalFile, error) // nil: the disk
}

// Executor carries out orders on one node. Make one with New; its methods may be called by any goroutine.
type Executor struct {
	cfg       Config
	log       *slog.Logger
	j         *journal
	started   time.Time
	uptime    time.Duration   // at started
	slept     time.Duration   // suspendTime at started
	ctx       context.Context // ends operations in flight
	cancel    context.CancelFunc
	wg        sync.WaitGroup
	kick      chan struct{} // capacity 1: the lease's next tick may be earlier
	admission chan struct{} // capacity 1: held while a session is admitted
	probed    chan struct{} // closed when all that New wanted to know was asked

	mu         sync.Mutex // never held across the disk, the network or an agent
	closing    bool
	quiescing  bool // no ordered operation begins any more
	lease      *leaseCore
	term       uint64 // the highest seen
	session    *nodeSession
	resources  map[string]*resource
	starved    []*resource // that wait for a slot
	busy       int         // ordered operations that run, stops left out
	monitoring int         // recurring monitors and probes that run
	fencings   int
	fenceOut   []fencing.Result // not yet sent
	seen       map[transition.Numbers]bool
	seenBefore map[transition.Numbers]bool
	probesLeft int
	stopAlone  context.CancelFunc // ends acting alone; nil while the node does not
	guarded    bool               // the watchdog is armed
	announced  time.Duration      // Welcome.PillWait of the session
	cutOffWas  string             // why it acted alone since the last Welcome
}

// New opens the journal and, where it says that this machine has run since, asks every resource that it says to be active
// how it is. It touches nothing.
func New(cfg Config) (*Executor, error) {
	if cfg.Node == "" || cfg.Incarnation == "" || cfg.Boot == "" || cfg.Registry == nil || cfg.Dir == "" {
		return nil, errors.New("start executor: node, incarnation, boot, registry and data folder are needed")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = ParallelDefault
	}
	if cfg.Uptime == nil {
		cfg.Uptime = kernelUptime
	}
	if cfg.Rand == nil {
		h := fnv.New64a()
		fmt.Fprint(h, cfg.Node, "/", cfg.Incarnation)
		cfg.Rand = rand.New(rand.NewPCG(h.Sum64(), 1))
	}
	e := &Executor{
		cfg: cfg, log: cfg.Logger,
		started: time.Now(), uptime: cfg.Uptime(), slept: suspendTime(),
		kick: make(chan struct{}, 1), admission: make(chan struct{}, 1), probed: make(chan struct{}),
		resources: map[string]*resource{}, seen: map[transition.Numbers]bool{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	var err error
	if e.j, err = openJournal(cfg.Dir, cfg.Logger, cfg.openFile, e.fill); err != nil {
		e.cancel()
		return nil, fmt.Errorf("start executor: %w", err)
	}
	if err := e.recover(); err != nil {
		e.cancel()
		e.j.close()
		return nil, fmt.Errorf("start executor: %w", err)
	}
	e.wg.Go(e.leaseLoop)
	return e, nil
}

func kernelUptime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return 0
	}
	return time.Duration(t.Nano())
}

// suspendTime is how long the machine has been suspended since its boot: Go's clock does not count that.
func suspendTime() time.Duration {
	var boot, mono unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot) != nil || unix.ClockGettime(unix.CLOCK_MONOTONIC, &mono) != nil {
		return 0
	}
	return time.Duration(boot.Nano() - mono.Nano())
}

// now is the time for the lease: a suspended machine was paused as much as a stopped process.
func (e *Executor) now() time.Time {
	return time.Now().Add((suspendTime() - e.slept).Round(100 * time.Millisecond))
}

// mono is the time since the machine's boot in milliseconds.
func (e *Executor) mono(t time.Time) int64 { return (e.uptime + t.Sub(e.started)).Milliseconds() }

// Clock returns the present moment by the wall clock and by the one that journals count by, since the machine's boot.
func (e *Executor) Clock() (wall time.Time, mono time.Duration) {
	now := time.Now()
	return now, time.Duration(e.mono(now)) * time.Millisecond
}

func (e *Executor) fill(x *Entry) {
	now := time.Now()
	x.WallMS, x.MonoMS, x.PID = now.UnixMilli(), e.mono(now), os.Getpid()
	x.Node, x.Boot, x.Incarnation = e.cfg.Node, e.cfg.Boot, e.cfg.Incarnation
}

// recover takes over what the journal says.
func (e *Executor) recover() error {
	var s State
	e.j.view(func(x *State) { s = x.clone() })
	e.term = s.Term
	lease := s.NodeLease
	if s.Boot != e.cfg.Boot {
		lease = 0 // nothing that could be lost runs
		if s.Boot != "" {
			e.log.Info("the machine was off since this node last ran; nothing of then counts as active", "node", e.cfg.Node)
		}
		if err := e.j.append(Entry{Kind: KindBoot, Reason: "the boot before was " + s.Boot}, true, journalWait); err != nil {
			return err
		}
		s.Active, s.Recurring, s.Open = nil, nil, nil
	} else {
		e.j.skipCalls(callsSkipped)
	}
	e.lease = newLeaseCore(e.now(), lease, s.Policy)
	if err := e.j.append(Entry{Kind: KindDaemonStart}, true, journalWait); err != nil {
		return err
	}
	for _, o := range s.Open {
		e.j.note(Entry{Kind: KindEnd, CallID: o.CallID, Resource: o.Action.Resource, Operation: o.Action.Operation,
			IntervalMS: o.Action.IntervalMS, BeganMS: o.BeganMS, Reason: "the daemon ended while it ran; how it ended is not known"})
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range s.Recurring {
		m := e.monitor(e.resource(r.Action.Resource), r.Action, r.Numbers)
		m.reported, m.rc, m.status = true, r.RC, r.Status
		m.first, m.due = true, true
		e.probesLeft++
	}
	for _, a := range s.Active {
		r := e.resource(a.Resource)
		if a.Role != RoleUnsure {
			e.onEvents(r, a.Action, transition.Numbers{}, a.Role)
		}
		if !r.watched() {
			e.probesLeft++
			e.enqueue(r, &job{kind: jobProbe, action: probeOf(a), role: a.Role})
		}
	}
	for _, name := range e.names() {
		e.tendWatch(e.resources[name])
		e.pump(e.resources[name])
	}
	if e.probesLeft == 0 {
		close(e.probed)
	}
	return nil
}

func probeOf(a Active) *transition.Action {
	p := *a.Action
	p.Operation, p.IntervalMS, p.StartDelayMS, p.TargetRC = resources.Monitor, 0, 0, int(resources.OK)
	p.Notify, p.NotifyLists = "", nil
	if a.Role == RolePromoted {
		p.TargetRC = int(resources.RunningPromoted)
	}
	p.TimeoutMS = probeTimeout.Milliseconds()
	return &p
}

func (e *Executor) wasProbed() {
	if e.probesLeft--; e.probesLeft == 0 {
		close(e.probed)
	}
}

func (e *Executor) names() []string {
	var out []string
	for name := range e.resources {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// Close ends sessions, monitors and watchers, waits for operations in flight until ctx ends, then ends those, and closes
// the journal. Resources keep running. An operation that it had to end has no result: the next daemon finds out by a
// monitor. The error says that an agent could not be ended.
func (e *Executor) Close(ctx context.Context) error {
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		return errors.New("close executor: it is closed")
	}
	e.closing = true
	if e.session != nil {
		e.session.end("the daemon ends")
		e.session = nil
	}
	if e.stopAlone != nil {
		e.stopAlone()
	}
	var waits []*job
	for _, name := range e.names() {
		r := e.resources[name]
		for key := range r.monitors {
			e.dropMonitor(r, key)
		}
		e.tendWatch(r)
		e.void(r, "the daemon ends")
		if r.running != nil {
			if r.running.kind == jobRecurring || r.running.kind == jobProbe {
				r.running.cancel()
			}
			waits = append(waits, r.running)
		}
	}
	e.mu.Unlock()
	for _, j := range waits {
		select {
		case <-j.done:
		case <-ctx.Done():
		}
	}
	e.cancel()
	all := make(chan struct{})
	go func() { e.wg.Wait(); close(all) }()
	t := time.NewTimer(2 * runnerGrace)
	defer t.Stop()
	var err error
	select {
	case <-all:
	case <-t.C:
		err = errors.New("close executor: an agent does not end")
	}
	e.j.note(Entry{Kind: KindDaemonStop})
	e.j.close()
	return err
}

// Quiesce begins no ordered operation any more, and waits until those that run have ended: then the daemon may end without
// cutting any short. Monitors go on. What waits is answered by Close. The error says that ctx ended first.
func (e *Executor) Quiesce(ctx context.Context) error {
	e.mu.Lock()
	e.quiescing = true
	var waits []*job
	for _, name := range e.names() {
		if j := e.resources[name].running; j != nil && j.kind == jobOrdered {
			waits = append(waits, j)
		}
	}
	e.mu.Unlock()
	for _, j := range waits {
		select {
		case <-j.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for %s of %s: %w", j.action.Operation, j.action.Resource, ctx.Err())
		}
	}
	return nil
}

// Inventory lists what may be active here, in the order in which it was started.
func (e *Executor) Inventory() []Item {
	var s State
	e.j.view(func(x *State) { s = x.clone() })
	e.mu.Lock()
	defer e.mu.Unlock()
	out := []Item{}
	for _, a := range s.Active {
		item := Item{Resource: a.Resource, Agent: a.Action.Agent, Role: a.Role, Unmanaged: a.Unmanaged,
			Digest: a.Action.Digest, RestartDigest: a.Action.RestartDigest}
		if r := e.resources[a.Resource]; r != nil {
			if r.last != nil {
				last := *r.last
				last.Output = ""
				item.Last = &last
			}
			for _, key := range r.keys() {
				m := r.monitors[key]
				if key.intervalMS == 0 {
					continue
				}
				item.Recurring = append(item.Recurring, RecurringItem{Operation: key.operation, IntervalMS: key.intervalMS,
					RC: m.rc, Status: m.status, Digest: m.action.Digest})
			}
		}
		out = append(out, item)
	}
	return out
}

// Status is the state of a node's tie to its coordinator, for people.
type Status struct {
	Term        uint64 // the highest seen
	Coordinator string // of the newest session
	Connected   bool
	Voteless    bool   // the coordinator of that session does not count this node among the voters
	CutOff      string // why the node acts for itself; empty if it does not
}

// Status tells how the node is tied to its coordinator.
func (e *Executor) Status() Status {
	var s Status
	e.j.view(func(x *State) { s.Coordinator = x.Coordinator })
	e.mu.Lock()
	defer e.mu.Unlock()
	s.Term, s.Connected, s.CutOff = e.term, e.session != nil, e.lease.acted
	s.Voteless = e.session != nil && e.session.hello.Voteless
	return s
}

// cancelled makes the result of an order whose agent never ran.
func (e *Executor) cancelled(j *job, why string) transition.Result {
	r := e.blank(j)
	r.RC, r.Status, r.ExitReason = int(resources.Unknown), cib.OpCancelled, why
	return r
}

// blank makes a result with all but its outcome.
func (e *Executor) blank(j *job) transition.Result {
	a := j.action
	node := a.Node
	if node == "" {
		node = e.cfg.Node
	}
	return transition.Result{
		Numbers: j.numbers, Node: node, Incarnation: e.cfg.Incarnation,
		Resource: a.Resource, Operation: a.Operation, IntervalMS: a.IntervalMS,
		CallID: j.call, StartedMS: time.Now().UnixMilli(), Unasked: j.kind != jobOrdered,
		Agent: a.Agent, Digest: a.Digest, RestartDigest: a.RestartDigest, TargetRC: a.TargetRC,
		MigrateSource: a.Meta["migrate_source"], MigrateTarget: a.Meta["migrate_target"],
	}
}
