// Command pacelined is paceline's daemon: one runs on every node. Under another name - a link in an OCF folder, for
// example /usr/lib/ocf/resource.d/paceline/vip - it is that native resource agent as an OCF executable, and as crm_attribute,
// crm_master, attrd_updater, crm_node or crm_resource it is that tool, for the agents that call it.
//
// Signals: SIGTERM and SIGINT leave the cluster in good order, which moves the node's resources away first; SIGHUP ends the
// daemon with status 75 and leaves its resources running, for upgrades and restarts: it tells the others to wait for it, and the
// shipped unit starts it anew. A second signal ends it at once.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/coreos/go-systemd/v22/daemon"

	"paceline/agent"
	"paceline/agent/ocftools"
	"paceline/resources/builtin"
)

// version is set by the linker (-X main.version=...).
var version = "devel"

// exitRestart is EX_TEMPFAIL of sysexits.h: the service manager is to start the daemon again.
const exitRestart = 75

func main() {
	if name := filepath.Base(os.Args[0]); builtin.IsAgent(name) {
		os.Exit(builtin.OCFMain(append([]string{name}, os.Args[1:]...), os.Environ()))
	} else if slices.Contains(ocftools.Names(), name) {
		os.Exit(ocftools.Main(name, os.Args[1:]))
	}
	os.Exit(run())
}

func run() int {
	var opt agent.Options
	flag.StringVar(&opt.ConfigDir, "config-dir", agent.ConfigDir, "folder of paceline.json and the cluster key")
	flag.StringVar(&opt.DataDir, "data-dir", agent.DataDir, "folder of the cluster's state and the journal; must survive a power cut")
	flag.StringVar(&opt.RunDir, "run-dir", agent.RunDir, "folder of the control socket; must be emptied by a reboot")
	logLevel := flag.String("log-level", "info", "debug, info, warn or error")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: pacelined [flags]\n\nThe daemon of a paceline cluster node. It is administered with paceline(8).\n\n")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() > 0 {
		fmt.Fprintf(os.Stderr, "error: pacelined takes no arguments, got %q\nhint: paceline --help lists the commands\n", flag.Args())
		return 2
	}
	if *showVersion {
		fmt.Println("pacelined", version)
		return 0
	}
	var level slog.Level
	if err := level.UnmarshalText([]byte(*logLevel)); err != nil {
		fmt.Fprintf(os.Stderr, "error: --log-level %q: debug, info, warn or error\n", *logLevel)
		return 2
	}
	opt.Version = version
	opt.Program, _ = os.Executable() // without one there are no tools for agents, and the daemon says so
	opt.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	opt.Ready = func() { daemon.SdNotify(false, daemon.SdNotifyReady) } // nobody listening is no error

	// Little garbage is made, and a pause at a bad moment costs a failover its speed: the heap may grow to twice what lives,
	// and the limit keeps a leak from taking the node down with it.
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(512 << 20)
	}

	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	leave, anew := make(chan struct{}), make(chan struct{})
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	var restart atomic.Bool
	go func() {
		first := <-signals
		restart.Store(first == syscall.SIGHUP)
		if first == syscall.SIGHUP {
			opt.Logger.Info("the daemon ends to start anew, and leaves its resources running", "signal", first)
			close(anew)
		} else {
			daemon.SdNotify(false, daemon.SdNotifyStopping)
			close(leave)
		}
		for s := range signals {
			opt.Logger.Warn("asked a second time: the daemon ends now and leaves its resources running", "signal", s)
			restart.Store(s == syscall.SIGHUP)
			cancel()
		}
	}()
	if err := agent.Run(ctx, opt, leave, anew); err != nil {
		opt.Logger.Error("pacelined can not go on", "err", err)
		fmt.Fprintf(os.Stderr, "error: %v\n", err)
		return 1
	}
	if restart.Load() {
		return exitRestart
	}
	return 0
}
