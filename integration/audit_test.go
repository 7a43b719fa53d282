package integration

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/executor"
	"paceline/agent/transition"
	"paceline/integration/cluster"
	"paceline/resources"
)

// `paceline audit` on real daemons: before and after a move and a power cut it says that the rules were kept, which ones were put
// to the test, and what it could not see; a journal that tells of a service that ran twice is told, and the command fails.
func TestAudit(t *testing.T) {
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop to open", func(s *api.Status) bool { return open(s) && cluster.Quiet(s) })
	node := cluster.Together(s, "ip", "web")
	next := map[string]string{"node1": "node2", "node2": "node3", "node3": "node1"}[node]

	kept(t, c, next, 3, "S1 single activity", "S10 committed changes are never lost", "S20 one operation at a time")
	must(t, c.Place(t.Context(), "shop", next))
	await(t, c, "the shop to have moved", func(s *api.Status) bool { return cluster.Together(s, "ip", "web") == next && cluster.Quiet(s) })
	before := kept(t, c, node, 3, "S1 single activity", "S17 groups")

	s = killed(t, c, next)
	heir := cluster.Together(s, "ip", "web")
	if dark := kept(t, c, heir, 2, "S6 rightful fencing"); !slices.ContainsFunc(dark.Unseen, func(what string) bool { return strings.Contains(what, next) }) {
		t.Errorf("it does not say that the journal of %s can not be read: %q", next, dark.Unseen)
	}
	must(t, c.Node(next).Boot(t.Context()))
	await(t, c, next+" to be back", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && open(s) && cluster.Quiet(s)
	})
	after := kept(t, c, next, 3, "S3 fencing before recovery", "S6 rightful fencing", "S9 one commander per term", "S28 a fenced boot never returns")
	if after.Facts <= before.Facts {
		t.Errorf("%d facts after the power cut, %d before", after.Facts, before.Facts)
	}
	says(t, c, heir, []string{"audit"}, "kept    S3 fencing before recovery: ", "unseen  S5 no start without a lease: ", "No rule was broken by what can be seen")

	forge(t, c, next, "ip")
	out, err := c.Run(t.Context(), heir, "audit")
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the audit of a forged journal ends with %v", err)
	}
	if want := "S1 single activity: ip is active on " + next + ": it may be active on ["; !strings.Contains(out, "BROKEN") || !strings.Contains(out, want) {
		t.Errorf("it does not say %q:\n%s", want, out)
	}
}

// kept has a node audit the cluster: journals of so many nodes are read, no rule is broken, and these are put to the test.
func kept(t *testing.T, c *cluster.Cluster, node string, nodes int, rules ...string) *api.AuditReply {
	t.Helper()
	r := &api.AuditReply{}
	must(t, json.Unmarshal([]byte(says(t, c, node, []string{"audit", "--json"})), r))
	if !r.OK || len(r.Violations) > 0 || len(r.Nodes) != nodes {
		t.Errorf("kept %v by the journals of %d nodes: %+v", r.OK, len(r.Nodes), r.Violations)
	}
	for _, name := range rules {
		if !slices.ContainsFunc(r.Rules, func(x api.AuditRule) bool { return x.Name == name && x.Judged > 0 }) {
			t.Errorf("%s was not put to the test", name)
		}
	}
	return r
}

// forge writes into a node's journal that a resource was started there.
func forge(t *testing.T, c *cluster.Cluster, node, resource string) {
	t.Helper()
	dir := c.Node(node).Disk("/var/lib/paceline")
	entries, err := executor.ReadJournals(dir)
	must(t, err)
	last := entries[len(entries)-1]
	line, err := json.Marshal(executor.Entry{
		Seq: last.Seq + 1, Boot: last.Boot, MonoMS: last.MonoMS, WallMS: last.WallMS, Kind: executor.KindBegin, Resource: resource,
		Operation: resources.Start, CallID: last.CallID + 1, Numbers: &transition.Numbers{Term: 1}, Action: &transition.Action{},
	})
	must(t, err)
	f, err := os.OpenFile(c.Node(node).Disk("/var/lib/paceline/"+executor.JournalName), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.Write(append(line, '\n'))
	must(t, errors.Join(err, f.Close()))
}
