package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

const (
	monitored = 1000
	// settleFor is how long the cluster is left alone before its monitors are measured: addresses announce themselves for 5 s after
	// their start, and the first interval of the monitors is a shorter one.
	settleFor = 15 * time.Second
	// monitorsFor is how long they are measured: each runs three times.
	monitorsFor = 30 * time.Second
)

// monitors measures what a thousand resources with a monitor every 10 s cost the daemon of one node.
func (b *bench) monitors(ctx context.Context) error {
	b.printf("\n## A thousand monitored resources\n\nOne node, which also coordinates; %d resources of native agents with monitors every 10 s; the processor time of the daemon over %v, "+
		"its memory after it. The aim is 10 %%.\n", monitored, monitorsFor)
	b.printf("\n| resources | processor %% of a core | memory (PSS) MiB |\n| --- | ---: | ---: |\n")
	kinds := []struct {
		name string
		line func(i int) string
	}{
		{"process", func(int) string { return "ocf:paceline:process params command=sleep args=1000000" }},
		{"vip", func(i int) string {
			return fmt.Sprintf("ocf:paceline:vip params ip=10.78.%d.%d cidr_netmask=16 nic=eth0 dad=no", i/250, 1+i%250)
		}},
		{"mount", func(i int) string {
			return fmt.Sprintf("ocf:paceline:mount params device=tmpfs fstype=tmpfs options=size=64k directory=/srv/m%d", i)
		}},
	}
	var errs []error
	for _, k := range kinds {
		errs = append(errs, b.monitorsOf(ctx, fmt.Sprintf("%d × %s", monitored, k.name), k.line))
	}
	errs = append(errs, b.monitorsOf(ctx, "a third of each", func(i int) string { return kinds[i%len(kinds)].line(i) }), b.monitorsOf(ctx, "none", nil))
	return errors.Join(errs...)
}

func (b *bench) monitorsOf(ctx context.Context, name string, line func(i int) string) (err error) {
	c, err := b.cluster(ctx, 1, "lan", false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	var text strings.Builder
	text.WriteString("property stonith-enabled=false\n")
	want := 0
	if line != nil {
		want = monitored
	}
	for i := range want {
		fmt.Fprintf(&text, "primitive r%d %s op monitor interval=10s\n", i, line(i))
	}
	if err := c.Load(ctx, text.String()); err != nil {
		return err
	}
	long, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if _, err := c.Await(long, "all to run", func(s *api.Status) bool {
		n := 0
		for _, r := range s.Resources {
			if len(r.Nodes) == 1 && r.Pending == "" {
				n++
			}
		}
		return n == want && cluster.Quiet(s)
	}); err != nil {
		return err
	}
	pause := func(d time.Duration) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := pause(settleFor); err != nil {
		return err
	}
	pid := c.Node("node1").ServicePID("pacelined")
	before, begin := cpuTime(pid), time.Now()
	if err := pause(monitorsFor); err != nil {
		return err
	}
	share := float64(cpuTime(pid)-before) / float64(time.Since(begin)) * 100
	pss, err := proportional(pid)
	if err != nil {
		return err
	}
	b.printf("| %s | %.1f | %.0f |\n", name, share, float64(pss)/1024)
	return nil
}
