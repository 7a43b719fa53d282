package agent

import (
	"fmt"
	"time"

	"paceline/agent/coordinator"
	"paceline/agent/membership"
	"paceline/agent/store"
)

// profile is the one place from which all time-outs of a node derive.
type profile struct {
	gossip membership.Profile
	raft   store.Timings
	lease  time.Duration // node lease: see safety rule 6
	timing coordinator.Timing
}

// profileFor returns a named profile: lan, fast or wan.
func profileFor(name string) (profile, error) {
	leases := map[string]time.Duration{"lan": 5 * time.Second, "fast": 2 * time.Second, "wan": 20 * time.Second}
	lease, ok := leases[name]
	if !ok {
		return profile{}, fmt.Errorf("profile %q: lan, fast and wan are known", name)
	}
	gossip, err := membership.ProfileByName(name)
	if err != nil {
		return profile{}, err
	}
	raft, err := store.Profile(name)
	if err != nil {
		return profile{}, err
	}
	return profile{gossip: gossip, raft: raft, lease: lease, timing: coordinator.TimingFor(gossip.Detect(3), lease)}, nil
}
