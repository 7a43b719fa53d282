package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// operations are what a person does meanwhile.
var operations = []string{"standby", "move", "unmanage", "maintenance", "change and undo", "restart", "stop and start", "fence", "cleanup", "ban", "wrong command", "node in maintenance"}

// command runs the command line on a node that can, and notes how long that took: one that hangs breaks a promise. What it
// refuses during a fault is no error of the test's, and is returned for the record.
func (r *run) command(ctx context.Context, input string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, commandMax)
	defer cancel()
	var last error
	for _, n := range r.c.Nodes() {
		if !n.On() || n.ServicePID(daemon) == 0 || r.isPaused(n.Name) || r.stopped(n.Name) {
			continue
		}
		began := time.Now()
		out, err := r.c.RunInput(ctx, n.Name, input, args...)
		took := time.Since(began)
		if !n.On() || r.isPaused(n.Name) || r.stopped(n.Name) {
			last = fmt.Errorf("%s was lost meanwhile", n.Name)
			continue
		}
		r.answered(args, took)
		if err == nil {
			return out, nil
		}
		last = err
		if ctx.Err() != nil {
			break
		}
	}
	return "", errors.Join(last, ctx.Err())
}

// operate does something as a person, and undoes it when the fault's time is over.
func (r *run) operate(ctx context.Context, f Fault, node string) (func(context.Context) error, string, error) {
	do := func(args ...string) (string, error) { return r.command(ctx, "", args...) }
	undo := func(args ...string) func(context.Context) error {
		return func(ctx context.Context) error { return r.undo(ctx, args) }
	}
	said := func(err error) string {
		if err == nil {
			return ""
		}
		first, _, _ := strings.Cut(err.Error(), "\n")
		return "refused: " + first
	}
	switch f.Way {
	case "standby":
		_, err := do("node", "standby", node, "--yes")
		return undo("node", "online", node), said(err), nil
	case "move":
		_, err := do("resource", "move", "web", node, "--yes")
		return undo("resource", "clear", "web"), said(err), nil
	case "ban":
		_, err := do("resource", "ban", "first", node, "--yes")
		return undo("resource", "clear", "first"), said(err), nil
	case "unmanage", "maintenance", "node in maintenance":
		args := map[string][2][]string{
			"unmanage":            {{"resource", "unmanage", "ledger"}, {"resource", "manage", "ledger"}},
			"maintenance":         {{"maintenance", "on"}, {"maintenance", "off"}},
			"node in maintenance": {{"node", "maintenance", node}, {"node", "ready", node}},
		}[f.Way]
		return r.handsOff(args[1]), said(r.takeHandsOff(ctx, args[0])), nil
	case "change and undo":
		r.writer.hold()
		defer r.writer.release()
		if _, err := do("configure", "set", "second.monitor.interval", "7s"); err != nil {
			return nil, said(err), nil
		}
		_, err := do("configure", "undo", "--yes")
		return nil, said(err), nil
	case "restart":
		_, err := do("resource", "restart", "second", "--yes")
		return nil, said(err), nil
	case "stop and start":
		_, err := do("resource", "stop", "archive", "--yes")
		return undo("resource", "start", "archive"), said(err), nil
	case "fence":
		_, err := do("node", "fence", node, "--yes")
		return r.booting([]string{node}), said(err), nil
	case "cleanup":
		_, err := do("resource", "cleanup")
		return nil, said(err), nil
	}
	if _, err := r.command(ctx, "primitive broken ocf:nobody:nothing\nlocation nowhere broken 10: nonode\n", "configure", "load", "update", "-"); err == nil {
		return nil, "", errors.New("a configuration that can not be was taken")
	}
	return nil, "", nil
}

// undo runs a command that takes something back. One that can not be just then is run again while rest is waited for.
func (r *run) undo(ctx context.Context, args []string) error {
	if _, err := r.command(ctx, "", args...); err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.again = append(r.again, args)
	}
	return nil
}
