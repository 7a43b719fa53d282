package main

import (
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

//go:embed report.html
var page string

// row is a line of a table.
type row struct {
	Name  string
	Cells []string
	Share int // of the largest in its table, in percent: a bar
}

// table is a part of the report.
type table struct {
	Title string
	Heads []string
	Rows  []row
	Note  string
}

// report is what a run comes to.
type report struct {
	Title   string
	Verdict string
	Good    bool
	Facts   []string
	Tables  []table
}

// summarize makes the report of a run.
func (r *run) summarize(err error) report {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for _, n := range r.faults {
		total += n
	}
	acked, written := 0, 0
	if r.writer != nil {
		acked, written = r.writer.counts()
	}
	out := report{Title: "Chaos in the lab", Good: err == nil && len(r.findings) == 0, Verdict: "every promise held"}
	switch {
	case len(r.findings) > 0:
		out.Verdict = fmt.Sprintf("%d promises broken", len(r.findings))
	case err != nil:
		out.Verdict = "the run could not be finished: " + err.Error()
	}
	out.Facts = []string{
		fmt.Sprintf("seed %d, %d nodes, %v of faults, %d rounds with %d faults", r.seed, r.options.nodes, r.took.Round(time.Second), r.counts[ruleRest], total),
		fmt.Sprintf("%d writes acknowledged of %d", acked, written),
		fmt.Sprintf("in %d rounds a person had to clean failures up; %d fencings came of a machine that stood still", r.helped, r.starved),
		fmt.Sprintf("once more: make chaos MINUTES=%d SEED=%d", max(1, int(r.most.Minutes()+0.5)), r.seed),
	}
	if r.previous == "" {
		out.Facts = append(out.Facts, r.noPrevious)
	} else {
		out.Facts = append(out.Facts, "rolling upgrades were from "+r.previous)
	}
	if len(r.findings) > 0 {
		t := table{Title: "Broken", Heads: []string{"round", "rule", "what was seen"}}
		for _, f := range r.findings {
			t.Rows = append(t.Rows, row{Name: fmt.Sprint(f.Round), Cells: []string{f.Rule, f.Detail}})
		}
		out.Tables = append(out.Tables, t)
	}
	out.Tables = append(out.Tables, r.faultTable(), r.timeTable(), r.ruleTable())
	return out
}

func (r *run) faultTable() table {
	t := table{Title: "Faults", Heads: []string{"kind", "times"}, Note: "Clocks are not stepped: nodes of one machine share its clock; the simulation does that."}
	most := 1
	for _, n := range r.faults {
		most = max(most, n)
	}
	for _, k := range slices.Sorted(maps.Keys(r.faults)) {
		t.Rows = append(t.Rows, row{string(k), []string{fmt.Sprint(r.faults[k])}, 100 * r.faults[k] / most})
	}
	for _, k := range slices.Sorted(maps.Keys(r.skipped)) {
		t.Rows = append(t.Rows, row{Name: string(k), Cells: []string{"left out: " + r.skipped[k]}})
	}
	return t
}

func (r *run) timeTable() table {
	var detected, fenced, started, rests []time.Duration
	for _, x := range r.recovered {
		if x.Detected > 0 {
			detected = append(detected, x.Detected)
			fenced = append(fenced, x.Fenced-x.Detected)
		}
		if x.Started > 0 {
			started = append(started, x.Started)
		}
	}
	rests = append(rests, r.rests...)
	t := table{Title: "Times", Heads: []string{"from, to", "how often", "least", "median", "90 of 100", "99 of 100", "most"},
		Note: "After power cuts by hand, whatever else went wrong in the same round: overlapping faults, devices that refuse, and what else runs on the machine are in these times."}
	for _, line := range []struct {
		name string
		took []time.Duration
	}{
		{"power cut, first order to a device", detected},
		{"first order to a device, fencing confirmed", fenced},
		{"power cut, first service started elsewhere", started},
		{"all mended, cluster at rest", rests},
	} {
		cells := []string{fmt.Sprint(len(line.took))}
		slices.Sort(line.took)
		for _, share := range []float64{0, 0.5, 0.9, 0.99, 1} {
			cells = append(cells, at(line.took, share))
		}
		t.Rows = append(t.Rows, row{Name: line.name, Cells: cells})
	}
	return t
}

// at is the value at a share of a sorted sample (nearest rank).
func at(sorted []time.Duration, share float64) string {
	if len(sorted) == 0 {
		return "–"
	}
	i := min(max(int(share*float64(len(sorted))+0.9999999)-1, 0), len(sorted)-1)
	return sorted[i].Round(10 * time.Millisecond).String()
}

func (r *run) ruleTable() table {
	t := table{Title: "Promises", Heads: []string{"promise", "put to the test"}, Note: "What neither journals nor the switch tell is judged in the simulation."}
	for _, rule := range slices.Sorted(maps.Keys(r.auditor.Judged())) {
		cell := "not by this run"
		if n := r.auditor.Judged()[rule]; n > 0 {
			cell = fmt.Sprint(n)
		}
		t.Rows = append(t.Rows, row{Name: rule, Cells: []string{cell}})
	}
	for _, rule := range slices.Sorted(maps.Keys(r.counts)) {
		t.Rows = append(t.Rows, row{Name: rule, Cells: []string{fmt.Sprint(r.counts[rule])}})
	}
	return t
}

// text writes a report for a terminal.
func (p report) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", p.Title, p.Verdict)
	for _, f := range p.Facts {
		fmt.Fprintln(&b, f)
	}
	for _, t := range p.Tables {
		fmt.Fprintf(&b, "\n%s\n", t.Title)
		w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  "+strings.Join(t.Heads, "\t"))
		for _, r := range t.Rows {
			fmt.Fprintln(w, "  "+r.Name+"\t"+strings.Join(r.Cells, "\t"))
		}
		_ = w.Flush() // into memory
		if t.Note != "" {
			fmt.Fprintln(&b, t.Note)
		}
	}
	return b.String()
}

func (p report) html() (string, error) {
	t, err := template.New("report").Parse(page)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = t.Execute(&b, p)
	return b.String(), err
}

// writeReport writes a run's report into a directory, and to the terminal.
func writeReport(r *run, dir string, failed error) error {
	p := r.summarize(failed)
	text := p.text()
	fmt.Fprint(r.out, "\n", text)
	html, err := p.html()
	return errors.Join(err,
		os.WriteFile(filepath.Join(dir, "report.txt"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, "report.html"), []byte(html), 0o644))
}
