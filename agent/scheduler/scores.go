package scheduler

import "paceline/agent/cib"

// absent marks a node that a resource does not consider: in an asymmetric cluster, one that no constraint names.
const absent = -cib.Infinity - 1

const (
	infinity = cib.Infinity
	banned   = -cib.Infinity
)

func add(a, b int) int { return cib.AddScores(a, b) }

// at returns the score of a node; an absent one counts as banned.
func (r *rsc) at(n *node) int {
	if s := r.scores[n.idx]; s != absent {
		return s
	}
	return banned
}

// addAt adds to the score of a node that is considered.
func (r *rsc) addAt(n *node, score int) {
	if r.scores[n.idx] != absent {
		r.scores[n.idx] = add(r.scores[n.idx], score)
	}
}

// ban forbids every node.
func (r *rsc) ban() {
	for i, s := range r.scores {
		if s != absent {
			r.scores[i] = banned
		}
	}
}

// spread adds a score on a node to the resource and everything in it. With n nil it is all nodes.
func (r *rsc) spread(n *node, score int) {
	if n != nil {
		r.addAt(n, score)
	} else {
		for i, s := range r.scores {
			if s != absent {
				r.scores[i] = add(s, score)
			}
		}
	}
	for _, k := range r.kids {
		k.spread(n, score)
	}
}

func copyScores(s []int) []int { return append([]int(nil), s...) }
