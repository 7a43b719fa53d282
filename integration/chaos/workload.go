package main

import (
	"fmt"
	"strings"

	"paceline/agent/api"
	"paceline/integration/cluster"
)

// vip is the address that the client of the lab uses.
const vip = "10.77.0.200"

// services are resources whose processes are killed: by the arguments that tell each from every other process of its node.
var services = []string{"web", "first", "ledger"}

// marks are the arguments of the resources' processes.
var marks = map[string]string{"web": "1000001", "first": "1000002", "second": "1000003", "everywhere": "1000004"}

// leases are the resources that hold a lock on a file that all nodes share: one kernel tells whether two ever run.
var leases = []string{"ledger", "archive"}

// canary is a password of a resource: nobody may ever read it in a log or in a list of processes.
const canary = "canary-7f3e9a51"

// workload is the configuration: an address with a service, locks that tell a second activation at once, an order between two on
// different terms, a clone everywhere, and a promotable one where its agent is installed.
func workload(nodes []string, stateful bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, `property stonith-enabled=true stonith-action=off stonith-timeout=5s
rsc_defaults resource-stickiness=100
primitive power stonith:fence_lab params pcmk_host_list="%s" op monitor interval=30s
primitive ip ocf:paceline:vip params ip=%s cidr_netmask=24 op monitor interval=10s
primitive web ocf:paceline:process params command=sleep args=%s op monitor interval=10s
primitive ledger ocf:paceline:filelease params directory=/lab/shared/leases op monitor interval=10s
primitive archive ocf:paceline:filelease params directory=/lab/shared/leases op monitor interval=10s
primitive first ocf:paceline:process params command=sleep args=%s op monitor interval=10s
primitive second ocf:paceline:process params command=sleep args=%s op monitor interval=10s
primitive everywhere ocf:paceline:process params command=sleep args=%s op monitor interval=10s
group shop ip web ledger
clone everywhere-clone everywhere
order first-then-second Mandatory: first second
location archive-away archive 50: node2
`, strings.Join(nodes, " "), vip, marks["web"], marks["first"], marks["second"], marks["everywhere"])
	if stateful {
		b.WriteString("primitive db ocf:pacemaker:Stateful op monitor interval=10s role=Promoted op monitor interval=11s role=Unpromoted\n" +
			"clone dbs db meta promotable=true clone-max=3\n" +
			"primitive vault ocf:pacemaker:Dummy params passwd=" + canary + " op monitor interval=10s\n")
	}
	return b.String()
}

// atRest says what is missing for the cluster to be whole and at rest; "" = nothing.
func atRest(s *api.Status, nodes []string, stateful bool) string {
	switch {
	case s == nil:
		return "no status"
	case !cluster.Online(s, nodes...):
		return "not all nodes are online with a coordinator"
	case s.Quorum.Total != len(nodes):
		return fmt.Sprintf("%d of %d nodes vote", s.Quorum.Total, len(nodes))
	case !cluster.Quiet(s):
		return "something is being done"
	case s.Maintenance:
		return "the cluster is in maintenance"
	case cluster.Together(s, "ip", "web", "ledger") == "":
		return "the shop does not run on one node"
	}
	for _, r := range []string{"power", "archive", "first", "second"} {
		if cluster.Where(s, r) == "" {
			return r + " does not run"
		}
	}
	if on := active(s, "everywhere-clone", ""); len(on) != len(nodes) {
		return fmt.Sprintf("everywhere runs on %v", on)
	}
	if stateful {
		if on := active(s, "dbs", ""); len(on) != 3 {
			return fmt.Sprintf("db runs on %v", on)
		}
		if on := active(s, "dbs", "Promoted"); len(on) != 1 {
			return fmt.Sprintf("db is promoted on %v", on)
		}
	}
	return ""
}

// active lists the nodes on which instances of a clone are active, in a role if one is given.
func active(s *api.Status, clone, role string) []string {
	r := cluster.Find(s.Resources, clone)
	if r == nil {
		return nil
	}
	var out []string
	for _, k := range r.Children {
		for _, in := range k.Instances {
			if in.Role == role || role == "" && in.Role != "Stopped" && in.Role != "" {
				out = append(out, in.Node)
			}
		}
	}
	return out
}
