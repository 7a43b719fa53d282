package quorum

import "sort"

// VotersMax bounds the voter set: seven survive the loss of three, and more only make every commit slower.
const VotersMax = 7

// Candidate is a node that could vote.
type Candidate struct {
	ID    string
	Name  string
	Heard bool // gossip says that it is alive
	Alive bool // heard, with a daemon that speaks our version
	// Gone says that it is certain not to act as a voter any more: it left in good order, or its fencing is confirmed.
	Gone    bool
	Witness bool  // votes, and never runs resources
	Since   int64 // Unix milliseconds since when it is alive without a break: the longest-stable is promoted first
	Voter   bool  // is in the voter set now
}

// Step is one change of the voter set; raft takes one at a time.
type Step struct {
	Admit  string // ID to add as a voter
	Remove string // ID to remove from the voters
}

// None reports that nothing is to be done.
func (s Step) None() bool { return s == Step{} }

// heardWithout counts the other voters that are heard, self included.
func heardWithout(id, self string, nodes []Candidate) int {
	count := 0
	for _, n := range nodes {
		if n.Voter && n.ID != id && (n.Heard || n.Alive || n.ID == self) {
			count++
		}
	}
	return count
}

// Next returns the next change of the voter set that brings it towards what is wanted: up to VotersMax voters, an odd
// number where there are three or more (an even one more survives nothing more), witnesses before others (and none beside a
// single node), the
// longest-stable first; voters that are Gone leave at once, so that a cluster shrinks with each confirmed death. A
// voter that is merely silent stays (safety rule 4). self is the leader and never removed here. None is removed where a
// majority of those that would be left is not heard: self leads by a majority, so one that is taken for gone is part of it,
// and without its vote nobody could be elected.
func Next(self string, nodes []Candidate) Step {
	nodes = append([]Candidate(nil), nodes...)
	sort.Slice(nodes, func(i, j int) bool {
		a, b := nodes[i], nodes[j]
		switch {
		case a.Voter != b.Voter:
			return a.Voter // who votes goes on voting
		case a.Witness != b.Witness:
			return a.Witness
		case a.Since != b.Since:
			return a.Since < b.Since
		}
		return a.ID < b.ID
	})
	voters, usable, working := 0, 0, 0
	for _, n := range nodes {
		if n.Voter {
			voters++
		}
	}
	for _, n := range nodes {
		if n.Voter && n.Gone && !n.Alive && n.ID != self && heardWithout(n.ID, self, nodes) >= Majority(voters-1) {
			return Step{Remove: n.ID}
		}
		if n.Alive || n.Voter {
			usable++
			if !n.Witness {
				working++
			}
		}
	}
	// The last node that can run anything gains nothing from a witness, and would stop with it: who is alone decides alone.
	if working == 1 {
		for _, n := range nodes {
			if n.Witness && n.Voter && n.Alive && n.ID != self {
				return Step{Remove: n.ID}
			}
		}
		return Step{}
	}
	want := min(usable, VotersMax)
	if want > 2 && want%2 == 0 {
		want--
	}
	if voters < want {
		for _, n := range nodes {
			if !n.Voter && n.Alive && !n.Gone {
				return Step{Admit: n.ID}
			}
		}
	}
	if voters > want && voters > 2 { // even: let go of the youngest that is not the leader, alive (in good order) only
		for i := len(nodes) - 1; i >= 0; i-- {
			if n := nodes[i]; n.Voter && n.Alive && n.ID != self && !n.Witness {
				return Step{Remove: n.ID}
			}
		}
	}
	return Step{}
}
