package api

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
)

// failure is a Failure with the name of the instance it happened to.
type failure struct {
	Failure
	instance string
	call     int
	absent   bool // a probe found no agent
}

// failures lists what failed and is neither cleaned up nor expired, in the order of nodes and histories; of several
// records of one operation the newest.
func failures(c *cib.CIB) []failure {
	var out []failure
	var somewhere map[string]bool // asked for only where something failed
	for _, ns := range c.Status.Nodes {
		var counts map[string]string
		for _, h := range ns.Resources {
			var newest map[string]int
			for _, op := range h.Ops {
				f, ok := failed(op)
				if !ok {
					continue
				}
				if f.absent && somewhere == nil {
					somewhere = installedSomewhere(c)
				}
				if f.absent && somewhere[h.ID] {
					continue
				}
				if counts == nil {
					counts = failCounts(ns)
				}
				if newest == nil {
					newest = map[string]int{}
				}
				f.Resource, f.Node, f.instance = baseID(h.ID), ns.Uname, h.ID
				f.Count = counts[h.ID]
				if f.Count == "" {
					f.Count = counts[f.Resource]
				}
				key := f.Operation + " " + strconv.FormatInt(f.IntervalMS, 10)
				if i, seen := newest[key]; seen {
					if f.call > out[i].call {
						out[i] = f
					}
					continue
				}
				newest[key] = len(out)
				out = append(out, f)
			}
		}
	}
	return out
}

// installedSomewhere tells of which resources some node has the agent: that others have not is no failure, it just cannot
// run there. An agent that nobody has is a mistake that people have to hear of.
func installedSomewhere(c *cib.CIB) map[string]bool {
	found := map[string]bool{}
	for _, ns := range c.Status.Nodes {
		for _, h := range ns.Resources {
			for _, op := range h.Ops {
				if f, ok := failed(op); (!ok || !f.absent) && op.OpStatus != "-1" {
					found[h.ID] = true
				}
			}
		}
	}
	return found
}

// failed says whether a record is a failure, and describes it.
func failed(op *cib.OpRecord) (failure, bool) {
	var f failure
	rc, err := strconv.Atoi(op.RC)
	if err != nil {
		return f, false
	}
	status, err := strconv.Atoi(cmp.Or(op.OpStatus, "0"))
	if err != nil || status == cib.OpPending || status == cib.OpCancelled {
		return f, false
	}
	interval, _ := strconv.ParseInt(op.IntervalMS, 10, 64) // no interval: a one-off operation
	probe := op.Operation == "monitor" && interval == 0
	if probe && status <= cib.OpDone && (rc == 0 || rc == 7 || rc == 8) && !strings.HasSuffix(op.ID, "_last_failure_0") {
		return f, false // a probe tells what is; nothing of it is a failure, unless an event had told of one
	}
	target := targetRC(op)
	switch {
	case status == cib.OpDone && rc == target:
		return f, false
	case probe && (rc == 5 || status == cib.OpNotInstalled):
		f.absent = true
	case status == cib.OpDone && (rc == 190 || rc == 191):
		return f, false // degraded, and running
	case status == cib.OpDone && target < 0 && (rc == 0 || rc == 8):
		return f, false
	}
	f.call, _ = strconv.Atoi(op.CallID) // none: older than all that have one
	f.Operation, f.IntervalMS, f.RC, f.RCText = op.Operation, interval, rc, RCText(rc)
	f.Status, f.Reason = statusText(status), op.ExitReason
	if t, err := strconv.ParseInt(op.LastRCChange, 10, 64); err == nil && t > 0 {
		f.When = time.Unix(t, 0)
	}
	return f, true
}

// targetRC reads the expected exit code from a transition key ("action:graph:target:uuid"); -1 if there is none.
func targetRC(op *cib.OpRecord) int {
	_, rest, _ := strings.Cut(op.TransitionKey, ":")
	_, rest, _ = strings.Cut(rest, ":")
	code, _, whole := strings.Cut(rest, ":")
	if rc, err := strconv.Atoi(code); err == nil && whole {
		return rc
	}
	return -1
}

var rcTexts = map[int]string{
	0: "ok", 1: "error", 2: "invalid parameter", 3: "unimplemented feature", 4: "insufficient privileges", 5: "not installed",
	6: "not configured", 7: "not running", 8: "promoted", 9: "promoted (failed)", 190: "degraded", 191: "promoted (degraded)",
	193: "unknown",
}

// RCText puts an exit status of an agent into words.
func RCText(rc int) string {
	if t, ok := rcTexts[rc]; ok {
		return t
	}
	return "exit code " + strconv.Itoa(rc)
}

var statusTexts = map[int]string{
	cib.OpDone: "complete", cib.OpTimeout: "timed out", cib.OpNotSupported: "not supported", cib.OpError: "error",
	cib.OpErrorHard: "error (no retry on this node)", cib.OpErrorFatal: "error (no retry anywhere)",
	cib.OpNotInstalled: "not installed", cib.OpNotConnected: "not connected", cib.OpInvalid: "invalid",
}

func statusText(status int) string { return statusTexts[status] }

// failCounts sums the fail counts of a node by resource instance.
func failCounts(ns *cib.NodeState) map[string]string {
	sums := map[string]int{}
	for _, set := range ns.Attributes {
		for _, p := range set.Pairs {
			res, ok := failAttribute(p.Name)
			if !ok || !strings.HasPrefix(p.Name, "fail-count-") {
				continue
			}
			if n, err := cib.ParseScore(p.Value); err == nil {
				sums[res] = cib.AddScores(sums[res], n)
			}
		}
	}
	out := map[string]string{}
	for res, n := range sums {
		out[res] = cib.FormatScore(n)
	}
	return out
}

// failAttribute says whose failure a transient attribute records: "fail-count-web#monitor_10000" is of web.
func failAttribute(name string) (resource string, ok bool) {
	for _, prefix := range []string{"fail-count-", "last-failure-"} {
		if rest, found := strings.CutPrefix(name, prefix); found {
			resource, _, _ = strings.Cut(rest, "#")
			return resource, resource != ""
		}
	}
	return "", false
}

// transientNames lists the names of a node's transient attributes, sorted, each once.
func transientNames(ns *cib.NodeState) []string {
	var out []string
	for _, set := range ns.Attributes {
		for _, p := range set.Pairs {
			out = append(out, p.Name)
		}
	}
	slices.SortFunc(out, cmp.Compare[string])
	return slices.Compact(out)
}
