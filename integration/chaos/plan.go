package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults. Those that are "whole" concern every node and are drawn alone.
const (
	PowerCut    Kind = "power cut"
	PowerCutTwo Kind = "power cut of two"
	Blackout    Kind = "power cut of all"        // whole; all boot at once
	OneByOne    Kind = "power cut, boot in turn" // whole; one node after the other boots
	Isolate     Kind = "node cut off"
	OneWay      Kind = "node cut off in one direction"
	Pair        Kind = "link of two cut"
	Halves      Kind = "network in two parts"
	Parts       Kind = "network in three parts"
	Bridge      Kind = "two parts with a bridge"
	Ring        Kind = "network as a ring"
	Flap        Kind = "flapping link"
	Loss        Kind = "lossy network"
	Narrow      Kind = "slow link"
	Pause       Kind = "node stands still"
	PauseDaemon Kind = "daemon stands still"
	KillDaemon  Kind = "daemon killed"
	KillService Kind = "service killed"
	Device      Kind = "faulty fencing device"
	DiskFull    Kind = "disk full"
	DiskSlow    Kind = "slow fsync"
	DiskError   Kind = "fsync fails"
	Load        Kind = "load on all processors"
	Operator    Kind = "operator"
	Restarts    Kind = "rolling restart"  // whole
	Upgrade     Kind = "rolling upgrade"  // whole; between the previous build and this one
	Reattach    Kind = "reattach"         // whole: maintenance, all daemons anew, nothing touched
	Wipe        Kind = "node wiped"       // its state is removed while it is off
	Leave       Kind = "node leaves"      // its daemon stops in good order
	LeaveAll    Kind = "all leave"        // whole: one after the other stops in good order, then all start
	PartialBoot Kind = "stopped at start" // a daemon is told to stop while it starts
	Nothing     Kind = "nothing"          // a round in which nobody may be fenced
)

// Targets that are found out when the fault happens.
const (
	AtCoordinator = "coordinator"
	AtService     = "home" // where the services are
)

// Fault is one thing that goes wrong.
type Fault struct {
	Kind  Kind
	Nodes []string      // what it concerns; AtCoordinator and AtService stand for whoever it is then
	Way   string        // of devices, operators, directions: which one
	Level int           // percent of loss; milliseconds of an fsync; kilobits a second of a link
	At    time.Duration // since the beginning of its round
	For   time.Duration // until it is mended
}

func (f Fault) String() string {
	var b strings.Builder
	b.WriteString(string(f.Kind))
	if f.Way != "" {
		fmt.Fprintf(&b, " (%s)", f.Way)
	}
	if len(f.Nodes) > 0 {
		fmt.Fprintf(&b, " %s", strings.Join(f.Nodes, ","))
	}
	if f.Level != 0 {
		fmt.Fprintf(&b, " level %d", f.Level)
	}
	fmt.Fprintf(&b, " at %v for %v", f.At.Round(time.Millisecond), f.For.Round(time.Millisecond))
	return b.String()
}

// Round is a small set of faults that overlap. After it everything is mended and the cluster has to come to rest.
type Round struct {
	Number int
	Faults []Fault
}

func (r Round) String() string {
	var out []string
	for _, f := range r.Faults {
		out = append(out, f.String())
	}
	return fmt.Sprintf("round %d: %s", r.Number, strings.Join(out, "; "))
}

// Needless says that nobody has to be fenced in the round: no fault of it takes a node away from the others.
func (r Round) Needless() bool {
	return !slices.ContainsFunc(r.Faults, func(f Fault) bool {
		switch f.Kind {
		case Nothing, KillService, PartialBoot, Leave, LeaveAll, Reattach, Restarts, Upgrade:
			return false
		case Operator:
			return f.Way == "fence"
		}
		return true
	})
}

// kinds are the faults with their weights.
var kinds = []struct {
	kind   Kind
	weight int
	whole  bool
	draw   func(d *drawer, f *Fault)
}{
	{PowerCut, 14, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.between(1, 5) }},
	{PowerCutTwo, 4, false, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(2), d.between(1, 5) }},
	{Blackout, 1, true, func(d *drawer, f *Fault) { f.For = d.between(1, 3) }},
	{OneByOne, 1, true, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(len(d.nodes)), d.between(1, 2) }},
	{Isolate, 8, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.between(1, 9) }},
	{OneWay, 6, false, func(d *drawer, f *Fault) {
		f.Nodes, f.Way, f.For = []string{d.target()}, d.one("deaf", "mute"), d.between(1, 9)
	}},
	{Pair, 6, false, func(d *drawer, f *Fault) {
		f.Nodes, f.Way, f.For = d.some(2), d.one("both ways", "one way"), d.between(1, 9)
	}},
	{Halves, 5, false, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(1+d.IntN(len(d.nodes)/2)), d.between(1, 9) }},
	{Parts, 2, false, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(len(d.nodes)), d.between(1, 8) }},
	{Bridge, 3, false, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(len(d.nodes)), d.between(1, 8) }},
	{Ring, 3, false, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(len(d.nodes)), d.between(1, 8) }},
	{Flap, 5, false, func(d *drawer, f *Fault) {
		f.Nodes, f.Level, f.For = []string{d.target()}, 150+d.IntN(800), d.between(2, 8)
	}},
	{Loss, 5, false, func(d *drawer, f *Fault) { f.Level, f.For = 3+d.IntN(38), d.between(2, 8) }},
	{Narrow, 4, false, func(d *drawer, f *Fault) {
		f.Nodes, f.Level, f.For = []string{d.target()}, 64<<d.IntN(5), d.between(2, 8)
	}},
	{Pause, 8, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.pause() }},
	{PauseDaemon, 5, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.pause() }},
	{KillDaemon, 10, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.between(0, 3) }},
	{KillService, 10, false, func(d *drawer, f *Fault) { f.Way, f.For = d.one(services...), d.between(0, 2) }},
	{Device, 9, false, func(d *drawer, f *Fault) {
		f.Nodes, f.For = []string{d.target()}, d.between(2, 7)
		f.Way = d.one("refuses", "hangs", "answers late", "does it and says no", "is out of reach")
	}},
	{DiskFull, 3, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.between(2, 6) }},
	{DiskSlow, 4, false, func(d *drawer, f *Fault) {
		f.Nodes, f.Level, f.For = []string{d.target()}, 20<<d.IntN(7), d.between(2, 6)
	}},
	{DiskError, 3, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.between(2, 6) }},
	{Load, 3, false, func(d *drawer, f *Fault) { f.For = d.between(2, 5) }},
	{Operator, 16, false, func(d *drawer, f *Fault) {
		f.Nodes, f.Way, f.For = []string{d.target()}, d.one(operations...), d.between(1, 5)
	}},
	{Restarts, 2, true, func(d *drawer, f *Fault) { f.Nodes = d.some(len(d.nodes)) }},
	{Upgrade, 2, true, func(d *drawer, f *Fault) { f.Nodes = d.some(len(d.nodes)) }},
	{Reattach, 2, true, func(d *drawer, f *Fault) { f.Nodes = d.some(len(d.nodes)) }},
	{Wipe, 3, true, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(1), d.between(1, 4) }},
	{Leave, 4, false, func(d *drawer, f *Fault) { f.Nodes, f.For = []string{d.target()}, d.between(1, 4) }},
	{LeaveAll, 1, true, func(d *drawer, f *Fault) { f.Nodes = d.some(len(d.nodes)) }},
	{PartialBoot, 2, false, func(d *drawer, f *Fault) { f.Nodes, f.For = d.some(1), d.between(0, 1) }},
	{Nothing, 3, true, func(d *drawer, f *Fault) { f.For = d.between(1, 3) }},
}

// drawer draws faults for a cluster of nodes.
type drawer struct {
	*rand.Rand
	nodes []string
	scale float64 // of durations
}

// between draws a duration of so many seconds.
func (d *drawer) between(from, to float64) time.Duration {
	return time.Duration((from + (to-from)*d.Float64()) * d.scale * float64(time.Second)).Round(10 * time.Millisecond)
}

// pause draws how long something stands still: from 1 s to 60 s, mostly little longer than a node is missed or its lease lasts.
func (d *drawer) pause() time.Duration {
	switch n := d.IntN(20); {
	case n == 0:
		return d.between(30, 60)
	case n < 3:
		return d.between(10, 30)
	case n < 9:
		return d.between(4, 10)
	}
	return d.between(1, 4)
}

func (d *drawer) one(of ...string) string { return of[d.IntN(len(of))] }

// target draws who is hit: anybody, or who coordinates, or who runs the services.
func (d *drawer) target() string {
	switch d.IntN(4) {
	case 0:
		return AtCoordinator
	case 1:
		return AtService
	}
	return d.one(d.nodes...)
}

func (d *drawer) some(n int) []string {
	order := slices.Clone(d.nodes)
	d.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order[:n]
}

// Draw draws a round. The same seed, number and nodes give the same round; scale stretches the times in it.
func Draw(seed uint64, number int, nodes []string, scale float64) Round {
	d := &drawer{rand.New(rand.NewPCG(seed, uint64(number))), nodes, scale}
	r := Round{Number: number}
	count := 1 + d.IntN(3)
	for len(r.Faults) < count {
		k := d.kind()
		if kinds[k].whole && len(r.Faults) > 0 {
			continue
		}
		f := Fault{Kind: kinds[k].kind}
		if len(r.Faults) > 0 {
			f.At = d.between(0, 2.5)
		}
		kinds[k].draw(d, &f)
		r.Faults = append(r.Faults, f)
		if kinds[k].whole {
			break
		}
	}
	return r
}

func (d *drawer) kind() int {
	sum := 0
	for _, k := range kinds {
		sum += k.weight
	}
	at := d.IntN(sum)
	for i, k := range kinds {
		if at -= k.weight; at < 0 {
			return i
		}
	}
	return 0
}
