package quorum

import (
	"fmt"
	"strings"
	"testing"
)

func voters(n int, heard uint) []Voter {
	var out []Voter
	for i := range n {
		out = append(out, Voter{ID: fmt.Sprint("id", i), Name: fmt.Sprint("n", i), Heard: heard>>i&1 == 1})
	}
	return out
}

// Every membership of 1 to 9 voters, with and without a leader and the memory of having been together.
func TestJudgeOverEveryMembership(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for heard := range uint(1) << n {
			for flags := range 8 {
				in := Input{Self: "id0", Voters: voters(n, heard|1), Together: flags&1 == 1}
				if flags&4 == 4 {
					in.Growing = "x"
				}
				if flags&2 == 2 {
					in.Leader = "id0"
				}
				v := Judge(in)
				votes := 0
				for i := range n {
					if (heard|1)>>i&1 == 1 {
						votes++
					}
				}
				if want := 2*votes > n && in.Leader != ""; v.Quorate != want {
					t.Fatalf("n=%d heard=%b flags=%b: quorate %v, want %v", n, heard, flags, v.Quorate, want)
				}
				if want := n == 2 && votes == 1 && in.Together && in.Growing == ""; (v.Takeover != "") != want {
					t.Fatalf("n=%d heard=%b flags=%b: takeover %q", n, heard, flags, v.Takeover)
				}
				if v.Reason == "" || v.Votes != votes {
					t.Fatalf("n=%d heard=%b: %+v", n, heard, v)
				}
				// The other side of a cut never is quorate together with this one.
				other := Input{Self: "other", Leader: "x", Voters: voters(n, ^(heard | 1))}
				if v.Quorate && n > 0 && Judge(other).Quorate {
					t.Fatalf("n=%d heard=%b: both sides of a cut are quorate", n, heard)
				}
			}
		}
	}
}

func TestReasons(t *testing.T) {
	for _, c := range []struct {
		in   Input
		want string
	}{
		{Input{Self: "id0", Leader: "id0", Voters: voters(3, 0b11)}, "2 voters of 3, without n2"},
		{Input{Self: "id0", Voters: voters(3, 0b1)}, "1 voter of 3 heard, 2 needed; not heard: n1 and n2"},
		{Input{Self: "id0", Voters: voters(2, 1), Together: true}, "alone of two: n1 must be confirmed fenced"},
		{Input{Self: "id0", Voters: voters(2, 1), Together: true, Growing: "n7"}, "while n7 was being made a voter"},
		{Input{Self: "id0", Voters: voters(2, 1)}, "alone since this node started: it waits for n1"},
		{Input{Self: "id0"}, "no copy of the cluster"},
	} {
		if got := Judge(c.in).Reason; !strings.Contains(got, c.want) {
			t.Errorf("got %q, want %q in it", got, c.want)
		}
	}
}

func TestNext(t *testing.T) {
	alive := func(id string, voter bool, since int64) Candidate {
		return Candidate{ID: id, Name: id, Alive: true, Voter: voter, Since: since}
	}
	for _, c := range []struct {
		name  string
		nodes []Candidate
		want  Step
	}{
		{"second node joins", []Candidate{alive("a", true, 1), alive("b", false, 2)}, Step{Admit: "b"}},
		{"third node joins", []Candidate{alive("a", true, 1), alive("b", true, 2), alive("c", false, 3)}, Step{Admit: "c"}},
		{"a fourth stays without a vote", []Candidate{alive("a", true, 1), alive("b", true, 2), alive("c", true, 3), alive("d", false, 4)}, Step{}},
		{"a fifth brings both", []Candidate{alive("a", true, 1), alive("b", true, 2), alive("c", true, 3), alive("d", false, 4), alive("e", false, 3)}, Step{Admit: "e"}},
		{"silence removes nobody", []Candidate{alive("a", true, 1), alive("b", true, 2), {ID: "c", Voter: true}}, Step{}},
		{"confirmed death does", []Candidate{alive("a", true, 1), alive("b", true, 2), {ID: "c", Voter: true, Gone: true}}, Step{Remove: "c"}},
		{"and is replaced by who waited longest", []Candidate{alive("a", true, 1), alive("b", true, 2), alive("d", false, 9), alive("e", false, 5)}, Step{Admit: "e"}},
		{"it does not while the others that are left are silent", []Candidate{alive("a", true, 1), {ID: "b", Voter: true}, {ID: "c", Voter: true, Gone: true}}, Step{}},
		{"one that says goodbye is none of those that are left", []Candidate{alive("a", true, 1), {ID: "b", Voter: true}, {ID: "c", Voter: true, Heard: true, Gone: true}}, Step{}},
		{"one that is heard is, before it has joined", []Candidate{alive("a", true, 1), {ID: "b", Voter: true, Heard: true}, {ID: "c", Voter: true, Gone: true}}, Step{Remove: "c"}},
		{"the last of two goes", []Candidate{alive("a", true, 1), {ID: "b", Voter: true, Gone: true}}, Step{Remove: "b"}},
		{"a witness goes first", []Candidate{alive("a", true, 1), alive("b", true, 2), alive("c", false, 3), {ID: "w", Alive: true, Witness: true, Since: 9}}, Step{Admit: "w"}},
		{"the last node lets its witness go", []Candidate{alive("a", true, 1), {ID: "b", Name: "b"}, {ID: "w", Alive: true, Voter: true, Witness: true}}, Step{Remove: "w"}},
		{"not one that is silent", []Candidate{alive("a", true, 1), {ID: "w", Voter: true, Witness: true}}, Step{}},
		{"nor while the peer may come back", []Candidate{alive("a", true, 1), {ID: "b", Voter: true}, {ID: "w", Alive: true, Voter: true, Witness: true}}, Step{}},
		{"a single node takes none in", []Candidate{alive("a", true, 1), {ID: "w", Alive: true, Witness: true}}, Step{}},
		{"four voters shrink to three", []Candidate{alive("a", true, 1), alive("b", true, 2), alive("c", true, 3), alive("d", true, 4)}, Step{Remove: "d"}},
	} {
		if got := Next("a", c.nodes); got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, c.want)
		}
	}
}

// Whatever the nodes, repeated steps come to rest, and never remove a silent voter that is not gone.
func TestNextComesToRest(t *testing.T) {
	for n := 1; n <= 9; n++ {
		for bits := range uint(1) << (2 * n) {
			if n > 6 && bits%37 != 0 {
				continue // the larger ones in samples: the whole takes minutes
			}
			var nodes []Candidate
			for i := range n {
				c := Candidate{ID: fmt.Sprint(i), Alive: bits>>(2*i)&1 == 1, Voter: bits>>(2*i+1)&1 == 1, Since: int64(i)}
				if i == 0 {
					c.Alive, c.Voter = true, true
				}
				nodes = append(nodes, c)
			}
			for steps := 0; ; steps++ {
				if steps > 2*n {
					t.Fatalf("n=%d bits=%b: does not come to rest", n, bits)
				}
				s := Next("0", nodes)
				if s.None() {
					break
				}
				for i := range nodes {
					if nodes[i].ID == s.Remove {
						if !nodes[i].Alive {
							t.Fatalf("n=%d bits=%b: removed a silent voter", n, bits)
						}
						nodes[i].Voter = false
					}
					if nodes[i].ID == s.Admit {
						nodes[i].Voter = true
					}
				}
			}
		}
	}
}
