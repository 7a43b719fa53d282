package integration

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
	"paceline/agent/transition"
	"paceline/agent/whatif"
	"paceline/resources"
	"paceline/resources/ocf"
)

var updateCodes = flag.Bool("update-codes", false, "write testdata/exit-codes.txt anew")

// codesCluster is two nodes with fencing, a resource that prefers a, one that can be moved alive, and a promotable one that prefers a.
const codesCluster = `<cib have-quorum="1"><configuration><crm_config><cluster_property_set id="cib-bootstrap-options">
<nvpair id="f" name="fencing-enabled" value="true"/></cluster_property_set></crm_config>
<nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
<resources><primitive id="power" class="stonith" type="fence_dummy"/>%s</resources>
<constraints><rsc_location id="l" rsc="%s" node="a" score="100"/><rsc_location id="p" rsc="power" node="b" score="200"/></constraints></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="1">
<instance_attributes id="s"><nvpair id="m" name="master-r" value="10"/></instance_attributes></transient_attributes></node_state>
<node_state id="2" uname="b" in_ccm="true" crmd="online" join="member" expected="member"><transient_attributes id="2">
<instance_attributes id="s2"><nvpair id="m2" name="master-r" value="5"/></instance_attributes></transient_attributes></node_state></status></cib>`

const (
	codesPlain      = `<primitive id="r" class="ocf" provider="test" type="Dummy">%s<operations><op id="m" name="monitor" interval="10s"/></operations></primitive>`
	codesMeta       = `<meta_attributes id="x"><nvpair id="y" name="allow-migrate" value="true"/></meta_attributes>`
	codesPromotable = `<clone id="c"><meta_attributes id="k"><nvpair id="k1" name="promotable" value="true"/></meta_attributes>` +
		`<primitive id="r" class="ocf" provider="test" type="Dummy"><operations><op id="m" name="monitor" interval="10s" role="Promoted"/><op id="n" name="monitor" interval="11s" role="Unpromoted"/></operations></primitive></clone>`
)

// codesCase is an operation on node a, and what makes the cluster order it.
type codesCase struct {
	operation string
	config    string
	of        string           // what the preference is of
	cold      bool             // it is ordered when nothing runs yet
	events    []whatif.Event   // else by these, when all runs
	failing   []whatif.Failure // RC is filled in
	seen      bool             // it is a monitor's: what it sees is an event itself
}

func codesCases() []codesCase {
	plain := fmt.Sprintf(codesCluster, fmt.Sprintf(codesPlain, ""), "r")
	moving := fmt.Sprintf(codesCluster, fmt.Sprintf(codesPlain, codesMeta), "r")
	promotable := fmt.Sprintf(codesCluster, codesPromotable, "c")
	standby := []whatif.Event{{Kind: whatif.Standby, Name: "a"}}
	on := func(node, op string, interval int64) []whatif.Failure {
		return []whatif.Failure{{Resource: "r", Node: node, Operation: op, IntervalMS: interval}}
	}
	return []codesCase{
		{operation: "probe", config: plain, cold: true, failing: on("a", "monitor", 0)},
		{operation: "start", config: plain, cold: true, failing: on("a", "start", -1)},
		{operation: "monitor", config: plain, failing: on("a", "monitor", 10_000), seen: true},
		{operation: "stop", config: plain, events: standby, failing: on("a", "stop", -1)},
		{operation: "migrate_to", config: moving, events: standby, failing: on("a", "migrate_to", -1)},
		{operation: "migrate_from", config: moving, events: standby, failing: on("b", "migrate_from", -1)},
		{operation: "promote", config: promotable, cold: true, failing: on("a", "promote", -1)},
		{operation: "monitor (promoted)", config: promotable, failing: on("a", "monitor", 10_000), seen: true},
		{operation: "demote", config: promotable, events: standby, failing: on("a", "demote", -1)},
	}
}

// What each exit code of each operation of an agent leads to: from the script's exit status over what the OCF class makes of it, its record
// in the status, and the scheduler's plans, until the cluster is at rest. testdata/exit-codes.txt is the table.
func TestExitCodesLeadTo(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "resource.d", "test")
	must(t, os.MkdirAll(dir, 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "Dummy"), []byte("#!/bin/sh\nexit $OCF_RESKEY_code\n"), 0o755))
	runner := ocf.New(ocf.Config{Root: root, Scratch: t.TempDir()})
	meaning := func(code int, operation string) resources.ExitCode {
		return runner.Run(t.Context(), resources.Request{Agent: resources.Agent{Class: "ocf", Provider: "test", Type: "Dummy"}, Resource: "r",
			Operation: operation, Timeout: time.Minute, Params: map[string]string{"code": fmt.Sprint(code)}}).Code
	}
	var table strings.Builder
	for _, c := range codesCases() {
		fmt.Fprintf(&table, "%s\n", c.operation)
		for _, code := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 190, 191, 77, 126, 255} {
			rc := meaning(code, strings.TrimSuffix(strings.Replace(c.operation, "probe", "monitor", 1), " (promoted)"))
			fmt.Fprintf(&table, "  %3d -> %3d: %s\n", code, rc, codesLead(t, c, int(rc)))
		}
	}
	const golden = "testdata/exit-codes.txt"
	if *updateCodes {
		must(t, os.WriteFile(golden, []byte(table.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if got := table.String(); got != string(want) {
		t.Errorf("exit codes lead elsewhere (go test ./integration -run ExitCodes -update-codes):\n%s\nwant:\n%s", got, want)
	}
}

// codesLead plays a case with a code and says what came of it.
func codesLead(t *testing.T, c codesCase, rc int) string {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	state, _, err := cib.Decode(strings.NewReader(c.config))
	must(t, err)
	play := func(failing []whatif.Failure) *whatif.Run {
		t.Helper()
		run, err := whatif.Play(state, now, failing)
		must(t, err)
		state = run.After()
		return run
	}
	f := c.failing[0]
	f.RC = rc
	if !c.cold {
		if run := play(nil); !run.Settled {
			t.Fatalf("%s: it does not come to rest: %s", c.operation, run.Circles)
		}
	}
	events, failing := c.events, []whatif.Failure{f}
	if c.seen {
		events, failing = []whatif.Event{{Kind: whatif.Fail, Failure: f}}, nil
	}
	state, err = whatif.Apply(state, now, events...)
	must(t, err)
	run := play(failing)
	var words []string
	failed := c.seen
steps:
	for _, step := range run.Steps {
		for _, d := range step.Done {
			a := d.Action
			switch {
			case d.Skipped, a.Kind == transition.KindCluster, a.Operation == "monitor" && a.IntervalMS > 0, a.Resource == "power", strings.HasPrefix(a.Resource, "power"):
				continue
			case !failed:
				failed = a.Node == f.Node && a.Operation == f.Operation && a.IntervalMS == max(f.IntervalMS, 0)
				continue
			case !c.seen && a.Node == f.Node && a.Operation == f.Operation && a.IntervalMS == max(f.IntervalMS, 0):
				words = append(words, a.Operation+" "+a.Node+", which fails again, and so on")
				break steps
			case a.Kind == transition.KindFence:
				words = append(words, "fence "+a.Node)
			case a.Operation == "monitor":
			default:
				words = append(words, a.Operation+" "+a.Node)
			}
		}
	}
	out := strings.Join(words, ", ")
	if out == "" {
		out = "nothing"
	}
	rest := scheduler.Plan(state, now)
	var places []string
	for _, p := range rest.Initial {
		if strings.HasPrefix(p.Resource, "r") {
			places = append(places, strings.ToLower(p.Role)+" on "+p.Node)
		}
	}
	if len(places) == 0 {
		places = []string{"active nowhere"}
	}
	out += "; " + strings.Join(places, ", ")
	for _, b := range rest.Blocked {
		out += "; blocked: " + b.Operation
	}
	for _, n := range state.Status.Nodes {
		for _, set := range n.Attributes {
			for _, p := range set.Pairs {
				if name, ok := strings.CutPrefix(p.Name, "fail-count-"); ok {
					out += fmt.Sprintf("; counted on %s: %s %s", n.Uname, name, p.Value)
				}
			}
		}
	}
	return out
}
