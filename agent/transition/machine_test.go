package transition

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

var t0 = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func res(id int, node string, after ...int) *Action {
	return &Action{ID: id, Kind: KindResource, Operation: "start", Resource: fmt.Sprint("r", id), Node: node, TimeoutMS: 20000, After: after}
}

func ids(orders []Order) string {
	var s []string
	for _, o := range orders {
		s = append(s, fmt.Sprint(o.Action.ID))
	}
	return strings.Join(s, " ")
}

func machine(t *testing.T, limits Limits, actions ...*Action) *Machine {
	t.Helper()
	m, err := NewMachine(&Graph{Actions: actions}, 3, 40, 7, limits)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func expect(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Fatalf("ready: got %q, want %q", got, want)
	}
}

func TestOrdersWaitForConfirmation(t *testing.T) {
	pseudo := &Action{ID: 3, Kind: KindPseudo, Operation: "running", After: []int{1, 2}}
	m := machine(t, Limits{}, res(1, "a"), res(2, "b"), pseudo, res(4, "a", 3))
	expect(t, ids(m.Ready(t0)), "1 2")
	expect(t, ids(m.Ready(t0)), "")
	m.Confirm(1)
	expect(t, ids(m.Ready(t0)), "")
	m.Confirm(2)
	expect(t, ids(m.Ready(t0)), "4")
	m.Confirm(4)
	if !m.Settled() || m.Left() != 0 {
		t.Fatal("all confirmed, yet not settled")
	}
}

func TestFailureStopsWhatComesAfter(t *testing.T) {
	m := machine(t, Limits{}, res(1, "a"), res(2, "a", 1), res(3, "b"))
	m.Ready(t0)
	m.Fail(1)
	m.Confirm(3)
	expect(t, ids(m.Ready(t0)), "")
	if !m.Settled() || m.Left() != 2 {
		t.Fatalf("settled %v, left %d", m.Settled(), m.Left())
	}
}

func TestAbortLetsFlyingOnesEndButNotFences(t *testing.T) {
	fence := &Action{ID: 2, Kind: KindFence, Operation: "off", Node: "c"}
	m := machine(t, Limits{}, res(1, "a"), fence, res(3, "a", 1))
	expect(t, ids(m.Ready(t0)), "1 2")
	m.Abort("a newer revision")
	m.Abort("something else")
	if m.Settled() {
		t.Fatal("settled with an operation in flight")
	}
	m.Confirm(1)
	expect(t, ids(m.Ready(t0)), "")
	if !m.Settled() || m.Aborted() != "a newer revision" {
		t.Fatal("a fencing in flight must not hold up an aborted transition; the first reason counts")
	}
}

// An agent whose promotion sets an attribute cuts its own transition short: the others are told of the promotion all the same, and
// nobody of what will not be.
func TestAbortLetsTellWhatWasDone(t *testing.T) {
	told := func(id int, node, when string, after ...int) *Action {
		a := res(id, node, after...)
		a.Operation, a.Notify = "notify", when
		return a
	}
	end := &Action{ID: 3, Kind: KindPseudo, Key: "dbs_promoted_0", After: []int{2}}
	m := machine(t, Limits{PerNode: 1}, told(1, "a", "pre-promote"), res(2, "a", 1), end,
		told(4, "a", "post-promote", 3), told(5, "b", "post-promote", 3), res(6, "b", 4, 5),
		told(7, "b", "pre-start"), res(8, "b", 7), told(9, "b", "post-start", 8))
	expect(t, ids(m.Ready(t0)), "1 7")
	m.Confirm(1)
	expect(t, ids(m.Ready(t0)), "2")
	m.Abort("attributes set")
	m.Confirm(7)
	expect(t, ids(m.Ready(t0)), "")
	m.Confirm(2)
	if m.Settled() {
		t.Fatal("settled, and nobody was told of the promotion")
	}
	expect(t, ids(m.Ready(t0)), "4 5")
	m.Confirm(4)
	m.Confirm(5)
	expect(t, ids(m.Ready(t0)), "")
	if !m.Settled() {
		t.Fatal("not settled, and all has been told")
	}
}

func TestResultsAreMatchedByNumbers(t *testing.T) {
	m := machine(t, Limits{}, res(1, "a"), res(2, "a", 1))
	o := m.Ready(t0)[0]
	if _, ok := m.InFlight(o.Numbers); !ok {
		t.Fatal("its own order is not known")
	}
	for _, n := range []Numbers{
		{Term: 2, Revision: 40, Graph: 7, Action: 1}, {Term: 3, Revision: 40, Graph: 6, Action: 1},
		{Term: 3, Revision: 40, Graph: 7, Action: 2}, {Term: 3, Revision: 40, Graph: 7, Action: 9},
	} {
		if _, ok := m.InFlight(n); ok {
			t.Errorf("%+v was taken for an order in flight", n)
		}
	}
	m.Confirm(1)
	if _, ok := m.InFlight(o.Numbers); ok {
		t.Error("a second result of the same order was taken")
	}
}

func TestDeadlinesAndLostNodes(t *testing.T) {
	m := machine(t, Limits{}, res(1, "a"), res(2, "b"))
	m.Ready(t0)
	if d := m.Deadline(); !d.Equal(t0.Add(20*time.Second + Grace)) {
		t.Fatal("deadline", d)
	}
	if n := len(m.Expired(t0.Add(29 * time.Second))); n != 0 {
		t.Fatal("expired too early:", n)
	}
	if n := len(m.Expired(t0.Add(30 * time.Second))); n != 2 {
		t.Fatal("not expired:", n)
	}
	if l := m.OnNode("b"); len(l) != 1 || l[0].ID != 2 {
		t.Fatal("on b:", l)
	}
}

func TestLimits(t *testing.T) {
	m := machine(t, Limits{Batch: 3, PerNode: 2}, res(1, "a"), res(2, "a"), res(3, "a"), res(4, "b"), res(5, "b"))
	expect(t, ids(m.Ready(t0)), "1 2 4")
	m.Confirm(1)
	expect(t, ids(m.Ready(t0)), "3")
}

func TestPriorityGoesFirst(t *testing.T) {
	hi := res(2, "a")
	hi.Priority = 10
	m := machine(t, Limits{Batch: 1}, res(1, "a"), hi)
	expect(t, ids(m.Ready(t0)), "2")
}

func TestRefusesWhatIsNoGraph(t *testing.T) {
	for name, c := range map[string]struct {
		actions []*Action
		want    string
	}{
		"twice":   {[]*Action{res(1, "a"), res(1, "a")}, "twice"},
		"missing": {[]*Action{res(1, "a", 5)}, "not there"},
		"cycle":   {[]*Action{res(1, "a", 2), res(2, "a", 1)}, "waits for itself"},
	} {
		if _, err := NewMachine(&Graph{Actions: c.actions}, 1, 1, 1, Limits{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

// Any acyclic graph, with results in any order: nothing is handed out before all that it comes after is confirmed, all
// is handed out exactly once, and the machine settles.
func TestAnyGraphRunsInOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(rt, "n")
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(rt, "seed"), 1))
		var g Graph
		for i := 1; i <= n; i++ {
			a := res(i, fmt.Sprint("n", rng.IntN(3)))
			if rng.IntN(4) == 0 {
				a.Kind = KindPseudo
			}
			for j := 1; j < i; j++ {
				if rng.IntN(6) == 0 {
					a.After = append(a.After, j)
				}
			}
			g.Actions = append(g.Actions, a)
		}
		m, err := NewMachine(&g, 1, 1, 1, Limits{Batch: 1 + rng.IntN(5), PerNode: 1 + rng.IntN(3)})
		if err != nil {
			rt.Fatal(err)
		}
		done, out := map[int]bool{}, map[int]bool{}
		var flying []int
		for !m.Settled() {
			for _, o := range m.Ready(t0) {
				if out[o.Action.ID] {
					rt.Fatalf("action %d handed out twice", o.Action.ID)
				}
				out[o.Action.ID] = true
				flying = append(flying, o.Action.ID)
				for _, p := range o.Action.After {
					if m.byID[p].Kind != KindPseudo && !done[p] {
						rt.Fatalf("action %d handed out before %d", o.Action.ID, p)
					}
				}
			}
			if len(flying) == 0 {
				break
			}
			k := rng.IntN(len(flying))
			m.Confirm(flying[k])
			done[flying[k]] = true
			flying = append(flying[:k], flying[k+1:]...)
		}
		if m.Left() != 0 || len(done) != g.Real() {
			rt.Fatalf("left %d of %d", m.Left(), g.Real())
		}
	})
}
