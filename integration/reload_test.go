package integration

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

const (
	// slowStart is longer than a dead node takes to be missed in the profile lan, and half of what an announced restart may take.
	slowStart = 1500 * time.Millisecond
	// restartWait is what an announced restart may take there.
	restartWait = 3 * time.Second
)

// Every daemon of a cluster is started anew, one after the other, and each start takes longer than a node takes to be missed: nobody
// is fenced, nothing moves, no service's process is touched, and status says meanwhile what is waited for. One that is killed
// and away for as long is fenced.
func TestSlowReloads(t *testing.T) {
	for _, nodes := range []int{2, 3} {
		t.Run(fmt.Sprint(nodes, " nodes"), func(t *testing.T) {
			c := start(t, cluster.Options{Lab: storyLab(t, nodes)})
			must(t, c.Load(t.Context(), shop))
			await(t, c, "the shop to open", open)
			await(t, c, "all to vote", func(s *api.Status) bool { return s.Quorum.Total == nodes && cluster.Quiet(s) })
			before := services(t, c)
			for i, n := range c.Nodes() {
				reload(t, c, n, i == 0 && nodes == 3) // of two the other has no coordinator, and status waits for one
				if after := services(t, c); after != before {
					t.Fatalf("after the reload of %s these run:\n%s\nbefore:\n%s", n.Name, after, before)
				}
			}
			notFenced(t, c)
			audit(t, c)
			if nodes == 2 {
				return
			}
			victim := c.Nodes()[1]
			must(t, victim.Signal(t.Context(), lab.Daemon().Name, syscall.SIGKILL))
			await(t, c, "the node whose daemon was killed to be fenced", func(*api.Status) bool { return !victim.On() })
		})
	}
}

// reload ends a node's daemon as systemctl reload does, and starts it slowly.
func reload(t *testing.T, c *cluster.Cluster, n *lab.Node, look bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s := await(t, c, "the cluster to be quiet", func(s *api.Status) bool { return open(s) && cluster.Quiet(s) && s.Coordinator != "" })
	was := incarnation(s, n.Name)
	must(t, n.Signal(ctx, lab.Daemon().Name, syscall.SIGHUP))
	if _, err := n.AwaitExit(ctx, lab.Daemon().Name); err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	time.Sleep(slowStart)
	if look {
		other := c.Nodes()[1]
		out, err := other.Exec(ctx, "paceline", "status")
		if why, _ := other.Exec(ctx, "paceline", "explain", n.Name); time.Since(ended) < restartWait-500*time.Millisecond {
			if !strings.Contains(out, "restarting (its daemon starts anew, as it announced, and is expected back within") {
				t.Errorf("status on %s (%v):\n%s", other.Name, err, out)
			}
			if !strings.Contains(why, "until then it is not fenced") {
				t.Errorf("explain on %s:\n%s", other.Name, why)
			}
		}
	}
	must(t, n.Start(ctx, lab.Daemon().Name))
	await(t, c, n.Name+" to be back", func(s *api.Status) bool {
		if !n.On() {
			if away := time.Since(ended); away > restartWait {
				t.Skipf("the machine is too slow for this story: the daemon was away for %v, and its node fenced", away)
			}
			t.Fatalf("%s was fenced %v after its daemon ended", n.Name, time.Since(ended))
		}
		return open(s) && cluster.Quiet(s) && cluster.Online(s, n.Name) && incarnation(s, n.Name) != was
	})
	t.Logf("%s was away and is back %v after its daemon ended", n.Name, time.Since(ended).Round(time.Millisecond))
}

// services lists the processes of services on all nodes, with their numbers.
func services(t *testing.T, c *cluster.Cluster) string {
	t.Helper()
	var b strings.Builder
	for _, n := range c.Nodes() {
		list, err := n.Processes()
		must(t, err)
		for _, p := range list {
			if line := fmt.Sprint(p); strings.Contains(line, "sleep") {
				fmt.Fprintf(&b, "%s: %v\n", n.Name, line)
			}
		}
	}
	return b.String()
}
