package membership

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
	"github.com/hashicorp/serf/serf"
)

// Config is what a member says of itself, and how it gossips.
type Config struct {
	Cluster     string // name of the cluster
	Name        string
	ID          string
	Incarnation string
	Boot        string
	Version     string
	Role        string // RoleVoter, RoleWitness, RoleMember
	Address     string // IP address to bind and to be called at
	Port        int    // of the gossip, UDP and TCP
	PeerPort    int
	Links       []string // further IP addresses of this node, on networks of their own
	Keys        [][]byte // of 32 bytes, the one that encrypts first: peer.Key.GossipKey
	Profile     Profile
	// Seeds are addresses ("IP:port") of members, called again and again as long as nobody else is alive here.
	Seeds []string
	// Transport replaces the kernel's sockets: over several links, or for simulation.
	Transport memberlist.Transport
	// Learn is told of each member that is let in, before the gossip believes in it: it calls it at its first address then, and the
	// transport must know the others. It must not block, or call back; nil: nobody is told.
	Learn  func(Member)
	Logger *slog.Logger
}

// ErrNameTaken is in the error of Join when another node has this node's name.
var ErrNameTaken = errors.New("the name of this node is taken")

// Membership is this node's part in the gossip.
type Membership struct {
	config   Config
	log      *slog.Logger
	serf     *serf.Serf
	keyring  *memberlist.Keyring
	table    *table
	guard    *guard
	problems *problems
	events   chan serf.Event
	joining  chan struct{}  // holds one: who is in serf.Join
	stop     chan struct{}  // closed by Close: no new work
	drained  chan struct{}  // closed by Close: serf is down
	goodbye  chan struct{}  // closed when a leave has ended
	running  sync.WaitGroup // event loop, rejoin loop, calls

	leaving   sync.Mutex // held by Leave and Close, so that nobody leaves what is closed
	left      bool
	closed    bool
	closeOnce sync.Once
}

// Start begins to gossip. The node is alone until Join or until a seed answers.
func Start(c Config) (*Membership, error) {
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("membership: %w", err)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	m := &Membership{
		config: c, log: c.Logger, table: newTable(),
		events: make(chan serf.Event, eventQueue), joining: make(chan struct{}, 1), stop: make(chan struct{}), drained: make(chan struct{}),
		goodbye: make(chan struct{}),
	}
	m.problems = newProblems(func(p Problem) {
		m.log.Warn("gossip: "+p.Text, "kind", p.Kind, "remote", p.Remote, "count", p.Count)
	})
	m.guard = &guard{
		self:  Member{Name: c.Name, ID: c.ID, Incarnation: c.Incarnation, Addr: c.Address, Port: c.Port, Links: strings.Join(c.Links, ",")},
		learn: c.Learn, table: m.table, problems: m.problems, claims: map[string]Member{}, patience: 2 * c.Profile.Detect(10),
	}
	ring, err := memberlist.NewKeyring(c.Keys, c.Keys[0])
	if err != nil {
		return nil, fmt.Errorf("membership: %w", err)
	}
	m.keyring = ring
	m.running.Go(m.watch)
	s, err := serf.Create(m.serfConfig())
	if err != nil {
		close(m.drained)
		m.running.Wait()
		return nil, fmt.Errorf("membership: gossip on %s: %w", net.JoinHostPort(c.Address, strconv.Itoa(c.Port)), err)
	}
	m.serf = s
	m.running.Go(m.rejoin)
	return m, nil
}

func (c *Config) check() error {
	ip := net.ParseIP(c.Address)
	switch {
	case c.Name == "" || c.ID == "" || c.Incarnation == "":
		return errors.New("the node has no name, ID or incarnation")
	case len(c.Name) > nameMax:
		return fmt.Errorf("the name of the node is longer than %d bytes", nameMax)
	case c.Cluster == "" || len(c.Cluster) > clusterMax:
		return fmt.Errorf("the cluster's name is empty or longer than %d bytes", clusterMax)
	case len(c.Keys) == 0:
		return errors.New("there is no gossip key")
	case len(c.Keys[0]) != 32:
		return fmt.Errorf("the gossip key has %d bytes, not 32", len(c.Keys[0]))
	case ip == nil:
		return fmt.Errorf("%q is not an IP address", c.Address)
	case ip.IsUnspecified():
		return fmt.Errorf("%s is no address that others could call", c.Address)
	case len(strings.Join(c.Links, ",")) > linksMax:
		return fmt.Errorf("the addresses of the links are longer than %d bytes", linksMax)
	case c.Profile.ProbeInterval <= 0:
		return errors.New("no time profile")
	}
	c.Address = ip.String()
	return nil
}

func (m *Membership) serfConfig() *serf.Config {
	c, p := m.config, m.config.Profile
	lines := log.New(&bridge{log: m.log, problems: m.problems, cluster: c.Cluster, last: map[string]time.Time{}}, "", 0)
	ml := memberlist.DefaultLANConfig()
	ml.Transport = c.Transport
	ml.Label = c.Cluster
	ml.Keyring = m.keyring
	ml.GossipVerifyIncoming, ml.GossipVerifyOutgoing = true, true
	ml.BindAddr, ml.BindPort = c.Address, c.Port
	ml.AdvertiseAddr, ml.AdvertisePort = c.Address, c.Port
	ml.ProbeInterval, ml.ProbeTimeout = p.ProbeInterval, p.ProbeTimeout
	ml.SuspicionMult, ml.SuspicionMaxTimeoutMult = p.SuspicionMult, p.SuspicionMaxMult
	ml.AwarenessMaxMultiplier, ml.IndirectChecks = p.AwarenessMax, p.IndirectChecks
	ml.GossipInterval, ml.GossipNodes = p.GossipInterval, p.GossipNodes
	ml.RetransmitMult, ml.GossipToTheDeadTime = p.RetransmitMult, p.GossipToDead
	ml.PushPullInterval, ml.TCPTimeout = p.PushPull, p.TCPTimeout
	ml.DeadNodeReclaimTime = time.Nanosecond // a dead member may come back at another address at once
	ml.EnableCompression = false             // messages are small, and time is dear
	ml.RequireNodeNames = false
	ml.LogOutput, ml.Logger = nil, lines

	s := serf.DefaultConfig()
	s.MemberlistConfig = ml
	s.NodeName = c.Name
	s.Tags = m.tags()
	s.EventCh = m.events
	s.Merge = m.guard
	s.EnableNameConflictResolution = false // the guard refuses the newcomer; nobody shuts itself down
	s.DisableCoordinates = true
	s.BroadcastTimeout, s.LeavePropagateDelay = p.LeaveWait, p.LeaveDelay
	s.ReconnectInterval = 24 * time.Hour // rejoin does it, sooner and for all
	s.ReconnectTimeout, s.TombstoneTimeout = forgetFailed, tombstone
	s.LogOutput, s.Logger = nil, lines
	return s
}

func (m *Membership) tags() map[string]string {
	c := m.config
	tags := map[string]string{
		tagID: c.ID, tagIncarnation: c.Incarnation, tagBoot: c.Boot, tagPeerPort: strconv.Itoa(c.PeerPort),
		tagRole: c.Role, tagVersion: c.Version,
	}
	if len(c.Links) > 0 {
		tags[tagLinks] = strings.Join(c.Links, ",")
	}
	return tags
}

// watch takes serf's events until serf is down. It never blocks, so that serf does not.
func (m *Membership) watch() {
	for {
		select {
		case e := <-m.events:
			m.take(e)
		case <-m.drained:
			return
		}
	}
}

func (m *Membership) take(e serf.Event) {
	event, ok := e.(serf.MemberEvent)
	if !ok {
		return
	}
	for _, c := range m.table.apply(event, time.Now()) {
		m.log.Info("member "+string(c.Status), "node", c.Name, "addr", endpoint(c), "incarnation", c.Incarnation, "role", c.Role)
	}
}

// Views returns the channel of views. It holds one view, always the latest; there is one reader. It is never closed.
func (m *Membership) Views() <-chan View { return m.table.views }

// View returns the current view.
func (m *Membership) View() View { return m.table.view() }

// Problems returns what in the gossip of the last minutes a person has to put right: collisions, foreign clusters' packets,
// packets that our key does not open.
func (m *Membership) Problems() []Problem { return m.problems.all() }

// SetKeys replaces the keys that open the gossip; the first encrypts it from now on.
func (m *Membership) SetKeys(keys [][]byte) error {
	for _, k := range keys {
		if err := m.keyring.AddKey(k); err != nil {
			return fmt.Errorf("gossip key: %w", err)
		}
	}
	if err := m.keyring.UseKey(keys[0]); err != nil {
		return fmt.Errorf("gossip key: %w", err)
	}
	for _, have := range slices.Clone(m.keyring.GetKeys()) {
		if !slices.ContainsFunc(keys, func(k []byte) bool { return bytes.Equal(k, have) }) {
			if err := m.keyring.RemoveKey(have); err != nil {
				return fmt.Errorf("gossip key: %w", err)
			}
		}
	}
	return nil
}

// Join makes contact with members at addresses ("host:port"), with several at a time, and returns as soon as one has
// answered (1); the others are called all the same. The error tells of each address if none answered. If another node has
// this node's name, the error is ErrNameTaken with both parties. It may be this node's former self at another address,
// which passes once that is missed.
func (m *Membership) Join(ctx context.Context, addrs []string) (int, error) {
	addrs, err := resolve(ctx, addrs)
	if err != nil {
		return 0, fmt.Errorf("join the gossip: %w", err)
	}
	m.guard.resetTaken()
	answers := make(chan error, len(addrs)) // room for all: calls end also when nobody waits any more
	free := make(chan struct{}, joinParallel)
	for _, a := range addrs {
		if !m.run(func() {
			free <- struct{}{}
			answers <- m.call(a)
			<-free
		}) {
			return 0, fmt.Errorf("join the gossip: %w", net.ErrClosed)
		}
	}
	var failed []error
	for range addrs {
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("join the gossip at %s: %w", strings.Join(addrs, ", "), ctx.Err())
		case err = <-answers:
		}
		if why := m.guard.nameTaken(); why != "" {
			return 0, fmt.Errorf("join the gossip: %w: %s", ErrNameTaken, why)
		}
		if err == nil {
			return 1, nil
		}
		failed = append(failed, err)
	}
	return 0, fmt.Errorf("join the gossip: %w", errors.Join(failed...))
}

// run starts a goroutine that Close waits for, unless it is closed.
func (m *Membership) run(f func()) bool {
	m.leaving.Lock()
	defer m.leaving.Unlock()
	if m.closed {
		return false
	}
	m.running.Go(f)
	return true
}

// resolve looks host names up, so that the libraries need not.
func resolve(ctx context.Context, addrs []string) ([]string, error) {
	var out []string
	for _, a := range addrs {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			return nil, fmt.Errorf("%q is not of the form host:port", a)
		}
		if net.ParseIP(host) != nil {
			out = append(out, a)
			continue
		}
		ips, err := net.DefaultResolver.LookupHost(ctx, host)
		if err != nil {
			return nil, fmt.Errorf("look up %s: %w", host, err)
		}
		slices.Sort(ips)
		for _, ip := range ips {
			out = append(out, net.JoinHostPort(ip, port))
		}
	}
	if len(out) == 0 {
		return nil, errors.New("no address")
	}
	return out, nil
}

// Leave tells the others that this node goes in good order, and returns when they had time to hear it (Profile.LeaveWait
// three times at most), or with ctx. After Leave there is only Close.
func (m *Membership) Leave(ctx context.Context) error {
	done := make(chan error, 1)
	if !m.run(func() { done <- m.leave() }) {
		return nil
	}
	select {
	case <-ctx.Done():
		return fmt.Errorf("leave the gossip: %w", ctx.Err())
	case err := <-done:
		if err != nil {
			return fmt.Errorf("leave the gossip: %w", err)
		}
		return nil
	}
}

func (m *Membership) leave() error {
	m.leaving.Lock()
	if m.left || m.closed {
		m.leaving.Unlock()
		return nil
	}
	m.left = true
	m.leaving.Unlock()
	defer close(m.goodbye)
	if len(m.View().Alive()) > 1 {
		tags := m.tags()
		tags[tagLeaving] = "1"
		if err := m.serf.SetTags(tags); err != nil {
			m.log.Warn("cannot announce that this node leaves: the others may take it for failed", "cause", err)
		}
	}
	return m.serf.Leave()
}

// Forget takes a member that left or failed out of the views, here and, as far as they agree that it is gone, on the
// others. It returns false if there is no such member or it is alive.
func (m *Membership) Forget(name string) bool {
	if !m.table.forget(name) {
		return false
	}
	m.run(func() {
		if err := m.serf.RemoveFailedNodePrune(name); err != nil {
			m.log.Debug("gossip: forget a member", "node", name, "cause", err)
		}
	})
	return true
}

// Close stops gossiping at once, without good-bye: to the others this node fails, unless it has left before. A leave that is under way
// comes to its end first (Profile.LeaveWait three times at most). No goroutine of this package is left when it returns.
func (m *Membership) Close() error {
	m.closeOnce.Do(func() {
		m.leaving.Lock()
		m.closed = true
		left := m.left
		m.leaving.Unlock()
		if left {
			<-m.goodbye // the library panics when it is shut down meanwhile
		}
		close(m.stop)
		if err := m.serf.Shutdown(); err != nil {
			m.log.Warn("gossip: shut down", "cause", err)
		}
		close(m.drained)
	})
	m.running.Wait()
	return nil
}

// rejoin calls failed members again and again, and the seeds while nobody is there, so that a partition heals as soon as
// it can.
func (m *Membership) rejoin() {
	next := time.NewTimer(0)
	defer next.Stop()
	var calls sync.WaitGroup
	defer calls.Wait()
	var mu sync.Mutex
	calling := map[string]bool{}
	for turn := 0; ; {
		select {
		case <-m.stop:
			return
		case <-next.C:
		}
		targets, alone := m.lost()
		next.Reset(m.config.Profile.Rejoin)
		if alone && len(targets) > 0 {
			// Nothing works without the others, and there is nobody who could call in one's stead.
			next.Reset(m.config.Profile.Rejoin / aloneFactor)
		}
		for range min(len(targets), rejoinParallel) {
			target := targets[turn%len(targets)]
			turn++
			mu.Lock()
			busy := calling[target] || len(calling) >= rejoinParallel
			if !busy {
				calling[target] = true
			}
			mu.Unlock()
			if busy {
				continue
			}
			calls.Go(func() {
				if err := m.call(target); err != nil {
					m.log.Debug("gossip: a member that is missed does not answer", "addr", target, "cause", err)
				}
				mu.Lock()
				defer mu.Unlock()
				delete(calling, target)
			})
		}
	}
}

// call exchanges states with a node. Where each took the other for dead, the first exchange tells them so, which both
// deny; the second carries the denials. It also spreads that this node is in the cluster, should it have left before.
func (m *Membership) call(target string) error {
	if m.isClosed() {
		return net.ErrClosed
	}
	if n, err := m.serf.Memberlist().Join([]string{target}); n == 0 {
		return oneError(err)
	}
	// Serf has a lock for this, and holds it while it dials: waiting for a channel can be given up.
	select {
	case m.joining <- struct{}{}:
	case <-m.stop:
		return net.ErrClosed
	}
	defer func() { <-m.joining }()
	if _, err := m.serf.Join([]string{target}, true); err != nil {
		m.log.Debug("gossip: a node answered once, and not twice", "addr", target, "cause", err)
	}
	return nil
}

func (m *Membership) isClosed() bool {
	select {
	case <-m.stop:
		return true
	default:
		return false
	}
}

// oneError takes the libraries' list of errors, here always of one, apart.
func oneError(err error) error {
	if many, ok := errors.AsType[interface {
		error
		WrappedErrors() []error
	}](err); ok && len(many.WrappedErrors()) == 1 {
		return many.WrappedErrors()[0]
	}
	return err
}

// lost returns the addresses of those who should be here and are not, sorted, and whether nobody is.
func (m *Membership) lost() (addrs []string, alone bool) {
	v := m.View()
	targets := map[string]bool{}
	for _, o := range v.Members {
		if o.Status == Failed {
			targets[endpoint(o)] = true
		}
	}
	alone = len(v.Alive()) <= 1
	if alone {
		self := net.JoinHostPort(m.config.Address, strconv.Itoa(m.config.Port))
		for _, s := range m.config.Seeds {
			if s != self {
				targets[s] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(targets)), alone
}
