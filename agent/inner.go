package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"paceline/agent/cib"
	"paceline/agent/coordinator"
	"paceline/agent/peer"
	"paceline/agent/store"
)

// Paths of what nodes ask the coordinator about themselves, over the peer port. Who asks is who the certificate says: a
// node can act for itself only.
const (
	innerLeave   = "/node/v1/leave"   // POST: let me go; my resources are to move away first
	innerForget  = "/node/v1/forget"  // POST: take me out of the configuration
	innerState   = "/node/v1/state"   // GET: what is known of me (cib.NodeState)
	innerTrouble = "/node/v1/trouble" // POST: what is wrong with me (a list of api.Problem), while it is
	innerRestart = "/node/v1/restart" // POST: my daemon ends and starts anew (restarting); answered when that is committed

	// innerKeys is between any two nodes. GET: the keys that you accept; POST: a step of a rotation (keyStep).
	innerKeys = "/node/v1/keys"

	innerAttributes = "/node/v1/attributes" // POST: set attributes of nodes for agents of mine, or tell me some
)

// innerTimeout bounds one such exchange.
const innerTimeout = 3 * time.Second

// servePeers answers the other nodes: the API on behalf of their users, and what they ask for themselves.
func (n *node) servePeers(l net.Listener) {
	mux := http.NewServeMux()
	mux.Handle("/", n.d.server.PeerHandler())
	mux.HandleFunc("POST "+innerTrouble, n.hearTrouble)
	mux.HandleFunc("POST "+innerRestart, n.hearRestart)
	mux.HandleFunc("POST "+innerAttributes, n.hearAttributes)
	mux.HandleFunc("POST "+innerKeys, n.hearKeys)
	mux.HandleFunc("GET "+innerKeys, n.tellKeys)
	for path, act := range map[string]func(context.Context, string) (any, error){
		"POST " + innerLeave: n.letGo, "POST " + innerForget: n.forget, "GET " + innerState: n.stateOf,
	} {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			who, ok := peer.IdentityFrom(r.Context())
			if !ok {
				http.Error(w, "who asks is not known", http.StatusForbidden)
				return
			}
			answer, err := act(r.Context(), who.ID)
			if err != nil {
				http.Error(w, err.Error(), http.StatusServiceUnavailable)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(answer)
		})
	}
	srv := &http.Server{
		Handler: mux, ConnContext: peer.ConnContext, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute,
		BaseContext: func(net.Listener) context.Context { return n.ctx },
	}
	context.AfterFunc(n.ctx, func() { srv.Close() })
	if err := srv.Serve(l); err != nil && !errors.Is(err, http.ErrServerClosed) && n.ctx.Err() == nil {
		n.log.Error("the API for the other nodes is lost", "err", err)
	}
}

// letGo marks a node as one that wants to leave; the scheduler then moves its resources away. The mark stays until the
// node joins again.
func (n *node) letGo(ctx context.Context, id string) (any, error) {
	now := strconv.FormatInt(time.Now().Unix(), 10)
	return n.commitHere(ctx, "a node asks to leave", cib.Change{SetTransient: &cib.SetTransient{NodeID: id, Name: "shutdown", Value: &now}})
}

// forget takes a node out of the configuration.
func (n *node) forget(ctx context.Context, id string) (any, error) {
	known := n.store.Snapshot().CIB.NodeByID(id)
	if known == nil {
		return struct{}{}, nil
	}
	return n.commitHere(ctx, known.Uname+" leaves for good", cib.Change{DropNode: &cib.DropNode{Uname: known.Uname}})
}

func (n *node) stateOf(_ context.Context, id string) (any, error) {
	if !n.isLeader() {
		return nil, errors.New("this node is not the coordinator")
	}
	st := n.store.Snapshot().CIB.NodeState(id)
	if st == nil {
		st = &cib.NodeState{ID: id}
	}
	return &cib.NodeState{ID: st.ID, Uname: st.Uname, Join: st.Join, Expected: st.Expected, Incarnation: st.Incarnation}, nil
}

func (n *node) commitHere(ctx context.Context, message string, ch cib.Change) (any, error) {
	_, err := n.commit(ctx, store.Command{Change: ch, User: "pacelined", Message: message})
	return struct{}{}, err
}

// commit commits on the coordinator and lets its loop know.
func (n *node) commit(ctx context.Context, cmd store.Command) (store.Applied, error) {
	a, err := n.store.Apply(ctx, cmd)
	if err != nil {
		return a, err
	}
	n.mu.Lock()
	r := n.runner
	n.mu.Unlock()
	if r != nil {
		why := cmd.Message
		if why == "" {
			why = "a change by " + cmd.User
		}
		r.Post(ctx, coordinator.Changed{Snapshot: n.snapshot(), Why: why})
	}
	return a, nil
}

// ask has the coordinator act for this node: here, or over the peer port.
func (n *node) ask(ctx context.Context, method, path string, into any) error {
	return n.askWith(ctx, method, path, nil, into)
}

func (n *node) askWith(ctx context.Context, method, path string, body []byte, into any) error {
	name, local := n.coordinator()
	if name == "" {
		return errors.New(n.verdictText())
	}
	ctx, cancel := context.WithTimeout(ctx, innerTimeout)
	defer cancel()
	if local {
		act := map[string]func(context.Context, string) (any, error){
			innerLeave: n.letGo, innerForget: n.forget, innerState: n.stateOf,
		}[path]
		if act == nil { // it was to be told by another node, and has become the one to be told since
			return errors.New("this node coordinates now: ask again")
		}
		answer, err := act(ctx, n.id.ID)
		if err != nil || into == nil {
			return err
		}
		data, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return json.Unmarshal(data, into)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://coordinator"+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := n.route(name, false).Transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return &refusal{by: name, status: resp.StatusCode, text: string(bytes.TrimSpace(answer))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

// refusal is another node's answer that it did not do what it was asked for.
type refusal struct {
	by     string
	status int // of HTTP
	text   string
}

func (r *refusal) Error() string { return r.by + " says: " + r.text }
