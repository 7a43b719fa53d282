package main

import (
	"maps"
	"slices"
	"strings"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/integration/lab"
	"paceline/resources"
)

// teller makes facts of what nodes' journals and the power switch say. It keeps what it needs to know of what it was told before.
type teller struct {
	boot map[string]string // the boot that a node is in, by its journal
	dark map[string]string // the boot in which a node last lost its power
	// idle are the starts under way of what was not active before, by node and call: one that is called off leaves nothing behind.
	idle   map[call]bool
	active map[[2]string]bool // by node and resource
}

type call struct {
	node string
	id   int64
}

func newTeller() *teller {
	return &teller{map[string]string{}, map[string]string{}, map[call]bool{}, map[[2]string]bool{}}
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
			f.Kind, f.Boot = audit.Off, t.boot[m.node]
			t.dark[m.node] = f.Boot
			maps.DeleteFunc(t.active, func(k [2]string, _ bool) bool { return k[0] == m.node })
			maps.DeleteFunc(t.idle, func(k call, _ bool) bool { return k.node == m.node })
			return []audit.Fact{f}
		case strings.HasPrefix(m.power.What, "asked:off"), strings.HasPrefix(m.power.What, "asked:reboot"):
			// When the order expires no switch knows: whether it came in time is judged where that is known.
			f.Kind, f.Node, f.Target, f.Until = audit.FenceActs, m.power.By, m.node, f.At
			return []audit.Fact{f}
		}
		return nil
	}
	return t.line(f, m.entry)
}

// line makes facts of a journal's line.
func (t *teller) line(f audit.Fact, e *executor.Entry) []audit.Fact {
	if e.Boot != "" {
		t.boot[f.Node] = e.Boot
	}
	f.Boot = e.Boot
	f.Resource, _, _ = strings.Cut(e.Resource, ":") // instances of a clone are judged together
	f.Operation, f.Interval, f.Call = e.Operation, e.IntervalMS, e.CallID
	if e.Numbers != nil {
		f.Term, f.Revision = e.Numbers.Term, e.Numbers.Revision
	}
	f.Unasked = e.SelfStop || e.Numbers == nil || e.Numbers.Term == 0
	switch e.Kind {
	case executor.KindBegin:
		if e.Action != nil && e.Action.Agent.Class == "stonith" {
			return nil
		}
		f.Kind = audit.Begin
		if what := [2]string{f.Node, f.Resource}; e.Operation == resources.Start {
			if !t.active[what] {
				t.idle[call{f.Node, e.CallID}] = true
			}
			t.active[what] = true
		}
		return []audit.Fact{f}
	case executor.KindEnd:
		return t.end(f, e)
	case executor.KindCheckpoint:
		return t.checkpoint(f, e)
	case executor.KindSession:
		if e.Session == nil {
			return nil
		}
		f.Term = e.Session.Term
		led := audit.Fact{At: f.At, Kind: audit.Led, Node: e.Session.Coordinator, Term: f.Term}
		member := audit.Fact{At: f.At, Kind: audit.Member, Node: f.Node, Boot: e.Boot}
		f.Kind = audit.Session
		return []audit.Fact{led, f, member}
	case executor.KindFenceBegin, executor.KindFenceEnd:
		return t.fence(f, e)
	}
	return nil
}

// checkpoint makes facts of what a node knows at the head of a new file. A node whose disk fails stops what it has to stop all the same;
// the line about it is in no file, and the next checkpoint leaves the resource out.
func (t *teller) checkpoint(f audit.Fact, e *executor.Entry) []audit.Fact {
	if e.State == nil {
		return nil
	}
	has := map[string]bool{}
	for _, a := range e.State.Active {
		name, _, _ := strings.Cut(a.Resource, ":")
		has[name] = true
	}
	var out []audit.Fact
	for _, what := range slices.SortedFunc(maps.Keys(t.active), func(a, b [2]string) int { return strings.Compare(a[1], b[1]) }) {
		if what[0] == f.Node && !has[what[1]] {
			delete(t.active, what)
			out = append(out, audit.Fact{At: f.At, Kind: audit.Gone, Node: f.Node, Resource: what[1]})
		}
	}
	return out
}

// end makes facts of an operation's end. An end of which nothing is known leaves everything possible.
func (t *teller) end(f audit.Fact, e *executor.Entry) []audit.Fact {
	f.Kind, f.RC = audit.End, -1
	what, which := [2]string{f.Node, f.Resource}, call{f.Node, e.CallID}
	idle := t.idle[which]
	delete(t.idle, which)
	switch {
	case e.Result == nil:
	case e.Result.Status == cib.OpCancelled: // its agent never ran
		if idle {
			delete(t.active, what)
			return []audit.Fact{f, {At: f.At, Kind: audit.Gone, Node: f.Node, Resource: f.Resource}}
		}
	case e.Result.Status == cib.OpDone:
		f.RC = e.Result.RC
		if e.Operation == resources.Stop && f.RC == 0 {
			delete(t.active, what)
		}
	default:
		f.RC = max(e.Result.RC, int(resources.GenericError))
	}
	return []audit.Fact{f}
}

func (t *teller) fence(f audit.Fact, e *executor.Entry) []audit.Fact {
	if e.Fence == nil || e.Fence.Action == "monitor" || e.Fence.Action == "on" || e.Fence.Action == "status" {
		return nil
	}
	if e.Kind == executor.KindFenceBegin {
		if e.Fence.Term == 0 {
			return nil // the takeover of two: who votes is in no journal
		}
		f.Kind, f.Target, f.Term, f.Number = audit.FenceSent, e.Fence.Target, e.Fence.Term, e.Fence.Fence
		return []audit.Fact{f}
	}
	if !e.Fence.OK {
		return nil
	}
	return []audit.Fact{{At: f.At, Kind: audit.Fenced, Node: e.Fence.Target, Boot: t.dark[e.Fence.Target]}}
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
