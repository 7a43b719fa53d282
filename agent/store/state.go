package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"paceline/agent/cib"
)

// state is everything that the log determines: the same entries give the same state, and the same snapshot bytes, on
// every node. It is immutable: step makes a new one that shares what did not change.
type state struct {
	revision       uint64
	configRevision uint64
	index, term    uint64 // of the last command
	cib            *cib.CIB
	history        history
	requests       requests
}

func newState() *state {
	return &state{cib: &cib.CIB{}, history: history{base: &cib.Configuration{}}}
}

// Applied says what became of a command.
type Applied struct {
	Revision       uint64 // of the state after the command
	ConfigRevision uint64
	Index          uint64 // of the log entry
	// Repeated: the request id was known; the revisions are those of its first time.
	Repeated bool
}

// step applies an entry. With an error the new state differs from the old in index and term only.
func (s *state) step(apply func(*cib.CIB, cib.Change) (*cib.CIB, error), e *entry, index, term uint64) (*state, Applied, error) {
	next := *s
	next.index, next.term = index, term
	if e.Request != "" {
		if first, ok := s.requests.find(e.Request); ok {
			return &next, Applied{Revision: first.Revision, ConfigRevision: first.ConfigRevision, Index: index, Repeated: true}, nil
		}
	}
	if e.Base != 0 && e.Base != s.configRevision {
		return &next, Applied{}, &Conflict{Have: s.configRevision, Want: e.Base}
	}
	changed, err := guarded(apply, s.cib, e.Change)
	if err != nil {
		return &next, Applied{}, err
	}
	configured := !same(&s.cib.Configuration, &changed.Configuration)
	if configured || !sameStatus(s.cib, changed) {
		next.revision++
		next.cib = changed
	}
	if configured {
		next.configRevision++
		next.history = s.history.with(commit{
			Revision: next.configRevision, Time: e.Time, User: e.User, Message: e.Message,
			Configuration: &changed.Configuration,
		})
	}
	if e.Request != "" {
		next.requests = s.requests.with(request{ID: e.Request, Revision: next.revision, ConfigRevision: next.configRevision})
	}
	return &next, Applied{Revision: next.revision, ConfigRevision: next.configRevision, Index: index}, nil
}

// sameStatus leaves out the counters of the header, which may rise with a change that sets what is set already.
func sameStatus(a, b *cib.CIB) bool {
	ha, hb := a.Header, b.Header
	ha.Epoch, ha.NumUpdates, hb.Epoch, hb.NumUpdates = 0, 0, 0, 0
	return same(ha, hb) && same(&a.Status, &b.Status)
}

// guarded turns a panic of the apply function into a refusal of the entry. The function is pure, so nothing is half done,
// and all nodes refuse alike; letting it pass would end every daemon of the cluster at the same entry, at each start.
func guarded(apply func(*cib.CIB, cib.Change) (*cib.CIB, error), c *cib.CIB, change cib.Change) (changed *cib.CIB, err error) {
	defer func() {
		if p := recover(); p != nil {
			changed, err = nil, &applyPanic{fmt.Sprint(p)}
		}
	}()
	changed, err = apply(c, change)
	if err == nil && changed == nil {
		err = errors.New("apply the change: no state came out")
	}
	return changed, err
}

type applyPanic struct{ value string }

func (e *applyPanic) Error() string { return "apply the change: broken invariant: " + e.value }

// request remembers what became of a command with a request id.
type request struct {
	ID             string `json:"id"`
	Revision       uint64 `json:"revision"`
	ConfigRevision uint64 `json:"config_revision"`
}

// requests are the newest RequestsMax, oldest first. A list that is searched from its end is fast enough for a thousand,
// and most commands carry no id.
type requests []request

func (r requests) find(id string) (request, bool) {
	for _, known := range slices.Backward(r) {
		if known.ID == id {
			return known, true
		}
	}
	return request{}, false
}

func (r requests) with(n request) requests {
	if len(r) >= RequestsMax {
		r = r[len(r)-RequestsMax+1:]
	}
	return append(slices.Clip(r), n) // clipped: states that share the front must not share the new end
}

// snapshotVersion is the version of the snapshots' form.
const snapshotVersion = 1

type snapshotFile struct {
	Version        int                `json:"v"`
	Revision       uint64             `json:"revision"`
	ConfigRevision uint64             `json:"config_revision"`
	Index          uint64             `json:"index"`
	Term           uint64             `json:"term"`
	CIB            *cib.CIB           `json:"cib"`
	Base           *cib.Configuration `json:"history_base"`
	History        []commit           `json:"history,omitempty"`
	Requests       []request          `json:"requests,omitempty"`
}

func (s *state) encode() ([]byte, error) {
	data, err := json.Marshal(snapshotFile{
		Version: snapshotVersion, Revision: s.revision, ConfigRevision: s.configRevision, Index: s.index, Term: s.term,
		CIB: s.cib, Base: s.history.base, History: s.history.commits, Requests: s.requests,
	})
	if err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	return append(data, '\n'), nil
}

func decodeState(r io.Reader) (*state, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read snapshot: %w", err)
	}
	var head struct {
		Version int `json:"v"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, fmt.Errorf("decode snapshot: %w", err)
	}
	if head.Version != snapshotVersion {
		return nil, &versionError{fmt.Sprintf("snapshot of version %d; this program knows version %d", head.Version, snapshotVersion)}
	}
	var f snapshotFile
	if err := decodeStrictly(data, &f); err != nil {
		return nil, &versionError{fmt.Sprintf("snapshot of version %d: %v", head.Version, err)}
	}
	if f.CIB == nil || f.Base == nil {
		return nil, errors.New("decode snapshot: it holds no state")
	}
	s := &state{
		revision: f.Revision, configRevision: f.ConfigRevision, index: f.Index, term: f.Term,
		cib: f.CIB, requests: f.Requests,
	}
	s.history, err = restoreHistory(f.Base, f.History)
	if err != nil {
		return nil, err
	}
	if n := len(s.history.commits); n > 0 { // one configuration, not two equal ones, in memory
		s.history.commits[n-1].Configuration = &s.cib.Configuration
	}
	return s, nil
}
