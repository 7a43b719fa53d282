package integration

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"paceline/agent/api"
	"paceline/integration/cluster"
	"paceline/integration/lab"
)

// linkTo returns how the node that answers sees one of its links.
func linkTo(s *api.Status, node string, link int) string {
	for _, l := range s.Links {
		if l.Node == node && l.Link == link {
			return l.State
		}
	}
	return "none"
}

// cutLink cuts a node off from the others on one network, in both directions or one; the client still reaches it.
func cutLink(t *testing.T, c *cluster.Cluster, node, link string, outOnly bool) {
	t.Helper()
	var others []string
	for _, n := range c.Nodes() {
		if n.Name != node {
			others = append(others, n.Name+"@"+link)
		}
	}
	dirs := lab.Between([]string{node + "@" + link}, others)
	if outOnly {
		dirs = slices.DeleteFunc(dirs, func(d lab.Direction) bool { return !strings.HasPrefix(d.From, node) })
	}
	if err := c.Cut(dirs...); err != nil {
		t.Skip(err)
	}
}

// Three nodes on two networks. One network of a node dies, comes back, and the other dies, in both directions and in one: the
// services stay, the coordinator stays, nobody is fenced, and status says which link it is. Then both die: the node is fenced, and its
// services come up elsewhere.
func TestTwoNetworks(t *testing.T) {
	o := storyLab(t, 3)
	o.Links = 2
	c := start(t, cluster.Options{Lab: o})
	must(t, c.Load(t.Context(), shop))
	s := await(t, c, "the shop", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && open(s) && s.Quorum.Total == 3
	})
	coordinator := s.Coordinator
	other := map[string]string{"node1": "node2", "node2": "node3", "node3": "node1"}[coordinator]
	must(t, c.Place(t.Context(), "shop", other))
	await(t, c, "the shop on "+other, func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") == other })
	ping, err := c.Client().Ping(t.Context(), netip.MustParseAddr(vip), 10*time.Millisecond)
	must(t, err)
	defer ping.Stop()

	began := time.Now()
	for i, c1 := range []struct {
		node, link string
		one        bool
	}{{coordinator, "0", false}, {other, "1", false}, {other, "0", true}, {coordinator, "1", true}} {
		cutLink(t, c, c1.node, c1.link, c1.one)
		number := int(c1.link[0] - '0')
		seen := c1.node
		if seen == coordinator {
			seen = other
		}
		s := await(t, c, "the link down in status", func(s *api.Status) bool {
			return s.Node == coordinator && linkTo(s, seen, number) == api.LinkDown
		})
		if linkTo(s, seen, 1-number) != api.LinkUp || !slices.ContainsFunc(s.Problems, func(p api.Problem) bool { return p.Name == "link-down" }) {
			t.Errorf("case %d: links %+v, problems %+v", i, s.Links, s.Problems)
		}
		if i == 0 {
			says(t, c, coordinator, []string{"status"}, "Links of "+coordinator, "To "+other+": 0 (10.77.0.", "DOWN since", "1 (10.77.1.")
			says(t, c, coordinator, []string{"doctor"}, "over link 0")
		}
		must(t, commit(t.Context(), c, "during"))
		must(t, c.Heal())
		await(t, c, "the link back", func(s *api.Status) bool {
			return s.Node == coordinator && linkTo(s, seen, 0) == api.LinkUp && linkTo(s, seen, 1) == api.LinkUp
		})
	}
	says(t, c, coordinator, []string{"history"}, "the link 0 to "+other, "is down", "is up")
	s = await(t, c, "all as before", func(s *api.Status) bool {
		return cluster.Online(s, "node1", "node2", "node3") && open(s)
	})
	if s.Coordinator != coordinator || cluster.Where(s, "ip") != other {
		t.Errorf("%s coordinates and the shop is on %s; it was %s and %s", s.Coordinator, cluster.Where(s, "ip"), coordinator, other)
	}
	if out := ping.Report().Within(began, time.Now()).Outages(200 * time.Millisecond); len(out) > 0 {
		t.Errorf("the shop's address was silent: %+v", out)
	}
	must(t, c.Proof())

	begin := len(c.Switch().Events())
	cutLink(t, c, other, "0", false)
	cutLink(t, c, other, "1", false)
	off, err := c.Switch().Await(t.Context(), begin, func(e lab.PowerEvent) bool { return e.What == "off" })
	must(t, err)
	if off.Node != other {
		t.Errorf("%s lost its power, not %s", off.Node, other)
	}
	await(t, c, "the shop elsewhere", func(s *api.Status) bool { return open(s) && cluster.Where(s, "ip") != other })
	must(t, c.Proof(other))
}
