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

// Session is the coordinator's end of a session with one node. Its methods may be called by any goroutine and do not block.
type Session struct {
	w      *wire
	lease  time.Duration
	out    chan any   // what is to be written; bounded by SessionQueueMax
	events chan Event // bounded; see Events
	gone   chan struct{}
	done   chan struct{} // closed when no goroutine of it is left

	once sync.Once
	err  error // set before gone is closed

	mu       sync.Mutex
	sentAt   map[uint64]time.Time // Renews not yet answered
	ackedAt  time.Time            // when the newest Renew that was answered had been sent
	renewSeq uint64
}

// Event is what a session tells. Exactly one field is set. Lost is the last event; then the channel is closed.
type Event struct {
	Result *transition.Result
	Fence  *fencing.Result
	Lost   error
}

// Dial opens a session over conn, which it owns from then on, also if it fails. A node that refuses the term gives a
// *TermError. Version is filled in. The session renews the node's lease by itself, every quarter of it.
func Dial(ctx context.Context, conn net.Conn, hello Hello) (*Session, Welcome, error) {
	if hello.Version == 0 {
		hello.Version = Version
	}
	w := newWire(conn)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	welcome, err := greet(w, hello)
	if !stop() && err == nil {
		err = fmt.Errorf("open session: %w", context.Cause(ctx))
	}
	if err != nil {
		conn.Close()
		return nil, Welcome{}, err
	}
	s := &Session{
		w: w, lease: hello.NodeLease,
		out: make(chan any, SessionQueueMax), events: make(chan Event, SessionQueueMax),
		gone: make(chan struct{}), done: make(chan struct{}),
		sentAt: map[uint64]time.Time{}, ackedAt: time.Now(),
	}
	var both sync.WaitGroup
	both.Go(s.write)
	both.Go(s.read)
	go func() {
		both.Wait()
		s.tellLost()
		close(s.done)
	}()
	return s, welcome, nil
}

func greet(w *wire, hello Hello) (Welcome, error) {
	if err := w.write(&hello, handshakeMax); err != nil {
		return Welcome{}, fmt.Errorf("open session: %w", err)
	}
	m, err := w.read(handshakeMax)
	if err != nil {
		return Welcome{}, fmt.Errorf("open session: %w", err)
	}
	switch x := m.(type) {
	case *Welcome:
		return *x, nil
	case *Refused:
		return Welcome{}, &TermError{Term: x.Term, Highest: x.Highest, Reason: x.Reason}
	}
	return Welcome{}, fmt.Errorf("open session: %s came where welcome was expected (this is version %d of the protocol)", messageType(m), Version)
}

// Events returns results as they come, and at last Lost; then it is closed. It has to be read: a session whose events nobody takes stops
// reading, and is lost when its lease ends.
func (s *Session) Events() <-chan Event { return s.events }

// Send hands an order to the node.
func (s *Session) Send(o transition.Order) error { return s.put(&o) }

// SendFence hands a fence order to the node.
func (s *Session) SendFence(o fencing.Order) error { return s.put(&o) }

// Cancel takes an order back that has not begun.
func (s *Session) Cancel(n transition.Numbers) error { return s.put(&Cancel{Numbers: n}) }

// SetPolicy tells the node what to do when it is cut off.
func (s *Session) SetPolicy(p Policy) error { return s.put(&p) }

// Ack says that the result of that call number is recorded.
func (s *Session) Ack(callID int64) error { return s.put(&AckResult{CallID: callID}) }

// Close ends the session. It waits until nothing of the session is left.
func (s *Session) Close() {
	s.lose(errors.New("closed by the coordinator"))
	<-s.done
}

func (s *Session) put(m any) error {
	select {
	case <-s.gone:
		return fmt.Errorf("send %s: the session is lost: %w", messageType(m), s.err)
	default:
	}
	select {
	case s.out <- m:
		return nil
	default:
		err := fmt.Errorf("send %s: %d messages wait already", messageType(m), SessionQueueMax)
		s.lose(err)
		return err
	}
}

// lose ends the session; it does not wait.
func (s *Session) lose(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.gone)
		s.w.conn.Close()
	})
}

// write sends what is put, and renews.
func (s *Session) write() {
	renew := time.NewTicker(max(s.lease/4, time.Millisecond))
	defer renew.Stop()
	for {
		var m any
		select {
		case <-s.gone:
			return
		case m = <-s.out:
		case now := <-renew.C:
			s.mu.Lock()
			if since := time.Since(s.ackedAt); since >= s.lease {
				s.mu.Unlock()
				s.lose(fmt.Errorf("the node answered no renewal for %v, its lease", since.Round(time.Millisecond)))
				return
			}
			s.renewSeq++
			s.sentAt[s.renewSeq] = now
			m = &Renew{Seq: s.renewSeq}
			s.mu.Unlock()
		}
		if err := s.w.write(m, s.lease); err != nil {
			s.lose(err)
			return
		}
	}
}

// read takes results in.
func (s *Session) read() {
	for {
		m, err := s.w.read(s.lease)
		if err != nil {
			s.lose(err)
			return
		}
		var ev Event
		switch x := m.(type) {
		case *transition.Result:
			ev.Result = x
		case *fencing.Result:
			ev.Fence = x
		case *RenewAck:
			s.mu.Lock()
			if at, ok := s.sentAt[x.Seq]; ok {
				s.ackedAt = at
				for seq := range s.sentAt {
					if seq <= x.Seq {
						delete(s.sentAt, seq)
					}
				}
			}
			s.mu.Unlock()
			continue
		default:
			s.lose(fmt.Errorf("receive: %s is no message to a coordinator (this is version %d of the protocol)", messageType(m), Version))
			return
		}
		if !s.deliver(ev) {
			return
		}
	}
}

// deliver hands an event out; it waits for room, unless the session ends.
func (s *Session) deliver(ev Event) bool {
	select {
	case s.events <- ev:
		return true
	case <-s.gone:
		return false
	}
}

// tellLost hands the last event out. If nobody took the ones before, the oldest give way: the node keeps results that are
// not acknowledged.
func (s *Session) tellLost() {
	for {
		select {
		case s.events <- Event{Lost: s.err}:
			close(s.events)
			return
		default:
		}
		select {
		case <-s.events:
		default:
		}
	}
}
