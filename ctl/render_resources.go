package ctl

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"paceline/agent/api"
)

// resources writes the tree of resources, folded as crm status folds it.
func (v statusView) resources(w io.Writer, st *api.Status) {
	if v.byNode {
		v.resourcesByNode(w, st)
		return
	}
	fmt.Fprintln(w, "\nFull List of Resources:")
	if v.brief {
		v.briefly(w, st.Resources)
		return
	}
	v.list(w, st.Resources)
}

// list writes resources as a tree.
func (v statusView) list(w io.Writer, list []api.Resource) {
	if len(list) == 0 {
		fmt.Fprintln(w, "  * No resources")
	}
	width := 0
	for _, r := range list {
		width = max(width, columnWidth(r, 0))
		v.agents = max(v.agents, agentWidth(r))
	}
	for _, r := range list {
		v.resource(w, r, "  ", width)
	}
}

// columnWidth is the widest "indent + ID" of primitives in a tree.
func columnWidth(r api.Resource, depth int) int {
	if r.Kind == "primitive" {
		return 2*depth + len(r.ID)
	}
	if r.Kind == "clone" {
		return 0
	}
	n := 0
	for _, c := range r.Children {
		n = max(n, columnWidth(c, depth+1))
	}
	return n
}

// agentWidth is the longest name of an agent in a tree, but for clones, which have no column for it.
func agentWidth(r api.Resource) int {
	n := len(r.Agent)
	if r.Kind != "clone" {
		for _, c := range r.Children {
			n = max(n, agentWidth(c))
		}
	}
	return n
}

func (v statusView) resource(w io.Writer, r api.Resource, indent string, width int) {
	switch r.Kind {
	case "group":
		fmt.Fprintf(w, "%s* Resource Group: %s%s:\n", indent, r.ID, v.flags(r))
		for _, c := range r.Children {
			v.resource(w, c, indent+"  ", width-2)
		}
	case "clone":
		v.clone(w, r, indent)
	case "bundle":
		fmt.Fprintf(w, "%s* Container bundle: %s%s:\n", indent, r.ID, v.flags(r))
		for _, c := range r.Children {
			v.resource(w, c, indent+"  ", width-2)
		}
	default:
		fmt.Fprintf(w, "%s* %-*s  %-*s  %s%s\n", indent, width, r.ID, v.agents+len("():"), "("+r.Agent+"):", v.role(r), v.flags(r))
		v.why(w, r, indent)
	}
}

// why says beneath a resource why it does not run.
func (v statusView) why(w io.Writer, r api.Resource, indent string) {
	if r.Why != "" {
		fmt.Fprintf(w, "%s  - %s\n", indent, r.Why)
	}
}

// role describes where a primitive is.
func (v statusView) role(r api.Resource) string {
	if len(r.Nodes) == 0 {
		text := r.Role
		if r.Failed && !r.Disabled {
			return v.paint.bad("FAILED, " + text)
		}
		if r.Disabled {
			return v.paint.warn(text)
		}
		return v.paint.bad(text)
	}
	text := r.Role + " " + v.places(r.Nodes)
	if len(r.Nodes) > 1 {
		text = r.Role + " [ " + v.places(r.Nodes) + " ]"
	}
	if slices.ContainsFunc(r.Nodes, v.lost) {
		return v.paint.bad(text)
	}
	if r.Failed && slices.ContainsFunc(r.Instances, func(i api.Instance) bool { return i.Failed }) {
		return v.paint.bad("FAILED, " + text)
	}
	return v.paint.good(text)
}

// places names nodes on which something is active; of one that is unclean nobody knows it.
func (v statusView) places(nodes []string) string {
	var out []string
	for _, n := range nodes {
		if v.lost(n) {
			n += " (UNCLEAN)"
		}
		out = append(out, n)
	}
	return strings.Join(out, " ")
}

// lost says whether a node is unclean.
func (v statusView) lost(node string) bool { return slices.Contains(v.unclean, node) }

// flags lists what is special about a resource.
func (v statusView) flags(r api.Resource) string {
	var words []string
	if r.Pending != "" {
		words = append(words, "pending: "+r.Pending)
	}
	if r.Disabled {
		words = append(words, "disabled")
	}
	switch {
	case r.Maintenance:
		words = append(words, "maintenance")
	case !r.Managed:
		words = append(words, "unmanaged")
	}
	if r.Orphan {
		words = append(words, "no longer configured")
	}
	if r.TargetRole != "" && !r.Disabled && !strings.EqualFold(r.TargetRole, "Started") {
		words = append(words, "target-role: "+r.TargetRole)
	}
	if r.Blocked != "" && r.Kind == "primitive" {
		words = append(words, "blocked: "+r.Blocked)
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + v.paint.warn(strings.Join(words, ", ")) + ")"
}

// clone gathers the instances of a clone by role.
func (v statusView) clone(w io.Writer, r api.Resource, indent string) {
	inner := make([]string, 0, len(r.Children))
	for _, c := range r.Children {
		inner = append(inner, c.ID)
	}
	kind := ""
	if r.Promotable {
		kind = ", promotable"
	}
	fmt.Fprintf(w, "%s* Clone Set: %s [%s]%s%s:\n", indent, r.ID, strings.Join(inner, " "), kind, v.flags(r))
	if v.detail {
		for _, p := range leaves(r) {
			for _, i := range p.Instances {
				fmt.Fprintf(w, "%s  * %s  (%s):  %s %s%s\n", indent, i.Name, p.Agent, i.Role, i.Node, v.flags(p))
			}
			if len(p.Instances) == 0 {
				fmt.Fprintf(w, "%s  * %s  (%s):  %s%s\n", indent, p.ID, p.Agent, v.role(p), v.flags(p))
			}
		}
		return
	}
	at := map[string][]string{}
	v.gather(r, at)
	for _, role := range []string{"Promoted", "Unpromoted", "Started"} {
		if nodes := at[role]; len(nodes) > 0 {
			fmt.Fprintf(w, "%s  * %s: [ %s ]\n", indent, role, v.paint.good(v.places(nodes)))
		}
	}
	if idle := filter(v.able, func(n string) bool { return !slices.Contains(r.Nodes, n) }); len(idle) > 0 {
		fmt.Fprintf(w, "%s  * Stopped: [ %s ]\n", indent, strings.Join(idle, " "))
	}
	for _, p := range leaves(r) {
		switch {
		case p.Pending != "" || p.Blocked != "":
			fmt.Fprintf(w, "%s  * %s%s\n", indent, p.ID, v.flags(p))
		case len(p.Nodes) == 0 && len(leaves(r)) > 1:
			fmt.Fprintf(w, "%s  * %s: %s\n", indent, p.ID, v.role(p))
		}
		v.why(w, p, indent+"  ")
	}
}

// gather collects, for each role, the nodes on which the first primitive of a clone is.
func (v statusView) gather(r api.Resource, at map[string][]string) {
	for _, p := range leaves(r) {
		for _, i := range p.Instances {
			if !slices.Contains(at[i.Role], i.Node) {
				at[i.Role] = append(at[i.Role], i.Node)
			}
		}
	}
	for _, nodes := range at {
		slices.Sort(nodes)
	}
}

// leaves lists the primitives in a resource.
func leaves(r api.Resource) []api.Resource {
	if r.Kind == "primitive" {
		return []api.Resource{r}
	}
	var out []api.Resource
	for _, c := range r.Children {
		out = append(out, leaves(c)...)
	}
	return out
}

// resourcesByNode lists what runs under each node, then what runs nowhere.
func (v statusView) resourcesByNode(w io.Writer, st *api.Status) {
	fmt.Fprintln(w, "\nResources by Node:")
	var all []api.Resource
	for _, r := range st.Resources {
		all = append(all, leaves(r)...)
	}
	for _, n := range st.Nodes {
		fmt.Fprintf(w, "  * Node %s: %s\n", n.Name, v.state(n))
		for _, r := range all {
			for _, i := range r.Instances {
				if i.Node == n.Name {
					fmt.Fprintf(w, "    * %s  (%s):  %s\n", i.Name, r.Agent, i.Role)
				}
			}
		}
	}
	var idle []string
	for _, r := range all {
		if len(r.Nodes) == 0 {
			idle = append(idle, r.ID)
		}
	}
	if len(idle) > 0 {
		fmt.Fprintf(w, "  * Running nowhere: %s\n", strings.Join(idle, " "))
	}
}
