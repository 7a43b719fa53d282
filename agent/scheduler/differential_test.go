package scheduler

import (
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// differentialRuns is how many clusters TestDifferential compares when PACELINE_DIFFERENTIAL does not say. Each takes
// crm_simulate some 50 ms.
const differentialRuns = 20

// differentialFloor is the share of plans, in percent, that must agree. It only rises.
const differentialFloor = 98

// differentialMax bounds PACELINE_DIFFERENTIAL: some ten minutes.
const differentialMax = 10000

// TestDifferential compares plans for random clusters, at rest and disturbed, with those of crm_simulate: the same real
// actions in the same order, and the same things active in the end. PACELINE_DIFFERENTIAL says how many clusters; the
// n-th is always the same one. As good as all agree; docs/differences.md has the
// reasons of the others. PACELINE_KEEP names a directory for those that do not.
func TestDifferential(t *testing.T) {
	program, err := exec.LookPath("crm_simulate")
	if err != nil {
		t.Skip("crm_simulate is not installed (Debian: pacemaker-cli-utils): nothing to compare with")
	}
	runs := differentialRuns
	if text := os.Getenv("PACELINE_DIFFERENTIAL"); text != "" {
		if runs, err = strconv.Atoi(text); err != nil || runs < 1 || runs > differentialMax {
			t.Fatalf("PACELINE_DIFFERENTIAL=%s: want a number from 1 to %d", text, differentialMax)
		}
	}
	lives := rapid.Custom(randomLife)
	dir := t.TempDir()
	agree, differ, silent := 0, 0, 0
	for seed := range runs {
		for step, c := range lives.Example(seed) {
			c.Header.ExecutionDate = strconv.FormatInt(propertyTime.Unix(), 10)
			why, err := compareWithPeer(program, dir, c)
			switch {
			case errors.Is(err, errGaveUp):
				silent++
			case err != nil:
				t.Fatalf("cluster %d.%d: %v", seed, step, err)
			case why == "":
				agree++
			default:
				differ++
				t.Logf("cluster %d.%d: %s%s", seed, step, why, keepCluster(t, seed, step, c))
			}
		}
	}
	t.Logf("%d plans agree, %d do not; crm_simulate ends with an error of its own for %d", agree, differ, silent)
	if agree*100 < (agree+differ)*differentialFloor {
		t.Errorf("fewer than %d %% of the plans agree", differentialFloor)
	}
}

// keepCluster saves a cluster where PACELINE_KEEP names a directory, and says where.
func keepCluster(t *testing.T, seed, step int, c *cib.CIB) string {
	dir := os.Getenv("PACELINE_KEEP")
	if dir == "" {
		return ""
	}
	path := filepath.Join(dir, fmt.Sprintf("%d-%d.xml", seed, step))
	if err := exportTo(path, c); err != nil {
		t.Fatal(err)
	}
	return " (" + path + ")"
}

func exportTo(path string, c *cib.CIB) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	return errors.Join(cib.Export(f, c), f.Close())
}

// randomLife draws a cluster at the points of its life at which it has something to decide: before anything runs, and
// after each thing that happens to it.
func randomLife(t *rapid.T) []*cib.CIB {
	c := randomCluster(t, false)
	states := []*cib.CIB{copyCIB(c)}
	for range 2 {
		for range 4 {
			applyAll(c, Plan(c, propertyTime), propertyTime)
		}
		disturb(t, c)
		states = append(states, copyCIB(c))
	}
	return states
}

// copyCIB copies a cluster by its document, which the later steps of its life do not touch.
func copyCIB(c *cib.CIB) *cib.CIB {
	var text strings.Builder
	if err := cib.Encode(&text, c); err != nil {
		panic(err) // what the tests make can be written
	}
	out, _, err := cib.Decode(strings.NewReader(text.String()))
	if err != nil {
		panic(err)
	}
	return out
}

// errGaveUp is that crm_simulate has no answer: it aborts for some clusters.
var errGaveUp = errors.New("crm_simulate did not answer")

// compareWithPeer returns the first difference between our plan and the peer's, or "".
func compareWithPeer(program, dir string, c *cib.CIB) (string, error) {
	in, out := filepath.Join(dir, "cib.xml"), filepath.Join(dir, "graph.xml")
	if err := exportTo(in, c); err != nil {
		return "", err
	}
	cmd := exec.Command(program, "-S", "-x", in, "-G", out, "--output-as=xml")
	cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C")
	status, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %w", errGaveUp, err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return "", err
	}
	actions, err := peerActions(text)
	if err != nil {
		return "", err
	}
	placements, err := peerPlacements(status)
	if err != nil {
		return "", err
	}
	p := Plan(c, propertyTime)
	anonymous := map[string]bool{}
	for r := range c.Configuration.Walk() {
		anonymous[r.ID] = true // none of the random clones is globally unique
	}
	theirs, ours := &answer{anonymous: anonymous}, &answer{anonymous: anonymous}
	if !ours.read(p.Graph.Actions) {
		return "our graph has a cycle", nil
	}
	theirs.read(actions)
	if why := differentSets(theirs.known, ours.known); why != "" {
		return why, nil
	}
	if why := differentSets(placements, placementSet(p.Placements)); why != "" {
		return "in the end: " + why, nil
	}
	return theirs.missingFrom(ours), nil
}

func placementSet(list []Placement) map[string]bool {
	set := map[string]bool{}
	for _, p := range list {
		id, _ := splitInstance(p.Resource)
		set[fmt.Sprintf("%s %s on %s", id, p.Role, p.Node)] = true
	}
	return set
}

// differentSets lists what only one of the two has.
func differentSets[V any](theirs, ours map[string]V) string {
	var out []string
	for _, k := range sortedKeys(theirs) {
		if _, have := ours[k]; !have {
			out = append(out, "missing "+k)
		}
	}
	for _, k := range sortedKeys(ours) {
		if _, have := theirs[k]; !have {
			out = append(out, "extra "+k)
		}
	}
	return strings.Join(out, "; ")
}

func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// peerEvent is an action in a graph that crm_simulate writes.
type peerEvent struct {
	XMLName   xml.Name
	ID        int    `xml:"id,attr"`
	Operation string `xml:"operation,attr"`
	Node      string `xml:"on_node,attr"`
	Primitive struct {
		ID     string `xml:"id,attr"`
		LongID string `xml:"long-id,attr"`
	} `xml:"primitive"`
	Attributes struct {
		List []xml.Attr `xml:",any,attr"`
	} `xml:"attributes"`
}

func (e *peerEvent) attribute(name string) string {
	for _, a := range e.Attributes.List {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// peerActions reads a graph.
func peerActions(text []byte) ([]*transition.Action, error) {
	type events struct {
		List []peerEvent `xml:",any"`
	}
	var graph struct {
		Synapses []struct {
			Set    events   `xml:"action_set"`
			Inputs []events `xml:"inputs>trigger"`
		} `xml:"synapse"`
	}
	if err := xml.Unmarshal(text, &graph); err != nil {
		return nil, fmt.Errorf("read the graph: %w", err)
	}
	var out []*transition.Action
	for _, s := range graph.Synapses {
		for _, e := range s.Set.List {
			a := peerAction(&e)
			for _, in := range s.Inputs {
				for _, first := range in.List {
					a.After = append(a.After, first.ID)
				}
			}
			out = append(out, a)
		}
	}
	return out, nil
}

func peerAction(e *peerEvent) *transition.Action {
	a := &transition.Action{ID: e.ID, Operation: e.Operation, Node: e.Node, Resource: e.Primitive.ID}
	a.IntervalMS, _ = strconv.ParseInt(e.attribute("CRM_meta_interval"), 10, 64)
	switch e.XMLName.Local {
	case "rsc_op":
		a.Kind = transition.KindResource
		if a.Operation == "notify" {
			a.Notify = e.attribute("CRM_meta_notify_type") + "-" + e.attribute("CRM_meta_notify_operation")
		}
	case "crm_event":
		a.Kind = transition.KindCluster
		if a.Operation == "stonith" {
			a.Kind, a.Operation = transition.KindFence, e.attribute("CRM_meta_stonith_action")
		}
	default:
		a.Kind = transition.KindPseudo
	}
	return a
}

// peerPlacements reads what is active at the end of a simulation.
func peerPlacements(text []byte) (map[string]bool, error) {
	set := map[string]bool{}
	dec := xml.NewDecoder(strings.NewReader(string(text)))
	after, id, role := false, "", ""
	for {
		token, err := dec.Token()
		if token == nil {
			if after {
				return set, nil
			}
			return nil, fmt.Errorf("crm_simulate says nothing of the revised status: %w", err)
		}
		e, ok := token.(xml.StartElement)
		if !ok {
			continue
		}
		get := func(name string) string {
			for _, a := range e.Attr {
				if a.Name.Local == name {
					return a.Value
				}
			}
			return ""
		}
		switch e.Name.Local {
		case "revised_cluster_status":
			after = true
		case "resource":
			id, _ = splitInstance(get("id"))
			role = get("role")
		case "node":
			if after && get("cached") != "" {
				set[fmt.Sprintf("%s %s on %s", id, role, get("name"))] = true
			}
		}
	}
}
