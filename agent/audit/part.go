package audit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Part is what one node tells of itself for an audit of a live cluster. Times are by its own wall clock, since 1970.
type Part struct {
	Node  string        `json:"node"`
	Now   time.Duration `json:"now"`  // when it told
	From  time.Duration `json:"from"` // since when its facts are complete; before that it says what was active then
	Boots []Boot        `json:"boots,omitempty"`
	Facts []Fact        `json:"facts,omitempty"`
	// Settings are the configurations that it has for committed, oldest first.
	Settings []Setting `json:"settings,omitempty"`
	// Vouched are the fencings that the cluster remembers as confirmed, a person's word among them.
	Vouched []Fact   `json:"vouched,omitempty"`
	Notes   []string `json:"notes,omitempty"` // what it could not tell, and why

	// Offset is what has to be added to its times, and Unsure how far that may be wrong. Whoever asked it sets them.
	Offset time.Duration `json:"-"`
	Unsure time.Duration `json:"-"`
}

// Boot is a run of a machine, from when on.
type Boot struct {
	ID   string        `json:"id"`
	From time.Duration `json:"from"`
}

// Setting is a committed configuration.
type Setting struct {
	At       time.Duration `json:"at"`
	Revision uint64        `json:"revision"`
	Digest   string        `json:"digest"`
	Config   *Config       `json:"config,omitempty"`
}

// Report is what came of an audit.
type Report struct {
	From, To time.Duration // what was judged, by the wall clock of who asked
	Facts    int
	Rules    []RuleReport
	Findings []Finding
}

// RuleReport says how often a rule was put to the test. Unseen says why it could not be.
type RuleReport struct {
	Name, Says string
	Judged     int
	Unseen     string
}

// unseen are the rules that no node of a live cluster can tell the facts of.
var unseen = map[string]string{
	"S5 no start without a lease":           "no journal tells of leases",
	"S6 no fencing after its order expired": "when a device acted only the device knows",
	"S7 one winner of a split":              "when a device acted only the device knows",
	"S16 colocation and location":           "when a cluster is at rest no journal tells",
	"S22 no resurrection":                   "what a coordinator orders, and which configuration it planned for, is not kept for long",
	"S21 results count once":                "results that were committed are not kept for long",
	"S19 hands off":                         "which configuration a plan was made for is not kept for long",
	"S29 bounded queues":                    "no journal tells what waits",
	"S32 no needless kill":                  "whether something was wrong nobody on a node can tell for sure",
}

// Judge puts the parts of a cluster's nodes to the rules. What happened before the last of them begins is only taken in, and what
// happened after the first was told is left out: who told first may have stopped something since, that another tells to run.
// Where the nodes' clocks leave it open what came first, what would break no rule did.
func Judge(parts []Part) *Report {
	rep := &Report{To: told(parts)}
	for _, p := range parts {
		rep.From = max(rep.From, p.From+p.Offset)
	}
	rep.To = max(rep.To, rep.From)
	a := New(slices.Collect(maps.Keys(unseen))...)
	var before map[string]int
	var last Finding
	for _, f := range Merge(parts) {
		if f.At < rep.From && before == nil {
			a.See(f)
			continue
		}
		if f.At > rep.To {
			break
		}
		if before == nil {
			before = a.Judged()
		}
		found := a.See(f)
		rep.Facts++
		if found != nil && len(rep.Findings) < FindingsMax && (found.Rule != last.Rule || found.Detail != last.Detail) {
			last = *found
			rep.Findings = append(rep.Findings, *found)
		}
	}
	judged := a.Judged()
	for _, r := range Rules() {
		rep.Rules = append(rep.Rules, RuleReport{Name: r.Name, Says: r.Says, Judged: judged[r.Name] - before[r.Name], Unseen: unseen[r.Name]})
	}
	return rep
}

// told is when the first part was told.
func told(parts []Part) time.Duration {
	var first time.Duration
	for i, p := range parts {
		if at := p.Now + p.Offset - p.Unsure; i == 0 || at < first {
			first = at
		}
	}
	return first
}

// Merge puts the facts of parts in the order in which they happened, and adds the configurations.
func Merge(parts []Part) []Fact {
	boots := map[string][]Boot{}
	var lists [][]Fact
	var settings []Fact
	newest := 0
	for i, p := range parts {
		for _, b := range p.Boots {
			boots[p.Node] = append(boots[p.Node], Boot{b.ID, b.From + p.Offset})
		}
		if len(p.Settings) > 0 && p.Settings[len(p.Settings)-1].Revision >= lastRevision(parts[newest]) {
			newest = i
		}
	}
	var vouched, known []Fact
	if len(parts) > 0 {
		settings = configured(parts[newest])
		vouched = shifted(parts[newest], parts[newest].Vouched)
	}
	lists = append(lists, settings, vouched)
	for _, p := range parts {
		list := shifted(p, p.Facts)
		for _, s := range p.Settings {
			known = append(known, Fact{At: told(parts), Kind: Applied, Node: p.Node, Index: s.Revision, Digest: s.Digest})
		}
		lists = append(lists, list)
	}
	lists = append(lists, known)
	var out []Fact
	for {
		best := -1
		for i, l := range lists {
			if len(l) > 0 && (best < 0 || l[0].At < lists[best][0].At || l[0].At == lists[best][0].At && lists[best][0].Kind == Begin) {
				best = i
			}
		}
		if best < 0 {
			return out
		}
		f := lists[best][0]
		lists[best] = lists[best][1:]
		if f.Kind == Fenced {
			f.Boot = bootAt(boots[f.Node], f.Until)
		}
		out = append(out, f)
	}
}

func lastRevision(p Part) uint64 {
	if len(p.Settings) == 0 {
		return 0
	}
	return p.Settings[len(p.Settings)-1].Revision
}

// journalStep is the unit of times in journals: what they tell has happened up to so much later.
const journalStep = time.Millisecond

// shifted dates facts by the clock of who asked. What makes room - an end, a loss of power - counts as early as it may have been, and
// what needs room as late. Facts of one resource keep their order, and all do about a loss of power.
func shifted(p Part, facts []Fact) []Fact {
	out := slices.Clone(facts)
	last := map[string]time.Duration{} // by resource
	from := 0
	arrange := func(to int) {
		slices.SortStableFunc(out[from:to], func(a, b Fact) int { return cmp.Compare(a.At, b.At) })
		from = to
		clear(last)
	}
	for i := range out {
		f := &out[i]
		f.At += p.Offset
		if f.Until != 0 {
			f.Until += p.Offset
		}
		switch f.Kind {
		case End, Gone, Off, Fenced, Member:
			f.At -= p.Unsure
		case Begin, Found:
			f.At += p.Unsure + journalStep
		}
		if f.Kind == Off || f.Kind == Wiped {
			arrange(i)
			from = i + 1
			continue
		}
		f.At = max(f.At, last[f.Resource])
		last[f.Resource] = f.At
	}
	arrange(len(out))
	return out
}

// configured makes the facts of the configurations; that which held at the beginning comes first.
func configured(p Part) []Fact {
	var out []Fact
	for _, s := range p.Settings {
		if s.Config != nil {
			out = append(out, Fact{At: s.At + p.Offset, Kind: Configure, Revision: s.Revision, Config: s.Config})
		}
	}
	if len(out) > 0 {
		out[0].At = 0 // whatever was before it is not known
	}
	return out
}

// bootAt is the boot that a machine was in at a moment; "" if that is not known.
func bootAt(boots []Boot, at time.Duration) string {
	id := ""
	for _, b := range boots {
		if b.From <= at {
			id = b.ID
		}
	}
	return id
}

// Text says in one line what was judged.
func (r *Report) Text() string {
	judged := 0
	for _, x := range r.Rules {
		if x.Judged > 0 {
			judged++
		}
	}
	return fmt.Sprintf("%d facts of %v, %d rules put to the test, %d violations", r.Facts, (r.To - r.From).Round(time.Second), judged, len(r.Findings))
}

// Missed lists what an audit of these parts could not see.
func Missed(parts []Part) []string {
	notes := map[string]bool{}
	for _, p := range parts {
		for _, n := range p.Notes {
			notes[p.Node+": "+strings.TrimSpace(n)] = true
		}
	}
	return slices.Sorted(maps.Keys(notes))
}
