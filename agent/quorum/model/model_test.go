package model

import (
	"flag"
	"strings"
	"testing"
	"time"
)

// large makes the exploration as big as a machine with some gigabytes can hold; see `make model`.
var large = flag.Bool("large", false, "explore the large budgets, too")

// most bounds what is kept in memory: about 100 bytes a state, and the states of two levels.
const most = 25_000_000

func report(t *testing.T, name string, o Outcome, took time.Duration) {
	t.Helper()
	whole := "all of them"
	if !o.Whole {
		whole = "not all of them"
	}
	t.Logf("%-34s %9d states (%s), %10d events, depth %2d, %v %s", name, o.States, whole, o.Steps, o.Depth, took.Round(10*time.Millisecond), o.Bad)
}

func TestRulesHold(t *testing.T) {
	for _, c := range []struct {
		name  string
		b     Budget
		large bool
	}{
		{"two nodes, a fencing each", Budget{Nodes: 2, Terms: 3, Boots: 2, Fencings: 2, Messages: 2}, false},
		{"two nodes, a move", Budget{Nodes: 2, Terms: 2, Boots: 2, Fencings: 1, Places: 2, Stops: 1, Messages: 2}, false},
		{"three nodes, elections", Budget{Nodes: 3, Terms: 2, Crashes: 1, Boots: 2, Messages: 2}, false},
		{"two voters become three", Budget{Nodes: 3, Voters: 2, Terms: 2, Boots: 1, Fencings: 1, Admits: 1, Messages: 2}, false},
		{"two voters become three, a crash", Budget{Nodes: 3, Voters: 2, Terms: 2, Crashes: 1, Boots: 2, Fencings: 1, Admits: 1, Messages: 2}, true},
		{"two become three, three terms", Budget{Nodes: 3, Voters: 2, Terms: 3, Boots: 1, Fencings: 1, Admits: 2, Messages: 2}, true},
		{"two nodes, fenced and back again", Budget{Nodes: 2, Terms: 3, Crashes: 1, Boots: 2, Fencings: 1, Places: 2, Admits: 1, Messages: 2}, true},
		{"two nodes, each fences, and back", Budget{Nodes: 2, Terms: 3, Boots: 3, Fencings: 2, Places: 1, Admits: 1, Messages: 2}, true},
		{"two nodes, four terms", Budget{Nodes: 2, Terms: 4, Boots: 2, Fencings: 2, Places: 1, Messages: 2}, true},
		{"two nodes, a move and a crash", Budget{Nodes: 2, Terms: 3, Crashes: 1, Boots: 2, Fencings: 1, Places: 2, Stops: 1, Messages: 2}, true},
		{"three nodes, a fencing", Budget{Nodes: 3, Terms: 2, Boots: 2, Fencings: 1, Places: 2, Messages: 2}, true},
		{"three nodes shrink to one", Budget{Nodes: 3, Terms: 2, Boots: 1, Fencings: 2, Places: 1, Messages: 2}, true},
	} {
		if c.large && !*large {
			continue
		}
		began := time.Now()
		o := Explore(c.b, Broken{}, most)
		report(t, c.name, o, time.Since(began))
		if o.Bad != "" {
			t.Errorf("%s: %s:\n%s", c.name, o.Bad, strings.Join(o.Trace, "\n"))
		}
		if !c.large && !o.Whole {
			t.Errorf("%s: not explored to its end", c.name)
		}
	}
}

// Each rule has its reason: without it the exploration finds a run in which a promise is broken.
func TestEveryBrokenRuleIsFound(t *testing.T) {
	two := Budget{Nodes: 2, Terms: 3, Boots: 3, Fencings: 2, Places: 2, Messages: 2}
	for _, c := range []struct {
		name string
		b    Budget
		x    Broken
	}{
		{"takeover without a fencing", two, Broken{TakeoverUnfenced: true}},
		{"one that started alone fences", two, Broken{AloneMayFence: true}},
		{"a start before the fencing", two, Broken{StartUnfenced: true}},
		{"a late success counts", Budget{Nodes: 2, Terms: 3, Boots: 2, Fencings: 2, Messages: 2}, Broken{LateSuccess: true}},
		{"hearing a leader is membership", Budget{Nodes: 2, Terms: 2, Boots: 2, Fencings: 2, Messages: 2}, Broken{HeardIsTogether: true}},
		{"orders of earlier terms are taken", Budget{Nodes: 2, Terms: 2, Boots: 1, Fencings: 0, Places: 2, Stops: 1, Messages: 2}, Broken{StaleOrders: true}},
		{"the ghost is heard", Budget{Nodes: 2, Terms: 3, Boots: 2, Fencings: 1, Places: 2, Messages: 2}, Broken{GhostHears: true}},
		{"a vote is forgotten", Budget{Nodes: 3, Terms: 2, Crashes: 1, Boots: 2, Messages: 3}, Broken{ForgetsVote: true}},
		{"a silent voter is removed", two, Broken{SilenceRemoves: true}},
		{"a third votes unannounced", Budget{Nodes: 3, Voters: 2, Terms: 2, Boots: 1, Fencings: 1, Admits: 1, Messages: 2}, Broken{GrowthUnheard: true}},
	} {
		began := time.Now()
		o := Explore(c.b, c.x, 8_000_000)
		report(t, c.name, o, time.Since(began))
		if o.Bad == "" {
			t.Errorf("%s: not found out", c.name)
		}
	}
}
