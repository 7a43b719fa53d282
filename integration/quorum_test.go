package integration

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// prove ends a story: the truth journals and the power switch's log say that nothing was active twice, that nothing was recovered
// before its node's confirmed death, and that nobody was fenced but these.
func prove(t *testing.T, c *cluster.Cluster, fenced ...string) {
	t.Helper()
	if err := c.Proof(fenced...); err != nil {
		t.Error(err)
	}
}

// pairOpen says that two nodes are whole and the shop is open.
func pairOpen(s *api.Status) bool {
	return cluster.Online(s, "node1", "node2") && s.Quorum.Total == 2 && open(s)
}

// alone boots a node whose peer has no power, and returns what it says once it says that it waits for it. It fences
// nobody for that.
func alone(t *testing.T, c *cluster.Cluster, node, peer string) string {
	t.Helper()
	must(t, c.Node(node).Boot(t.Context()))
	must(t, c.AwaitSocket(t.Context(), node))
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s, err := c.AwaitOn(ctx, node, node+" to say for whom it waits", func(s *api.Status) bool {
		return s.Stale && !s.Quorum.Quorate && strings.Contains(s.Quorum.Reason, "waits for "+peer)
	})
	must(t, err)
	for _, r := range s.Resources {
		if len(r.Nodes) > 0 && slices.Contains(r.Nodes, node) && !s.Stale {
			t.Errorf("%s runs %s alone", node, r.ID)
		}
	}
	return s.Quorum.Reason
}

// Two nodes lose their power at once. The first that is back waits, says why, and fences nobody; with the other the services
// run. The same where the first one back is the one that missed what its peer committed alone, and where it is the peer,
// which knows that it may go on.
func TestTwoNodesFromTheDark(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 2)})
	must(t, c.Load(t.Context(), strings.ReplaceAll(shop, " node3", "")))
	await(t, c, "the shop to open", pairOpen)
	must(t, commit(t.Context(), c, "before"))
	dark(c)
	t.Logf("node1 alone: %s", alone(t, c, "node1", "node2"))
	must(t, c.Node("node2").Boot(t.Context()))
	await(t, c, "the shop to open after the dark", pairOpen)
	prove(t, c)

	must(t, c.Node("node2").Kill())
	await(t, c, "node1 to go on alone", func(s *api.Status) bool {
		return open(s) && cluster.Where(s, "ip") == "node1" && s.Quorum.Total == 1
	})
	must(t, commit(t.Context(), c, "alone"))
	dark(c)
	t.Logf("node2, with old state, alone: %s", alone(t, c, "node2", "node1"))
	must(t, c.Node("node1").Boot(t.Context()))
	await(t, c, "both, after the one with old state was first", pairOpen)
	must(t, committed(t.Context(), c, "node2", "before", "alone"))
	prove(t, c, "node2")

	must(t, c.Node("node2").Kill())
	await(t, c, "node1 to go on alone again", func(s *api.Status) bool {
		settled := slices.ContainsFunc(s.Nodes, func(n api.Node) bool { return n.Name == "node2" && n.State == api.NodeOffline })
		return open(s) && s.Quorum.Total == 1 && settled // else node1 comes back and waits for node2, as it should
	})
	must(t, c.Node("node1").Kill())
	must(t, c.Node("node1").Boot(t.Context()))
	await(t, c, "the only voter to go on by itself", func(s *api.Status) bool {
		return open(s) && cluster.Where(s, "ip") == "node1" && s.Quorum.Total == 1
	})
	must(t, c.Node("node2").Boot(t.Context()))
	await(t, c, "both again", pairOpen)
	must(t, committed(t.Context(), c, "node2", "before", "alone"))
	prove(t, c, "node2")
}

// With wait-for-all three nodes that lost their power together do nothing before the last of them is there, though two are a
// majority, and say for whom they wait: nobody is fenced for booting slowly. Then the services run.
func TestWaitForAll(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop+"property wait-for-all=true\n"))
	await(t, c, "the shop to open", three)
	dark(c)
	for _, n := range []string{"node1", "node2"} {
		must(t, c.Node(n).Boot(t.Context()))
	}
	s := await(t, c, "two of three to say for whom they wait", func(s *api.Status) bool {
		return s.Coordinator == s.Node && !s.Quorum.Quorate && strings.Contains(s.Quorum.Reason, "waits for node3")
	})
	t.Log(s.Quorum.Reason)
	hold(t, time.Second)
	journals, err := c.Journals()
	must(t, err)
	for node, entries := range journals {
		if last := entries[len(entries)-1]; node != "node3" && last.Kind != executor.KindDaemonStart && last.Kind != executor.KindBoot {
			t.Errorf("%s did something before all were there: %+v", node, last)
		}
	}
	must(t, c.Node("node3").Boot(t.Context()))
	await(t, c, "the shop to open with all", three)
	prove(t, c)
}

// dark takes the power of all nodes at once.
func dark(c *cluster.Cluster) {
	var wg sync.WaitGroup
	for _, n := range c.Nodes() {
		wg.Go(func() { _ = n.Kill() }) // one that has none already stays as it is
	}
	wg.Wait()
}

// A witness host holds the witnesses of two clusters, by two daemons with folders and ports of their own. In each cluster a
// node dies, and the other goes on; then the host dies, and both go on still: who is alone decides alone. The host
// comes back with one of its disks empty, and the nodes come back: all is as it was.
func TestWitnessesOfTwoClusters(t *testing.T) {
	o := storyLab(t, 5)
	second := lab.Service{Name: "second", Manual: true, Args: []string{"/lab/bin/pacelined",
		"--config-dir", "/etc/paceline/second", "--data-dir", "/var/lib/paceline/second", "--run-dir", "/run/paceline-second"}}
	o.Services = append(o.Services, second)
	c, err := cluster.Boot(t.Context(), cluster.Options{Bin: binaries(t), Lab: o})
	must(t, err)
	cleanUp(t, c)
	ctx, cancel := context.WithTimeout(t.Context(), 4*storyMax)
	defer cancel()
	const host = "node5"
	secondUp := func() { must(t, c.Node(host).Start(ctx, second.Name)) }
	secondUp()
	address := func(n string) string { return c.Node(n).Addr.String() }
	for _, x := range []struct {
		name, first, other string
		witness            []string
	}{
		{"north", "node1", "node2", []string{"paceline", "cluster", "join", "--witness", "--address", address(host)}},
		{"south", "node3", "node4", []string{"env", "PACELINE_SOCKET=/run/paceline-second/paceline.sock",
			"paceline", "cluster", "join", "--witness", "--address", address(host), "--gossip-port", "7956", "--peer-port", "7957"}},
	} {
		says(t, c, x.first, []string{"cluster", "init", "--name", x.name, "--address", address(x.first)})
		says(t, c, x.other, []string{"cluster", "join", "--address", address(x.other), joinToken(t, c, x.first)})
		out, err := c.Node(host).Exec(ctx, append(x.witness, joinToken(t, c, x.first))...)
		if err != nil {
			t.Fatalf("the witness of %s: %v: %s", x.name, err, out)
		}
	}
	type pair struct{ a, b string }
	pairs := []pair{{"node1", "node2"}, {"node3", "node4"}}
	voters := func(on string, n int, words string, fits func(*api.Status) bool) *api.Status {
		t.Helper()
		s, err := c.AwaitOn(ctx, on, words, func(s *api.Status) bool {
			return !s.Stale && s.Quorum.Quorate && s.Quorum.Total == n && s.Quorum.Votes == n && cluster.Quiet(s) && fits(s)
		})
		must(t, err)
		return s
	}
	services := func(p pair, node string) func(*api.Status) bool {
		return func(s *api.Status) bool {
			w := cluster.Where(s, p.a+"-web")
			return w != "" && (node == "" || w == node)
		}
	}
	for _, p := range pairs {
		text := fmt.Sprintf("property stonith-enabled=true stonith-action=off\nprimitive power stonith:fence_lab params pcmk_host_list=\"%s %s\"\n"+
			"primitive %s ocf:paceline:process params command=sleep args=1000000\n", p.a, p.b, p.a+"-web")
		if out, err := c.RunInput(ctx, p.a, text, "configure", "load", "update", "-"); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		voters(p.a, 3, "two nodes and a witness", services(p, ""))
	}
	for _, p := range pairs {
		must(t, c.Node(p.b).Kill())
	}
	for _, p := range pairs {
		s := voters(p.a, 1, p.a+" to go on and to let its witness go", services(p, p.a))
		t.Logf("%s without its peer: %s", p.a, s.Quorum.Reason)
	}
	must(t, c.Node(host).Kill())
	for _, p := range pairs {
		says(t, c, p.a, []string{"node", "attribute", p.a, "set", "dark", "yes"}) // a commit, by itself alone
		voters(p.a, 1, p.a+" to go on without anybody", services(p, p.a))
	}
	empty := c.Node(host).Disk("/var/lib/paceline")
	for _, name := range []string{"raft.db", "snapshots"} { // north's; south's are below
		must(t, os.RemoveAll(filepath.Join(empty, name)))
	}
	must(t, os.Remove(filepath.Join(empty, "node-id")))
	must(t, c.Node(host).Boot(ctx))
	secondUp()
	for _, p := range pairs {
		must(t, c.Node(p.b).Boot(ctx))
	}
	for _, p := range pairs {
		voters(p.a, 3, "two nodes and a witness again", func(s *api.Status) bool { return cluster.Online(s, p.a, p.b) && services(p, "")(s) })
	}
	says(t, c, "node2", []string{"configure", "show", "node1"}, "dark=yes")
	prove(t, c, "node2", "node4")
	journals, err := c.Journals()
	must(t, err)
	for _, e := range journals[host] {
		if e.Kind == executor.KindBegin || e.Kind == executor.KindFenceBegin {
			t.Errorf("the witness was given work: %+v", e)
		}
	}
}

// Cut off from the others, and by chance not fenced, a node does by itself what no-quorum-policy says, when its lease is
// over and not before. Nothing starts elsewhere meanwhile: the device refuses.
func TestCutOffNodeObeysPolicy(t *testing.T) {
	needAgent(t, "heartbeat", "Stateful", "resource-agents")
	c := start(t, cluster.Options{Lab: storyLab(t, 3), Profile: "fast"})
	must(t, c.Load(t.Context(), shop+"primitive replica ocf:heartbeat:Stateful op monitor interval=10s role=Promoted op monitor interval=11s role=Unpromoted\n"+
		"clone replicas replica meta promotable=true\ncolocation replica-with-shop inf: replicas:Promoted shop\n"))
	for _, n := range c.Nodes() {
		c.Switch().SetRefuse(n.Name, "the outlet is locked")
	}
	const lease = 2 * time.Second // of the profile fast
	policies := []string{"stop", "freeze", "ignore", "demote"}
	if !wholeFaults() {
		policies = policies[:2]
	}
	for _, policy := range policies {
		must(t, c.Load(t.Context(), "property no-quorum-policy="+policy+"\n"))
		s := await(t, c, "all to be whole", func(s *api.Status) bool {
			p := promoted(s, "replicas")
			return cluster.Online(s, "node1", "node2", "node3") && open(s) && len(p) == 1 && p[0] == cluster.Where(s, "ip")
		})
		node := cluster.Where(s, "ip")
		before := time.Now()
		if err := c.Isolate(node); err != nil {
			t.Skip(err)
		}
		want := map[string][]string{ // what the node does by itself, in this order
			"stop": {"replica demote", "replica stop", "web stop", "ip stop"}, "freeze": nil, "ignore": nil, "demote": {"replica demote", "web stop", "ip stop"},
		}[policy]
		ctx, cancel := context.WithTimeout(t.Context(), storyMax)
		var acts []executor.Entry
		err := c.AwaitJournal(ctx, node, "what no-quorum-policy="+policy+" demands", func(entries []executor.Entry) bool {
			acts = acts[:0]
			cutOff := false
			for _, e := range entries {
				if e.WallMS <= before.UnixMilli() {
					continue
				}
				cutOff = cutOff || e.Kind == executor.KindCutOff
				if e.Kind == executor.KindEnd && e.SelfStop {
					acts = append(acts, e)
				}
			}
			return cutOff && len(acts) >= len(want)
		})
		cancel()
		must(t, err)
		var did []string
		for _, e := range acts {
			name, _, _ := strings.Cut(e.Resource, ":")
			did = append(did, name+" "+e.Operation)
			if at := time.UnixMilli(e.WallMS).Sub(before); at < lease/2 {
				t.Errorf("%s: %s of %s %v after the cut: its lease was not over", policy, e.Operation, e.Resource, at)
			} else if at > 3*lease {
				t.Errorf("%s: %s of %s only %v after the cut", policy, e.Operation, e.Resource, at)
			}
		}
		for _, w := range want {
			if !slices.Contains(did, w) {
				t.Errorf("%s: the node did not %s by itself: %v", policy, w, did)
			}
		}
		if len(want) == 0 && len(did) > 0 {
			t.Errorf("%s: the node did %v by itself, want %v", policy, did, want)
		}
		t.Logf("%s on %s: %v", policy, node, did)
		must(t, c.Heal())
		// Its fencing was refused all the time, so its journal is what the others learn from.
		await(t, c, "the node to be back", func(s *api.Status) bool {
			return cluster.Online(s, "node1", "node2", "node3") && open(s)
		})
	}
	audit(t, c)
	for _, e := range c.Switch().Events() {
		if e.What == "off" {
			t.Errorf("%s lost its power at a switch that refuses", e.Node)
		}
	}
}
