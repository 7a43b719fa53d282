package apitest

import (
	"context"
	"slices"
	"strings"
	"time"

	"paceline/agent/api"
)

// agents is what every node of a cluster in memory has.
var agents = []api.Agent{
	{
		Name: "ocf:heartbeat:Dummy", Version: "1.0", Short: "Example stateless resource agent", Long: "Does nothing, and remembers whether it runs.",
		Parameters: []api.AgentParameter{
			{Name: "state", Type: "string", Default: "/run/Dummy.state", Unique: true, Short: "State file"},
			{Name: "fake", Type: "string", Default: "dummy", Reloadable: true, Short: "Fake attribute"},
		},
		Actions: dummyActions,
	},
	{
		Name: "ocf:heartbeat:IPaddr2", Version: "1.0", Short: "Manages virtual IPv4 and IPv6 addresses", Long: "Adds an address to a network interface.",
		Parameters: []api.AgentParameter{
			{Name: "ip", Type: "string", Required: true, Unique: true, Short: "IPv4 or IPv6 address"},
			{Name: "nic", Type: "string", Short: "Network interface"},
			{Name: "cidr_netmask", Type: "string", Short: "Netmask in CIDR notation"},
			{Name: "lvs_support", Type: "boolean", Default: "false", Short: "Enable support for LVS DR"},
			{Name: "clusterip_hash", Type: "select", Default: "sourceip-sourceport", Values: []string{"sourceip", "sourceip-sourceport"}, Short: "Hash of a load-balanced address"},
		},
		Actions: dummyActions,
	},
	{Name: "ocf:paceline:vip", Short: "An address", Parameters: []api.AgentParameter{{Name: "ip", Type: "string", Required: true}}, Actions: dummyActions},
	{Name: "ocf:pacemaker:Stateful", Short: "Example of an agent with a promoted role", Actions: dummyActions},
	{Name: "stonith:fence_dummy", Short: "Fence agent for tests"},
	{Name: "stonith:fence_test", Short: "Fence agent for tests", Parameters: []api.AgentParameter{{Name: "plug", Type: "string", Short: "Physical plug number"}}},
	{Name: "systemd:nginx", Short: "systemd unit nginx.service", Actions: dummyActions},
}

var dummyActions = []api.AgentAction{
	{Name: "start", Timeout: api.Duration(20 * time.Second)},
	{Name: "stop", Timeout: api.Duration(20 * time.Second)},
	{Name: "monitor", Timeout: api.Duration(20 * time.Second), Interval: api.Duration(10 * time.Second)},
	{Name: "meta-data", Timeout: api.Duration(5 * time.Second)},
}

// Agents names the agents of every node.
func (c *Cluster) Agents(context.Context) ([]string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.State.Cluster == "" {
		return nil, api.ErrUnconfigured
	}
	var out []string
	for _, a := range agents {
		out = append(out, a.Name)
	}
	return out, nil
}

// Agent describes an agent.
func (c *Cluster) Agent(_ context.Context, name string) (*api.Agent, error) {
	i := slices.IndexFunc(agents, func(a api.Agent) bool { return a.Name == name })
	if i >= 0 {
		a := agents[i]
		return &a, nil
	}
	return nil, api.Errorf(api.CodeNotFound, "describe agent "+name, "no such agent is installed").WithHint("`paceline ra list %s` lists them", strings.SplitN(name, ":", 2)[0])
}
