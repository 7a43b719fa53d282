package ctl

import (
	"fmt"
	"slices"

	"paceline/agent/api"
)

// runClearState is a person's word that a node is off. A node that still runs would make it a catastrophe, so it takes a
// word of confirmation of its own.
func runClearState(in *invocation) error {
	return in.confirmed(func(yes bool) error {
		if !yes && !in.c.Bool("dry-run") {
			return api.Errorf(api.CodeConfirm, "clear the state of "+in.arg(0),
				"no device is asked: if %s still runs, its services run twice and data is lost", in.arg(0)).
				WithHint("add --yes when you have seen that it has no power")
		}
		return in.fence(api.FenceRequest{Node: in.arg(0), Confirmed: true, Yes: true})
	})
}

func runNodeDelete(in *invocation) error { return in.leaveCluster("is no longer part of the cluster") }

// leaveCluster takes the node that is named, or this one, out of the cluster.
func (in *invocation) leaveCluster(done string) error {
	return in.confirmed(func(yes bool) error {
		r, err := in.api.Leave(in.ctx, api.LeaveRequest{Node: in.arg(0), Yes: yes, DryRun: in.c.Bool("dry-run")})
		switch {
		case err != nil:
			return err
		case in.json():
			return in.writeJSON(r)
		case r.DryRun:
			in.wouldBeDone(r.Actions, r.Confirm)
		default:
			in.printf("%s %s\n", r.Node, done)
		}
		return nil
	})
}

func runNodeList(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema int        `json:"schema"`
			Nodes  []api.Node `json:"nodes"`
		}{api.Schema, st.Nodes})
	}
	for _, n := range st.Nodes {
		in.printf("%s\n", n.Name)
	}
	return nil
}

func runNodeServer(in *invocation) error {
	st, err := in.api.Status(in.ctx)
	if err != nil {
		return err
	}
	type server struct {
		Node    string `json:"node"`
		Address string `json:"address"`
	}
	list := []server{}
	for _, n := range st.Nodes {
		if len(in.args) == 0 || slices.Contains(in.args, n.Name) {
			list = append(list, server{n.Name, n.Address})
		}
	}
	for _, want := range in.args {
		if !slices.ContainsFunc(list, func(s server) bool { return s.Node == want }) {
			return api.Errorf(api.CodeNotFound, "find node "+want, "there is no node %q", want).WithHint("`paceline node list` lists them")
		}
	}
	if in.json() {
		return in.writeJSON(struct {
			Schema int      `json:"schema"`
			Nodes  []server `json:"nodes"`
		}{api.Schema, list})
	}
	for _, s := range list {
		in.printf("%s: %s\n", s.Node, orDash(s.Address))
	}
	return nil
}

// modeWords takes the nodes and the lifetime of a standby apart, and finds out which nodes are meant.
func (in *invocation) modeWords(mode string) (nodes []string, untilReboot bool, err error) {
	nodes = slices.Clone(in.args)
	if n := len(nodes); mode == "standby" && n > 0 && (nodes[n-1] == "reboot" || nodes[n-1] == "forever") {
		untilReboot, nodes = nodes[n-1] == "reboot", nodes[:n-1]
	}
	if in.c.Bool("all") && len(nodes) > 0 {
		return nil, false, usagef("paceline node %s: --all and names of nodes exclude each other", mode)
	}
	switch {
	case in.c.Bool("all"):
		st, err := in.api.Status(in.ctx)
		if err != nil {
			return nil, false, err
		}
		for _, n := range st.Nodes {
			if n.Role != api.RoleWitness {
				nodes = append(nodes, n.Name)
			}
		}
	case len(nodes) == 0:
		h, err := in.api.Health(in.ctx)
		if err != nil {
			return nil, false, err
		}
		if h.Cluster == "" {
			return nil, false, api.ErrUnconfigured
		}
		nodes = []string{h.Node}
	}
	return nodes, untilReboot, nil
}

// nodeMode sets the mode of one node.
func (in *invocation) nodeMode(node, mode string, untilReboot, yes bool) (*api.ChangeReply, error) {
	req := api.NodeRequest{
		Message: in.c.String("message"), DryRun: in.c.Bool("dry-run"), Yes: yes, Wait: api.Duration(in.c.Duration("wait")), UntilReboot: untilReboot,
		Ask: in.Terminal,
	}
	return in.api.Node(in.ctx, node, mode, req)
}

func modeDone(node, mode string, untilReboot bool) string {
	if untilReboot {
		return fmt.Sprintf("node %s: %s until it leaves or reboots", node, mode)
	}
	return fmt.Sprintf("node %s: %s", node, mode)
}
