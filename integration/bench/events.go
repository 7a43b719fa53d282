package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"paceline/agent/api"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
	"paceline/resources"
)

// eventsGroup is a group whose members see their loss as it happens; its monitors come by every 30 s.
const eventsGroup = `property stonith-enabled=true stonith-action=off
rsc_defaults resource-stickiness=100 migration-threshold=1000000 failure-backoff=0
primitive power stonith:fence_lab params pcmk_host_list="node1 node2 node3" op monitor interval=30s
primitive disk ocf:paceline:mount params device=/lab/shared/shop directory=/srv/shop fstype=none options=bind op monitor interval=30s
primitive ip ocf:paceline:vip params ip=` + vip + ` cidr_netmask=24 op monitor interval=30s
primitive web %s op monitor interval=30s
group shop disk ip web
`

// polled is an agent that sees nothing by itself: its service is a file, and a monitor looks whether it is there.
const polled = `#!/bin/sh
case $1 in
start) touch /run/polled;;
stop) rm -f /run/polled;;
monitor) [ -e /run/polled ] || exit 7;;
*) exit 3;;
esac
`

// member is what is taken away: a resource, and how.
type member struct {
	name, resource string
	remove         func(context.Context, *lab.Node) error
	interval       time.Duration // of its monitor
}

// by takes something away by a command on the node.
func by(args ...string) func(context.Context, *lab.Node) error {
	return func(ctx context.Context, n *lab.Node) error {
		_, err := n.Exec(ctx, args...)
		return err
	}
}

// killed takes the group's service away.
func killed(_ context.Context, n *lab.Node) error { return killProcess(n, "sleep", "1000000") }

// events measures how soon a member of a group that is lost is known to be, and runs again: by events, and by a monitor that polls.
func (b *bench) events(ctx context.Context) error {
	b.printf("\n## A failure seen as it happens\n\nA group of a mount, an address and a unit whose monitors come by every 30 s; each member is taken away while it runs. From the removal to the "+
		"node's knowing of the failure, and to the end of the member's next start, by the node's journal; milliseconds; %d times each. The members of the group that come after it are stopped before and started after it.\n", b.runs)
	b.printf("\n| taken away | known by | known: median | runs again: min | median | p99 | max |\n| --- | --- | ---: | ---: | ---: | ---: | ---: |\n")
	err := errors.Join(b.eventsOf(ctx), b.polling(ctx))
	b.printf("\nThe polled service is a file and a shell script that looks for it, lost at a random moment: what any manager without events pays for its monitors' interval. A shorter one costs a process each time, for every resource.\n")
	return err
}

func (b *bench) eventsOf(ctx context.Context) (err error) {
	systemd := lab.SystemdUsable()
	web := member{"unit: SIGKILL of its process", "web", killed, 0}
	agent := "systemd:web"
	if systemd != nil {
		web, agent = member{"process: SIGKILL", "web", killed, 0}, process
	}
	c, err := b.cluster(ctx, 3, "lan", systemd == nil, map[string]string{"web.service": "[Service]\nType=exec\nExecStart=/bin/sleep 1000000\n"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := os.Mkdir(c.Dir()+"/shared/shop", 0o755); err != nil {
		return err
	}
	if err := c.Load(ctx, fmt.Sprintf(eventsGroup, agent)); err != nil {
		return err
	}
	runs := func(s *api.Status) string {
		if !cluster.Quiet(s) || cluster.Where(s, "power") == "" {
			return ""
		}
		return cluster.Together(s, "disk", "ip", "web")
	}
	for _, m := range []member{
		web,
		{"address: `ip addr del`", "ip", by("ip", "addr", "del", vip+"/24", "dev", "eth0"), 0},
		{"mount: `umount`", "disk", by("umount", "/srv/shop"), 0},
	} {
		if err := b.lose(ctx, c, m, "event", runs); err != nil {
			return err
		}
	}
	if systemd != nil {
		b.printf("\nUnits were not measured: %v.\n", systemd)
	}
	return nil
}

func (b *bench) polling(ctx context.Context) error {
	for _, every := range []time.Duration{time.Second, 10 * time.Second} {
		if err := b.pollingOf(ctx, every); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) pollingOf(ctx context.Context, every time.Duration) (err error) {
	c, err := b.cluster(ctx, 3, "lan", false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.PutAgent("polled", polled); err != nil {
		b.printf("\nPolling was not measured: %v.\n", err)
		return nil
	}
	text := fmt.Sprintf("property stonith-enabled=false\nrsc_defaults resource-stickiness=100 migration-threshold=1000000 failure-backoff=0\n"+
		"primitive polled ocf:lab:polled op monitor interval=%v\n", every)
	if err := c.Load(ctx, text); err != nil {
		return err
	}
	runs := func(s *api.Status) string {
		if !cluster.Quiet(s) {
			return ""
		}
		return cluster.Where(s, "polled")
	}
	return b.lose(ctx, c, member{"polled service", "polled", by("rm", "/run/polled"), every}, fmt.Sprintf("monitor every %v", every), runs)
}

// lose takes a member away as often as is measured, and prints its row.
func (b *bench) lose(ctx context.Context, c *cluster.Cluster, m member, how string, runs func(*api.Status) string) error {
	var known, again sample
	for range b.runs {
		k, a, err := loseOnce(ctx, c, m, runs)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		known, again = append(known, k), append(again, a)
	}
	b.printf("| %s | %s | %s | %s |\n", m.name, how, ms(known.at(0.5)), again.row())
	return nil
}

func loseOnce(ctx context.Context, c *cluster.Cluster, m member, runs func(*api.Status) string) (known, again time.Duration, err error) {
	ctx, cancel := step(ctx)
	defer cancel()
	s, err := c.Await(ctx, m.resource+" to run", func(s *api.Status) bool { return runs(s) != "" })
	if err != nil {
		return 0, 0, err
	}
	node := runs(s)
	if m.interval > 0 { // anywhere between two monitors
		select {
		case <-time.After(rand.N(m.interval)):
		case <-ctx.Done():
			return 0, 0, context.Cause(ctx)
		}
	}
	begin := time.Now()
	if err := m.remove(ctx, c.Node(node)); err != nil {
		return 0, 0, err
	}
	err = c.AwaitJournal(ctx, node, m.resource+" to have failed and to run again", func(journal []executor.Entry) bool {
		known, again = 0, 0
		for _, e := range journal {
			r := e.Result
			if e.Kind != executor.KindEnd || e.Resource != m.resource || r == nil || e.WallMS < begin.UnixMilli() {
				continue
			}
			after := max(time.UnixMilli(e.WallMS).Sub(begin), time.Millisecond)
			switch {
			case e.Operation == resources.Monitor && r.RC != r.TargetRC && known == 0:
				known = after
			case e.Operation == resources.Start && r.RC == 0 && again == 0:
				again = after
			}
		}
		return known > 0 && again > 0
	})
	return known, again, err
}
