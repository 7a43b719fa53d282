package scheduler

import "maps"

// Capacity is what a node offers in utilization attributes, and what is left once everything is placed.
type Capacity struct {
	Node  string         `json:"node"`
	Total map[string]int `json:"total"`
	Left  map[string]int `json:"left"`
}

// Capacities lists the nodes that offer something. Like Scores, it is made on demand.
func (r *Result) Capacities() []Capacity {
	if r.capacities == nil {
		return nil
	}
	return r.capacities()
}

func (w *world) capacityList() []Capacity {
	out := []Capacity{}
	for _, n := range w.nodes {
		if len(n.offered) > 0 {
			out = append(out, Capacity{Node: n.name, Total: maps.Clone(n.offered), Left: maps.Clone(n.capacity)})
		}
	}
	return out
}
