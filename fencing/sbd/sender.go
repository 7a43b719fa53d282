package sbd

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errWithdrawn is the end of a message that came too late to be one.
var errWithdrawn = errors.New("it was written too late, and taken back")

// post is one message on one device. It is used by one goroutine at a time.
type post struct {
	medium Medium
	header Header
	from   int // slot of the writer
	to     int // slot of the target, when it was found
	m      Message
	sealed []byte
}

// deliver writes the message and reads it back. If ctx has ended meanwhile it is taken back: an order that is void must not lie there.
func (p *post) deliver(ctx context.Context) error {
	raw, err := p.medium.Read(ownersAt, SlotsMax)
	if err != nil {
		return err
	}
	if p.to, err = address(p.header, raw, p.m.To, &p.m.Boot); err != nil {
		return err
	}
	at := messageBlock(p.to, p.from)
	if raw, err = p.medium.Read(at, 1); err != nil {
		return err
	}
	p.m.Seq = someSeq()
	if before, err := parseMessage(p.header.Device, p.to, p.from, raw); err == nil {
		p.m.Seq = before.Seq + 1
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err := p.write(); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return errors.Join(errWithdrawn, p.takeBack())
	}
	if lies, err := p.lies(); err != nil || !lies {
		return errors.Join(err, errors.New("what was written is not what is read back"), p.takeBack())
	}
	return nil
}

// address finds the slot of a node. Without a boot the node's present one is taken.
func address(h Header, owners []byte, node string, boot *string) (int, error) {
	why := fmt.Errorf("%s has no slot there", node)
	for n := 1; n < SlotsMax; n++ {
		o, err := parseOwner(h.Device, n, blockOf(owners, n))
		if err != nil || o.Node != node || o.State == Free {
			continue
		}
		switch {
		case *boot != "" && o.Boot != *boot:
			why = fmt.Errorf("%s has not read it since it booted", node)
		case o.State == Closed:
			why = fmt.Errorf("the daemon of %s does not run, and its watchdog is off", node)
		default:
			*boot = o.Boot
			return n, nil
		}
	}
	return 0, why
}

func (p *post) write() error {
	b, err := p.m.block(p.header.Device, p.to, p.from)
	if err != nil {
		return err
	}
	p.sealed = b
	return p.medium.Write(messageBlock(p.to, p.from), b)
}

// lies says whether the message lies there unchanged.
func (p *post) lies() (bool, error) {
	raw, err := p.medium.Read(messageBlock(p.to, p.from), 1)
	return err == nil && bytes.Equal(raw[:recordSize], p.sealed[:recordSize]), err
}

func (p *post) takeBack() error {
	if p.to == 0 {
		return nil
	}
	p.m.Seq, p.m.Kind = p.m.Seq+1, None
	return p.write()
}

// reply reads whether the target has dealt with the message, and in which state.
func (p *post) reply() (dealt bool, state byte, err error) {
	raw, err := p.medium.Read(ownerBlock(p.to), 1)
	if err != nil {
		return false, 0, err
	}
	o, err := parseOwner(p.header.Device, p.to, raw)
	return err == nil && o.Node == p.m.To && o.Boot == p.m.Boot && o.Answered[p.from] >= p.m.Seq, o.State, err
}

// Sending is a message to be sent.
type Sending struct {
	Kind byte
	From string // name of the node, or of the person
	To   string
	Boot string // the run of the target's machine; empty: the present one
	// Lies is told when the message lies on enough devices; Self is asked at the end whether this node may still speak.
	Lies func()
	Self func() error
}

// source is a device from which a message is written, and the writer's slot there.
type source struct {
	medium  Medium
	header  Header
	slot    int
	trouble error // why it cannot be used
}

// send delivers a message over the devices of a set, and returns nil once it counts as delivered. A message that was not is taken
// back where that can be.
func send(ctx context.Context, sources []source, s Sending) error {
	var id [8]byte
	rand.Read(id[:])
	var set Header
	for _, src := range sources {
		if src.trouble == nil {
			set = src.header
		}
	}
	d := NewDelivery(s.Kind, s.To, len(sources), set.Wait, set.Watchdog)
	if end, ok := ctx.Deadline(); ok && Deadly(s.Kind) && set.Count > 0 && time.Until(end) < set.Wait {
		return fmt.Errorf("a poison pill takes %v (message wait) to count, and the fencing's time is over in %v: set stonith-timeout, or pcmk_off_timeout and pcmk_reboot_timeout of the device, to at least %v",
			set.Wait, time.Until(end).Round(time.Millisecond), FencingTimeout(set.Wait))
	}
	posts := make([]*post, len(sources))
	type report struct {
		i   int
		err error
	}
	reports := make(chan report, len(sources))
	writing, cancel := context.WithTimeout(ctx, ioMax)
	defer cancel()
	for i, src := range sources {
		if src.trouble != nil {
			reports <- report{i, src.trouble}
			continue
		}
		p := &post{medium: src.medium, header: src.header, from: src.slot, m: Message{
			ID: binary.BigEndian.Uint64(id[:]), Kind: s.Kind, From: s.From, To: s.To, Boot: s.Boot,
		}}
		go func() { // a device that hangs is left alone: its goroutine takes the message back when it answers
			err := p.deliver(writing)
			if err == nil {
				posts[i] = p
			}
			reports <- report{i, err}
		}()
	}
	var all []*post
	left := len(sources)
	for d.Hopeless() == nil && left > 0 && writing.Err() == nil {
		select {
		case r := <-reports:
			left--
			if r.err != nil {
				d.Failed(sources[r.i].medium.Name(), r.err)
				continue
			}
			all = append(all, posts[r.i])
			d.Wrote(time.Now())
		case <-writing.Done():
			for range left {
				d.Failed("a device", fmt.Errorf("no answer within %v", ioMax))
			}
		}
	}
	// What is written from here on comes too late.
	cancel()
	err := d.Hopeless()
	if err == nil {
		if s.Lies != nil {
			s.Lies()
		}
		err = await(ctx, d, all, s.Self)
	}
	if err != nil {
		go func() {
			for range left {
				if r := <-reports; r.err == nil {
					_ = posts[r.i].takeBack() // a message that stays is dealt with by its target, or void after its next boot
				}
			}
		}()
	}
	if err != nil || !Deadly(s.Kind) {
		takeBack(all)
	}
	return err
}

// takeBack makes messages void, as far as the devices answer in time.
func takeBack(posts []*post) {
	var all sync.WaitGroup
	for _, p := range posts {
		all.Go(func() {
			_, _ = bounded(context.Background(), func() (struct{}, error) { return struct{}{}, p.takeBack() }) // as above
		})
	}
	all.Wait()
}

// await waits until the delivery can be judged, looking for an answer meanwhile.
func await(ctx context.Context, d *Delivery, posts []*post, self func() error) error {
	type answer struct {
		dealt bool
		state byte
	}
	answers := make(chan answer)
	looking, stop := context.WithCancel(ctx)
	defer stop()
	var looks sync.WaitGroup
	for _, p := range posts {
		looks.Go(func() {
			for looking.Err() == nil {
				dealt, state, err := p.reply()
				if err == nil && dealt {
					select {
					case answers <- answer{dealt, state}:
					case <-looking.Done():
					}
					return
				}
				t := time.NewTimer(glance)
				select {
				case <-t.C:
				case <-looking.Done():
				}
				t.Stop()
			}
		})
	}
	for {
		t := time.NewTimer(time.Until(d.Due()))
		select {
		case a := <-answers:
			t.Stop()
			d.Replied(time.Now(), a.state)
			continue
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
		break
	}
	stop()
	intact := make(chan bool, len(posts))
	for _, p := range posts {
		go func() {
			lies, err := p.lies()
			intact <- err == nil && lies
		}()
	}
	n := 0
	limit, cancel := context.WithTimeout(ctx, ioMax)
	defer cancel()
	for range posts {
		select {
		case ok := <-intact:
			if ok {
				n++
			}
		case <-limit.Done():
		}
	}
	if self == nil {
		self = func() error { return nil }
	}
	return d.Judge(n, self())
}
