package executor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"paceline/agent/transition"
	"paceline/fencing"
)

// nodeSession is the node's end of a session with the coordinator.
type nodeSession struct {
	hello Hello
	w     *wire
	wake  chan struct{} // capacity 1: there may be something to send
	gone  chan struct{} // closed by end

	once sync.Once
	why  string // set before gone is closed

	// Under Executor.mu:
	renewAck uint64 // number to answer; 0 for none
	sent     map[int64]bool
}

// end makes the session end; it does not wait.
func (s *nodeSession) end(why string) {
	s.once.Do(func() {
		s.why = why
		close(s.gone)
		s.w.conn.Close()
	})
}

// Serve holds one session with a coordinator and returns why it ended. It closes conn. A newer session replaces an older
// one of the same or a lower term.
func (e *Executor) Serve(ctx context.Context, conn net.Conn) error {
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	s := &nodeSession{w: newWire(conn), wake: make(chan struct{}, 1), gone: make(chan struct{}), sent: map[int64]bool{}}
	m, err := s.w.read(handshakeMax)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	hello, ok := m.(*Hello)
	if !ok {
		return fmt.Errorf("open session: %s came where hello was expected (this is version %d of the protocol)", messageType(m), Version)
	}
	s.hello = *hello
	welcome, refused := e.admit(s)
	if refused != nil {
		refused.Version, refused.Term = Version, hello.Term
		e.log.Warn("a session was refused", "node", e.cfg.Node, "term", hello.Term, "cause", refused.Reason)
		e.j.note(Entry{Kind: KindRefused, Reason: refused.Reason, Session: sessionLine(*hello)})
		if err := s.w.write(refused, handshakeMax); err != nil {
			return err
		}
		return &TermError{Term: hello.Term, Highest: refused.Highest, Reason: refused.Reason}
	}
	var writer sync.WaitGroup
	writer.Go(func() { s.end(e.send(s, welcome)) })
	err = e.receive(s)
	s.end(err.Error())
	writer.Wait()
	e.leave(s)
	return fmt.Errorf("session of term %d with %s: %s", s.hello.Term, s.hello.Coordinator, s.why)
}

func sessionLine(h Hello) *SessionLine {
	return &SessionLine{Term: h.Term, Coordinator: h.Coordinator, Cluster: h.Cluster, NodeLease: h.NodeLease}
}

// admit takes the session as the current one, after its term is on disk.
func (e *Executor) admit(s *nodeSession) (*Welcome, *Refused) {
	h := s.hello
	e.admission <- struct{}{} // one at a time: a lower term must not slip in while a higher one is written
	defer func() { <-e.admission }()
	if r := e.judge(h); r != nil {
		return nil, r
	}
	if why := e.ending(); why != "" {
		return nil, &Refused{Highest: h.Term, Reason: why}
	}
	watchdog := e.guard(h.Policy)
	t := time.NewTimer(min(probeWait, h.NodeLease/4))
	select {
	case <-e.probed:
	case <-t.C:
	}
	t.Stop()
	before := Welcome{Version: Version, Node: e.cfg.Node, ID: e.cfg.ID, Incarnation: e.cfg.Incarnation, Boot: e.cfg.Boot}
	e.j.view(func(x *State) { before.HighestTerm = x.Term })
	line := Entry{Kind: KindSession, Session: sessionLine(h), Policy: &h.Policy}
	if err := e.j.append(line, h.Term != before.HighestTerm, journalWait); err != nil {
		return nil, &Refused{Highest: before.HighestTerm, Reason: fmt.Sprintf("%s can not keep the term: %v", e.cfg.Node, err)}
	}
	e.mu.Lock()
	if e.closing {
		e.mu.Unlock()
		return nil, &Refused{Highest: before.HighestTerm, Reason: "the daemon ends"}
	}
	if e.session != nil {
		e.session.end("a newer session replaced it")
	}
	if h.Term < e.term {
		e.voidAll("refused: this node has joined another cluster")
	}
	e.session, e.term = s, h.Term
	before.CutOff = e.cutOffWas
	e.cutOffWas = ""
	if e.stopAlone != nil {
		e.stopAlone()
		e.stopAlone = nil
		if e.guarded {
			e.cfg.Watchdog.Release()
		}
	}
	e.stepLease(leaseHello{lease: h.NodeLease, policy: h.Policy})
	before.Running = e.inFlight()
	e.j.view(func(x *State) {
		for _, r := range x.Unacked {
			if r.IntervalMS == 0 {
				before.Unacked = append(before.Unacked, r.Resource)
			}
		}
	})
	before.Watchdog, before.PresumedDead = watchdog, e.presumedDead()
	e.announced = e.pillWait()
	before.PillWait = e.announced
	e.mu.Unlock()
	before.Inventory = e.Inventory()
	e.log.Info("a session is open", "node", e.cfg.Node, "term", h.Term, "coordinator", h.Coordinator)
	return &before, nil
}

// judge refuses what must not become a session; nil if it may.
func (e *Executor) judge(h Hello) *Refused {
	var s State
	e.j.view(func(x *State) { s.Term, s.Coordinator, s.Cluster = x.Term, x.Coordinator, x.Cluster })
	r := &Refused{Highest: s.Term}
	switch {
	case h.Version != Version:
		r.Reason = fmt.Sprintf("%s speaks version %d of the session protocol, the coordinator version %d", e.cfg.Node, Version, h.Version)
	case h.Coordinator == "" || h.Term == 0:
		r.Reason = "a session needs a term and the coordinator's name"
	case h.NodeLease < LeaseMin || h.NodeLease > LeaseMax:
		r.Reason = fmt.Sprintf("the node lease is %v; allowed are %v to %v", h.NodeLease, LeaseMin, LeaseMax)
	case s.Cluster != "" && s.Cluster != h.Cluster:
		return nil // the node has joined another cluster: its terms have nothing to do with the old ones
	case h.Term < s.Term:
		r.Reason = fmt.Sprintf("its term is %d, and %s has seen term %d of %s", h.Term, e.cfg.Node, s.Term, s.Coordinator)
	case h.Term == s.Term && s.Coordinator != h.Coordinator:
		r.Reason = fmt.Sprintf("term %d is that of coordinator %s, not of %s", h.Term, s.Coordinator, h.Coordinator)
	default:
		return nil
	}
	return r
}

// inFlight lists operations that run or wait; e.mu is held.
func (e *Executor) inFlight() []Running {
	out := []Running{}
	for _, name := range e.names() {
		r := e.resources[name]
		jobs := r.queue
		if r.running != nil {
			jobs = append([]*job{r.running}, jobs...)
		}
		for _, j := range jobs {
			if j.kind == jobRecurring || j.kind == jobProbe {
				continue
			}
			out = append(out, Running{Resource: name, Operation: j.action.Operation, IntervalMS: j.action.IntervalMS,
				Numbers: j.numbers, Begun: j == r.running})
		}
	}
	return out
}

// leave notes the end of a session.
func (e *Executor) leave(s *nodeSession) {
	e.mu.Lock()
	if e.session == s {
		e.session = nil
		e.stepLease(leaseLost{})
	}
	closing := e.closing
	e.mu.Unlock()
	if closing {
		return // the journal may be closed already; daemon-stop tells it
	}
	e.j.note(Entry{Kind: KindLost, Session: sessionLine(s.hello), Reason: s.why})
	e.log.Info("a session ended", "node", e.cfg.Node, "term", s.hello.Term, "cause", s.why)
}

// wakeSession makes the session look for something to send; e.mu is held.
func (e *Executor) wakeSession() {
	if e.session == nil {
		return
	}
	select {
	case e.session.wake <- struct{}{}:
	default:
	}
}

// send writes what there is to send until the session ends; it returns why.
func (e *Executor) send(s *nodeSession, welcome *Welcome) string {
	limit := s.hello.NodeLease
	if err := s.w.write(welcome, limit); err != nil {
		return err.Error()
	}
	for {
		for {
			m := e.outgoing(s)
			if len(m) == 0 {
				break
			}
			for _, m := range m {
				if err := s.w.write(m, limit); err != nil {
					return err.Error()
				}
				if f, ok := m.(*fencing.Result); ok {
					e.fenceSent(*f)
				}
			}
		}
		select {
		case <-s.wake:
		case <-s.gone:
			return s.why
		}
	}
}

// outgoing returns the messages to send now: acknowledgements first, they keep the session alive.
func (e *Executor) outgoing(s *nodeSession) []any {
	e.mu.Lock()
	defer e.mu.Unlock()
	var out []any
	if e.session != s {
		return nil
	}
	if s.renewAck != 0 {
		out = append(out, &RenewAck{Seq: s.renewAck})
		s.renewAck = 0
	}
	for _, f := range e.fenceOut {
		out = append(out, &f)
	}
	const few = 64 // then the next acknowledgement has its turn
	for _, r := range e.j.unacked(s.sent) {
		if len(out) >= few {
			break
		}
		s.sent[r.CallID] = true
		out = append(out, &r)
	}
	return out
}

// receive carries messages out until the session ends; it returns why.
func (e *Executor) receive(s *nodeSession) error {
	for {
		m, err := s.w.read(s.hello.NodeLease)
		if err != nil {
			select {
			case <-s.gone:
				return errors.New(s.why)
			default:
				return err
			}
		}
		if err := e.take(s, m); err != nil {
			return err
		}
	}
}

// take carries one message out.
func (e *Executor) take(s *nodeSession, m any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.session != s {
		return errors.New("it is not the current one any more")
	}
	switch x := m.(type) {
	case *Renew:
		// A pause is seen first: renewals that waited in the socket while this process stood still prolong nothing.
		e.stepLease(leaseRenew{})
		s.renewAck = x.Seq
		e.wakeSession()
	case *transition.Order:
		e.stepLease(leaseTick{})
		e.order(x)
	case *fencing.Order:
		e.stepLease(leaseTick{})
		e.fence(*x)
	case *Cancel:
		e.takeBack(x.Numbers)
	case *Policy:
		e.stepLease(leasePolicy{policy: *x})
		e.j.note(Entry{Kind: KindPolicy, Policy: x})
		if e.bindsAnew(*x) {
			return errors.New("the next one makes this node end itself when it is cut off, and says so to the coordinator")
		}
	case *AckResult:
		delete(s.sent, x.CallID)
		e.j.note(Entry{Kind: KindAck, CallID: x.CallID})
	default:
		return fmt.Errorf("%s is no message to a node (this is version %d of the protocol)", messageType(m), Version)
	}
	return nil
}
