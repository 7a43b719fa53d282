package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

const vip = "10.77.0.200"

// configuration is what is measured: an address first, then a process. %s names the service.
const configuration = `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100 failure-backoff=0
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive ip ocf:paceline:vip params ip=` + vip + ` cidr_netmask=24 op monitor interval=10s
primitive web %s op monitor interval=10s
group shop ip web
`

const process = "ocf:paceline:process params command=sleep args=1000000"

func isOpen(s *api.Status) bool {
	return cluster.Together(s, "ip", "web") != "" && cluster.Where(s, "power") != "" && cluster.Quiet(s)
}

// failover measures power cuts of the active node, for clusters of two and three and two profiles.
func (b *bench) failover(ctx context.Context) error {
	b.printf("\n## A power cut of the active node\n\nFrom the cut to the address's first answer from another node, a client pinging every 10 ms; fencing on; milliseconds; %d cuts each.\n", b.runs)
	b.printf("\n| nodes | profile | it coordinated | min | median | p99 | max | detect | elect | fence | plan | start |\n| ---: | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	var errs []error
	for _, nodes := range []int{3, 2} {
		for _, profile := range []string{"lan", "fast"} {
			for _, coordinator := range []bool{false, true} {
				if err := b.failoverOf(ctx, nodes, profile, coordinator); err != nil {
					errs = append(errs, fmt.Errorf("%d nodes, profile %s: %w", nodes, profile, err))
				}
			}
		}
	}
	b.printf("\nThe terms are medians. Detect: until the coordinator says that the node is gone. Elect: until a new coordinator works, where the old one was cut and this came later. Fence: the device's own time. Plan: everything between. Start: from the first start to the answer. Where it is the coordinator of two that dies, and no delay is configured on the devices, the survivor waits half a second and a little before it fences, so that both never die from one cut link (docs/architecture.md); the wait is in the term elect. Measured peers on a machine of this size: Pacemaker 2.1.5 with Corosync 3.1.7 and fencing 8.4 s by default and 1.3 s with a token of 500 ms; keepalived, which fences nobody, 2.8 s and 0.32 s.\n")
	return errors.Join(errs...)
}

// failoverOf measures cuts of an active node that also coordinates the cluster, or that does not.
func (b *bench) failoverOf(ctx context.Context, nodes int, profile string, coordinator bool) (err error) {
	c, err := b.cluster(ctx, nodes, profile, false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.Load(ctx, fmt.Sprintf(configuration, process)); err != nil {
		return err
	}
	// A node remembers whom it shared a quorum with from a second on (takeover of two); clusters are older than that.
	select {
	case <-time.After(2 * time.Second):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	ping, err := c.Client().Ping(ctx, netip.MustParseAddr(vip), 10*time.Millisecond)
	if err != nil {
		return err
	}
	defer ping.Stop()
	var total sample
	terms := map[string]sample{}
	for i := range b.runs {
		f, err := cutOnce(ctx, c, ping, coordinator)
		if err != nil {
			return fmt.Errorf("cut %d: %w", i+1, err)
		}
		total = append(total, f.Total())
		for _, t := range f.Terms() {
			terms[t.Name] = append(terms[t.Name], t.Took)
		}
	}
	if _, err := c.Audit(); err != nil {
		return err
	}
	word := "no"
	if coordinator {
		word = "yes"
	}
	b.printf("| %d | %s | %s | %s |", nodes, profile, word, total.row())
	for _, name := range []string{"detect", "elect", "fence", "plan", "start"} {
		b.printf(" %s |", ms(terms[name].at(0.5)))
	}
	b.printf("\n")
	return nil
}

// calmTime is how long a cluster is left alone before a cut: a member that just missed another takes its own slowness into
// account and probes more slowly, up to four times, until some probes have been answered. Machines die further apart.
const calmTime = 2500 * time.Millisecond

func calm(ctx context.Context) error {
	select {
	case <-time.After(calmTime):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cutOnce cuts the active node's power once, and brings the cluster back to where it was.
func cutOnce(ctx context.Context, c *cluster.Cluster, ping *lab.Pinger, coordinator bool) (cluster.Failover, error) {
	ctx, cancel := step(ctx)
	defer cancel()
	var f cluster.Failover
	s, err := c.Await(ctx, "the group to run", isOpen)
	if err != nil {
		return f, err
	}
	victim := cluster.Together(s, "ip", "web")
	if (victim == s.Coordinator) != coordinator {
		if victim, err = replace(ctx, c, s, coordinator); err != nil {
			return f, err
		}
	}
	if err := calm(ctx); err != nil {
		return f, err
	}
	events := len(c.Switch().Events())
	if err := c.Node(victim).Kill(); err != nil {
		return f, err
	}
	cut, err := c.Switch().Await(ctx, events, func(e lab.PowerEvent) bool { return e.Node == victim && e.What == "cut" })
	if err != nil {
		return f, err
	}
	reply, err := ping.Await(ctx, cut.Time, func(r lab.Reply) bool { return r.From != "" && r.From != victim })
	if err != nil {
		return f, err
	}
	if _, err := c.Await(ctx, "the group to run again", func(s *api.Status) bool {
		w := cluster.Together(s, "ip", "web")
		return w != "" && w != victim && cluster.Quiet(s)
	}); err != nil {
		return f, err
	}
	if f, err = c.Failover(victim, cut.Time); err != nil {
		return f, err
	}
	f.Answered = reply.At
	if err := c.Node(victim).Boot(ctx); err != nil {
		return f, err
	}
	_, err = c.Await(ctx, "the node to be back", func(s *api.Status) bool {
		for _, n := range c.Nodes() {
			if !cluster.Online(s, n.Name) {
				return false
			}
		}
		return s.Quorum.Total == len(c.Nodes()) && isOpen(s)
	})
	return f, err
}

// replace moves the group to the node that coordinates, or away from it, and returns where it runs.
func replace(ctx context.Context, c *cluster.Cluster, s *api.Status, coordinator bool) (string, error) {
	to := s.Coordinator
	if !coordinator {
		for _, n := range c.Nodes() {
			if n.Name != s.Coordinator {
				to = n.Name
			}
		}
	}
	if err := c.Place(ctx, "shop", to); err != nil {
		return "", err
	}
	_, err := c.Await(ctx, "the group to run on "+to, func(s *api.Status) bool { return isOpen(s) && cluster.Where(s, "ip") == to })
	return to, err
}
