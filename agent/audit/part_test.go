package audit

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func part(node string, facts ...Fact) Part {
	p := Part{Node: node, From: time.Second, Now: time.Minute, Facts: facts, Settings: []Setting{{Revision: 1, Digest: "x", Config: &Config{Nodes: 2, Fencing: true}}}}
	for i := range p.Facts {
		p.Facts[i].Node = node
	}
	return p
}

func findings(parts ...Part) []string {
	var out []string
	for _, f := range Judge(parts).Findings {
		out = append(out, f.Rule)
	}
	return out
}

func TestJudge(t *testing.T) {
	start := func(at time.Duration) Fact {
		return Fact{At: at, Kind: Begin, Resource: "r", Operation: "start", Term: 1}
	}
	stopped := func(at time.Duration) Fact {
		return Fact{At: at, Kind: End, Resource: "r", Operation: "stop"}
	}
	twice := []Part{part("a", start(2*time.Second)), part("b", start(3*time.Second))}
	if got := findings(twice...); !slices.Equal(got, []string{"S1 single activity"}) {
		t.Errorf("active twice: %v", got)
	}
	if got := findings(part("a", start(2*time.Second), stopped(3*time.Second)), part("b", start(4*time.Second))); got != nil {
		t.Errorf("one after the other: %v", got)
	}
	// Clocks that differ are known to a millisecond; within that what breaks nothing came first.
	late := part("b", start(4*time.Second))
	late.Offset = -1003 * time.Millisecond
	early := part("a", start(2*time.Second), stopped(3*time.Second))
	if got := findings(early, late); len(got) != 1 {
		t.Errorf("an overlap of two milliseconds: %v", got)
	}
	early.Unsure = 2 * time.Millisecond
	if got := findings(early, late); got != nil {
		t.Errorf("an overlap that the clocks may make up: %v", got)
	}
	early.Unsure, late.Unsure = 0, 2*time.Millisecond
	if got := findings(early, late); got != nil {
		t.Errorf("an overlap that the other clock may make up: %v", got)
	}
	// Who told first does not know what it has stopped since.
	soon, later := part("a", start(2*time.Second)), part("b", start(50*time.Second))
	soon.Now = 49 * time.Second
	if got := findings(soon, later); got != nil {
		t.Errorf("after the first was told: %v", got)
	}
	// A begin that may have been later does not hold up the end of something else, and nothing gets past a loss of power.
	other := func(f Fact) Fact { f.Resource = "q"; return f }
	busy := part("b", start(2*time.Second), other(start(3*time.Second)), stopped(3001*time.Millisecond), other(stopped(4*time.Second)))
	busy.Unsure = 5 * time.Millisecond
	if got := findings(part("a", start(3005*time.Millisecond)), busy); got != nil {
		t.Errorf("an end behind a begin: %v", got)
	}
	cut := part("b", start(3*time.Second), Fact{At: 3001 * time.Millisecond, Kind: Off}, Fact{At: 3002 * time.Millisecond, Kind: Member, Boot: "2"})
	cut.Unsure = 5 * time.Millisecond
	if got := findings(part("a", start(4*time.Second)), cut); got != nil {
		t.Errorf("what a loss of power ended: %v", got)
	}
	// What was before the last journal begins is taken in and not judged.
	younger := part("b", start(3*time.Second))
	younger.From = 10 * time.Second
	younger.Facts = append([]Fact{{At: 10 * time.Second, Kind: Found, Node: "b", Resource: "r"}}, stopped(11*time.Second))
	younger.Facts[1].Node = "b"
	if got := findings(part("a", start(2*time.Second), start(3*time.Second)), younger); !slices.Equal(got, []string{"S1 single activity"}) {
		t.Errorf("found active when the judgement begins: %v", got)
	}
	rep := Judge(twice)
	if rep.From != time.Second || rep.To != time.Minute || !strings.Contains(rep.Text(), "1 violations") {
		t.Errorf("the report: %s", rep.Text())
	}
	for _, r := range rep.Rules {
		if r.Unseen != "" && r.Judged != 0 {
			t.Errorf("%s can not be seen and was judged", r.Name)
		}
	}
	for name := range unseen {
		if !slices.ContainsFunc(rep.Rules, func(r RuleReport) bool { return r.Name == name }) {
			t.Errorf("%s is no rule", name)
		}
	}
}

// A confirmed fencing is about the boot that the machine was in when it began; a node that has another configuration for the
// same revision has lost something.
func TestMergeKnowsBootsAndSettings(t *testing.T) {
	a := part("a", Fact{At: 20 * time.Second, Kind: Member, Boot: "2"})
	a.Boots = []Boot{{"1", 0}, {"2", 15 * time.Second}}
	b := part("b")
	b.Facts = []Fact{{At: 16 * time.Second, Kind: Fenced, Node: "a", Until: 12 * time.Second}}
	if got := findings(a, b); got != nil {
		t.Errorf("back in another boot: %v", got)
	}
	b.Facts[0].Until = 17 * time.Second // it was up again when that fencing began
	b.Facts[0].At = 18 * time.Second
	if got := findings(a, b); !slices.Equal(got, []string{"S28 a fenced boot never returns"}) {
		t.Errorf("back in the boot that was fenced: %v", got)
	}
	b.Facts = nil
	b.Settings = []Setting{{Revision: 1, Digest: "y"}}
	if got := findings(a, b); !slices.Equal(got, []string{"S10 committed changes are never lost"}) {
		t.Errorf("two configurations of one revision: %v", got)
	}
}
