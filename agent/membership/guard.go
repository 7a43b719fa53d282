package membership

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"
)

// Kinds of problems.
const (
	NameCollision    = "name-collision"    // two nodes of one name
	AddressCollision = "address-collision" // two names at one address
	ForeignCluster   = "foreign-cluster"   // packets of a cluster of another name
	WrongKey         = "wrong-key"         // packets that our key does not open
)

// Problem is something in the gossip that a person has to put right.
type Problem struct {
	Kind   string    `json:"kind"`
	Remote string    `json:"remote"` // address it comes from
	Text   string    `json:"text"`   // a sentence that names both parties
	Count  int       `json:"count"`
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`

	// patience is how long it must have been seen before it is one: until then it may pass by itself.
	patience time.Duration
}

func (p Problem) real() bool { return p.Last.Sub(p.First) >= p.patience }

// problems remembers what was seen lately.
type problems struct {
	mu   sync.Mutex
	list []Problem
	// report is called, without the lock, for a problem that is new or was last reported logGap ago.
	report   func(Problem)
	reported map[string]time.Time // by kind, remote and text
	// lines were reported since window began: who makes up something new all the time does not fill the log.
	window time.Time
	lines  int
}

func newProblems(report func(Problem)) *problems {
	return &problems{report: report, reported: map[string]time.Time{}}
}

func (p *problems) add(kind, remote, text string, patience time.Duration) {
	now := time.Now()
	p.mu.Lock()
	p.expire(now)
	i := slices.IndexFunc(p.list, func(o Problem) bool { return o.Kind == kind && o.Remote == remote && o.Text == text })
	if i < 0 {
		if len(p.list) >= problemsMax {
			p.list = slices.Delete(p.list, 0, 1) // sorted by Last: the quietest
		}
		p.list = append(p.list, Problem{Kind: kind, Remote: remote, Text: text, First: now, patience: patience})
		i = len(p.list) - 1
	}
	found := p.list[i]
	found.Count++
	found.Last = now
	p.list = append(slices.Delete(p.list, i, i+1), found)
	key := kind + " " + remote + " " + text
	due := found.real() && now.Sub(p.reported[key]) >= logGap
	if due {
		if now.Sub(p.window) >= logGap {
			p.window, p.lines = now, 0
		}
		p.lines++
		if due = p.lines <= reportsMax; due {
			p.reported[key] = now
		}
	}
	p.mu.Unlock()
	if due && p.report != nil {
		p.report(found)
	}
}

func (p *problems) expire(now time.Time) {
	p.list = slices.DeleteFunc(p.list, func(o Problem) bool { return now.Sub(o.Last) > problemKeep })
	for key, at := range p.reported {
		if now.Sub(at) > problemKeep {
			delete(p.reported, key)
		}
	}
}

// settled forgets collisions over a name with an address that has been let in since.
func (p *problems) settled(remote string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.list = slices.DeleteFunc(p.list, func(o Problem) bool { return o.Kind == NameCollision && o.Remote == remote })
}

// all returns the problems of the last minutes, by kind, remote and text.
func (p *problems) all() []Problem {
	p.mu.Lock()
	p.expire(time.Now())
	list := slices.DeleteFunc(slices.Clone(p.list), func(o Problem) bool { return !o.real() })
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b Problem) int {
		if c := strings.Compare(a.Kind, b.Kind); c != 0 {
			return c
		}
		if c := strings.Compare(a.Remote, b.Remote); c != 0 {
			return c
		}
		return strings.Compare(a.Text, b.Text)
	})
	return list
}

// guard decides whose messages are heard. Memberlist asks it, with locks held, before it believes that somebody is
// alive: it answers at once, and never calls back.
type guard struct {
	self     Member
	learn    func(Member) // told of who is let in; may be nil
	table    *table
	problems *problems
	// patience is how long two of one name and node ID must be seen before they are taken for two machines: a node
	// that restarted at another address is told from its former self once that is missed.
	patience time.Duration

	mu sync.Mutex
	// claims are names that were let in and are not in the table yet, by name.
	claims map[string]Member
	// taken says that our own name is in use by another node.
	taken string
}

// NotifyMerge implements serf.MergeDelegate. Serf calls it with one member for each message that says somebody is alive,
// and with all that a joining node knows; of these the dead are not told from the living, so they are judged one by one
// when memberlist gets to them.
func (g *guard) NotifyMerge(members []*serf.Member) error {
	if len(members) != 1 {
		return nil
	}
	m := fromSerf(*members[0]).Member
	if m.ID == "" || m.Incarnation == "" {
		return fmt.Errorf("%s at %s is not a paceline node: it has no node ID", m.Name, endpoint(m))
	}
	kind, text, holder := g.judge(m)
	if kind == "" {
		if g.learn != nil && m.Name != g.self.Name {
			g.learn(m)
		}
		g.problems.settled(endpoint(m))
		return nil
	}
	patience := time.Duration(0)
	if m.ID == holder.ID {
		patience = g.patience
	}
	g.problems.add(kind, endpoint(m), text, patience)
	return fmt.Errorf("%s", text)
}

// judge compares a newcomer with those that are alive, and names the one that it collides with.
func (g *guard) judge(m Member) (kind, text string, holder Member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.Name == g.self.Name {
		if m.ID == g.self.ID {
			// An earlier incarnation of ourselves, or a copy of this machine with its node ID.
			if endpoint(m) == endpoint(g.self) || m.Incarnation == g.self.Incarnation {
				return "", "", holder
			}
		}
		g.taken = collision(m, g.self)
		return NameCollision, g.taken, g.self
	}
	if at := shared(m, g.self); at != "" {
		return AddressCollision, addressCollision(m, g.self, at), g.self
	}
	known := g.known(m)
	for _, k := range known {
		if k.Name == m.Name && (k.ID != m.ID || endpoint(k) != endpoint(m)) {
			return NameCollision, collision(m, k), k
		}
		if at := shared(m, k); k.Name != m.Name && at != "" {
			return AddressCollision, addressCollision(m, k, at), k
		}
	}
	if len(known) == 0 {
		g.claims[m.Name] = m
	}
	return "", "", holder
}

// known returns the living that have the name or the address.
func (g *guard) known(m Member) []Member {
	var found []Member
	g.table.mu.Lock()
	defer g.table.mu.Unlock()
	for name, c := range g.claims {
		if _, in := g.table.members[name]; in {
			delete(g.claims, name) // the table knows better by now
		} else if c.Name == m.Name || shared(c, m) != "" {
			found = append(found, c)
		}
	}
	for _, e := range g.table.members {
		if e.Status == Alive && (e.Name == m.Name || shared(e.Member, m) != "") {
			found = append(found, e.Member)
		}
	}
	slices.SortFunc(found, func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
	return found
}

// shared returns an endpoint that two have, on whatever link; "" if there is none.
func shared(a, b Member) string {
	if a.Port != b.Port {
		return ""
	}
	for _, at := range a.Addresses() {
		if slices.Contains(b.Addresses(), at) {
			return net.JoinHostPort(at, strconv.Itoa(a.Port))
		}
	}
	return ""
}

func endpoint(m Member) string { return net.JoinHostPort(m.Addr, strconv.Itoa(m.Port)) }

func collision(newcomer, holder Member) string {
	if newcomer.ID == holder.ID {
		return fmt.Sprintf("two nodes are called %s and have the same node ID %s: one at %s is a member, another at %s is refused "+
			"(was a machine copied? remove the file node-id on the copy)", holder.Name, holder.ID, endpoint(holder), endpoint(newcomer))
	}
	return fmt.Sprintf("two nodes are called %s: node %s at %s is a member, node %s at %s is refused (give it another name)",
		holder.Name, holder.ID, endpoint(holder), newcomer.ID, endpoint(newcomer))
}

func addressCollision(newcomer, holder Member, at string) string {
	return fmt.Sprintf("two nodes have the address %s: %s (node %s) is a member, %s (node %s) is refused",
		at, holder.Name, holder.ID, newcomer.Name, newcomer.ID)
}

// resetTaken forgets that our name was found in use.
func (g *guard) resetTaken() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.taken = ""
}

// nameTaken returns the sentence about our name being in use elsewhere, or nothing.
func (g *guard) nameTaken() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.taken
}
