package cluster

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sort"
	"time"

	"paceline/agent/executor"
	"paceline/integration/lab"
	"paceline/resources"
)

// Span is a stretch of time in which a resource may have been active on a node: from the begin of its start to the end
// of its stop, or to the end of the node's power. Times are CLOCK_MONOTONIC, in milliseconds, which all nodes share.
type Span struct {
	Resource string
	Node     string
	From, To int64 // To is open for what still runs
	Why      string
}

// open is the end of a span that has none.
const open = int64(1)<<62 - 1

func (s Span) String() string {
	end := "now"
	if s.To != open {
		end = fmt.Sprint(s.To) + " ms (" + s.Why + ")"
	}
	return fmt.Sprintf("%s on %s from %d ms to %s", s.Resource, s.Node, s.From, end)
}

// Journals reads the truth journals of all nodes from their disks.
func (c *Cluster) Journals() (map[string][]executor.Entry, error) {
	out := map[string][]executor.Entry{}
	for _, n := range c.Nodes() {
		dir := n.Disk("/var/lib/paceline")
		entries, err := executor.ReadJournals(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("journal of %s in %s: %w", n.Name, filepath.Base(dir), err)
		}
		out[n.Name] = entries
	}
	return out, nil
}

// AwaitJournal returns when a node's truth journal fits.
func (c *Cluster) AwaitJournal(ctx context.Context, node, what string, fits func([]executor.Entry) bool) error {
	for {
		entries, err := executor.ReadJournals(c.Node(node).Disk("/var/lib/paceline"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if fits(entries) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s in the journal of %s: %w", what, node, context.Cause(ctx))
		case <-time.After(20 * time.Millisecond): // a file that another process writes tells nobody
		}
	}
}

// Audit reads journals and the power switch's log and returns an error that names every resource that may have been
// active on two nodes at a time.
func (c *Cluster) Audit() ([]Span, error) {
	journals, err := c.Journals()
	if err != nil {
		return nil, err
	}
	spans := Spans(journals, c.Switch().Events())
	return spans, twice("active", spans)
}

// AuditPromoted is Audit for the instances of promotable clones: an error names those that may have been promoted on two nodes at a
// time.
func (c *Cluster) AuditPromoted() ([]Span, error) {
	journals, err := c.Journals()
	if err != nil {
		return nil, err
	}
	spans := PromotedSpans(journals, c.Switch().Events())
	return spans, twice("promoted", spans)
}

func twice(what string, spans []Span) error {
	var errs []error
	for _, o := range Overlaps(spans) {
		errs = append(errs, fmt.Errorf("%s twice: %v, and %v", what, o[0], o[1]))
	}
	return errors.Join(errs...)
}

// moment is a journal line or the end of a node's power, on the shared clock.
type moment struct {
	at    int64
	entry *executor.Entry // nil: the power is off
}

// Spans works out when which resource may have been active where. Fencing devices are left out: they act on others.
func Spans(journals map[string][]executor.Entry, power []lab.PowerEvent) []Span {
	return spans(journals, power, activity)
}

// PromotedSpans works out when which instance may have been promoted where: from the begin of a promotion to the end of a demotion.
func PromotedSpans(journals map[string][]executor.Entry, power []lab.PowerEvent) []Span {
	return spans(journals, power, promotion)
}

func spans(journals map[string][]executor.Entry, power []lab.PowerEvent, look func(*executor.Entry, *track)) []Span {
	var out []Span
	for node, entries := range journals {
		var moments []moment
		for i := range entries {
			moments = append(moments, moment{entries[i].MonoMS, &entries[i]})
		}
		for _, p := range power {
			if p.Node == node && p.What == "off" {
				moments = append(moments, moment{p.Mono.Milliseconds(), nil})
			}
		}
		sort.SliceStable(moments, func(i, j int) bool { return moments[i].at < moments[j].at })
		out = append(out, spansOf(node, moments, look)...)
	}
	sort.Slice(out, func(i, j int) bool {
		a, b := out[i], out[j]
		if a.Resource != b.Resource {
			return a.Resource < b.Resource
		}
		if a.From != b.From {
			return a.From < b.From
		}
		return a.Node < b.Node
	})
	return out
}

// track is what one node may have active.
type track struct {
	node   string
	active map[string]int64 // resource -> since when
	out    []Span
}

func (t *track) begin(resource string, at int64) {
	if _, ok := t.active[resource]; !ok {
		t.active[resource] = at
	}
}

func (t *track) end(resource string, at int64, why string) {
	if from, ok := t.active[resource]; ok {
		t.out = append(t.out, Span{resource, t.node, from, at, why})
		delete(t.active, resource)
	}
}

func spansOf(node string, moments []moment, look func(*executor.Entry, *track)) []Span {
	t := &track{node: node, active: map[string]int64{}}
	for _, m := range moments {
		switch {
		case m.entry == nil:
			for r := range t.active {
				t.end(r, m.at, "power cut")
			}
		case m.entry.Action == nil || m.entry.Action.Agent.Class != "stonith":
			look(m.entry, t)
		}
	}
	for r, from := range t.active {
		t.out = append(t.out, Span{r, node, from, open, ""})
	}
	return t.out
}

// activity follows what is started and stopped.
func activity(e *executor.Entry, t *track) {
	switch {
	case e.Kind == executor.KindBegin && (e.Operation == resources.Start || e.Operation == resources.Promote || e.Operation == resources.MigrateFrom):
		t.begin(e.Resource, e.MonoMS)
	case e.Kind == executor.KindEnd && e.Result != nil:
		code := resources.ExitCode(e.Result.RC)
		switch {
		case e.Operation == resources.Stop && code == resources.OK:
			t.end(e.Resource, e.MonoMS, "stopped")
		case e.Operation == resources.Monitor && (code == resources.NotRunning || code == resources.NotInstalled):
			t.end(e.Resource, e.MonoMS, "found not running")
		case e.Operation == resources.Monitor && e.IntervalMS == 0:
			// A probe that finds anything but "not running" finds what may be active since before.
			t.begin(e.Resource, e.BeganMS)
		}
	}
}

// promotion follows what is promoted and demoted.
func promotion(e *executor.Entry, t *track) {
	switch {
	case e.Kind == executor.KindBegin && e.Operation == resources.Promote:
		t.begin(e.Resource, e.MonoMS)
	case e.Kind == executor.KindEnd && e.Result != nil:
		code := resources.ExitCode(e.Result.RC)
		switch {
		case (e.Operation == resources.Stop || e.Operation == resources.Demote) && code == resources.OK:
			t.end(e.Resource, e.MonoMS, "demoted")
		case e.Operation == resources.Monitor && (code == resources.OK || code == resources.NotRunning || code == resources.NotInstalled):
			t.end(e.Resource, e.MonoMS, "found not promoted")
		case e.Operation == resources.Monitor && (code == resources.RunningPromoted || code == resources.FailedPromoted || code == resources.DegradedPromoted):
			t.begin(e.Resource, e.BeganMS)
		}
	}
}

// Overlaps lists the pairs of spans of one resource on two nodes that have time in common. Spans come sorted by resource
// and beginning.
func Overlaps(spans []Span) [][2]Span {
	var out [][2]Span
	for i, a := range spans {
		for _, b := range spans[i+1:] {
			if a.Resource != b.Resource {
				break
			}
			if a.Node != b.Node && a.From < b.To && b.From < a.To {
				out = append(out, [2]Span{a, b})
			}
		}
	}
	return out
}

// At turns a moment on the shared clock into a time of day, given one moment known in both.
func At(known time.Time, knownMono time.Duration, ms int64) time.Time {
	return known.Add(time.Duration(ms)*time.Millisecond - knownMono)
}
