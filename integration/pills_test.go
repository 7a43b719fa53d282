package integration

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// poisoned is a shop whose nodes fence each other over a disk that both have, and by nothing else.
const poisoned = `property stonith-enabled=true
rsc_defaults resource-stickiness=100
primitive pill stonith:sbd op monitor interval=30s
primitive web ocf:paceline:process params command=sleep args=1000000 op monitor interval=10s
`

// pillWait is the message wait of the profile lan with a watchdog of two seconds: 2 x 5 s lease, 2 x 2 s time-out, 2 s margin.
const pillWait = 16 * time.Second

// Two nodes with nothing but a shared disk. Cut from each other, exactly one of them dies, by the other's poison pill, and only then is its
// service started elsewhere. One that has lost the disk lives on, until it is cut off, too: then its watchdog ends it.
func TestPoisonPills(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 2), Watchdog: 2, Disks: 1})
	must(t, c.Load(t.Context(), poisoned))
	whole := func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2") && s.Quorum.Total == 2 && cluster.Where(s, "web") != "" && cluster.Where(s, "pill") != "" &&
			cluster.Quiet(s) && s.Fencing.Pills != nil && len(s.Fencing.Pills.Reached) == 2
	}
	s := await(t, c, "web to run, and both nodes to be reached by pills", whole)
	if !s.Protected.Yes || time.Duration(s.Fencing.Pills.MessageWait) != pillWait {
		t.Errorf("protected: %v, because %v; pills: %+v", s.Protected.Yes, s.Protected.Because, s.Fencing.Pills)
	}
	out, err := c.Run(t.Context(), "node1", "fence", "sbd", "message", "node2", "test")
	if err != nil || !strings.Contains(out, "node2 reads the shared disks") {
		t.Errorf("a test: %v\n%s", err, out)
	}
	out, err = c.Run(t.Context(), "node1", "fence", "test", "node2")
	if err != nil || !strings.Contains(out, "node2: test confirmed by pill") {
		t.Errorf("a rehearsal: %v\n%s", err, out)
	}
	await(t, c, "all nodes to know of the rehearsal", func(s *api.Status) bool {
		return len(s.Fencing.Tested) == 1 && s.Fencing.Tested[0].Node == "node2" && s.Fencing.Tested[0].OK && !s.Fencing.Tested[0].Real
	})
	stories := []struct {
		name    string
		happens func(victim string)
		least   time.Duration // from the fault to the start elsewhere
		mend    func(victim string)
	}{
		{"cut link", func(v string) { must(t, c.Isolate(v)) }, 0, func(string) { must(t, c.Heal()) }},
		{"disk lost, then cut link", func(v string) {
			must(t, c.LoseDisk(v, 0))
			hold(t, 3*time.Second) // longer than its watchdog waits: it is tied to a coordinator, and lives
			if !c.Node(v).On() {
				t.Errorf("%s has lost its disk, and died of it", v)
			}
			must(t, c.Isolate(v))
		}, pillWait, func(v string) {
			must(t, c.Heal())
			must(t, c.GiveDisk(v, 0))
		}},
	}
	if !wholeFaults() {
		stories = stories[:1]
	}
	for _, x := range stories {
		t.Run(x.name, func(t *testing.T) {
			s := await(t, c, "two nodes, whole", whole)
			victim := "node1"
			if s.Coordinator == victim {
				victim = "node2" // the coordinator's pill comes first: the other waits a moment, so that not both die
			}
			must(t, c.Place(t.Context(), "web", victim))
			await(t, c, "web to be on "+victim, func(s *api.Status) bool { return whole(s) && cluster.Where(s, "web") == victim })
			must(t, commit(t.Context(), c, "before "+x.name))
			events := len(c.Switch().Events())
			at := time.Now()
			x.happens(victim)
			ctx, cancel := context.WithTimeout(t.Context(), storyMax)
			defer cancel()
			dead, err := c.Switch().Await(ctx, events, func(e lab.PowerEvent) bool { return e.What == "off" })
			must(t, err)
			if dead.Node != victim || dead.By != "watchdog" {
				t.Errorf("%s lost its power by %s; %s was to", dead.Node, dead.By, victim)
			}
			s, err = c.Await(ctx, "web to run elsewhere", func(s *api.Status) bool {
				w := cluster.Where(s, "web")
				return w != "" && w != victim && cluster.Quiet(s)
			})
			must(t, err)
			began, err := startedElsewhere(c, "web", victim, dead.Mono)
			must(t, err)
			recovered := began - dead.Mono + dead.Time.Sub(at)
			t.Logf("%s: dead %v after the fault, web starts elsewhere %v after it", x.name, dead.Time.Sub(at).Round(time.Millisecond), recovered.Round(time.Millisecond))
			if recovered < x.least {
				t.Errorf("web starts elsewhere %v after the fault, before the message wait of %v was over", recovered, x.least)
			}
			if last := s.Fencing.Last; len(last) == 0 || last[0].Target != victim || last[0].Device != "pill" || !last[0].OK {
				t.Errorf("the history of fencings: %+v", last)
			}
			for _, e := range c.Switch().Events()[events:] {
				if e.What == "off" && e.Node != victim {
					t.Errorf("%s died, too", e.Node)
				}
			}
			x.mend(victim)
			must(t, c.Node(victim).Boot(t.Context()))
			await(t, c, "two nodes, whole again", whole)
			for _, n := range c.Nodes() {
				must(t, committed(t.Context(), c, n.Name, "before "+x.name))
			}
		})
	}
	prove(t, c)
	if !slices.ContainsFunc(c.Switch().Events(), func(e lab.PowerEvent) bool {
		return e.What == "watchdog:reset" && strings.Contains(e.Note, "poison pill")
	}) {
		t.Error("nobody took a poison pill")
	}
}
