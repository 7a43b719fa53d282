package simulation

import "strings"

// truth is what really happened, for the invariants.
type truth struct {
	w *world
	// left says of each resource on which nodes it was active when they lost power, and in which boot.
	left map[string]map[string]int
}

// copies says that a resource may be active on several nodes.
func copies(name string) bool { return strings.HasPrefix(name, "c") }

// activated is asked when a start begins.
func (t *truth) activated(n *node, name string) {
	t.w.out.Activated++
	t.w.busy()
	if copies(name) {
		return
	}
	for _, m := range t.w.nodes {
		if m != n && m.executor.active[name] != nil {
			t.w.violate("S1 single activity", "%s is started on %s while it is active on %s", name, n.name, m.name)
			return
		}
	}
	known := t.w.states[len(t.w.states)-1].CIB
	if v, ok := known.Option("stonith-enabled"); ok && v == "false" {
		return
	}
	for _, dead := range sorted(t.left[name]) {
		m := t.w.node(dead)
		boot := t.left[name][dead]
		st := known.NodeState(m.id)
		fenced := st != nil && st.Fenced != ""
		joined := st != nil && st.Boot != "" && st.Boot == m.bootID() && m.boot > boot
		if m != n && !fenced && !joined {
			t.w.violate("S2 fencing before recovery", "%s is started on %s; it was active on %s, which lost power and is neither fenced nor back", name, n.name, dead)
			return
		}
	}
	delete(t.left, name)
}

// inactive is told when a service has stopped, or died.
func (t *truth) inactive(*node, string) { t.w.busy() }

// dark notes what a machine ran when it lost power. It is called before the executor forgets.
func (t *truth) dark(n *node) {
	for name := range n.executor.active {
		if t.left[name] == nil {
			t.left[name] = map[string]int{}
		}
		t.left[name][n.name] = n.boot
	}
}
