package integration

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// The power of the node that runs everything is cut, again and again: every time it is fenced first, the resources come
// back on another node, the address answers, a change committed while it was dark is there afterwards, and the node comes back. PACELINE_CUTS
// says how often (make cuts).
func TestPowerCuts(t *testing.T) {
	rounds := 3
	if text := os.Getenv("PACELINE_CUTS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		rounds = n
	}
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	await(t, c, "the shop to open", open)
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	defer ping.Stop()
	for round := range rounds {
		if err := powerCut(t, c, ping, round); err != nil {
			t.Fatalf("power cut %d of %d: %v", round+1, rounds, err)
		}
	}
	a := audit(t, c)
	for _, rule := range []string{"S1 single activity", "S3 fencing before recovery", "S6 rightful fencing", "S9 one commander per term", "S20 one operation at a time"} {
		if a.Judged[rule] == 0 {
			t.Errorf("%s was never put to the test", rule)
		}
	}
	t.Logf("%d power cuts, %d facts, %d starts", rounds, a.Facts, a.Starts)
}

func powerCut(t *testing.T, c *cluster.Cluster, ping *lab.Pinger, round int) error {
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	s, err := c.Await(ctx, "the shop to be open", open)
	if err != nil {
		return err
	}
	victim := cluster.Together(s, "ip", "web")
	if round%2 == 1 && victim != s.Coordinator {
		// Every other time the node that coordinates is the one to die.
		victim = s.Coordinator
		if err := c.Place(ctx, "shop", victim); err != nil {
			return err
		}
		if s, err = c.Await(ctx, "the shop to be on "+victim, func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") == victim }); err != nil {
			return err
		}
	}
	if err := commit(ctx, c, fmt.Sprintf("before-%d", round)); err != nil {
		return err
	}
	cut := time.Now()
	if err := c.Node(victim).Kill(); err != nil {
		return err
	}
	reply, err := ping.Await(ctx, cut, func(r lab.Reply) bool { return r.From != victim })
	if err != nil {
		return err
	}
	if _, err := c.Await(ctx, "the shop to open again", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != victim && cluster.Quiet(s)
	}); err != nil {
		return err
	}
	if err := commit(ctx, c, fmt.Sprintf("dark-%d", round)); err != nil {
		return err
	}
	f, err := c.Failover(victim, cut)
	if err != nil {
		return err
	}
	f.Answered = reply.At
	if f.FenceEnded.IsZero() || f.StartBegan.IsZero() || f.StartBegan.Before(f.FenceEnded) {
		return fmt.Errorf("%s was not fenced first: %+v", victim, f)
	}
	t.Logf("%s (coordinator %s): address answers after %v: %s", victim, s.Coordinator, f.Total().Round(time.Millisecond), f)
	if err := c.Node(victim).Boot(ctx); err != nil {
		return err
	}
	if _, err := c.Await(ctx, victim+" to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && cluster.Quiet(s)
	}); err != nil {
		return err
	}
	return committed(ctx, c, victim, fmt.Sprintf("before-%d", round), fmt.Sprintf("dark-%d", round))
}

// commit makes a change of the configuration that can be found again: an attribute of node1.
func commit(ctx context.Context, c *cluster.Cluster, name string) error {
	return commitOn(ctx, c, c.Nodes(), name)
}

// commitOn is commit by one of these nodes.
func commitOn(ctx context.Context, c *cluster.Cluster, nodes []*lab.Node, name string) error {
	var last error
	for _, n := range nodes {
		client, err := c.API(n.Name)
		if err != nil {
			continue
		}
		value := "yes"
		_, last = client.Change(ctx, api.ChangeRequest{Change: &cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "node1", Name: name, Value: &value}}, Message: name})
		if last == nil {
			return nil
		}
	}
	return fmt.Errorf("commit %s: %w", name, last)
}

// committed asks a node whether it has what was committed.
func committed(ctx context.Context, c *cluster.Cluster, node string, names ...string) error {
	out, err := c.Run(ctx, node, "configure", "xml")
	if err != nil {
		return err
	}
	for _, name := range names {
		if !strings.Contains(out, `"`+name+`"`) {
			return fmt.Errorf("the acknowledged change %s is lost on %s", name, node)
		}
	}
	return nil
}

// A daemon that crashes leaves its resources running, and finds them again: no client notices (safety rule 7).
func TestDaemonCrash(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	node := cluster.Together(s, "ip", "web")
	before := audit(t, c).Starts
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	must(t, c.KillDaemon(t.Context(), node))
	must(t, c.StartDaemon(t.Context(), node))
	await(t, c, "the node to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && open(s) && cluster.Together(s, "ip", "web") == node
	})
	if out := ping.Stop().Longest(); out.Length() > 200*time.Millisecond {
		t.Errorf("the address was silent for %v", out.Length())
	}
	if after := audit(t, c).Starts; after != before {
		t.Errorf("resources were touched: %d starts before, %d after", before, after)
	}
	notFenced(t, c)
}

// The node that coordinates and runs everything is cut off from the others, but not from power: it is fenced before its
// resources start elsewhere, and nothing is active twice.
func TestPartition(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	node := s.Coordinator
	must(t, c.Place(t.Context(), "shop", node))
	await(t, c, "the shop to be where the coordinator is", func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") == node })
	begin := len(c.Switch().Events())
	if err := c.Isolate(node); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	off, err := c.Switch().Await(ctx, begin, func(e lab.PowerEvent) bool { return e.Node == node && e.What == "off" })
	must(t, err)
	if off.By == node || off.By == "operator" {
		t.Errorf("%s was turned off by %s", node, off.By)
	}
	await(t, c, "the shop to open elsewhere", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != node && cluster.Quiet(s)
	})
	must(t, c.Heal())
	must(t, c.Node(node).Boot(t.Context()))
	await(t, c, "the node to be back", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") })
	audit(t, c)
}

// A machine that stands still for longer than anybody waits, and goes on, is fenced meanwhile: nothing is active twice.
func TestPause(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	node := cluster.Together(s, "ip", "web")
	if err := c.Node(node).Pause(); err != nil {
		t.Skip(err)
	}
	await(t, c, "the shop to open elsewhere", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != node && cluster.Quiet(s)
	})
	if c.Node(node).On() {
		t.Errorf("%s was paused, not fenced, and its resources run elsewhere", node)
	}
	audit(t, c)
}

// Under the unit that is shipped: a reload of the daemon touches nothing, and a stop of it moves its resources away first.
// Nobody is fenced for either.
func TestUnit(t *testing.T) {
	o := storyLab(t, 3)
	if err := lab.SystemdUsable(); err != nil {
		t.Skip(err)
	}
	o.Systemd = true
	o.Units = map[string]string{"web.service": "[Service]\nType=exec\nExecStart=sleep 1000000\n"}
	c := start(t, cluster.Options{Lab: o})
	must(t, c.Load(t.Context(), strings.Replace(shop, "ocf:paceline:process params command=sleep args=1000000", "systemd:web", 1)))
	s := await(t, c, "the shop to open", open)
	node := cluster.Together(s, "ip", "web")
	before := incarnation(s, node)
	starts := audit(t, c).Starts
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	defer ping.Stop()
	if _, err := c.Node(node).Exec(t.Context(), "systemctl", "reload", "pacelined.service"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the new daemon to be online", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && open(s) && incarnation(s, node) != before
	})
	if after := audit(t, c).Starts; after != starts {
		t.Errorf("a reload touched resources: %d starts before, %d after", starts, after)
	}
	if out := ping.Report().Longest(); out.Length() > 200*time.Millisecond {
		t.Errorf("a reload silenced the address for %v", out.Length())
	}
	if _, err := c.Node(node).Exec(t.Context(), "systemctl", "stop", "pacelined.service"); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the shop to open elsewhere", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != node && cluster.Quiet(s)
	})
	notFenced(t, c)
	audit(t, c)
}

func incarnation(s *api.Status, node string) string {
	for _, n := range s.Nodes {
		if n.Name == node {
			return n.Incarnation
		}
	}
	return ""
}

// notFenced fails the story if anybody was fenced.
func notFenced(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	for _, e := range c.Switch().Events() {
		if strings.HasPrefix(e.What, "asked:off") || strings.HasPrefix(e.What, "asked:reboot") {
			t.Errorf("%s was fenced by %s", e.Node, e.By)
		}
	}
}

// Where the switch refuses, recovery waits and status says so in words; a person's confirmation lets it go on.
func TestFencingBlocked(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	node := cluster.Together(s, "ip", "web")
	c.Switch().SetRefuse("", "the outlet is locked")
	must(t, c.Node(node).Kill())
	s = await(t, c, "the refusal to be told", func(s *api.Status) bool {
		return strings.Contains(fencingWords(s), "the outlet is locked")
	})
	if w := cluster.Where(s, "ip"); w != "" && w != node {
		t.Errorf("the address runs on %s although %s is not fenced", w, node)
	}
	other := "node1"
	if node == other {
		other = "node2"
	}
	if _, err := c.Run(t.Context(), other, "node", "fence", "--confirmed", "--yes", node); err != nil {
		t.Fatal(err)
	}
	await(t, c, "the shop to open after the confirmation", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != node
	})
	audit(t, c)
}

// A switch that lies is beyond what software can prevent: the resources run twice until the node that was not turned off
// stops them by itself (safety rule 6). The audit sees it, so it can go red; and once the node is heard again people are told
// (safety rule 9).
func TestLyingSwitch(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", open)
	node := cluster.Together(s, "ip", "web")
	c.Switch().SetLie(node, true)
	if err := c.Isolate(node); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	other := "node1"
	if node == other {
		other = "node2"
	}
	_, err := c.AwaitOn(ctx, other, "the shop to open elsewhere", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != node
	})
	must(t, err)
	if _, err := c.Audit(); err == nil || !strings.Contains(err.Error(), "S1 single activity") {
		t.Errorf("the audit does not see what is active twice: %v", err)
	}
	must(t, c.Heal())
	_, err = c.AwaitOn(ctx, other, "people to be told", func(s *api.Status) bool {
		return strings.Contains(fencingWords(s), node) && (strings.Contains(fencingWords(s), "heard") || strings.Contains(fencingWords(s), "still"))
	})
	must(t, err)
}

// fencingWords is all that a status says of fencing.
func fencingWords(s *api.Status) string {
	words := append([]string(nil), s.Fencing.Blocked...)
	for _, p := range s.Fencing.Pending {
		words = append(words, p.Detail, p.Blocked)
	}
	for _, p := range s.Problems {
		words = append(words, p.What)
	}
	for _, e := range s.Fencing.Last {
		words = append(words, e.Detail)
	}
	return strings.Join(words, "; ")
}

// Two nodes: either loses its power, the other fences it and goes on alone, and takes it back (safety rule 5).
func TestTwoNodes(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 2)})
	must(t, c.Load(t.Context(), strings.ReplaceAll(shop, " node3", "")))
	for range 2 {
		s := await(t, c, "the shop to open", open)
		node := cluster.Together(s, "ip", "web")
		must(t, c.Node(node).Kill())
		await(t, c, "the shop to open on the other", func(s *api.Status) bool {
			w := cluster.Together(s, "ip", "web")
			return w != "" && w != node && cluster.Quiet(s)
		})
		must(t, c.Node(node).Boot(t.Context()))
		await(t, c, "the node to be back", func(s *api.Status) bool {
			return cluster.Online(s, "node1", "node2") && s.Quorum.Total == 2 && cluster.Quiet(s)
		})
	}
	audit(t, c)
}

var errSilent = errors.New("the command said nothing")

// fails runs the command line, which is to fail within a time and to say words.
func fails(t *testing.T, c *cluster.Cluster, node, input string, within time.Duration, args []string, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), storyMax)
	defer cancel()
	begin := time.Now()
	out, err := c.RunInput(ctx, node, input, args...)
	took := time.Since(begin)
	if err == nil {
		t.Errorf("paceline %v was taken:\n%s", args, out)
		return
	}
	if out == "" {
		t.Errorf("paceline %v: %v", args, errSilent)
	}
	if took > within {
		t.Errorf("paceline %v took %v to fail: %s", args, took, out)
	}
	for _, w := range words {
		if !strings.Contains(out, w) {
			t.Errorf("paceline %v does not say %q:\n%s", args, w, out)
		}
	}
}
