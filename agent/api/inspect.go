package api

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// PeerReacher is the Backend of a daemon that can ask any other member's API, not only the coordinator's.
type PeerReacher interface {
	// Reach returns how to ask a living member; CodeUnreachable if it is not heard.
	Reach(ctx context.Context, node string) (http.RoundTripper, error)
}

// Inspection is what a node says of itself when it is looked at closely.
type Inspection struct {
	Schema  int       `json:"schema"`
	Node    string    `json:"node"`
	Version string    `json:"version"`
	Time    time.Time `json:"time"`   // by its own clock, when it answered
	Agents  []string  `json:"agents"` // it has, as AgentsReply names them
}

// inspectMax bounds one node's answer: a node that is slower is reported as not answering.
const inspectMax = 5 * time.Second

// inspection answers for the node that was asked.
func (s *Server) inspection(ctx context.Context, _ *request) (any, error) {
	l, err := s.backend.Live(ctx)
	if err != nil {
		return nil, err
	}
	if l.Cluster == "" {
		return nil, ErrUnconfigured
	}
	out := &Inspection{Schema: Schema, Node: l.Node, Version: l.Version, Agents: []string{}}
	if c, ok := s.backend.(AgentCatalog); ok {
		if out.Agents, err = c.Agents(ctx); err != nil {
			return nil, err
		}
	}
	out.Time = time.Now()
	return out, nil
}

// look is what the look at one node brought.
type look struct {
	Inspection
	asked, answered time.Time // by the clock of the node that asks
	err             error
}

// lookAtAll asks all living members that run resources, at the same time, and returns by name.
func (s *Server) lookAtAll(ctx context.Context, who identity, live Live) map[string]look {
	out := map[string]look{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, m := range live.Members {
		if m.State != MemberAlive || m.Role == RoleWitness {
			continue
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, inspectMax)
			defer cancel()
			l := s.lookAt(ctx, who, live.Node, m.Name)
			mu.Lock()
			defer mu.Unlock()
			out[m.Name] = l
		})
	}
	wg.Wait()
	return out
}

func (s *Server) lookAt(ctx context.Context, who identity, self, node string) look {
	l := look{asked: time.Now()}
	if node == self {
		v, err := s.inspection(ctx, nil)
		if err != nil {
			l.err = err
			return l
		}
		l.Inspection = *v.(*Inspection)
		l.answered = time.Now()
		return l
	}
	route, err := s.reach(ctx, node)
	if err != nil {
		l.err = err
		return l
	}
	l.err = s.fetch(ctx, route, who, "/v1/inspection", &l.Inspection)
	l.answered = time.Now()
	return l
}

// reach returns the way to a member that is not this node.
func (s *Server) reach(ctx context.Context, node string) (Route, error) {
	p, ok := s.backend.(PeerReacher)
	if !ok {
		return Route{}, Errorf(CodeFailed, "reach "+node, "this daemon cannot ask other nodes")
	}
	t, err := p.Reach(ctx, node)
	if err != nil {
		return Route{}, err
	}
	return Route{Coordinator: node, Transport: t}, nil
}
