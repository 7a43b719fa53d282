package membership

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/serf/serf"
)

// Tags that a member carries through the gossip.
const (
	tagID          = "id"
	tagIncarnation = "inc"
	tagBoot        = "boot"
	tagPeerPort    = "pp"
	tagRole        = "role"
	tagVersion     = "ver"
	tagLinks       = "links"
	// tagLeaving is set by a member that is about to leave. Serf alone would take an old leave message of an earlier
	// incarnation for the reason of a crash; tags belong to one incarnation.
	tagLeaving = "leaving"
)

// table turns serf's events into views.
type table struct {
	mu      sync.Mutex // never held while calling into serf: serf calls the guard with its own locks held
	members map[string]entry
	seq     uint64
	views   chan View // capacity 1, latest wins
}

// entry is a member, and whether it announced that it leaves.
type entry struct {
	Member
	leaving bool
}

func newTable() *table {
	return &table{members: map[string]entry{}, views: make(chan View, 1)}
}

// apply takes an event in and publishes a view if it changed anything. It returns the members that changed.
func (t *table) apply(e serf.MemberEvent, now time.Time) []Member {
	t.mu.Lock()
	defer t.mu.Unlock()
	var changed []Member
	for _, m := range e.Members {
		old, known := t.members[m.Name]
		if e.Type == serf.EventMemberReap {
			// Only those that left: a failed member stays until Forget.
			if known {
				delete(t.members, m.Name)
				changed = append(changed, old.Member)
			}
			continue
		}
		next := fromSerf(m)
		switch e.Type {
		case serf.EventMemberJoin, serf.EventMemberUpdate:
			next.Status = Alive
		case serf.EventMemberLeave:
			next.Status = Left
			if !next.leaving {
				next.Status = Failed
			}
		case serf.EventMemberFailed:
			next.Status = Failed
		default:
			continue
		}
		next.Since = now
		if known && old.Status == next.Status && old.Incarnation == next.Incarnation {
			next.Since = old.Since
		}
		t.members[m.Name] = next
		if !known || old.Member != next.Member {
			changed = append(changed, next.Member)
		}
	}
	if len(changed) > 0 {
		t.publish()
	}
	return changed
}

// forget takes a member that is not alive out.
func (t *table) forget(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e, ok := t.members[name]; !ok || e.Status == Alive {
		return false
	}
	delete(t.members, name)
	t.publish()
	return true
}

// publish makes the next view the one to be read. The caller holds the lock.
func (t *table) publish() {
	t.seq++
	v := t.viewLocked()
	select {
	case <-t.views: // nobody took the last one: it is out of date
	default:
	}
	t.views <- v // has room: only publish sends, under the lock
}

func (t *table) view() View {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.viewLocked()
}

func (t *table) viewLocked() View {
	v := View{Seq: t.seq, Members: make([]Member, 0, len(t.members))}
	for _, name := range slices.Sorted(maps.Keys(t.members)) {
		v.Members = append(v.Members, t.members[name].Member)
	}
	return v
}

// fromSerf reads a member without its status.
func fromSerf(m serf.Member) entry {
	peerPort, _ := strconv.Atoi(m.Tags[tagPeerPort])
	return entry{
		Member: Member{
			Name: m.Name, ID: m.Tags[tagID], Incarnation: m.Tags[tagIncarnation], Boot: m.Tags[tagBoot],
			Addr: m.Addr.String(), Port: int(m.Port), PeerPort: peerPort,
			Links: m.Tags[tagLinks], Role: m.Tags[tagRole], Version: m.Tags[tagVersion],
		},
		leaving: m.Tags[tagLeaving] != "",
	}
}
