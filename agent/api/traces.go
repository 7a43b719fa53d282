package api

import (
	"context"
	"net/http"
	"net/url"
)

// TraceFile is what one operation of a traced resource did, kept on the node where it ran.
type TraceFile struct {
	Node string `json:"node"`
	Name string `json:"name"` // "web/20310304T180000.000-monitor-10000.log": the instance, when it began (UTC), the operation, its interval in ms
	Size int64  `json:"size"` // in bytes
	Head string `json:"head"` // its first line: what ran, for how long, and how it ended
	// Text is all of it, where that was asked for. Secrets are masked.
	Text string `json:"text,omitempty"`
}

// TracesReply lists what a node keeps of a traced resource, the oldest first.
type TracesReply struct {
	Schema int         `json:"schema"`
	Files  []TraceFile `json:"files"`
	// Missing says which nodes did not answer, and why.
	Missing []string `json:"missing,omitempty"`
}

// Tracer is the Backend of a daemon that keeps what operations of traced resources did. With a file's name it returns that one alone, with
// its text.
type Tracer interface {
	Traces(ctx context.Context, resource, file string) ([]TraceFile, error)
}

// Traces lists what a node keeps of a traced resource, or returns one file with its text.
func (c *Client) Traces(ctx context.Context, node, resource, file string) (*TracesReply, error) {
	v := url.Values{"node": {node}, "resource": {resource}, "file": {file}}
	return exchange[TracesReply](ctx, c, http.MethodGet, "/v1/traces?"+v.Encode(), nil, RequestMax)
}

// traces answers with what the node that is named keeps, or the node that was asked.
func (s *Server) traces(ctx context.Context, q *request) (any, error) {
	reply := &TracesReply{}
	if there, err := s.elsewhere(ctx, q, reply); there || err != nil {
		return reply, err
	}
	v := q.URL.Query()
	if v.Get("resource") == "" {
		return nil, Errorf(CodeUsage, q.what, "which resource is meant?")
	}
	t, ok := s.backend.(Tracer)
	if !ok {
		return nil, Errorf(CodeFailed, q.what, "this daemon keeps no traces")
	}
	files, err := t.Traces(ctx, v.Get("resource"), v.Get("file"))
	if err != nil {
		return nil, err
	}
	return &TracesReply{Schema: Schema, Files: nonNil(files)}, nil
}
