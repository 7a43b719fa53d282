package cluster

import (
	"maps"
	"slices"
	"strings"
	"time"

	"paceline/agent/audit"
	"paceline/agent/audit/journals"
	"paceline/agent/executor"
	"paceline/integration/lab"
	"paceline/resources"
)

// Teller makes facts of what nodes' journals and the power switch say. It keeps what it needs to know of what it was told before.
type Teller struct {
	readers map[string]*journals.Reader
	dark    map[string]string // the boot in which a node last lost its power
}

// NewTeller returns a Teller that was told nothing.
func NewTeller() *Teller { return &Teller{map[string]*journals.Reader{}, map[string]string{}} }

func (t *Teller) reader(node string) *journals.Reader {
	if t.readers[node] == nil {
		t.readers[node] = journals.NewReader(node)
		t.readers[node].PowerIsKnown = true
	}
	return t.readers[node]
}

// moment is a line of a journal, an event at the switch, or a fact known otherwise.
type moment struct {
	at    int64 // milliseconds of CLOCK_MONOTONIC
	node  string
	entry *executor.Entry
	gap   bool // of the entry, a checkpoint, only what ended before it without a line
	power *lab.PowerEvent
	fact  *audit.Fact
}

// late says that, of two moments of the same millisecond, this is to be taken second: what makes something active. What ended was
// over before it.
func (m moment) late() bool {
	return m.entry != nil && m.entry.Kind == executor.KindBegin && (m.entry.Operation == resources.Start || m.entry.Operation == resources.Promote)
}

// Tell makes the facts, in the order in which they happened. The lines of one node keep theirs.
func (t *Teller) Tell(journals map[string][]executor.Entry, power []lab.PowerEvent, known []audit.Fact) []audit.Fact {
	var lists [][]moment
	for _, node := range slices.Sorted(maps.Keys(journals)) {
		var list []moment
		last := t.reader(node).Last().Milliseconds()
		for i := range journals[node] {
			e := &journals[node][i]
			if e.Kind == executor.KindCheckpoint {
				list = append(list, moment{at: min(last, e.MonoMS), node: node, entry: e, gap: true})
			}
			list = append(list, moment{at: e.MonoMS, node: node, entry: e})
			last = e.MonoMS
		}
		lists = append(lists, list)
	}
	var events, others []moment
	for i := range power {
		events = append(events, moment{at: power[i].Mono.Milliseconds(), node: power[i].Node, power: &power[i]})
	}
	for i := range known {
		others = append(others, moment{at: known[i].At.Milliseconds(), node: known[i].Node, fact: &known[i]})
	}
	lists = append(lists, events, others)
	var out []audit.Fact
	for {
		best := -1
		for i, l := range lists {
			if len(l) == 0 {
				continue
			}
			if best < 0 || before(l[0], lists[best][0]) {
				best = i
			}
		}
		if best < 0 {
			return out
		}
		out = append(out, t.tell(lists[best][0])...)
		lists[best] = lists[best][1:]
	}
}

func before(a, b moment) bool { return a.at < b.at || a.at == b.at && !a.late() && b.late() }

func (t *Teller) tell(m moment) []audit.Fact {
	f := audit.Fact{At: time.Duration(m.at) * time.Millisecond, Node: m.node}
	switch {
	case m.fact != nil:
		f = *m.fact
		if f.Kind == audit.Fenced && f.Boot == "" {
			f.Boot = t.dark[f.Node]
		}
		return []audit.Fact{f}
	case m.power != nil:
		switch {
		case m.power.What == "off":
			f = t.reader(m.node).Off(f.At)
			t.dark[m.node] = f.Boot
			return []audit.Fact{f}
		case strings.HasPrefix(m.power.What, "asked:off"), strings.HasPrefix(m.power.What, "asked:reboot"):
			// When the order expires no switch knows: whether it came in time is judged where that is known.
			f.Kind, f.Node, f.Target = audit.FenceActs, m.power.By, m.node
			return []audit.Fact{f}
		case m.power.Note == "" && (m.power.What == "answered:off" || m.power.What == "answered:reboot"):
			// The device's word, which the journal of a node whose disk fails does not have.
			f.Kind, f.Boot = audit.Fenced, t.dark[m.node]
			return []audit.Fact{f}
		}
		return nil
	}
	if m.gap {
		return t.reader(m.node).Ended(f.At, m.entry.State)
	}
	out := t.reader(m.node).Line(f.At, m.entry)
	for i := range out {
		if out[i].Kind == audit.Fenced {
			out[i].Boot = t.dark[out[i].Node] // what the switch knows is better than when the order began
		}
	}
	return out
}

// Committed makes facts of the configurations and the fencings that a node has for committed. Its clock is ahead by some time.
// Whatever was before the first configuration is judged by that.
func Committed(p *audit.Part, ahead time.Duration) []audit.Fact {
	var out []audit.Fact
	for i, s := range p.Settings {
		f := audit.Fact{Kind: audit.Configure, Revision: s.Revision, Config: s.Config}
		if i > 0 {
			f.At = s.At - ahead
		}
		out = append(out, f)
	}
	for _, f := range p.Vouched {
		f.At, f.Until = f.At-ahead, 0
		out = append(out, f)
	}
	slices.SortStableFunc(out, func(a, b audit.Fact) int { return int(a.At - b.At) })
	return out
}
