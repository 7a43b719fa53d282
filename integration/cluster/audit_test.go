package cluster

import (
	"testing"
	"time"

	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/agent/transition"
	"paceline/fencing"
	"paceline/integration/lab"
)

func begin(at int64, op, res string) executor.Entry {
	return executor.Entry{Kind: executor.KindBegin, MonoMS: at, Operation: op, Resource: res, Action: &transition.Action{Agent: cib.Agent{Class: "ocf"}}}
}

func ended(at int64, op, res string, rc int) executor.Entry {
	return executor.Entry{Kind: executor.KindEnd, MonoMS: at, BeganMS: at - 5, Operation: op, Resource: res, Result: &transition.Result{RC: rc},
		Action: &transition.Action{Agent: cib.Agent{Class: "ocf"}}}
}

func off(at int64, node string) lab.PowerEvent {
	return lab.PowerEvent{Mono: time.Duration(at) * time.Millisecond, Node: node, What: "off"}
}

func TestOverlaps(t *testing.T) {
	for _, c := range []struct {
		name     string
		journals map[string][]executor.Entry
		power    []lab.PowerEvent
		want     int
	}{
		{"moved in good order", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0), begin(20, "stop", "ip"), ended(22, "stop", "ip", 0)},
			"b": {begin(22, "start", "ip"), ended(30, "start", "ip", 0)},
		}, nil, 0},
		{"started before the stop had ended", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0), begin(20, "stop", "ip"), ended(25, "stop", "ip", 0)},
			"b": {begin(22, "start", "ip"), ended(30, "start", "ip", 0)},
		}, nil, 1},
		{"started after a failed stop", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0), begin(20, "stop", "ip"), ended(21, "stop", "ip", 1)},
			"b": {begin(40, "start", "ip"), ended(50, "start", "ip", 0)},
		}, nil, 1},
		{"recovered after the power was off", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0)},
			"b": {begin(101, "start", "ip"), ended(110, "start", "ip", 0)},
		}, []lab.PowerEvent{off(100, "a")}, 0},
		{"recovered before the power was off", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0)},
			"b": {begin(99, "start", "ip"), ended(110, "start", "ip", 0)},
		}, []lab.PowerEvent{off(100, "a")}, 1},
		{"another node's power", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0)},
			"b": {begin(110, "start", "ip"), ended(120, "start", "ip", 0)},
		}, []lab.PowerEvent{off(100, "b")}, 1},
		{"a start that failed may be active", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 1)},
			"b": {begin(20, "start", "ip")},
		}, nil, 1},
		{"a probe finds it where nobody started it", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0)},
			"b": {begin(20, "monitor", "ip"), ended(25, "monitor", "ip", 0)},
		}, nil, 1},
		{"a probe finds nothing", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0)},
			"b": {begin(20, "monitor", "ip"), ended(25, "monitor", "ip", 7)},
		}, nil, 0},
		{"two resources", map[string][]executor.Entry{
			"a": {begin(10, "start", "ip"), ended(12, "start", "ip", 0)},
			"b": {begin(10, "start", "fs"), ended(12, "start", "fs", 0)},
		}, nil, 0},
	} {
		if got := Overlaps(Spans(c.journals, c.power)); len(got) != c.want {
			t.Errorf("%s: overlaps %v, want %d", c.name, got, c.want)
		}
	}
}

func TestPromotedSpans(t *testing.T) {
	journals := map[string][]executor.Entry{
		"a": {begin(10, "start", "db"), ended(12, "start", "db", 0), begin(13, "promote", "db"), ended(14, "promote", "db", 0),
			begin(20, "demote", "db"), ended(21, "demote", "db", 0)},
		"b": {begin(10, "start", "db"), ended(12, "start", "db", 0), begin(22, "promote", "db"), ended(23, "promote", "db", 0)},
	}
	spans := PromotedSpans(journals, nil)
	if len(spans) != 2 || len(Overlaps(spans)) != 0 {
		t.Errorf("got %v", spans)
	}
	journals["b"][2].MonoMS = 19
	if spans := PromotedSpans(journals, nil); len(Overlaps(spans)) != 1 {
		t.Errorf("promoted before the other was demoted: got %v", spans)
	}
	if spans := PromotedSpans(journals, []lab.PowerEvent{off(18, "a")}); len(Overlaps(spans)) != 0 {
		t.Errorf("promoted after the other lost its power: got %v", spans)
	}
}

func fenceEnd(at int64, target string, ok bool) executor.Entry {
	return executor.Entry{Kind: executor.KindFenceEnd, MonoMS: at, Fence: &executor.FenceLine{Target: target, Action: fencing.Reboot, OK: ok}}
}

// asked is the end of an order that a device carried out without taking power away.
func asked(at int64, target string) executor.Entry {
	e := fenceEnd(at, target, true)
	e.Fence.Action = fencing.Status
	return e
}

// A recovery is hasty unless the node that ran the resource was fenced, or came back, between its end and the start.
func TestHasty(t *testing.T) {
	ran := []executor.Entry{begin(10, "start", "ip"), ended(12, "start", "ip", 0)}
	for _, c := range []struct {
		name string
		a, b []executor.Entry
		want int
	}{
		{"fenced first", ran, []executor.Entry{fenceEnd(105, "a", true), begin(110, "start", "ip")}, 0},
		{"fenced after", ran, []executor.Entry{begin(110, "start", "ip"), fenceEnd(120, "a", true)}, 1},
		{"its device was only asked", ran, []executor.Entry{asked(105, "a"), begin(110, "start", "ip")}, 1},
		{"fencing failed", ran, []executor.Entry{fenceEnd(105, "a", false), begin(110, "start", "ip")}, 1},
		{"another one was fenced", ran, []executor.Entry{fenceEnd(105, "c", true), begin(110, "start", "ip")}, 1},
		{"fenced in an earlier life", ran, []executor.Entry{fenceEnd(5, "a", true), begin(110, "start", "ip")}, 1},
		{"back from a new boot", append(ran[:2:2], executor.Entry{Kind: executor.KindBoot, MonoMS: 106}), []executor.Entry{begin(110, "start", "ip")}, 0},
		{"stopped in good order", append(ran[:2:2], begin(20, "stop", "ip"), ended(22, "stop", "ip", 0)), []executor.Entry{begin(110, "start", "ip")}, 0},
	} {
		journals := map[string][]executor.Entry{"a": c.a, "b": c.b}
		got := Hasty(Spans(journals, []lab.PowerEvent{off(100, "a")}), journals)
		if len(got) != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}
