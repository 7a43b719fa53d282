package api

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
)

// explained is a cluster of three in which something keeps web, or sets it, where it is.
type explained struct {
	name        string
	options     string // nvpairs
	nodes       string // attributes of node n1, as nvpairs
	resources   string // instead of the plain web
	constraints string
	n1          string // history and attributes of n1, inside its node_state
	n2          string
	lost        bool // n1 is gone
	joining     bool // n1 is not ready yet
	noQuorum    bool
	status      string // more of the status
	ask         string // default web
	node        string
	commits     []Commit
}

const plainWeb = `<primitive id="web" class="ocf" provider="test" type="Dummy"><operations><op id="wm" name="monitor" interval="10s"/></operations></primitive>`

// ran is the history of something that runs, or of an operation that failed.
func ran(rsc, op string, rc int, at int64) string {
	return fmt.Sprintf(`<lrm id="x"><lrm_resources><lrm_resource id="%s" class="ocf" provider="test" type="Dummy">
<lrm_rsc_op id="%s_last_0" operation="%s" interval="0" call-id="5" rc-code="%d" op-status="0" transition-key="1:1:0:x" last-rc-change="%d"/>
</lrm_resource></lrm_resources></lrm>`, rsc, rsc, op, rc, at)
}

func transient(pairs ...string) string {
	var b strings.Builder
	b.WriteString(`<transient_attributes id="x"><instance_attributes id="ta">`)
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, `<nvpair id="ta%d" name="%s" value="%s"/>`, i, pairs[i], pairs[i+1])
	}
	return b.String() + `</instance_attributes></transient_attributes>`
}

func (e explained) cib(t *testing.T) *cib.CIB {
	t.Helper()
	quorum, member := "1", `in_ccm="true" crmd="online" join="member" expected="member"`
	if e.noQuorum {
		quorum = "0"
	}
	first := member
	if e.joining {
		first = `in_ccm="true" crmd="online" join="down" expected="down"`
	}
	if e.lost {
		first = `in_ccm="false" crmd="offline" join="down" expected="member"`
	}
	resources := e.resources
	if resources == "" {
		resources = plainWeb
	}
	attrs := ""
	if e.nodes != "" {
		attrs = `<instance_attributes id="na">` + e.nodes + `</instance_attributes>`
	}
	c, _, err := cib.Decode(strings.NewReader(fmt.Sprintf(`<cib have-quorum="%s"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">%s</cluster_property_set></crm_config>
<nodes><node id="1" uname="n1">%s</node><node id="2" uname="n2"/><node id="3" uname="n3"/></nodes><resources>%s</resources><constraints>%s</constraints></configuration>
<status><node_state id="1" uname="n1" %s>%s</node_state><node_state id="2" uname="n2" %s>%s</node_state><node_state id="3" uname="n3" %s/>%s</status></cib>`,
		quorum, e.options, attrs, resources, e.constraints, first, e.n1, member, e.n2, member, e.status)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var explainedAt = time.Unix(1_800_000_000, 0).UTC()

// seen is the state, the plan and the status that the cluster has of it.
func (e explained) seen(t *testing.T) (Snapshot, Plan, *Status) {
	t.Helper()
	snap := Snapshot{Revision: 9, CIB: e.cib(t)}
	live := Live{Node: "n2", Cluster: "demo", Coordinator: "n2", Term: 1, Quorum: Quorum{Quorate: !e.noQuorum, Reason: "2 of 3 votes"}}
	if e.noQuorum {
		live.Quorum.Reason = "1 vote of 3"
	}
	for i, name := range []string{"n1", "n2", "n3"} {
		m := Member{Name: name, ID: fmt.Sprint(i + 1), Role: RoleVoter, State: MemberAlive, Session: true}
		if e.lost && name == "n1" {
			m.State, m.Session = MemberFailed, false
		}
		live.Members = append(live.Members, m)
	}
	p := PlanBySchedule(snap.CIB, explainedAt)
	return snap, p, Summarize(snap, live, p, explainedAt)
}

func (e explained) explain(t *testing.T) *Explanation {
	t.Helper()
	snap, p, st := e.seen(t)
	target, err := findResource(&snap.CIB.Configuration, cmp.Or(e.ask, "web"))
	if err != nil {
		t.Fatal(err)
	}
	return explainFrom(snap, target, e.node, p, st, e.commits)
}

func (x *Explanation) told() string {
	var b strings.Builder
	for _, s := range x.Summary {
		fmt.Fprintf(&b, "%s\n", s)
	}
	for _, n := range x.Nodes {
		fmt.Fprintf(&b, "%s: %s\n", n.Node, n.Verdict)
		for _, r := range n.Reasons {
			fmt.Fprintf(&b, "%s: %s\n", n.Node, r)
		}
	}
	for _, w := range x.Would {
		fmt.Fprintf(&b, "$ %s\n", w)
	}
	return b.String()
}

var noFencing = `<nvpair id="f" name="fencing-enabled" value="false"/>`

func dummy(id, meta string) string {
	return `<primitive id="` + id + `" class="ocf" provider="test" type="Dummy"><meta_attributes id="` + id + `-m">` + meta + `</meta_attributes></primitive>`
}

var update = flag.Bool("update", false, "rewrite the explanations in testdata")

// TestExplanations holds what people are told of everything that may keep a resource, and of the states of nodes, to
// testdata/explanations.txt: the summary, the nodes with their reasons, and the commands that would change it.
func TestExplanations(t *testing.T) {
	local := time.Local
	time.Local = time.UTC
	t.Cleanup(func() { time.Local = local })
	var b strings.Builder
	for _, e := range explanations {
		x := e.explain(t)
		fmt.Fprintf(&b, "== %s\n%s", e.name, x.told())
		if len(x.Causes) == 0 {
			t.Errorf("%s: the machine form has no cause", e.name)
		}
		if len(x.Would) == 0 && e.name != "preference" {
			t.Errorf("%s: nothing is said to change it", e.name)
		}
	}
	for _, e := range explainedNodes {
		snap, p, st := e.seen(t)
		fmt.Fprintf(&b, "== node: %s\n%s", e.name, explainNodeFrom(snap, "n1", p, st).told())
	}
	const file = "testdata/explanations.txt"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("the explanations differ from %s; they are now\n%s", file, b.String())
	}
}

var explainedNodes = []explained{
	{name: "online", options: noFencing, n1: ran("web", "start", 0, 1799999000)},
	{name: "standby", options: noFencing, nodes: `<nvpair id="s" name="standby" value="on"/>`},
	{name: "maintenance", options: noFencing, nodes: `<nvpair id="s" name="maintenance" value="true"/>`, n1: ran("web", "start", 0, 1799999000)},
	{name: "unclean", resources: plainWeb + `<primitive id="power" class="stonith" type="fence_x"/>`, lost: true, n1: ran("web", "start", 0, 1799999000)},
	{name: "unclean, and no device", lost: true, n1: ran("web", "start", 0, 1799999000)},
	{name: "pending", options: noFencing, joining: true},
}

var explanations = []explained{
	{name: "ban", options: noFencing, commits: []Commit{{Revision: 7, Time: explainedAt.Add(-time.Hour), User: "alice@n2", Message: "off n1 for the week",
		Changes: []Change{{Object: `location "keep-off"`, Kind: "added", Text: `+ location "keep-off" web -inf: n1`}}}},
		constraints: `<rsc_location id="keep-off" rsc="web" node="n1" score="-INFINITY"/>`},
	{name: "ban by a move", options: noFencing, constraints: `<rsc_location id="cli-ban-web" rsc="web" node="n1" score="-INFINITY"/>`},
	{name: "preference", options: noFencing, constraints: `<rsc_location id="likes" rsc="web" node="n3" score="50"/>`},
	{name: "standby", options: noFencing, nodes: `<nvpair id="s" name="standby" value="on"/>`},
	{name: "failure with threshold", options: noFencing, resources: dummy("web", `<nvpair id="mt" name="migration-threshold" value="2"/>`),
		n1: transient("fail-count-web#monitor_10000", "2", "last-failure-web#monitor_10000", "1799999000")},
	{name: "failed start", options: noFencing, n1: ran("web", "start", 1, 1799999000) + transient("fail-count-web#start_0", "INFINITY", "last-failure-web#start_0", "1799999000")},
	{name: "colocation partner stopped", options: noFencing, resources: plainWeb + dummy("ip", `<nvpair id="tr" name="target-role" value="Stopped"/>`),
		constraints: `<rsc_colocation id="together" rsc="web" with-rsc="ip" score="INFINITY"/>`},
	{name: "anti-colocation", options: noFencing, resources: dummy("ip", "") + plainWeb,
		constraints: `<rsc_colocation id="apart" rsc="web" with-rsc="ip" score="-INFINITY"/><rsc_location id="ipl" rsc="ip" node="n1" score="INFINITY"/>`, n1: ran("ip", "start", 0, 1799999000)},
	{name: "order partner not active", options: noFencing, resources: plainWeb + dummy("db", `<nvpair id="tr" name="target-role" value="Stopped"/>`),
		constraints: `<rsc_order id="first-db" first="db" then="web"/>`},
	{name: "no quorum", options: noFencing, noQuorum: true},
	{name: "fencing pending", resources: plainWeb + `<primitive id="power" class="stonith" type="fence_x"/>`, lost: true, n1: ran("web", "start", 0, 1799999000)},
	{name: "no fencing device", lost: true, n1: ran("web", "start", 0, 1799999000)},
	{name: "ticket", options: noFencing, constraints: `<rsc_ticket id="tk" rsc="web" ticket="east"/>`},
	{name: "utilization", options: noFencing + `<nvpair id="ps" name="placement-strategy" value="utilization"/>`,
		resources: `<primitive id="web" class="ocf" provider="test" type="Dummy"><utilization id="u"><nvpair id="um" name="memory" value="100"/></utilization></primitive>`},
	{name: "maintenance of the node", options: noFencing, nodes: `<nvpair id="s" name="maintenance" value="true"/>`, n1: ran("web", "start", 0, 1799999000)},
	{name: "maintenance mode", options: noFencing + `<nvpair id="mm" name="maintenance-mode" value="true"/>`},
	{name: "maintenance of the resource", options: noFencing, resources: dummy("web", `<nvpair id="m" name="maintenance" value="true"/>`), n1: ran("web", "start", 0, 1799999000)},
	{name: "unmanaged", options: noFencing, resources: dummy("web", `<nvpair id="m" name="is-managed" value="false"/>`)},
	{name: "target-role", options: noFencing, resources: dummy("web", `<nvpair id="tr" name="target-role" value="Stopped"/>`)},
	{name: "group member stopped", options: noFencing, resources: `<group id="g">` + dummy("ip", `<nvpair id="tr" name="target-role" value="Stopped"/>`) + plainWeb + `</group>`},
	{name: "clone-max", options: noFencing, resources: `<clone id="each"><meta_attributes id="cm"><nvpair id="cmx" name="clone-max" value="1"/></meta_attributes>` + plainWeb + `</clone>`, ask: "each"},
	{name: "not installed", options: noFencing, n1: ran("web", "monitor", 5, 1799999000)},
	{name: "health", options: noFencing + `<nvpair id="nh" name="node-health-strategy" value="only-green"/>`, n1: transient("#health-disk", "red")},
	{name: "asymmetric", options: noFencing + `<nvpair id="sc" name="symmetric-cluster" value="false"/>`, constraints: `<rsc_location id="only" rsc="web" node="n2" score="0"/>`},
	{name: "blocked by a failed stop", options: noFencing, n1: ran("web", "stop", 1, 1799999000) + transient("fail-count-web#stop_0", "INFINITY")},
}
