package ctl

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

// meddler is a cluster in which somebody else commits just before the first commits of others.
type meddler struct {
	*apitest.Cluster
	mu    sync.Mutex
	times int
}

func (m *meddler) Apply(ctx context.Context, cmd api.Command) (api.Applied, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.times > 0 {
		m.times--
		text := strings.Repeat("1", m.times+1)
		other := cib.Change{SetOption: &cib.SetOption{Name: "batch-limit", Value: &text}}
		if _, err := m.Cluster.Apply(ctx, api.Command{Change: other, User: "somebody else"}); err != nil {
			return api.Applied{}, err
		}
	}
	return m.Cluster.Apply(ctx, cmd)
}

// A load that meets somebody else's commit is made anew of it: neither is lost. Not for ever, though.
func TestLoadMeetsAnotherCommit(t *testing.T) {
	for _, c := range []struct{ times, status int }{{0, exitDone}, {1, exitDone}, {commitTries - 1, exitDone}, {commitTries, exitRefused}} {
		m := &meddler{Cluster: apitest.New("node1", "node2"), times: c.times}
		dir, err := os.MkdirTemp("", "pl")
		if err != nil {
			t.Fatal(err)
		}
		s := api.NewServer(api.Config{Backend: m, Plan: apitest.Plan})
		socket := filepath.Join(dir, "s")
		l, err := s.ListenUnix(socket)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.ServeUnix(ctx, l) }()
		var out, errs bytes.Buffer
		streams := Streams{In: strings.NewReader("primitive web ocf:heartbeat:Dummy\n"), Out: &out, Err: &errs, Getenv: func(name string) string {
			return map[string]string{"PACELINE_SOCKET": socket}[name]
		}}
		if got := Run(t.Context(), strings.Fields("paceline configure load update -"), streams); got != c.status {
			t.Errorf("with %d commits in between: ended with %d, want %d: %s", c.times, got, c.status, errs.String())
		}
		snap, err := m.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if has := snap.CIB.Resource("web") != nil; has != (c.status == exitDone) {
			t.Errorf("with %d commits in between: the load is there: %v", c.times, has)
		}
		if v, _ := snap.CIB.Option("batch-limit"); (v == "1") != (c.times > 0) {
			t.Errorf("with %d commits in between: the other's last value is %q", c.times, v)
		}
		cancel()
		<-done
		os.RemoveAll(dir)
	}
}
