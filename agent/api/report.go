package api

import (
	"context"
	"strconv"
	"time"
)

// ReportSpan is the time that a report is about. A zero To is now.
type ReportSpan struct{ From, To time.Time }

// ReportFile is one file of a node's part of a report.
type ReportFile struct {
	Name      string `json:"name"` // relative, with slashes
	Data      []byte `json:"data"`
	Truncated bool   `json:"truncated,omitempty"` // its beginning was left out
}

// ReportPart is what one node adds to a report.
type ReportPart struct {
	Schema int          `json:"schema"`
	Node   string       `json:"node"`
	Files  []ReportFile `json:"files"`
}

// Reporter is the Backend of a daemon that can say what happened on its node. What it returns holds no secrets.
type Reporter interface {
	Report(ctx context.Context, span ReportSpan) ([]ReportFile, error)
}

// ReportMax bounds the wait for one node's part of a report.
const ReportMax = 45 * time.Second

// elsewhere has the node that a request names answer it, into reply, if it is not the one that was asked.
func (s *Server) elsewhere(ctx context.Context, q *request, reply any) (bool, error) {
	l, err := s.backend.Live(ctx)
	if err != nil {
		return false, err
	}
	node := q.URL.Query().Get("node")
	if node == "" || node == l.Node {
		return false, nil
	}
	if q.who.forwarded != "" {
		return false, Errorf(CodeUnreachable, "", "this is %s, not %s", l.Node, node)
	}
	route, err := s.reach(ctx, node)
	if err != nil {
		return false, err
	}
	return true, s.fetch(ctx, route, q.who, q.URL.RequestURI(), reply)
}

// report answers with the part of the node that is named, or of the node that was asked.
func (s *Server) report(ctx context.Context, q *request) (any, error) {
	part := &ReportPart{}
	if there, err := s.elsewhere(ctx, q, part); there || err != nil {
		return part, err
	}
	l, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	v := q.URL.Query()
	r, ok := s.backend.(Reporter)
	if !ok {
		return nil, Errorf(CodeFailed, q.what, "this daemon keeps nothing to report")
	}
	var span ReportSpan
	for name, t := range map[string]*time.Time{"from": &span.From, "to": &span.To} {
		if text := v.Get(name); text != "" {
			sec, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return nil, Errorf(CodeUsage, q.what, "%q is no time", text)
			}
			*t = time.Unix(sec, 0)
		}
	}
	files, err := r.Report(ctx, span)
	if err != nil {
		return nil, err
	}
	return &ReportPart{Schema: Schema, Node: l.Node, Files: nonNil(files)}, nil
}
