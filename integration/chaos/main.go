// Command chaos runs a cluster of real daemons, real agents and a real power switch in the lab, lets drawn faults happen to it,
// mends them, and judges after every round what truly happened: by the truth journals, the power switch's log, the kernel's
// locks, the processes and the committed writes. It ends with a report as text and HTML, and with exit status 1 if a promise did
// not hold.
//
// Usage: chaos -bin DIR [-minutes 30] [-seed N] [-first N] [-rounds N] [-scale 1] [-nodes 5] [-out DIR] [-previous REVISION] [-plan]. It needs
// root. The seed fixes which faults are drawn; when exactly they meet the cluster hangs on the machine.
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
	"syscall"
	"time"

	"paceline/integration/lab"
)

func main() {
	lab.Main()
	lab.Enter()
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "directory with pacelined, paceline and fence_lab")
	minutes := flag.Float64("minutes", 30, "how long")
	flag.Uint64Var(&o.seed, "seed", 0, "of the drawing; 0: by the clock")
	flag.IntVar(&o.first, "first", 0, "number of the first round")
	flag.IntVar(&o.rounds, "rounds", 0, "how many rounds, instead of a time")
	flag.Float64Var(&o.scale, "scale", 1, "stretches the faults' times")
	flag.IntVar(&o.nodes, "nodes", 5, "nodes")
	flag.StringVar(&o.name, "name", "chaos", "of the lab")
	flag.BoolVar(&o.keep, "keep", true, "leave the last run's logs and journals behind")
	out := flag.String("out", "bin/chaos-report", "directory for the report")
	revision := flag.String("previous", "", "revision of the source for rolling upgrades; by default the last tag, or "+previousDefault)
	show := flag.Bool("plan", false, "print the plan of the seed and do nothing")
	flag.Parse()
	o.most = time.Duration(*minutes * float64(time.Minute))
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000
	}
	if *show {
		fmt.Print(plan(o))
		return
	}
	if err := lab.Usable(); err != nil {
		fmt.Fprintln(os.Stderr, "error: no chaos is to be had:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := chaos(ctx, o, *revision, *out); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func chaos(ctx context.Context, o options, revision, out string) error {
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	log, err := os.Create(filepath.Join(out, "log.txt"))
	if err != nil {
		return err
	}
	defer log.Close()
	o.previous, err = buildPrevious(ctx, revision, filepath.Join(o.bin, "previous"))
	if err != nil {
		o.noPrevious = "no older build: " + err.Error()
	}
	r := newRun(o, io.MultiWriter(os.Stdout, log), log)
	r.say("seed %d, %d nodes; %s", o.seed, o.nodes, upgrades(o))
	err = r.all(ctx)
	if errors.Is(err, context.Canceled) {
		r.say("ended before its time")
		err = nil
	}
	return errors.Join(err, writeReport(r, out, err))
}

func upgrades(o options) string {
	if o.previous == "" {
		return o.noPrevious
	}
	return "rolling upgrades from " + o.previous
}
