package audit

import (
	"testing"
	"time"
)

// Each rule is broken by the last of a few facts, and by none of those before.
func TestRulesFindWhatBreaksThem(t *testing.T) {
	start := func(node string) Fact {
		return Fact{Kind: Begin, Node: node, Resource: "r", Operation: "start", Revision: 2}
	}
	plain := Fact{Kind: Configure, Revision: 1, Config: &Config{Nodes: 2, Fencing: true}}
	for rule, facts := range map[string][]Fact{
		"S1 single activity":                   {plain, start("a"), {Kind: End, Node: "a", Resource: "r", Operation: "start"}, start("b")},
		"S2 promoted within bounds":            {plain, {Kind: Begin, Node: "a", Resource: "r", Operation: "promote"}},
		"S3 fencing before recovery":           {plain, start("a"), {Kind: Off, Node: "a", Boot: "1"}, start("b")},
		"S4 no start without a lease":          {{Kind: Renewed, Node: "a", Until: time.Second}, {At: 2 * time.Second, Kind: Begin, Node: "a", Resource: "r", Operation: "start"}},
		"S5 rightful fencing":                  {{Kind: Led, Node: "a", Term: 3}, {Kind: FenceSent, Node: "a", Target: "b", Term: 3}, {Kind: FenceSent, Node: "a", Target: "b", Term: 4}},
		"S8 one commander per term":            {{Kind: Led, Node: "a", Term: 3}, {Kind: Led, Node: "b", Term: 3}},
		"S9 orders of the newest term only":    {{Kind: Session, Node: "a", Term: 3}, {Kind: Ordered, Node: "a", Term: 2}},
		"S10 committed changes are never lost": {{Kind: Applied, Node: "a", Index: 1, Digest: "x"}, {Kind: Applied, Node: "b", Index: 1, Digest: "y"}},
		"S11 results count once":               {{Kind: Recorded, Node: "a", Resource: "r", Call: 1}, {Kind: Recorded, Node: "a", Resource: "r", Call: 1}},
		"S14 hands off":                        {{Kind: Configure, Revision: 2, Config: &Config{HandsOff: map[string]bool{"r": true}}}, start("a")},
		"S15 one operation at a time":          {start("a"), {Kind: Begin, Node: "a", Resource: "r", Operation: "monitor"}},
		"S16 a fenced boot never returns":      {{Kind: Fenced, Node: "a", Boot: "1"}, {Kind: Member, Node: "a", Boot: "2"}, {Kind: Member, Node: "a", Boot: "1"}},
		"S18 no needless kill":                 {{Kind: FenceActs, Node: "a", Target: "b"}},
	} {
		a := New()
		for i, f := range facts {
			found := a.See(f)
			if last := i == len(facts)-1; last && (found == nil || found.Rule != rule) || !last && found != nil {
				t.Errorf("%s, fact %d: %v", rule, i, found)
			}
		}
	}
}

// What was fenced, or is back, may be recovered.
func TestRecoveryAfterFencing(t *testing.T) {
	a := New()
	for i, f := range []Fact{
		{Kind: Configure, Config: &Config{Nodes: 2, Fencing: true}},
		{Kind: Begin, Node: "a", Resource: "r", Operation: "start"},
		{Kind: Off, Node: "a", Boot: "1"},
		{Kind: Fenced, Node: "a", Boot: "1"},
		{Kind: Begin, Node: "b", Resource: "r", Operation: "start"},
	} {
		if found := a.See(f); found != nil {
			t.Errorf("fact %d: %v", i, found)
		}
	}
	if a.Judged()["S3 fencing before recovery"] != 2 {
		t.Errorf("judged: %v", a.Judged())
	}
}
