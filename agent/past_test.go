package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/history"
)

// Every transition that a cluster carried out can be planned again from what was kept, and gives the same graph, byte for
// byte; also those that another coordinator planned, once its node is there. A damaged input is named, and costs nothing
// else.
func TestTransitionsArePlannedAgainByteForByte(t *testing.T) {
	canListen(t)
	s := newSite(t, "a", "b", "c")
	s.form("a", "b", "c")
	s.load("b")
	st := s.await("a", "web to run", func(st *api.Status) bool { return where(st, "web") != "" && online(st) == 3 })
	first := st.Coordinator
	eye := s.other(first)
	old := s.replayed(eye, first)
	if len(old) == 0 {
		t.Fatal("the first coordinator kept nothing")
	}
	// One of two that are becoming three does not take over: all must vote before one is lost.
	s.await(eye, "three voters", func(st *api.Status) bool { return st.Quorum.Total == 3 })
	s.cut(first)
	s.await(eye, "another coordinator to have fenced the first", func(st *api.Status) bool {
		return st.Coordinator != first && state(st, first) == api.NodeOffline && where(st, "web") != "" && !st.Transition.Running
	})
	line := s.timeline(eye)
	if !strings.Contains(strings.Join(line.Notes, "\n"), first+" is not there") {
		t.Errorf("nobody says that %s keeps a part: %v", first, line.Notes)
	}
	kinds := map[string]bool{}
	for _, e := range line.Events {
		kinds[e.Kind] = true
	}
	for _, kind := range []string{history.Election, history.Membership, history.Transition, history.Result, api.TimelineConfiguration, api.TimelineFencing} {
		if !kinds[kind] {
			t.Errorf("the timeline has no event of kind %s: %+v", kind, line.Events)
		}
	}
	if _, err := s.nodes[eye].client.Transition(s.ctx(), old[0]); err == nil || !strings.Contains(err.Error(), first+" is not there") {
		t.Errorf("an input on a node that is not there: %v", err)
	}
	s.start(first)
	st = s.await(eye, "the first to be back", func(st *api.Status) bool { return online(st) == 3 && !st.Transition.Running })
	second := st.Coordinator
	s.replayed(eye, first)
	if len(s.replayed(eye, second)) == 0 {
		t.Error("the second coordinator kept nothing")
	}
	damaged := filepath.Join(s.nodes[first].dir, "lib", "history", old[0]+".input.gz")
	if err := os.WriteFile(damaged, []byte("no longer"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.nodes[first].client.Transition(s.ctx(), old[0]); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a damaged input: %v", err)
	}
	if len(old) > 1 {
		if r, err := s.nodes[eye].client.Transition(s.ctx(), old[1]); err != nil || !r.Again.Same {
			t.Errorf("another input beside the damaged one: %v", err)
		}
	}
	var e *api.Error
	if _, err := s.nodes[eye].client.Transition(s.ctx(), "999.1"); !errors.As(err, &e) || e.Code != api.CodeNotFound {
		t.Errorf("a transition that never was: %v", err)
	}
}

func state(st *api.Status, node string) api.NodeState {
	for _, n := range st.Nodes {
		if n.Name == node {
			return n.State
		}
	}
	return ""
}

func (s *site) timeline(on string) *api.TimelineReply {
	s.t.Helper()
	line, err := s.nodes[on].client.Timeline(s.ctx(), 1000, "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	return line
}

// replayed plans all transitions that a node keeps again, asked for on another, and returns them, oldest first.
func (s *site) replayed(on, keeper string) []string {
	s.t.Helper()
	var out []string
	for _, e := range s.timeline(on).Events {
		if e.Kind != history.Transition || e.Keeper != keeper {
			continue
		}
		r, err := s.nodes[on].client.Transition(s.ctx(), e.Transition)
		if err != nil {
			s.t.Fatalf("transition %s: %v", e.Transition, err)
		}
		if !r.Again.Same || r.Again.Digest != r.Input.Digest || r.Keeper != keeper || len(e.Ordered) == 0 || e.Text == "" {
			s.t.Errorf("transition %s of %s (%s): %+v", e.Transition, r.Keeper, e.Text, r.Again)
		}
		out = append([]string{e.Transition}, out...)
	}
	return out
}
