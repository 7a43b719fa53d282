package store

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/hashicorp/raft"

	"paceline/agent/cib"
)

// Config is what a store is opened with.
type Config struct {
	// ID is the node's ID: raft's server ID. It must not change as long as Dir keeps its content.
	ID string
	// Name is the node's name, for logs only.
	Name string
	// Dir is the data directory: raft.db and snapshots/ are made in it, readable by its owner only.
	Dir string
	// Stream carries raft between the voters. Its Addr must be the address at which the others reach this node
	// ("host:peerport"), unless Address says it. An opened store owns it and closes it.
	Stream raft.StreamLayer
	// Address overrides Stream.Addr().
	Address string
	// Resolve gives the present addresses of a node, one for each link, the best first; for members that came back with another
	// address than the voter set says, too. nil, or an empty answer, means the voter set's address. It must not block.
	Resolve func(id string) []string
	// Timings derive from the cluster's profile.
	Timings Timings
	// Compaction bounds the log; zero means Compact.
	Compaction Compaction
	// Bootstrap makes a store without any state a cluster of one voter: for "cluster init" only. It is ignored when
	// there is state. Without it an empty store waits until a leader admits it.
	Bootstrap bool
	// Apply is the pure function that applies a change; nil means cib.Apply.
	Apply func(*cib.CIB, cib.Change) (*cib.CIB, error)
	// Logger may be nil.
	Logger *slog.Logger
}

// Timings are raft's times.
type Timings struct {
	Heartbeat time.Duration // a follower that hears nothing for one to two times of it asks for votes
	Election  time.Duration // a candidate that did not win tries again after one to two times of it
	Lease     time.Duration // a leader that does not hear a majority for it steps down
	Commit    time.Duration // how soon followers learn what is committed when nothing follows; what an idle leader costs hangs on it
	RPC       time.Duration // bound of one exchange with a peer, including its fsync
}

// Compaction says when the log is cut behind a snapshot.
type Compaction struct {
	After uint64        // this many entries are there since the last snapshot; it also bounds the replay at a start
	Keep  uint64        // entries that stay, so that a node that was away for a reboot catches up by entries
	Every time.Duration // how often it is looked at (raft draws from once to twice of it)
}

// Compact is what a cluster runs with.
var Compact = Compaction{After: 2048, Keep: 1024, Every: 30 * time.Second}

// The profiles. A leader's death is followed by the next election within 1.3 to 2.7
// heartbeat times: LAN 0.3 to 0.7 s, Fast half of it or less, WAN up to 3 s.
var (
	LAN = Timings{
		Heartbeat: 300 * time.Millisecond, Election: 300 * time.Millisecond, Lease: 225 * time.Millisecond,
		Commit: 60 * time.Millisecond, RPC: 600 * time.Millisecond,
	}
	Fast = Timings{
		Heartbeat: 100 * time.Millisecond, Election: 100 * time.Millisecond, Lease: 75 * time.Millisecond,
		Commit: 30 * time.Millisecond, RPC: 200 * time.Millisecond,
	}
	WAN = Timings{
		Heartbeat: time.Second, Election: time.Second, Lease: 750 * time.Millisecond,
		Commit: 200 * time.Millisecond, RPC: 2 * time.Second,
	}
)

// Profile returns the timings of a named profile: lan (also ""), fast or wan.
func Profile(name string) (Timings, error) {
	switch name {
	case "", "lan":
		return LAN, nil
	case "fast":
		return Fast, nil
	case "wan":
		return WAN, nil
	}
	return Timings{}, fmt.Errorf("profile %q: lan, fast and wan are known", name)
}

// Validate holds the times against each other.
func (t Timings) Validate() error {
	switch {
	case t.Heartbeat < 20*time.Millisecond:
		return fmt.Errorf("heartbeat %v: at least 20ms, or a busy machine loses its leader for nothing", t.Heartbeat)
	case t.Election < t.Heartbeat:
		return fmt.Errorf("election %v: at least the heartbeat time-out, %v", t.Election, t.Heartbeat)
	case t.Lease < 5*time.Millisecond || t.Lease > t.Heartbeat*3/4:
		return fmt.Errorf("lease %v: from 5ms to three quarters of the heartbeat time-out, %v, so that a leader that is cut off stops before another is elected", t.Lease, t.Heartbeat*3/4)
	case t.Commit < time.Millisecond || t.Commit > t.Heartbeat/2:
		return fmt.Errorf("commit %v: from 1ms to half of the heartbeat time-out, %v", t.Commit, t.Heartbeat/2)
	case t.RPC < t.Heartbeat || t.RPC > 10*t.Heartbeat:
		return fmt.Errorf("rpc %v: from one to ten times the heartbeat time-out, %v", t.RPC, t.Heartbeat)
	}
	return nil
}

func (c *Config) complete() error {
	switch {
	case c.ID == "":
		return errors.New("no node ID given")
	case c.Dir == "":
		return errors.New("no data directory given")
	case c.Stream == nil:
		return errors.New("no stream layer given")
	}
	if c.Address == "" {
		c.Address = c.Stream.Addr().String()
	}
	if c.Timings == (Timings{}) {
		c.Timings = LAN
	}
	if err := c.Timings.Validate(); err != nil {
		return err
	}
	if c.Compaction == (Compaction{}) {
		c.Compaction = Compact
	}
	if c.Apply == nil {
		c.Apply = cib.Apply
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Name != "" {
		c.Logger = c.Logger.With("node", c.Name)
	}
	return nil
}

func (c *Config) databasePath() string { return filepath.Join(c.Dir, "raft.db") }
func (c *Config) snapshotDir() string  { return filepath.Join(c.Dir, "snapshots") }
