package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"

	"paceline/agent/cib"
)

// A snapshot file says what it says: it is refused, or what is taken is written again to the same state.
func FuzzSnapshot(f *testing.F) {
	s := newState()
	for i, value := range []string{"1", "2", "3"} {
		next, _, err := s.step(cib.Apply, &entry{Change: option("batch-limit", value), Request: value}, uint64(i+1), 1)
		if err != nil {
			f.Fatal(err)
		}
		s = next
	}
	whole, err := s.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte(`{"v":1,"cib":{},"base":{}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := decodeState(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, err := s.encode()
		if err != nil {
			t.Fatalf("what was read can not be written: %v", err)
		}
		back, err := decodeState(bytes.NewReader(again))
		if err != nil {
			t.Fatalf("what was written can not be read: %v\n%s", err, again)
		}
		if third, err := back.encode(); err != nil || !bytes.Equal(again, third) {
			t.Fatalf("%v: %s became %s", err, again, third)
		}
		// A log entry that comes after it is applied or refused.
		if _, _, err := s.step(cib.Apply, &entry{Change: option("batch-limit", "9")}, s.index+1, s.term); err != nil {
			t.Logf("refused: %v", err)
		}
	})
}

// A database in which bits were flipped, or which was cut off, is refused, or gives the entries that were written: each
// entry as it was, or none.
func FuzzDatabase(f *testing.F) {
	path := filepath.Join(f.TempDir(), "raft.db")
	d := openDisk(f, path, position{}, position{})
	if err := errors.Join(d.StoreLogs(logs(1, 20, 1)), d.SetUint64([]byte("CurrentTerm"), 1), d.close()); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	at := func(offset uint32, flip byte, cut uint32) []byte {
		b := binary.BigEndian.AppendUint32(nil, cut)
		return append(binary.BigEndian.AppendUint32(b, offset), flip)
	}
	f.Add([]byte(nil))
	f.Add(at(20, 1, 0))
	f.Add(at(8200, 0x80, 0))
	f.Add(at(0, 0, 4096))
	f.Fuzz(func(t *testing.T, how []byte) {
		data := bytes.Clone(whole)
		if len(how) >= 4 {
			if cut := int(binary.BigEndian.Uint32(how)) % (len(data) + 1); cut > 0 {
				data = data[:len(data)-cut]
			}
			how = how[4:]
		}
		for ; len(how) >= 5 && len(data) > 0; how = how[5:] {
			data[int(binary.BigEndian.Uint32(how))%len(data)] ^= how[4]
		}
		path := filepath.Join(t.TempDir(), "raft.db")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := tryDisk(path, position{}, position{})
		if err != nil {
			return
		}
		defer d.close()
		for i := d.tail.first; i != 0 && i <= d.tail.last; i++ {
			var l raft.Log
			if err := d.GetLog(i, &l); err != nil {
				continue // said when it is read
			}
			if l.Index != i || l.Term != 1 || string(l.Data) != "data of an entry" {
				t.Fatalf("entry %d was read as %+v", i, l)
			}
		}
		if d.tail.last < 20 && !d.debt.before(position{1, 21}) {
			t.Fatalf("the debt %v is more than was ever written", d.debt)
		}
		if d.tail.last < 20 && d.debt == (position{}) {
			t.Fatalf("entries behind %d are gone, and nobody owes them", d.tail.last)
		}
	})
}

// anyRules lets every message through.
type anyRules struct{}

func (anyRules) mayStand() error                     { return nil }
func (anyRules) mayVote(position) error              { return nil }
func (anyRules) term() uint64                        { return 3 }
func (anyRules) vouched(raft.ServerID) raft.ServerID { return "" }
func (anyRules) hedge() time.Duration                { return time.Second }
func (anyRules) offer(position) func() bool          { return func() bool { return false } }
func (anyRules) trim(*raft.AppendEntriesRequest)     {}
func (anyRules) addresses(_ raft.ServerID, at raft.ServerAddress) []raft.ServerAddress {
	return []raft.ServerAddress{at}
}

// What comes in on a raft connection, whatever it is, leads to answers or to the end of that connection; the next one works.
func FuzzStream(f *testing.F) {
	n := newNetwork()
	under := n.layer("here")
	s := newStreams(under, "here")
	s.serve()
	l := s.newLayer()
	tr := newTransport(raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: l, MaxPool: 1, MaxRPCsInFlight: 1, Timeout: time.Second, Logger: hclog.NewNullLogger()}), l, anyRules{})
	go func() {
		for rpc := range tr.Consumer() {
			switch m := rpc.Command.(type) {
			case *raft.AppendEntriesRequest:
				rpc.Respond(&raft.AppendEntriesResponse{Term: m.Term}, nil)
			case *raft.RequestVoteRequest:
				rpc.Respond(&raft.RequestVoteResponse{Term: m.Term}, nil)
			case *raft.RequestPreVoteRequest:
				rpc.Respond(&raft.RequestPreVoteResponse{Term: m.Term}, nil)
			case *raft.InstallSnapshotRequest:
				rpc.Respond(&raft.InstallSnapshotResponse{Term: m.Term}, nil)
			default:
				rpc.Respond(nil, errors.New("no answer to that"))
			}
		}
	}()
	f.Cleanup(func() { _ = errors.Join(tr.Close(), s.close()) })
	caller := n.layer("there")
	// Seeds are what a real transport sends.
	for _, seed := range realMessages(f) {
		f.Add(seed)
	}
	f.Add([]byte{0})
	f.Add([]byte{255, 0, 1, 2})
	f.Fuzz(func(t *testing.T, data []byte) {
		conn, err := caller.Dial("here", time.Second)
		if err != nil {
			t.Fatalf("the listener is gone: %v", err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		go func() {
			buf := make([]byte, 4096)
			for {
				if _, err := conn.Read(buf); err != nil {
					return
				}
			}
		}()
		_, _ = conn.Write(data) // it may hang up in the middle
	})
}

// realMessages records what a transport writes for an entry, a vote and a pre-vote.
func realMessages(t testing.TB) [][]byte {
	t.Helper()
	var out [][]byte
	for _, send := range []func(tr *raft.NetworkTransport){
		func(tr *raft.NetworkTransport) {
			_ = tr.AppendEntries("a", "x", &raft.AppendEntriesRequest{RPCHeader: raft.RPCHeader{ID: []byte("a")}, Term: 3, Entries: logs(1, 2, 3)}, &raft.AppendEntriesResponse{})
		},
		func(tr *raft.NetworkTransport) {
			_ = tr.RequestVote("a", "x", &raft.RequestVoteRequest{RPCHeader: raft.RPCHeader{ID: []byte("a")}, Term: 3, LastLogIndex: 9}, &raft.RequestVoteResponse{})
		},
		func(tr *raft.NetworkTransport) {
			_ = tr.RequestPreVote("a", "x", &raft.RequestPreVoteRequest{RPCHeader: raft.RPCHeader{ID: []byte("a")}, Term: 3}, &raft.RequestPreVoteResponse{})
		},
	} {
		tap := &tapLayer{}
		tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{Stream: tap, MaxPool: 1, Timeout: 50 * time.Millisecond, Logger: hclog.NewNullLogger()})
		send(tr)
		_ = tr.Close()
		if len(tap.sent.Bytes()) == 0 {
			t.Fatal("a transport sent nothing")
		}
		out = append(out, bytes.Clone(tap.sent.Bytes()))
	}
	return out
}

// tapLayer keeps what is written to it, and answers nothing.
type tapLayer struct{ sent bytes.Buffer }

func (l *tapLayer) Accept() (net.Conn, error) { return nil, net.ErrClosed }
func (l *tapLayer) Close() error              { return nil }
func (l *tapLayer) Addr() net.Addr            { return memAddr("tap") }
func (l *tapLayer) Dial(raft.ServerAddress, time.Duration) (net.Conn, error) {
	return &tapConn{l: l}, nil
}

type tapConn struct {
	net.Conn
	l *tapLayer
}

func (c *tapConn) Write(b []byte) (int, error)      { return c.l.sent.Write(b) }
func (c *tapConn) Read([]byte) (int, error)         { return 0, net.ErrClosed }
func (c *tapConn) Close() error                     { return nil }
func (c *tapConn) SetDeadline(time.Time) error      { return nil }
func (c *tapConn) SetReadDeadline(time.Time) error  { return nil }
func (c *tapConn) SetWriteDeadline(time.Time) error { return nil }
func (c *tapConn) RemoteAddr() net.Addr             { return memAddr("tap") }
