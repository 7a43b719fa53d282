package api_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// serve runs a server of a cluster on a socket, and returns a client of it.
func serve(t *testing.T, c *apitest.Cluster) *api.Client {
	t.Helper()
	client := api.NewClient(serveAt(t, c, filepath.Join(t.TempDir(), "paceline.sock")))
	t.Cleanup(client.Close)
	return client
}

func serveAt(t *testing.T, c *apitest.Cluster, path string) string {
	t.Helper()
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	l, err := s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return path
}

// load commits primitives named by IDs, in a cluster that then runs them.
func load(t *testing.T, client *api.Client, ids ...string) {
	t.Helper()
	base, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := *base.Configuration
	for _, id := range ids {
		conf.Resources = append(conf.Resources, primitive(id))
	}
	if _, err := client.Change(t.Context(), api.ChangeRequest{Configuration: &conf, BaseRevision: base.Revision, Message: "load"}); err != nil {
		t.Fatal(err)
	}
}

func primitive(id string) *cib.Resource {
	return &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"}}
}

// refused checks that an error has a code and says what it should.
func refused(t *testing.T, err error, code api.Code, words ...string) {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want one of code %s", err, code)
	}
	if e.Code != code {
		t.Errorf("got code %s (%v), want %s", e.Code, e, code)
	}
	all := e.Error() + " / " + e.Hint
	for _, p := range e.Problems {
		all += " / " + p.Object + " " + p.What
	}
	for _, w := range words {
		if !strings.Contains(all, w) {
			t.Errorf("got %q, want %q in it", all, w)
		}
	}
}

func nodesOf(t *testing.T, client *api.Client, id string) []string {
	t.Helper()
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range st.Resources {
		if r.ID == id {
			return r.Nodes
		}
	}
	t.Fatalf("no resource %s in the status", id)
	return nil
}

func TestChangeIsCommittedWithItsAuthor(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	load(t, client, "web")
	h, err := client.History(t.Context(), 5)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Commits) != 1 || !strings.HasSuffix(h.Commits[0].User, "@node1") || h.Commits[0].Message != "load" || len(h.Commits[0].Changes) == 0 {
		t.Errorf("got history %+v", h.Commits)
	}
	if got := nodesOf(t, client, "web"); !slices.Equal(got, []string{"node1"}) {
		t.Errorf("web runs on %v, want node1", got)
	}
}

func TestChangeRefuses(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	load(t, client, "web")
	base, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	send := func(r api.ChangeRequest) error {
		_, err := client.Change(t.Context(), r)
		return err
	}
	bad := *base.Configuration
	bad.Resources = append(slices.Clone(bad.Resources), primitive("web"))
	refused(t, send(api.ChangeRequest{Configuration: &bad}), api.CodeInvalid, "web")
	refused(t, send(api.ChangeRequest{}), api.CodeUsage)
	refused(t, send(api.ChangeRequest{Change: &cib.Change{SetQuorum: &cib.SetQuorum{}}}), api.CodeUsage, "status")
	refused(t, send(api.ChangeRequest{Change: &cib.Change{Batch: []cib.Change{{ClearNode: &cib.ClearNode{ID: "id-node1"}}}}}), api.CodeUsage)
	v := "true"
	option := &cib.Change{SetOption: &cib.SetOption{Name: "maintenance-mode", Value: &v}}
	refused(t, send(api.ChangeRequest{Change: option, BaseRevision: base.Revision + 7}), api.CodeConflict)
	after, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if after.Revision != base.Revision {
		t.Errorf("a refused change was committed: revision %d, was %d", after.Revision, base.Revision)
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	load(t, client, "web")
	r, err := client.Node(t.Context(), "node1", "standby", api.NodeRequest{DryRun: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Actions) != 2 || r.Actions[0].Operation != "stop" || r.Actions[1].Node != "node2" {
		t.Errorf("got actions %+v, want web to move to node2", r.Actions)
	}
	if got := nodesOf(t, client, "web"); !slices.Equal(got, []string{"node1"}) {
		t.Errorf("web moved to %v in a dry run", got)
	}
}

// Without a planner of the test's own, the scheduler of a real cluster foresees.
func TestTheSchedulerForesees(t *testing.T) {
	s := api.NewServer(api.Config{Backend: apitest.New("node1", "node2")})
	path := filepath.Join(t.TempDir(), "s")
	l, err := s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	defer func() { cancel(); <-done }()
	off := "false"
	r, err := api.NewClient(path).Change(t.Context(), api.ChangeRequest{DryRun: true, Change: &cib.Change{Batch: []cib.Change{
		{SetOption: &cib.SetOption{Name: "fencing-enabled", Value: &off}},
		{Configure: &cib.Configure{Configuration: cib.Configuration{
			Nodes:     []*cib.Node{{ID: "id-node1", Uname: "node1"}, {ID: "id-node2", Uname: "node2"}},
			Options:   []cib.NVSet{{ID: "o", Pairs: []cib.NVPair{{ID: "p", Name: "fencing-enabled", Value: "false"}}}},
			Resources: []*cib.Resource{primitive("web")},
		}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var starts []string
	for _, a := range r.Actions {
		if a.Operation == "start" {
			starts = append(starts, a.Resource)
		}
	}
	if !slices.Equal(starts, []string{"web"}) {
		t.Errorf("got actions %+v, want a start of web", r.Actions)
	}
}

func TestABrokenSchedulerIsToldAndNotFed(t *testing.T) {
	c := apitest.New("node1", "node2")
	s := api.NewServer(api.Config{Backend: c, Plan: func(state *cib.CIB, now time.Time) api.Plan {
		if state.Resource("poison") != nil {
			panic("no such edge")
		}
		return apitest.Plan(state, now)
	}})
	path := filepath.Join(t.TempDir(), "s")
	l, err := s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	defer func() { cancel(); <-done }()
	client := api.NewClient(path)
	base, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	conf := *base.Configuration
	conf.Resources = append(conf.Resources, primitive("poison"))
	_, err = client.Change(t.Context(), api.ChangeRequest{Configuration: &conf})
	refused(t, err, api.CodeFailed, "cannot plan for it: no such edge", "nothing was changed")
	c.Do(func(c *apitest.Cluster) { c.Change(cib.Change{Configure: &cib.Configure{Configuration: conf}}) })
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if st.Protected.Yes || !slices.ContainsFunc(st.Problems, func(p api.Problem) bool { return p.Name == "scheduler-broken" }) {
		t.Errorf("protected %v, problems %+v", st.Protected, st.Problems)
	}
}

func TestANodeWithoutSessionIsAProblem(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	c.Do(func(c *apitest.Cluster) {
		c.State.Members[1].Session, c.State.Members[1].Since = false, time.Now().Add(-time.Minute)
	})
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(st.Problems, func(p api.Problem) bool { return p.Name == "no-session" && p.Object == "node2" }) {
		t.Errorf("got problems %+v", st.Problems)
	}
}

func TestLastCopyNeedsConfirmation(t *testing.T) {
	c := apitest.New("node1")
	client := serve(t, c)
	load(t, client, "web")
	_, err := client.Node(t.Context(), "node1", "standby", api.NodeRequest{})
	refused(t, err, api.CodeConfirm, "web would run nowhere", "--yes")
	if got := nodesOf(t, client, "web"); len(got) != 1 {
		t.Errorf("web runs on %v after a refusal", got)
	}
	if _, err = client.Node(t.Context(), "node1", "standby", api.NodeRequest{Yes: true}); err != nil {
		t.Fatal(err)
	}
	if got := nodesOf(t, client, "web"); len(got) != 0 {
		t.Errorf("web runs on %v in standby", got)
	}
	// A stop is what was asked for: it needs no confirmation.
	if _, err = client.Node(t.Context(), "node1", "online", api.NodeRequest{}); err != nil {
		t.Fatal(err)
	}
	if _, err = client.Resource(t.Context(), "web", "stop", api.ResourceRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestUnknownNamesAreFoundWithHints(t *testing.T) {
	client := serve(t, apitest.New("node1", "node2"))
	load(t, client, "webserver")
	_, err := client.Resource(t.Context(), "webservr", "stop", api.ResourceRequest{})
	refused(t, err, api.CodeNotFound, "did you mean webserver")
	_, err = client.Node(t.Context(), "node7", "standby", api.NodeRequest{})
	refused(t, err, api.CodeNotFound, "nodes are node1 and node2")
	_, err = client.Explain(t.Context(), "nothing", "")
	refused(t, err, api.CodeNotFound)
	_, err = client.Configuration(t.Context(), 99)
	refused(t, err, api.CodeNotFound, "99")
}

func TestStartTakesBackWhatStopDid(t *testing.T) {
	client := serve(t, apitest.New("node1", "node2"))
	load(t, client, "web")
	before, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"stop", "start"} {
		if _, err := client.Resource(t.Context(), "web", verb, api.ResourceRequest{Wait: api.Duration(time.Minute)}); err != nil {
			t.Fatal(err)
		}
	}
	after, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := after.Configuration.Resource("web").Meta, false; ok || len(v) > 0 && len(v[0].Pairs) > 0 {
		t.Errorf("start left %+v behind", v)
	}
	if d := cib.Diff(before.Configuration, after.Configuration); len(d) > 0 && len(after.Configuration.Resource("web").Meta) == 0 {
		t.Errorf("stop and start left differences: %v", d)
	}
	r, err := client.Resource(t.Context(), "web", "start", api.ResourceRequest{})
	if err != nil || len(r.Notes) == 0 {
		t.Errorf("a second start: %+v, %v; want a note that nothing changes", r, err)
	}
}

func TestMoveArrivesAndLeavesNothing(t *testing.T) {
	client := serve(t, apitest.New("node1", "node2", "node3"))
	load(t, client, "web")
	r, err := client.Resource(t.Context(), "web", "move", api.ResourceRequest{Node: "node3"})
	if err != nil {
		t.Fatal(err)
	}
	if got := nodesOf(t, client, "web"); !slices.Equal(got, []string{"node3"}) {
		t.Errorf("web runs on %v, want node3", got)
	}
	conf, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(conf.Configuration.Constraints); n != 0 {
		t.Errorf("move left %d constraints", n)
	}
	if len(r.Notes) != 0 {
		t.Errorf("got notes %q", r.Notes)
	}
	if _, err = client.Resource(t.Context(), "web", "move", api.ResourceRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := nodesOf(t, client, "web"); !slices.Equal(got, []string{"node1"}) {
		t.Errorf("web runs on %v after a move away, want node1", got)
	}
}

func TestMoveKeepsThePreferenceWhereItWouldGoBack(t *testing.T) {
	client := serve(t, apitest.New("node1", "node2"))
	load(t, client, "web")
	_, err := client.Change(t.Context(), api.ChangeRequest{Change: &cib.Change{PutConstraint: &cib.PutConstraint{
		Constraint: cib.Constraint{Location: &cib.Location{ID: "home", Resource: "web", Node: "node1", Score: "100"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Resource(t.Context(), "web", "move", api.ResourceRequest{Node: "node2"})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(strings.Join(r.Notes, " "), "would go back to node1") {
		t.Errorf("got notes %q", r.Notes)
	}
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(st.Leftovers) != 1 || st.Leftovers[0].ID != "cli-prefer-web" {
		t.Errorf("got leftovers %+v", st.Leftovers)
	}
	if _, err = client.Resource(t.Context(), "web", "clear", api.ResourceRequest{}); err != nil {
		t.Fatal(err)
	}
	if got := nodesOf(t, client, "web"); !slices.Equal(got, []string{"node1"}) {
		t.Errorf("web runs on %v after clear, want node1", got)
	}
}

func TestMoveThatFailsIsWithdrawn(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	load(t, client, "web")
	c.Do(func(c *apitest.Cluster) { c.Fails["web on node2"] = true })
	_, err := client.Resource(t.Context(), "web", "move", api.ResourceRequest{Node: "node2"})
	refused(t, err, api.CodeFailed, "did not arrive", "no such device")
	conf, err := client.Configuration(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(conf.Configuration.Constraints); n != 0 {
		t.Errorf("a failed move left %d constraints", n)
	}
	_, err = client.Resource(t.Context(), "web", "move", api.ResourceRequest{Node: "node2"})
	refused(t, err, api.CodeRefused, "web has failed there too often", "explain web node2")
	r, err := client.Cleanup(t.Context(), api.CleanupRequest{Resource: "web"})
	if err != nil || !strings.Contains(strings.Join(r.Notes, " "), "web on node2") {
		t.Errorf("cleanup: %+v, %v", r, err)
	}
	st, err := client.Status(t.Context())
	if err != nil || len(st.Failures) != 0 {
		t.Errorf("after cleanup: failures %+v, %v", st.Failures, err)
	}
}

func TestFence(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	_, err := client.Fence(t.Context(), api.FenceRequest{Node: "node2"})
	refused(t, err, api.CodeRefused, "no fencing device", "--confirmed node2")
	_, err = client.Fence(t.Context(), api.FenceRequest{Node: "node2", Confirmed: true})
	refused(t, err, api.CodeRefused, "it is not off")
	c.Do(func(c *apitest.Cluster) { c.State.Members[1].State = api.MemberFailed })
	r, err := client.Fence(t.Context(), api.FenceRequest{Node: "node2", Confirmed: true})
	if err != nil || !r.Event.OK || r.Event.Device != "manual" {
		t.Errorf("got %+v, %v", r, err)
	}
	_, err = client.Fence(t.Context(), api.FenceRequest{Node: "node2", Confirmed: true, Action: "explode"})
	refused(t, err, api.CodeUsage, "explode")
	// Alone of two there is no coordinator, and a person's word is what it waits for.
	c.Do(func(c *apitest.Cluster) { c.Routing = noRoute })
	if _, err = client.Fence(t.Context(), api.FenceRequest{Node: "node2", Confirmed: true}); err != nil {
		t.Errorf("confirm without a coordinator: %v", err)
	}
}

func noRoute(context.Context) (api.Route, error) {
	return api.Route{}, api.Errorf(api.CodeNoCoordinator, "find the coordinator", "1 voter of 2 heard")
}

func TestWithoutCoordinator(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	load(t, client, "web")
	c.Do(func(c *apitest.Cluster) {
		c.Routing = noRoute
		c.State.Coordinator, c.State.Quorum = "", api.Quorum{Reason: "1 voter of 2 heard", Votes: 1, Total: 2, Needed: 2}
	})
	began := time.Now()
	_, err := client.Resource(t.Context(), "web", "stop", api.ResourceRequest{})
	refused(t, err, api.CodeNoCoordinator, "1 voter of 2 heard")
	if took := time.Since(began); took > api.RouteWait+time.Second {
		t.Errorf("it took %v to say so", took)
	}
	st, err := client.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !st.Stale || st.StaleReason != "1 voter of 2 heard" || st.Protected.Yes || len(st.Resources) != 1 {
		t.Errorf("got stale %v %q, protected %v, %d resources", st.Stale, st.StaleReason, st.Protected.Yes, len(st.Resources))
	}
}

func TestUnconfigured(t *testing.T) {
	client := serve(t, apitest.New())
	_, err := client.Status(t.Context())
	refused(t, err, api.CodeUnconfigured, "cluster init")
	_, err = client.Join(t.Context(), api.JoinRequest{Token: "PL1-old"})
	refused(t, err, api.CodeFailed, "expired")
	_, err = client.Init(t.Context(), api.InitRequest{Node: "bad name"})
	refused(t, err, api.CodeUsage, "bad name")
	if _, err = client.Init(t.Context(), api.InitRequest{Cluster: "shop"}); err != nil {
		t.Fatal(err)
	}
	_, err = client.Init(t.Context(), api.InitRequest{})
	refused(t, err, api.CodeRefused, "shop")
}

// pipeListener accepts connections made in memory.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *pipeListener) Close() error   { close(l.done); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe"} }

// peer serves a cluster's PeerHandler in memory and returns what reaches it.
func peer(t *testing.T, c *apitest.Cluster) http.RoundTripper {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	go func() { done <- s.ServePeers(ctx, l) }()
	tr := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		near, far := net.Pipe()
		select {
		case l.conns <- far:
			return near, nil
		case <-l.done:
			return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
		}
	}}
	t.Cleanup(func() {
		tr.CloseIdleConnections()
		cancel()
		<-done
	})
	return tr
}

func TestForwardingKeepsTheUserAndTheErrors(t *testing.T) {
	far := apitest.New("node2", "node1")
	near := apitest.New("node1", "node2")
	tr := peer(t, far)
	near.Routing = func(context.Context) (api.Route, error) {
		return api.Route{Coordinator: "node2", Transport: tr}, nil
	}
	client := serve(t, near)
	load(t, client, "web")
	h, err := client.History(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(h.Commits) != 1 || !strings.HasSuffix(h.Commits[0].User, "@node1") {
		t.Errorf("got %+v, want a commit by a user of node1", h.Commits)
	}
	st, err := client.Status(t.Context())
	if err != nil || st.Node != "node2" || st.Stale {
		t.Errorf("got a status of %s, stale %v, %v; want node2's", st.Node, st.Stale, err)
	}
	_, err = client.Resource(t.Context(), "nothing", "stop", api.ResourceRequest{})
	refused(t, err, api.CodeNotFound, "nothing")

	// The coordinator is another one now: it must not forward in its turn, and the first node gives up in time.
	far.Do(func(c *apitest.Cluster) {
		c.Routing = func(context.Context) (api.Route, error) { return api.Route{Coordinator: "node1", Transport: tr}, nil }
	})
	began := time.Now()
	_, err = client.Resource(t.Context(), "web", "stop", api.ResourceRequest{})
	refused(t, err, api.CodeNoCoordinator, "node2 is not the coordinator")
	if took := time.Since(began); took > api.RouteWait+time.Second {
		t.Errorf("it took %v", took)
	}
	st, err = client.Status(t.Context())
	if err != nil || !st.Stale || st.Node != "node1" {
		t.Errorf("got %s's status, stale %v, %v; want node1's own, stale", st.Node, st.Stale, err)
	}
}

func TestPeersMustSayForWhom(t *testing.T) {
	r, err := http.NewRequest(http.MethodGet, "http://x/v1/status", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := peer(t, apitest.New("node1")).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("got %s, want 403", resp.Status)
	}
}

func TestWaitEndsWhenSettledOrInTime(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	c.Do(func(c *apitest.Cluster) { c.Still = true })
	load(t, client, "web")
	w, err := client.Wait(t.Context(), 0, 30*time.Millisecond)
	if err != nil || w.Settled || !strings.Contains(w.Why, "start web on node1") {
		t.Errorf("got %+v, %v; want it to wait for the start of web", w, err)
	}
	type outcome struct {
		w   *api.WaitReply
		err error
	}
	got := make(chan outcome)
	go func() {
		w, err := client.Wait(t.Context(), 0, time.Minute)
		got <- outcome{w, err}
	}()
	c.Do(func(c *apitest.Cluster) { c.State.Transition.Idle, c.State.Planned = true, c.Snap.Revision })
	if o := <-got; o.err != nil || !o.w.Settled {
		t.Errorf("got %+v, %v", o.w, o.err)
	}
}

func TestWatchShowsEachState(t *testing.T) {
	c := apitest.New("node1", "node2")
	client := serve(t, c)
	seen := 0
	for st, err := range client.Watch(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		seen++
		if seen == 1 {
			c.Do(func(c *apitest.Cluster) { c.State.Members[1].State = api.MemberFailed })
			continue
		}
		if st.Nodes[1].State != api.NodeUnclean {
			t.Errorf("node2 is %s, want unclean", st.Nodes[1].State)
		}
		break
	}
	if seen != 2 {
		t.Errorf("saw %d states, want 2", seen)
	}
}

func TestClientSaysWhyThereIsNoDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.sock")
	_, err := api.NewClient(path).Status(t.Context())
	refused(t, err, api.CodeUnreachable, "cannot reach pacelined at "+path, "no such file", "systemctl start pacelined")
}

func TestSocketIsNotTakenFromALivingDaemon(t *testing.T) {
	s := api.NewServer(api.Config{Backend: apitest.New("node1")})
	path := filepath.Join(t.TempDir(), "s")
	l, err := s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ListenUnix(path); err == nil || !strings.Contains(err.Error(), "another daemon answers") {
		t.Errorf("got %v", err)
	}
	// A socket that nobody serves any more is replaced.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	l, err = s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestRestartStartsAgainWhateverHappens(t *testing.T) {
	client := serve(t, apitest.New("node1", "node2"))
	load(t, client, "web")
	r, err := client.Resource(t.Context(), "web", "restart", api.ResourceRequest{})
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, a := range r.Actions {
		ops = append(ops, a.Operation)
	}
	if !slices.Equal(ops, []string{"stop", "start"}) || len(nodesOf(t, client, "web")) != 1 {
		t.Errorf("got %v", ops)
	}
	if _, err = client.Resource(t.Context(), "web", "stop", api.ResourceRequest{}); err != nil {
		t.Fatal(err)
	}
	_, err = client.Resource(t.Context(), "web", "restart", api.ResourceRequest{})
	refused(t, err, api.CodeRefused, "on purpose", "resource start web")
}

func TestBodiesAreBounded(t *testing.T) {
	client := serve(t, apitest.New("node1"))
	conf := &cib.Configuration{}
	for i := range 40 {
		n := &cib.Node{ID: fmt.Sprint(i), Uname: strings.Repeat("x", 1<<20)}
		conf.Nodes = append(conf.Nodes, n)
	}
	_, err := client.Change(t.Context(), api.ChangeRequest{Configuration: conf})
	var e *api.Error
	if !errors.As(err, &e) || e.Code != api.CodeUsage && e.Code != api.CodeUnreachable {
		t.Errorf("got %v, want a refusal", err)
	}
}

// The search for a coordinator goes on over a change of coordinator.
func TestRouteIsLookedForAgain(t *testing.T) {
	c := apitest.New("node1", "node2")
	tries := 0
	c.Routing = func(context.Context) (api.Route, error) {
		if tries++; tries < 4 {
			return api.Route{Coordinator: "node2", Transport: roundTrip(func(*http.Request) (*http.Response, error) {
				return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
			})}, nil
		}
		return api.Route{Coordinator: "node1", Local: true}, nil
	}
	if _, err := serve(t, c).History(t.Context(), 1); err != nil || tries != 4 {
		t.Errorf("got %v after %d tries, want an answer after 4", err, tries)
	}
}

// A write that may have been executed is not sent again.
func TestWritesAreNotRepeated(t *testing.T) {
	c := apitest.New("node1", "node2")
	sent := 0
	c.Routing = func(context.Context) (api.Route, error) {
		return api.Route{Coordinator: "node2", Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			sent++
			return nil, &net.OpError{Op: "read", Err: errors.New("connection reset by peer")}
		})}, nil
	}
	_, err := serve(t, c).Resource(t.Context(), "web", "stop", api.ResourceRequest{})
	refused(t, err, api.CodeUnreachable, "connection reset", "not known whether the change was made")
	if sent != 1 {
		t.Errorf("sent %d times", sent)
	}
}

// A coordinator that lost its power answers nothing more, and its connection does not end: as soon as another node coordinates, whoever waits
// is told that nobody knows.
func TestARequestDoesNotOutliveItsCoordinator(t *testing.T) {
	c := apitest.New("node1", "node2")
	var sent atomic.Bool
	c.Routing = func(context.Context) (api.Route, error) {
		if sent.Load() {
			return api.Route{Coordinator: "node3", Transport: roundTrip(func(*http.Request) (*http.Response, error) { return nil, errors.New("not asked") })}, nil
		}
		return api.Route{Coordinator: "node2", Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			sent.Store(true)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}, nil
	}
	_, err := serve(t, c).Fence(t.Context(), api.FenceRequest{Node: "node2"})
	refused(t, err, api.CodeUnreachable, "another node coordinates", "not known whether the change was made")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Agents are found by their short names, in the order in which the crm language looks for them.
func TestAgents(t *testing.T) {
	client := serve(t, apitest.New("node1"))
	list, err := client.Agents(t.Context())
	if err != nil || list.Node != "node1" || !slices.Contains(list.Agents, "ocf:heartbeat:IPaddr2") {
		t.Fatalf("agents %+v, %v", list, err)
	}
	for short, want := range map[string]string{
		"IPaddr2": "ocf:heartbeat:IPaddr2", "heartbeat:Dummy": "ocf:heartbeat:Dummy", "ocf:heartbeat:Dummy": "ocf:heartbeat:Dummy",
		"nginx": "systemd:nginx", "stonith:fence_test": "stonith:fence_test",
	} {
		a, err := client.Agent(t.Context(), short)
		if err != nil || a.Name != want {
			t.Errorf("%s is %+v, %v; want %s", short, a, err, want)
		}
	}
	ip, err := client.Agent(t.Context(), "IPaddr2")
	if err != nil || len(ip.Parameters) == 0 || ip.Parameters[0].Name != "ip" || !ip.Parameters[0].Required {
		t.Errorf("IPaddr2 is %+v, %v; want the required ip first", ip, err)
	}
	_, err = client.Agent(t.Context(), "Nothing")
	refused(t, err, api.CodeNotFound, "Nothing", "ra list")
	_, err = client.Agent(t.Context(), "")
	refused(t, err, api.CodeUsage, "no agent")
}
