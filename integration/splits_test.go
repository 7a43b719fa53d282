package integration

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// The link between two nodes is cut, again and again, with the devices' delays as they come and with unequal ones. Every time
// exactly one survives and has the services, as the truth journals and the power switch tell. PACELINE_SPLITS says how
// often (make splits).
func TestSplits(t *testing.T) {
	rounds := 2
	if text := os.Getenv("PACELINE_SPLITS"); text != "" {
		n, err := strconv.Atoi(text)
		must(t, err)
		rounds = n
	}
	c := start(t, cluster.Options{Lab: storyLab(t, 2)})
	pair := strings.ReplaceAll(shop, " node3", "")
	must(t, c.Load(t.Context(), pair))
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	defer ping.Stop()
	tookAll := map[string][]time.Duration{}
	for round := range rounds {
		// By turns: no delay, the same for both, and one that lets node1 win.
		delays := []string{"", "500ms", "", "node1:1500ms;node2:0s"}[round%4]
		kind := "delay " + delays
		if delays == "" {
			kind = "no delay"
		}
		config := pair
		if delays != "" {
			config = strings.Replace(pair, `pcmk_host_list=`, `pcmk_delay_base="`+delays+`" pcmk_host_list=`, 1)
		}
		must(t, c.Load(t.Context(), config))
		took, err := split(t, c, ping, round, kind)
		if err != nil {
			t.Fatalf("split %d of %d (%s): %v", round+1, rounds, kind, err)
		}
		tookAll[kind] = append(tookAll[kind], took)
	}
	if err := c.Proof("node1", "node2"); err != nil {
		t.Error(err)
	}
	for kind, took := range tookAll {
		slices.Sort(took)
		t.Logf("%s: %d splits, exactly one survivor each; services there after: median %v, longest %v", kind, len(took), took[len(took)/2], took[len(took)-1])
	}
}

// split cuts the link once and heals it. It returns how long the address was silent at most, or how long it took until
// the survivor coordinated, whichever is longer.
func split(t *testing.T, c *cluster.Cluster, ping *lab.Pinger, round int, kind string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*storyMax)
	defer cancel()
	s, err := c.Await(ctx, "the two and the shop", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2") && s.Quorum.Total == 2 && open(s)
	})
	if err != nil {
		return 0, err
	}
	if err := commit(ctx, c, fmt.Sprintf("whole-%d", round)); err != nil {
		return 0, err
	}
	active, led, begin := cluster.Where(s, "ip"), s.Coordinator, len(c.Switch().Events())
	cut := time.Now()
	if err := c.Split([]string{"node1"}, []string{"node2"}); err != nil {
		t.Skip(err)
	}
	off, err := c.Switch().Await(ctx, begin, func(e lab.PowerEvent) bool { return e.What == "off" })
	if err != nil {
		return 0, err
	}
	survivor := map[string]string{"node1": "node2", "node2": "node1"}[off.Node]
	_, err = c.AwaitOn(ctx, survivor, "the shop on the survivor", func(s *api.Status) bool {
		return open(s) && cluster.Where(s, "ip") == survivor && s.Quorum.Quorate && s.Coordinator == survivor
	})
	if err != nil {
		return 0, err
	}
	leads := time.Since(cut)
	reply, err := ping.Await(ctx, cut, func(r lab.Reply) bool { return r.From == survivor })
	if err != nil {
		return 0, err
	}
	took := max(reply.At.Sub(cut), 0)
	if active == survivor {
		took = leads // the services never stopped: what counts is when they are looked after again
	}
	if err := commit(ctx, c, fmt.Sprintf("alone-%d", round)); err != nil {
		return 0, err
	}
	offs := 0
	for _, e := range c.Switch().Events()[begin:] {
		if e.What == "off" {
			offs++
		}
	}
	if offs != 1 || !c.Node(survivor).On() {
		return 0, fmt.Errorf("%d nodes lost their power; want exactly one survivor", offs)
	}
	t.Logf("%s: shop on %s, %s coordinated: %s survives, services there after %v", kind, active, led, survivor, took.Round(time.Millisecond))
	if err := c.Heal(); err != nil {
		return 0, err
	}
	if err := c.Node(off.Node).Boot(ctx); err != nil {
		return 0, err
	}
	if _, err := c.Await(ctx, off.Node+" to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2") && s.Quorum.Total == 2 && open(s)
	}); err != nil {
		return 0, err
	}
	return took.Round(time.Millisecond), committed(ctx, c, off.Node, fmt.Sprintf("whole-%d", round), fmt.Sprintf("alone-%d", round))
}
