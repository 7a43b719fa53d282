package links

import (
	"slices"
	"time"
)

// State is what is known of a link to another node.
type State string

// The states of a link.
const (
	Up     State = "up"
	Down   State = "down"   // it does not answer, and another link to the same node does
	Silent State = "silent" // it does not answer, and neither does any other
)

// Status is a link as status shows it.
type Status struct {
	Link    int    // from 0
	Address string // of the other node
	State   State
	Since   time.Time     // of State
	Round   time.Duration // the last answer's round trip; 0: there was none
}

// Change is a link that went down or came back.
type Change struct {
	Node   string
	Status // the new one
}

// Probe is to be sent on a link. Its answer carries the number.
type Probe struct {
	Link   int
	Number uint64
}

// Table is what is known of the links to the other nodes. It has no clock and no network: it is told what was sent and answered.
// It is not safe for concurrent use.
type Table struct {
	times Times
	next  uint64 // number of the next probe
	nodes map[string][]link
}

type link struct {
	address  string
	up       bool
	since    time.Time
	round    time.Duration
	number   uint64 // of the last probe; 0: answered, or none sent
	sent     time.Time
	missed   int // probes in a row
	answered int // in a row
	silent   time.Time
}

// NewTable makes an empty table. Probes are numbered from first, which should be hard to guess.
func NewTable(t Times, first uint64) *Table {
	return &Table{times: t, next: first | 1, nodes: map[string][]link{}}
}

// Learn sets the addresses of a node, one for each link. A link whose address is new counts as up until it misses probes. A node
// with one link needs no choice, and is forgotten.
func (t *Table) Learn(node string, addresses []string, now time.Time) {
	old := t.nodes[node]
	if len(addresses) < 2 || old == nil && len(t.nodes) >= nodesMax {
		delete(t.nodes, node)
		return
	}
	list := make([]link, len(addresses))
	for i, a := range addresses {
		if i < len(old) && old[i].address == a {
			list[i] = old[i]
			continue
		}
		list[i] = link{address: a, up: true, since: now}
	}
	t.nodes[node] = list
}

// Forget drops what is known of a node.
func (t *Table) Forget(node string) { delete(t.nodes, node) }

// Nodes returns the nodes with more than one link, sorted.
func (t *Table) Nodes() []string {
	var list []string
	for n := range t.nodes {
		list = append(list, n)
	}
	slices.Sort(list)
	return list
}

// Round takes stock of the probes before, and returns the next: one on each link to the node.
func (t *Table) Round(node string, now time.Time) (probes []Probe, changes []Change) {
	list := t.nodes[node]
	heard := false
	for i := range list {
		l := &list[i]
		if l.number != 0 { // still unanswered
			if l.missed == 0 {
				l.silent = l.sent
			}
			l.missed++
			l.answered = 0
		}
		heard = heard || l.missed == 0 && !l.sent.IsZero()
	}
	for i := range list {
		l := &list[i]
		if heard && l.up && l.missed >= t.times.Misses {
			l.up, l.since = false, now
			changes = append(changes, Change{node, t.status(i, *l)})
		}
		t.next++
		if t.next == 0 {
			t.next++
		}
		l.number, l.sent = t.next, now
		probes = append(probes, Probe{Link: i, Number: t.next})
	}
	return probes, changes
}

// Answered takes in the answer to a probe. One that was given up, or never sent, is ignored.
func (t *Table) Answered(number uint64, now time.Time) []Change {
	if number == 0 {
		return nil
	}
	for _, node := range t.Nodes() {
		list := t.nodes[node]
		for i := range list {
			l := &list[i]
			if l.number != number {
				continue
			}
			l.number, l.missed = 0, 0
			l.round = now.Sub(l.sent)
			l.answered++
			if !l.up && l.answered >= t.times.Answers {
				l.up, l.since = true, now
				return []Change{{node, t.status(i, *l)}}
			}
			return nil
		}
	}
	return nil
}

// Order returns the links to a node, those to be tried first before the others: up, in the order of their numbers; then
// silent; then down.
func (t *Table) Order(node string) []int {
	list := t.nodes[node]
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	rank := map[State]int{Up: 0, Silent: 1, Down: 2}
	slices.SortStableFunc(order, func(a, b int) int { return rank[t.state(list[a])] - rank[t.state(list[b])] })
	return order
}

// Address returns the address of a node on a link, "" if there is no such link.
func (t *Table) Address(node string, n int) string {
	if list := t.nodes[node]; n >= 0 && n < len(list) {
		return list[n].address
	}
	return ""
}

// States returns the links to a node, by number.
func (t *Table) States(node string) []Status {
	var out []Status
	for i, l := range t.nodes[node] {
		out = append(out, t.status(i, l))
	}
	return out
}

func (t *Table) state(l link) State {
	switch {
	case !l.up:
		return Down
	case l.missed >= t.times.Misses:
		return Silent
	}
	return Up
}

func (t *Table) status(i int, l link) Status {
	s := Status{Link: i, Address: l.address, State: t.state(l), Since: l.since, Round: l.round}
	if s.State == Silent {
		s.Since = l.silent
	}
	return s
}
