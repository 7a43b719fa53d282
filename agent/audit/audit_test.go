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
		"S5 no start without a lease":          {{Kind: Renewed, Node: "a", Until: time.Second}, {At: 2 * time.Second, Kind: Begin, Node: "a", Resource: "r", Operation: "start"}},
		"S6 rightful fencing":                  {{Kind: Led, Node: "a", Term: 3}, {Kind: FenceSent, Node: "a", Target: "b", Term: 3}, {Kind: FenceSent, Node: "a", Target: "b", Term: 4}},
		"S9 one commander per term":            {{Kind: Led, Node: "a", Term: 3}, {Kind: Led, Node: "b", Term: 3}},
		"S9 orders of the newest term only":    {{Kind: Session, Node: "a", Term: 3}, {Kind: Ordered, Node: "a", Term: 2}},
		"S10 committed changes are never lost": {{Kind: Applied, Node: "a", Index: 1, Digest: "x"}, {Kind: Applied, Node: "b", Index: 1, Digest: "y"}},
		"S21 results count once":               {{Kind: Recorded, Node: "a", Resource: "r", Call: 1}, {Kind: Recorded, Node: "a", Resource: "r", Call: 1}},
		"S19 hands off":                        {{Kind: Configure, Revision: 2, Config: &Config{HandsOff: map[string]bool{"r": true}}}, start("a")},
		"S20 one operation at a time":          {start("a"), {Kind: Begin, Node: "a", Resource: "r", Operation: "monitor"}},
		"S28 a fenced boot never returns":      {{Kind: Fenced, Node: "a", Boot: "1"}, {Kind: Member, Node: "a", Boot: "2"}, {Kind: Member, Node: "a", Boot: "1"}},
		"S32 no needless kill":                 {{Kind: FenceActs, Node: "a", Target: "b"}},
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

// What is unmanaged, and may be active, counts as started.
func TestOrderAfterWhatIsUnmanaged(t *testing.T) {
	for off, want := range map[bool]bool{false: true, true: false} {
		a := New()
		a.See(Fact{Kind: Configure, Config: &Config{Nodes: 2, After: map[string][]string{"b": {"a"}}, HandsOff: map[string]bool{"a": off}}})
		a.See(Fact{Kind: Begin, Node: "n", Resource: "a", Operation: "start"})
		a.See(Fact{Kind: End, Node: "n", Resource: "a", Operation: "start", RC: 1})
		if found := a.See(Fact{Kind: Begin, Node: "n", Resource: "b", Operation: "start"}); (found != nil) != want {
			t.Errorf("unmanaged %v: %v", off, found)
		}
	}
}

// One of two dies from one split; where the two have met since, or no speed was known of the device, the next cut is another matter.
func TestOneWinner(t *testing.T) {
	plain := Fact{Kind: Configure, Config: &Config{Nodes: 2, Fencing: true}}
	cut := func(by, target string) Fact { return Fact{Kind: FenceActs, Node: by, Target: target} }
	for name, c := range map[string]struct {
		between []Fact
		broken  bool
	}{
		"both":             {nil, true},
		"met since":        {[]Fact{{Kind: Met, Node: "a", Target: "b"}}, false},
		"slower than ever": {[]Fact{{Kind: FenceSlow, Node: "a", Target: "b"}}, false},
		"slow, then met":   {[]Fact{{Kind: FenceSlow}, {Kind: Met}, cut("a", "b")}, true},
	} {
		a := New()
		var found *Finding
		for _, f := range append(append([]Fact{{Kind: Troubled}, plain, cut("a", "b")}, c.between...), cut("b", "a")) {
			if x := a.See(f); x != nil {
				found = x
			}
		}
		if (found != nil) != c.broken || c.broken && found.Rule != "S7 one winner of a split" {
			t.Errorf("%s: %v", name, found)
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
