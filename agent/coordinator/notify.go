package coordinator

import (
	"maps"
	"strings"

	"paceline/agent/transition"
)

// notifyLists names the lists that an agent is told in a notification. Those of roles have an older name that agents still
// read.
var notifyLists = map[string][]string{
	"start": {"start"}, "stop": {"stop"}, "promote": {"promote"}, "demote": {"demote"}, "active": {"active"}, "inactive": {"inactive"},
	"promoted": {"promoted", "master"}, "unpromoted": {"unpromoted", "slave"},
}

// notifyMeta returns the meta attributes of an action with what an agent is told in a notification, by the names that OCF
// agents know from Pacemaker: notify_type, notify_operation, and for each list notify_LIST_resource and notify_LIST_uname. A
// list that is empty is there all the same.
func notifyMeta(a *transition.Action) map[string]string {
	out := maps.Clone(a.Meta)
	if out == nil {
		out = map[string]string{}
	}
	out["notify_type"], out["notify_operation"], _ = strings.Cut(a.Notify, "-")
	for list, names := range notifyLists {
		var resources, nodes []string
		switch members := a.NotifyLists[list].(type) {
		case []string:
			resources = members
		case [][]string:
			for _, m := range members {
				if len(m) == 2 {
					resources, nodes = append(resources, m[0]), append(nodes, m[1])
				}
			}
		}
		for _, name := range names {
			out["notify_"+name+"_resource"] = strings.Join(resources, " ")
			if list != "inactive" {
				out["notify_"+name+"_uname"] = strings.Join(nodes, " ")
			}
		}
	}
	if nodes, ok := a.NotifyLists["available_nodes"].([]string); ok {
		out["notify_available_uname"] = strings.Join(nodes, " ")
	}
	return out
}
