package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"paceline/agent/api"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
	"paceline/resources"
)

// service measures how soon a killed service runs again: of a process, and of a systemd unit where nodes can run systemd.
func (b *bench) service(ctx context.Context) error {
	b.printf("\n## A killed service runs again\n\nFrom SIGKILL of its process to the end of its next start, by the node's journal; milliseconds; %d times each.\n", b.runs)
	b.printf("\n| service | min | median | p99 | max |\n| --- | ---: | ---: | ---: | ---: |\n")
	err := b.serviceOf(ctx, "process", process, false)
	if why := lab.SystemdUsable(); why != nil {
		b.printf("\nUnits were not measured: %v.\n", why)
		return err
	}
	return errors.Join(err, b.serviceOf(ctx, "systemd unit", "systemd:web", true))
}

func (b *bench) serviceOf(ctx context.Context, name, agent string, systemd bool) (err error) {
	c, err := b.cluster(ctx, 3, "lan", systemd, map[string]string{"web.service": "[Service]\nType=exec\nExecStart=/bin/sleep 1000000\n"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	// Failures are the purpose here: they must not drive the service away.
	if err := c.Load(ctx, fmt.Sprintf(configuration, agent+" meta migration-threshold=1000000")); err != nil {
		return err
	}
	var took sample
	for range b.runs {
		d, err := killOnce(ctx, c)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	b.printf("| %s | %s |\n", name, took.row())
	return nil
}

func killOnce(ctx context.Context, c *cluster.Cluster) (time.Duration, error) {
	ctx, cancel := step(ctx)
	defer cancel()
	s, err := c.Await(ctx, "the service to run", isOpen)
	if err != nil {
		return 0, err
	}
	node := cluster.Together(s, "ip", "web")
	killed := time.Now()
	if err := killProcess(c.Node(node), "sleep", "1000000"); err != nil {
		return 0, err
	}
	for {
		journals, err := c.Journals()
		if err != nil {
			return 0, err
		}
		for _, e := range journals[node] {
			if e.Kind == executor.KindEnd && e.Operation == resources.Start && e.Resource == "web" && e.WallMS >= killed.UnixMilli() && e.Result != nil && e.Result.RC == 0 {
				return max(time.UnixMilli(e.WallMS).Sub(killed), time.Millisecond), nil
			}
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("the service was not started again: %w", context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// killProcess kills the one process of a node whose command line ends in words.
func killProcess(n *lab.Node, words ...string) error {
	list, err := n.Processes()
	if err != nil {
		return err
	}
	for _, p := range list {
		if line := strings.Join(p.Args, " "); strings.HasSuffix(line, strings.Join(words, " ")) {
			return syscall.Kill(p.PID, syscall.SIGKILL)
		}
	}
	return fmt.Errorf("no process %q on %s", words, n.Name)
}

// election measures how soon three daemons that are started have elected a coordinator that has quorum.
func (b *bench) election(ctx context.Context) (err error) {
	c, err := b.cluster(ctx, 3, "lan", false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	var took sample
	for range b.runs {
		d, err := electOnce(ctx, c)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	b.printf("\n## Three daemons started, a coordinator elected\n\nFrom the start of the daemons to a coordinator with quorum and a session to every node; profile lan; milliseconds; %d times.\n", b.runs)
	b.printf("\n| min | median | p99 | max |\n| ---: | ---: | ---: | ---: |\n| %s |\n", took.row())
	return nil
}

func electOnce(ctx context.Context, c *cluster.Cluster) (time.Duration, error) {
	ctx, cancel := step(ctx)
	defer cancel()
	err := onAll(c, func(n *lab.Node) error {
		if err := n.Signal(ctx, "pacelined", syscall.SIGHUP); err != nil {
			return err
		}
		_, err := n.AwaitExit(ctx, "pacelined")
		return err
	})
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := onAll(c, func(n *lab.Node) error { return c.StartDaemon(ctx, n.Name) }); err != nil {
		return 0, err
	}
	_, err = c.Await(ctx, "a coordinator", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") })
	return time.Since(begin), err
}

func onAll(c *cluster.Cluster, do func(*lab.Node) error) error {
	nodes := c.Nodes()
	errs := make([]error, len(nodes))
	var wg sync.WaitGroup
	for i, n := range nodes {
		wg.Go(func() { errs[i] = do(n) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// move measures a move by hand: how long the command takes, and how long the address is silent.
func (b *bench) move(ctx context.Context) (err error) {
	c, err := b.cluster(ctx, 3, "lan", false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.Load(ctx, fmt.Sprintf(configuration, process)); err != nil {
		return err
	}
	ping, err := c.Client().Ping(ctx, netip.MustParseAddr(vip), 5*time.Millisecond)
	if err != nil {
		return err
	}
	defer ping.Stop()
	var took, silent sample
	for range b.runs {
		m, s, err := moveOnce(ctx, c, ping)
		if err != nil {
			return err
		}
		took, silent = append(took, m), append(silent, s)
	}
	b.printf("\n## A group moved by hand\n\n`paceline resource move shop NODE`, an address and a process; the address is pinged every 5 ms; milliseconds; %d times.\n", b.runs)
	b.printf("\n| | min | median | p99 | max |\n| --- | ---: | ---: | ---: | ---: |\n| command | %s |\n| address silent | %s |\n", took.row(), silent.row())
	return nil
}

func moveOnce(ctx context.Context, c *cluster.Cluster, ping *lab.Pinger) (took, silent time.Duration, err error) {
	ctx, cancel := step(ctx)
	defer cancel()
	s, err := c.Await(ctx, "the group to run", isOpen)
	if err != nil {
		return 0, 0, err
	}
	from, to := cluster.Together(s, "ip", "web"), ""
	for _, n := range c.Nodes() {
		if n.Name != from {
			to = n.Name
		}
	}
	if _, err := ping.Await(ctx, time.Now(), func(r lab.Reply) bool { return r.From == from }); err != nil {
		return 0, 0, err
	}
	begin := time.Now()
	if _, err := c.Run(ctx, from, "resource", "move", "shop", to); err != nil {
		return 0, 0, err
	}
	took = time.Since(begin)
	reply, err := ping.Await(ctx, begin, func(r lab.Reply) bool { return r.From == to })
	if err != nil {
		return 0, 0, err
	}
	end := reply.At.Add(time.Millisecond)
	return took, ping.Report().Within(begin.Add(-100*time.Millisecond), end).Longest().Length(), nil
}

// idleFor is how long an idle cluster is watched.
const idleFor = 30 * time.Second

// idle measures what the daemons of a cluster with nothing to do use.
func (b *bench) idle(ctx context.Context) (err error) {
	c, err := b.cluster(ctx, 3, "lan", false, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.Load(ctx, fmt.Sprintf(configuration, process)); err != nil {
		return err
	}
	s, err := c.Await(ctx, "the group to run", isOpen)
	if err != nil {
		return err
	}
	before := map[string]time.Duration{}
	for _, n := range c.Nodes() {
		before[n.Name] = cpuTime(n.ServicePID("pacelined"))
	}
	begin := time.Now()
	select {
	case <-time.After(idleFor):
	case <-ctx.Done():
		return ctx.Err()
	}
	b.printf("\n## An idle node\n\nThree nodes, profile lan, a group running, watched for %v.\n\n| node | memory (PSS) MiB | processor %% of a core |\n| --- | ---: | ---: |\n", idleFor)
	var names []string
	for name := range before {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		pid := c.Node(name).ServicePID("pacelined")
		pss, err := proportional(pid)
		if err != nil {
			return err
		}
		role := name
		if name == s.Coordinator {
			role += " (coordinator)"
		}
		share := float64(cpuTime(pid)-before[name]) / float64(time.Since(begin)) * 100
		b.printf("| %s | %.1f | %.2f |\n", role, float64(pss)/1024, share)
	}
	b.printf("\nThe peer: Pacemaker 130 MiB and 1.5 %%. What an idle node costs the processor is the price of noticing a death within a second: gossip every 50 ms, a probe every 150 ms, and from the coordinator a heartbeat to each voter every 30 to 60 ms. The aim of 1 %% is not reached on this machine.\n")
	return nil
}

// cpuTime returns what processor time a process has used. The kernel counts it in hundredths of a second.
func cpuTime(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, err1 := strconv.Atoi(f[11])
	system, err2 := strconv.Atoi(f[12])
	if err1 != nil || err2 != nil {
		return 0
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// proportional returns the memory of a process in KiB, what it shares divided among those who share it.
func proportional(pid int) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == "Pss:" {
			return strconv.Atoi(f[1])
		}
	}
	return 0, fmt.Errorf("process %d: the kernel tells no PSS", pid)
}
