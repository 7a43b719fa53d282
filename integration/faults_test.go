package integration

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// wholeFaults says that the stories of faults are told in full (make faults), not in their short versions.
func wholeFaults() bool { return os.Getenv("PACELINE_FAULTS") != "" }

// three says that three nodes are whole and the shop is open.
func three(s *api.Status) bool {
	return cluster.Online(s, "node1", "node2", "node3") && s.Quorum.Total == 3 && open(s)
}

// hold lets time pass in which something is wrong: the story is about what does not happen meanwhile.
func hold(t *testing.T, d time.Duration) {
	t.Helper()
	select {
	case <-time.After(d):
	case <-t.Context().Done():
	}
}

// elsewhere says that the shop is open, not on that node.
func elsewhere(node string) func(*api.Status) bool {
	return func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != node && cluster.Quiet(s)
	}
}

// The device that is needed answers late, refuses, hangs, or is out of reach of a node just then, and the node that it is needed for
// has lost its power, or only its daemon. Recovery waits for the device, however long; then it happens.
func TestFaultyDevices(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop+"property stonith-timeout=2s\n"))
	dies := func(node string) error { return c.Node(node).Kill() }
	daemonDies := func(node string) error { return c.KillDaemon(t.Context(), node) }
	type story struct {
		name  string
		death func(string) error
		fault func(victim string, s *api.Status)
		told  string // what status says until the device is mended; "" = it mends itself
	}
	stories := []story{
		{"answers late", daemonDies, func(v string, _ *api.Status) { c.Switch().SetDelay(v, 1200*time.Millisecond) }, ""},
		{"refuses", dies, func(v string, _ *api.Status) { c.Switch().SetRefuse(v, "the outlet is locked") }, "the outlet is locked"},
		{"hangs", dies, func(v string, _ *api.Status) { c.Switch().SetHang(v, true) }, "not done in time"},
		{"is out of reach of the coordinator", daemonDies, func(v string, s *api.Status) {
			if s.Coordinator != v {
				c.Switch().SetUnreachable(s.Coordinator, true)
			}
		}, ""},
	}
	if !wholeFaults() {
		stories = []story{stories[0], stories[3]}
	}
	var victims []string
	for i, x := range stories {
		s := await(t, c, "three nodes and the shop", three)
		victim := cluster.Where(s, "ip")
		must(t, commit(t.Context(), c, fmt.Sprintf("before-%d", i)))
		x.fault(victim, s)
		victims = append(victims, victim)
		began := time.Now()
		must(t, x.death(victim))
		if x.told != "" {
			s = await(t, c, "the fault to be told", func(s *api.Status) bool {
				return s.Node != victim && strings.Contains(fencingWords(s), x.told)
			})
			if w := cluster.Where(s, "ip"); w != "" && w != victim {
				t.Errorf("a device %s: the address runs on %s although %s is not fenced", x.name, w, victim)
			}
			c.Switch().Mend()
		}
		await(t, c, "the shop to open elsewhere", func(s *api.Status) bool { return s.Node != victim && elsewhere(victim)(s) })
		t.Logf("a device that %s: the shop is open elsewhere after %v", x.name, time.Since(began).Round(10*time.Millisecond))
		c.Switch().Mend()
		must(t, commit(t.Context(), c, fmt.Sprintf("after-%d", i)))
		must(t, c.Node(victim).Boot(t.Context()))
	}
	await(t, c, "all to be back", three)
	for i := range stories {
		for _, n := range c.Nodes() {
			must(t, committed(t.Context(), c, n.Name, fmt.Sprintf("before-%d", i), fmt.Sprintf("after-%d", i)))
		}
	}
	prove(t, c, victims...)
}

// Links are cut in every shape. Two nodes that do not hear each other, in one direction or in both, but are heard by the
// coordinator, are no reason for anything. A node that the coordinator does not hear is fenced, and its services go on. A
// link that comes and goes ends with a whole cluster.
func TestLinkFaults(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "three nodes and the shop", three)
	var others []string
	for _, n := range c.Nodes() {
		if n.Name != s.Coordinator {
			others = append(others, n.Name)
		}
	}
	coordinator, a, b := s.Coordinator, others[0], others[1]
	must(t, c.Place(t.Context(), "shop", a))
	await(t, c, "the shop to be on "+a, func(s *api.Status) bool { return three(s) && cluster.Where(s, "ip") == a })
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	long := 2 * time.Second // several times what a dead node takes to be missed
	if wholeFaults() {
		long = 15 * time.Second // three leases
	}
	shapes := [][]lab.Direction{lab.Between([]string{a}, []string{b}), {{From: a, To: b}}, {{From: b, To: a}}}
	if !wholeFaults() {
		shapes = shapes[:1]
	}
	for i, shape := range shapes {
		if err := c.Cut(shape...); err != nil {
			t.Skip(err)
		}
		hold(t, long)
		must(t, commit(t.Context(), c, fmt.Sprintf("cut-%d", i)))
		must(t, c.Heal())
		await(t, c, "three nodes, whole", func(s *api.Status) bool { return three(s) && cluster.Where(s, "ip") == a })
	}
	if out := ping.Stop().Longest(); out.Length() > 500*time.Millisecond {
		t.Errorf("the address was silent for %v while two nodes that do not coordinate did not hear each other", out.Length())
	}
	prove(t, c)

	// Now the coordinator does not hear the node that has the shop.
	begin := len(c.Switch().Events())
	must(t, c.Cut(lab.Direction{From: a, To: coordinator}))
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	off, err := c.Switch().Await(ctx, begin, func(e lab.PowerEvent) bool { return e.What == "off" })
	must(t, err)
	await(t, c, "the shop to open on another node", elsewhere(off.Node))
	must(t, commit(t.Context(), c, "one-way"))
	must(t, c.Heal())
	must(t, c.Node(off.Node).Boot(t.Context()))
	await(t, c, "three nodes, whole", three)
	prove(t, c, off.Node)
	t.Logf("%s is not heard by the coordinator %s: %s is fenced", a, coordinator, off.Node)

	// A link that flaps. Whether anybody is fenced for it depends on where the gaps fall: the one with the bad link, or the other that does
	// not coordinate, which it took for dead and told so in a gap (docs/ledger.md).
	turns := 6
	if wholeFaults() {
		turns = 60
	}
	for turn := range turns {
		must(t, c.Isolate(b))
		hold(t, time.Duration(150+100*(turn%3))*time.Millisecond)
		must(t, c.Heal())
		hold(t, 200*time.Millisecond)
	}
	must(t, commit(t.Context(), c, "flapped"))
	await(t, c, "the flapping to be settled", func(s *api.Status) bool {
		for _, n := range c.Nodes() {
			if n.On() && !cluster.Online(s, n.Name) {
				return false
			}
		}
		return s.Node != b && cluster.Quiet(s) && cluster.Together(s, "ip", "web") != ""
	})
	for _, n := range c.Nodes() {
		if !n.On() {
			must(t, n.Boot(t.Context()))
		}
	}
	await(t, c, "three nodes, whole, after the flapping", three)
	for _, n := range c.Nodes() {
		must(t, committed(t.Context(), c, n.Name, "cut-0", "one-way", "flapped"))
	}
	prove(t, c, off.Node, a, b)
}

// A machine stands still and goes on. Its device refuses, so nothing but its own sense keeps it from doing harm. Shorter or
// longer than anybody waits, it finds its place again, and nothing has run twice.
func TestPauses(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	for _, n := range c.Nodes() {
		c.Switch().SetRefuse(n.Name, "the outlet is locked")
	}
	const beyond = 6 * time.Second // the lease is 5 s
	pauses := []time.Duration{time.Second, beyond}
	if wholeFaults() {
		pauses = append(pauses, 3*time.Second, 10*time.Second, 30*time.Second, 60*time.Second)
	}
	for i, long := range pauses {
		s := await(t, c, "three nodes and the shop", three)
		node := cluster.Where(s, "ip")
		if i%2 == 1 { // the coordinator itself
			node = s.Coordinator
			must(t, c.Place(t.Context(), "shop", node))
			await(t, c, "the shop to be where the coordinator is", func(s *api.Status) bool { return three(s) && cluster.Where(s, "ip") == node })
		}
		if err := c.Node(node).Pause(); err != nil {
			t.Skip(err)
		}
		hold(t, long)
		others := slices.DeleteFunc(c.Nodes(), func(n *lab.Node) bool { return n.Name == node })
		must(t, commitOn(t.Context(), c, others, fmt.Sprintf("paused-%v", long))) // the others go on
		must(t, c.Node(node).Resume())
		await(t, c, node+" to be a member again after a pause of "+long.String(), three)
		must(t, committed(t.Context(), c, node, fmt.Sprintf("paused-%v", long)))
	}
	// The daemon alone stands still: what it looks after runs on.
	if wholeFaults() {
		node := cluster.Where(await(t, c, "three nodes and the shop", three), "ip")
		must(t, c.Node(node).Signal(t.Context(), "pacelined", syscall.SIGSTOP))
		hold(t, beyond)
		must(t, c.Node(node).Signal(t.Context(), "pacelined", syscall.SIGCONT))
		await(t, c, node+" to be a member again", three)
	}
	if _, err := c.Audit(); err != nil {
		t.Error(err)
	}
	for _, e := range c.Switch().Events() {
		if e.What == "off" {
			t.Errorf("%s lost its power at a switch that refuses", e.Node)
		}
	}
}

// A node's disk was copied to another machine, which starts as the same node, with the same identity, while the first one
// runs: under its own address, and under the first one's. It is refused and says why; the cluster does not even notice.
func TestClonedNode(t *testing.T) {
	c := newcomers(t, 4)
	must(t, c.Load(t.Context(), shop))
	await(t, c, "three nodes and the shop", three)
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	clone := c.Node("node4")
	must(t, c.KillDaemon(t.Context(), clone.Name))
	for _, dir := range []string{"/etc/paceline", "/var/lib/paceline"} {
		must(t, os.RemoveAll(clone.Disk(dir)))
		if out, err := exec.Command("cp", "-a", c.Node("node3").Disk(dir), filepath.Dir(clone.Disk(dir))).CombinedOutput(); err != nil {
			t.Fatalf("copy the disk: %v: %s", err, out)
		}
	}
	must(t, clone.Start(t.Context(), "pacelined"))
	_, err = clone.AwaitExit(t.Context(), "pacelined") // its configuration has an address that this machine has not
	must(t, err)
	if tail := c.LogTail(clone.Name, 10); !strings.Contains(tail, c.Node("node3").Addr.String()) {
		t.Errorf("the clone does not say that it has not that address:\n%s", tail)
	}
	file := clone.Disk("/etc/paceline/paceline.json")
	text, err := os.ReadFile(file)
	must(t, err)
	must(t, os.WriteFile(file, []byte(strings.ReplaceAll(string(text), c.Node("node3").Addr.String(), clone.Addr.String())), 0o600))
	must(t, clone.Start(t.Context(), "pacelined"))
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s, err := c.AwaitOn(ctx, "node1", "people to be told of two nodes of one name", func(s *api.Status) bool {
		return slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return strings.Contains(p.What, "two nodes are called node3") })
	})
	must(t, err)
	if !three(s) {
		t.Errorf("the cluster is not what it was: %s", cluster.Describe(s))
	}
	must(t, commit(t.Context(), c, "beside-the-clone"))
	must(t, committed(t.Context(), c, "node3", "beside-the-clone"))
	if out := ping.Stop().Longest(); out.Length() > 500*time.Millisecond {
		t.Errorf("the address was silent for %v", out.Length())
	}
	prove(t, c)
}
