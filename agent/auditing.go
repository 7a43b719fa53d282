package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"time"

	"paceline/agent/api"
	"paceline/agent/audit"
	"paceline/agent/audit/journals"
	"paceline/agent/cib"
	"paceline/agent/executor"
	"paceline/fencing"
)

// auditFacts is how many facts a node tells, the newest: some days of a busy node.
const auditFacts = 20000

var _ api.Audited = backend{}

// AuditPart tells what truly happened on this node, by its journal, and which configurations it has for committed.
func (b backend) AuditPart(context.Context) (*audit.Part, error) {
	n := b.d.current()
	if n == nil {
		return nil, api.ErrUnconfigured
	}
	entries, err := executor.ReadJournals(b.d.opt.DataDir)
	var damage *executor.DamageError
	if err != nil && !errors.As(err, &damage) && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	now := journals.Clock{}
	now.Wall, now.Mono = n.exec.Clock()
	p := journals.Part(n.file.Node, entries, now, auditFacts)
	if damage != nil {
		p.Notes = append(p.Notes, damage.Error())
	}
	commits := n.store.History(0)
	slices.Reverse(commits)
	for i, c := range commits {
		if i == 0 && c.Before != nil && c.Revision > 1 {
			p.Settings = append(p.Settings, setting(c.Revision-1, c.Time, c.Before))
		}
		p.Settings = append(p.Settings, setting(c.Revision, c.Time, c.After))
	}
	if c := n.store.Snapshot().CIB; c != nil {
		p.Vouched = vouched(c)
	}
	return &p, nil
}

func setting(revision uint64, at time.Time, c *cib.Configuration) audit.Setting {
	s := audit.Setting{At: time.Duration(at.UnixNano()), Revision: revision, Config: audit.ConfigOf(&cib.CIB{Configuration: *c})}
	if data, err := json.Marshal(c); err == nil {
		sum := sha256.Sum256(data)
		s.Digest = hex.EncodeToString(sum[:8])
	}
	return s
}

// vouched are the fencings that are committed as confirmed: a person's word is in no journal.
func vouched(c *cib.CIB) []audit.Fact {
	var out []audit.Fact
	for _, f := range c.Status.Fencing {
		if f.State == fencing.StateOK && f.Action != fencing.On {
			out = append(out, audit.Fact{
				At: time.Duration(f.Completed) * time.Millisecond, Kind: audit.Fenced, Node: f.Target, Until: time.Duration(f.Started) * time.Millisecond,
			})
		}
	}
	slices.SortStableFunc(out, func(a, b audit.Fact) int { return int(a.At - b.At) })
	return out
}
