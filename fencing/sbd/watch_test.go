package sbd

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var zero = time.Unix(1000, 0)

// rowOf is what node lies in a slot with messages.
func rowOf(node, boot string, messages map[int]Message) Row {
	r := Row{Owner: Owner{State: Armed, Node: node, Boot: boot}}
	for from, m := range messages {
		r.Messages[from] = m
	}
	return r
}

// told renders what a Watch wants.
func told(acts []Act) string {
	var out []string
	for _, a := range acts {
		switch a := a.(type) {
		case Answer:
			out = append(out, "answer")
		case Take:
			out = append(out, "take "+KindName(a.Message.Kind))
		case Heard:
			out = append(out, "heard")
		case Claim:
			out = append(out, "claim")
		}
	}
	return strings.Join(out, ", ")
}

func TestWhatANodeDoesWithAMessage(t *testing.T) {
	pill := Message{Seq: 5, ID: 1, Kind: Reset, From: "a", To: "b", Boot: "b1"}
	with := func(edit func(*Message)) Message { m := pill; edit(&m); return m }
	tests := []struct {
		name     string
		message  Message
		answered uint64
		want     string
	}{
		{"nothing", Message{}, 0, ""},
		{"a pill", pill, 0, "take reset, answer"},
		{"to be switched off", with(func(m *Message) { m.Kind = Off }), 0, "take off, answer"},
		{"a test", with(func(m *Message) { m.Kind = Test }), 0, "heard, answer"},
		{"a test that was answered", with(func(m *Message) { m.Kind = Test }), 5, ""},
		{"a pill that was dealt with", pill, 5, ""},
		{"a pill with a stale number", pill, 9, ""},
		{"a pill for another run of this machine", with(func(m *Message) { m.Boot = "b0" }), 0, ""},
		{"a pill for another node", with(func(m *Message) { m.To = "c" }), 0, ""},
		{"one that was taken back", with(func(m *Message) { m.Kind = None }), 0, ""},
	}
	for _, x := range tests {
		w := NewWatch("b", "b1", 1, 5*time.Second)
		var answered [SlotsMax]uint64
		answered[2] = x.answered
		w.Claimed(0, answered)
		if got := told(w.Looked(0, zero, rowOf("b", "b1", map[int]Message{2: x.message}))); got != x.want {
			t.Errorf("%s: %q, want %q", x.name, got, x.want)
		}
		if doomed := w.Alive(zero) != nil; doomed != strings.HasPrefix(x.want, "take") {
			t.Errorf("%s: alive: %v", x.name, w.Alive(zero))
		}
	}
}

// A device that cannot be believed is a lost one: its reading does not count.
func TestReadingsThatDoNotCount(t *testing.T) {
	newer := rowOf("b", "b1", map[int]Message{2: {Seq: 8, Kind: None}})
	tests := []struct {
		name   string
		before *Row
		row    Row
		want   string
	}{
		{"a message that is damaged", nil, Row{Owner: Owner{Node: "b", Boot: "b1"}, Damaged: []int{4}}, "slot 4 is damaged"},
		{"the slot of another node", nil, rowOf("x", "b1", nil), `belongs to node "x"`},
		{"an exchanged device", nil, rowOf("", "", nil), `belongs to node ""`},
		{"a slot that is damaged", nil, Row{OwnerErr: errDamaged}, "checksum"},
		{"old data", &newer, rowOf("b", "b1", map[int]Message{2: {Seq: 7, Kind: None}}), "old data"},
	}
	for _, x := range tests {
		w := NewWatch("b", "b1", 1, 5*time.Second)
		w.Claimed(0, [SlotsMax]uint64{})
		if x.before != nil {
			w.Looked(0, zero.Add(-time.Minute), *x.before)
		}
		w.Looked(0, zero, x.row)
		if err := w.Alive(zero); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
}

// One of two devices, or of three, may be lost; a reading counts as long as it is fresh.
func TestHowManyDevicesMustBeRead(t *testing.T) {
	for devices, need := range map[int]int{1: 1, 2: 1, 3: 2} {
		w := NewWatch("b", "b1", devices, 5*time.Second)
		for i := range devices {
			if err := w.Alive(zero); (err == nil) != (i >= need) {
				t.Errorf("%d of %d devices read: %v", i, devices, err)
			}
			w.Claimed(i, [SlotsMax]uint64{})
			w.Looked(i, zero, rowOf("b", "b1", nil))
		}
		if err := w.Alive(zero.Add(5 * time.Second)); err != nil {
			t.Errorf("read 5 s ago: %v", err)
		}
		if w.Alive(zero.Add(5*time.Second+1)) == nil {
			t.Error("readings count for longer than they are fresh")
		}
		if write, read := Quorum(devices); write+read <= devices {
			t.Errorf("of %d devices, %d written and %d read need not overlap", devices, write, read)
		}
	}
}

// Two nodes send each other a pill over one device, and every order of their steps is tried: exactly one of them takes one, or,
// where one of them saw the other's before it wrote its own, at least not both.
func TestTieHasOneSurvivor(t *testing.T) {
	type world struct {
		node    [2]*Watch
		cell    [2]Message // what lies for each
		phase   [2]int     // 0: nothing written; 1: being written; 2: lies there, perhaps not known; 3: known to lie; 4: not sent
		written [2]bool
	}
	names := [2]string{"a", "b"}
	ends := map[string]int{}
	// A step: 0 and 1 move a node's sending on, 2 and 3 have a node read.
	var run func(steps []int)
	play := func(steps []int) (w world) {
		for i := range w.node {
			w.node[i] = NewWatch(names[i], "1", 1, time.Minute)
			w.node[i].Claimed(0, [SlotsMax]uint64{})
		}
		for _, s := range steps {
			i, other := s%2, 1-s%2
			if s >= 2 {
				m := map[int]Message{}
				if w.written[other] {
					m[1] = w.cell[i]
				}
				w.node[i].Looked(0, zero, rowOf(names[i], "1", m))
				continue
			}
			switch w.phase[i] {
			case 0:
				w.phase[i] = 1
				if w.node[i].Sends(names[other]) != nil {
					w.phase[i] = 4
				}
			case 1:
				w.cell[other] = Message{Seq: 1, ID: uint64(i + 1), Kind: Reset, From: names[i], To: names[other], Boot: "1"}
				w.written[i], w.phase[i] = true, 2
			case 2:
				w.node[i].Lies(names[other])
				w.phase[i] = 3
			}
		}
		return w
	}
	run = func(steps []int) {
		if len(steps) < 8 {
			for s := range 4 {
				run(append(slices.Clone(steps), s))
			}
			return
		}
		// All comes to its end: both finish what they write, and read.
		w := play(append(slices.Clone(steps), 0, 0, 0, 1, 1, 1, 2, 3, 2, 3))
		dead := 0
		for i := range w.node {
			if w.node[i].Doomed() != "" {
				dead++
			}
			if w.phase[i] == 3 && w.node[1-i].Doomed() == "" && w.node[i].Doomed() == "" {
				t.Fatalf("steps %v: %s lives, has sent a pill, and %s lives, too", steps, names[i], names[1-i])
			}
		}
		if dead != 1 {
			t.Fatalf("steps %v: %d of two are dead", steps, dead)
		}
		ends[fmt.Sprintf("%q dead", map[bool]string{true: names[0], false: names[1]}[w.node[0].Doomed() != ""])]++
	}
	run(nil)
	if len(ends) != 2 {
		t.Errorf("ends: %v", ends)
	}
}

func TestDeliveries(t *testing.T) {
	const wait, watchdog = 20 * time.Second, 5 * time.Second
	tests := []struct {
		name string
		run  func(d *Delivery) error
		due  time.Duration // after the writing; -1: never
		want string        // "" is delivered
	}{
		{"lies there to the end", func(d *Delivery) error { return d.Judge(2, nil) }, wait, ""},
		{"its target says that it ends", func(d *Delivery) error {
			d.Replied(zero.Add(time.Second), Dying)
			return d.Judge(2, nil)
		}, time.Second + 2*watchdog + 2*time.Second, ""},
		{"its target says so late", func(d *Delivery) error {
			d.Replied(zero.Add(15*time.Second), Dying)
			return d.Judge(2, nil)
		}, wait, ""},
		{"is gone in the end", func(d *Delivery) error { return d.Judge(1, nil) }, wait, "found on 1 devices"},
		{"is set aside", func(d *Delivery) error {
			d.Replied(zero.Add(time.Second), Armed)
			return d.Judge(2, nil)
		}, wait, "set the poison pill aside"},
		{"its sender is condemned", func(d *Delivery) error { return d.Judge(2, errDamaged) }, wait, "does not count"},
	}
	for _, x := range tests {
		d := NewDelivery(Reset, "b", 3, wait, watchdog)
		d.Wrote(zero.Add(-time.Minute))
		if d.Lies() || !d.Due().IsZero() {
			t.Errorf("%s: one of three devices is enough", x.name)
		}
		d.Failed("sdc", errEmpty)
		if d.Hopeless() != nil {
			t.Errorf("%s: given up although two of three are left", x.name)
		}
		d.Wrote(zero)
		err := x.run(d)
		if got := d.Due().Sub(zero); got != x.due {
			t.Errorf("%s: due after %v, want %v", x.name, got, x.due)
		}
		if (err == nil) != (x.want == "") || err != nil && !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v", x.name, err)
		}
	}
	d := NewDelivery(Reset, "b", 2, wait, watchdog)
	d.Failed("sda", errDamaged)
	if err := d.Hopeless(); err == nil || !strings.Contains(err.Error(), "sda") {
		t.Errorf("one of two devices is lost, and a pill needs both: %v", err)
	}
	asked := NewDelivery(Test, "b", 1, wait, watchdog)
	asked.Wrote(zero)
	if asked.Due() != zero.Add(7*time.Second) || asked.Judge(1, nil) == nil {
		t.Error("a test without an answer is delivered")
	}
	asked.Replied(zero.Add(time.Second), Armed)
	if asked.Due() != zero || asked.Judge(1, nil) != nil {
		t.Error("a test that was answered is not delivered")
	}
}

// A node without coordinator that reads too few devices, or that has read a moment before the pill came, is dead by the message wait: the worst
// cases, step by step.
func TestMessageWaitCoversTheWorst(t *testing.T) {
	for _, times := range []Times{{2 * time.Second, 5 * time.Second}, {5 * time.Second, 5 * time.Second}, {15 * time.Second, 2 * time.Second}, {5 * time.Second, 30 * time.Second}} {
		pill := zero
		// It read the devices an instant before, and cannot any more; it looks at the clock the moment before that is too old, is
		// paused for as long as its watchdog lets it live, and feeds once more.
		looked := pill.Add(times.Fresh())
		dead := looked.Add(times.Watchdog).Add(times.Watchdog)
		if by := pill.Add(times.Wait()); !dead.Before(by) {
			t.Errorf("%+v: dead %v after the message wait", times, dead.Sub(by))
		}
		// It reads nothing, but had just been tied to a coordinator, by a renewal that was sent before a pause of a lease.
		tied := pill.Add(2 * times.Lease)
		dead = tied.Add(times.Watchdog).Add(times.Watchdog)
		if by := pill.Add(times.Wait()); !dead.Before(by) {
			t.Errorf("%+v: dead %v after the message wait", times, dead.Sub(by))
		}
	}
	small := Times{2 * time.Second, 5 * time.Second}
	for name, h := range map[string]Header{"a shorter watchdog": {Watchdog: time.Second, Wait: time.Hour}, "a shorter wait": {Watchdog: 2 * time.Second, Wait: small.Wait() - 1}} {
		if small.Check(h) == nil {
			t.Errorf("devices that were made for %s are taken", name)
		}
	}
	if err := small.Check(Header{Watchdog: 2 * time.Second, Wait: small.Wait()}); err != nil {
		t.Error(err)
	}
}

// While a node's own pill is being written, it decides nothing about the other's, and the device does not count as read: if the writing
// comes to nothing, it has to die, as the other counts on that.
func TestATieWaitsForTheWriting(t *testing.T) {
	pill := Message{Seq: 1, ID: 1, Kind: Reset, From: "b", To: "a", Boot: "a1"}
	row := rowOf("a", "a1", map[int]Message{2: pill})
	w := NewWatch("a", "a1", 1, 5*time.Second)
	w.Claimed(0, [SlotsMax]uint64{})
	if err := w.Sends("b"); err != nil {
		t.Fatal(err)
	}
	if got := told(w.Looked(0, zero, row)); got != "" || w.Alive(zero) == nil {
		t.Errorf("while its own is being written: %q, alive: %v", got, w.Alive(zero))
	}
	w.Over("b")
	if got := told(w.Looked(0, zero, row)); got != "take reset, answer" {
		t.Errorf("its own could not be written: %q", got)
	}
	if w.Sends("b") == nil {
		t.Error("a node that has to die sends a pill")
	}
}
