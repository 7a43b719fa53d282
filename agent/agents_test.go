package agent

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"

	"paceline/agent/api"
	"paceline/resources"
	"paceline/resources/builtin"
)

// A node names its agents and hands their meta-data on; what it lacks is not found, whatever the class.
func TestTheCatalogOfAgents(t *testing.T) {
	registry := builtin.Registry(builtin.Config{StateDir: t.TempDir(), OCFRoot: t.TempDir()})
	registry.RegisterClass("stonith", newFencer(nil, nil, t.TempDir(), slog.New(slog.DiscardHandler)))
	b := backend{&Daemon{node: &node{registry: registry, log: slog.New(slog.DiscardHandler)}}}
	list, err := b.Agents(context.Background())
	if err != nil || !slices.Contains(list, "ocf:paceline:vip") || !slices.IsSorted(list) {
		t.Fatalf("agents %q, %v", list, err)
	}
	a, err := b.Agent(context.Background(), "ocf:paceline:vip")
	if err != nil {
		t.Fatal(err)
	}
	ip := slices.IndexFunc(a.Parameters, func(p api.AgentParameter) bool { return p.Name == "ip" })
	if ip < 0 || !a.Parameters[ip].Required || a.Parameters[ip].Short == "" {
		t.Errorf("parameters %+v: want ip, required and explained", a.Parameters)
	}
	if !slices.ContainsFunc(a.Actions, func(x api.AgentAction) bool { return x.Name == resources.Start && x.Timeout > 0 }) {
		t.Errorf("actions %+v: want start with a time-out", a.Actions)
	}
	for _, name := range []string{"ocf:paceline:nothing", "ocf:short", "upstart:x", "nothing"} {
		var e *api.Error
		if _, err := b.Agent(context.Background(), name); !errors.As(err, &e) || e.Code != api.CodeNotFound {
			t.Errorf("%s: %v, want not found", name, err)
		}
	}
}
