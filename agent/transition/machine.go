package transition

import (
	"fmt"
	"sort"
	"strings"
	"time"
)

// Limits bound what is under way at once.
type Limits struct {
	Batch   int // orders in flight in the whole cluster (batch-limit); 0 means BatchDefault
	PerNode int // orders in flight per node (node-action-limit); 0 means PerNodeDefault
}

type state int

const (
	waiting   state = iota // something it comes after is not confirmed
	inFlight               // handed out, not yet confirmed
	confirmed              // its success is committed
	failed                 // ended without success: nothing that comes after it will be handed out
)

// Machine advances one graph. It is a step machine: every method returns at once, and time enters as a value. The
// zero value is not usable; see NewMachine.
type Machine struct {
	graph   *Graph
	numbers Numbers // Term, Revision and Graph of every order
	limits  Limits

	order    []*Action // by priority descending, then ID
	byID     map[int]*Action
	state    map[int]state
	pending  map[int]int   // action -> how many of its predecessors are not confirmed
	next     map[int][]int // action -> actions that come after it, ascending
	deadline map[int]time.Time
	aborted  string
	finished int // confirmed or failed
}

// NewMachine returns a machine that has handed out nothing. It refuses a graph that is not one: an ID twice, an order on
// something that is not there, or a cycle (which would wait for ever).
func NewMachine(g *Graph, term, revision, number uint64, limits Limits) (*Machine, error) {
	if limits.Batch <= 0 {
		limits.Batch = BatchDefault
	}
	if limits.PerNode <= 0 {
		limits.PerNode = PerNodeDefault
	}
	m := &Machine{
		graph:    g,
		numbers:  Numbers{Term: term, Revision: revision, Graph: number},
		limits:   limits,
		order:    append([]*Action(nil), g.Actions...),
		byID:     make(map[int]*Action, len(g.Actions)),
		state:    make(map[int]state, len(g.Actions)),
		pending:  make(map[int]int, len(g.Actions)),
		next:     make(map[int][]int, len(g.Actions)),
		deadline: map[int]time.Time{},
	}
	for _, a := range g.Actions {
		if m.byID[a.ID] != nil {
			return nil, fmt.Errorf("transition %d: action %d is there twice", number, a.ID)
		}
		m.byID[a.ID] = a
	}
	for _, a := range g.Actions {
		for _, p := range a.After {
			if m.byID[p] == nil {
				return nil, fmt.Errorf("transition %d: action %d comes after %d, which is not there", number, a.ID, p)
			}
			m.pending[a.ID]++
			m.next[p] = append(m.next[p], a.ID)
		}
	}
	sort.SliceStable(m.order, func(i, j int) bool {
		if m.order[i].Priority != m.order[j].Priority {
			return m.order[i].Priority > m.order[j].Priority
		}
		return m.order[i].ID < m.order[j].ID
	})
	if id, ok := m.cycle(); ok {
		return nil, fmt.Errorf("transition %d: action %d waits for itself", number, id)
	}
	return m, nil
}

// cycle returns an action that is part of a cycle (Kahn's algorithm: what is left over).
func (m *Machine) cycle() (int, bool) {
	left := make(map[int]int, len(m.pending))
	var free []int
	for _, a := range m.order {
		left[a.ID] = m.pending[a.ID]
		if left[a.ID] == 0 {
			free = append(free, a.ID)
		}
	}
	seen := 0
	for ; len(free) > 0; seen++ {
		id := free[len(free)-1]
		free = free[:len(free)-1]
		for _, n := range m.next[id] {
			if left[n]--; left[n] == 0 {
				free = append(free, n)
			}
		}
	}
	if seen == len(m.order) {
		return 0, false
	}
	for _, a := range m.order {
		if left[a.ID] > 0 {
			return a.ID, true
		}
	}
	return 0, false
}

// Ready hands out the orders whose turn has come, within the limits, best first. Pseudo actions are confirmed on the way.
// Each order is handed out once. After an abort there are none but notifications of what has been done: the next plan does not
// know that nobody was told.
func (m *Machine) Ready(now time.Time) []Order {
	busy, perNode := 0, map[string]int{}
	for id, s := range m.state {
		if s == inFlight && m.byID[id].Kind == KindResource {
			busy++
			perNode[m.byID[id].executor()]++
		}
	}
	var out []Order
	for again := true; again; {
		again = false
		for _, a := range m.order {
			if !m.free(a) {
				continue
			}
			if a.Kind == KindPseudo {
				m.settle(a.ID, confirmed)
				again = true // it may have freed an action listed before it
				continue
			}
			if a.Kind == KindResource {
				if busy >= m.limits.Batch || perNode[a.executor()] >= m.limits.PerNode {
					continue
				}
				busy++
				perNode[a.executor()]++
				m.deadline[a.ID] = now.Add(a.Budget() + Grace)
			}
			m.state[a.ID] = inFlight
			n := m.numbers
			n.Action = a.ID
			out = append(out, Order{Numbers: n, Action: a})
		}
	}
	return out
}

// free tells whether nothing that the action comes after is missing, and no abort stands against it.
func (m *Machine) free(a *Action) bool {
	if m.state[a.ID] != waiting || m.pending[a.ID] > 0 {
		return false
	}
	return m.aborted == "" || a.Kind == KindPseudo || a.Kind == KindResource && strings.HasPrefix(a.Notify, "post-")
}

// executor returns the cluster node that carries the action out.
func (a *Action) executor() string {
	if a.Router != "" {
		return a.Router
	}
	return a.Node
}

// Executor returns the cluster node that carries the action out: Router for remote and guest nodes, else Node.
func (a *Action) Executor() string { return a.executor() }

// Budget is how long the executor may take: the operation's time-out and start delay.
func (a *Action) Budget() time.Duration {
	t := time.Duration(a.TimeoutMS) * time.Millisecond
	if t <= 0 {
		t = TimeoutDefault
	}
	return t + time.Duration(a.StartDelayMS)*time.Millisecond
}

func (m *Machine) settle(id int, s state) {
	if old := m.state[id]; old == confirmed || old == failed {
		return
	}
	m.state[id] = s
	m.finished++
	delete(m.deadline, id)
	if s == confirmed {
		for _, n := range m.next[id] {
			m.pending[n]--
		}
	}
}

// InFlight returns the action that an order of these numbers belongs to, if it is one of this machine's and still in
// flight. It is how a result is matched: anything else is late.
func (m *Machine) InFlight(n Numbers) (*Action, bool) {
	if n.Term != m.numbers.Term || n.Graph != m.numbers.Graph {
		return nil, false
	}
	a := m.byID[n.Action]
	if a == nil || m.state[a.ID] != inFlight {
		return nil, false
	}
	return a, true
}

// Confirm says that the action's success is committed. What comes after it may now become ready. It does nothing for an
// action that is not in flight.
func (m *Machine) Confirm(action int) {
	if m.state[action] == inFlight {
		m.settle(action, confirmed)
	}
}

// Fail says that the action ended without success. Nothing that comes after it is handed out any more.
func (m *Machine) Fail(action int) {
	if m.state[action] == inFlight {
		m.settle(action, failed)
	}
}

// Abort stops handing out orders, but for notifications of what has been done; those in flight still end. The first reason is
// kept.
func (m *Machine) Abort(why string) {
	if m.aborted == "" {
		m.aborted = why
	}
}

// Aborted returns why the machine was aborted; empty if it was not.
func (m *Machine) Aborted() string { return m.aborted }

// Numbers returns term, revision and number of the transition.
func (m *Machine) Numbers() Numbers { return m.numbers }

// Expired returns the actions in flight whose deadline has passed, by ID, and each only once: the caller makes a result of
// it, and ends the action when that is committed.
func (m *Machine) Expired(now time.Time) []*Action {
	out := m.flying(func(a *Action) bool { d, ok := m.deadline[a.ID]; return ok && !now.Before(d) })
	for _, a := range out {
		delete(m.deadline, a.ID)
	}
	return out
}

// OnNode returns the actions in flight that the node carries out, by ID: what is lost with it.
func (m *Machine) OnNode(node string) []*Action {
	return m.flying(func(a *Action) bool { return a.Kind == KindResource && a.executor() == node })
}

// Flying returns all actions in flight of a kind, by ID.
func (m *Machine) Flying(k Kind) []*Action {
	return m.flying(func(a *Action) bool { return a.Kind == k })
}

func (m *Machine) flying(want func(*Action) bool) []*Action {
	var out []*Action
	for _, a := range m.graph.Actions {
		if m.state[a.ID] == inFlight && want(a) {
			out = append(out, a)
		}
	}
	return out
}

// Deadline returns the earliest deadline of an order in flight; zero if there is none.
func (m *Machine) Deadline() time.Time {
	var first time.Time
	for _, d := range m.deadline {
		if first.IsZero() || d.Before(first) {
			first = d
		}
	}
	return first
}

// Settled reports that nothing more will come of the machine: all is confirmed, or nothing is in flight and the rest
// can not be handed out (a failure before it, or an abort). Fencings in flight do not hold it up after an abort: they
// are the fencer's, and a new transition takes them over.
func (m *Machine) Settled() bool {
	if m.finished == len(m.order) {
		return true
	}
	for id, s := range m.state {
		if s == inFlight && (m.aborted == "" || m.byID[id].Kind != KindFence) {
			return false
		}
	}
	for _, a := range m.order {
		if m.free(a) {
			return false
		}
	}
	return true
}

// Left returns how many actions other than pseudo ones are not confirmed.
func (m *Machine) Left() int {
	n := 0
	for _, a := range m.order {
		if a.Kind != KindPseudo && m.state[a.ID] != confirmed {
			n++
		}
	}
	return n
}

// Real counts the actions of a graph that change or ask something: all but pseudo ones.
func (g *Graph) Real() int {
	n := 0
	for _, a := range g.Actions {
		if a.Kind != KindPseudo {
			n++
		}
	}
	return n
}

// Pending returns the real actions that are in flight and those that wait, each by ID.
func (m *Machine) Pending() (flying, waits []*Action) {
	for _, a := range m.graph.Actions {
		switch {
		case a.Kind == KindPseudo:
		case m.state[a.ID] == inFlight:
			flying = append(flying, a)
		case m.state[a.ID] == waiting:
			waits = append(waits, a)
		}
	}
	return flying, waits
}

// Outcome returns the real actions by how they stand: confirmed, failed, and those that did not run or whose end is not
// known; each by ID.
func (m *Machine) Outcome() (done, broken, rest []*Action) {
	for _, a := range m.graph.Actions {
		switch {
		case a.Kind == KindPseudo:
		case m.state[a.ID] == confirmed:
			done = append(done, a)
		case m.state[a.ID] == failed:
			broken = append(broken, a)
		default:
			rest = append(rest, a)
		}
	}
	return done, broken, rest
}
