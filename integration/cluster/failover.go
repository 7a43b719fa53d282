package cluster

import (
	"bufio"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"paceline/agent/executor"
	"paceline/fencing"
	"paceline/resources"
)

// Failover is when what happened after a power cut, by the logs and journals of the nodes that survived. A zero time
// was not found.
type Failover struct {
	Victim     string
	Cut        time.Time // the power went
	Detected   time.Time // the survivor that coordinates says that the node is gone
	Elected    time.Time // the first session of a new coordinator; zero if the coordinator survived
	FenceBegan time.Time // the first order to a fencing device
	FenceEnded time.Time // the device confirmed
	StartBegan time.Time // the first resource's start on a survivor
	Answered   time.Time // the first answer of the VIP; set by whoever pings
}

// Term is a part of a failover.
type Term struct {
	Name string
	Took time.Duration
}

// Terms divides the time from cut to answer. Election overlaps detection; what of it came later is counted.
func (f Failover) Terms() []Term {
	ready := f.Detected
	if f.Elected.After(ready) {
		ready = f.Elected
	}
	return []Term{
		{"detect", between(f.Cut, f.Detected)},
		{"elect", between(f.Detected, ready)},
		{"fence", between(f.FenceBegan, f.FenceEnded)},
		{"plan", between(ready, f.FenceBegan) + between(f.FenceEnded, f.StartBegan)},
		{"start", between(f.StartBegan, f.Answered)},
	}
}

func (f Failover) String() string {
	var out []string
	for _, t := range f.Terms() {
		out = append(out, fmt.Sprintf("%s %d ms", t.Name, t.Took.Milliseconds()))
	}
	return strings.Join(out, ", ")
}

// Total is the time from cut to answer.
func (f Failover) Total() time.Duration { return between(f.Cut, f.Answered) }

func between(a, b time.Time) time.Duration {
	if a.IsZero() || b.IsZero() || b.Before(a) {
		return 0
	}
	return b.Sub(a)
}

// Failover reads from the survivors' logs and journals what happened after the victim's power was cut.
func (c *Cluster) Failover(victim string, cut time.Time) (Failover, error) {
	f := Failover{Victim: victim, Cut: cut}
	var first time.Time // when any survivor said that the node is gone
	journals, err := c.Journals()
	if err != nil {
		return f, err
	}
	for _, n := range c.Nodes() {
		if n.Name == victim {
			continue
		}
		seen, err := logged(n.Log(service), cut, "member failed", "node="+victim)
		if err != nil {
			return f, err
		}
		earliest(&first, seen)
		ordered, err := logged(n.Log(service), cut, "a node is to be fenced", "node="+victim)
		if err != nil {
			return f, err
		}
		if !ordered.IsZero() {
			f.Detected = seen
		}
		for _, e := range journals[n.Name] {
			at := time.UnixMilli(e.WallMS)
			// Journals know milliseconds: what was written in the one of the cut may have been before it.
			if !at.After(cut) {
				continue
			}
			switch {
			case e.Kind == executor.KindSession && e.Session != nil && e.Session.Coordinator != victim:
				earliest(&f.Elected, at)
			case e.Kind == executor.KindFenceBegin && e.Fence != nil && e.Fence.Target == victim:
				earliest(&f.FenceBegan, at)
			case e.Kind == executor.KindFenceEnd && e.Fence != nil && e.Fence.Target == victim && e.Fence.OK && powerless(e.Fence.Action):
				earliest(&f.FenceEnded, at)
			case e.Kind == executor.KindBegin && e.Operation == resources.Start && (e.Action == nil || e.Action.Agent.Class != "stonith"):
				earliest(&f.StartBegan, at)
			}
		}
	}
	if f.Detected.IsZero() {
		f.Detected = first // a survivor of two has its own way to order a fencing
	}
	return f, nil
}

func earliest(t *time.Time, at time.Time) {
	if !at.IsZero() && (t.IsZero() || at.Before(*t)) {
		*t = at
	}
}

var logTime = regexp.MustCompile(`^time=(\S+)`)

// logged finds the first line of a daemon's log after a moment that has all the words, and returns its time.
func logged(path string, after time.Time, words ...string) (time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return time.Time{}, fmt.Errorf("read a daemon's log: %w", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
next:
	for lines.Scan() {
		for _, w := range words {
			if !strings.Contains(lines.Text(), w) {
				continue next
			}
		}
		m := logTime.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, m[1])
		if err == nil && at.After(after) {
			return at, nil
		}
	}
	return time.Time{}, lines.Err()
}

// powerless says whether an action takes a node's power: to ask a device changes nothing.
func powerless(action string) bool { return action == fencing.Off || action == fencing.Reboot }
