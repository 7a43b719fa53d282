// Command bench measures paceline in the lab: how long a power cut takes to be answered for and of what that time is made,
// how soon a killed service runs again, how soon a lost member of a group is known and runs again, what a thousand
// monitors cost, how soon daemons elect a coordinator, what a move by hand costs, what an idle node uses, what a command costs. It
// prints tables and writes them as Markdown.
//
// Usage: bench -bin DIR [-runs 20] [-only failover,service,election,move,idle,startup,status,events,monitors] [-out FILE]. It needs root, or an
// unprivileged user namespace. Nothing else should run on the machine meanwhile.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"paceline/integration/bench/report"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// bench is one run of the program.
type bench struct {
	bin  string
	runs int
	keep bool
	out  *strings.Builder // the Markdown
}

// measurements in the order in which they are made.
var measurements = []struct {
	name string
	run  func(*bench, context.Context) error
}{
	{"failover", (*bench).failover},
	{"service", (*bench).service},
	{"election", (*bench).election},
	{"move", (*bench).move},
	{"idle", (*bench).idle},
	{"startup", (*bench).startup},
	{"status", (*bench).status},
	{"events", (*bench).events},
	{"monitors", (*bench).monitors},
}

func main() {
	lab.Main()
	lab.Enter()
	bin := flag.String("bin", "bin", "directory with pacelined, paceline and fence_lab")
	runs := flag.Int("runs", 20, "how often each is measured")
	only := flag.String("only", "", "measure only these, separated by commas: failover, service, election, move, idle, startup, status, events, monitors")
	keep := flag.Bool("keep", false, "leave logs and journals behind")
	out := flag.String("out", "docs/performance.md", "file for the Markdown")
	flag.Parse()
	if err := lab.Usable(); err != nil {
		fmt.Fprintln(os.Stderr, "error: nothing can be measured:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, &bench{bin: *bin, runs: *runs, keep: *keep, out: &strings.Builder{}}, *only, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, b *bench, only, out string) error {
	b.printf("# Measurements\n\nMade by `make bench` on %s with %d processors, in the lab (nodes are namespaces of one machine), by %s.\n",
		machine(), runtime.NumCPU(), lab.Means())
	var errs []error
	for _, m := range measurements {
		if only != "" && !slices.Contains(strings.Split(only, ","), m.name) {
			continue
		}
		if err := m.run(b, ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return errors.Join(append(errs, err)...)
	}
	old, err := os.ReadFile(out)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return errors.Join(append(errs, err)...)
	}
	return errors.Join(append(errs, os.WriteFile(out, []byte(report.Merge(string(old), b.out.String())), 0o644))...)
}

// printf writes to the terminal and into the Markdown, which reads well on both.
func (b *bench) printf(format string, args ...any) {
	fmt.Fprintf(io.MultiWriter(os.Stdout, b.out), format, args...)
}

func machine() string {
	text, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(text))
}

// cluster starts a cluster for a measurement.
func (b *bench) cluster(ctx context.Context, nodes int, profile string, systemd bool, units map[string]string) (*cluster.Cluster, error) {
	return cluster.Start(ctx, cluster.Options{Bin: b.bin, Profile: profile,
		Lab: lab.Options{Name: fmt.Sprintf("b%d", os.Getpid()%1_000_000), Nodes: nodes, Systemd: systemd, Units: units, Keep: b.keep}})
}

// sample is a set of durations.
type sample []time.Duration

// at returns the value at a share of the sorted sample (nearest rank).
func (s sample) at(share float64) time.Duration {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	i := int(share*float64(len(sorted))+0.9999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

// row writes a sample as cells of a table: min, median, p99, max.
func (s sample) row() string {
	return fmt.Sprintf("%s | %s | %s | %s", ms(s.at(0)), ms(s.at(0.5)), ms(s.at(0.99)), ms(s.at(1)))
}

func ms(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
	}
	return fmt.Sprint(d.Round(time.Millisecond).Milliseconds())
}

// stepMax bounds one step of a measurement, which takes seconds.
const stepMax = 60 * time.Second

func step(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, stepMax, errors.New("it took longer than "+stepMax.String()))
}
