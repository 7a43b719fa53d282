package lab

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseCut(t *testing.T) {
	for _, c := range []struct {
		text string
		want []Direction
	}{
		{"node1", []Direction{{"node1", "*"}, {"*", "node1"}}},
		{"node1>node2", []Direction{{"node1", "node2"}}},
		{"node1,node2:node3", []Direction{{"node1", "node3"}, {"node3", "node1"}, {"node2", "node3"}, {"node3", "node2"}}},
		{"", nil},
		{"node1:", nil},
	} {
		got, err := ParseCut(c.text)
		if !reflect.DeepEqual(got, c.want) || (err == nil) != (c.want != nil) {
			t.Errorf("%q: %v, %v", c.text, got, err)
		}
	}
}

func TestRuleset(t *testing.T) {
	got := ruleset(map[Direction]int{{"node1", "*"}: 100, {"node2", "node3"}: 20}, 1)
	want := `add table bridge lab
delete table bridge lab
table bridge lab {
	chain cuts {
		type filter hook forward priority 0; policy accept;
		iifname "node1" drop
		iifname "node2" oifname "node3" numgen random mod 100 < 20 drop
	}
}
`
	if got != want {
		t.Errorf("got:\n%s", got)
	}
}

// Links are cut and healed: a machine, a pair, a direction.
func TestCuts(t *testing.T) {
	if _, err := findProgram("nft"); err != nil {
		t.Skip("cuts of links: ", err)
	}
	l := upLab(t, Options{Nodes: 3})
	reach := func(a, b string) bool { return reaches(t, l.Node(a), l.Node(b)) }
	if !reach("node1", "node2") || !reach("client", "node3") {
		t.Fatal("machines do not reach each other")
	}
	if err := l.Split([]string{"node1"}, []string{"node2"}); err != nil {
		t.Fatal(err)
	}
	if pings(t, l.Node("node1"), l.Node("node2")) || pings(t, l.Node("node2"), l.Node("node1")) {
		t.Error("a cut pair reaches each other")
	}
	if !reach("node1", "node3") || !reach("client", "node1") {
		t.Error("a cut pair took others with it")
	}
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	if !reach("node1", "node2") {
		t.Error("healed links do not work")
	}
	if err := l.Cut(Direction{"node1", "nobody"}); err == nil {
		t.Error("a cut of a machine that is not there")
	}
}

// One direction alone is cut: requests come, answers do not go. Seen by who answers the client.
func TestPingMeasuresOutage(t *testing.T) {
	if _, err := findProgram("nft"); err != nil {
		t.Skip("cuts of links: ", err)
	}
	l := upLab(t, Options{Nodes: 2})
	p, err := l.Client().Ping(t.Context(), netip.MustParseAddr("10.77.0.12"), 5*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	first, err := p.Await(t.Context(), time.Time{}, func(Reply) bool { return true })
	if err != nil || first.From != "node2" {
		t.Fatalf("first reply: %+v, %v", first, err)
	}
	if err := l.Cut(Direction{"node2", "client"}); err != nil {
		t.Fatal(err)
	}
	cut := time.Now()
	<-time.After(200 * time.Millisecond) // the outage that is to be measured
	if err := l.Heal(); err != nil {
		t.Fatal(err)
	}
	healed := time.Now()
	if _, err := p.Await(t.Context(), healed, func(Reply) bool { return true }); err != nil {
		t.Fatal(err)
	}
	r := p.Stop()
	// A starved machine may be silent at other times too, but not without a pause within the cut.
	within := 0
	for _, out := range r.Outages(150 * time.Millisecond) {
		if out.From.Before(healed) && out.To.After(cut.Add(150*time.Millisecond)) {
			within++
		}
	}
	if within != 1 {
		t.Errorf("outages: %v; cut at %v, healed at %v", r.Outages(150*time.Millisecond), cut, healed)
	}
	if r.Longest().Length() < 200*time.Millisecond {
		t.Errorf("the longest outage is %v; cut at %v, healed at %v", r.Longest(), cut, healed)
	}
}

// With two networks a machine's name stands for its interfaces on both, and "@" picks one.
func TestRulesetOfTwoNetworks(t *testing.T) {
	got := ruleset(map[Direction]int{{"node1", "node2"}: 100, {"node1@1", "*"}: 100, {"*@1", "node3@1"}: 50}, 2)
	for _, want := range []string{
		`iifname { "node1", "node1.1" } oifname { "node2", "node2.1" } drop`, `iifname "node1.1" drop`,
		`meta ibrname "lab.1" oifname "node3.1" numgen random mod 100 < 50 drop`,
	} {
		if !strings.Contains(got, "\t\t"+want+"\n") {
			t.Errorf("%s is not in\n%s", want, got)
		}
	}
}

// What goes through a narrow link comes late; when the link is wide again it does not.
func TestNarrow(t *testing.T) {
	l := upLab(t, Options{Nodes: 1})
	p, err := l.Client().Ping(t.Context(), netip.MustParseAddr("10.77.0.11"), 10*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if _, err := p.Await(t.Context(), time.Time{}, func(r Reply) bool { return r.Trip < 100*time.Millisecond }); err != nil {
		t.Fatal(err)
	}
	if err := l.Narrow("node1", 8); err != nil { // a hundred requests a second are some fifty kilobits
		t.Skip("this kernel has no queue that delays: ", err)
	}
	late, err := p.Await(t.Context(), time.Now(), func(r Reply) bool { return r.Trip > 400*time.Millisecond })
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Narrow("node1", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(t.Context(), late.At, func(r Reply) bool { return r.Trip < 100*time.Millisecond }); err != nil {
		t.Fatal(err)
	}
	if err := l.Narrow("nobody", 8); err == nil {
		t.Error("a narrow link of a machine that is not there")
	}
}
