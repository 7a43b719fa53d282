package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"time"

	"paceline/agent/api"
	"paceline/agent/cib"
	"paceline/agent/membership"
	"paceline/agent/peer"
	"paceline/agent/store"
)

// joinBodyMax bounds the request of a node that wants to join: it is not known yet, and gets to say little.
const joinBodyMax = 64 << 10

// serveJoins answers nodes that want to become members. They are not known yet: a token's secret is all they have.
func (n *node) serveJoins(l net.Listener) {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+peer.JoinPath, n.admit)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	context.AfterFunc(n.ctx, func() { srv.Close() })
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && n.ctx.Err() == nil {
		n.log.Error("joins can not be answered any more", "err", err)
	}
}

func (n *node) admit(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, e *api.Error) {
		n.log.Warn("a join was refused", "from", r.RemoteAddr, "cause", e.Why)
		e.Where = n.file.Node
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(e)
	}
	var req peer.JoinRequest
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, joinBodyMax)).Decode(&req); err != nil {
		refuse(http.StatusBadRequest, api.Errorf(api.CodeUsage, "join", "the request can not be read: %v", err))
		return
	}
	for _, m := range n.currentView().Members {
		if m.Name == req.Name && m.ID != req.ID && m.Status == membership.Alive {
			refuse(http.StatusConflict, api.Errorf(api.CodeRefused, "join",
				"there is a node %s already: it has ID %s at %s; the one that asks has ID %s at %s", m.Name, m.ID, m.Addr, req.ID, req.Address).
				WithHint("give the new node another name (--node), or let the old one leave first"))
			return
		}
		for _, at := range append([]string{req.Address}, req.Links...) {
			if slices.Contains(m.Addresses(), at) && int(m.PeerPort) == req.PeerPort && m.Name != req.Name && m.Status == membership.Alive {
				refuse(http.StatusConflict, api.Errorf(api.CodeRefused, "join",
					"the address %s is that of %s; %s can not have it too", at, m.Name, req.Name))
				return
			}
		}
	}
	ok, err := n.tokens.redeem(peer.HashSecret(req.Secret))
	if err != nil {
		refuse(http.StatusInternalServerError, api.Errorf(api.CodeFailed, "join", "the token can not be marked as used: %v", err))
		return
	}
	if !ok {
		refuse(http.StatusForbidden, api.Errorf(api.CodeForbidden, "join", "the token was not issued by %s, was used before, or has expired", n.file.Node).
			WithHint("paceline cluster token, on a member, issues a new one"))
		return
	}
	gossip := append(n.at(n.file.GossipPort), n.contacts.all()...)
	n.log.Info("a node may join", "name", req.Name, "id", req.ID, "address", req.Address)
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(peer.JoinReply{
		Cluster: n.file.Cluster, Key: n.keys.now().Current.Hex(), Profile: n.file.Profile, Gossip: gossip, Node: n.file.Node,
	})
}

// newFile completes what a person said about a new member with defaults.
func newFile(cluster, name, address string, links []string, gossip, peerPort int, profile string) (File, error) {
	f := File{Cluster: cluster, Node: name, Address: address, Links: links, GossipPort: gossip, PeerPort: peerPort, Profile: profile}
	if f.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			return f, fmt.Errorf("find this node's name: %w", err)
		}
		f.Node = host
	}
	if f.Address == "" {
		f.Address = ownAddress()
	}
	return f, f.Validate()
}

func (d *Daemon) init(ctx context.Context, req api.InitRequest) (api.InitReply, error) {
	release, err := d.reserve("cluster init", false)
	if err != nil {
		return api.InitReply{}, err
	}
	defer release()
	f, err := newFile(req.Cluster, req.Node, req.Address, req.Links, req.GossipPort, req.PeerPort, req.Profile)
	if err != nil {
		return api.InitReply{}, api.Errorf(api.CodeUsage, "cluster init", "%v", err)
	}
	f.Bootstrap = true
	if err := f.watchedBy(req.Watchdog, req.WatchdogTimeout); err != nil {
		return api.InitReply{}, api.Errorf(api.CodeUsage, "cluster init", "%v", err)
	}
	if err := f.pillsOver(ctx, req.SBD); err != nil {
		return api.InitReply{}, api.Errorf(api.CodeUsage, "cluster init", "%v", err)
	}
	n, err := d.adopt(f, peer.NewKey(), nil)
	if err != nil {
		return api.InitReply{}, api.Errorf(api.CodeFailed, "cluster init", "%v", err)
	}
	if err := n.waitMember(ctx); err != nil {
		return api.InitReply{}, api.Errorf(api.CodeTimeout, "cluster init", "the new cluster did not come up: %v", err).
			WithHint("the daemon's log says why; paceline cluster leave undoes the start")
	}
	if err := n.setDefaults(ctx); err != nil {
		return api.InitReply{}, api.Errorf(api.CodeFailed, "cluster init", "the defaults of a new cluster could not be set: %v", err)
	}
	t, err := n.token(tokenTTLDefault)
	if err != nil {
		return api.InitReply{}, err
	}
	return api.InitReply{
		Cluster: f.Cluster, Node: f.Node, Address: f.Address, Token: t.Encode(), Expires: t.Expires, Fencing: propose(lookAtMachine("/", f)),
	}, nil
}

// setDefaults gives a new cluster what most people want and would have to find out: services stay where they are unless
// there is a reason to move them (resource-stickiness, as crmsh sets it, too), and one that fails again and again is tried
// again at growing intervals (failure-backoff; a configuration that is imported has none, as Pacemaker has not).
func (n *node) setDefaults(ctx context.Context) error {
	c := n.store.Snapshot().CIB.Configuration
	c.RscDefaults = []cib.NVSet{{ID: "rsc-options", Pairs: []cib.NVPair{
		{ID: "rsc-options-resource-stickiness", Name: "resource-stickiness", Value: "1"},
		{ID: "rsc-options-failure-backoff", Name: "failure-backoff", Value: "1s"},
	}}}
	_, err := n.commit(ctx, store.Command{
		Change: cib.Change{Configure: &cib.Configure{Configuration: c}}, User: "pacelined", Message: "defaults of a new cluster",
	})
	return err
}

// at returns this node's addresses with a port, one for each link.
func (n *node) at(port int) []string {
	var out []string
	for _, a := range n.file.addresses() {
		out = append(out, net.JoinHostPort(a, strconv.Itoa(port)))
	}
	return out
}

func (n *node) token(ttl time.Duration) (peer.Token, error) {
	t, err := peer.NewToken(n.at(n.file.PeerPort), n.keys.now().Current, time.Now().Add(ttl))
	if err != nil {
		return t, err
	}
	return t, n.tokens.issue(t.SecretHash(), t.Expires)
}

func (d *Daemon) join(ctx context.Context, req api.JoinRequest) (api.JoinReply, error) {
	release, err := d.reserve("cluster join", false)
	if err != nil {
		return api.JoinReply{}, err
	}
	defer release()
	t, err := peer.ParseToken(req.Token)
	if err == nil {
		err = t.Check(time.Now())
	}
	if err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeUsage, "cluster join", "%v", err).WithHint("paceline cluster token, on a member, issues a new one")
	}
	f, err := newFile("", req.Node, req.Address, req.Links, req.GossipPort, req.PeerPort, "")
	if err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeUsage, "cluster join", "%v", err)
	}
	if err := f.watchedBy(req.Watchdog, req.WatchdogTimeout); err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeUsage, "cluster join", "%v", err)
	}
	if err := f.pillsOver(ctx, req.SBD); err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeUsage, "cluster join", "%v", err)
	}
	role := membership.RoleVoter
	if req.Witness {
		role = membership.RoleWitness
	}
	reply, err := peer.Join(ctx, t, peer.JoinRequest{
		Secret: t.SecretText(), Name: f.Node, ID: d.id.ID, Address: f.Address, Links: f.Links, GossipPort: f.GossipPort, PeerPort: f.PeerPort,
		Role: string(role), Version: d.opt.Version,
	}, nil)
	var refused *peer.JoinRefused
	if errors.As(err, &refused) {
		var e api.Error
		if json.Unmarshal(refused.Body, &e) == nil && e.Why != "" {
			return api.JoinReply{}, &e
		}
		return api.JoinReply{}, api.Errorf(api.CodeRefused, "cluster join", "%v", err)
	}
	if err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeUnreachable, "cluster join", "%v", err).
			WithHint("the member that issued the token must be reachable on its peer port")
	}
	key, err := peer.ParseKey(reply.Key)
	if err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeFailed, "cluster join", "%s sent no usable key", reply.Node)
	}
	f.Cluster, f.Profile, f.Witness = reply.Cluster, reply.Profile, req.Witness
	n, err := d.adopt(f, key, reply.Gossip)
	if err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeFailed, "cluster join", "%v", err)
	}
	if err := n.waitMember(ctx); err != nil {
		return api.JoinReply{}, api.Errorf(api.CodeTimeout, "cluster join", "the cluster took this node in, and it is not a full member yet: %v", err).
			WithHint("paceline status, here and on %s, says what is missing", reply.Node)
	}
	return api.JoinReply{Cluster: f.Cluster, Node: f.Node, Address: f.Address, Role: n.role()}, nil
}

// waitMember waits until this node is a full member: a coordinator gives it orders. A witness takes no orders; for it a
// known leader is enough, and, where its vote would make their number even, so that it gets none, that it is heard.
func (n *node) waitMember(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	began := time.Now()
	kick := n.d.notify.listen(ctx)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		if why := n.notMember(ctx); why == "" || n.spareWitness() && time.Since(began) > witnessVoteWait {
			return nil
		} else if ctx.Err() != nil {
			return errors.New(why)
		}
		select {
		case <-kick:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// spareWitness says whether this node is a witness without a vote that others hear.
func (n *node) spareWitness() bool {
	return n.file.Witness && !n.isVoter() && slices.ContainsFunc(n.currentView().Members, func(m membership.Member) bool {
		return m.ID != n.d.id.ID && m.Status == membership.Alive
	})
}

func (n *node) notMember(ctx context.Context) string {
	name, _ := n.coordinator()
	if name == "" {
		return "no coordinator is known"
	}
	if n.file.Witness {
		return ""
	}
	if !n.exec.Status().Connected {
		return "the coordinator, " + name + ", has no session to this node"
	}
	var st cib.NodeState
	if err := n.ask(ctx, http.MethodGet, innerState, &st); err != nil {
		return "the coordinator, " + name + ", does not answer: " + err.Error()
	}
	if st.Join != "member" || st.Incarnation != n.id.Incarnation {
		return "the coordinator, " + name + ", has not taken this node in yet"
	}
	return ""
}
