package integration

import (
	"os"
	"slices"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/agent/executor"
	"paceline/integration/cluster"
	"paceline/integration/lab"
	"paceline/resources"
)

// diary is an agent that writes down what it is asked, with the value of its parameter level: a change of level needs a
// reload, one of port a restart.
const diary = `#!/bin/sh
run=/run/diary-$OCF_RESOURCE_INSTANCE
case $1 in
meta-data) cat <<END
<?xml version="1.0"?>
<resource-agent name="diary" version="1"><version>1.1</version><longdesc lang="en">x</longdesc><shortdesc lang="en">x</shortdesc>
<parameters><parameter name="port"><content type="string"/></parameter>
<parameter name="level" reloadable="1"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="20"/><action name="stop" timeout="20"/><action name="reload-agent" timeout="20"/>
<action name="monitor" timeout="20" interval="10"/><action name="meta-data" timeout="5"/></actions></resource-agent>
END
exit 0;;
esac
[ "$1" = monitor ] || echo "$1 $OCF_RESKEY_level $OCF_RESKEY_port" >>/var/lib/diary
case $1 in
start) touch $run;;
stop) rm -f $run;;
monitor) [ -e $run ] || exit 7;;
reload-agent) [ "$OCF_RESKEY_level" != bad ] || { echo "ocf-exit-reason:level bad is not for me" >&2; exit 1; };;
*) exit 3;;
esac
exit 0
`

// diaryOf is what the agent has written down on the node.
func diaryOf(t *testing.T, c *cluster.Cluster, node string) string {
	t.Helper()
	text, err := os.ReadFile(c.Node(node).Disk("/var/lib/diary"))
	must(t, err)
	return strings.Join(strings.Split(strings.TrimSpace(string(text)), "\n"), ", ")
}

// A changed parameter that the agent can take over leads to a reload, any other one to a restart; after a reload the next change
// is noticed as well, and a reload that fails is recovered from by a restart.
func TestReload(t *testing.T) {
	needAgent(t, "heartbeat", "Dummy", "resource-agents")
	c := start(t, cluster.Options{Lab: storyLab(t, 1)})
	must(t, c.PutAgent("diary", diary))
	must(t, c.Load(t.Context(), `property stonith-enabled=false
primitive d ocf:lab:diary params port=80 level=low op monitor interval=10s
primitive old ocf:heartbeat:Dummy params state=/run/old.state fake=one op monitor interval=10s
`))
	running := func(s *api.Status) bool {
		return cluster.Where(s, "d") == "node1" && cluster.Where(s, "old") == "node1" && cluster.Quiet(s)
	}
	await(t, c, "both to run", running)
	node := c.Node("node1")
	began, err := node.Exec(t.Context(), "stat", "-c", "%i %z", "/run/old.state")
	must(t, err)
	for _, step := range []struct{ resource, name, value, want string }{
		{"d", "level", "high", "start low 80, reload-agent high 80"},
		{"d", "level", "higher", "start low 80, reload-agent high 80, reload-agent higher 80"},
		{"d", "port", "81", "start low 80, reload-agent high 80, reload-agent higher 80, stop higher 81, start higher 81"},
		{"d", "level", "bad", "start low 80, reload-agent high 80, reload-agent higher 80, stop higher 81, start higher 81, reload-agent bad 81, stop bad 81, start bad 81"},
	} {
		_, err := c.Run(t.Context(), "node1", "resource", "param", step.resource, "set", step.name, step.value)
		must(t, err)
		await(t, c, "the diary to say "+step.want, func(s *api.Status) bool { return running(s) && diaryOf(t, c, "node1") == step.want })
	}
	_, err = c.Run(t.Context(), "node1", "resource", "param", "old", "set", "fake", "two")
	must(t, err)
	await(t, c, "the agent of OCF 1.0 to be reloaded", func(s *api.Status) bool {
		journal, err := os.ReadFile(node.Disk("/var/lib/paceline/journal.jsonl"))
		return err == nil && running(s) && strings.Contains(string(journal), `"resource":"old","operation":"reload-agent"`)
	})
	if now, err := node.Exec(t.Context(), "stat", "-c", "%i %z", "/run/old.state"); err != nil || now != began {
		t.Errorf("it was restarted: its state file was %q and is %q, %v", began, now, err)
	}
	audit(t, c)
}

// broken is an agent whose service is a file on its node: who removes it makes the monitor fail.
const broken = `#!/bin/sh
run=/run/$OCF_RESOURCE_INSTANCE
case $1 in
start) touch $run;;
stop) rm -f $run;;
monitor) [ -e $run ] || { echo "ocf-exit-reason:$run is gone" >&2; exit 7; };;
*) exit 3;;
esac
exit 0
`

// failure is a resource's fail count on a node, as status tells it, with the reason of its newest failure.
func failure(s *api.Status, resource, node string) (count, reason string) {
	for _, f := range s.Failures {
		if f.Resource == resource && f.Node == node {
			count, reason = f.Count, f.Reason
		}
	}
	return count, reason
}

// What one failed monitor leads to, for every value of on-fail; how many move a resource away; when they are forgotten; and that
// what fails again and again is tried at growing intervals. Every failure says why.
func TestFailurePolicies(t *testing.T) {
	needAgent(t, "heartbeat", "Dummy", "resource-agents")
	c := start(t, cluster.Options{Lab: storyLab(t, 3)})
	must(t, c.PutAgent("broken", broken))
	text := "property stonith-enabled=true stonith-action=off\n" +
		"primitive power stonith:fence_lab params pcmk_host_list=\"node1 node2 node3\"\nlocation power-on power 100: node3\n" +
		"rsc_defaults resource-stickiness=100 failure-backoff=0\n"
	for _, p := range []string{"ignore", "block", "stop", "restart", "standby", "fence"} {
		text += "primitive " + p + " ocf:lab:broken op monitor interval=1s on-fail=" + p + "\n"
	}
	text += "primitive threshold ocf:lab:broken meta migration-threshold=2 failure-timeout=4s op monitor interval=1s\n" +
		"primitive pauses ocf:lab:broken meta failure-backoff=3s op monitor interval=1s\n" +
		"primitive box ocf:lab:broken\nprimitive inside ocf:lab:broken op monitor interval=1s on-fail=restart-container meta container=box\n"
	on := map[string]string{}
	for _, p := range []string{"ignore", "block", "stop", "restart", "threshold", "pauses", "box", "inside"} {
		on[p] = "node1"
	}
	on["standby"], on["fence"] = "node1", "node2"
	for p, n := range on {
		text += "location " + p + "-on " + p + " 50: " + n + "\n"
	}
	must(t, c.Load(t.Context(), text))
	await(t, c, "all to run", func(s *api.Status) bool {
		for p, n := range on {
			if cluster.Where(s, p) != n {
				return false
			}
		}
		return cluster.Quiet(s)
	})
	fail := func(p string) { // its next monitor
		t.Helper()
		_, err := c.Node(on[p]).Exec(t.Context(), "rm", "/run/"+p)
		must(t, err)
	}
	told := func(p, node, count string, then func(s *api.Status, r *api.Resource) bool) {
		t.Helper()
		await(t, c, p+" to have failed "+count+" times, and what that leads to", func(s *api.Status) bool {
			n, why := failure(s, p, node)
			return n == count && why == "/run/"+p+" is gone" && cluster.Quiet(s) && then(s, cluster.Find(s.Resources, p))
		})
	}
	runsOn := func(p string, where bool) func(*api.Status, *api.Resource) bool {
		return func(s *api.Status, _ *api.Resource) bool {
			w := cluster.Where(s, p)
			return w != "" && (w == on[p]) == where
		}
	}

	for _, p := range []string{"ignore", "block", "stop", "restart", "pauses"} {
		fail(p)
	}
	told("ignore", "node1", "1", func(s *api.Status, r *api.Resource) bool { return slices.Equal(r.Nodes, []string{"node1"}) })
	for call, want := range map[string]string{ // as an agent asks
		"crm_failcount -G -r ignore -q": "1", "crm_failcount -G -r ignore -n monitor -I 1s": "scope=status  name=fail-count-ignore value=1",
		"crm_standby -G -q": "off", "crm_attribute -t rsc_defaults -n resource-stickiness -G -q": "100",
	} {
		out, err := c.Node("node1").Exec(t.Context(), "sh", "-c", "/run/paceline/tools/"+call)
		if err != nil || strings.TrimSpace(out) != want {
			t.Errorf("%s: got %q, %v; want %q", call, out, err, want)
		}
	}
	told("block", "node1", "1", func(_ *api.Status, r *api.Resource) bool { return r.Blocked != "" })
	told("stop", "node1", "1", func(_ *api.Status, r *api.Resource) bool { return len(r.Nodes) == 0 && r.Blocked == "" })
	told("restart", "node1", "1", runsOn("restart", true))
	told("pauses", "node1", "1", runsOn("pauses", true))
	fail("pauses")
	told("pauses", "node1", "2", func(_ *api.Status, r *api.Resource) bool { return strings.Contains(r.Blocked, "tried again at") })
	says(t, c, "node1", []string{"explain", "pauses"}, "failed on node1 2 times", "tried again at")
	says(t, c, "node1", []string{"status"}, "/run/pauses is gone")
	told("pauses", "node1", "2", runsOn("pauses", true))
	starts := func(p string) (n int) {
		t.Helper()
		journals, err := c.Journals()
		must(t, err)
		for _, e := range journals["node1"] {
			if e.Kind == executor.KindEnd && e.Resource == p && e.Operation == resources.Start {
				n++
			}
		}
		return n
	}
	fail("inside")
	told("inside", "node1", "1", runsOn("inside", true))
	if box, inside := starts("box"), starts("inside"); box != 2 || inside != 2 {
		t.Errorf("the container was started %d times, and what is inside %d times", box, inside)
	}
	fail("threshold")
	told("threshold", "node1", "1", runsOn("threshold", true))
	fail("threshold")
	told("threshold", "node1", "2", runsOn("threshold", false))
	await(t, c, "the failures to be forgotten", func(s *api.Status) bool {
		n, _ := failure(s, "threshold", "node1")
		return n == "" && cluster.Quiet(s)
	})
	fail("standby")
	await(t, c, "node1 to be in standby", func(s *api.Status) bool {
		return s.Nodes[0].State == api.NodeStandby && cluster.Quiet(s) && runsOn("standby", false)(s, nil)
	})
	fail("fence")
	await(t, c, "node2 to be fenced", func(s *api.Status) bool { return cluster.Where(s, "fence") == "node3" && cluster.Quiet(s) })
	if !slices.ContainsFunc(c.Switch().Events(), func(e lab.PowerEvent) bool { return e.Node == "node2" && strings.HasPrefix(e.What, "asked:off") }) {
		t.Error("node2 was not fenced")
	}
	audit(t, c)
}
