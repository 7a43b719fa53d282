package ctl

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
)

// operation is one record of the history of operations.
type operation struct {
	Resource   string    `json:"resource"` // the instance
	Node       string    `json:"node"`
	Operation  string    `json:"operation"`
	IntervalMS int64     `json:"interval_ms"`
	Call       string    `json:"call"`
	RC         string    `json:"rc"`
	Status     string    `json:"status"`
	Changed    time.Time `json:"changed,omitzero"` // when the result last changed
	ExecMS     string    `json:"exec_ms,omitempty"`
	QueueMS    string    `json:"queue_ms,omitempty"`
	Reason     string    `json:"reason,omitempty"`
}

// operationsOf lists what is known of operations, in the order of nodes and calls. Empty names mean all.
func operationsOf(c *cib.CIB, resources []string, node string) []operation {
	out := []operation{}
	for _, ns := range c.Status.Nodes {
		if node != "" && ns.Uname != node {
			continue
		}
		first := len(out)
		for _, h := range ns.Resources {
			base, _, _ := strings.Cut(h.ID, ":")
			if len(resources) > 0 && !slices.Contains(resources, h.ID) && !slices.Contains(resources, base) {
				continue
			}
			for _, op := range h.Ops {
				o := operation{
					Resource: h.ID, Node: ns.Uname, Operation: op.Operation, Call: op.CallID, RC: op.RC, Status: opStatus(op.OpStatus),
					ExecMS: op.ExecTime, QueueMS: op.QueueTime, Reason: op.ExitReason,
				}
				o.IntervalMS, _ = strconv.ParseInt(op.IntervalMS, 10, 64) // none: a one-off operation
				if t, err := strconv.ParseInt(op.LastRCChange, 10, 64); err == nil && t > 0 {
					o.Changed = time.Unix(t, 0).UTC()
				}
				out = append(out, o)
			}
		}
		slices.SortStableFunc(out[first:], func(a, b operation) int { return callNumber(a.Call) - callNumber(b.Call) })
	}
	return out
}

func callNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

var opStatusNames = map[string]string{
	"": "complete", "-1": "pending", "0": "complete", "1": "cancelled", "2": "timed out", "3": "not supported", "4": "error",
	"5": "error (no retry on this node)", "6": "error (no retry anywhere)", "7": "not installed", "8": "not connected", "9": "invalid",
}

func opStatus(number string) string {
	if name, ok := opStatusNames[number]; ok {
		return name
	}
	return "status " + number
}

func runOperations(in *invocation) error {
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	var wanted []string
	if id := in.arg(0); id != "" {
		if wanted = inside(&state.CIB.Configuration, id); len(wanted) == 0 {
			_, err := around(&state.CIB.Configuration, id)
			return err
		}
	}
	if node := in.arg(1); node != "" && state.CIB.NodeByName(node) == nil {
		return noNode(&state.CIB.Configuration, node)
	}
	list := operationsOf(state.CIB, wanted, in.arg(1))
	if in.json() {
		return in.writeJSON(struct {
			Schema     int         `json:"schema"`
			Operations []operation `json:"operations"`
		}{api.Schema, list})
	}
	return writeOperations(in.Out, list)
}

func writeOperations(out io.Writer, list []operation) error {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	io.WriteString(w, "RESOURCE\tNODE\tOPERATION\tCALL\tRESULT\tCHANGED\tEXEC\n")
	for _, o := range list {
		op := o.Operation
		if o.IntervalMS > 0 {
			op += " every " + (time.Duration(o.IntervalMS) * time.Millisecond).String()
		}
		result := o.Status
		if o.RC != "0" && o.Status == "complete" {
			result = "rc " + o.RC
			if rc, err := strconv.Atoi(o.RC); err == nil {
				result = api.RCText(rc)
			}
		}
		if o.Reason != "" {
			result += ": " + o.Reason
		}
		exec := "-"
		if o.ExecMS != "" {
			exec = o.ExecMS + "ms"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Resource, o.Node, op, o.Call, result, moment(o.Changed), exec)
	}
	return w.Flush()
}

// inside lists the primitives in a resource, itself included.
func inside(c *cib.Configuration, id string) []string {
	r := c.Resource(id)
	if r == nil {
		return nil
	}
	if r.Kind == cib.KindPrimitive {
		return []string{id}
	}
	var out []string
	for _, child := range r.Children {
		out = append(out, inside(c, child.ID)...)
	}
	return out
}

func noNode(c *cib.Configuration, name string) error {
	var names []string
	for _, n := range c.Nodes {
		names = append(names, n.Uname)
	}
	return api.Errorf(api.CodeNotFound, "find node "+name, "there is no node %q", name).WithHint("nodes are %s", strings.Join(names, ", "))
}

// failcount is one fail count that is not zero.
type failcount struct {
	Resource   string    `json:"resource"`
	Node       string    `json:"node"`
	Operation  string    `json:"operation,omitempty"`
	IntervalMS string    `json:"interval_ms,omitempty"`
	Count      string    `json:"count"`
	Last       time.Time `json:"last,omitzero"`
}

func failcountsOf(c *cib.CIB, resources []string, node string) []failcount {
	out := []failcount{}
	for _, ns := range c.Status.Nodes {
		if node != "" && ns.Uname != node {
			continue
		}
		last := map[string]time.Time{}
		for pass := range 2 {
			for _, set := range ns.Attributes {
				for _, p := range set.Pairs {
					if rest, ok := strings.CutPrefix(p.Name, "last-failure-"); ok && pass == 0 {
						if t, err := strconv.ParseInt(p.Value, 10, 64); err == nil {
							last[rest] = time.Unix(t, 0).UTC()
						}
					}
					rest, ok := strings.CutPrefix(p.Name, "fail-count-")
					if !ok || pass == 0 {
						continue
					}
					id, op, _ := strings.Cut(rest, "#")
					base, _, _ := strings.Cut(id, ":")
					if len(resources) > 0 && !slices.Contains(resources, id) && !slices.Contains(resources, base) {
						continue
					}
					f := failcount{Resource: id, Node: ns.Uname, Count: p.Value, Last: last[rest]}
					if at := strings.LastIndex(op, "_"); at >= 0 {
						f.Operation, f.IntervalMS = op[:at], op[at+1:]
					}
					out = append(out, f)
				}
			}
		}
	}
	return out
}

// runFailcount shows, sets or deletes fail counts: RESOURCE [show|set|delete] [NODE] [VALUE] [OPERATION] [INTERVAL].
func runFailcount(in *invocation) error {
	id, act := in.arg(0), orDefault(in.arg(1), "show")
	rest := in.args[min(2, len(in.args)):]
	at := func(i int) string {
		if i < len(rest) {
			return rest[i]
		}
		return ""
	}
	switch {
	case act == "show" && len(rest) <= 1:
		return in.showFailcount(id, at(0))
	case act == "delete" && len(rest) <= 3:
		return in.confirmed(func(yes bool) error {
			r, err := in.api.Failcount(in.ctx, id, api.FailcountRequest{
				Node: at(0), Operation: at(1), Interval: at(2), DryRun: in.c.Bool("dry-run"), Yes: yes, Wait: api.Duration(in.c.Duration("wait")),
			})
			if err != nil {
				return err
			}
			return in.changed(r, "")
		})
	case act == "set" && len(rest) >= 2 && len(rest) <= 4:
		return in.confirmed(func(yes bool) error {
			value := at(1)
			r, err := in.api.Failcount(in.ctx, id, api.FailcountRequest{
				Node: at(0), Value: &value, Operation: at(2), Interval: at(3), DryRun: in.c.Bool("dry-run"), Yes: yes,
				Wait: api.Duration(in.c.Duration("wait")),
			})
			if err != nil {
				return err
			}
			return in.changed(r, "")
		})
	}
	e := usagef("paceline resource failcount: %q cannot be read", strings.Join(in.args[1:], " "))
	e.hint = "failcount RESOURCE show [NODE] | set NODE VALUE [OPERATION [INTERVAL]] | delete [NODE [OPERATION]]"
	return e
}

func (in *invocation) showFailcount(id, node string) error {
	state, err := in.api.CIB(in.ctx)
	if err != nil {
		return err
	}
	base, _, _ := strings.Cut(id, ":")
	wanted := inside(&state.CIB.Configuration, base)
	if len(wanted) == 0 {
		_, err := around(&state.CIB.Configuration, id)
		return err
	}
	if node != "" && state.CIB.NodeByName(node) == nil {
		return noNode(&state.CIB.Configuration, node)
	}
	list := failcountsOf(state.CIB, wanted, node)
	if in.json() {
		return in.writeJSON(struct {
			Schema     int         `json:"schema"`
			Failcounts []failcount `json:"failcounts"`
		}{api.Schema, list})
	}
	if len(list) == 0 {
		where := ""
		if node != "" {
			where = " on " + node
		}
		in.printf("%s has not failed%s: fail count 0\n", id, where)
	}
	for _, f := range list {
		text := fmt.Sprintf("%s on %s: fail count %s", f.Resource, f.Node, f.Count)
		if f.Operation != "" {
			text += " (" + f.Operation
			if f.IntervalMS != "0" {
				text += ", interval " + f.IntervalMS + "ms"
			}
			text += ")"
		}
		if !f.Last.IsZero() {
			text += ", last " + moment(f.Last)
		}
		in.printf("%s\n", text)
	}
	return nil
}
