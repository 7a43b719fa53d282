package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// newcomers makes a cluster of the first three of a lab's nodes; the others wait to join.
func newcomers(t *testing.T, nodes int) *cluster.Cluster {
	t.Helper()
	c, err := cluster.Boot(t.Context(), cluster.Options{Bin: binaries(t), Lab: storyLab(t, nodes)})
	if err != nil {
		t.Fatal(err)
	}
	cleanUp(t, c)
	if _, err := c.Run(t.Context(), "node1", "cluster", "init", "--name", "first", "--address", c.Node("node1").Addr.String()); err != nil {
		t.Fatal(err)
	}
	for _, n := range []string{"node2", "node3"} {
		must(t, c.Join(t.Context(), n))
	}
	await(t, c, "three nodes to be online", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") })
	return c
}

func joinToken(t *testing.T, c *cluster.Cluster, node string) string {
	t.Helper()
	out, err := c.Run(t.Context(), node, "cluster", "token")
	must(t, err)
	return strings.TrimSpace(out)
}

// A join that cannot be: each time the command that was given says why, and the cluster is what it was.
func TestJoinRefused(t *testing.T) {
	c := newcomers(t, 4)
	good := joinToken(t, c, "node1")

	t.Run("not a token", func(t *testing.T) {
		fails(t, c, "node4", "", 2*time.Second, []string{"cluster", "join", "--address", "10.77.0.14", "rubbish"}, "token")
	})
	t.Run("a token that was tampered with", func(t *testing.T) {
		bad := []byte(good)
		if i := len(bad) / 2; bad[i] == 'A' {
			bad[i] = 'B'
		} else {
			bad[i] = 'A'
		}
		fails(t, c, "node4", "", 15*time.Second, []string{"cluster", "join", "--address", "10.77.0.14", string(bad)}, "token")
	})
	t.Run("a member that cannot be reached", func(t *testing.T) {
		if err := c.Isolate("node4"); err != nil {
			t.Skip(err)
		}
		fails(t, c, "node4", "", 20*time.Second, []string{"cluster", "join", "--address", "10.77.0.14", good}, "10.77.0.11")
		must(t, c.Heal())
	})
	t.Run("a name that is taken", func(t *testing.T) {
		fails(t, c, "node4", "", 15*time.Second, []string{"cluster", "join", "--address", "10.77.0.14", "--node", "node2", good}, "node2")
	})
	t.Run("an address that is taken", func(t *testing.T) {
		fails(t, c, "node4", "", 15*time.Second, []string{"cluster", "join", "--address", "10.77.0.12", good}, "10.77.0.12")
	})
	s := await(t, c, "the cluster to be as before", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") })
	if len(s.Nodes) != 3 {
		t.Errorf("the cluster has members it refused: %s", cluster.Describe(s))
	}
	t.Run("and then it can be", func(t *testing.T) {
		must(t, c.Join(t.Context(), "node4"))
		await(t, c, "node4 to be online", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3", "node4") })
	})
}

// A node whose key is not the cluster's is not let in by anybody, and the cluster goes on without it.
func TestWrongKey(t *testing.T) {
	c := newcomers(t, 3)
	n := c.Node("node3")
	must(t, c.KillDaemon(t.Context(), n.Name))
	must(t, os.WriteFile(n.Disk("/etc/paceline/key"), []byte(strings.Repeat("ab", 32)+"\n"), 0o600))
	must(t, c.StartDaemon(t.Context(), n.Name))
	// Without fencing devices the node that is lost stays unclean; what matters is that the others do not take it back.
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s, err := c.AwaitOn(ctx, "node1", "node3 to be lost", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2") && !cluster.Online(s, "node3")
	})
	must(t, err)
	if _, err := c.AwaitOn(ctx, "node3", "node3 to say that it is alone", func(s *api.Status) bool {
		return s.Stale || s.Coordinator == ""
	}); err != nil {
		t.Error(err)
	}
	if !s.Quorum.Quorate {
		t.Errorf("the others have no quorum: %s", cluster.Describe(s))
	}
	log := c.LogTail("node3", 200) + c.LogTail("node1", 200)
	if !strings.Contains(log, "key") && !strings.Contains(log, "certificate") && !strings.Contains(log, "decrypt") {
		t.Errorf("nobody says what is wrong:\n%s", log)
	}
}

// Two clusters on one wire, and a member of one sent to the other's addresses: they stay two.
func TestForeignCluster(t *testing.T) {
	c := newcomers(t, 5)
	if _, err := c.Run(t.Context(), "node4", "cluster", "init", "--name", "second", "--address", c.Node("node4").Addr.String()); err != nil {
		t.Fatal(err)
	}
	if _, err := c.RunInput(t.Context(), "node5", joinToken(t, c, "node4"), "cluster", "join", "--address", c.Node("node5").Addr.String(), "-"); err != nil {
		t.Fatal(err)
	}
	// node5 remembers members at the addresses of the first cluster.
	must(t, c.KillDaemon(t.Context(), "node5"))
	path := c.Node("node5").Disk("/var/lib/paceline/peers.json")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, bytes.ReplaceAll(text, []byte("10.77.0.14"), []byte("10.77.0.11")), 0o600))
	must(t, c.StartDaemon(t.Context(), "node5"))
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	second, err := c.AwaitOn(ctx, "node4", "node5 to be back in the second cluster", func(s *api.Status) bool { return cluster.Online(s, "node4", "node5") })
	must(t, err)
	first, err := c.AwaitOn(ctx, "node1", "the first cluster to be as before", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") })
	must(t, err)
	if len(first.Nodes) != 3 || len(second.Nodes) != 2 {
		t.Errorf("the clusters have mixed:\n%s\n%s", cluster.Describe(first), cluster.Describe(second))
	}
}

// What is wrong with a configuration is said by the command that brings it, and nothing of it is taken.
func TestBadConfiguration(t *testing.T) {
	c := newcomers(t, 3)
	must(t, c.Load(t.Context(), "primitive a ocf:paceline:process params command=sleep args=1000000\n"))
	before, err := c.Run(t.Context(), "node1", "configure", "show")
	must(t, err)
	load := []string{"configure", "load", "update", "-"}
	for _, bad := range []struct {
		name, text string
		words      []string
	}{
		{"not a statement", "primitve b ocf:paceline:process\n", []string{"primitve"}},
		{"a group of what is not there", "group g a nothing\n", []string{"nothing"}},
		{"a constraint on what is not there", "location l nothing 100: node1\n", []string{"nothing"}},
		{"a score that is none", "location l a many: node1\n", []string{"many"}},
		{"XML that ends too soon", "<cib><configuration>", []string{"unexpected EOF"}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			fails(t, c, "node2", bad.text, 3*time.Second, load, bad.words...)
		})
	}
	after, err := c.Run(t.Context(), "node1", "configure", "show")
	must(t, err)
	if after != before {
		t.Errorf("the configuration has changed:\n%s\nit was:\n%s", after, before)
	}
}

// said finds what the status says is wrong with a resource.
func said(s *api.Status, resource string) string {
	var words []string
	for _, f := range s.Failures {
		if f.Resource == resource {
			words = append(words, f.Operation, f.Status, f.RCText, f.Reason)
		}
	}
	for _, p := range s.Problems {
		if p.Object == resource || strings.Contains(p.What, resource) {
			words = append(words, p.What)
		}
	}
	return strings.Join(words, " ")
}

// Agents that are not there, hang, babble or answer nonsense: status says so, and their neighbours run.
func TestBadAgents(t *testing.T) {
	c := newcomers(t, 3)
	agents := map[string]string{
		"hangs":    "#!/bin/sh\n[ $1 = monitor ] && exit 7\n[ $1 = stop ] && exit 0\nexec sleep 1000000\n",
		"babbles":  "#!/bin/sh\n[ $1 = monitor ] && exit 7\n[ $1 = stop ] && exit 0\nhead -c 20000000 /dev/zero | tr '\\0' x\necho the end >&2\nexit 1\n",
		"nonsense": "#!/bin/sh\n[ $1 = monitor ] && exit 7\n[ $1 = stop ] && exit 0\nexit 77\n",
	}
	for name, script := range agents {
		if err := c.PutAgent(name, script); err != nil {
			t.Skip(err)
		}
	}
	_, err := c.RunInput(t.Context(), "node1", `property stonith-enabled=false
primitive good ocf:paceline:process params command=sleep args=1000000
primitive unknown ocf:heartbeat:NoSuchAgent
primitive hangs ocf:lab:hangs op start timeout=2s interval=0
primitive babbles ocf:lab:babbles op start timeout=20s interval=0
primitive nonsense ocf:lab:nonsense
`, "configure", "load", "update", "--allow-unknown-agent", "-")
	must(t, err)
	for resource, words := range map[string]string{
		"unknown": "not installed", "hangs": "timed out", "babbles": "start", "nonsense": "77",
	} {
		t.Run(resource, func(t *testing.T) {
			s := await(t, c, "the failure of "+resource+" to be told", func(s *api.Status) bool {
				return strings.Contains(strings.ToLower(said(s, resource)), words)
			})
			if n := len(said(s, resource)); n > 20_000 {
				t.Errorf("status repeats %d bytes of what the agent said", n)
			}
		})
	}
	await(t, c, "the good one to run", func(s *api.Status) bool { return cluster.Where(s, "good") != "" })
}

// A node whose disk is full says so and holds nobody up; what was committed is there when the disk takes writes again.
func TestFullDisk(t *testing.T) {
	o := storyLab(t, 3)
	o.Disk = "24m"
	c := start(t, cluster.Options{Lab: o})
	must(t, c.Load(t.Context(), strings.Replace(shop, "stonith-enabled=true", "stonith-enabled=false", 1)))
	await(t, c, "the shop to open", open)
	full := c.Node("node3")
	if _, err := full.Exec(t.Context(), "sh", "-c", "dd if=/dev/zero of=/var/lib/paceline/filler bs=1M; dd if=/dev/zero of=/var/lib/paceline/filler2 bs=512; df /var/lib/paceline"); err != nil {
		t.Fatal(err)
	}
	bulk := strings.Repeat("x", 20_000)
	for i := range 40 {
		must(t, commit(t.Context(), c, fmt.Sprintf("full-%d-%s", i, bulk)))
	}
	await(t, c, "somebody to say that the disk is full", func(s *api.Status) bool {
		return strings.Contains(c.LogTail("node3", 300), "no space left")
	})
	await(t, c, "status to say that the disk is full", func(s *api.Status) bool {
		for _, p := range s.Problems {
			if strings.Contains(p.What, "disk") && (p.Object == "node3" || strings.Contains(p.What, "node3")) {
				return true
			}
		}
		return false
	})
	if _, err := full.Exec(t.Context(), "rm", "/var/lib/paceline/filler", "/var/lib/paceline/filler2"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the disk to take writes again", func(s *api.Status) bool {
		return strings.Contains(c.LogTail("node3", 300), "takes writes again") && cluster.Online(s, "node1", "node2", "node3") && open(s)
	})
	must(t, commit(t.Context(), c, "after"))
	for _, n := range c.Nodes() {
		must(t, committed(t.Context(), c, n.Name, "full-0-"+bulk, "full-39-"+bulk, "after"))
	}
	audit(t, c)
}

// A journal and a daemon that were cut off in the middle of a line: the daemon starts, says so, and touches nothing.
func TestTornJournal(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	node := cluster.Together(s, "ip", "web")
	must(t, c.KillDaemon(t.Context(), node))
	path := c.Node(node).Disk("/var/lib/paceline/journal.jsonl")
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(`{"seq":99999,"kind":"begin","resource":"ip","opera`)
	must(t, err)
	must(t, f.Close())
	must(t, c.StartDaemon(t.Context(), node))
	await(t, c, "the node to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && open(s) && cluster.Together(s, "ip", "web") == node
	})
	if !strings.Contains(c.LogTail(node, 200), "torn") {
		t.Errorf("the daemon does not say that its journal was torn:\n%s", c.LogTail(node, 30))
	}
	audit(t, c)
}

// Without a coordinator no command hangs: it says so within two seconds and a bit, and status answers from memory.
func TestNoCoordinator(t *testing.T) {
	c := newcomers(t, 3)
	must(t, c.Load(t.Context(), "primitive a ocf:paceline:process params command=sleep args=1000000\n"))
	for _, n := range []string{"node1", "node2"} {
		must(t, c.Node(n).Kill())
	}
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s, err := c.AwaitOn(ctx, "node3", "node3 to know that it is alone", func(s *api.Status) bool { return s.Stale })
	must(t, err)
	if s.StaleReason == "" {
		t.Error("a stale status does not say why")
	}
	for _, args := range [][]string{
		{"resource", "stop", "a"}, {"node", "standby", "node3"}, {"configure", "load", "update", "-"}, {"explain", "a"},
	} {
		fails(t, c, "node3", "property maintenance-mode=true\n", 4*time.Second, args, "coordinator")
	}
}
