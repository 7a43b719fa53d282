package api

import (
	"context"
	"slices"
	"strings"
	"time"
)

// AgentCatalog is the Backend of a daemon that can say which agents its node has, and what they say of themselves.
type AgentCatalog interface {
	// Agents names the agents of this node, as "class:provider:type" or "class:type", sorted.
	Agents(ctx context.Context) ([]string, error)
	// Agent returns what the agent of exactly this name says of itself; CodeNotFound if the node does not have it.
	Agent(ctx context.Context, name string) (*Agent, error)
}

// Agent is what a resource agent or a fence agent says of itself.
type Agent struct {
	Name       string           `json:"name"` // "ocf:heartbeat:IPaddr2"
	Version    string           `json:"version,omitempty"`
	Short      string           `json:"short,omitempty"` // one line
	Long       string           `json:"long,omitempty"`
	Parameters []AgentParameter `json:"parameters"` // in the agent's order
	Actions    []AgentAction    `json:"actions"`    // in the agent's order; several monitors are usual
}

// AgentParameter is one parameter that an agent takes.
type AgentParameter struct {
	Name       string   `json:"name"`
	Type       string   `json:"type,omitempty"` // string, integer, boolean, time, select ...
	Default    string   `json:"default,omitempty"`
	Required   bool     `json:"required,omitempty"`
	Unique     bool     `json:"unique,omitempty"` // no two resources of the agent may have the same value
	Reloadable bool     `json:"reloadable,omitempty"`
	Deprecated bool     `json:"deprecated,omitempty"`
	ReplacedBy string   `json:"replaced_by,omitempty"`
	Values     []string `json:"values,omitempty"` // what a select allows
	Short      string   `json:"short,omitempty"`
	Long       string   `json:"long,omitempty"`
}

// AgentAction is one operation of an agent, with the values that its author advises.
type AgentAction struct {
	Name     string   `json:"name"`
	Timeout  Duration `json:"timeout,omitempty"`
	Interval Duration `json:"interval,omitempty"`
	Delay    Duration `json:"delay,omitempty"`
	Depth    int      `json:"depth,omitempty"`
	Role     string   `json:"role,omitempty"`
}

// AgentsReply names the agents of a node.
type AgentsReply struct {
	Schema int      `json:"schema"`
	Node   string   `json:"node"`
	Agents []string `json:"agents"` // "class:provider:type" or "class:type", sorted
}

// AgentReply describes one agent as a node has it.
type AgentReply struct {
	Schema int    `json:"schema"`
	Node   string `json:"node"`
	Agent
}

// agentMax bounds the question for one agent's meta-data: the agent is run for it the first time.
const agentMax = 30 * time.Second

func (s *Server) catalog(what string) (AgentCatalog, error) {
	c, ok := s.backend.(AgentCatalog)
	if !ok {
		return nil, Errorf(CodeFailed, what, "this daemon cannot name its agents")
	}
	return c, nil
}

func (s *Server) agents(ctx context.Context, q *request) (any, error) {
	c, err := s.catalog(q.what)
	if err != nil {
		return nil, err
	}
	list, err := c.Agents(ctx)
	if err != nil {
		return nil, err
	}
	return &AgentsReply{Schema: Schema, Node: s.node(ctx), Agents: nonNil(list)}, nil
}

func (s *Server) agent(ctx context.Context, q *request) (any, error) {
	c, err := s.catalog(q.what)
	if err != nil {
		return nil, err
	}
	asked := q.URL.Query().Get("agent")
	if asked == "" {
		return nil, Errorf(CodeUsage, q.what, "no agent is named")
	}
	name := asked
	if strings.Count(asked, ":") < 2 { // names are often written short
		list, err := c.Agents(ctx)
		if err != nil {
			return nil, err
		}
		name = fullAgentName(list, asked)
	}
	a, err := c.Agent(ctx, name)
	if err != nil {
		return nil, err
	}
	a.Parameters, a.Actions = nonNil(a.Parameters), nonNil(a.Actions)
	return &AgentReply{Schema: Schema, Node: s.node(ctx), Agent: *a}, nil
}

// fullAgentName resolves an agent's short name as the crm language does: a type alone is looked up among the ocf
// providers, heartbeat first, then in every other class; "provider:type" is of class ocf.
func fullAgentName(list []string, short string) string {
	if slices.Contains(list, short) {
		return short
	}
	for _, prefix := range []string{"ocf:heartbeat:", "ocf:pacemaker:", "ocf:"} {
		if slices.Contains(list, prefix+short) {
			return prefix + short
		}
	}
	if strings.Contains(short, ":") {
		return short
	}
	for _, class := range []string{"ocf:", ""} {
		for _, name := range list {
			if strings.HasPrefix(name, class) && strings.HasSuffix(name, ":"+short) {
				return name
			}
		}
	}
	return short
}
