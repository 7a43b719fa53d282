package quorum

import (
	"fmt"
	"sort"
	"strings"
)

// Voter is a member of the voter set as this node sees it.
type Voter struct {
	ID    string
	Name  string
	Heard bool // gossip says it is alive now (the node itself always is)
}

// Input is what a verdict is made from.
type Input struct {
	Self     string // ID of this node
	Voters   []Voter
	Growing  string // name of one that is being made a voter: by the word of others it may be one already; "" if there is none
	Leader   string // ID of the raft leader that this node knows of; "" if none
	Together bool   // this incarnation was in live quorum with every present voter: it saw a leader while all were heard
}

// Verdict says whether this node is part of a quorate partition, and why.
type Verdict struct {
	Quorate bool   `json:"quorate"`
	Votes   int    `json:"votes"`  // voters heard, this node included
	Total   int    `json:"total"`  // voters
	Needed  int    `json:"needed"` // majority
	Reason  string `json:"reason"` // a sentence part for status
	// Takeover is the ID of the other one of exactly two voters, when this node may take over after that peer's confirmed
	// fencing. It is empty in every other case.
	Takeover string `json:"takeover,omitempty"`
}

// Majority returns how many of n voters are needed: more than half.
func Majority(n int) int { return n/2 + 1 }

// Judge gives the verdict.
func Judge(in Input) Verdict {
	v := Verdict{Total: len(in.Voters), Needed: Majority(len(in.Voters))}
	self := false
	var heard, missing []string
	var missingID string
	for _, m := range in.Voters {
		if m.ID == in.Self {
			self = true
		}
		if m.Heard || m.ID == in.Self {
			heard = append(heard, m.Name)
		} else {
			missing, missingID = append(missing, m.Name), m.ID
		}
	}
	sort.Strings(heard)
	sort.Strings(missing)
	v.Votes = len(heard)
	switch {
	case v.Total == 0:
		v.Reason = "this node does not know the voters: it has no copy of the cluster's state, and hears no coordinator yet"
	case v.Votes >= v.Needed && in.Leader != "":
		v.Quorate = true
		v.Reason = fmt.Sprintf("%s of %d", plural(v.Votes, "voter"), v.Total)
		if len(missing) > 0 {
			v.Reason += ", without " + list(missing)
		}
	case v.Votes >= v.Needed:
		v.Reason = fmt.Sprintf("%s of %d heard, but no coordinator is elected", plural(v.Votes, "voter"), v.Total)
	case v.Total == 2 && self && in.Together && in.Growing != "":
		v.Reason = fmt.Sprintf("alone of two while %s was being made a voter, and may be one: it waits for either, or for a person (paceline cluster force-quorum)", in.Growing)
	case v.Total == 2 && self && in.Together:
		v.Takeover = missingID
		v.Reason = fmt.Sprintf("alone of two: %s must be confirmed fenced before this node may go on", list(missing))
	case v.Total == 2 && self:
		v.Reason = fmt.Sprintf("alone since this node started: it waits for %s, or for a person (paceline cluster force-quorum)", list(missing))
	default:
		v.Reason = fmt.Sprintf("%s of %d heard, %d needed; not heard: %s", plural(v.Votes, "voter"), v.Total, v.Needed, list(missing))
	}
	return v
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func list(names []string) string {
	if len(names) == 0 {
		return "nobody"
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}
