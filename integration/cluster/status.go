package cluster

import (
	"fmt"
	"slices"
	"strings"

	"paceline/agent/api"
)

// Online tells whether all of the named nodes are online and can be given orders, under a coordinator with quorum.
func Online(s *api.Status, nodes ...string) bool {
	if s == nil || s.Stale || s.Coordinator == "" || !s.Quorum.Quorate {
		return false
	}
	for _, name := range nodes {
		i := slices.IndexFunc(s.Nodes, func(n api.Node) bool { return n.Name == name })
		if i < 0 || s.Nodes[i].State != api.NodeOnline || !s.Nodes[i].Session {
			return false
		}
	}
	return true
}

// Where returns the node on which a primitive is started, or "" when it is on none or on several.
func Where(s *api.Status, resource string) string {
	if s == nil || s.Stale {
		return ""
	}
	r := Find(s.Resources, resource)
	if r == nil || len(r.Nodes) != 1 || r.Pending != "" || r.Role != "Started" && r.Role != "Promoted" {
		return ""
	}
	return r.Nodes[0]
}

// Together returns the node on which all of the resources are started, or "".
func Together(s *api.Status, resources ...string) string {
	node := ""
	for i, r := range resources {
		w := Where(s, r)
		if w == "" || i > 0 && w != node {
			return ""
		}
		node = w
	}
	return node
}

// Quiet tells whether the cluster has nothing more to do: nothing is planned, awaited or fenced, and who votes is settled.
func Quiet(s *api.Status) bool {
	return s != nil && !s.Stale && s.Coordinator != "" && s.Transition.Idle && !s.Quorum.Changing
}

func Find(list []api.Resource, id string) *api.Resource {
	for i := range list {
		if list[i].ID == id {
			return &list[i]
		}
		if r := Find(list[i].Children, id); r != nil {
			return r
		}
	}
	return nil
}

// describeMax bounds what Describe tells of resources.
const describeMax = 4000

// Describe writes a status in a line, for errors.
func Describe(s *api.Status) string {
	if s == nil {
		return "nothing"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "coordinator %q, quorate %v, stale %v;", s.Coordinator, s.Quorum.Quorate, s.Stale)
	for _, n := range s.Nodes {
		fmt.Fprintf(&b, " %s %s (session %v)", n.Name, n.State, n.Session)
	}
	b.WriteString(";")
	var walk func([]api.Resource)
	walk = func(list []api.Resource) {
		for _, r := range list {
			if len(r.Children) == 0 && b.Len() < describeMax {
				fmt.Fprintf(&b, " %s %s on %v %s%s", r.ID, r.Role, r.Nodes, r.Pending, r.Blocked)
			}
			walk(r.Children)
		}
	}
	walk(s.Resources)
	for _, f := range s.Failures {
		fmt.Fprintf(&b, "; %s %s on %s failed: %s %s", f.Resource, f.Operation, f.Node, f.RCText, f.Reason)
	}
	for _, p := range s.Problems {
		fmt.Fprintf(&b, "; %s: %s", p.Name, p.What)
	}
	for _, t := range s.Fencing.Blocked {
		fmt.Fprintf(&b, "; %s", t)
	}
	return b.String()
}
