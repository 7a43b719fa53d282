package agent

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/executor"
	"paceline/agent/history"
	"paceline/agent/links"
	"paceline/agent/membership"
	"paceline/agent/peer"
	"paceline/agent/store"
	"paceline/fencing/sbd"
	"paceline/fencing/watchdog"
	"paceline/resources"
	"paceline/resources/builtin"
	"paceline/resources/cgroup"
)

// node is this machine as a member of its cluster.
type node struct {
	d       *Daemon
	id      identity // who this machine is in this cluster: it gets another one when it leaves
	file    File
	keys    keys
	profile profile
	log     *slog.Logger

	links    *links.Net
	peer     *peer.Peer
	store    *store.Store
	members  *membership.Membership
	exec     *executor.Executor
	watchdog *watchdog.Feeder // nil: there is none
	station  *sbd.Station     // of the shared disks; nil: there are none
	registry *resources.Registry
	fencer   *fencer
	tokens   *tokens
	contacts *contacts
	past     *history.Recorder // what this node did as coordinator; nil if it cannot be kept
	trouble  trouble           // what other nodes say is wrong with them; heard while this node coordinates

	attributes   *keeper    // what agents of this node want committed
	attributesMu sync.Mutex // held while this node commits attributes

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	viewed topic // the view changed

	mu       sync.Mutex
	view     membership.View
	peers    map[string]string // where the peer ports of those that are alive are, by ID
	leader   store.Leadership
	heard    bool                // a coordinator was heard since this daemon started
	runner   *coordinator.Runner // not nil while this node leads
	verdict  verdictNow
	leaving  bool                          // this node asked to be let go
	takeover chan func() coordinator.Event // to the takeover's loop, unbuffered: what is looked at there is never older than the look before
	fenced   []cib.FenceEvent              // confirmed while there was no coordinator; for the next Elected
}

// startNode starts a member. contacts are gossip addresses to begin with, beside those remembered.
func startNode(d *Daemon, f File, ring peer.Ring, contacts []string) (_ *node, err error) {
	p, err := profileFor(f.Profile)
	if err != nil {
		return nil, err
	}
	n := &node{
		d: d, id: d.id, file: f, keys: keys{ring: ring}, profile: p, log: d.log,
		takeover: make(chan func() coordinator.Event), attributes: newKeeper(),
	}
	n.ctx, n.cancel = context.WithCancel(d.ctx)
	defer func() {
		if err != nil {
			n.stop()
		}
	}()
	gossip, err := n.linked()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil && n.members == nil && gossip != nil {
			gossip.Shutdown()
		}
	}()
	listen := net.JoinHostPort(f.Address, strconv.Itoa(f.PeerPort))
	n.peer, err = peer.New(peer.Config{
		Keys: ring.Keys(), Identity: peer.Identity{Cluster: f.Cluster, Node: f.Node, ID: n.id.ID},
		Listen: listen, NetListen: n.links.Listen, NetDial: n.links.Dial, Logger: n.log,
	})
	if err != nil {
		return nil, fmt.Errorf("listen for the other nodes: %w", err)
	}
	n.store, err = store.Open(store.Config{
		ID: n.id.ID, Name: f.Node, Dir: d.opt.DataDir, Stream: &raftStream{n.peer, n.links, n.peer.Listener(peer.ALPNRaft)},
		Address: listen, Resolve: n.raftAddresses, Timings: p.raft, Compaction: d.opt.compaction, Bootstrap: f.Bootstrap, Apply: cib.Apply, Logger: n.log,
	})
	if err != nil {
		return nil, fmt.Errorf("open the cluster's state: %w", err)
	}
	n.founded()
	if n.station, err = n.pills(); err != nil {
		return nil, err
	}
	n.fencer = newFencer(d.opt.Devices, n.station, filepath.Join(d.opt.RunDir, "fencing"), n.log)
	registry := d.opt.Registry
	if registry == nil {
		registry = builtin.Registry(builtin.Config{
			StateDir: d.opt.RunDir, Tools: d.opt.linkTools(n.log), Socket: d.opt.socketPath(),
			Cgroup: cgroup.Own(), TraceDir: d.opt.traceDir(), Logger: n.log,
		})
	}
	registry.RegisterClass("stonith", n.fencer)
	n.registry = registry
	n.exec, err = executor.New(n.guarded(executor.Config{
		Node: f.Node, ID: n.id.ID, Incarnation: n.id.Incarnation, Boot: n.id.Boot,
		Registry: registry, Dir: d.opt.DataDir, Fence: n.fencer.carryOut, Uptime: d.opt.uptime, Logger: n.log,
	}))
	if err != nil {
		return nil, fmt.Errorf("start the executor: %w", err)
	}
	if n.station != nil {
		n.station.Start()
	}
	role := membership.RoleVoter
	if f.Witness {
		role = membership.RoleWitness
	}
	n.members, err = membership.Start(membership.Config{
		Name: f.Node, ID: n.id.ID, Incarnation: n.id.Incarnation, Boot: n.id.Boot, Address: f.Address, Port: f.GossipPort,
		PeerPort: f.PeerPort, Role: role, Version: d.opt.Version, Keys: n.gossipKeys(), Cluster: f.Cluster, Profile: p.gossip,
		Links: f.Links, Transport: gossip, Learn: n.learn, Logger: n.log,
	})
	if err != nil {
		return nil, fmt.Errorf("start the membership: %w", err)
	}
	if n.past, err = history.Open(filepath.Join(d.opt.DataDir, "history"), d.opt.Version, n.log); err != nil {
		n.log.Error("transitions are not kept", "err", err) // the cluster does without
	}
	n.tokens = openTokens(filepath.Join(d.opt.DataDir, "tokens.json"))
	n.contacts = openContacts(filepath.Join(d.opt.DataDir, "peers.json"), n.log)
	n.run(contacts)
	return n, nil
}

// founded takes the word that makes a node found its cluster out of its configuration, once it has: if it lost its data
// later it would found another one of the same name and key, whose entries pass for those of the real one's first term.
func (n *node) founded() {
	if !n.file.Bootstrap {
		return
	}
	n.file.Bootstrap = false
	if err := writeJSON(n.d.opt.filePath(), 0o644, n.file); err != nil {
		n.log.Error("this node would found a second cluster if it lost its data: take \"bootstrap\" out of its configuration", "path", n.d.opt.filePath(), "err", err)
	}
}

// run starts the node's loops.
func (n *node) run(contacts []string) {
	// The listeners are there before anybody is let in: who asks for a protocol that nobody serves yet is refused, and shown as a problem.
	exec, peers, joins := n.peer.Listener(peer.ALPNExec), n.peer.Listener(peer.ALPNHTTP), n.peer.Listener(peer.ALPNJoin)
	n.wg.Go(func() {
		if err := n.peer.Serve(); err != nil {
			n.log.Error("the port for the other nodes is lost", "err", err)
		}
	})
	n.wg.Go(func() { n.serveExecutor(exec) })
	n.wg.Go(func() { n.servePeers(peers) })
	n.wg.Go(func() { n.serveJoins(joins) })
	n.wg.Go(n.serveAccess)
	n.wg.Go(n.watchViews)
	n.wg.Go(func() { n.keepContact(contacts) })
	n.wg.Go(n.leadLoop)
	n.wg.Go(n.takeoverLoop)
	n.wg.Go(n.tellTrouble)
	n.wg.Go(n.keepAttributes)
}

// stop ends everything. Resources keep running.
func (n *node) stop() {
	n.cancel()
	if n.members != nil {
		n.members.Close()
	}
	if n.exec != nil {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		if err := n.exec.Close(ctx); err != nil {
			n.log.Warn("operations were left running", "err", err)
		}
		cancel()
		n.unguard()
	}
	if n.store != nil {
		n.store.Close()
	}
	if n.peer != nil {
		n.peer.Close()
	}
	if n.links != nil {
		n.links.Close()
	}
	n.wg.Wait()
	if n.past != nil {
		n.past.Close()
	}
}

// raftStream gives raft its streams over the peer port, each over the link that it asks for.
type raftStream struct {
	peer  *peer.Peer
	links *links.Net
	net.Listener
}

func (s *raftStream) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	c, err := s.peer.DialBy(ctx, s.links.DialOne, string(address), peer.ALPNRaft)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (n *node) serveExecutor(l net.Listener) {
	var wg sync.WaitGroup
	defer wg.Wait()
	context.AfterFunc(n.ctx, func() { l.Close() })
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			if err := n.exec.Serve(n.ctx, c); err != nil && n.ctx.Err() == nil {
				n.log.Debug("a coordinator's session ended", "err", err)
			}
		})
	}
}

// watchViews keeps the newest view and tells those who wait for it.
func (n *node) watchViews() {
	for {
		select {
		case <-n.ctx.Done():
			return
		case v, ok := <-n.members.Views():
			if !ok {
				return
			}
			peers := map[string]string{}
			for _, m := range v.Members {
				if m.Status == membership.Alive {
					peers[m.ID] = net.JoinHostPort(m.Addr, strconv.Itoa(m.PeerPort))
				}
			}
			n.mu.Lock()
			n.view, n.peers = v, peers
			n.mu.Unlock()
			n.followLinks(v)
			n.viewed.poke()
			n.d.notify.poke()
			n.contacts.learn(v, n.file.Node, membersOf(n.store.Snapshot().CIB, n.file.Node))
		}
	}
}

func (n *node) currentView() membership.View {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.view
}

// peerAddress returns where a node's peer port is, by its ID; "" if gossip does not know.
func (n *node) peerAddress(id string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.peers[id]
}

func (n *node) rand() *rand.Rand { return rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())) }
