package store

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/raft"
)

// ways returns the addresses of a peer, one for each link: the one over which it answered last first.
func (t *transport) ways(id raft.ServerID, given raft.ServerAddress) []raft.ServerAddress {
	list := t.rules.addresses(id, given)
	if len(list) < 2 {
		return list
	}
	t.mu.Lock()
	last := t.links[id]
	t.mu.Unlock()
	if i := slices.Index(list, last); i > 0 {
		list = slices.Concat([]raft.ServerAddress{last}, list[:i], list[i+1:])
	}
	return list
}

func (t *transport) answeredOver(id raft.ServerID, at raft.ServerAddress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.links[id] = at
}

// answer is what came of a call over one link.
type answer[R any] struct {
	at   raft.ServerAddress
	resp *R
	err  error
}

// call makes a call that ends early, and without its answer, if the peer becomes a ghost meanwhile. Where the peer has several
// links, and does not answer over one within the hedge, or it fails, the call is made over the next as well: the first answer
// counts. A dead link then costs a leader less than its lease, whether it is known to be dead or not; and what arrives twice
// does no harm, as raft itself repeats what it got no answer to.
func call[R any](t *transport, id raft.ServerID, ways []raft.ServerAddress, do func(raft.ServerAddress, *R) error, resp *R, ghost func(*R)) error {
	answerGhost := func() error {
		if ghost == nil {
			return errGhostCalled
		}
		ghost(resp)
		return nil
	}
	if t.isGhost(id) {
		return answerGhost()
	}
	haunted := t.hauntedBy()
	answers := make(chan answer[R], len(ways)) // room for all: raft reuses resp once the call has returned
	started, failed := 0, error(nil)
	var hedge <-chan time.Time
	start := func() {
		at := ways[started]
		started++
		t.spawn(func() {
			a := answer[R]{at: at, resp: new(R)}
			a.err = do(at, a.resp)
			answers <- a
		})
		if hedge = nil; started < len(ways) {
			hedge = time.After(t.rules.hedge())
		}
	}
	start()
	for ended := 0; ; {
		select {
		case a := <-answers:
			ended++
			switch {
			case a.err == nil:
				*resp = *a.resp
				if len(ways) > 1 {
					t.answeredOver(id, a.at)
				}
				return nil
			case started < len(ways):
				failed = errors.Join(failed, a.err)
				start()
			case ended == started:
				if failed == nil {
					return a.err // as it is: raft looks at some
				}
				return errors.Join(failed, a.err)
			default:
				failed = errors.Join(failed, a.err)
			}
		case <-hedge:
			start()
		case <-haunted:
			if t.isGhost(id) {
				return answerGhost()
			}
			haunted = nil // another peer is the ghost
		case <-t.done:
			return raft.ErrTransportShutdown
		}
	}
}

func (t *transport) AppendEntries(id raft.ServerID, addr raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	sent := *req // raft reuses req too
	end := sent.PrevLogEntry + uint64(len(sent.Entries))
	heartbeat := end == 0
	err := call(t, id, t.ways(id, addr), func(at raft.ServerAddress, r *raft.AppendEntriesResponse) error {
		return t.NetworkTransport.AppendEntries(id, at, &sent, r)
	}, resp, func(r *raft.AppendEntriesResponse) {
		*r = raft.AppendEntriesResponse{RPCHeader: sent.RPCHeader, Term: sent.Term, LastLog: end, Success: true}
	})
	if err == nil && resp.Success && !t.isGhost(id) {
		t.noteMatch(id, sent.Term, end, heartbeat)
	}
	return err
}
