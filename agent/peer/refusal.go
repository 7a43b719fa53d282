package peer

import (
	"slices"
	"strings"
	"time"
)

// Refusal is a host that was refused for a reason, once or again and again.
type Refusal struct {
	Host   string // address without the port
	Reason string // in words: "its certificate is of another cluster key: ..."
	Count  int    // how often
	First  time.Time
	Last   time.Time
}

// refusals remembers the latest refusals, and when each was logged.
type refusals struct {
	list   []Refusal
	logged []time.Time // parallel to list
	// lines were logged since window began: who makes up new reasons all the time does not fill the log.
	window time.Time
	lines  int
}

// add counts a refusal and says whether it is time to log it, with its count.
func (r *refusals) add(host, reason string, now time.Time) (count int, log bool) {
	for i := range r.list {
		e := &r.list[i]
		if e.Host != host || e.Reason != reason {
			continue
		}
		e.Count++
		e.Last = now
		if now.Sub(r.logged[i]) < refusalLogGap {
			return e.Count, false
		}
		if log = r.allow(now); log {
			r.logged[i] = now
		}
		return e.Count, log
	}
	if len(r.list) >= refusalsMax {
		oldest := 0
		for i := range r.list {
			if r.list[i].Last.Before(r.list[oldest].Last) {
				oldest = i
			}
		}
		r.list = slices.Delete(r.list, oldest, oldest+1)
		r.logged = slices.Delete(r.logged, oldest, oldest+1)
	}
	r.list = append(r.list, Refusal{Host: host, Reason: reason, Count: 1, First: now, Last: now})
	r.logged = append(r.logged, now)
	return 1, r.allow(now)
}

// allow bounds the lines of all refusals together.
func (r *refusals) allow(now time.Time) bool {
	if now.Sub(r.window) >= refusalLogGap {
		r.window, r.lines = now, 0
	}
	r.lines++
	return r.lines <= refusalLinesMax
}

// refuse records and logs that a host was not let in.
func (p *Peer) refuse(host, reason string) {
	p.mu.Lock()
	count, log := p.refused.add(host, reason, time.Now())
	p.mu.Unlock()
	if log {
		p.log.Warn("refused a connection on the peer port", "remote", host, "cause", reason, "count", count)
	}
}

// Refusals returns who was refused lately and why, by host and reason.
func (p *Peer) Refusals() []Refusal {
	now := time.Now()
	p.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(p.refused.list), func(r Refusal) bool { return now.Sub(r.Last) > refusalKeep })
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b Refusal) int {
		if c := strings.Compare(a.Host, b.Host); c != 0 {
			return c
		}
		return strings.Compare(a.Reason, b.Reason)
	})
	return list
}
