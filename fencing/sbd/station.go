package sbd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Config of a Station. All but Logger and Now are required.
type Config struct {
	Node    string
	Boot    string // of this run of the machine
	Devices []Medium
	Times   Times
	// Doom ends the feeding of this machine's watchdog for good; End resets the machine, or powers it off, at once.
	Doom func(why string)
	End  func(why string, off bool)
	// Changed is told when Armed has changed.
	Changed func()
	// Now is the time in which readings are dated; it should count the time that the machine was suspended, too. Nil is time.Now.
	Now    func() time.Time
	Logger *slog.Logger
}

// Station is a node's part in a set of shared devices: it reads the messages for the node, and sends messages to others. Its methods may be
// called by any goroutine.
type Station struct {
	cfg  Config
	stop chan struct{}
	done sync.WaitGroup
	end  sync.Once

	mu      sync.Mutex // never held across a device
	watch   *Watch
	here    []place
	targets map[string]chan struct{} // capacity 1: one message at a time to each node
	ready   bool
	closed  bool
	closing bool // the owners' blocks are to say that the daemon ended in good order
}

// place is this node's slot on one device.
type place struct {
	medium Medium
	header Header
	slot   int // 0: not taken yet
	last   int // the slot that it was
	owner  Owner
	why    string        // it cannot be used
	look   chan struct{} // capacity 1: something is to be written at once
	told   string
}

// NewStation returns a station that does nothing until Start.
func NewStation(c Config) *Station {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Station{
		cfg: c, stop: make(chan struct{}), targets: map[string]chan struct{}{},
		watch: NewWatch(c.Node, c.Boot, len(c.Devices), c.Times.Fresh()),
	}
	for _, m := range c.Devices {
		s.here = append(s.here, place{medium: m, why: "it was not read yet", look: make(chan struct{}, 1)})
	}
	return s
}

// Start begins to read.
func (s *Station) Start() {
	for i := range s.here {
		s.done.Go(func() { s.run(i) })
	}
}

// run looks at one device, again and again. A device that hangs holds up nothing else.
func (s *Station) run(i int) {
	for {
		s.round(i)
		s.announce()
		t := time.NewTimer(Poll)
		select {
		case <-s.stop:
			t.Stop()
			s.sayGoodbye(i)
			return
		case <-s.here[i].look:
			t.Stop()
		case <-t.C:
		}
	}
}

// round takes the slot if that is not done, looks at the messages, and does what they ask for.
func (s *Station) round(i int) {
	if s.at(i).slot == 0 {
		if err := s.claim(i); err != nil {
			s.fail(i, err.Error())
			return
		}
	}
	p := s.at(i)
	begun := s.cfg.Now()
	row, err := p.read()
	if err != nil {
		s.fail(i, err.Error())
		return
	}
	s.mu.Lock()
	acts := s.watch.Looked(i, begun, row)
	trouble := s.watch.Trouble(i)
	write := s.watch.Doomed() != "" && p.owner.State == Armed
	s.mu.Unlock()
	for _, a := range acts {
		switch a := a.(type) {
		case Heard:
			s.cfg.Logger.Warn(a.Text, "device", p.medium.Name())
		case Claim:
			s.mu.Lock()
			s.here[i].slot = 0
			s.mu.Unlock()
		case Take:
			s.take(a.Message)
		case Answer:
			write = true
		}
	}
	if write {
		if err := s.answer(i); err != nil {
			trouble = err.Error()
		}
	}
	s.fail(i, trouble)
}

// at returns this node's slot on a device as it is now.
func (s *Station) at(i int) place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.here[i]
}

// read reads this node's slot and what lies for it.
func (p *place) read() (Row, error) {
	owner, err := p.medium.Read(ownerBlock(p.slot), 1)
	if err != nil {
		return Row{}, err
	}
	messages, err := p.medium.Read(messageBlock(p.slot, 0), SlotsMax)
	if err != nil {
		return Row{}, err
	}
	return parseRow(p.header.Device, p.slot, owner, messages), nil
}

// fail takes in why a device cannot be used; it is empty if it can.
func (s *Station) fail(i int, text string) {
	s.mu.Lock()
	p := &s.here[i]
	if text != "" {
		s.watch.Failed(i, text)
	}
	told := p.told
	p.why, p.told = text, text
	s.mu.Unlock()
	switch {
	case text != "" && told != text:
		s.cfg.Logger.Error("a shared device cannot be used", "device", p.medium.Name(), "cause", text)
	case text == "" && told != "":
		s.cfg.Logger.Info("a shared device can be used again", "device", p.medium.Name())
	}
}

// take ends this node: the feeding first, then its last word on the devices, then the machine.
func (s *Station) take(m Message) {
	why := fmt.Sprintf("a poison pill (%s) of %s lies on the shared devices", KindName(m.Kind), m.From)
	s.cfg.Logger.Error("this node takes a poison pill", "from", m.From, "kind", KindName(m.Kind))
	s.cfg.Doom(why)
	end := func() { s.end.Do(func() { s.cfg.End(why, m.Kind == Off) }) }
	time.AfterFunc(lastWords, end)
	for i := range s.here {
		s.poke(i)
	}
}

func (s *Station) poke(i int) {
	select {
	case s.here[i].look <- struct{}{}:
	default:
	}
}

// answer writes this node's block: what it has dealt with, and its state.
func (s *Station) answer(i int) error {
	s.mu.Lock()
	p := s.here[i]
	o := p.owner
	o.Seq++
	o.Answered = s.watch.Answered(i)
	if s.watch.Doomed() != "" {
		o.State = Dying
	}
	s.mu.Unlock()
	err := p.put(o)
	if err == nil {
		s.mu.Lock()
		s.here[i].owner = o
		s.mu.Unlock()
	}
	return err
}

// put writes the block of this node's slot.
func (p *place) put(o Owner) error {
	b, err := o.block(p.header.Device, p.slot)
	if err != nil {
		return err
	}
	return p.medium.Write(ownerBlock(p.slot), b)
}

// claim takes this node's slot on a device: the one that it has had, or a free one.
func (s *Station) claim(i int) error {
	s.mu.Lock()
	was := s.here[i]
	s.mu.Unlock()
	h, err := readHeader(was.medium)
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.here[i].header = h
	var headers []Header
	for _, p := range s.here {
		headers = append(headers, p.header)
	}
	s.mu.Unlock()
	if err := errors.Join(Fits(headers), s.cfg.Times.Check(h)); err != nil {
		return err
	}
	raw, err := was.medium.Read(ownersAt, SlotsMax)
	if err != nil {
		return err
	}
	slot, before := pick(h, raw, s.cfg.Node, was)
	if slot == 0 {
		return fmt.Errorf("all %d slots are taken: make the devices anew, once nodes that are gone are to be forgotten", SlotsMax-1)
	}
	mine := place{medium: was.medium, header: h, slot: slot}
	if before.Node != s.cfg.Node {
		before = Owner{Seq: before.Seq}
	}
	mine.owner = Owner{Seq: before.Seq + 1, State: Armed, Node: s.cfg.Node, Boot: s.cfg.Boot, Answered: before.Answered}
	if err := mine.put(mine.owner); err != nil {
		return err
	}
	if before.Node != s.cfg.Node {
		time.Sleep(claimPause) // another node may have taken the same slot at the same time: one of the two reads the other's name
	}
	row, err := mine.read()
	if err != nil {
		return err
	}
	if row.OwnerErr != nil || row.Owner.Node != s.cfg.Node || row.Owner.Boot != s.cfg.Boot {
		return errors.New("another node has taken the same slot: this one takes another")
	}
	if err := mine.mend(); err != nil {
		return err
	}
	s.mu.Lock()
	p := &s.here[i]
	p.slot, p.last, p.owner = slot, slot, mine.owner
	s.watch.Claimed(i, mine.owner.Answered)
	s.mu.Unlock()
	s.cfg.Logger.Info("this node reads a shared device", "device", was.medium.Name(), "slot", slot)
	return nil
}

// pick chooses a node's slot: its own, also where that was damaged, or else the first free one. 0 is none.
func pick(h Header, owners []byte, node string, was place) (int, Owner) {
	free, of := 0, Owner{}
	for n := 1; n < SlotsMax; n++ {
		o, err := parseOwner(h.Device, n, blockOf(owners, n))
		switch {
		case err != nil && n == was.last:
			return n, was.owner
		case err == nil && o.Node == node && o.State != Free:
			return n, o
		case err == nil && o.State == Free && free == 0:
			free, of = n, o
		}
	}
	return free, of
}

// mend writes this node's own messages anew that cannot be read: it died while it wrote them.
func (p *place) mend() error {
	for to := 1; to < SlotsMax; to++ {
		raw, err := p.medium.Read(messageBlock(to, p.slot), 1)
		if err != nil {
			return err
		}
		if _, err := parseMessage(p.header.Device, to, p.slot, raw); err == nil {
			continue
		}
		m := post{medium: p.medium, header: p.header, from: p.slot, to: to, m: Message{Seq: someSeq()}}
		if err := m.takeBack(); err != nil {
			return err
		}
	}
	return nil
}

// sayGoodbye tells the others that nothing runs here any more, if that is so.
func (s *Station) sayGoodbye(i int) {
	s.mu.Lock()
	p := s.here[i]
	o, say := p.owner, s.closing && p.slot != 0 && s.watch.Doomed() == ""
	s.mu.Unlock()
	if !say {
		return
	}
	o.Seq, o.State = o.Seq+1, Closed
	if err := p.put(o); err != nil {
		s.cfg.Logger.Warn("a shared device does not know that this node ends in good order", "device", p.medium.Name(), "err", err)
	}
}

// Proof is for the watchdog: nil as long as enough devices are read.
func (s *Station) Proof() error {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.watch.Alive(now)
}

// Armed says whether a poison pill reaches this node: it has its slot on as many devices as a pill needs. The wait is the message
// wait of the set.
func (s *Station) Armed() (wait time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	write, _ := Quorum(len(s.here))
	n, why := 0, ""
	for _, p := range s.here {
		if p.slot != 0 && p.owner.State == Armed {
			n++
			wait = p.header.Wait
		} else if why == "" {
			why = p.medium.Name() + ": " + p.why
		}
	}
	switch {
	case s.closed:
		return 0, errors.New("the daemon ends")
	case s.watch.Doomed() != "":
		return 0, errors.New("this node ends itself: " + s.watch.Doomed())
	case n < write:
		return 0, fmt.Errorf("this node has its slot on %d of %d shared devices, and %d are needed; %s", n, len(s.here), write, why)
	}
	return wait, nil
}

// announce tells that Armed has changed.
func (s *Station) announce() {
	_, err := s.Armed()
	s.mu.Lock()
	changed := s.ready != (err == nil)
	s.ready = err == nil
	s.mu.Unlock()
	if changed && s.cfg.Changed != nil {
		s.cfg.Changed()
	}
}

// Trouble says what is wrong with devices, by their names.
func (s *Station) Trouble() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[string]string{}
	for _, p := range s.here {
		if p.why != "" {
			out[p.medium.Name()] = p.why
		}
	}
	return out
}

// Names returns the devices' names.
func (s *Station) Names() []string {
	var out []string
	for _, p := range s.here {
		out = append(out, p.medium.Name())
	}
	return out
}

// Send delivers a message to a node, in the run of its machine that is named. A pill counts as delivered when its target is dead in
// truth; a test when it was answered.
func (s *Station) Send(ctx context.Context, kind byte, to, boot string) error {
	if to == s.cfg.Node {
		return errors.New("a node sends no message to itself")
	}
	s.mu.Lock()
	turn := s.targets[to]
	if turn == nil {
		turn = make(chan struct{}, 1)
		s.targets[to] = turn
	}
	s.mu.Unlock()
	select {
	case turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-turn }()
	s.mu.Lock()
	var sources []source
	for _, p := range s.here {
		src := source{medium: p.medium, header: p.header, slot: p.slot}
		if p.slot == 0 {
			src.trouble = errors.New(cmp.Or(p.why, "it was not read yet"))
		}
		sources = append(sources, src)
	}
	var err error
	if Deadly(kind) {
		err = s.watch.Sends(to)
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	sending := Sending{Kind: kind, From: s.cfg.Node, To: to, Boot: boot, Self: s.speaks}
	if Deadly(kind) {
		sending.Lies = func() { s.with(func(w *Watch) { w.Lies(to) }) }
		defer s.with(func(w *Watch) { w.Over(to) })
	}
	return send(ctx, sources, sending)
}

func (s *Station) with(do func(*Watch)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do(s.watch)
}

// speaks says why this node's own word does not count: it has taken a pill, or cannot know of one.
func (s *Station) speaks() error { return s.Proof() }

// Reaches says whether a node has its slot on as many devices as a pill needs.
func (s *Station) Reaches(ctx context.Context, node, boot string) error {
	write, _ := Quorum(len(s.here))
	n := 0
	var why []string
	for _, p := range s.snapshot() {
		_, err := bounded(ctx, func() (int, error) {
			h, err := readHeader(p.medium)
			if err != nil {
				return 0, err
			}
			raw, err := p.medium.Read(ownersAt, SlotsMax)
			if err != nil {
				return 0, err
			}
			b := boot
			return address(h, raw, node, &b)
		})
		if err == nil {
			n++
			continue
		}
		why = append(why, p.medium.Name()+": "+err.Error())
	}
	if n < write {
		return fmt.Errorf("%s has its slot on %d of %d shared devices, and %d are needed: %s", node, n, len(s.here), write, why[0])
	}
	return nil
}

func (s *Station) snapshot() []place {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.here)
}

// Close ends the reading. Idle says that nothing runs on this node and that its watchdog is off: no message reaches it any more, and the
// others are told so. A device that hangs is left behind.
func (s *Station) Close(idle bool) {
	s.mu.Lock()
	was := s.closed
	s.closed, s.closing = true, idle
	s.mu.Unlock()
	if was {
		return
	}
	close(s.stop)
	ended := make(chan struct{})
	go func() { s.done.Wait(); close(ended) }()
	t := time.NewTimer(ioMax)
	defer t.Stop()
	select {
	case <-ended:
	case <-t.C:
	}
}
