package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/membership"
	"paceline/agent/scheduler"
	"paceline/agent/store"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/fencing/manual"
)

// backend is what the API's server asks of the daemon.
type backend struct{ d *Daemon }

// Route says who answers.
func (b backend) Route(ctx context.Context) (api.Route, error) {
	n := b.d.current()
	if n == nil {
		return api.Route{}, api.ErrUnconfigured
	}
	kick := b.d.notify.listen(ctx)
	for {
		if name, local := n.coordinator(); name != "" {
			return n.route(name, local), nil
		}
		select {
		case <-kick:
		case <-ctx.Done():
			return api.Route{}, api.Errorf(api.CodeNoCoordinator, "find the coordinator", "%s", n.verdictText())
		}
	}
}

func (n *node) route(name string, local bool) api.Route {
	r := api.Route{Coordinator: name, Local: local}
	if local {
		return r
	}
	var addr string
	for _, m := range n.currentView().Members {
		if m.Name == name {
			addr = net.JoinHostPort(m.Addr, strconv.Itoa(int(m.PeerPort)))
		}
	}
	t := n.peer.Transport()
	r.Transport = roundTrip(func(req *http.Request) (*http.Response, error) {
		req = req.Clone(req.Context())
		req.URL.Scheme, req.URL.Host = "http", addr
		return t.RoundTrip(req)
	})
	return r
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// coordinator returns the name of the coordinator, "" if none is known, and whether it is this node and ready.
func (n *node) coordinator() (name string, local bool) {
	n.mu.Lock()
	l, runner, view, leaving := n.leader, n.runner, n.view, n.leaving
	n.mu.Unlock()
	if l.Leader {
		if runner == nil {
			return "", false // elected, not taken up yet
		}
		return n.file.Node, true
	}
	if l.LeaderID != "" {
		for _, m := range view.Members {
			if m.ID == l.LeaderID {
				return m.Name, false
			}
		}
	}
	// Who holds no log learns it from whoever gives orders. So does a node that leaves: it may never hear that its vote was
	// taken, and would look for a leader among those who do not talk to it any more.
	if leaving || !n.isVoter() {
		if s := n.exec.Status(); s.Connected {
			return s.Coordinator, false
		}
	}
	return "", false
}

func (n *node) isLeader() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.leader.Leader
}

// isVoter reports whether this node has a vote. Who was replaced while it was away has a log that says so still, and nobody tells it
// by raft: it believes the coordinator that opened a session to it, while it hears no leader. That it heard one before says nothing:
// its vote may have gone to another just after it started.
func (n *node) isVoter() bool {
	n.mu.Lock()
	led := n.leader.LeaderID != ""
	n.mu.Unlock()
	if !led && n.exec.Status().Voteless {
		return false
	}
	return slices.Contains(n.voterIDs(), n.id.ID)
}

func (n *node) role() string {
	switch {
	case n.file.Witness:
		return api.RoleWitness
	case n.isVoter():
		return api.RoleVoter
	}
	return api.RoleMember
}

func (n *node) verdictText() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r := n.verdict.verdict.Reason; r != "" {
		return r
	}
	return "this node has just started"
}

// Snapshot returns the newest state known here.
func (b backend) Snapshot(context.Context) (api.Snapshot, error) {
	n := b.d.current()
	if n == nil {
		return api.Snapshot{}, api.ErrUnconfigured
	}
	s := n.store.Snapshot()
	c := s.CIB
	if c == nil {
		c = &cib.CIB{}
	}
	return api.Snapshot{Revision: s.Revision, ConfigRevision: s.ConfigRevision, CIB: c}, nil
}

// Changed pokes when something may have changed.
func (b backend) Changed(ctx context.Context) <-chan struct{} { return b.d.notify.listen(ctx) }

// Live returns what is known beside the CIB.
func (b backend) Live(ctx context.Context) (api.Live, error) {
	n := b.d.current()
	if n == nil {
		return api.Live{Version: b.d.opt.Version}, nil
	}
	name, local := n.coordinator()
	n.mu.Lock()
	l := api.Live{
		Node: n.file.Node, Cluster: n.file.Cluster, Version: b.d.opt.Version, Profile: n.file.Profile,
		Coordinator: name, Term: n.leader.Term,
	}
	n.heard = n.heard || name != ""
	verdict, view := n.verdict, n.view
	l.Unheard = !n.heard
	n.mu.Unlock()
	v := verdict.verdict
	l.Quorum = api.Quorum{Quorate: v.Quorate, Reason: v.Reason, Votes: v.Votes, Total: v.Total, Needed: v.Needed}
	sessions := map[string]bool{}
	fences, restarts := verdict.fencing, verdict.restart
	if p, ok := n.progress(ctx); ok {
		sessions = p.Sessions
		if len(p.Awaits) > 0 {
			l.Quorum.Quorate = false
			l.Quorum.Reason = "the cluster comes up and waits for " + strings.Join(p.Awaits, ", ") + " (wait-for-all), or for the word that it is off (paceline node fence --confirmed)"
		}
		fences, restarts = p.Fences, p.Restarting
		if l.Quorum.Changing = p.Regrouping; p.Regrouping {
			l.Quorum.Reason += ", and the set of voters is being changed"
		}
		l.Planned = p.Planned
		l.Transition = transitionOf(p)
		for _, u := range p.Unseen {
			l.Missing = append(l.Missing, api.Missing{Node: u.Node, Lost: u.Lost})
		}
	}
	for _, r := range restarts {
		if left := time.Until(r.Until); left > 0 {
			l.Restarting = append(l.Restarting, api.Restarting{Node: r.Node, Left: left})
		}
	}
	for _, f := range fences {
		l.Fencing = append(l.Fencing, api.FencePending{
			Target: f.Target, Action: f.Action, Since: f.Since, Attempt: f.Attempt, Detail: f.Detail, Blocked: f.Blocked,
		})
	}
	voters := map[string]bool{}
	for _, id := range n.voterIDs() {
		voters[id] = true
	}
	for _, m := range view.Members {
		l.Members = append(l.Members, n.memberOf(m, voters, sessions))
		if m.Role == membership.RoleWitness && voters[m.ID] {
			l.Quorum.Witness = m.Name
		}
	}
	l.Links = n.linkStates()
	l.Problems = append(n.problems(), n.trouble.all(time.Now())...)
	switch {
	case name == "":
		l.Stale = "there is no coordinator: " + v.Reason
	case !local:
		l.Stale = "this is what " + n.file.Node + " knows; the coordinator is " + name
	}
	return l, nil
}

// Planned returns the coordinator's plan, if it is here.
func (b backend) Planned(ctx context.Context) (*scheduler.Result, uint64) {
	n := b.d.current()
	if n == nil {
		return nil, 0
	}
	p, ok := n.progress(ctx)
	if !ok {
		return nil, 0
	}
	return p.Plan, p.Planned
}

// progress asks the coordinator what it is doing, if it is here.
func (n *node) progress(ctx context.Context) (coordinator.Progress, bool) {
	n.mu.Lock()
	runner := n.runner
	n.mu.Unlock()
	if runner == nil {
		return coordinator.Progress{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, progressMax)
	defer cancel()
	p, err := runner.Progress(ctx)
	return p, err == nil
}

func (n *node) memberOf(m membership.Member, voters, sessions map[string]bool) api.Member {
	out := api.Member{
		Name: m.Name, ID: m.ID, Role: api.RoleMember, State: api.MemberFailed, Incarnation: m.Incarnation, Version: m.Version,
		Address: net.JoinHostPort(m.Addr, strconv.Itoa(int(m.Port))), Since: m.Since, Session: sessions[m.Name],
	}
	switch {
	case m.Role == membership.RoleWitness:
		out.Role = api.RoleWitness
	case voters[m.ID]:
		out.Role = api.RoleVoter
	}
	switch m.Status {
	case membership.Alive:
		out.State = api.MemberAlive
	case membership.Left:
		out.State = api.MemberLeft
	}
	return out
}

func transitionOf(p coordinator.Progress) api.Transition {
	t := api.Transition{Running: p.Graph != 0, Idle: p.Idle, Graph: p.Graph, Revision: p.Revision, Done: p.Done, Total: p.Total}
	add := func(list []*transition.Action, flying bool) {
		for _, a := range list {
			t.Pending = append(t.Pending, api.Action{
				Operation: a.Operation, Resource: a.Resource, Node: a.Node, Reason: a.Reason, InFlight: flying,
			})
		}
	}
	add(p.InFlight, true)
	add(p.Waiting, false)
	return t
}

// problems lists what this daemon finds wrong beside what follows from the CIB.
func (n *node) problems() []api.Problem {
	out := append(n.linkProblems(), n.keyProblems()...)
	for _, p := range n.members.Problems() {
		out = append(out, api.Problem{Name: p.Kind, Severity: api.SeverityError, What: p.Text, Since: p.First})
	}
	for _, r := range n.peer.Refusals() {
		times := fmt.Sprintf("%d times", r.Count)
		if r.Count == 1 {
			times = "once"
		}
		out = append(out, api.Problem{
			Name: "peer-refused", Severity: api.SeverityWarning, Object: r.Host, Since: r.First,
			What: fmt.Sprintf("%s refused %s %s: %s", n.file.Node, r.Host, times, r.Reason),
		})
	}
	if err := n.store.Health(); err != nil {
		out = append(out, api.Problem{Name: "store", Severity: api.SeverityError, Object: n.file.Node,
			What: fmt.Sprintf("the disk of %s: %v", n.file.Node, err),
			Hint: "see the disk that holds the data folder; the node goes on by itself when it can write again"})
	}
	return out
}

// apply commits a change on the coordinator and lets the loop know.
func (n *node) apply(ctx context.Context, cmd api.Command) (api.Applied, error) {
	a, err := n.commit(ctx, store.Command{Change: cmd.Change, BaseRevision: cmd.BaseRevision, User: cmd.User, Message: cmd.Message})
	var conflict *store.Conflict
	switch {
	case errors.As(err, &conflict):
		return api.Applied{}, api.Errorf(api.CodeConflict, "", "%v", conflict).WithHint("look at what changed (paceline configure commit-history) and try again")
	case errors.Is(err, store.ErrNotLeader):
		return api.Applied{}, api.Errorf(api.CodeNoCoordinator, "commit", "%v", err)
	case err != nil:
		return api.Applied{}, err
	}
	return api.Applied{Revision: a.Revision, ConfigRevision: a.ConfigRevision}, nil
}

// Apply commits a change.
func (b backend) Apply(ctx context.Context, cmd api.Command) (api.Applied, error) {
	n := b.d.current()
	if n == nil {
		return api.Applied{}, api.ErrUnconfigured
	}
	return n.apply(ctx, cmd)
}

// History lists commits of the configuration.
func (b backend) History(_ context.Context, max int) ([]api.Commit, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	var out []api.Commit
	for _, c := range n.store.History(max) {
		commit := api.Commit{Revision: c.Revision, Time: c.Time, User: c.User, Message: c.Message}
		before := c.Before
		if before == nil {
			before = &cib.Configuration{}
		}
		for _, d := range cib.Diff(before, c.After) {
			commit.Changes = append(commit.Changes, api.Change{Object: d.Object, Kind: string(d.Kind), Text: d.String()})
		}
		out = append(out, commit)
	}
	return out, nil
}

// At returns an old configuration.
func (b backend) At(_ context.Context, revision uint64) (*cib.Configuration, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	c, err := n.store.At(revision)
	if errors.Is(err, store.ErrUnknownRevision) {
		return nil, api.Errorf(api.CodeNotFound, fmt.Sprintf("find revision %d", revision), "%v", err).
			WithHint("paceline configure commit-history lists those that are kept")
	}
	return c, err
}

// Fence carries out a person's fencing and waits for its end.
func (b backend) Fence(ctx context.Context, req api.FenceRequest) (api.FenceReply, error) {
	n := b.d.current()
	if n == nil {
		return api.FenceReply{}, api.ErrUnconfigured
	}
	n.mu.Lock()
	r := n.runner
	n.mu.Unlock()
	action := req.Action
	c := n.store.Snapshot().CIB
	if action == "" && c != nil {
		action = coordinator.FencingAction(c)
	}
	origin := "user " + req.User
	began := time.Now()
	if r == nil {
		if req.Confirmed { // alone of two: the person's word is what it waits for
			if why := n.wordUseless(req.Node); why != "" {
				return api.FenceReply{}, api.Errorf(api.CodeRefused, "confirm that "+req.Node+" is off", "%s", why).
					WithHint("paceline status says what this node waits for; paceline cluster force-quorum is the last resort")
			}
			n.tellTakeover(coordinator.FenceConfirmed{Target: req.Node, Origin: origin})
			return n.waitFence(ctx, req, fencing.Off, began)
		}
		return api.FenceReply{}, api.Errorf(api.CodeNoCoordinator, "fence "+req.Node, "%s", n.verdictText())
	}
	if req.Action == fencing.Test {
		r.Post(ctx, coordinator.FenceRehearsed{Target: req.Node, Origin: origin})
		return n.waitFence(ctx, req, fencing.Test, began)
	}
	if req.Confirmed {
		r.Post(ctx, coordinator.FenceConfirmed{Target: req.Node, Origin: origin})
		action = fencing.Off
	} else {
		r.Post(ctx, coordinator.FenceAsked{Target: req.Node, Action: action, Origin: origin})
	}
	return n.waitFence(ctx, req, action, began)
}

// wordUseless says why a person's confirmation changes nothing while nobody coordinates; "" if it does.
func (n *node) wordUseless(target string) string {
	n.mu.Lock()
	total := n.verdict.verdict.Total
	n.mu.Unlock()
	m, known := n.currentView().Member(target)
	switch {
	case known && m.Status == membership.Alive:
		return target + " is heard right now"
	case total != 2:
		return fmt.Sprintf("there is no coordinator, and one death confirmed gives none: there are %d voters (%s)", total, n.verdictText())
	}
	return ""
}

// waitFence waits for the end of a fencing that began not before since to be committed; of a confirmation, for its own.
func (n *node) waitFence(ctx context.Context, req api.FenceRequest, action string, since time.Time) (api.FenceReply, error) {
	target := req.Node
	limit := fenceWait
	if c := n.store.Snapshot().CIB; c != nil {
		limit += coordinator.FencingTimeout(c)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	kick := n.d.notify.listen(ctx)
	for {
		if c := n.store.Snapshot().CIB; c != nil {
			for i := len(c.Status.Fencing) - 1; i >= 0; i-- {
				e := c.Status.Fencing[i]
				if e.Target != target || e.State == fencing.StatePending || e.Completed < since.UnixMilli() || (e.Action == fencing.Test) != (action == fencing.Test) || req.Confirmed && e.Device != manual.Device {
					continue
				}
				return api.FenceReply{Schema: api.Schema, Event: api.FenceEvent{
					Target: e.Target, Action: e.Action, Device: e.Device, Executor: e.Executor, Origin: e.Origin, OK: e.State == fencing.StateOK,
					Detail: e.Detail, Started: time.UnixMilli(e.Started), Completed: time.UnixMilli(e.Completed),
				}}, nil
			}
		}
		select {
		case <-kick:
		case <-ctx.Done():
			return api.FenceReply{}, api.Errorf(api.CodeTimeout, "fence "+target, "%s did not end within %v", action, limit)
		}
	}
}

// Init makes this node the first of a new cluster.
func (b backend) Init(ctx context.Context, req api.InitRequest) (api.InitReply, error) {
	return b.d.init(ctx, req)
}

// Join makes this node a member.
func (b backend) Join(ctx context.Context, req api.JoinRequest) (api.JoinReply, error) {
	return b.d.join(ctx, req)
}

// Token issues a join token.
func (b backend) Token(_ context.Context, req api.TokenRequest) (api.TokenReply, error) {
	n := b.d.current()
	if n == nil {
		return api.TokenReply{}, api.ErrUnconfigured
	}
	ttl := time.Duration(req.TTL)
	if ttl <= 0 {
		ttl = tokenTTLDefault
	}
	t, err := n.token(ttl)
	if err != nil {
		return api.TokenReply{}, err
	}
	return api.TokenReply{Token: t.Encode(), Expires: t.Expires}, nil
}

// Leave takes a node out for good.
func (b backend) Leave(ctx context.Context, req api.LeaveRequest) (api.LeaveReply, error) {
	return b.d.leave(ctx, req)
}
