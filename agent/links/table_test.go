package links

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	_ "paceline/integration/drawn"
)

// play runs rounds of probes: each word says which links answer ("01", "0", "-").
func play(t *Table, node string, rounds string, start time.Time) (text string, now time.Time) {
	var said []string
	now = start
	for _, answered := range strings.Fields(rounds) {
		probes, changes := t.Round(node, now)
		for _, p := range probes {
			if strings.Contains(answered, fmt.Sprint(p.Link)) {
				changes = append(changes, t.Answered(p.Number, now.Add(time.Millisecond))...)
			}
		}
		for _, c := range changes {
			said = append(said, fmt.Sprintf("%d %s", c.Link, c.State))
		}
		now = now.Add(t.times.Probe)
	}
	return strings.Join(said, ", "), now
}

func states(t *Table, node string) string {
	var out []string
	for _, s := range t.States(node) {
		out = append(out, string(s.State))
	}
	return strings.Join(out, " ")
}

func TestTable(t *testing.T) {
	for _, c := range []struct{ name, rounds, changes, states, order string }{
		{"all answer", "01 01 01 01 01", "", "up up", "[0 1]"},
		{"the first is cut", "01 01 1 1 1 1 1", "0 down", "down up", "[1 0]"},
		{"it is tolerated twice", "01 01 1 1 01 01", "", "up up", "[0 1]"},
		{"a dead node has no dead links", "01 01 - - - - - -", "", "silent silent", "[0 1]"},
		{"a starved machine too", "01 - - - - 01 01", "", "up up", "[0 1]"},
		{"the node comes back with one", "01 - - - - 1 1 1", "0 down", "down up", "[1 0]"},
		{"it heals", "01 1 1 1 1 01 01 01", "0 down, 0 up", "up up", "[0 1]"},
		{"it flaps", "01 1 1 1 1 01 1 01 1 01 1", "0 down", "down up", "[1 0]"},
		{"then the other is cut", "01 1 1 1 1 01 01 01 0 0 0 0 0", "0 down, 0 up, 1 down", "up down", "[0 1]"},
		{"the second is cut, then all", "01 0 0 0 0 0 - - - - -", "1 down", "silent down", "[0 1]"},
	} {
		table := NewTable(LAN, 1)
		now := time.Unix(0, 0)
		table.Learn("b", []string{"10.0.0.2", "10.1.0.2"}, now)
		got, now := play(table, "b", c.rounds, now)
		table.Round("b", now) // takes stock
		if s := states(table, "b"); got != c.changes || s != c.states || fmt.Sprint(table.Order("b")) != c.order {
			t.Errorf("%s: got %q, %q, %v; want %q, %q, %s", c.name, got, s, table.Order("b"), c.changes, c.states, c.order)
		}
	}
}

func TestLearnKeepsWhatIsKnown(t *testing.T) {
	table := NewTable(LAN, 1)
	now := time.Unix(0, 0)
	table.Learn("b", []string{"10.0.0.2", "10.1.0.2"}, now)
	_, now = play(table, "b", "01 1 1 1 1 1", now)
	table.Learn("b", []string{"10.0.0.2", "10.1.0.3"}, now)
	if s := states(table, "b"); s != "down up" {
		t.Fatalf("got %s", s)
	}
	table.Learn("b", []string{"10.0.0.9", "10.1.0.3"}, now)
	if s := states(table, "b"); s != "up up" {
		t.Fatalf("a new address: got %s", s)
	}
	table.Learn("b", []string{"10.0.0.9"}, now)
	if len(table.Nodes()) != 0 {
		t.Fatal("one link is no choice")
	}
}

// A link is never down while no other link to its node has answered since it fell silent; an answer that was not asked for
// changes nothing.
func TestTableProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(2, Max).Draw(t, "links")
		table := NewTable(LAN, rapid.Uint64().Draw(t, "first"))
		now := time.Unix(0, 0)
		table.Learn("b", []string{"10.0.0.2", "10.1.0.2", "10.2.0.2", "10.3.0.2"}[:count], now)
		last := make([]time.Time, count)
		var old []uint64
		for range rapid.IntRange(1, 40).Draw(t, "rounds") {
			before := states(table, "b")
			probes, changes := table.Round("b", now)
			for _, c := range changes {
				other := slices.ContainsFunc(probes, func(p Probe) bool { return p.Link != c.Link && last[p.Link].After(last[c.Link]) })
				if c.State != Down || !other {
					t.Fatalf("%v from %s with last answers %v", c, before, last)
				}
			}
			for _, p := range probes {
				if rapid.Bool().Draw(t, "answers") {
					table.Answered(p.Number, now)
					last[p.Link] = now
				}
			}
			for _, n := range old {
				was := states(table, "b")
				if table.Answered(n, now); states(table, "b") != was {
					t.Fatal("a late answer counted")
				}
			}
			if len(probes) > 0 {
				old = []uint64{probes[0].Number, 0}
			}
			now = now.Add(table.times.Probe)
			if order := table.Order("b"); len(order) != count {
				t.Fatalf("order %v", order)
			}
			table.Round("b", now) // gives the present probes up, so that they are late from here on
			now = now.Add(table.times.Probe)
		}
	})
}

func TestProbeSeal(t *testing.T) {
	key, other := []byte("0123456789abcdef0123456789abcdef"), []byte("fedcba9876543210fedcba9876543210")
	b := encodeProbe(probeCall, 3, 0x1122334455667788, key)
	if kind, link, number, ok := decodeProbe(b, [][]byte{other, key}); !ok || kind != probeCall || link != 3 || number != 0x1122334455667788 {
		t.Fatal(kind, link, number, ok)
	}
	if _, _, _, ok := decodeProbe(b, [][]byte{other}); ok {
		t.Fatal("opened with another key")
	}
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 1
		if _, _, _, ok := decodeProbe(bad, [][]byte{key}); ok {
			t.Fatalf("byte %d does not count", i)
		}
	}
}
