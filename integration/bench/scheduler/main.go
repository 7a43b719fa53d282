// Command scheduler measures how long planning takes, for clusters of growing size: whole runs of paceline simulate, the
// plan alone, and crm_simulate for the same file in the same run, where it is installed. It prints a table, and puts it
// into a Markdown document in the place of the one that is there.
//
// Usage: scheduler -bin DIR [-limit 20s] [-largest N] [-only WORDS] [-keep DIR] [-out FILE]. It measures processes one after the
// other, by their processor time and peak memory, so that other work on the machine disturbs little.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	bin := flag.String("bin", "bin", "directory with paceline")
	limit := flag.Duration("limit", 20*time.Second, "processor time after which crm_simulate is ended; it is not asked for larger clusters then")
	only := flag.String("only", "", "measure only these rows: words such as `1000x16,steady`, all of which fit")
	largest := flag.Int("largest", coldMax, "measure only clusters of up to so many pairs of a resource and a node")
	keep := flag.String("keep", "", "directory in which the clusters' files are left behind")
	out := flag.String("out", "docs/performance.md", "document for the table")
	self := flag.String("worker", "", "for the program itself: build FILE, or plan FILE")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	var err error
	if *self != "" {
		err = work(*self, flag.Args())
	} else {
		err = measure(ctx, &bench{paceline: filepath.Join(*bin, "paceline"), limit: *limit, largest: *largest, only: *only}, *keep, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// measure runs the whole benchmark.
func measure(ctx context.Context, b *bench, keep, out string) (err error) {
	b.dir, b.keep = keep, keep != ""
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "paceline-bench-scheduler-"); err != nil {
			return fmt.Errorf("make a folder for the clusters' files: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	}
	if err := b.all(ctx); err != nil {
		return err
	}
	return b.write(out)
}
