package sbd

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Watch decides what a node makes of what it reads. It is a core: time enters as a value that must not go back, and nothing
// happens but what the returned acts say.
type Watch struct {
	node, boot string
	fresh      time.Duration
	read       int // devices that have to be read
	devices    []sight
	sending    map[string]bool // own pills by target; true: it lies on enough devices
	void       map[uint64]bool // IDs of pills that a tie has decided against
	doomed     string          // why this node ends; empty if it does not
}

// sight is what a Watch knows of one device.
type sight struct {
	begun    time.Time // of the newest good reading; zero: there was none
	trouble  string
	highest  [SlotsMax]uint64
	answered [SlotsMax]uint64
}

// NewWatch returns a Watch of so many devices, for a node in this run of its machine.
func NewWatch(node, boot string, devices int, fresh time.Duration) *Watch {
	_, read := Quorum(devices)
	return &Watch{
		node: node, boot: boot, fresh: fresh, read: read, devices: make([]sight, devices), sending: map[string]bool{}, void: map[uint64]bool{},
	}
}

// Act is what a Watch wants: one of the types below.
type Act interface{ act() }

type (
	// Answer wants the owner's block of that device written with these numbers: what lies there is dealt with.
	Answer struct{ Answered [SlotsMax]uint64 }
	// Take ends this node: feed no more, answer, reset or power off. It comes once.
	Take struct{ Message Message }
	// Heard is for people: a test came, or a tie was won.
	Heard struct{ Text string }
	// Claim wants the slot on that device taken anew: another one has it.
	Claim struct{ Why string }
)

func (Answer) act() {}
func (Take) act()   {}
func (Heard) act()  {}
func (Claim) act()  {}

// Claimed says that this node has taken its slot on a device, whose messages were answered so far.
func (w *Watch) Claimed(i int, answered [SlotsMax]uint64) {
	w.devices[i] = sight{answered: answered}
}

// Failed says that a device could not be read.
func (w *Watch) Failed(i int, why string) { w.devices[i].trouble = why }

// Trouble says why the newest reading of a device does not count; it is empty if it does.
func (w *Watch) Trouble(i int) string { return w.devices[i].trouble }

// Looked takes in what was read of a device, beginning at that time.
func (w *Watch) Looked(i int, begun time.Time, r Row) []Act {
	d := &w.devices[i]
	switch {
	case r.OwnerErr != nil:
		d.trouble = "its slot: " + r.OwnerErr.Error()
		return []Act{Claim{d.trouble}}
	case r.Owner.Node != w.node || r.Owner.Boot != w.boot:
		d.trouble = fmt.Sprintf("its slot belongs to node %q", r.Owner.Node)
		return []Act{Claim{d.trouble}}
	}
	var acts []Act
	good, answered := true, d.answered
	for from, m := range r.Messages {
		switch {
		case slices.Contains(r.Damaged, from):
			good, d.trouble = false, fmt.Sprintf("the message of slot %d is damaged", from)
			continue
		case m.Seq < d.highest[from]:
			good, d.trouble = false, fmt.Sprintf("the device gives back old data: message %d of slot %d after %d", m.Seq, from, d.highest[from])
		}
		d.highest[from] = max(d.highest[from], m.Seq)
		if m.Seq <= d.answered[from] || m.To != w.node || m.Boot != w.boot {
			continue
		}
		switch {
		case m.Kind == Test:
			d.answered[from] = m.Seq
			acts = append(acts, Heard{fmt.Sprintf("%s asks by message whether this node reads the shared devices: it does", m.From)})
		case !Deadly(m.Kind):
		case w.void[m.ID]:
			d.answered[from] = m.Seq
		default:
			wait, more := w.pill(m)
			good = good && !wait
			acts = append(acts, more...)
			if !wait {
				d.answered[from] = m.Seq
			}
		}
	}
	if d.answered != answered {
		acts = append(acts, Answer{d.answered})
	}
	if good {
		d.begun, d.trouble = begun, ""
	}
	return acts
}

// pill decides about a poison pill. Where two nodes have sent one to each other, the one whose name comes first lives: both
// would die of one cut link. Each writes before it reads what is for it, so at least one sees the tie, and the one that has to die dies
// in any case. While this node's own pill is being written the decision waits, and the device does not count as read.
func (w *Watch) pill(m Message) (wait bool, acts []Act) {
	lies, sending := w.sending[m.From]
	switch {
	case w.doomed != "":
		return false, nil
	case sending && w.node < m.From && !lies:
		return true, nil
	case sending && w.node < m.From:
		w.void[m.ID] = true
		return false, []Act{Heard{fmt.Sprintf("%s and this node sent each other a poison pill: this one lives, as its name comes first", m.From)}}
	}
	w.doomed = fmt.Sprintf("a poison pill (%s) of %s lies on the shared devices", KindName(m.Kind), m.From)
	return false, []Act{Take{m}}
}

// Alive says whether the watchdog may be fed by what is read of the devices; if not, why.
func (w *Watch) Alive(now time.Time) error {
	if w.doomed != "" {
		return fmt.Errorf("this node ends: %s", w.doomed)
	}
	good, trouble := 0, ""
	for i, d := range w.devices {
		switch {
		case !d.begun.IsZero() && now.Sub(d.begun) <= w.fresh:
			good++
		case trouble == "":
			trouble = fmt.Sprintf("device %d: ", i+1) + cmp.Or(d.trouble, fmt.Sprintf("no answer for %v", w.fresh))
		}
	}
	if good < w.read {
		return fmt.Errorf("%d of %d shared devices can be read, and %d are needed; %s", good, len(w.devices), w.read, trouble)
	}
	return nil
}

// Doomed says why this node ends; it is empty if it does not.
func (w *Watch) Doomed() string { return w.doomed }

// Answered is what was dealt with on a device.
func (w *Watch) Answered(i int) [SlotsMax]uint64 { return w.devices[i].answered }

// Sends says that this node is about to write a pill for another one. One that has to end itself must not.
func (w *Watch) Sends(target string) error {
	if w.doomed != "" {
		return fmt.Errorf("this node ends itself: %s", w.doomed)
	}
	w.sending[target] = false
	return nil
}

// Lies says that the pill for that node lies on enough devices.
func (w *Watch) Lies(target string) { w.sending[target] = true }

// Over says that the pill for that node was delivered, or taken back.
func (w *Watch) Over(target string) { delete(w.sending, target) }
