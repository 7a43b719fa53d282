package api

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/outcome"
)

// refresh forgets everything that is known of a resource, or of all, on a node, or on all, failed or not: every agent is
// asked anew. Nothing is stopped for it.
func (s *Server) refresh(ctx context.Context, q *request) (any, error) {
	r, snap, wanted, err := s.cleanupAsked(ctx, q)
	if err != nil {
		return nil, err
	}
	all := r.Resource == ""
	var batch []cib.Change
	forgotten := 0
	for _, ns := range snap.CIB.Status.Nodes {
		if r.Node != "" && ns.Uname != r.Node || !since(ns.InCCM) {
			continue // a node that is away cannot be asked; what is known of it must stand
		}
		for _, h := range ns.Resources {
			if all || wanted[h.ID] || wanted[baseID(h.ID)] {
				batch = append(batch, outcome.Forget(ns, h.ID)...)
				forgotten++
			}
		}
		for _, name := range transientNames(ns) {
			res, ok := failAttribute(name)
			if ok && (all || wanted[res] || wanted[baseID(res)]) {
				batch = append(batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: name}})
			}
		}
	}
	if len(batch) == 0 {
		return &ChangeReply{
			Schema: Schema, Revision: snap.Revision, ConfigRevision: snap.ConfigRevision, Changes: []Change{}, Actions: []Action{},
			Problems: []Problem{}, Settled: true, Notes: []string{"nothing to refresh: nothing is known there"},
		}, nil
	}
	e := edit{change: cib.Change{Batch: batch}, message: q.what, dryRun: r.DryRun, yes: true, unseen: true, wait: time.Duration(r.Wait)}
	reply, err := s.commit(ctx, q, e)
	if err != nil {
		return nil, err
	}
	word := "forgotten and asked anew"
	if r.DryRun {
		word = "would be forgotten and asked anew"
	}
	reply.Notes = append([]string{fmt.Sprintf("%s: %d records of resources on nodes", word, forgotten)}, reply.Notes...)
	return reply, nil
}

// FailcountRequest sets the fail count of a resource on a node, or (with a nil Value) deletes it.
type FailcountRequest struct {
	Node      string   `json:"node,omitempty"` // delete: empty means every node
	Operation string   `json:"operation,omitempty"`
	Interval  string   `json:"interval,omitempty"` // "10s"
	Value     *string  `json:"value"`              // a number, or INFINITY
	DryRun    bool     `json:"dry_run,omitempty"`
	Yes       bool     `json:"yes,omitempty"`
	Wait      Duration `json:"wait,omitempty"`
}

// failcount sets or deletes fail counts. Without an operation, a value is set for the resource's first monitor, and all are
// deleted.
func (s *Server) failcount(ctx context.Context, q *request) (any, error) {
	var r FailcountRequest
	if err := q.decode(&r); err != nil {
		return nil, err
	}
	snap, err := s.backend.Snapshot(ctx)
	if err != nil {
		return nil, err
	}
	id := q.PathValue("resource")
	t, err := findResource(&snap.CIB.Configuration, baseID(id))
	if err != nil {
		return nil, err
	}
	if r.Node != "" {
		if _, err := s.findNode(ctx, snap.CIB, r.Node); err != nil {
			return nil, err
		}
	}
	var batch []cib.Change
	said := ""
	if r.Value != nil {
		batch, said, err = setFailcount(snap.CIB, t.resource, id, r, time.Now())
		if err != nil {
			return nil, err
		}
	} else {
		batch, said = dropFailcounts(snap.CIB, id, r)
	}
	e := edit{change: cib.Change{Batch: batch}, message: q.what, dryRun: r.DryRun, yes: r.Yes, wait: time.Duration(r.Wait)}
	return s.commitStatus(ctx, q, e, func(*string) string { return said }, nil)
}

func setFailcount(c *cib.CIB, resource *cib.Resource, id string, r FailcountRequest, now time.Time) ([]cib.Change, string, error) {
	if resource.Kind != cib.KindPrimitive {
		return nil, "", Errorf(CodeRefused, "", "%s is a %s: fail counts are of the primitives in it", resource.ID, resource.Kind).
			WithHint("they are %s", list(primitivesIn(resource)))
	}
	n, err := cib.ParseScore(*r.Value)
	if err != nil || n < 0 {
		return nil, "", Errorf(CodeUsage, "", "%q is no fail count", *r.Value).WithHint("it is a number, or INFINITY")
	}
	ns := c.NodeState(r.Node)
	if ns == nil {
		return nil, "", Errorf(CodeRefused, "", "nothing is known of node %q yet", r.Node)
	}
	op, interval := r.Operation, r.Interval
	if op == "" {
		op = "monitor"
		for _, o := range resource.Operations.Ops {
			if o.Name == "monitor" {
				interval = o.Interval
				break
			}
		}
	}
	ms, err := cib.ParseMilliseconds(cmp.Or(interval, "0"))
	if err != nil {
		return nil, "", Errorf(CodeUsage, "", "%q is no interval", interval)
	}
	name := fmt.Sprintf("%s#%s_%d", id, op, ms)
	value, last := cib.FormatScore(n), strconv.FormatInt(now.Unix(), 10)
	batch := []cib.Change{
		{SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: "fail-count-" + name, Value: &value}},
		{SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: "last-failure-" + name, Value: &last}},
	}
	return batch, fmt.Sprintf("%s: fail count of %s on %s is %s", id, op, ns.Uname, value), nil
}

func dropFailcounts(c *cib.CIB, id string, r FailcountRequest) (batch []cib.Change, said string) {
	var where []string
	for _, ns := range c.Status.Nodes {
		if r.Node != "" && ns.Uname != r.Node {
			continue
		}
		hit := false
		for _, name := range transientNames(ns) {
			res, ok := failAttribute(name)
			if !ok || res != id && baseID(res) != id || r.Operation != "" && !strings.Contains(name, "#"+r.Operation+"_") {
				continue
			}
			hit = true
			batch = append(batch, cib.Change{SetTransient: &cib.SetTransient{NodeID: ns.ID, Name: name}})
		}
		if hit {
			where = append(where, ns.Uname)
		}
	}
	if len(batch) == 0 {
		return nil, ""
	}
	return batch, id + ": fail count deleted on " + list(where)
}
