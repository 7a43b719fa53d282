package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"paceline/fencing/sbd"
)

func (s *SBDFile) validate(w *WatchdogFile) error {
	switch {
	case s == nil:
		return nil
	case len(s.Devices) < 1 || len(s.Devices) > sbd.DevicesMax:
		return fmt.Errorf("sbd: %d shared disks are named; 1 to %d make a set", len(s.Devices), sbd.DevicesMax)
	case w == nil:
		return errors.New("sbd: poison pills need a watchdog, which ends a node that cannot read the shared disks: none is named")
	}
	return nil
}

func (s *SBDFile) media() []sbd.Medium {
	var out []sbd.Medium
	for _, path := range s.Devices {
		out = append(out, sbd.Open(path))
	}
	return out
}

// sbdTimes are what the message wait of this node derives from.
func (f *File) sbdTimes() (sbd.Times, error) {
	p, err := profileFor(f.Profile)
	if err != nil {
		return sbd.Times{}, err
	}
	t := sbd.Times{Lease: p.lease}
	if f.Watchdog != nil {
		t.Watchdog = f.Watchdog.times(p.lease).Timeout
	}
	return t, nil
}

// pillsOver gives a new member its shared disks, and looks whether they are made for it. Not named, there are none. Who joins does not know
// the cluster's profile yet: the disks are looked at again when it starts.
func (f *File) pillsOver(ctx context.Context, devices []string) error {
	if len(devices) == 0 {
		return nil
	}
	f.SBD = &SBDFile{Devices: devices}
	if err := f.Validate(); err != nil {
		return err
	}
	times, err := f.sbdTimes()
	if err != nil {
		return err
	}
	return sbd.Check(ctx, f.SBD.media(), times)
}

// pills makes this node's part in the shared disks, if it has any. It is started when the executor is there.
func (n *node) pills() (*sbd.Station, error) {
	if n.file.SBD == nil {
		return nil, nil
	}
	times, err := n.file.sbdTimes()
	if err != nil {
		return nil, err
	}
	return sbd.NewStation(sbd.Config{
		Node: n.file.Node, Boot: n.id.Boot, Devices: n.file.SBD.media(), Times: times, Now: sinceBoot, Logger: n.log,
		Doom: func(why string) { n.watchdog.Doom(why) },
		End: func(why string, off bool) {
			end := n.watchdog.Condemn
			if off {
				end = n.watchdog.PowerOff
			}
			if err := end(why); err != nil {
				n.log.Error("this node could not end itself at once", "cause", why, "err", err)
			}
		},
		Changed: func() { n.exec.Announce() },
	}), nil
}

// reached is for the executor: what message wait the others may count on.
func (n *node) reached() time.Duration {
	wait, err := n.station.Armed()
	if err != nil {
		return 0
	}
	return wait
}

// guardedByPills is the proof that a poison pill would be read, or that a coordinator looks after this node.
func (n *node) guardedByPills() error {
	err := n.station.Proof()
	if err == nil || n.exec.Tied() {
		return nil
	}
	return fmt.Errorf("%w; and no coordinator has a session with this node", err)
}
