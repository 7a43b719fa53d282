package agent

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"paceline/agent/cib"
	"paceline/agent/membership"
)

// contacts are the gossip addresses of the others, kept in a file for the next start. A member's stay in it while it is configured, though it
// left in good order: all may leave, and come back at the same time.
type contacts struct {
	path string
	log  *slog.Logger

	mu    sync.Mutex
	known []string
}

func openContacts(path string, log *slog.Logger) *contacts {
	c := &contacts{path: path, log: log}
	if err := readJSON(path, &c.known); err != nil && !errors.Is(err, os.ErrNotExist) {
		c.known = nil
		log.Warn("the remembered addresses of members are not readable; the others will call this node", "path", path, "err", err)
	}
	return c
}

// learn takes in what a view tells. configured are the members by the configuration.
func (c *contacts) learn(v membership.View, self string, configured []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := whereOthersAre(c.known, v, self, configured)
	if len(now) == 0 || slices.Equal(now, c.known) {
		return
	}
	c.known = now
	if err := writeJSON(c.path, 0o640, now); err != nil {
		c.log.Warn("the members' addresses could not be kept for the next start", "path", c.path, "err", err)
	}
}

// missing returns the addresses at which a view shows nobody who is alive or has failed: the membership itself calls those who failed.
func (c *contacts) missing(v membership.View) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.known)
	for _, m := range v.Members {
		if m.Status != membership.Left {
			out = without(out, contactsOf(m))
		}
	}
	return out
}

// all returns every address.
func (c *contacts) all() []string { return c.missing(membership.View{}) }

func without(addrs, these []string) []string {
	return slices.DeleteFunc(addrs, func(a string) bool { return slices.Contains(these, a) })
}

// whereOthersAre is what to remember after a view: the addresses of all whom it shows, but for those who left and are members no more.
// While it does not show every member, where that one is may be among those known before.
func whereOthersAre(before []string, v membership.View, self string, configured []string) []string {
	var out []string
	before = slices.Clone(before)
	for _, m := range v.Members {
		switch {
		case m.Name == self:
		case m.Status == membership.Left && !slices.Contains(configured, m.Name):
			before = without(before, contactsOf(m))
		default:
			out = append(out, contactsOf(m)...)
		}
	}
	whole := len(configured) > 0 && !slices.ContainsFunc(configured, func(name string) bool {
		_, shown := v.Member(name)
		return !shown
	})
	if !whole {
		out = append(out, without(before, out)...)
	}
	return out[:min(len(out), contactsMax)]
}

// membersOf lists who is a member by a configuration: nobody while it does not name this node, for it is not the cluster's yet.
func membersOf(c *cib.CIB, self string) []string {
	if c == nil {
		return nil
	}
	var names []string
	for _, n := range c.Configuration.Nodes {
		names = append(names, n.Uname)
	}
	if !slices.Contains(names, self) {
		return nil
	}
	return names
}

// keepContact calls the others: at remembered and given addresses while nobody is there, and then those who are missing still. Nodes that
// start at the same time may find each other in groups, and the groups would not know of each other.
func (n *node) keepContact(given []string) {
	tick := time.NewTicker(contactEvery)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		alone := !n.inCompany()
		var addrs []string
		switch {
		case alone:
			addrs = append(n.contacts.all(), given...)
		case turn%contactSpare == 0:
			addrs = n.contacts.missing(n.currentView())
		}
		if len(addrs) > 0 {
			ctx, cancel := context.WithTimeout(n.ctx, contactMax)
			_, err := n.members.Join(ctx, addrs)
			cancel()
			if err != nil {
				n.log.Debug("who is called does not answer yet", "addresses", addrs, "err", err)
			}
			if err != nil && alone {
				n.fetchKeys(addrs)
			}
		}
		select {
		case <-n.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *node) inCompany() bool {
	for _, m := range n.currentView().Members {
		if m.Name != n.file.Node && m.Status == membership.Alive {
			return true
		}
	}
	return false
}
