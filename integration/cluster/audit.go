package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"paceline/agent/audit"
	"paceline/agent/executor"
	"paceline/integration/lab"
)

// Audited is what came of judging a story.
type Audited struct {
	Facts  int
	Starts int            // how often something began to start, or was found active that nobody knew of
	Judged map[string]int // how often each rule was put to the test
}

// unknown are the rules that need facts which neither journals nor the switch tell: when a node that lost another met it again, and
// whether anything was wrong. Without them the rules would be broken by stories in which all is right.
var unknown = []string{"S7 one winner of a split", "S32 no needless kill"}

// auditMax bounds the wait for the configurations that a node has for committed.
const auditMax = 3 * time.Second

// Journals reads the truth journals of all nodes from their disks.
func (c *Cluster) Journals() (map[string][]executor.Entry, error) {
	out := map[string][]executor.Entry{}
	for _, n := range c.Nodes() {
		dir := n.Disk("/var/lib/paceline")
		entries, err := executor.ReadJournals(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("journal of %s in %s: %w", n.Name, filepath.Base(dir), err)
		}
		out[n.Name] = entries
	}
	return out, nil
}

// AwaitJournal returns when a node's truth journal fits.
func (c *Cluster) AwaitJournal(ctx context.Context, node, what string, fits func([]executor.Entry) bool) error {
	for {
		entries, err := executor.ReadJournals(c.Node(node).Disk("/var/lib/paceline"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if fits(entries) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s in the journal of %s: %w", what, node, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond): // a file that another process writes tells nobody
		}
	}
}

// Audit puts what journals and the power switch tell of the story so far to the rules of package audit, each cluster of the lab by itself. It
// returns an error that names every rule that did not hold.
func (c *Cluster) Audit() (*Audited, error) {
	journals, err := c.Journals()
	if err != nil {
		return nil, err
	}
	parts := map[string]map[string][]executor.Entry{} // by cluster
	for node, entries := range journals {
		name := clusterOf(entries)
		if parts[name] == nil {
			parts[name] = map[string][]executor.Entry{}
		}
		parts[name][node] = entries
	}
	out := &Audited{Judged: map[string]int{}}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		errs = append(errs, c.judge(name, parts[name], out)...)
	}
	return out, errors.Join(errs...)
}

// clusterOf returns the name of the cluster that a journal is of; "" if the node was in no session yet.
func clusterOf(entries []executor.Entry) string {
	for _, e := range slices.Backward(entries) {
		switch {
		case e.Session != nil && e.Session.Cluster != "":
			return e.Session.Cluster
		case e.State != nil && e.State.Cluster != "":
			return e.State.Cluster
		}
	}
	return ""
}

// judge puts the journals of one cluster's nodes to the rules.
func (c *Cluster) judge(name string, journals map[string][]executor.Entry, out *Audited) (errs []error) {
	power := slices.DeleteFunc(slices.Clone(c.Switch().Events()), func(e lab.PowerEvent) bool {
		_, ours := journals[e.Node]
		return !ours
	})
	rules := audit.New(unknown...)
	for _, f := range NewTeller().Tell(journals, power, c.committed(name, journals)) {
		out.Facts++
		if f.Kind == audit.Found || f.Kind == audit.Begin && f.Operation == "start" {
			out.Starts++
		}
		if found := rules.See(f); found != nil && len(errs) < audit.FindingsMax {
			errs = append(errs, found)
		}
	}
	for rule, count := range rules.Judged() {
		out.Judged[rule] += count
	}
	return errs
}

// committed asks a cluster's nodes for the configurations and the fencings that they have for committed, and tells them by the clock that
// the journals have. Where nobody answers, what was known before counts.
func (c *Cluster) committed(name string, journals map[string][]executor.Entry) []audit.Fact {
	newest := uint64(0)
	for _, n := range c.Nodes() {
		if _, ours := journals[n.Name]; !ours || !n.On() {
			continue
		}
		p, err := c.auditPart(n.Name)
		if err != nil || len(p.Settings) == 0 {
			continue // without power, or of no cluster
		}
		if at := p.Settings[len(p.Settings)-1].Revision; at > newest {
			newest = at
			c.mu.Lock()
			c.told[name] = p
			c.mu.Unlock()
		}
	}
	c.mu.Lock()
	p := c.told[name]
	c.mu.Unlock()
	if p == nil {
		return nil
	}
	return Committed(p, time.Duration(time.Now().UnixNano())-lab.Monotonic())
}

func (c *Cluster) auditPart(node string) (*audit.Part, error) {
	client, err := c.API(node)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), auditMax)
	defer cancel()
	reply, err := client.AuditHere(ctx)
	if err != nil {
		return nil, err
	}
	return reply.Part, nil
}
