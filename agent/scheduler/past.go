package scheduler

import "strings"

// past is the history of one instance: for each node its records, in the order in which they happened. It is kept by node because
// the histories of large clusters are many times larger than what runs, and questions about them are about one node.
type past struct {
	nodes  []*node // in the order of the status
	byNode [][]*record
	// failures are the records of failures of which the parameters are known.
	failures []*record
}

func (p *past) add(n *node, records []*record) {
	if len(p.byNode) <= n.idx {
		p.byNode = append(p.byNode, make([][]*record, n.idx+1-len(p.byNode))...)
	}
	if p.byNode[n.idx] == nil {
		p.nodes = append(p.nodes, n)
	}
	p.byNode[n.idx] = append(p.byNode[n.idx], records...)
	for _, k := range records {
		if (k.task == taskStart || k.task == taskMonitor) && k.op.OpDigest != "" && strings.HasSuffix(k.op.ID, "_last_failure_0") {
			p.failures = append(p.failures, k)
		}
	}
}

// on returns the history on a node. It is not to be changed.
func (p *past) on(n *node) []*record {
	if n.idx < len(p.byNode) {
		return p.byNode[n.idx]
	}
	return nil
}

// nodeSet is a set of nodes; nil is the empty one.
type nodeSet []bool

func (s *nodeSet) add(n *node) {
	if len(*s) <= n.idx {
		*s = append(*s, make([]bool, n.idx+1-len(*s))...)
	}
	(*s)[n.idx] = true
}

func (s nodeSet) has(n *node) bool { return n.idx < len(s) && s[n.idx] }
