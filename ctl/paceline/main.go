// Command paceline is the command line of a paceline cluster: see package ctl.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"paceline/ctl"
)

// version is set by the linker (-X main.version=...).
var version = "devel"

// gcPercent lets a command's memory grow to five times what it holds before garbage is looked for: commands live for
// milliseconds, and plans for large clusters take half the processor time.
const gcPercent = 400

func main() {
	debug.SetGCPercent(gcPercent)
	ctl.Version = version
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	status := ctl.Run(ctx, os.Args, ctl.Standard())
	stop()
	os.Exit(status)
}
