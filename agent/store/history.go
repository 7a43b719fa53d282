package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"paceline/agent/cib"
)

// commit is one change of the configuration, with the configuration that it made.
type commit struct {
	Revision      uint64             `json:"revision"`
	Time          int64              `json:"time,omitempty"`
	User          string             `json:"user,omitempty"`
	Message       string             `json:"message,omitempty"`
	Configuration *cib.Configuration `json:"configuration"`
	size          int
}

// history holds the newest commits, oldest first, and the configuration before the oldest of them. Revisions in it have
// no gaps.
type history struct {
	base    *cib.Configuration
	commits []commit
	bytes   int
}

func (h history) with(c commit) history {
	c.size = sizeOf(c.Configuration)
	next := history{base: h.base, commits: append(slices.Clip(h.commits), c), bytes: h.bytes + c.size}
	for len(next.commits) > HistoryMax || next.bytes > HistoryBytesMax && len(next.commits) > 1 {
		next.base = next.commits[0].Configuration
		next.bytes -= next.commits[0].size
		next.commits = next.commits[1:]
	}
	return next
}

// sizeOf is the length of the JSON form: the same on all nodes, unlike the size in memory.
func sizeOf(c *cib.Configuration) int {
	data, err := json.Marshal(c)
	if err != nil { // plain data always has a form
		panic(fmt.Sprintf("encode configuration: %v", err))
	}
	return len(data)
}

func restoreHistory(base *cib.Configuration, commits []commit) (history, error) {
	h := history{base: base, commits: commits}
	for i := range commits {
		if commits[i].Configuration == nil || i > 0 && commits[i].Revision != commits[i-1].Revision+1 {
			return history{}, fmt.Errorf("decode snapshot: commit %d of the history is broken", i)
		}
		commits[i].size = sizeOf(commits[i].Configuration)
		h.bytes += commits[i].size
	}
	return h, nil
}

func (h history) at(revision uint64) *cib.Configuration {
	if len(h.commits) == 0 {
		if revision == 0 {
			return h.base
		}
		return nil
	}
	first := h.commits[0].Revision
	switch {
	case revision+1 == first:
		return h.base
	case revision < first || revision-first >= uint64(len(h.commits)):
		return nil
	}
	return h.commits[revision-first].Configuration
}

// Commit is one change of the configuration.
type Commit struct {
	Revision      uint64 // the configuration's revision that it made
	Time          time.Time
	User          string
	Message       string
	Before, After *cib.Configuration // not to be changed
}

// Differences describes the commit for people.
func (c Commit) Differences() []cib.Difference { return cib.Diff(c.Before, c.After) }

// list returns the newest n commits, newest first; n <= 0 means all.
func (h history) list(n int) []Commit {
	if n <= 0 || n > len(h.commits) {
		n = len(h.commits)
	}
	list := make([]Commit, 0, n)
	for i := len(h.commits) - 1; i >= len(h.commits)-n; i-- {
		c := h.commits[i]
		before := h.base
		if i > 0 {
			before = h.commits[i-1].Configuration
		}
		list = append(list, Commit{
			Revision: c.Revision, Time: time.UnixMilli(c.Time), User: c.User, Message: c.Message,
			Before: before, After: c.Configuration,
		})
	}
	return list
}
