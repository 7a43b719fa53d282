package ctl

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// simulatedState has one member that is up and one that is gone with a resource on it.
const simulatedState = `<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
<resources><primitive id="web" class="ocf" provider="test" type="Dummy"/></resources><constraints/></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="b" in_ccm="false" crmd="offline" join="down" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="web" class="ocf" provider="test" type="Dummy"><lrm_rsc_op id="web_last_0" operation="start" interval="0" call-id="1"
op-digest="f2317cad3d54cec5d7d7aa7d0bf35cf8" rc-code="0" op-status="0" transition-key="1:1:0:x"/></lrm_resource></lrm_resources></lrm></node_state></status></cib>`

func simulated(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := newApp(Streams{In: strings.NewReader(stdin), Out: &out, Err: io.Discard, Getenv: func(string) string { return "" }})
	words, err := arrange(app, append([]string{"paceline", "simulate"}, args...))
	if err == nil {
		err = app.Run(words)
	}
	return out.String(), err
}

func TestSimulateText(t *testing.T) {
	out, err := simulated(t, simulatedState, "--cib", "-", "--now", "2026-01-31T12:00:00Z")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"b: unclean: peer is no longer part of the cluster", "reboot node b", "web: Started on a",
		"web moves from b to a: b cannot be used",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
}

func TestSimulateJSON(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.xml")
	if err := os.WriteFile(file, []byte(simulatedState), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := simulated(t, "", "--cib", file, "--output", "json", "--scores")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Actions []struct {
			Kind, Operation, Node string
			After                 []int
		}
		Placements []struct{ Resource, Node, Role string }
		Scores     []any
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if len(doc.Actions) == 0 || doc.Actions[0].Kind != "fence" || doc.Actions[0].Node != "b" {
		t.Errorf("the first action is not the fencing of b: %+v", doc.Actions)
	}
	if len(doc.Placements) != 1 || doc.Placements[0].Node != "a" || len(doc.Scores) == 0 {
		t.Errorf("placements %+v, %d scores", doc.Placements, len(doc.Scores))
	}
}

func TestSimulateBadInput(t *testing.T) {
	for _, args := range [][]string{
		{"--cib", "/nonexistent"}, {"--cib", "-", "--node-down", "nowhere"}, {"--cib", "-", "--quorum", "perhaps"},
		{"--cib", "-", "--ticket", "east"}, {"--cib", "-", "--fail", "web:dance"}, {"--cib", "-", "--fail", "nothing"}, {"--cib", "-", "--now", "yesterday"}, {"--cib", "-", "--output", "poem"},
	} {
		if _, err := simulated(t, simulatedState, args...); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
	if _, err := simulated(t, "not xml", "--cib", "-"); err == nil {
		t.Error("what is no document is accepted")
	}
}

// twoUp has two members, and a resource on the first.
var twoUp = strings.NewReplacer(`in_ccm="false" crmd="offline" join="down"`, `in_ccm="true" crmd="online" join="member"`).Replace(simulatedState)

// TestSimulateRun: what happens first, what fails on the way, and what it means in the end.
func TestSimulateRun(t *testing.T) {
	for _, story := range []struct {
		args []string
		want []string
	}{
		{[]string{"--node-down", "b", "--run"}, []string{
			"reboot node b", "At rest after 1 transition. Active:\n  web: Started on a",
			"web moves from b to a, with an outage: web moves from b to a: b cannot be used",
		}},
		{[]string{"--standby", "b", "--fail", "web@a:start=5", "--steps"}, []string{
			"start web on a: failed with 5: it was asked to fail", "Active after transition 2:\n  nothing", "web stops on b, and is down then",
		}},
		{[]string{"--fail", "web", "--steps"}, []string{"stop web on b: it failed: monitor on b: error", "web restarts on b, with an outage"}},
		{[]string{"--quorum", "no", "--run"}, []string{"web stops on b, and is down then", "cannot start web"}},
		{[]string{"--online", "b", "--run"}, []string{"At rest after 1 transition", "nothing changes for any resource"}},
	} {
		out, err := simulated(t, twoUp, append([]string{"--cib", "-", "--now", "2026-01-31T12:00:00Z"}, story.args...)...)
		if err != nil {
			t.Fatalf("%v: %v", story.args, err)
		}
		for _, want := range story.want {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is not in\n%s", story.args, want, out)
			}
		}
	}
}

func TestSimulateRunJSON(t *testing.T) {
	out, err := simulated(t, twoUp, "--cib", "-", "--node-down", "b", "--run", "--output", "json")
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Run struct {
			Settled bool
			Steps   []struct{ Results []struct{ Result string } }
			Final   []struct{ Resource, Node string }
			Effects []struct {
				Resource, Kind string
				Outage         bool
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatal(err)
	}
	r := doc.Run
	if !r.Settled || len(r.Steps) != 1 || len(r.Steps[0].Results) == 0 || len(r.Final) != 1 || r.Final[0].Node != "a" || len(r.Effects) != 1 || !r.Effects[0].Outage {
		t.Errorf("%+v", r)
	}
}
