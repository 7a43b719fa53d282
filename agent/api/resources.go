package api

import (
	"cmp"
	"context"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
)

// target is the resource that a request names, with what lies around it.
type target struct {
	resource  *cib.Resource
	ancestors []*cib.Resource // from the direct parent up
	members   []string        // IDs of the primitives in it, itself included
}

// top is the outermost collection the resource is in, or itself.
func (t target) top() *cib.Resource {
	if n := len(t.ancestors); n > 0 {
		return t.ancestors[n-1]
	}
	return t.resource
}

func findResource(c *cib.Configuration, id string) (target, error) {
	var t target
	var walk func(list []*cib.Resource, up []*cib.Resource) bool
	walk = func(list []*cib.Resource, up []*cib.Resource) bool {
		for _, r := range list {
			if r.ID == id {
				t.resource = r
				for i := len(up) - 1; i >= 0; i-- {
					t.ancestors = append(t.ancestors, up[i])
				}
				return true
			}
			if walk(r.Children, append(up, r)) {
				return true
			}
		}
		return false
	}
	if !walk(c.Resources, nil) {
		e := Errorf(CodeNotFound, "", "there is no resource %q", id)
		if near := cib.Near(id, resourceIDs(c)); near != "" {
			return t, e.WithHint("did you mean %s? `paceline status` lists them all", near)
		}
		return t, e.WithHint("`paceline status` lists them")
	}
	t.members = primitivesIn(t.resource)
	return t, nil
}

func primitivesIn(r *cib.Resource) []string {
	if r.Kind == cib.KindPrimitive {
		return []string{r.ID}
	}
	var out []string
	for _, c := range r.Children {
		out = append(out, primitivesIn(c)...)
	}
	return out
}

func resourceIDs(c *cib.Configuration) []string {
	var out []string
	for r := range c.Walk() {
		out = append(out, r.ID)
	}
	return out
}

// resourceRequest is what every act on a resource begins with.
func (s *Server) resourceRequest(ctx context.Context, q *request) (ResourceRequest, Snapshot, target, error) {
	var r ResourceRequest
	if err := q.decode(&r); err != nil {
		return r, Snapshot{}, target{}, err
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return r, snap, target{}, err
	}
	t, err := findResource(&snap.CIB.Configuration, q.PathValue("resource"))
	return r, snap, t, err
}

func (r ResourceRequest) edit(q *request, change cib.Change) edit {
	return edit{
		change: change, message: cmp.Or(r.Message, q.what), dryRun: r.DryRun, yes: r.Yes, wait: time.Duration(r.Wait),
	}
}

func setMeta(resource, name string, value *string) cib.Change {
	return cib.Change{SetMeta: &cib.SetMeta{Resource: resource, Name: name, Value: value}}
}

// start takes back what stop did: it deletes the target roles of the resource and of all in it that keep it stopped, and
// sets one only where a default would stop it.
func (s *Server) start(ctx context.Context, q *request) (any, error) {
	r, snap, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	cfg := &snap.CIB.Configuration
	var batch []cib.Change
	var walk func(x *cib.Resource)
	walk = func(x *cib.Resource) {
		if _, ok := metaOf(x.Meta, "target-role"); ok && stopped(x.Meta) {
			batch = append(batch, setMeta(x.ID, "target-role", nil))
		}
		for _, c := range x.Children {
			walk(c)
		}
	}
	walk(t.resource)
	if started := "Started"; inheritsStop(cfg, t.resource) {
		batch = append(batch, setMeta(t.resource.ID, "target-role", &started))
	}
	reply, err := s.commit(ctx, q, r.edit(q, cib.Change{Batch: batch}))
	if err != nil {
		return nil, err
	}
	for _, a := range t.ancestors {
		if stopped(a.Meta) {
			reply.Notes = append(reply.Notes, t.resource.ID+" stays stopped, because "+a.ID+", which it is part of, is: `paceline resource start "+a.ID+"`")
		}
	}
	return reply, nil
}

func (s *Server) stop(ctx context.Context, q *request) (any, error) {
	r, _, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	v := "Stopped"
	e := r.edit(q, setMeta(t.resource.ID, "target-role", &v))
	e.meant = t.members
	return s.commit(ctx, q, e)
}

// restart stops, waits, starts again, waits. It goes on if the client leaves in between.
func (s *Server) restart(ctx context.Context, q *request) (any, error) {
	r, snap, t, err := s.resourceRequest(ctx, q)
	if err != nil {
		return nil, err
	}
	if why := keptStopped(&snap.CIB.Configuration, t); why != "" {
		return nil, Errorf(CodeRefused, q.what, "it is stopped on purpose: %s", why).
			WithHint("`paceline resource start %s` starts it", t.resource.ID)
	}
	// What depends on it restarts with it: nothing is down for good, so nobody has to confirm.
	r.Yes = true
	wait := time.Duration(r.Wait)
	if wait == 0 {
		wait = WaitDefault
	}
	var before *string
	if v, ok := metaOf(t.resource.Meta, "target-role"); ok {
		before = &v
	}
	v := "Stopped"
	down := r.edit(q, setMeta(t.resource.ID, "target-role", &v))
	down.wait = wait
	if r.DryRun {
		return s.commit(ctx, q, down)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*wait+RequestMax)
	defer cancel()
	first, stopErr := s.commit(ctx, q, down)
	up := r.edit(q, setMeta(t.resource.ID, "target-role", before))
	up.message += ": start again"
	up.wait = wait
	second, err := s.commit(ctx, q, up)
	if err != nil {
		return nil, asError(err, q.what, "").WithHint("it may be stopped now: `paceline resource start %s`", t.resource.ID)
	}
	if stopErr != nil {
		return nil, stopErr
	}
	second.Actions = append(first.Actions, second.Actions...)
	second.Changes = []Change{}
	second.Failures = append(first.Failures, second.Failures...)
	if !first.Settled {
		second.Notes = append(second.Notes, "it was told to start again before it had stopped")
	}
	return second, nil
}

// cleanupAsked reads what is to be forgotten, of which node, and by which names the history may have the resource. No names
// mean all resources.
func (s *Server) cleanupAsked(ctx context.Context, q *request) (r CleanupRequest, snap Snapshot, wanted map[string]bool, err error) {
	if err = q.decode(&r); err != nil {
		return
	}
	if snap, err = s.backend.Snapshot(ctx); err != nil {
		return
	}
	if r.Node != "" {
		if _, err = s.findNode(ctx, snap.CIB, r.Node); err != nil {
			return
		}
	}
	wanted = map[string]bool{}
	if r.Resource == "" {
		return
	}
	t, err := findResource(&snap.CIB.Configuration, r.Resource)
	if err != nil && !inHistory(snap.CIB, r.Resource) {
		return r, snap, nil, err
	}
	wanted[r.Resource] = true
	for _, m := range t.members {
		wanted[m] = true
	}
	return r, snap, wanted, nil
}

// cleanup forgets the failures of a resource, or of all, so that the cluster looks again and tries again.
func (s *Server) cleanup(ctx context.Context, q *request) (any, error) {
	r, snap, wanted, err := s.cleanupAsked(ctx, q)
	if err != nil {
		return nil, err
	}
	batch, names := forgetFailures(snap.CIB, r.Node, wanted)
	reply := &ChangeReply{Schema: Schema, Revision: snap.Revision, ConfigRevision: snap.ConfigRevision, Changes: []Change{}, Actions: []Action{}, Problems: []Problem{}}
	if len(batch) == 0 {
		reply.Notes = []string{"nothing to clean up: no failure is recorded"}
		return reply, nil
	}
	e := edit{change: cib.Change{Batch: batch}, message: q.what, dryRun: r.DryRun, yes: true, unseen: true, wait: time.Duration(r.Wait)}
	reply, err = s.commit(ctx, q, e)
	if err != nil {
		return nil, err
	}
	reply.Notes = append([]string{"forgotten: " + list(names)}, reply.Notes...)
	return reply, nil
}

// forgetFailures makes the changes that forget what failed: the whole history of a resource where something of it failed,
// so that a probe tells the truth anew, and the fail counts.
func forgetFailures(c *cib.CIB, node string, wanted map[string]bool) (batch []cib.Change, names []string) {
	failed := map[[2]string]bool{}
	for _, f := range failures(c) {
		failed[[2]string{f.Node, f.instance}] = true
	}
	for _, ns := range c.Status.Nodes {
		if node != "" && ns.Uname != node {
			continue
		}
		for _, h := range ns.Resources {
			if len(wanted) > 0 && !wanted[h.ID] && !wanted[baseID(h.ID)] {
				continue
			}
			if !failed[[2]string{ns.Uname, h.ID}] {
				continue
			}
			batch = append(batch, outcome.Forget(ns, h.ID)...)
			names = append(names, h.ID+" on "+ns.Uname)
		}
		for _, name := range transientNames(ns) {
			res, ok := failAttribute(name)
			if !ok || len(wanted) > 0 && !wanted[res] && !wanted[baseID(res)] {
				continue
			}
			batch = append(batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: name}})
			if !failed[[2]string{ns.Uname, res}] && strings.HasPrefix(name, "fail-count-") {
				names = append(names, "fail count of "+res+" on "+ns.Uname)
			}
		}
	}
	return batch, names
}

func inHistory(c *cib.CIB, id string) bool {
	for _, ns := range c.Status.Nodes {
		for _, h := range ns.Resources {
			if h.ID == id || baseID(h.ID) == id {
				return true
			}
		}
	}
	return false
}
