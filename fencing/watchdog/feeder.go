package watchdog

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Proof shows that some part of the software still works. It is asked in every round, and blocks when that part does: the
// timer is not fed before it has returned nil.
type Proof struct {
	Name string
	Of   func() error
}

// Config of a Feeder. Open and Times.Timeout are required.
type Config struct {
	// Open opens the timer when it is armed; see the function Open.
	Open   func() (Timer, error)
	Times  Times
	Proofs []Proof
	// Now is the time that holds are counted in; nil means time.Now. It should count the time that the machine was
	// suspended, too.
	Now    func() time.Time
	Logger *slog.Logger
}

// Feeder feeds a timer from the moment it is armed. Its methods may be called by any goroutine, but not from a Proof.
type Feeder struct {
	cfg  Config
	stop chan struct{}
	done sync.WaitGroup

	arming sync.Mutex // held while the timer is opened
	mu     sync.Mutex // never held across a proof or the timer
	guard  Guard
	timer  Timer // nil until armed
	closed bool
	said   bool   // that feeding ended
	late   string // what the last round failed for; empty if it did not
}

// NewFeeder returns a feeder that does nothing until it is armed.
func NewFeeder(c Config) *Feeder {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return &Feeder{cfg: c, stop: make(chan struct{})}
}

// Times returns what the presumed-dead time derives from.
func (f *Feeder) Times() Times { return f.cfg.Times }

// Arm opens the timer and begins to feed it. Armed once, it does nothing. Without success nothing is fed, and it may be
// tried again.
func (f *Feeder) Arm() error {
	f.arming.Lock()
	defer f.arming.Unlock()
	if armed, err := f.mayArm(); armed || err != nil {
		return err
	}
	t, err := f.cfg.Open()
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return errors.Join(errEnds, t.Close(true)) // nothing relied on it yet
	}
	f.timer = t
	f.cfg.Logger.Info("the watchdog is armed", "timeout", t.Timeout(), "presumed_dead", f.cfg.Times.PresumedDead())
	f.done.Go(func() { f.run(t) })
	return nil
}

var errEnds = errors.New("arm the watchdog: the daemon ends")

// mayArm says whether the timer is armed already, or why it must not be.
func (f *Feeder) mayArm() (armed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	may, why := f.guard.MayFeed(f.cfg.Now())
	switch {
	case f.timer != nil:
		return true, nil
	case f.closed:
		return false, errEnds
	case !may:
		return false, errors.New("arm the watchdog: this node is to end: " + why)
	}
	return false, nil
}

// run feeds until the end, as often as the timer wants that counts to less than it was told.
func (f *Feeder) run(t Timer) {
	tick := time.NewTicker(min(f.cfg.Times.Timeout, t.Timeout()) / roundsPerTimeout)
	defer tick.Stop()
	for {
		select {
		case <-f.stop:
			return
		case <-tick.C:
		}
		f.round(t)
	}
}

// round feeds the timer once, if all is well.
func (f *Feeder) round(t Timer) {
	late := ""
	for _, p := range f.cfg.Proofs {
		if err := p.Of(); err != nil {
			late = fmt.Sprintf("%s: %v", p.Name, err)
			break
		}
	}
	f.mu.Lock()
	may, why := f.guard.MayFeed(f.cfg.Now())
	first := !may && !f.said
	f.said = f.said || first
	change := f.late != late
	f.late = late
	f.mu.Unlock()
	switch {
	case first:
		f.cfg.Logger.Error("the watchdog is fed no more: this machine is reset", "within", t.Timeout(), "cause", why)
		if err := t.Reset(why); err != nil {
			f.cfg.Logger.Warn("the machine could not be reset at once: the watchdog does it", "err", err)
		}
	case may && late != "":
		if change {
			f.cfg.Logger.Error("the watchdog is not fed: a proof of progress is missing", "cause", late)
		}
	case may:
		if err := t.Feed(); err != nil {
			f.cfg.Logger.Error("the watchdog could not be fed", "err", err)
		}
	}
}

// Hold lets the timer be fed for that long only; see Guard.
func (f *Feeder) Hold(length time.Duration, binding bool, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.guard.Hold(f.cfg.Now().Add(length), binding, why)
}

// Release ends a hold; see Guard.
func (f *Feeder) Release() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.guard.Release(f.cfg.Now())
}

// Doom ends the feeding for good, and leaves the machine to the timer.
func (f *Feeder) Doom(why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.guard.Condemn(why)
	f.said = true
}

// Condemn ends the feeding for good and, where the timer can, the machine at once. Without an armed timer nothing but the
// feeding ends: the error then says that this machine goes on.
func (f *Feeder) Condemn(why string) error { return f.finish(why, Timer.Reset) }

// PowerOff is Condemn, but leaves the machine without power where the timer can do that.
func (f *Feeder) PowerOff(why string) error { return f.finish(why, Timer.Off) }

func (f *Feeder) finish(why string, end func(Timer, string) error) error {
	f.mu.Lock()
	f.guard.Condemn(why)
	t := f.timer
	f.mu.Unlock()
	if t == nil {
		return errors.New("end this node: its watchdog is not armed")
	}
	f.cfg.Logger.Error("this node ends itself", "cause", why)
	return end(t, why)
}

// State is how the watchdog stands, for people.
type State struct {
	Armed     bool
	Condemned string // why it is not fed any more
	Late      string // the proof that is missing
}

// State returns how the watchdog stands.
func (f *Feeder) State() State {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, why := f.guard.MayFeed(f.cfg.Now())
	return State{Armed: f.timer != nil, Condemned: why, Late: f.late}
}

// Close ends the feeding. The timer is disarmed only if that is asked for and the node is not condemned: else it goes on to
// count, and the daemon that comes next arms it again in time, or the machine is reset. It reports whether it was.
func (f *Feeder) Close(disarm bool) bool {
	f.mu.Lock()
	t, was := f.timer, f.closed
	f.closed = true
	f.mu.Unlock()
	if was {
		return false
	}
	close(f.stop)
	if t == nil {
		return false
	}
	// A round that hangs in a proof must not keep the daemon from ending; one that is under way feeds at most once more.
	f.mu.Lock()
	may, _ := f.guard.MayFeed(f.cfg.Now())
	f.mu.Unlock()
	disarm = disarm && may && f.roundsEnded()
	if err := t.Close(disarm); err != nil {
		f.cfg.Logger.Error("the watchdog was not closed in good order: it counts on", "err", err)
		return false
	}
	return disarm
}

// roundsEnded waits for the round under way. One that hangs proves nothing, and the timer then counts on.
func (f *Feeder) roundsEnded() bool {
	ended := make(chan struct{})
	go func() { f.done.Wait(); close(ended) }()
	t := time.NewTimer(f.cfg.Times.Timeout / roundsPerTimeout)
	defer t.Stop()
	select {
	case <-ended:
		return true
	case <-t.C:
		return false
	}
}
