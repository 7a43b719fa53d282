package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
		"end; milliseconds; %d times each. After a change the daemon plans anew first. The aim is 200.\n", statusNodes, statusResources, statusNodes*statusResources, b.runs)
	b.printf("\n| command | min | median | p99 | max |\n| --- | ---: | ---: | ---: | ---: |\n")
	for _, m := range []struct {
		name    string
		args    []string
		changed bool
	}{
		{"`status`", []string{"status"}, false},
		{"`status` after a change", []string{"status"}, true},
		{"`status --json`", []string{"status", "--json"}, false},
	} {
		var took sample
		for i := range b.runs {
			if m.changed {
				value := strconv.Itoa(i)
				cluster.Do(func(c *apitest.Cluster) {
					c.Change(cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: "node001", Name: "rack", Value: &value}})
				})
			}
			cmd := exec.CommandContext(ctx, filepath.Join(b.bin, "paceline"), m.args...)
			cmd.Env = append(os.Environ(), "PACELINE_SOCKET="+socket)
			begin := time.Now()
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("paceline %s: %w: %s", strings.Join(m.args, " "), err, out)
			}
			took = append(took, time.Since(begin))
		}
		b.printf("| %s | %s |\n", m.name, took.row())
	}
	return nil
}

// largeCluster serves a large cluster at rest on a socket.
func largeCluster() (socket string, cluster *apitest.Cluster, stop func(), err error) {
	var names []string
	for i := range statusNodes {
		names = append(names, fmt.Sprintf("node%03d", i))
	}
	cluster = apitest.New(names...)
	conf := cluster.Snap.CIB.Configuration
	for i := range statusResources {
		id := fmt.Sprintf("rsc%04d", i)
		conf.Resources = append(conf.Resources, &cib.Resource{
			ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"},
			Operations: cib.Operations{Ops: []*cib.Op{{ID: id + "-monitor", Name: "monitor", Interval: "10s", Timeout: "20s"}}},
		})
	}
	no := "false"
	cluster.Change(cib.Change{Configure: &cib.Configure{Configuration: conf}})
	cluster.Change(cib.Change{SetOption: &cib.SetOption{Name: "fencing-enabled", Value: &no}})
	for n, ns := range cluster.Snap.CIB.Status.Nodes {
		for i, r := range conf.Resources {
			ns.Resources = append(ns.Resources, records(r, i%statusNodes == n))
		}
	}
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

// records is what a node has recorded of a resource: that it was started and is monitored, or that a probe did not find it.
func records(r *cib.Resource, here bool) *cib.ResourceHistory {
	record := func(id, op, interval, rc string, call int) *cib.OpRecord {
		key := fmt.Sprintf("%d:1:%s:00000000-0000-0000-0000-000000000000", call, rc)
		params := map[string]string{} // of a recurring operation the time-out is one, as Pacemaker has it
		if interval != "0" {
			params["CRM_meta_timeout"] = "20000"
		}
		return &cib.OpRecord{
			ID: r.ID + id, Key: r.ID + "_" + op + "_" + interval, Operation: op, IntervalMS: interval, CallID: strconv.Itoa(call), RC: rc, OpStatus: "0",
			TransitionKey: key, TransitionMagic: "0:" + rc + ";" + key, LastRCChange: "1700000000", ExecTime: "10", OpDigest: cib.ParametersDigest(params),
		}
	}
	h := &cib.ResourceHistory{ID: r.ID, Agent: r.Agent}
	if !here {
		h.Ops = []*cib.OpRecord{record("_last_0", "monitor", "0", "7", 1)}
		return h
	}
	h.Ops = []*cib.OpRecord{record("_last_0", "start", "0", "0", 2), record("_monitor_10000", "monitor", "10000", "0", 3)}
	return h
}
