package api

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"paceline/agent/history"
)

// audit leaves one line in the daemon's log for every change that was asked for, also for those that were refused, and for
// every question that was: who (user, uid and pid on the node that was asked, or the token and its address), what, which
// objects, and how it ended. Values are not logged, and secrets are masked in the cause.
func (s *Server) audit(ctx context.Context, e endpoint, q *request, took time.Duration, er *Error) {
	if er == nil && (e.method == http.MethodGet || e.quiet) {
		return
	}
	line := []any{"user", q.who.user}
	if q.who.Token != "" {
		line = append(line, "token", q.who.Token, "remote", q.who.Remote)
	} else {
		line = append(line, "uid", q.who.UID, "pid", q.who.PID)
	}
	if q.who.forwarded != "" {
		line = append(line, "via", q.who.forwarded)
	}
	line = append(line, "what", q.what)
	if len(q.objects) > 0 {
		line = append(line, "objects", list(q.objects))
	}
	if q.passed != "" {
		s.log.Info("audit", append(line, "result", "passed on", "to", q.passed, "status", q.answered, "took", took)...)
		return
	}
	if er == nil {
		s.log.Info("audit", append(line, "result", "done", "took", took)...)
		return
	}
	cause := er.Why
	if snap, err := s.backend.Snapshot(ctx); err == nil {
		cause = newMask(nil, snap.CIB.Secrets()).text(cause)
	}
	s.log.Info("audit", append(line, "result", "refused", "code", er.Code, "cause", cause)...)
	s.noteRefusal(time.Now(), e, q, er.Code, cmp.Or(er.What, q.what)+": "+cause)
}

// noteRefusal puts a change that was refused into the timeline, where people look for why something is not as they wanted it. What is
// only asked back about (a confirmation, a mistake in the request) is not of interest there, nor what comes too often.
func (s *Server) noteRefusal(now time.Time, e endpoint, q *request, code Code, text string) {
	h, ok := s.backend.(Historian)
	if !ok || e.method == http.MethodGet || code != CodeForbidden && code != CodeRefused && code != CodeConflict || !s.refusals.room(now) {
		return
	}
	h.Note(history.Event{Time: now, Kind: history.Refused, Text: fmt.Sprintf("%s was refused (%s): %s", q.who.user, code, text)})
}

// allowance bounds how many things are kept in a while.
type allowance struct {
	mu    sync.Mutex
	since time.Time
	used  int
}

func (a *allowance) room(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if now.Sub(a.since) > refusalsPause {
		a.since, a.used = now, 0
	}
	a.used++
	return a.used <= refusalsMax
}

// concerns notes the objects that a request changes, for the audit.
func (q *request) concerns(changes []Change) {
	for _, c := range changes {
		if !slices.Contains(q.objects, c.Object) {
			q.objects = append(q.objects, c.Object)
		}
	}
}
