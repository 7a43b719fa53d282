package scheduler

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// Levels of agreement with an expected answer.
const (
	levelPlan    = "plan"    // the same real actions, and at least the expected orderings between them
	levelDetails = "details" // the same real actions, with the same time-outs, results, routers, parameters and lists
	levelInitial = "initial" // the state read from the document
	levelAfter   = "after"   // what is active once every action has succeeded
)

// planFloors are the numbers of cases of each tier that agree at levelPlan, floors those of all cases at the other levels.
// They only rise.
var (
	planFloors = map[int]int{1: 83, 2: 187, 3: 225}
	floors     = map[string]int{levelDetails: 498, levelInitial: 511, levelAfter: 504}
)

// TestConformance compares plans with the expected ones of Pacemaker's regression cases.
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
	levels := map[string]int{}
	listed := listedDifferences(t)
	for _, c := range list.Cases {
		all[c.Tier]++
		why := compareCase(t, dir, c.Name, c.Now)
		for _, level := range []string{levelPlan, levelDetails, levelInitial, levelAfter} {
			if why[level] == "" {
				levels[level]++
			} else if testing.Verbose() {
				t.Logf("%s: %s: %s", c.Name, level, why[level])
			}
		}
		if why[levelPlan] == "" {
			agree[c.Tier]++
		}
		for _, level := range []string{levelPlan, levelDetails} {
			switch named := strings.Contains(listed[c.Name], level); {
			case named && why[level] == "":
				t.Errorf("%s is listed in docs/differences.md (%s), and agrees: take it from the list", c.Name, level)
			case !named && why[level] != "":
				t.Errorf("%s differs (%s: %s): list it in docs/differences.md with the cause", c.Name, level, why[level])
			}
		}
		delete(listed, c.Name)
	}
	for name := range listed {
		t.Errorf("docs/differences.md lists %s, which is no case", name)
	}
	for tier, floor := range planFloors {
		t.Logf("tier %d: %d of %d agree", tier, agree[tier], all[tier])
		if agree[tier] < floor {
			t.Errorf("tier %d: only %d cases agree, not %d", tier, agree[tier], floor)
		}
	}
	for level, floor := range floors {
		t.Logf("%s: %d of %d agree", level, levels[level], len(list.Cases))
		if levels[level] < floor {
			t.Errorf("%s: only %d cases agree, not %d", level, levels[level], floor)
		}
	}
}

// listedDifferences reads the table of cases in docs/differences.md: of each the levels at which it differs.
func listedDifferences(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../../docs/differences.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Regression cases that differ\n")
	section, _, _ = strings.Cut(section, "\n## ")
	if !found {
		t.Fatal("docs/differences.md has no section of regression cases")
	}
	listed := map[string]string{}
	for line := range strings.Lines(section) {
		cells := strings.Split(line, "|")
		if len(cells) < 5 || strings.TrimSpace(cells[1]) == "case" || strings.HasPrefix(cells[1], " ---") {
			continue
		}
		listed[strings.TrimSpace(cells[1])] = cells[2]
	}
	return listed
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

// compareCase returns the first difference at each level; "" where there is none.
func compareCase(t *testing.T, dir, name, now string) map[string]string {
	f, err := os.Open(filepath.Join(dir, "xml", name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c, _, err := cib.Decode(f)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
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
	var want expectedAnswer
	readJSON(t, filepath.Join(dir, "expected", name+".json"), &want)
	anonymous := map[string]bool{}
	for _, a := range want.Anonymous {
		anonymous[a] = true
	}
	plan := Plan(c, at)
	got, expected := &answer{anonymous: anonymous}, &answer{anonymous: anonymous}
	expected.read(want.Actions)
	why := map[string]string{
		levelInitial: want.differs(want.Initial, plan.Initial, want.Up.Initial, anonymous),
		levelAfter:   want.differs(want.Placements, plan.Placements, want.Up.Placements, anonymous),
	}
	whole := got.read(plan.Graph.Actions)
	if why[levelDetails] = expected.actionsDiffer(got); why[levelDetails] == "" {
		why[levelDetails] = expected.detailsDiffer(got)
	}
	switch {
	case !whole:
		why[levelPlan] = "the plan has a cycle"
	default:
		why[levelPlan] = expected.missingFrom(got)
	}
	return why
}

// expectedAnswer is what Pacemaker makes of a case.
type expectedAnswer struct {
	Anonymous, Hidden   []string
	Actions             []*transition.Action
	Initial, Placements []Placement
	Up                  struct{ Initial, Placements []string } // the nodes on which placements are compared
}

// differs returns a difference of two lists of placements.
func (x *expectedAnswer) differs(want, got []Placement, up []string, anonymous map[string]bool) string {
	reduce := func(list []Placement) map[string]string {
		m := map[string]string{}
		for _, p := range list {
			if p.Role != "Stopped" && !slices.Contains(x.Hidden, p.Resource) && slices.Contains(up, p.Node) {
				m[plainName(p.Resource, anonymous)+" on "+p.Node] = p.Role
			}
		}
		return m
	}
	a, b := reduce(want), reduce(got)
	for k, role := range a {
		if strings.HasSuffix(role, "ing") { // what is on its way may be told either way
			delete(a, k)
			delete(b, k)
		} else if have, ok := b[k]; !ok || role != "" && have != role {
			return k + " is not " + role
		}
	}
	for k := range b {
		if _, ok := a[k]; !ok {
			return "extra " + k
		}
	}
	return ""
}

// plainName drops the number of an instance of an anonymous clone.
func plainName(rsc string, anonymous map[string]bool) string {
	if base, n := splitInstance(rsc); n >= 0 && anonymous[base] {
		return base
	}
	return rsc
}

// answer is a graph reduced to its real actions and the orderings between them.
type answer struct {
	anonymous map[string]bool
	names     map[int]string
	known     map[string]*transition.Action
	pairs     map[[2]string]bool
}

func (a *answer) read(actions []*transition.Action) bool {
	a.names, a.known, a.pairs = map[int]string{}, map[string]*transition.Action{}, map[[2]string]bool{}
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
		a.names[x.ID], a.known[key] = key, x
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
	words := []string{string(x.Kind), x.Operation, plainName(x.Resource, a.anonymous), x.Notify, "on", x.Node}
	if x.Operation == "monitor" || x.Operation == "cancel" {
		words = append(words, strconv.FormatInt(x.IntervalMS, 10))
	}
	return strings.Join(words, " ")
}

// actionsDiffer returns a difference of the sets of actions.
func (a *answer) actionsDiffer(got *answer) string {
	for key := range a.known {
		if got.known[key] == nil {
			return "missing " + key
		}
	}
	for key := range got.known {
		if a.known[key] == nil {
			return "extra " + key
		}
	}
	return ""
}

// detailsDiffer returns a difference in what actions are told.
func (a *answer) detailsDiffer(got *answer) string {
	for key, x := range a.known {
		y := got.known[key]
		if y == nil || a.details(x) == got.details(y) {
			continue
		}
		return key + ": " + got.details(y) + ", not " + a.details(x)
	}
	return ""
}

func (a *answer) details(x *transition.Action) string {
	lists := map[string][]string{}
	for name, list := range x.NotifyLists {
		for _, entry := range toSlice(list) {
			words := toSlice(entry)
			if len(words) == 0 {
				words = []any{entry}
			}
			words[0] = plainName(fmt.Sprint(words[0]), a.anonymous)
			lists[name] = append(lists[name], fmt.Sprint(words))
		}
		sort.Strings(lists[name])
	}
	return fmt.Sprint(x.TimeoutMS, x.TargetRC, x.Router, len(x.Params), x.Params, lists)
}

// toSlice copies a list of any element type.
func toSlice(list any) []any {
	switch list := list.(type) {
	case []any:
		return slices.Clone(list)
	case []string:
		return anySlice(list)
	case [][]string:
		return anySlice(list)
	}
	return nil
}

func anySlice[T any](list []T) []any {
	out := make([]any, len(list))
	for i, x := range list {
		out[i] = x
	}
	return out
}

// missingFrom returns an action or an ordering that got lacks or an action it has beyond.
func (a *answer) missingFrom(got *answer) string {
	if why := a.actionsDiffer(got); why != "" {
		return why
	}
	for p := range a.pairs {
		if !got.pairs[p] {
			return p[0] + " is not before " + p[1]
		}
	}
	return ""
}
