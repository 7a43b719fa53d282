package ctl

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// simulatedState has one member that is up and one that is gone with a resource on it.
const simulatedState = `<cib have-quorum="1"><configuration><crm_config/><nodes><node id="1" uname="a"/><node id="2" uname="b"/></nodes>
<resources><primitive id="web" class="ocf" provider="test" type="Dummy"/></resources><constraints/></configuration>
<status><node_state id="1" uname="a" in_ccm="true" crmd="online" join="member" expected="member"/>
<node_state id="2" uname="b" in_ccm="false" crmd="offline" join="down" expected="member"><lrm id="2"><lrm_resources>
<lrm_resource id="web" class="ocf" provider="test" type="Dummy"><lrm_rsc_op id="web_last_0" operation="start" interval="0" call-id="1"
rc-code="0" op-status="0" transition-key="1:1:0:x"/></lrm_resource></lrm_resources></lrm></node_state></status></cib>`

func runSimulate(t *testing.T, stdin string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	app := &cli.App{Name: "paceline", Writer: &out, Reader: strings.NewReader(stdin), Commands: []*cli.Command{simulateCommand()}}
	err := app.Run(append([]string{"paceline", "simulate"}, args...))
	return out.String(), err
}

func TestSimulateText(t *testing.T) {
	out, err := runSimulate(t, simulatedState, "--cib", "-", "--now", "2026-01-31T12:00:00Z")
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
	out, err := runSimulate(t, "", "--cib", file, "--output", "json", "--scores")
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
		{"--cib", "/nonexistent"}, {"--cib", "-", "--now", "yesterday"}, {"--cib", "-", "--output", "poem"},
	} {
		if _, err := runSimulate(t, simulatedState, args...); err == nil {
			t.Errorf("%v is accepted", args)
		}
	}
	if _, err := runSimulate(t, "not xml", "--cib", "-"); err == nil {
		t.Error("what is no document is accepted")
	}
}
