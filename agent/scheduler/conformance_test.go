package scheduler

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// floors are the numbers of conformance cases of each tier that agree in actions and orderings. They only rise.
var floors = map[int]int{1: 83, 2: 177, 3: 207}

// TestConformance compares plans with the expected ones of Pacemaker's regression cases: the same real actions, and at
// least the expected orderings between them.
func TestConformance(t *testing.T) {
	dir := os.Getenv("PACELINE_CONFORMANCE")
	if dir == "" {
		t.Skip("needs the conformance cases: set PACELINE_CONFORMANCE to their directory")
	}
	var list struct {
		Cases []struct {
			Name string
			Tier int
			Now  string
		}
	}
	readJSON(t, filepath.Join(dir, "cases.json"), &list)
	agree, all := map[int]int{}, map[int]int{}
	for _, c := range list.Cases {
		all[c.Tier]++
		if why := compareCase(t, dir, c.Name, c.Now); why == "" {
			agree[c.Tier]++
		} else if testing.Verbose() {
			t.Logf("%s: %s", c.Name, why)
		}
	}
	for tier, floor := range floors {
		t.Logf("tier %d: %d of %d agree", tier, agree[tier], all[tier])
		if agree[tier] < floor {
			t.Errorf("tier %d: only %d cases agree, not %d", tier, agree[tier], floor)
		}
	}
}

func readJSON(t *testing.T, path string, into any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// compareCase returns the first difference, or "".
func compareCase(t *testing.T, dir, name, now string) string {
	f, err := os.Open(filepath.Join(dir, "xml", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, _, err := cib.Decode(f)
	if err != nil {
		return err.Error()
	}
	at := time.Now()
	if n, err := strconv.ParseInt(c.Header.ExecutionDate, 10, 64); err == nil {
		at = time.Unix(n, 0)
	}
	if now != "" {
		if at, err = time.Parse(time.RFC3339, now); err != nil {
			t.Fatal(err)
		}
	}
	var want struct {
		Anonymous []string
		Actions   []*transition.Action
	}
	readJSON(t, filepath.Join(dir, "expected", name+".json"), &want)
	anonymous := map[string]bool{}
	for _, a := range want.Anonymous {
		anonymous[a] = true
	}
	got := &answer{anonymous: anonymous}
	if !got.read(Plan(c, at).Graph.Actions) {
		return "the plan has a cycle"
	}
	expected := &answer{anonymous: anonymous}
	expected.read(want.Actions)
	return expected.missingFrom(got)
}

// answer is a graph reduced to its real actions and the orderings between them.
type answer struct {
	anonymous map[string]bool
	names     map[int]string
	known     map[string]bool
	pairs     map[[2]string]bool
}

func (a *answer) read(actions []*transition.Action) bool {
	a.names, a.known, a.pairs = map[int]string{}, map[string]bool{}, map[[2]string]bool{}
	sorted := append([]*transition.Action(nil), actions...)
	sort.SliceStable(sorted, func(i, j int) bool {
		if sorted[i].Resource != sorted[j].Resource {
			return sorted[i].Resource < sorted[j].Resource
		}
		return sorted[i].ID < sorted[j].ID
	})
	seen := map[string]int{}
	for _, x := range sorted {
		if x.Kind == transition.KindPseudo {
			continue
		}
		key := a.key(x)
		if seen[key]++; seen[key] > 1 {
			key += fmt.Sprintf(" #%d", seen[key])
		}
		a.names[x.ID], a.known[key] = key, true
	}
	order := inOrder(&transition.Graph{Actions: actions})
	before := map[int]map[string]bool{}
	for _, x := range order {
		set := map[string]bool{}
		for _, id := range x.After {
			for name := range before[id] {
				set[name] = true
			}
			if name := a.names[id]; name != "" {
				set[name] = true
			}
		}
		before[x.ID] = set
		if name := a.names[x.ID]; name != "" {
			for first := range set {
				a.pairs[[2]string{first, name}] = true
			}
		}
	}
	return len(order) == len(actions)
}

func (a *answer) key(x *transition.Action) string {
	rsc := x.Resource
	if base, n := splitInstance(rsc); n >= 0 && a.anonymous[base] {
		rsc = base
	}
	words := []string{string(x.Kind), x.Operation, rsc, x.Notify, "on", x.Node}
	if x.Operation == "monitor" || x.Operation == "cancel" {
		words = append(words, strconv.FormatInt(x.IntervalMS, 10))
	}
	return strings.Join(words, " ")
}

func (a *answer) missingFrom(got *answer) string {
	for key := range a.known {
		if !got.known[key] {
			return "missing " + key
		}
	}
	for key := range got.known {
		if !a.known[key] {
			return "extra " + key
		}
	}
	for p := range a.pairs {
		if !got.pairs[p] {
			return p[0] + " is not before " + p[1]
		}
	}
	return ""
}
