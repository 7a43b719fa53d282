package cluster

import (
	"slices"
	"testing"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/integration/lab"
)

func begin(at int64, op, res string) executor.Entry {
	return executor.Entry{Kind: executor.KindBegin, MonoMS: at, Boot: "1", CallID: at, Operation: op, Resource: res,
		Numbers: &transition.Numbers{Term: 1, Revision: 1}, Action: &transition.Action{Agent: cib.Agent{Class: "ocf"}}}
}

func ended(at, call int64, op, res string, rc int) executor.Entry {
	return executor.Entry{Kind: executor.KindEnd, MonoMS: at, Boot: "1", CallID: call, Operation: op, Resource: res, Result: &transition.Result{RC: rc},
		Action: &transition.Action{Agent: cib.Agent{Class: "ocf"}}}
}

// does is an operation from its begin to its end.
func does(from, to int64, op, res string, rc int) []executor.Entry {
	return []executor.Entry{begin(from, op, res), ended(to, from, op, res, rc)}
}

func entries(lists ...[]executor.Entry) []executor.Entry { return slices.Concat(lists...) }

func off(at int64, node string) lab.PowerEvent {
	return lab.PowerEvent{Mono: time.Duration(at) * time.Millisecond, Node: node, What: "off"}
}

func fenceEnd(at int64, target string, ok bool) []executor.Entry {
	return []executor.Entry{{Kind: executor.KindFenceEnd, MonoMS: at, Boot: "1", Fence: &executor.FenceLine{Target: target, Action: fencing.Reboot, OK: ok}}}
}

// judge puts two nodes' journals to the rules and names those that did not hold.
func judge(a, b []executor.Entry, power []lab.PowerEvent, known ...audit.Fact) []string {
	facts := append([]audit.Fact{{Kind: audit.Configure, Config: &audit.Config{Nodes: 3, Fencing: true,
		Bounds: map[string]audit.Bound{"db": {Active: 2, OnNode: 1, Promoted: 1}}}}}, known...)
	rules := audit.New(unknown...)
	var out []string
	for _, f := range NewTeller().Tell(map[string][]executor.Entry{"a": a, "b": b}, power, facts) {
		if found := rules.See(f); found != nil {
			out = append(out, found.Rule)
		}
	}
	return out
}

func TestWhatIsActiveTwiceIsFound(t *testing.T) {
	const twice, hasty = "S1 single activity", "S3 fencing before recovery"
	ran := does(10, 12, "start", "ip", 0)
	starts := func(at int64) []executor.Entry { return does(at, at+10, "start", "ip", 0) }
	asked := fenceEnd(105, "a", true)
	asked[0].Fence.Action = fencing.Status
	cut := []lab.PowerEvent{off(100, "a")}
	for _, c := range []struct {
		name  string
		a, b  []executor.Entry
		power []lab.PowerEvent
		rule  string
	}{
		{"moved in good order", entries(ran, does(20, 22, "stop", "ip", 0)), starts(22), nil, ""},
		{"started before the stop had ended", entries(ran, does(20, 25, "stop", "ip", 0)), starts(22), nil, twice},
		{"started after a failed stop", entries(ran, does(20, 21, "stop", "ip", 1)), starts(40), nil, twice},
		{"a start that failed may be active", does(10, 12, "start", "ip", 1), starts(20), nil, twice},
		{"recovered before the power was off", ran, starts(99), cut, twice},
		{"another node's power", ran, starts(110), []lab.PowerEvent{off(100, "b")}, twice},
		{"a probe finds it where nobody started it", ran, does(20, 25, "monitor", "ip", 0), nil, twice},
		{"a probe finds nothing", ran, does(20, 25, "monitor", "ip", 7), nil, ""},
		{"two resources", ran, does(10, 12, "start", "fs", 0), nil, ""},
		{"fenced first", ran, entries(fenceEnd(105, "a", true), starts(110)), cut, ""},
		{"fenced after", ran, entries(starts(110), fenceEnd(130, "a", true)), cut, hasty},
		{"its device was only asked", ran, entries(asked, starts(110)), cut, hasty},
		{"fencing failed", ran, entries(fenceEnd(105, "a", false), starts(110)), cut, hasty},
		{"another one was fenced", ran, entries(fenceEnd(105, "c", true), starts(110)), cut, hasty},
		{"fenced in an earlier life", ran, entries(fenceEnd(5, "a", true), starts(110)), cut, hasty},
		{"stopped in good order", entries(ran, does(20, 22, "stop", "ip", 0)), starts(110), cut, ""},
	} {
		var want []string
		if c.rule != "" {
			want = []string{c.rule}
		}
		if got := judge(c.a, c.b, c.power); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", c.name, got, want)
		}
	}
	vouched := audit.Fact{At: 105 * time.Millisecond, Kind: audit.Fenced, Node: "a"}
	if got := judge(ran, starts(110), cut, vouched); got != nil {
		t.Errorf("a person vouched for its death: %v", got)
	}
}

// What a node stops while its disk fails is in no line: it may have ended at any time between the line before and the checkpoint that leaves
// it out. A checkpoint of a later boot tells nothing of that.
func TestWhatAFailingDiskKeepsOut(t *testing.T) {
	checkpoint := func(at int64, boot string, active ...string) []executor.Entry {
		s := executor.State{Boot: boot}
		for _, name := range active {
			s.Active = append(s.Active, executor.Active{Resource: name})
		}
		return []executor.Entry{{Kind: executor.KindCheckpoint, MonoMS: at, Boot: boot, State: &s}}
	}
	b := does(500, 510, "start", "web", 0)
	for name, c := range map[string]struct {
		after  []executor.Entry
		broken bool
	}{
		"nothing is told":      {nil, true},
		"it had ended":         {checkpoint(900, "1"), false},
		"it is active still":   {checkpoint(900, "1", "web"), true},
		"it is another boot's": {checkpoint(900, "2"), true},
	} {
		if got := judge(entries(does(100, 110, "start", "web", 0), c.after), b, nil); slices.Contains(got, "S1 single activity") != c.broken {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWhatIsPromotedTwiceIsFound(t *testing.T) {
	promoted := func(at int64) []executor.Entry {
		return entries(does(at-3, at-2, "start", "db", 0), does(at, at+1, "promote", "db", 0))
	}
	demoted := entries(promoted(13), does(20, 21, "demote", "db", 0))
	if got := judge(demoted, promoted(22), nil); got != nil {
		t.Errorf("one after the other: %v", got)
	}
	if got := judge(demoted, promoted(19), nil); !slices.Equal(got, []string{"S2 promoted within bounds"}) {
		t.Errorf("promoted before the other was demoted: %v", got)
	}
	if got := judge(promoted(13), promoted(122), []lab.PowerEvent{off(18, "a")}); got != nil {
		t.Errorf("promoted after the other lost its power: %v", got)
	}
}

// What a node has for committed is told by the journals' clock, and what was before it is judged by the first configuration.
func TestCommitted(t *testing.T) {
	p := &audit.Part{
		Settings: []audit.Setting{{At: 1005 * time.Second, Revision: 3, Config: &audit.Config{Nodes: 1}}, {At: 1007 * time.Second, Revision: 4, Config: &audit.Config{Nodes: 2}}},
		Vouched:  []audit.Fact{{At: 1006 * time.Second, Until: 1005 * time.Second, Kind: audit.Fenced, Node: "a"}},
	}
	got := Committed(p, 1000*time.Second)
	if len(got) != 3 || got[0].At != 0 || got[0].Revision != 3 || got[1].Kind != audit.Fenced || got[1].At != 6*time.Second || got[2].At != 7*time.Second || got[2].Config.Nodes != 2 {
		t.Errorf("%+v", got)
	}
}

// Rules that are left out are rules.
func TestUnknownRulesAreRules(t *testing.T) {
	for _, name := range unknown {
		if !slices.ContainsFunc(audit.Rules(), func(r audit.Rule) bool { return r.Name == name }) {
			t.Errorf("%s is no rule", name)
		}
	}
}
