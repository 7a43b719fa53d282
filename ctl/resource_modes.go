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

// lifetime reads how long something is to last: an ISO 8601 duration ("PT5M", "P1D"), a duration ("2h"), or a date and
// time at which it ends.
func lifetime(text string, now time.Time) (time.Duration, bool) {
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, true
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(form, text, time.Local); err == nil && t.After(now) {
			return t.Sub(now), true
		}
	}
	return isoDuration(text)
}

// isoDuration reads a duration of weeks, days, hours, minutes and seconds; months and years have no fixed length.
func isoDuration(text string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(strings.ToUpper(text), "P")
	if !ok || rest == "" {
		return 0, false
	}
	units := map[byte]time.Duration{'W': 7 * 24 * time.Hour, 'D': 24 * time.Hour}
	var total time.Duration
	digits := ""
	for i := range len(rest) {
		switch c := rest[i]; {
		case c >= '0' && c <= '9':
			digits += string(c)
		case c == 'T' && digits == "":
			units = map[byte]time.Duration{'H': time.Hour, 'M': time.Minute, 'S': time.Second}
		default:
			n, err := strconv.Atoi(digits)
			if err != nil || units[c] == 0 || n > int(1<<62/units[c]) {
				return 0, false
			}
			total += time.Duration(n) * units[c]
			digits = ""
		}
	}
	return total, digits == "" && total > 0
}

// whereTo is what stands behind the resource of a move or a ban: [NODE] [LIFETIME] [force].
type whereTo struct {
	node  string
	until time.Duration
	force bool
}

// whereTo reads it. A word that is the name of no node and reads as a time is a lifetime.
func (in *invocation) whereTo() (whereTo, error) {
	w := whereTo{until: in.c.Duration("until")}
	for _, word := range in.args[1:] {
		d, timed := lifetime(word, time.Now())
		switch {
		case word == "force" && !w.force:
			w.force = true
		case timed && w.until == 0:
			w.until = d
		case w.node == "" && !timed:
			w.node = word
		default:
			e := usagef("%q is neither a node nor a time", word)
			e.hint = "times are PT5M, P1D, 2h or \"2031-03-04 18:00\""
			return w, e
		}
	}
	return w, nil
}

func runBan(in *invocation) error {
	w, err := in.whereTo()
	if err != nil {
		return err
	}
	id := in.arg(0)
	return in.confirmed(func(yes bool) error {
		req := in.resourceRequest(yes || w.force)
		req.Node, req.Until = w.node, api.Duration(w.until)
		r, err := in.api.Resource(in.ctx, id, "ban", req)
		if err != nil {
			return err
		}
		return in.changed(r, id+": banned")
	})
}

// runMaintenance puts a resource into maintenance, or takes it out.
func runMaintenance(in *invocation) error {
	id, off, err := in.arg(0), false, error(nil)
	if len(in.args) > 1 {
		if off, err = isOff(in.arg(1)); err != nil {
			return err
		}
	}
	return in.maintain(id, off)
}

func isOff(word string) (bool, error) {
	on, err := cib.ParseBool(word)
	if err != nil {
		e := usagef("%q is neither on nor off", word)
		e.hint = "on (the default) leaves it alone, off ends that"
		return false, e
	}
	return !on, nil
}

func (in *invocation) maintain(id string, off bool) error {
	return in.confirmed(func(yes bool) error {
		req := in.resourceRequest(yes)
		req.Off = off
		r, err := in.api.Resource(in.ctx, id, "maintenance", req)
		if err != nil {
			return err
		}
		word := "on"
		if off {
			word = "off"
		}
		return in.changed(r, id+": maintenance "+word)
	})
}

// runMaintenanceAll is the level of that name in older shells: of a resource, or of the whole cluster.
func runMaintenanceAll(word string) func(*invocation) error {
	return func(in *invocation) error {
		if len(in.args) > 0 {
			return in.maintain(in.arg(0), word == "off")
		}
		set := &cib.SetOption{Name: "maintenance-mode"}
		if on := "true"; word == "on" {
			set.Value = &on
		}
		return in.confirmed(func(yes bool) error {
			r, err := in.api.Change(in.ctx, api.ChangeRequest{
				Change: &cib.Change{SetOption: set}, Message: orDefault(in.c.String("message"), "maintenance "+word),
				DryRun: in.c.Bool("dry-run"), Yes: yes, Wait: api.Duration(in.c.Duration("wait")),
			})
			if err != nil {
				return err
			}
			return in.changed(r, "cluster: maintenance "+word)
		})
	}
}

func orDefault(text, def string) string {
	if text == "" {
		return def
	}
	return text
}

func runRefresh(in *invocation) error {
	r, err := in.api.Refresh(in.ctx, api.CleanupRequest{
		Resource: in.arg(0), Node: in.arg(1), DryRun: in.c.Bool("dry-run"), Wait: api.Duration(in.c.Duration("wait")),
	})
	if err != nil {
		return err
	}
	return in.changed(r, "")
}

// runConstraints lists the constraints that name a resource, or something it is part of.
func runConstraints(in *invocation) error {
	conf, err := in.api.Configuration(in.ctx, 0)
	if err != nil {
		return err
	}
	ids, err := around(conf.Configuration, in.arg(0))
	if err != nil {
		return err
	}
	only := &cib.Configuration{}
	for _, k := range conf.Configuration.Constraints {
		if slices.ContainsFunc(namedBy(k), func(id string) bool { return slices.Contains(ids, id) }) {
			only.Constraints = append(only.Constraints, k)
		}
	}
	if in.json() {
		list := only.Constraints
		if list == nil {
			list = []*cib.Constraint{}
		}
		return in.writeJSON(struct {
			Schema      int               `json:"schema"`
			Resource    string            `json:"resource"`
			Constraints []*cib.Constraint `json:"constraints"`
		}{api.Schema, in.arg(0), list})
	}
	if len(only.Constraints) == 0 {
		in.printf("no constraint names %s\n", in.arg(0))
		return nil
	}
	return printCRM(in.Out, only)
}

// around returns a resource's ID and those of all it is part of.
func around(c *cib.Configuration, id string) ([]string, error) {
	parent := map[string]string{}
	for r, p := range c.Walk() {
		parent[r.ID] = ""
		if p != nil {
			parent[r.ID] = p.ID
		}
	}
	if _, ok := parent[id]; !ok {
		return nil, noResource(id, parent)
	}
	var out []string
	for id != "" {
		out = append(out, id)
		id = parent[id]
	}
	return out, nil
}

func noResource[T any](id string, known map[string]T) error {
	var ids []string
	for k := range known {
		ids = append(ids, k)
	}
	slices.Sort(ids)
	e := api.Errorf(api.CodeNotFound, "find "+id, "there is no resource %q", id)
	if near := cib.Near(id, ids); near != "" {
		return e.WithHint("did you mean %s?", near)
	}
	return e.WithHint("`paceline resource list` lists them")
}

// namedBy lists the resources that a constraint names.
func namedBy(k *cib.Constraint) []string {
	var ids []string
	var sets []cib.ResourceSet
	switch {
	case k.Location != nil:
		ids, sets = []string{k.Location.Resource}, k.Location.Sets
	case k.Colocation != nil:
		ids, sets = []string{k.Colocation.Resource, k.Colocation.With}, k.Colocation.Sets
	case k.Order != nil:
		ids, sets = []string{k.Order.First, k.Order.Then}, k.Order.Sets
	case k.Ticket != nil:
		ids, sets = []string{k.Ticket.Resource}, k.Ticket.Sets
	}
	for _, s := range sets {
		ids = append(ids, s.Resources...)
	}
	return ids
}

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

// runResourceList prints the resources of a status, and nothing else of it.
func runResourceList(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	list := st.Resources
	if len(in.args) > 0 {
		list = nil
		known := map[string]bool{}
		for _, id := range in.args {
			r := findResource(st.Resources, id)
			if r == nil {
				var collect func(rs []api.Resource)
				collect = func(rs []api.Resource) {
					for _, x := range rs {
						known[x.ID] = true
						collect(x.Children)
					}
				}
				collect(st.Resources)
				return noResource(id, known)
			}
			list = append(list, *r)
		}
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema    int            `json:"schema"`
			Stale     bool           `json:"stale"`
			Resources []api.Resource `json:"resources"`
		}{api.Schema, st.Stale, list})
	}
	in.staleness(st)
	newView(in.colour(), st).list(in.Out, list)
	return nil
}

// runTrace sets or takes away the parameter that lets an agent of the OCF class write down what it does.
func runTrace(on bool) func(*invocation) error {
	return func(in *invocation) error {
		id, op, interval, dir := in.arg(0), in.arg(1), "", ""
		for _, w := range in.args[min(2, len(in.args)):] {
			if strings.HasPrefix(w, "/") {
				dir = w
			} else {
				interval = w
			}
		}
		if strings.HasPrefix(op, "/") {
			op, dir = "", op
		}
		values := []api.ValueRequest{{Name: "trace_ra"}, {Name: "trace_dir"}}
		if one := "1"; on {
			values[0].Value = &one
			values = values[:1]
			if dir != "" {
				values = append(values, api.ValueRequest{Name: "trace_dir", Value: &dir})
			}
		}
		return in.confirmed(func(yes bool) error { return in.trace(id, op, interval, values, yes) })
	}
}

// trace sets the values; where that would restart the resource, it takes a word of confirmation.
func (in *invocation) trace(id, op, interval string, values []api.ValueRequest, yes bool) error {
	for _, v := range values {
		v.Section, v.Operation, v.Interval = api.SectionParam, op, interval
		v.Message, v.DryRun, v.Yes, v.Wait = in.c.String("message"), in.c.Bool("dry-run"), yes, api.Duration(in.c.Duration("wait"))
		if !yes && !v.DryRun {
			dry := v
			dry.DryRun = true
			r, err := in.api.ResourceValue(in.ctx, id, dry)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(r.Actions, func(a api.Action) bool { return a.Operation == "stop" }) {
				return api.Errorf(api.CodeConfirm, "trace "+id, "%s would be restarted for it", id).
					WithHint("`paceline resource trace %s monitor` traces its monitor without that; --yes goes on", id)
			}
		}
		r, err := in.api.ResourceValue(in.ctx, id, v)
		if err != nil {
			return err
		}
		done := ""
		if v.Value == nil {
			if len(r.Changes) > 0 {
				done = id + ": not traced any more"
			}
			r.Notes = nil
		} else if v.Name == "trace_ra" {
			done = id + ": traced, by agents that can; the files are in the agent's trace folder"
		}
		if err := in.changed(r, done); err != nil {
			return err
		}
	}
	return nil
}
