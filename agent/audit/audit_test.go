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
	given := func(revision uint64) Fact {
		return Fact{Kind: Given, Node: "a", Target: "b", Resource: "r", Operation: "start", Revision: revision}
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
		"S16 colocation and location":          {{Kind: Configure, Config: &Config{With: map[string][]string{"r": {"q"}}}}, start("a"), {Kind: Rest}},
		"S17 clones within bounds":             {{Kind: Configure, Config: &Config{Bounds: map[string]Bound{"r": {Active: 1, OnNode: 1}}}}, start("a"), start("b")},
		"S18 capacity": {{Kind: Configure, Config: &Config{Needs: map[string]map[string]int{"r": {"cpu": 1}, "q": {"cpu": 1}}, Room: map[string]map[string]int{"a": {"cpu": 1}}}},
			{Kind: Found, Node: "a", Resource: "q"}, start("a")},
		"S22 no resurrection":  {{Kind: Configure, Revision: 1, Config: &Config{Resources: []string{"r"}}}, given(1), {Kind: Configure, Revision: 2, Config: &Config{}}, given(1)},
		"S32 no needless kill": {{Kind: FenceActs, Node: "a", Target: "b"}},
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

// Placement at rest is judged by every kind of constraint, and clones by what one node may have.
func TestPlacementRules(t *testing.T) {
	with := func(c Config) Fact { return Fact{Kind: Configure, Revision: 1, Config: &c} }
	on := func(resource, node string) Fact {
		return Fact{Kind: Begin, Node: node, Resource: resource, Operation: "start"}
	}
	rest := Fact{Kind: Rest}
	for name, c := range map[string]struct {
		facts []Fact
		rule  string
	}{
		"together":             {[]Fact{with(Config{With: map[string][]string{"r": {"q"}}}), on("q", "a"), on("r", "a"), rest}, ""},
		"apart":                {[]Fact{with(Config{Apart: map[string][]string{"r": {"q"}}}), on("q", "a"), on("r", "b"), rest}, ""},
		"not apart":            {[]Fact{with(Config{Apart: map[string][]string{"r": {"q"}}}), on("q", "a"), on("r", "a"), rest}, "S16 colocation and location"},
		"banned":               {[]Fact{with(Config{Barred: map[string]map[string]bool{"r": {"a": true}}}), on("r", "a"), rest}, "S16 colocation and location"},
		"banned elsewhere":     {[]Fact{with(Config{Barred: map[string]map[string]bool{"r": {"b": true}}}), on("r", "a"), rest}, ""},
		"stopped":              {[]Fact{with(Config{Barred: map[string]map[string]bool{"r": {Everywhere: true}}}), on("r", "a"), rest}, "S16 colocation and location"},
		"two of two on a node": {[]Fact{with(Config{Bounds: map[string]Bound{"r": {Active: 4, OnNode: 2}}}), on("r:0", "a"), on("r:1", "a"), on("r:2", "b")}, ""},
		"beside one outside":   {[]Fact{with(Config{Bounds: map[string]Bound{"r": {Active: 1, OnNode: 1}}}), on("r", "a"), {Kind: Outside, Node: "a"}, on("r", "b")}, ""},
		"beside one that is back": {[]Fact{with(Config{Bounds: map[string]Bound{"r": {Active: 1, OnNode: 1}}}), on("r", "a"), {Kind: Outside, Node: "a"},
			{Kind: Member, Node: "a"}, on("r", "b")}, "S17 clones within bounds"},
		"two of one on a node":  {[]Fact{with(Config{Bounds: map[string]Bound{"r": {Active: 4, OnNode: 1}}}), on("r:0", "a"), on("r:1", "a")}, "S17 clones within bounds"},
		"room for both":         {[]Fact{with(crowded(2)), on("q", "a"), on("r", "a")}, ""},
		"room when one stopped": {[]Fact{with(crowded(1)), on("q", "a"), {Kind: End, Node: "a", Resource: "q", Operation: "stop"}, on("r", "a")}, ""},
		"room when one stops":   {[]Fact{with(crowded(1)), on("q", "a"), {Kind: Begin, Node: "a", Resource: "q", Operation: "stop"}, on("r", "a")}, "S18 capacity"},
	} {
		a := New()
		rule := ""
		for _, f := range c.facts {
			if found := a.See(f); found != nil {
				rule = found.Rule
			}
		}
		if rule != c.rule {
			t.Errorf("%s: %q, want %q", name, rule, c.rule)
		}
	}
}

// crowded is a node a with so much room, and two resources that need one each.
func crowded(room int) Config {
	return Config{Needs: map[string]map[string]int{"r": {"cpu": 1}, "q": {"cpu": 1}}, Room: map[string]map[string]int{"a": {"cpu": room}}}
}

// A ban counts from the revision that made it, and ends with it; what an older coordinator orders is judged elsewhere (S9).
func TestResurrection(t *testing.T) {
	config := func(revision uint64, nodes ...string) Fact {
		c := &Config{Resources: []string{"r"}, Barred: map[string]map[string]bool{"r": {}}}
		for _, n := range nodes {
			c.Barred["r"][n] = true
		}
		return Fact{Kind: Configure, Revision: revision, Config: c}
	}
	given := func(target string, term, revision uint64) Fact {
		return Fact{Kind: Given, Node: "a", Target: target, Resource: "r:1", Operation: "promote", Term: term, Revision: revision}
	}
	a := New()
	for i, c := range []struct {
		fact   Fact
		broken bool
	}{
		{Fact{Kind: Led, Node: "a", Term: 2}, false}, {config(1), false}, {given("b", 2, 1), false}, {config(5, "b"), false}, {config(7, "b"), false},
		{given("b", 2, 4), true}, {given("c", 2, 4), false}, {given("b", 1, 4), false}, {given("b", 2, 5), false}, {config(8), false}, {given("b", 2, 4), false},
	} {
		if found := a.See(c.fact); (found != nil) != c.broken {
			t.Errorf("fact %d, %+v: %v", i, c.fact, found)
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

// What ran on a node without power counts as started until anybody can have heard that it is gone.
func TestOrderWhileAPowerCutIsNotKnown(t *testing.T) {
	for name, c := range map[string]struct {
		heard  []Fact
		broken bool
	}{
		"nobody knows":        {nil, false},
		"it is fenced":        {[]Fact{{Kind: Fenced, Node: "m", Boot: "1"}}, true},
		"it is no member":     {[]Fact{{Kind: Outside, Node: "m"}}, true},
		"it is back":          {[]Fact{{Kind: Member, Node: "m", Boot: "2"}}, true},
		"it joined before":    {[]Fact{{Kind: Member, Node: "m", Boot: "1"}}, false},
		"another one is lost": {[]Fact{{Kind: Fenced, Node: "o"}}, false},
	} {
		a := New()
		facts := append([]Fact{
			{Kind: Configure, Config: &Config{Nodes: 3, After: map[string][]string{"b": {"a"}}}},
			{Kind: Begin, Node: "m", Resource: "a", Operation: "start"},
			{Kind: End, Node: "m", Resource: "a", Operation: "start"},
			{Kind: Off, Node: "m", Boot: "1"},
		}, c.heard...)
		for _, f := range facts {
			if found := a.See(f); found != nil {
				t.Errorf("%s: %v", name, found)
			}
		}
		if found := a.See(Fact{Kind: Begin, Node: "n", Resource: "b", Operation: "start"}); (found != nil) != c.broken {
			t.Errorf("%s: %v", name, found)
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
