package ctl

import (
	"slices"
	"strconv"
	"strings"
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
	in.dropForce()
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
