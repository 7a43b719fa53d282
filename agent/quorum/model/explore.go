package model

import (
	"hash/maphash"
	"slices"
)

// Outcome is what an exploration found.
type Outcome struct {
	States int
	Steps  int      // events tried
	Depth  int      // longest shortest way to a state
	Whole  bool     // false: Most states were seen before the end
	Bad    string   // the invariant that was broken; empty if none was
	Trace  []string // the events that lead there, and the state at the end
}

// Explore tries every order of events within the budget, breadth first, so that a trace is a shortest one. It ends at the
// first broken invariant, or when most states were seen (0: no bound). States are told apart by 128 bits of hash.
func Explore(b Budget, broken Broken, most int) Outcome {
	if b.Voters == 0 {
		b.Voters = b.Nodes
	}
	x := &explorer{b: b, broken: broken, all: 1<<b.Voters - 1}
	seeds := [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}
	type key [2]uint64
	hash := func(s *state) key { return key{maphash.Comparable(seeds[0], *s), maphash.Comparable(seeds[1], *s)} }

	type came struct{ from, by uint32 }
	seen := map[key]struct{}{}
	var ways []came // of each state: from which, by which of its events
	first := x.first()
	seen[hash(&first)] = struct{}{}
	ways = append(ways, came{})
	type known struct {
		s  state
		id uint32
	}
	level := []known{{first, 0}}
	out := Outcome{Whole: true}

	trace := func(id uint32, last step) []string {
		var path []uint32
		for ; id != 0; id = ways[id].from {
			path = append(path, ways[id].by)
		}
		slices.Reverse(path)
		s := first
		var words []string
		for _, by := range path {
			var n uint32
			var taken step
			x.steps(&s, func(st step) {
				if n == by {
					taken = st
				}
				n++
			})
			words = append(words, taken.name)
			s = taken.next
		}
		return append(words, last.name, "in the end:\n"+last.next.String())
	}

	for len(level) > 0 {
		var next []known
		for _, k := range level {
			var n uint32
			x.steps(&k.s, func(st step) {
				by := n
				n++
				if out.Bad != "" {
					return
				}
				out.Steps++
				if st.bad != "" {
					out.Bad, out.Trace, out.Whole = st.bad, trace(k.id, st), false
					return
				}
				h := hash(&st.next)
				if _, is := seen[h]; is {
					return
				}
				seen[h] = struct{}{}
				next = append(next, known{st.next, uint32(len(ways))})
				ways = append(ways, came{k.id, by})
			})
			if out.Bad != "" || most > 0 && len(ways) >= most {
				out.States, out.Whole = len(ways), false
				return out
			}
		}
		if len(next) > 0 {
			out.Depth++
		}
		level = next
	}
	out.States = len(ways)
	return out
}
