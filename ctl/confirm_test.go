package ctl

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// A person at a terminal is asked before the last copy of something goes down; a script never is.
func TestConfirmation(t *testing.T) {
	for _, c := range []struct {
		name, answer string
		terminal     bool
		args         string
		status       int
		asked, done  bool
	}{
		{"yes at a terminal", "y\n", true, "", exitDone, true, true},
		{"no at a terminal", "n\n", true, "", exitRefused, true, false},
		{"only return at a terminal", "\n", true, "", exitRefused, true, false},
		{"end of input at a terminal", "", true, "", exitRefused, true, false},
		{"a script that would answer yes", "y\n", false, "", exitRefused, false, false},
		{"a script with --yes", "", false, " --yes", exitDone, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			cluster, socket := serveFake(t, "node1")
			conf := cluster.Snap.CIB.Configuration
			conf.Resources = []*cib.Resource{{ID: "web", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"}}}
			if _, err := cluster.Apply(t.Context(), api.Command{Change: cib.Change{Configure: &cib.Configure{Configuration: conf}}}); err != nil {
				t.Fatal(err)
			}
			var out, errs bytes.Buffer
			s := Streams{
				In: strings.NewReader(c.answer), Out: &out, Err: &errs, Terminal: c.terminal,
				Getenv: func(name string) string { return map[string]string{"PACELINE_SOCKET": socket}[name] },
			}
			got := Run(t.Context(), strings.Fields("paceline node standby node1"+c.args), s)
			if got != c.status {
				t.Errorf("ended with %d, want %d: %s", got, c.status, errs.String())
			}
			if asked := strings.Contains(errs.String(), "Do it? [y/N]"); asked != c.asked {
				t.Errorf("asked is %v, want %v: %s", asked, c.asked, errs.String())
			}
			if done := strings.Contains(out.String(), "node node1: standby"); done != c.done {
				t.Errorf("done is %v, want %v: %s", done, c.done, out.String())
			}
		})
	}
}

// What only moves away from a node is asked about at a terminal; a script goes on, and both are told where to.
func TestEmptyingANodeIsAskedAboutAtATerminal(t *testing.T) {
	for _, terminal := range []bool{true, false} {
		cluster, socket := serveFake(t, "node1", "node2")
		conf := cluster.Snap.CIB.Configuration
		conf.Resources = []*cib.Resource{{ID: "web", Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"}}}
		if _, err := cluster.Apply(t.Context(), api.Command{Change: cib.Change{Configure: &cib.Configure{Configuration: conf}}}); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		s := Streams{
			In: strings.NewReader("y\n"), Out: &out, Err: &errs, Terminal: terminal,
			Getenv: func(name string) string { return map[string]string{"PACELINE_SOCKET": socket}[name] },
		}
		if got := Run(t.Context(), strings.Fields("paceline node standby node1"), s); got != exitDone {
			t.Fatalf("terminal %v: ended with %d: %s", terminal, got, errs.String())
		}
		if asked := strings.Contains(errs.String(), "node1 would be emptied: web moves to node2\nDo it? [y/N]"); asked != terminal {
			t.Errorf("terminal %v: asked is %v: %s", terminal, asked, errs.String())
		}
		if !strings.Contains(errs.String(), "note: node1 is emptied: web moves to node2") {
			t.Errorf("terminal %v: it is not told what moves: %s", terminal, errs.String())
		}
	}
}

// serveFake runs a server of a cluster in memory on a socket.
func serveFake(t *testing.T, nodes ...string) (*apitest.Cluster, string) {
	t.Helper()
	c := apitest.New(nodes...)
	s := api.NewServer(api.Config{Backend: c, Plan: apitest.Plan})
	dir, err := os.MkdirTemp("", "pl")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "s")
	l, err := s.ListenUnix(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		<-done
		os.RemoveAll(dir)
	})
	return c, path
}

// Colours are for people: on a terminal, and not where NO_COLOR says otherwise.
func TestColours(t *testing.T) {
	_, socket := serveFake(t, "node1", "node2")
	for _, c := range []struct {
		terminal bool
		noColor  string
		want     bool
	}{{true, "", true}, {true, "1", false}, {false, "", false}} {
		var out bytes.Buffer
		s := Streams{In: strings.NewReader(""), Out: &out, Err: &out, Terminal: c.terminal, Getenv: func(name string) string {
			return map[string]string{"PACELINE_SOCKET": socket, "NO_COLOR": c.noColor}[name]
		}}
		if status := Run(t.Context(), []string{"paceline", "status"}, s); status != exitDone {
			t.Fatalf("ended with %d: %s", status, out.String())
		}
		if got := strings.Contains(out.String(), "\x1b["); got != c.want {
			t.Errorf("terminal %v, NO_COLOR %q: colours are %v", c.terminal, c.noColor, got)
		}
	}
}

// A status of 100 nodes and 1,000 resources, from the state to the text.
func BenchmarkStatus(b *testing.B) {
	c := apitest.New("node1")
	for i := range 100 {
		c.Change(cib.Change{PutNode: &cib.PutNode{ID: "id" + strconv.Itoa(i), Uname: "n" + strconv.Itoa(i)}})
		c.Change(cib.Change{NodeStatus: &cib.NodeStatus{ID: "id" + strconv.Itoa(i), Uname: "n" + strconv.Itoa(i), InCCM: "true", CRMD: "online", Join: "member", Expected: "member"}})
	}
	conf := c.Snap.CIB.Configuration
	for i := range 1000 {
		conf.Resources = append(conf.Resources, &cib.Resource{ID: "r" + strconv.Itoa(i), Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"}})
	}
	c.Change(cib.Change{Configure: &cib.Configure{Configuration: conf}})
	p := api.Plan{}
	for i := range 1000 {
		p.Active = append(p.Active, api.Placement{Resource: "r" + strconv.Itoa(i), Node: "n" + strconv.Itoa(i%100), Role: "Started"})
	}
	for b.Loop() {
		var out bytes.Buffer
		statusView{}.write(&out, api.Summarize(c.Snap, c.State, p, scene))
	}
}
