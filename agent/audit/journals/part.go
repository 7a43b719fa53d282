package journals

import (
	"slices"
	"time"

	"paceline/agent/audit"
	"paceline/agent/executor"
)

// Clock is a moment by both clocks of a node.
type Clock struct {
	Wall time.Time
	Mono time.Duration // since the machine's boot, as journals count
}

// Part makes a node's part of an audit of its journal: at most so many facts, the newest, before them what was active when
// they begin. Lines of the present boot are dated by the clock that never jumps; those of earlier ones have their wall clock.
func Part(node string, entries []executor.Entry, now Clock, most int) audit.Part {
	p := audit.Part{Node: node, Now: unix(now.Wall)}
	if len(entries) == 0 {
		p.Notes = append(p.Notes, "its journal is empty")
		p.From = p.Now
		return p
	}
	// The file's order is not quite that of the numbers: a line may stand behind one that got its number later.
	entries = slices.Clone(entries)
	slices.SortStableFunc(entries, func(a, b executor.Entry) int { return int(a.Seq - b.Seq) })
	boot := entries[len(entries)-1].Boot
	at := func(e *executor.Entry) time.Duration {
		if e.Boot == boot {
			return p.Now - now.Mono + time.Duration(e.MonoMS)*time.Millisecond
		}
		return time.Duration(e.WallMS) * time.Millisecond
	}
	first := 0
	if len(entries) > most {
		first = len(entries) - most
		p.Notes = append(p.Notes, "its journal goes back further than what is judged")
	}
	r := NewReader(node)
	if first > 0 {
		s := executor.Fold(entries[:first])
		p.Facts = append(p.Facts, r.known(at(&entries[first]), &s)...)
	}
	p.From = at(&entries[first])
	last := p.From
	for i := range entries[first:] {
		e := &entries[first+i]
		last = max(last, at(e)) // a wall clock that was set back does not turn the order round
		if e.Boot != "" && (len(p.Boots) == 0 || p.Boots[len(p.Boots)-1].ID != e.Boot) {
			p.Boots = append(p.Boots, audit.Boot{ID: e.Boot, From: last})
		}
		p.Facts = append(p.Facts, r.Line(last, e)...)
	}
	return p
}

func unix(t time.Time) time.Duration { return time.Duration(t.UnixNano()) }
