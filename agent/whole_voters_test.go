package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"paceline/agent/api"
	"paceline/agent/quorum"
)

// votersOf returns the names of the voters as the coordinator knows them, sorted; those that are being made one are not in it.
func (w *whole) votersOf() []string {
	d := w.coordinator()
	if d == nil {
		return nil
	}
	var names []string
	for _, id := range d.current().voterIDs() {
		for _, n := range w.nodes {
			if m := n.daemon(); m != nil && m.id.ID == id {
				names = append(names, n.name)
				id = ""
			}
		}
		if id != "" {
			names = append(names, "?"+id)
		}
	}
	slices.Sort(names)
	return names
}

// guardVoters demands, until it is called, that nobody ever knows more than seven voters.
func (w *whole) guardVoters() (end func()) {
	stop := make(chan struct{})
	w.wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			for _, n := range w.nodes {
				if d := n.daemon(); d != nil {
					if v := d.current().voterIDs(); len(v) > quorum.VotersMax {
						w.violate("%s knows %d voters", n.name, len(v))
						return
					}
				}
			}
		}
	})
	return func() { close(stop) }
}

// rest says what keeps the nodes that are on from being all members, with so many voters.
func (w *whole) rest(voters int) string {
	d := w.coordinator()
	if d == nil {
		return "nobody coordinates, or two do"
	}
	live, err := backend{d}.Live(context.Background())
	if err != nil || !live.Transition.Idle || len(live.Fencing) > 0 || !live.Quorum.Quorate || live.Quorum.Changing {
		return fmt.Sprintf("%s is not idle: %+v, %+v, %+v, %v", live.Node, live.Quorum, live.Transition, live.Fencing, err)
	}
	c := d.current().store.Snapshot().CIB
	for _, n := range w.nodes {
		m := n.daemon()
		if m == nil {
			continue
		}
		if st := c.NodeState(m.id.ID); st == nil || st.CRMD != "online" || st.Join != "member" {
			return n.name + " is not online"
		}
	}
	if v := w.votersOf(); len(v) != voters || slices.ContainsFunc(v, func(s string) bool { return s[0] == '?' }) {
		return fmt.Sprintf("the voters are %v, not %d that are on", v, voters)
	}
	return ""
}

// kill cuts a node's power; only the story turns it on again.
func (w *whole) kill(n *wholeNode) {
	w.mu.Lock()
	w.dark = true
	w.mu.Unlock()
	n.off(true, "killed")
}

// active says on which node a resource is.
func (w *whole) activeOn(name string) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var on []string
	for n := range w.active[name] {
		on = append(on, n)
	}
	return on
}

// said returns the story so far.
func (w *whole) said() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return strings.Join(w.log, "\n")
}

func (w *whole) expectFencing() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calm, w.over = false, true
}

// wanted is how many of so many nodes vote.
func wanted(nodes int) int {
	v := min(nodes, quorum.VotersMax)
	if v > 2 && v%2 == 0 {
		v--
	}
	return v
}

// A cluster grows from one node to nine, one by one. There are never more than seven voters, an odd number where there are three
// or more; at every stage from three voters on any node may die: the others go on, have it fenced, and take it in again. Those without a
// vote hold no log.
func TestGrowthToNine(t *testing.T) {
	if testing.Short() {
		t.Skip("nine whole daemons take half a minute: left out with -short")
	}
	var sum *whole
	synctest.Test(t, func(t *testing.T) {
		w := newStory(t, 9, 1)
		sum = w
		w.expectFencing()
		defer w.end()
		end := w.guardVoters()
		defer end()
		w.nodes[0].on()
		if !w.must(20*time.Second, "found a cluster", func() string { return w.rest(1) }) || !w.load() {
			return
		}
		for i := 1; i < 9; i++ {
			w.nodes[i].on()
			if !w.must(30*time.Second, fmt.Sprintf("grow to %d nodes", i+1), func() string { return w.rest(wanted(i + 1)) }) {
				return
			}
			if wanted(i+1) < 3 {
				continue
			}
			// Who dies: the coordinator, or another voter, by turns.
			name, _ := w.term()
			victim := w.nodes[slices.IndexFunc(w.nodes, func(n *wholeNode) bool { return (n.name == name) == (i%2 == 0) })]
			w.mu.Lock()
			fenced := w.fenced
			w.mu.Unlock()
			victim.off(true, "killed")
			if !w.must(30*time.Second, fmt.Sprintf("go on without %s of %d", victim.name, i+1), func() string {
				w.mu.Lock()
				defer w.mu.Unlock()
				if w.fenced == fenced {
					return victim.name + " is not fenced"
				}
				return ""
			}) {
				return
			}
			if !w.must(time.Minute, fmt.Sprintf("be %d again", i+1), func() string {
				if victim.daemon() == nil {
					return victim.name + " is off"
				}
				return w.rest(wanted(i + 1))
			}) {
				return
			}
		}
		w.must(20*time.Second, "agree who votes", func() string {
			voters := w.votersOf()
			for _, n := range w.nodes {
				d := n.daemon()
				if role := d.current().role(); (role == api.RoleVoter) != slices.Contains(voters, n.name) {
					return fmt.Sprintf("%s takes itself for a %s, the voters are %v", n.name, role, voters)
				}
				if name, _ := d.current().coordinator(); name == "" {
					return n.name + " knows no coordinator: " + d.current().verdictText()
				}
			}
			return ""
		})
	})
	if sum.bad != "" {
		t.Fatalf("%s\n%s", sum.bad, strings.Join(sum.log, "\n"))
	}
}

// Of two machines one dies, is fenced and comes back; as soon as the other says that all is at rest, with two voters, it dies in
// its turn. The one that is back goes on: who is said to be one of two is ready to be the only one.
func TestAPairIsOneAtOnce(t *testing.T) {
	tell(t, 2, 1, func(w *whole) {
		w.expectFencing()
		for round := range 8 {
			one, other := w.nodes[round%2], w.nodes[1-round%2]
			w.kill(one)
			if !w.must(20*time.Second, "go on with "+other.name, func() string { return w.rest(1) }) {
				return
			}
			one.on()
			if !w.must(20*time.Second, "be two again", func() string { return w.rest(2) }) {
				return
			}
		}
	})
}

// Nine nodes die one after the other, each confirmed by its fencing: a member without a vote takes the place of each dead voter
// while there is one, then the voters shrink to one, which has the services. There is never an even number for long but two.
func TestShrinkToOne(t *testing.T) {
	if testing.Short() {
		t.Skip("nine whole daemons take half a minute: left out with -short")
	}
	tell(t, 9, 1, func(w *whole) {
		w.expectFencing()
		defer w.guardVoters()()
		if !w.must(time.Minute, "have seven voters", func() string { return w.rest(7) }) {
			return
		}
		for left := 8; left >= 1; left-- {
			// The coordinator dies every other time.
			name, _ := w.term()
			at := slices.IndexFunc(w.nodes, func(n *wholeNode) bool {
				return n.daemon() != nil && (n.name == name) == (left%2 == 0) && slices.Contains(w.votersOf(), n.name)
			})
			w.kill(w.nodes[at])
			if !w.must(40*time.Second, fmt.Sprintf("go on with %d", left), func() string { return w.rest(wanted(left)) }) {
				return
			}
			for _, r := range []string{"r1", "r2", "g1", "g2"} {
				if !w.must(30*time.Second, "run "+r, func() string {
					if on := w.activeOn(r); len(on) != 1 {
						return fmt.Sprint("active on ", on)
					}
					return ""
				}) {
					return
				}
			}
		}
	})
}

// Four nodes split evenly: three vote, so one half has two of three and goes on, and the other is fenced. Never both, never none.
func TestEvenSplitOfFour(t *testing.T) {
	tell(t, 4, 1, func(w *whole) {
		w.expectFencing()
		if !w.must(20*time.Second, "have three voters", func() string { return w.rest(3) }) {
			return
		}
		voters := w.votersOf()
		sides := [2][]*wholeNode{}
		for _, n := range w.nodes { // two voters on one side, one voter and the fourth on the other
			side := 1
			if i := slices.Index(voters, n.name); i == 0 || i == 1 {
				side = 0
			}
			sides[side] = append(sides[side], n)
		}
		for _, a := range sides[0] {
			for _, b := range sides[1] {
				w.wires.set(a.ip, b.ip, true)
				w.wires.set(b.ip, a.ip, true)
			}
		}
		if !w.must(40*time.Second, "have the other half fenced", func() string {
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.fenced < 2 {
				return fmt.Sprintf("%d nodes are fenced", w.fenced)
			}
			return ""
		}) {
			return
		}
		for _, r := range []string{"r1", "r2", "g1", "g2"} {
			w.must(30*time.Second, "run "+r+" on the half with two votes", func() string {
				on := w.activeOn(r)
				if len(on) != 1 || on[0] != sides[0][0].name && on[0] != sides[0][1].name {
					return fmt.Sprint("active on ", on)
				}
				return ""
			})
		}
		for _, n := range sides[0] {
			if strings.Contains(w.said(), n.name+" is off: fenced") {
				w.violate("%s of the half with two votes was fenced", n.name)
			}
		}
		w.heal()
		w.settle(2*time.Minute, false, "be four again")
	})
}

// Two of three voters are gone for good, and no device answers: nothing goes on. A person's force-quorum makes the last one the
// only voter; what ran on the dead starts there only when the person has said that they are dead.
func TestForceQuorumByAPerson(t *testing.T) {
	tell(t, 3, 1, func(w *whole) {
		w.expectFencing()
		w.mu.Lock()
		w.device = "refuses"
		w.mu.Unlock()
		last := w.nodes[2]
		w.kill(w.nodes[0])
		w.kill(w.nodes[1])
		time.Sleep(10 * time.Second)
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		b := backend{last.daemon()}
		if w.coordinator() != nil {
			w.violate("one of three goes on by itself")
			return
		}
		if err := b.ForceQuorum(ctx); err != nil {
			w.violate("force-quorum: %v", err)
			return
		}
		if !w.must(20*time.Second, "lead alone", func() string {
			if v := w.votersOf(); len(v) != 1 || v[0] != last.name {
				return fmt.Sprint("the voters are ", v)
			}
			return ""
		}) {
			return
		}
		before := map[string]bool{}
		for _, r := range []string{"r1", "r2", "g1", "g2"} {
			before[r] = len(w.activeOn(r)) == 1
		}
		time.Sleep(20 * time.Second)
		for r, was := range before {
			if is := len(w.activeOn(r)) == 1; is && !was {
				w.violate("%s was started before anybody said that its node is dead", r)
			}
		}
		for _, n := range w.nodes[:2] {
			if _, err := b.Fence(ctx, api.FenceRequest{Node: n.name, Confirmed: true, Yes: true, User: "root"}); err != nil {
				w.violate("confirm the death of %s: %v", n.name, err)
				return
			}
		}
		for _, r := range []string{"r1", "r2", "g1", "g2"} {
			w.must(30*time.Second, "run "+r+" on the last one", func() string {
				if on := w.activeOn(r); len(on) != 1 || on[0] != last.name {
					return fmt.Sprint("active on ", on)
				}
				return ""
			})
		}
	})
}
