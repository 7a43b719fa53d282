package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"paceline/agent/api"
	"paceline/agent/api/apitest"
	"paceline/agent/cib"
)

const (
	statusNodes     = 100
	statusResources = 1000
)

// status measures how long the status of a large cluster takes: from the start of the command's process, over the daemon's socket,
// to its end. The cluster is one in memory, with the real scheduler; everything runs.
func (b *bench) status(ctx context.Context) error {
	socket, cluster, stop, err := largeCluster()
	if err != nil {
		return err
	}
	defer stop()
	b.printf("\n## Status of a large cluster\n\n%d nodes and %d running resources, each with a record of every node (%d). From the start of the process to its\n"+
		"end; milliseconds; %d times each. After a change the plan is made anew first. The aim is 200. The processor time is that of both.\n", statusNodes, statusResources, statusNodes*statusResources, b.runs)
	b.printf("\n| command | min | median | p99 | max | processor, median |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	for _, m := range []struct {
		name    string
		args    []string
		changed bool
	}{
		{"`status`", []string{"status"}, false},
		{"`status` after a change", []string{"status"}, true},
		{"`status --json`", []string{"status", "--json"}, false},
	} {
		var took, used sample
		for i := range b.runs {
			if m.changed {
				value := strconv.Itoa(i)
				cluster.Do(func(c *apitest.Cluster) {
					c.Change(cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "node001", Name: "rack", Value: &value}})
				})
			}
			cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "paceline"), m.args...)
			cmd.Env = append(os.Environ(), "PACELINE_SOCKET="+socket)
			begin, before := time.Now(), processorTime()
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("paceline %s: %w: %s", strings.Join(m.args, " "), err, out)
			}
			took = append(took, time.Since(begin))
			used = append(used, processorTime()-before+cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())
		}
		b.printf("| %s | %s | %s |\n", m.name, took.row(), ms(used.at(0.5)))
	}
	return nil
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// largeCluster serves a large cluster at rest on a socket.
func largeCluster() (socket string, cluster *apitest.Cluster, stop func(), err error) {
	cluster = apitest.Large(statusNodes, statusResources)
	if left := api.PlanBySchedule(cluster.Snap.CIB, time.Now()).Actions; len(left) > 0 {
		return "", nil, nil, fmt.Errorf("the cluster is not at rest: %d actions are left, the first is %+v", len(left), left[0])
	}
	s := api.NewServer(api.Config{Backend: cluster, Plan: api.PlanBySchedule})
	dir, err := os.MkdirTemp("", "pl")
	if err != nil {
		return "", nil, nil, err
	}
	socket = filepath.Join(dir, "s")
	l, err := s.ListenUnix(socket)
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.ServeUnix(ctx, l) }()
	return socket, cluster, func() {
		cancel()
		<-done
		os.RemoveAll(dir)
	}, nil
}
