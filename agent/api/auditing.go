package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"paceline/agent/audit"
)

// Audited is the Backend of a daemon that can tell what truly happened on its node.
type Audited interface {
	AuditPart(ctx context.Context) (*audit.Part, error)
	Others(ctx context.Context) []Route
}

// AuditPartReply is one node's part of an audit.
type AuditPartReply struct {
	Schema int         `json:"schema"`
	Part   *audit.Part `json:"part"`
}

// AuditReply says whether what truly happened kept the cluster's promises.
type AuditReply struct {
	Schema     int            `json:"schema"`
	OK         bool           `json:"ok"` // no rule was broken, as far as could be seen
	From       time.Time      `json:"from"`
	To         time.Time      `json:"to"`
	Facts      int            `json:"facts"`
	Nodes      []AuditNode    `json:"nodes"`
	Rules      []AuditRule    `json:"rules"`
	Violations []AuditFinding `json:"violations"`
	Unseen     []string       `json:"unseen"` // what could not be seen, and why
}

// AuditNode is a node whose journal was read.
type AuditNode struct {
	Name     string    `json:"name"`
	From     time.Time `json:"from"` // since when its journal is complete
	Facts    int       `json:"facts"`
	ClockOff Duration  `json:"clock_off"` // what has to be added to its clock
	Unsure   Duration  `json:"unsure"`    // how far that may be wrong
}

// AuditRule says how often a rule was put to the test. One that was not is not proved by that.
type AuditRule struct {
	Name   string `json:"name"`
	Says   string `json:"says"`
	Judged int    `json:"judged"`
	Unseen string `json:"unseen,omitempty"` // why nothing of it can be seen in a live cluster
}

// AuditFinding is a rule that did not hold.
type AuditFinding struct {
	Rule   string    `json:"rule"`
	Time   time.Time `json:"time"`
	Node   string    `json:"node,omitempty"`
	Detail string    `json:"detail"`
}

func (s *Server) auditPart(ctx context.Context, q *request) (any, error) {
	b, ok := s.backend.(Audited)
	if !ok {
		return nil, Errorf(CodeFailed, q.what, "this daemon keeps no journal")
	}
	p, err := b.AuditPart(ctx)
	if err != nil {
		return nil, err
	}
	return &AuditPartReply{Schema: Schema, Part: p}, nil
}

// auditCluster reads the journals of all nodes that can be reached and judges what they tell.
func (s *Server) auditCluster(ctx context.Context, q *request) (any, error) {
	own, err := s.auditPart(ctx, q)
	if err != nil {
		return nil, err
	}
	parts := []audit.Part{*own.(*AuditPartReply).Part}
	others := s.backend.(Audited).Others(ctx)
	got, errs := make([]*audit.Part, len(others)), make([]error, len(others))
	var wg sync.WaitGroup
	for i, route := range others {
		if route.Transport == nil {
			errs[i] = errors.New("it is not there")
			continue
		}
		wg.Go(func() { got[i], errs[i] = s.auditPartOf(ctx, q, route) })
	}
	wg.Wait()
	reply := &AuditReply{Schema: Schema, Nodes: []AuditNode{}, Rules: []AuditRule{}, Violations: []AuditFinding{}, Unseen: []string{}}
	for i, route := range others {
		if errs[i] != nil {
			reply.Unseen = append(reply.Unseen, fmt.Sprintf("the journal of %s: %v", route.Coordinator, errs[i]))
			continue
		}
		parts = append(parts, *got[i])
	}
	slices.SortFunc(parts, func(a, b audit.Part) int {
		if a.Node < b.Node {
			return -1
		}
		return 1
	})
	rep := audit.Judge(parts)
	reply.OK = len(rep.Findings) == 0
	reply.From, reply.To, reply.Facts = moment(rep.From), moment(rep.To), rep.Facts
	for _, p := range parts {
		reply.Nodes = append(reply.Nodes, AuditNode{
			Name: p.Node, From: moment(p.From + p.Offset), Facts: len(p.Facts), ClockOff: Duration(p.Offset), Unsure: Duration(p.Unsure),
		})
	}
	for _, r := range rep.Rules {
		reply.Rules = append(reply.Rules, AuditRule{r.Name, r.Says, r.Judged, r.Unseen})
	}
	for _, f := range rep.Findings {
		reply.Violations = append(reply.Violations, AuditFinding{Rule: f.Rule, Time: moment(f.Fact.At), Node: f.Fact.Node, Detail: f.Detail})
	}
	reply.Unseen = append(reply.Unseen, audit.Missed(parts)...)
	return reply, nil
}

// auditPartOf asks another node, and compares its clock with this one's: it was read between the question and the answer.
func (s *Server) auditPartOf(ctx context.Context, q *request, route Route) (*audit.Part, error) {
	ctx, cancel := context.WithTimeout(ctx, AuditMax)
	defer cancel()
	asked := time.Now()
	reply := &AuditPartReply{}
	if err := s.fetch(ctx, route, q.who, "/v1/audit/here", reply); err != nil {
		return nil, err
	}
	took := time.Since(asked)
	if reply.Part == nil {
		return nil, errors.New("its answer is empty")
	}
	reply.Part.Offset = time.Duration(asked.Add(took/2).UnixNano()) - reply.Part.Now
	reply.Part.Unsure = took / 2
	return reply.Part, nil
}

func moment(t time.Duration) time.Time { return time.Unix(0, int64(t)).UTC() }
