package sbd

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// plate is a device in memory that all nodes share; a view of it is what one node sees.
type plate struct {
	mu   sync.Mutex
	data []byte
}

type view struct {
	*plate
	name string
	mu   *sync.Mutex
	gone *error
	hang *chan struct{}
}

func newPlate() *plate { return &plate{data: make([]byte, Size)} }

func (p *plate) seen(name string) view {
	return view{plate: p, name: name, mu: new(sync.Mutex), gone: new(error), hang: new(chan struct{})}
}

func (v view) Name() string { return v.name }

// fail makes the view fail with that error; nil mends it.
func (v view) fail(err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*v.gone = err
}

// hangs makes the view not answer until the channel is closed; nil mends it.
func (v view) hangs(until chan struct{}) {
	v.mu.Lock()
	defer v.mu.Unlock()
	*v.hang = until
}

func (v view) use(do func()) error {
	v.mu.Lock()
	err, hang := *v.gone, *v.hang
	v.mu.Unlock()
	if hang != nil {
		<-hang
	}
	if err != nil {
		return err
	}
	v.plate.mu.Lock()
	defer v.plate.mu.Unlock()
	do()
	return nil
}

func (v view) Read(block, count int) (out []byte, err error) {
	err = v.use(func() { out = bytes.Clone(v.data[block*BlockSize : (block+count)*BlockSize]) })
	return out, err
}

func (v view) Write(block int, data []byte) error {
	return v.use(func() { copy(v.data[block*BlockSize:], data) })
}

// damage flips a bit of a record.
func (p *plate) damage(block int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.data[block*BlockSize+100] ^= 4
}

// machine is a node: a station, and its watchdog, fed by a loop as the daemon's is.
type machine struct {
	name    string
	station *Station
	views   []view

	mu     sync.Mutex
	tied   bool
	doomed bool
	dead   time.Time
	off    bool
	stop   chan struct{}
}

var shortTimes = Times{Watchdog: 2 * time.Second, Lease: 5 * time.Second}

func newMachine(t *testing.T, name, boot string, plates ...*plate) *machine {
	m := &machine{name: name, stop: make(chan struct{})}
	var media []Medium
	for i, p := range plates {
		v := p.seen("sd" + string(rune('a'+i)))
		m.views = append(m.views, v)
		media = append(media, v)
	}
	m.station = NewStation(Config{
		Node: name, Boot: boot, Devices: media, Times: shortTimes,
		Doom: func(string) { m.with(func() { m.doomed = true }) },
		End: func(_ string, off bool) {
			m.with(func() {
				if m.dead.IsZero() {
					m.dead, m.off = time.Now(), off
				}
			})
		},
	})
	m.station.Start()
	go m.feed()
	t.Cleanup(m.kill)
	return m
}

func (m *machine) with(do func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	do()
}

// feed is the watchdog: unfed for its time-out, the machine is dead.
func (m *machine) feed() {
	fed := time.Now()
	for {
		select {
		case <-m.stop:
			return
		case <-time.After(shortTimes.Watchdog / 5):
		}
		err := m.station.Proof()
		m.with(func() {
			switch {
			case !m.doomed && (err == nil || m.tied):
				fed = time.Now()
			case m.dead.IsZero() && time.Since(fed) >= shortTimes.Watchdog:
				m.dead = time.Now()
			}
		})
	}
}

// kill ends the machine as its death does: nothing is said.
func (m *machine) kill() {
	select {
	case <-m.stop:
	default:
		close(m.stop)
		m.station.Close(false)
	}
}

func (m *machine) deadAt() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.dead
}

func create(t *testing.T, plates ...*plate) Header {
	t.Helper()
	var media []Medium
	for i, p := range plates {
		media = append(media, p.seen("sd"+string(rune('a'+i))))
	}
	h, err := Create(t.Context(), media, CreateOptions{Times: shortTimes, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func plates(n int) (out []*plate) {
	for range n {
		out = append(out, newPlate())
	}
	return out
}

// settle lets the nodes take their slots and read.
func settle(t *testing.T, machines ...*machine) {
	t.Helper()
	time.Sleep(3 * time.Second)
	for _, m := range machines {
		if _, err := m.station.Armed(); err != nil {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
}

// send sends a pill, and fails the test if it counts before its target is dead.
func sendPill(t *testing.T, from, to *machine, kind byte, boot string) (time.Duration, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	err := from.station.Send(ctx, kind, to.name, boot)
	if dead := to.deadAt(); err == nil && (dead.IsZero() || dead.After(time.Now())) {
		t.Errorf("the pill for %s counts, and %s lives", to.name, to.name)
	}
	return time.Since(began), err
}

func TestPillEndsANode(t *testing.T) {
	for n := 1; n <= DevicesMax; n++ {
		synctest.Test(t, func(t *testing.T) {
			p := plates(n)
			h := create(t, p...)
			a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
			settle(t, a, b)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := a.station.Send(ctx, Test, "b", "b1"); err != nil {
				t.Errorf("%d devices: a test: %v", n, err)
			}
			if !b.deadAt().IsZero() {
				t.Fatal("a test kills")
			}
			took, err := sendPill(t, a, b, Off, "b1")
			if err != nil {
				t.Errorf("%d devices: %v", n, err)
			}
			if most := Poll + 2*time.Second + shortTimes.Ending(); took > most || took >= h.Wait {
				t.Errorf("%d devices: %v until a pill counts that its target has answered", n, took)
			}
			if !b.off {
				t.Error("a node that was to be switched off resets")
			}
		})
	}
}

// The target does not answer: it does not read, or stands still. The pill counts after the message wait, and not before.
func TestPillForASilentNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(1)
		h := create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		b.views[0].fail(errors.New("input/output error"))
		if took, err := sendPill(t, a, b, Reset, "b1"); err != nil || took < h.Wait {
			t.Errorf("a node that has lost its device: %v after %v, message wait %v", err, took, h.Wait)
		}
	})
}

// A node that has lost its devices lives as long as it is tied to a coordinator, and no longer; with them it lives without.
func TestDevicesOrCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(3)
		create(t, p...)
		a := newMachine(t, "a", "a1", p...)
		settle(t, a)
		time.Sleep(time.Minute)
		if !a.deadAt().IsZero() {
			t.Fatal("a node that reads its devices is dead without a coordinator")
		}
		a.with(func() { a.tied = true })
		for _, v := range a.views {
			v.fail(errors.New("input/output error"))
		}
		time.Sleep(time.Minute)
		if !a.deadAt().IsZero() {
			t.Fatal("the shared devices are lost, and so is a node that a coordinator looks after")
		}
		if err := a.station.Send(t.Context(), Reset, "b", "b1"); err == nil {
			t.Error("a pill was sent over devices that fail")
		}
		a.views[1].fail(nil)
		a.with(func() { a.tied = false })
		time.Sleep(time.Minute)
		if a.deadAt().IsZero() {
			t.Fatal("a node that reads one device of three lives without a coordinator")
		}
	})
}

// One device of three hangs, is damaged, or is lost: all goes on. Of two, nodes live but cannot be fenced.
func TestOneDeviceLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(3)
		create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		hang := make(chan struct{})
		defer close(hang)
		a.views[0].hangs(hang)
		p[1].damage(ownerBlock(31)) // of a slot that nobody has
		if took, err := sendPill(t, a, b, Reset, "b1"); err != nil {
			t.Errorf("one device hangs: %v after %v", err, took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p := plates(2)
		create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		b.views[0].fail(errors.New("input/output error"))
		a.views[0].fail(errors.New("input/output error"))
		time.Sleep(time.Minute)
		if !b.deadAt().IsZero() {
			t.Error("one of two devices is lost, and so is the node")
		}
		if _, err := sendPill(t, a, b, Reset, "b1"); err == nil {
			t.Error("a pill on one of two devices counts")
		}
		time.Sleep(time.Minute)
		if !b.deadAt().IsZero() {
			t.Error("a pill that could not be delivered was not taken back")
		}
	})
}

// Both send at the same moment: one lives, and only its pill counts.
func TestBothSend(t *testing.T) {
	for n := 1; n <= DevicesMax; n++ {
		synctest.Test(t, func(t *testing.T) {
			p := plates(n)
			create(t, p...)
			a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
			settle(t, a, b)
			var both sync.WaitGroup
			var of [2]error
			both.Go(func() { _, of[0] = sendPill(t, a, b, Reset, "b1") })
			both.Go(func() { _, of[1] = sendPill(t, b, a, Reset, "a1") })
			both.Wait()
			if !a.deadAt().IsZero() || b.deadAt().IsZero() || of[0] != nil || of[1] == nil {
				t.Errorf("%d devices: a dead %v, its pill: %v; b dead %v, its pill: %v", n, a.deadAt(), of[0], b.deadAt(), of[1])
			}
			time.Sleep(time.Minute)
			if !a.deadAt().IsZero() {
				t.Errorf("%d devices: the pill that was set aside is taken later", n)
			}
		})
	}
}

// Two send a pill to a third at once: both lie there, in places of their own.
func TestTwoWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(1)
		create(t, p...)
		a, b, c := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...), newMachine(t, "c", "c1", p...)
		settle(t, a, b, c)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := sendPill(t, a, c, Reset, "c1"); err != nil {
				t.Errorf("a: %v", err)
			}
		})
		both.Go(func() {
			if _, err := sendPill(t, b, c, Reset, "c1"); err != nil {
				t.Errorf("b: %v", err)
			}
		})
		both.Wait()
	})
}

// What lay for a former run of the machine is void: it boots into no loop. Its present daemon's restart changes nothing.
func TestBootsAndRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(1)
		create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		if _, err := sendPill(t, a, b, Reset, "b1"); err != nil {
			t.Fatal(err)
		}
		b.kill()
		again := newMachine(t, "b", "b2", p...)
		settle(t, again)
		time.Sleep(10 * time.Second)
		if !again.deadAt().IsZero() {
			t.Fatal("a pill for the run before kills again")
		}
		if _, err := sendPill(t, a, again, Reset, "b1"); err == nil || !strings.Contains(err.Error(), "has not read it since it booted") {
			t.Errorf("a pill for a run that is over: %v", err)
		}
		again.kill() // the daemon alone; the machine runs on
		restarted := newMachine(t, "b", "b2", p...)
		settle(t, restarted)
		if restarted.station.at(0).slot != again.station.at(0).slot {
			t.Error("a daemon that is restarted takes another slot")
		}
		if _, err := sendPill(t, a, restarted, Reset, "b2"); err != nil {
			t.Error(err)
		}
		restarted.kill()
	})
}

// A daemon that ends in good order says so: no pill counts for a node that nothing would end.
func TestGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(1)
		create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		b.station.Close(true)
		if _, err := sendPill(t, a, b, Reset, "b1"); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("a pill for a node whose daemon has ended: %v", err)
		}
		if err := a.station.Reaches(t.Context(), "b", "b1"); err == nil {
			t.Error("it is reached")
		}
	})
}

// A fencing without time enough writes nothing.
func TestTooLittleTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(1)
		h := create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		ctx, cancel := context.WithTimeout(t.Context(), h.Wait-time.Second)
		defer cancel()
		if err := a.station.Send(ctx, Reset, "b", "b1"); err == nil || !strings.Contains(err.Error(), "stonith-timeout") {
			t.Errorf("%v", err)
		}
		time.Sleep(time.Minute)
		if !b.deadAt().IsZero() {
			t.Error("a pill without time to count was written")
		}
	})
}

// A damaged message of this node's own, of a death in the midst of writing, is mended when it comes back; a damaged slot, too.
func TestDamageIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := plates(1)
		create(t, p...)
		a, b := newMachine(t, "a", "a1", p...), newMachine(t, "b", "b1", p...)
		settle(t, a, b)
		sa, sb := a.station.at(0).slot, b.station.at(0).slot
		p[0].damage(messageBlock(sb, sa))
		b.with(func() { b.tied = true })
		time.Sleep(10 * time.Second)
		if err := b.station.Proof(); err == nil {
			t.Error("a damaged message is taken for none")
		}
		a.kill()
		again := newMachine(t, "a", "a2", p...)
		settle(t, again)
		if err := b.station.Proof(); err != nil {
			t.Errorf("its writer is back: %v", err)
		}
		p[0].damage(ownerBlock(sb))
		time.Sleep(5 * time.Second)
		if err := b.station.Proof(); err != nil || b.station.at(0).slot != sb {
			t.Errorf("a damaged slot: %v, slot %d", err, b.station.at(0).slot)
		}
	})
}

// A set that was made for shorter times is refused.
func TestWrongSetIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlate()
		if _, err := Create(t.Context(), []Medium{p.seen("sda")}, CreateOptions{Times: Times{Watchdog: 2 * time.Second, Lease: time.Second}, Now: time.Now()}); err != nil {
			t.Fatal(err)
		}
		a := newMachine(t, "a", "a1", p)
		time.Sleep(3 * time.Second)
		if _, err := a.station.Armed(); err == nil || !strings.Contains(err.Error(), "message wait") {
			t.Errorf("armed: %v", err)
		}
		a.kill()
		two := plates(2)
		create(t, two...)
		b := newMachine(t, "b", "b1", two[0])
		time.Sleep(3 * time.Second)
		if _, err := b.station.Armed(); err == nil || !strings.Contains(err.Error(), "2 shared devices, and 1") {
			t.Errorf("half a set: %v", err)
		}
	})
}

func TestFilesAsDevices(t *testing.T) {
	path := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(path, make([]byte, Size), 0o600); err != nil {
		t.Fatal(err)
	}
	m := Open(path)
	if _, err := List(t.Context(), m); err == nil || !strings.Contains(err.Error(), "fence sbd create") {
		t.Errorf("an empty device: %v", err)
	}
	if _, err := Create(t.Context(), []Medium{m}, CreateOptions{Times: shortTimes, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), []Medium{m}, CreateOptions{Times: shortTimes, Now: time.Now()}); err == nil {
		t.Error("a device that was made is made anew without a word")
	}
	s := NewStation(Config{Node: "a", Boot: "1", Devices: []Medium{m}, Times: shortTimes, Changed: nil, Doom: func(string) {}, End: func(string, bool) {}})
	armed := make(chan struct{}, 1)
	s.cfg.Changed = func() { armed <- struct{}{} }
	s.Start()
	<-armed
	if err := Speak(t.Context(), []Medium{m}, Test, "somebody", "a"); err != nil {
		t.Error(err)
	}
	if err := Clear(t.Context(), []Medium{m}, "a"); err != nil {
		t.Error(err)
	}
	l, err := List(t.Context(), m)
	if err != nil || len(l.Slots) != 1 || l.Slots[0].Owner.Node != "a" || l.Slots[0].Owner.State != Armed || l.Slots[0].Owner.Answered[Person] == 0 {
		t.Errorf("%+v, %v", l, err)
	}
	s.Close(true)
	if l, err = List(t.Context(), m); err != nil || l.Slots[0].Owner.State != Closed {
		t.Errorf("%+v, %v", l, err)
	}
	short := filepath.Join(t.TempDir(), "short")
	if err := os.WriteFile(short, make([]byte, BlockSize), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(t.Context(), []Medium{Open(short)}, CreateOptions{Times: shortTimes}); err == nil || !strings.Contains(err.Error(), "shorter") {
		t.Errorf("a device that is too small: %v", err)
	}
}
