package api

import (
	"slices"
	"strings"

	"paceline/agent/cib"
)

// tree builds the resources of a status.
type tree struct {
	c                  *cib.Configuration
	plan               Plan
	live               Live
	failed             map[[2]string]bool // node, instance
	clusterMaintenance bool

	active   map[string][]Placement // by base ID
	failedID map[string]bool
	why      map[string]string // by base ID: why nothing of it is to run
}

func (t *tree) resources() []Resource {
	t.active, t.failedID, t.why = map[string][]Placement{}, map[string]bool{}, map[string]string{}
	for _, r := range t.plan.Reasons {
		if _, why, found := strings.Cut(r.Text, " is not running: "); found && r.Node == "" && t.why[baseID(r.Resource)] == "" {
			t.why[baseID(r.Resource)] = why
		}
	}
	for _, p := range t.plan.Active {
		if p.Node != "" && p.Role != "Stopped" {
			t.active[baseID(p.Resource)] = append(t.active[baseID(p.Resource)], p)
		}
	}
	for at := range t.failed {
		t.failedID[baseID(at[1])] = true
	}
	out := []Resource{}
	for _, r := range t.c.Resources {
		out = append(out, t.resource(r, nil))
	}
	return append(out, t.orphans()...)
}

// resource describes one resource; ancestors are those it is part of, from the direct parent up.
func (t *tree) resource(r *cib.Resource, ancestors []*cib.Resource) Resource {
	out := Resource{ID: r.ID, Kind: string(r.Kind), Nodes: []string{}, Promotable: r.Promotable()}
	out.Managed = !t.clusterMaintenance
	if v, ok := inherited(t.c, r, ancestors, "is-managed"); ok && !isTrue(v, true) {
		out.Managed = false
	}
	if v, ok := inherited(t.c, r, ancestors, "maintenance"); ok && isTrue(v, false) {
		out.Managed, out.Maintenance = false, true
	}
	if v, ok := inherited(t.c, r, ancestors, "target-role"); ok {
		out.TargetRole = v
		out.Disabled = strings.EqualFold(v, "Stopped")
	}
	if r.Kind == cib.KindPrimitive {
		out.Agent = agentOf(t.c, r).String()
		t.fill(&out, r.ID)
		return out
	}
	out.Role = t.idle()
	for _, child := range r.Children {
		ch := t.resource(child, append([]*cib.Resource{r}, ancestors...))
		out.Children = append(out.Children, ch)
		out.Role = better(out.Role, ch.Role)
		out.Failed = out.Failed || ch.Failed
		if out.Blocked == "" {
			out.Blocked = ch.Blocked
		}
		for _, n := range ch.Nodes {
			if !slices.Contains(out.Nodes, n) {
				out.Nodes = append(out.Nodes, n)
			}
		}
	}
	return out
}

// idle is the role of what is not known to be active anywhere.
func (t *tree) idle() string {
	if t.live.Unheard {
		return RoleUnknown
	}
	return "Stopped"
}

// fill adds what runs where to a primitive.
func (t *tree) fill(out *Resource, id string) {
	out.Role = t.idle()
	for _, p := range t.active[id] {
		role := modernRole(p.Role)
		in := Instance{Name: p.Resource, Node: p.Node, Role: role, Failed: t.failed[[2]string{p.Node, p.Resource}]}
		out.Instances = append(out.Instances, in)
		out.Role = better(out.Role, role)
		if !slices.Contains(out.Nodes, p.Node) {
			out.Nodes = append(out.Nodes, p.Node)
		}
	}
	out.Failed = t.failedID[id]
	for _, a := range t.live.Transition.Pending {
		if a.InFlight && baseID(a.Resource) == id && a.Operation != "monitor" {
			out.Pending = strings.TrimSpace(a.Operation + " on " + a.Node)
			break
		}
	}
	for instance, why := range t.plan.Blocked {
		if baseID(instance) == id && (out.Blocked == "" || why < out.Blocked) {
			out.Blocked = why
		}
	}
	if len(out.Instances) == 0 && !out.Disabled && out.Blocked == "" && out.Role != RoleUnknown {
		out.Why = t.why[id]
	}
}

// orphans are instances that run and are no longer configured.
func (t *tree) orphans() []Resource {
	var out []Resource
	index := map[string]int{}
	for _, p := range t.plan.Active {
		id := baseID(p.Resource)
		if p.Node == "" || p.Role == "Stopped" || t.c.Resource(id) != nil || t.c.Resource(p.Resource) != nil || t.implicit(id) {
			continue
		}
		i, ok := index[id]
		if !ok {
			i = len(out)
			index[id] = i
			out = append(out, Resource{ID: id, Kind: string(cib.KindPrimitive), Role: "Started", Managed: true, Orphan: true})
		}
		out[i].Nodes = append(out[i].Nodes, p.Node)
		out[i].Instances = append(out[i].Instances, Instance{Name: p.Resource, Node: p.Node, Role: modernRole(p.Role)})
	}
	return out
}

// implicit says whether a resource comes with another one: the containers, addresses and connections of a bundle, and the
// connection to a guest node.
func (t *tree) implicit(id string) bool {
	for r := range t.c.Walk() {
		if r.Kind == cib.KindBundle && strings.HasPrefix(id, r.ID+"-") {
			return true
		}
		if guest, ok := metaOf(r.Meta, "remote-node"); ok && guest == id {
			return true
		}
	}
	return false
}

// modernRole returns today's name of a role.
func modernRole(role string) string {
	switch role {
	case "Master":
		return "Promoted"
	case "Slave":
		return "Unpromoted"
	}
	return role
}

var roleRank = map[string]int{"Stopped": 0, "Unpromoted": 1, "Started": 2, "Promoted": 3}

func better(a, b string) string {
	if roleRank[b] > roleRank[a] {
		return b
	}
	return a
}
