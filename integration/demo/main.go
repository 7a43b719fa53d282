// Command demo shows paceline at work: three nodes, a group of an address, a mount and a service, and a power cut of the
// node that runs them. It prints what happens as it happens, then a table of when, and exits with 0 only if nothing was
// lost: every write that the service acknowledged is there afterwards, nothing ran twice, every node is back.
//
// Usage: demo -bin DIR [-profile lan|fast]. It needs Linux and root, or an unprivileged user namespace.
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

	"paceline/integration/lab"
)

// demoMax bounds the demonstration: it takes some 15 seconds.
const demoMax = 60 * time.Second

func main() {
	if len(os.Args) > 2 && os.Args[1] == "shop" {
		if err := serveShop(os.Args[2]); err != nil {
			fmt.Fprintln(os.Stderr, "shop:", err)
			os.Exit(1)
		}
		return
	}
	lab.Main()
	lab.Enter()
	bin := flag.String("bin", "bin", "directory with pacelined, paceline, fence_lab and demo")
	profile := flag.String("profile", "lan", "time profile of the cluster: lan or fast")
	systemd := flag.Bool("systemd", lab.SystemdUsable() == nil, "nodes run systemd, and the service is a unit")
	keep := flag.Bool("keep", false, "leave logs and journals behind")
	flag.Parse()

	if err := lab.Usable(); err != nil {
		fmt.Fprintln(os.Stderr, "error: the demonstration cannot run:", err)
		os.Exit(1)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeoutCause(ctx, demoMax, errors.New("the demonstration took longer than "+demoMax.String()))
	defer cancel()

	dir, err := filepath.Abs(*bin)
	if err == nil {
		d := &demo{profile: *profile, bin: dir, systemd: *systemd, keep: *keep, began: time.Now()}
		err = d.run(ctx)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "\nerror:", err)
		os.Exit(1)
	}
}
