package ctl

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"paceline/agent/api"
)

// nodeStates are the states of nodes, in the order of the figures.
var nodeStates = []api.NodeState{
	api.NodeOnline, api.NodeStandby, api.NodeMaintenance, api.NodePending, api.NodeLeaving, api.NodeLeft, api.NodeOffline, api.NodeUnclean,
}

// writeMetrics writes a status as figures in the text form that Prometheus and its kin read, for a collector of text files.
func writeMetrics(w io.Writer, st *api.Status) {
	family := func(name, help string) {
		fmt.Fprintf(w, "# HELP paceline_%s %s\n# TYPE paceline_%s gauge\n", name, help, name)
	}
	one := func(name, help string, value float64) {
		family(name, help)
		fmt.Fprintf(w, "paceline_%s{cluster=%s} %v\n", name, label(st.Cluster), value)
	}
	one("stale", "Whether this node hears no coordinator and shows what it last knew.", truth(st.Stale))
	one("quorum", "Whether this side may act.", truth(st.Quorum.Quorate))
	one("votes", "Votes that are heard.", float64(st.Quorum.Votes))
	one("votes_total", "Votes that there are.", float64(st.Quorum.Total))
	one("protected", "Whether a failed machine will be fenced and its services recovered.", truth(st.Protected.Yes))
	one("maintenance", "Whether the whole cluster is in maintenance mode.", truth(st.Maintenance))
	one("config_revision", "Newest revision of the configuration.", float64(st.ConfigRevision))
	one("status_time_seconds", "When this was written.", float64(st.Time.Unix()))
	one("resources_failed", "Resources with a failure that nobody cleaned up.", float64(st.Counts.Failed))
	one("resources_blocked", "Resources about which something ought to be done, and cannot be.", float64(st.Counts.Blocked))
	one("fencings_pending", "Nodes that are to be fenced.", float64(len(st.Fencing.Pending)))
	family("problems", "Findings that need attention, by severity.")
	for _, s := range []string{api.SeverityError, api.SeverityWarning} {
		n := len(filter(st.Problems, func(p api.Problem) bool { return p.Severity == s }))
		fmt.Fprintf(w, "paceline_problems{cluster=%s,severity=%s} %d\n", label(st.Cluster), label(s), n)
	}
	family("node_state", "The state of each node: 1 for the one that it is in.")
	for _, n := range st.Nodes {
		for _, s := range nodeStates {
			fmt.Fprintf(w, "paceline_node_state{cluster=%s,node=%s,state=%s} %v\n", label(st.Cluster), label(n.Name), label(string(s)), truth(n.State == s))
		}
	}
	family("resource_active", "Where each primitive is active, in which role; 0 with no node for one that is nowhere.")
	for _, top := range st.Resources {
		for _, r := range leaves(top) {
			if len(r.Instances) == 0 {
				fmt.Fprintf(w, "paceline_resource_active{cluster=%s,resource=%s,node=\"\",role=%s} 0\n", label(st.Cluster), label(r.ID), label(r.Role))
			}
			var told []string // instances of a unique clone on one node are one line
			for _, i := range r.Instances {
				line := fmt.Sprintf("paceline_resource_active{cluster=%s,resource=%s,node=%s,role=%s} 1\n", label(st.Cluster), label(r.ID), label(i.Node), label(i.Role))
				if !slices.Contains(told, line) {
					told = append(told, line)
				}
			}
			io.WriteString(w, strings.Join(told, ""))
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// label writes the value of a label.
func label(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(text) + `"`
}
