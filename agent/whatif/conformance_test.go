package whatif

import (
	"encoding/json"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/scheduler"
)

// endsFloor is how many of the cases end, when their first transition is played, with exactly what the plan says is active
// then; restFloor how many come to rest. They only rise.
const (
	endsFloor = 488
	restFloor = 476
)

// TestConformanceCasesEnd plays the conformance cases: what the plan says is active then is what the state says after the
// transition was played. That holds the plan's forecast, the playing and the reading of histories against one another.
func TestConformanceCasesEnd(t *testing.T) {
	dir := os.Getenv("PACELINE_CONFORMANCE")
	if dir == "" {
		t.Skip("PACELINE_CONFORMANCE names no folder of conformance cases")
	}
	files, err := filepath.Glob(filepath.Join(dir, "xml", "*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases in %s: %v", dir, err)
	}
	given := caseTimes(t, dir)
	ends, rest := 0, 0
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := cib.Decode(f)
		f.Close()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		now, ok := given[name]
		if !ok {
			now = time.Now()
			if n, err := strconv.ParseInt(c.Header.ExecutionDate, 10, 64); err == nil {
				now = time.Unix(n, 0)
			}
		}
		run, err := Play(c, now, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if run.Settled {
			rest++
		} else {
			t.Logf("%s: %s", name, run.Circles)
		}
		want, got := places(run.First().Placements), ""
		if len(run.Steps) > 1 {
			got = places(run.Steps[1].Plan.Initial)
		} else {
			got = places(run.Rest.Initial)
		}
		if want == got {
			ends++
		} else {
			t.Logf("%s: the plan says\n  %s\nand it ends with\n  %s", name, want, got)
		}
	}
	t.Logf("%d of %d end as planned, %d come to rest", ends, len(files), rest)
	if ends < endsFloor || rest < restFloor {
		t.Errorf("%d cases end as planned and %d come to rest, want at least %d and %d", ends, rest, endsFloor, restFloor)
	}
}

// places writes placements with the numbers of instances left out: an anonymous instance may change its number.
func places(list []scheduler.Placement) string {
	var out []string
	for _, p := range list {
		base, number, ok := strings.Cut(p.Resource, ":")
		if !ok || strings.Trim(number, "0123456789") != "" {
			base = p.Resource
		}
		out = append(out, base+"="+p.Node+"/"+p.Role)
	}
	sort.Strings(out)
	return strings.Join(out, " ")
}

// caseTimes reads for when each case is to be planned.
func caseTimes(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "cases.json"))
	if err != nil {
		t.Fatal(err)
	}
	var list struct{ Cases []struct{ Name, Now string } }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]time.Time{}
	for _, c := range list.Cases {
		if at, err := time.Parse(time.RFC3339, c.Now); err == nil {
			out[c.Name] = at
		}
	}
	return out
}
