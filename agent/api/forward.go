package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"
)

// atCoordinator answers a request here if this node is the coordinator, and forwards it otherwise. A coordinator that
// changes in between is looked for again, until RouteWait has passed.
func (s *Server) atCoordinator(ctx context.Context, e endpoint, q *request) error {
	search, cancel := context.WithTimeout(ctx, RouteWait)
	defer cancel()
	var last error
	for {
		route, err := s.route(search, q.who)
		switch {
		case err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded):
			return noCoordinator(last)
		case err != nil:
			e := asError(err, q.what, "")
			if e.Code == CodeNoCoordinator && e.Hint == "" {
				e = e.WithHint("`paceline status` shows what this node knows")
			}
			return e
		case route.Local:
			return s.reply(ctx, e, q)
		case q.who.forwarded != "":
			// Never forward twice: the sender looks again.
			return Errorf(CodeNoCoordinator, "", "%s is not the coordinator (any more); it takes %s for it", s.node(ctx), route.Coordinator)
		}
		again, err := s.forward(ctx, search, route, q)
		if !again {
			return err
		}
		last = err
		select {
		case <-search.Done():
			return noCoordinator(last)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// route finds the coordinator. A witness without a vote has neither a log nor a session that names it: it asks those it hears.
func (s *Server) route(ctx context.Context, who identity) (Route, error) {
	live, err := s.backend.Live(ctx)
	if err != nil || live.Coordinator != "" || live.Quorum.Total > 0 || who.forwarded != "" {
		return s.backend.Route(ctx)
	}
	for _, m := range live.Members {
		if m.State != MemberAlive || m.Role == RoleWitness || m.Name == live.Node {
			continue
		}
		way, err := s.reach(ctx, m.Name)
		if err != nil {
			continue
		}
		h := &Health{}
		if s.fetch(ctx, way, who, "/v1/health", h) != nil || h.Coordinator == "" {
			continue
		}
		if way, err = s.reach(ctx, h.Coordinator); err == nil {
			return way, nil
		}
	}
	return s.backend.Route(ctx)
}

func noCoordinator(last error) error {
	e := Errorf(CodeNoCoordinator, "", "no coordinator was found within %v", RouteWait)
	if last != nil {
		e.Why += ": " + asError(last, "", "").Why
	}
	return e.WithHint("`paceline status` shows what this node knows; `paceline cluster status` shows who has a vote")
}

// forward passes a request to the coordinator and its answer back. again is true if nothing was executed and the search
// for the coordinator should go on.
func (s *Server) forward(ctx, search context.Context, route Route, q *request) (again bool, err error) {
	ctx, stop := s.whileLeads(ctx, route)
	defer stop()
	resp, err := s.send(ctx, route, q.who, q.Method, q.URL.RequestURI(), q.body)
	if err != nil {
		if cause := context.Cause(ctx); errors.Is(cause, errReplaced) {
			err = cause
		}
		var op *net.OpError
		dialled := !errors.As(err, &op) || op.Op != "dial"
		if dialled && q.Method != http.MethodGet {
			return false, Errorf(CodeUnreachable, "", "the connection to the coordinator %s broke: %v", route.Coordinator, err).
				WithHint("it is not known whether the change was made: look at `paceline status` and `paceline configure commit-history`")
		}
		return true, Errorf(CodeUnreachable, "", "reach the coordinator %s: %s", route.Coordinator, broken(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusServiceUnavailable {
		e := decodeError(resp.StatusCode, resp.Body)
		return e.Code == CodeNoCoordinator && search.Err() == nil, e
	}
	q.w.Header().Set("Content-Type", resp.Header.Get("Content-Type"))
	q.w.WriteHeader(resp.StatusCode)
	q.passed, q.answered = route.Coordinator, resp.StatusCode
	copyFlushing(q.w, resp.Body)
	return false, nil
}

// errReplaced ends a request that waits for a node that coordinates no more.
var errReplaced = errors.New("another node coordinates the cluster meanwhile")

// whileLeads returns a context that ends when another node than the one that a request was passed to coordinates. A coordinator that lost its
// power says nothing more, and its connection does not end by itself.
func (s *Server) whileLeads(ctx context.Context, route Route) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		for look := time.NewTicker(leadsEvery); ; {
			select {
			case <-look.C:
			case <-ctx.Done():
			}
			if ctx.Err() != nil {
				look.Stop()
				return
			}
			brief, done := context.WithTimeout(ctx, leadsEvery)
			now, err := s.backend.Route(brief)
			done()
			if err == nil && now.Coordinator != route.Coordinator {
				cancel(errReplaced)
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// send makes one request to the coordinator in the name of a user.
func (s *Server) send(ctx context.Context, route Route, who identity, method, uri string, body []byte) (*http.Response, error) {
	out, err := http.NewRequestWithContext(ctx, method, "http://coordinator"+uri, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	out.Header.Set(headerUser, who.user)
	out.Header.Set(headerForwarded, s.node(ctx))
	caller, err := json.Marshal(who.caller)
	if err != nil {
		return nil, err
	}
	out.Header.Set(headerCaller, string(caller))
	out.Header.Set("Content-Type", "application/json")
	return route.Transport.RoundTrip(out)
}

// fetch gets a JSON reply from the coordinator.
func (s *Server) fetch(ctx context.Context, route Route, who identity, uri string, reply any) error {
	resp, err := s.send(ctx, route, who, http.MethodGet, uri, nil)
	if err != nil {
		return Errorf(CodeUnreachable, "", "reach %s: %s", route.Coordinator, broken(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return decodeError(resp.StatusCode, resp.Body)
	}
	return json.NewDecoder(io.LimitReader(resp.Body, ReplyMax)).Decode(reply)
}

// broken says why a connection failed, without the addresses and the protocol, which are the same in every such error.
func broken(err error) string {
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Err != nil {
		err = op.Err
	}
	return err.Error()
}

// copyFlushing copies a reply piece by piece, so that a stream flows.
func copyFlushing(w http.ResponseWriter, r io.Reader) {
	rc := http.NewResponseController(w)
	buf := make([]byte, 32<<10)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if _, werr := w.Write(buf[:n]); werr != nil {
				return
			}
			rc.Flush()
		}
		if err != nil {
			return
		}
	}
}

// decodeError reads an error reply.
func decodeError(status int, r io.Reader) *Error {
	b, err := io.ReadAll(io.LimitReader(r, BodyMax))
	var reply struct {
		Error *Error `json:"error"`
	}
	if err == nil && json.Unmarshal(b, &reply) == nil && reply.Error != nil && reply.Error.Code != "" {
		return reply.Error
	}
	return Errorf(CodeFailed, "", "the daemon answered %d %s: %.200s", status, http.StatusText(status), b)
}
