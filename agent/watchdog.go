package agent

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"paceline/agent/executor"
	"paceline/fencing/watchdog"
)

// times are what the presumed-dead time of this node derives from.
func (w *WatchdogFile) times(lease time.Duration) watchdog.Times {
	t := watchdog.Times{Lease: lease, Timeout: time.Duration(w.Timeout) * time.Second, StopBudget: time.Duration(w.StopBudget) * time.Second}
	if t.StopBudget == 0 {
		t.StopBudget = t.Timeout
	}
	return t
}

func (w *WatchdogFile) validate(profile string) error {
	if w == nil {
		return nil
	}
	if w.Device == "" {
		return fmt.Errorf("watchdog: no device is named (%s is what most machines have)", "/dev/watchdog")
	}
	if w.Timeout == 0 {
		w.Timeout = int(watchdog.TimeoutDefault / time.Second)
	}
	p, err := profileFor(profile)
	if err != nil {
		return err
	}
	return w.times(p.lease).Check()
}

// watchedBy gives a new member its watchdog, and tries whether it can be had. Not named, there is none.
func (f *File) watchedBy(device string, timeout int) error {
	if device == "" {
		return nil
	}
	f.Watchdog = &WatchdogFile{Device: device, Timeout: timeout}
	if err := f.Validate(); err != nil {
		return err
	}
	t, err := watchdog.Open(device, time.Duration(f.Watchdog.Timeout)*time.Second, 0)
	if err != nil {
		return err
	}
	return t.Close(true)
}

// guardian is the watchdog as the executor wants it.
type guardian struct {
	*watchdog.Feeder
}

func (g guardian) StopBudget() time.Duration   { return g.Times().StopBudget }
func (g guardian) PresumedDead() time.Duration { return g.Times().PresumedDead() }

// guarded gives the executor this machine's watchdog, if one is configured.
func (n *node) guarded(c executor.Config) executor.Config {
	w := n.file.Watchdog
	if w == nil {
		return c
	}
	times := w.times(n.profile.lease)
	proofs := []watchdog.Proof{{Name: "executor", Of: func() error { return n.exec.Progress() }}}
	if n.station != nil {
		proofs = append(proofs, watchdog.Proof{Name: "shared disks", Of: n.guardedByPills})
	}
	n.watchdog = watchdog.NewFeeder(watchdog.Config{
		Open: func() (watchdog.Timer, error) {
			return watchdog.Open(w.Device, times.Timeout, time.Duration(w.Pretimeout)*time.Second)
		},
		Times: times, Logger: n.log, Now: sinceBoot,
		Proofs: proofs,
	})
	if n.station != nil {
		c.PillWait = n.reached
	}
	end := func(why string) {
		if err := n.watchdog.Condemn(why); err != nil {
			n.log.Error("this node could not end itself at once", "cause", why, "err", err)
		}
	}
	c.Watchdog, c.Suicide, c.StopFailed = guardian{n.watchdog}, end, end
	return c
}

// unguard ends the feeding with the daemon. The watchdog is disarmed where nothing runs here that would go on without a daemon, and
// where the others do not count on it; else it counts on, and the daemon that follows arms it in time, or the machine is reset.
func (n *node) unguard() {
	if n.watchdog == nil {
		return
	}
	idle := len(n.exec.Inventory()) == 0
	if n.station != nil {
		n.station.Close(idle)
	}
	if n.watchdog.State().Armed && !n.watchdog.Close(idle) {
		n.log.Warn("the watchdog counts on, because resources were left running: the daemon must be back in time", "timeout", n.watchdog.Times().Timeout)
	}
}

// sinceBoot is a time that counts what the machine was suspended, which Go's clock does not. Only differences mean something.
func sinceBoot() time.Time {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return time.Now()
	}
	return time.Unix(0, t.Nano())
}
