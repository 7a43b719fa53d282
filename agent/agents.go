package agent

import (
	"context"
	"strings"

	"paceline/agent/api"
	"paceline/resources"
)

var _ api.AgentCatalog = backend{}

// Agents names the agents of this node.
func (b backend) Agents(ctx context.Context) ([]string, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	list, err := n.registry.Agents(ctx)
	if err != nil {
		n.log.Warn("some agents cannot be listed", "cause", err)
	}
	var out []string
	for _, a := range list {
		out = append(out, a.String())
	}
	return out, nil
}

// Agent returns what an agent says of itself.
func (b backend) Agent(ctx context.Context, name string) (*api.Agent, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	what := "describe agent " + name
	var a resources.Agent
	switch f := strings.SplitN(name, ":", 3); {
	case len(f) == 3 && f[0] == "ocf":
		a = resources.Agent{Class: f[0], Provider: f[1], Type: f[2]}
	case len(f) >= 2 && f[0] != "ocf": // a unit's name may hold a colon
		a = resources.Agent{Class: f[0], Type: strings.TrimPrefix(name, f[0]+":")}
	default:
		return nil, api.Errorf(api.CodeNotFound, what, "this node has no such agent").WithHint("`paceline ra list ocf` lists them")
	}
	r, err := n.registry.Find(a)
	if err != nil {
		return nil, api.Errorf(api.CodeNotFound, what, "%v", err)
	}
	m, err := resources.Describe(ctx, r, a)
	if err != nil {
		return nil, api.Errorf(api.CodeNotFound, what, "%v", err).WithHint("`paceline ra list %s` lists them", a.Class)
	}
	return agentOf(name, m), nil
}

func agentOf(name string, m *resources.MetaData) *api.Agent {
	out := &api.Agent{Name: name, Version: m.AgentVersion, Short: m.ShortDesc, Long: m.LongDesc}
	for _, p := range m.Parameters {
		out.Parameters = append(out.Parameters, api.AgentParameter{
			Name: p.Name, Type: p.Type, Default: p.Default, Required: p.Required, Unique: p.Unique || p.Group != "",
			Reloadable: p.Reloadable, Deprecated: p.Deprecated, ReplacedBy: p.ReplacedBy, Values: p.Values,
			Short: p.ShortDesc, Long: p.LongDesc,
		})
	}
	for _, a := range m.Actions {
		out.Actions = append(out.Actions, api.AgentAction{
			Name: a.Name, Timeout: api.Duration(a.Timeout), Interval: api.Duration(a.Interval), Delay: api.Duration(a.Delay),
			Depth: a.Depth, Role: a.Role,
		})
	}
	return out
}
