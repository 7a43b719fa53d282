package journals

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"paceline/agent/audit"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/agent/transition"
	"paceline/resources"
)

// lines numbers entries of one boot, a second apart.
func lines(boot string, from int64, entries ...executor.Entry) []executor.Entry {
	for i := range entries {
		e := &entries[i]
		e.Seq, e.Boot = from+int64(i), boot
		e.MonoMS, e.WallMS = e.Seq*1000, 1_000_000+e.Seq*1000
		if e.Numbers == nil && e.Kind == executor.KindBegin {
			e.Numbers = &transition.Numbers{Term: 3}
		}
	}
	return entries
}

func begin(resource, operation string, call int64) executor.Entry {
	return executor.Entry{Kind: executor.KindBegin, Resource: resource, Operation: operation, CallID: call,
		Action: &transition.Action{Resource: resource, Operation: operation}}
}

func end(resource, operation string, call int64, status, rc int) executor.Entry {
	return executor.Entry{Kind: executor.KindEnd, Resource: resource, Operation: operation, CallID: call,
		Result: &transition.Result{Status: status, RC: rc}}
}

func told(facts []audit.Fact) []string {
	var out []string
	for _, f := range facts {
		out = append(out, fmt.Sprintf("%v %s %s%s %s rc%d", f.At, f.Kind, f.Node, f.Boot, f.Resource+f.Operation, f.RC))
	}
	return out
}

func expect(t *testing.T, facts []audit.Fact, want ...string) {
	t.Helper()
	if got := told(facts); !slices.Equal(got, want) {
		t.Errorf("facts:\n%q\nwant:\n%q", got, want)
	}
}

func read(r *Reader, entries []executor.Entry) []audit.Fact {
	var out []audit.Fact
	for i := range entries {
		out = append(out, r.Line(time.Duration(entries[i].MonoMS)*time.Millisecond, &entries[i])...)
	}
	return out
}

func TestLines(t *testing.T) {
	device := begin("power", resources.Start, 9)
	device.Action = &transition.Action{Agent: cib.Agent{Class: "stonith"}}
	unasked := begin("web", resources.Stop, 8)
	unasked.SelfStop = true
	got := read(NewReader("a"), lines("1", 1,
		begin("web", resources.Start, 1), end("web", resources.Start, 1, cib.OpDone, 0),
		begin("db", resources.Start, 2), end("db", resources.Start, 2, cib.OpCancelled, 0), // called off
		end("ip", resources.Monitor, 3, cib.OpDone, 0), // found by a probe
		end("web", resources.Start, 4, cib.OpTimeout, 0),
		executor.Entry{Kind: executor.KindEnd, Resource: "web", Operation: "start", CallID: 5}, // how it ended nobody knows
		device, unasked,
	))
	expect(t, got,
		"1s begin a1 webstart rc0", "2s end a1 webstart rc0",
		"3s begin a1 dbstart rc0", "4s end a1 dbstart rc-1", "4s gone a db rc0",
		"5s found a1 ip rc0", "5s end a1 ipmonitor rc0",
		"6s end a1 webstart rc1", "7s end a1 webstart rc-1",
		"9s begin a1 webstop rc0")
	if last := got[len(got)-1]; !last.Unasked || got[0].Unasked || got[0].Term != 3 {
		t.Errorf("who asked for it: %+v, %+v", got[0], last)
	}
}

func TestSessionsFencingsAndBoots(t *testing.T) {
	session := func(cluster string, term uint64) executor.Entry {
		return executor.Entry{Kind: executor.KindSession, Session: &executor.SessionLine{Term: term, Coordinator: "c", Cluster: cluster}}
	}
	fence := func(kind executor.Kind, action string, term uint64, ok bool) executor.Entry {
		return executor.Entry{Kind: kind, Fence: &executor.FenceLine{Term: term, Fence: 1, Action: action, Target: "b", OK: ok}}
	}
	r := NewReader("a")
	got := read(r, lines("1", 1,
		session("x", 5), fence(executor.KindFenceBegin, "reboot", 5, false), fence(executor.KindFenceEnd, "reboot", 5, true),
		fence(executor.KindFenceBegin, "monitor", 5, false), fence(executor.KindFenceEnd, "list", 5, true),
		fence(executor.KindFenceBegin, "off", 0, false), fence(executor.KindFenceEnd, "off", 0, false),
		begin("web", resources.Start, 1),
		session("y", 1)))
	expect(t, got,
		"1s led c  rc0", "1s session a1  rc0", "1s member a1  rc0", "2s fence sent a1  rc0", "3s fenced b  rc0",
		"8s begin a1 webstart rc0", "9s wiped a  rc0", "9s led c  rc0", "9s session a1  rc0", "9s member a1  rc0")
	if f := got[4]; f.Until != 2*time.Second {
		t.Errorf("the fencing began at %v", f.Until)
	}
	boot := lines("2", 30, executor.Entry{Kind: executor.KindBoot})
	expect(t, read(r, boot), "9s off a1  rc0") // its last sign of life
	known := NewReader("a")
	known.PowerIsKnown = true
	read(known, lines("1", 1, begin("web", resources.Start, 1)))
	expect(t, read(known, boot))
	expect(t, []audit.Fact{known.Off(time.Minute)}, "1m0s off a2  rc0")
}

// A part has the newest lines, and before them what was active then. The clock of the present boot never jumps.
func TestPart(t *testing.T) {
	entries := lines("1", 1, begin("web", resources.Start, 1), end("web", resources.Start, 1, cib.OpDone, 0))
	entries = append(entries, lines("2", 3, executor.Entry{Kind: executor.KindBoot}, begin("db", resources.Start, 2))...)
	entries = append(entries, lines("2", 5, end("db", resources.Start, 2, cib.OpDone, 0))...)
	entries[4].WallMS = 1 // somebody set the clock
	now := Clock{Wall: time.UnixMilli(2_000_000), Mono: 10 * time.Second}
	entries[3], entries[4] = entries[4], entries[3] // the file's order is not that of the numbers
	p := Part("a", entries, now, 100)
	if p.From != 1001*time.Second || len(p.Boots) != 2 || len(p.Notes) != 0 {
		t.Errorf("the part begins at %v, boots %v, notes %v", p.From, p.Boots, p.Notes)
	}
	expect(t, p.Facts, "16m41s begin a1 webstart rc0", "16m42s end a1 webstart rc0", "16m42s off a1  rc0",
		"33m14s begin a2 dbstart rc0", "33m15s end a2 dbstart rc0")
	p = Part("a", entries[:2], now, 1)
	expect(t, p.Facts, "33m12s found a web rc0", "33m12s end a1 webstart rc0")
	if len(p.Notes) != 1 {
		t.Errorf("notes: %v", p.Notes)
	}
}
