package integration

import (
	"os"
	"strings"
	"testing"

	"paceline/agent/api"
	"paceline/integration/cluster"
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
