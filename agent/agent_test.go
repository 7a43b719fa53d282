package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/fencing"
	"paceline/resources"
)

// site is some daemons in one process, with agents and power that only pretend: real gossip, raft and TLS on loopback, real
// executors and journals. It knows the truth about what is active where, and fails the test when something is active twice.
type site struct {
	t     *testing.T
	group string // may use the sockets
	net   string // "127.x.y."
	nodes map[string]*testNode

	mu     sync.Mutex
	active map[string]map[string]bool // resource -> nodes
	dead   map[string]bool            // nodes without power: what was active there is not
	broken bool                       // the power switch refuses
	fenced []string
}

type testNode struct {
	name    string
	dir     string
	address string
	client  *api.Client
	leave   chan struct{}
	cancel  context.CancelFunc
	ended   chan error
}

func newSite(t *testing.T, names ...string) *site {
	// Loopback addresses of this process' own, so that tests may run beside others.
	pid := os.Getpid()
	s := &site{
		t: t, net: fmt.Sprintf("127.%d.%d.", 100+pid%100, pid/100%250), nodes: map[string]*testNode{},
		active: map[string]map[string]bool{}, dead: map[string]bool{},
	}
	for i, name := range names {
		s.nodes[name] = &testNode{name: name, dir: t.TempDir(), address: fmt.Sprintf("%s%d", s.net, i+1)}
		s.start(name)
	}
	t.Cleanup(func() {
		for _, n := range s.nodes {
			s.crash(n.name)
		}
	})
	return s
}

// start starts a daemon. With its run folder emptied by power cuts, it is another boot.
func (s *site) start(name string) {
	s.t.Helper()
	n := s.nodes[name]
	ctx, cancel := context.WithCancel(context.Background())
	n.cancel, n.leave, n.ended = cancel, make(chan struct{}), make(chan error, 1)
	registry := &resources.Registry{}
	registry.RegisterClass("ocf", pretender{s, name})
	ready := make(chan struct{})
	level := slog.LevelWarn
	if testing.Verbose() {
		level = slog.LevelDebug
	}
	leave, ended := n.leave, n.ended
	go func() {
		ended <- Run(ctx, Options{
			ConfigDir: filepath.Join(n.dir, "etc"), DataDir: filepath.Join(n.dir, "lib"), RunDir: filepath.Join(n.dir, "run"),
			Logger: slog.New(slog.NewTextHandler(s.t.Output(), &slog.HandlerOptions{Level: level})).With("at", name),
			Group:  s.group, Registry: registry, Devices: powerSwitch{s}, Ready: func() { close(ready) },
		}, leave, nil)
	}()
	select {
	case <-ready:
	case err := <-ended:
		ended <- err
		s.t.Fatalf("%s did not start: %v", name, err)
	}
	n.client = api.NewClient(filepath.Join(n.dir, "run", "paceline.sock"))
	s.mu.Lock()
	delete(s.dead, name)
	s.mu.Unlock()
}

// crash ends a daemon at once; its resources stay active.
func (s *site) crash(name string) {
	n := s.nodes[name]
	n.cancel()
	err := <-n.ended
	n.ended <- err
	n.client.Close()
}

// cut ends a daemon and all that was active on its node, and empties its run folder.
func (s *site) cut(name string) {
	s.crash(name)
	s.mu.Lock()
	s.dead[name] = true
	for _, on := range s.active {
		delete(on, name)
	}
	s.mu.Unlock()
	os.RemoveAll(filepath.Join(s.nodes[name].dir, "run"))
}

// pretender is every OCF agent of one node.
type pretender struct {
	s    *site
	node string
}

func (p pretender) MetaData(context.Context, resources.Agent) ([]byte, error) {
	return []byte("<resource-agent/>"), nil
}

func (p pretender) Run(_ context.Context, req resources.Request) resources.Result {
	s := p.s
	s.mu.Lock()
	defer s.mu.Unlock()
	on := s.active[req.Resource]
	if on == nil {
		on = map[string]bool{}
		s.active[req.Resource] = on
	}
	switch req.Operation {
	case resources.Start:
		on[p.node] = true
		if len(on) > 1 && req.Meta["clone_max"] == "" {
			s.t.Errorf("%s is active twice: %v", req.Resource, on)
		}
	case resources.Stop:
		delete(on, p.node)
	case resources.Monitor:
		if !on[p.node] {
			return resources.Result{Code: resources.NotRunning}
		}
	}
	return resources.Result{}
}

// powerSwitch is the fencing device: it confirms what is true. A node that still runs is not off until it is cut.
type powerSwitch struct{ s *site }

func (powerSwitch) MetaData(context.Context, string) ([]byte, error) {
	return []byte(`<resource-agent name="fence_test"><parameters><parameter name="plug"/></parameters><actions><action name="off"/><action name="reboot"/><action name="monitor"/></actions></resource-agent>`), nil
}

func (p powerSwitch) Do(_ context.Context, _ fencing.Device, action, target string) error {
	p.s.mu.Lock()
	defer p.s.mu.Unlock()
	if action != fencing.Off {
		return nil
	}
	p.s.fenced = append(p.s.fenced, target)
	if p.s.broken || !p.s.dead[target] {
		return fmt.Errorf("the outlet of %s does not switch", target)
	}
	return nil
}

func (s *site) ctx() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	s.t.Cleanup(cancel)
	return ctx
}

// form makes a cluster of the nodes given, the first founds it.
func (s *site) form(names ...string) {
	s.t.Helper()
	ports := func() (int, int) { return 7946, 7947 }
	g, p := ports()
	first := s.nodes[names[0]]
	r, err := first.client.Init(s.ctx(), api.InitRequest{Cluster: "test", Node: first.name, Address: first.address, GossipPort: g, PeerPort: p})
	if err != nil {
		s.t.Fatal(err)
	}
	token := r.Token
	for _, name := range names[1:] {
		n := s.nodes[name]
		if _, err := n.client.Join(s.ctx(), api.JoinRequest{Token: token, Node: name, Address: n.address, GossipPort: g, PeerPort: p}); err != nil {
			s.t.Fatal(err)
		}
		next, err := first.client.Token(s.ctx(), api.TokenRequest{})
		if err != nil {
			s.t.Fatal(err)
		}
		token = next.Token
	}
}

// load configures fencing and one resource.
func (s *site) load(on string) {
	s.t.Helper()
	c, err := s.nodes[on].client.CIB(s.ctx())
	if err != nil {
		s.t.Fatal(err)
	}
	conf := c.CIB.Configuration
	conf.Options = []cib.NVSet{{ID: "cib-bootstrap-options", Pairs: []cib.NVPair{{ID: "o1", Name: "stonith-action", Value: "off"}}}}
	conf.RscDefaults = []cib.NVSet{{ID: "rsc-options", Pairs: []cib.NVPair{{ID: "d1", Name: "resource-stickiness", Value: "100"}}}}
	conf.Resources = []*cib.Resource{
		{ID: "power", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "stonith", Type: "fence_test"}},
		{ID: "web", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "test", Type: "web"}},
	}
	if _, err := s.nodes[on].client.Change(s.ctx(), api.ChangeRequest{Configuration: &conf, Message: "test", Yes: true}); err != nil {
		s.t.Fatal(err)
	}
}

// await waits until the status, as a node sees it, is as wanted.
func (s *site) await(on, what string, ok func(*api.Status) bool) *api.Status {
	s.t.Helper()
	var last *api.Status
	var lastErr error
	ctx := s.ctx()
	for ctx.Err() == nil {
		for st, err := range s.nodes[on].client.Watch(ctx) {
			if err != nil {
				lastErr = err
				break
			}
			if last = st; ok(st) {
				return st
			}
		}
	}
	s.t.Fatalf("wait for %s: %v; last seen: %+v", what, lastErr, last)
	return nil
}

func where(st *api.Status, id string) string {
	for _, r := range st.Resources {
		if r.ID == id && len(r.Nodes) == 1 {
			return r.Nodes[0]
		}
	}
	return ""
}

func online(st *api.Status) int {
	n := 0
	for _, x := range st.Nodes {
		if x.State == api.NodeOnline {
			n++
		}
	}
	return n
}

func (s *site) other(names ...string) string {
	for name := range s.nodes {
		found := false
		for _, n := range names {
			found = found || n == name
		}
		if !found {
			return name
		}
	}
	s.t.Fatal("there is no other node")
	return ""
}

func canListen(t *testing.T) {
	l, err := net.Listen("tcp", "127.9.9.9:0")
	if err != nil {
		t.Skip("needs all of 127.0.0.0/8 on the loopback interface: ", err)
	}
	l.Close()
}

func TestThreeNodesOutliveAPowerCut(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.load("b")
	st := s.await("a", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 3 })
	victim := where(st, "web")
	s.cut(victim)
	eye := s.other(victim)
	s.await(eye, "web to run elsewhere", func(st *api.Status) bool {
		w := where(st, "web")
		return w != "" && w != victim
	})
	if len(s.fenced) == 0 || s.fenced[0] != victim {
		t.Fatalf("fenced %v, want %s first", s.fenced, victim)
	}
	s.start(victim)
	s.await(victim, "the node to be back", func(st *api.Status) bool { return online(st) == 3 && !st.Stale })
}

// The numbers of an anonymous clone's instances move when a node is lost: what was started under one is stopped all the same.
func TestAnAnonymousClonesInstancesAreFoundUnderAnyNumber(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.load("a")
	role := "Started"
	clone := func(on string) {
		t.Helper()
		c, err := s.nodes[on].client.CIB(s.ctx())
		if err != nil {
			t.Fatal(err)
		}
		conf := c.CIB.Configuration
		member := func(id string) *cib.Resource {
			return &cib.Resource{ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "test", Type: "web"},
				Operations: cib.Operations{Ops: []*cib.Op{{ID: id + "-m", Name: "monitor", Interval: "1s"}}}}
		}
		conf.Resources = []*cib.Resource{conf.Resources[0], {
			ID: "all", Kind: cib.KindClone, Meta: []cib.NVSet{{ID: "all-meta", Pairs: []cib.NVPair{{ID: "all-r", Name: "target-role", Value: role}}}},
			Children: []*cib.Resource{{ID: "g", Kind: cib.KindGroup, Children: []*cib.Resource{member("one"), member("two")}}},
		}}
		if _, err := s.nodes[on].client.Change(s.ctx(), api.ChangeRequest{Configuration: &conf, Message: "test", Yes: true}); err != nil {
			t.Fatal(err)
		}
	}
	running := func(id string, want int) bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		n := 0
		for name, on := range s.active {
			if base, _, _ := strings.Cut(name, ":"); base == id {
				n += len(on)
			}
		}
		return n == want
	}
	var st *api.Status
	for range 2 { // a plan numbers what it starts otherwise than the next one, which finds it
		role = "Stopped"
		clone("a")
		s.await("a", "all copies to be stopped", func(st *api.Status) bool { return running("one", 0) && running("two", 0) && !st.Transition.Running })
		role = "Started"
		clone("a")
		st = s.await("a", "three copies of each", func(st *api.Status) bool {
			return running("one", 3) && running("two", 3) && !st.Transition.Running && online(st) == 3 && st.Quorum.Total == 3
		})
	}
	victim := ""
	for _, n := range st.Nodes {
		if slices.Contains(n.Resources, "one:0") {
			victim = n.Name // the others move up
		}
	}
	s.cut(victim)
	eye := s.other(victim)
	s.await(eye, "the node to be fenced", func(st *api.Status) bool {
		return !st.Stale && online(st) == 2 && len(st.Fencing.Pending) == 0 && !st.Transition.Running
	})
	role = "Stopped"
	clone(eye)
	s.await(eye, "all copies to be stopped", func(st *api.Status) bool {
		return !st.Stale && !st.Transition.Running && where(st, "one") == "" && running("one", 0) && running("two", 0)
	})
	role = "Started"
	clone(eye)
	s.await(eye, "two copies of each", func(st *api.Status) bool { return running("one", 2) && running("two", 2) && !st.Transition.Running })
	s.start(victim)
	st = s.await(victim, "three copies again", func(st *api.Status) bool { return running("one", 3) && running("two", 3) && !st.Transition.Running })
	if len(st.Failures) != 0 {
		t.Fatalf("failures: %+v", st.Failures)
	}
	for _, node := range st.Nodes {
		if len(node.Resources) < 2 {
			t.Errorf("%s: %v", node.Name, node.Resources)
		}
	}
}

func TestRecoveryWaitsForFencing(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.broken = true
	s.form("a", "b", "c")
	s.load("a")
	st := s.await("a", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 3 })
	victim := where(st, "web")
	s.cut(victim)
	eye := s.other(victim)
	told := s.await(eye, "the failed fencing to be told", func(st *api.Status) bool {
		return len(st.Fencing.Pending) > 0 && st.Fencing.Pending[0].Detail != "" && !st.Protected.Yes
	})
	t.Logf("people are told: %q, %+v", told.Protected.Because, told.Fencing.Pending)
	s.mu.Lock()
	if len(s.active["web"]) != 0 {
		t.Error("web was recovered without fencing:", s.active["web"])
	}
	s.mu.Unlock()
	// A person vouches for it.
	if _, err := s.nodes[eye].client.Fence(s.ctx(), api.FenceRequest{Node: victim, Confirmed: true, Yes: true}); err != nil {
		t.Fatal(err)
	}
	s.await(eye, "web to run elsewhere", func(st *api.Status) bool {
		w := where(st, "web")
		return w != "" && w != victim
	})
}

func TestOneOfTwoGoesOnAfterFencing(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b")
	s.form("a", "b")
	s.load("a")
	st := s.await("b", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 2 && st.Quorum.Total == 2 })
	victim := where(st, "web")
	eye := s.other(victim)
	s.cut(victim)
	s.await(eye, "web to run on the survivor", func(st *api.Status) bool { return where(st, "web") == eye && st.Coordinator == eye })
	s.start(victim)
	s.await(victim, "the peer to be back", func(st *api.Status) bool { return online(st) == 2 && st.Quorum.Total == 2 })
	// All of them off; one alone waits, and says for what.
	s.cut(eye)
	s.cut(victim)
	s.start(eye)
	s.await(eye, "the lone one to say why it waits", func(st *api.Status) bool { return st.Stale && st.Quorum.Total == 2 && !st.Quorum.Quorate })
	s.start(victim)
	s.await(eye, "both to go on", func(st *api.Status) bool { return online(st) == 2 && where(st, "web") != "" })
}

// Rule 7: a daemon that restarts touches nothing.
func TestADaemonsRestartTouchesNothing(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.load("a")
	st := s.await("a", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 3 })
	on := where(st, "web")
	s.crash(on) // comes back before it is missed
	s.start(on)
	s.await(on, "the node to be back", func(st *api.Status) bool { return online(st) == 3 && where(st, "web") == on && !st.Stale })
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.active["web"][on] || len(s.fenced) != 0 {
		t.Fatalf("active on %v, fenced %v", s.active["web"], s.fenced)
	}
}

func TestLeavingInGoodOrderMovesTheResourcesFirst(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.load("a")
	st := s.await("a", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 3 })
	on := where(st, "web")
	close(s.nodes[on].leave)
	err := <-s.nodes[on].ended
	s.nodes[on].ended <- err
	if err != nil {
		t.Fatal(err)
	}
	eye := s.other(on)
	s.await(eye, "web to run elsewhere", func(st *api.Status) bool {
		w := where(st, "web")
		return w != "" && w != on && online(st) == 2
	})
	if len(s.fenced) != 0 {
		t.Fatal("fenced who left in good order:", s.fenced)
	}
}

func TestLeavingForGood(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.load("a")
	st := s.await("a", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 3 && st.Quorum.Total == 3 })
	goes := s.other(st.Coordinator)
	began := time.Now()
	if _, err := s.nodes[goes].client.Leave(s.ctx(), api.LeaveRequest{Yes: true}); err != nil {
		t.Fatal(err)
	}
	t.Log("left after", time.Since(began))
	s.await(st.Coordinator, "the cluster to be of two", func(st *api.Status) bool {
		return len(st.Nodes) == 2 && online(st) == 2 && st.Quorum.Total == 2 && where(st, "web") != "" && where(st, "web") != goes
	})
	if _, err := s.nodes[goes].client.Status(s.ctx()); err == nil {
		t.Error("the node that left still answers for the cluster")
	}
	// It may come back as a new member.
	token, err := s.nodes[st.Coordinator].client.Token(s.ctx(), api.TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	n := s.nodes[goes]
	if _, err := n.client.Join(s.ctx(), api.JoinRequest{Token: token.Token, Node: goes, Address: n.address}); err != nil {
		t.Fatal(err)
	}
	s.await(goes, "three again", func(st *api.Status) bool { return online(st) == 3 && st.Quorum.Total == 3 })
	// The coordinator may leave, too.
	st = s.await("a", "anybody's view", func(*api.Status) bool { return true })
	if _, err := s.nodes[st.Coordinator].client.Leave(s.ctx(), api.LeaveRequest{Yes: true}); err != nil {
		t.Fatal(err)
	}
	s.await(s.other(st.Coordinator), "two again", func(st *api.Status) bool { return online(st) == 2 && st.Quorum.Total == 2 && where(st, "web") != "" })
	if len(s.fenced) != 0 {
		t.Fatal("fenced who left in good order:", s.fenced)
	}
}

// A start that fails, here because another program has the gossip's port, leaves nothing of the cluster that did not come to be: a node
// that brought its log into another cluster would lead two.
func TestAStartThatFailsLeavesNothingBehind(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b")
	a := s.nodes["a"]
	other, err := net.ListenPacket("udp", net.JoinHostPort(a.address, "7946"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.client.Init(s.ctx(), api.InitRequest{Cluster: "test", Node: "a", Address: a.address})
	if err == nil || !strings.Contains(err.Error(), "7946") {
		t.Fatal("init:", err)
	}
	other.Close()
	left, err := filepath.Glob(filepath.Join(a.dir, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		switch filepath.Base(path) {
		case "node-id", "boot-id", "paceline.sock":
		default:
			t.Error("left behind:", path)
		}
	}
	// What an interrupted leave left is not taken along either.
	db := filepath.Join(a.dir, "lib", "raft.db")
	if err := os.WriteFile(db, []byte("of an earlier cluster"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = a.client.Init(s.ctx(), api.InitRequest{Cluster: "test", Node: "a", Address: a.address})
	if err == nil || !strings.Contains(err.Error(), db) || !strings.Contains(err.Error(), "earlier cluster") {
		t.Fatal("init beside the state of an earlier cluster:", err)
	}
	if err := os.Remove(db); err != nil {
		t.Fatal(err)
	}
	s.form("b", "a")
	s.await("b", "two members", func(st *api.Status) bool { return online(st) == 2 && st.Quorum.Total == 2 })
}

// Nothing hangs: a confirmation that can not help is answered at once, and not after the time-out of a fencing.
func TestAWordThatGivesNoQuorumIsRefused(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.await("a", "three voters", func(st *api.Status) bool { return online(st) == 3 && st.Quorum.Total == 3 })
	s.cut("b")
	s.cut("c")
	s.await("a", "the lone one to say that it has no quorum", func(st *api.Status) bool {
		return st.Stale && st.Quorum.Votes == 1 && st.Quorum.Total == 3
	})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := s.nodes["a"].client.Fence(ctx, api.FenceRequest{Node: "b", Confirmed: true, Yes: true})
	var refused *api.Error
	if !errors.As(err, &refused) || refused.Code != api.CodeRefused && refused.Code != api.CodeNoCoordinator {
		t.Fatalf("got %v", err)
	}
}
