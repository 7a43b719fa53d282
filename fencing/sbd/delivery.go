package sbd

import (
	"fmt"
	"strings"
	"time"
)

// Delivery decides when a message counts as delivered. It is a core: time enters as a value.
//
//	written on enough devices --> wait (an answer makes it shorter) --> still there on enough devices, and not condemned itself
type Delivery struct {
	kind   byte
	to     string
	write  int
	wait   time.Duration
	ending time.Duration
	answer time.Duration // how long a test waits for its answer

	open    int // devices of which nothing is known yet
	wrote   int
	why     []string
	lies    time.Time // since when it lies on enough devices
	dying   time.Time // when the target's word was read that it ends
	replied bool
	refused bool // the target's word that it lives on
}

// NewDelivery begins the delivery of a message over so many devices.
func NewDelivery(kind byte, to string, devices int, wait, watchdog time.Duration) *Delivery {
	write, _ := Quorum(devices)
	t := Times{Watchdog: watchdog}
	return &Delivery{kind: kind, to: to, write: write, wait: wait, ending: t.Ending(), answer: t.Fresh() + 2*Poll, open: devices}
}

// Wrote says that the message lies on one more device: it was read back.
func (d *Delivery) Wrote(now time.Time) {
	d.open--
	if d.wrote++; d.wrote == d.write {
		d.lies = now
	}
}

// Failed says that the message could not be written on a device.
func (d *Delivery) Failed(device string, err error) {
	d.open--
	d.why = append(d.why, fmt.Sprintf("%s: %v", device, err))
}

// Lies says whether the message lies on enough devices.
func (d *Delivery) Lies() bool { return !d.lies.IsZero() }

// Hopeless says why the message will not lie on enough devices; nil while it may.
func (d *Delivery) Hopeless() error {
	if d.Lies() || d.wrote+d.open >= d.write {
		return nil
	}
	return fmt.Errorf("the message to %s could be written on %d of %d devices that are needed: %s", d.to, d.wrote, d.write, strings.Join(d.why, "; "))
}

// Replied takes in what the target says in its slot: that it has dealt with the message, in that state.
func (d *Delivery) Replied(now time.Time, state byte) {
	d.replied = true
	if !Deadly(d.kind) {
		return
	}
	switch {
	case state == Dying && d.dying.IsZero():
		d.dying = now
	case state == Armed:
		d.refused = true
	}
}

// Due is when the delivery is to be judged; zero while that is not known.
func (d *Delivery) Due() time.Time {
	switch {
	case !d.Lies():
		return time.Time{}
	case !Deadly(d.kind) && d.replied:
		return d.lies
	case !Deadly(d.kind):
		return d.lies.Add(d.answer)
	}
	due := d.lies.Add(d.wait)
	if early := d.dying.Add(d.ending); !d.dying.IsZero() && early.Before(due) {
		due = early
	}
	return due
}

// Judge says whether the message was delivered, at Due. Intact is on how many devices it was found unchanged just now; self is
// what speaks against this node's own word: that it is condemned, or cannot know.
func (d *Delivery) Judge(intact int, self error) error {
	switch {
	case !Deadly(d.kind) && d.replied:
		return nil
	case !Deadly(d.kind):
		return fmt.Errorf("%s did not answer within %v: it does not read the shared devices", d.to, d.answer)
	case self != nil:
		return fmt.Errorf("the poison pill for %s does not count: %w", d.to, self)
	case d.refused:
		return fmt.Errorf("%s has set the poison pill aside: it sent one to this node at the same time", d.to)
	case intact < d.write:
		return fmt.Errorf("the poison pill for %s is found on %d devices after the message wait, and %d are needed", d.to, intact, d.write)
	}
	return nil
}
