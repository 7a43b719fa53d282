package links

import "time"

const (
	// Max bounds the addresses of a node: they are announced in the gossip's tags, which have 512 bytes for everything.
	Max = 4
	// DialStagger is how long a dial waits for one link before it tries the next as well: many round trips of a local network,
	// and short against every time-out of those who dial.
	DialStagger = 100 * time.Millisecond
	// dialMax bounds a dial whose context has no deadline.
	dialMax = 10 * time.Second
	// openEvery is the pause between attempts to open an address that this machine did not have when the daemon started.
	openEvery = 2 * time.Second
	// copiesMax is how many packets are remembered, to recognise their copies on other links: copies come within
	// milliseconds, and a thousand packets are more than comes in a second.
	copiesMax = 1024
	// nodesMax bounds the nodes whose links are probed.
	nodesMax = 256
)

// Times are those of the probes; they derive from the cluster's profile.
type Times struct {
	Probe   time.Duration // each link to each node is probed this often
	Misses  int           // so many unanswered probes in a row take a link down, if another link answers
	Answers int           // so many answers in a row bring it back
}

// The profiles: a dead link is known within (Misses+1) x Probe.
var (
	LAN  = Times{Probe: 200 * time.Millisecond, Misses: 3, Answers: 3}
	Fast = Times{Probe: 100 * time.Millisecond, Misses: 3, Answers: 3}
	WAN  = Times{Probe: time.Second, Misses: 4, Answers: 3}
)

// Profile returns the times of a named profile; any other name means lan.
func Profile(name string) Times {
	switch name {
	case "fast":
		return Fast
	case "wan":
		return WAN
	}
	return LAN
}
