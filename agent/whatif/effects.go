package whatif

import (
	"slices"
	"sort"
	"strings"

	"paceline/agent/cib"
	"paceline/agent/outcome"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/resources"
)

// The kinds of effects.
const (
	Starts   = "starts"   // it was active nowhere
	Stops    = "stops"    // it is active nowhere at the end
	Moves    = "moves"    // to other nodes, being stopped in between
	Migrates = "migrates" // to another node, live
	Restarts = "restarts" // in its place
	Grows    = "grows"    // a clone: more instances
	Shrinks  = "shrinks"  // a clone: fewer instances
	Promotes = "promotes"
	Demotes  = "demotes"
	Swaps    = "swaps" // the promoted role goes to another node
)

// Effect is what a run means for one resource; the instances of a clone are taken together, for which of them is where
// means nothing to anybody.
type Effect struct {
	Resource string `json:"resource"` // without the number of an instance
	Kind     string `json:"kind"`
	From     []Spot `json:"from"`
	To       []Spot `json:"to"`
	// Outage tells that it was active and, at some time of the run, was active nowhere, or promoted nowhere where it had been
	// promoted; Lost that this lasts. A node that is lost takes what it ran with it at once.
	Outage bool   `json:"outage,omitempty"`
	Lost   bool   `json:"lost,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// Spot is a node, and the role there.
type Spot struct {
	Node string `json:"node"`
	Role string `json:"role"` // Started, Unpromoted, Promoted
}

// Effects lists what changes, sorted by resource; what stays as it is is not in it. was is what was active before anything
// happened; nil means that nothing had happened before the first plan.
func (r *Run) Effects(was []scheduler.Placement) []Effect {
	if was == nil {
		was = r.First().Initial
	}
	before, after := spots(was), spots(r.Rest.Initial)
	deeds := r.deeds(was)
	out := []Effect{}
	for name := range union(before, after) {
		e := Effect{Resource: name, From: nonNil(before[name]), To: nonNil(after[name])}
		d := deeds[name]
		if d == nil {
			d = &deed{}
		}
		if e.Kind = kindOf(e, d); e.Kind == "" {
			continue
		}
		e.Outage = len(e.From) > 0 && (d.down || len(e.To) == 0) || promoted(e.From) && (d.demoted || !promoted(e.To))
		e.Lost = len(e.From) > 0 && len(e.To) == 0 || promoted(e.From) && !promoted(e.To)
		e.Reason = r.reason(name)
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Resource < out[j].Resource })
	return out
}

// deed is what was done with a resource on the way.
type deed struct {
	stopped, started, migrated bool
	down, demoted              bool // it was active, or promoted, nowhere for a time
}

// walk follows who is active and who is promoted where, instance by instance.
type walk struct {
	active, promoted map[string]map[[2]string]bool // resource -> instance and node
	deeds            map[string]*deed
}

// deeds follows a run from what was active before it.
func (r *Run) deeds(was []scheduler.Placement) map[string]*deed {
	w := walk{active: map[string]map[[2]string]bool{}, promoted: map[string]map[[2]string]bool{}, deeds: map[string]*deed{}}
	for _, p := range was {
		w.put(w.active, p.Resource, p.Node)
		if p.Role == "Promoted" {
			w.put(w.promoted, p.Resource, p.Node)
		}
	}
	still := map[string]bool{} // gone with what happened
	for _, p := range r.First().Initial {
		still[p.Resource+"@"+p.Node] = true
	}
	for _, p := range was {
		if !still[p.Resource+"@"+p.Node] {
			w.remove(p.Resource, p.Node)
		}
	}
	for _, s := range r.Steps {
		for _, d := range s.Done {
			w.follow(d)
		}
	}
	return w.deeds
}

func (w *walk) put(m map[string]map[[2]string]bool, instance, node string) {
	name := base(instance)
	if m[name] == nil {
		m[name] = map[[2]string]bool{}
	}
	m[name][[2]string{instance, node}] = true
	if w.deeds[name] == nil {
		w.deeds[name] = &deed{}
	}
}

// remove takes an instance away from a node, and notes when that was the last.
func (w *walk) remove(instance, node string) {
	w.demote(instance, node)
	name, key := base(instance), [2]string{instance, node}
	if w.active[name][key] {
		if delete(w.active[name], key); len(w.active[name]) == 0 {
			w.deeds[name].down = true
		}
	}
}

func (w *walk) demote(instance, node string) {
	name, key := base(instance), [2]string{instance, node}
	if w.promoted[name][key] {
		if delete(w.promoted[name], key); len(w.promoted[name]) == 0 {
			w.deeds[name].demoted = true
		}
	}
}

func (w *walk) follow(d outcome.Done) {
	a := d.Action
	if d.Skipped || d.Failed {
		return
	}
	if a.Kind == transition.KindFence && a.Operation != "on" {
		for _, name := range sortedNames(w.active) {
			for key := range w.active[name] {
				if key[1] == a.Node {
					w.remove(key[0], key[1])
				}
			}
		}
		return
	}
	if a.Kind != transition.KindResource {
		return
	}
	name := base(a.Resource)
	switch a.Operation {
	case resources.Stop:
		w.remove(a.Resource, a.Node)
		if w.deeds[name] != nil {
			w.deeds[name].stopped = true
		}
	case resources.Start:
		w.put(w.active, a.Resource, a.Node)
		w.deeds[name].started = true
	case resources.MigrateFrom:
		w.put(w.active, a.Resource, a.Node)
		w.deeds[name].migrated = true
	case resources.Promote:
		w.put(w.promoted, a.Resource, a.Node)
	case resources.Demote:
		w.demote(a.Resource, a.Node)
	}
}

// kindOf names what became of a resource; "" for nothing.
func kindOf(e Effect, d *deed) string {
	from, to := nodesOf(e.From, ""), nodesOf(e.To, "")
	leads, then := nodesOf(e.From, "Promoted"), nodesOf(e.To, "Promoted")
	switch {
	case len(from) == 0:
		return Starts
	case len(to) == 0:
		return Stops
	case len(to) > len(from):
		return Grows
	case len(to) < len(from):
		return Shrinks
	case !slices.Equal(from, to) && d.migrated && !d.started:
		return Migrates
	case !slices.Equal(from, to):
		return Moves
	case len(then) > len(leads):
		return Promotes
	case len(then) < len(leads):
		return Demotes
	case !slices.Equal(leads, then):
		return Swaps
	case d.stopped && d.started, d.demoted:
		return Restarts
	}
	return ""
}

// reason is the first sentence that a plan of the run says of the resource's fate.
func (r *Run) reason(name string) string {
	for _, s := range r.Steps {
		for _, x := range s.Plan.Reasons {
			if base(x.Resource) == name && !strings.Contains(x.Text, " stays on ") {
				return x.Text
			}
		}
	}
	return ""
}

func spots(list []scheduler.Placement) map[string][]Spot {
	out := map[string][]Spot{}
	for _, p := range list {
		out[base(p.Resource)] = append(out[base(p.Resource)], Spot{p.Node, p.Role})
	}
	for _, s := range out {
		sort.Slice(s, func(i, j int) bool { return s[i].Node < s[j].Node || s[i].Node == s[j].Node && s[i].Role < s[j].Role })
	}
	return out
}

func nonNil(s []Spot) []Spot {
	if s == nil {
		return []Spot{}
	}
	return s
}

// nodesOf lists the nodes of a role, or of all.
func nodesOf(list []Spot, role string) []string {
	var out []string
	for _, s := range list {
		if role == "" || s.Role == role {
			out = append(out, s.Node)
		}
	}
	return out
}

func promoted(list []Spot) bool { return len(nodesOf(list, "Promoted")) > 0 }

func union(a, b map[string][]Spot) map[string]bool {
	out := map[string]bool{}
	for name := range a {
		out[name] = true
	}
	for name := range b {
		out[name] = true
	}
	return out
}

func sortedNames(m map[string]map[[2]string]bool) []string {
	var out []string
	for name := range m {
		out = append(out, name)
	}
	sort.Strings(out)
	return out
}

// base strips the number of a clone's instance: "ip:1" is an instance of "ip".
func base(instance string) string {
	name, number, ok := strings.Cut(instance, ":")
	if !ok || number == "" || strings.Trim(number, "0123456789") != "" {
		return instance
	}
	return name
}

// With returns the live state under another configuration: what a commit of it would be planned for.
func With(live *cib.CIB, next *cib.Configuration) *cib.CIB {
	c := *live
	c.Configuration = *next
	return &c
}
