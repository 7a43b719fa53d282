// Command paceline is the command line of a paceline cluster: see package ctl.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"paceline/ctl"
)

// version is set by the linker (-X main.version=...).
var version = "devel"

func main() {
	ctl.Version = version
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGHUP)
	status := ctl.Run(ctx, os.Args, ctl.Standard())
	stop()
	os.Exit(status)
}
