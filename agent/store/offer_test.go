package store

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/hashicorp/raft"
)

// send gives the node's transport a message as if a leader had sent it, and returns raft's answer.
func (n *node) send(command any, data io.Reader) raft.RPCResponse {
	n.lab.t.Helper()
	answer := make(chan raft.RPCResponse, 1)
	rpc := raft.RPC{Command: command, Reader: data, RespChan: answer}
	tr := n.run.net
	mustNot(n.lab.t, tr.admit(rpc))
	if m, ok := command.(*raft.InstallSnapshotRequest); ok {
		tr.install(rpc, m)
	} else {
		tr.incoming <- rpc
	}
	return <-answer
}

func (n *node) header() raft.RPCHeader {
	return raft.RPCHeader{ProtocolVersion: raft.ProtocolVersionMax, ID: []byte(n.id), Addr: []byte(n.addr)}
}

// newestSnapshot makes what a leader sends of its newest snapshot.
func (n *node) newestSnapshot() (*raft.InstallSnapshotRequest, []byte) {
	n.lab.t.Helper()
	list, err := n.run.snaps.List()
	mustNot(n.lab.t, err)
	meta, r, err := n.run.snaps.Open(list[0].ID)
	mustNot(n.lab.t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	mustNot(n.lab.t, err)
	return &raft.InstallSnapshotRequest{
		RPCHeader: n.header(), SnapshotVersion: meta.Version, Term: n.run.term(), Leader: []byte(n.addr), LastLogIndex: meta.Index, LastLogTerm: meta.Term,
		Configuration: raft.EncodeConfiguration(meta.Configuration), ConfigurationIndex: meta.ConfigurationIndex, Size: meta.Size,
	}, data
}

func (n *node) setOptions(from, to int) {
	n.lab.t.Helper()
	for i := from; i <= to; i++ {
		n.commit("batch-limit", fmt.Sprint(i))
	}
}

// A snapshot that comes late, of a part of what the follower has, costs it nothing: it goes on from its log, and never looks back.
func TestSnapshotOfAPrefixIsLeftAside(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		a.setOptions(1, 9)
		mustNot(t, a.run.raft.Load().Snapshot().Error())
		req, data := a.newestSnapshot()
		a.setOptions(10, 19)
		b := l.nodes["b"]
		b.awaitOption("batch-limit", "19")
		last, _ := b.run.disk.LastIndex()
		resp := b.send(req, bytes.NewReader(data))
		if r, ok := resp.Response.(*raft.InstallSnapshotResponse); resp.Error != nil || !ok || !r.Success {
			t.Fatalf("the leader is told %+v", resp)
		}
		if now, _ := b.run.disk.LastIndex(); now < last {
			t.Fatalf("the log ended at %d, and ends at %d", last, now)
		}
		if v, _ := b.Snapshot().CIB.Option("batch-limit"); v != "19" {
			t.Fatalf("it went back to %s", v)
		}
		a.setOptions(20, 22)
		b.awaitOption("batch-limit", "22")
		l.isolate("c")
		a.setOptions(23, 24) // b's word counts
		mustNot(t, b.Health())
	})
}

// A leader that goes back further than a follower's log reaches is taken on where the follower's snapshot ends.
func TestAppendingFromBeforeTheLog(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		l.node("b").compact = Compaction{After: 1 << 20, Keep: 2, Every: Compact.Every}
		a := l.form("a", "b", "c")
		a.setOptions(1, 9)
		b := l.nodes["b"]
		b.awaitOption("batch-limit", "9")
		mustNot(t, b.run.raft.Load().Snapshot().Error())
		a.setOptions(10, 12)
		b.awaitOption("batch-limit", "12")
		first, _ := b.run.disk.FirstIndex()
		last, _ := a.run.disk.LastIndex()
		covered, err := b.run.covered()
		mustNot(t, err)
		if first < 5 || covered.Index < first {
			t.Fatalf("the log begins at %d, the snapshot ends at %d", first, covered.Index)
		}
		send := func(from, to uint64) { // entries behind from, up to to
			var prev raft.Log
			mustNot(t, a.run.disk.GetLog(from, &prev))
			req := &raft.AppendEntriesRequest{RPCHeader: a.header(), Term: a.run.term(), Leader: []byte(a.addr), PrevLogEntry: from, PrevLogTerm: prev.Term}
			for i := from + 1; i <= to; i++ {
				var x raft.Log
				mustNot(t, a.run.disk.GetLog(i, &x))
				req.Entries = append(req.Entries, &x)
			}
			resp := b.send(req, nil)
			if r, ok := resp.Response.(*raft.AppendEntriesResponse); resp.Error != nil || !ok || !r.Success {
				t.Fatalf("entries %d to %d after %d: the leader is told %+v", from+1, to, from, resp.Response)
			}
			if now, _ := b.run.disk.LastIndex(); now < to {
				t.Fatalf("entries up to %d are acknowledged, and the log ends at %d", to, now)
			}
		}
		for from := first - 3; from <= last; from++ {
			for to := from; to <= last; to++ {
				send(from, to)
			}
		}
		l.isolate("b")
		a.setOptions(13, 14)
		last, _ = a.run.disk.LastIndex()
		send(first-3, last)
		l.join("b")
		b.awaitOption("batch-limit", "14")
	})
}

// Where the log has other entries than those that were committed, all from the first of them on is dropped, and the snapshot is taken
// in the end.
func TestSnapshotOfAnotherHistoryIsTaken(t *testing.T) {
	bubble(t, func(t *testing.T, l *lab) {
		a := l.form("a", "b", "c")
		a.setOptions(1, 3)
		l.nodes["b"].awaitOption("batch-limit", "3")
		l.isolate("a")
		for i := range 20 { // nobody acknowledges them
			go a.try(Command{Change: option("batch-limit", fmt.Sprint(1000+i))})
		}
		leader := l.awaitLeader("b", "c")
		leader.setOptions(4, 6)
		mustNot(t, leader.run.raft.Load().Snapshot().Error())
		req, data := leader.newestSnapshot()
		ends, _ := a.run.disk.LastIndex()
		if ends < req.LastLogIndex {
			t.Fatalf("the log ends at %d, before the snapshot at %d", ends, req.LastLogIndex)
		}
		before := a.run
		if resp := a.send(req, bytes.NewReader(data)); resp.Error == nil {
			t.Fatalf("the leader is told %+v", resp.Response)
		}
		<-before.disk.failed
		l.join("a")
		a.awaitOption("batch-limit", "6")
		leader.setOptions(7, 8)
		a.awaitOption("batch-limit", "8")
		mustNot(t, a.Health())
	})
}
