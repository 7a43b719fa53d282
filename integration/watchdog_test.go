package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
	"paceline/resources"
)

// watched is a shop whose nodes have no fencing device but their watchdogs.
const watched = `property stonith-enabled=true stonith-watchdog-timeout=-1
rsc_defaults resource-stickiness=100
primitive web ocf:paceline:process params command=sleep args=1000000 op monitor interval=10s
`

// presumed is the presumed-dead time of the profile lan with a watchdog of two seconds: 2 x 5 s lease, 2 s to stop, 2 x 2 s
// time-out, 2 s margin.
const presumed = 18 * time.Second

// Three nodes that have nothing to fence one another with but their watchdogs. A node whose link is cut, one that stands
// still, and one whose daemon is killed are each dead in truth before what they ran starts elsewhere, and that takes the
// derived time.
func TestWatchdogOnly(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3), Watchdog: 2})
	must(t, c.Load(t.Context(), watched))
	faults := []struct {
		name    string
		happens func(victim string) error
		mend    func() error
	}{
		{"cut link", func(v string) error { return c.Isolate(v) }, func() error { return c.Heal() }},
		{"node stands still", func(v string) error { return c.Node(v).Pause() }, func() error { return nil }},
		{"daemon killed", func(v string) error { return c.KillDaemon(t.Context(), v) }, func() error { return nil }},
	}
	if !wholeFaults() {
		faults = faults[2:] // the others take a minute more: `make faults`
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) { watchdogDeath(t, c, f.happens, f.mend) })
	}
	audit(t, c)
}

func watchdogDeath(t *testing.T, c *cluster.Cluster, happens func(string) error, mend func() error) {
	s := await(t, c, "web to run", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && s.Quorum.Total == 3 && cluster.Where(s, "web") != "" && cluster.Quiet(s)
	})
	if because := strings.Join(s.Protected.Because, "; "); !s.Protected.Yes || !strings.Contains(because, "watchdogs") || !strings.Contains(because, presumed.String()) {
		t.Errorf("protected: %v, because %s", s.Protected.Yes, because)
	}
	victim := cluster.Where(s, "web")
	events := len(c.Switch().Events())
	at := time.Now()
	must(t, happens(victim))
	ctx, cancel := context.WithTimeout(t.Context(), 2*presumed+storyMax)
	defer cancel()
	dead, err := c.Switch().Await(ctx, events, func(e lab.PowerEvent) bool { return e.Node == victim && e.What == "off" })
	must(t, err)
	if dead.By != "watchdog" {
		t.Errorf("the power of %s was cut by %s", victim, dead.By)
	}
	must(t, mend())
	if _, err := c.Await(ctx, "web to run elsewhere", func(s *api.Status) bool {
		w := cluster.Where(s, "web")
		return w != "" && w != victim && cluster.Quiet(s)
	}); err != nil {
		t.Fatal(err)
	}
	began, err := startedElsewhere(c, "web", victim, dead.Mono)
	must(t, err)
	recovered := began - dead.Mono + dead.Time.Sub(at)
	t.Logf("%s: dead %v after the fault, web starts elsewhere %v after it", victim, dead.Time.Sub(at).Round(time.Millisecond), recovered.Round(time.Millisecond))
	if recovered < presumed {
		t.Errorf("web starts elsewhere %v after the fault, before %s could be presumed dead (%v)", recovered, victim, presumed)
	}
	must(t, c.Node(victim).Boot(t.Context()))
}

// startedElsewhere returns when the last start of a resource began on another node than the victim, by the truth journals. A start before the
// victim's death is an error.
func startedElsewhere(c *cluster.Cluster, resource, victim string, dead time.Duration) (time.Duration, error) {
	journals, err := c.Journals()
	if err != nil {
		return 0, err
	}
	var last int64
	for node, entries := range journals {
		for _, e := range entries {
			if node != victim && e.Kind == executor.KindBegin && e.Resource == resource && e.Operation == resources.Start {
				last = max(last, e.MonoMS)
			}
		}
	}
	began := time.Duration(last) * time.Millisecond
	if began < dead {
		return 0, fmt.Errorf("%s was started elsewhere %v before %s was dead", resource, dead-began, victim)
	}
	return began, nil
}
