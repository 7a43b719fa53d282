// Command soak runs a cluster of real daemons with many resources for a long time under light work by operators, samples what
// the daemons use, and judges whether it stays flat. It ends with a table, a plot (SVG), and exit status 1 if something grows.
//
// Usage: soak -bin DIR [-minutes 60] [-nodes 5] [-resources 200] [-every 15s] [-monitor 10s] [-out DIR]. It needs root.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// options say what is to be done.
type options struct {
	bin, name, out     string
	most, every, check time.Duration
	nodes, resources   int
}

func main() {
	lab.Main()
	lab.Enter()
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "directory with pacelined, paceline and fence_lab")
	flag.StringVar(&o.name, "name", "soak", "of the lab")
	flag.StringVar(&o.out, "out", "bin/soak-report", "directory for the report")
	minutes := flag.Float64("minutes", 60, "how long")
	flag.DurationVar(&o.every, "every", 15*time.Second, "between two samples, and two deeds of an operator")
	flag.DurationVar(&o.check, "monitor", 10*time.Second, "interval of every resource's monitor")
	flag.IntVar(&o.nodes, "nodes", 5, "nodes")
	flag.IntVar(&o.resources, "resources", 200, "resources")
	flag.Parse()
	o.most = time.Duration(*minutes * float64(time.Minute))
	if err := lab.Usable(); err != nil {
		fmt.Fprintln(os.Stderr, "error: nothing can be soaked:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := soak(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// configuration are resources spread over the nodes, in groups of four and alone.
func configuration(o options) string {
	var b strings.Builder
	var names []string
	for i := range o.nodes {
		names = append(names, fmt.Sprintf("node%d", i+1))
	}
	fmt.Fprintf(&b, "property stonith-enabled=true\nrsc_defaults resource-stickiness=10\nprimitive power stonith:fence_lab params pcmk_host_list=\"%s\" op monitor interval=60s\n",
		strings.Join(names, " "))
	for i := range o.resources {
		fmt.Fprintf(&b, "primitive r%d ocf:paceline:process params command=sleep args=%d op monitor interval=%ds\n", i, 2_000_000+i, int(o.check.Seconds()))
	}
	for i := 0; i+4 <= o.resources/2; i += 4 {
		fmt.Fprintf(&b, "group g%d r%d r%d r%d r%d\n", i/4, i, i+1, i+2, i+3)
	}
	return b.String()
}

// settleMax bounds the way to rest: 200 starts on two processors, or a node's worth of moves.
const settleMax = 5 * time.Minute

func settle(ctx context.Context, c *cluster.Cluster, o options) error {
	ctx, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	_, err := c.Await(ctx, "all resources to run", func(s *api.Status) bool { return cluster.Quiet(s) && s.Counts.Active == o.resources+1 })
	return err
}

func soak(ctx context.Context, o options, out io.Writer) (err error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	c, err := cluster.Start(ctx, cluster.Options{Bin: o.bin, Lab: lab.Options{Name: o.name, Nodes: o.nodes}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Down()) }()
	if err := c.Load(ctx, configuration(o)); err != nil {
		return err
	}
	if err := settle(ctx, c, o); err != nil {
		return err
	}
	if err := fill(ctx, c); err != nil {
		return err
	}
	panels, deeds, err := watch(ctx, c, o, out)
	if err != nil {
		return err
	}
	text, grows, err := judge(o, panels, deeds)
	if err != nil {
		return err
	}
	fmt.Fprint(out, text)
	if err := errors.Join(os.WriteFile(filepath.Join(o.out, "soak.svg"), []byte(Plot(panels)), 0o644),
		os.WriteFile(filepath.Join(o.out, "report.txt"), []byte(text), 0o644)); err != nil {
		return err
	}
	if len(grows) > 0 {
		return fmt.Errorf("not flat: %s", strings.Join(grows, "; "))
	}
	_, err = c.Audit()
	return err
}

// What a daemon keeps of the past is bounded in number: 200 commits, 1024 requests. The soak begins when it is full; what grows
// then grows for ever.
const (
	commitsKept  = 200
	requestsKept = 1024
)

// fill commits as many changes as are kept: attributes, then whole configurations. What fails, because a machine is busy and another node
// is elected, is done again.
func fill(ctx context.Context, c *cluster.Cluster) error {
	ctx, cancel := context.WithTimeout(ctx, settleMax)
	defer cancel()
	client, err := c.API("node1")
	if err != nil {
		return err
	}
	for i := 0; i < requestsKept+commitsKept; i++ {
		if err := fillOne(ctx, client, i); err != nil {
			if ctx.Err() != nil {
				return fmt.Errorf("fill the history: %w", err)
			}
			i--
		}
	}
	return nil
}

func fillOne(ctx context.Context, client *api.Client, i int) error {
	value := fmt.Sprint(i)
	r := api.ChangeRequest{Change: &cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "node1", Name: "soak", Value: &value}}}
	if i >= requestsKept {
		whole, err := client.Configuration(ctx, 0)
		if err != nil {
			return err
		}
		whole.Configuration.Comment = value
		r = api.ChangeRequest{Configuration: whole.Configuration}
	}
	_, err := client.Change(ctx, r)
	return err
}

// watch samples until the time is over, or the context ends.
func watch(ctx context.Context, c *cluster.Cluster, o options, out io.Writer) ([]Panel, int, error) {
	panels := make([]Panel, len(figures))
	for i, f := range figures {
		panels[i] = Panel{Title: f.title, Unit: f.unit, Series: make([]Series, o.nodes)}
		for j, n := range c.Nodes() {
			panels[i].Series[j].Name = n.Name
		}
	}
	began := time.Now()
	tick := time.NewTicker(o.every)
	defer tick.Stop()
	deeds := 0
	for turn := 0; time.Since(began) < o.most; turn++ {
		for j, n := range c.Nodes() {
			pid := n.ServicePID("pacelined")
			for i, f := range figures {
				v, err := f.read(n, pid)
				if err != nil {
					return nil, 0, fmt.Errorf("%s of %s: %w", f.title, n.Name, err)
				}
				panels[i].Series[j].add(time.Since(began), v)
			}
		}
		if turn%20 == 0 {
			fmt.Fprintf(out, "%v: PSS %s MiB, handles %s (%s)\n", time.Since(began).Round(time.Second), lasts(panels[0]), lasts(panels[1]), handlesOf(c))
		}
		if err := operate(ctx, c, o, turn); err != nil {
			fmt.Fprintf(out, "%v: %v\n", time.Since(began).Round(time.Second), err)
		} else {
			deeds++
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return panels, deeds, nil
		}
	}
	return panels, deeds, nil
}

// handlesOf says what the handles of all daemons are.
func handlesOf(c *cluster.Cluster) string {
	all := map[string]int{}
	for _, n := range c.Nodes() {
		kinds, err := handleKinds(n.ServicePID("pacelined"))
		if err != nil {
			return err.Error()
		}
		for kind, count := range kinds {
			all[kind] += count
		}
	}
	var out []string
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		out = append(out, fmt.Sprintf("%s %d", kind, all[kind]))
	}
	return strings.Join(out, ", ")
}

func lasts(p Panel) string {
	var out []string
	for _, s := range p.Series {
		out = append(out, fmt.Sprintf("%.0f", s.Values[len(s.Values)-1]))
	}
	return strings.Join(out, " ")
}

// commandMax bounds an operator's command.
const commandMax = 30 * time.Second

// operate is what an operator does now and then: attributes, a changed interval and its undoing, a move, a restart, status.
func operate(ctx context.Context, c *cluster.Cluster, o options, turn int) error {
	ctx, cancel := context.WithTimeout(ctx, commandMax)
	defer cancel()
	node := fmt.Sprintf("node%d", turn%o.nodes+1)
	r := fmt.Sprintf("r%d", o.resources-1-turn%(o.resources/2))
	var args []string
	switch turn % 8 {
	case 0, 4:
		args = []string{"node", "attribute", node, "set", "soak", fmt.Sprint(turn)}
	case 1:
		args = []string{"configure", "set", r + ".monitor.interval", "30s"}
	case 2:
		args = []string{"configure", "undo", "--yes"}
	case 3:
		args = []string{"resource", "move", r, node, "--yes"}
	case 5:
		args = []string{"resource", "clear", fmt.Sprintf("r%d", o.resources-1-(turn-2)%(o.resources/2))}
	case 6:
		args = []string{"resource", "restart", r, "--yes"}
	default:
		args = []string{"status"}
	}
	_, err := c.Run(ctx, node, args...)
	return err
}

// judge writes the table, and lists what grows.
func judge(o options, panels []Panel, deeds int) (string, []string, error) {
	var b strings.Builder
	var grows []string
	fmt.Fprintf(&b, "%d nodes, %d resources, %d deeds of an operator, %d samples over %v\n\n", o.nodes, o.resources, deeds,
		len(panels[0].Series[0].At), panels[0].Series[0].At[len(panels[0].Series[0].At)-1].Round(time.Second))
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "figure\tnode\tmedian\tmost\ttrend\tflat")
	for i, f := range figures {
		series := panels[i].Series
		if f.whole {
			series = append(slices.Clone(series), sum(series))
		}
		for j, s := range series {
			v, err := f.rule.Judge(s)
			if err != nil {
				return "", nil, err
			}
			said := "yes"
			switch {
			case f.whole && j < len(panels[i].Series):
				v.Flat, said = true, "see all"
			case f.most > 0:
				v.Flat, said = v.Most <= f.most, fmt.Sprintf("below %g", f.most)
			}
			if !v.Flat {
				said = "NO"
				grows = append(grows, fmt.Sprintf("%s of %s", f.title, s.Name))
			}
			fmt.Fprintf(w, "%s\t%s\t%.1f\t%.1f\t%+.1f\t%s\n", f.title, s.Name, v.Median, v.Most, v.Trend, said)
		}
	}
	err := w.Flush()
	fmt.Fprintf(&b, "\nThe first quarter is not judged. The trend is the median of all slopes between two samples, times the judged time. Flat is what adds at most\n"+
		"10 %% of the median or 3 MiB (memory), 1 %% or 4 (handles of all daemons: those of a resource go with it), 20 %% or 3 (threads);\n"+
		"files are bounded by %d MiB.\n", 128)
	return b.String(), grows, err
}
