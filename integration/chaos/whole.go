package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// injectWhole does what concerns daemons in good order, or every node.
func (r *run) injectWhole(ctx context.Context, f Fault, nodes []string) (mend func(context.Context) error, note string, err error) {
	switch f.Kind {
	case Blackout, OneByOne:
		for _, n := range r.nodes {
			err = errors.Join(err, r.c.Node(n).Kill())
		}
		if f.Kind == Blackout {
			return r.booting(r.nodes), "", err
		}
		return func(ctx context.Context) error {
			var errs []error
			for _, n := range nodes {
				errs = append(errs, r.boot(ctx, n))
				pause(ctx, f.For)
			}
			return errors.Join(errs...)
		}, "", err
	case Restarts:
		for _, n := range nodes {
			r.reload(ctx, n, true)
		}
		return nil, "", nil
	case Upgrade:
		if r.previous == "" {
			return nil, "", errSkip{r.noPrevious}
		}
		for _, n := range nodes[:2] {
			if err := r.install(n, previousBuild); err != nil {
				return nil, "", err
			}
			r.reload(ctx, n, true)
		}
		for i, n := range nodes {
			if err := r.install(n, thisBuild); err != nil {
				return nil, "", err
			}
			r.reload(ctx, n, i >= 2)
		}
		return nil, "two of " + r.previous + ", then all of this build", nil
	case Reattach:
		return r.reattach(ctx, nodes)
	case Wipe:
		return r.wipe(ctx, nodes[0])
	case Leave:
		err := r.leave(ctx, nodes[0])
		return r.starting(nodes), "", err
	case LeaveAll:
		for _, n := range nodes {
			err = errors.Join(err, r.leave(ctx, n))
		}
		return r.starting(nodes), "", err
	case PartialBoot:
		if err := r.leave(ctx, nodes[0]); err != nil {
			return nil, "", err
		}
		r.startDaemon(ctx, nodes[0])
		return func(ctx context.Context) error {
			err := r.leave(ctx, nodes[0])
			r.startDaemon(ctx, nodes[0])
			return err
		}, "", nil
	}
	return nil, "", nil
}

// leave tells a daemon to stop in good order, and waits for its end.
func (r *run) leave(ctx context.Context, node string) error {
	n := r.c.Node(node)
	if !n.On() || n.ServicePID(daemon) == 0 {
		return nil
	}
	if err := r.signal(ctx, node, syscall.SIGTERM); err != nil {
		return err
	}
	return r.awaitExit(ctx, node, leaveMax)
}

// leaveMax bounds a leave in good order: what runs there is moved away first, and without a coordinator the node does it alone.
const leaveMax = 2 * time.Minute

func (r *run) awaitExit(ctx context.Context, node string, most time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if _, err := r.c.Node(node).AwaitExit(ctx, daemon); err != nil && r.c.Node(node).On() && !r.isPaused(node) {
		return err
	}
	return nil
}

// reload ends a daemon that leaves its resources running, starts the one that is installed, and waits until the node is back. A daemon
// announces that; those of the previous build may be too old to: one that is then away for longer than a node takes to be missed is
// fenced, as it should be, and boots.
func (r *run) reload(ctx context.Context, node string, announced bool) {
	began := lab.Monotonic()
	r.hangUp(ctx, node)
	ctx, cancel := context.WithTimeout(ctx, restMax/3)
	defer cancel()
	for ctx.Err() == nil {
		_ = r.boot(ctx, node)
		r.startDaemon(ctx, node)
		brief, done := context.WithTimeout(ctx, tendEvery)
		_, err := r.c.Await(brief, node+" to be back", func(s *api.Status) bool { return cluster.Online(s, node) })
		done()
		if err == nil {
			if !announced {
				r.stall.raise(lab.Monotonic() - began - reloadMax)
			}
			return
		}
	}
	r.say("  %s is not back after %v", node, restMax/3)
}

// reloadMax is how long a daemon may be away without a word and nobody have a reason to miss it.
const reloadMax = 400 * time.Millisecond

func (r *run) hangUp(ctx context.Context, node string) {
	n := r.c.Node(node)
	if !n.On() || n.ServicePID(daemon) == 0 {
		return
	}
	err := r.signal(ctx, node, syscall.SIGHUP)
	if err == nil {
		err = r.awaitExit(ctx, node, leaveMax)
	}
	if err != nil {
		r.say("  end the daemon on %s: %v", node, err)
	}
}

// reattach puts the cluster in maintenance, ends and starts all daemons, and holds them to having touched nothing.
func (r *run) reattach(ctx context.Context, nodes []string) (func(context.Context) error, string, error) {
	if err := r.takeHandsOff(ctx, []string{"maintenance", "on"}); err != nil {
		return nil, "refused: " + err.Error(), nil
	}
	if _, err := r.c.Await(ctx, "the cluster to let go", func(s *api.Status) bool { return s.Maintenance && cluster.Quiet(s) }); err != nil {
		return r.handsOff([]string{"maintenance", "off"}), "", err
	}
	from, before := lab.Monotonic(), r.servicePIDs()
	for _, n := range nodes {
		r.hangUp(ctx, n)
	}
	for _, n := range nodes {
		r.startDaemon(ctx, n)
	}
	wait, cancel := context.WithTimeout(ctx, restMax/3)
	defer cancel()
	_, err := r.c.Await(wait, "all to be back in maintenance", func(s *api.Status) bool {
		return s.Coordinator != "" && !s.Stale && s.Maintenance && !slices.ContainsFunc(s.Nodes, func(n api.Node) bool { return !n.Online })
	})
	if err != nil {
		r.say("  %v", err)
	}
	if err := r.untouched(from, before); err != nil {
		r.broken(ruleReattach, err.Error())
	}
	r.judged(ruleReattach)
	return r.handsOff([]string{"maintenance", "off"}), "", nil
}

// servicePIDs lists the processes of resources, by node and resource.
func (r *run) servicePIDs() map[string]int {
	out := map[string]int{}
	for _, n := range r.c.Nodes() {
		list, err := n.Processes()
		if err != nil {
			continue
		}
		for _, p := range list {
			for _, resource := range append(leases, "web", "first", "second", "everywhere") {
				if r.isService(n.Name, resource, p) {
					out[n.Name+" "+resource] = p.PID
				}
			}
		}
	}
	return out
}

// untouched compares the processes with those of before, and looks for operations in the journals.
func (r *run) untouched(from time.Duration, before map[string]int) error {
	var errs []error
	now := r.servicePIDs()
	for who, pid := range before {
		if now[who] != pid {
			errs = append(errs, fmt.Errorf("%s was process %d and is %d", who, pid, now[who]))
		}
	}
	if err := r.collect(); err != nil {
		return errors.Join(append(errs, err)...)
	}
	for node, entries := range r.fresh {
		for _, e := range entries {
			if e.MonoMS >= from.Milliseconds() && acts(e) {
				errs = append(errs, fmt.Errorf("%s ran %s of %s", node, e.Operation, e.Resource))
			}
		}
	}
	return errors.Join(errs...)
}

// wipe takes a node's state away while it has no power: it has to come back as a new member of its name.
func (r *run) wipe(ctx context.Context, node string) (func(context.Context) error, string, error) {
	n := r.c.Node(node)
	if err := n.Kill(); err != nil {
		return nil, "", err
	}
	if err := r.collect(); err != nil {
		return r.booting([]string{node}), "", err
	}
	data := n.Disk("/var/lib/paceline")
	if err := errors.Join(os.RemoveAll(data), os.Mkdir(data, 0o700)); err != nil {
		return nil, "", err
	}
	r.forget(node)
	return r.booting([]string{node}), "", nil
}

// The daemon's program on a node is a link, so that nodes of two builds can be in one cluster.
const (
	thisBuild     = "/lab/bin/pacelined"
	previousBuild = "/lab/bin/previous/pacelined"
	daemonLink    = "/etc/paceline-chaos/pacelined"
)

// install makes a build the one that a node starts.
func (r *run) install(node, program string) error {
	link := r.c.Node(node).Disk(daemonLink)
	if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
		return err
	}
	if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return os.Symlink(program, link)
}

// crashes lists what a log says of the daemons' ends by themselves.
func crashes(log string) []string {
	var out []string
	for line := range strings.Lines(log) {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "WARNING: DATA RACE") {
			out = append(out, strings.TrimSpace(line))
		}
	}
	return out
}
