package simulation

import (
	"fmt"
	"strings"
	"time"

	"paceline/agent/cib"
	"paceline/agent/transition"
)

// copies says that a resource may be active on several nodes.
func copies(name string) bool { return strings.HasPrefix(name, "c") }

// promotable says that instances of a resource have roles.
func promotable(name string) bool { return name == "cm" }

// started counts.
func (w *world) started(a *transition.Action) {
	if a.Agent.Class != "stonith" {
		w.out.Activated++
		w.busy()
		w.moved(a.Resource)
	}
}

// agentRates is the agent of a promotable resource that says how fit its node is for the promoted role, as agents do after
// most operations: by an attribute of the node, through whoever leads. If it reaches nobody, nothing is said.
func (n *node) agentRates(name string) {
	score := fmt.Sprint(10 * (n.i + 1))
	attribute := "master-" + name
	known := ""
	if st := n.snapshot().CIB.NodeState(n.id); st != nil {
		for _, set := range st.Attributes {
			for _, p := range set.Pairs {
				if p.Name == attribute {
					known = p.Value
				}
			}
		}
	}
	if known == score {
		return
	}
	n.later(n.w.between(time.Millisecond, 20*time.Millisecond), func() {
		lead := n.w.byID(n.log.leader)
		if lead != nil && lead.core != nil && lead.log.ready && n.w.reaches(n, lead) {
			lead.propose(&entry{term: lead.log.term, why: n.name + " rates itself", change: &cib.Change{
				SetTransient: &cib.SetTransient{NodeID: n.id, Name: attribute, Value: &score},
			}})
		}
	})
}
