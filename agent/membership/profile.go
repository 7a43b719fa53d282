package membership

import (
	"fmt"
	"math"
	"time"
)

// Profile is a set of times for the gossip. Failure detection in short: each member probes one other per ProbeInterval; a
// probe that is not answered directly, through others or over TCP by the end of the interval makes its target a
// suspect; a suspect that does not speak up for the suspicion time is failed.
type Profile struct {
	Name string

	ProbeInterval time.Duration // one member is probed per interval
	ProbeTimeout  time.Duration // of the direct probe; then others are asked to try
	// SuspicionMult times max(1, log10 n) times ProbeInterval is the suspicion time, if SuspicionMult-2 other members
	// confirm it. With fewer confirmations it is longer, up to SuspicionMaxMult times that. With SuspicionMult 2, and
	// where there are not enough others, it applies at once.
	SuspicionMult    int
	SuspicionMaxMult int
	// AwarenessMax is how far a member slows its own probes down that finds itself slow.
	AwarenessMax   int
	IndirectChecks int // members asked to probe in one's stead

	GossipInterval time.Duration
	GossipNodes    int
	RetransmitMult int
	GossipToDead   time.Duration // how long a failed member still gets gossip, so that it can speak up

	PushPull   time.Duration // whole state exchanged with one member; heals lost gossip
	TCPTimeout time.Duration // of connections: push/pull and calling a failed member
	Rejoin     time.Duration // failed members are called this often
	LeaveWait  time.Duration // bound of telling the others that one leaves
	LeaveDelay time.Duration // time that the others get to hear it
}

// The profiles.
var (
	// LAN is the default: a dead node of 3 to 10 is known within about 1 s, and a machine that is starved for some
	// hundred milliseconds is not called dead.
	LAN = Profile{
		Name:          "lan",
		ProbeInterval: 150 * time.Millisecond, ProbeTimeout: 75 * time.Millisecond,
		SuspicionMult: 3, SuspicionMaxMult: 2, AwarenessMax: 4, IndirectChecks: 2,
		GossipInterval: 50 * time.Millisecond, GossipNodes: 3, RetransmitMult: 3, GossipToDead: 10 * time.Second,
		PushPull: 5 * time.Second, TCPTimeout: time.Second, Rejoin: time.Second,
		LeaveWait: time.Second, LeaveDelay: 200 * time.Millisecond,
	}
	// Fast knows a dead node after about 0.4 s; for machines that are never starved, in one room.
	Fast = Profile{
		Name:          "fast",
		ProbeInterval: 100 * time.Millisecond, ProbeTimeout: 50 * time.Millisecond,
		SuspicionMult: 2, SuspicionMaxMult: 2, AwarenessMax: 2, IndirectChecks: 2,
		GossipInterval: 30 * time.Millisecond, GossipNodes: 3, RetransmitMult: 3, GossipToDead: 10 * time.Second,
		PushPull: 5 * time.Second, TCPTimeout: time.Second, Rejoin: time.Second,
		LeaveWait: time.Second, LeaveDelay: 150 * time.Millisecond,
	}
	// WAN bears round trips of some hundred milliseconds and lost packets.
	WAN = Profile{
		Name:          "wan",
		ProbeInterval: time.Second, ProbeTimeout: 500 * time.Millisecond,
		SuspicionMult: 4, SuspicionMaxMult: 3, AwarenessMax: 8, IndirectChecks: 3,
		GossipInterval: 200 * time.Millisecond, GossipNodes: 4, RetransmitMult: 4, GossipToDead: 30 * time.Second,
		PushPull: 15 * time.Second, TCPTimeout: 5 * time.Second, Rejoin: 3 * time.Second,
		LeaveWait: 5 * time.Second, LeaveDelay: time.Second,
	}
)

// ProfileByName returns the profile of a name; an empty name means lan.
func ProfileByName(name string) (Profile, error) {
	switch name {
	case "", LAN.Name:
		return LAN, nil
	case Fast.Name:
		return Fast, nil
	case WAN.Name:
		return WAN, nil
	}
	return Profile{}, fmt.Errorf("unknown time profile %q: allowed are lan, fast and wan", name)
}

// Suspicion returns how long a suspect has in a cluster of n to speak up, once enough others have confirmed.
func (p Profile) Suspicion(n int) time.Duration {
	scale := math.Max(1, math.Log10(math.Max(1, float64(n))))
	return time.Duration(p.SuspicionMult) * time.Duration(scale*1000) * p.ProbeInterval / 1000
}

// Detect returns the time by which the death of one of n members is known to all others, in 999 of 1000 cases, as long as
// packets are not lost and no machine is starved: the sum of Terms. Half of the cases take some two thirds of it.
func (p Profile) Detect(n int) time.Duration {
	var sum time.Duration
	for _, t := range p.Terms(n) {
		sum += t.Time
	}
	return sum
}

// Term is one summand of a time.
type Term struct {
	Name string
	Time time.Duration
}

// Terms returns what Detect adds up.
//
//	turn      the dead one's turn to be probed comes: each of n-1 members probes all others in an order of its own,
//	          drawn anew for each round; that none of them has probed it in k intervals has a chance of about e^-k
//	          squared, and at least 3 intervals are wanted since a round can begin where the last one ended
//	probe     the probe fails, at the end of its interval
//	suspicion the suspect does not speak up; meanwhile others' probes confirm it, if confirmation is wanted
//	gossip    the last member hears of it
func (p Profile) Terms(n int) []Term {
	turns := 3
	if n > 4 {
		turns = 4
	}
	rounds := int(math.Ceil(math.Log2(float64(max(n, 2)))))
	return []Term{
		{"turn", time.Duration(turns) * p.ProbeInterval},
		{"probe", p.ProbeInterval},
		{"suspicion", p.Suspicion(n)},
		{"gossip", time.Duration(rounds) * p.GossipInterval},
	}
}
