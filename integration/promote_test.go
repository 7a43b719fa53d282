package integration

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// needAgent skips a story whose agent is not installed.
func needAgent(t *testing.T, provider, kind, pkg string) {
	t.Helper()
	if _, err := os.Stat("/usr/lib/ocf/resource.d/" + provider + "/" + kind); err != nil {
		t.Skipf("needs ocf:%s:%s of the package %s", provider, kind, pkg)
	}
}

// promoted lists the nodes on which instances of a clone are promoted.
func promoted(s *api.Status, clone string) []string {
	r := cluster.Find(s.Resources, clone)
	if r == nil {
		return nil
	}
	var out []string
	for _, k := range r.Children {
		for _, in := range k.Instances {
			if in.Role == "Promoted" {
				out = append(out, in.Node)
			}
		}
	}
	return out
}

// Real promotable agents say by crm_master or crm_attribute where they want to be promoted, and are; when the node dies its score
// is forgotten and another instance is promoted.
func TestPromotableAgents(t *testing.T) {
	needAgent(t, "heartbeat", "Stateful", "resource-agents")
	text := "property stonith-enabled=true stonith-action=off\n" +
		"primitive power stonith:fence_lab params pcmk_host_list=\"node1 node2 node3\"\n" +
		"primitive old ocf:heartbeat:Stateful op monitor interval=10s role=Promoted op monitor interval=11s role=Unpromoted\n" +
		"clone old-clone old meta promotable=true\n"
	clones := []string{"old-clone"}
	if _, err := os.Stat("/usr/lib/ocf/resource.d/pacemaker/Stateful"); err == nil {
		text += "primitive new ocf:pacemaker:Stateful op monitor interval=10s role=Promoted op monitor interval=11s role=Unpromoted\n" +
			"clone new-clone new meta promotable=true\n"
		clones = append(clones, "new-clone")
	} else {
		t.Log("without ocf:pacemaker:Stateful: the package pacemaker-resource-agents is not installed")
	}
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.Load(t.Context(), text))
	settled := func(not string) func(s *api.Status) bool {
		return func(s *api.Status) bool {
			for _, clone := range clones {
				p := promoted(s, clone)
				if len(p) != 1 || p[0] == not {
					return false
				}
			}
			return cluster.Quiet(s)
		}
	}
	for _, clone := range clones {
		t.Logf("%s is promoted on %v", clone, promoted(await(t, c, "one instance of each clone to be promoted", settled("")), clone))
	}
	victim := promoted(await(t, c, "one instance of each clone to be promoted", settled("")), clones[0])[0]
	scores := func(node, name string) string {
		t.Helper()
		client, err := c.API(node)
		must(t, err)
		r, err := client.Attributes(t.Context(), api.Attribute{Scope: api.ScopeTransient, Node: "*", Name: name})
		must(t, err)
		var out []string
		for _, a := range r.Attributes {
			out = append(out, a.Node+"="+a.Value)
		}
		return strings.Join(out, " ")
	}
	var want []string
	for _, n := range c.Nodes() {
		score := 5
		if n.Name == victim {
			score = 10
		}
		want = append(want, fmt.Sprintf("%s=%d", n.Name, score))
	}
	if got := scores(victim, "master-old"); got != strings.Join(want, " ") {
		t.Errorf("promotion scores are %s, want %s", got, strings.Join(want, " "))
	}
	must(t, c.Node(victim).Kill())
	s := await(t, c, "another instance to be promoted", settled(victim))
	next := promoted(s, clones[0])[0]
	if got := scores(next, "master-old"); strings.Contains(got, victim) || !strings.Contains(got, next+"=10") {
		t.Errorf("%s is dead and %s promoted: promotion scores are %s", victim, next, got)
	}
	must(t, c.Node(victim).Boot(t.Context()))
	await(t, c, victim+" to be back", func(s *api.Status) bool { return cluster.Online(s, "node1", "node2", "node3") && cluster.Quiet(s) })
	// The tools answer an agent what it asks; here in a node's own shell.
	out, err := c.Node(next).Exec(t.Context(), "env", "PATH=/run/paceline/tools:/usr/bin:/bin", "sh", "-c",
		"crm_node -n; crm_node -p; crm_attribute -N "+next+" -n master-old -l reboot -G -q; crm_resource -W -r old")
	must(t, err)
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 6 || lines[0] != next || lines[1] != "node1 node2 node3 " || lines[2] != "10" ||
		!strings.Contains(out, "resource old is running on: "+next+" Promoted\n") {
		t.Errorf("the tools say:\n%s", out)
	}
	audit(t, c)
}
