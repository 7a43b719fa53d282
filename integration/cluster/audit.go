package cluster

import (
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

// Audit reads journals and the power switch's log and returns an error that names every resource that may have been
// active on two nodes at a time.
func (c *Cluster) Audit() ([]Span, error) {
	journals, err := c.Journals()
	if err != nil {
		return nil, err
	}
	spans := Spans(journals, c.Switch().Events())
	var errs []error
	for _, o := range Overlaps(spans) {
		errs = append(errs, fmt.Errorf("active twice: %v, and %v", o[0], o[1]))
	}
	return spans, errors.Join(errs...)
}

// moment is a journal line or the end of a node's power, on the shared clock.
type moment struct {
	at    int64
	entry *executor.Entry // nil: the power is off
}

// Spans works out when which resource may have been active where. Fencing devices are left out: they act on others.
func Spans(journals map[string][]executor.Entry, power []lab.PowerEvent) []Span {
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
		out = append(out, spansOf(node, moments)...)
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

func spansOf(node string, moments []moment) []Span {
	var out []Span
	active := map[string]int64{} // resource -> since when it may be active
	end := func(resource string, at int64, why string) {
		if from, ok := active[resource]; ok {
			out = append(out, Span{resource, node, from, at, why})
			delete(active, resource)
		}
	}
	begin := func(resource string, at int64) {
		if _, ok := active[resource]; !ok {
			active[resource] = at
		}
	}
	for _, m := range moments {
		if m.entry == nil {
			for r := range active {
				end(r, m.at, "power cut")
			}
			continue
		}
		e := m.entry
		if e.Action != nil && e.Action.Agent.Class == "stonith" {
			continue
		}
		switch {
		case e.Kind == executor.KindBegin && (e.Operation == resources.Start || e.Operation == resources.Promote || e.Operation == resources.MigrateFrom):
			begin(e.Resource, e.MonoMS)
		case e.Kind == executor.KindEnd && e.Result != nil:
			code := resources.ExitCode(e.Result.RC)
			switch {
			case e.Operation == resources.Stop && code == resources.OK:
				end(e.Resource, e.MonoMS, "stopped")
			case e.Operation == resources.Monitor && (code == resources.NotRunning || code == resources.NotInstalled):
				end(e.Resource, e.MonoMS, "found not running")
			case e.Operation == resources.Monitor && e.IntervalMS == 0:
				// A probe that finds anything but "not running" finds what may be active since before.
				begin(e.Resource, e.BeganMS)
			}
		}
	}
	for r, from := range active {
		out = append(out, Span{r, node, from, open, ""})
	}
	return out
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
