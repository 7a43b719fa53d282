package simulation

import (
	"maps"
	"slices"
	"time"

	"paceline/agent/coordinator"
	"paceline/agent/transition"
	"paceline/fencing"
)

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// session is one from a coordinator to an executor: messages arrive in order, or not at all; while the link is cut they
// wait, until one of the two gives the session up.
type session struct {
	w          *world
	from, to   *node
	fromInc    int
	toInc      int
	term       uint64
	openFrom   bool // the coordinator has not given it up
	openTo     bool // the executor has not
	down, back pipe
	answered   time.Duration // the last answer to a renewal
}

// pipe is one direction.
type pipe struct {
	queue   []func()
	running bool
}

// dial opens a session; the Core is told how it went.
func (n *node) dial(name string) {
	to := n.w.node(name)
	if to == nil || n.dialling[name] {
		return
	}
	n.dialling[name] = true
	core, w := n.core, n.w
	s := &session{w: w, from: n, to: to, fromInc: n.inc, term: n.coreTerm}
	began := w.now
	answer := func(d time.Duration, ev coordinator.Event) {
		n.later(d, func() {
			if n.core != core {
				return
			}
			delete(n.dialling, name)
			if up, ok := ev.(coordinator.SessionUp); ok {
				if !s.openTo {
					ev = coordinator.SessionDown{Node: name, Why: "it was replaced"}
				} else {
					if old := n.sessions[name]; old != nil {
						old.close("there is a newer one")
					}
					n.sessions[name] = s
					s.openFrom, s.answered = true, w.now
					s.renew()
					ev = up
				}
			}
			n.tellCore(ev)
			if s.openFrom {
				s.to.when(s.toInc, func() { s.to.executor.resend(s) })
			}
		})
	}
	var attempt func()
	attempt = func() {
		switch {
		case n.core != core:
		case w.now-began > dialMax:
			answer(0, coordinator.SessionDown{Node: name, Why: "no answer"})
		case w.opt.Broken.NoWelcome && to.inc > 1, !to.up || w.now < to.paused || !w.reaches(n, to) || !w.reaches(to, n):
			n.later(50*time.Millisecond, attempt)
		default:
			why := to.executor.hello(s)
			if why != "" {
				answer(w.latency(), coordinator.SessionDown{Node: name, Why: why})
				return
			}
			s.toInc, s.openTo = to.inc, true
			answer(w.latency(), coordinator.SessionUp{
				Node: name, ID: to.id, Incarnation: to.incarnation(), Boot: to.bootID(), Running: to.executor.running(), Unacked: to.executor.repeats(),
			})
		}
	}
	n.later(w.latency(), attempt)
}

// push sends in one direction.
func (s *session) push(p *pipe, from, to *node, inc int, open *bool, do func()) {
	if from.mute {
		return
	}
	p.queue = append(p.queue, func() {
		to.when(inc, func() {
			if *open {
				do()
			}
		})
	})
	if p.running {
		return
	}
	p.running = true
	var pump func()
	pump = func() {
		switch {
		case len(p.queue) == 0:
			p.running = false
		case !s.openFrom && !s.openTo:
			p.queue, p.running = nil, false
		case !s.w.reaches(from, to):
			s.w.after(stallPoll, pump)
		default:
			head := p.queue[0]
			p.queue = p.queue[1:]
			head()
			s.w.after(10*time.Microsecond, pump)
		}
	}
	d := s.w.latency()
	if s.w.slow > 0 {
		d = s.w.between(latencyMin, s.w.slow)
	}
	s.w.after(d, pump)
}

func (s *session) toNode(do func()) { s.push(&s.down, s.from, s.to, s.toInc, &s.openTo, do) }
func (s *session) toCore(do func()) {
	s.push(&s.back, s.to, s.from, s.fromInc, &s.openFrom, do)
}

func (s *session) order(o transition.Order) { s.toNode(func() { s.to.executor.order(o, s) }) }
func (s *session) ack(call int64)           { s.toNode(func() { s.to.executor.acked(call) }) }
func (s *session) policy(p string)          { s.toNode(func() { s.to.executor.policy = p }) }

func (s *session) fence(o fencing.Order) {
	s.toNode(func() {
		s.to.executor.fence(o, s.term, func(r fencing.Result) {
			s.toCore(func() { s.from.tellCore(coordinator.FenceReported{Result: r}) })
		})
	})
}

func (s *session) result(r transition.Result) {
	s.toCore(func() { s.from.tellCore(coordinator.Reported{Result: r}) })
}

// renew keeps the lease of the node, and finds out that a session is dead.
func (s *session) renew() {
	if !s.openFrom {
		return
	}
	if s.w.now-s.answered > sessionDead {
		s.lost("no renewal is answered")
		return
	}
	s.toNode(func() {
		s.to.executor.renewed()
		s.toCore(func() { s.answered = s.w.now })
	})
	s.from.later(renewEvery, s.renew)
}

// lost is the coordinator's side finding the session dead.
func (s *session) lost(why string) {
	if !s.openFrom {
		return
	}
	s.openFrom = false
	if s.from.sessions[s.to.name] == s {
		delete(s.from.sessions, s.to.name)
		s.from.tellCore(coordinator.SessionDown{Node: s.to.name, Why: why})
	}
}

// close is the coordinator's side ending it: the executor learns that if the link lets it.
func (s *session) close(string) {
	s.openFrom = false
	to, inc := s.to, s.toInc
	s.w.after(s.w.latency(), func() {
		if s.w.reaches(s.from, to) {
			to.when(inc, func() { to.executor.sessionEnds(s) })
		}
	})
}

// endTo is the executor's side ending it.
func (s *session) endTo() {
	s.openTo = false
	from, inc := s.from, s.fromInc
	s.w.after(s.w.latency(), func() {
		if s.w.reaches(s.to, from) {
			from.when(inc, func() { s.lost("the node ended it") })
		}
	})
}
