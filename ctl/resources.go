package ctl

import (
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
)

func (in *invocation) resourceRequest(yes bool) api.ResourceRequest {
	return api.ResourceRequest{
		Message: in.c.String("message"), DryRun: in.c.Bool("dry-run"), Yes: yes, Wait: api.Duration(in.c.Duration("wait")),
	}
}

// runResource runs a verb that needs nothing but the resources, on one after the other.
func runResource(verb string) func(*invocation) error {
	return func(in *invocation) error {
		if err := in.allThere(verb); err != nil {
			return err
		}
		for _, id := range in.args {
			if err := in.resourceVerb(id, verb); err != nil {
				return err
			}
		}
		return nil
	}
}

// allThere refuses a list with a name that is none, before the first of it is touched.
func (in *invocation) allThere(verb string) error {
	if len(in.args) < 2 {
		return nil // the cluster itself tells
	}
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	for _, id := range in.args {
		if findResource(st.Resources, id) == nil {
			return api.Errorf(api.CodeNotFound, verb+" resource "+id, "there is no resource %q; nothing was done", id).
				WithHint("`paceline status` lists them")
		}
	}
	return nil
}

func (in *invocation) resourceVerb(id, verb string) error {
	return in.confirmed(func(yes bool) error {
		r, err := in.api.Resource(in.ctx, id, verb, in.resourceRequest(yes))
		if err != nil {
			return err
		}
		if err := in.changed(r, id+": "+verb); err != nil || in.c.Bool("dry-run") || !r.Settled {
			return err
		}
		return in.arrived(id, verb)
	})
}

// arrived checks, after a wait, that a resource is in the state that a verb promises.
func (in *invocation) arrived(id, verb string) error {
	if verb != "start" && verb != "stop" && verb != "restart" && verb != "promote" && verb != "demote" {
		return nil
	}
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	r := findResource(st.Resources, id)
	if r == nil {
		return nil
	}
	runs := len(r.Nodes) > 0
	switch {
	case verb == "demote" && r.Role == "Promoted":
		return api.Errorf(api.CodeFailed, verb+" "+id, "it is still promoted").WithHint("`paceline explain %s` says why", id)
	case verb == "demote":
		return nil
	case verb == "promote" && r.Role != "Promoted":
		return api.Errorf(api.CodeFailed, verb+" "+id, "none of its instances is promoted").WithHint("`paceline explain %s` says why", id)
	case verb == "stop" && runs:
		return api.Errorf(api.CodeFailed, verb+" "+id, "it still runs on %s", strings.Join(r.Nodes, ", ")).
			WithHint("`paceline explain %s` says why", id)
	case verb != "stop" && !runs:
		why := "it does not run"
		for _, f := range st.Failures {
			if f.Resource == id || findResource(r.Children, f.Resource) != nil {
				why += "; " + failureText(f)
			}
		}
		return api.Errorf(api.CodeFailed, verb+" "+id, "%s", why).WithHint("`paceline explain %s` says more", id)
	}
	return nil
}

func runMove(in *invocation) error {
	id := in.arg(0)
	w, err := in.whereTo()
	if err != nil {
		return err
	}
	return in.confirmed(func(yes bool) error {
		req := in.resourceRequest(yes || w.force)
		req.Node, req.Stay, req.Until = w.node, in.c.Bool("stay"), api.Duration(w.until)
		r, err := in.api.Resource(in.ctx, id, "move", req)
		if err != nil {
			return err
		}
		what := id + ": moved away"
		if req.Node != "" {
			what = id + ": moved to " + req.Node
		}
		return in.changed(r, what)
	})
}

func runCleanup(in *invocation) error {
	in.dropForce()
	req := api.CleanupRequest{
		Resource: in.arg(0), Node: in.arg(1), DryRun: in.c.Bool("dry-run"), Wait: api.Duration(in.c.Duration("wait")),
	}
	r, err := in.api.Cleanup(in.ctx, req)
	if err != nil {
		return err
	}
	return in.changed(r, "")
}

// dropForce takes the word off the end of a command that older shells want it for and that asks for nothing here.
func (in *invocation) dropForce() {
	if n := len(in.args); n > 1 && in.args[n-1] == "force" {
		in.args = in.args[:n-1]
	}
}

// location is where one resource runs.
type location struct {
	Resource string   `json:"resource"`
	Role     string   `json:"role"`
	Nodes    []string `json:"nodes"`
}

func runLocate(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	list := []location{}
	var walk func(rs []api.Resource)
	walk = func(rs []api.Resource) {
		for _, r := range rs {
			if r.Kind == "primitive" || slices.Contains(in.args, r.ID) {
				if len(in.args) == 0 || slices.Contains(in.args, r.ID) {
					list = append(list, location{r.ID, r.Role, r.Nodes})
				}
			}
			walk(r.Children)
		}
	}
	walk(st.Resources)
	for _, id := range in.args {
		if findResource(st.Resources, id) == nil {
			return api.Errorf(api.CodeNotFound, "locate "+id, "there is no resource %q", id).WithHint("`paceline status` lists them")
		}
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema    int        `json:"schema"`
			Stale     bool       `json:"stale"`
			Resources []location `json:"resources"`
		}{api.Schema, st.Stale, list})
	}
	in.staleness(st)
	for _, l := range list {
		if len(l.Nodes) == 0 {
			in.printf("%s runs nowhere\n", l.Resource)
			continue
		}
		in.printf("%s runs on: %s\n", l.Resource, strings.Join(l.Nodes, " "))
	}
	return nil
}

// findResource looks a resource up in the tree of a status.
func findResource(list []api.Resource, id string) *api.Resource {
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
		if r := findResource(list[i].Children, id); r != nil {
			return r
		}
	}
	return nil
}

func failureText(f api.Failure) string {
	text := f.Operation + " of " + f.Resource + " on " + f.Node + " failed"
	if !f.When.IsZero() {
		text += " at " + f.When.Local().Format(time.DateTime)
	}
	if f.Reason != "" {
		return text + ": " + f.Reason
	}
	return text + ": " + f.RCText
}
