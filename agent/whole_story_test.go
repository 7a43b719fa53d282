package agent

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/peer"
)

// tell plays one story with whole daemons in virtual time: a cluster of so many nodes on so many networks is formed, and runs
// what load configures. Agents never fail, and a fencing is a violation, unless the story says otherwise.
func tell(t *testing.T, nodes, networks int, story func(w *whole)) {
	t.Helper()
	var sum *whole
	synctest.Test(t, func(t *testing.T) {
		w := newStory(t, nodes, networks)
		sum = w
		defer w.end()
		for _, n := range w.nodes {
			n.on()
		}
		if w.settle(time.Minute, true, "form a cluster") && w.load() && w.settle(time.Minute, false, "start what is configured") {
			story(w)
		}
	})
	if sum.bad != "" {
		t.Fatalf("%s\n%s", sum.bad, strings.Join(sum.log, "\n"))
	}
}

// newStory makes the machines of a story; none has power yet.
func newStory(t *testing.T, nodes, networks int) *whole {
	w := &whole{
		t: t, rng: rand.New(rand.NewPCG(1, 11)), wires: newWires(1), key: peer.NewKey(), began: time.Now(),
		active: map[string]map[string]bool{}, leads: map[string]bool{}, faults: map[string]int{}, calm: true,
	}
	dir := wholeDir(t)
	for i := range nodes {
		n := &wholeNode{w: w, name: fmt.Sprintf("n%d", i+1), ip: fmt.Sprintf("10.0.0.%d", i+1), dir: filepath.Join(dir, fmt.Sprint(i+1))}
		for k := 1; k < networks; k++ {
			n.links = append(n.links, fmt.Sprintf("10.%d.0.%d", k, i+1))
		}
		w.nodes = append(w.nodes, n)
		n.write(i == 0)
	}
	return w
}

// network cuts one network between these nodes and all others, or heals it. way is "both", "out" or "in".
func (w *whole) network(number int, way string, cut bool, nodes ...*wholeNode) {
	at := func(n *wholeNode) string { return append([]string{n.ip}, n.links...)[number] }
	for _, a := range nodes {
		for _, b := range w.nodes {
			if a == b || number > min(len(a.links), len(b.links)) {
				continue
			}
			if way != "in" {
				w.wires.set(at(a), at(b), cut)
			}
			if way != "out" {
				w.wires.set(at(b), at(a), cut)
			}
		}
	}
}

// must fails the story with what keeps the condition from being met in time.
func (w *whole) must(within time.Duration, what string, unmet func() string) bool {
	for began := time.Now(); ; {
		why := unmet()
		if why == "" {
			return true
		}
		if time.Since(began) > within {
			w.violate("%s within %v: %s", what, within, why)
			return false
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// everybody says whether all nodes that are on see all of them alive.
func (w *whole) everybody() string {
	for _, n := range w.nodes {
		if d := n.daemon(); d != nil {
			for _, m := range d.current().currentView().Members {
				if m.Status != membership.Alive {
					return fmt.Sprintf("%s takes %s for %s", n.name, m.Name, m.Status)
				}
			}
		}
	}
	return ""
}

// term returns who coordinates, and in which term.
func (w *whole) term() (string, uint64) {
	d := w.coordinator()
	if d == nil {
		return "", 0
	}
	n := d.current()
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.file.Node, n.leader.Term
}

// watch demands, for a while, that nobody is lost, that the same node coordinates in the same term, and that all runs.
func (w *whole) watch(d time.Duration, what string) bool {
	name, term := w.term()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if why := w.everybody(); why != "" {
			w.violate("%s: %s", what, why)
			return false
		}
		if n, now := w.term(); n != name || now != term {
			w.violate("%s: %q coordinates in term %d, it was %s in term %d", what, n, now, name, term)
			return false
		}
	}
	return true
}

// linkWords says how a node sees its links to another: "up down".
func (w *whole) linkWords(from, to *wholeNode) string {
	var words []string
	for _, l := range from.daemon().current().linkStates() {
		if l.Node == to.name {
			words = append(words, l.State)
		}
	}
	return strings.Join(words, " ")
}

func (w *whole) problem(n *wholeNode, name, object string) string {
	for _, p := range n.daemon().current().problems() {
		if p.Name == name && p.Object == object {
			return ""
		}
	}
	return fmt.Sprintf("%s does not report %s of %s", n.name, name, object)
}

// One of two networks dies, in every way in which it can, while the cluster works: nobody is lost, the coordinator stays, and
// status says which link is down. Then the network that was left dies, too, and the other has come back.
func TestOneOfTwoNetworksDies(t *testing.T) {
	for _, way := range []string{"both", "out", "in"} {
		for _, nodes := range []int{2, 3} {
			t.Run(fmt.Sprintf("%s ways, %d nodes", way, nodes), func(t *testing.T) {
				tell(t, nodes, 2, func(w *whole) {
					time.Sleep(2 * time.Second)
					for _, number := range []int{0, 1, 0} {
						w.network(number, way, true, w.nodes[0])
						want := []string{"down up", "up down"}[number]
						what := fmt.Sprintf("network %d is cut", number)
						if !w.watch(4*time.Second, what) {
							return
						}
						for _, pair := range [][2]*wholeNode{{w.nodes[0], w.nodes[1]}, {w.nodes[1], w.nodes[0]}} {
							if got := w.linkWords(pair[0], pair[1]); got != want {
								w.violate("%s: %s sees its links to %s as %q, want %q", what, pair[0].name, pair[1].name, got, want)
							}
							if why := w.problem(pair[0], "link-down", pair[1].name); why != "" {
								w.violate("%s: %s", what, why)
							}
						}
						if !w.apply("a change", standbyOff(w.nodes[1])) {
							w.violate("%s: no change is committed", what)
						}
						w.network(number, way, false, w.nodes[0])
						if !w.watch(3*time.Second, "it is healed") {
							return
						}
						if got := w.linkWords(w.nodes[0], w.nodes[1]); got != "up up" {
							w.violate("healed, n1 sees its links to n2 as %q", got)
						}
					}
					w.settle(time.Minute, false, "stay at rest")
				})
			})
		}
	}
}

// Both networks of a node are cut: it is lost, fenced and comes back, as with one.
func TestBothNetworksDie(t *testing.T) {
	tell(t, 3, 2, func(w *whole) {
		w.mu.Lock()
		w.calm = false
		w.mu.Unlock()
		w.over = true // agents do not fail
		w.network(0, "both", true, w.nodes[2])
		if !w.must(5*time.Second, "see the link go", func() string {
			if got := w.linkWords(w.nodes[0], w.nodes[2]); got != "down up" {
				return got
			}
			return ""
		}) {
			return
		}
		w.network(1, "both", true, w.nodes[2])
		if !w.must(20*time.Second, "fence who is cut off", func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.fenced == 0 {
				return "nobody is fenced"
			}
			return ""
		}) {
			return
		}
		w.network(0, "both", false, w.nodes[2])
		w.network(1, "both", false, w.nodes[2])
		w.settle(2*time.Minute, false, "take it in again")
	})
}

// A daemon that starts while the first network is dead finds the others over the second, from what it remembers.
func TestStartWithoutTheFirstNetwork(t *testing.T) {
	tell(t, 3, 2, func(w *whole) {
		w.mu.Lock()
		w.calm, w.over = false, true
		w.mu.Unlock()
		n := w.nodes[2]
		w.network(0, "both", true, w.nodes...)
		time.Sleep(3 * time.Second)
		n.off(false, "restart")
		n.on()
		w.must(10*time.Second, "be a member over the second network", func() string {
			if w.everybody() != "" {
				return w.everybody()
			}
			if d := n.daemon(); d == nil || len(d.current().currentView().Alive()) != 3 || !d.current().exec.Status().Connected {
				return "n3 is not connected"
			}
			return ""
		})
		if w.fenced > 0 {
			w.violate("%d nodes were fenced for a restart of a daemon", w.fenced)
		}
	})
}

// Nodes with one link and with two are in one cluster; where two share one alone, they have no choice and show none.
func TestMixedLinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newStory(t, 3, 2)
		w.nodes[2].links = nil
		w.nodes[2].write(false)
		defer w.end()
		for _, n := range w.nodes {
			n.on()
		}
		if !w.settle(time.Minute, true, "form a cluster") {
			t.Fatalf("%s\n%s", w.bad, strings.Join(w.log, "\n"))
		}
		var seen []string
		for _, l := range w.nodes[0].daemon().current().linkStates() {
			seen = append(seen, fmt.Sprintf("%s %d %s", l.Node, l.Link, l.State))
		}
		if want := []string{"n2 0 up", "n2 1 up"}; !slices.Equal(seen, want) {
			t.Errorf("n1 shows %q, want %q", seen, want)
		}
		if got := w.nodes[2].daemon().current().linkStates(); len(got) != 0 {
			t.Errorf("n3 has one link and shows %v", got)
		}
		w.network(1, "both", true, w.nodes...)
		if !w.watch(5*time.Second, "the second network is cut") {
			t.Error(w.bad)
		}
	})
}

func TestLinksInTheFile(t *testing.T) {
	for _, c := range []struct {
		address string
		links   []string
		want    string
	}{
		{"10.0.0.1", nil, ""},
		{"10.0.0.1", []string{"10.1.0.1", "fd00::1"}, ""},
		{"node1", []string{"10.1.0.1"}, `address "node1": a node with several links names them by IP addresses`},
		{"10.0.0.1", []string{"10.0.0.1"}, "address 10.0.0.1 stands twice: each link has an address of its own"},
		{"10.0.0.1", []string{"::ffff:10.0.0.1"}, "address ::ffff:10.0.0.1 stands twice: each link has an address of its own"},
		{"10.0.0.1", []string{"0.0.0.0"}, "address 0.0.0.0: the others can not reach this node there; name one of its own addresses"},
		{"10.0.0.1", []string{"10.1.0.1", "10.2.0.1", "10.3.0.1", "10.4.0.1"}, "5 addresses: a node has at most 4 links"},
	} {
		f := File{Node: "n1", Address: c.address, Links: c.links}
		err := f.Validate()
		if got := fmt.Sprint(err); err == nil && c.want != "" || err != nil && got != c.want {
			t.Errorf("%s %v: got %v, want %q", c.address, c.links, err, c.want)
		}
	}
}

func standbyOff(n *wholeNode) cib.Change {
	off := "false"
	return cib.Change{SetNodeAttr: &cib.SetNodeAttr{Node: n.name, Name: "standby", Value: &off}}
}
