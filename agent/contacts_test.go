package agent

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/agent/membership"
)

// viewOf makes a view of "n1 alive, n2 left".
func viewOf(text string) membership.View {
	var v membership.View
	for one := range strings.SplitSeq(text, ", ") {
		name, status, _ := strings.Cut(one, " ")
		v.Members = append(v.Members, membership.Member{Name: name, Addr: "10.0.0." + name[1:], Port: 7946, Status: membership.Status(status)})
	}
	return v
}

func addressesOf(nodes string) []string {
	var out []string
	for name := range strings.FieldsSeq(nodes) {
		out = append(out, fmt.Sprintf("10.0.0.%s:7946", name[1:]))
	}
	return out
}

func TestWhoIsRemembered(t *testing.T) {
	for _, c := range []struct {
		name, before, view, configured, want string
		missing                              string
	}{
		{"all are there", "", "n1 alive, n2 alive, n3 alive", "n1 n2 n3", "n2 n3", ""},
		{"those who left come back", "n2 n3", "n1 alive, n2 left, n3 left", "n1 n2 n3", "n2 n3", "n2 n3"},
		{"who failed is called by the membership", "n2 n3", "n1 alive, n2 failed, n3 alive", "n1 n2 n3", "n2 n3", ""},
		{"nobody is there yet", "n2 n3", "n1 alive", "n1 n2 n3", "n2 n3", "n2 n3"},
		{"a group without the others", "n2 n3 n4", "n1 alive, n2 alive", "n1 n2 n3 n4", "n2 n3 n4", "n3 n4"},
		{"who was taken out is forgotten when it leaves", "n2 n3", "n1 alive, n2 alive, n3 left", "n1 n2", "n2", ""},
		{"who was taken out meanwhile is forgotten when all others are there", "n2 n3 n9", "n1 alive, n2 alive, n3 alive", "n1 n2 n3", "n2 n3", ""},
		{"who was taken out, while one is missing", "n2 n3 n9", "n1 alive, n2 alive", "n1 n2 n3", "n2 n3 n9", "n3 n9"},
		{"before the configuration is known", "n2 n3", "n1 alive, n2 alive", "", "n2 n3", "n3"},
		{"one who joins", "n2", "n1 alive, n2 alive, n3 alive", "n1 n2", "n2 n3", ""},
	} {
		known := &contacts{known: whereOthersAre(addressesOf(c.before), viewOf(c.view), "n1", strings.Fields(c.configured))}
		if want := addressesOf(c.want); !slices.Equal(known.known, want) {
			t.Errorf("%s: %v, want %v", c.name, known.known, want)
		}
		if got, want := known.missing(viewOf(c.view)), addressesOf(c.missing); !slices.Equal(got, want) {
			t.Errorf("%s: %v are missing, want %v", c.name, got, want)
		}
	}
}

// What is remembered is there after a start; a file that is none is no reason not to start.
func TestContactsAreKept(t *testing.T) {
	path, log := filepath.Join(t.TempDir(), "peers.json"), slog.New(slog.DiscardHandler)
	openContacts(path, log).learn(viewOf("n1 alive, n2 alive"), "n1", []string{"n1", "n2"})
	if got := openContacts(path, log).all(); !slices.Equal(got, addressesOf("n2")) {
		t.Errorf("after a start %v are known", got)
	}
	if err := writeJSON(path, 0o640, "torn"); err != nil {
		t.Fatal(err)
	}
	if got := openContacts(path, log).all(); len(got) != 0 {
		t.Errorf("of a file that is none %v are known", got)
	}
}

// All leave one after the other, and come back in two groups that cannot hear each other at first: they must become one cluster again,
// though none of a group has ever heard of the other since it started.
func TestGroupsThatStartApartFindEachOther(t *testing.T) {
	tell(t, 4, 1, func(w *whole) {
		for _, i := range []int{3, 1, 2, 0} {
			w.nodes[i].leave()
		}
		w.network(0, "both", true, w.nodes[:2]...)
		w.wires.set(w.nodes[0].ip, w.nodes[1].ip, false)
		w.wires.set(w.nodes[1].ip, w.nodes[0].ip, false)
		for _, n := range w.nodes {
			n.on()
		}
		time.Sleep(10 * time.Second)
		w.network(0, "both", false, w.nodes[:2]...)
		w.settle(time.Minute, false, "become one again")
	})
}
