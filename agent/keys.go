package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"paceline/agent/api"
	"paceline/agent/membership"
	"paceline/agent/peer"
)

// keys are the cluster's keys as this node accepts them. What is in the file is what holds: it is written first.
type keys struct {
	mu     sync.Mutex
	ring   peer.Ring
	since  time.Time // since when a rotation is under way here
	foiled string    // who has another key than this node, that cannot fetch it; "" if nobody
}

func (k *keys) now() peer.Ring {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ring
}

// gossipKeys are the keys that open the gossip, the current one first.
func (n *node) gossipKeys() [][]byte {
	var out [][]byte
	for _, k := range n.keys.now().Keys() {
		out = append(out, k.GossipKey())
	}
	return out
}

// Steps of a rotation. Each can be repeated.
const (
	stepAccept = "accept" // take the new key, too
	stepUse    = "use"    // make the accepted key current, and take the one before still
	stepDrop   = "drop"   // take the current key alone
)

// keyStep is one step of a rotation, as the coordinator asks for it. The reply is a keyState.
type keyStep struct {
	Step        string `json:"step"`
	Key         string `json:"key,omitempty"`         // of accept: a secret
	Fingerprint string `json:"fingerprint,omitempty"` // of the key that use and drop are about, in full
}

// keyState is the keys of one node: secrets, told to members over the peer port alone.
type keyState struct {
	Current string `json:"current"`
	Next    string `json:"next,omitempty"`
	Old     string `json:"old,omitempty"`
}

func stateOf(r peer.Ring) keyState {
	s := keyState{Current: r.Current.Hex()}
	if r.Next != nil {
		s.Next = r.Next.Hex()
	}
	if r.Old != nil {
		s.Old = r.Old.Hex()
	}
	return s
}

func (s keyState) ring() (peer.Ring, error) {
	var r peer.Ring
	var err error
	if r.Current, err = peer.ParseKey(s.Current); err != nil {
		return r, err
	}
	for _, part := range []struct {
		text string
		to   **peer.Key
	}{{s.Next, &r.Next}, {s.Old, &r.Old}} {
		if part.text == "" {
			continue
		}
		k, err := peer.ParseKey(part.text)
		if err != nil {
			return r, err
		}
		*part.to = &k
	}
	return r, nil
}

// change replaces the ring by what f makes of it: in the file, then in the gossip and on the peer port.
func (n *node) change(f func(peer.Ring) (peer.Ring, error)) (peer.Ring, error) {
	n.keys.mu.Lock()
	defer n.keys.mu.Unlock()
	next, err := f(n.keys.ring)
	if err != nil {
		return n.keys.ring, err
	}
	if slices.Equal(next.Keys(), n.keys.ring.Keys()) {
		return next, nil
	}
	if err := next.Save(n.d.opt.keyPath()); err != nil {
		return n.keys.ring, err
	}
	n.keys.ring, n.keys.since, n.keys.foiled = next, time.Now(), ""
	var gossip [][]byte
	for _, k := range next.Keys() {
		gossip = append(gossip, k.GossipKey())
	}
	n.log.Info("the cluster's keys that this node accepts have changed", "current", next.Current.CAFingerprint().String(), "accepted", len(gossip))
	return next, errors.Join(n.peer.SetKeys(next.Keys()), n.members.SetKeys(gossip))
}

// take carries out one step of a rotation on this node.
func (n *node) take(s keyStep) (peer.Ring, error) {
	return n.change(func(r peer.Ring) (peer.Ring, error) {
		if s.Step == stepAccept {
			k, err := peer.ParseKey(s.Key)
			if err != nil {
				return r, err
			}
			return r.Accept(k)
		}
		f, err := peer.ParseFingerprint(s.Fingerprint)
		switch {
		case err != nil:
			return r, err
		case s.Step == stepUse:
			return r.Use(f)
		case s.Step == stepDrop:
			return r.Drop(f)
		}
		return r, fmt.Errorf("a rotation has no step %q", s.Step)
	})
}

// hearKeys carries out a step that another node asks for.
func (n *node) hearKeys(w http.ResponseWriter, r *http.Request) {
	who, ok := peer.IdentityFrom(r.Context())
	var s keyStep
	if !ok || json.NewDecoder(http.MaxBytesReader(w, r.Body, keyBodyMax)).Decode(&s) != nil {
		http.Error(w, "not understood", http.StatusBadRequest)
		return
	}
	n.log.Info("a step of the rotation of keys", "step", s.Step, "from", who.Node)
	if _, err := n.take(s); err != nil {
		http.Error(w, err.Error(), http.StatusConflict)
		return
	}
	n.tellKeys(w, r)
}

// tellKeys tells a member this node's keys: who has one of them is a member.
func (n *node) tellKeys(w http.ResponseWriter, r *http.Request) {
	if _, ok := peer.IdentityFrom(r.Context()); !ok {
		http.Error(w, "who asks is not known", http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(stateOf(n.keys.now()))
}

// askKeys has another node tell its keys, or carry out a step first.
func (n *node) askKeys(ctx context.Context, address string, step *keyStep) (peer.Ring, error) {
	ctx, cancel := context.WithTimeout(ctx, innerTimeout)
	defer cancel()
	method, body := http.MethodGet, []byte(nil)
	if step != nil {
		method = http.MethodPost
		var err error
		if body, err = json.Marshal(step); err != nil {
			return peer.Ring{}, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://"+address+innerKeys, bytes.NewReader(body))
	if err != nil {
		return peer.Ring{}, err
	}
	resp, err := n.peer.Transport().RoundTrip(req)
	if err != nil {
		return peer.Ring{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, keyBodyMax))
	if err != nil {
		return peer.Ring{}, err
	}
	if resp.StatusCode != http.StatusOK {
		return peer.Ring{}, errors.New(string(bytes.TrimSpace(answer)))
	}
	var s keyState
	if err := json.Unmarshal(answer, &s); err != nil {
		return peer.Ring{}, errors.New("the answer is not understood")
	}
	return s.ring()
}

// fetchKeys asks those who do not answer in the gossip for their keys: this node may have been away while they were rotated.
func (n *node) fetchKeys(gossip []string) {
	for _, at := range gossip {
		host, _, err := net.SplitHostPort(at)
		if err != nil || slices.Contains(n.file.addresses(), host) {
			continue
		}
		theirs, err := n.askKeys(n.ctx, net.JoinHostPort(host, strconv.Itoa(n.file.PeerPort)), nil)
		switch {
		case errors.Is(err, peer.ErrOtherKey):
			n.keys.mu.Lock()
			told := n.keys.foiled != ""
			n.keys.foiled = host
			n.keys.mu.Unlock()
			if !told {
				n.log.Error("the cluster's key was replaced while this node was away: it can take no part until it has the new one "+
					"(paceline cluster token on a member, then paceline cluster renew-key TOKEN here)", "peer", host)
			}
		case err == nil:
			if n.adoptKeys(theirs) {
				return
			}
		}
	}
}

// adoptKeys takes over the keys of another member that is further in a rotation; it reports whether that changed anything.
func (n *node) adoptKeys(theirs peer.Ring) bool {
	if !n.keys.now().Behind(theirs) {
		return false
	}
	if _, err := n.change(func(peer.Ring) (peer.Ring, error) { return theirs, nil }); err != nil {
		n.log.Error("the cluster's new key could not be taken", "err", err)
		return false
	}
	n.log.Warn("the cluster's keys were rotated while this node was away: it has them now")
	return true
}

// keyProblems says what people should know of the keys.
func (n *node) keyProblems() []api.Problem {
	n.keys.mu.Lock()
	ring, since, foiled := n.keys.ring, n.keys.since, n.keys.foiled
	n.keys.mu.Unlock()
	var out []api.Problem
	if ring.Rotating() && time.Since(since) > rotationPatience {
		out = append(out, api.Problem{
			Name: "key-rotation", Severity: api.SeverityWarning, Object: n.file.Node, Since: since,
			What: "a rotation of the cluster's key is not finished: " + n.file.Node + " accepts two keys",
			Hint: "paceline cluster rotate-key goes on with it",
		})
	}
	if foiled != "" && !n.inCompany() {
		out = append(out, api.Problem{
			Name: "key-replaced", Severity: api.SeverityError, Object: n.file.Node,
			What: fmt.Sprintf("%s has another cluster key than %s: it was replaced while %s was away", foiled, n.file.Node, n.file.Node),
			Hint: "paceline cluster token on a member, then paceline cluster renew-key TOKEN here",
		})
	}
	return out
}

// member is one whose keys are rotated.
type keyMember struct{ name, address string }

// membersForKeys lists the living members, this node left out, and the names of those that are configured or vote and are not there.
func (n *node) membersForKeys() (there []keyMember, absent []string) {
	alive := map[string]bool{n.file.Node: true}
	for _, m := range n.currentView().Members {
		if m.Status == membership.Alive && m.Name != n.file.Node {
			alive[m.Name] = true
			there = append(there, keyMember{m.Name, net.JoinHostPort(m.Addr, strconv.Itoa(m.PeerPort))})
		}
	}
	for _, m := range n.currentView().Members {
		if m.Role == membership.RoleWitness && m.Status == membership.Failed {
			absent = append(absent, m.Name)
		}
	}
	if c := n.store.Snapshot().CIB; c != nil {
		for _, known := range c.Configuration.Nodes {
			if known.Type != "remote" && !alive[known.Uname] {
				absent = append(absent, known.Uname)
			}
		}
	}
	return there, absent
}

var _ api.KeyKeeper = backend{}

// RotateKey replaces the cluster's key on all members, without a stop: all accept the new one, then all use it, then all drop the
// old one. What was cut short before, by a crash of whoever, is gone on with.
func (b backend) RotateKey(ctx context.Context, req api.KeyRotateRequest) (api.KeyRotateReply, error) {
	n := b.d.current()
	if n == nil {
		return api.KeyRotateReply{}, api.ErrUnconfigured
	}
	release, err := b.d.reserve("the rotation of the cluster's key", true)
	if err != nil {
		return api.KeyRotateReply{}, err
	}
	defer release()
	what := "rotate the cluster's key"
	fail := func(step string, err error) (api.KeyRotateReply, error) {
		return api.KeyRotateReply{}, api.Errorf(api.CodeFailed, what, "%s: %v", step, err).
			WithHint("the old key and the new one are both good meanwhile; the same command goes on with it")
	}
	there, absent := n.membersForKeys()
	next, err := n.nextKey(ctx, there)
	if err != nil {
		return fail("look at the members' keys", err)
	}
	reply := api.KeyRotateReply{Key: next.CAFingerprint().String(), Absent: absent}
	full := next.CAFingerprint().Hex()
	steps := []keyStep{{Step: stepAccept, Key: next.Hex()}, {Step: stepUse, Fingerprint: full}, {Step: stepDrop, Fingerprint: full}}
	for _, s := range steps {
		if s.Step == stepDrop && len(absent) > 0 && !req.WithoutAbsent {
			reply.Waiting = true
			break
		}
		for _, m := range there {
			if _, err := n.askKeys(ctx, m.address, &s); err != nil {
				return fail(fmt.Sprintf("%s the new key on %s", s.Step, m.name), err)
			}
		}
		if _, err := n.take(s); err != nil {
			return fail(fmt.Sprintf("%s the new key on %s", s.Step, n.file.Node), err)
		}
	}
	for _, m := range there {
		reply.Nodes = append(reply.Nodes, m.name)
	}
	reply.Nodes = append(reply.Nodes, n.file.Node)
	slices.Sort(reply.Nodes)
	b.d.notify.poke()
	return reply, nil
}

// nextKey finds the key of a rotation that is under way, or draws one.
func (n *node) nextKey(ctx context.Context, there []keyMember) (peer.Key, error) {
	rings := []peer.Ring{n.keys.now()}
	for _, m := range there {
		r, err := n.askKeys(ctx, m.address, nil)
		if err != nil {
			return peer.Key{}, fmt.Errorf("%s: %w", m.name, err)
		}
		rings = append(rings, r)
	}
	for _, r := range rings {
		if r.Next != nil {
			return *r.Next, nil
		}
	}
	for _, r := range rings {
		if r.Old != nil {
			return r.Current, nil
		}
	}
	return peer.NewKey(), nil
}

// RenewKey fetches the cluster's key with a join token, for a node that was away while the key was replaced.
func (b backend) RenewKey(ctx context.Context, token string) (api.KeyRotateReply, error) {
	n := b.d.current()
	what := "renew the cluster's key"
	if n == nil {
		return api.KeyRotateReply{}, api.ErrUnconfigured
	}
	t, err := peer.ParseToken(token)
	if err == nil {
		err = t.Check(time.Now())
	}
	if err != nil {
		return api.KeyRotateReply{}, api.Errorf(api.CodeUsage, what, "%v", err).WithHint("paceline cluster token, on a member, issues a new one")
	}
	dial := n.links.Dial
	got, err := peer.Join(ctx, t, peer.JoinRequest{
		Secret: t.SecretText(), Name: n.file.Node, ID: n.id.ID, Address: n.file.Address, Links: n.file.Links,
		GossipPort: n.file.GossipPort, PeerPort: n.file.PeerPort, Version: n.d.opt.Version,
	}, dial)
	if err != nil {
		return api.KeyRotateReply{}, api.Errorf(api.CodeUnreachable, what, "%v", err)
	}
	if got.Cluster != n.file.Cluster {
		return api.KeyRotateReply{}, api.Errorf(api.CodeRefused, what, "the token is of cluster %s, this node is of %s", got.Cluster, n.file.Cluster)
	}
	key, err := peer.ParseKey(got.Key)
	if err != nil {
		return api.KeyRotateReply{}, api.Errorf(api.CodeFailed, what, "%s sent no usable key", got.Node)
	}
	if _, err := n.change(func(peer.Ring) (peer.Ring, error) { return peer.Ring{Current: key}, nil }); err != nil {
		return api.KeyRotateReply{}, api.Errorf(api.CodeFailed, what, "%v", err)
	}
	return api.KeyRotateReply{Key: key.CAFingerprint().String(), Nodes: []string{n.file.Node}}, nil
}
