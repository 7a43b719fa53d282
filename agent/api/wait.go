package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

func (s *Server) waitEndpoint(ctx context.Context, q *request) (any, error) {
	rev := uint64(0)
	if text := q.URL.Query().Get("revision"); text != "" {
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return nil, Errorf(CodeUsage, q.what, "%q is not a revision", text)
		}
		rev = v
	}
	d := q.wait()
	if d == 0 {
		d = WaitDefault
	}
	return s.waitSettled(ctx, rev, d)
}

// waitSettled waits until the cluster has planned for a revision and found nothing (more) to do, or until d has passed.
// That time has passed is an answer, not an error.
func (s *Server) waitSettled(ctx context.Context, revision uint64, d time.Duration) (*WaitReply, error) {
	return s.waitUntil(ctx, d, func(l Live) bool { return l.Transition.Idle && l.Planned >= revision })
}

// waitUntil waits until the daemon's knowledge satisfies done.
func (s *Server) waitUntil(ctx context.Context, d time.Duration, done func(Live) bool) (*WaitReply, error) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	changed := s.backend.Changed(ctx)
	for {
		l, err := s.backend.Live(context.WithoutCancel(ctx))
		if err != nil {
			return nil, err
		}
		r := &WaitReply{Schema: Schema, Revision: l.Planned, Settled: done(l), Pending: nonNil(l.Transition.Pending)}
		if r.Settled {
			return r, nil
		}
		if l.Coordinator != l.Node {
			return nil, Errorf(CodeNoCoordinator, "", "%s is no longer the coordinator; what was committed stands", l.Node).
				WithHint("`paceline status` shows how far it is")
		}
		select {
		case <-changed:
		case <-ctx.Done():
			if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return nil, ctx.Err()
			}
			r.Why = waitsFor(l)
			return r, nil
		}
	}
}

// waitsFor says what keeps the cluster from being settled.
func waitsFor(l Live) string {
	for _, f := range l.Fencing {
		if f.Blocked != "" {
			return "fencing of " + f.Target + " is blocked: " + f.Blocked
		}
		return "fencing of " + f.Target + " is under way"
	}
	for _, a := range l.Transition.Pending {
		return actionText(a) + " is not done"
	}
	if !l.Quorum.Quorate {
		return "there is no quorum: " + l.Quorum.Reason
	}
	return "the plan is still being made"
}

// actionText names an action for people: "start web on node2".
func actionText(a Action) string {
	text := a.Operation
	if a.Resource != "" {
		text += " " + a.Resource
		if a.Node != "" {
			text += " on"
		}
	}
	if a.Node != "" {
		text += " " + a.Node
	}
	return text
}

// watch streams the status whenever it changes, as lines of JSON, until the client goes. While nothing changes, a line
// without a status says that the stream lives.
func (s *Server) watch(ctx context.Context, q *request) (any, error) {
	changed := s.backend.Changed(ctx)
	st, err := s.currentStatus(ctx, q.who)
	if err != nil {
		return nil, err // before the first line an error can still be a status code
	}
	q.w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(q.w)
	send := func(e WatchEvent) bool {
		e.Schema = Schema
		var v any = e
		if q.may.limited && e.Status != nil {
			st, err := q.may.show(e.Status)
			if err != nil {
				return false
			}
			v = struct {
				Schema int `json:"schema"`
				Status any `json:"status"`
			}{Schema, st}
		}
		b, err := json.Marshal(v)
		if err != nil {
			return false
		}
		if err := rc.SetWriteDeadline(time.Now().Add(RequestMax)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return false
		}
		if _, err := q.w.Write(append(b, '\n')); err != nil {
			return false
		}
		return rc.Flush() == nil
	}
	last := ""
	for {
		e := WatchEvent{}
		if err != nil {
			e.Error = asError(err, q.what, s.node(ctx))
			send(e)
			return nil, nil
		}
		if key := fingerprint(st); key != last {
			last = key
			e.Status = st
		}
		if !send(e) {
			return nil, nil
		}
		// What only the coordinator knows wakes nobody elsewhere: there it is looked up now and then.
		beat := HeartbeatEvery
		if st.Stale || st.Node != s.node(ctx) {
			beat = WatchElsewhere
		}
		select {
		case <-ctx.Done():
			return nil, nil
		case <-time.After(beat):
		case <-changed:
			select { // what changes together is shown together
			case <-time.After(WatchGap):
			case <-ctx.Done():
				return nil, nil
			}
		}
		// Rights may have changed, a token may be gone.
		var may *reader
		if may, err = s.reader(ctx, q); err == nil {
			q.may = may
			err = s.permit(may, endpoint{}, q)
		}
		if err == nil {
			st, err = s.currentStatus(ctx, q.who)
		}
		if ctx.Err() != nil {
			return nil, nil
		}
	}
}

// fingerprint is equal for statuses that differ only in the time they were made.
func fingerprint(st *Status) string {
	c := *st
	c.Time = time.Time{}
	b, err := json.Marshal(c)
	if err != nil {
		return ""
	}
	return string(b)
}
