package main

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

// teller makes facts of what nodes' journals and the power switch say. It keeps what it needs to know of what it was told before.
type teller struct {
	readers map[string]*journals.Reader
	dark    map[string]string // the boot in which a node last lost its power
}

func newTeller() *teller { return &teller{map[string]*journals.Reader{}, map[string]string{}} }

func (t *teller) reader(node string) *journals.Reader {
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
	power *lab.PowerEvent
	fact  *audit.Fact
}

// late says that, of two moments of the same millisecond, this is to be taken second: what makes something active. What ended was
// over before it.
func (m moment) late() bool {
	return m.entry != nil && m.entry.Kind == executor.KindBegin && (m.entry.Operation == resources.Start || m.entry.Operation == resources.Promote)
}

// Tell makes the facts, in the order in which they happened. The lines of one node keep theirs.
func (t *teller) Tell(journals map[string][]executor.Entry, power []lab.PowerEvent, known []audit.Fact) []audit.Fact {
	var lists [][]moment
	for _, node := range slices.Sorted(maps.Keys(journals)) {
		var list []moment
		for i := range journals[node] {
			e := &journals[node][i]
			list = append(list, moment{at: e.MonoMS, node: node, entry: e})
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

func (t *teller) tell(m moment) []audit.Fact {
	f := audit.Fact{At: time.Duration(m.at) * time.Millisecond, Node: m.node}
	switch {
	case m.fact != nil:
		return []audit.Fact{*m.fact}
	case m.power != nil:
		switch {
		case m.power.What == "off":
			f = t.reader(m.node).Off(f.At)
			t.dark[m.node] = f.Boot
			return []audit.Fact{f}
		case strings.HasPrefix(m.power.What, "asked:off"), strings.HasPrefix(m.power.What, "asked:reboot"):
			// When the order expires no switch knows: whether it came in time is judged where that is known.
			f.Kind, f.Node, f.Target, f.Until = audit.FenceActs, m.power.By, m.node, f.At
			return []audit.Fact{f}
		case m.power.Note == "" && (m.power.What == "answered:off" || m.power.What == "answered:reboot"):
			// The device's word, which the journal of a node whose disk fails does not have.
			f.Kind, f.Boot = audit.Fenced, t.dark[m.node]
			return []audit.Fact{f}
		}
		return nil
	}
	out := t.reader(m.node).Line(f.At, m.entry)
	for i := range out {
		if out[i].Kind == audit.Fenced {
			out[i].Boot = t.dark[out[i].Node] // what the switch knows is better than when the order began
		}
	}
	return out
}

// acts says that a line tells of an operation that changes something.
func acts(e executor.Entry) bool {
	return e.Kind == executor.KindBegin && e.Operation != resources.Monitor && (e.Action == nil || e.Action.Agent.Class != "stonith")
}

// Recovery is what followed on a loss of power: times since the cut.
type Recovery struct {
	Node                      string
	Detected, Fenced, Started time.Duration // a fencing began; it succeeded; the first start after it ended
}

// Recoveries finds, for each power cut that nobody at the switch asked for, what followed on it.
func Recoveries(facts []audit.Fact, cuts []lab.PowerEvent) []Recovery {
	var out []Recovery
	for _, cut := range cuts {
		if cut.What != "cut" || cut.By != "operator" {
			continue
		}
		rec := Recovery{Node: cut.Node}
	facts:
		for _, f := range facts {
			since := f.At - cut.Mono
			switch {
			case since <= 0:
			case f.Kind == audit.Member && f.Node == cut.Node:
				break facts // it is back
			case f.Kind == audit.FenceSent && f.Target == cut.Node && rec.Detected == 0:
				rec.Detected = since
			case f.Kind == audit.Fenced && f.Node == cut.Node && rec.Fenced == 0:
				rec.Fenced = since
			case f.Kind == audit.End && f.Operation == resources.Start && f.RC == 0 && rec.Fenced != 0 && rec.Started == 0:
				rec.Started = since
			}
		}
		if rec.Fenced != 0 {
			out = append(out, rec)
		}
	}
	return out
}
