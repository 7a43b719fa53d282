package sbd

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"
)

// bounded runs a use of a device that may never return, and gives up on it after ioMax or with ctx. What is given up on goes on in
// the background until the device answers.
func bounded[T any](ctx context.Context, use func() (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	done := make(chan result, 1)
	go func() {
		v, err := use()
		done <- result{v, err}
	}()
	t := time.NewTimer(ioMax)
	defer t.Stop()
	var none T
	select {
	case r := <-done:
		return r.v, r.err
	case <-ctx.Done():
		return none, ctx.Err()
	case <-t.C:
		return none, fmt.Errorf("the device has not answered for %v", ioMax)
	}
}

// readHeader reads what a device is. One damaged copy does no harm.
func readHeader(m Medium) (Header, error) {
	raw, err := m.Read(0, 2)
	if err != nil {
		return Header{}, fmt.Errorf("read shared device: %w", err)
	}
	h, first := parseHeader(0, blockOf(raw, 0))
	if first == nil {
		return h, nil
	}
	if h, err = parseHeader(1, blockOf(raw, 1)); err == nil {
		return h, nil
	}
	if errors.Is(first, errEmpty) {
		return Header{}, fmt.Errorf("%s is empty: `paceline fence sbd create` makes it a device for poison pills", m.Name())
	}
	return Header{}, fmt.Errorf("%s is no device for poison pills: %w", m.Name(), first)
}

// Fits says why devices do not make up a set. Those that could not be read are left out; their headers are zero.
func Fits(headers []Header) error {
	seen := map[UUID]bool{}
	var set Header
	for _, h := range headers {
		switch {
		case h.Count == 0:
			continue
		case set.Count == 0:
			set = h
			if h.Count != len(headers) {
				return fmt.Errorf("the set has %d shared devices, and %d are named", h.Count, len(headers))
			}
		case h.Set != set.Set:
			return errors.New("the shared devices belong to different sets")
		}
		if seen[h.Device] {
			return errors.New("one shared device is named twice")
		}
		seen[h.Device] = true
	}
	return nil
}

// Check says why devices do not make up a set for a node with these times.
func Check(ctx context.Context, devices []Medium, t Times) error {
	var headers []Header
	for _, m := range devices {
		h, err := bounded(ctx, func() (Header, error) { return readHeader(m) })
		if err != nil {
			return err
		}
		if err := t.Check(h); err != nil {
			return fmt.Errorf("%s: %w", m.Name(), err)
		}
		headers = append(headers, h)
	}
	return Fits(headers)
}

// CreateOptions say what set is to be made.
type CreateOptions struct {
	Times Times
	// Wait is the message wait; 0 takes the least that Times allow.
	Wait time.Duration
	// Overwrite what lies on the devices.
	Overwrite bool
	Now       time.Time
}

// Create makes a set of one to three devices. What lies on them is lost; a device on which something lies is refused, unless that is
// allowed.
func Create(ctx context.Context, devices []Medium, o CreateOptions) (Header, error) {
	if o.Wait == 0 {
		o.Wait = o.Times.Wait()
	}
	h := Header{Count: len(devices), Watchdog: o.Times.Watchdog, Wait: o.Wait, Created: o.Now}
	rand.Read(h.Set[:]) // never fails (crypto/rand)
	switch {
	case len(devices) < 1 || len(devices) > DevicesMax:
		return h, fmt.Errorf("make shared devices: %d are named; 1 to %d make a set", len(devices), DevicesMax)
	case h.Watchdog < WatchdogMin || h.Watchdog > WatchdogMax:
		return h, fmt.Errorf("make shared devices: a watchdog time-out of %v; %v to %v is allowed", h.Watchdog, WatchdogMin, WatchdogMax)
	case h.Wait > WaitMax:
		return h, fmt.Errorf("make shared devices: a message wait of %v; at most %v is allowed", h.Wait, WaitMax)
	}
	if err := o.Times.Check(h); err != nil {
		return h, fmt.Errorf("make shared devices: %w", err)
	}
	for i, m := range devices {
		for _, other := range devices[:i] {
			if other.Name() == m.Name() {
				return h, fmt.Errorf("make shared devices: %s is named twice", m.Name())
			}
		}
		raw, err := bounded(ctx, func() ([]byte, error) { return m.Read(0, Blocks) })
		if err != nil {
			return h, fmt.Errorf("make shared device: %w", err)
		}
		if what := contents(raw); what != "" && !o.Overwrite {
			return h, fmt.Errorf("make shared device %s: %s", m.Name(), what)
		}
	}
	for i, m := range devices {
		h.Index = i
		rand.Read(h.Device[:])
		if _, err := bounded(ctx, func() (struct{}, error) { return struct{}{}, format(m, h) }); err != nil {
			return h, fmt.Errorf("make shared device: %w", err)
		}
	}
	return h, nil
}

// contents says what lies on a device; it is empty for zeros.
func contents(raw []byte) string {
	if h, err := parseHeader(0, raw); err == nil {
		return fmt.Sprintf("it is a device for poison pills already, made on %s", h.Created.Format(time.DateOnly))
	}
	for _, b := range raw {
		if b != 0 {
			return "something lies on it, which would be lost"
		}
	}
	return ""
}

// format writes a device. The header comes last: a device that was made by half is none.
func format(m Medium, h Header) error {
	const step = 64
	for at := 0; at < Blocks; at += step {
		if err := m.Write(at, make([]byte, min(step, Blocks-at)*BlockSize)); err != nil {
			return err
		}
	}
	for n := range 2 {
		if err := m.Write(n, h.block(n)); err != nil {
			return err
		}
	}
	return nil
}

// Slot is one slot of a device, for people.
type Slot struct {
	Number   int
	Owner    Owner
	Messages []Message // those that ask for something
	Trouble  string
}

// Listing is what lies on a device.
type Listing struct {
	Device string
	Header Header
	Slots  []Slot // those that somebody has, or that are damaged
}

// List reads all that lies on a device.
func List(ctx context.Context, m Medium) (Listing, error) {
	l := Listing{Device: m.Name()}
	h, err := bounded(ctx, func() (Header, error) { return readHeader(m) })
	if err != nil {
		return l, err
	}
	l.Header = h
	raw, err := bounded(ctx, func() ([]byte, error) { return m.Read(0, Blocks) })
	if err != nil {
		return l, fmt.Errorf("read shared device: %w", err)
	}
	for n := 1; n < SlotsMax; n++ {
		r := parseRow(h.Device, n, blockOf(raw, ownerBlock(n)), raw[messageBlock(n, 0)*BlockSize:messageBlock(n+1, 0)*BlockSize])
		s := Slot{Number: n, Owner: r.Owner}
		if r.OwnerErr != nil {
			s.Trouble = r.OwnerErr.Error()
		}
		for _, m := range r.Messages {
			if m.Kind != None {
				s.Messages = append(s.Messages, m)
			}
		}
		if len(r.Damaged) > 0 {
			s.Trouble = fmt.Sprintf("messages of slots %v are damaged", r.Damaged)
		}
		if s.Owner.State != Free || s.Trouble != "" || len(s.Messages) > 0 {
			l.Slots = append(l.Slots, s)
		}
	}
	return l, nil
}

// people are the sources from which a person writes. Devices that cannot be read are among them, with their trouble.
func people(ctx context.Context, devices []Medium) ([]source, error) {
	var out []source
	var headers []Header
	for _, m := range devices {
		h, err := bounded(ctx, func() (Header, error) { return readHeader(m) })
		out = append(out, source{medium: m, header: h, slot: Person, trouble: err})
		headers = append(headers, h)
	}
	return out, Fits(headers)
}

// Speak sends a message in a person's name, and returns as Station.Send does.
func Speak(ctx context.Context, devices []Medium, kind byte, from, to string) error {
	sources, err := people(ctx, devices)
	if err != nil {
		return err
	}
	return send(ctx, sources, Sending{Kind: kind, From: from, To: to})
}

// Clear makes void what lies for a node, damaged messages included. It is a person's last resort: a pill that somebody waits for is
// then not delivered, and that node's fencing fails.
func Clear(ctx context.Context, devices []Medium, node string) error {
	sources, err := people(ctx, devices)
	if err != nil {
		return err
	}
	var failed []error
	for _, s := range sources {
		err := s.trouble
		if err == nil {
			_, err = bounded(ctx, func() (struct{}, error) { return struct{}{}, clearRow(s, node) })
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("clear what lies for %s on %s: %w", node, s.medium.Name(), err))
		}
	}
	return errors.Join(failed...)
}

func clearRow(s source, node string) error {
	raw, err := s.medium.Read(ownersAt, SlotsMax)
	if err != nil {
		return err
	}
	boot := ""
	to, err := address(s.header, raw, node, &boot)
	if err != nil {
		return err
	}
	row, err := s.medium.Read(messageBlock(to, 0), SlotsMax)
	if err != nil {
		return err
	}
	for from := range SlotsMax {
		m, err := parseMessage(s.header.Device, to, from, blockOf(row, from))
		if err == nil && m.Kind == None {
			continue
		}
		m.To = node
		if err != nil {
			m = Message{Seq: someSeq(), To: node}
		}
		p := post{medium: s.medium, header: s.header, from: from, to: to, m: m}
		if err := p.takeBack(); err != nil {
			return err
		}
	}
	return nil
}

// someSeq is a sequence number for where the one before cannot be read: higher than any that was counted up from an earlier one.
func someSeq() uint64 { return uint64(time.Now().Unix()) << 20 }
