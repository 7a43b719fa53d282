package apitest

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/history"
)

// Cluster is a Backend. Its fields may be changed under Do.
type Cluster struct {
	mu        sync.Mutex
	listeners map[chan struct{}]bool
	commits   []api.Commit
	configs   map[uint64]*cib.Configuration

	Snap  api.Snapshot
	State api.Live
	// Routing, if set, answers Route; else this node is the coordinator.
	Routing func(ctx context.Context) (api.Route, error)
	// Still keeps planned actions from happening.
	Still bool
	// Fails holds resources whose start fails, as "web on node2".
	Fails map[string]bool
	// Fencer, if set, answers Fence; else every fencing succeeds.
	Fencer func(api.FenceRequest) (api.FenceReply, error)
	// Timeline and Inputs are what this node keeps of its time as coordinator, OtherNodes who may keep more.
	Timeline         []history.Event
	TimelineProblems []string
	Inputs           map[history.ID]*history.Input
	OtherNodes       []api.Route
	// Truth is this node's part of an audit.
	Truth audit.Part
	// Now is the time of commits and events.
	Now func() time.Time
}

// New returns a cluster of nodes with the first as coordinator, all online, and an empty configuration.
func New(nodes ...string) *Cluster {
	c := &Cluster{
		listeners: map[chan struct{}]bool{}, configs: map[uint64]*cib.Configuration{}, Fails: map[string]bool{}, Now: time.Now,
	}
	c.Snap = api.Snapshot{Revision: 1, ConfigRevision: 1, CIB: &cib.CIB{}}
	c.State = api.Live{Version: "0.1", Profile: "lan", Term: 1, Planned: 1, Transition: api.Transition{Idle: true}}
	if len(nodes) == 0 {
		return c // unconfigured
	}
	c.State.Node, c.State.Cluster, c.State.Coordinator = nodes[0], "demo", nodes[0]
	c.State.Quorum = api.Quorum{
		Quorate: true, Reason: fmt.Sprintf("%d voters of %d", len(nodes), len(nodes)), Votes: len(nodes), Total: len(nodes), Needed: len(nodes)/2 + 1,
	}
	c.must(cib.Change{SetQuorum: &cib.SetQuorum{HaveQuorum: true, DC: "id-" + nodes[0]}})
	for i, n := range nodes {
		id := "id-" + n
		c.must(cib.Change{PutNode: &cib.PutNode{ID: id, Uname: n}})
		c.must(cib.Change{NodeStatus: &cib.NodeStatus{ID: id, Uname: n, InCCM: "true", CRMD: "online", Join: "member", Expected: "member"}})
		c.State.Members = append(c.State.Members, api.Member{
			Name: n, ID: id, Role: api.RoleVoter, State: api.MemberAlive, Address: fmt.Sprintf("10.0.0.%d:7946", i+1),
			Version: "0.1", Session: true, Since: time.Unix(1900000000, 0),
		})
	}
	return c
}

// Do changes the cluster and tells who listens.
func (c *Cluster) Do(f func(c *Cluster)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(c)
	c.poke()
}

// Change applies a change without a commit; it is for tests that set a scene, within Do or before the cluster is used.
func (c *Cluster) Change(ch cib.Change) { c.must(ch) }

func (c *Cluster) must(ch cib.Change) {
	next, err := cib.Apply(c.Snap.CIB, ch)
	if err != nil {
		panic(err)
	}
	c.Snap.CIB = next
}

func (c *Cluster) poke() {
	for l := range c.listeners {
		select {
		case l <- struct{}{}:
		default:
		}
	}
}

// Route answers the API.
func (c *Cluster) Route(ctx context.Context) (api.Route, error) {
	c.mu.Lock()
	routing, cluster, node := c.Routing, c.State.Cluster, c.State.Node
	c.mu.Unlock()
	switch {
	case cluster == "":
		return api.Route{}, api.ErrUnconfigured
	case routing != nil:
		return routing(ctx)
	}
	return api.Route{Coordinator: node, Local: true}, nil
}

// Snapshot answers the API.
func (c *Cluster) Snapshot(context.Context) (api.Snapshot, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.State.Cluster == "" {
		return api.Snapshot{}, api.ErrUnconfigured
	}
	return c.Snap, nil
}

// Live answers the API.
func (c *Cluster) Live(context.Context) (api.Live, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.State, nil
}

// Changed answers the API.
func (c *Cluster) Changed(ctx context.Context) <-chan struct{} {
	l := make(chan struct{}, 1)
	c.mu.Lock()
	c.listeners[l] = true
	c.mu.Unlock()
	context.AfterFunc(ctx, func() {
		c.mu.Lock()
		delete(c.listeners, l)
		c.mu.Unlock()
	})
	return l
}

// Apply commits, and lets happen what follows.
func (c *Cluster) Apply(_ context.Context, cmd api.Command) (api.Applied, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if cmd.BaseRevision != 0 && cmd.BaseRevision != c.Snap.ConfigRevision {
		return api.Applied{}, api.Errorf(api.CodeConflict, "", "the configuration has moved on to %d", c.Snap.ConfigRevision)
	}
	next, err := cib.Apply(c.Snap.CIB, cmd.Change)
	if err != nil {
		return api.Applied{}, api.Errorf(api.CodeInvalid, "", "%v", err)
	}
	old := c.Snap.CIB
	c.Snap.Revision++
	c.Snap.CIB = next
	if cmd.Change.Configures() {
		c.Snap.ConfigRevision = c.Snap.Revision
		c.configs[c.Snap.Revision] = &next.Configuration
		commit := api.Commit{Revision: c.Snap.Revision, Time: c.Now(), User: cmd.User, Message: cmd.Message, Changes: []api.Change{}}
		for _, d := range cib.Diff(&old.Configuration, &next.Configuration) {
			commit.Changes = append(commit.Changes, api.Change{Object: d.Object, Kind: d.Kind, Text: d.String()})
		}
		c.commits = append([]api.Commit{commit}, c.commits...)
	}
	applied := api.Applied{Revision: c.Snap.Revision, ConfigRevision: c.Snap.ConfigRevision}
	c.carryOut()
	c.poke()
	return applied, nil
}

// carryOut does what the planner wants, unless it is held back.
func (c *Cluster) carryOut() {
	p := Plan(c.Snap.CIB, c.Now())
	c.State.Planned = c.Snap.Revision
	c.State.Transition = api.Transition{Idle: len(p.Actions) == 0}
	if c.State.Transition.Idle {
		return
	}
	if c.Still {
		c.State.Transition = api.Transition{Running: true, Graph: 1, Revision: c.Snap.Revision, Total: len(p.Actions), Pending: p.Actions}
		c.State.Transition.Pending[0].InFlight = true
		return
	}
	for _, a := range p.Actions {
		rc := 0
		if a.Operation == "start" && c.Fails[a.Resource+" on "+a.Node] {
			rc = 1
		}
		c.record(a, rc)
	}
	c.Snap.Revision++
	c.State.Planned, c.State.Transition.Idle = c.Snap.Revision, true
}

// record puts the result of an action into the history.
func (c *Cluster) record(a api.Action, rc int) {
	r := c.Snap.CIB.Resource(a.Resource)
	if r == nil {
		return
	}
	rec := cib.OpRecord{
		ID: a.Resource + "_last_0", Operation: a.Operation, IntervalMS: "0", CallID: strconv.FormatUint(c.Snap.Revision, 10),
		RC: strconv.Itoa(rc), OpStatus: "0", TransitionKey: "1:1:0:demo", LastRCChange: strconv.FormatInt(c.Now().Unix(), 10),
	}
	if rc != 0 {
		rec.ID, rec.ExitReason = a.Resource+"_last_failure_0", "no such device"
		one := "INFINITY"
		c.must(cib.Change{SetTransient: &cib.SetTransient{NodeID: "id-" + a.Node, Name: "fail-count-" + a.Resource + "#start_0", Value: &one}})
	}
	c.must(cib.Change{RecordOp: &cib.RecordOp{NodeID: "id-" + a.Node, Resource: a.Resource, Agent: r.Agent, Record: rec}})
}

// History answers the API.
func (c *Cluster) History(_ context.Context, n int) ([]api.Commit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.commits[:min(n, len(c.commits))], nil
}

// At answers the API.
func (c *Cluster) At(_ context.Context, rev uint64) (*cib.Configuration, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conf := c.configs[rev]; conf != nil {
		return conf, nil
	}
	return nil, api.Errorf(api.CodeNotFound, "", "no configuration was committed at revision %d", rev).
		WithHint("`paceline configure commit-history` lists them")
}

// Fence answers the API.
func (c *Cluster) Fence(_ context.Context, r api.FenceRequest) (api.FenceReply, error) {
	c.mu.Lock()
	fencer := c.Fencer
	now := c.Now()
	c.mu.Unlock()
	if fencer != nil {
		return fencer(r)
	}
	device := "fence1"
	if r.Confirmed {
		device = "manual"
	}
	return api.FenceReply{Event: api.FenceEvent{
		Target: r.Node, Action: r.Action, Device: device, Origin: "user " + r.User, OK: true, Started: now, Completed: now,
	}}, nil
}

// Init answers the API.
func (c *Cluster) Init(_ context.Context, r api.InitRequest) (api.InitReply, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.State.Cluster != "" {
		return api.InitReply{}, api.Errorf(api.CodeRefused, "", "this node is a member of cluster %s already", c.State.Cluster)
	}
	made := New("node1")
	c.Snap, c.State = made.Snap, made.State
	if r.Cluster != "" {
		c.State.Cluster = r.Cluster
	}
	return api.InitReply{Cluster: c.State.Cluster, Node: c.State.Node, Address: "10.0.0.1", Token: "PL1-secret", Expires: c.Now().Add(api.TokenTTL)}, nil
}

// Join answers the API.
func (c *Cluster) Join(_ context.Context, r api.JoinRequest) (api.JoinReply, error) {
	if r.Token != "PL1-secret" {
		return api.JoinReply{}, api.Errorf(api.CodeFailed, "", "the token has expired").WithHint("make a new one with `paceline cluster token`")
	}
	role := api.RoleVoter
	if r.Witness {
		role = api.RoleWitness
	}
	return api.JoinReply{Cluster: "demo", Node: "node9", Address: "10.0.0.9", Role: role}, nil
}

// Token answers the API.
func (c *Cluster) Token(_ context.Context, r api.TokenRequest) (api.TokenReply, error) {
	return api.TokenReply{Token: "PL1-secret", Expires: c.Now().Add(time.Duration(r.TTL))}, nil
}

// Leave answers the API.
func (c *Cluster) Leave(_ context.Context, r api.LeaveRequest) (api.LeaveReply, error) {
	return api.LeaveReply{Node: r.Node}, nil
}

// ForceQuorum answers the API.
func (c *Cluster) ForceQuorum(context.Context) error {
	c.Do(func(c *Cluster) {
		c.Routing = nil
		c.State.Coordinator = c.State.Node
		c.State.Quorum = api.Quorum{Quorate: true, Reason: "1 voter of 1", Votes: 1, Total: 1, Needed: 1}
	})
	return nil
}
