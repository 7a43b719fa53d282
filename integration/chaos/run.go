package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"paceline/agent/api"
	"paceline/agent/audit"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// options say what is to be done.
type options struct {
	seed   uint64
	first  int           // number of the first round
	rounds int           // 0: as many as fit into the time
	most   time.Duration // for all rounds
	scale  float64       // stretches the faults' times
	nodes  int
	bin    string
	name   string // of the lab
	keep   bool
	// previous is the older build in bin/previous, and noPrevious why there is none.
	previous, noPrevious string
}

// run is one run of chaos.
type run struct {
	options
	out      io.Writer // what happens
	proof    io.Writer // what is there when a rule did not hold
	c        *cluster.Cluster
	nodes    []string
	stateful bool
	writer   *writer
	stall    *stall
	auditor  *audit.Auditor
	teller   *cluster.Teller
	config   *audit.Config // as it is when nobody has taken the hands off anything

	// Of the goroutine that judges:
	seen   map[string]*lines
	fresh  map[string][]executor.Entry
	readTo map[string]int64 // file -> how far it was read

	mu        sync.Mutex
	turn      int
	round     int
	again     [][]string      // commands to be run again at rest
	halted    map[string]bool // nodes whose daemon stands still
	others    []audit.Fact
	counts    map[string]int
	findings  []finding
	faults    map[Kind]int
	skipped   map[Kind]string
	recovered []Recovery
	rests     []time.Duration
	helped    int // rounds in which a person had to clean up
	starved   int // fencings for which the machine's own standstill accounts
	last      []string
	began     time.Time
	took      time.Duration
}

func newRun(o options, out, proof io.Writer) *run {
	return &run{options: o, out: out, proof: proof, auditor: audit.New(), teller: cluster.NewTeller(), seen: map[string]*lines{}, fresh: map[string][]executor.Entry{},
		readTo: map[string]int64{}, halted: map[string]bool{}, counts: map[string]int{}, faults: map[Kind]int{}, skipped: map[Kind]string{}}
}

func (r *run) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = append(r.last, line)
	fmt.Fprintln(r.out, line)
}

// all makes the cluster, lets round after round happen, and returns an error if a rule did not hold or nothing could be judged.
func (r *run) all(ctx context.Context) (err error) {
	for i := range r.options.nodes {
		r.nodes = append(r.nodes, fmt.Sprintf("node%d", i+1))
	}
	_, missing := os.Stat("/usr/lib/ocf/resource.d/pacemaker/Stateful")
	r.stateful = missing == nil
	if !r.stateful {
		r.say("without a promotable resource: ocf:pacemaker:Stateful is not installed")
	}
	prepare := func(l *lab.Lab) error {
		r.c = &cluster.Cluster{Lab: l} // install asks it for disks
		for _, n := range r.nodes {
			if err := r.install(n, thisBuild); err != nil {
				return err
			}
		}
		return os.MkdirAll(filepath.Join(l.Dir(), "shared", "leases"), 0o777)
	}
	c, err := cluster.Start(ctx, cluster.Options{Bin: r.bin, Daemon: daemonLink, Prepare: prepare,
		Lab: lab.Options{Name: r.name, Nodes: r.options.nodes, Keep: r.keep}})
	if err != nil {
		return err
	}
	r.c = c
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.Load(ctx, workload(r.nodes, r.stateful)); err != nil {
		return err
	}
	if _, err := r.rest(ctx); err != nil {
		return fmt.Errorf("before anything was done: %w", err)
	}
	if err := r.configured(ctx); err != nil {
		return err
	}
	r.writer = newWriter(r.setAttribute)
	r.stall = watchStalls(ctx)
	work, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.writer.run(work) })
	defer wg.Wait()
	defer stop()
	r.began = time.Now()
	defer func() { r.took = time.Since(r.began) }()
	for number := r.first; ctx.Err() == nil && !r.done(number); number++ {
		if err := r.oneRound(ctx, Draw(r.seed, number, r.nodes, r.scale)); err != nil {
			return err
		}
		if len(r.findings) > 0 {
			r.evidence()
			return fmt.Errorf("%d rules did not hold; the first: %s", len(r.findings), r.findings[0])
		}
	}
	return ctx.Err()
}

func (r *run) done(number int) bool {
	if r.rounds > 0 {
		return number >= r.first+r.rounds
	}
	return time.Since(r.began) >= r.most
}

// configured tells the rules what is configured.
func (r *run) configured(ctx context.Context) error {
	client, err := r.anyAPI()
	if err != nil {
		return err
	}
	reply, err := client.CIB(ctx)
	if err != nil {
		return err
	}
	r.config = audit.ConfigOf(reply.CIB)
	r.known(audit.Fact{Kind: audit.Configure, Revision: reply.Revision, Config: r.config})
	return nil
}

// oneRound lets a round happen, mends everything, waits for rest and judges. The error is of what could not be judged.
func (r *run) oneRound(ctx context.Context, round Round) error {
	r.mu.Lock()
	r.round, r.last = round.Number, nil
	r.mu.Unlock()
	r.stall.reset()
	events := len(r.c.Switch().Events())
	r.known(audit.Fact{At: lab.Monotonic(), Kind: audit.Troubled})
	r.say("%v %v", time.Now().UTC().Format("15:04:05"), round)
	for _, d := range r.carryOut(ctx, round) {
		var skip errSkip
		switch {
		case errors.As(d.err, &skip):
			r.skipped[d.fault.Kind] = skip.why
			continue
		case d.err != nil && ctx.Err() == nil:
			r.say("  %v did not go as planned: %v", d.fault.Kind, d.err)
		}
		r.faults[d.fault.Kind]++
	}
	if err := r.heal(ctx); err != nil {
		return err
	}
	began := time.Now()
	s, err := r.rest(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.judged(ruleRest)
	if err != nil {
		r.broken(ruleRest, err.Error())
	} else {
		r.rests = append(r.rests, time.Since(began))
		r.say("  at rest after %v", time.Since(began).Round(10*time.Millisecond))
	}
	if s != nil {
		if err := r.complete(ctx, round); err != nil {
			return err
		}
	}
	return r.judge(ctx, round, s, r.c.Switch().Events()[events:])
}

// heal mends everything that faults leave behind, whether they mended it themselves or not.
func (r *run) heal(ctx context.Context) error {
	r.c.Switch().Mend()
	errs := []error{r.c.Heal()}
	for _, n := range r.c.Nodes() {
		if r.isPaused(n.Name) {
			errs = append(errs, r.resume(n.Name))
		}
		if r.stopped(n.Name) {
			r.halt(n.Name, false)
			errs = append(errs, r.signal(ctx, n.Name, syscall.SIGCONT))
		}
	}
	return errors.Join(errs...)
}

// rest waits until the cluster is whole and idle. Meanwhile somebody gives power to the nodes that have none, and starts the
// daemons that ended, as a service manager does.
func (r *run) rest(ctx context.Context) (*api.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, restMax)
	defer cancel()
	tend, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { r.tend(tend) })
	defer wg.Wait()
	defer stop()
	last := ""
	s, err := r.c.Await(ctx, "rest", func(s *api.Status) bool {
		last = atRest(s, r.nodes, r.stateful)
		return last == "" && r.nothingAgain()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", last, err)
	}
	return s, nil
}

func (r *run) nothingAgain() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.again) == 0
}

// tend looks after nodes and daemons, and, when that does not help, after failures.
func (r *run) tend(ctx context.Context) {
	began, help := time.Now(), helpAfter
	for ; ctx.Err() == nil; pause(ctx, tendEvery) {
		for _, n := range r.nodes {
			_ = r.boot(ctx, n)
			r.startDaemon(ctx, n)
		}
		r.mu.Lock()
		again := r.again
		r.again = nil
		r.mu.Unlock()
		for _, args := range again {
			_ = r.undo(ctx, args)
		}
		if time.Since(began) > help {
			if help == helpAfter {
				r.helped++
			}
			help += helpAfter
			if _, err := r.command(ctx, "", "resource", "cleanup"); err == nil {
				r.say("  a person cleans failures up after %v", time.Since(began).Round(time.Second))
			}
		}
	}
}

// evidence writes down what is there to find out why a rule did not hold.
func (r *run) evidence() {
	for _, n := range r.c.Nodes() {
		fmt.Fprintf(r.proof, "end of the log of %s:\n%s\n", n.Name, r.c.LogTail(n.Name, logKeep))
	}
	if s := r.glance(context.Background()); s != nil {
		fmt.Fprintln(r.proof, cluster.Describe(s))
	}
	if r.keep {
		r.say("journals, logs and the power switch's log stay in %s", r.c.Dir())
	}
}

// stall measures how late the program's own timers are: what the machine takes from everybody on it.
type stall struct {
	mu  sync.Mutex
	max time.Duration
}

// stallTick is how often it looks.
const stallTick = 20 * time.Millisecond

func watchStalls(ctx context.Context) *stall {
	s := &stall{}
	go func() {
		for ctx.Err() == nil {
			began := time.Now()
			pause(ctx, stallTick)
			s.mu.Lock()
			s.max = max(s.max, time.Since(began)-stallTick)
			s.mu.Unlock()
		}
	}()
	return s
}

func (s *stall) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = 0
}

// raise takes in that something else was late by as much.
func (s *stall) raise(late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.max = max(s.max, late)
}

func (s *stall) worst() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.max
}

// plan writes the rounds of a seed without doing anything.
func plan(o options) string {
	var b strings.Builder
	var nodes []string
	for i := range o.nodes {
		nodes = append(nodes, fmt.Sprintf("node%d", i+1))
	}
	for i := range max(o.rounds, 1) {
		fmt.Fprintln(&b, Draw(o.seed, o.first+i, nodes, o.scale))
	}
	return b.String()
}
