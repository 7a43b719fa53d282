package simulation

import (
	"math/rand/v2"
	"slices"
	"time"
)

// profile is a family of runs: what kind of cluster, and which kinds of faults, so that rare orders of events become common
// ones in the runs of one family.
type profile struct {
	name    string
	share   int   // of all runs, in parts of the sum
	nodes   []int // drawn from
	fencing bool
	kinds   []string // faults; none: any, some of them left out in each run
	always  bool     // all kinds take part in each run
	gap     [2]time.Duration
}

// profiles are the families. Where fencing is off, a lost node's services are taken over after twice the lease. That is
// promised for nodes that are cut off and for machines that die, not for daemons that are dead or stand still while what
// they started runs on: those faults are left out there.
var profiles = []profile{
	{name: "mixed", share: 10, nodes: []int{1, 2, 2, 2, 3, 3, 3, 4, 5}, fencing: true},
	{name: "pair", share: 3, nodes: []int{2}, fencing: true, gap: [2]time.Duration{time.Second, 6 * time.Second}, kinds: []string{
		"power cut", "power cut of the coordinator", "link cut", "cut off as it returns", "long cut", "daemon killed", "device", "pause", "operator"}},
	{name: "growth", share: 3, nodes: []int{3, 3, 4}, fencing: true, always: true, gap: [2]time.Duration{time.Second, 4 * time.Second}, kinds: []string{
		"power cut", "cut at an admission", "power cut of the coordinator", "daemon killed"}},
	{name: "restarts", share: 3, nodes: []int{2, 3, 3, 4, 5}, fencing: true, always: true, gap: [2]time.Duration{500 * time.Millisecond, 4 * time.Second}, kinds: []string{
		"announced restart", "announced restart", "daemon killed", "power cut", "short pause of the coordinator", "operator"}},
	{name: "stale coordinator", share: 3, nodes: []int{3, 4, 5}, fencing: true, gap: [2]time.Duration{300 * time.Millisecond, 1500 * time.Millisecond}, kinds: []string{
		"short pause of the coordinator", "slow sessions", "late messages", "link cut one way", "move", "operator", "service dies", "pause", "device", "agents"}},
	{name: "no fencing", share: 2, nodes: []int{3, 4, 5}, always: true, gap: [2]time.Duration{2 * time.Second, 10 * time.Second}, kinds: []string{
		"long cut", "power cut", "service dies", "move", "agents", "clock step"}},
}

// profile draws the family of a run.
func (w *world) draw() profile {
	sum := 0
	for _, p := range profiles {
		sum += p.share
	}
	k := w.rng.IntN(sum)
	for _, p := range profiles {
		if k -= p.share; k < 0 {
			return p
		}
	}
	return profiles[0]
}

func (p profile) takes(f fault) bool {
	if len(p.kinds) == 0 {
		return true
	}
	for _, k := range p.kinds {
		if k == f.name {
			return true
		}
	}
	return false
}

// plan draws the faults of the run, and says when they are over.
func (w *world) plan() time.Duration {
	warm := w.between(3*time.Second, 8*time.Second)
	length := w.opt.Faults
	if length == 0 {
		length = w.between(5*time.Second, 40*time.Second)
	}
	if w.opt.Calm {
		return warm + length
	}
	w.setTraps(warm, length)
	mean := w.between(500*time.Millisecond, 5*time.Second)
	if w.profile.gap[1] > 0 {
		mean = w.between(w.profile.gap[0], w.profile.gap[1])
	}
	// Swarm testing (Groce et al., ISSTA 2012): each run leaves some kinds of faults out, so that the others go far.
	var all, kinds []fault
	for _, f := range faults {
		if !w.profile.takes(f) {
			continue
		}
		all = append(all, f)
		if w.chance(0.6) {
			kinds = append(kinds, f)
		}
	}
	if len(kinds) == 0 || w.profile.always {
		kinds = all
	}
	number := 0
	for at := warm; at < warm+length; at += w.between(mean/4, 2*mean) {
		f, own := kinds[w.rng.IntN(len(kinds))], w.rng.Uint64()
		mine := number
		number++
		if w.opt.Only != nil && !slices.Contains(w.opt.Only, mine) {
			continue
		}
		w.after(at, func() {
			if w.over {
				return
			}
			// What a fault draws is its own: it stays what it is when others are left out.
			shared := w.rng
			w.rng = rand.New(rand.NewPCG(own, 2))
			hit := f.do(w)
			w.rng = shared
			if hit {
				w.out.Faults[f.name]++
				w.out.Plan = append(w.out.Plan, Planned{mine, w.now, f.name})
				w.busy()
			}
		})
	}
	return warm + length
}
