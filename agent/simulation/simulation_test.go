package simulation

import (
	"flag"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"paceline/agent/audit"
)

var (
	seeds = flag.Int("seeds", 100, "how many seeds to run")
	first = flag.Uint64("seed", 0, "the first of them; with -seeds 1 -v its run is printed")
)

var all = flag.Bool("all", false, "go on after a seed that breaks a rule, and tell only which it was")

var chosen = flag.String("only", "", "numbers of the faults that happen, with commas between: those of a shrunk run")

// only are the faults of a shrunk run; nil for all.
func only() []int {
	var out []int
	for _, s := range strings.FieldsFunc(*chosen, func(r rune) bool { return r == ',' }) {
		n, _ := strconv.Atoi(s)
		out = append(out, n)
	}
	return out
}

// replay is the command that runs a seed again.
const replay = "go test ./agent/simulation -run TestSeeds -v -seeds 1 -seed "

func fail(t *testing.T, o Outcome) {
	t.Helper()
	opt := options(o.Seed)
	opt.Only = only()
	small := Shrink(o, opt, 300)
	var numbers []string
	for _, f := range small.Plan {
		numbers = append(numbers, strconv.Itoa(f.Number))
		t.Logf("fault %3d at %10v: %s", f.Number, f.At.Round(time.Millisecond), f.Name)
	}
	t.Logf("with these %d of %d faults it is %v\n%s%d -only %q", len(small.Plan), len(o.Plan), small.Violation, replay, o.Seed, strings.Join(numbers, ","))
	tail := o.Trace
	if len(tail) > 150 {
		tail = tail[len(tail)-150:]
	}
	t.Errorf("seed %d: %v\n%s\nagain: %s%d", o.Seed, o.Violation, strings.Join(tail, "\n"), replay, o.Seed)
}

// sweep runs seeds on all processors, and hands each outcome over, in no order, until one of them says that it is enough.
func sweep(from uint64, n int, opt func(seed uint64) Options, each func(Outcome) (enough bool)) {
	var next atomic.Uint64
	var mu sync.Mutex
	var wg sync.WaitGroup
	done := false
	for range 2 {
		wg.Go(func() {
			for {
				i := next.Add(1) - 1
				mu.Lock()
				stop := done
				mu.Unlock()
				if i >= uint64(n) || stop {
					return
				}
				o := Run(from+i, opt(from+i))
				mu.Lock()
				done = each(o) || done
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// options are those of the ordinary runs: every twentieth has no fault at all, and must fence nobody.
func options(seed uint64) Options {
	return Options{Calm: seed%20 == 19, Verbose: *seeds == 1, Only: only()}
}

// A run that breaks a rule is told again with as few faults as are needed for it.
func TestAFailureShrinks(t *testing.T) {
	opt := Options{Broken: Broken{NoLease: true}}
	for seed := range uint64(500) {
		o := Run(seed, opt)
		if o.Violation == nil || len(o.Plan) < 4 {
			continue
		}
		small := Shrink(o, opt, 200)
		if small.Violation == nil || small.Violation.Invariant != o.Violation.Invariant || len(small.Plan) >= len(o.Plan) {
			t.Fatalf("seed %d: %d faults, shrunk to %d: %v", seed, len(o.Plan), len(small.Plan), small.Violation)
		}
		return
	}
	t.Fatal("no run to shrink")
}

func TestSeeds(t *testing.T) {
	began := time.Now()
	var virtual time.Duration
	sum := Outcome{Faults: map[string]int{}, Judged: map[string]int{}, Live: map[string]int{}}
	var rests []time.Duration
	runs := 0
	sweep(*first, *seeds, options, func(o Outcome) bool {
		runs++
		virtual += o.Virtual
		sum.Events += o.Events
		sum.Commits += o.Commits
		sum.Elections += o.Elections
		sum.Takeovers += o.Takeovers
		sum.Fencings += o.Fencings
		sum.Activated += o.Activated
		sum.Replanned += o.Replanned
		rests = append(rests, o.Rest)
		for k, n := range o.Judged {
			sum.Judged[k] += n
		}
		for k, n := range o.Live {
			sum.Live[k] += n
		}
		for k, n := range o.Faults {
			sum.Faults[k] += n
		}
		if o.Violation != nil && *all {
			t.Errorf("seed %d: %v", o.Seed, o.Violation)
		} else if o.Violation != nil {
			fail(t, o)
		} else if *seeds == 1 {
			t.Log(strings.Join(o.Trace, "\n"))
		}
		return o.Violation != nil && !*all
	})
	t.Logf("%d seeds: %v of modelled time in %v; %d events, %d commits, %d elections, %d takeovers, %d fencings, %d starts", runs,
		virtual.Round(time.Second), time.Since(began).Round(time.Second), sum.Events, sum.Commits, sum.Elections, sum.Takeovers, sum.Fencings, sum.Activated)
	for _, k := range slices.Sorted(maps.Keys(sum.Faults)) {
		t.Logf("  %-30s %d", k, sum.Faults[k])
	}
	for _, r := range audit.Rules() {
		t.Logf("  judged %9d times: %s", sum.Judged[r.Name], r.Name)
		if *seeds >= 1000 && sum.Judged[r.Name] == 0 {
			t.Errorf("%s is never put to the test", r.Name)
		}
	}
	for _, name := range []string{oneView, oneCoordinator, idleInTime, rejoined, movesOnce, staysPut, fencingPaced, healsItself, restartAwaited, restartBounded, silenceIsLoss} {
		t.Logf("  judged %9d times: %s", sum.Live[name], name)
		if *seeds >= 1000 && sum.Live[name] == 0 {
			t.Errorf("%s is never put to the test", name)
		}
	}
	slices.Sort(rests)
	t.Logf("  %d plans made again; from the end of all faults to rest: median %v, 99 of 100 %v, longest %v", sum.Replanned,
		rests[len(rests)/2].Round(time.Millisecond), rests[len(rests)*99/100].Round(time.Millisecond), rests[len(rests)-1].Round(time.Millisecond))
	if *seeds >= 500 && (sum.Takeovers == 0 || sum.Fencings == 0 || len(sum.Faults) != len(faults)+1) {
		t.Error("the runs leave out what they are for")
	}
}

func TestTheSameSeedIsTheSameRun(t *testing.T) {
	for seed := range uint64(5) {
		a, b := Run(seed, Options{Verbose: true}), Run(seed, Options{Verbose: true})
		if !slices.Equal(a.Trace, b.Trace) || a.Events != b.Events {
			for i := range a.Trace {
				if i >= len(b.Trace) || a.Trace[i] != b.Trace[i] {
					t.Fatalf("seed %d: line %d differs: %q", seed, i, a.Trace[i])
				}
			}
			t.Fatalf("seed %d: %d and %d events", seed, a.Events, b.Events)
		}
	}
}

const clockIndependence = "S25 clock independence"

// What happens does not hang on what wall clocks say: no date is in what these clusters are to do.
func TestWallClocksChangeNothing(t *testing.T) {
	differs := func(seed uint64, broken Broken) string {
		var right []audit.Fact
		opt := Options{Calm: seed%20 == 19, Broken: broken, Clocks: Right, Watch: func(f audit.Fact) { right = append(right, f) }}
		a := Run(seed, opt)
		next, why := 0, ""
		opt.Clocks, opt.Watch = Wild, func(f audit.Fact) {
			if why == "" && (next >= len(right) || !reflect.DeepEqual(f, right[next])) {
				why = fmt.Sprintf("fact %d of %d is %+v", next, len(right), f)
			}
			next++
		}
		if b := Run(seed, opt); why == "" && (next != len(right) || a.Events != b.Events) {
			why = fmt.Sprintf("%d facts and %d events, and with other clocks %d and %d", len(right), a.Events, next, b.Events)
		}
		return why
	}
	for seed := *first; seed < *first+uint64(min(*seeds, 1000)/5); seed++ {
		if why := differs(seed, Broken{}); why != "" {
			t.Errorf("%s, seed %d: %s", clockIndependence, seed, why)
		}
	}
	for seed := range uint64(1000) {
		if differs(seed, Broken{PlansByClock: true}) != "" {
			t.Logf("%-52s seed %4d: %s", "a plan depends on the wall clock", seed, clockIndependence)
			return
		}
	}
	t.Error("a plan that depends on the wall clock is not found out")
}

// A simulation that finds nothing proves nothing: each rule that is broken on purpose must be found out.
func TestEveryBrokenRuleIsFoundOut(t *testing.T) {
	const within = 1000
	for _, c := range []struct {
		name   string
		broken Broken
	}{
		{"a device lies", Broken{LyingDevice: true}},
		{"a success is reported before the device has acted", Broken{FenceBeforeStart: true}},
		{"a takeover without a fencing", Broken{UnconfirmedTakes: true}},
		{"votes are not durable", Broken{ForgetsVotes: true}},
		{"a leader acknowledges alone", Broken{MinorityCommits: true}},
		{"a cut-off node goes on", Broken{NoLease: true}},
		{"a node that started alone takes over", Broken{AloneMayTakeOver: true}},
		{"orders of earlier terms are taken", Broken{StaleOrders: true}},
		{"a fence order is carried out after it expired", Broken{LateFences: true}},
		{"a pair that becomes three takes itself for a pair", Broken{GrowthUnknown: true}},
		{"both sides of a cut fence at once", Broken{NoCourtesy: true}},
		{"orders are begun after the lease is over", Broken{StartsWithoutLease: true}},
		{"operations of one resource overlap", Broken{OperationsOverlap: true}},
		{"call numbers are used twice", Broken{CallsBeginAgain: true}},
		{"the plan acts on what is unmanaged", Broken{TouchesAll: true}},
		{"the plan knows no order", Broken{NoOrder: true}},
		{"the plan promotes one too many", Broken{PromotesTwo: true}},
		{"a plan depends on more than the state", Broken{PlansByChance: true}},
		{"a stop is reported and did not happen", Broken{StopLies: true}},
		{"the plan knows no colocation", Broken{NoColocation: true}},
		{"the plan knows no ban", Broken{NoBans: true}},
		{"the plan knows no bound of a clone", Broken{CopiesEverywhere: true}},
		{"the plan looks at no capacity", Broken{NoCapacity: true}},
		{"the plan waits for no room before a start", Broken{NoRoomFirst: true}},
		{"a coordinator gives orders of a superseded plan", Broken{GoesOn: true}},
		{"a daemon that was restarted is given no session", Broken{NoWelcome: true}},
		{"a wiped node is sent nothing of what was before", Broken{NoCatchingUp: true}},
		{"results are sent, and not written down", Broken{ForgetsResults: true}},
		{"the plan prefers one node after the other", Broken{PingPong: true}},
		{"an announced restart is waited for without end", Broken{WaitsForEver: true}},
		{"an announcement counts for the daemons that follow", Broken{AnyRestart: true}},
	} {
		began := time.Now()
		runs, found := 0, Outcome{}
		sweep(0, within, func(uint64) Options { return Options{Broken: c.broken} }, func(o Outcome) bool {
			runs++
			if o.Violation != nil && found.Violation == nil {
				found = o
			}
			return o.Violation != nil
		})
		if found.Violation == nil {
			t.Errorf("%s: not found out in %d seeds", c.name, runs)
			continue
		}
		t.Logf("%-52s seed %4d after %4d runs, %v: %s", c.name, found.Seed, runs, time.Since(began).Round(10*time.Millisecond), found.Violation.Invariant)
	}
}
