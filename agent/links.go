package agent

import (
	"fmt"
	"io"
	"log"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/memberlist"

	"paceline/agent/api"
	"paceline/agent/history"
	"paceline/agent/links"
	"paceline/agent/membership"
	"paceline/agent/peer"
)

// linked makes the links of this node, and its gossip's transport over them; nil: memberlist makes its own, as there is one link.
func (n *node) linked() (memberlist.Transport, error) {
	f := n.file
	c := links.Config{
		Own: f.addresses(), Times: links.Profile(f.Profile), Keys: n.gossipKeys, Dial: peer.DialTCP, Listen: peer.ListenTCP,
		Changed: n.linkChanged, Logger: n.log,
	}
	open := links.Kernel(f.GossipPort, log.New(io.Discard, "", 0)) // what it says of packets that do not arrive, the probes say better
	if net := n.d.opt.network; net != nil {
		c.Dial, c.Listen = net.Dial, net.Listen
		open = func(ip string) (memberlist.Transport, error) { return net.Gossip(ip, f.GossipPort) }
	}
	var err error
	if n.links, err = links.New(c); err != nil {
		return nil, err
	}
	if len(f.Links) == 0 && n.d.opt.network == nil {
		return nil, nil
	}
	t, err := n.links.Gossip(open)
	if err != nil {
		return nil, fmt.Errorf("listen for gossip: %w", err)
	}
	return t, nil
}

// learn notes the addresses of a member before the gossip calls it.
func (n *node) learn(m membership.Member) {
	n.links.Learn(m.Name, m.Addresses(), m.Port, m.PeerPort)
}

// followLinks keeps the addresses of those who are in the view.
func (n *node) followLinks(v membership.View) {
	var names []string
	for _, m := range v.Members {
		if m.Name != n.file.Node && m.Status != membership.Left {
			names = append(names, m.Name)
			n.learn(m)
		}
	}
	n.links.Keep(names)
}

// linkChanged tells of a link that went down or came back.
func (n *node) linkChanged(c links.Change) {
	text := fmt.Sprintf("the link %d to %s (%s) is %s, seen from %s", c.Link, c.Node, c.Address, c.State, n.file.Node)
	if c.State == links.Down {
		n.log.Warn("a link is down: the other links are used", "peer", c.Node, "link", c.Link, "addr", c.Address)
	} else {
		n.log.Info("a link is back", "peer", c.Node, "link", c.Link, "addr", c.Address)
	}
	if n.past != nil {
		n.past.Note(history.Event{Time: time.Now(), Kind: history.Link, Node: c.Node, Text: text})
	}
	n.d.notify.poke()
}

// linkProblems lists the links that are down, seen from here.
func (n *node) linkProblems() []api.Problem {
	var out []api.Problem
	for node, list := range n.links.States() {
		for _, s := range list {
			if s.State != links.Down {
				continue
			}
			out = append(out, api.Problem{
				Name: "link-down", Severity: api.SeverityWarning, Object: node, Since: s.Since,
				What: fmt.Sprintf("%s does not reach %s over link %d (%s); they go on over another link", n.file.Node, node, s.Link, s.Address),
				Hint: "see the network of that link: its cable, its switch, and the address on both nodes",
			})
		}
	}
	slices.SortFunc(out, func(a, b api.Problem) int { return strings.Compare(a.What, b.What) })
	return out
}

// linkStates lists the links to the others as the API shows them.
func (n *node) linkStates() []api.Link {
	var out []api.Link
	states := n.links.States()
	for _, m := range n.currentView().Members {
		for _, s := range states[m.Name] {
			own := n.file.addresses()[s.Link]
			out = append(out, api.Link{
				Node: m.Name, Link: s.Link, Address: s.Address, From: own, State: string(s.State), Since: s.Since,
				RoundTrip: api.Duration(s.Round),
			})
		}
	}
	return out
}

// raftAddresses returns where a voter's peer port is, the best link first; nothing where gossip does not know.
func (n *node) raftAddresses(id string) []string {
	at := n.peerAddress(id)
	if at == "" {
		return nil
	}
	return n.links.Ways(at)
}

// contactsOf are the gossip addresses at which a member may be called.
func contactsOf(m membership.Member) []string {
	var out []string
	for _, a := range m.Addresses() {
		out = append(out, net.JoinHostPort(a, strconv.Itoa(m.Port)))
	}
	return out
}
