package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"

	"golang.org/x/sys/unix"
)

// errSkip says that this machine can not have a fault, and why.
type errSkip struct{ why string }

func (e errSkip) Error() string { return e.why }

// deed is what was done for a fault.
type deed struct {
	at    time.Duration // CLOCK_MONOTONIC
	fault Fault
	nodes []string // who it was in the end
	note  string
	err   error
}

// carryOut lets a round's faults happen and mends them again, each in its own time. It returns what was done, in the order
// of the faults.
func (r *run) carryOut(ctx context.Context, round Round) []deed {
	deeds := make([]deed, len(round.Faults))
	var wg sync.WaitGroup
	for i, f := range round.Faults {
		wg.Go(func() {
			pause(ctx, f.At)
			d := deed{at: lab.Monotonic(), fault: f}
			d.nodes = r.targets(ctx, f)
			var mend func(context.Context) error
			mend, d.note, d.err = r.inject(ctx, f, d.nodes)
			r.say("  %v%s%s", f, on(f.Nodes, d.nodes), told(d.note, d.err))
			if d.err == nil {
				pause(ctx, f.For)
			}
			if mend != nil {
				if err := mend(ctx); err != nil {
					d.err = errors.Join(d.err, fmt.Errorf("mend: %w", err))
				}
			}
			deeds[i] = d
		})
	}
	wg.Wait()
	return deeds
}

func on(drawn, found []string) string {
	if slices.Equal(drawn, found) || len(found) == 0 {
		return ""
	}
	return " = " + strings.Join(found, ",")
}

func told(note string, err error) string {
	switch {
	case err != nil:
		return ": " + err.Error()
	case note != "":
		return ": " + note
	}
	return ""
}

// pause lets time pass in which something is wrong.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// targets finds out who is meant.
func (r *run) targets(ctx context.Context, f Fault) []string {
	var out []string
	for _, n := range f.Nodes {
		switch n {
		case AtCoordinator, AtService:
			s := r.glance(ctx)
			who := ""
			if s != nil && n == AtCoordinator {
				who = s.Coordinator
			} else if s != nil {
				who = cluster.Where(s, "web")
			}
			if !slices.Contains(r.nodes, who) {
				who = r.nodes[0] // nobody is, just then
			}
			n = who
		}
		out = append(out, n)
	}
	return out
}

// glance is the status as some node has it now, or nil.
func (r *run) glance(ctx context.Context) *api.Status {
	for _, n := range r.nodes {
		client, err := r.c.API(n)
		if err != nil {
			continue
		}
		brief, cancel := context.WithTimeout(ctx, time.Second)
		s, err := client.Status(brief)
		cancel()
		if err == nil && !s.Stale {
			return s
		}
	}
	return nil
}

// inject does one fault to the nodes; mend undoes what does not end by itself.
func (r *run) inject(ctx context.Context, f Fault, nodes []string) (mend func(context.Context) error, note string, err error) {
	c := r.c
	switch f.Kind {
	case PowerCut, PowerCutTwo:
		for _, n := range nodes {
			err = errors.Join(err, c.Node(n).Kill())
		}
		return r.booting(nodes), "", err
	case Isolate:
		return r.cut([]lab.Direction{{From: nodes[0], To: "*"}, {From: "*", To: nodes[0]}})
	case OneWay:
		if f.Way == "mute" {
			return r.cut([]lab.Direction{{From: nodes[0], To: "*"}})
		}
		return r.cut([]lab.Direction{{From: "*", To: nodes[0]}})
	case Pair:
		dirs := lab.Between(nodes[:1], nodes[1:])
		if f.Way == "one way" {
			dirs = dirs[:1]
		}
		return r.cut(dirs)
	case Halves, Parts, Bridge, Ring:
		return r.cut(Shape(f.Kind, nodes, r.nodes))
	case Flap:
		return nil, "", r.flap(ctx, f, nodes[0])
	case Loss:
		every := []lab.Direction{{From: "*", To: "*"}}
		return func(context.Context) error { return c.Loss(0, every...) }, "", r.c.Loss(f.Level, every...)
	case Narrow:
		mend := func(context.Context) error {
			if !c.Node(nodes[0]).On() {
				return nil
			}
			return c.Narrow(nodes[0], 0)
		}
		return mend, "", c.Narrow(nodes[0], f.Level)
	case Pause:
		return func(context.Context) error { return r.resume(nodes[0]) }, "", c.Node(nodes[0]).Pause()
	case PauseDaemon:
		mend := func(ctx context.Context) error {
			r.halt(nodes[0], false)
			return r.signal(ctx, nodes[0], syscall.SIGCONT)
		}
		r.halt(nodes[0], true)
		return mend, "", r.signal(ctx, nodes[0], syscall.SIGSTOP)
	case KillDaemon:
		return r.starting(nodes), "", r.killDaemon(ctx, nodes[0])
	case KillService:
		note, err := r.killService(f.Way)
		return nil, note, err
	case Device:
		return r.faultyDevice(ctx, f, nodes[0])
	case DiskFull, DiskSlow, DiskError:
		return r.faultyDisk(f, nodes[0])
	case Load:
		return nil, "", burn(ctx, f.For)
	case Operator:
		return r.operate(ctx, f, nodes[0])
	}
	return r.injectWhole(ctx, f, nodes)
}

const daemon = "pacelined"

// booting boots those of the nodes that are without power.
func (r *run) booting(nodes []string) func(context.Context) error {
	return func(ctx context.Context) error {
		var errs []error
		for _, n := range nodes {
			errs = append(errs, r.boot(ctx, n))
		}
		return errors.Join(errs...)
	}
}

// boot gives a node power, if it has none. Somebody may cut it meanwhile: that is no error, whoever waits for rest tries again.
func (r *run) boot(ctx context.Context, node string) error {
	n := r.c.Node(node)
	if n.On() {
		return nil
	}
	if err := n.Boot(ctx); err != nil && ctx.Err() == nil {
		r.say("  boot %s: %v", node, err)
	}
	return nil
}

// starting starts the daemons of those of the nodes that have power.
func (r *run) starting(nodes []string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, n := range nodes {
			r.startDaemon(ctx, n)
		}
		return nil
	}
}

// startDaemon starts a node's daemon, if it does not run. It may be cut off meanwhile: whoever waits for rest tries again.
func (r *run) startDaemon(ctx context.Context, node string) {
	if n := r.c.Node(node); n.On() && n.ServicePID(daemon) == 0 {
		if err := n.Start(ctx, daemon); err != nil && ctx.Err() == nil && n.On() {
			r.say("  start the daemon on %s: %v", node, err)
		}
	}
}

// killDaemon ends a daemon as a crash would.
func (r *run) killDaemon(ctx context.Context, node string) error {
	n := r.c.Node(node)
	if !n.On() || n.ServicePID(daemon) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandMax)
	defer cancel()
	if err := n.Signal(ctx, daemon, syscall.SIGKILL); err != nil {
		return r.unlessOff(node, err)
	}
	_, err := n.AwaitExit(ctx, daemon)
	return r.unlessOff(node, err)
}

// unlessOff drops the error of something that was done to a node whose power was cut meanwhile, or which stands still.
func (r *run) unlessOff(node string, err error) error {
	if err != nil && (!r.c.Node(node).On() || r.isPaused(node)) {
		return nil
	}
	return err
}

func (r *run) signal(ctx context.Context, node string, sig syscall.Signal) error {
	n := r.c.Node(node)
	if !n.On() || n.ServicePID(daemon) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, commandMax)
	defer cancel()
	return r.unlessOff(node, n.Signal(ctx, daemon, sig))
}

func (r *run) resume(node string) error {
	if !r.c.Node(node).On() {
		return nil
	}
	return r.c.Node(node).Resume()
}

// halt notes that a node's daemon stands still, and stopped tells whether one does.
func (r *run) halt(node string, on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.halted[node] = on
}

func (r *run) stopped(node string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.halted[node]
}

// isPaused tells whether a node stands still, by what the power switch wrote down.
func (r *run) isPaused(node string) bool {
	paused := false
	for _, e := range r.c.Switch().Events() {
		if e.Node == node {
			paused = e.What == "paused" || paused && e.What != "resumed" && e.What != "off"
		}
	}
	return paused
}

// cut cuts directions until they are mended.
func (r *run) cut(dirs []lab.Direction) (func(context.Context) error, string, error) {
	return func(context.Context) error { return r.c.Loss(0, dirs...) }, "", r.c.Cut(dirs...)
}

// Shape says which directions a split of the network cuts: order is drawn, all are the nodes.
func Shape(kind Kind, order, all []string) []lab.Direction {
	switch kind {
	case Halves:
		rest := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(order, n) })
		return lab.Between(order, rest)
	case Parts:
		n := len(order)
		a, b, c := order[:n/3+1], order[n/3+1:2*n/3+1], order[2*n/3+1:]
		return slices.Concat(lab.Between(a, b), lab.Between(a, c), lab.Between(b, c))
	case Bridge: // the one in the middle hears both sides
		n := len(order) / 2
		return lab.Between(order[:n], order[n+1:])
	case Ring: // each hears its two neighbours
		var dirs []lab.Direction
		for i := range order {
			for j := i + 2; j < len(order); j++ {
				if i != 0 || j != len(order)-1 {
					dirs = append(dirs, lab.Between(order[i:i+1], order[j:j+1])...)
				}
			}
		}
		return dirs
	}
	return nil
}

func (r *run) flap(ctx context.Context, f Fault, node string) error {
	dirs := []lab.Direction{{From: node, To: "*"}, {From: "*", To: node}}
	for end := lab.Monotonic() + f.For; lab.Monotonic() < end && ctx.Err() == nil; {
		if err := r.c.Cut(dirs...); err != nil {
			return err
		}
		pause(ctx, time.Duration(f.Level)*time.Millisecond)
		if err := r.c.Loss(0, dirs...); err != nil {
			return err
		}
		pause(ctx, time.Duration(f.Level)*time.Millisecond/2)
	}
	return nil
}

// killService ends the process of a resource, wherever it runs.
func (r *run) killService(resource string) (string, error) {
	var hit []string
	for _, n := range r.c.Nodes() {
		list, err := n.Processes()
		if err != nil {
			continue // without power
		}
		for _, p := range list {
			if r.isService(n.Name, resource, p) && unix.Kill(p.PID, unix.SIGKILL) == nil {
				hit = append(hit, n.Name)
			}
		}
	}
	return resource + " on " + strings.Join(hit, ","), nil
}

// isService tells whether a process is a resource's.
func (r *run) isService(node, resource string, p lab.Process) bool {
	if mark := marks[resource]; mark != "" {
		return len(p.Args) == 2 && filepath.Base(p.Args[0]) == "sleep" && p.Args[1] == mark
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", p.PID))
	return err == nil && strings.Contains(string(env), "PACELINE_FILELEASE="+node+":/lab/shared/leases/"+resource+".lease")
}

// faultyDevice makes the device of a node misbehave and takes the node away so that the device is needed: its power, or only its
// daemon, as the time of the fault decides.
func (r *run) faultyDevice(ctx context.Context, f Fault, node string) (func(context.Context) error, string, error) {
	s := r.c.Switch()
	switch f.Way {
	case "refuses":
		s.SetRefuse(node, "the outlet is locked")
	case "hangs":
		s.SetHang(node, true)
	case "answers late":
		s.SetDelay(node, min(f.For, 4*time.Second))
	case "does it and says no":
		s.SetDeny(node, "the outlet does not answer any more")
	default:
		if st := r.glance(ctx); st != nil && st.Coordinator != "" {
			s.SetUnreachable(st.Coordinator, true)
		}
	}
	mend := func(ctx context.Context) error {
		s.Mend()
		r.startDaemon(ctx, node)
		return r.boot(ctx, node)
	}
	if f.For.Milliseconds()%2 == 0 {
		return mend, "and its power is cut", r.c.Node(node).Kill()
	}
	return mend, "and its daemon is killed", r.killDaemon(ctx, node)
}

// burn keeps all processors busy.
func burn(ctx context.Context, d time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	var wg sync.WaitGroup
	for range loadThreads {
		wg.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				for range 100_000 {
					n ^= n << 1
				}
			}
		})
	}
	wg.Wait()
	return nil
}
