package ctl

import (
	"strconv"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/agent/whatif"
)

// outage estimates for how long a resource is away: from the begin of its first stop or demotion to the end of its last start or
// promotion in a run.
type outage struct {
	// Expected takes for each operation the longest time that it is known to have taken here. Unknown operations count nothing, and
	// Guess says that there were some.
	Expected time.Duration
	Guess    bool
	// Most takes the time-outs.
	Most time.Duration
}

// outages estimates for every resource, without the numbers of instances.
func outages(run *whatif.Run) map[string]outage {
	taken := durations(run.Before)
	out := map[string]outage{}
	expected := away(run, func(a *transition.Action) (time.Duration, bool) {
		d, known := taken[actionTime(a)]
		return d, known || a.Kind == transition.KindPseudo
	})
	most := away(run, func(a *transition.Action) (time.Duration, bool) {
		if a.Kind == transition.KindPseudo {
			return 0, true
		}
		return a.Budget(), true
	})
	for id, w := range most {
		e := expected[id]
		out[id] = outage{Expected: e.end - e.begin, Guess: e.guess, Most: w.end - w.begin}
	}
	return out
}

// actionTime names what durations are known by: operation and resource, or the fencing of a node.
func actionTime(a *transition.Action) string {
	if a.Kind == transition.KindFence {
		return a.Operation + " " + a.Node
	}
	return a.Operation + " " + instanceOf(a.Resource)
}

// instanceOf strips the number of a clone's instance.
func instanceOf(resource string) string {
	if base, number, ok := strings.Cut(resource, ":"); ok && number != "" && strings.Trim(number, "0123456789") == "" {
		return base
	}
	return resource
}

// durations lists the longest known time of each operation and fencing.
func durations(c *cib.CIB) map[string]time.Duration {
	out := map[string]time.Duration{}
	note := func(key string, d time.Duration) {
		if old, known := out[key]; !known || d > old {
			out[key] = d
		}
	}
	for _, n := range c.Status.Nodes {
		for _, h := range n.Resources {
			for _, op := range h.Ops {
				if ms, err := strconv.ParseInt(op.ExecTime, 10, 64); err == nil && op.RC == "0" {
					note(op.Operation+" "+instanceOf(h.ID), time.Duration(ms)*time.Millisecond)
				}
			}
		}
	}
	for _, f := range c.Status.Fencing {
		if f.Completed > f.Started && f.State == "ok" {
			note(f.Action+" "+f.Target, time.Duration(f.Completed-f.Started)*time.Millisecond)
		}
	}
	return out
}

type window struct {
	begin, end time.Duration
	open       bool
	guess      bool
}

// away plays the transitions of a run with every action taking its time, as early as the order allows.
func away(run *whatif.Run, takes func(*transition.Action) (time.Duration, bool)) map[string]window {
	out := map[string]window{}
	offset := time.Duration(0)
	for _, step := range run.Steps {
		offset = play(step.Plan.Graph, offset, takes, out)
	}
	return out
}

// play adds one transition to the windows, and returns when it ends.
func play(g *transition.Graph, offset time.Duration, takes func(*transition.Action) (time.Duration, bool), out map[string]window) time.Duration {
	byID := map[int]*transition.Action{}
	for _, a := range g.Actions {
		byID[a.ID] = a
	}
	type span struct {
		begin, end time.Duration
		guess      bool // an action of unknown length comes before it, or it is one
	}
	spans := map[int]span{}
	var at func(a *transition.Action) span
	at = func(a *transition.Action) span {
		if s, done := spans[a.ID]; done {
			return s
		}
		s := span{begin: offset}
		for _, id := range a.After {
			if before := byID[id]; before != nil {
				b := at(before)
				s.begin, s.guess = max(s.begin, b.end), s.guess || b.guess
			}
		}
		d, known := takes(a)
		s.end, s.guess = s.begin+d, s.guess || !known
		spans[a.ID] = s
		return s
	}
	last := offset
	for _, a := range g.Actions {
		s := at(a)
		last = max(last, s.end)
		if a.Kind != transition.KindResource {
			continue
		}
		id := instanceOf(a.Resource)
		w := out[id]
		switch a.Operation {
		case "stop", "demote", "migrate_to":
			if !w.open || s.begin < w.begin {
				w.begin = s.begin
			}
			w.open = true
			w.end = max(w.end, s.end)
			w.guess = w.guess || s.guess
		case "start", "promote", "migrate_from":
			if !w.open {
				w.begin, w.open = s.begin, true
			}
			w.end = max(w.end, s.end)
			w.guess = w.guess || s.guess
		default:
			continue
		}
		out[id] = w
	}
	return last
}

// String tells the estimate: "about 2.5s, at most 40s".
func (o outage) String() string {
	most := "at most " + short(o.Most)
	switch {
	case o.Guess && o.Expected == 0:
		return "of unknown length, " + most
	case o.Guess:
		return "of more than " + short(o.Expected) + ", " + most
	}
	return "of about " + short(o.Expected) + ", " + most
}

func short(d time.Duration) string {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	return text
}
