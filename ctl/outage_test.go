package ctl

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
	"paceline/ctl/crm"
)

func TestOutage(t *testing.T) {
	act := func(id int, op, resource string, timeout int64, after ...int) *transition.Action {
		return &transition.Action{ID: id, Kind: transition.KindResource, Operation: op, Resource: resource, Node: "n", TimeoutMS: timeout, After: after}
	}
	// web moves; db, which starts after it, is stopped first; new starts for the first time.
	g := &transition.Graph{Actions: []*transition.Action{
		act(1, "stop", "db", 60_000),
		act(2, "stop", "web:0", 20_000, 1),
		{ID: 3, Kind: transition.KindPseudo, Operation: "stopped", After: []int{2}},
		act(4, "start", "web:0", 30_000, 3),
		act(5, "start", "db", 90_000, 4),
		act(6, "start", "new", 10_000),
	}}
	taken := map[string]time.Duration{"stop db": 2 * time.Second, "stop web": time.Second, "start web": 3 * time.Second, "start db": 4 * time.Second}
	known := map[string]window{}
	end := play(g, time.Minute, func(a *transition.Action) (time.Duration, bool) {
		d, ok := taken[actionTime(a)]
		return d, ok || a.Kind == transition.KindPseudo
	}, known)
	if want := time.Minute + 10*time.Second; end != want {
		t.Errorf("the transition ends at %v, want %v", end, want)
	}
	for id, want := range map[string]window{
		"db":  {begin: time.Minute, end: time.Minute + 10*time.Second, open: true},
		"web": {begin: time.Minute + 2*time.Second, end: time.Minute + 6*time.Second, open: true},
		"new": {begin: time.Minute, end: time.Minute, open: true, guess: true},
	} {
		if known[id] != want {
			t.Errorf("%s: got %+v, want %+v", id, known[id], want)
		}
	}
	for o, want := range map[outage]string{
		{Expected: 2500 * time.Millisecond, Most: 40 * time.Second}:              "of about 2.5s, at most 40s",
		{Expected: time.Second, Guess: true, Most: 100 * time.Second}:            "of more than 1s, at most 1m40s",
		{Guess: true, Most: 20 * time.Second}:                                    "of unknown length, at most 20s",
		{Expected: 75*time.Second + 400*time.Millisecond, Most: 2 * time.Minute}: "of about 1m15s, at most 2m",
	} {
		if got := o.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDurations(t *testing.T) {
	c := &cib.CIB{}
	record := func(op, ms, rc string) *cib.OpRecord {
		return &cib.OpRecord{Operation: op, ExecTime: ms, RC: rc}
	}
	for i, ms := range []string{"150", "90"} {
		c.Status.Nodes = append(c.Status.Nodes, &cib.NodeState{ID: string(rune('a' + i)), Resources: []*cib.ResourceHistory{
			{ID: "web:1", Ops: []*cib.OpRecord{record("start", ms, "0"), record("stop", "99999", "1")}},
		}})
	}
	c.Status.Fencing = []*cib.FenceEvent{{Target: "a", Action: "reboot", State: "ok", Started: 1000, Completed: 4000}, {Target: "b", Action: "off", State: "failed", Started: 1, Completed: 9}}
	got := durations(c)
	if len(got) != 2 || got["start web"] != 150*time.Millisecond || got["reboot a"] != 3*time.Second {
		t.Errorf("got %v: the longest that succeeded counts, a failure says nothing", got)
	}
}

// A picture is well-formed, holds every object, and no two boxes of a level overlap.
func TestGraph(t *testing.T) {
	c, err := crm.Parse(`node alpha
node beta
primitive vip IPaddr2 description="<the> & \"one\""
primitive web systemd:nginx
group front vip web
primitive db Dummy
clone dbs db
order o Mandatory: dbs front
colocation c inf: front dbs
location l front 100: alpha
order s Serialize: [ vip db ] web
order back Optional: front dbs
`)
	if err != nil {
		t.Fatal(err)
	}
	d := drawingOf(c)
	var svg, dot bytes.Buffer
	d.svg(&svg)
	d.dot(&dot)
	x := xml.NewDecoder(bytes.NewReader(svg.Bytes()))
	for {
		if _, err := x.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%v\n%s", err, svg.String())
		}
	}
	for _, id := range []string{"alpha", "beta", "vip", "web", "front", "db", "dbs"} {
		if !strings.Contains(svg.String(), ">"+id) || !strings.Contains(dot.String(), `"`+id) && !strings.Contains(dot.String(), `cluster_`+id) {
			t.Errorf("%s is missing", id)
		}
	}
	var boxes func(list []*box)
	boxes = func(list []*box) {
		for i, a := range list {
			for _, b := range list[i+1:] {
				if a.x < b.x+b.w && b.x < a.x+a.w && a.y < b.y+b.h && b.y < a.y+a.h {
					t.Errorf("%s and %s overlap", a.id, b.id)
				}
			}
			boxes(a.inside)
		}
	}
	boxes(d.boxes)
	if len(d.lines) < 6 {
		t.Errorf("%d lines are drawn", len(d.lines))
	}
}
