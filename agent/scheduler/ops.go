package scheduler

import (
	"strconv"
	"strings"

	"paceline/agent/cib"
)

// Names of operations, in the words of resource agents.
const (
	taskMonitor     = "monitor"
	taskStart       = "start"
	taskStop        = "stop"
	taskPromote     = "promote"
	taskDemote      = "demote"
	taskNotify      = "notify"
	taskMigrateTo   = "migrate_to"
	taskMigrateFrom = "migrate_from"
	taskReload      = "reload-agent"
	taskCancel      = "cancel"
	taskClear       = "clear_failcount"
	taskDelete      = "delete"

	// Pseudo operations of collections: the moments when the first begins and the last has ended.
	taskRunning  = "running"
	taskStopped  = "stopped"
	taskPromoted = "promoted"
	taskDemoted  = "demoted"
)

// op returns the configured operation of that name and interval, or nil. A disabled one is not returned.
func (r *rsc) op(name string, interval int64) *cib.Op {
	for _, op := range r.ops {
		if op.Name == name && opInterval(op) == interval && opEnabled(op) {
			return op
		}
	}
	return nil
}

func opEnabled(op *cib.Op) bool {
	if op.Enabled == "" {
		return true
	}
	b, err := cib.ParseBool(op.Enabled)
	return err != nil || b
}

// opMeta returns the meta values of an operation: what its element says, its meta attributes, and the defaults.
func (w *world) opMeta(r *rsc, task string, interval int64) map[string]string {
	op := r.anyOp(task, interval)
	out := map[string]string{}
	if op == nil && task == taskReload {
		op = r.op("reload-agent", interval)
	}
	probe := task == taskMonitor && interval == 0
	if op != nil {
		for _, f := range []struct{ name, value string }{
			{"timeout", op.Timeout}, {"on-fail", op.OnFail}, {"role", op.Role}, {"start-delay", op.StartDelay},
			{"interval-origin", op.IntervalOrigin}, {"record-pending", op.RecordPending}, {"requires", op.Requires},
			{"enabled", op.Enabled},
		} {
			if f.value != "" {
				out[f.name] = f.value
			}
		}
		for _, a := range op.Extra {
			if _, have := out[a.Name]; !have {
				out[a.Name] = a.Value
			}
		}
		w.valuesInto(out, op.Meta, scope{agent: &r.agent, op: &opScope{task, interval}})
	} else if probe {
		if m := w.shortestMonitor(r); m != nil {
			if m.Timeout != "" {
				out["timeout"] = m.Timeout
			} else if v, ok := w.values(m.Meta, scope{})["timeout"]; ok {
				out["timeout"] = v
			}
		}
	}
	w.valuesInto(out, w.cib.Configuration.OpDefaults, scope{agent: &r.agent, op: &opScope{task, interval}})
	return out
}

// shortestMonitor is the recurring monitor whose time-out a probe takes when none is configured for it.
func (w *world) shortestMonitor(r *rsc) *cib.Op {
	var best *cib.Op
	for _, op := range r.ops {
		if op.Name != taskMonitor || !opEnabled(op) || opInterval(op) == 0 {
			continue
		}
		if best == nil || opInterval(op) < opInterval(best) {
			best = op
		}
	}
	return best
}

func (w *world) opValue(r *rsc, task string, interval int64, name string) string {
	return w.opMeta(r, task, interval)[name]
}

// timeoutOf returns an operation's time-out in milliseconds.
func (w *world) timeoutOf(meta map[string]string) int64 {
	if v, ok := meta["timeout"]; ok {
		ms, err := cib.ParseMilliseconds(v)
		if err == nil && ms > 0 {
			return ms
		}
	}
	return defaultTimeoutMS
}

// paramsOn returns the instance attributes that hold on a node.
func (w *world) paramsOn(r *rsc, n *node) map[string]string {
	out := map[string]string{}
	if len(r.params) > 0 {
		// r.params is in order of precedence; each part was ordered by score before.
		for i := range r.params {
			w.valuesInto(out, r.params[i:i+1], scope{node: n, agent: &r.agent})
		}
	}
	return out
}

// digestParams are the parameters that an operation's digest covers.
func (w *world) digestParams(r *rsc, n *node, task string, interval int64) map[string]string {
	p := w.paramsOn(r, n)
	if op := r.op(task, interval); op != nil {
		w.valuesInto(p, op.Params, scope{node: n, agent: &r.agent})
	}
	for k := range p {
		if strings.HasPrefix(k, "CRM_meta_") {
			delete(p, k)
		}
	}
	if h := containerHost(r, task); h != nil && p["addr"] == hostAddress {
		p["addr"] = h.name
	}
	if interval > 0 {
		p["CRM_meta_timeout"] = strconv.FormatInt(w.timeoutOf(w.opMeta(r, task, interval)), 10)
	}
	return p
}
