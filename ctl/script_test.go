package ctl

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/history"
	"paceline/agent/scheduler"
)

// runAsProgram makes the test binary the program itself, whatever it is called.
const runAsProgram = "PACELINE_TEST_PROGRAM"

func TestMain(m *testing.M) {
	program := func() { os.Exit(Run(context.Background(), os.Args, Standard())) }
	if os.Getenv(runAsProgram) != "" {
		program()
	}
	testscript.Main(m, map[string]func(){"paceline": program, "crm": program})
}

type clusterKey struct{}

// TestScripts runs whole sessions: the real command line, over a real socket, with a real server, on a cluster in memory.
// A script's own commands set the scene:
//
//	cluster NODE...        members, all online; the first answers. Without nodes: a daemon that belongs to no cluster
//	fails RESOURCE NODE    starts of the resource on the node fail
//	lose NODE              the node is gone, and unclean
//	quorum yes|no          whether there is a coordinator and quorum
//	still                  what is planned does not happen
//	past [other]           a transition was carried out, and its input kept; planned by an other version, differently
//	exits STATUS CMD...    the command ends with this exit status
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"cluster": func(ts *testscript.TestScript, _ bool, args []string) {
				made := apitest.New(args...)
				clusterOf(ts).Do(func(c *apitest.Cluster) { c.Snap, c.State = made.Snap, made.State })
			},
			"fails": func(ts *testscript.TestScript, neg bool, args []string) {
				clusterOf(ts).Do(func(c *apitest.Cluster) { c.Fails[args[0]+" on "+args[1]] = !neg })
			},
			"lose": func(ts *testscript.TestScript, _ bool, args []string) {
				clusterOf(ts).Do(func(c *apitest.Cluster) { lose(c, args[0]) })
			},
			"quorum": func(ts *testscript.TestScript, _ bool, args []string) {
				clusterOf(ts).Do(func(c *apitest.Cluster) { setQuorum(c, args[0] == "yes") })
			},
			"still": func(ts *testscript.TestScript, neg bool, _ []string) {
				clusterOf(ts).Do(func(c *apitest.Cluster) { c.Still = !neg })
			},
			"past": func(ts *testscript.TestScript, _ bool, args []string) {
				clusterOf(ts).Do(func(c *apitest.Cluster) { setPast(ts, c, len(args) > 0) })
			},
			"truth": func(ts *testscript.TestScript, _ bool, args []string) {
				clusterOf(ts).Do(func(c *apitest.Cluster) { setTruth(c, len(args) > 0) })
			},
			"exits": exits,
		},
	})
}

func clusterOf(ts *testscript.TestScript) *apitest.Cluster {
	return ts.Value(clusterKey{}).(*apitest.Cluster)
}

func setupScript(e *testscript.Env) error {
	c := apitest.New()
	c.Now = func() time.Time { return scene }
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	dir, err := os.MkdirTemp("", "pl") // a short path: sockets have little room for one
	if err != nil {
		return err
	}
	socket := filepath.Join(dir, "s")
	l, err := s.ListenUnix(socket)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	e.Defer(func() {
		cancel()
		<-done
		os.RemoveAll(dir)
	})
	e.Values[clusterKey{}] = c
	e.Setenv("PACELINE_SOCKET", socket)
	e.Setenv("TZ", "UTC")
	return nil
}

// lose lets a node vanish; the caller is within Do.
func lose(c *apitest.Cluster, node string) {
	for i := range c.State.Members {
		if c.State.Members[i].Name == node {
			c.State.Members[i].State, c.State.Members[i].Session, c.State.Members[i].Since = api.MemberFailed, false, scene
		}
	}
	c.Change(cib.Change{NodeStatus: &cib.NodeStatus{
		ID: "id-" + node, InCCM: "false", CRMD: "offline", Join: "down", Expected: "member", Since: scene.UnixMilli(), Cause: "it stopped answering",
	}})
}

func setQuorum(c *apitest.Cluster, yes bool) {
	if yes {
		c.Routing = nil
		c.State.Coordinator = c.State.Node
		c.State.Quorum.Quorate = true
		return
	}
	reason := fmt.Sprintf("1 voter of %d heard, %d needed", c.State.Quorum.Total, c.State.Quorum.Needed)
	c.State.Coordinator = ""
	c.State.Quorum.Quorate, c.State.Quorum.Votes, c.State.Quorum.Reason = false, 1, reason
	c.Routing = func(context.Context) (api.Route, error) {
		return api.Route{}, api.Errorf(api.CodeNoCoordinator, "", "there is no coordinator: %s", reason)
	}
}

// exits runs a command and checks its exit status.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits STATUS COMMAND ...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("%s ended with %s, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// scene is the time at which things happen in tests.
var scene = time.Date(2031, 3, 4, 10, 0, 0, 0, time.UTC)

// setTruth lets n1's journal tell of a start, and of another one of the same service while the first may be active elsewhere.
func setTruth(c *apitest.Cluster, twice bool) {
	at := func(s int) time.Duration { return time.Duration(scene.Add(time.Duration(s) * time.Second).UnixNano()) }
	c.OtherNodes = []api.Route{{Coordinator: "n3"}}
	c.Truth = audit.Part{Node: "n1", From: at(0), Now: at(60), Facts: []audit.Fact{
		{At: at(1), Kind: audit.Begin, Node: "n1", Resource: "web", Operation: "start"},
		{At: at(2), Kind: audit.End, Node: "n1", Resource: "web", Operation: "start"},
	}}
	if twice {
		c.Truth.Facts = append(c.Truth.Facts, audit.Fact{At: at(3), Kind: audit.Begin, Node: "n2", Resource: "web", Operation: "start"})
	}
}

// setPast lets a cluster have carried out one transition, and another node that is not there have kept more.
func setPast(ts *testscript.TestScript, c *apitest.Cluster, other bool) {
	state, _, err := cib.Decode(strings.NewReader(strings.NewReplacer(`uname="a"`, `uname="n1"`, `uname="b"`, `uname="n2"`).Replace(twoUp)))
	ts.Check(err)
	state.Status.Nodes[1].Resources = nil
	in := &history.Input{ID: history.ID{Term: 3, Graph: 1}, Now: scene, Revision: 7, Cause: "the configuration was changed", Version: c.State.Version, CIB: state}
	in.Digest, err = history.Digest(scheduler.Plan(state, scene).Graph)
	ts.Check(err)
	if other {
		in.Version, in.Digest = "0.0-other", strings.Repeat("0", 64)
	}
	c.Inputs = map[history.ID]*history.Input{in.ID: in}
	c.OtherNodes = []api.Route{{Coordinator: "n3"}}
	c.Timeline = []history.Event{
		{Time: scene, Kind: history.Election, Node: "n1", Text: "n1 coordinates the cluster, in term 3"},
		{Time: scene.Add(time.Second), Kind: history.Transition, Transition: "3.1", Text: in.Cause, Ordered: []string{"start web on n1"}},
		{Time: scene.Add(2 * time.Second), Kind: history.Result, Transition: "3.1", Resource: "web", Text: "complete"},
	}
}
