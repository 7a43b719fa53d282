package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

const (
	// coldMax and steadyMax bound the clusters that are measured, by their pairs of a resource and a node. A plan that
	// probes so many is made in some seconds and a gigabyte; the histories of so many fill the largest document.
	coldMax   = 320_000
	steadyMax = 130_000
	// stepMax bounds one process that is measured; the slowest of ours takes seconds.
	stepMax = 5 * time.Minute
	// briefMax is the processor time up to which a measurement is repeated, and the best of briefRuns is taken.
	briefMax  = time.Second
	briefRuns = 3
)

// shapes are the clusters in the order of the table.
func shapes() []shape {
	var out []shape
	for _, resources := range []int{100, 500, 1000, 2000, 10000} {
		for _, nodes := range []int{4, 16, 32, 100} {
			for _, steady := range []bool{false, true} {
				out = append(out, shape{"primitives", resources, nodes, steady})
			}
		}
	}
	for _, clones := range []int{10, 100} {
		for _, steady := range []bool{false, true} {
			out = append(out, shape{"clones", clones, 100, steady})
		}
	}
	return out
}

// bench is one run of the program.
type bench struct {
	paceline string
	dir      string
	keep     bool
	limit    time.Duration // of crm_simulate's processor time
	largest  int           // pairs of a resource and a node
	only     string
	rows     []row
	slow     []shape // those for which crm_simulate took longer than the limit
}

// usage is what a process used.
type usage struct {
	cpu    time.Duration
	memory int64 // peak, bytes
}

// row is one line of the table.
type row struct {
	shape    shape
	actions  int
	file     int64 // bytes
	simulate usage
	plan     planned
	peer     usage
	peerSays string // why there is no figure of the peer
}

// planned is what planning alone took, within a process that has read the file already.
type planned struct {
	CPU     time.Duration
	Bytes   int64 // allocated
	Actions int
}

func (b *bench) all(ctx context.Context) error {
	for _, s := range shapes() {
		if !b.wanted(s) || s.tooLarge() || s.resources*s.nodes > b.largest {
			continue
		}
		r, err := b.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		b.rows = append(b.rows, r)
		fmt.Println(r.line())
	}
	if len(b.rows) == 0 {
		return fmt.Errorf("no row has all of the words %q", b.only)
	}
	return nil
}

func (b *bench) wanted(s shape) bool {
	text := fmt.Sprintf("%s %dx%d %s", s.kind, s.resources, s.nodes, s.state())
	for _, word := range strings.Split(b.only, ",") {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}

func (b *bench) measure(ctx context.Context, s shape) (row, error) {
	r := row{shape: s}
	file := filepath.Join(b.dir, fmt.Sprintf("%s-%d-%d-%s.xml", s.kind, s.resources, s.nodes, s.state()))
	if !b.keep {
		defer os.Remove(file)
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	// The clusters are made by processes of their own: what a process has used its children seem to use too.
	if _, err := run(ctx, 0, nil, self, "-worker", "build", s.kind, strconv.Itoa(s.resources), strconv.Itoa(s.nodes), s.state(), file); err != nil {
		return r, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return r, err
	}
	r.file = info.Size()
	if r.simulate, err = best(ctx, 0, b.paceline, "simulate", "--cib", file, "--output", "json"); err != nil {
		return r, err
	}
	var answer strings.Builder
	if _, err := run(ctx, 0, &answer, self, "-worker", "plan", file); err != nil {
		return r, err
	}
	if err := json.Unmarshal([]byte(answer.String()), &r.plan); err != nil {
		return r, err
	}
	r.actions = r.plan.Actions
	return r, b.peer(ctx, &r, file)
}

// peer measures crm_simulate with the same file, unless it is known to take too long.
func (b *bench) peer(ctx context.Context, r *row, file string) error {
	program, err := exec.LookPath("crm_simulate")
	if err != nil {
		r.peerSays = "not installed"
		return nil
	}
	for _, s := range b.slow {
		if s.kind == r.shape.kind && s.steady == r.shape.steady && s.resources <= r.shape.resources && s.nodes <= r.shape.nodes {
			r.peerSays = "not asked"
			return nil
		}
	}
	if r.peer, err = best(ctx, b.limit, program, "-R", "-x", file); errors.Is(err, errLimit) {
		r.peerSays = fmt.Sprintf("> %.0f s", b.limit.Seconds())
		b.slow = append(b.slow, r.shape)
		return nil
	}
	return err
}

// best is the least that a process used: of several runs, where one is brief.
func best(ctx context.Context, limit time.Duration, program string, args ...string) (usage, error) {
	least, err := run(ctx, limit, nil, program, args...)
	for i := 1; i < briefRuns && err == nil && least.cpu < briefMax; i++ {
		var u usage
		if u, err = run(ctx, limit, nil, program, args...); u.cpu < least.cpu {
			least = u
		}
	}
	return least, err
}

// errLimit is that a process has used more processor time than it may.
var errLimit = errors.New("it takes more processor time than it may")

// run runs a process to its end, with its output going to out, or nowhere. A process that uses more than the limit of
// processor time is ended; 0 is no limit.
func run(ctx context.Context, limit time.Duration, out io.Writer, program string, args ...string) (usage, error) {
	ctx, cancel := context.WithTimeout(ctx, stepMax)
	defer cancel()
	var problems strings.Builder
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = out, &problems
	if err := cmd.Start(); err != nil {
		return usage{}, err
	}
	var limited error
	if limit > 0 {
		most := uint64(limit.Seconds())
		limited = unix.Prlimit(cmd.Process.Pid, unix.RLIMIT_CPU, &unix.Rlimit{Cur: most, Max: most + 1}, nil)
	}
	err := errors.Join(cmd.Wait(), limited)
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && limit > 0 && status.Signaled() && ctx.Err() == nil {
		return usage{}, fmt.Errorf("%s: %w", filepath.Base(program), errLimit)
	}
	if ctx.Err() != nil {
		return usage{}, fmt.Errorf("%s: %w", filepath.Base(program), ctx.Err())
	}
	if err != nil {
		return usage{}, fmt.Errorf("%s: %w: %s", filepath.Base(program), err, strings.TrimSpace(problems.String()))
	}
	u := usage{cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.memory = r.Maxrss * 1024
	}
	return u, nil
}

// work is what the program does as a process of its own.
func work(what string, args []string) error {
	switch {
	case what == "build" && len(args) == 5:
		return buildFile(args)
	case what == "plan" && len(args) == 1:
		return planFile(args[0])
	}
	return fmt.Errorf("worker %s %v: want build KIND RESOURCES NODES cold|steady FILE, or plan FILE", what, args)
}

func buildFile(args []string) error {
	s := shape{kind: args[0], steady: args[3] == "steady"}
	var err error
	if s.resources, err = strconv.Atoi(args[1]); err != nil {
		return err
	}
	if s.nodes, err = strconv.Atoi(args[2]); err != nil {
		return err
	}
	c, err := s.build()
	if err != nil {
		return err
	}
	f, err := os.Create(args[4])
	if err != nil {
		return err
	}
	return errors.Join(cib.Export(f, c), f.Close())
}

// planFile plans for a file a few times, and prints the best.
func planFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	c, _, err := cib.Decode(f)
	if err != nil {
		return err
	}
	var least planned
	begin := time.Now()
	for i := 0; i < briefRuns || time.Since(begin) < briefMax; i++ {
		runtime.GC()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := ownCPU()
		plan := scheduler.Plan(c, planTime)
		took := ownCPU() - start
		runtime.ReadMemStats(&after)
		if i == 0 || took < least.CPU {
			least = planned{CPU: took, Bytes: int64(after.TotalAlloc - before.TotalAlloc), Actions: len(plan.Graph.Actions)}
		}
	}
	return json.NewEncoder(os.Stdout).Encode(least)
}

// ownCPU is the processor time that this process has used. Unlike the clock, it does not count what others do meanwhile.
func ownCPU() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		panic(err) // it is a fault in this line
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}
