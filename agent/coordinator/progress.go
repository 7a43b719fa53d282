package coordinator

import (
	"time"

	"paceline/agent/scheduler"
	"paceline/agent/transition"
)

// Progress is what the coordinator is doing, for status.
type Progress struct {
	Term     uint64
	Planned  uint64 // revision that was last planned for
	Idle     bool   // nothing was to be done at that revision, and nothing is in flight
	Graph    uint64 // number of the transition that runs; 0 if none
	Revision uint64 // it was planned for
	Done     int
	Total    int
	InFlight []*transition.Action
	Waiting  []*transition.Action
	Fences   []Fencing
	Sessions map[string]bool
	Awaits   []string // nodes for which a cluster that comes up waits before it does anything (wait-for-all)
	Unseen   []Unseen
	// Regrouping says that the set of voters is being changed: until it is done, who counts is not what everybody knows.
	Regrouping bool
	// Restarting are the members that are waited for because their daemons announced that they start anew; the
	// time of one may be just over.
	Restarting []Restart
	Plan       *scheduler.Result // the newest plan; may be nil
}

// Unseen is a member that was not heard since the cluster came up, and when it counts as lost if that stays so.
type Unseen struct {
	Node string
	Lost time.Time
}

// Fencing is the state of one fencing, for status.
type Fencing struct {
	Target, Action, Origin string
	Since                  time.Time
	Attempt                int
	Detail                 string // why the last attempt failed
	Blocked                string // why no attempt can succeed
	Running                bool
}

func (f *fence) report() Fencing {
	return Fencing{
		Target: f.target, Action: f.action, Origin: f.origin, Since: f.since, Attempt: f.attempt,
		Detail: f.detail, Blocked: f.blocked, Running: f.running(),
	}
}

// Progress reports what is being done.
func (c *Core) Progress() Progress {
	p := Progress{Term: c.term, Sessions: map[string]bool{}, Plan: c.plan, Planned: c.planned, Awaits: c.awaits, Unseen: c.unseen()}
	p.Restarting = c.restarts.all(func(id string) bool { return c.isUp(c.nodeName(id)) })
	for name, s := range c.sessions {
		p.Sessions[name] = s.up
	}
	for _, target := range sortedKeys(c.fences) {
		p.Fences = append(p.Fences, c.fences[target].report())
	}
	p.Regrouping = c.changingVoters
	p.Idle = c.ready && c.machine == nil && c.dirty == "" && len(c.commits) == 0 && len(p.Fences) == 0
	if c.machine == nil {
		return p
	}
	n := c.machine.Numbers()
	p.Graph, p.Revision = n.Graph, n.Revision
	p.InFlight, p.Waiting = c.machine.Pending()
	p.Total = c.plan.Graph.Real()
	p.Done = p.Total - len(p.InFlight) - len(p.Waiting)
	return p
}
