package store

import (
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// transport stands between raft and the network. It answers for a ghost (a peer that is confirmed fenced, see takeover.go),
// keeps this node from voting where it must not, and knows how far each follower has come.
type transport struct {
	*raft.NetworkTransport
	layer    *layer
	rules    rules
	incoming chan raft.RPC
	work     chan func() // unbuffered: received by whoever has nothing to do, see spawn
	done     chan struct{}
	wg       sync.WaitGroup

	mu      sync.Mutex
	ghost   raft.ServerID // "" when there is none
	haunted chan struct{} // closed while there is a ghost, so that calls to it end at once
	matched map[raft.ServerID]uint64
	moved   chan struct{}            // closed and replaced when matched changes
	touched map[raft.ServerID]bool   // peers with which an append was exchanged as leader and follower
	contact uint64                   // appends exchanged, in both directions
	terms   map[raft.ServerID]uint64 // the newest term in which the peer acknowledged something to this node as its leader
	barred  raft.ServerID            // its messages are refused: a takeover from it is about to begin
	refused bool                     // a message of the ghost came in

	// links says over which a peer answered last, of those that have several.
	links map[raft.ServerID]raft.ServerAddress
}

// rules are what the transport asks before votes pass.
type rules interface {
	// mayStand tells why this node must not become leader; nil if it may.
	mayStand() error
	// mayVote tells why this node must not vote for a candidate whose log ends there; nil if it may.
	mayVote(candidate position) error
	// term is the current term.
	term() uint64
	// vouched returns a voter in whose name a candidate may ask that this node knows without a vote; "" for any other.
	vouched(candidate raft.ServerID) raft.ServerID
	// addresses returns where a peer is now, the best link first; given is what the voter set says. There is at least one.
	addresses(id raft.ServerID, given raft.ServerAddress) []raft.ServerAddress
	// hedge is how long a call waits for its answer over one link before it is made over the next as well.
	hedge() time.Duration
	// offer says that raft is about to be given a leader's snapshot that ends there. What it returns ends that, and tells
	// whether the log was found to hold all of it, so that raft took none.
	offer(end position) (held func() bool)
	// trim leaves out of what a leader appends what a snapshot covers here.
	trim(m *raft.AppendEntriesRequest)
}

var (
	errGhostCalls  = errors.New("this node has taken over: the caller is recorded as fenced")
	errGhostCalled = errors.New("the peer is recorded as fenced")
)

var (
	_ raft.Transport   = (*transport)(nil)
	_ raft.WithPreVote = (*transport)(nil)
	_ raft.WithClose   = (*transport)(nil)
)

func newTransport(net *raft.NetworkTransport, l *layer, r rules) *transport {
	t := &transport{
		NetworkTransport: net, layer: l, rules: r,
		incoming: make(chan raft.RPC), work: make(chan func()), done: make(chan struct{}),
		haunted: make(chan struct{}), moved: make(chan struct{}),
		matched: map[raft.ServerID]uint64{}, touched: map[raft.ServerID]bool{}, terms: map[raft.ServerID]uint64{},
		links: map[raft.ServerID]raft.ServerAddress{},
	}
	t.wg.Go(t.pump)
	return t
}

// setGhost makes the transport answer in the place of the peer; "" ends it.
func (t *transport) setGhost(id raft.ServerID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ghost == id {
		return
	}
	if t.ghost != "" {
		t.haunted = make(chan struct{})
	}
	t.ghost, t.refused = id, false
	if id != "" {
		close(t.haunted)
	}
}

// bar refuses everything that comes from the peer from now on, if nothing was exchanged since the contact given; else it
// returns false. An empty peer ends it.
func (t *transport) bar(id raft.ServerID, contact uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if id != "" && t.contact != contact {
		return false
	}
	t.barred = id
	return true
}

func (t *transport) contacts() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.contact
}

func (t *transport) isGhost(id raft.ServerID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return id != "" && t.ghost == id
}

func (t *transport) hauntedBy() <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.haunted
}

// wasTogether tells whether this run exchanged an append with the peer, one of them being the other's leader: with exactly
// two voters that is a live quorum.
func (t *transport) wasTogether(id raft.ServerID) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.touched[id]
}

// progress returns how far the peer's log is known to match, and a channel that closes when any peer's changes.
func (t *transport) progress(id raft.ServerID) (uint64, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.matched[id], t.moved
}

// answeredIn returns the peers that acknowledged something to this node as the leader of that term.
func (t *transport) answeredIn(term uint64) []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []string
	for id, newest := range t.terms {
		if newest == term {
			out = append(out, string(id))
		}
	}
	slices.Sort(out)
	return out
}

func (t *transport) noteMatch(id raft.ServerID, term, index uint64, heartbeat bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.touched[id] = true
	t.terms[id] = max(t.terms[id], term)
	t.contact++
	if !heartbeat && t.matched[id] != index {
		t.matched[id] = index
		close(t.moved)
		t.moved = make(chan struct{})
	}
}

// spawn runs f beside its caller. Who has run something waits for more: an idle leader makes a call for every heartbeat, and
// a new goroutine's stack grows through TLS and encoding each time.
func (t *transport) spawn(f func()) {
	select {
	case t.work <- f:
		return
	default:
	}
	t.wg.Go(func() {
		for {
			f()
			select {
			case f = <-t.work:
			case <-t.done:
				return
			}
		}
	})
}

// AppendEntriesPipeline is refused: every append passes AppendEntries, where a ghost can answer for it. The log is small.
func (t *transport) AppendEntriesPipeline(raft.ServerID, raft.ServerAddress) (raft.AppendPipeline, error) {
	return nil, raft.ErrPipelineReplicationNotSupported
}

func (t *transport) RequestVote(id raft.ServerID, addr raft.ServerAddress, req *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.rules.mayStand(); err != nil {
		return err
	}
	return call(t, id, t.ways(id, addr), func(addr raft.ServerAddress, r *raft.RequestVoteResponse) error {
		return t.NetworkTransport.RequestVote(id, addr, req, r)
	}, resp, func(r *raft.RequestVoteResponse) {
		*r = raft.RequestVoteResponse{RPCHeader: req.RPCHeader, Term: req.Term, Granted: true}
	})
}

func (t *transport) RequestPreVote(id raft.ServerID, addr raft.ServerAddress, req *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.rules.mayStand(); err != nil {
		return err
	}
	return call(t, id, t.ways(id, addr), func(addr raft.ServerAddress, r *raft.RequestPreVoteResponse) error {
		return t.NetworkTransport.RequestPreVote(id, addr, req, r)
	}, resp, func(r *raft.RequestPreVoteResponse) {
		*r = raft.RequestPreVoteResponse{RPCHeader: req.RPCHeader, Term: req.Term, Granted: true}
	})
}

func (t *transport) InstallSnapshot(id raft.ServerID, addr raft.ServerAddress, req *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	if t.isGhost(id) {
		*resp = raft.InstallSnapshotResponse{RPCHeader: req.RPCHeader, Term: req.Term, Success: true}
		_, err := io.Copy(io.Discard, data)
		return err
	}
	// Not through call: the reader must not be read after this returns.
	err := t.NetworkTransport.InstallSnapshot(id, t.ways(id, addr)[0], req, resp, data)
	if err == nil && resp.Success {
		t.noteMatch(id, req.Term, req.LastLogIndex, false)
	}
	return err
}

func (t *transport) TimeoutNow(id raft.ServerID, addr raft.ServerAddress, req *raft.TimeoutNowRequest, resp *raft.TimeoutNowResponse) error {
	// Once only: a copy that comes late would have the new leader stand again.
	return call(t, id, t.ways(id, addr)[:1], func(addr raft.ServerAddress, r *raft.TimeoutNowResponse) error {
		return t.NetworkTransport.TimeoutNow(id, addr, req, r)
	}, resp, nil)
}

// Consumer gives raft what came in and passed the rules.
func (t *transport) Consumer() <-chan raft.RPC { return t.incoming }

// SetHeartbeatHandler is raft's way past its main loop; the rules hold there too.
func (t *transport) SetHeartbeatHandler(handle func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		if err := t.admit(rpc); err != nil {
			rpc.Respond(&raft.AppendEntriesResponse{}, err)
			return
		}
		handle(rpc)
	})
}

func (t *transport) pump() {
	for {
		select {
		case rpc := <-t.NetworkTransport.Consumer():
			if err := t.admit(rpc); err != nil {
				reject(rpc, err)
				continue
			}
			if m, ok := rpc.Command.(*raft.InstallSnapshotRequest); ok {
				t.install(rpc, m)
				continue
			}
			select {
			case t.incoming <- rpc:
			case <-t.done:
				reject(rpc, raft.ErrTransportShutdown)
			}
		case <-t.done:
			return
		}
	}
}

// install gives raft a leader's snapshot, and waits for its answer. Where the log holds all of it the leader is told that it is here.
func (t *transport) install(rpc raft.RPC, m *raft.InstallSnapshotRequest) {
	answer := make(chan raft.RPCResponse, 1)
	held := t.rules.offer(position{m.LastLogTerm, m.LastLogIndex})
	own := rpc
	own.RespChan = answer
	select {
	case t.incoming <- own:
	case <-t.done:
		held()
		reject(rpc, raft.ErrTransportShutdown)
		return
	}
	select {
	case a := <-answer:
		if held() {
			a = raft.RPCResponse{Response: &raft.InstallSnapshotResponse{RPCHeader: m.RPCHeader, Term: m.Term, Success: true}}
		}
		rpc.RespChan <- a
	case <-t.done: // raft may still read the stream: nobody answers, and the connection ends with the transport
		held()
	}
}

// admit decides on a message that came in.
func (t *transport) admit(rpc raft.RPC) error {
	header, ok := rpc.Command.(raft.WithRPCHeader)
	if !ok {
		return errors.New("a message without a header")
	}
	from := raft.ServerID(header.GetRPCHeader().ID)
	t.mu.Lock()
	ghost := from != "" && (t.ghost == from || t.barred == from)
	t.refused = t.refused || ghost
	t.mu.Unlock()
	if ghost {
		return errGhostCalls
	}
	switch m := rpc.Command.(type) {
	case *raft.RequestVoteRequest:
		t.vouch(&m.RPCHeader)
		return t.rules.mayVote(position{m.LastLogTerm, m.LastLogIndex})
	case *raft.RequestPreVoteRequest:
		t.vouch(&m.RPCHeader)
		return t.rules.mayVote(position{m.LastLogTerm, m.LastLogIndex})
	case *raft.TimeoutNowRequest:
		return t.rules.mayStand()
	case *raft.AppendEntriesRequest:
		if m.Term >= t.rules.term() && from != "" {
			t.noteLeader(from)
		}
		t.rules.trim(m)
	}
	return nil
}

// vouch has a candidate ask in the name of a voter where raft would refuse it for what this node has missed.
func (t *transport) vouch(h *raft.RPCHeader) {
	if id := t.rules.vouched(raft.ServerID(h.ID)); id != "" {
		h.ID = []byte(id)
	}
}

func (t *transport) noteLeader(id raft.ServerID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.touched[id] = true
	t.contact++
}

func reject(rpc raft.RPC, err error) {
	if rpc.Reader != nil {
		io.Copy(io.Discard, rpc.Reader) // the stream goes on behind it
	}
	var resp any
	switch rpc.Command.(type) {
	case *raft.AppendEntriesRequest:
		resp = &raft.AppendEntriesResponse{}
	case *raft.RequestVoteRequest:
		resp = &raft.RequestVoteResponse{}
	case *raft.RequestPreVoteRequest:
		resp = &raft.RequestPreVoteResponse{}
	case *raft.InstallSnapshotRequest:
		resp = &raft.InstallSnapshotResponse{}
	case *raft.TimeoutNowRequest:
		resp = &raft.TimeoutNowResponse{}
	}
	rpc.Respond(resp, err)
}

// campaign makes raft stand for election now, as if a leader had asked it to take over.
func (t *transport) campaign() error {
	answer := make(chan raft.RPCResponse, 1)
	header := raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax}
	rpc := raft.RPC{Command: &raft.TimeoutNowRequest{RPCHeader: header}, RespChan: answer}
	select {
	case t.incoming <- rpc:
	case <-t.done:
		return raft.ErrTransportShutdown
	}
	select {
	case a := <-answer:
		return a.Error
	case <-t.done:
		return raft.ErrTransportShutdown
	}
}

// hangUp ends all calls, so that raft does not wait for peers when it is shut down.
func (t *transport) hangUp() {
	t.mu.Lock()
	select {
	case <-t.done:
	default:
		close(t.done)
	}
	t.mu.Unlock()
	t.layer.hangUp()
}

// Close ends the transport and waits for its goroutines. raft calls it when it has stopped.
func (t *transport) Close() error {
	t.hangUp()
	err := t.NetworkTransport.Close()
	t.wg.Wait()
	return err
}
