package ctl

import (
	"strings"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/ctl/draft"
)

// flagUnknownAgent lets agents in that this node does not have.
var flagUnknownAgent = flag{name: "allow-unknown-agent", usage: "go on although this node does not have an agent that is new in the configuration"}

// knownAgents refuses a configuration whose new or changed primitives have agents that this node does not have: mostly a slip of the
// pen, which would be a failed start on every node. Of a class of which the node names no agent at all nothing is known.
func (in *invocation) knownAgents(s *draft.Session) error {
	_, base := s.Base()
	users := map[string][]string{}
	var order []string
	for r := range s.Configuration().Walk() {
		name := agentOf(s.Configuration(), r)
		if old := base.Resource(r.ID); name == "" || old != nil && agentOf(base, old) == name {
			continue
		}
		if users[name] == nil {
			order = append(order, name)
		}
		users[name] = append(users[name], r.ID)
	}
	if len(order) == 0 || in.c.Bool("allow-unknown-agent") {
		return nil
	}
	reply, err := in.api.Agents(in.ctx)
	if err != nil {
		return nil // a daemon that cannot name its agents; what else is wrong with it, the commit will tell
	}
	var missing []string
	for _, name := range order {
		if !hasAgent(reply.Agents, name) {
			missing = append(missing, name+" (of "+strings.Join(users[name], ", ")+")")
		}
	}
	if len(missing) == 0 {
		return nil
	}
	e := api.Errorf(api.CodeRefused, "change the configuration", "not installed on %s: %s", reply.Node, strings.Join(missing, "; "))
	short := order[0][strings.LastIndexByte(order[0], ':')+1:]
	var types []string
	for _, a := range reply.Agents {
		types = append(types, a[strings.LastIndexByte(a, ':')+1:])
	}
	if near := cib.Near(short, types); near != "" && len(missing) == 1 && strings.HasPrefix(missing[0], order[0]) {
		return e.WithHint("did you mean %q? --allow-unknown-agent goes on", near)
	}
	return e.WithHint("install it on every node that may run it; --allow-unknown-agent goes on")
}

// hasAgent tells whether an agent is in the list, or nothing of its class is.
func hasAgent(list []string, name string) bool {
	class, _, _ := agentName(name)
	known := false
	for _, a := range list {
		if a == name {
			return true
		}
		c, _, _ := agentName(a)
		known = known || c == class
	}
	return !known
}
