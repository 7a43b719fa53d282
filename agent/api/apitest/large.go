package apitest

import (
	"fmt"
	"strconv"

	"paceline/agent/cib"
)

// Large returns a cluster of many nodes and running primitives, each with a record of every node, at rest by the real
// scheduler. It is for measurements.
func Large(nodes, resources int) *Cluster {
	var names []string
	for i := range nodes {
		names = append(names, fmt.Sprintf("node%03d", i))
	}
	c := New(names...)
	conf := c.Snap.CIB.Configuration
	for i := range resources {
		id := fmt.Sprintf("rsc%04d", i)
		conf.Resources = append(conf.Resources, &cib.Resource{
			ID: id, Kind: cib.KindPrimitive, Agent: cib.Agent{Class: "ocf", Provider: "heartbeat", Type: "Dummy"},
			Operations: cib.Operations{Ops: []*cib.Op{{ID: id + "-monitor", Name: "monitor", Interval: "10s", Timeout: "20s"}}},
		})
	}
	no := "false"
	c.Change(cib.Change{Configure: &cib.Configure{Configuration: conf}})
	c.Change(cib.Change{SetOption: &cib.SetOption{Name: "fencing-enabled", Value: &no}})
	for n, ns := range c.Snap.CIB.Status.Nodes {
		for i, r := range conf.Resources {
			ns.Resources = append(ns.Resources, recorded(r, i%nodes == n))
		}
	}
	return c
}

// recorded is what a node has recorded of a resource: that it was started and is monitored, or that a probe did not find it.
func recorded(r *cib.Resource, here bool) *cib.ResourceHistory {
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
