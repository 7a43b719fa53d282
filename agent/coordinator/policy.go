package coordinator

import "paceline/agent/cib"

// NoQuorumPolicy returns what nodes do that are cut off (no-quorum-policy): stop, freeze, ignore, demote or suicide.
func NoQuorumPolicy(c *cib.CIB) string {
	v, ok := c.Option("no-quorum-policy")
	if !ok {
		return "stop"
	}
	switch v {
	case "freeze", "ignore", "demote":
		return v
	case "suicide", "fence":
		return "suicide"
	}
	return "stop"
}

// Unmanaged returns the IDs of the primitives that nobody may touch on a node: the whole cluster, the node, the resource or
// a collection around it is in maintenance or not managed. It is never nil. Rules are not applied: in doubt a cut-off node
// stops.
func Unmanaged(c *cib.CIB, node string) []string {
	out := []string{}
	v, _ := c.Option("maintenance-mode")
	all := isTrue(v)
	if n := c.NodeByName(node); n != nil {
		attrs := map[string]string{}
		merge(attrs, n.Attributes)
		all = all || isTrue(attrs["maintenance"])
	}
	defaults := map[string]string{}
	merge(defaults, c.Configuration.RscDefaults)
	above := map[*cib.Resource]bool{}
	for r, parent := range c.Configuration.Walk() {
		meta := map[string]string{}
		if t := c.Resource(r.Template); r.Template != "" && t != nil {
			merge(meta, t.Meta)
		}
		merge(meta, r.Meta)
		managed := meta["is-managed"]
		if managed == "" {
			managed = defaults["is-managed"]
		}
		hands := all || isTrue(meta["maintenance"]) || managed != "" && !isTrue(managed) || parent != nil && above[parent] && managed == ""
		above[r] = hands
		if hands && r.Kind == cib.KindPrimitive {
			out = append(out, r.ID)
		}
	}
	return out
}
